"""Many runs on one large game, step by step together: one product of matrices serves them all, and each run's row is worked on while it is in the cache."""

from __future__ import annotations

import numpy as np

from mmd_games.compiled.advance import gap_of
from mmd_games.compiled.choices import MOVING, REFRESHED
from mmd_games.compiled.steps import copy, decayed, mix, step
from mmd_games.jit import compiled, joined


@joined
def payoffs_of_all(matrix, policies, payoffs):
    """S π of every row by BLAS; S being skew, π S is its negative."""
    np.dot(policies, matrix, payoffs)
    for run in range(len(payoffs)):
        for i in range(payoffs.shape[1]):
            payoffs[run, i] = -payoffs[run, i]


@compiled
def advance_shared(
    matrix, payoffs, evaluated, policies, log_policies, log_magnets, previous, totals,
    step_sizes, magnet_strengths, magnet_rates, step_size_power, magnet_strength_power, decay_time,
    evaluation, magnet, explicit, refresh_every,
    begin, end, wanted, until, done,
    gaps, average_gaps, kept, kept_magnets, stage_magnets, reached,
):  # fmt: skip
    """Advance B runs from `begin` to `end` steps, in place, and write rows at the steps that are wanted.

    Parameters are those of :func:`mmd_games.compiled.advance.advance`, but for the first: `matrix` (N, N), C-contiguous, is the skew matrix of payoffs of all runs, `payoffs` (B, N) holds those at the
    policies of step `evaluated[0]`, so that a row with which a visit ends costs no product of the next one. A step takes its payoff at the policy that it starts from: there is no half step, and no
    mixture of an explicit pull.
    """
    count, actions = log_policies.shape
    means, theirs = np.empty((0, actions)), np.empty((0, actions))
    if len(wanted):
        means, theirs = np.empty((count, actions)), np.empty((count, actions))
    base, work, nothing = np.empty(actions), np.empty(actions), np.zeros(actions)
    stopped, going = done.copy(), count
    for run in range(count):
        reached[run] = -1
        if done[run]:
            gaps[run], average_gaps[run], going = 0.0, 0.0, going - 1
            kept[run], kept_magnets[run], stage_magnets[run] = log_policies[run], log_magnets[run], log_magnets[run]
    steady = step_size_power == 0.0 and magnet_strength_power == 0.0
    stage, row, at = 0, 0, begin
    while going:
        seen = row < len(wanted) and wanted[row] == at
        if (seen or at < end) and evaluated[0] != at:
            payoffs_of_all(matrix, policies, payoffs)
            evaluated[0] = at
        if seen:
            for run in range(count):
                for i in range(actions):
                    means[run, i] = totals[run, i] / (at + 1)
            payoffs_of_all(matrix, means, theirs)
            for run in range(count):
                if stopped[run]:
                    continue
                gaps[run, row], average_gaps[run, row] = gap_of(payoffs[run], 0), gap_of(theirs[run], 0)
                copy(log_policies[run], kept[run, row])
                if kept_magnets.shape[1]:
                    copy(log_magnets[run], kept_magnets[run, row])
                if gaps[run, row] <= until[row]:
                    reached[run], stopped[run], going = row, True, going - 1
                    gaps[run, row:], average_gaps[run, row:], kept[run, row:] = gaps[run, row], average_gaps[run, row], log_policies[run]
                    kept_magnets[run, row:], stage_magnets[run, stage:] = log_magnets[run], log_magnets[run]
            row += 1
        if at == end:
            break
        at += 1
        refreshed = magnet == REFRESHED and at % refresh_every == 0
        for run in range(count):
            if stopped[run]:
                continue
            now, strength, log_policy, policy, log_magnet, total = (
                step_sizes[run], magnet_strengths[run], log_policies[run], policies[run], log_magnets[run], totals[run],
            )  # fmt: skip
            if not steady:
                now, strength = decayed(now, at - 1, decay_time, step_size_power), decayed(strength, at - 1, decay_time, magnet_strength_power)
            step(
                matrix, 0, log_policy, policy, log_magnet, payoffs[run], True, previous[run], at > 1, now, strength, evaluation, explicit, nothing, base, work
            )  # fmt: skip
            for i in range(actions):
                total[i] += policy[i]
            if magnet == MOVING:
                mix(log_magnet, log_policy, magnet_rates[run], base)
                copy(base, log_magnet)
            elif refreshed:
                copy(log_policy, log_magnet)
                if stage < stage_magnets.shape[1]:
                    copy(log_policy, stage_magnets[run, stage])
        evaluated[0] = -1  # payoffs that were extrapolated are those of no policy
        stage += refreshed
