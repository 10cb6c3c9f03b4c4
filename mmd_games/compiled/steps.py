"""One step of the log-linear family on arrays of one run, in place: :meth:`mmd_games.algorithms.LogLinear.step` in loops over scalars."""

from __future__ import annotations

import math

from mmd_games import updates
from mmd_games.compiled.choices import EXTRAPOLATED, HALF_STEP, MIXTURE
from mmd_games.compiled.exponential import exponential
from mmd_games.compiled.products import payoffs_of
from mmd_games.jit import comparing, joined, ordered

proximal_logits = ordered(updates.proximal_logits)
geometric_mixture = ordered(updates.geometric_mixture)
optimistic_payoff = ordered(updates.optimistic_payoff)
decayed = ordered(updates.decayed)


@comparing
def largest(logits, count):
    """The largest of the first so many logits. Among NaN it is any number: what is relative to it is NaN all the same."""
    top = -math.inf
    for i in range(count):
        top = max(top, logits[i])
    return top


@joined
def normalise(logits, policy):
    """One player's logits become a log-policy, and `policy` its probabilities."""
    top, total = largest(logits, len(logits)), 0.0
    for i in range(len(logits)):
        shifted = logits[i] - top
        weight = exponential(shifted)
        logits[i] = shifted
        policy[i] = weight
        total += weight
    shift, share = math.log(total), 1.0 / total
    for i in range(len(logits)):
        logits[i] -= shift
        policy[i] *= share


@joined
def normalise_profile(logits, first, policy):
    """Each player's block."""
    if first:
        normalise(logits[:first], policy[:first])
        normalise(logits[first:], policy[first:])
    else:
        normalise(logits, policy)


@joined
def mix(log_policy, log_magnet, weight, mixed):
    """The geometric mixture into `mixed`; a weight of one forgets the policy, where 0·(−∞) would not."""
    if weight == 1.0:
        for i in range(len(mixed)):
            mixed[i] = log_magnet[i]
    else:
        for i in range(len(mixed)):
            mixed[i] = geometric_mixture(log_policy[i], log_magnet[i], weight)


@joined
def approach(payoff, base, log_magnet, step_size, magnet_strength, first, log_policy, policy):
    """The proximal step from `base`, normalised, into `log_policy`, and its probabilities into `policy`."""
    for i in range(len(base)):
        log_policy[i] = proximal_logits(payoff[i], base[i], log_magnet[i], step_size, magnet_strength)
    normalise_profile(log_policy, first, policy)


@joined
def copy(source, target):
    """Entry by entry, which costs less than an assignment of arrays."""
    for i in range(len(target)):
        target[i] = source[i]


@joined
def step(
    matrix, first, log_policy, policy, log_magnet, payoff, fresh, previous, known, step_size, magnet_strength, evaluation, explicit, nothing, base, work
):  # fmt: skip
    """One update of the policy.

    `payoff` holds the payoffs at the policy already where `fresh` is true, `previous` the last ones where `known` is; `nothing` is a magnet of zeros, for 0·(−∞) is no number, and `base` and `work` are
    scratch. What an explicit step starts from stays unnormalised, since a constant drops out of it.
    """
    pull_to = nothing if explicit or magnet_strength == 0.0 else log_magnet
    if explicit:
        mix(log_policy, log_magnet, step_size * magnet_strength, base)
        copy(base, log_policy)
        magnet_strength = 0.0
        if evaluation == MIXTURE:
            normalise_profile(base, first, work)
    if evaluation == MIXTURE and explicit:
        payoffs_of(matrix, first, work, payoff)
    elif not fresh:
        payoffs_of(matrix, first, policy, payoff)
    if evaluation == EXTRAPOLATED:
        for i in range(len(payoff)):
            seen = payoff[i]
            payoff[i] = optimistic_payoff(seen, previous[i]) if known else seen
            previous[i] = seen
    if evaluation == HALF_STEP:
        copy(log_policy, base)
    approach(payoff, log_policy, pull_to, step_size, magnet_strength, first, log_policy, policy)
    if evaluation == HALF_STEP:
        payoffs_of(matrix, first, policy, payoff)
        approach(payoff, base, pull_to, step_size, magnet_strength, first, log_policy, policy)
