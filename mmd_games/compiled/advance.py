"""Many steps of many runs, one after the other, each with all that it needs in the cache."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.compiled.products import payoffs_of
from mmd_games.compiled.steps import MOVING, REFRESHED, copy, decayed, mix, normalise_profile, step
from mmd_games.jit import compiled


@compiled
def gap_of(payoff, first):
    """The duality gap of the profile with these payoffs: the best of each player, or twice the best of a symmetric game."""
    best = -math.inf
    for i in range(first if first else len(payoff)):
        best = payoff[i] if payoff[i] > best or payoff[i] != payoff[i] else best
    if not first:
        return 2.0 * best
    other = -math.inf
    for i in range(first, len(payoff)):
        other = payoff[i] if payoff[i] > other or payoff[i] != payoff[i] else other
    return best + other


@compiled
def advance(
    matrices, first, policies, log_policies, log_magnets, previous, totals,
    step_sizes, magnet_strengths, magnet_rates, step_size_power, magnet_strength_power, decay_time,
    evaluation, magnet, explicit, refresh_every,
    begin, end, wanted, until, done,
    gaps, average_gaps, kept, kept_magnets, stage_magnets, reached,
):  # fmt: skip
    """Advance B runs from `begin` to `end` steps, in place, and write rows at the steps that are wanted.

    Parameters
    ----------
    matrices : array (1 or B, m, n)
        Of payoffs; one serves all runs.
    first : int
        The row player's actions; 0 in a symmetric game.
    policies, log_policies, log_magnets, previous, totals : array (B, N)
        State: `policies` as the last step rounded them, so that it is the same run however often it is left and entered; `previous` payoffs where they are extrapolated;
        `totals` the sum of all policies so far.
    step_sizes, magnet_strengths, magnet_rates : array (B,)
    step_size_power, magnet_strength_power, decay_time : float
    evaluation, magnet : int
        As :mod:`mmd_games.compiled.steps` numbers them.
    explicit : bool
    refresh_every : int
    begin, end : int
    wanted : array (W,) of int
        Increasing, from begin to end.
    until : array (W,)
        A run stops at the first row whose gap is at most the row's.
    done : array (B,) of bool
        Runs that stopped before: they stand still, and their gaps are written as 0.
    gaps, average_gaps : array (B, W)
        Written; after a run's stop with what they were there, as all that follows.
    kept : array (B, W, N)
        Written.
    kept_magnets : array (B, W or 0, N)
        Written where there is room.
    stage_magnets : array (B, S, N)
        Written: the magnets of the first S refreshes after begin.
    reached : array (B,) of int
        Written: the row at which a run stopped, or −1.
    """
    actions = log_policies.shape[1]
    payoff, base, work = np.empty(actions), np.empty(actions), np.empty(actions)
    for run in range(len(log_policies)):
        matrix, log_policy, policy = matrices[min(run, len(matrices) - 1)], log_policies[run], policies[run]
        log_magnet, last, total = log_magnets[run], previous[run], totals[run]
        reached[run] = -1
        if done[run]:
            gaps[run], average_gaps[run] = 0.0, 0.0
            kept[run], kept_magnets[run], stage_magnets[run] = log_policy, log_magnet, log_magnet
            continue
        fresh, stage, row, at = False, 0, 0, begin
        while True:
            if row < len(wanted) and wanted[row] == at:
                for i in range(actions):
                    work[i] = total[i] / (at + 1)
                payoffs_of(matrix, first, work, payoff)
                average_gaps[run, row] = gap_of(payoff, first)
                payoffs_of(matrix, first, policy, payoff)
                fresh = True
                gaps[run, row] = gap_of(payoff, first)
                kept[run, row] = log_policy
                if kept_magnets.shape[1]:
                    kept_magnets[run, row] = log_magnet
                if gaps[run, row] <= until[row]:
                    reached[run] = row
                    gaps[run, row:], average_gaps[run, row:], kept[run, row:] = gaps[run, row], average_gaps[run, row], log_policy
                    kept_magnets[run, row:], stage_magnets[run, stage:] = log_magnet, log_magnet
                    break
                row += 1
            if at == end:
                break
            known = at > 0
            step_size, strength = step_sizes[run], magnet_strengths[run]
            if step_size_power != 0.0 or magnet_strength_power != 0.0:
                step_size = decayed(step_size, at, decay_time, step_size_power)
                strength = decayed(strength, at, decay_time, magnet_strength_power)
            step(matrix, first, log_policy, policy, log_magnet, payoff, fresh, last, known, step_size, strength, evaluation, explicit, base, work)
            at += 1
            fresh = False
            for i in range(actions):
                total[i] += policy[i]
            if magnet == REFRESHED and at % refresh_every == 0:
                copy(log_policy, log_magnet)
                if stage < stage_magnets.shape[1]:
                    copy(log_policy, stage_magnets[run, stage])
                    stage += 1
            elif magnet == MOVING:
                mix(log_magnet, log_policy, magnet_rates[run], base)
                normalise_profile(base, first, work)
                copy(base, log_magnet)
