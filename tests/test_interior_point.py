"""The self-dual interior point: its linear algebra, its steps, its supports, and its compiled double."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.equilibria.solvers import interior_point, systems
from mmd_games.equilibria.solvers.support import on_support
from mmd_games.equilibria.solvers.systems import SymmetricSystem, TwoPlayerSystem

EPS = np.finfo(np.float64).eps
seeds = st.integers(0, 10**6)


def random_matrix(seed: int, rows: int, columns: int | None = None) -> np.ndarray:
    """Payoffs uniform on (−1, 1): skew-symmetric, or rows × columns."""
    table = np.random.default_rng(seed).uniform(-1, 1, (rows, columns or rows))
    return table if columns else np.triu(table, 1) - np.triu(table, 1).T


def system_of(seed: int, rows: int, columns: int | None) -> systems.System:
    matrix = random_matrix(seed, rows, columns)
    return TwoPlayerSystem(matrix) if columns else SymmetricSystem(matrix)


shapes = st.one_of(st.tuples(st.integers(2, 12), st.none()), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.just((80, None)), st.just((40, 25)))


# --- linear algebra ---------------------------------------------------------------------------------------------------------------------


@given(seeds, shapes)
def test_k_is_skew_and_multiplies_like_its_dense_form(seed, shape):
    system = system_of(seed, *shape)
    dense = system.dense()
    assert np.array_equal(dense, -dense.T)
    point = np.random.default_rng(seed).uniform(0, 1, system.size)
    # Sums of up to 82 products of at most 3, in another order.
    np.testing.assert_allclose(system.multiply(point), dense @ point, rtol=0, atol=3 * 82 * 82 * EPS)
    some = np.flatnonzero(np.random.default_rng(seed).random(system.size) < 0.5)
    assert np.array_equal(system.block(some), dense[np.ix_(some, some)])


@given(seeds, shapes, st.floats(0, 6))
def test_newton_systems_are_solved_to_the_tolerance_asked_for(seed, shape, decades):
    """D as an interior point makes it: towards the end some entries are small and others large."""
    system = system_of(seed, *shape)
    draw = np.random.default_rng(seed)
    diagonal, right = 10.0 ** draw.uniform(-decades, decades, system.size), draw.normal(size=system.size)
    weights = 10.0 ** draw.uniform(-3, 0, system.size)
    system.factorise(diagonal)
    solution = system.solve(right, weights, 1e-6)
    dense = np.diag(diagonal) - system.dense()
    exact = np.linalg.solve(dense, right)
    residual = np.max(np.abs(weights * (dense @ solution - right)))
    # What can be asked for: backward stability leaves a residual of some ε times the entries of D − K and the solution.
    attainable = 100 * len(exact) * EPS * np.max(np.abs(weights) * (np.abs(dense) @ np.abs(exact) + 1))
    assert residual <= max(1e-6, attainable)


def test_single_precision_gives_way_where_it_is_too_rough():
    """S of odd order is singular, so D − S with D = 1e-9 has a condition of 1e9: more than single precision, but not double, can correct."""
    system = SymmetricSystem(random_matrix(0, 81))
    system.factorise(np.full(81, 1e-9))
    right = system.multiply(np.random.default_rng(0).normal(size=81))
    solution = system.solve(right, np.ones(81), 1e-10)
    assert not system._single
    assert np.max(np.abs(1e-9 * solution - system.multiply(solution) - right)) <= 1e-10


def test_the_whole_system_is_factorised_where_the_reduced_one_is_too_rough():
    """x and y in the support with slacks of 1e-17: the reduced matrix squares their ratio, and Cholesky fails or leaves no digit."""
    system = TwoPlayerSystem(np.array([[1.0, -1.0, 0.5], [-1.0, 1.0, 0.5]]))
    system.factorise(np.array([1e-17, 1e-17, 1e-17, 1e-17, 1.0, 1e-17]))
    right = np.array([1.0, 2.0, -1.0, 0.5, 0.25, 1.0])
    solution = system.solve(right, np.ones(6), 1e-10)
    assert system._whole
    assert np.max(np.abs(system._diagonal * solution - system.multiply(solution) - right)) <= 1e-10


@given(seeds, st.integers(1, 9), st.integers(1, 9))
def test_points_and_policies_correspond(seed, rows, columns):
    system = system_of(seed, rows, columns)
    draw = np.random.default_rng(seed)
    policy = np.concatenate([draw.dirichlet(np.ones(rows)), draw.dirichlet(np.ones(columns))])
    point = system.point(policy)
    assert point.sum() == pytest.approx(1, abs=20 * EPS)
    np.testing.assert_allclose(system.policy(point), policy, rtol=20 * EPS, atol=0)
    # At an equilibrium Kz ≤ 0 and t is the value of A + c: at any policy max Kz is the gap's share on either side of it.
    assert np.max(system.multiply(point)) >= -20 * EPS


# --- solutions --------------------------------------------------------------------------------------------------------------------------


@given(seeds, shapes)
def test_a_random_game_is_solved_strictly(seed, shape):
    system = system_of(seed, *shape)
    found = interior_point.solve(system)
    # Payoffs are sums of up to 80 products of 1, the policy is one rounding from exact: 80 ε, and twice that for two players.
    assert system.gap(found.policy) <= 2 * 80 * EPS
    assert found.iterations <= 25
    point = system.point(found.policy)
    slack = -system.multiply(point)
    assert np.all((point > 1e-10) | (slack > 1e-10))


def catalogue() -> list[str]:
    examples = [family.example for family in mg.games.listing()]
    large = [
        "cycle:n=2000",
        "generalised_rps:n=1999",
        "spinning_top:layers=60,width=41",
        "clones:copies=600",
        "random:n=2000",
        "random:n=1000,distribution=tournament",
        "random:n=1000,distribution=gaussian",
        "bradley_terry:n=2000,spread=2",
        "noisy_elo:n=1000,noise=1",
        "disc:n=2000",
        "transitive_cyclic:n=1000",
        "general_preference:n=2000",
        "a_delta:delta=1e-6",
        "blotto:soldiers=10,fields=4",
        "blotto:soldiers=20,fields=3",
    ]
    return examples + large


@pytest.mark.parametrize("spec", catalogue())
def test_a_catalogue_game_takes_at_most_25_steps(spec):
    game = mg.games.from_spec(spec)
    equilibrium = mg.nash(game, method="interior_point")
    assert equilibrium.iterations <= 25
    assert equilibrium.gap <= 1e-14 * game.scale
    assert equilibrium.selection == "largest support"


@pytest.mark.parametrize(
    ("spec", "support"),
    [("clones:copies=3", 9), ("cycle:n=8", 8), ("spinning_top:layers=5,width=7", 3), ("bradley_terry:n=20", 1), ("blotto:soldiers=10,fields=4", 146)],
)
def test_the_support_is_the_largest(spec, support):
    """All clones, the whole ring, the top layer, the strongest; and Blotto's 146, of which a simplex method returns 3."""
    assert len(mg.nash(mg.games.from_spec(spec), method="interior_point").support) == support


@given(seeds)
def test_a_linear_programs_support_is_within_the_largest(seed):
    """Integer games of few values have many equilibria; each is played within the largest support."""
    draw = np.random.default_rng(seed)
    table = draw.integers(-1, 2, (7, 7))
    game = mg.PreferenceGame.from_payoffs(np.triu(table, 1) - np.triu(table, 1).T)
    assume(game.scale > 0)
    assert set(mg.nash(game, method="lp").support) <= set(mg.nash(game, method="interior_point").support)


def test_a_wrong_support_is_not_accepted():
    """Of rock-paper-scissors with a fourth action that loses to all: neither two actions, nor all four, are an equilibrium's."""
    system = SymmetricSystem(np.array([[0, 1, -1, 1], [-1, 0, 1, 1], [1, -1, 0, 1], [-1, -1, -1, 0]], dtype=float))
    point = np.full(4, 0.25)
    assert on_support(system, point, np.array([True, True, False, False])) is None
    assert on_support(system, point, np.array([True, True, True, True])) is None
    assert on_support(system, point, np.zeros(4, dtype=bool)) is None
    right = on_support(system, point, np.array([True, True, True, False]))
    assert right is not None
    assert right.strict
    np.testing.assert_allclose(right.policy, [1 / 3, 1 / 3, 1 / 3, 0], rtol=0, atol=2 * EPS)
    # A part of an equilibrium's support may be an equilibrium too, but is not strict: the clone left out is as good as those played.
    clones = SymmetricSystem(np.kron(np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0.0]]), np.ones((2, 2))))
    part = on_support(clones, np.full(6, 1 / 6), np.array([True, True, True, True, True, False]))
    assert part is not None
    assert not part.strict


@given(seeds, shapes)
def test_a_warm_start_saves_steps_and_changes_nothing(seed, shape):
    rows, columns = shape
    matrix = random_matrix(seed, rows, columns)
    near = matrix + 1e-6 * random_matrix(seed + 1, rows, columns)
    games = [mg.MatrixGame(table) if columns else mg.PreferenceGame.from_payoffs(table) for table in (matrix, near)] if matrix.size > 1 else []
    assume(games)
    known = mg.nash(games[1], method="interior_point")
    cold, warm = (mg.nash(games[0], method="interior_point", warm_start=start) for start in (None, known))
    assert warm.converged
    # Unique, and right to rounding times a condition, which the margin bounds from below.
    assume(cold.margin > 1e-6)
    assert warm.support == cold.support
    np.testing.assert_allclose(warm.policy, cold.policy, rtol=0, atol=1e-8)


def test_a_warm_start_takes_fewer_steps_on_the_whole():
    cold = warm = 0
    for seed in range(10):
        matrix = random_matrix(seed, 100)
        game, near = (mg.PreferenceGame.from_payoffs(table) for table in (matrix, matrix + 1e-5 * random_matrix(seed + 100, 100)))
        known = mg.nash(near)
        cold += mg.nash(game).iterations
        warm += mg.nash(game, warm_start=known.policy).iterations
    assert warm <= cold / 2


# --- many at once -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(2, None), (7, None), (30, None), (4, 6), (1, 5)])
def test_many_games_at_once_are_solved_as_one_by_one(rows, columns):
    matrices = [random_matrix(seed, rows, columns) for seed in range(20)]
    games = [mg.MatrixGame(matrix) if columns else mg.PreferenceGame.from_payoffs(matrix) for matrix in matrices]
    together = mg.nash_many(games)
    for game, one in zip(games, together, strict=True):
        alone = mg.nash(game, method="interior_point")
        assert one.method == "interior_point (compiled)"
        assert one.converged
        assert one.support == alone.support
        # The equilibrium is unique; both are right to rounding times the condition of a support of at most 30, which the margin bounds.
        np.testing.assert_allclose(one.policy, alone.policy, rtol=0, atol=1e3 * EPS / alone.margin)


def test_what_the_compiled_loop_cannot_solve_is_solved_all_the_same():
    """Games of all kinds in one list: constant, stacked-size, too few of a shape, near-degenerate; the order is kept."""
    nearly = np.array([[0, 1, -1e-11], [-1, 0, 1e-7], [1e-11, -1e-7, 0]])
    games: list[mg.Game] = [mg.games.comal() for _ in range(8)]
    games += [mg.PreferenceGame.from_payoffs(nearly), mg.PreferenceGame.from_payoffs(np.zeros((3, 3))), mg.games.matching_pennies()]
    found = mg.nash_many(games)
    assert [len(equilibrium.policy) for equilibrium in found] == [3] * 10 + [4]
    assert all(equilibrium.converged for equilibrium in found)
    assert [equilibrium.method for equilibrium in found][-2:] == ["interior_point", "interior_point"]
    assert mg.nash_many([]) == []
    assert [one.support for one in mg.nash_many(game for game in games[:9])] == [one.support for one in found[:9]]
    with pytest.raises(mg.InputError, match="Entry 2 is no game"):
        mg.nash_many([mg.games.comal(), "comal"])  # type: ignore[list-item]
