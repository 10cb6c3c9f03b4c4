"""The equations that hold on a support, solved in rationals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from typing import Any

from mmd_games.equilibria.exact.integers import Table, independent

SIMPLE = 30
"""The first denominators that are tried where the equations leave a choice."""
BITS = (12, 26, 53)
"""Then so many binary digits, and at last those of the float itself."""


class SupportSystem:
    r"""Policies y on a support that make some of the opponent's actions earn the same: :math:`A_{RC}\, y = v`, :math:`\sum y = 1`.

    The unknowns are v and the probabilities of C, the likeliest first, so that what the equations leave free are the least of them.
    The largest independent part of the equations is found modulo a prime, and solved by FLINT (Dixon's lifting or many moduli).

    Parameters
    ----------
    matrix : list of list of int
        What the opponent receives, (m, n).
    rows, columns : sequence of int
        R, the opponent's actions that are to earn v, and C, the support.
    near : sequence of float
        A policy, (n,), near which a solution is wanted.

    Attributes
    ----------
    dimension : int
        Of the solutions; 0 proves that there is at most one.
    """

    def __init__(self, matrix: Table, rows: Sequence[int], columns: Sequence[int], near: Sequence[float]):
        from flint import fmpz_mat

        self.size = len(matrix[0])
        self.columns = sorted(columns, key=lambda column: -near[column])
        self.guess = [0.0, *(near[column] for column in self.columns)]
        self.equations = [[-1, *(matrix[row][column] for column in self.columns)] for row in rows]
        self.equations.append([0, *([1] * len(self.columns))])
        self.matrix = fmpz_mat(self.equations)
        self.kept, self.solved = independent(self.matrix)
        self.free = sorted(set(range(len(self.guess))) - set(self.solved))
        whole = len(self.solved) == len(self.guess) == len(self.equations)
        self.kernel = self.matrix if whole else fmpz_mat([[self.equations[row][column] for column in self.solved] for row in self.kept])

    @property
    def dimension(self) -> int:
        """Of the solutions, where there are any."""
        return len(self.free)

    def solutions(self) -> Iterator[list[int]]:
        """Weights (n,), which are policies but for their sums and perhaps their signs: the plainest numbers first, then nearer and nearer to the guess."""
        roundings = [[Fraction(self.guess[column]).limit_denominator(SIMPLE) for column in self.free]]
        roundings += [[Fraction(round(self.guess[column] * 2**bits), 2**bits) for column in self.free] for bits in BITS]
        roundings += [[Fraction(self.guess[column]) for column in self.free]]
        for rounding in roundings if self.free else [[]]:
            weights = self._complete(rounding, total=1)
            if weights is not None:
                yield weights

    def direction(self) -> list[int] | None:
        """Weights (n,) that sum to 0 and change no difference between the opponent's payoffs on R; None where there are none."""
        if not self.free:
            return None
        return self._complete([Fraction(int(place == 0)) for place in range(len(self.free))], total=0)

    def _complete(self, chosen: list[Fraction], total: int) -> list[int] | None:
        """The solution in which the free unknowns are as chosen, checked in every equation."""
        from flint import fmpz, fmpz_mat

        common = lcm(*(value.denominator for value in chosen))
        given = [int(value * common) for value in chosen]
        sums = [0] * (len(self.equations) - 1) + [total * common]
        right = [sums[row] - sum(self.equations[row][column] * value for column, value in zip(self.free, given, strict=True)) for row in self.kept]
        solved: Any = self.kernel.solve(fmpz_mat(len(right), 1, right))
        numerators, denominator = solved.numer_denom()
        unknowns = [fmpz(0)] * len(self.guess)
        for column, value in zip(self.solved, numerators.entries(), strict=True):
            unknowns[column] = value
        for column, value in zip(self.free, given, strict=True):
            unknowns[column] = denominator * value
        checked = self.matrix * fmpz_mat(len(unknowns), 1, unknowns)
        if checked.entries() != [denominator * value for value in sums]:
            return None
        weights = [0] * self.size
        for column, value in zip(self.columns, unknowns[1:], strict=True):
            weights[column] = int(value)
        return weights
