r"""By what one unit of play multiplies a mode, and by how much it moves an action that is not played: the rules themselves, on numbers that stand for them.

The rules are linear in logits up to normalisation, which modes do not see. So a mode of frequency ω with amplitude x is a complex number, its payoff is :math:`i\omega x`, and
the functions of :mod:`mmd_games.updates` tell what becomes of it. The log-odds of an action with slack d against the support are a real number whose payoff is −d.
A *unit* is one step, or all steps from one refresh of the magnet to the next.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mmd_games.algorithms.log_linear import LogLinear
from mmd_games.arrays import Array
from mmd_games.updates import geometric_mixture, optimistic_payoff, proximal_logits

LARGEST = sys.float_info.max
"""What stands for a multiplier beyond float64: an inner method that diverges, many steps a refresh."""
POLICY, MAGNET, PREVIOUS, ONE = range(4)


def mode_multipliers(rule: LogLinear, frequencies: np.ndarray) -> np.ndarray:
    """The multipliers of each mode in one unit of play, the dominant one first: (modes,) → (modes, 1 to 3), complex.

    There are as many as numbers that the method carries over: its policy, a moving magnet, the last payoff.

    Parameters
    ----------
    rule : LogLinear
        With a magnet that is absent, fixed (then the mode is one of the regularised equilibrium), refreshed or moving, and steady settings.
    frequencies : array (modes,)
        ω ≥ 0.
    """
    # In payoffs that a step of size 1 takes, whatever their unit: of two numbers 1e250 apart no eigenvalue has digits.
    turn = 1j * rule.step_size * np.asarray(frequencies, dtype=np.float64)[:, None]
    rule = replace(rule, step_size=1.0, magnet_strength=rule.step_size * rule.magnet_strength)
    with np.errstate(over="ignore", invalid="ignore"):
        step = _matrix(rule, lambda log_policy: turn * log_policy, turn)
        unit = _unit(rule, step)
    finite = np.all(np.isfinite(unit), axis=(1, 2))
    values = np.linalg.eigvals(np.where(finite[:, None, None], unit, 0.0))
    ordered = np.take_along_axis(values, np.argsort(-np.abs(values), axis=1, kind="stable"), axis=1)
    return np.where(finite[:, None], ordered, LARGEST)


def drift_per_slack(rule: LogLinear) -> float:
    """By how much one unit of play changes the log-odds of an action of slack 1, once the magnet follows it: at most 0.

    Not for a fixed magnet, which keeps every action in play.
    """
    step = _losing(rule)
    if rule.magnet != "moving":
        # The magnet is where the policy is, at 0, and the last payoff was −1 too.
        after = np.linalg.matrix_power(step, _steps(rule)) @ np.array([0.0, 0.0, -1.0, 1.0])
        return float(after[POLICY])
    # The magnet keeps behind the policy by the lag at which both move at one speed.
    policy, magnet = (step[row, ONE] - step[row, PREVIOUS] for row in (POLICY, MAGNET))
    lag = (policy - magnet) / (step[MAGNET, MAGNET] - 1.0 - step[POLICY, MAGNET])
    return float(step[POLICY, MAGNET] * lag + policy)


def lag_of_drift(rule: LogLinear) -> tuple[float, float]:
    """How the drift of an unplayed action settles behind a moving magnet: (modulus of the second eigenvalue of a unit, excess of the first unit's drift).

    The excess is over the lasting drift, relative to it, from where magnet and policy are one. Policy and magnet move as one with the eigenvalue 1; what
    their distance differs from the lasting one is multiplied by the other, (1 − w)/(1 + ηα) with a magnet that moves by w. Both are 0 where no magnet
    moves: then the drift is the same from the first unit on.
    """
    if rule.magnet != "moving":
        return 0.0, 0.0
    step = _losing(rule)
    first = float(step[POLICY, ONE] - step[POLICY, PREVIOUS])
    return abs(float(step[POLICY, POLICY] + step[MAGNET, MAGNET]) - 1.0), first / drift_per_slack(rule) - 1.0


def smallest_refresh(rule: LogLinear, frequencies: np.ndarray, most: int = 10**9) -> int | None:
    """The K, above the rule's own, that converges while K − 1 does not; None where no stage length up to `most` is found that does.

    Between a K that diverges and one that converges the modulus of a multiplier crosses 1 once in all cases met; where it should cross more than once
    this is one of the crossings.
    """

    def converges(every: int) -> bool:
        return bool(np.all(np.abs(mode_multipliers(replace(rule, refresh_every=every), frequencies)[:, 0]) < 1.0))

    low = high = rule.refresh_every
    while not converges(high):
        low, high = high, 2 * high
        if high > most:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if converges(middle) else (middle, high)
    return high


def _losing(rule: LogLinear) -> np.ndarray:
    """One step as a matrix on the log-odds of an action of slack 1."""
    losing = np.zeros(4)
    losing[ONE] = -1.0
    return _matrix(rule, lambda log_policy: np.broadcast_to(losing, log_policy.shape), np.zeros((1, 1)))[0].real


def _steps(rule: LogLinear) -> int:
    return rule.refresh_every if rule.magnet == "refreshed" else 1


def _matrix(rule: LogLinear, payoffs: Callable[[Array], Array], like: np.ndarray) -> np.ndarray:
    """One step as matrices on (policy, magnet, previous payoff, 1): (modes, 4, 4)."""
    rows = [np.broadcast_to(row, (len(like), 4)).astype(complex) for row in np.eye(4)]
    return np.stack([*_advance(rule, payoffs, *rows[:3]), rows[ONE]], axis=1)


def _advance(rule: LogLinear, payoffs: Callable[[Array], Array], log_policy: Array, log_magnet: Array, previous: Array) -> tuple[Any, Any, Any]:
    """:meth:`LogLinear.step` without normalisation."""
    step_size, pull = rule.step_size, rule.magnet_strength
    base, magnet = log_policy, log_magnet
    if rule.explicit:
        base, magnet, pull = geometric_mixture(base, magnet, step_size * pull), 0.0, 0.0
    payoff = seen = payoffs(log_policy)
    if rule.evaluation == "extrapolated":
        payoff = optimistic_payoff(seen, previous)
    after = proximal_logits(payoff, base, magnet, step_size, pull)
    if rule.evaluation == "half_step":
        after = proximal_logits(payoffs(after), base, magnet, step_size, pull)
    if rule.magnet == "moving":
        log_magnet = geometric_mixture(log_magnet, after, rule.magnet_rate)
    return after, log_magnet, seen


def _unit(rule: LogLinear, step: np.ndarray) -> np.ndarray:
    """One unit of play on what it carries over to the next: the policy, a moving magnet, and a previous payoff that is used."""
    carried = [POLICY] + [MAGNET] * (rule.magnet == "moving") + [PREVIOUS] * (rule.evaluation == "extrapolated")
    if rule.magnet != "refreshed":
        return step[:, carried][:, :, carried]
    whole = np.linalg.matrix_power(step, rule.refresh_every)
    whole[:, :, POLICY] += whole[:, :, MAGNET]  # a stage begins with the magnet at the policy
    return whole[:, carried][:, :, carried]
