r"""The self-dual interior point: the equilibrium of largest support, in a dozen Newton steps.

For a skew-symmetric K the program "find z ≥ 0 with w = −Kz ≥ 0 and z ∘ w = 0" is its own dual. The residual r = Kz + w and the products z ∘ w are brought to
zero together, along the central path of the homogeneous model (Xu, Hung and Ye, 1996): a step is one factorisation, Mehrotra's predictor and corrector, and
in larger games Gondzio's further correctors (1996), each with the weight that lets the step go furthest (Colombo and Gondzio, 2008).
Products kept near their mean make the limit strictly complementary, so its support is the largest of any equilibrium (Goldman and Tucker).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmd_games.equilibria.solvers.support import SOLVED, on_support
from mmd_games.equilibria.solvers.systems import System

LARGEST_STEPS = 100
"""Newton steps after which a solve gives up; games that are not nearly degenerate need 5 to 25."""
CENTRALITY = 1e-4
"""No product of z and w may be less than this part of their mean."""
START = 0.1
"""The products of the start, over the largest of the point times its payoffs; smaller ones start nearer to the boundary."""
MIXED = 0.01
"""How much of the uniform policy a warm start is given."""
TO_THE_BOUNDARY = 0.9995
"""The part of the way to the boundary that a step may go."""
MOST_CORRECTIONS, UNKNOWNS_A_CORRECTION = 8, 250
"""A step may be corrected so often, once for so many unknowns: a correction costs one solution, whose part in a step falls as the size grows."""
LONGER, WORTH = 0.3, 0.01
"""How much further a correction aims, and the part of that which it must gain."""
WEIGHTS = (0.25, 0.5, 0.75, 1.0)
"""Parts of a correction that are tried, between the least that is sensible and all of it."""
PATIENCE = 15
"""Steps that a solve goes on, once its gap is solved for, to learn the support: probabilities and slacks down to 1e-12 are told apart by then."""
CHANGED = 0.01
"""The support is solved for where a step has changed no more than this part of it."""


@dataclass(frozen=True)
class Solution:
    """The best policy that a solve has seen.

    Attributes
    ----------
    policy : array (actions,)
    iterations : int
        Newton steps, each one factorisation.
    """

    policy: np.ndarray
    iterations: int


def solve(system: System, warm_start: np.ndarray | None = None) -> Solution:
    """Follow the central path until the support is known and solved for, or rounding ends it.

    Parameters
    ----------
    system : System
    warm_start : array (actions,), optional
        A policy near the equilibrium; its support is tried first.
    """
    with np.errstate(all="ignore"):  # what overflows is not finite, and taken for no progress
        if warm_start is not None:
            near = system.point(warm_start)
            polished = on_support(system, near, near > 0)
            if polished is not None and polished.strict:
                return Solution(polished.policy, 0)
        return _follow(system, *_start(system, warm_start))


def _follow(system: System, point: np.ndarray, slack: np.ndarray) -> Solution:
    """Steps along the central path, until a support is proved or patience ends."""
    best, least, partition, patience = system.policy(point), np.inf, np.zeros(system.size, dtype=bool), PATIENCE
    for iteration in range(LARGEST_STEPS):
        policy = system.policy(point)
        gap = system.gap(policy)
        if gap < least:
            best, least = policy, gap
        played = point > slack
        if np.count_nonzero(played != partition) <= CHANGED * np.count_nonzero(played):
            polished = on_support(system, point, played)
            if polished is not None and (polished.strict or polished.gap <= least):
                best, least = polished.policy, polished.gap
                if polished.strict:
                    return Solution(best, iteration)
        partition = played
        patience -= least <= SOLVED
        moved = _step(system, point, slack) if patience > 0 else None
        if moved is None:
            return Solution(best, iteration)
        point, slack = moved
    return Solution(best, LARGEST_STEPS)


def _start(system: System, warm_start: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """A point with all products alike."""
    point = system.start()
    if warm_start is not None:
        point = (1 - MIXED) * system.point(warm_start) + MIXED * point
    product = START * max(float(np.max(point * np.abs(system.multiply(point)))), 1e-3 / system.size**2)
    return point, product / point


def _step(system: System, point: np.ndarray, slack: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """One step of predictor and correctors; None where rounding leaves no way on."""
    payoffs = system.multiply(point)
    residual, mean = payoffs + slack, float(point @ slack) / len(point)
    system.factorise(slack / point)
    direction = system.solve(payoffs, point, 1e-3 * mean)
    if not np.any(direction):
        return None
    way = _Way(direction, -residual - system.multiply(direction))
    reach = min(1.0, way.length(point, slack))
    centring = centring_of(reach)
    aim, rough = centring * mean, 0.1 * max(centring, 1e-6) * mean
    corrected = system.solve((aim - way.point * way.slack) / point - slack + (1 - centring) * residual, point, rough)
    second = _Way(corrected, -(1 - centring) * residual - system.multiply(corrected))
    most = min(MOST_CORRECTIONS, system.size // UNKNOWNS_A_CORRECTION)
    way, length = (way.furthest(second, reach, point, slack)) if most else (second, second.length(point, slack))
    for _ in range(most):
        # Products that a longer step would leave far from the aim are brought into its neighbourhood (Gondzio).
        longer = min(1.0, length + LONGER)
        products = (point + longer * way.point) * (slack + longer * way.slack)
        change = np.maximum(np.clip(products, 0.1 * aim, 10 * aim) - products, -10 * aim)
        correction = system.solve(change / point, point, rough)
        further, reached = way.furthest(_Way(way.point + correction, way.slack - system.multiply(correction)), length * longer, point, slack)
        if reached < length + WORTH * (longer - length):
            break
        way, length = further, reached
    length = min(1.0, TO_THE_BOUNDARY * length)
    while length > 1e-10:
        next_point, next_slack = point + length * way.point, slack + length * way.slack
        products = next_point * next_slack
        if np.all(products >= CENTRALITY * np.mean(products)):
            total = next_point.sum()
            return next_point / total, next_slack / total
        length *= 0.8
    return None


def centring_of(reach: float) -> float:
    """The part of the mean product that the corrector aims at, from how far the predictor could go (Mehrotra)."""
    return max((1 - reach) ** 3, 1e-8)


class _Way(NamedTuple):
    """A direction of the point, and that of its slacks."""

    point: np.ndarray
    slack: np.ndarray

    def length(self, point: np.ndarray, slack: np.ndarray) -> float:
        """How far along it all stay non-negative."""
        return min(_to_boundary(point, self.point), _to_boundary(slack, self.slack))

    def furthest(self, corrected: _Way, least: float, point: np.ndarray, slack: np.ndarray) -> tuple[_Way, float]:
        """Of the ways between this one and a corrected one that which goes furthest, the more corrected where two go alike (Colombo and Gondzio)."""
        ways = [self._towards(corrected, least + (1 - least) * weight) for weight in WEIGHTS]
        lengths = [way.length(point, slack) for way in ways]
        best = max(range(len(ways)), key=lambda place: (lengths[place], place))
        return ways[best], lengths[best]

    def _towards(self, corrected: _Way, weight: float) -> _Way:
        return _Way(*((1 - weight) * own + weight * other for own, other in zip(self, corrected, strict=True)))


def _to_boundary(values: np.ndarray, direction: np.ndarray) -> float:
    """How far along a direction all values stay non-negative."""
    falling = direction < 0
    return float(np.min(-values[falling] / direction[falling])) if np.any(falling) else np.inf
