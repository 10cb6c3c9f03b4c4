"""A run played on tables: the same fit as gradient steps make, the tabular method where groups are large, and what small groups lose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.arrays import log_normalise
from mmd_games.llm.objective import magnetic_loss
from mmd_games.llm.preflight.noise import payoff_noise
from mmd_games.llm.preflight.play import Fitting, draw_groups, fitted, late_gap, play, vote_shares
from mmd_games.llm.preflight.settings import RunSettings

RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = np.log([[0.6, 0.3, 0.1]])
SETTINGS = RunSettings(step_size=0.8, magnet_strength=0.2, refresh_every=10, group_size=64, max_rollouts=40)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 4), min_size=4, max_size=4).filter(lambda counts: sum(count > 0 for count in counts) >= 2))
def test_the_fit_is_where_gradient_descent_on_the_loss_ends(seed: int, counts: list[int]) -> None:
    generator = np.random.default_rng(seed)
    policy, magnet, elsewhere = log_normalise(generator.normal(size=(3, 4)), (4,))
    payoff = generator.uniform(0, 1, size=4)
    members = torch.as_tensor(np.repeat(np.arange(4), counts))
    known = [torch.as_tensor(values)[members][None] for values in (policy, magnet, payoff)]

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return magnetic_loss(torch.log_softmax(logits, 0)[members][None], *known, step_size=2.0, magnet_strength=0.3)

    there = np.array(counts) > 0
    target = (policy + 0.6 * magnet + 2.0 * payoff) / 1.6
    found = fitted(policy, target, np.array(counts), 1.0)
    assert float(loss(torch.as_tensor(found))) < 1e-28  # a minimum
    # Slopes, wherever they are taken, leave the others' logits and the mean logit of the group as they are; of all minima that is where descent ends.
    logits = torch.as_tensor(elsewhere).requires_grad_()
    (slope,) = torch.autograd.grad(loss(logits), logits)
    np.testing.assert_allclose([slope.sum(), *slope[~torch.as_tensor(there)]], 0.0, atol=1e-14)
    moved = found - policy
    np.testing.assert_allclose(moved[~there], np.full(np.sum(~there), moved[there].mean()), atol=1e-13)  # up to the one constant of a normalisation


def test_a_fraction_of_the_fit_is_that_part_of_the_way() -> None:
    policy, target, counts = START[0], np.array([0.3, -0.2, 0.5]), np.array([3, 2, 1])
    whole = fitted(policy, target, counts, 1.0)
    np.testing.assert_allclose(fitted(policy, target, counts, 0.3), log_normalise(policy + 0.3 * (whole - policy), (3,)), atol=1e-14)
    np.testing.assert_allclose(whole, log_normalise(target, (3,)), atol=1e-14)  # all are in the group
    apart = fitted(policy, target, np.array([3, 2, 0]), 1.0)
    # Who is not in the group keeps its logit, and the mean logit of those who are stays.
    np.testing.assert_allclose((apart - policy)[2], (apart[:2] - policy[:2]).mean(), atol=1e-14)


@pytest.mark.parametrize("changes", [{}, {"refresh_every": 0}, {"refresh_every": 3}])
def test_large_groups_play_the_tabular_method(changes: dict[str, int]) -> None:
    settings = replace(SETTINGS, group_size=4_000_000, judge_votes=0, **changes)
    exact = mg.solve(RPS, settings.algorithm(), steps=40, start=np.exp(START[0]), record=mg.Record(gaps=1000))
    played = play(RPS.preference[None], START, settings, fitting=Fitting(1.0), seeds=3)
    # Payoffs are off by √(S C Sᵀ/K) ≤ .4/√K, 40 of them with η = .8 add up to √40·.8·.4/√K = 1e-3 in logits, by which a gap changes no more than 2L times; five of these.
    np.testing.assert_allclose(played.gaps, np.broadcast_to(exact.gaps, played.gaps.shape), rtol=0, atol=5 * 0.8 * 1e-3)


def test_half_of_each_update_is_the_tabular_method_at_its_step_size() -> None:
    from mmd_games.llm.preflight.fraction import equivalent_step

    settings = replace(SETTINGS, group_size=4_000_000, judge_votes=0)
    step = equivalent_step(settings.step_size, settings.magnet_strength, 0.5)
    exact = mg.solve(RPS, settings.algorithm(step), steps=40, start=np.exp(START[0]), record=mg.Record(gaps=1000))
    played = play(RPS.preference[None], START, settings, fitting=Fitting(0.5), seeds=3)
    np.testing.assert_allclose(played.gaps, np.broadcast_to(exact.gaps, played.gaps.shape), rtol=0, atol=5 * 0.8 * 1e-3)  # as above


@pytest.mark.parametrize("votes", [0, 2])
def test_counts_and_shares_have_the_noise_of_single_votes(votes: int) -> None:
    policy, size, plays = np.array([0.5, 0.3, 0.2]), 150, 20_000
    generator = np.random.default_rng(0)
    counts = draw_groups(generator, np.broadcast_to(np.log(policy), (plays, 1, 3)), size)
    payoffs = (vote_shares(generator, RPS.preference[None], counts, votes) @ counts[..., None])[:, 0, :, 0] / size
    predicted = payoff_noise(RPS.preference, policy, size, votes)
    scale = np.sqrt(np.outer(np.diag(predicted), np.diag(predicted)))
    # As for single votes in test_preflight_theory.py, with 20,000 draws; the next order is some 1/(Kπ) of the votes' part.
    assert np.max(np.abs(np.cov(payoffs.T) - predicted) / scale) < 4.5 * np.sqrt(2 / plays) + 3 / size
    np.testing.assert_allclose(payoffs.mean(0), RPS.preference @ policy, rtol=0, atol=5 * np.sqrt(np.max(predicted) / plays))


def test_a_judge_that_flips_answers_moves_payoffs_towards_a_half() -> None:
    plain, flipped = (
        play(
            RPS.preference[None],
            START,
            replace(SETTINGS, group_size=4_000_000, judge_votes=0, step_size=step, judge_flips=flips),
            fitting=Fitting(1.0),
            seeds=2,
        )
        for step, flips in ((0.4, 0.0), (0.8, 0.25))
    )
    # S/2 at step η is S at step η/2, but for the pull, which doubles: compare one step, where the magnet still is the policy.
    first = [run.gaps[:, 1] for run in (plain, flipped)]
    ratio = (1 + 0.4 * 0.2) / (1 + 0.8 * 0.2)
    np.testing.assert_allclose(first[1] - plain.start, ratio * (first[0] - plain.start), rtol=0.03)  # second order in a step of .4


def test_small_groups_lose_completions() -> None:
    settings = replace(SETTINGS, group_size=3, max_rollouts=400)
    small, large = (play(RPS.preference[None], START, replace(settings, group_size=size), fitting=Fitting(1.0)) for size in (3, 64))
    assert small.absent > 0.3 > 0.01 > large.absent
    assert small.mean > 3 * large.mean


def test_prompts_are_played_side_by_side() -> None:
    other = mg.games.rock_paper_scissors(wins=(0.7, 0.9, 0.8))
    both = np.stack([RPS.preference, other.preference])
    settings = replace(SETTINGS, group_size=4_000_000, judge_votes=0)
    together = play(both, np.concatenate([START, START[:, ::-1]]), settings, fitting=Fitting(1.0), seeds=2)
    apart = [play(both[[index]], START[:, :: 1 - 2 * index], settings, fitting=Fitting(1.0), seeds=2) for index in range(2)]
    np.testing.assert_allclose(together.gaps, (apart[0].gaps + apart[1].gaps) / 2, rtol=0, atol=8e-3)  # twice the error above


def test_what_was_made_before_counts_for_refreshes_and_budget() -> None:
    settings = replace(SETTINGS, group_size=4_000_000, judge_votes=0, refresh_every=10)
    whole = mg.solve(RPS, settings.algorithm(), steps=40, start=np.exp(START[0]), record=mg.Record(gaps=1000, policies=1000))
    state = whole.log_policies[[14]], whole.log_policies[[10]]
    later = play(RPS.preference[None], state[0], settings, fitting=Fitting(1.0), log_magnet=state[1], first=14, seeds=2)
    assert later.gaps.shape == (2, 27)
    np.testing.assert_allclose(later.gaps, np.broadcast_to(whole.gaps[14:], later.gaps.shape), rtol=0, atol=4e-3)


def test_late_gaps_are_of_the_last_fifth() -> None:
    assert late_gap(np.concatenate([[9.0], np.full(8, 5.0), [1.0, 3.0]])) == 2.0
    assert late_gap(np.array([9.0, 4.0])) == 4.0


def test_a_target_is_reached_where_the_gap_stays_below() -> None:
    run = play(RPS.preference[None], START, replace(SETTINGS, group_size=4_000_000, judge_votes=0, max_rollouts=400), fitting=Fitting(1.0), seeds=2)
    reached = run.reached(0.02)
    assert reached is not None
    width = len(run.gaps[0]) // 10
    smooth = np.convolve(run.gaps.mean(0), np.full(width, 1 / width), "valid")
    assert np.all(smooth[reached:] <= 0.02) and smooth[reached - 1] > 0.02
    assert run.reached(1e-9) is None
    assert run.reached(1.0) == 0
