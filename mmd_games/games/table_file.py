"""A table as it stands in a file: its numbers, its labels, and where each of them is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mmd_games.errors import InputError

LARGEST = 1e150
"""Sums and products of two numbers up to this size do not overflow."""


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """Numbers, labels and places.

    Attributes
    ----------
    values : array (m, n)
        float64.
    row_labels, column_labels : tuple of str, or None
    kind : "preference", "payoffs" or None
        What the file itself says of its numbers.
    lines : sequence of int, or None
        The line of a text file on which each row stands; None where rows have no lines.
    first_column : int
        The column of the file, from 1, in which the numbers begin.
    """

    values: np.ndarray
    row_labels: tuple[str, ...] | None = None
    column_labels: tuple[str, ...] | None = None
    kind: str | None = None
    lines: Sequence[int] | None = None
    first_column: int = 1

    def place(self, row: int, column: int) -> str:
        """Name an entry as a person finds it in the file."""
        where = f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"
        rows, columns = self.row_labels or self.column_labels, self.column_labels or self.row_labels
        names = ""
        if rows and columns and row < len(rows) and column < len(columns):
            names = f" ('{rows[row]}' against '{columns[column]}')"
        return f"{where}, column {column + self.first_column}{names}"

    def check_finite(self) -> None:
        """Refuse a table with an entry that is not a finite number, or whose products would not be."""
        wrong = np.argwhere(~(np.abs(self.values) <= LARGEST))
        if len(wrong):
            row, column = map(int, wrong[0])
            raise InputError(f"{self.place(row, column)} is {self.values[row, column]}; every entry must be a finite number of at most {LARGEST:g}.")

    def labels_agree(self) -> bool:
        """Whether rows and columns can be the same actions: they carry the same labels, or one of them none."""
        return self.row_labels is None or self.column_labels is None or self.row_labels == self.column_labels

    def common_labels(self) -> tuple[str, ...] | None:
        """The labels of a symmetric game, whose rows and columns are the same actions in the same order."""
        for place, (row, column) in enumerate(zip(self.row_labels or (), self.column_labels or (), strict=False)):
            if row != column:
                raise InputError(
                    f"{self.place(place, place)} has a row labelled '{row}' and a column labelled '{column}'; in a symmetric game rows and "
                    "columns are the same actions in the same order."
                )
        return self.row_labels or self.column_labels


def distinct_labels(labels: Sequence[str], count: int, what: str, where: Callable[[int], str]) -> tuple[str, ...]:
    """The labels, if there is one for each of `count` rows or columns, none is empty and none stands twice; `where` names the place of one."""
    if len(labels) != count:
        raise InputError(f"there are {len(labels)} labels for {count} {what}.")
    first: dict[str, int] = {}
    for index, label in enumerate(labels):
        if not label:
            raise InputError(f"{where(index)} is empty; a label was expected.")
        if label in first:
            raise InputError(f"the label '{label}' stands twice, at {where(first[label])} and at {where(index)}; labels of {what} must differ.")
        first[label] = index
    return tuple(labels)
