"""Methods of preference optimisation and the proximal loops, by hand, and against the presets they are equal to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import mmd_games as mg
from mmd_games.algorithms import (
    AdaptivelyPerturbedMirrorDescent,
    ConvergentMetaAlignment,
    IterativeNashPolicyOptimization,
    NashMirrorProx,
    NashPolicyGradient,
    OptimisticNashPolicyOptimization,
    RegularisedNashDynamics,
    SelfPlayPreferenceOptimization,
)
from mmd_games.arrays import kl
from mmd_games.loop.stack import log_linear_of

from .rival_oracles import Players, assert_played, normalised, pay, played, situations, softmax, split

STEPS = 8
LOOPS = [ConvergentMetaAlignment, AdaptivelyPerturbedMirrorDescent, NashPolicyGradient]
RELATIVE, WEIGHT = st.floats(0.05, 0.5), st.floats(0.05, 0.9)


def settings_of(game: Any, relative: float, weight: float) -> tuple[float, float]:
    """η and α with ηL and ηα given."""
    step_size = relative / float(game.scale)
    return step_size, weight / step_size


def perturbed(players: Players, payoffs: Players, references: Players, step_size: float, strength: float) -> Players:
    """π e^{η(q − α log(π/ρ))}, as the slingshot's authors write it."""
    return [
        softmax(np.log(player) + step_size * (payoff - strength * (np.log(player / reference) + 1)))
        for player, payoff, reference in zip(players, payoffs, references, strict=True)
    ]


# --- INPO, COMAL, KL-APMD, NashPG, R-NaD ------------------------------------------------------------------------------------------------------


@given(situations(), RELATIVE, WEIGHT)
def test_inpo_is_where_its_loss_is_least(situation: Any, relative: float, weight: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, strength = settings_of(game, relative, weight)
    reference = split(game, policy)
    expected = [reference]
    for _ in range(STEPS):
        expected.append(perturbed(expected[-1], pay(game, expected[-1]), reference, step_size, strength))
    assert_played(game, IterativeNashPolicyOptimization(step_size=step_size, magnet_strength=strength), policy, expected)
    if len(game.blocks) == 1:  # the residual that INPO squares, log π⁺ − (τ/η) log ρ − (1 − τ/η) log π − (1/η) q, is the same for every answer
        before, after = expected[-2][0], expected[-1][0]
        residual = np.log(after) - weight * np.log(reference[0]) - (1 - weight) * np.log(before) - step_size * (game.payoff_matrix @ before)
        assert np.ptp(residual) < 1e-9


@given(situations(), RELATIVE, WEIGHT)
def test_inpo_is_magnetic_mirror_descent_at_a_longer_step(situation: Any, relative: float, weight: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, strength = settings_of(game, relative, weight)
    magnetic = mg.MagneticMirrorDescent(step_size=step_size / (1 - weight), magnet_strength=strength)
    expected = [split(game, np.exp(state.log_policy)) for state in played(game, magnetic, policy, STEPS)[0]]
    assert_played(game, IterativeNashPolicyOptimization(step_size=step_size, magnet_strength=strength), policy, expected)


@pytest.mark.parametrize("method", LOOPS)
@given(situation=situations(), relative=RELATIVE, weight=WEIGHT, every=st.integers(1, 5))
def test_the_loops_are_mpo_in_its_explicit_form(method: Any, situation: Any, relative: float, weight: float, every: int) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, strength = settings_of(game, relative, weight)
    plays = reference = split(game, policy)
    expected = [plays]
    for step in range(1, STEPS + 1):
        plays = perturbed(plays, pay(game, plays), reference, step_size, strength)
        reference = plays if step % every == 0 else reference
        expected.append(plays)
    loop = method(step_size=step_size, magnet_strength=strength, refresh_every=every)
    assert_played(game, loop, policy, expected)
    magnetic = mg.MagneticPreferenceOptimization(step_size=step_size / (1 - weight), magnet_strength=strength, refresh_every=every)
    assert_played(game, magnetic, policy, expected)
    assert log_linear_of(loop) is not None


@given(situations(), RELATIVE, WEIGHT, st.integers(1, 5))
def test_r_nad_moves_from_one_reference_to_the_next(situation: Any, relative: float, weight: float, size: int) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, strength = settings_of(game, relative, weight)
    plays = present = before = split(game, policy)
    expected = [plays]
    for learner_step in range(STEPS):
        start = learner_step // size * size
        share = min(2.0 * (learner_step - start) / size, 1.0)  # EntropySchedule
        changed = []
        for player, payoff, one, other in zip(plays, pay(game, plays), present, before, strict=True):
            log_policy_reg = np.log(player) - (share * np.log(one) + (1 - share) * np.log(other))
            reward = payoff - strength * log_policy_reg
            changed.append(softmax(np.log(player) + step_size * (reward - player @ reward)))
        plays = changed
        if (learner_step + 1) % size == 0:
            present, before = plays, present
        expected.append(plays)
    algorithm = RegularisedNashDynamics(step_size=step_size, magnet_strength=strength, refresh_every=size)
    assert_played(game, algorithm, policy, expected)


@pytest.mark.parametrize("method", [*LOOPS, RegularisedNashDynamics])
def test_the_defaults_converge_linearly(method: Any) -> None:
    trace = mg.solve(mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)), method(), steps=3_000)
    assert trace.gap < 1e-11


def test_the_authors_own_numbers() -> None:
    comal = ConvergentMetaAlignment().with_defaults(0.5)
    assert comal.refresh_every == 12 and comal.step_size * comal.magnet_strength == pytest.approx(1 / 3, rel=1e-14)
    apmd = AdaptivelyPerturbedMirrorDescent().with_defaults(1.0)
    assert (apmd.refresh_every, apmd.magnet_strength) == (100, 0.1) and apmd.step_size == pytest.approx(0.1, rel=0.011)
    assert RegularisedNashDynamics().with_defaults(1.0).magnet_strength == 0.2
    mirror = NashMirrorProx().with_defaults(0.5)
    assert mirror.step_size == 2.0  # of win probabilities: KL falls by 1 + 2β a step, so by (1 + 2β)^(−N/2) in N products
    stage = NashPolicyGradient().with_defaults(1.0)
    assert (1 - stage.step_size * stage.magnet_strength) ** stage.refresh_every <= math.exp(-10)


# --- Nash-MP, ONPO --------------------------------------------------------------------------------------------------------------------------


@given(situations(), RELATIVE, WEIGHT)
def test_nash_mirror_prox_takes_two_proximal_steps(situation: Any, relative: float, weight: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, strength = settings_of(game, relative, weight)
    reference = split(game, policy)

    def proximal(players: Players, payoffs: Players) -> Players:
        # The condition of the maximum: q − α (log π/ρ + 1) − (1/η)(log π/π_t + 1) is constant.
        return [
            softmax((payoff + strength * np.log(magnet) + np.log(player) / step_size) / (strength + 1 / step_size))
            for player, payoff, magnet in zip(players, payoffs, reference, strict=True)
        ]

    expected = [reference]
    for _ in range(STEPS):
        half = proximal(expected[-1], pay(game, expected[-1]))
        expected.append(proximal(expected[-1], pay(game, half)))
    assert_played(game, NashMirrorProx(step_size=step_size, magnet_strength=strength), policy, expected)


@given(situations(), st.floats(0.1, 1.0), st.floats(0.1, 2.0))
def test_nash_mirror_prox_contracts_at_the_authors_rate(situation: Any, relative: float, strong: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, strength = relative / float(game.scale), strong * float(game.scale)
    algorithm = NashMirrorProx(step_size=step_size, magnet_strength=strength, reference="uniform")
    equilibrium = mg.regularised_equilibrium(game, magnet_strength=strength)
    distances = [float(kl(equilibrium.log_policy, state.log_policy)) for state in played(game, algorithm, policy, STEPS)[0]]
    for before, after in zip(distances, distances[1:], strict=False):
        assert after <= before / (1 + step_size * strength) + 1e-12


@given(situations(), RELATIVE)
def test_onpo_is_optimistic_mirror_descent_with_a_base(situation: Any, relative: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)
    # The first forecast is the first payoff: the base starts one step behind the policy.
    first = pay(game, split(game, policy))
    base = [softmax(np.log(player) - step_size * payoff) for player, payoff in zip(split(game, policy), first, strict=True)]
    expected = [split(game, policy)]
    for _ in range(STEPS):
        met = pay(game, expected[-1])
        base = [softmax(np.log(player) + step_size * payoff) for player, payoff in zip(base, met, strict=True)]
        expected.append([softmax(np.log(player) + step_size * payoff) for player, payoff in zip(base, met, strict=True)])
    assert_played(game, OptimisticNashPolicyOptimization(step_size=step_size), policy, expected)
    assert OptimisticNashPolicyOptimization().with_defaults(0.5).step_size == pytest.approx(1 / math.sqrt(2))


# --- SPPO -----------------------------------------------------------------------------------------------------------------------------------


@given(situations(), st.floats(0.2, 3.0))
def test_sppo_is_where_its_loss_is_least(situation: Any, relative: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)
    found = split(game, np.exp(played(game, SelfPlayPreferenceOptimization(step_size=step_size), policy, 1)[0][1].log_policy))
    for player, payoff, fitted in zip(split(game, policy), pay(game, split(game, policy)), found, strict=True):
        target = step_size * (payoff - player @ payoff)

        def loss(logits: np.ndarray, player: np.ndarray = player, target: np.ndarray = target) -> float:
            return float(player @ (np.log(softmax(logits)) - np.log(player) - target) ** 2)

        least = minimize(loss, np.log(player), method="BFGS", options={"gtol": 1e-10})
        # A minimum is flat: where the loss is known to 1e-16 its place is known to some 1e-7.
        np.testing.assert_allclose(fitted, softmax(least.x), rtol=0, atol=2e-6)
        assert loss(np.log(fitted)) <= least.fun + 1e-14 * (1 + relative**2)


def test_sppo_is_off_multiplicative_weights_in_the_third_order() -> None:
    game, policy = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)), np.array([0.2, 0.3, 0.5])
    payoff = game.payoff_matrix @ policy
    shift = payoff * (policy @ payoff**2) / 2  # to leading order, a step size of η(1 − η²Var/2)
    for step_size in (0.04, 0.02):
        fitted = played(game, SelfPlayPreferenceOptimization(step_size=step_size), policy, 1)[0][1].log_policy
        difference = fitted - np.log(softmax(np.log(policy) + step_size * payoff))
        np.testing.assert_allclose(difference - policy @ difference, -(step_size**3) * shift, atol=3 * step_size**4)


def test_sppo_at_the_step_size_of_language_models_is_still_a_policy() -> None:
    game = mg.games.random(n=10, seed=1)
    states, _ = played(game, SelfPlayPreferenceOptimization(step_size=1000.0), np.full(10, 0.1), 5)
    for state in states:
        assert np.exp(state.log_policy).sum() == pytest.approx(1, abs=1e-12) and np.all(np.isfinite(state.log_policy))
