"""Many steps of many runs on a game of low rank: what :mod:`mmd_games.compiled.advance` does on tables."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.compiled.choices import EXTRAPOLATED, HALF_STEP, MIXTURE, MOVING, REFRESHED
from mmd_games.compiled.low_rank import best_worth, mean_of, sweep, sweep_eight
from mmd_games.compiled.steps import copy, decayed, geometric_mixture, optimistic_payoff
from mmd_games.jit import compiled


@compiled
def advance_low_rank(
    columns, mixing, log_policies, log_magnets, previous, totals,
    step_sizes, magnet_strengths, magnet_rates, step_size_power, magnet_strength_power, decay_time,
    evaluation, magnet, explicit, refresh_every,
    begin, end, wanted, until, done,
    gaps, average_gaps, kept, kept_magnets, stage_magnets, reached,
):  # fmt: skip
    """Advance B runs in place, and write rows at the steps that are wanted.

    Parameters
    ----------
    columns : array (d, n)
        The embeddings, a dimension a row.
    mixing : array (d, d)
    previous, totals : array (B, d)
        Of mean embeddings c: the last one where payoffs are extrapolated, and the sum of all so far.
    others
        As of :func:`mmd_games.compiled.advance.advance`.
    """
    dimensions, actions = columns.shape
    mean, against, average, nowhere = np.empty(dimensions), np.empty(dimensions), np.empty(dimensions), np.empty(0)
    for run in range(len(log_policies)):
        logits, log_magnet, last, total = log_policies[run], log_magnets[run], previous[run], totals[run]
        reached[run] = -1
        if done[run]:
            gaps[run], average_gaps[run] = 0.0, 0.0
            kept[run], kept_magnets[run], stage_magnets[run] = logits, log_magnet, log_magnet
            continue
        stage, row, at = 0, 0, begin
        shift = mean_of(columns, logits, 0.0, log_magnet, 0.0, mean)
        while True:
            if row < len(wanted) and wanted[row] == at:
                for k in range(dimensions):
                    average[k] = total[k] / (at + 1)
                average_gaps[run, row] = 2.0 * best_worth(columns, mixing, average)
                gaps[run, row] = 2.0 * best_worth(columns, mixing, mean)
                for i in range(actions):
                    kept[run, row, i] = logits[i] - shift
                if kept_magnets.shape[1]:
                    copy(log_magnet, kept_magnets[run, row])
                if gaps[run, row] <= until[row]:
                    reached[run] = row
                    gaps[run, row:], average_gaps[run, row:], kept[run, row:] = gaps[run, row], average_gaps[run, row], kept[run, row]
                    kept_magnets[run, row:], stage_magnets[run, stage:] = log_magnet, log_magnet
                    break
                row += 1
            if at == end:
                break
            step_size, strength = step_sizes[run], magnet_strengths[run]
            if step_size_power != 0.0 or magnet_strength_power != 0.0:
                step_size = decayed(step_size, at, decay_time, step_size_power)
                strength = decayed(strength, at, decay_time, magnet_strength_power)
            copy(mean, against)
            if evaluation == EXTRAPOLATED:
                for k in range(dimensions):
                    against[k] = optimistic_payoff(mean[k], last[k]) if at > 0 else mean[k]
                    last[k] = mean[k]
            elif evaluation == MIXTURE:
                mean_of(columns, logits, shift, log_magnet, step_size * strength, against)
            elif evaluation == HALF_STEP:
                sweep(columns, mixing, mean, logits, shift, log_magnet, step_size, strength, explicit, nowhere, against)
            if dimensions == 8 and not explicit:
                shift = sweep_eight(columns, mixing, against, logits, shift, log_magnet, step_size, strength, mean)
            else:
                shift = sweep(columns, mixing, against, logits, shift, log_magnet, step_size, strength, explicit, logits, mean)
            at += 1
            for k in range(dimensions):
                total[k] += mean[k]
            if magnet == REFRESHED and at % refresh_every == 0:
                for i in range(actions):
                    log_magnet[i] = logits[i] - shift
                if stage < stage_magnets.shape[1]:
                    copy(log_magnet, stage_magnets[run, stage])
                    stage += 1
            elif magnet == MOVING:
                # Its normalising constant drops out of every step, and the record removes it.
                for i in range(actions):
                    entry = logits[i] - shift
                    if magnet_rates[run] == 1.0:
                        log_magnet[i] = entry
                    elif log_magnet[i] != -math.inf:
                        log_magnet[i] = geometric_mixture(log_magnet[i], entry, magnet_rates[run])
        for i in range(actions):
            logits[i] -= shift
