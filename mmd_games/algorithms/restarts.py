r"""Restarts to the average: O(1/t) on average becomes a linear rate, at a cost that grows as the condition number and not as its square.

Payoffs are linear, so those of an average are the average of those that were met: its gap, which decides on the restart, and its payoffs, with which the next step
begins, cost nothing. What is judged is the average since the last restart as soon as its gap is below that of the point of the restart, and that point until then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.algorithms.method import Method
from mmd_games.algorithms.projections import gap_of, log_of, project_to_simplices
from mmd_games.arrays import Array
from mmd_games.errors import require_share


class Mean(NamedTuple):
    """The mean of points that were met, and of their payoffs."""

    point: np.ndarray
    payoff: np.ndarray
    number: int

    def joined(self, point: np.ndarray, payoff: np.ndarray) -> Mean:
        """With one more point in it."""
        number = self.number + 1
        return Mean(self.point + (point - self.point) / number, self.payoff + (payoff - self.payoff) / number, number)


class RestartedState(NamedTuple):
    """The judged policy, the iterate with its payoff where it is known, the mean since the restart, and the gap at the restart."""

    log_policy: Array
    policy: np.ndarray
    payoff: np.ndarray | None
    mean: Mean
    restart_gap: float


class PairState(NamedTuple):
    """The judged policy, the pair and the payoffs against each of the two, their means since the restart, and the gap of the pair at the restart."""

    log_policy: Array
    first: np.ndarray
    second: np.ndarray
    against_first: np.ndarray | None
    against_second: np.ndarray | None
    mean_first: Mean
    mean_second: Mean
    restart_gap: float


class _Restarted(Method):
    """Shared by both: two settings."""

    step_size: float | None
    restart_factor: float
    products_per_step: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share(restart_factor=self.restart_factor)


def _nothing(like: np.ndarray) -> Mean:
    return Mean(np.zeros_like(like), np.zeros_like(like), 0)


@dataclass(frozen=True, kw_only=True)
class RestartedExtragradient(_Restarted):
    r"""Projected extragradient that starts anew from the average of its half steps whenever the average's gap has fallen far enough.

    Two products a step; one in the step after a restart, where the payoffs are known by linearity.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.1/L`. It converges for :math:`\eta < 1/\lVert S \rVert_2`.
    restart_factor : float
        :math:`\beta`: restart where the gap of the average is at most this much of the gap at the last restart.

    References
    ----------
    Applegate, Hinder, Lu & Lubin, "Faster first-order primal-dual methods for linear programming using restarts and sharpness", Math. Program. 2023, arXiv 2102.13154: abstract, and the
    authors' program FirstOrderLp.jl (adaptive restarts, mirror prox) were read. There the gap is localised to a ball and divided by its radius, since a program's feasible set
    may be unbounded; simplices are not, so here it is the duality gap itself (derived).
    """

    step_size: float | None = None
    restart_factor: float = math.exp(-1)
    _defaults: ClassVar = {"step_size": (0.1, -1)}

    def init(self, log_policy: Array) -> RestartedState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        policy = np.exp(log_policy)
        return RestartedState(log_policy, policy, None, _nothing(policy), math.inf)

    def step(self: Any, state: RestartedState, payoffs: PayoffOracle) -> RestartedState:
        """One extragradient step, its half step put into the mean, and a restart where that is due."""
        blocks, log_policy, restart_gap = payoffs.blocks, state.log_policy, state.restart_gap
        payoff = payoffs(log_of(state.policy)) if state.payoff is None else state.payoff
        if restart_gap == math.inf:
            restart_gap = gap_of(payoff, state.policy, blocks)
        half = project_to_simplices(state.policy + self.step_size * payoff, blocks)
        half_payoff = payoffs(log_of(half))
        policy, mean = project_to_simplices(state.policy + self.step_size * half_payoff, blocks), state.mean.joined(half, half_payoff)
        gap = gap_of(mean.payoff, mean.point, blocks)
        if gap < restart_gap:
            log_policy = log_of(mean.point)
        if gap <= self.restart_factor * restart_gap:
            return RestartedState(log_policy, mean.point, mean.payoff, _nothing(policy), gap)
        return RestartedState(log_policy, policy, None, mean, restart_gap)


@dataclass(frozen=True, kw_only=True)
class RestartedPrimalDual(_Restarted):
    r"""Primal-dual hybrid gradient (PDHG) with adaptive restarts to the average.

    The method is one of two players who move in turn, and self-play has one policy. So it plays a lift: a pair :math:`(x, y)` of policies, in a game of two different players of
    two profiles, inside its state:

    .. math:: x^+ = \Pi(x + \eta\,q(y)), \qquad y^+ = \Pi(y + \eta\,(2 q(x^+) - q(x))).

    By linearity the extrapolated policy :math:`2x^+ - x`, which may lie outside the simplices, is never played. Judged is :math:`m = \tfrac12(\bar x + \bar y)`, of the averages:
    the largest of sums is at most the sum of the largest, so :math:`2 \max_i (S m)_i \le \max_i (S \bar x)_i + \max_i (S \bar y)_i`, the gap of the pair (for two players likewise, a player at
    a time). Every call of the payoffs counts as one product, so a step costs two, and the first one three.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`, of both; default :math:`0.1/L`. It converges for :math:`\eta < 1/\lVert S \rVert_2`.
    restart_factor : float
        :math:`\beta`: restart where the gap of the pair of averages is at most this much of the pair's gap at the last restart.

    References
    ----------
    Chambolle & Pock, J. Math. Imaging Vis. 40, 2011; restarts as in :class:`RestartedExtragradient`: Applegate et al., arXiv 2102.13154. The lift and what is judged are derived.
    """

    step_size: float | None = None
    restart_factor: float = math.exp(-1)
    _defaults: ClassVar = {"step_size": (0.1, -1)}

    def init(self, log_policy: Array) -> PairState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        policy = np.exp(log_policy)
        return PairState(log_policy, policy, policy, None, None, _nothing(policy), _nothing(policy), math.inf)

    def step(self: Any, state: PairState, payoffs: PayoffOracle) -> PairState:
        """Both policies of the pair in turn, their means, and a restart where that is due."""
        blocks, log_policy, restart_gap = payoffs.blocks, state.log_policy, state.restart_gap
        against_first, against_second = state.against_first, state.against_second
        if against_first is None or against_second is None:
            against_first = against_second = payoffs(state.log_policy)
            restart_gap = _pair_gap(state.first, state.second, against_first, against_second, blocks)
        first = project_to_simplices(state.first + self.step_size * against_second, blocks)
        met_first = payoffs(log_of(first))
        second = project_to_simplices(state.second + self.step_size * (2.0 * met_first - against_first), blocks)
        met_second = payoffs(log_of(second))

        one, two = state.mean_first.joined(first, met_first), state.mean_second.joined(second, met_second)
        gap = _pair_gap(one.point, two.point, one.payoff, two.payoff, blocks)
        if gap < restart_gap:
            log_policy = log_of((one.point + two.point) / 2.0)
        if gap <= self.restart_factor * restart_gap:
            return PairState(log_policy, one.point, two.point, one.payoff, two.payoff, _nothing(first), _nothing(first), gap)
        return PairState(log_policy, first, second, met_first, met_second, one, two, restart_gap)


def _pair_gap(first: np.ndarray, second: np.ndarray, against_first: np.ndarray, against_second: np.ndarray, blocks: tuple[int, ...]) -> float:
    """What the two could win by best replies to each other: each one's values cancel, since what one wins the other loses."""
    return gap_of(against_second, first, blocks) + gap_of(against_first, second, blocks)
