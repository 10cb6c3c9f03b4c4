"""Which engine a run goes through: arrays, which serve every algorithm, or the compiled loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError, unknown
from mmd_games.games.game import Game
from mmd_games.games.implicit.low_rank import LowRankGame
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.table_game import TableGame
from mmd_games.loop.compiled_games import has_one_place, share_products
from mmd_games.loop.feedback import Exact, Feedback
from mmd_games.loop.stack import Stack

Engine = Literal["auto", "array", "compiled"]
ENGINES = ("auto", "array", "compiled")
WORTH = 20_000
"""Steps of all runs together from which the compiled loop is taken by itself: fewer are done before numba is imported."""
PATIENCE, CALLS, ENTRY = 0.25, 3e-5, 3e-10
"""Seconds of array work before the compiled loop is loaded, and about how many a step's calls and each entry of a table take. By count and not by the clock, so that the same call gives the same bits."""
LARGE = 1000
"""Actions from which fewer steps are enough, in proportion."""
HALVED = 512
"""Actions from which the compiled product that reads one triangle beats BLAS, which reads both."""
WORTH_HALVING = 2e10
"""Entries of a whole run from which it is worth the import of numba."""
COVERED = "the log-linear family (mpo, mmd, pu, nash_md, mwu, omwu, extragradient) on tables of float64 and games of low rank, with exact payoffs"


def require_engine(engine: str) -> None:
    """Refuse an unknown engine by name."""
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)


def arrays_until(engine: str, runs: Stack, feedback: Feedback, steps: int, until: float | None, expected: int | None = None) -> int | None:
    """The step up to which these runs go through arrays before the compiled loop takes over: 0 for at once, None for never.

    A long run that has a tolerance begins on arrays, for it may end by that before numba would have been imported; unless so many steps are expected of it that it will not.

    Raises
    ------
    InputError
        When the compiled loop was asked for and cannot be; the sentence names what can.
    """
    obstacle = _obstacle(runs, feedback)
    if engine == "compiled" and obstacle:
        raise InputError(f"engine='compiled' does not cover {obstacle}: it runs {COVERED}. engine='array' runs everything.")
    if engine != "auto":
        return 0 if engine == "compiled" else None
    actions, table = runs.game.actions, isinstance(runs.game, TableGame)
    work = len(runs) * max(1.0, actions / LARGE)
    if obstacle or steps * work < WORTH or (share_products(runs) and not (table and has_one_place(runs))):
        return None
    if until is None or (expected or 0) * work >= WORTH or (not table and getattr(runs.rule, "evaluation", "") == "extrapolated"):
        return 0  # in the last case the compiled loop remembers the last embedding, which an array run does not know
    entries = len(runs) * (float(actions) ** 2 if table else 50.0 * actions)
    return int(PATIENCE / (CALLS + ENTRY * entries))


def product_of(game: Game, steps: int) -> Callable[[Array], Array]:
    """The function policy → payoffs of an array run: the game's own, or for a large skew table in a long run the compiled product that reads one triangle of it."""
    table = getattr(game, "payoff_matrix", None)
    whole = type(game).payoffs is not PreferenceGame.payoffs or not isinstance(table, np.ndarray) or table.ndim != 2 or table.dtype != np.float64
    if whole or game.actions < HALVED or steps * float(game.actions) ** 2 < WORTH_HALVING:
        return game.payoffs
    from mmd_games.compiled.products import half_product  # numba is imported where it is used

    def payoffs(policy: Array) -> Array:
        if policy.ndim > 1:
            return game.payoffs(policy)
        received = np.empty(len(policy))
        half_product(table, np.ascontiguousarray(policy), received)
        return received

    return payoffs


def _obstacle(runs: Stack, feedback: Feedback) -> str:
    """What keeps these runs from the compiled loop; nothing where nothing does."""
    if runs.rule is None:
        return f"{type(runs.algorithm).__name__}, which is not of that family"
    if not isinstance(feedback, Exact):
        return f"the feedback {feedback}"
    if type(runs.game).payoffs is LowRankGame.payoffs:
        return ""
    if not isinstance(runs.game, TableGame) or type(runs.game).payoffs not in (PreferenceGame.payoffs, MatrixGame.payoffs):
        return f"{runs.game.name}, whose payoffs come neither from a stored table nor from a low rank"
    matrix = runs.game.payoff_matrix
    if not isinstance(matrix, np.ndarray) or matrix.dtype != np.float64:
        return f"{runs.game.name}, whose table is not a NumPy array of float64"
    return ""
