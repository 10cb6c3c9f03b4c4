"""Many regularised equilibria at once: the same as one by one, and honest about those that were not found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.arrays import log_normalise
from mmd_games.equilibria import many_regularised, regularised_equilibria_near, regularised_equilibrium
from mmd_games.testing import log_policies, matrix_games, preference_games
from mmd_games.verification.bounds.rounding import logit_residual

GAMES = st.one_of(preference_games(max_actions=8), matrix_games(max_actions=5)).filter(lambda game: float(game.scale) > 1e-3)
EPS = np.finfo(np.float64).eps


def members(game: mg.Game, data: st.DataObject, relative: float, zeros: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strengths that differ by up to two, magnets, and the equilibria, each computed alone."""
    number = data.draw(st.integers(1, 5))
    strengths = relative * float(game.scale) * np.linspace(1.0, 2.0, number)
    magnets = np.array([data.draw(log_policies(game, lowest=-12.0, zeros=zeros)) for _ in range(number)])
    alone = [regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet) for strength, magnet in zip(strengths, magnets, strict=True)]
    return strengths, magnets, np.array([each.log_policy for each in alone])


def nudged(game: mg.Game, log_policies: np.ndarray, size: float) -> np.ndarray:
    return log_normalise(log_policies + size * np.random.default_rng(1).uniform(-1, 1, size=log_policies.shape), game.blocks)


@given(GAMES, st.data(), st.floats(-1.5, 1.5).map(lambda power: 10.0**power), st.booleans(), st.sampled_from([0.0, 1e-6, 0.1]))
def test_they_are_those_computed_alone(game: mg.Game, data: st.DataObject, relative: float, zeros: bool, off: float) -> None:
    strengths, magnets, targets = members(game, data, relative, zeros)
    found, converged = regularised_equilibria_near(game, strengths, magnets, nudged(game, targets, off))
    assert converged.all()
    # Both are within their residuals of the true one; on entries as log t − log π* = (q(t) − q(π*))/α + the residual.
    errors = logit_residual(game, found, magnets, strengths) + logit_residual(game, targets, magnets, strengths)
    played = np.isfinite(magnets)
    apart = np.abs(np.where(played, found, 0.0) - np.where(played, targets, 0.0)).max(axis=-1)
    assert np.array_equal(np.isneginf(found), ~played)
    assert np.all(apart <= 2 * errors * (1 + float(game.scale) / strengths))
    assert np.all(errors <= 1e-11 * (1 + np.max(np.abs(np.where(played, targets, 0.0)), axis=-1) + 1 / relative))


@given(GAMES, st.data())
def test_a_residual_has_one_number_a_policy(game: mg.Game, data: st.DataObject) -> None:
    strengths, magnets, targets = members(game, data, 0.3, zeros=True)
    policies = nudged(game, targets, 0.1)
    together = logit_residual(game, policies, magnets, strengths)
    alone = [logit_residual(game, *given) for given in zip(policies, magnets, strengths, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_a_start_that_never_plays_what_the_magnet_does_is_not_used() -> None:
    game, magnets = mg.games.rock_paper_scissors(), np.log(np.array([[0.2, 0.3, 0.5]] * 2))
    starts = np.array([magnets[0], [-np.inf, np.log(0.5), np.log(0.5)]])
    found, converged = regularised_equilibria_near(game, np.array([0.1, 0.1]), magnets, starts)
    assert converged.tolist() == [True, False]
    assert np.array_equal(found[1], starts[1])


def test_what_is_too_far_or_takes_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    game, weak = mg.games.random(n=30, seed=1), np.array([1e-3, 0.1])
    magnets = np.full((2, 30), -np.log(30))
    _, converged = regularised_equilibria_near(game, weak, magnets, magnets)
    assert converged.tolist() == [False, True]
    for limit in ("MOST_STEPS", "MOST_PRODUCTS"):
        with monkeypatch.context() as patch:
            patch.setattr(many_regularised, limit, 1)
            assert not regularised_equilibria_near(game, weak, magnets, magnets)[1].any()


def test_one_product_an_iteration_and_few_of_them() -> None:
    """Of n = 60 at α = L/5 from nearby starts: some tens of products for a member, where a system of 60 × 60 takes as many as 20 to be factorised, three times."""
    game = mg.games.random(n=60, seed=2)
    calls: list[Any] = []

    class Counted(type(game)):
        def payoffs(self, policy: np.ndarray) -> np.ndarray:
            calls.append(len(policy))
            return super().payoffs(policy)

    counted = Counted(game.preference)
    magnets = log_normalise(np.random.default_rng(3).normal(size=(40, 60)), game.blocks)
    strengths = np.full(40, 0.2 * float(game.scale))
    targets = np.array([regularised_equilibrium(game, magnet_strength=strengths[0], log_magnet=magnet).log_policy for magnet in magnets])
    _, converged = regularised_equilibria_near(counted, strengths, magnets, nudged(game, targets, 1e-2))
    assert converged.all()
    assert sum(calls) <= 40 * 45
    assert len(calls) <= 60  # members advance together
