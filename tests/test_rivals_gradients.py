"""Hamiltonian descent and consensus optimisation, against derivatives by complex steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import ConsensusOptimization, HamiltonianDescent

from .rival_oracles import Players, assert_played, joined, normalised, played, situations, softmax, split

TINY = 1e-30
STEPS = 6


def complex_softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - np.max(logits.real))
    return weights / np.sum(weights)


def simultaneous_gradient(game: Any, logits: Players) -> Players:
    """Every player's gradient of its own payoff in its own logits, the others' held, by the chain rule through a dense Jacobian of the softmax."""
    policies = [complex_softmax(part) for part in logits]
    matrix = game.payoff_matrix
    payoffs = [matrix @ policies[0]] if len(policies) == 1 else [matrix @ policies[1], -matrix.T @ policies[0]]
    return [(np.diag(policy) - np.outer(policy, policy)) @ payoff for policy, payoff in zip(policies, payoffs, strict=True)]


def hamiltonian_gradient(game: Any, logits: Players) -> Players:
    """Of half the squared norm of the simultaneous gradient, by complex steps: exact to rounding, and without a second derivative."""
    flat, found = joined(logits), []
    for index in range(len(flat)):
        bent = flat.astype(complex)
        bent[index] += 1j * TINY
        xi = joined(simultaneous_gradient(game, split(game, bent)))
        found.append(np.sum(xi * xi).imag / 2 / TINY)
    return split(game, np.array(found))


@given(situations())
def test_the_oracle_of_these_tests_is_the_gradient_of_ones_own_payoff(situation: Any) -> None:
    game, policy = situation[0], normalised(*situation)
    logits = [np.log(part) for part in split(game, policy)]
    own = split(game, joined([part.real for part in simultaneous_gradient(game, logits)]))
    against = split(game, game.payoffs(policy))
    for player, payoff, found in zip(logits, against, own, strict=True):
        for index in range(len(player)):
            bent = player.astype(complex)
            bent[index] += 1j * TINY
            assert (complex_softmax(bent) @ payoff).imag / TINY == pytest.approx(found[index], rel=1e-10, abs=1e-12 * np.max(np.abs(payoff)))


@given(situations(), st.floats(0.1, 4.0))
def test_hamiltonian_descent(situation: Any, relative: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size = relative / float(game.scale) ** 2
    expected = [split(game, policy)]
    for _ in range(STEPS):
        logits = [np.log(part) for part in expected[-1]]
        down = hamiltonian_gradient(game, logits)
        expected.append([softmax(part - step_size * slope) for part, slope in zip(logits, down, strict=True)])
    assert_played(game, HamiltonianDescent(step_size=step_size), policy, expected, error=1e-8)


@given(situations(), st.floats(0.1, 1.0), st.floats(0.5, 4.0))
def test_consensus_optimisation(situation: Any, relative: float, weight: float) -> None:
    game, policy = situation[0], normalised(*situation)
    step_size, consensus = relative / float(game.scale), weight / float(game.scale)
    expected = [split(game, policy)]
    for _ in range(STEPS):
        logits = [np.log(part) for part in expected[-1]]
        up, down = [part.real for part in simultaneous_gradient(game, logits)], hamiltonian_gradient(game, logits)
        expected.append([softmax(part + step_size * (rise - consensus * slope)) for part, rise, slope in zip(logits, up, down, strict=True)])
    assert_played(game, ConsensusOptimization(step_size=step_size, consensus=consensus), policy, expected, error=1e-8)


@pytest.mark.parametrize("algorithm", [HamiltonianDescent(), ConsensusOptimization()], ids=repr)
@pytest.mark.parametrize(
    "game", [mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)), mg.MatrixGame(np.array([[2.0, -1.0], [-1.0, 1.0]]))], ids=lambda game: game.name
)
def test_interior_equilibria_are_reached(algorithm: Any, game: Any) -> None:
    start = joined([np.arange(1.0, size + 1) / (size * (size + 1) / 2) for size in game.blocks])
    trace = mg.solve(game, algorithm, steps=3_000, start=start)
    assert trace.gap < 1e-12 and trace.products[-1] == 6_000


def test_two_products_a_step_and_one_where_the_gradient_vanishes() -> None:
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    assert played(game, HamiltonianDescent(step_size=1.0), np.array([0.2, 0.3, 0.5]), 5)[1].products == 10
    assert played(mg.PreferenceGame(np.full((3, 3), 0.5)), HamiltonianDescent(step_size=1.0), np.array([0.2, 0.3, 0.5]), 5)[1].products == 5


def test_descent_lowers_the_hamiltonian() -> None:
    game = mg.games.random(n=6, seed=2)
    states, _ = played(game, HamiltonianDescent().with_defaults(float(game.scale)), np.arange(1.0, 7.0) / 21, 50)
    lengths = [float(np.sum(joined(simultaneous_gradient(game, [state.log_policy.astype(complex)])).real ** 2)) for state in states]
    assert all(after <= before * (1 + 1e-12) for before, after in zip(lengths, lengths[1:], strict=False)) and lengths[-1] < 0.6 * lengths[0]
