"""Many small games at once: the interior point of `interior_point` with its support step, in one compiled loop.

Arrays of ten entries cost NumPy more in calls than in arithmetic. Here every game runs in compiled code, on its dense skew matrix; what this loop cannot
solve strictly (its support proved the largest, up to rounding) it gives back unsolved. Compiled on first use, and kept on disk.
"""

from __future__ import annotations

import numpy as np

from mmd_games.equilibria.solvers.interior_point import CENTRALITY, START, TO_THE_BOUNDARY, centring_of
from mmd_games.equilibria.solvers.support import PROXIMAL_STEPS, REGULARISATION, SOLVED, STRICT
from mmd_games.jit import compiled

MOST_STEPS = 40
"""Newton steps after which a game is given back."""


_centring = compiled(centring_of)


@compiled
def _factorise(matrix, pivots):
    """LU with partial pivoting, in place; four columns at a time, so that each row of the rest is read and written once for all four."""
    order = len(matrix)
    for begin in range(0, order, 4):
        end = min(begin + 4, order)
        for k in range(begin, end):
            pivot, largest = k, abs(matrix[k, k])
            for i in range(k + 1, order):
                if abs(matrix[i, k]) > largest:
                    pivot, largest = i, abs(matrix[i, k])
            pivots[k] = pivot
            if largest == 0.0:
                return False
            if pivot != k:
                for j in range(order):
                    matrix[k, j], matrix[pivot, j] = matrix[pivot, j], matrix[k, j]
            inverse = 1.0 / matrix[k, k]
            for i in range(k + 1, order):
                matrix[i, k] *= inverse
                for j in range(k + 1, end):
                    matrix[i, j] -= matrix[i, k] * matrix[k, j]
        for k in range(begin, end):
            for i in range(k + 1, end):
                for j in range(end, order):
                    matrix[i, j] -= matrix[i, k] * matrix[k, j]
        if end - begin == 4:
            for i in range(end, order):
                a, b, c, d = matrix[i, begin], matrix[i, begin + 1], matrix[i, begin + 2], matrix[i, begin + 3]
                for j in range(end, order):
                    matrix[i, j] -= a * matrix[begin, j] + b * matrix[begin + 1, j] + c * matrix[begin + 2, j] + d * matrix[begin + 3, j]
    return True


@compiled
def _solve(matrix, pivots, right):
    """Solve by the factors, in place."""
    order = len(matrix)
    for k in range(order):
        right[k], right[pivots[k]] = right[pivots[k]], right[k]
    for i in range(order):
        total = right[i]
        for j in range(i):
            total -= matrix[i, j] * right[j]
        right[i] = total
    for i in range(order - 1, -1, -1):
        total = right[i]
        for j in range(i + 1, order):
            total -= matrix[i, j] * right[j]
        right[i] = total / matrix[i, i]


@compiled
def _multiply(matrix, vector, result):
    for i in range(len(matrix)):
        total = 0.0
        for j in range(len(vector)):
            total += matrix[i, j] * vector[j]
        result[i] = total


@compiled
def _to_boundary(values, direction):
    furthest = np.inf
    for i in range(len(values)):
        if direction[i] < 0:
            furthest = min(furthest, -values[i] / direction[i])
    return furthest


@compiled
def _on_support(skew, point, played, work, pivots, solved, payoffs):
    """The point of the null space of K on the support, into `solved`; whether it is strictly complementary."""
    order = len(point)
    actions = np.flatnonzero(played)
    count = len(actions)
    if count == 0:
        return False
    factors = work[:count, :count]
    part, correction = np.empty(count), np.empty(count)
    total = 0.0
    for a in range(count):
        for b in range(count):
            factors[a, b] = -skew[actions[a], actions[b]]
        factors[a, a] = REGULARISATION
        part[a] = point[actions[a]]
        total += part[a]
    part /= total
    if not _factorise(factors, pivots):
        return False
    for _ in range(PROXIMAL_STEPS):
        for a in range(count):
            value = 0.0
            for b in range(count):
                value += skew[actions[a], actions[b]] * part[b]
            correction[a] = value
        _solve(factors, pivots, correction)
        total = 0.0
        for a in range(count):
            part[a] += correction[a]
            if not part[a] > 0:
                return False
            total += part[a]
        if not total > 0.5:
            return False
        part /= total
    solved[:] = 0.0
    for a in range(count):
        if not part[a] > STRICT:
            return False
        solved[actions[a]] = part[a]
    for i in range(order):
        value = 0.0
        for a in range(count):
            value += skew[i, actions[a]] * part[a]
        if value > SOLVED / 2 or (not played[i] and value > -STRICT):
            return False
    return True


@compiled
def _solve_one(skew, start, solved):
    """Solve one game; Newton steps taken, negative where it was not solved strictly."""
    order = len(skew)
    point, payoffs = start / start.sum(), np.empty(order)
    work, pivots = np.empty((order, order)), np.empty(order, dtype=np.int64)
    predictor, predicted, direction, moved = np.empty(order), np.empty(order), np.empty(order), np.empty(order)
    _multiply(skew, point, payoffs)
    product = 1e-3 / order**2
    for i in range(order):
        product = max(product, point[i] * abs(payoffs[i]))
    slack = START * product / point
    partition = np.zeros(order, dtype=np.bool_)
    for iteration in range(MOST_STEPS):
        played = point > slack
        if (iteration > 2 or np.array_equal(played, partition)) and _on_support(skew, point, played, work, pivots, solved, moved):
            return iteration
        partition = played
        _multiply(skew, point, payoffs)
        mean = np.dot(point, slack) / order
        for i in range(order):
            for j in range(order):
                work[i, j] = -skew[i, j]
            work[i, i] = slack[i] / point[i]
        if not _factorise(work, pivots):
            return -1
        predictor[:] = payoffs
        _solve(work, pivots, predictor)
        _multiply(skew, predictor, predicted)
        for i in range(order):
            predicted[i] = -(payoffs[i] + slack[i]) - predicted[i]
        centring = _centring(min(1.0, min(_to_boundary(point, predictor), _to_boundary(slack, predicted))))
        for i in range(order):
            direction[i] = (centring * mean - predictor[i] * predicted[i]) / point[i] - slack[i] + (1 - centring) * (payoffs[i] + slack[i])
        _solve(work, pivots, direction)
        _multiply(skew, direction, moved)
        for i in range(order):
            moved[i] = -(1 - centring) * (payoffs[i] + slack[i]) - moved[i]
        length = min(1.0, TO_THE_BOUNDARY * min(_to_boundary(point, direction), _to_boundary(slack, moved)))
        while True:
            if not length > 1e-10:
                return -1
            least, total = np.inf, 0.0
            for i in range(order):
                value = (point[i] + length * direction[i]) * (slack[i] + length * moved[i])
                least = min(least, value)
                total += value
            if least >= CENTRALITY * total / order:
                break
            length *= 0.8
        point = point + length * direction
        slack = slack + length * moved
        total = point.sum()
        point /= total
        slack /= total
    return -1


@compiled
def solve_batch(skews: np.ndarray, start: np.ndarray, points: np.ndarray, steps: np.ndarray) -> None:
    """Solve a stack of games of one order.

    Parameters
    ----------
    skews : array (games, order, order)
        K of each.
    start : array (order,)
        A positive point to start from.
    points : array (games, order)
        Filled with the solutions.
    steps : array (games,) of int
        Filled with the Newton steps of each, −1 where it was not solved.
    """
    for game in range(len(skews)):
        steps[game] = _solve_one(skews[game], start, points[game])
