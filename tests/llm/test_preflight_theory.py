"""What a preflight predicts before it plays: steps that are realised in part, and the floor that noise leaves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.arrays import log_normalise
from mmd_games.llm.objective import group_payoffs
from mmd_games.llm.preflight.fraction import equivalent_step, fraction_after, fraction_per_step
from mmd_games.llm.preflight.noise import payoff_noise, predicted_floor
from mmd_games.llm.preflight.play import Fitting, play
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.updates import proximal_logits
from mmd_games.verification import predict_rate
from mmd_games.verification.predicted.spectrum import spectrum_of

RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
SETTINGS = RunSettings(step_size=0.8, magnet_strength=0.2, refresh_every=20, group_size=128, max_rollouts=1200)
POSITIVE = st.floats(1e-3, 1e2)


# --- a fraction of a step --------------------------------------------------------------------------------------------------------------------


@given(POSITIVE, st.floats(0, 10), st.floats(1e-3, 3.0), st.integers(0, 10**6))
def test_a_fraction_of_a_step_is_a_step_of_another_size(step_size: float, strength: float, fraction: float, seed: int) -> None:
    equivalent = equivalent_step(step_size, strength, fraction)
    assume(equivalent is not None)
    assert equivalent is not None
    generator = np.random.default_rng(seed)
    policy, magnet = log_normalise(generator.normal(size=(2, 5)), (5,))
    payoff = generator.uniform(-0.5, 0.5, size=5)
    target = proximal_logits(payoff, policy, magnet, step_size, strength)
    part = policy + fraction * (target - policy)
    exact = proximal_logits(payoff, policy, magnet, equivalent, strength)
    # 1 + (1 − f)ηα loses digits where it is small against its terms, and the step size, large then, passes that on to the logits.
    lost = (1 + fraction * step_size * strength + step_size * strength) / (1 + (1 - fraction) * step_size * strength)
    scale = 1 + np.max(np.abs(policy)) + np.max(np.abs(magnet)) + fraction * step_size
    np.testing.assert_allclose(exact, part, rtol=0, atol=50 * np.finfo(float).eps * scale * lost)


@given(POSITIVE, st.floats(1e-3, 10))
def test_where_no_step_does_what_overshooting_does(step_size: float, strength: float) -> None:
    limit = 1 + 1 / (step_size * strength)
    assert equivalent_step(step_size, strength, 1.0) == pytest.approx(step_size, rel=1e-15)
    assert equivalent_step(step_size, strength, limit * 1.001) is None
    assert equivalent_step(step_size, strength, 0.0) is None
    assert equivalent_step(step_size, strength, -0.1) is None
    below = equivalent_step(step_size, strength, 1 + 0.5 / (step_size * strength))
    assert below is not None and below > step_size


@given(st.floats(0.05, 1.5))
def test_modes_turn_as_the_rate_at_the_equivalent_step_says(fraction: float) -> None:
    step = equivalent_step(SETTINGS.step_size, SETTINGS.magnet_strength, fraction)
    assert step is not None
    prediction = predict_rate(RPS, SETTINGS.algorithm(step))
    frequency = prediction.modes[0].frequency
    inner = 1 - fraction + fraction * (1 + 1j * SETTINGS.step_size * frequency) / (1 + SETTINGS.pull)
    limit = 1 / (1 - 1j * frequency / SETTINGS.magnet_strength)
    assert prediction.modes[0].multiplier == pytest.approx(limit + (1 - limit) * inner**SETTINGS.refresh_every, rel=1e-11)


def test_a_small_fraction_needs_a_longer_stage() -> None:
    settings = replace(SETTINGS, refresh_every=8)
    assert predict_rate(RPS, settings.algorithm(equivalent_step(0.8, 0.2, 1.0))).kind == "linear"
    assert predict_rate(RPS, settings.algorithm(equivalent_step(0.8, 0.2, 0.1))).kind == "diverges"


@given(st.floats(1e-6, 0.999), st.integers(1, 200))
def test_steps_that_each_make_a_part_of_what_is_left(fraction: float, steps: int) -> None:
    each = fraction_per_step(fraction, steps)
    assert 0 < each <= fraction * (1 + 1e-9)
    # (1 − f)^(1/J) next to 1 keeps eps of absolute digits, which J of them multiply.
    assert fraction_after(each, steps) == pytest.approx(fraction, abs=4 * steps * np.finfo(float).eps)


# --- noise of a group ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("votes", [0, 1, 3])
def test_the_noise_of_a_group_is_that_of_the_trainers_payoffs(votes: int) -> None:
    """Groups drawn one completion at a time, each pair judged, payoffs by the function that the trainer calls."""
    policy, size, draws = np.array([0.4, 0.35, 0.25]), 30, 2000
    generator = np.random.default_rng(3)
    members = generator.choice(3, size=(draws, size), p=policy)
    told = RPS.preference[members[:, :, None], members[:, None, :]]
    if votes:
        cast = generator.binomial(votes, told) / votes
        above = np.triu(np.ones((size, size), dtype=bool), 1)
        told = np.where(above, cast, 1 - np.swapaxes(cast, 1, 2))
        told[:, np.arange(size), np.arange(size)] = 0.5
    payoffs = group_payoffs(torch.as_tensor(told), count_itself=True).numpy()
    means = np.stack([np.where(members == kind, payoffs, 0).sum(1) / (members == kind).sum(1) for kind in range(3)], axis=1)
    found = np.cov(means.T)
    predicted = payoff_noise(RPS.preference, policy, size, votes)
    # A sample covariance of 2,000 draws is right to √2/√2000 = 3.2% of its variances; 4.5 of these, and 1/K for what is beyond the leading order.
    scale = np.sqrt(np.outer(np.diag(predicted), np.diag(predicted)))
    assert np.max(np.abs(found - predicted) / scale) < 4.5 * np.sqrt(2 / draws) + 1 / size


@pytest.mark.parametrize("spec", ["rps:wins=0.9/0.8/0.9", "random:n=5,seed=1", "generalised_rps:n=5,win=0.8", "random:n=10,seed=1"])
@pytest.mark.parametrize(
    ("changes", "fraction"), [({}, 1.0), ({"judge_votes": 0}, 1.0), ({"refresh_every": 40}, 0.3), ({"group_size": 512, "judge_flips": 0.2}, 1.0)]
)
def test_the_predicted_floor_is_where_play_comes_to_rest(spec: str, changes: dict[str, float], fraction: float) -> None:
    game, settings = mg.games.from_spec(spec), replace(SETTINGS, **changes)
    equilibrium = mg.nash(game)
    assert isinstance(game, mg.PreferenceGame)
    floor = predicted_floor(game, equilibrium.policy, equilibrium.slack, settings, fraction)
    start = np.log((equilibrium.policy + 0.01 / game.actions) / 1.01)[None]
    played = play(game.preference[None], start, settings, fitting=Fitting(fraction), seeds=16)
    assert 0.003 < floor < 0.1
    assert played.mean == pytest.approx(floor, rel=0.25)  # the error that the theory states of itself


def test_a_floor_falls_with_the_square_root_of_the_group() -> None:
    equilibrium = mg.nash(RPS)
    floors = [predicted_floor(RPS, equilibrium.policy, equilibrium.slack, replace(SETTINGS, group_size=size, judge_votes=0), 1.0) for size in (50, 200, 800)]
    np.testing.assert_allclose(np.array(floors[:-1]) / floors[1:], 2.0, rtol=1e-6)  # the same Gaussian draws, scaled


@pytest.mark.parametrize(
    ("changes", "rests"),
    [
        ({"refresh_every": 2}, False),
        ({"refresh_every": 0}, False),
        ({"magnet_strength": 0.0}, False),
        ({"step_size": 100.0}, True),
        ({"step_size": 1000.0}, False),
    ],
)
def test_no_floor_where_nothing_comes_to_rest_there(changes: dict[str, float], rests: bool) -> None:
    # Inner steps converge as long as η(ω² − α²) < 2α: up to η = 110 here, and stages of 20 somewhat beyond.
    equilibrium = mg.nash(RPS)
    assert np.isfinite(predicted_floor(RPS, equilibrium.policy, equilibrium.slack, replace(SETTINGS, **changes), 1.0)) == rests


def test_the_directions_that_no_gap_sees_have_no_say() -> None:
    clones = mg.games.clones(copies=2)
    equilibrium = mg.nash(clones, select="maximum_entropy")
    assert spectrum_of(clones, equilibrium.policy, np.flatnonzero(equilibrium.policy > 0)).zero_modes > 0
    plain = mg.nash(RPS)
    slack = np.zeros(clones.actions)
    with_clones = predicted_floor(clones, equilibrium.policy, slack, replace(SETTINGS, judge_votes=0), 1.0)
    # Copies of a completion are one: opponents are drawn from the same shares.
    alone = predicted_floor(RPS, plain.policy, np.zeros(3), replace(SETTINGS, judge_votes=0), 1.0)
    assert with_clones == pytest.approx(alone, rel=0.02)  # other Gaussian draws: 20,000 of them


def test_where_all_that_is_played_ties_noise_leaves_no_gap() -> None:
    game = mg.PreferenceGame([[0.5, 0.5, 1.0], [0.5, 0.5, 1.0], [0.0, 0.0, 0.5]])
    settings = RunSettings(step_size=1.0, magnet_strength=0.2, refresh_every=20, group_size=8)
    assert predicted_floor(game, np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.0, 0.5]), settings, 1.0) == 0.0
