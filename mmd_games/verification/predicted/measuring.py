"""The exponent of one decaying quantity: the stretch of a run in which it can be measured, and a line through it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from mmd_games.verification.measured.intervals import CHOSEN, CONFIDENCE, independent

FEWEST_ROWS = 8
"""A line through fewer rows shows nothing."""
SHORTEST = 1.0
"""A quantity must fall (or grow) by this many e-folds in the window, by its prediction."""
CLOSE = 0.02
"""A measured exponent within this part of the predicted one agrees with it."""
VAGUE = 0.2
"""An uncertainty of more than this part of the exponent confirms nothing."""
TOO_SHORT = "the run is too short for it"
TOO_FEW = "too few policies were recorded where it could be seen"


@dataclass(frozen=True)
class Measurement:
    """One exponent, predicted and measured, in units of the prediction.

    Attributes
    ----------
    name : str
    predicted : float
        −log of the predicted factor.
    measured : float or None
        None where there was no stretch to measure it in.
    half_width : float
        Of a 95% interval, residuals taken to be autocorrelated.
    bias : float
        By how much what is not linear may move the measured one, at most.
    bent : float
        Difference of the slopes of the two halves of the window, beyond their own 95% intervals.
    window : (int, int) or None
        First and last iteration.
    rows : int
    reason : str
        Why there is no measurement; empty where there is one.
    """

    name: str
    predicted: float
    measured: float | None = None
    half_width: float = 0.0
    bias: float = 0.0
    bent: float = 0.0
    window: tuple[int, int] | None = None
    rows: int = 0
    reason: str = ""

    @property
    def error(self) -> float | None:
        """Of the measured exponent, relative to the predicted one."""
        return None if self.measured is None else (self.measured - self.predicted) / abs(self.predicted)

    @property
    def agrees(self) -> bool:
        """Whether both are the same within 2%, or within the uncertainty of the measurement."""
        if self.measured is None:
            return False
        return abs(self.measured - self.predicted) <= max(CLOSE * abs(self.predicted), self.half_width + self.bias)

    @property
    def is_vague(self) -> bool:
        """Whether the uncertainty is more than a fifth of the predicted exponent."""
        return self.half_width + self.bias > VAGUE * abs(self.predicted)

    @property
    def in_words(self) -> str:
        """By how much the exponent is off, and what makes that count as equal, where it does."""
        if self.error is None:
            return "not measured"
        off, reach = f"off by {100 * self.error:+.2g}%", self.half_width + self.bias
        close, covered = abs(self.error) <= CLOSE, abs(self.error) * abs(self.predicted) <= reach
        if close and not covered:
            return f"{off}: within the 2% that count as equal, yet outside the interval, which counts neither what is left of faster parts nor rounding"
        return f"{off}: within its uncertainty of ±{100 * reach / abs(self.predicted):.2g}%" if covered and not close else off

    @property
    def is_straight(self) -> bool:
        """Whether both halves of the window have one slope, within 4% of the predicted exponent and what is not linear."""
        return self.bent <= 2 * CLOSE * abs(self.predicted) + 2 * self.bias

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**vars(self), "error": self.error, "window": None if self.window is None else list(self.window)}


def measure(
    name: str, predicted: float, iterations: np.ndarray, times: np.ndarray, logs: np.ndarray, usable: dict[str, np.ndarray], bias: np.ndarray
) -> Measurement:
    """Fit a line to the longest stretch in which all conditions hold.

    Parameters
    ----------
    name : str
    predicted : float
        Exponent a unit of time, finite.
    iterations, times, logs : array (rows,)
        Step, time in units, and logarithm of the quantity.
    usable : dict of str to array (rows,) of bool
        Conditions; the name says what is wrong where one does not hold.
    bias : array (rows,)
        Bound on what is not linear in the slope at each row.
    """
    finite = np.isfinite(logs)
    first, stop = _longest(_all(finite, usable), times)
    if stop - first < FEWEST_ROWS or _lasts(first, stop, times) * abs(predicted) < SHORTEST:
        return Measurement(name, predicted, reason=_reason(usable, finite, (first, stop), times, SHORTEST / abs(predicted)))
    t, y = times[first:stop], logs[first:stop]
    slope, half_width = _line(t, y)
    middle = len(t) // 2
    (early, early_width), (late, late_width) = _line(t[:middle], y[:middle]), _line(t[middle:], y[middle:])
    bent = max(0.0, abs(early - late) - early_width - late_width)
    # What pushes by b(t) at time t moves the line's slope by the mean of b at most, up to weights near 3/2.
    pushed = 1.5 * float(np.trapezoid(bias[first:stop], t) / (t[-1] - t[0]))
    window = (int(iterations[first]), int(iterations[stop - 1]))
    return Measurement(name, predicted, -slope, half_width, pushed, bent, window, len(t))


def _longest(ok: np.ndarray, times: np.ndarray) -> tuple[int, int]:
    """The stretch of rows without a gap that lasts longest."""
    holds = int(np.count_nonzero(ok))
    if holds in (0, len(ok)):
        return 0, holds
    framed = np.zeros(len(ok) + 2, dtype=bool)
    framed[1:-1] = ok
    edges = np.flatnonzero(framed[1:] != framed[:-1])
    starts, stops = edges[::2], edges[1::2]
    best = int(np.argmax(times[stops - 1] - times[starts]))
    return int(starts[best]), int(stops[best])


def _line(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope of the least-squares line, and half of its 95% interval."""
    x = t - t.mean()
    squares = float(x @ x)
    slope = float(x @ (y - y.mean())) / squares
    left = y - y.mean() - slope * x
    spread = float(left @ left)
    if len(t) < 4 or spread == 0:
        return slope, 0.0
    # As many residuals as are independent in effect, each as large as those n that are there.
    number = independent(left, 2)
    from scipy.special import stdtrit  # imported where it is used, like all of SciPy

    return slope, CHOSEN * float(stdtrit(max(number - 2, 2), CONFIDENCE)) * math.sqrt(spread / squares / number)


def _all(rows: np.ndarray, usable: dict[str, np.ndarray], *, but: str = "") -> np.ndarray:
    """Rows in which every condition holds but one."""
    return reduce(np.logical_and, (condition for what, condition in usable.items() if what != but), rows)


def _lasts(first: int, stop: int, times: np.ndarray) -> float:
    """The time from the first to the last row of a stretch."""
    return float(times[stop - 1] - times[first]) if stop > first else 0.0


def _reason(usable: dict[str, np.ndarray], finite: np.ndarray, stretch: tuple[int, int], times: np.ndarray, needed: float) -> str:
    """What kept the window short.

    Where the stretch lasts long enough, or may do so in the gaps before and after it, only rows are missing. Else it is the condition without which the
    others leave a stretch that is long enough; of several one that no longer holds at the end, which a longer run would not change. Where no single one is
    to blame it is the one that holds in the fewest rows.
    """
    if _lasts(*_longest(finite, times), times) < needed:
        return TOO_SHORT
    first, stop = stretch
    # A stretch that reaches the last row may just have begun.
    around = (max(first - 1, 0), stop + 1) if stop < len(times) else (first, stop)
    if first < stop < first + FEWEST_ROWS and _lasts(*around, times) >= needed:
        return TOO_FEW
    without = {what: _lasts(*_longest(_all(finite, usable, but=what), times), times) for what in usable}
    to_blame = [what for what, lasting in without.items() if lasting >= needed]
    if to_blame:
        return max(to_blame, key=lambda what: (not usable[what][-1], without[what]))
    return min(usable, key=lambda what: int(np.count_nonzero(usable[what])), default=TOO_SHORT)
