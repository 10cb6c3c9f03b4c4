"""The linear program: what it does when the solver fails, or returns no multipliers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import OptimizeResult

import mmd_games as mg
from mmd_games.arrays import block_sum
from mmd_games.equilibria import distance_to_equilibria, nash
from mmd_games.equilibria.solvers.highs import minimise

EPS = np.finfo(np.float64).eps
LP = "mmd_games.equilibria.solvers.lp.minimise"


def random_game(seed: int, rows: int, columns: int | None = None) -> mg.MatrixGame | mg.PreferenceGame:
    """Gaussian payoffs: skew-symmetric, or rows × columns."""
    table = np.random.default_rng(seed).normal(size=(rows, columns or rows))
    return mg.MatrixGame(table) if columns else mg.PreferenceGame.from_payoffs(table - table.T)


@pytest.mark.parametrize("game", [random_game(0, 5), random_game(0, 4, 3)])
def test_a_solver_that_fails_leaves_an_honest_point(monkeypatch, game):
    failure = OptimizeResult(x=None, success=False, fun=None)
    monkeypatch.setattr(LP, lambda *arguments, **settings: failure)
    monkeypatch.setattr("mmd_games.equilibria.distance.minimise", lambda *arguments, **settings: failure)
    equilibrium = nash(game, method="lp")
    assert not equilibrium.converged
    # Payoffs of this size are sums of five products, rounded by 5ε each in the library's own product.
    assert equilibrium.gap == pytest.approx(mg.duality_gap(game, equilibrium.policy), abs=20 * EPS * float(game.scale))
    assert equilibrium.gap > equilibrium.tolerance
    np.testing.assert_allclose(block_sum(equilibrium.policy, game.blocks), 1, rtol=0, atol=4 * EPS)
    assert "NOT CONVERGED" in str(equilibrium)
    if len(game.blocks) == 1:
        assert np.isnan(distance_to_equilibria(game, equilibrium.policy))


def test_the_row_player_comes_from_the_multipliers_or_from_a_program_of_its_own(monkeypatch):
    game = random_game(2, 8, 6)
    solved = []

    def counted(*arguments, **settings):
        solved.append(minimise(*arguments, **settings))
        return solved[-1]

    def without_multipliers(*arguments, **settings):
        solution = counted(*arguments, **settings)
        solution.ineqlin.marginals = np.zeros_like(solution.ineqlin.marginals)
        return solution

    monkeypatch.setattr(LP, counted)
    first = nash(game, method="lp")
    assert len(solved) == 1
    monkeypatch.setattr(LP, without_multipliers)
    second = nash(game, method="lp")
    assert len(solved) == 3
    # The equilibrium is unique; each is right to rounding times the condition of its 4 × 4 or smaller support.
    np.testing.assert_allclose(second.policy, first.policy, rtol=0, atol=1e-13)
