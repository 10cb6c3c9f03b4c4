"""What of a training run decides whether it converges: the settings that a preflight plays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmd_games import specs
from mmd_games.algorithms import MagneticMirrorDescent, MagneticPreferenceOptimization, MultiplicativeWeights
from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.llm.objective import require_group

LARGEST_PROBABILITY = 0.5
"""A judge that answers wrongly as often as rightly says nothing."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    r"""The settings of a run, as a preflight plays them.

    Parameters
    ----------
    step_size, magnet_strength : float
        :math:`\eta` and :math:`\alpha`, in units of win probability; a magnet strength of 0 is no magnet.
    refresh_every : int
        Rollouts between two refreshes of the magnet; 0 keeps it fixed.
    group_size : int
        K, completions a prompt.
    inner_steps : int
        Optimizer steps a rollout.
    learning_rate : float
        Of AdamW without weight decay, constant. What it does is known of a model only, by a probe; tables are played at the fraction of each update that is realised.
    max_rollouts : int
        The budget.
    judge_votes : int
        Each comparison is the mean of so many votes, Bernoulli draws of the win probability; 0 for a judge that gives the probability itself.
    judge_flips : float
        Probability that a judge prefers the wrong one, below 1/2: win probabilities move towards 1/2 by the factor 1 − 2 times it.
    target_gap : float
        Duality gap that is good enough, from 0 to 1; the run *reaches* it when the mean gap over the last fifth of its rollouts is at most this.
    realised_fraction : float
        f, which part of each update the gradient steps realise; only for tables played without a model, which measures it. 1 where nothing is known.
    adam_beta1, adam_beta2, adam_epsilon, max_grad_norm : float
        As the trainer has them; a largest gradient norm of 0 clips nothing.
    reset_optimizer_at_refresh : bool
    seed : int
        Of everything that is drawn here.

    Raises
    ------
    InputError
        For a value out of range; the sentence names the field.
    """

    step_size: float
    magnet_strength: float
    refresh_every: int
    group_size: int
    inner_steps: int = 1
    learning_rate: float = 1e-5
    max_rollouts: int = 1000
    judge_votes: int = 1
    judge_flips: float = 0.0
    target_gap: float = 0.05
    realised_fraction: float = 1.0
    adam_beta1: float = 0.0
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    max_grad_norm: float = 1.0
    reset_optimizer_at_refresh: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(step_size=self.step_size, learning_rate=self.learning_rate, target_gap=self.target_gap, adam_epsilon=self.adam_epsilon)
        require_positive(realised_fraction=self.realised_fraction)
        for name in ("magnet_strength", "max_grad_norm"):
            if getattr(self, name) != 0:
                require_positive(**{name: getattr(self, name)})
        require_whole(0, refresh_every=self.refresh_every, judge_votes=self.judge_votes, seed=self.seed)
        require_whole(group_size=self.group_size, inner_steps=self.inner_steps, max_rollouts=self.max_rollouts)
        require_group(self.group_size)
        for name in ("adam_beta1", "adam_beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 0 and below 1, got {getattr(self, name)!r}.")
        if not 0 <= self.judge_flips < LARGEST_PROBABILITY:
            raise InputError(f"judge_flips must be at least 0 and below 0.5, got {self.judge_flips!r}: a judge that is wrong half the time says nothing.")
        if self.target_gap >= 1:
            raise InputError(f"target_gap must be below 1, the largest gap of a game of win probabilities, got {self.target_gap!r}.")

    @classmethod
    def from_config(cls, mapping: Mapping[str, Any]) -> RunSettings:
        """The settings of a mapping, as a YAML file has it.

        Raises
        ------
        InputError
            For what is no mapping, an unknown key (the nearest is offered), one that is missing, or a value out of range.

        Examples
        --------
        >>> RunSettings.from_config({"step_size": 1.0, "magnet_strength": 0.3, "refresh_every": 20, "group_size": 64}).max_rollouts
        1000
        """
        if not isinstance(mapping, Mapping):
            raise InputError(f"The preflight's settings are a mapping of names to values, got {type(mapping).__name__}.")
        return specs.build(cls, mapping, "preflight")

    @classmethod
    def from_training(cls, config: Any, *, max_rollouts: int, **others: Any) -> RunSettings:
        """Those of a :class:`mmd_games.llm.training.MagneticPreferenceConfig`; what it does not say (votes, the target) is given beside it."""
        shared = {field.name: getattr(config, field.name) for field in dataclasses.fields(cls) if hasattr(config, field.name)}
        return cls(**{**shared, "max_rollouts": max_rollouts, **others})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return dataclasses.asdict(self)

    @property
    def pull(self) -> float:
        r""":math:`\eta\alpha`."""
        return self.step_size * self.magnet_strength

    def algorithm(self, step_size: float | None = None) -> MagneticPreferenceOptimization | MagneticMirrorDescent | MultiplicativeWeights:
        """The tabular method, at another step size where one is given."""
        step_size = self.step_size if step_size is None else step_size
        if self.magnet_strength == 0:
            return MultiplicativeWeights(step_size=step_size)
        if self.refresh_every == 0:
            return MagneticMirrorDescent(step_size=step_size, magnet_strength=self.magnet_strength)
        return MagneticPreferenceOptimization(step_size=step_size, magnet_strength=self.magnet_strength, refresh_every=self.refresh_every)
