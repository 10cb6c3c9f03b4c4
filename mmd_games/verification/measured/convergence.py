"""How a recorded gap falls: linearly, more slowly, not at all; or the record does not say.

A straight line on a logarithmic plot and a high R² prove nothing: a power law has both. So a line must beat the power law and the stretched exponential on
the same points, keep its slope from the first half of the window to the second, and fall by two decades.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError

BINS = 24
"""Windows of equal length, each represented by its largest gap: rotating modes dip, so only the upper envelope has a rate."""
FEWEST_BINS = 8
DECADES = 2.0
"""A line must fall by at least this much inside its window."""
STEADY_SLOPES = (0.75, 4 / 3)
"""Ratio of the slopes of the window's halves. A power law t^-p has 1/2 or less, over a window that starts in the first third."""
MARGIN = 2.0
"""How many times smaller the squared residuals of the winning shape must be."""
FLAT = 0.1
"""A gap that falls by less than this factor (in nats) over the second half of the run is not falling."""
RISE = 0.1
"""A gap that is higher by this factor (in nats) in the last quarter than in the first is rising."""


class Kind(StrEnum):
    """How a gap behaves."""

    LINEAR = "linear"
    SUBLINEAR = "sublinear"
    STALLED = "stalled"
    DIVERGING = "diverging"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Convergence:
    """What the recorded gaps say.

    Attributes
    ----------
    kind : Kind
    rate : float or None
        Factor by which the gap falls an iteration, where it falls linearly.
    interval : (float, float) or None
        95% interval of the rate, its errors taken to be autocorrelated.
    window : (int, int) or None
        First and last iteration of the points that decided.
    floor : float
        Gaps at or below it were not used.
    evidence : str
        The numbers behind the kind, as a sentence.
    """

    kind: Kind
    rate: float | None
    interval: tuple[float, float] | None
    window: tuple[int, int] | None
    floor: float
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "kind": self.kind.value}


def classify_convergence(iterations: Sequence[int] | Array, gaps: Sequence[float] | Array, floor: float | None = None) -> Convergence:
    """Tell how recorded gaps fall.

    Parameters
    ----------
    iterations : array (recorded,)
        Increasing.
    gaps : array (recorded,)
        Non-negative, recorded evenly or not.
    floor : float, optional
        Gaps at or below it are rounding noise; default only exact zeros.

    Raises
    ------
    InputError
        For gaps that are not finite, or iterations that do not increase.
    """
    t, g = np.asarray(iterations, dtype=np.float64), np.asarray(gaps, dtype=np.float64)
    floor = 0.0 if floor is None else float(floor)
    if t.ndim != 1 or t.shape != g.shape or np.any(np.diff(t) <= 0):
        raise InputError("iterations and gaps must be two lists of one length, the iterations increasing.")
    if not np.all(np.isfinite(g)):
        raise InputError(f"Gaps must be finite; the one at iteration {int(t[np.argmin(np.isfinite(g))])} is not.")

    # Past the last gap above the floor there is only noise.
    above = np.flatnonzero(g > floor)
    used = slice(0, above[-1] + 1 if len(above) else 0)
    reached_floor = used.stop < len(g)
    times, heights = _envelope(t[used], g[used], floor)
    if len(times) < FEWEST_BINS:
        return Convergence(
            Kind.INCONCLUSIVE, None, None, None, floor, f"only {len(times)} separate stretches of the run lie above the floor; {FEWEST_BINS} are needed."
        )

    line = _longest_line(times, heights)
    if line is not None:
        return _linear(line, times, heights, floor)
    kind, evidence = _not_a_line(times, heights, reached_floor)
    return Convergence(kind, None, None, (int(times[0]), int(times[-1])), floor, evidence)


def _envelope(t: np.ndarray, g: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """The largest gap of each of `BINS` stretches of equal length: when it was, and its logarithm."""
    kept = (g > floor) & (t > 0)
    t, logs = t[kept], np.log(g[kept])
    if len(t) < 2:
        return t, logs
    bins = min(BINS, max(FEWEST_BINS, len(t) // 4))
    index = np.minimum(((t - t[0]) / (t[-1] - t[0]) * bins).astype(int), bins - 1)
    peaks = [members[np.argmax(logs[members])] for members in (np.flatnonzero(index == b) for b in range(bins)) if len(members)]
    return t[peaks], logs[peaks]


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and sum of squared residuals of a least-squares line."""
    centred = x - x.mean()
    slope = float(centred @ (y - y.mean()) / (centred @ centred))
    residuals = y - y.mean() - slope * centred
    return slope, float(residuals @ residuals)


def _fall(x: np.ndarray, y: np.ndarray) -> float:
    """How far the least-squares line falls from the first point to the last."""
    return -_fit(x, y)[0] * float(x[-1] - x[0])


def _slope_ratio(x: np.ndarray, y: np.ndarray) -> float:
    """Slope of the second half over that of the first: 1 for a line, less for what slows down."""
    half = len(x) // 2
    first, second = _fit(x[:half], y[:half])[0], _fit(x[half:], y[half:])[0]
    return second / first if first != 0 else math.inf


def _longest_line(times: np.ndarray, heights: np.ndarray) -> int | None:
    """Where the longest window begins that ends with the run and is a line by every criterion."""
    for first in range(len(times) - FEWEST_BINS + 1):
        x, y = times[first:], heights[first:]
        if _fall(x, y) < DECADES * math.log(10):
            continue
        squares = _fit(x, y)[1]
        ratio = _slope_ratio(x, y)
        rivals = min(_fit(np.log(x), y)[1], _fit(np.sqrt(x), y)[1])
        if STEADY_SLOPES[0] <= ratio <= STEADY_SLOPES[1] and squares * MARGIN <= rivals:
            return first
    return None


def _linear(first: int, times: np.ndarray, heights: np.ndarray, floor: float) -> Convergence:
    """The rate of a line and its interval."""
    x, y = times[first:], heights[first:]
    slope, squares = _fit(x, y)
    residuals = y - y.mean() - slope * (x - x.mean())
    spread = float(residuals @ residuals)
    memory = float(residuals[1:] @ residuals[:-1]) / spread if spread > 0 else 0.0
    memory = min(max(memory, 0.0), 0.95)
    deviation = math.sqrt(squares / (len(x) - 2) / float(np.sum((x - x.mean()) ** 2)) * (1 + memory) / (1 - memory))
    from scipy.special import stdtrit  # imported where it is used, like all of SciPy

    reach = float(stdtrit(len(x) - 2, 0.975)) * deviation
    fall = _fall(x, y) / math.log(10)
    evidence = f"the envelope falls by {fall:.1f} decades on a line that beats a power law and a stretched exponential."
    return Convergence(Kind.LINEAR, math.exp(slope), (math.exp(slope - reach), min(1.0, math.exp(slope + reach))), (int(x[0]), int(x[-1])), floor, evidence)


def _not_a_line(times: np.ndarray, heights: np.ndarray, reached_floor: bool) -> tuple[Kind, str]:
    """What a record is that holds no line."""
    quarter, half = max(2, len(times) // 4), len(times) // 2
    rise = float(np.median(heights[-quarter:]) - np.median(heights[:quarter]))
    fall = _fall(times[half:], heights[half:])
    last, before = _fall(times[-quarter:], heights[-quarter:]), _fall(times[-2 * quarter : -quarter], heights[-2 * quarter : -quarter])
    if not reached_floor and rise > RISE:
        return Kind.DIVERGING, f"the gap of the last quarter of the run is {math.exp(rise):.3g} times that of the first."
    if not reached_floor and fall < FLAT:
        return Kind.STALLED, f"over the second half of the run the gap fell by a factor of {math.exp(max(fall, 0.0)):.3g} only."
    if not reached_floor and last < FLAT / 2 and last < before / 3:
        # A power law's last quarter falls by 0.7 times as much as the one before, whatever its exponent.
        return Kind.STALLED, f"over the last quarter of the run the gap fell by a factor of {math.exp(max(last, 0.0)):.3g} only, and much less than before."
    late = times >= 0.05 * times[-1]
    x, y = times[late], heights[late]
    line, power, stretched = _fit(x, y)[1], _fit(np.log(x), y)[1], _fit(np.sqrt(x), y)[1]
    slows = _slope_ratio(x, y) < STEADY_SLOPES[0]
    if not reached_floor and slows and min(power, stretched) * MARGIN <= line:
        name, exponent = ("power law", -_fit(np.log(x), y)[0]) if power <= stretched else ("stretched exponential", 0.5)
        return Kind.SUBLINEAR, f"the gap falls ever more slowly; a {name} (exponent {exponent:.2f}) fits better than a line."
    return Kind.INCONCLUSIVE, "no straight stretch of two decades, and no other shape that explains the record."
