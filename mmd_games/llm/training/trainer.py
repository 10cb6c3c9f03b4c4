"""The trainer: `transformers.Trainer` with one thing changed, what a training step is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, set_seed
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled

from mmd_games.errors import InputError
from mmd_games.llm.policy import Generator, PolicyAndMagnet, TransformersGenerator, without_dropout, without_needless_casts
from mmd_games.llm.preference import PreferenceModel
from mmd_games.llm.rivals import OBJECTIVES
from mmd_games.llm.training.callback import RolloutCallback
from mmd_games.llm.training.checkpoints import load_run, save_run
from mmd_games.llm.training.config import MagneticPreferenceConfig
from mmd_games.llm.training.evaluation import evaluate_policy
from mmd_games.llm.training.gradients import push_back, require_precision
from mmd_games.llm.training.judging import judge_groups
from mmd_games.llm.training.metrics import Meter, rollout_metrics
from mmd_games.llm.training.model_card import write_model_card
from mmd_games.llm.training.prompts import Prompts, PromptTokens, as_they_are, longest_prompt, require_tokenizer
from mmd_games.llm.training.refresh import RefreshRule, progress_of
from mmd_games.llm.training.rollout import Rollout, Scorer, roll_out
from mmd_games.llm.training.sampler import RolloutSampler

PATIENCE = 10
"""After so many batches without any judgement a run ends."""


class MagneticPreferenceTrainer(Trainer):
    r"""Magnetic Preference Optimization of a language model: self-play towards the Nash equilibrium of a preference, by its last iterate.

    Every rollout draws `group_size` completions a prompt from the present policy :math:`\pi_t`, has them judged against each other, and fits the policy to
    the exact magnetic step of :func:`mmd_games.updates.proximal_logits`, the function that the tables are played with. The magnet :math:`\rho` moves to the
    policy every `refresh_every` rollouts. Completions depend on the seed, the rollout and the place of their prompt alone, so runs on one process or several, and
    resumed runs, see the same ones.

    Parameters
    ----------
    model : PreTrainedModel or PeftModel
        A causal language model.
    preference_model : PreferenceModel
        Any callable of the protocol: prompts and groups of completions to win probabilities (B, K, K).
    args : MagneticPreferenceConfig
    train_dataset, eval_dataset : dataset with a `prompt` column
        Text, or chat messages.
    processing_class : PreTrainedTokenizerBase
        The model's tokenizer, with pad and eos tokens.
    callbacks : list of TrainerCallback, optional
    peft_config : PeftConfig, optional
        Train an adapter: policy and magnet are then two adapters on one base. Without it the whole model is trained, and the magnet is a frozen copy.
    generator : Generator, optional
        Who draws completions; default the model itself, by transformers.

    Raises
    ------
    InputError
        For what cannot be trained, as a sentence, before anything is.

    References
    ----------
    Wang et al., "Magnetic Preference Optimization: Achieving Last-iterate Convergence for Language Model Alignment", ICLR 2025, arXiv 2410.16714.
    """

    args: MagneticPreferenceConfig

    def __init__(
        self,
        model: Any,
        preference_model: PreferenceModel,
        args: MagneticPreferenceConfig,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        callbacks: list[TrainerCallback] | None = None,
        peft_config: Any = None,
        *,
        generator: Generator | None = None,
    ):
        if not isinstance(args, MagneticPreferenceConfig):
            raise InputError(f"args must be a MagneticPreferenceConfig, got {type(args).__name__}.")
        if args.eval_strategy != "no" and eval_dataset is None:
            raise InputError("eval_strategy needs an eval_dataset with prompts to evaluate on (in a run's file data.eval); or leave it at 'no'.")
        require_tokenizer(processing_class)
        assert processing_class is not None
        longest = longest_prompt(model, args.max_prompt_tokens, args.max_new_tokens)
        train = None if train_dataset is None else Prompts(train_dataset, processing_class, longest, "train_dataset")
        evaluated = None if eval_dataset is None else Prompts(eval_dataset, processing_class, longest, "eval_dataset")
        without_dropout(model)
        set_seed(args.seed)  # an adapter's first weights are drawn, by every process alike and by a resumed run again
        self.models = PolicyAndMagnet.from_model(model, peft_config, keep_start=args.keep_start)
        require_precision(self.models.model)
        self.preference_model = preference_model
        self.preflight: Any = None
        """What a preflight said of these settings, for the model card."""
        tokenizer: Any = processing_class
        self.scorer = Scorer(args.temperature, int(args.head_chunk or 0), tokenizer.pad_token_id, args.sequences_per_forward)
        self.generator = generator or TransformersGenerator(
            args.group_size, args.max_new_tokens, args.temperature, eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id, batch=args.sequences_per_draw
        )
        self.refresh_rule = RefreshRule(int(args.refresh_every or 0), args.refresh_when == "progress", args.progress_tolerance)
        self._objective = OBJECTIVES[args.objective]
        self._rollouts: list[Rollout] = []
        self.progress = torch.zeros(2)
        """Of the present rollout, by `progress_of`."""
        self._place = (-1, 0)
        self._unjudged = 0
        self._meter = Meter()
        self.sampler: RolloutSampler | None = None
        super().__init__(
            model=self.models.model,
            args=args,
            data_collator=as_they_are,
            train_dataset=train,  # type: ignore[arg-type]
            eval_dataset=evaluated,  # type: ignore[arg-type]
            processing_class=processing_class,
            callbacks=callbacks,
        )
        if self.models.model is model and (self.is_fsdp_enabled or is_deepspeed_zero3_enabled()):
            raise InputError(
                "With the model in pieces (FSDP, DeepSpeed ZeRO 3) give peft_config: policy and magnet are then adapters; a frozen copy would be whole on every device."
            )
        self.add_callback(RolloutCallback(self))

    def _get_train_sampler(self, train_dataset: Any = None) -> RolloutSampler:
        """Batches of prompts, each for all inner steps of a rollout."""
        prompts = self.train_dataset if train_dataset is None else train_dataset
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        self.sampler = RolloutSampler(len(prompts), batch, self.args.inner_steps, self.args.seed if self.args.data_seed is None else self.args.data_seed)  # type: ignore[arg-type]
        return self.sampler

    @property
    def rollouts(self) -> int:
        """Rollouts that are finished."""
        return self.state.global_step // self.args.inner_steps

    def _slot(self) -> int:
        """Which of the accumulated micro-batches of this optimizer step comes now."""
        step, slot = self._place
        self._place = (self.state.global_step, slot + 1 if step == self.state.global_step else 0)
        return self._place[1]

    def _keys(self, slot: int, count: int) -> list[tuple[int, ...]]:
        """What the completions of each prompt depend on: its place among all processes' prompts of this rollout."""
        first = (slot * self.args.world_size + self.args.process_index) * count
        return [(self.args.seed, self.rollouts, first + index) for index in range(count)]

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Draw a rollout where one begins, and push its loss back through the policy."""
        slot, inner = self._slot(), self.state.global_step % self.args.inner_steps
        model.train()
        prepare = getattr(self.optimizer, "train", None)
        if callable(prepare):  # schedule-free ones
            prepare()
        known: Tensor | None = None
        with without_needless_casts(self.models.model, self.accelerator.native_amp):
            if inner == 0:
                if slot == 0:
                    self._measure_fidelity(model)
                    self._rollouts, self.progress = [], torch.zeros(2)
                rollout, known = self._roll_out(model, inputs["rows"], slot)
                self._rollouts.append(rollout)
            rollout = self._rollouts[slot]
            return push_back(model, rollout, lambda log_probs: self._loss(log_probs, rollout), self.scorer, self.accelerator, known)

    def _roll_out(self, model: Any, rows: list[PromptTokens], slot: int) -> tuple[Rollout, Tensor]:
        """A rollout, and the policy's log-probabilities; with their graph where one forward pass gives them all, which then need not be made again."""
        known = torch.zeros(0)

        def score(prompts: list[list[int]], completions: list[list[int]]) -> Tensor:
            nonlocal known
            device, parts = self.accelerator.device, list(self.scorer.parts(len(completions)))
            if len(parts) == 1:
                known = self.scorer.log_probs(model, self.scorer.batch(prompts, completions, parts[0], device)).reshape(len(prompts), -1)
            else:
                known = self.scorer.score(model, prompts, completions, device)
            return known.detach()

        rollout = roll_out(
            models=self.models,
            policy=model,
            generator=self.generator,
            scorer=self.scorer,
            judge=self._judge,
            decode=self._decode,
            rows=rows,
            keys=self._keys(slot, len(rows)),
            device=self.accelerator.device,
            score_policy=score,
            score_start=self._measures(),
            autocast=self.accelerator.autocast,
        )
        self.progress += progress_of(rollout.group, self.args.magnet_strength or 0.0).float().cpu()
        self._meter.add(rollout_metrics(rollout, self.args.max_new_tokens), rollout.tokens)
        return rollout, known

    def _judge(self, prompts: list[Any], groups: list[list[str]]) -> Tensor:
        """Judge some groups. At first silence is an error; later it may pass, and only a judge that stays silent ends the run."""
        table = judge_groups(self.accelerator, self.preference_model, prompts, groups, may_be_silent=self.state.global_step > 0)
        silent = bool((torch.isnan(table) | torch.eye(table.shape[-1], dtype=torch.bool)).all())
        self._unjudged = self._unjudged + 1 if silent else 0
        if self._unjudged >= PATIENCE:
            raise InputError(f"The preference model has judged nothing in the last {PATIENCE} batches; resume from the last checkpoint when it answers again.")
        return table

    def _measures(self) -> bool:
        """Whether this rollout is one of those that are measured more closely."""
        every = self.args.measure_every
        return every > 0 and self.rollouts % every == 0

    def _decode(self, tokens: list[int]) -> str:
        return self.processing_class.decode(tokens, skip_special_tokens=True)  # type: ignore[union-attr]

    def _loss(self, log_probs: Tensor, rollout: Rollout) -> Tensor:
        step_size, strength = float(self.args.step_size or 0.0), float(self.args.magnet_strength or 0.0)
        return self._objective(log_probs, rollout.group, step_size=step_size, magnet_strength=strength) / self.current_gradient_accumulation_steps

    @torch.no_grad()
    def _measure_fidelity(self, model: Any) -> None:
        """How much of the last rollout's step the policy has made."""
        if not self._rollouts or not self._measures():
            return
        before = after = 0.0
        for rollout in self._rollouts:
            log_probs = self.scorer.score(model, rollout.prompts, rollout.completions, self.accelerator.device)
            before += float(self._loss(rollout.group.log_policy, rollout))
            after += float(self._loss(log_probs, rollout))
        self._meter.add({"step/loss_before": before, "step/loss_after": after})

    def train(self, resume_from_checkpoint: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train; see `transformers.Trainer.train`. The preference model is asked first whether it is there."""
        if self.train_dataset is None:
            raise InputError("train_dataset must hold the prompts to train on; none was given.")
        check = getattr(self.preference_model, "check", None)
        if check is not None and self.accelerator.is_main_process:
            check()
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def end_rollout(self) -> None:
        """Move the magnet to the policy, if it is time."""
        progress: Any = self.accelerator.reduce(self.progress.to(self.accelerator.device), reduction="sum")
        if not self.refresh_rule.due(*progress.tolist()):
            return
        self.models.refresh()
        optimizer: Any = getattr(self.optimizer, "optimizer", self.optimizer)
        if self.args.reset_optimizer_at_refresh and optimizer is not None:
            optimizer.state.clear()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the rollouts since the last log have shown."""
        measured = self._meter.empty(self.accelerator) if "loss" in logs or "train_runtime" in logs else {}
        if measured:
            measured |= {"magnet/refreshes": float(self.models.refreshes), "rollouts": float(self.rollouts)}
            calls = getattr(self.preference_model, "calls", None)
            measured |= {} if calls is None else {"judge/calls": float(calls)}
        super().log(logs | measured, start_time)

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """Win rates of the policy against its magnet and its start, from fresh completions of all of them, on the prompts of `eval_dataset`."""
        prompts = self.eval_dataset if eval_dataset is None else eval_dataset
        if prompts is None:
            raise InputError("eval_dataset must hold prompts to evaluate on; none was given.")
        if not isinstance(prompts, Prompts):
            longest = longest_prompt(self.models.model, self.args.max_prompt_tokens, self.args.max_new_tokens)
            prompts = Prompts(prompts, self.processing_class, longest, "eval_dataset")
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in evaluate_policy(self, prompts).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def floating_point_ops(self, inputs: Mapping[str, Any]) -> int:
        """Not counted: most of the work is drawing completions."""
        return 0

    def _inner_training_loop(self, *args: Any, **kwargs: Any) -> Any:
        # Nothing of an earlier training, that ended or broke off, is in this one; what a checkpoint says is restored inside.
        self._place, self._rollouts, self.progress, self._unjudged = (-1, 0), [], torch.zeros(2), 0
        self.refresh_rule.restore({"since": 0, "remaining": 0.0, "moved": 0.0})
        self._meter = Meter()
        return super()._inner_training_loop(*args, **kwargs)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # First, for the other part deletes older checkpoints, and writes trainer_state.json last.
        save_run(self, f"{self._get_output_dir(trial)}/checkpoint-{self.state.global_step}")
        super()._save_checkpoint(model, trial)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        # The one step of resuming that all ways of distributing a model have in common, after the model has been loaded.
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self._rollouts = load_run(self, checkpoint)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write the model card: how the model was made, what the preflight said, and whom to cite."""
        if self.is_world_process_zero():
            write_model_card(self)
