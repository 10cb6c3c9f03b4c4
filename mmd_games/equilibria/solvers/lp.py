"""Nash equilibria by linear programming (HiGHS): the oracle that shares nothing with the algorithms it judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmd_games.arrays import Blocks, block_max, require_memory, uniform_log_policy
from mmd_games.equilibria.highs import FEASIBILITY, minimise
from mmd_games.equilibria.listing import list_policy
from mmd_games.errors import InputError, require_positive, unknown
from mmd_games.games.game import Game, duality_gap, exact_gap

METHODS = ("lp",)


@dataclass(frozen=True, eq=False)
class NashEquilibrium:
    """A Nash equilibrium and how far it is from being one.

    Attributes
    ----------
    policy : array (actions,)
        Probabilities, a block a player.
    value : float
        What the first player receives, in the user's units (0.5 for win probabilities); right to within ``gap``.
    gap : float
        Duality gap of ``policy``, recomputed from the game, in the game's units.
    support : tuple of int
        Where ``policy`` is positive. HiGHS cannot tell a probability below 1e-10 from zero, so these are put to zero
        wherever that costs no more than rounding.
    slack : array (actions,)
        What each action earns less than its player's best one, at least 0.
    method : str
        How it was found.
    tolerance : float
        The gap asked for, in the game's units.
    converged : bool
        ``gap <= tolerance``.
    scale : float
        L, half the range of the game's payoffs.
    blocks, labels, game, units
        The game's sizes, names of actions, name and units.
    """

    policy: np.ndarray
    value: float
    gap: float
    support: tuple[int, ...]
    slack: np.ndarray
    method: str
    tolerance: float
    converged: bool
    scale: float
    blocks: Blocks
    labels: tuple[tuple[str, ...], ...] | None
    game: str
    units: str

    def __str__(self) -> str:
        state = "" if self.converged else f"\n  NOT CONVERGED: the gap is above the tolerance {self.tolerance:.3g}"
        return (
            f"Nash equilibrium of {self.game} ({self.method}): value {self.value:.9g}, {len(self.support)} of {sum(self.blocks)} actions played, "
            f"duality gap {self.gap:.3g} ({self.units}, L = {self.scale:.6g}){state}\n{list_policy(self.policy, self.blocks, self.labels)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON takes it; indices are counted from 0, ``gap_relative`` is the gap over L (0 in a constant game)."""
        return {
            "schema": "mmd_games.nash/1",
            "game": self.game,
            "units": self.units,
            "blocks": list(self.blocks),
            "labels": None if self.labels is None else [list(names) for names in self.labels],
            "method": self.method,
            "value": self.value,
            "gap": self.gap,
            "gap_relative": self.gap / self.scale if self.scale > 0 else 0.0,
            "tolerance": self.tolerance,
            "converged": self.converged,
            "scale": self.scale,
            "policy": self.policy.tolist(),
            "support": list(self.support),
            "slack": self.slack.tolist(),
        }


def nash(game: Game, *, method: str = "lp", tolerance: float | None = None) -> NashEquilibrium:
    r"""A Nash equilibrium, by linear programming.

    A symmetric game solves :math:`\min t` subject to :math:`Sp \le t`, :math:`\sum p = 1`, :math:`p \ge 0`. Of a matrix game the column
    player solves the same with A, and the row player's policy is its dual; where the two leave a gap above the tolerance, the row player
    solves a program too. The matrix is centred and divided by L first, so units do not matter, and the solution is
    corrected once in float64 on its support, which takes the gap from HiGHS's 1e-14..1e-10 to about 1e-16 L. A simplex method returns
    a vertex: one equilibrium of smallest support where there are several.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    method : str
        "lp".
    tolerance : float, optional
        The duality gap asked for, in the game's units; 1e-9 L by default.

    Returns
    -------
    NashEquilibrium
        The best point found, with ``converged`` false where its gap is above the tolerance; a solver's failure is no exception. Where the
        rounding of payoffs alone exceeds the tolerance (a large constant in all of them), the gap is taken in rational arithmetic.

    Raises
    ------
    InputError
        For an unknown method, a tolerance that is not positive, or a stack of games.

    Examples
    --------
    >>> import mmd_games as mg
    >>> from mmd_games.equilibria import nash
    >>> equilibrium = nash(mg.PreferenceGame([[0.5, 0.75, 0.25], [0.25, 0.5, 1.0], [0.75, 0.0, 0.5]]))
    >>> equilibrium.policy.round(9).tolist(), equilibrium.value, equilibrium.support
    ([0.5, 0.25, 0.25], 0.5, (0, 1, 2))
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    require_positive(tolerance=tolerance)
    if np.ndim(game.payoff_matrix) != 2:
        raise InputError("An equilibrium is computed of one game, not of a stack of games.")
    scale = float(game.scale)
    tolerance = 1e-9 * scale if tolerance is None else float(tolerance)
    # HiGHS holds the matrix three times over: ours with a column added, its sparse form (16 bytes an entry), and the factors.
    require_memory(40.0 * np.size(game.payoff_matrix), f"The linear program of {game.name}")
    policy = np.exp(uniform_log_policy(game.blocks)) if scale == 0 else _equilibrium(game, tolerance / scale)

    payoffs = game.payoffs(policy)
    best = block_max(payoffs, game.blocks)
    gap = max(float(duality_gap(game, policy)), 0.0)
    if gap > tolerance:
        gap = float(exact_gap(game, policy))
    value = 0.0 if len(game.blocks) == 1 else float(best[0] - best[1]) / 2
    return NashEquilibrium(
        policy=policy,
        value=value + game.value_offset,
        gap=gap,
        support=tuple(np.flatnonzero(policy > 0).tolist()),
        slack=np.repeat(best, game.blocks) - payoffs,
        method=method,
        tolerance=tolerance,
        converged=gap <= tolerance,
        scale=scale,
        blocks=game.blocks,
        labels=game.labels,
        game=game.name,
        units=game.units,
    )


def unit_matrix(game: Game) -> np.ndarray:
    """The payoff matrix with its entries moved to [−1, 1]: centred on the middle of their range and divided by L > 0."""
    matrix = np.asarray(game.payoff_matrix)
    if len(game.blocks) > 1:
        matrix = matrix - (matrix.min() / 2 + matrix.max() / 2)
    return matrix / float(game.scale)


def _equilibrium(game: Game, tolerance: float) -> np.ndarray:
    """The profile of an equilibrium; the tolerance is relative to L."""
    matrix = unit_matrix(game)
    columns, dual = _minimise_worst(matrix)
    if len(game.blocks) == 1:
        return columns
    rows = _correct(-matrix.T, dual)
    if np.max(matrix @ columns) + np.max(-(rows @ matrix)) > tolerance:
        again, _ = _minimise_worst(-matrix.T)
        rows = min(rows, again, key=lambda policy: np.max(-(policy @ matrix)))
    return np.concatenate([rows, columns])


def _minimise_worst(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The policy p that minimises max(matrix @ p), corrected, and the opponent's policy from the multipliers of the rows."""
    rows, columns = matrix.shape
    solution = minimise(
        np.append(np.zeros(columns), 1.0),
        matrix=np.hstack([matrix, -np.ones((rows, 1))]),
        at_most=np.zeros(rows),
        equation=np.append(np.ones(columns), 0.0),
        equals=1.0,
        bounds=np.array([[0.0, np.inf]] * columns + [[-np.inf, np.inf]]),
    )
    found = solution.x is not None
    policy = _as_policy(solution.x[:-1] if found else np.zeros(columns))
    dual = _as_policy(-solution.ineqlin.marginals if found else np.zeros(rows))
    return _correct(matrix, policy), dual


def _as_policy(values: np.ndarray) -> np.ndarray:
    """Clip below at zero and divide by the sum; uniform where nothing is left."""
    clipped = np.where(values > 0, values, 0.0)
    total = clipped.sum()
    return clipped / total if total > 0 else np.full(len(clipped), 1 / len(clipped))


def _correct(matrix: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """Solve the equations of the support once more in float64, where that does not raise max(matrix @ policy).

    At a vertex the rows that attain the maximum are equal and the support sums to one. Which rows and actions those are is told by
    thresholds, the solver's own tolerance first and a wider one for points that it left further off; the smallest correction
    (least squares) serves degenerate vertices too.
    """
    best, worst = policy, np.max(matrix @ policy)
    for threshold in (FEASIBILITY, 100 * FEASIBILITY):
        payoffs = matrix @ best
        support, tight = best > threshold, payoffs >= worst - threshold
        start = np.where(support, best, 0.0)
        tied, played = np.count_nonzero(tight), np.count_nonzero(support)
        equations = np.block([[matrix[np.ix_(tight, support)], -np.ones((tied, 1))], [np.ones((1, played)), np.zeros((1, 1))]])
        missing = np.append(worst - matrix[tight] @ start, 1.0 - start.sum())
        start[support] += np.linalg.lstsq(equations, missing, rcond=None)[0][:-1]
        corrected = _as_policy(start)
        attained = np.max(matrix @ corrected)
        # Payoffs are at most 1 here and rounded by about that much: a policy without crumbs is preferred to the last bit.
        if attained <= worst + np.finfo(np.float64).eps:
            best, worst = corrected, attained
    return best
