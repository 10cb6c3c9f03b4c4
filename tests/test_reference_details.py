"""What references promise in the small: tolerances, selections, notes, margins, and the numbers that decide between two ways."""

from __future__ import annotations

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.equilibria import nash, one_game
from mmd_games.equilibria.entropy import Projection

EPS = np.finfo(np.float64).eps


def random_game(seed: int, rows: int, columns: int | None = None) -> mg.MatrixGame | mg.PreferenceGame:
    """Gaussian payoffs: skew-symmetric, or rows × columns."""
    table = np.random.default_rng(seed).normal(size=(rows, columns or rows))
    return mg.MatrixGame(table) if columns else mg.PreferenceGame.from_payoffs(table - table.T)


def test_the_selection_is_nearest_to_the_start():
    """Three pairs of clones: the pairs' totals are (4, 3, 4)/11, and each is shared as the start shares it."""
    game = mg.games.clones(wins=(0.9, 0.8, 0.9), copies=2)
    totals, start = np.repeat([4, 3, 4], 2) / 11, np.array([1, 3, 2, 2, 4, 1]) / 13
    even, uneven = nash(game, select="maximum_entropy"), nash(game, select="maximum_entropy", start=start)
    # Exponentials of logarithms of size 10 or less.
    np.testing.assert_allclose(even.policy, totals / 2, rtol=1e-12, atol=0)
    np.testing.assert_allclose(uneven.policy, totals * np.array([1 / 4, 3 / 4, 1 / 2, 1 / 2, 4 / 5, 1 / 5]), rtol=1e-12, atol=0)
    assert uneven.converged
    assert uneven.selection == "maximum entropy"
    assert uneven.iterations == nash(game).iterations > 0
    assert uneven.notes == ()


def test_a_projection_that_fails_is_not_called_the_nearest(monkeypatch):
    game = mg.games.clones(copies=2)
    monkeypatch.setattr(one_game, "nearest_equilibrium", lambda matrix, blocks, policy, log_start: Projection(policy, 0.5, 7, False))
    found = nash(game, select="maximum_entropy")
    assert found.converged
    assert found.selection == "one equilibrium"
    assert "residual of 0.5: this is one of the equilibria, not the nearest" in found.notes[0]
    assert found.notes[0] in str(found)
    assert found.to_dict()["notes"] == list(found.notes)


def test_a_point_that_is_no_equilibrium_is_not_projected_nor_replaced(monkeypatch):
    """No set of equilibria is known then, and a vertex is not what was asked for."""
    monkeypatch.setattr("mmd_games.equilibria.solvers.interior_point.LARGEST_STEPS", 2)
    stopped = nash(random_game(0, 9), select="maximum_entropy")
    assert not stopped.converged
    assert (stopped.method, stopped.selection) == ("interior_point", "support not proven the largest")


def test_a_constant_games_nearest_equilibrium_is_the_start():
    start = [0.1, 0.9, 0.25, 0.75]
    for total in (1.0, 1 + 5e-7):  # both are taken for 1
        found = nash(mg.MatrixGame([[3, 3], [3, 3]]), select="maximum_entropy", start=total * np.array(start))
        # The exponential of a logarithm.
        np.testing.assert_allclose(found.policy, start, rtol=4 * EPS, atol=0)


def embedded(count: int) -> mg.LowRankGame:
    """Few actions of such a game are played."""
    points = np.random.default_rng(1).standard_normal((count, 4))
    points[:, 1] += 3
    return mg.LowRankGame(points)


def test_auto_takes_the_double_oracle_for_many_actions_without_a_table(monkeypatch):
    monkeypatch.setattr(one_game, "LARGEST_WHOLE", 100)
    small, large = embedded(100), embedded(101)
    assert nash(small).method == "interior_point"
    assert nash(large).method == "double_oracle"
    # What is in memory anyway is solved whole; so is what an equilibrium is to be selected from.
    assert nash(mg.PreferenceGame.from_payoffs(large.table())).method == "interior_point"
    selected = nash(large, select="maximum_entropy")
    assert (selected.method, selected.selection) == ("interior_point", "maximum entropy")


def test_a_second_try_is_for_games_that_are_not_too_large_and_the_better_point_is_returned(monkeypatch):
    game = random_game(0, 9)
    monkeypatch.setattr("mmd_games.equilibria.solvers.interior_point.LARGEST_STEPS", 2)
    monkeypatch.setattr(one_game.lp, "solve", lambda matrix, **settings: np.eye(9)[0])  # a worse point than that of two steps
    kept = nash(game)
    assert kept.method == "interior_point"
    assert f", {kept.iterations} iterations)" in str(kept)
    assert kept.gap < 2 * np.max(game.payoff_matrix[:, 0])
    monkeypatch.undo()
    monkeypatch.setattr("mmd_games.equilibria.solvers.interior_point.LARGEST_STEPS", 2)
    monkeypatch.setattr(one_game, "LARGEST_SECOND_TRY", 8)
    assert nash(game).method == "interior_point"


def test_a_support_that_rounding_may_hide_is_not_called_the_largest():
    """The weights are (s₁₂, s₂₀, s₀₁) = (1e-7, 2e-12, 1): a probability of 2e-12 is below what is told from rounding."""
    found = nash(mg.PreferenceGame.from_payoffs([[0, 1, -2e-12], [-1, 0, 1e-7], [2e-12, -1e-7, 0]]), method="interior_point")
    assert found.converged
    assert found.margin < one_game.PROVEN
    assert found.selection == "support not proven the largest"


def test_work_that_does_not_fit_into_memory_is_refused(monkeypatch):
    monkeypatch.setattr("mmd_games.arrays._free_memory", lambda: 100.0)
    for game in (random_game(0, 9), random_game(0, 9, 5)):
        for method in ("interior_point", "lp"):
            with pytest.raises(mg.InputError, match=f"by {method} would need .* of memory"):
                nash(game, method=method)


def test_the_error_of_the_gap_is_the_certified_one():
    for game in (random_game(0, 9), random_game(1, 6, 8), mg.games.comal()):
        found = nash(game)
        assert (found.gap, found.gap_error) == mg.certified_gap(game, found.policy)


def test_a_policy_that_plays_what_loses_has_no_margin(monkeypatch):
    monkeypatch.setattr("mmd_games.equilibria.solvers.interior_point.LARGEST_STEPS", 2)
    stopped = nash(random_game(0, 9), method="interior_point")
    assert len(stopped.support) == 9
    assert stopped.margin == 0


@pytest.mark.parametrize("count", [8, 3])
def test_the_tolerance_is_that_of_each_of_many_games(count):
    games = [random_game(seed, 7) for seed in range(count)]
    assert [one.tolerance for one in mg.nash_many(games, tolerance=1e-3)] == [1e-3] * count
    with pytest.raises(mg.InputError, match="below what can be certified"):
        mg.nash_many(games, tolerance=1e-30)
    # The least that can be: where floats cannot tell, the compiled loop gives its game back, and rationals do.
    for size in (7, 30):
        games = [random_game(seed, size) for seed in range(20)]
        least = 40 * EPS * max(float(game.scale) for game in games)
        assert all(one.converged for one in mg.nash_many(games, tolerance=least / 2))


def test_games_beyond_the_compiled_loops_size_are_solved_one_by_one():
    assert {one.method for one in mg.nash_many([random_game(seed, 129) for seed in range(8)])} == {"interior_point"}


def test_the_compiled_loop_takes_no_more_steps_than_the_other():
    """It looks for a support earlier, and is the same predictor and corrector otherwise."""
    games = [random_game(seed, 30) for seed in range(20)]
    together, alone = mg.nash_many(games), [nash(game, method="interior_point") for game in games]
    assert all(one.iterations > 0 for one in together)
    assert sum(one.iterations for one in together) <= sum(one.iterations for one in alone)


def test_converged_means_that_the_error_is_within_the_tolerance_too():
    from mmd_games.equilibria.certificate import certify

    game = random_game(0, 9)
    policy = np.full(9, 1 / 9)
    gap = float(mg.exact_gap(game, policy))
    assert not certify(game, policy, gap, method="lp", selection="vertex").converged
    assert certify(game, policy, gap * (1 + 2 * EPS), method="lp", selection="vertex").converged


@pytest.mark.parametrize("constant", [0.0, 1e9])
def test_what_floats_can_certify_is_asked_for_and_reached_without_rationals(monkeypatch, constant):
    """Payoffs of 1e9 are rounded to 1e-7, far above 1e-9 L."""
    monkeypatch.setattr("mmd_games.equilibria.certificate.LARGEST_EXACT", 0)
    for seed in range(30):
        game = mg.MatrixGame(random_game(seed, 5, 8).payoff_matrix + constant)
        found = nash(game)
        assert found.converged
        assert found.gap >= 0
        assert (found.tolerance > 1e-9 * found.scale) == (constant > 0)
        with pytest.raises(mg.InputError, match="below what can be certified") as refusal:
            nash(game, tolerance=1e-30)
        offered = float(str(refusal.value).rpartition("ask for ")[2].split()[0])
        assert nash(game, tolerance=offered * 1.05).converged  # two digits are printed


@pytest.mark.parametrize("method", ["interior_point", "lp"])
def test_margin(method):
    equilibrium = nash(mg.MatrixGame([[4, 2, 3], [1, 0, 7]]), method=method)
    assert equilibrium.margin == 1 / 3.5


def test_json_of_large_games_is_that_of_the_support():
    game = mg.LowRankGame(np.eye(2)[np.r_[0, np.ones(10_000, dtype=int)]], labels=[f"a{i}" for i in range(10_001)])
    document = nash(game).to_dict()
    assert document["policy"] is document["slack"] is document["labels"] is None
    assert len(document["probabilities"]) == len(document["support"])
    assert document["notes"]


def test_a_constant_games_relative_gap():
    assert nash(mg.MatrixGame([[3, 3], [3, 3]])).to_dict()["gap_relative"] == 0.0


@pytest.mark.parametrize("columns", [None, 5])
def test_each_of_many_games_is_solved_in_its_own_units(columns):
    """Powers of two change no mantissa, so the compiled loop sees the same numbers."""
    tables = [random_game(seed, 5, columns).payoff_matrix for seed in range(4)]
    game_of = mg.MatrixGame if columns else mg.PreferenceGame.from_payoffs
    found = mg.nash_many([game_of(factor * table) for factor in (1.0, 2.0**-40) for table in tables])
    assert {one.method for one in found} == {"interior_point (compiled)"}
    for plain, scaled in zip(found[:4], found[4:], strict=True):
        assert np.array_equal(plain.policy, scaled.policy)
        assert (plain.iterations, plain.gap * 2.0**-40) == (scaled.iterations, scaled.gap)


def test_each_of_many_games_is_centred_on_its_own_range():
    tables = [np.random.default_rng(seed).integers(-50, 50, size=(6, 5)) for seed in range(4)]
    found = mg.nash_many([mg.MatrixGame(table + constant) for constant in (0.0, 2.0**20) for table in tables])
    assert {one.method for one in found} == {"interior_point (compiled)"}
    for plain, moved in zip(found[:4], found[4:], strict=True):
        assert np.array_equal(plain.policy, moved.policy)  # whole numbers: the two are the same game


# ---- support, systems, factors
from mmd_games.equilibria.solvers import double_oracle
from mmd_games.equilibria.solvers.factors import factorise
from mmd_games.equilibria.solvers.support import on_support
from mmd_games.equilibria.solvers.systems import SymmetricSystem, TwoPlayerSystem

RPS = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0.0]])


def losing_to_all(table: np.ndarray) -> SymmetricSystem:
    """The game with one more action, which loses to all others."""
    size = len(table)
    ones = np.ones((size, 1))
    return SymmetricSystem(np.block([[table, ones], [-ones.T, np.zeros((1, 1))]]))


def test_what_counts_as_zero_is_not_strict_but_what_is_solved_for_is():
    # A payoff of 1e-11 is far below the regularisation, 1e-9: the two are left as they are, with a gap that is not rounding.
    tied = on_support(losing_to_all(np.array([[0, 1e-11], [-1e-11, 0]])), np.full(3, 1 / 3), np.array([True, True, False]))
    assert tied is not None
    assert tied.gap == pytest.approx(1e-11, rel=1e-3)
    assert not tied.strict
    # One of 1e-6 is far above: each step divides the error by 1e3.
    solved = on_support(losing_to_all(1e-6 * RPS), np.array([0.5, 0.3, 0.2, 0.1]), np.array([True, True, True, False]))
    assert solved is not None
    assert solved.strict
    np.testing.assert_allclose(solved.policy, [1 / 3, 1 / 3, 1 / 3, 0], rtol=0, atol=1e-11)
    # And a slack of 1e-8 is more than rounding.
    pure = on_support(SymmetricSystem(np.array([[0, 1e-8, 1], [-1e-8, 0, 1], [-1, -1, 0]])), np.full(3, 1 / 3), np.array([True, False, False]))
    assert pure is not None
    assert pure.strict


@pytest.mark.parametrize(("rows", "columns"), [(9, 6), (6, 9), (1, 5), (5, 1)])
def test_the_reduced_system_is_solved_where_it_is_good_enough(rows, columns):
    """Of the order of the player with fewer actions; D = 1 is as well conditioned as it gets."""
    draw = np.random.default_rng(0)
    system = TwoPlayerSystem(draw.uniform(-1, 1, (rows, columns)))
    system.factorise(np.ones(system.size))
    right = draw.normal(size=system.size)
    np.testing.assert_allclose(
        system.solve(right, np.ones(system.size), 1e-12), np.linalg.solve(np.eye(system.size) - system.dense(), right), rtol=0, atol=1e-11
    )
    assert not system._whole
    assert system._reduced.shape == (min(rows, columns),) * 2
    # One solution by the factors alone is right to rounding times the condition, below 1e3.
    np.testing.assert_allclose(system._solve(right), np.linalg.solve(np.eye(system.size) - system.dense(), right), rtol=0, atol=1e4 * EPS)


def test_single_precision_is_corrected_where_it_is_good_enough():
    draw = np.random.default_rng(0)
    table = draw.uniform(-1, 1, (80, 80))
    system = SymmetricSystem(np.triu(table, 1) - np.triu(table, 1).T)
    system.factorise(np.ones(80))
    right = draw.normal(size=80)
    solution = system.solve(right, np.ones(80), 1e-12)
    assert system._single
    # (D − K)⁻¹ has norm 1 at most, K being skew.
    np.testing.assert_allclose(solution, np.linalg.solve(np.eye(80) - system.dense(), right), rtol=0, atol=1e-10)


@pytest.mark.parametrize("columns", [None, 5])
def test_a_systems_gap_is_the_games(columns):
    table = random_game(0, 7, columns).payoff_matrix / 10
    game, system = (mg.MatrixGame(table), TwoPlayerSystem(table)) if columns else (mg.PreferenceGame.from_payoffs(table), SymmetricSystem(table))
    policy = np.concatenate([np.random.default_rng(1).dirichlet(np.ones(size)) for size in game.blocks])
    assert system.gap(policy) == pytest.approx(float(mg.exact_gap(game, policy)), abs=20 * EPS)


def test_the_value_of_a_point_is_the_middle_of_what_its_players_guarantee():
    system = TwoPlayerSystem(np.array([[1.0, -1.0, 0.0], [0.5, 0.0, -0.5]]))
    *policy, value = system.point(np.array([1.0, 0.0, 0.0, 0.0, 1.0]))
    # max Ay = 0, min Aᵀx = −1, and 2 is added to the entries.
    assert value / policy[0] == 1.5


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_right_hand_sides_of_any_size_are_solved_for(kind):
    factors = factorise(np.asfortranarray(np.diag([2.0, 4.0]).astype(kind)))
    for largest in (1e300, 1e-300, 0.0):
        assert factors.solve(largest * np.array([1.0, -1.0])).tolist() == [largest / 2, -largest / 4]


# ---- double oracle


def test_a_better_answer_by_little_is_found():
    """Action 1 is not among the first; it beats the best of those by 1e-8, more than rounding."""
    table = np.triu(np.ones((200, 200)), 1)
    table[0, 1] = -1e-8
    found = nash(mg.PreferenceGame.from_payoffs(table - table.T), method="double_oracle")
    assert found.support == (1,)
    assert found.gap == 0


def test_what_wins_by_rounding_alone_is_no_better_answer():
    table = np.triu(np.ones((200, 200)), 1)
    table[0, 1] = -1e-8
    matrix = table - table.T
    found = double_oracle.solve(200, lambda policy: matrix @ policy, lambda some: matrix[np.ix_(some, some)], 1e-7, None, lambda *told: None)
    assert found.rounds == 1
    assert np.flatnonzero(found.policy).tolist() == [0]


def test_the_best_of_all_rounds_is_returned(monkeypatch):
    """A later round may be worse; of forty games and limits that is so in some."""
    worse = 0
    for seed in range(10):
        game = random_game(seed, 400)
        for limit in (2, 3, 4, 5):
            gaps = []
            monkeypatch.setattr(double_oracle, "MOST_ROUNDS", limit)
            found = nash(game, method="double_oracle", progress=lambda step, of, gap, gaps=gaps: gaps.append(gap))
            worse += gaps[-1] > min(gaps)
            # The rounds' gaps are sums of up to 400 products in float64.
            assert found.gap == pytest.approx(min(gaps), abs=800 * EPS * found.scale)
    assert worse > 0


def test_a_warm_start_that_is_an_equilibrium_ends_at_once_only_where_its_support_is_the_largest():
    game = random_game(0, 30)
    assert nash(game, method="interior_point", warm_start=nash(game)).iterations == 0
    clones = mg.games.clones(copies=2)
    assert len(nash(clones, warm_start=nash(clones, method="lp")).support) == 6


def test_a_first_round_of_ties_only_is_left():
    """The first actions, evenly spread, are 64 of the 127 even ones and tie; 1, between them, beats them all."""
    table = np.zeros((127, 127))
    table[1], table[:, 1] = 1, -1
    table[1, 1] = 0
    found = nash(mg.PreferenceGame.from_payoffs(table), method="double_oracle")
    assert found.support == (1,)
    assert found.converged
