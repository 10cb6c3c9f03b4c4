"""Theorems and rates: contraction, the outer loop's equalities, and the multiplier of every mode of every method."""

from __future__ import annotations

import cmath
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.arrays import block_slices, block_sum, kl, log_normalise, uniform_log_policy
from mmd_games.equilibria import RegularisedEquilibrium, regularised_equilibrium
from mmd_games.loop.feedback import Payoffs
from mmd_games.testing import log_policies, matrix_games, policies, preference_games

EPS = np.finfo(np.float64).eps
ANY_GAME = (st.one_of(preference_games(max_actions=6), matrix_games(max_actions=4))).filter(
    lambda game: unit_of(game) > 1e-150
)  # step sizes are over L², which must not underflow


def play(game: mg.Game, algorithm: Any, log_start: np.ndarray, steps: int, *, log_magnet: np.ndarray | None = None) -> np.ndarray:
    """The log-policies 0, …, steps; from another start than the magnet where one is given."""
    payoffs, state = Payoffs(game, mg.Exact()), algorithm.init(log_start if log_magnet is None else log_magnet)
    state = state._replace(log_policy=log_start)
    policies = [log_start]
    for _ in range(steps):
        state = algorithm.step(state, payoffs)
        policies.append(state.log_policy)
    return np.array(policies)


def unit_of(game: mg.Game) -> float:
    return float(game.scale) or 1.0


def log_error(game: mg.Game, equilibrium: RegularisedEquilibrium) -> float:
    """How far a computed regularised equilibrium's log-probabilities, and those of one step, may be from exact ones.

    Its residual is a KL divergence, second order in the error; payoffs are rounded by n·ε·max|A|, over α; and logs as large as payoff/α by ε of that.
    """
    largest = float(np.max(np.abs(game.payoff_matrix))) / equilibrium.magnet_strength
    return math.sqrt(2 * equilibrium.residual) + 10 * EPS * (10 + game.actions * largest)


def kl_error(game: mg.Game, equilibrium: RegularisedEquilibrium, log_policy: np.ndarray) -> float:
    """Error of KL(π*‖π) with π* off by e in its logs: e·Σ|π* − π| + e² to second order, where Σ|π* − π| ≤ √(2·players·KL)."""
    error = log_error(game, equilibrium)
    return error * math.sqrt(4 * float(kl(equilibrium.log_policy, log_policy))) + error**2


# --- contraction ----------------------------------------------------------------------------------------------------------------------------


@given(ANY_GAME, st.data(), st.floats(0.1, 3.0), st.floats(0.05, 1.0))
def test_magnetic_mirror_descent_contracts_at_every_step(game: mg.Game, data: st.DataObject, relative: float, part: float) -> None:
    strength = relative * unit_of(game)
    step_size = part * strength / unit_of(game) ** 2
    magnet, start = (data.draw(log_policies(game, lowest=-20.0)) for _ in range(2))
    equilibrium = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    algorithm = mg.MagneticMirrorDescent(step_size=step_size, magnet_strength=strength)
    assert_contraction(game, equilibrium, play(game, algorithm, start, 30, log_magnet=magnet), 1 / (1 + step_size * strength))


@given(ANY_GAME, st.data(), st.floats(0.1, 3.0), st.floats(0.05, 1.0))
def test_policy_update_contracts_at_every_step(game: mg.Game, data: st.DataObject, relative: float, part: float) -> None:
    strength = relative * unit_of(game)
    step_size = part / (strength + 2 * unit_of(game))
    magnet, start = (data.draw(log_policies(game, lowest=-20.0)) for _ in range(2))
    equilibrium = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    algorithm = mg.PolicyUpdate(step_size=step_size, magnet_strength=strength)
    assert_contraction(game, equilibrium, play(game, algorithm, start, 30, log_magnet=magnet), 1 - step_size * strength)


def assert_contraction(game: mg.Game, equilibrium: RegularisedEquilibrium, run: np.ndarray, factor: float) -> None:
    divergences = np.asarray(kl(equilibrium.log_policy, run))
    for before, after, policy in zip(divergences, divergences[1:], run, strict=False):
        assert after <= factor * before + 4 * kl_error(game, equilibrium, policy) + 20 * EPS * before


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_matching_pennies_attain_the_contraction_and_break_it_just_beyond(strength: float) -> None:
    game = mg.games.matching_pennies()
    assert (float(game.scale), game.blocks) == (1.0, (2, 2))
    distance = 1e-4
    start = log_normalise(uniform_log_policy(game.blocks) + distance * np.array([1.0, -1.0, 0.5, -0.5]), game.blocks)
    target = uniform_log_policy(game.blocks)

    def excess(step_size: float) -> float:
        """How the KL factor of one step exceeds 1/(1 + ηα), relative to it."""
        algorithm = mg.MagneticMirrorDescent(step_size=step_size, magnet_strength=strength, reference="uniform")
        before, after = kl(target, play(game, algorithm, start, 1))
        return float(after / before) * (1 + step_size * strength) - 1

    # Near the equilibrium the factor is (1 + η²ω²)/(1 + ηα)² up to O(distance²), ω = L = 1 here: an equality at η = α.
    assert abs(excess(strength)) <= 10 * distance**2
    beyond = 1.01 * strength
    assert excess(beyond) == pytest.approx((1 + beyond**2) / (1 + beyond * strength) - 1, abs=10 * distance**2)
    assert excess(beyond) > 1e-4
    assert excess(0.99 * strength) < 0


# --- the regularised gap --------------------------------------------------------------------------------------------------------------------


def regularised_gap(game: mg.Game, log_policy: np.ndarray, log_magnet: np.ndarray, strength: float) -> float:
    answer = log_normalise(log_magnet + game.payoffs(np.exp(log_policy)) / strength, game.blocks)
    return game.players_per_block * strength * float(kl(log_policy, answer))


@given(ANY_GAME, st.data(), st.floats(0.2, 3.0))
def test_the_regularised_gap_and_its_bounds(game: mg.Game, data: st.DataObject, relative: float) -> None:
    strength, players, scale = relative * unit_of(game), game.players_per_block, float(game.scale)
    magnet, policy = (data.draw(log_policies(game, lowest=-20.0)) for _ in range(2))
    equilibrium = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    gap, payoffs = regularised_gap(game, policy, magnet, strength), game.payoffs(np.exp(policy))
    largest = float(np.max(np.abs(game.payoff_matrix)))
    # What a best response wins, by definition: α·log Σ ρ·exp(q/α) for each player, less what all have now (payoffs sum to zero).
    best = sum(
        strength * (top + math.log(np.sum(np.exp(magnet[part] + payoffs[part] / strength - top)))) for part, top in _tops(game, magnet + payoffs / strength)
    )
    rounding = 200 * EPS * players * (strength * 40 + largest)
    assert gap == pytest.approx(players * (best + strength * float(kl(policy, magnet))), abs=rounding)
    here, there = float(kl(policy, equilibrium.log_policy)), float(kl(equilibrium.log_policy, policy))
    # Divergences are off by e·‖π − π*‖₁ with logs up to 25 apart.
    error = rounding + players * strength * 100 * log_error(game, equilibrium)
    assert players * strength * here <= gap + error
    assert gap <= players * (strength * here + scale**2 / strength * there) + error
    # The original gap is first order: 2L√(2 KL) away from the equilibrium's.
    difference = abs(float(mg.duality_gap(game, np.exp(policy))) - equilibrium.gap)
    assert difference <= 2 * scale * math.sqrt(2 * there) + 100 * EPS * game.actions * largest + 4 * scale * log_error(game, equilibrium)


def _tops(game: mg.Game, logits: np.ndarray) -> list[tuple[slice, float]]:
    return [(part, float(np.max(logits[part]))) for part in block_slices(game.blocks)]


# --- the outer loop -------------------------------------------------------------------------------------------------------------------------


@given(ANY_GAME, st.data(), st.floats(0.1, 3.0))
def test_an_exact_proximal_step_never_leaves_an_equilibrium(game: mg.Game, data: st.DataObject, relative: float) -> None:
    # KL(π*‖ρ⁺) = KL(π*‖ρ) − KL(ρ⁺‖ρ) − (1/α)·Σ d·ρ⁺: with the payoffs of π* in place of −d an equality for every policy π*, Nash or not.
    strength = relative * unit_of(game)
    magnet = data.draw(log_policies(game, lowest=-10.0))
    after = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    moved, error = float(kl(after.log_policy, magnet)), 100 * log_error(game, after)
    nash = mg.nash(game)
    for target in (nash.policy, data.draw(policies(game, interior=False))):
        with np.errstate(divide="ignore"):
            logs = log_normalise(np.log(target), game.blocks)
        before, now = float(kl(logs, magnet)), float(kl(logs, after.log_policy))
        gain = float(np.exp(after.log_policy) @ game.payoffs(np.exp(logs))) / strength
        assert now == pytest.approx(before - moved + gain, abs=error)
        if target is nash.policy:
            # Payoffs against an equilibrium are at most the value, up to its gap: the slacks are not negative and KL does not rise.
            assert gain <= nash.gap / strength + error
            assert now <= before - moved + nash.gap / strength + error


# --- local rates ----------------------------------------------------------------------------------------------------------------------------

ASYMMETRIC = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
EQUILIBRIUM = np.log(np.array([4, 3, 4]) / 11)
DISTANCE = 1e-7
"""How far from the equilibrium rates are measured, in log-probabilities. What is not linear is DISTANCE times smaller; rounding is ε/DISTANCE = 2e-9 a step."""
TOLERANCE = 1e-5
"""Of a multiplier: a hundred times either, for runs of up to some thousand contracting steps."""


def modes(game: mg.Game, log_policy: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """The moduli ω > 0 of payoffs after softmax, S·C, each with the left eigenvector w of iω: w·(log π − log π*) is multiplied a step by that mode's multiplier.

    As S·C takes constants to zero, w does not see them.
    """
    matrix = game.payoffs(np.eye(game.actions)).T
    softmax = np.zeros((game.actions, game.actions))
    for part in block_slices(game.blocks):
        policy = np.exp(log_policy[part])
        softmax[part, part] = np.diag(policy) - np.outer(policy, policy)
    values, vectors = np.linalg.eig((matrix @ softmax).T)
    return [(float(value.imag), vectors[:, k]) for k, value in enumerate(values) if value.imag > 1e-6]


def interior_game(seed: int, size: int) -> tuple[mg.PreferenceGame, np.ndarray]:
    """A game with a given equilibrium of full support, and its log: Gaussian payoffs, less what they pay against it."""
    generator = np.random.default_rng(seed)
    policy = generator.dirichlet(np.full(size, 3.0))
    away = np.eye(size) - np.outer(policy, policy) / (policy @ policy)
    table = generator.normal(size=(size, size))
    skew = away @ (table - table.T) @ away
    return mg.PreferenceGame.from_payoffs(skew / np.max(np.abs(skew)) / 2), np.log(policy)


def coordinates(game: mg.Game, equilibrium: np.ndarray, algorithm: Any, steps: int, *, at_rest: bool = True) -> list[tuple[float, np.ndarray]]:
    """Each mode's ω and its coordinate after 0, …, steps steps near the equilibrium; the magnet lies at the equilibrium (or at the start)."""
    direction = np.random.default_rng(99).normal(size=game.actions)
    start = log_normalise(equilibrium + DISTANCE * direction / np.linalg.norm(direction), game.blocks)
    run = play(game, algorithm, start, steps, log_magnet=equilibrium if at_rest else None) - equilibrium
    return [(omega, run @ vector) for omega, vector in modes(game, equilibrium)]


GAMES = [(ASYMMETRIC, EQUILIBRIUM), interior_game(0, 5), interior_game(1, 4), interior_game(2, 7)]
ETA, ALPHA = 0.7, 0.2
MULTIPLIERS = {
    "mmd": (mg.MagneticMirrorDescent(step_size=ETA, magnet_strength=ALPHA), lambda turn: (1 + turn) / (1 + ETA * ALPHA)),
    "pu": (mg.PolicyUpdate(step_size=ETA, magnet_strength=ALPHA), lambda turn: (1 - ETA * ALPHA) * (1 + turn) + turn**2),
    "nash_md": (mg.NashMirrorDescent(step_size=ETA, magnet_strength=ALPHA), lambda turn: (1 - ETA * ALPHA) * (1 + turn)),
    "mwu": (mg.MultiplicativeWeights(step_size=ETA), lambda turn: 1 + turn),
    "extragradient": (mg.Extragradient(step_size=ETA), lambda turn: 1 + turn + turn**2),
}


@pytest.mark.parametrize("number", range(len(GAMES)))
@pytest.mark.parametrize("method", MULTIPLIERS)
def test_the_multiplier_of_every_mode(method: str, number: int) -> None:
    algorithm, multiplier = MULTIPLIERS[method]
    for omega, values in coordinates(*GAMES[number], algorithm, 4):
        expected = multiplier(1j * ETA * omega)
        for before, after in itertools.pairwise(values):
            assert abs(after / before - expected) <= TOLERANCE


@pytest.mark.parametrize("number", range(len(GAMES)))
def test_the_recursion_of_optimistic_multiplicative_weights(number: int) -> None:
    for omega, z in coordinates(*GAMES[number], mg.OptimisticMultiplicativeWeights(step_size=ETA), 5):
        turn = 1j * ETA * omega
        assert abs(z[1] / z[0] - (1 + turn)) <= TOLERANCE  # the first step is plain
        for t in range(1, 5):
            # λ² − (1 + 2iηω)λ + iηω = 0 is the characteristic equation of this recursion.
            assert abs(z[t + 1] - (1 + 2 * turn) * z[t] + turn * z[t - 1]) <= TOLERANCE * abs(z[0])


def multiplier_of_a_stage(omega: float, step_size: float, strength: float, every: int, inner: str = "mmd") -> complex:
    """M_K = r + (1 − r)·a^K."""
    exact = 1 / (1 - 1j * omega / strength)
    turn, pull = 1j * step_size * omega, step_size * strength
    a = (1 + turn) / (1 + pull) if inner == "mmd" else (1 - pull) * (1 + turn) + turn**2
    return exact + (1 - exact) * a**every


OMEGA = 0.208893


def test_the_mode_of_asymmetric_rock_paper_scissors() -> None:
    (omega, _) = next(iter(modes(ASYMMETRIC, EQUILIBRIUM)))
    assert omega == pytest.approx(OMEGA, abs=5e-7)
    assert len(modes(ASYMMETRIC, EQUILIBRIUM)) == 1


@pytest.mark.parametrize(
    ("strength", "step_size", "every", "stored"),
    [
        (0.3, 0.3, 1, 1.0017),
        (0.3, 0.3, 5, 1.0018),
        (0.3, 0.3, 20, 0.9219),
        (0.02, 0.02, 5000, 0.2299),
        (0.1, 0.1 / OMEGA**2, 10, 0.1437),
        (0.3, 0.3, 6, None),
        (0.02, 0.02, 86, None),
        (0.02, 0.02, 87, None),
    ],
)
def test_the_factor_of_a_refresh(strength: float, step_size: float, every: int, stored: float | None) -> None:
    algorithm = mg.MagneticPreferenceOptimization(step_size=step_size, magnet_strength=strength, refresh_every=every)
    ((omega, values),) = coordinates(ASYMMETRIC, EQUILIBRIUM, algorithm, every, at_rest=False)
    measured, predicted = values[-1] / values[0], multiplier_of_a_stage(omega, step_size, strength, every)
    assert abs(measured - predicted) <= TOLERANCE
    if stored is not None:
        assert abs(measured) == pytest.approx(stored, abs=6e-5)  # four digits
    smallest = {0.3: 6, 0.02: 87}.get(strength, 1)
    assert (abs(measured) < 1) == (every >= smallest)


@pytest.mark.parametrize("number", range(len(GAMES)))
@pytest.mark.parametrize(("inner", "every"), [("mmd", 1), ("mmd", 9), ("pu", 1), ("pu", 9)])
def test_the_factor_of_a_refresh_with_any_inner_method(number: int, inner: Any, every: int) -> None:
    algorithm = mg.MagneticPreferenceOptimization(step_size=ETA, magnet_strength=ALPHA, refresh_every=every, inner=inner)
    for omega, values in coordinates(*GAMES[number], algorithm, 2 * every, at_rest=False):
        expected = multiplier_of_a_stage(omega, ETA, ALPHA, every, inner)
        for stage in range(2):
            assert abs(values[(stage + 1) * every] / values[stage * every] - expected) <= TOLERANCE


@pytest.mark.parametrize(("every", "refreshes"), [(1, 300), (5, 300), (6, 300), (20, 100)])
def test_whole_runs_grow_or_shrink_as_predicted(every: int, refreshes: int) -> None:
    # The loop's own record of the magnets: |z| after R refreshes is |M|^R; R times the error of one, and what is not linear.
    start = np.exp(log_normalise(EQUILIBRIUM + DISTANCE * np.array([1.0, -1.0, 0.5]), (3,)))
    algorithm = mg.MagneticPreferenceOptimization(step_size=0.3, magnet_strength=0.3, refresh_every=every)
    stages = mg.solve(ASYMMETRIC, algorithm, steps=every * refreshes, start=start).stages
    assert stages.iterations.tolist() == [every * k for k in range(refreshes + 1)]
    ((omega, vector),) = modes(ASYMMETRIC, EQUILIBRIUM)
    values = (stages.log_magnets - EQUILIBRIUM) @ vector
    predicted = multiplier_of_a_stage(omega, 0.3, 0.3, every)
    measured = abs(values[-1] / values[0]) ** (1 / refreshes)
    # At 0.9219^100 = 3e-4 of DISTANCE rounding is ε/3e-11 = 1e-5 of what is left, spread over 100 refreshes.
    assert measured == pytest.approx(abs(predicted), rel=TOLERANCE, abs=0)
    assert (measured < 1) == (every >= 6)


@pytest.mark.parametrize("inner", ["mmd", "pu"])
def test_actions_off_the_support_die_out_as_predicted(inner: Any) -> None:
    # A pure equilibrium: payoffs near it are constant, and the log-odds of action i fall a refresh by (d_i/α)(1 − w^K), w = 1/(1 + ηα) or 1 − ηα.
    game = mg.PreferenceGame([[0.5, 0.75, 0.625], [0.25, 0.5, 0.5], [0.375, 0.5, 0.5]])
    algorithm = mg.MagneticPreferenceOptimization(step_size=0.5, magnet_strength=0.1, refresh_every=10, inner=inner)
    run = mg.solve(game, algorithm, steps=1000, start=[1 - 2e-12, 1e-12, 1e-12])
    odds = run.stages.log_magnets[:, 1:] - run.stages.log_magnets[:, :1]
    weight = 1 / 1.05 if inner == "mmd" else 0.95
    # The payoffs are off by the mass of 2e-12; odds down to −250 are rounded by 3e-14 a step.
    np.testing.assert_allclose(np.diff(odds, axis=0), np.tile(-np.array([0.25, 0.125]) / 0.1 * (1 - weight**10), (100, 1)), rtol=1e-9)


def test_rates_beyond_their_limits() -> None:
    # OMWU converges while ηω < 1/√3, extragradient while ηω < 1.
    for omega, method, limit in ((OMEGA, mg.OptimisticMultiplicativeWeights, 1 / math.sqrt(3)), (OMEGA, mg.Extragradient, 1.0)):
        for factor, grows in ((0.95, False), (1.05, True)):
            ((_, values),) = coordinates(ASYMMETRIC, EQUILIBRIUM, method(step_size=factor * limit / omega), 60)
            assert (abs(values[60]) > abs(values[20])) == grows


def test_the_slower_root_of_optimistic_multiplicative_weights() -> None:
    # |λ| ≈ 1 − (ηω)²/2 for a small step: the run follows the larger root of the quadratic once the smaller one has died out.
    step_size = 1.0
    ((omega, values),) = coordinates(ASYMMETRIC, EQUILIBRIUM, mg.OptimisticMultiplicativeWeights(step_size=step_size), 60)
    turn = 1j * step_size * omega
    root = ((1 + 2 * turn) + cmath.sqrt((1 + 2 * turn) ** 2 - 4 * turn)) / 2
    assert abs(values[60] / values[59] - root) <= TOLERANCE
    assert abs(root) == pytest.approx(1 - (step_size * omega) ** 2 / 2, abs=2 * (step_size * omega) ** 4)


def test_the_sum_of_a_profile_is_taken_over_its_blocks() -> None:
    # The helper above that the rates rest on: modes of [[0, A], [−Aᵀ, 0]] are the singular values of C(x)^½·A·C(y)^½.
    game = mg.MatrixGame(np.random.default_rng(5).normal(size=(3, 4)))
    profile = log_normalise(np.random.default_rng(6).normal(size=7), game.blocks)
    assert block_sum(np.exp(profile), game.blocks) == pytest.approx([1, 1])
    roots = []
    for part in block_slices(game.blocks):
        policy = np.exp(profile[part])
        values, vectors = np.linalg.eigh(np.diag(policy) - np.outer(policy, policy))
        roots.append(vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T)
    singular = np.linalg.svd(roots[0] @ game.payoff_matrix @ roots[1])[1]
    found = sorted((omega for omega, _ in modes(game, profile)), reverse=True)
    np.testing.assert_allclose(found, singular[: len(found)], rtol=1e-10)
    assert len(found) == 2
    assert found[0] <= float(np.max(np.abs(game.payoff_matrix)))
