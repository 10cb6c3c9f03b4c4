"""Regret matching and methods judged by an average, by hand, and where theory says that their last iterates do or do not go."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import AverageToLast, PredictiveRegretMatchingPlus, RegretMatchingPlus, SmoothPredictiveRegretMatchingPlus
from mmd_games.algorithms.averaged import averaged

from .rival_oracles import Players, assert_played, joined, nearest, normalised, pay, played, situations, softmax, split

STEPS = 8
THREE = mg.MatrixGame(np.array([[3.0, 0.0, -3.0], [0.0, 3.0, -4.0], [0.0, 0.0, 1.0]]))
"""The 3×3 game of arXiv 2305.14709 and 2311.00676, whose only equilibrium is ((1, 1, 10)/12, (4, 5, 3)/12)."""
POWERS = {"uniform": 0, "linear": 1, "quadratic": 2}


def regrets(game: Any, players: Players) -> Players:
    return [payoff - player @ payoff for player, payoff in zip(players, pay(game, players), strict=True)]


def proportional(weights: Players) -> Players:
    return [weight / weight.sum() for weight in weights]


# --- averages -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", POWERS)
def test_running_averages(name: str) -> None:
    policies, running = np.random.default_rng(0).dirichlet(np.ones(4), 9), np.full(4, np.pi)
    for number in range(1, 10):
        running = averaged(running, policies[number - 1], number, POWERS[name])
        expected = np.average(policies[:number], axis=0, weights=np.arange(1, number + 1.0) ** POWERS[name])
        np.testing.assert_allclose(running, expected, atol=1e-14)


# --- regret matching ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("average", ["none", *POWERS])
@given(situation=situations())
def test_regret_matching_plus(average: Any, situation: Any) -> None:
    game, policy = situation[0], normalised(*situation)
    plays = split(game, policy)
    totals, history = [np.zeros(size) for size in game.blocks], [joined(plays)]
    for _ in range(STEPS):
        totals = [np.maximum(total + regret, 0) for total, regret in zip(totals, regrets(game, plays), strict=True)]
        plays = proportional(totals)
        history.append(joined(plays))
    assert_played(game, RegretMatchingPlus(average=average), policy, judged(game, history, average))


@pytest.mark.parametrize("average", ["none", *POWERS])
@given(situation=situations())
def test_predictive_regret_matching_plus_forecasts_the_last_loss_against_the_policy_that_met_it(average: Any, situation: Any) -> None:
    # Algorithm 5 of arXiv 2007.14358, in losses: z ← [z + ⟨ℓ, x⟩1 − ℓ]⁺ with the loss ℓ = −q; the policy is ∝ [z + ⟨m, x⟩1 − m]⁺ with m the loss before.
    game, policy = situation[0], normalised(*situation)
    plays = split(game, policy)
    totals, history = [np.zeros(size) for size in game.blocks], [joined(plays)]
    for _ in range(STEPS):
        losses = [-payoff for payoff in pay(game, plays)]
        wins = [np.dot(loss, player) - loss for loss, player in zip(losses, plays, strict=True)]
        totals = [np.maximum(total + win, 0) for total, win in zip(totals, wins, strict=True)]
        plays = proportional([np.maximum(total + win, 0) for total, win in zip(totals, wins, strict=True)])
        history.append(joined(plays))
    # A policy is a quotient by the sum of regrets, which may be some percent of them.
    assert_played(game, PredictiveRegretMatchingPlus(average=average), policy, judged(game, history, average), error=1e-7)


def judged(game: Any, history: list[np.ndarray], average: str) -> list[Players]:
    if average == "none":
        return [split(game, policy) for policy in history]
    means = [np.average(history[:number], axis=0, weights=np.arange(1, number + 1.0) ** POWERS[average]) for number in range(1, len(history))]
    return [split(game, policy) for policy in (history[0], *means)]


@given(situations(), st.floats(0.02, 0.5), st.sampled_from([0.25, 0.5, 0.9]))
def test_smooth_predictive_regret_matching_plus(situation: Any, relative: float, factor: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)

    def lifted(players: Players, direction: Players) -> Players:
        points = [np.maximum(player + step_size * part, 0) for player, part in zip(players, direction, strict=True)]
        short = [nearest(player + step_size * part) for player, part in zip(players, direction, strict=True)]
        return [point if point.sum() >= 1 else other for point, other in zip(points, short, strict=True)]

    base = lift = split(game, policy)
    expected, count = [lift], 0
    for _ in range(STEPS):
        met = regrets(game, proportional(lift))
        after = lifted(base, met)
        moved = np.linalg.norm(joined(after) - joined(lift)) + np.linalg.norm(joined(base) - joined(lift))
        base, lift = after, lifted(after, met)
        if moved <= 8 * factor**count:
            base = lift = proportional(lift)
            count += 1
        expected.append(proportional(lift))
    assert_played(game, SmoothPredictiveRegretMatchingPlus(step_size=step_size, restart_factor=factor), policy, expected)


def late_gaps(algorithm: Any, steps: int = 4_000) -> np.ndarray:
    trace = mg.solve(THREE, algorithm, steps=steps)
    return trace.gaps[trace.iterations > steps // 2]


@pytest.mark.parametrize("method", [RegretMatchingPlus, PredictiveRegretMatchingPlus])
def test_on_the_published_game_averages_converge_and_last_iterates_do_not(method: Any) -> None:
    assert np.median(late_gaps(method(average="none"))) > 0.2
    assert np.max(late_gaps(method())) < 0.03


def test_on_the_published_game_the_smooth_form_converges() -> None:
    algorithm = SmoothPredictiveRegretMatchingPlus(step_size=0.05)
    assert np.max(late_gaps(algorithm, steps=6_000)) < 1e-12
    reached = np.exp(mg.solve(THREE, algorithm, steps=6_000).log_policies[-1])
    np.testing.assert_allclose(reached, np.array([1, 1, 10, 4, 5, 3]) / 12, rtol=0, atol=1e-12)


def test_quadratic_averages_of_a_hundred_actions() -> None:
    game = mg.games.random(n=100, seed=1)
    trace = mg.solve(game, PredictiveRegretMatchingPlus(), steps=3_000, until=1e-4 * float(game.scale))
    assert trace.stopped == "tolerance"


def test_without_a_positive_regret_the_policy_stays() -> None:
    even, policy = mg.PreferenceGame(np.full((3, 3), 0.5)), np.array([4, 3, 4]) / 11
    for method in (RegretMatchingPlus, PredictiveRegretMatchingPlus):
        states, _ = played(even, method(average="none"), policy, 5)
        np.testing.assert_allclose(np.exp(states[-1].log_policy), policy, rtol=0, atol=1e-15)


# --- averages as last iterates --------------------------------------------------------------------------------------------------------------


@given(situations(), st.floats(0.05, 0.5))
def test_a2l_plays_the_average_of_a_learner_that_it_hides(situation: Any, relative: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)
    start = split(game, policy)
    learners, expected, totals = [start], [start], [np.zeros(size) for size in game.blocks]
    for _ in range(STEPS):
        met = pay(game, learners[-1])  # against the learner itself, which the method never asks for
        totals = [total + payoff for total, payoff in zip(totals, met, strict=True)]
        learners.append([softmax(np.log(one) + step_size * (total + payoff)) for one, total, payoff in zip(start, totals, met, strict=True)])
        expected.append(split(game, np.mean([joined(players) for players in learners], axis=0)))
    assert_played(game, AverageToLast(step_size=step_size), policy, expected)


@pytest.mark.parametrize("game", [mg.games.random(n=10, seed=1), mg.games.random(n=40, seed=3), THREE], ids=lambda game: game.name)
@pytest.mark.parametrize("relative", [0.1, 0.5])
def test_a2l_keeps_its_bound(game: Any, relative: float) -> None:
    step_size, scale = relative / float(game.scale), float(game.scale)
    trace = mg.solve(game, AverageToLast(step_size=step_size), steps=3_000)
    players = [*game.blocks, *game.blocks] if len(game.blocks) == 1 else game.blocks
    bound = sum(math.log(size) / step_size + step_size * scale**2 for size in players)
    assert np.all(trace.gaps * (trace.iterations + 1) <= bound)
    assert trace.gap * 3_000 >= bound / 100  # and it says something
