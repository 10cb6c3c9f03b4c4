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

import numpy as np

from mmd_games.algorithms import LogLinear, State
from mmd_games.arrays import Array, block_sum
from mmd_games.games.game import Game
from mmd_games.verification.bounds.rounding import ROUNDINGS_OF_A_STEP, UNIT, normalisation_rounding, payoff_rounding, spread_over

LARGEST_EXPONENT = 700.0
"""Beyond it a bound is infinite for all that it tells."""


class Drift:
    """The two bounds, carried along a replay, or along several at once that have taken as many steps.

    Parameters
    ----------
    game : Game
    rule : LogLinear
    replays : tuple of int
        How many there are, as the leading axes of the states; none for one replay.

    Attributes
    ----------
    entries : array (..., actions)
        Bound on the difference of the log-policies, each entry, one constant a block left out.
    """

    def __init__(self, game: Game, rule: LogLinear, replays: tuple[int, ...] = ()):
        self._game, self._rule, self._scale = game, rule, float(game.scale)
        self.entries = np.zeros((*replays, game.actions))
        self._spread = self._last_spread = np.zeros((*replays, 1))
        self._magnet: np.ndarray | None = None  # None for 0: it is where the replay begins, and moves where the rule moves it
        self._seen: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    @property
    def largest(self) -> np.ndarray:
        """The largest entry of each replay."""
        return np.max(self.entries, axis=-1)

    def keep(self, replays: np.ndarray) -> None:
        """Go on with some of the replays."""
        self.entries, self._spread, self._last_spread = (each[replays] for each in (self.entries, self._spread, self._last_spread))
        self._magnet = None if self._magnet is None else self._magnet[replays]

    @np.errstate(over="ignore", invalid="ignore")  # a bound that leaves float64 is infinite, or NaN: neither is below anything
    def advance(self, before: State, evaluated: np.ndarray, after: State) -> None:
        """Carry the bounds over one step of the replay.

        Parameters
        ----------
        before, after : State
        evaluated : array (..., actions)
            The log-policy at which the step took its (last) payoff.
        """
        rule, policy = self._rule, before.log_policy
        # What the step before came to, unless replays were left out since.
        last = self._seen if self._seen is not None and self._seen[0] is policy else _seen(policy)
        self._seen = _seen(after.log_policy)
        weights, weights_after = last[1], self._seen[1]
        pull = before.step_size * before.magnet_strength
        keep, step = (1.0 - pull, before.step_size) if rule.explicit else (1.0 / (1.0 + pull), before.step_size / (1.0 + pull))
        turn = step * self._scale
        rounding, pulled = self._rounding(last[2] + self._seen[2] + _sizes(before.log_magnet) + 1.0, step), keep * self.entries
        outside = _deviation(rounding, weights)
        if self._magnet is not None:
            pulled, outside = pulled + (1.0 - keep) * self._magnet, (1.0 - keep) * _deviation(self._magnet, weights) + outside
        plain, second_order = np.hypot(keep, turn), 1.01 * turn * self.largest[..., None]
        seen_from = policy
        if rule.evaluation == "half_step":
            # The difference of the two half steps, as seen from there.
            wider = _widening(policy, evaluated)
            given = np.minimum(_largest(pulled + rounding) + turn * self._spread, wider * ((plain + second_order) * self._spread + outside))
            turned = np.maximum(keep, np.hypot(keep - turn**2, keep * turn)) + 2 * (1 + turn) ** 2 * second_order
            change = 2 * turn * wider * _deviation(self._centred(_change(policy, evaluated), weights), weights)
            spread = turned * self._spread + (1 + turn) * outside + change * given
        elif rule.evaluation == "mixture" and rule.explicit:
            wider, seen_from = _widening(policy, evaluated), evaluated
            given = np.minimum(_largest(pulled + rounding), wider * (keep * self._spread + outside))
            spread = (np.hypot(1.0, turn) + second_order) * given + wider * _deviation(rounding, weights)
        elif rule.evaluation == "extrapolated":
            given, spread = 2.0 * self._spread + self._last_spread, np.inf
        else:
            given, spread = self._spread, (plain + second_order) * self._spread + outside
        entries = pulled + turn * given + rounding
        spread = spread * _widening(seen_from, after.log_policy)
        self._last_spread, self._spread = self._spread, np.minimum(spread, _deviation(entries, weights_after))
        self.entries = entries
        if rule.magnet == "refreshed" and after.steps % rule.refresh_every == 0:
            self._magnet = entries
        elif rule.magnet == "moving":
            weight, logs = rule.magnet_rate, _sizes(after.log_magnet)
            moved = 0.0 if self._magnet is None else (1.0 - weight) * self._magnet
            self._magnet = moved + weight * entries + ROUNDINGS_OF_A_STEP * UNIT * (logs + 1.0)

    def at_the_end(self, log_policy: np.ndarray) -> np.ndarray:
        """The bound on each entry of two normalised log-policies: the constant of a block is at most the mean of its entries."""
        constants = spread_over(block_sum(np.exp(log_policy) * self.entries, self._game.blocks), self._game.blocks)
        return self.entries + constants + normalisation_rounding(self._game.actions) + 2 * UNIT * _sizes(log_policy)

    def _rounding(self, logs: np.ndarray, step: Array) -> np.ndarray:
        """What the roundings of one step of each run, between logarithms of some sizes, can make of each logit."""
        payoffs = 3.0 if self._rule.evaluation == "extrapolated" else 1.0
        once = payoffs * step * payoff_rounding(self._game) + ROUNDINGS_OF_A_STEP * UNIT * (logs + payoffs * step * self._game.largest_payoff)
        return 2.0 * once

    def _centred(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The values less the mean of each block under a policy; 0 for an action that it never plays."""
        values, blocks = np.where(weights > 0, values, 0.0), self._game.blocks
        return values - spread_over(block_sum(weights * values, blocks), blocks)


def _seen(log_policy: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A log-policy, its probabilities and its sizes."""
    return log_policy, np.exp(log_policy), _sizes(log_policy)


def _sizes(log_policy: Array) -> np.ndarray:
    """Absolute values, 0 for an action that is never played."""
    return np.where(np.isfinite(log_policy), np.abs(log_policy), 0.0)


def _largest(values: np.ndarray) -> np.ndarray:
    """The largest entry: (..., actions) → (..., 1)."""
    return np.max(values, axis=-1, keepdims=True)


def _deviation(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Root of the mean square under a policy, of all players together: (..., actions) → (..., 1)."""
    return np.sqrt(np.einsum("...i,...i,...i->...", weights, values, values)[..., None])


def _widening(policy: np.ndarray, other: np.ndarray) -> np.ndarray:
    """√max(other/policy): what a standard deviation grows by, at most, from one policy to the other or to any on the geodesic between them; (..., 1)."""
    return np.exp(np.clip(_largest(_change(policy, other)) / 2, 0.0, LARGEST_EXPONENT))


def _change(policy: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The difference of two log-policies, 0 for an action that is never played."""
    played = np.isfinite(policy)
    return np.where(played, other, 0.0) - np.where(played, policy, 0.0)
