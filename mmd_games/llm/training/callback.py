"""What happens between the steps of a trainer: a rollout ends, an epoch begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

if TYPE_CHECKING:
    from mmd_games.llm.training.trainer import MagneticPreferenceTrainer


class RolloutCallback(TrainerCallback):
    """Moves the magnet where a rollout has ended and it is time; and hands the sampler its epoch."""

    def __init__(self, trainer: MagneticPreferenceTrainer):
        self._trainer = trainer

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Every epoch has its own order of prompts."""
        if self._trainer.sampler is not None:
            self._trainer.sampler.set_epoch(int((state.epoch or 0) + 1e-6))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Before the step is logged or saved."""
        if state.global_step % self._trainer.args.inner_steps == 0:
            self._trainer.end_rollout()
