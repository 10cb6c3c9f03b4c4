"""The dual of a KL projection: policies of an exponential family, and the interior-point Newton method that finds the right one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmd_games.arrays import log_normalise

EPS = float(np.finfo(np.float64).eps)

STEPS = 100
"""Newton steps for one part of the pull; about five are usual, 15 with inequalities."""

PARTS = 25
"""Parts of the pull tried on the way to the whole; one is usual."""

NEAR = 30.0
"""A pull whose range of log-probabilities is below this is taken as a whole at once."""

FIRST_BARRIER, LAST_BARRIER = 0.1, 1e-17
"""Products of multipliers with the room left, at first and in the end."""


class Point(NamedTuple):
    """The dual function somewhere: multipliers, the log-policy and the value there, the gradient, and the largest violation of optimality."""

    multipliers: np.ndarray
    log_policy: np.ndarray
    value: float
    gradient: np.ndarray
    violation: float


@dataclass(frozen=True, eq=False)
class Dual:
    r"""Minimise KL(p‖centre·e^pull) subject to ``rows @ (p - centre)`` = 0 for equations, ≤ ``room`` for inequalities.

    The minimum is :math:`p(u) \propto \mathrm{centre} \cdot e^{\mathrm{pull} - R^\top u}`, R the rows, and u minimises the convex function
    :math:`\log\sum \mathrm{centre}\,e^{\mathrm{pull} - R^\top u} + u^\top(R\,\mathrm{centre} + \mathrm{room})`, u ≥ 0 for inequalities. Its gradient is the room that is left, and
    its Hessian the covariance of the rows under p(u).

    Attributes
    ----------
    centre : array (k,)
        Positive probabilities, which satisfy all constraints.
    pull : array (k,)
        Log-probabilities of the start less those of the centre; their part in the span of the equations does not matter.
    rows : array (m, k)
        Of length one; equations first, and these orthogonal.
    room : array (m,)
        At least 0; 0 for equations.
    equations : int
        How many of the rows are equations.
    """

    centre: np.ndarray
    pull: np.ndarray
    rows: np.ndarray
    room: np.ndarray
    equations: int

    def left(self, policy: np.ndarray) -> np.ndarray:
        """The room that a policy leaves: (m,), 0 for an equation that is satisfied."""
        return self.room - self.rows @ (policy - self.centre)

    def missing(self, policy: np.ndarray) -> np.ndarray:
        """The part of it that breaks a constraint: (m,)."""
        left = self.left(policy)
        return np.append(left[: self.equations], np.minimum(left[self.equations :], 0.0))

    def unit(self) -> float:
        """A unit for complementarity: products of multipliers, which grow with the pull, and rounding."""
        return 1.0 + float(np.ptp(self.pull))

    def complementarity(self, multipliers: np.ndarray, left: np.ndarray) -> float:
        """The largest product of an inequality's multiplier and the room left, in the unit."""
        return float(np.max(np.abs(multipliers * left)[self.equations :], initial=0.0)) / self.unit()

    def at(self, multipliers: np.ndarray, part: float) -> Point:
        """The dual function for a part of the pull."""
        weights = multipliers @ self.rows
        logits = np.log(self.centre) + part * self.pull - weights
        log_policy = log_normalise(logits, (len(logits),))
        top = int(np.argmax(logits))
        value = float(logits[top] - log_policy[top] + weights @ self.centre + multipliers @ self.room)
        policy = np.exp(log_policy)
        gradient = self.left(policy)
        violation = max(float(np.max(np.abs(self.missing(policy)), initial=0.0)), self.complementarity(multipliers, gradient))
        return Point(multipliers, log_policy, value, gradient, violation)

    def minimum(self) -> tuple[Point | None, int]:
        r"""The minimum, None where it was not found, and the Newton steps.

        A far pull, with inequalities above all, makes the dual flat, so it is raised in parts: the centre itself is the minimum for none of it, and the minima for two
        parts, extrapolated, start the search for the next.
        """
        spread = float(np.ptp(self.pull))
        multipliers, slope = np.zeros((2, len(self.rows)))
        multipliers[self.equations :] = FIRST_BARRIER
        reached, target, factor, steps = 0.0, min(1.0, NEAR / spread) if spread > 0 else 1.0, 4.0, 0
        for _ in range(PARTS):
            guess = multipliers + slope * (target - reached)
            guess[self.equations :] = np.maximum(guess, multipliers / 10)[self.equations :]
            point, taken = self.newton(guess, target)
            steps += taken
            if point is not None and target == 1.0:
                return point, steps
            if point is not None:
                # Where the pull is strong, the multipliers are nearly linear in it: those of a linear program, times the part.
                slope = (point.multipliers - multipliers) / (target - reached)
                multipliers, reached = point.multipliers, target
            elif reached:
                factor = math.sqrt(factor)
            target = min(1.0, reached * factor) if reached else target / factor
        return None, steps

    def newton(self, multipliers: np.ndarray, part: float) -> tuple[Point | None, int]:
        """The minimum for a part of the pull, roughly unless it is all, and the steps: Newton on the optimality conditions, the barrier falling to nothing."""
        goal, least, tolerated = (2 * EPS, LAST_BARRIER, 1e-9) if part == 1.0 else (1e-4, 1e-5, 1e-4)
        best = point = self.at(multipliers, part)
        barrier, stalled, taken = FIRST_BARRIER, 0, 0
        while taken < STEPS and best.violation > goal and not (stalled >= 3 and best.violation < 1e-12):
            barrier = self.lowered(barrier, point, least)
            new = self.step(point, part, barrier)
            taken += 1
            if new is None:
                break
            stalled = 0 if new.violation < best.violation / 2 else stalled + 1
            best, point = min(best, new, key=lambda candidate: candidate.violation), new
        return (best if best.violation <= tolerated else None), taken

    def lowered(self, barrier: float, point: Point, least: float) -> float:
        """The next barrier: lowered as long as the point is near the minimum of the barrier function, and the faster the smaller it is."""
        equations = float(np.max(np.abs(point.gradient[: self.equations]), initial=0.0))
        products = (point.multipliers * point.gradient)[self.equations :]
        while barrier > least and max(equations, float(np.max(np.abs(products - barrier), initial=0.0))) <= 10 * barrier:
            barrier = max(min(0.2 * barrier, barrier**1.5), least)
        return barrier

    def step(self, point: Point, part: float, barrier: float) -> Point | None:
        """One Newton step on the dual less barrier·Σ log u of the inequalities; halved until that falls enough, None where it does not."""
        push, weight = self.barrier_terms(point, barrier)
        gradient = point.gradient - push
        step = -self.solve(np.exp(point.log_policy), gradient, weight)
        held, change = point.multipliers[self.equations :], step[self.equations :]
        length = min(1.0, 0.995 * float(np.min(-held[change < 0] / change[change < 0], initial=math.inf)))
        before, slope = point.value - barrier * float(np.sum(np.log(held))), float(gradient @ step)
        while length > 1e-18:
            new = self.at(point.multipliers + length * step, part)
            fall = before - new.value + barrier * float(np.sum(np.log(new.multipliers[self.equations :])))
            if fall >= -1e-4 * length * slope:
                return new
            # A fall that is lost in rounding is judged by the slope, which is the smaller at the end of the step the nearer that is to the minimum.
            if abs(fall) <= 1e-13 * (1 + abs(before)) and abs((new.gradient - self.barrier_terms(new, barrier)[0]) @ step) <= abs(slope):
                return new
            length /= 2
        return None

    def barrier_terms(self, point: Point, barrier: float) -> tuple[np.ndarray, np.ndarray]:
        """What the barrier adds to minus the gradient, and to the Hessian's diagonal (in its primal-dual form): (m,) each."""
        push, weight = np.zeros((2, len(self.rows)))
        held = point.multipliers[self.equations :]
        push[self.equations :] = barrier / held
        weight[self.equations :] = np.maximum(point.gradient, push)[self.equations :] / held
        return push, weight

    def solve(self, policy: np.ndarray, gradient: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The Hessian, with `weight` added to its diagonal, divided into the gradient: (m,).

        A ridge as large as the Hessian's rounding makes dependent rows harmless, and probabilities below rounding, which no equation determines.
        """
        from scipy.linalg import cho_factor, cho_solve

        deviations = (self.rows - (self.rows @ policy)[:, None]) * np.sqrt(policy)
        hessian = deviations @ deviations.T
        hessian[np.diag_indices(len(self.rows))] += weight + 4 * EPS * max(1.0, float(np.trace(hessian)))
        return cho_solve(cho_factor(hessian, lower=True), gradient)

    def corrected(self, point: Point) -> np.ndarray:
        """The policy of a minimum, moved onto the constraints by Newton steps that are linear in it, while that helps and keeps it from being negative.

        The rounding of an exponential is relative to its logarithm, so a policy far from the start misses the constraints by more than its own rounding.
        """
        policy = np.exp(point.log_policy)
        missing, (_, weight) = self.missing(policy), self.barrier_terms(point, LAST_BARRIER)
        for _ in range(5):
            change = self.solve(policy, missing, weight) @ self.rows
            new = policy * (1 + change - change @ policy)
            new = new / new.sum()
            still = self.missing(new)
            if np.min(new) < 0 or np.max(np.abs(still), initial=0.0) >= np.max(np.abs(missing), initial=0.0):
                break
            policy, missing = new, still
        return policy
