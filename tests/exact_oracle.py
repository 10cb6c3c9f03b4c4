"""Exact equilibria of zero-sum games in whole numbers: an oracle that shares no code, and no rounding, with what it judges.

Floats are dyadic rationals, so a table of floats is, up to a unit, a table of integers, and everything here is exact. What is said of a game
rests on one certificate: a *strictly complementary* pair of policies x, y, that is an equilibrium in which every action either is played or earns
strictly less than the value. There always is one (Goldman and Tucker, 1956). It proves the value; no equilibrium plays what it does not play, as that
would earn less than the value against it, so it proves the largest support of each player; and the rank of the payoffs on these supports is the dimension of the set
of all equilibria. Where the pair comes from, a simplex method or a policy in floating point, need not be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

import numpy as np

Table = list[list[int]]


@dataclass(frozen=True)
class ExactEquilibrium:
    """What a strictly complementary pair proves of a game.

    Attributes
    ----------
    value : Fraction
        What the row player receives, in the units of the table.
    policies : tuple of two tuples of Fraction
        The pair itself: rows, columns.
    supports : tuple of two tuples of int
        Actions of each player that some equilibrium plays.
    dimensions : tuple of two int
        Of the polytopes of the players' equilibrium policies; 0 where there is only one.
    margin : float
        The smallest probability of a played action, or loss of another one over half the range of payoffs: how near the pair is to not being strictly complementary.
    """

    value: Fraction
    policies: tuple[tuple[Fraction, ...], tuple[Fraction, ...]]
    supports: tuple[tuple[int, ...], tuple[int, ...]]
    dimensions: tuple[int, int]
    margin: float

    @property
    def unique(self) -> bool:
        return self.dimensions == (0, 0)


def exact_equilibrium(table: np.ndarray) -> ExactEquilibrium:
    """Value and largest supports of a table of payoffs of the row player, (m, n), by a rational simplex method: for up to about ten actions a player."""
    matrix, unit = whole_numbers(table)
    least, most = min(map(min, matrix)) - 1, max(map(max, matrix)) + 1
    paid = [[entry - least for entry in row] for row in matrix]
    missed = [[most - entry for entry in column] for column in zip(*matrix, strict=True)]
    proof = certify(matrix, unit, interior_of_optima(missed), interior_of_optima(paid))
    assert proof is not None, "the simplex method has not found a strictly complementary pair"
    return proof


def prove(table: np.ndarray, rows: Sequence[float], columns: Sequence[float]) -> ExactEquilibrium | None:
    """A proof that what two policies in floating point play are the largest supports; None where they are not.

    The policies, positive on the claimed supports and zero elsewhere, are moved onto the rational solutions of the equations that hold on
    these supports. If the claim is right and the policies are nearer to an equilibrium than to losing an action, the pair is strictly complementary. If it
    is wrong no such pair exists. For a symmetric game give its policy twice. Seconds for a hundred actions with short entries.
    """
    matrix, unit = whole_numbers(table)
    played = [[index for index, chance in enumerate(policy) if chance > 0] for policy in (rows, columns)]
    on_columns = [[matrix[i][j] for j in played[1]] for i in played[0]]
    on_rows = [list(column) for column in zip(*on_columns, strict=True)]
    weights = []
    for block, policy, support in ((on_rows, rows, played[0]), (on_columns, columns, played[1])):
        solved = iter(_equalising(block, [float(policy[index]) for index in support]))
        weights.append([next(solved) if chance > 0 else 0 for chance in policy])
    return certify(matrix, unit, *weights)


def whole_numbers(table: np.ndarray) -> tuple[Table, Fraction]:
    """Integers without a common factor, and the unit in which they are exactly the given floats."""
    ratios = [[float(entry).as_integer_ratio() for entry in row] for row in np.asarray(table)]
    finest = max(denominator for row in ratios for _, denominator in row)
    matrix = [[numerator * (finest // denominator) for numerator, denominator in row] for row in ratios]
    factor = gcd(*(entry for row in matrix for entry in row)) or 1
    return [[entry // factor for entry in row] for row in matrix], Fraction(factor, finest)


def certify(matrix: Table, unit: Fraction, rows: list[int], columns: list[int]) -> ExactEquilibrium | None:
    """Check that weights, which are policies but for their sums, are strictly complementary, and say what follows."""
    totals = sum(rows), sum(columns)
    if min(*rows, *columns) < 0 or min(totals) <= 0:
        return None
    received = [sum(entry * weight for entry, weight in zip(row, columns, strict=True) if weight) for row in matrix]
    paid = [sum(entry * weight for entry, weight in zip(column, rows, strict=True) if weight) for column in zip(*matrix, strict=True)]
    value = Fraction(max(received), totals[1])
    losses = [[value - Fraction(entry, totals[1]) for entry in received], [Fraction(entry, totals[0]) - value for entry in paid]]
    policies = tuple(tuple(Fraction(weight, total) for weight in weights) for weights, total in zip((rows, columns), totals, strict=True))
    # What is played loses nothing, so both players' sides of the value are one, and everything else loses something.
    if any(loss != 0 if chance else loss <= 0 for policy, loses in zip(policies, losses, strict=True) for chance, loss in zip(policy, loses, strict=True)):
        return None
    supports = tuple(tuple(index for index, chance in enumerate(policy) if chance) for policy in policies)
    block = [[matrix[i][j] for j in supports[1]] for i in supports[0]]
    dimensions = len(supports[0]) - _rank(list(zip(*block, strict=True))), len(supports[1]) - _rank(block)
    half_range = Fraction(max(map(max, matrix)) - min(map(min, matrix)), 2)
    distances = [chance or loss / half_range for policy, loses in zip(policies, losses, strict=True) for chance, loss in zip(policy, loses, strict=True)]
    return ExactEquilibrium(value * unit, policies, supports, dimensions, float(min(distances)))


# --- elimination, without fractions -------------------------------------------------------------------------------------------------------


def pivot(rows: Table, at: int, column: int, denominator: int) -> int:
    """One step of Gauss-Jordan elimination in integers over a common denominator; returns the new one. The division is exact (Bareiss, 1968)."""
    above = rows[at]
    chosen = above[column]
    for index, row in enumerate(rows):
        if index != at:
            factor = row[column]
            rows[index] = [(entry * chosen - factor * other) // denominator for entry, other in zip(row, above, strict=True)]
    return chosen


def eliminate(rows: Table) -> tuple[list[int], int]:
    """Reduce a table in place; the pivots' columns, one for each of the first rows, and the number that stands at each pivot."""
    pivots: list[int] = []
    denominator = 1
    for column in range(len(rows[0])):
        done = len(pivots)
        below = next((index for index in range(done, len(rows)) if rows[index][column]), None)
        if below is not None:
            rows[done], rows[below] = rows[below], rows[done]
            denominator = pivot(rows, done, column, denominator)
            pivots.append(column)
    return pivots, denominator


def _rank(block: Sequence[Sequence[int]]) -> int:
    """Of the equations block @ y = v in y and v."""
    return len(eliminate([[*row, -1] for row in block])[0])


def _equalising(block: Table, policy: list[float]) -> list[int]:
    """Weights near those of a policy, up to a factor, that earn exactly the same in all rows of a block."""
    (guess,), _ = whole_numbers(np.array([policy]))
    unknowns = [*guess, sum(entry * weight for entry, weight in zip(block[0], guess, strict=True))]
    rows = [[*row, -1] for row in block]
    pivots, denominator = eliminate(rows)
    free = sorted(set(range(len(unknowns))) - set(pivots))
    sign = 1 if denominator > 0 else -1
    weights = [sign * denominator * unknown for unknown in unknowns]
    for row, column in zip(rows, pivots, strict=False):
        weights[column] = -sign * sum(row[index] * unknowns[index] for index in free)
    return weights[:-1]


# --- the simplex method -------------------------------------------------------------------------------------------------------------------


def interior_of_optima(matrix: Table) -> list[int]:
    """Weights y, a point inside of all solutions of: maximise sum(y) subject to matrix @ y ≤ 1, y ≥ 0, for positive entries.

    Divided by their sum, y are equilibrium policies of the player who pays ``matrix``, and the maximum is 1 over the value (von Neumann). All solutions
    together are a face of the polytope, on which every variable, slacks included, that is positive at some vertex becomes positive in the average.
    """
    count, size = len(matrix), len(matrix[0])
    unit_rows = np.eye(count, dtype=int).tolist()
    tableau = Tableau([[*row, *slacks, 1] for row, slacks in zip(matrix, unit_rows, strict=True)], range(size, size + count))
    costs = tableau.maximise([-1] * size + [0] * (count + 1), range(size + count))
    face = [column for column in range(size + count) if costs[column] == 0]
    vertices = [tableau.vertex()]
    for column in face:
        if all(vertex[column] == 0 for vertex in vertices):
            tableau.maximise(tableau.costs_of(column), face)
            vertices.append(tableau.vertex())
    inside = [sum(coordinates) for coordinates in zip(*vertices, strict=True)][:size]
    common = lcm(*(coordinate.denominator for coordinate in inside))
    return [int(coordinate * common) for coordinate in inside]


class Tableau:
    """Equations of nonnegative variables, solved for those of a basis: integers over a common denominator, the right-hand sides last."""

    def __init__(self, rows: Table, basis: Sequence[int]):
        self.rows, self.basis, self.denominator = rows, list(basis), 1

    def maximise(self, costs: list[int], columns: Sequence[int]) -> list[int]:
        """Pivot among `columns` until no reduced cost is negative; returns them. Bland's rule, the first of all choices, cannot cycle."""
        rows = [*self.rows, costs]
        while (entering := next((column for column in columns if rows[-1][column] < 0), None)) is not None:
            ratios = [
                (Fraction(row[-1], row[entering]), variable, index)
                for index, (row, variable) in enumerate(zip(rows[:-1], self.basis, strict=True))
                if row[entering] > 0
            ]
            *_, leaving = min(ratios)
            self.denominator = pivot(rows, leaving, entering, self.denominator)
            self.basis[leaving] = entering
        self.rows = rows[:-1]
        return rows[-1]

    def costs_of(self, column: int) -> list[int]:
        """The reduced costs of maximising one variable, over the common denominator."""
        if column not in self.basis:
            return [-self.denominator if index == column else 0 for index in range(len(self.rows[0]))]
        return [0 if index == column else entry for index, entry in enumerate(self.rows[self.basis.index(column)])]

    def vertex(self) -> list[Fraction]:
        """The variables, where those outside the basis are zero."""
        values = dict(zip(self.basis, (Fraction(row[-1], self.denominator) for row in self.rows), strict=True))
        return [values.get(column, Fraction(0)) for column in range(len(self.rows[0]) - 1)]
