r"""Runs on games of low rank, whose embeddings are read once a product.

What a policy is worth passes through the d numbers :math:`c = V^\top \pi` alone: payoffs are :math:`V R^\top c`, those of an extrapolated payoff :math:`V R^\top (2 c_t - c_{t-1})`, and those of the
average policy come from the average of c. One sweep over the embeddings, a tile of actions at a time, therefore does a whole step: a tile's payoffs, its new logits, their
exponentials, and what these add to the next c. Exponentials are taken relative to the largest logit so far; where a larger one turns up, what has been summed is scaled down (as in online
softmax, Milakov & Gimelshein, arXiv 1805.02867). Logits stay unnormalised between two sweeps, with their log-sum-exp beside them; constants in base and magnet drop out of the rules.
"""

from __future__ import annotations

import math

import numpy as np

from mmd_games.compiled.exponential import exponential
from mmd_games.compiled.steps import geometric_mixture, largest, proximal_logits
from mmd_games.jit import compiled

TILE = 512
"""Actions of a tile: some of their columns stay in the first-level cache."""


@compiled
def worth(columns, factors, begin, end, payoff):
    """Payoffs of a tile of actions, from what their embeddings are multiplied with; four dimensions together."""
    for i in range(end - begin):
        payoff[i] = 0.0
    whole = len(factors) - len(factors) % 4
    for k in range(0, whole, 4):
        a, b, c, d = columns[k, begin:end], columns[k + 1, begin:end], columns[k + 2, begin:end], columns[k + 3, begin:end]
        of_a, of_b, of_c, of_d = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        for i in range(len(a)):
            payoff[i] += of_a * a[i] + of_b * b[i] + of_c * c[i] + of_d * d[i]
    for k in range(whole, len(factors)):
        column, factor = columns[k, begin:end], factors[k]
        for i in range(len(column)):
            payoff[i] += factor * column[i]


@compiled
def _gather(columns, logits, begin, end, top, total, mean, weights):
    """Add a tile's exponentials to the sums `total` and `mean`, which are relative to e^top; the new top and total."""
    count = end - begin
    highest = max(top, largest(logits[:count]))
    if highest > top:
        shrink = exponential(top - highest)
        total *= shrink
        for k in range(len(mean)):
            mean[k] *= shrink
    for i in range(count):
        weight = exponential(logits[i] - highest)
        weights[i] = weight
        total += weight
    whole = len(mean) - len(mean) % 4
    for k in range(0, whole, 4):
        a, b, c, d = columns[k, begin:end], columns[k + 1, begin:end], columns[k + 2, begin:end], columns[k + 3, begin:end]
        sum_a = sum_b = sum_c = sum_d = 0.0
        for i in range(len(a)):
            weight = weights[i]
            sum_a += weight * a[i]
            sum_b += weight * b[i]
            sum_c += weight * c[i]
            sum_d += weight * d[i]
        mean[k] += sum_a
        mean[k + 1] += sum_b
        mean[k + 2] += sum_c
        mean[k + 3] += sum_d
    for k in range(whole, len(mean)):
        column, added = columns[k, begin:end], 0.0
        for i in range(len(column)):
            added += weights[i] * column[i]
        mean[k] += added
    return highest, total


@compiled
def mean_of(columns, log_policy, mean):
    """C of a log-policy, and its log-sum-exp."""
    weights, top, total = np.empty(TILE), -math.inf, 0.0
    for k in range(len(mean)):
        mean[k] = 0.0
    for begin in range(0, len(log_policy), TILE):
        end = min(begin + TILE, len(log_policy))
        top, total = _gather(columns, log_policy[begin:end], begin, end, top, total, mean, weights)
    for k in range(len(mean)):
        mean[k] /= total
    return top + math.log(total)


@compiled
def best_worth(columns, mixing, mean):
    """The largest payoff against a mean embedding."""
    payoff, best, count = np.empty(TILE), -math.inf, columns.shape[1]
    factors = mean @ mixing
    for begin in range(0, count, TILE):
        end = min(begin + TILE, count)
        worth(columns, factors, begin, end, payoff)
        for i in range(end - begin):
            best = payoff[i] if payoff[i] > best or payoff[i] != payoff[i] else best
    return best


@compiled
def mean_of_mixture(columns, log_policy, shift, magnet, weight, mean):
    """C of the geometric mixture of a policy, `log_policy` − `shift`, and the magnet."""
    mixed, weights, top, total = np.empty(TILE), np.empty(TILE), -math.inf, 0.0
    for k in range(len(mean)):
        mean[k] = 0.0
    for begin in range(0, len(log_policy), TILE):
        end = min(begin + TILE, len(log_policy))
        _base(log_policy[begin:end], shift, magnet[begin:end], weight, mixed)
        top, total = _gather(columns, mixed, begin, end, top, total, mean, weights)
    for k in range(len(mean)):
        mean[k] /= total


@compiled
def _base(log_policy, shift, magnet, weight, base):
    """Where an explicit step starts: see :func:`mmd_games.compiled.steps.mix`."""
    for i in range(len(log_policy)):
        entry = log_policy[i] - shift
        base[i] = magnet[i] if weight == 1.0 else entry if entry == -math.inf else geometric_mixture(entry, magnet[i], weight)


@compiled
def sweep(columns, mixing, against, logits, shift, magnet, step_size, magnet_strength, explicit, written, mean):
    """One proximal step from `logits` − `shift`, played against a mean embedding: the new c goes into `mean`, the new logits into `written`, if that has room, and their log-sum-exp is returned."""
    payoff, base, weights, factors = np.empty(TILE), np.empty(TILE), np.empty(TILE), against @ mixing
    top, total = -math.inf, 0.0
    for k in range(len(mean)):
        mean[k] = 0.0
    for begin in range(0, len(logits), TILE):
        end = min(begin + TILE, len(logits))
        worth(columns, factors, begin, end, payoff)
        here, pull_to = logits[begin:end], magnet[begin:end]
        if explicit:
            _base(here, shift, pull_to, step_size * magnet_strength, base)
            for i in range(len(here)):
                payoff[i] = proximal_logits(payoff[i], base[i], 0.0, step_size, 0.0)
        else:
            for i in range(len(here)):
                payoff[i] = proximal_logits(payoff[i], here[i] - shift, pull_to[i], step_size, magnet_strength)
        if len(written):
            target = written[begin:end]
            for i in range(len(target)):
                target[i] = payoff[i]
        top, total = _gather(columns, payoff, begin, end, top, total, mean, weights)
    for k in range(len(mean)):
        mean[k] /= total
    return top + math.log(total)
