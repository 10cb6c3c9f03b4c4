"""The distance to all equilibria, against the hull of the extreme ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

import mmd_games as mg
from mmd_games.arrays import block_slices, block_sum
from mmd_games.equilibria import distance_to_equilibria, nash
from mmd_games.errors import InputError

from .extreme_equilibria import extreme_equilibria

EPS = np.finfo(np.float64).eps

small_tables = st.tuples(st.integers(1, 4), st.integers(2, 4)).flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-3, 3)))


def random_game(seed: int, rows: int, columns: int | None = None) -> mg.MatrixGame | mg.PreferenceGame:
    """Gaussian payoffs: skew-symmetric, or rows × columns."""
    table = np.random.default_rng(seed).normal(size=(rows, columns or rows))
    return mg.MatrixGame(table) if columns else mg.PreferenceGame.from_payoffs(table - table.T)


def distance_to_hull(policy: np.ndarray, corners: set[tuple[Fraction, ...]]) -> float:
    """Total variation to the convex hull of the corners, as a program over their weights: min Σu/2, −u ≤ corners @ weights − policy ≤ u."""
    points = np.array([[float(entry) for entry in corner] for corner in sorted(corners)]).T
    n, k = points.shape
    both = np.block([[points, -np.eye(n)], [-points, -np.eye(n)]])
    weights = np.append(np.ones(k), np.zeros(n))[None]
    return linprog(np.append(np.zeros(k), np.full(n, 0.5)), A_ub=both, b_ub=np.append(policy, -policy), A_eq=weights, b_eq=[1.0], method="highs-ipm").fun


@settings(deadline=None, max_examples=100)
@given(small_tables, st.integers(0, 10**6))
def test_the_distance_is_that_to_the_hull_of_the_extreme_equilibria(table, seed):
    game = mg.MatrixGame(table)
    _, rows, columns = extreme_equilibria(table)
    draw = np.random.default_rng(seed)
    policy = np.concatenate([draw.dirichlet(np.full(size, 0.5)) for size in game.blocks])
    first, second = block_slices(game.blocks)
    expected = max(distance_to_hull(policy[first], rows), distance_to_hull(policy[second], columns))
    # Both programs are of size 4 with HiGHS's tolerances (1e-7 in the oracle), multiplied by the condition of integer games of this size.
    assert distance_to_equilibria(game, policy) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("distance", [0.1, 1e-3, 1e-6, 1e-9, 1e-11])
@pytest.mark.parametrize(("size", "columns"), [(5, None), (9, None), (6, 4)])
def test_small_distances_have_digits(size, columns, distance):
    for seed in range(5):
        game = random_game(seed, size, columns)
        equilibrium = nash(game).policy
        away = np.concatenate([np.random.default_rng(seed + 100).dirichlet(np.ones(size)) for size in game.blocks])
        policy = (1 - distance) * equilibrium + distance * away
        # The equilibrium of these games is unique. Rounding of payoffs, nε, is multiplied by Hoffman's constant, below 1e3 in these games.
        exact = float(np.max(block_sum(np.abs(policy - equilibrium), game.blocks))) / 2
        assert distance_to_equilibria(game, policy) == pytest.approx(exact, rel=1e-6, abs=1e3 * 9 * EPS)


def test_every_point_of_a_continuum_is_at_distance_zero():
    wins = np.array([[0, 4, -3], [-4, 0, 4], [3, -4, 0]])
    game = mg.PreferenceGame.from_payoffs(np.kron(wins, np.ones((2, 2))))  # every action twice: only the pairs' totals, (4, 3, 4)/11, matter
    first = np.array([4, 0, 3, 0, 4, 0]) / 11
    second = np.array([1, 3, 0, 3, 2, 2]) / 11
    assert np.abs(first - second).sum() > 0.5
    # The rounding of these six probabilities times Hoffman's constant of the 3 × 3 game, which is 1 to 2 here.
    assert distance_to_equilibria(game, first) <= 20 * EPS
    assert distance_to_equilibria(game, second) <= 20 * EPS
    # Mass moved from one pair to another is the distance; moved within a pair it is none.
    assert distance_to_equilibria(game, np.array([3, 0, 4, 0, 4, 0]) / 11) == pytest.approx(1 / 11, abs=1e-9)


@pytest.mark.parametrize("advantage", [1e-3, 1e-6, 1e-9])
def test_a_small_gap_may_be_far_away(advantage):
    # Action 0 is hardly better than action 1, so all of action 1 has a gap of 2·advantage and is at distance 1 from the only equilibrium.
    game = mg.PreferenceGame.from_payoffs([[0, advantage, 1], [-advantage, 0, 1], [-1, -1, 0]])
    assert mg.duality_gap(game, [0, 1, 0]) == 2 * advantage
    # What is left over is the rounding of payoffs, 3ε, over the advantage: at most 1e-6, and the solver's relative 1e-10.
    assert distance_to_equilibria(game, [0, 1, 0]) == pytest.approx(1, abs=2e-6)
    assert distance_to_equilibria(game, [0.5, 0.5, 0]) == pytest.approx(0.5, abs=2e-6)


def test_the_distance_bounds_the_gap():
    # The gap is 2L-Lipschitz in the 1-norm, so the distance to its zeros is at least gap/(4L) for one block, gap/(8L) for the larger of two.
    for seed in range(20):
        for game in (random_game(seed, 8), random_game(seed, 7, 5)):
            policy = np.concatenate([np.random.default_rng(seed).dirichlet(np.full(size, 0.3)) for size in game.blocks])
            most = 4 * len(game.blocks) * float(game.scale) * distance_to_equilibria(game, policy)
            assert mg.duality_gap(game, policy) <= most * (1 + 1e-9)


def test_every_policy_of_a_constant_game_is_an_equilibrium():
    assert distance_to_equilibria(mg.MatrixGame([[3, 3], [3, 3]]), [1, 0, 0.2, 0.8]) == 0.0


def test_the_distance_is_of_one_policy():
    game = mg.PreferenceGame.from_payoffs([[0, 1], [-1, 0]])
    assert distance_to_equilibria(game, [0.25, 0.75]) == pytest.approx(0.75, rel=1e-9)
    with pytest.raises(InputError, match="not of a batch"):
        distance_to_equilibria(game, [[0.25, 0.75], [0.5, 0.5]])
    with pytest.raises(InputError, match="The policy has 3 entries"):
        distance_to_equilibria(game, [0.25, 0.25, 0.5])
