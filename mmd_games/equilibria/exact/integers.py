"""Tables and policies as integers: floats are dyadic rationals, so nothing is rounded here."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from mmd_games.games.integers import as_integers

if TYPE_CHECKING:
    from flint import fmpz_mat

Table = list[list[int]]

PRIMES = (2**61 - 1, 2**63 - 25)
"""Moduli of one machine word in which ranks are taken; the second where the first shows a deficit."""


def whole_numbers(table: np.ndarray) -> tuple[Table, Fraction]:
    """Integers without a common factor, and the unit in which they are exactly the given floats.

    Parameters
    ----------
    table : array (m, n)
        Finite floats.
    """
    matrix, unit = as_integers(np.asarray(table, dtype=np.float64))
    factor = int(np.gcd.reduce(np.abs(matrix), axis=None)) or 1
    return (matrix // factor).tolist(), factor * unit


class ExactTable:
    """A table of integers, in Python's lists to look entries up, and in FLINT's form to multiply it.

    Parameters
    ----------
    rows : list of list of int
        What the row player receives, (m, n).
    """

    def __init__(self, rows: Table):
        self.rows = rows

    @cached_property
    def matrix(self) -> fmpz_mat:
        """The table for FLINT, made once: to copy it takes longer than to multiply it."""
        from flint import fmpz_mat

        return fmpz_mat(self.rows)

    @cached_property
    def mirrored(self) -> ExactTable:
        """The game as the column player sees it, −Aᵀ."""
        return ExactTable([[-entry for entry in column] for column in zip(*self.rows, strict=True)])

    def received(self, columns: Sequence[int]) -> list[int]:
        """The table times weights of its columns, (m,)."""
        from flint import fmpz_mat

        return [int(entry) for entry in (self.matrix * fmpz_mat(len(columns), 1, list(columns))).entries()]

    def paid(self, rows: Sequence[int]) -> list[int]:
        """Weights of the rows times the table, (n,)."""
        from flint import fmpz_mat

        return [int(entry) for entry in (fmpz_mat(1, len(rows), list(rows)) * self.matrix).entries()]


def lowest_terms(weights: Sequence[int]) -> list[int]:
    """Weights divided by their greatest common factor."""
    factor = gcd(*weights) or 1
    return [weight // factor for weight in weights]


def independent(matrix: fmpz_mat) -> tuple[list[int], list[int]]:
    """The first rows and the first columns that are linearly independent, as many of the one as of the other.

    The rank modulo a prime is never above the true one, so where all columns are named, that is a proof. A deficit may be the
    prime's doing, with a probability of about 1e-17 for each minor; whoever relies on one checks the solution.
    """
    from flint import nmod_mat

    best: tuple[list[int], list[int]] = ([], [])
    for prime in PRIMES:
        reduced = nmod_mat(matrix, prime)
        found = _pivots(reduced.transpose()), _pivots(reduced)
        best = max(best, found, key=lambda pair: len(pair[0]))
        if len(best[0]) == min(matrix.nrows(), matrix.ncols()):
            break
    return best


def _pivots(matrix: object) -> list[int]:
    """The columns in which the rows of the reduced echelon form begin."""
    echelon, rank = matrix.rref()  # type: ignore[attr-defined]
    if rank == echelon.ncols():
        return list(range(rank))  # to look at the entries takes longer than to reduce the matrix
    entries, columns, found, column = echelon.entries(), echelon.ncols(), [], 0
    for row in range(rank):
        while entries[row * columns + column] == 0:
            column += 1
        found.append(column)
        column += 1
    return found
