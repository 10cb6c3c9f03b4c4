"""What the tests of the rivals share: games and starts, one player after the other, and tools that know nothing of the library's."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.loop.feedback import Payoffs

CLOSE = 1e-9
"""Runs of some 8 steps at ηL ≤ ½: a step turns an error of a few roundings (of logits and payoffs up to some tens) into at most 3 times as much."""

Players = list[np.ndarray]


@st.composite
def situations(draw: Any, symmetric: bool | None = None) -> tuple[mg.Game, np.ndarray]:
    """A game without ties, of one kind or the other and in any unit, and an interior policy."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()) if symmetric is None else symmetric:
        size = draw(st.integers(2, 5))
        skew = np.triu(generator.uniform(-0.5, 0.5, (size, size)), 1)
        game: mg.Game = mg.PreferenceGame(skew - skew.T + 0.5)
    else:
        shape = draw(st.tuples(st.integers(2, 4), st.integers(2, 4)))
        game = mg.MatrixGame(draw(st.sampled_from([1.0, 0.015625, 128.0])) * (generator.normal(size=shape) + draw(st.sampled_from([0.0, 1.0]))))
    return game, np.concatenate([generator.dirichlet(np.full(size, 2.0)) + 1e-3 for size in game.blocks])


def normalised(game: mg.Game, policy: np.ndarray) -> np.ndarray:
    return joined([part / part.sum() for part in split(game, policy)])


def split(game: mg.Game, profile: np.ndarray) -> Players:
    return [profile] if len(game.blocks) == 1 else [profile[: game.blocks[0]], profile[game.blocks[0] :]]


def joined(players: Players) -> np.ndarray:
    return np.concatenate(players)


def pay(game: Any, players: Players) -> Players:
    """Sπ, or Ay and −Aᵀx."""
    matrix = game.payoff_matrix
    return [matrix @ players[0]] if len(players) == 1 else [matrix @ players[1], -matrix.T @ players[0]]


def gap(game: Any, players: Players) -> float:
    """NashConv."""
    best = sum(float(np.max(payoff)) for payoff in pay(game, players))
    return 2 * best if len(players) == 1 else best


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - np.max(logits))
    return weights / np.sum(weights)


def nearest(values: np.ndarray) -> np.ndarray:
    """The nearest policy, by bisection for the threshold."""
    low, high = np.min(values) - 1.0, np.max(values)
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if np.sum(np.maximum(values - middle, 0)) > 1 else (low, middle)
    return np.maximum(values - (low + high) / 2, 0)


def played(game: mg.Game, algorithm: Any, policy: np.ndarray, steps: int) -> tuple[list[Any], Payoffs]:
    """The states 0, …, steps, and the oracle, which has counted the products."""
    payoffs = Payoffs(game, mg.Exact())
    with np.errstate(divide="ignore"):
        states = [algorithm.init(np.log(policy))]
    for _ in range(steps):
        states.append(algorithm.step(states[-1], payoffs))
    return states, payoffs


def assert_played(game: mg.Game, algorithm: Any, policy: np.ndarray, expected: list[Players], error: float = CLOSE) -> None:
    """The judged policies 0, 1, … are those expected, and policies."""
    states, _ = played(game, algorithm, policy, len(expected) - 1)
    found = np.exp([state.log_policy for state in states])
    np.testing.assert_allclose(found, [joined(players) for players in expected], rtol=0, atol=error)
    for players in (split(game, row) for row in found):
        np.testing.assert_allclose([player.sum() for player in players], 1.0, rtol=0, atol=1e-12)
