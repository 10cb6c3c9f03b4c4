"""The settings of a run: those of `transformers.TrainingArguments`, and those of the game."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from transformers import TrainingArguments

from mmd_games.algorithms import MagneticMirrorDescent, MagneticPreferenceOptimization, MultiplicativeWeights
from mmd_games.errors import InputError, require_positive, require_whole, unknown
from mmd_games.llm.objective import require_group
from mmd_games.llm.policy.chunks import default_chunk
from mmd_games.llm.rivals import OBJECTIVES

SCALE = 0.5
"""L of a game of win probabilities that is not known yet: no payoff P − 1/2 is larger."""


REFUSED = {
    "neftune_noise_alpha": "with noise in the embeddings the policy's log-probabilities are not those that completions are drawn from",
    "auto_find_batch_size": "a smaller batch would be another rollout; sequences_per_forward saves memory and changes nothing else",
    "load_best_model_at_end": "the last iterate is the method's result, and its magnet belongs to it",
    "label_smoothing_factor": "there are no labels",
    "hub_token": "it would be saved with the model; set the environment variable HF_TOKEN",
}
"""Settings of `TrainingArguments` that would break the method or leak a secret, with what to do."""


@dataclass
class MagneticPreferenceConfig(TrainingArguments):
    r"""Settings of :class:`MagneticPreferenceTrainer`.

    A *rollout* is one step of the tabular method: every prompt of the batch gets `group_size` completions of the present policy, they are judged, and
    `inner_steps` optimizer steps fit the policy to the exact magnetic step. So ``max_steps`` optimizer steps are ``max_steps / inner_steps`` rollouts, and a
    batch has ``per_device_train_batch_size × gradient_accumulation_steps × processes`` prompts.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`, in 1/win probability. Left open, it and the next two are the tabular method's defaults at L = 1/2: α = 0.1, η = 0.4, K = 50.
    magnet_strength : float, optional
        :math:`\alpha`, in win probability; 0 is no magnet.
    refresh_every : int, optional
        Rollouts between two refreshes of the magnet; 0 keeps it fixed.
    refresh_when : {"schedule", "progress"}
        Every `refresh_every` rollouts; or once the policy has come near the magnet's regularised equilibrium, measured on the rollouts, and at least
        `refresh_every` rollouts after the last.
    progress_tolerance : float
        How near, with "progress": :math:`\mathrm{Var}(\alpha \log(\pi/\rho) - q)` as a part of :math:`\mathrm{Var}(\alpha \log(\pi/\rho))`.
    objective : str
        "magnetic", or an ablation or rival of :data:`mmd_games.llm.rivals.OBJECTIVES`.
    group_size : int
        Completions a prompt, at least 2.
    inner_steps : int
        Optimizer steps a rollout.
    temperature : float
        Completions are drawn from softmax(logits/temperature), and that is the policy whose log-probabilities count. Nothing is truncated: there is no top-p and no top-k.
    max_new_tokens, max_prompt_tokens : int
        Longest completion, and longest prompt. A completion that is cut is an outcome of its own: its log-probability is that of its beginning.
    sequences_per_forward : int, optional
        Completions in one forward and backward pass; default all of a micro-batch. Any number gives the same gradient.
    sequences_per_draw : int
        Completions that are drawn at once, at most. On a GPU a step of many takes no longer than one of few, and memory is what limits them: the keys and values of each.
    head_chunk : int, optional
        Tokens whose logits are in memory at one time; default 256 on a CPU, and 1,024 elsewhere, where smaller products leave the device waiting.
    reset_optimizer_at_refresh : bool
        Forget the optimizer's moments when the magnet moves, for the game is another one then.
    measure_every : int
        Measure every so many rollouts what costs a forward pass of its own: win rate and KL against the first policy, and how much of its step the policy has made;
        0 never does.
    keep_start : bool
        With full fine-tuning, keep a copy of the first policy, for the win rate and KL against it. With adapters it costs nothing and is always there.

    Raises
    ------
    InputError
        For settings out of range; the sentence names the field.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    refresh_every: int | None = None
    refresh_when: str = "schedule"
    progress_tolerance: float = 0.3
    objective: str = "magnetic"
    group_size: int = 8
    inner_steps: int = 1
    temperature: float = 1.0
    max_new_tokens: int = 256
    max_prompt_tokens: int = 1024
    sequences_per_forward: int | None = None
    sequences_per_draw: int = 64
    head_chunk: int | None = None
    reset_optimizer_at_refresh: bool = True
    measure_every: int = 10
    keep_start: bool = False
    # Momentum harms the dynamics of games, decay of weights and of the learning rate changes the game that is played.
    adam_beta1: float = 0.0
    weight_decay: float = 0.0
    lr_scheduler_type: str = "constant"
    learning_rate: float = 1e-5
    logging_steps: float = 10
    remove_unused_columns: bool = False
    ddp_find_unused_parameters: bool | None = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_group(self.group_size)
        require_whole(inner_steps=self.inner_steps, max_new_tokens=self.max_new_tokens, max_prompt_tokens=self.max_prompt_tokens, head_chunk=self.head_chunk)
        require_whole(sequences_per_forward=self.sequences_per_forward, sequences_per_draw=self.sequences_per_draw)
        require_whole(0, refresh_every=self.refresh_every, measure_every=self.measure_every)
        require_positive(step_size=self.step_size, temperature=self.temperature, progress_tolerance=self.progress_tolerance)
        if self.magnet_strength != 0:
            require_positive(magnet_strength=self.magnet_strength)
        if self.refresh_when not in ("schedule", "progress"):
            raise unknown("refresh_when", str(self.refresh_when), ["schedule", "progress"])
        if self.objective not in OBJECTIVES:
            raise unknown("objective", str(self.objective), OBJECTIVES)
        require_whole(0, seed=self.seed, data_seed=self.data_seed)
        for name, remedy in REFUSED.items():
            if getattr(self, name):
                raise InputError(f"{name} cannot be used here: {remedy}.")
        if str(self.save_strategy) in ("best", "SaveStrategy.BEST"):
            raise InputError("save_strategy must be 'no', 'steps' or 'epoch': the last iterate is the method's result, not the best one.")
        if self.refresh_when == "progress" and self.group_size < 4:
            raise InputError(f"refresh_when='progress' needs a group_size of at least 4, so that opponents have two halves; got {self.group_size}.")
        if self.remove_unused_columns:
            raise InputError("remove_unused_columns must be false: the preference model reads the prompts that the model does not.")
        self.head_chunk = self.head_chunk or default_chunk(self.device)
        self._fill_in()
        if self.refresh_when == "progress" and self.magnet_strength == 0:
            raise InputError("refresh_when='progress' needs a magnet; with magnet_strength = 0 there is none.")
        if self.refresh_when == "progress" and not self.refresh_every:
            raise InputError(
                "refresh_when='progress' needs a refresh_every of at least 1, the fewest rollouts between two refreshes; 0 keeps the magnet fixed."
            )

    def _fill_in(self) -> None:
        """What is left open, by theory."""
        if self.magnet_strength == 0:
            self.step_size = 1.0 if self.step_size is None else self.step_size
            self.refresh_every = 0
            return
        method = MagneticPreferenceOptimization(
            step_size=self.step_size, magnet_strength=self.magnet_strength, refresh_every=self.refresh_every or None
        ).with_defaults(SCALE)
        self.step_size, self.magnet_strength = method.step_size, method.magnet_strength
        self.refresh_every = method.refresh_every if self.refresh_every is None else self.refresh_every

    @property
    def algorithm(self) -> MagneticPreferenceOptimization | MagneticMirrorDescent | MultiplicativeWeights:
        """The tabular method of these settings: what `mg.solve`, `mg.predict_rate` and the preflight play."""
        if self.magnet_strength == 0:
            return MultiplicativeWeights(step_size=self.step_size)
        settings: dict[str, Any] = {"step_size": self.step_size, "magnet_strength": self.magnet_strength}
        return MagneticPreferenceOptimization(**settings, refresh_every=self.refresh_every) if self.refresh_every else MagneticMirrorDescent(**settings)

    @classmethod
    def own_settings(cls) -> dict[str, Any]:
        """The names of the settings that `TrainingArguments` lacks, with their defaults."""
        inherited = {entry.name for entry in fields(TrainingArguments)}
        return {entry.name: entry.default for entry in fields(cls) if entry.name not in inherited and entry.init}


def config_from(settings: dict[str, Any]) -> MagneticPreferenceConfig:
    """The configuration of a YAML mapping; an unknown key is named, with the nearest known one."""
    known = {entry.name for entry in fields(MagneticPreferenceConfig) if entry.init}
    for key in settings:
        if key not in known:
            raise unknown("key of training", key, known)
    try:
        return MagneticPreferenceConfig(**settings)
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, InputError) else InputError(f"training: {' '.join(str(error).split())}") from None
