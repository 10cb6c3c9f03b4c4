"""From an equilibrium in floating point to an exact one: on the same support where that is right, by exact pivots where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from mmd_games.arrays import block_slices
from mmd_games.equilibria.exact.integers import ExactTable, whole_numbers
from mmd_games.equilibria.exact.proof import ExactEquilibrium, prove
from mmd_games.equilibria.exact.support_system import SupportSystem
from mmd_games.equilibria.exact.tableau import Tableau, WorkSpentError
from mmd_games.equilibria.scaling import unit_matrix
from mmd_games.equilibria.solvers import lp
from mmd_games.games.game import Game

WORK = 1e9
"""What exact pivots may take, in units of about 40 ns, counted and not timed, so that the result is the same on every machine: a minute or two."""
TIED = 1e-9
"""Probabilities and slacks (of payoffs in [−1, 1]) that a vertex from floating point is taken not to have."""


def exact_equilibrium(game: Game, policy: np.ndarray, *, work: float = WORK) -> ExactEquilibrium | None:
    """An equilibrium of the float64 table of a game, in rational numbers; None where none was found within the work allowed.

    The equations of the given policy's support are solved first. If their solution is strictly complementary, the support was right, and
    nothing else is needed. Otherwise the float solver was deceived by ties that the table does not have, or missed some that it has: exact pivots
    lead from a vertex of the linear program to an optimal one, and over the optimal face to a point of largest support.

    Parameters
    ----------
    game : Game
        One game with a table, not a stack.
    policy : array (actions,)
        Near an equilibrium of largest support; the result does not depend on how near, the time does.
    work : float
        What exact pivots may take, see :class:`~mmd_games.equilibria.exact.tableau.Tableau`. Where they are spent on the optimal face, the result is its first vertex.
    """
    matrix, unit = whole_numbers(game.table())
    table = ExactTable(matrix)
    views = [table] if len(game.blocks) == 1 else [table.mirrored, table]
    found = _on_supports(table, unit, views, [policy[part].tolist() for part in block_slices(game.blocks)])
    if found is not None:
        return found
    try:
        tableau = Tableau(matrix, work)
        tableau.enter(*_vertex(game))
        tableau.optimise()
    except WorkSpentError:
        return None
    found = prove(table, unit, [tableau.dual(), tableau.policy()][-len(views) :])
    if found is not None and not found.strictly_complementary:
        return _inside(table, unit, views, tableau) or found
    return found


def _on_supports(table: ExactTable, unit: Fraction, views: list[ExactTable], sides: list[list[float]]) -> ExactEquilibrium | None:
    """The strictly complementary equilibrium with the supports of two policies in floating point, or None."""
    weights = [_on_support(view, sides[-1 - block], sides[block]) for block, view in enumerate(views)]
    return prove(table, unit, [side for side in weights if side]) if all(weights) else None


def _on_support(view: ExactTable, opponent: Sequence[float], near: Sequence[float]) -> list[int] | None:
    """Weights, positive where a policy is, to which all that the opponent plays are best answers, and nothing else is."""
    tied = [action for action, chance in enumerate(opponent) if chance > 0]
    support = [action for action, chance in enumerate(near) if chance > 0]
    for weights in SupportSystem(view.rows, tied, support, near).solutions():
        if all(weights[action] > 0 for action in support):
            payoffs = view.received(weights)
            if all(payoff < payoffs[tied[0]] for action, payoff in enumerate(payoffs) if opponent[action] <= 0):
                return weights
    return None


def _vertex(game: Game) -> tuple[list[int], list[int]]:
    """The rows and columns that tie at a vertex of the linear program: a guess of a basis."""
    matrix, symmetric = unit_matrix(game), len(game.blocks) == 1
    policy = lp.solve(matrix, symmetric=symmetric, tolerance=TIED)
    parts = block_slices(game.blocks)
    payoffs = matrix @ policy[parts[-1]]
    rows = payoffs >= np.max(payoffs) - TIED if symmetric else policy[parts[0]] > TIED
    return np.flatnonzero(rows).tolist(), np.flatnonzero(policy[parts[-1]] > TIED).tolist()


def _inside(table: ExactTable, unit: Fraction, views: list[ExactTable], tableau: Tableau) -> ExactEquilibrium | None:
    """From an optimal basis, the equilibrium of largest support, in plainer numbers where they serve; None where the work is spent before."""
    try:
        weights = [tableau.inside()]
        if len(views) > 1:
            mirror = Tableau(views[0].rows, tableau.work)
            mirror.enter(*tableau.mirrored_basis())
            mirror.optimise()
            weights.insert(0, mirror.inside())
    except WorkSpentError:
        return None
    plainer = _on_supports(table, unit, views, [[weight / sum(side) for weight in side] for side in weights])
    return plainer if plainer is not None else prove(table, unit, weights)
