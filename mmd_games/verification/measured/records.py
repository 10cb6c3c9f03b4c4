"""Whether iterations, gaps and a floor are a record, and that record as floats."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError

SHORTEST = 3
"""Recorded gaps, at least, that are a record."""
LARGEST = 2.0**53
"""From here on floats do not hold every whole number."""


def checked(iterations: Sequence[int] | Array, gaps: Sequence[float] | Array, floor: float | None) -> tuple[np.ndarray, np.ndarray, float | None]:
    """Both lists as arrays of floats, with negative gaps within the floor as zeros, and the floor as a float.

    Raises
    ------
    InputError
        If they are no record: see `classify_convergence`.
    """
    t, g, lowest = _numbers(iterations, "iterations"), _numbers(gaps, "gaps"), _checked_floor(floor)
    if t.ndim != 1 or t.shape != g.shape:
        raise InputError(f"iterations and gaps must be two lists of one length; they have the shapes {t.shape} and {g.shape}.")
    if len(t) < SHORTEST:
        raise InputError(f"Too short a trace: it has {len(t)} recorded gaps; {SHORTEST} at least would have a shape.")
    for wrong, words in (
        (~np.isfinite(t), "iterations must be finite; entry {entry} is {iteration}"),
        (t >= LARGEST, "iterations must be below 2**53, where floats cannot tell neighbours apart; entry {entry} is {iteration:.0f}"),
        (np.append(False, t[1:] <= t[:-1]), "iterations must be increasing; entry {entry}, iteration {iteration:.0f}, does not follow the one before"),
        (~np.isfinite(g), "gaps must be finite; the one at iteration {iteration:.0f} is {gap}"),
        (g < -(lowest or 0.0), "gaps must not be negative; the one at iteration {iteration:.0f} is {gap:.3g}"),
    ):
        if np.any(wrong):
            entry = int(np.argmax(wrong))
            raise InputError(words.format(entry=entry + 1, iteration=t[entry], gap=g[entry]) + ".")
    if t[0] < 0:
        raise InputError(f"iterations must not be negative; the first is {t[0]:.0f}.")
    return t, np.maximum(g, 0.0), lowest


def _numbers(values: Any, name: str) -> np.ndarray:
    """A list of numbers as floats; text that reads like a number, dates and truth values are none."""
    try:
        array = np.asarray(values)
        if array.size and array.dtype.kind not in "iufO":
            raise TypeError(f"{array.ravel().tolist()[0]!r} is none")
        with np.errstate(over="ignore"):  # what is too large for a float is not finite, which is said elsewhere
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} must be a list of numbers ({str(error).rstrip('.')}).") from None


def _checked_floor(floor: float | None) -> float | None:
    """The floor as a float."""
    if floor is None:
        return None
    if isinstance(floor, bool) or not isinstance(floor, numbers.Real) or not 0 <= floor < math.inf:
        raise InputError(f"floor must be a finite number that is not negative, got {floor!r}.")
    try:
        return float(floor)
    except OverflowError:
        raise InputError("floor must be a finite number that is not negative; the one given is larger than any float.") from None
