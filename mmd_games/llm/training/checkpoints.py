"""What a checkpoint holds beside what transformers writes: the magnet, when it moves next, the rollout that is being learned from, and where the judge was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers.trainer import TRAINER_STATE_NAME

from mmd_games.errors import InputError
from mmd_games.llm.policy.magnet import WEIGHTS
from mmd_games.llm.rivals import Group
from mmd_games.llm.training.rollout import Rollout

if TYPE_CHECKING:
    from mmd_games.llm.training.trainer import MagneticPreferenceTrainer


def save_run(trainer: MagneticPreferenceTrainer, directory: str | os.PathLike[str]) -> None:
    """Write this process's rollouts and the state of the refreshes, and the magnet, of all processes together."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    between = trainer.state.global_step % trainer.args.inner_steps == 0
    rollouts = [] if between else [rollout.to("cpu") for rollout in trainer._rollouts]
    partial = folder / f".{_file(trainer)}.partial"
    judge = getattr(trainer.preference_model, "state_dict", dict)()
    state = {
        "shape": _shape(trainer),
        "judge": judge,
        "refreshes": trainer.refresh_rule.state(),
        "progress": trainer.progress,
        "rollouts": [_as_dict(rollout) for rollout in rollouts],
    }
    torch.save(state, partial)
    os.replace(partial, folder / _file(trainer))
    trainer.models.save(folder)


def load_run(trainer: MagneticPreferenceTrainer, directory: str | os.PathLike[str]) -> list[Rollout]:
    """Restore the magnet and the state of the refreshes, and return the rollouts.

    Raises
    ------
    InputError
        For a checkpoint of something else, or of a run with another number of processes.
    """
    folder = Path(directory)
    trainer.models.load(folder)
    try:
        saved = torch.load(folder / _file(trainer), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(
            f"{folder} has no {_file(trainer)}: it is no checkpoint of this trainer, or of a run with fewer processes than {trainer.args.world_size}."
        ) from None
    if saved["rollouts"]:
        for name, value in _shape(trainer).items():
            if saved["shape"][name] != value:
                raise InputError(
                    f"{folder} was written within a rollout, with {name} = {saved['shape'][name]}, and now it is {value}: resume with what it was, "
                    f"or from a checkpoint at a multiple of inner_steps = {saved['shape']['inner_steps']}."
                )
    trainer.refresh_rule.restore(saved["refreshes"])
    trainer.progress = saved["progress"]
    if saved["judge"]:
        trainer.preference_model.load_state_dict(saved["judge"])  # type: ignore[attr-defined], whoever has one has the other
    return [_from_dict(entry).to(trainer.accelerator.device) for entry in saved["rollouts"]]


def last_whole_checkpoint(directory: str | os.PathLike[str]) -> Path | None:
    """The newest checkpoint of an output directory to which nothing is missing; a run that is killed while it writes one leaves another behind."""
    numbered = {int(folder.name.rpartition("-")[2]): folder for folder in Path(directory).glob("checkpoint-*") if folder.name[11:].isdigit()}
    whole = [step for step, folder in numbered.items() if all((folder / part).is_file() for part in (TRAINER_STATE_NAME, WEIGHTS, "rollout_0.pt"))]
    return numbered[max(whole)] if whole else None


def _shape(trainer: MagneticPreferenceTrainer) -> dict[str, int]:
    """How a rollout is divided among processes and micro-batches."""
    names = ("world_size", "inner_steps", "gradient_accumulation_steps", "per_device_train_batch_size", "group_size")
    return {name: int(getattr(trainer.args, name)) for name in names}


def _file(trainer: MagneticPreferenceTrainer) -> str:
    return f"rollout_{trainer.args.process_index}.pt"


def _as_dict(rollout: Rollout) -> dict[str, Any]:
    """Lists and tensors alone, which can be read without trusting the file."""
    return {**vars(rollout), "group": dict(vars(rollout.group))}


def _from_dict(entry: dict[str, Any]) -> Rollout:
    return Rollout(**{**entry, "group": Group(**entry["group"])})
