"""The command that makes a report again, with every setting written out."""

from __future__ import annotations

import os
import shlex

from mmd_games.loop import Trace


def command_for_run(
    source: str, trace: Trace, steps: int, tolerance: float, *, start: str | None, feedback: str, payoffs: bool = False, symmetrise: bool = False
) -> str:
    """`mmd-games verify` with the settings that the algorithm had in this game; an interrupted run is made as long as it was.

    Without a start the command has none either: which one is the default depends on the game alone.
    """
    budget = trace.steps if trace.stopped == "interrupted" else steps
    words = ["mmd-games", "verify", source, "--algorithm", trace.algorithm_spec, "--steps", str(budget), *_judging(tolerance, payoffs, symmetrise)]
    words += [] if start is None else ["--start", start]
    return shlex.join(words + ([] if feedback == "exact" else ["--feedback", feedback]))


def command_for_trace(source: str, file: str | os.PathLike[str], tolerance: float, *, payoffs: bool = False, symmetrise: bool = False) -> str:
    """`mmd-games verify --trace`."""
    return shlex.join(["mmd-games", "verify", source, "--trace", os.fspath(file), *_judging(tolerance, payoffs, symmetrise)])


def _judging(tolerance: float, payoffs: bool, symmetrise: bool) -> list[str]:
    """How the game was read, and what counts as an equilibrium."""
    flags = {"--payoffs": payoffs, "--symmetrise": symmetrise}
    return ["--tolerance", repr(float(tolerance)), *(flag for flag, given in flags.items() if given)]
