"""Nash equilibria by every method, against rational arithmetic, games solved by hand, and a program written another way."""

from __future__ import annotations

import json
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

import mmd_games as mg
from mmd_games.arrays import block_sum
from mmd_games.equilibria import nash
from mmd_games.errors import InputError

from .extreme_equilibria import extreme_equilibria

EPS = np.finfo(np.float64).eps
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
no_tables = pytest.mark.skipif(not DATA.exists(), reason="published tables are not shipped with the project")
every_method = pytest.mark.parametrize("method", ["interior_point", "lp"])

small_tables = st.tuples(st.integers(1, 4), st.integers(2, 4)).flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-3, 3)))
skew_tables = arrays(np.int64, st.integers(2, 4).map(lambda n: (n, n)), elements=st.integers(-3, 3)).map(lambda table: np.triu(table, 1) - np.triu(table, 1).T)


def rounding(game: mg.MatrixGame | mg.PreferenceGame) -> float:
    """What rounding may add to a gap: each payoff is a sum of n products (nε·max|A|), and the corrected policy is one rounding of the exact one away."""
    return 8 * game.actions * EPS * float(np.max(np.abs(game.payoff_matrix)))


def random_game(seed: int, rows: int, columns: int | None = None) -> mg.MatrixGame | mg.PreferenceGame:
    """Gaussian payoffs: skew-symmetric, or rows × columns."""
    table = np.random.default_rng(seed).normal(size=(rows, columns or rows))
    return mg.MatrixGame(table) if columns else mg.PreferenceGame.from_payoffs(table - table.T)


@every_method
@settings(deadline=None, max_examples=150)
@given(small_tables)
def test_the_value_of_an_integer_game_is_the_rational_one(method, table):
    game = mg.MatrixGame(table)
    value, rows, columns = extreme_equilibria(table)
    equilibrium = nash(game, method=method)
    assert equilibrium.converged
    # The policy is optimal to rounding, which the rational gap proves without the solver; the value lies within the gap of the true one.
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
    assert abs(equilibrium.value - float(value)) <= rounding(game)
    # A unique equilibrium is found on its exact support. The smallest difference of two 4 × 4 minors' ratios here is above 1e-6.
    if len(rows) == len(columns) == 1:
        exact = np.array([*map(float, next(iter(rows))), *map(float, next(iter(columns)))])
        assert equilibrium.support == tuple(np.flatnonzero(exact))
        np.testing.assert_allclose(equilibrium.policy, exact, rtol=0, atol=1e-13)


@every_method
@settings(deadline=None, max_examples=150)
@given(skew_tables)
def test_a_symmetric_integer_game_has_value_zero_and_a_rational_equilibrium(method, table):
    game = mg.PreferenceGame.from_payoffs(table)
    value, rows, _ = extreme_equilibria(table)
    equilibrium = nash(game, method=method)
    assert value == 0
    assert equilibrium.value == 0.0
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
    if len(rows) == 1:
        np.testing.assert_allclose(equilibrium.policy, [*map(float, next(iter(rows)))], rtol=0, atol=1e-13)


@every_method
def test_unequal_rock_paper_scissors(method):
    game = mg.PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]])
    equilibrium = nash(game, method=method)
    # The entries of P are rounded by ε/2; the equilibrium is a ratio of them with condition below 10.
    np.testing.assert_allclose(equilibrium.policy, np.array([4, 3, 4]) / 11, rtol=0, atol=1e-14)
    assert equilibrium.value == 0.5
    assert equilibrium.support == (0, 1, 2)


@every_method
def test_matching_pennies_and_a_two_by_two_mix(method):
    np.testing.assert_allclose(nash(mg.MatrixGame([[1, -1], [-1, 1]]), method=method).policy, 0.5, rtol=0, atol=EPS)
    # [[a, b], [c, d]]: x₁ = (d − c)/(a + d − b − c) and y₁ = (d − b)/(a + d − b − c), value (ad − bc)/(a + d − b − c).
    equilibrium = nash(mg.MatrixGame([[3, -1], [-2, 1]]), method=method)
    np.testing.assert_allclose(equilibrium.policy, [3 / 7, 4 / 7, 2 / 7, 5 / 7], rtol=0, atol=4 * EPS)
    assert equilibrium.value == pytest.approx(1 / 7, abs=8 * EPS)


@every_method
def test_a_saddle_point_is_pure(method):
    equilibrium = nash(mg.MatrixGame([[4, 2, 3], [1, 0, 7]]), method=method)
    assert equilibrium.policy.tolist() == [1, 0, 0, 1, 0]
    assert (equilibrium.value, equilibrium.gap, equilibrium.support) == (2.0, 0.0, (0, 3))
    assert equilibrium.slack.tolist() == [0, 2, 2, 0, 1]


@every_method
def test_a_dominated_action_is_not_played(method):
    wins = np.array([[0, 1, -1, 1], [-1, 0, 1, 1], [1, -1, 0, 1], [-1, -1, -1, 0]])
    equilibrium = nash(mg.PreferenceGame.from_payoffs(wins), method=method)
    np.testing.assert_allclose(equilibrium.policy, [1 / 3, 1 / 3, 1 / 3, 0], rtol=0, atol=EPS)
    assert equilibrium.support == (0, 1, 2)
    np.testing.assert_allclose(equilibrium.slack, [0, 0, 0, 1], rtol=0, atol=2 * EPS)


@every_method
@pytest.mark.parametrize("winner", [0, 3, 6])
def test_a_condorcet_winner_is_the_equilibrium(method, winner):
    table = np.random.default_rng(winner).uniform(0.2, 0.8, size=(7, 7))
    preference = np.triu(table, 1) + np.tril(1 - table.T, -1) + np.eye(7) / 2
    preference[winner], preference[:, winner] = 0.6, 0.4
    preference[winner, winner] = 0.5
    assert nash(mg.PreferenceGame(preference), method=method).policy.tolist() == np.eye(7)[winner].tolist()


def kuhn_poker() -> mg.MatrixGame:
    pyspiel = pytest.importorskip("pyspiel", reason="needs OpenSpiel")
    return mg.MatrixGame(pyspiel.extensive_to_matrix_game(pyspiel.load_game("kuhn_poker")).row_utilities())


@every_method
def test_kuhn_poker_is_worth_minus_one_eighteenth(method):
    game = kuhn_poker()
    equilibrium = nash(game, method=method)
    assert abs(equilibrium.value + 1 / 18) <= rounding(game)
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))


@every_method
@no_tables
def test_the_published_soccer_table(method):
    game = mg.PreferenceGame(np.loadtxt(DATA / "soccer_winrates.txt"))
    equilibrium = nash(game, method=method)
    assert equilibrium.support == (1, 8, 9)
    np.testing.assert_allclose(equilibrium.policy[[1, 8, 9]], [0.5218, 0.3308, 0.1474], rtol=0, atol=5e-5)  # as published, to four digits


@every_method
@no_tables
@pytest.mark.parametrize("table", ["blotto_5_3", "blotto_5_4", "blotto_10_3"])
def test_published_blotto_tables_are_solved_to_rounding(method, table):
    game = mg.PreferenceGame.from_payoffs(np.load(DATA / f"{table}.npy"))
    assert mg.exact_gap(game, nash(game, method=method).policy) <= Fraction(rounding(game))


def value_by_von_neumann(table: np.ndarray) -> float:
    """The value by the program of positive games, min Σu with B u ≥ 1, u ≥ 0, and HiGHS's interior point instead of its simplex method."""
    shift = 1.0 - table.min()
    solution = linprog(np.ones(len(table)), A_ub=-(table + shift).T, b_ub=-np.ones(table.shape[1]), bounds=(0, None), method="highs-ipm")
    return 1 / solution.fun - shift


@every_method
@pytest.mark.parametrize(("rows", "columns"), [(30, 20), (20, 30), (1, 9), (60, 60)])
def test_random_matrix_games_agree_with_another_program(method, rows, columns):
    for seed in range(5):
        game = random_game(seed, rows, columns)
        equilibrium = nash(game, method=method)
        # HiGHS's default tolerances are 1e-7 in its own units, and 1/Σu amplifies them by (value + shift)² < 50.
        assert abs(equilibrium.value - value_by_von_neumann(game.payoff_matrix)) <= 5e-6
        assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))


@every_method
@pytest.mark.parametrize("size", [3, 10, 30, 100])
def test_random_symmetric_games_are_solved_to_rounding_on_an_odd_support(method, size):
    for seed in range(5):
        game = random_game(seed, size)
        equilibrium = nash(game, method=method)
        assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
        # A generic skew game has one equilibrium, of odd support, and what is not played costs something: a crumb of the solver would break both.
        assert len(equilibrium.support) % 2 == 1
        played = np.isin(np.arange(size), equilibrium.support)
        assert np.max(equilibrium.slack[played]) <= rounding(game) < np.min(equilibrium.slack[~played], initial=np.inf)


@every_method
@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(0, 12))
def test_any_game_is_solved_with_a_rational_proof(method, seed, rows, columns):
    game = random_game(seed, rows, columns or None)
    equilibrium = nash(game, method=method)
    assert equilibrium.converged
    assert Fraction(0) <= mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))
    assert abs(equilibrium.gap - float(mg.exact_gap(game, equilibrium.policy))) <= rounding(game)
    assert np.all(equilibrium.slack >= 0)
    np.testing.assert_allclose(block_sum(equilibrium.policy, game.blocks), 1, rtol=0, atol=4 * EPS)
    # Complementary slackness: the average slack is what the players lose, the gap.
    assert game.players_per_block * (equilibrium.policy @ equilibrium.slack) == pytest.approx(equilibrium.gap, abs=rounding(game))


@every_method
@pytest.mark.parametrize("factor", [2.0**-40, 2.0**40, 2.0**-900, 2.0**900])
def test_units_do_not_matter(method, factor):
    table = np.random.default_rng(0).normal(size=(9, 7))
    plain, scaled = nash(mg.MatrixGame(table), method=method), nash(mg.MatrixGame(table * factor), method=method)
    # A power of two changes no mantissa, so the solver sees the same numbers.
    assert np.array_equal(plain.policy, scaled.policy)
    assert (scaled.value, scaled.gap, scaled.tolerance) == (plain.value * factor, plain.gap * factor, plain.tolerance * factor)
    assert scaled.converged


@every_method
@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_badly_scaled_games_are_solved(method, factor):
    for game in (
        mg.MatrixGame(np.random.default_rng(0).normal(size=(9, 7)) * factor),
        mg.PreferenceGame.from_payoffs(random_game(1, 9).payoff_matrix * factor),
    ):
        equilibrium = nash(game, method=method)
        assert equilibrium.converged
        assert mg.exact_gap(game, equilibrium.policy) <= Fraction(rounding(game))


@every_method
def test_payoffs_over_many_decades_are_solved(method):
    # The weights of (0, 1, 2) are (s₁₂, s₂₀, s₀₁) = (1e-7, 1e-11, 1): the solver drops entries below 1e-12 only, and probabilities below 1e-10.
    game = mg.PreferenceGame.from_payoffs([[0, 1, -1e-11], [-1, 0, 1e-7], [1e-11, -1e-7, 0]])
    equilibrium = nash(game, method=method)
    assert mg.exact_gap(game, equilibrium.policy) <= Fraction(1e-17)
    np.testing.assert_allclose(equilibrium.policy, [1e-7, 0, 1 - 1e-7], rtol=0, atol=1e-10)
    # HiGHS cannot tell 1e-11 from zero; the interior point can.
    assert equilibrium.support == ((0, 2) if method == "lp" else (0, 1, 2))
    if method == "interior_point":
        np.testing.assert_allclose(equilibrium.policy, np.array([1e-7, 1e-11, 1]) / (1 + 1e-7 + 1e-11), rtol=1e-12, atol=0)


@every_method
@pytest.mark.parametrize("seed", range(5))
def test_a_large_constant_in_all_payoffs_does_not_hide_the_equilibrium(method, seed):
    table = np.random.default_rng(seed).integers(-50, 50, size=(6, 5))
    plain, moved = nash(mg.MatrixGame(table), method=method), nash(mg.MatrixGame(table + 2.0**48), method=method)
    # All entries are whole numbers below 2⁵³, so the two games are the same; only the payoffs of the second are rounded, to 1/32.
    np.testing.assert_allclose(moved.policy, plain.policy, rtol=0, atol=1e-14)
    assert moved.converged
    assert moved.gap <= moved.tolerance < 1e-7


@every_method
def test_a_constant_game_is_solved_by_drawing_evenly(method):
    for game in (mg.PreferenceGame(np.full((4, 4), 0.5)), mg.MatrixGame(np.full((2, 4), 0.1)), mg.MatrixGame([[7, 7, 7]])):
        equilibrium = nash(game, method=method)
        assert equilibrium.policy.tolist() == [1 / size for size in game.blocks for _ in range(size)]
        assert equilibrium.gap == 0
        assert equilibrium.converged
        assert equilibrium.value == pytest.approx(game.payoff_matrix[0, 0] + game.value_offset, abs=EPS)


# --- settings, failures, text -----------------------------------------------------------------------------------------------------------


def test_bad_settings_are_refused():
    game = mg.MatrixGame([[1, -1], [-1, 1]])
    for tolerance in (0.0, -1e-9, float("nan")):
        with pytest.raises(InputError, match="tolerance must be a positive"):
            nash(game, tolerance=tolerance)
    with pytest.raises(InputError, match="Unknown method 'lpp'; did you mean 'lp'"):
        nash(game, method="lpp")
    with pytest.raises(InputError, match="Unknown selection 'entropy'; did you mean 'maximum_entropy'"):
        nash(game, select="entropy")
    with pytest.raises(InputError, match="not of a stack"):
        nash(mg.MatrixGame.stack([game, game]))
    with pytest.raises(InputError, match="Double oracle is for symmetric games"):
        nash(game, method="double_oracle")
    for method in ("lp", "double_oracle"):
        with pytest.raises(InputError, match=f"not by method {method}"):
            nash(random_game(0, 3), method=method, select="maximum_entropy")
    with pytest.raises(InputError, match="use warm_start"):
        nash(game, start=[0.5, 0.5, 0.5, 0.5])
    with pytest.raises(InputError, match="Entry 3 of the start is 0"):
        nash(game, select="maximum_entropy", start=[0.5, 0.5, 0, 1])
    with pytest.raises(InputError, match="The policy has 3 entries"):
        nash(game, warm_start=[0.5, 0.5, 1])
    with pytest.raises(InputError, match="A warm start is one policy of 4 entries"):
        nash(game, warm_start=[[0.5, 0.5, 0.5, 0.5]])


def test_a_tolerance_that_cannot_be_certified_is_refused_with_one_that_can():
    game = random_game(0, 9)
    with pytest.raises(InputError, match=r"below what can be certified .* ask for ([0-9.e-]+) or more") as refusal:
        nash(game, tolerance=1e-30)
    offered = float(str(refusal.value).rpartition("ask for ")[2].split()[0])
    assert nash(game, tolerance=offered * 1.01).converged  # two digits are printed
    assert offered < 1e-14 * game.scale


@every_method
def test_the_certificate_holds_in_rationals(method):
    for seed in range(30):
        for game in (random_game(seed, 7), random_game(seed, 5, 8), mg.MatrixGame(random_game(seed, 5, 8).payoff_matrix + 1e7)):
            equilibrium = nash(game, method=method)
            exact = mg.exact_gap(game, equilibrium.policy)
            assert abs(exact - Fraction(equilibrium.gap)) <= Fraction(equilibrium.gap_error)
            assert equilibrium.converged == (equilibrium.gap + equilibrium.gap_error <= equilibrium.tolerance)


def test_a_point_that_misses_the_tolerance_is_not_called_an_equilibrium(monkeypatch):
    """A solver that stops early: its point and its gap are returned, and say so."""
    game = random_game(0, 9)
    monkeypatch.setattr("mmd_games.equilibria.solvers.interior_point.LARGEST_STEPS", 2)
    stopped = nash(game, method="interior_point")
    assert not stopped.converged
    assert stopped.gap > stopped.tolerance
    assert stopped.gap == pytest.approx(float(mg.exact_gap(game, stopped.policy)), rel=1e-12)
    assert "NOT CONVERGED" in str(stopped)
    assert stopped.selection == "support not proven the largest"
    # "auto" then turns to the linear program, and says so.
    second = nash(game)
    assert second.converged
    assert second.method == "lp"
    assert "interior point stopped at a gap" in second.notes[0]


def test_text_lists_what_is_played_largest_first():
    game = mg.MatrixGame([[3, -1], [-2, 1]], row_labels=["up", "down"], column_labels=["left", "right"], name="two by two")
    first, *lines = str(nash(game, method="lp")).splitlines()
    assert first.startswith("Nash equilibrium of two by two (lp, vertex): value 0.142857143, 4 of 4 actions played")
    assert [line.split()[-1] for line in lines] == ["player", "down", "up", "player", "right", "left"]
    ring = mg.PreferenceGame((np.sign(np.sin(2 * np.pi * (np.arange(41)[:, None] - np.arange(41)) / 41).round(12)) + 1) / 2)
    *_, last = str(nash(ring)).splitlines()
    assert last.split() == ["0.512195", "on", "21", "more"]  # 21 of 41 equal probabilities are left after 20 lines


@pytest.mark.parametrize("game", [random_game(1, 6), mg.MatrixGame([[3, -1], [-2, 1]], row_labels=["up", "down"])])
def test_json_says_all_and_comes_back(game):
    equilibrium = nash(game)
    document = json.loads(json.dumps(equilibrium.to_dict(), allow_nan=False))
    assert document["schema"] == "mmd_games.nash/3"
    assert document["policy"] == equilibrium.policy.tolist()
    assert document["support"] == list(equilibrium.support)
    assert document["probabilities"] == [equilibrium.policy[action] for action in equilibrium.support]
    assert document["slack"] == equilibrium.slack.tolist()
    assert document["gap_relative"] * float(game.scale) == pytest.approx(document["gap"])
    assert document["labels"] == (None if game.labels is None else [list(names) for names in game.labels])
    assert (document["game"], document["units"], document["method"], document["converged"]) == (game.name, "payoff", "interior_point", True)
    assert (document["gap_error"], document["margin"], document["selection"]) == (equilibrium.gap_error, equilibrium.margin, "largest support")


# --- what a hostile reader tried --------------------------------------------------------------------------------------------------------


def test_nothing_is_selected_among_equilibria_that_are_not_known():
    """Action 2 beats the others by 1e-13 and 2e-5, and is the only equilibrium; float64 payoffs hardly tell."""
    game = mg.PreferenceGame.from_payoffs([[0, -2e-5, -0.3], [2e-5, 0, 1e-13], [0.3, -1e-13, 0]])
    selected = nash(game, select="maximum_entropy")
    if nash(game).selection == "largest support":
        assert selected.support == (1,)
    else:
        assert selected.selection == "one equilibrium"
        assert "not known beyond rounding" in selected.notes[0]


def test_a_table_of_zeros_under_a_positive_scale_is_solved():
    """A sum that cancels: its columns are rounding, its table exactly zero."""
    low_rank = mg.LowRankGame([[0.1, 0.7], [0.3, 0.2], [0.6, 0.9]])
    equilibrium = nash(low_rank + mg.PreferenceGame.from_payoffs(-low_rank.table()))
    assert equilibrium.converged
    assert equilibrium.policy.tolist() == [1 / 3] * 3


@pytest.mark.parametrize("shape", [(20_000, 3), (3, 20_000), (1, 50_000)])
def test_a_long_thin_game_takes_memory_like_its_table(shape):
    """Not like the square of its length: 3 GB here."""
    game = mg.MatrixGame(np.random.default_rng(0).normal(size=shape))
    tracemalloc.start()
    equilibrium = nash(game, method="interior_point")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert equilibrium.selection == "largest support"
    assert peak < 40 * game.payoff_matrix.nbytes


def test_the_largest_floats_are_no_infinities():
    assert nash(mg.MatrixGame([[1e308, 1.1e308], [1.2e308, 1e308]])).value == pytest.approx(1.0666666666666667e308)
    assert nash(mg.MatrixGame(np.full((2, 2), 1e308))).value == 1e308


def test_what_is_no_game_is_refused():
    with pytest.raises(InputError, match="A game is expected"):
        nash([[0.5, 0.5], [0.5, 0.5]])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="takes a list of games"):
        mg.nash_many(mg.games.comal())  # type: ignore[arg-type]


def test_an_equilibrium_shows_itself_in_one_line():
    equilibrium = nash(mg.games.comal())
    assert repr(equilibrium).startswith("<NashEquilibrium of comal: 3 of 3 actions, gap ")
    assert "\n" not in repr(equilibrium)
