"""The equilibrium nearest to a start: the KL projection of a policy onto a polytope of equilibria (from the uniform start, maximum entropy)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np

from mmd_games.arrays import Blocks, block_slices
from mmd_games.equilibria.entropy_dual import EPS, Dual
from mmd_games.errors import InputError

ACCURACY = 1e-12
"""The residual up to which a projection counts as converged."""

STEPS = 2000
"""Newton steps after which no more inequalities are added; 5 are usual, and 100 where inequalities bind."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The point of a polytope of equilibria that is nearest to a start, and how far it is from being that.

    Attributes
    ----------
    policy : array (actions,)
        Probabilities: the projection where ``converged``; where not, the point that the search set out from, which satisfies the constraints.
    residual : float
        The largest violation of the other conditions of optimality, see :func:`project`; infinite where no minimum was found.
    iterations : int
        Newton steps, each one factorisation of the order of the independent equations and the inequalities that were needed.
    converged : bool
        Whether the constraints hold to rounding, and ``residual <= 1e-12``.
    """

    policy: np.ndarray
    residual: float
    iterations: int
    converged: bool


def nearest_equilibrium(matrix: np.ndarray, blocks: Blocks, policy: np.ndarray, log_start: np.ndarray) -> Projection:
    r"""The equilibrium that minimises KL(p‖start), each player's part of it on its own.

    Parameters
    ----------
    matrix : array (n, n) or (m, n)
        The skew-symmetric payoffs of a symmetric game, or the row player's in a matrix game; best with entries of size 1.
    blocks : tuple of int
        ``(n,)`` for a symmetric game, ``(m, n)`` for a matrix game.
    policy : array (actions,)
        An equilibrium of largest support, exactly zero off its support. Strict complementarity is what names the set: no equilibrium
        plays an action that is not played here, and all of them tie those that are. From an equilibrium of smaller support
        the result is the nearest one on that support which keeps its ties: still an equilibrium, but perhaps not the nearest of all.
    log_start : array (actions,)
        Log-probabilities, finite wherever ``policy`` is positive; elsewhere, and by how much they miss the sum 1, does not matter.

    Returns
    -------
    Projection
        Its policy's payoffs differ from those of ``policy`` by rounding on all ties, and exceed the best of them by rounding at most off them, so
        it is as much an equilibrium as ``policy`` is, converged or not.

    Raises
    ------
    InputError
        For a start that never plays an action which the equilibria play: all of these are infinitely far from it.
    """
    played = policy > 0
    impossible = np.flatnonzero(played & ~np.isfinite(log_start))
    if impossible.size:
        raise InputError(
            f"The start has log-probability {log_start[impossible[0]]} for action {impossible[0] + 1} of the profile, which the equilibria play; "
            "it must be finite wherever they play: mix the start with the uniform policy."
        )
    if len(blocks) == 1:
        return _nearest(matrix, played, policy, log_start)
    rows, columns = block_slices(blocks)
    sides = (
        _nearest(-matrix.T, played[columns], policy[rows], log_start[rows]),
        _nearest(matrix, played[rows], policy[columns], log_start[columns]),
    )
    return Projection(
        policy=np.concatenate([side.policy for side in sides]),
        residual=max(side.residual for side in sides),
        iterations=sum(side.iterations for side in sides),
        converged=all(side.converged for side in sides),
    )


def _nearest(matrix: np.ndarray, tied: np.ndarray, policy: np.ndarray, log_start: np.ndarray) -> Projection:
    """The projection onto the policies p on the support of `policy` for which the opponent's payoffs ``matrix @ p`` keep their ties, and their maximum."""
    played = policy > 0
    support = policy[played]
    payoffs = matrix[:, played]
    outside = payoffs[~tied]
    found = project(log_start[played], support, payoffs[tied], outside, np.full(len(outside), np.max(payoffs @ support)))
    whole = np.zeros(len(policy))
    whole[played] = found.policy
    return Projection(whole, found.residual, found.iterations, found.converged)


def project(log_start: np.ndarray, policy: np.ndarray, equal: np.ndarray, at_most: np.ndarray, bound: np.ndarray) -> Projection:
    r"""Minimise KL(p‖start) over :math:`\{p \ge 0,\ \sum p = 1,\ Ep = Ep_0,\ Gp \le g\}`, from a point :math:`p_0 > 0` of the set.

    The minimum is positive, :math:`p \propto \rho\,e^{-E^\top\lambda - G^\top\nu}` with :math:`\nu \ge 0` and :math:`\nu \circ (g - Gp) = 0`. The
    multipliers minimise the convex dual, by a primal-dual interior-point Newton method with line search [1]_ [2]_; without inequalities it is
    Newton's method alone. Inequalities enter when a solution without them breaks them. Last, the rounding of exponentials is taken
    out of the constraints.

    Parameters
    ----------
    log_start : array (k,)
        Finite log-probabilities of ρ; the sum does not matter.
    policy : array (k,)
        :math:`p_0`: positive probabilities.
    equal : array (r, k)
        E: rows may be dependent, or none.
    at_most : array (q, k)
        G: likewise.
    bound : array (q,)
        g. A row in which :math:`p_0` exceeds it (rounding) must not grow any more.

    Returns
    -------
    Projection
        :math:`p_0` at once where it is the only point.

    Notes
    -----
    Which equations are independent is decided by QR with pivoting of the rows of E, less their means. Along the directions left free, row j
    changes, per unit of length, by the norm of its column in the trailing block of R, which the first pivot left out bounds. A
    direction is free when it changes no row by more than 4·√max(r, k)·ε times the longest row: four times what rounding of the entries and of
    QR leaves in games of up to 1,000 actions whose rank is exactly deficient. Degenerate or nearly so is a matter of definition in
    between; by this one, payoffs on ties move by rounding only.

    Absolute errors of probabilities are at rounding level. Those below about 1e-16 are not determined by equations in float64, and may be zero where
    they should be below 1e-308. The residual is therefore the largest of :math:`p_i\,|\log p_i - \log \hat p_i|`, where :math:`\hat p` is the
    exponential of the multipliers, and of :math:`\nu_j\,|g - Gp|_j`, both over 1 + the range of :math:`\log \rho/p_0`.

    References
    ----------
    .. [1] Boyd and Vandenberghe, Convex Optimization, Cambridge University Press 2004, chapter 11.
    .. [2] Wächter and Biegler, On the implementation of an interior-point filter line-search algorithm for large-scale nonlinear programming,
       Mathematical Programming 106 (2006) 25-57, equation 7, for the barrier's fall.
    """
    independent = _independent(equal)
    free = len(policy) - 1 - len(independent)
    if free <= 0:
        return Projection(policy, 0.0, 0, True)
    pull = log_start - np.log(policy)
    pull = pull - np.mean(pull)
    pull = pull - (independent @ pull) @ independent
    limits, room = _limits(independent, policy, at_most, bound)

    rounding, steps, needed = _rounding(len(policy)), 0, np.zeros(len(limits), dtype=bool)
    while steps < STEPS:
        dual = Dual(
            centre=policy,
            pull=pull,
            rows=np.vstack([independent, limits[needed]]),
            room=np.append(np.zeros(len(independent)), room[needed]),
            equations=len(independent),
        )
        point, taken = dual.minimum()
        steps += taken
        if point is None:
            break
        found = dual.corrected(point)
        left = room - limits @ (found - policy)
        broken = np.flatnonzero((left < -rounding) & ~needed)
        if broken.size:
            # No more can bind at once than there are free directions.
            needed[broken[np.argsort(left[broken])[:free]]] = True
            continue
        positive = found > 0
        stationarity = float(np.max(found[positive] * np.abs(np.log(found[positive]) - point.log_policy[positive]))) / dual.unit()
        residual = max(stationarity, dual.complementarity(point.multipliers, dual.left(found)))
        if residual > ACCURACY or np.max(np.abs(dual.missing(found)), initial=0.0) > rounding:
            return Projection(policy, residual, steps, False)
        return Projection(found, residual, steps, True)
    return Projection(policy, math.inf, steps, False)


def _rounding(size: int) -> float:
    """What rounding may leave of a product of two vectors of length one."""
    return 4 * math.sqrt(size) * EPS


def _independent(equal: np.ndarray) -> np.ndarray:
    """Orthonormal rows that span those of `equal`, less their means, to rounding: (rank, k)."""
    from scipy.linalg import qr

    if not equal.size:
        return np.zeros((0, equal.shape[1]))
    centred = equal - np.mean(equal, axis=1, keepdims=True)
    basis, triangle, _ = cast("tuple[np.ndarray, np.ndarray, np.ndarray]", qr(centred.T, mode="economic", pivoting=True))
    longest = float(np.max(np.linalg.norm(centred, axis=1)))
    rank = int(np.count_nonzero(np.abs(np.diag(triangle)) > _rounding(max(equal.shape)) * longest))
    return basis[:, :rank].T


def _limits(independent: np.ndarray, policy: np.ndarray, at_most: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inequalities as rows of length one, orthogonal to the equations, and the room that `policy` leaves in them."""
    centred = at_most - np.mean(at_most, axis=1, keepdims=True)
    along = centred - (centred @ independent.T) @ independent
    length, slack = np.linalg.norm(along, axis=1), np.maximum(bound - at_most @ policy, 0.0)
    # Two policies are at most √2 apart, so some inequalities never bind; and some do not vary on the set at all.
    binding = (length * math.sqrt(2) > slack) & (length > _rounding(len(policy)) * np.linalg.norm(centred, axis=1))
    return along[binding] / length[binding, None], slack[binding] / length[binding]
