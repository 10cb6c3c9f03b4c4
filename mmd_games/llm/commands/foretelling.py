"""The preflight of a run's file: its settings as the tables play them, and its own model tried."""

from __future__ import annotations

import dataclasses
from typing import Any

from mmd_games.errors import InputError, unknown
from mmd_games.llm.commands.assembly import trainer_of, without_progress_bars
from mmd_games.llm.commands.run_file import RunFile
from mmd_games.llm.preflight import PreflightReport, RunSettings, Subject, preflight
from mmd_games.llm.training import MagneticPreferenceConfig, config_from

OF_MODEL = ("prompts", "samples", "most", "judgements")
"""Keys of the file's preflight that say how the model is tried: see :meth:`Subject.from_trainer`."""


def preflight_of(run: RunFile, *, trainer: Any = None, with_model: bool = True, advice: bool = True) -> PreflightReport:
    """Play a file's settings on tables, and on the game of its own model's completions.

    Parameters
    ----------
    run : RunFile
    trainer : MagneticPreferenceTrainer, optional
        Of this file, where it is made already.
    with_model : bool
        Whether the model is loaded and tried.
    advice : bool
        Whether to look for settings that would do, where these do not; that takes several times as long.

    Raises
    ------
    InputError
        For unknown keys of the file's preflight, or a run whose length is not known.
    """
    tried = {key: value for key, value in run.preflight.items() if key in OF_MODEL}
    told = {key: value for key, value in run.preflight.items() if key not in OF_MODEL}
    require_known(run)
    if trainer is None and with_model:
        without_progress_bars()
        trainer = trainer_of(run)
    args = config_from(run.training) if trainer is None else trainer.args
    budget = {} if "max_rollouts" in told else {"max_rollouts": _rollouts(run, args, trainer)}
    settings = RunSettings.from_training(args, **{"judge_votes": 0, **budget, **told})
    if trainer is None:
        return preflight(settings, advice=advice)
    return preflight(settings, model=Subject.from_trainer(trainer, **tried), advice=advice)


def require_known(run: RunFile) -> None:
    """Refuse keys of the file's preflight that do not exist; what training says already is no key of it."""
    own = {entry.name for entry in dataclasses.fields(RunSettings)} - set(MagneticPreferenceConfig.__dataclass_fields__)
    for key in run.preflight:
        if key not in own and key not in OF_MODEL:
            raise InputError(f"{run.path}: {unknown('key of preflight', str(key), [*own, *OF_MODEL])}")


def _rollouts(run: RunFile, args: MagneticPreferenceConfig, trainer: Any) -> int:
    """The budget, in rollouts."""
    if args.max_steps > 0:
        return max(1, args.max_steps // args.inner_steps)
    if trainer is None:
        raise InputError(f"{run.path}: the run's length is not known without its data; give training.max_steps, or preflight.max_rollouts.")
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    return max(1, int(args.num_train_epochs * max(1, len(trainer.train_dataset) // batch)))
