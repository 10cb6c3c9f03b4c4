"""Nash equilibria by linear programming, and the distance to all of them, against rational arithmetic and programs written another way."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import OptimizeResult, linprog

import mmd_games as mg
from mmd_games.arrays import block_slices, block_sum
from mmd_games.equilibria import distance_to_equilibria, nash
from mmd_games.equilibria.highs import minimise
from mmd_games.errors import InputError

EPS = np.finfo(np.float64).eps
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
no_tables = pytest.mark.skipif(not DATA.exists(), reason="published tables are not shipped with the project")

small_tables = st.tuples(st.integers(1, 4), st.integers(2, 4)).flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-3, 3)))
skew_tables = arrays(np.int64, st.integers(2, 4).map(lambda n: (n, n)), elements=st.integers(-3, 3)).map(lambda table: np.triu(table, 1) - np.triu(table, 1).T)


def rounding(game: mg.MatrixGame | mg.PreferenceGame) -> float:
    """What rounding may add to a gap: each payoff is a sum of n products (nε·max|A|), and the corrected policy is one rounding of the exact one away."""
    return 8 * game.actions * EPS * float(np.max(np.abs(game.payoff_matrix)))


def random_game(seed: int, rows: int, columns: int | None = None) -> mg.MatrixGame | mg.PreferenceGame:
    """Gaussian payoffs: skew-symmetric, or rows × columns."""
    table = np.random.default_rng(seed).normal(size=(rows, columns or rows))
    return mg.MatrixGame(table) if columns else mg.PreferenceGame.from_payoffs(table - table.T)


# --- the oracle: every extreme equilibrium of an integer game, in rationals -------------------------------------------------------------


def solve_exactly(rows: list[list[Fraction]]) -> list[Fraction] | None:
    """Gauss-Jordan on an augmented square system; None where it is singular."""
    size = len(rows)
    for place in range(size):
        pivot = next((row for row in range(place, size) if rows[row][place]), None)
        if pivot is None:
            return None
        rows[place], rows[pivot] = rows[pivot], rows[place]
        rows[place] = [entry / rows[place][place] for entry in rows[place]]
        for row in range(size):
            if row != place and rows[row][place]:
                rows[row] = [entry - rows[row][place] * below for entry, below in zip(rows[row], rows[place], strict=True)]
    return [row[-1] for row in rows]


def equalise(block: list[list[int]]) -> list[Fraction] | None:
    """The weights p of the columns and the value v with block @ p = v and sum(p) = 1, as [*p, v]."""
    size = len(block)
    rows = [[*map(Fraction, row), Fraction(-1), Fraction(0)] for row in block]
    return solve_exactly([*rows, [Fraction(1)] * size + [Fraction(0), Fraction(1)]])


def extreme_equilibria(table: np.ndarray) -> tuple[Fraction, set[tuple[Fraction, ...]], set[tuple[Fraction, ...]]]:
    """The value, and all extreme optimal policies of the rows and of the columns.

    Shapley and Snow (1950): each pair of extreme optimal policies equalises some square block whose bordered matrix is not singular.
    """
    matrix = table.tolist()
    m, n = table.shape
    found: tuple[Fraction | None, set, set] = (None, set(), set())
    for size in range(1, min(m, n) + 1):
        for rows in combinations(range(m), size):
            for columns in combinations(range(n), size):
                block = [[matrix[i][j] for j in columns] for i in rows]
                on_columns, on_rows = equalise(block), equalise([list(column) for column in zip(*block, strict=True)])
                if on_columns is None or on_rows is None or min(on_columns[:-1] + on_rows[:-1]) < 0:
                    continue
                value = on_columns[-1]
                y = [dict(zip(columns, on_columns, strict=False)).get(j, Fraction(0)) for j in range(n)]
                x = [dict(zip(rows, on_rows, strict=False)).get(i, Fraction(0)) for i in range(m)]
                best = max(sum(matrix[i][j] * y[j] for j in range(n)) for i in range(m))
                worst = min(sum(matrix[i][j] * x[i] for i in range(m)) for j in range(n))
                if best == value == worst:
                    assert found[0] in (None, value)
                    found = (value, found[1] | {tuple(x)}, found[2] | {tuple(y)})
    value, x_set, y_set = found
    assert value is not None
    return value, x_set, y_set


@settings(deadline=None, max_examples=150)
@given(small_tables)
def test_the_value_of_an_integer_game_is_the_rational_one(table):
    game = mg.MatrixGame(table)
    value, rows, columns = extreme_equilibria(table)
    equilibrium = nash(game)
    assert equilibrium.converged
    # The policy is optimal to rounding, which the rational gap proves without the solver; the value lies within the gap of the true one.
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
    assert abs(equilibrium.value - float(value)) <= rounding(game)
    # A unique equilibrium is found on its exact support. The smallest difference of two 4 × 4 minors' ratios here is above 1e-6.
    if len(rows) == len(columns) == 1:
        exact = np.array([*map(float, next(iter(rows))), *map(float, next(iter(columns)))])
        assert equilibrium.support == tuple(np.flatnonzero(exact))
        np.testing.assert_allclose(equilibrium.policy, exact, rtol=0, atol=1e-13)


@settings(deadline=None, max_examples=150)
@given(skew_tables)
def test_a_symmetric_integer_game_has_value_zero_and_a_rational_equilibrium(table):
    game = mg.PreferenceGame.from_payoffs(table)
    value, rows, _ = extreme_equilibria(table)
    equilibrium = nash(game)
    assert value == 0
    assert equilibrium.value == 0.0
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
    if len(rows) == 1:
        np.testing.assert_allclose(equilibrium.policy, [*map(float, next(iter(rows)))], rtol=0, atol=1e-13)


# --- games solved by hand ---------------------------------------------------------------------------------------------------------------


def test_unequal_rock_paper_scissors():
    game = mg.PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]])
    equilibrium = nash(game)
    # The entries of P are rounded by ε/2; the equilibrium is a ratio of them with condition below 10.
    np.testing.assert_allclose(equilibrium.policy, np.array([4, 3, 4]) / 11, rtol=0, atol=1e-14)
    assert equilibrium.value == 0.5
    assert equilibrium.support == (0, 1, 2)


def test_matching_pennies_and_a_two_by_two_mix():
    np.testing.assert_allclose(nash(mg.MatrixGame([[1, -1], [-1, 1]])).policy, 0.5, rtol=0, atol=EPS)
    # [[a, b], [c, d]]: x₁ = (d − c)/(a + d − b − c) and y₁ = (d − b)/(a + d − b − c), value (ad − bc)/(a + d − b − c).
    equilibrium = nash(mg.MatrixGame([[3, -1], [-2, 1]]))
    np.testing.assert_allclose(equilibrium.policy, [3 / 7, 4 / 7, 2 / 7, 5 / 7], rtol=0, atol=4 * EPS)
    assert equilibrium.value == pytest.approx(1 / 7, abs=8 * EPS)


def test_a_saddle_point_is_pure():
    equilibrium = nash(mg.MatrixGame([[4, 2, 3], [1, 0, 7]]))
    assert equilibrium.policy.tolist() == [1, 0, 0, 1, 0]
    assert (equilibrium.value, equilibrium.gap, equilibrium.support) == (2.0, 0.0, (0, 3))
    assert equilibrium.slack.tolist() == [0, 2, 2, 0, 1]


def test_a_dominated_action_is_not_played():
    wins = np.array([[0, 1, -1, 1], [-1, 0, 1, 1], [1, -1, 0, 1], [-1, -1, -1, 0]])
    equilibrium = nash(mg.PreferenceGame.from_payoffs(wins))
    np.testing.assert_allclose(equilibrium.policy, [1 / 3, 1 / 3, 1 / 3, 0], rtol=0, atol=EPS)
    assert equilibrium.support == (0, 1, 2)
    np.testing.assert_allclose(equilibrium.slack, [0, 0, 0, 1], rtol=0, atol=2 * EPS)


@pytest.mark.parametrize("winner", [0, 3, 6])
def test_a_condorcet_winner_is_the_equilibrium(winner):
    table = np.random.default_rng(winner).uniform(0.2, 0.8, size=(7, 7))
    preference = np.triu(table, 1) + np.tril(1 - table.T, -1) + np.eye(7) / 2
    preference[winner], preference[:, winner] = 0.6, 0.4
    preference[winner, winner] = 0.5
    assert nash(mg.PreferenceGame(preference)).policy.tolist() == np.eye(7)[winner].tolist()


def kuhn_poker() -> mg.MatrixGame:
    pyspiel = pytest.importorskip("pyspiel", reason="needs OpenSpiel")
    return mg.MatrixGame(pyspiel.extensive_to_matrix_game(pyspiel.load_game("kuhn_poker")).row_utilities())


def test_kuhn_poker_is_worth_minus_one_eighteenth():
    game = kuhn_poker()
    equilibrium = nash(game)
    assert abs(equilibrium.value + 1 / 18) <= rounding(game)
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))


@no_tables
def test_the_published_soccer_table():
    game = mg.PreferenceGame(np.loadtxt(DATA / "soccer_winrates.txt"))
    equilibrium = nash(game)
    assert equilibrium.support == (1, 8, 9)
    np.testing.assert_allclose(equilibrium.policy[[1, 8, 9]], [0.5218, 0.3308, 0.1474], rtol=0, atol=5e-5)  # as published, to four digits


@no_tables
@pytest.mark.parametrize("table", ["blotto_5_3", "blotto_5_4", "blotto_10_3"])
def test_published_blotto_tables_are_solved_to_rounding(table):
    game = mg.PreferenceGame.from_payoffs(np.load(DATA / f"{table}.npy"))
    assert mg.exact_gap(game, nash(game).policy) <= Fraction(rounding(game))


# --- larger games, another program, other units -----------------------------------------------------------------------------------------


def value_by_von_neumann(table: np.ndarray) -> float:
    """The value by the program of positive games, min Σu with B u ≥ 1, u ≥ 0, and HiGHS's interior point instead of its simplex method."""
    shift = 1.0 - table.min()
    solution = linprog(np.ones(len(table)), A_ub=-(table + shift).T, b_ub=-np.ones(table.shape[1]), bounds=(0, None), method="highs-ipm")
    return 1 / solution.fun - shift


@pytest.mark.parametrize(("rows", "columns"), [(30, 20), (20, 30), (1, 9), (60, 60)])
def test_random_matrix_games_agree_with_another_program(rows, columns):
    for seed in range(5):
        game = random_game(seed, rows, columns)
        equilibrium = nash(game)
        # HiGHS's default tolerances are 1e-7 in its own units, and 1/Σu amplifies them by (value + shift)² < 50.
        assert abs(equilibrium.value - value_by_von_neumann(game.payoff_matrix)) <= 5e-6
        assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))


@pytest.mark.parametrize("size", [3, 10, 30, 100])
def test_random_symmetric_games_are_solved_to_rounding_on_an_odd_support(size):
    for seed in range(5):
        game = random_game(seed, size)
        equilibrium = nash(game)
        assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
        # A generic skew game has one equilibrium, of odd support, and what is not played costs something: a crumb of the solver would break both.
        assert len(equilibrium.support) % 2 == 1
        played = np.isin(np.arange(size), equilibrium.support)
        assert np.max(equilibrium.slack[played]) <= rounding(game) < np.min(equilibrium.slack[~played], initial=np.inf)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(0, 12))
def test_any_game_is_solved_with_a_rational_proof(seed, rows, columns):
    game = random_game(seed, rows, columns or None)
    equilibrium = nash(game)
    assert equilibrium.converged
    assert Fraction(0) <= mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
    assert abs(equilibrium.gap - float(mg.exact_gap(game, equilibrium.policy))) <= rounding(game)
    assert np.all(equilibrium.slack >= 0)
    np.testing.assert_allclose(block_sum(equilibrium.policy, game.blocks), 1, rtol=0, atol=4 * EPS)
    # Complementary slackness: the average slack is what the players lose, the gap.
    assert game.players_per_block * (equilibrium.policy @ equilibrium.slack) == pytest.approx(equilibrium.gap, abs=rounding(game))


@pytest.mark.parametrize("factor", [2.0**-40, 2.0**40, 2.0**-900, 2.0**900])
def test_units_do_not_matter(factor):
    table = np.random.default_rng(0).normal(size=(9, 7))
    plain, scaled = nash(mg.MatrixGame(table)), nash(mg.MatrixGame(table * factor))
    # A power of two changes no mantissa, so the solver sees the same numbers.
    assert np.array_equal(plain.policy, scaled.policy)
    assert (scaled.value, scaled.gap, scaled.tolerance) == (plain.value * factor, plain.gap * factor, plain.tolerance * factor)
    assert scaled.converged


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_badly_scaled_games_are_solved(factor):
    for game in (
        mg.MatrixGame(np.random.default_rng(0).normal(size=(9, 7)) * factor),
        mg.PreferenceGame.from_payoffs(random_game(1, 9).payoff_matrix * factor),
    ):
        equilibrium = nash(game)
        assert equilibrium.converged
        assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))


def test_payoffs_over_many_decades_are_solved():
    # The weights of (0, 1, 2) are (s₁₂, s₂₀, s₀₁) = (1e-7, 1e-11, 1): the solver drops entries below 1e-12 only, and probabilities below 1e-10.
    game = mg.PreferenceGame.from_payoffs([[0, 1, -1e-11], [-1, 0, 1e-7], [1e-11, -1e-7, 0]])
    equilibrium = nash(game)
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(1e-17)
    np.testing.assert_allclose(equilibrium.policy, [1e-7, 0, 1 - 1e-7], rtol=0, atol=1e-10)
    assert equilibrium.support == (0, 2)


@pytest.mark.parametrize("seed", range(5))
def test_a_large_constant_in_all_payoffs_does_not_hide_the_equilibrium(seed):
    table = np.random.default_rng(seed).integers(-50, 50, size=(6, 5))
    plain, moved = nash(mg.MatrixGame(table)), nash(mg.MatrixGame(table + 2.0**48))
    # All entries are whole numbers below 2⁵³, so the two games are the same; only the payoffs of the second are rounded, to 1/32.
    np.testing.assert_allclose(moved.policy, plain.policy, rtol=0, atol=1e-14)
    assert moved.converged
    assert moved.gap <= moved.tolerance < 1e-7


def test_a_constant_game_is_solved_by_drawing_evenly():
    for game in (mg.PreferenceGame(np.full((4, 4), 0.5)), mg.MatrixGame(np.full((2, 4), 0.1)), mg.MatrixGame([[7, 7, 7]])):
        equilibrium = nash(game)
        assert equilibrium.policy.tolist() == [1 / size for size in game.blocks for _ in range(size)]
        assert equilibrium.gap == 0
        assert equilibrium.converged
        assert equilibrium.value == pytest.approx(game.payoff_matrix[0, 0] + game.value_offset, abs=EPS)


# --- tolerances, failures, text ---------------------------------------------------------------------------------------------------------


def test_bad_settings_are_refused():
    game = mg.MatrixGame([[1, -1], [-1, 1]])
    for tolerance in (0.0, -1e-9, float("nan")):
        with pytest.raises(InputError, match="tolerance must be a positive"):
            nash(game, tolerance=tolerance)
    with pytest.raises(InputError, match="Unknown method 'lpp'; did you mean 'lp'"):
        nash(game, method="lpp")
    with pytest.raises(InputError, match="not of a stack"):
        nash(mg.MatrixGame.stack([game, game]))


@pytest.mark.parametrize("game", [random_game(0, 5), random_game(0, 4, 3)])
def test_a_solver_that_fails_leaves_an_honest_point(monkeypatch, game):
    failure = OptimizeResult(x=None, success=False, fun=None)
    monkeypatch.setattr("mmd_games.equilibria.lp.minimise", lambda *arguments, **settings: failure)
    monkeypatch.setattr("mmd_games.equilibria.distance.minimise", lambda *arguments, **settings: failure)
    equilibrium = nash(game)
    assert not equilibrium.converged
    assert equilibrium.gap == pytest.approx(mg.duality_gap(game, equilibrium.policy), abs=rounding(game))
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

    monkeypatch.setattr("mmd_games.equilibria.lp.minimise", counted)
    first = nash(game)
    assert len(solved) == 1
    monkeypatch.setattr("mmd_games.equilibria.lp.minimise", without_multipliers)
    second = nash(game)
    assert len(solved) == 3
    # The equilibrium is unique; each is right to rounding times the condition of its 4 × 4 or smaller support.
    np.testing.assert_allclose(second.policy, first.policy, rtol=0, atol=1e-13)


def test_text_lists_what_is_played_largest_first():
    game = mg.MatrixGame([[3, -1], [-2, 1]], row_labels=["up", "down"], column_labels=["left", "right"], name="two by two")
    first, *lines = str(nash(game)).splitlines()
    assert first.startswith("Nash equilibrium of two by two (lp): value 0.142857143, 4 of 4 actions played")
    assert [line.split()[-1] for line in lines] == ["player", "down", "up", "player", "right", "left"]
    ring = mg.PreferenceGame((np.sign(np.sin(2 * np.pi * (np.arange(41)[:, None] - np.arange(41)) / 41).round(12)) + 1) / 2)
    *_, last = str(nash(ring)).splitlines()
    assert last.split() == ["0.512195", "on", "21", "more"]  # 21 of 41 equal probabilities are left after 20 lines


@pytest.mark.parametrize("game", [random_game(1, 6), mg.MatrixGame([[3, -1], [-2, 1]], row_labels=["up", "down"])])
def test_json_says_all_and_comes_back(game):
    equilibrium = nash(game)
    document = json.loads(json.dumps(equilibrium.to_dict(), allow_nan=False))
    assert document["schema"] == "mmd_games.nash/1"
    assert document["policy"] == equilibrium.policy.tolist()
    assert document["support"] == list(equilibrium.support)
    assert document["slack"] == equilibrium.slack.tolist()
    assert document["gap_relative"] * float(game.scale) == pytest.approx(document["gap"])
    assert document["labels"] == (None if game.labels is None else [list(names) for names in game.labels])
    assert (document["game"], document["units"], document["method"], document["converged"]) == (game.name, "payoff", "lp", True)


# --- the distance to all equilibria -----------------------------------------------------------------------------------------------------


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
