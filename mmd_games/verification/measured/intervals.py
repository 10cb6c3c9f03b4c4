"""The rate of a line and its 95% interval, where neighbouring residuals resemble each other."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.verification.measured.rotations import rotations
from mmd_games.verification.measured.stretches import averages

LONGEST_MEMORY = 0.97
"""Largest correlation of neighbouring residuals that is believed."""
FEWEST_RESIDUALS = 4.0
"""Independent ones that are always left."""
CONFIDENCE = 0.975
CHOSEN = 1.2
"""Factor for what the same record chose before: where the line begins, and the frequencies of its rotations. Without it the intervals of lines after a plateau hold 91% of the
true rates of benchmarks/judge_traces.py, those of the others 95%."""
ROUNDINGS = 8.0
"""Roundings of a logarithm, and of the factor that is made of a slope."""
FEWEST_GAPS = 8
"""Recorded gaps, at least, that a slope is taken from."""


def memory(residuals: np.ndarray, fitted: int) -> float:
    """Correlation of neighbouring residuals, from 0 to `LONGEST_MEMORY`; every column that was fitted has taken about 1/n from it."""
    squares = float(residuals @ residuals)
    if squares == 0:
        return 0.0
    return min(max(float(residuals[1:] @ residuals[:-1]) / squares + fitted / len(residuals), 0.0), LONGEST_MEMORY)


def independent(residuals: np.ndarray, fitted: int) -> float:
    """How many independent residuals there are in effect, beside the columns that were fitted."""
    correlation = memory(residuals, fitted)
    return max((len(residuals) - fitted) * (1 - correlation) / (1 + correlation), FEWEST_RESIDUALS)


def slope_interval(times: np.ndarray, logs: np.ndarray) -> tuple[float, float, float]:
    """Slope of a straight record, and the ends of its interval.

    The interval holds the slope of the second half too: where that is another, the line is not quite straight, and its error is no matter of noise alone.

    Parameters
    ----------
    times, logs : array (used,)
    """
    slope, reach = _slope(times, logs)
    rounding = ROUNDINGS * float(np.finfo(np.float64).eps) * (1 + float(np.max(np.abs(logs))) / (times[-1] - times[0]))
    reach = CHOSEN * reach + rounding
    half = min(int(np.searchsorted(times, 0.5 * (times[0] + times[-1]))), max(len(times) - FEWEST_GAPS, 0))
    later, _ = _slope(times[half:], logs[half:])
    return slope, min(slope - reach, later), max(slope + reach, later)


def _slope(times: np.ndarray, logs: np.ndarray) -> tuple[float, float]:
    """Slope of the least-squares line beside rotations, and the reach of its interval."""
    from scipy.special import stdtrit  # imported where it is used, like all of SciPy

    centres, y, _ = averages(times, logs)
    span = times[-1] - times[0]
    x = (centres - times[0]) / span
    level = np.column_stack([np.ones(len(x)), x])
    columns = np.column_stack([level, rotations(x, y, np.column_stack([level, x**2]))])
    basis, triangle = np.linalg.qr(columns)
    coefficients = np.linalg.solve(triangle, basis.T @ y)
    residuals = y - columns @ coefficients
    number = independent(residuals, columns.shape[1])
    others = np.linalg.qr(np.delete(columns, 1, axis=1))[0]
    own = x - others @ (others.T @ x)
    free = max(len(x) - columns.shape[1], 1)
    deviation = math.sqrt(float(residuals @ residuals) / free / float(own @ own) * (len(x) - columns.shape[1]) / number)
    return float(coefficients[1]) / span, float(stdtrit(max(number - 2, 2), CONFIDENCE)) * deviation / span
