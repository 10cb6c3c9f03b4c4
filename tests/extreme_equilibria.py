"""Every extreme equilibrium of a small integer game, in rationals: an oracle that enumerates, and optimises nothing."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np


def solve_exactly(rows: list[list[Fraction]]) -> list[Fraction] | None:
    """Gauss-Jordan on an augmented square system; None where it is singular."""
    size = len(rows)
    for place in range(size):
        pivot = next((row for row in range(place, size) if rows[row][place]), None)
        if pivot is None:
            return None
        rows[place], rows[pivot] = rows[pivot], rows[place]
        rows[place] = [entry / rows[place][place] for entry in rows[place]]
        for row in range(size):
            if row != place and rows[row][place]:
                rows[row] = [entry - rows[row][place] * below for entry, below in zip(rows[row], rows[place], strict=True)]
    return [row[-1] for row in rows]


def equalise(block: list[list[int]]) -> list[Fraction] | None:
    """The weights p of the columns and the value v with block @ p = v and sum(p) = 1, as [*p, v]."""
    size = len(block)
    rows = [[*map(Fraction, row), Fraction(-1), Fraction(0)] for row in block]
    return solve_exactly([*rows, [Fraction(1)] * size + [Fraction(0), Fraction(1)]])


def extreme_equilibria(table: np.ndarray) -> tuple[Fraction, set[tuple[Fraction, ...]], set[tuple[Fraction, ...]]]:
    """The value, and all extreme optimal policies of the rows and of the columns.

    Shapley and Snow (1950): each pair of extreme optimal policies equalises some square block whose bordered matrix is not singular.
    """
    matrix = table.tolist()
    m, n = table.shape
    found: tuple[Fraction | None, set, set] = (None, set(), set())
    for size in range(1, min(m, n) + 1):
        for rows in combinations(range(m), size):
            for columns in combinations(range(n), size):
                block = [[matrix[i][j] for j in columns] for i in rows]
                on_columns, on_rows = equalise(block), equalise([list(column) for column in zip(*block, strict=True)])
                if on_columns is None or on_rows is None or min(on_columns[:-1] + on_rows[:-1]) < 0:
                    continue
                value = on_columns[-1]
                y = [dict(zip(columns, on_columns, strict=False)).get(j, Fraction(0)) for j in range(n)]
                x = [dict(zip(rows, on_rows, strict=False)).get(i, Fraction(0)) for i in range(m)]
                best = max(sum(matrix[i][j] * y[j] for j in range(n)) for i in range(m))
                worst = min(sum(matrix[i][j] * x[i] for i in range(m)) for j in range(n))
                if best == value == worst:
                    assert found[0] in (None, value)
                    found = (value, found[1] | {tuple(x)}, found[2] | {tuple(y)})
    value, x_set, y_set = found
    assert value is not None
    return value, x_set, y_set
