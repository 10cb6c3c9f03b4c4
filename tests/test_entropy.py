"""The KL projection onto the equilibria: closed forms, the conditions of optimality checked another way, and the limit of a run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import nnls

import mmd_games as mg
from mmd_games.equilibria import entropy, entropy_dual
from mmd_games.equilibria.entropy import Projection, nearest_equilibrium, project
from mmd_games.errors import InputError

EPS = float(np.finfo(np.float64).eps)
NO_ROWS, NO_BOUND = np.zeros((0, 3)), np.zeros(0)

CLOSE = {"rtol": 1e-12, "atol": 1e-15}
"""A probability is the exponential of a few logarithms of size 10 or less: some 100 roundings, and one of the whole."""


def skew(matrix: np.ndarray) -> np.ndarray:
    """The skew matrix with this upper triangle."""
    return np.triu(matrix, 1) - np.triu(matrix, 1).T


def normalised(weights: np.ndarray) -> np.ndarray:
    return weights / np.sum(weights)


def dirichlet(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(size))


# --- closed forms -----------------------------------------------------------------------------------------------------------------------


def split_within_groups(totals: np.ndarray, copies: int, log_start: np.ndarray) -> np.ndarray:
    """The nearest policy that gives each group of `copies` actions its total: each total in the proportions of the start."""
    groups = log_start.reshape(-1, copies)
    weights = np.exp(groups - np.max(groups, axis=1, keepdims=True))
    return (totals[:, None] * weights / np.sum(weights, axis=1, keepdims=True)).ravel()


@pytest.mark.parametrize("copies", [2, 7, 100])
def test_clones_share_as_in_the_start(copies: int) -> None:
    game, totals = mg.games.clones(wins=(0.9, 0.8, 0.9), copies=copies), np.array([4.0, 3.0, 4.0]) / 11
    size = 3 * copies
    uneven = split_within_groups(totals, copies, np.log(dirichlet(0, size)))
    for log_start in (np.zeros(size), np.log(dirichlet(1, size))):
        found = nearest_equilibrium(np.asarray(game.payoff_matrix), (size,), uneven, log_start)
        assert found.converged
        np.testing.assert_allclose(found.policy, split_within_groups(totals, copies, log_start), **CLOSE)


@pytest.mark.parametrize("seed", range(4))
def test_a_start_whose_logarithms_reach_down_to_minus_700(seed: int) -> None:
    game, totals = mg.games.clones(copies=5), np.array([4.0, 3.0, 4.0]) / 11
    log_start = -700 * np.random.default_rng(seed).random(15)
    found = nearest_equilibrium(np.asarray(game.payoff_matrix), (15,), np.repeat(totals / 5, 5), log_start)
    assert found.converged
    # Logarithms of size 700 are rounded by 1e-13, and that is the relative error of their exponentials.
    np.testing.assert_allclose(found.policy, split_within_groups(totals, 5, log_start), rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("size", [4, 6, 20])
def test_even_cycles_weight_their_two_halves_by_geometric_means(size: int) -> None:
    # All places of one parity have one probability, so Σ p log(p/ρ) has (size/2)·a·log(a/mean) for each half, mean the geometric one.
    start = dirichlet(size, size)
    halves = np.array([np.exp(np.mean(np.log(start[parity::2]))) for parity in (0, 1)])
    found = nearest_equilibrium(np.asarray(mg.games.cycle(n=size).payoff_matrix), (size,), np.full(size, 1 / size), np.log(start))
    assert found.converged
    np.testing.assert_allclose(found.policy, normalised(np.tile(halves, size // 2)), **CLOSE)


def test_where_everything_is_an_equilibrium_the_start_is_its_own_projection() -> None:
    log_start = 3.0 - np.linspace(0, 700, 50)
    found = nearest_equilibrium(np.zeros((50, 50)), (50,), dirichlet(0, 50), log_start)
    assert found.converged
    np.testing.assert_allclose(found.policy, normalised(np.exp(log_start)), rtol=1e-11)

    log_start = np.log([0.3, 0.7, 0.1, 0.9])
    found = nearest_equilibrium(np.full((2, 2), 0.375), (2, 2), np.full(4, 0.5), log_start)
    assert found.converged
    np.testing.assert_allclose(found.policy, np.exp(log_start), **CLOSE)


@pytest.mark.parametrize("first", [0.05, 0.2, 0.3, 0.9, 1 - 1e-12])
def test_a_bound_from_outside_the_support_holds_the_projection_back(first: float) -> None:
    # Equilibria (a, 1 − a, 0): the third action earns a − (1 − a)/3, so a ≤ 1/4.
    matrix = skew(np.array([[0, 0, -1], [0, 0, 1 / 3], [0, 0, 0]]))
    found = nearest_equilibrium(matrix, (3,), np.array([0.1, 0.9, 0.0]), np.log([first, 1 - first, 0.5]))
    assert found.converged and found.iterations <= 40
    np.testing.assert_allclose(found.policy, [min(first, 0.25), max(1 - first, 0.75), 0.0], **CLOSE)


@pytest.mark.parametrize("repeated", [1, 3])
def test_two_active_bounds_and_their_repetitions(repeated: int) -> None:
    # Outsiders earn p_i − p_2/2 for i = 0, 1; the start wants more of both than p_2/2 allows.
    bounds = np.tile([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5]], (repeated, 1))
    size = 3 + len(bounds)
    matrix = np.zeros((size, size))
    matrix[3:, :3], matrix[:3, 3:] = bounds, -bounds.T
    policy = np.append([0.1, 0.2, 0.7], np.zeros(len(bounds)))
    found = nearest_equilibrium(matrix, (size,), policy, np.log(np.append([0.5, 0.4, 0.1], np.full(len(bounds), 0.1))))
    assert found.converged
    np.testing.assert_allclose(found.policy[:3], [0.25, 0.25, 0.5], **CLOSE)
    assert not found.policy[3:].any()


def test_an_active_bound_on_a_sum_leaves_its_parts_in_the_proportions_of_the_start() -> None:
    start = np.array([0.6, 0.3, 0.1])
    found = project(np.log(start), np.array([0.1, 0.1, 0.8]), NO_ROWS, np.array([[1.0, 1.0, 0.0]]), np.array([0.4]))
    assert found.converged
    np.testing.assert_allclose(found.policy, [0.4 * 2 / 3, 0.4 / 3, 0.6], **CLOSE)


@pytest.mark.parametrize("value", [0.0, -0.75])
@pytest.mark.parametrize("limited", [False, True])
def test_the_column_player_has_a_segment_and_the_row_player_one_point(limited: bool, value: float) -> None:
    # Columns (s, s, 1 − 2s) all tie rows 1 and 2, and Σ y log(y/ρ) is least at s/(1 − 2s) = √(ρ₁ρ₂)/ρ₃; row 3 earns 6s − (1 − 2s), so s ≤ 1/8.
    matrix = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [3.0, 3.0, -1.0]])[: 3 if limited else 2] + value
    rows = np.array([0.5, 0.5, 0.0])[: len(matrix)]
    start = np.array([0.5, 0.3, 0.2])
    ratio = np.sqrt(start[0] * start[1]) / start[2]
    share = min(ratio / (1 + 2 * ratio), 1 / 8 if limited else 1)
    profile = np.concatenate([rows, [0.05, 0.05, 0.9]])
    for turned in (False, True):  # the same game with the players exchanged
        blocks = (3, len(matrix)) if turned else (len(matrix), 3)
        log_start = np.log(np.concatenate([start, dirichlet(0, len(rows))] if turned else [dirichlet(0, len(rows)), start]))
        found = nearest_equilibrium(-matrix.T if turned else matrix, blocks, np.roll(profile, 3) if turned else profile, log_start)
        expected = np.concatenate([rows, [share, share, 1 - 2 * share]])
        assert found.converged
        np.testing.assert_allclose(found.policy, np.roll(expected, 3) if turned else expected, **CLOSE)


@pytest.mark.parametrize("seed", range(5))
def test_the_only_equilibrium_is_returned_as_it_is(seed: int) -> None:
    policy = dirichlet(seed, 3)
    first, second, third = policy
    matrix = skew(np.array([[0, third, -second], [0, 0, first], [0, 0, 0]]))
    found = nearest_equilibrium(matrix, (3,), policy, np.log([0.9, 0.05, 0.05]))
    assert found.converged and found.iterations == 0
    np.testing.assert_array_equal(found.policy, policy)


# --- optimality, checked another way ----------------------------------------------------------------------------------------------------


@st.composite
def polytopes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A skew integer matrix of low rank whose equilibria are a polytope, an equilibrium of largest support, and log-probabilities of a start.

    With whole weights w, every row of U − (wᵀU)/Σw is orthogonal to w, and so is every row of U·J·Uᵀ, J skew: w/Σw is an equilibrium. Outsiders are
    rows that lose to w by a whole number at least.
    """
    size, outsiders = draw(st.integers(2, 7)), draw(st.integers(0, 4))
    weights = np.array(draw(st.lists(st.integers(1, 6), min_size=size, max_size=size)))
    total = int(np.sum(weights))
    factors = draw(arrays(np.int64, (size, 2 * draw(st.integers(0, 2))), elements=st.integers(-2, 2)))
    factors = total * factors - weights @ factors
    inside = factors @ np.kron(np.eye(factors.shape[1] // 2, dtype=np.int64), np.array([[0, 1], [-1, 0]])) @ factors.T
    bounds = draw(arrays(np.int64, (outsiders, size), elements=st.integers(-3, 3)))
    bounds = total * bounds - (bounds @ weights)[:, None] - draw(st.integers(1, 5))
    matrix = np.zeros((size + outsiders, size + outsiders))
    matrix[:size, :size], matrix[size:, :size], matrix[:size, size:] = inside, bounds, -bounds.T
    log_start = draw(arrays(np.float64, size + outsiders, elements=st.floats(-15, 0)))
    return matrix / max(1.0, np.max(np.abs(matrix))), np.append(weights / total, np.zeros(outsiders)), log_start


def assert_optimal(
    found: Projection, log_start: np.ndarray, policy: np.ndarray, equal: np.ndarray, at_most: np.ndarray, bound: np.ndarray, tolerance: float = 1e-10
) -> None:
    """Feasible, and the divergence's gradient a combination of the equations and, with signs, of the active inequalities: by convexity the minimum."""
    size = len(policy)
    p, rounding = found.policy, 40 * np.sqrt(size) * EPS  # rows of length √size at most, and the solver's bound of 4·√size·ε for each unit of length
    assert np.all(p >= 0)
    assert abs(p.sum() - 1) <= 4 * size * EPS
    assert np.max(np.abs(equal @ (p - policy)), initial=0.0) <= rounding
    assert np.max(at_most @ p - bound, initial=0.0) <= rounding

    # What is active to 1e-9 may have a multiplier: one of a row with more room left would be seen, its product with the room being the loss of value.
    active = at_most[at_most @ p >= bound - 1e-9]
    directions = np.vstack([equal, -equal, np.ones((1, size)), -np.ones((1, size)), active])
    # Each action's condition is weighed by its probability, as it is known to absolute rounding; ε·15·√k and the multipliers' rounding are far below 1e-10.
    gradient = np.log(np.maximum(p, np.finfo(np.float64).tiny)) - log_start
    _, missing = nnls((directions * p).T, -gradient * p, maxiter=1000)
    assert missing <= tolerance


@given(polytopes())
def test_the_projection_satisfies_the_conditions_of_optimality(game: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    matrix, policy, log_start = game
    found, played = nearest_equilibrium(matrix, (len(policy),), policy, log_start), policy > 0
    assert found.converged and np.all(found.policy[played] > 0)
    assert not found.policy[~played].any()
    inside = matrix[:, played]
    part = Projection(found.policy[played], found.residual, found.iterations, found.converged)
    assert_optimal(part, log_start[played], policy[played], inside[played], inside[~played], np.zeros(np.count_nonzero(~played)))


@pytest.mark.parametrize("seed", range(4))
def test_many_bounds_and_a_start_whose_logarithms_reach_down_to_minus_700(seed: int) -> None:
    generator = np.random.default_rng(seed)
    policy, factors = generator.dirichlet(np.ones(30)), generator.normal(size=(30, 4))
    factors -= policy @ factors
    equal = factors @ np.kron(np.eye(2), [[0, 1], [-1, 0]]) @ factors.T
    at_most = generator.normal(size=(30, 30))
    at_most -= (at_most @ policy + 0.01 * generator.random(30))[:, None]
    unit = max(np.max(np.abs(equal)), np.max(np.abs(at_most)))
    log_start = -700 * generator.random(30)
    found = project(log_start, policy, equal / unit, at_most / unit, np.zeros(30))
    assert found.converged
    # Logarithms and multipliers are 50 times as large as in the test above.
    assert_optimal(found, log_start, policy, equal / unit, at_most / unit, np.zeros(30), tolerance=1e-8)


@given(polytopes())
def test_the_duality_gap_stays_at_rounding(game: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    matrix, policy, log_start = game
    found = nearest_equilibrium(matrix, (len(policy),), policy, log_start)
    assert 2 * np.max(matrix @ found.policy) <= 2 * np.max(matrix @ policy) + 100 * np.sqrt(len(policy)) * EPS


@given(polytopes())
def test_repeated_and_combined_rows_change_nothing(game: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    matrix, policy, log_start = game
    played = policy > 0
    inside, start, support = matrix[:, played], log_start[played], policy[played]
    equal, at_most, bound = inside[played], inside[~played], np.zeros(np.count_nonzero(~played))
    plain = project(start, support, equal, at_most, bound)
    shift = 0.75 * np.ones((len(at_most), len(support)))  # p sums to one, so a constant in a row moves its bound
    again = project(
        start,
        support,
        np.vstack([equal, equal[::-1] / 2, equal[:1] - equal[-1:] / 4]),
        np.vstack([at_most, 2 * at_most, at_most + shift]),
        np.append(bound, np.append(bound, bound + 0.75)),
    )
    assert plain.converged and again.converged
    # A residual of 1e-12 bounds the divergence from the minimum, and that is half the square of a distance.
    np.testing.assert_allclose(again.policy, plain.policy, atol=1e-6)


def test_probabilities_of_an_equilibrium_that_are_tiny_stay_what_the_equations_make_them() -> None:
    # p_0 = 1e-10·(p_2 + p_3) and p_1 = p_2 + p_3 − p_0: the equations leave only the split of 1/2 between the last two.
    equal = np.array([[1.0, 0.0, -1e-10, -1e-10], [1.0, 1.0, -1.0, -1.0]])
    found = project(np.log([0.3, 0.1, 0.2, 0.4]), np.array([0.5e-10, 0.5 - 0.5e-10, 0.2, 0.3]), equal, np.zeros((0, 4)), NO_BOUND)
    assert found.converged
    np.testing.assert_allclose(found.policy[1:], [0.5 - 0.5e-10, 1 / 6, 1 / 3], **CLOSE)
    np.testing.assert_allclose(found.policy[0], 0.5e-10, atol=1e-16)


def test_which_equations_are_independent_is_decided_at_rounding() -> None:
    start, policy = np.log([0.4, 0.3, 0.2, 0.1]), np.full(4, 0.25)
    first, second = np.array([1.0, -1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, -1.0])
    alone = project(start, policy, first[None], np.zeros((0, 4)), NO_BOUND).policy
    rounded = project(start, policy, np.array([first, first + EPS * second]), np.zeros((0, 4)), NO_BOUND).policy
    genuine = project(start, policy, np.array([first, first + 1e-12 * second]), np.zeros((0, 4)), NO_BOUND).policy
    np.testing.assert_allclose(rounded, alone, **CLOSE)
    assert abs(alone[2] - alone[3]) > 0.1
    # Rows that differ by 1e-12 tell the second equation to ε/1e-12, about 2e-4, and no better.
    np.testing.assert_allclose(genuine, normalised(np.sqrt([0.12, 0.12, 0.02, 0.02])), atol=1e-3)


# --- what the point is for --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_magnetic_preference_optimization_converges_to_it(seed: int) -> None:
    generator = np.random.default_rng(seed)
    policy, factors = generator.dirichlet(np.full(8, 5.0)), generator.normal(size=(8, 4))
    factors -= policy @ factors
    matrix = factors @ np.kron(np.eye(2), [[0, 1], [-1, 0]]) @ factors.T
    game = mg.PreferenceGame.from_payoffs(matrix / np.max(np.abs(matrix)))
    start = generator.dirichlet(np.full(8, 2.0))
    found = nearest_equilibrium(np.asarray(game.payoff_matrix), (8,), policy, np.log(start))
    trace = mg.solve(game, mg.MagneticPreferenceOptimization(), start=start, steps=200_000, until=1e-9)
    assert trace.gap <= 1e-9
    assert np.max(np.abs(found.policy - policy)) > 0.01
    # The gap is of first order in the distance, over singular values of the game of 0.1 and more.
    np.testing.assert_allclose(trace.policy, found.policy, atol=1e-7)


# --- what cannot be had -----------------------------------------------------------------------------------------------------------------


def test_a_start_that_never_plays_an_action_of_the_equilibria_is_refused() -> None:
    with pytest.raises(InputError, match="log-probability -inf for action 2"):
        nearest_equilibrium(np.zeros((3, 3)), (3,), np.full(3, 1 / 3), np.array([-1.0, -np.inf, -1.0]))


def test_a_start_that_never_plays_an_action_outside_the_support_is_welcome() -> None:
    matrix = skew(np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]]))
    found = nearest_equilibrium(matrix, (3,), np.array([0.5, 0.5, 0.0]), np.array([np.log(3.0), 0.0, -np.inf]))
    np.testing.assert_allclose(found.policy, [0.75, 0.25, 0.0], **CLOSE)


@pytest.mark.parametrize("steps", [0, 1])
def test_a_search_that_ends_too_early_returns_the_equilibrium_it_set_out_from(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entropy_dual, "STEPS", steps)
    policy = np.repeat([4.0, 3.0, 4.0], 2) / 22
    found = nearest_equilibrium(np.asarray(mg.games.clones().payoff_matrix), (6,), policy, np.log(dirichlet(0, 6)))
    assert not found.converged and found.residual > 0
    np.testing.assert_array_equal(found.policy, policy)


def test_a_minimum_that_is_not_accurate_enough_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entropy, "ACCURACY", -1.0)
    policy = np.repeat([4.0, 3.0, 4.0], 2) / 22
    found = nearest_equilibrium(np.asarray(mg.games.clones().payoff_matrix), (6,), policy, np.log(dirichlet(0, 6)))
    assert not found.converged and found.residual < 1e-12
    np.testing.assert_array_equal(found.policy, policy)


@given(st.integers(0, 10**6))
def test_sets_without_an_inside_and_extreme_starts_never_raise_nor_leave_the_set(seed: int) -> None:
    generator = np.random.default_rng(seed)
    size = int(generator.integers(2, 9))
    policy = normalised(10.0 ** -generator.uniform(0, 11, size))
    equal, rows = generator.integers(-2, 3, (3, size)).astype(float), generator.integers(-2, 3, (2, size)).astype(float)
    at_most = np.vstack([rows, -rows, rows[:1]])
    found = project(generator.normal(size=size) * 10.0 ** generator.uniform(-2, 2.5), policy, equal, at_most, at_most @ policy)
    assert np.all(found.policy >= 0)
    rounding = 40 * size * EPS  # rows of length 2·√size at most, and 4·√size·ε for each unit of length
    np.testing.assert_allclose(equal @ found.policy, equal @ policy, atol=rounding)
    np.testing.assert_allclose(rows @ found.policy, rows @ policy, atol=rounding)
    np.testing.assert_allclose(found.policy.sum(), 1.0, atol=rounding)
