"""The parts of a rollout: the order of prompts, when the magnet moves, and what is measured of a group."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.llm.objective import group_payoffs
from mmd_games.llm.rivals import Group
from mmd_games.llm.training.metrics import win_rate_against
from mmd_games.llm.training.refresh import RefreshRule, progress_of
from mmd_games.llm.training.sampler import RolloutSampler
from mmd_games.testing import games_and_policies, policies, preference_games

from .tiny import RPS

# --- the order of prompts -------------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 4), st.integers(0, 5))
def test_batches_come_whole_and_as_often_as_there_are_inner_steps(prompts: int, batch: int, repeats: int, seed: int) -> None:
    sampler = RolloutSampler(prompts, batch, repeats, seed)
    drawn = list(sampler)
    assert len(drawn) == len(sampler)
    rollouts = [drawn[first : first + batch * repeats] for first in range(0, len(drawn), batch * repeats)]
    for rollout in rollouts:
        assert rollout == rollout[:batch] * repeats
    used = [index for rollout in rollouts for index in rollout[:batch]]
    if prompts >= batch:
        assert len(set(used)) == len(used) > prompts - batch  # none twice, and fewer than a batch left over
    else:
        assert set(used) == set(range(prompts))


@given(st.integers(8, 30), st.integers(0, 5), st.integers(0, 5))
def test_an_epoch_has_its_own_order_whatever_came_before(prompts: int, seed: int, epoch: int) -> None:
    sampler, other = (RolloutSampler(prompts, 2, 1, seed) for _ in range(2))
    sampler.set_epoch(epoch)
    list(other)
    other.set_epoch(epoch)
    assert list(sampler) == list(other)
    other.set_epoch(epoch + 1)
    assert list(sampler) != list(other)  # of 8! orders and more


# --- when the magnet moves ------------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 7), st.integers(1, 40), st.integers(0, 39))
def test_a_schedule_is_every_so_many_rollouts_resumed_or_not(every: int, rollouts: int, cut: int) -> None:
    rule = RefreshRule(every, by_progress=False, tolerance=0.3)
    moved = []
    for rollout in range(1, rollouts + 1):
        if rollout == cut:
            fresh = RefreshRule(every, by_progress=False, tolerance=0.3)
            fresh.restore(rule.state())
            rule = fresh
        if rule.due(1.0, 1.0):
            moved.append(rollout)
    assert moved == ([rollout for rollout in range(1, rollouts + 1) if rollout % every == 0] if every else [])


def test_by_progress_it_moves_once_little_of_the_way_remains_and_not_too_soon() -> None:
    rule = RefreshRule(3, by_progress=True, tolerance=0.25)
    assert [rule.due(1.0, 1.0) for _ in range(5)] == [False] * 5
    # The running mean of `remaining` comes down by the factor 0.8 a rollout: 0.8^6 > 0.25 > 0.8^7.
    assert [rule.due(0.0, 1.0) for _ in range(7)] == [False] * 6 + [True]
    assert [rule.due(0.0, 1.0) for _ in range(3)] == [False, False, True]  # at once, but for the fewest rollouts
    assert not any(rule.due(0.0, 0.0) for _ in range(9))  # a policy that has not left its magnet has made no progress


def test_the_way_that_remains_is_measured_without_the_noise_of_the_votes() -> None:
    """Against the variance itself, for groups of policies on the way from a magnet to its regularised equilibrium; the plain variance is far off."""
    game, strength, size, groups = mg.PreferenceGame(RPS), 0.2, 32, 4000
    target = np.log(mg.regularised_equilibrium(game, magnet_strength=strength).policy)
    generator = torch.Generator().manual_seed(0)
    for share in (0.0, 0.5, 1.0):
        log_policy = torch.log_softmax(torch.from_numpy(share * target), 0)
        payoff = torch.from_numpy(game.payoffs(np.exp(log_policy.numpy())))
        drawn = torch.multinomial(log_policy.exp().expand(groups, -1), size, replacement=True, generator=generator)
        wins = (torch.rand(groups, size, size, generator=generator, dtype=torch.float64) < torch.from_numpy(RPS)[drawn[:, :, None], drawn[:, None, :]]).double()
        votes = wins.triu(1) + (1 - wins).triu(1).mT + 0.5 * torch.eye(size, dtype=torch.float64)
        group = Group(log_policy[drawn], torch.full_like(votes[..., 0], -math.log(3)), votes, group_payoffs(votes, count_itself=True))
        remaining, moved = (progress_of(group, strength) / groups).tolist()
        pull = strength * (log_policy + math.log(3))
        weights = log_policy.exp()

        def variance(values: torch.Tensor, weights: torch.Tensor = weights) -> float:
            return float(weights @ values**2 - (weights @ values) ** 2)

        # The mean over 4,000 groups has a standard error of 1e-4 at most; a group of K is centred by its own mean and is its own opponent: 4/K of the variances.
        allowed = 5e-4 + 4 / size * (variance(pull - payoff) + variance(pull))
        assert remaining == pytest.approx(variance(pull - payoff), abs=allowed)
        assert moved == pytest.approx(variance(pull), abs=allowed)
    noisy = float((strength * (group.log_policy - group.log_magnet) - group.payoff).var(-1).mean())
    assert noisy > 10 * allowed  # at the regularised equilibrium: noise alone


def test_groups_with_failed_judgements_say_nothing_of_progress() -> None:
    table = torch.from_numpy(RPS[np.ix_([0, 1, 2, 0], [0, 1, 2, 0])])[None]
    table[0, 0, 1] = math.nan
    group = Group(torch.zeros(1, 4, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64), table, group_payoffs(table))
    assert progress_of(group, 1.0).tolist() == [0.0, 0.0]


# --- metrics --------------------------------------------------------------------------------------------------------------------------------


@given(games_and_policies(preference_games(max_actions=5)), st.data())
def test_the_win_rate_against_another_policy_is_the_games(pair: tuple, data: st.DataObject) -> None:
    """A group in which every action stands as often as the policy plays it: the estimate is the exact rate, but for pairs of a sample with itself."""
    game, policy = pair
    other = data.draw(policies(game))
    counts = np.maximum(1, np.round(400 * policy).astype(int))
    played = counts / counts.sum()
    actions = np.repeat(np.arange(len(policy)), counts)
    table = torch.from_numpy(game.preference[np.ix_(actions, actions)])[None]
    log_ratio = torch.from_numpy(np.log(other[actions]) - np.log(played[actions]))[None]
    weights = torch.softmax(log_ratio, -1)
    # Leaving out the pairs of a sample with itself moves the mean by their share of the weight at most, which is 1/K for each column.
    expected = float(played @ game.preference @ other)
    assert float(win_rate_against(table, log_ratio)[0]) == pytest.approx(expected, abs=1.5 / len(actions) + 1e-9)
    assert float(weights.sum()) == pytest.approx(1.0)


def test_the_win_rate_leaves_failed_pairs_out() -> None:
    table = torch.tensor([[[0.5, 0.9, math.nan], [0.1, 0.5, 0.7], [math.nan, 0.3, 0.5]]], dtype=torch.float64)
    assert float(win_rate_against(table, torch.zeros(1, 3, dtype=torch.float64))[0]) == pytest.approx((0.9 + 0.1 + 0.7 + 0.3) / 4)
