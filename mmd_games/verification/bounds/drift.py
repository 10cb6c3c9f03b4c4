r"""How far two computed runs of one rule may drift apart from one state: the error bound of a replay.

To first order a difference d of log-policies goes through a step as :math:`d^+ = a\,d + (1-a)\,d_\rho + \eta' S C(x) d_x`, with a = 1/(1 + ηα) and η' = ηa (explicit form: a = 1 − ηα
and η' = η), where x is the policy at which the payoff is taken and :math:`C(x)d_x` the change of its probabilities. Two bounds are carried on:

* *entries*: e_i bounds \|d_i\|. As ‖C(x)d‖₁ is at most the standard deviation of d under x, and L is half the range of the payoffs, e⁺ = a·e + (1 − a)·e_ρ + η'L·deviation + rounding.
* *spread*: s bounds the standard deviation of d under π. S being skew, the payoffs turn d in this norm and stretch it by √(a² + (η'L)²) only; going on to the norm of another policy
  costs √max(ratio of the two). So runs that come to rest do not drift apart, where the entries alone would let them do so exponentially. A half step has the multiplier
  a·(1 + iw) − w², w ≤ η'L, and in addition the change of C between its two points, at most twice the product of two standard deviations.

What is of second order is bounded by the largest entry, which the growth of the spread includes.
"""

from __future__ import annotations

import math

import numpy as np

from mmd_games.algorithms import LogLinear, State
from mmd_games.arrays import block_sum
from mmd_games.games.game import Game
from mmd_games.verification.bounds.rounding import ROUNDINGS_OF_A_STEP, UNIT, normalisation_rounding, payoff_rounding, spread_over

LARGEST_EXPONENT = 700.0
"""Beyond it a bound is infinite for all that it tells."""


class Drift:
    """The two bounds, carried along a replay.

    Parameters
    ----------
    game : Game
    rule : LogLinear

    Attributes
    ----------
    entries : array (actions,)
        Bound on the difference of the log-policies, each entry, one constant a block left out.
    """

    def __init__(self, game: Game, rule: LogLinear):
        self._game, self._rule, self._scale = game, rule, float(game.scale)
        self.entries = np.zeros(game.actions)
        self._magnet = np.zeros(game.actions)
        self._spread = self._last_spread = 0.0

    @property
    def largest(self) -> float:
        """The largest entry."""
        return float(np.max(self.entries))

    def advance(self, before: State, evaluated: np.ndarray, after: State) -> None:
        """Carry the bounds over one step of the replay.

        Parameters
        ----------
        before, after : State
        evaluated : array (actions,)
            The log-policy at which the step took its (last) payoff.
        """
        rule, policy = self._rule, before.log_policy
        pull = before.step_size * before.magnet_strength
        keep, step = (1.0 - pull, before.step_size) if rule.explicit else (1.0 / (1.0 + pull), before.step_size / (1.0 + pull))
        turn = step * self._scale
        rounding, pulled = self._rounding(before, after, step), keep * self.entries + (1.0 - keep) * self._magnet
        magnet, own = (1.0 - keep) * _deviation(self._magnet, policy), _deviation(rounding, policy)
        wider, plain, second_order = _widening(policy, evaluated), math.hypot(keep, turn), 1.01 * turn * self.largest
        seen_from = policy
        if rule.evaluation == "half_step":
            # The difference of the two half steps, as seen from there.
            given = min(float(np.max(pulled + rounding)) + turn * self._spread, wider * ((plain + second_order) * self._spread + magnet + own))
            turned = max(keep, math.sqrt((keep - turn**2) ** 2 + (keep * turn) ** 2)) + 2 * (1 + turn) ** 2 * second_order
            change = 2 * turn * wider * _deviation(_change(policy, evaluated), policy, centred=True, blocks=self._game.blocks)
            spread = turned * self._spread + (1 + turn) * (magnet + own) + change * given
        elif rule.evaluation == "mixture" and rule.explicit:
            given, seen_from = min(float(np.max(pulled + rounding)), wider * (keep * self._spread + magnet + own)), evaluated
            spread = (math.hypot(1.0, turn) + second_order) * given + wider * own
        elif rule.evaluation == "extrapolated":
            given, spread = 2.0 * self._spread + self._last_spread, math.inf
        else:
            given, spread = self._spread, (plain + second_order) * self._spread + magnet + own
        entries = pulled + turn * given + rounding
        spread *= _widening(seen_from, after.log_policy)
        self._last_spread, self._spread = self._spread, min(spread, _deviation(entries, after.log_policy))
        self.entries = entries
        if rule.magnet == "refreshed" and after.steps % rule.refresh_every == 0:
            self._magnet = entries
        elif rule.magnet == "moving":
            weight, logs = rule.magnet_rate, _sizes(after.log_magnet)
            self._magnet = (1.0 - weight) * self._magnet + weight * entries + ROUNDINGS_OF_A_STEP * UNIT * (logs + 1.0)

    def at_the_end(self, log_policy: np.ndarray) -> np.ndarray:
        """The bound on each entry of two normalised log-policies: the constant of a block is at most the mean of its entries."""
        constants = spread_over(block_sum(np.exp(log_policy) * self.entries, self._game.blocks), self._game.blocks)
        return self.entries + constants + normalisation_rounding(self._game.actions) + 2 * UNIT * _sizes(log_policy)

    def _rounding(self, before: State, after: State, step: float) -> np.ndarray:
        """What the roundings of one step of each run can make of each logit."""
        payoffs = 3.0 if self._rule.evaluation == "extrapolated" else 1.0
        logs = _sizes(before.log_policy) + _sizes(after.log_policy) + _sizes(before.log_magnet) + 1.0
        once = payoffs * step * payoff_rounding(self._game) + ROUNDINGS_OF_A_STEP * UNIT * (logs + payoffs * step * self._game.largest_payoff)
        return 2.0 * once


def _sizes(log_policy: np.ndarray | float) -> np.ndarray:
    """Absolute values, 0 for an action that is never played."""
    return np.where(np.isfinite(log_policy), np.abs(log_policy), 0.0)


def _deviation(values: np.ndarray, log_policy: np.ndarray, *, centred: bool = False, blocks: tuple[int, ...] = ()) -> float:
    """Root of the mean square under a policy, of all players together; about the mean of each block where it is to be centred."""
    weights = np.exp(log_policy)
    values = np.where(weights > 0, values, 0.0)
    if centred:
        values = values - spread_over(block_sum(weights * values, blocks), blocks)
    return math.sqrt(float(np.sum(weights * values**2)))


def _widening(policy: np.ndarray, other: np.ndarray) -> float:
    """√max(other/policy): what a standard deviation grows by, at most, from one policy to the other or to any on the geodesic between them."""
    return math.exp(min(max(0.0, float(np.max(_change(policy, other)))) / 2, LARGEST_EXPONENT))


def _change(policy: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The difference of two log-policies, 0 for an action that is never played."""
    played = np.isfinite(policy)
    return np.where(played, other, 0.0) - np.where(played, policy, 0.0)
