"""Projected methods, by hand: OGDA, extragradient, GABP, AdaGrad-Norm, and restarts to the average."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import (
    AdaGradExtragradient,
    BoostedGradientAscent,
    OptimisticGradientAscent,
    ProjectedExtragradient,
    RestartedExtragradient,
    RestartedPrimalDual,
)
from mmd_games.algorithms.projections import project_above_simplices, project_to_simplices

from .rival_oracles import Players, assert_played, gap, joined, nearest, normalised, pay, played, situations, softmax, split

STEPS = 8
RELATIVE = st.floats(0.05, 0.5)


def moved(players: Players, direction: Players, step_size: float) -> Players:
    return [nearest(player + step_size * part) for player, part in zip(players, direction, strict=True)]


# --- projections ----------------------------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=7), st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=7))
def test_the_projection_is_the_nearest_policy(one: list[float], two: list[float]) -> None:
    found = project_to_simplices(np.array(one + two), (len(one), len(two)))
    for values, part in ((one, found[: len(one)]), (two, found[len(one) :])):
        assert np.all(part >= 0) and part.sum() == pytest.approx(1, abs=1e-12)
        # The variational inequality of the nearest point: no vertex lies further along what was cut off. Values up to 1e3 round by 1e-13.
        cut = np.array(values) - part
        assert np.max(cut) <= part @ cut + 1e-11


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_the_projection_above_the_simplex(values: list[float]) -> None:
    found = project_above_simplices(np.array(values), (len(values),))
    positive = np.maximum(values, 0)
    np.testing.assert_allclose(found, positive if positive.sum() >= 1 else nearest(np.array(values)), atol=1e-12)


def test_a_policy_is_its_own_projection() -> None:
    policy = np.array([0.25, 0.0, 0.75, 1.0, 0.0])
    np.testing.assert_array_equal(project_to_simplices(policy, (3, 2)), policy)


# --- steps by hand --------------------------------------------------------------------------------------------------------------------------


@given(situations(), RELATIVE)
def test_ogda_has_two_sequences(situation: Any, relative: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)
    base = plays = split(game, policy)
    expected = [plays]
    for _ in range(STEPS):
        met = pay(game, plays)
        base = moved(base, met, step_size)
        plays = moved(base, met, step_size)
        expected.append(plays)
    assert_played(game, OptimisticGradientAscent(step_size=step_size), policy, expected)


@given(situations(), RELATIVE)
def test_projected_extragradient(situation: Any, relative: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)
    expected = [split(game, policy)]
    for _ in range(STEPS):
        half = moved(expected[-1], pay(game, expected[-1]), step_size)
        expected.append(moved(expected[-1], pay(game, half), step_size))
    assert_played(game, ProjectedExtragradient(step_size=step_size), policy, expected)


@given(situations(), RELATIVE, st.integers(1, 4))
def test_gabp_as_in_its_algorithm_1(situation: Any, relative: float, every: int) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, strength = relative / float(game.scale), 0.7 * float(game.scale)
    number, waited = 1, 0
    first = anchor = plays = split(game, policy)
    expected = [plays]
    for _ in range(STEPS):
        gradients = []
        for payoff, player, sigma, one in zip(pay(game, plays), plays, anchor, first, strict=True):
            gradients.append(payoff - strength * (sigma - one) / (number + 1) - strength * (player - sigma))
        plays = moved(plays, gradients, step_size)
        expected.append(plays)
        waited += 1
        if waited == every:
            number, waited, anchor = number + 1, 0, plays
    assert_played(game, BoostedGradientAscent(step_size=step_size, pull_strength=strength, refresh_every=every), policy, expected)


@pytest.mark.parametrize("geometry", ["projected", "entropic"])
@given(situation=situations(), relative=st.floats(0.5, 4.0))
def test_adagrad_steps(geometry: Any, situation: Any, relative: float) -> None:
    game, policy = situation[0], normalised(*situation)
    least = relative * float(game.scale)
    sizes = game.blocks
    diameter = math.sqrt(2 * len(sizes)) if geometry == "projected" else math.sqrt(sum(2 * math.log(size) for size in sizes))

    def move(players: Players, direction: Players, step_size: float) -> Players:
        if geometry == "projected":
            return moved(players, direction, step_size)
        return [softmax(np.log(player) + step_size * part) for player, part in zip(players, direction, strict=True)]

    expected, squares, step_sizes = [split(game, policy)], 0.0, []
    for _ in range(5):
        step_sizes.append(diameter / math.sqrt(least**2 + squares))
        before = pay(game, expected[-1])
        after = pay(game, move(expected[-1], before, step_sizes[-1]))
        expected.append(move(expected[-1], after, step_sizes[-1]))
        order = 2 if geometry == "projected" else np.inf
        squares += sum(np.linalg.norm(one - two, order) ** 2 for one, two in zip(before, after, strict=True))
    algorithm = AdaGradExtragradient(geometry=geometry, initial_gradient=least)
    # ηL is up to 4 here, and a step may turn an error into 17 times as much.
    assert_played(game, algorithm, policy, expected, error=1e-7)
    found = [state.step_size for state in played(game, algorithm, policy, 5)[0][1:]]
    np.testing.assert_allclose(found, step_sizes, rtol=1e-7)
    assert all(later <= earlier for earlier, later in zip(found, found[1:], strict=False))


# --- restarts -------------------------------------------------------------------------------------------------------------------------------


@given(situations(), RELATIVE, st.sampled_from([0.3, 0.6, 0.9]))
def test_restarted_extragradient(situation: Any, relative: float, factor: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)
    plays = judged = split(game, policy)
    expected, halves, lowest, restarts, close = [judged], [], gap(game, plays), 0, False
    for _ in range(STEPS):
        half = moved(plays, pay(game, plays), step_size)
        plays = moved(plays, pay(game, half), step_size)
        halves.append(joined(half))
        average = split(game, np.mean(halves, axis=0))
        if gap(game, average) < lowest:
            judged = average
        close |= abs(gap(game, average) - factor * lowest) <= 1e-13 * float(game.scale)  # rounding decides on the restart
        last = gap(game, average) <= factor * lowest
        if last:
            plays, halves, lowest, restarts = average, [], gap(game, average), restarts + 1
        expected.append(judged)
    algorithm = RestartedExtragradient(step_size=step_size, restart_factor=factor)
    assert_played(game, algorithm, policy, expected)
    # The payoffs at a restart are known by linearity.
    assert close or played(game, algorithm, policy, STEPS)[1].products == 2 * STEPS - (restarts - last)


@given(situations(), RELATIVE, st.sampled_from([0.3, 0.6, 0.9]))
def test_restarted_pdhg_plays_the_extrapolated_policy_by_linearity(situation: Any, relative: float, factor: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale)

    def pair_gap(one: Players, two: Players) -> float:
        return sum(float(np.max(payoff)) for payoff in [*pay(game, one), *pay(game, two)])

    one = two = judged = split(game, policy)
    expected, pairs, lowest = [judged], [], pair_gap(one, two)
    for _ in range(STEPS):
        new = moved(one, pay(game, two), step_size)
        ahead = [2 * after - before for after, before in zip(new, one, strict=True)]
        one, two = new, moved(two, pay(game, ahead), step_size)
        pairs.append((joined(one), joined(two)))
        ones, twos = (split(game, mean) for mean in np.mean(pairs, axis=0))
        middle = [(a + b) / 2 for a, b in zip(ones, twos, strict=True)]
        # What is judged is no worse than the pair.
        assert gap(game, middle) <= pair_gap(ones, twos) / len(game.blocks) + 1e-9 * float(game.scale)
        if pair_gap(ones, twos) < lowest:
            judged = middle
        if pair_gap(ones, twos) <= factor * lowest:
            one, two, pairs, lowest = ones, twos, [], pair_gap(ones, twos)
        expected.append(judged)
    algorithm = RestartedPrimalDual(step_size=step_size, restart_factor=factor)
    assert_played(game, algorithm, policy, expected)
    assert played(game, algorithm, policy, STEPS)[1].products == 2 * STEPS + 1


@pytest.mark.parametrize(
    ("algorithm", "products"),
    [
        (OptimisticGradientAscent(step_size=0.4), 4_000),
        (ProjectedExtragradient(step_size=0.8), 4_000),
        (RestartedExtragradient(step_size=0.8), 1_000),
        (RestartedPrimalDual(step_size=0.8), 1_000),
        (AdaGradExtragradient(), 2_000),
        (AdaGradExtragradient(geometry="entropic"), 4_000),
    ],
    ids=repr,
)
def test_reaches_the_equilibrium_within_a_budget(algorithm: Any, products: int) -> None:
    game = mg.games.random(n=10, seed=1)
    trace = mg.solve(game, algorithm, steps=products // algorithm.products_per_step, until=1e-8 * float(game.scale))
    assert trace.stopped == "tolerance" and trace.products[-1] <= products


def test_a_slow_anchor_approaches_the_equilibrium_as_one_over_t() -> None:
    game = mg.games.random(n=10, seed=1)
    trace = mg.solve(game, BoostedGradientAscent(step_size=0.2, pull_strength=0.1, refresh_every=20), steps=20_000)
    late = trace.iterations >= 1_000
    times_t = trace.gaps[late] * trace.iterations[late]
    assert times_t.max() <= 4 * np.median(times_t) and trace.gap < 1e-3 * trace.gaps[0]


def test_policies_keep_their_sum_and_their_zeros() -> None:
    game = mg.PreferenceGame(np.array([[0.5, 0.9, 0.8], [0.1, 0.5, 0.6], [0.2, 0.4, 0.5]]))  # the first action beats all others
    states, _ = played(game, ProjectedExtragradient(step_size=1.0), np.full(3, 1 / 3), 20)
    np.testing.assert_array_equal(states[-1].log_policy, [0.0, -np.inf, -np.inf])
