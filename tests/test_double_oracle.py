"""The double oracle: games of many actions, few of which are played."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.equilibria.solvers import double_oracle

EPS = np.finfo(np.float64).eps


def skew(seed: int, size: int) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).uniform(-1, 1, (size, size)), 1)
    return upper - upper.T


@given(st.integers(0, 10**6), st.integers(2, 150))
def test_it_finds_the_equilibrium_of_the_whole_game(seed, size):
    game = mg.PreferenceGame.from_payoffs(skew(seed, size))
    found, whole = mg.nash(game, method="double_oracle"), mg.nash(game, method="interior_point")
    assert found.converged
    assert mg.exact_gap(game, found.policy) <= Fraction(4 * size * EPS)
    # A random skew game has one equilibrium; both policies are right to rounding times a condition of at most 1/margin here.
    np.testing.assert_allclose(found.policy, whole.policy, rtol=0, atol=size * EPS / whole.margin)


def embeddings(count: int, better: float) -> np.ndarray:
    """Sixteen dimensions; the second coordinate is the weight of the first one as a quality, `better` on average."""
    points = np.random.default_rng(1).standard_normal((count, 16))
    points[:, 1] += better
    return points


@pytest.mark.parametrize("kind", [mg.games.LowRankGame, mg.games.GeneralPreferenceGame])
def test_a_game_of_fifty_thousand_actions_is_solved_on_a_few_hundred(kind):
    game = kind(embeddings(50_000, better=3.0))
    rounds = []
    found = mg.nash(game, progress=lambda step, of, gap: rounds.append((step, of, gap)))
    assert found.method == "double_oracle"
    assert found.converged
    assert found.gap + found.gap_error <= 1e-12 * found.scale
    assert len(found.support) < 500
    assert [step for step, _, _ in rounds] == list(range(1, found.iterations + 1))
    assert all((of == step) == (step == found.iterations) for step, of, _ in rounds)
    # The gap is over all actions: recomputed in long doubles from columns made anew, for the actions that are played.
    support = np.array(found.support)
    received = game.against(0, support).astype(np.longdouble) @ found.policy[support].astype(np.longdouble)
    assert abs(2 * float(np.max(received)) - found.gap) <= found.gap_error + 64 * EPS * found.scale


def test_a_warm_start_needs_fewer_rounds():
    points = embeddings(20_000, better=3.0)
    known = mg.nash(mg.games.GeneralPreferenceGame(points))
    moved = mg.games.GeneralPreferenceGame(points + 1e-6 * np.random.default_rng(2).standard_normal(points.shape))
    cold, warm = mg.nash(moved), mg.nash(moved, warm_start=known)
    assert warm.converged
    assert cold.converged
    assert warm.iterations < cold.iterations


def test_a_game_whose_actions_are_all_alike_is_given_up_honestly(monkeypatch):
    """Isotropic embeddings and a logistic function: the largest support is about half of all actions, as in a random game."""
    monkeypatch.setattr(double_oracle, "MOST_CONSIDERED", 300)
    game = mg.games.GeneralPreferenceGame(embeddings(3000, better=0.0))
    found = mg.nash(game, method="double_oracle")
    assert not found.converged
    assert "better answers remain" in found.notes[1]
    assert found.gap == pytest.approx(float(mg.duality_gap(game, found.policy)), rel=1e-9)
    assert found.gap > 1e-3


def test_it_stops_after_its_last_round_with_the_best_point(monkeypatch):
    game = mg.PreferenceGame.from_payoffs(skew(3, 400))
    gaps = []
    monkeypatch.setattr(double_oracle, "MOST_ROUNDS", 4)
    found = mg.nash(game, method="double_oracle", progress=lambda step, of, gap: gaps.append(gap))
    assert len(gaps) == 4
    assert not found.converged
    # The rounds' gaps are sums of up to 400 products in float64.
    assert found.gap == pytest.approx(min(gaps), abs=800 * EPS)


def test_a_warm_start_that_plays_everything_is_cut_to_what_can_be_solved(monkeypatch):
    monkeypatch.setattr(double_oracle, "MOST_CONSIDERED", 300)
    game = mg.LowRankGame(embeddings(30_000, better=3.0))
    sizes = []
    restricted = game.restricted
    monkeypatch.setattr(game, "restricted", lambda actions: (sizes.append(len(actions)), restricted(actions))[1])
    found = mg.nash(game, warm_start=np.full(30_000, 1 / 30_000))
    assert found.converged
    assert max(sizes) <= 300


def test_auto_solves_whole_what_a_double_oracle_cannot(monkeypatch):
    monkeypatch.setattr(double_oracle, "MOST_CONSIDERED", 300)
    found = mg.nash(mg.GeneralPreferenceGame(embeddings(2001, better=0.0)))
    assert found.converged
    assert found.method == "interior_point"
    assert len(found.support) > 500


def test_a_loose_bound_on_the_scale_does_not_loosen_the_tolerance():
    """One embedding a million times longer than the others: L is about 5, its bound about 1e6."""
    points = np.random.default_rng(0).standard_normal((6000, 2)) * 1e-6
    points[0] = 1e6
    game = mg.LowRankGame(points)
    largest = float(np.max(np.abs(game.against(0, np.array([0])))))
    assert game.scale > 1e6 * largest
    found = mg.nash(game)
    assert found.tolerance <= max(1e-9 * largest, 100 * game.rounding)
    assert found.gap <= found.tolerance or not found.converged
