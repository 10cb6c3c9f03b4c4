"""How far a policy is from the set of all Nash equilibria, which may be more than one point."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import Array, block_slices
from mmd_games.equilibria.nash_equilibrium import NashEquilibrium
from mmd_games.equilibria.one_game import nash
from mmd_games.equilibria.scaling import unit_matrix
from mmd_games.equilibria.solvers.highs import minimise
from mmd_games.errors import InputError
from mmd_games.games.game import Game, check_policy

LARGEST = 1e6
"""Bound on every number of the scaled program, in which the constraints are violated by 1."""


def distance_to_equilibria(game: Game, policy: Array, *, equilibrium: NashEquilibrium | None = None) -> float:
    r"""Total variation from a policy to the nearest Nash equilibrium; for a profile, the larger of the two players' distances.

    The equilibria of a zero-sum game are polytopes, one for each player: :math:`\{p : Sp \le 0\}` in a symmetric game,
    :math:`\{x : x^\top A \ge v\}` and :math:`\{y : Ay \le v\}` in a matrix game. With :math:`p = \pi + d - e`,
    :math:`d \ge 0`, :math:`0 \le e \le \pi`, the distance :math:`\tfrac12 \|p - \pi\|_1` is the linear program of minimising :math:`\sum d`
    subject to :math:`\sum d = \sum e` and :math:`M(d - e) \le v - M\pi`. Zero, to rounding, exactly on the set.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    policy : array (actions,)
        Probabilities of all players' actions.
    equilibrium : NashEquilibrium, optional
        Any equilibrium of the game, for the value of a matrix game; computed where it is needed and not given.

    Returns
    -------
    float
        In [0, 1]; NaN where the solver fails, as it may in games whose payoffs spread over ten decades and more.

    Raises
    ------
    InputError
        When the policy is not one of this game, or either is a batch.

    Notes
    -----
    In units of L the right-hand side is known to the rounding of payoffs, at most nε for n actions, and in a matrix game v to the gap of
    ``nash``, about 1e-16. The polytope is widened by just that, so it never is empty, and the returned distance D is at most the
    true one. By Hoffman's bound the true one is at most D + H·(nε + gap/L), where H, the distance of a unit violation, belongs to the game
    and is large where the game is nearly degenerate. The program is solved in units of the violation, so that
    HiGHS's tolerance of 1e-10 is relative to the violation and not absolute: distances of 1e-12 have digits too.
    """
    policy = np.asarray(check_policy(game, policy), dtype=np.float64)
    if policy.ndim != 1 or game.is_stack:
        raise InputError("The distance to the equilibria is taken of one policy in one game, not of a batch.")
    if float(game.scale) == 0:
        return 0.0
    matrix = unit_matrix(game)
    if len(game.blocks) == 1:
        return _distance(matrix, 0.0, policy)
    rows, columns = block_slices(game.blocks)
    reference = (nash(game) if equilibrium is None else equilibrium).policy
    return max(
        _distance(-matrix.T, np.max(-(reference[rows] @ matrix)), policy[rows]),
        _distance(matrix, np.max(matrix @ reference[columns]), policy[columns]),
    )


def _distance(matrix: np.ndarray, value: float, policy: np.ndarray) -> float:
    """Total variation from `policy` to {p : matrix @ p ≤ value}, for entries in [−1, 1]."""
    policy = policy / policy.sum()
    room = value + len(policy) * np.finfo(np.float64).eps - matrix @ policy
    unit = -float(np.min(room))
    if unit <= 0:
        return 0.0
    while True:
        unit = min(unit, 1.0)
        solution = minimise(
            np.append(np.ones(len(policy)), np.zeros(len(policy))),
            matrix=np.hstack([matrix, -matrix]),
            at_most=np.minimum(room / unit, LARGEST),
            equation=np.append(np.ones(len(policy)), -np.ones(len(policy))),
            equals=0.0,
            bounds=np.column_stack([np.zeros(2 * len(policy)), np.append(np.full(len(policy), np.inf), np.minimum(policy / unit, LARGEST))]),
        )
        # A solution this far below the caps touches none of them, so it solves the program without them too.
        if solution.success and solution.fun < LARGEST / 4:
            return float(solution.fun) * unit
        if unit == 1.0:
            return float("nan")
        unit *= 1e4
