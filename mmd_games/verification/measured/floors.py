"""Which recorded gaps are above the rounding they were computed with: only those have a shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNDECLARED = 1e4 * float(np.finfo(np.float64).eps)
"""Where no floor is declared, a final level below this part of the largest gap is rounding: no computed gap is this exact a plateau by itself."""
SMALLEST = 1e-300
"""Below it floats lose digits one by one (underflow)."""
CLEARANCE = 10.0
"""A record ends where all that follows lies within this factor of the floor: until there rounding changes a gap by a tenth at most."""
DIPS = 3.0
"""Before its end, gaps within this factor of the floor are the dips of a rotating mode, cut off by rounding: left out."""
SHORTEST_LEVEL = 0.03
"""Part of the record that must rest on an undeclared floor."""
LEVEL = 1.0
"""How far, in nats, the medians of the two last parts of an undeclared floor may differ. Rounding scatters by that much; and a line that is cut here by mistake has
fallen by eleven decades before."""


@dataclass(frozen=True)
class Used:
    """The part of a record that is above its floor.

    Attributes
    ----------
    times, logs : array (used,)
        Iterations, and logarithms of the gaps.
    floor : float
        Declared or found.
    reached : bool
        Whether the record goes on at its floor.
    """

    times: np.ndarray
    logs: np.ndarray
    floor: float
    reached: bool


def above_floor(times: np.ndarray, gaps: np.ndarray, declared: float | None) -> Used:
    """Leave out what is rounding.

    Parameters
    ----------
    times, gaps : array (recorded,)
    declared : float or None
        Gaps at or below it are known to be rounding.
    """
    ahead = np.maximum.accumulate(gaps[::-1])[::-1]
    floor = max(_found_floor(gaps, ahead) if declared is None else declared, 0.0)
    lowest = max(floor, SMALLEST)
    end = int(np.searchsorted(-ahead, -CLEARANCE * lowest))
    kept = np.flatnonzero(gaps[:end] > DIPS * lowest)
    return Used(times[kept], np.log(gaps[kept]), floor, end < len(gaps))


def _found_floor(gaps: np.ndarray, ahead: np.ndarray) -> float:
    """The largest gap of a final level that is so low that it must be rounding; 0 if there is none."""
    tail = gaps[int(np.searchsorted(-ahead, -UNDECLARED * ahead[0])) :]
    quarter = len(tail) // 4
    if quarter < 1 or len(tail) < SHORTEST_LEVEL * len(gaps):
        return 0.0
    last, before = (float(np.median(np.maximum(part, SMALLEST))) for part in (tail[-quarter:], tail[-2 * quarter : -quarter]))
    return float(np.max(tail[-2 * quarter :])) if abs(np.log(last / before)) < LEVEL else 0.0
