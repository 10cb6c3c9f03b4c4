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
from mmd_games.jit import compiled, joined

TILE = 512
"""Actions of a tile: their columns stay in the cache between the two times that they are read."""
SMALL, LARGE = 1e-200, 1e200
"""Between these a sum of exponentials has lost nothing to underflow, nor gone over."""
ZERO, STEP = np.uint64(0), np.uint64(TILE)
"""An unsigned index cannot count from the end, so no entry is checked for that."""


@joined
def worth(columns, factors, begin, end, payoff):
    """Payoffs of a tile of actions, from what their embeddings are multiplied with; four dimensions together."""
    count = end - begin
    for i in range(count):
        payoff[i] = 0.0
    whole = len(factors) - len(factors) % 4
    for k in range(0, whole, 4):
        of_a, of_b, of_c, of_d = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        for i in range(count):
            j = begin + i
            payoff[i] += of_a * columns[k, j] + of_b * columns[k + 1, j] + of_c * columns[k + 2, j] + of_d * columns[k + 3, j]
    for k in range(whole, len(factors)):
        factor = factors[k]
        for i in range(count):
            payoff[i] += factor * columns[k, begin + i]


@joined
def gather(columns, logits, begin, end, top, total, mean, weights):
    """Add the exponentials of a tile's logits to the sums `total` and `mean`, which are relative to e^top; the new top and total."""
    count = end - begin
    highest = max(top, largest(logits, count))
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
        sum_a = sum_b = sum_c = sum_d = 0.0
        for i in range(count):
            weight, j = weights[i], begin + i
            sum_a += weight * columns[k, j]
            sum_b += weight * columns[k + 1, j]
            sum_c += weight * columns[k + 2, j]
            sum_d += weight * columns[k + 3, j]
        mean[k] += sum_a
        mean[k + 1] += sum_b
        mean[k + 2] += sum_c
        mean[k + 3] += sum_d
    for k in range(whole, len(mean)):
        added = 0.0
        for i in range(count):
            added += weights[i] * columns[k, begin + i]
        mean[k] += added
    return highest, total


@compiled
def mean_of(columns, log_policy, shift, magnet, weight, mean):
    """C of a policy, `log_policy` − `shift`, or where `weight` is above 0 of its geometric mixture with the magnet; and the log-sum-exp."""
    taken, weights, top, total = np.empty(TILE), np.empty(TILE), -math.inf, 0.0
    for k in range(len(mean)):
        mean[k] = 0.0
    count = np.uint64(len(log_policy))
    for begin in range(ZERO, count, STEP):
        end = min(begin + STEP, count)
        based(log_policy, shift, magnet, weight, begin, end, taken)
        top, total = gather(columns, taken, begin, end, top, total, mean, weights)
    for k in range(len(mean)):
        mean[k] /= total
    return top + math.log(total)


@joined
def based(log_policy, shift, magnet, weight, begin, end, base):
    """A tile of where an explicit step starts, the mixture of policy and magnet: see :func:`mmd_games.compiled.steps.mix`; of the policy itself for a weight of 0."""
    if weight == 0.0:
        for i in range(end - begin):
            base[i] = log_policy[begin + i] - shift
    else:
        for i in range(end - begin):
            entry = log_policy[begin + i] - shift
            base[i] = magnet[begin + i] if weight == 1.0 else entry if entry == -math.inf else geometric_mixture(entry, magnet[begin + i], weight)


@compiled
def best_worth(columns, mixing, mean):
    """The largest payoff against a mean embedding."""
    payoff, best, count = np.empty(TILE), -math.inf, np.uint64(columns.shape[1])
    factors = mean @ mixing
    for begin in range(ZERO, count, STEP):
        end = min(begin + STEP, count)
        worth(columns, factors, begin, end, payoff)
        for i in range(end - begin):
            best = payoff[i] if payoff[i] > best or payoff[i] != payoff[i] else best
    return best


@compiled
def sweep_eight(columns, mixing, against, logits, shift, magnet, step_size, magnet_strength, mean):
    """:func:`sweep` in place, not explicit, in eight dimensions: what is read of an action stays in registers until its exponential is added to c.

    Exponentials are of the logits themselves, which are near those of a normalised policy; where their sum leaves float64 it is taken anew, relative to the largest.
    """
    f = against @ mixing
    f_a, f_b, f_c, f_d, f_e, f_f, f_g, f_h = f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]
    sum_a = sum_b = sum_c = sum_d = sum_e = sum_f = sum_g = sum_h = total = 0.0
    for i in range(len(logits)):
        a, b, c, d = columns[0, i], columns[1, i], columns[2, i], columns[3, i]
        e, g, h, j = columns[4, i], columns[5, i], columns[6, i], columns[7, i]
        payoff = f_a * a + f_b * b + f_c * c + f_d * d + f_e * e + f_f * g + f_g * h + f_h * j
        logit = proximal_logits(payoff, logits[i] - shift, magnet[i], step_size, magnet_strength)
        logits[i] = logit
        weight = exponential(logit)
        total += weight
        sum_a += weight * a
        sum_b += weight * b
        sum_c += weight * c
        sum_d += weight * d
        sum_e += weight * e
        sum_f += weight * g
        sum_g += weight * h
        sum_h += weight * j
    if not SMALL < total < LARGE:
        return mean_of(columns, logits, 0.0, magnet, 0.0, mean)
    mean[0], mean[1], mean[2], mean[3] = sum_a / total, sum_b / total, sum_c / total, sum_d / total
    mean[4], mean[5], mean[6], mean[7] = sum_e / total, sum_f / total, sum_g / total, sum_h / total
    return math.log(total)


@compiled
def sweep(columns, mixing, against, logits, shift, magnet, step_size, magnet_strength, explicit, written, mean):
    """One proximal step from `logits` − `shift`, played against a mean embedding: the new c goes into `mean`, the new logits into `written`, if that has room, and their log-sum-exp is returned."""
    payoff, base, weights, factors = np.empty(TILE), np.empty(TILE), np.empty(TILE), against @ mixing
    top, total = -math.inf, 0.0
    for k in range(len(mean)):
        mean[k] = 0.0
    count = np.uint64(len(logits))
    for begin in range(ZERO, count, STEP):
        end = min(begin + STEP, count)
        worth(columns, factors, begin, end, payoff)
        if explicit:
            based(logits, shift, magnet, step_size * magnet_strength, begin, end, base)
            for i in range(end - begin):
                payoff[i] = proximal_logits(payoff[i], base[i], 0.0, step_size, 0.0)
        else:
            for i in range(end - begin):
                payoff[i] = proximal_logits(payoff[i], logits[begin + i] - shift, magnet[begin + i], step_size, magnet_strength)
        if len(written):
            for i in range(end - begin):
                written[begin + i] = payoff[i]
        top, total = gather(columns, payoff, begin, end, top, total, mean, weights)
    for k in range(len(mean)):
        mean[k] /= total
    return top + math.log(total)
