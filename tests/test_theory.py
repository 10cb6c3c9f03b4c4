"""Theorems: contraction, the regularised gap, and the outer loop's equalities (local rates are in test_predicted_rates.py)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.arrays import block_slices, kl, log_normalise, uniform_log_policy
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
