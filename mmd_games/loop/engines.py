"""Which engine a run goes through: arrays, which serve every algorithm, or the compiled loop."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mmd_games.errors import InputError, unknown
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.preference import PreferenceGame
from mmd_games.loop.feedback import Exact, Feedback
from mmd_games.loop.stack import Stack

Engine = Literal["auto", "array", "compiled"]
ENGINES = ("auto", "array", "compiled")
WORTH = 20_000
"""Steps of all runs together from which the compiled loop is taken by itself: fewer are done before numba is imported."""
SHARED = 256
"""Actions of a game from which several runs on it are one matrix product a step, which beats the compiled loop's one after the other."""
COVERED = "the log-linear family (mpo, mmd, pu, nash-md, mwu, omwu, extragradient) on tables of float64, with exact payoffs"


def require_engine(engine: str) -> None:
    """Refuse an unknown engine by name."""
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)


def takes_compiled(engine: str, runs: Stack, feedback: Feedback, steps: int) -> bool:
    """Whether these runs go through the compiled loop.

    Raises
    ------
    InputError
        When that was asked for and cannot be; the sentence names what can.
    """
    obstacle = _obstacle(runs, feedback)
    if engine == "compiled" and obstacle:
        raise InputError(f"engine='compiled' does not cover {obstacle}: it runs {COVERED}. engine='array' runs everything.")
    if engine != "auto":
        return engine == "compiled"
    shared = len(runs) > 1 and not runs.game.is_stack and runs.game.actions >= SHARED
    return not obstacle and not shared and steps * len(runs) >= WORTH


def _obstacle(runs: Stack, feedback: Feedback) -> str:
    """What keeps these runs from the compiled loop; nothing where nothing does."""
    if runs.rule is None:
        return f"{type(runs.algorithm).__name__}, which is not of that family"
    if not isinstance(feedback, Exact):
        return f"the feedback {feedback}"
    if type(runs.game).payoffs not in (PreferenceGame.payoffs, MatrixGame.payoffs):
        return f"{runs.game.name}, whose payoffs come from no stored table"
    matrix = runs.game.payoff_matrix  # type: ignore[attr-defined]
    if not isinstance(matrix, np.ndarray) or matrix.dtype != np.float64:
        return f"{runs.game.name}, whose table is not a NumPy array of float64"
    return ""
