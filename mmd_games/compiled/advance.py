"""Many steps of many runs, one after the other, each with all that it needs in the cache."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.compiled.choices import EXTRAPOLATED, HALF_STEP, ITERATE, MIXTURE, MOVING, REFRESHED
from mmd_games.compiled.products import payoffs_of
from mmd_games.compiled.steps import copy, decayed, mix, step
from mmd_games.jit import compiled, joined


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


@joined
def walk(
    matrix, first, log_policy, policy, log_magnet, payoff, fresh, last, total, step_size, magnet_strength, magnet_rate,
    step_size_power, magnet_strength_power, decay_time, evaluation, magnet, explicit, at, stop, nothing, base, work,
):  # fmt: skip
    """Steps between which nobody looks."""
    steady = step_size_power == 0.0 and magnet_strength_power == 0.0
    now, strength = step_size, magnet_strength
    for steps in range(at, stop):
        if not steady:
            now = decayed(step_size, steps, decay_time, step_size_power)
            strength = decayed(magnet_strength, steps, decay_time, magnet_strength_power)
        step(
            matrix, first, log_policy, policy, log_magnet, payoff, fresh, last, steps > 0, now, strength, evaluation, explicit, nothing, base, work
        )  # fmt: skip
        for i in range(len(total)):
            total[i] += policy[i]
        if magnet == MOVING:
            # Unnormalised, since a constant drops out of every step; the record removes it.
            mix(log_magnet, log_policy, magnet_rate, base)
            copy(base, log_magnet)


@compiled
def stretch(
    matrix, first, log_policy, policy, log_magnet, payoff, fresh, last, total, step_size, magnet_strength, magnet_rate,
    step_size_power, magnet_strength_power, decay_time, evaluation, magnet, explicit, at, stop, nothing, base, work,
):  # fmt: skip
    """The same; each evaluation in a symmetric game by itself: with constants in place of choices ten actions take two thirds of the time."""
    apart = at + int(fresh)
    walk(
        matrix, first, log_policy, policy, log_magnet, payoff, True, last, total, step_size, magnet_strength, magnet_rate,
        step_size_power, magnet_strength_power, decay_time, evaluation, magnet, explicit, at, apart, nothing, base, work,
    )  # fmt: skip
    if first:
        walk(
            matrix, first, log_policy, policy, log_magnet, payoff, False, last, total, step_size, magnet_strength, magnet_rate,
            step_size_power, magnet_strength_power, decay_time, evaluation, magnet, explicit, apart, stop, nothing, base, work,
        )  # fmt: skip
    elif explicit or evaluation in (HALF_STEP, MIXTURE):
        walk(
            matrix, 0, log_policy, policy, log_magnet, payoff, False, last, total, step_size, magnet_strength, magnet_rate,
            step_size_power, magnet_strength_power, decay_time, evaluation, magnet, explicit, apart, stop, nothing, base, work,
        )  # fmt: skip
    elif evaluation == ITERATE:
        walk(
            matrix, 0, log_policy, policy, log_magnet, payoff, False, last, total, step_size, magnet_strength, magnet_rate,
            step_size_power, magnet_strength_power, decay_time, ITERATE, magnet, False, apart, stop, nothing, base, work,
        )  # fmt: skip
    else:
        walk(
            matrix, 0, log_policy, policy, log_magnet, payoff, False, last, total, step_size, magnet_strength, magnet_rate,
            step_size_power, magnet_strength_power, decay_time, EXTRAPOLATED, magnet, False, apart, stop, nothing, base, work,
        )  # fmt: skip


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
        As :mod:`mmd_games.compiled.choices` numbers them.
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
    payoff, base, work, nothing = np.empty(actions), np.empty(actions), np.empty(actions), np.zeros(actions)
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
            stop = min(end, wanted[row]) if row < len(wanted) else end
            if magnet == REFRESHED:
                stop = min(stop, at + refresh_every - at % refresh_every)
            stretch(
                matrix, first, log_policy, policy, log_magnet, payoff, fresh, last, total, step_sizes[run], magnet_strengths[run], magnet_rates[run],
                step_size_power, magnet_strength_power, decay_time, evaluation, magnet, explicit, at, stop, nothing, base, work,
            )  # fmt: skip
            at, fresh = stop, False
            if magnet == REFRESHED and at % refresh_every == 0:
                copy(log_policy, log_magnet)
                if stage < stage_magnets.shape[1]:
                    copy(log_policy, stage_magnets[run, stage])
                    stage += 1
