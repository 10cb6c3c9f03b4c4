"""The linear program of a game by exact pivots: integers over a common denominator, from any basis to an optimal one, and all over the optimal face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count
from math import lcm
from typing import Any

from mmd_games.equilibria.exact.integers import Table, lowest_terms

NEGLIGIBLE = 10**9
"""Pivots smaller than the first one by this factor are rounding noise of the table: a basis that rests on them is nearly singular."""


PATIENCE = 10
"""So many pivots a variable are chosen by the largest coefficient; after them by the least index, which takes longer and cannot cycle (Bland, 1977)."""


class WorkSpentError(Exception):
    """The pivots took more work than they were given."""


class Tableau:
    r"""Maximise :math:`\sum y` subject to :math:`My + s = 1`, :math:`y, s \ge 0`, for positive M, as a dictionary.

    The optimal y, divided by their sum, are the optimal policies of the player who pays M, and the sum is 1 over the value (von Neumann).
    Row i stands for the basic variable ``basic[i]`` and says :math:`d\,x_i + \sum_j T_{ij} x_j = b_i` over the variables
    ``others[j]``, with the common denominator d > 0, a minor of M, so that every division in a pivot is exact (Edmonds; Bareiss, 1968).
    Row m is the objective, its reduced costs, perhaps with another one below it; the last column is b. Variables 0..n−1 are y, n..n+m−1 are s.

    Parameters
    ----------
    matrix : list of list of int
        What the opponent receives, (m, n), of any sign: a constant is added, which changes no policy.
    work : float
        What all pivots together may take, in units of about 40 ns.
    """

    def __init__(self, matrix: Table, work: float):
        from flint import fmpz

        least, most = min(map(min, matrix)), max(map(max, matrix))
        shift = (most - least or 1) - least
        self.rows: list[list[Any]] = [[*(fmpz(entry + shift) for entry in row), fmpz(1)] for row in matrix]
        self.rows.append([fmpz(-1)] * len(matrix[0]) + [fmpz(0)])
        self.size = len(matrix[0])
        self.others = list(range(self.size))
        self.basic = list(range(self.size, self.size + len(matrix)))
        self.denominator = fmpz(1)
        self.patience = PATIENCE * (len(matrix) + self.size)
        self.work = work

    def pivot(self, at: int, entering: int) -> None:
        """Exchange a basic variable, by its row, and another one, by its column."""
        self.work -= len(self.rows) * len(self.rows[0]) * (20 + (int(self.denominator.bit_length()) // 64) ** 1.5 / 16)
        if self.work < 0:
            raise WorkSpentError
        above, before = self.rows[at], self.denominator
        chosen = above[entering]
        for index, row in enumerate(self.rows):
            if index == at:
                continue
            factor = row[entering]
            if factor:
                self.rows[index] = [(entry * chosen - factor * other) // before for entry, other in zip(row, above, strict=True)]
            else:
                self.rows[index] = [entry * chosen // before for entry in row]
            self.rows[index][entering] = -factor
        above[entering] = before
        self.denominator = chosen
        if chosen < 0:
            self.rows = [[-entry for entry in row] for row in self.rows]
            self.denominator = -chosen
        self.basic[at], self.others[entering] = self.others[entering], self.basic[at]

    def enter(self, rows: Sequence[int], columns: Sequence[int]) -> None:
        """Take the variables of some columns for the slacks of some rows into the basis, as many as are safely independent, the largest pivots first."""
        places, entering, first = list(rows), list(columns), Fraction(0)
        while places and entering:
            largest, at, column = max((abs(self.rows[at][column]), at, column) for at in places for column in entering)
            size = Fraction(int(largest), int(self.denominator))
            first = first or size
            if size * NEGLIGIBLE <= first:
                return
            self.pivot(at, column)
            places.remove(at)
            entering.remove(column)

    def optimise(self) -> None:
        """Pivot to an optimal basis from any: the dual simplex method for costs of which the negative ones are raised to 0, then the primal one for the true costs."""
        objective = len(self.basic)
        self.rows.append([max(cost, 0) for cost in self.rows[objective]])
        self._make_feasible(objective + 1)
        self.rows.pop()
        self._minimise_costs(objective, lambda column: True)

    def _make_feasible(self, objective: int) -> None:
        """The dual simplex method: no reduced cost of the objective is negative, and none becomes so."""
        from flint import fmpq

        for pivots in count():
            costs = self.rows[objective]
            wrong = [(self.rows[at][-1], variable, at) for at, variable in enumerate(self.basic) if self.rows[at][-1] < 0]
            if not wrong:
                return
            at = (min(wrong) if pivots < self.patience else min(wrong, key=lambda entry: entry[1]))[2]
            row = self.rows[at]
            self.pivot(at, min((fmpq(costs[column], -row[column]), variable, column) for column, variable in enumerate(self.others) if row[column] < 0)[2])

    def _minimise_costs(self, objective: int, allowed: Callable[[int], bool]) -> None:
        """The primal simplex method among the allowed columns, from a basis that is feasible."""
        from flint import fmpq

        for pivots in count():
            costs = self.rows[objective]
            entering = [(costs[column], variable, column) for column, variable in enumerate(self.others) if costs[column] < 0 and allowed(column)]
            if not entering:
                return
            column = (min(entering) if pivots < self.patience else min(entering, key=lambda entry: entry[1]))[2]
            rows = [(self.rows[at], variable, at) for at, variable in enumerate(self.basic) if self.rows[at][column] > 0]
            self.pivot(min((fmpq(row[-1], row[column]), variable, at) for row, variable, at in rows)[2], column)

    def policy(self) -> list[int]:
        """Weights of the columns at the basis, (n,)."""
        return self._vertex()[: self.size]

    def dual(self) -> list[int]:
        """Weights of the rows at the basis, (m,): the reduced costs of the slacks."""
        weights = [0] * len(self.basic)
        for variable, cost in zip(self.others, self.rows[len(self.basic)], strict=False):
            if variable >= self.size:
                weights[variable - self.size] = int(cost)
        return weights

    def mirrored_basis(self) -> tuple[list[int], list[int]]:
        """The rows and columns, in the game as the other player sees it, between which the same basis pivots."""
        return [variable for variable in self.basic if variable < self.size], [variable - self.size for variable in self.others if variable >= self.size]

    def _vertex(self) -> list[int]:
        """All variables at the basis, (n + m,), times the common denominator."""
        values = [0] * (len(self.basic) + len(self.others))
        for variable, row in zip(self.basic, self.rows, strict=False):
            values[variable] = int(row[-1])
        return values

    def inside(self) -> list[int]:
        """From an optimal basis, weights (n,) of a point inside the optimal face: whatever is positive at some optimum, y or slack, is positive there.

        All variables that are zero so far are maximised together; where their sum is not zero at most, the new vertex is one more for the average.
        """
        vertices = [(self._vertex(), int(self.denominator))]
        undecided = {variable for variable, value in enumerate(vertices[0][0]) if value == 0}
        while True:
            undecided &= {*self.basic, *(variable for variable, cost in zip(self.others, self.rows[len(self.basic)], strict=False) if cost == 0)}
            if not undecided or not self._raise_sum(undecided):
                break
            values = self._vertex()
            vertices.append((values, int(self.denominator)))
            undecided = {variable for variable in undecided if values[variable] == 0}
        common = lcm(*(denominator for _, denominator in vertices))
        return lowest_terms([sum(values[index] * (common // denominator) for values, denominator in vertices) for index in range(self.size)])

    def _raise_sum(self, chosen: set[int]) -> bool:
        """Maximise the sum of some variables over the optimal face; whether it is positive."""
        rows = [row for variable, row in zip(self.basic, self.rows, strict=False) if variable in chosen]
        sums = [sum(column, start=self.denominator * 0) for column in zip(*rows, strict=True)] if rows else [self.denominator * 0] * len(self.rows[0])
        for column, variable in enumerate(self.others):
            sums[column] -= self.denominator * (variable in chosen)
        objective, costs = len(self.rows), len(self.basic)
        self.rows.append(sums)
        self._minimise_costs(objective, lambda column: self.rows[costs][column] == 0)
        return self.rows.pop()[-1] > 0
