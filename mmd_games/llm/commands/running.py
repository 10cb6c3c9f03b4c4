"""A training run from its file: preflight, training, and what is left behind in the output directory."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME

from mmd_games.errors import InputError
from mmd_games.llm.commands.assembly import trainer_of, without_progress_bars
from mmd_games.llm.commands.foretelling import preflight_of, require_known
from mmd_games.llm.commands.run_file import RunFile
from mmd_games.llm.commands.watching import GapWatch, watch_of
from mmd_games.llm.training.checkpoints import last_whole_checkpoint
from mmd_games.loop.progress import Interrupt, StderrProgress, interruptible
from mmd_games.report import require_writable

METRICS = ("game/gap", "win_rate/magnet", "win_rate/start", "kl/magnet", "kl/start", "loss")
"""What the table at the end shows, of the first and of the last rollouts that were logged."""


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes
    ----------
    title : str
    measured : dict
        Metric → (first, last) that were logged, and with a bridge the exact duality gaps.
    folder : Path
    interrupted : bool
    notes : list of str
        For people, on standard error.
    """

    title: str
    measured: dict[str, tuple[float, float]]
    folder: Path
    interrupted: bool
    notes: list[str]

    def rows(self) -> list[dict[str, str]]:
        """A row a metric."""
        return [{"metric": name, "at first": f"{first:.4g}", "at last": f"{last:.4g}"} for name, (first, last) in self.measured.items()]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema": "mmd_games.training/1",
            "output_dir": str(self.folder),
            "interrupted": self.interrupted,
            "measured": {name: {"first": first, "last": last} for name, (first, last) in self.measured.items()},
        }


def run_training(run: RunFile, *, resume: bool, preflight: bool) -> TrainingResult | None:
    """Train as a file says; of several processes only the first has a result.

    Raises
    ------
    InputError
        For everything that is wrong with the file, before anything is trained; and to resume where there is no checkpoint.
    """
    without_progress_bars()
    folder = Path(str(run.training.get("output_dir", "trainer_output")))
    require_known(run)
    if PartialState().is_main_process:
        require_writable(folder)
    checkpoint = last_whole_checkpoint(folder) if resume else None
    if resume and checkpoint is None:
        raise InputError(f"{folder} has no checkpoint to resume from; leave out --resume, or save some (training.save_steps).")
    with interruptible() as interrupt:
        trainer = trainer_of(run, callbacks=[_StopAtInterrupt(interrupt), _Progress()])
        if checkpoint is not None and _steps(checkpoint) >= trainer.args.max_steps > 0:
            raise InputError(f"{folder} holds a run that has ended, after {trainer.args.max_steps:,} steps; a larger training.max_steps would go on.")
        for printing in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(printing)  # standard output is for the result
        watch = watch_of(run, trainer)
        if preflight and trainer.is_world_process_zero():
            trainer.preflight = _preflight(run, trainer, folder, resumed=checkpoint is not None)
        trainer.accelerator.wait_for_everyone()
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.save_model()
    trainer.save_state()
    trainer.create_model_card()
    if not trainer.is_world_process_zero():
        return None
    notes = [f"Wrote the model, its card and its log to {folder}."]
    if watch is not None:
        notes += watch.save(folder)
    if interrupt.pressed:
        notes.append("Interrupted after a checkpoint; --resume goes on from there.")
    return TrainingResult(_title(trainer), _measured(trainer, watch), folder, interrupt.pressed, notes)


def _preflight(run: RunFile, trainer: Any, folder: Path, *, resumed: bool) -> str | None:
    """What the preflight says, kept beside the run for the card of a resumed one. It is advice: where it cannot be made, the run begins all the same."""
    kept = folder / "preflight" / "preflight.txt"
    if resumed:
        return kept.read_text(encoding="utf-8") if kept.is_file() else None
    if trainer.args.world_size > 1 and run.generator is not None:
        print("No preflight: with a server and several processes, run `mmd-games preflight` beforehand.", file=sys.stderr)
        return None
    try:
        report = preflight_of(run, trainer=trainer, advice=False)
    except InputError as error:
        print(f"No preflight: {error}", file=sys.stderr)
        return None
    report.save(kept.parent)
    hint = "" if report.exit_status == 0 else " What to change, `mmd-games preflight` says."
    print(f"Preflight {report.verdict.value}: {report.outlook.sentence}{hint}", file=sys.stderr)
    return str(report)


def _steps(checkpoint: Path) -> int:
    return int(json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))["global_step"])


class _StopAtInterrupt(TrainerCallback):
    """Ends a run after the step in which Ctrl-C was pressed, with a checkpoint; of several processes all end where one was told to."""

    def __init__(self, interrupt: Interrupt):
        self._interrupt = interrupt

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Nothing, as long as nobody presses it."""
        pressed = torch.tensor(float(self._interrupt.pressed), device=args.device)
        if args.world_size > 1:
            torch.distributed.all_reduce(pressed)
        if pressed > 0:
            self._interrupt.pressed = True
            control.should_save = control.should_training_stop = True


class _Progress(TrainerCallback):
    """A bar on stderr, with the gap of the last rollout's own game."""

    def __init__(self) -> None:
        self._bar = StderrProgress("training")
        self._gap = float("nan")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Remember the gap."""
        self._gap = (logs or {}).get("game/gap", self._gap)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Draw."""
        if state.is_world_process_zero:
            self._bar(state.global_step, state.max_steps, self._gap)


def _title(trainer: Any) -> str:
    return f"{trainer.rollouts:,} rollouts, {trainer.models.refreshes:,} refreshes of the magnet"


def _measured(trainer: Any, watch: GapWatch | None) -> dict[str, tuple[float, float]]:
    """First and last of what was logged."""
    logged = trainer.state.log_history
    series = {name: [entry[name] for entry in logged if name in entry] for name in METRICS}
    exact = {} if watch is None else watch.measured()
    return exact | {name: (values[0], values[-1]) for name, values in series.items() if values}
