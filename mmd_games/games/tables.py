"""Checks that every table of a game passes, with the sentences for those that do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmd_games.arrays import Array, require_memory, to_numpy
from mmd_games.errors import InputError


def place(row: int, column: int, labels: Sequence[str] | None = None) -> str:
    """Name an entry as a person counts: from 1, with the labels where there are any."""
    names = "" if labels is None else f" ('{labels[row]}' against '{labels[column]}')"
    return f"row {row + 1}, column {column + 1}{names}"


def as_table(values: Array, kind: str) -> np.ndarray:
    """A copy of `values` as a two-dimensional float64 array of finite numbers, or a sentence that says what is wrong."""
    try:
        table = np.array(to_numpy(values), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"The {kind} table must be a rectangle of numbers ({error}).") from None
    if table.size == 0:
        raise InputError(f"The {kind} table is empty.")
    if table.ndim != 2:
        raise InputError(f"The {kind} table must have rows and columns; it has {table.ndim} axes, of shape {table.shape}.")
    if not np.all(np.isfinite(table)):
        row, column = map(int, np.argwhere(~np.isfinite(table))[0])
        raise InputError(f"{place(row, column)} of the {kind} table is {table[row, column]}; every entry must be a finite number.")
    return table


def coarseness(values: Array) -> float:
    """The unit roundoff of a table that was given in less than float64, else 0: entries are known to that part of themselves only."""
    kind = to_numpy(values).dtype if hasattr(values, "dtype") else np.dtype(np.float64)
    return float(np.finfo(kind).eps) / 2 if kind.kind == "f" and kind.itemsize < 8 else 0.0


def coarse_notes(values: Array, table: np.ndarray) -> tuple[str, ...]:
    """What a reader of a report must know of such a table: from where on gaps say nothing of the game that was meant."""
    unit = coarseness(values)
    if not unit:
        return ()
    # Each player's payoffs are off by at most the roundoff of the largest entry.
    floor = 2 * unit * float(np.max(np.abs(table)))
    return (
        f"read from {8 * to_numpy(values).dtype.itemsize}-bit numbers, which are known to {unit:.1e} of themselves: gaps below {floor:.1e} say nothing of the game meant.",
    )


def check_labels(labels: Sequence[str], count: int, of: str) -> tuple[str, ...]:
    """The labels as a tuple of text, one for each of `count` rows or columns."""
    names = tuple(map(str, labels))
    if len(names) != count:
        raise InputError(f"{len(names)} labels were given for {count} {of}.")
    return names


def spec_name(family: str, **settings: object) -> str:
    """The spec `family:key=value,…` that builds the same game again; it serves as the game's name."""
    return f"{family}:{','.join(f'{key}={_spec_value(value)}' for key, value in settings.items())}"


def _spec_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)


def require_table_memory(rows: int, columns: int, name: str) -> None:
    """Refuse a game of rows × columns payoffs whose making would not fit into memory: six float64 tables are alive at its peak."""
    require_memory(6 * 8 * rows * columns, f"{name} with its {rows:,} × {columns:,} payoffs")


def require_probability(**values: float) -> None:
    """Refuse numbers outside [0, 1], by name."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InputError(f"{name} must be a number in [0, 1], got {value!r}.")


def require_not_negative(**values: float) -> None:
    """Refuse numbers that are negative or not finite, by name."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
            raise InputError(f"{name} must be a finite number of at least 0, got {value!r}.")
