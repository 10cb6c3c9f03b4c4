"""Nash equilibria by linear programming (HiGHS): the oracle that shares nothing with the other solvers, nor with the algorithms it judges."""

from __future__ import annotations

import numpy as np

from mmd_games.equilibria.solvers.highs import FEASIBILITY, minimise


def solve(matrix: np.ndarray, *, symmetric: bool, tolerance: float) -> np.ndarray:
    r"""The profile of an equilibrium, at a vertex: (n,) of a symmetric game, (m + n,) of two players.

    A symmetric game solves :math:`\min t` subject to :math:`Sp \le t`, :math:`\sum p = 1`, :math:`p \ge 0`. Of a matrix game the column
    player solves the same with A, and the row player's policy is its dual; where the two leave a gap above the tolerance, the row player
    solves a program too. The solution is corrected once in float64 on its support, which takes the gap from HiGHS's 1e-14..1e-10 to about 1e-16.

    Parameters
    ----------
    matrix : array (m, n)
        Payoffs in [−1, 1].
    symmetric : bool
    tolerance : float
        Duality gap that is good enough.
    """
    columns, dual = _minimise_worst(matrix)
    if symmetric:
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
