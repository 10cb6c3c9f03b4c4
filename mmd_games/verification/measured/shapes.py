"""The shapes that a falling gap can have: curves on the logarithmic scale, for a grid of their parameters. Time runs from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

OFFSETS = np.array([3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.04, 0.07, 0.1, 0.2])
"""t₀ of a power law (t + t₀)^-p, in parts of the record."""
EXPONENTS = np.arange(0.1, 0.61, 0.05)
"""b of a stretched exponential exp(−c·t^b)."""
KNEES = np.array([0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.17, 0.23, 0.3, 0.4, 0.5])
"""When a fast mode has fallen to the slow one."""
ARRIVALS = np.array([0.03, 0.06, *np.arange(0.1, 0.76, 0.05)])
"""When a transient has fallen to its plateau."""
DEPTHS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 27.0])
"""How far, in nats, a transient or a fast mode starts above what it hides."""
CORNERS = np.array([0.02, 0.05, *np.arange(0.1, 0.81, 0.05)])
"""When a plateau gives way to a line."""
SHARPNESS = np.array([1000.0, 30.0, 10.0])
"""How sharp that corner is, in nats per unit of time."""
DEEPEST = 1024 * math.log(2)
"""By how many nats a stretched exponential falls since its beginning, at most: from 1 to the smallest float that has all its digits. What began higher was never a gap."""
LATE = 0.1
"""A record that begins later than this part of its length may have begun its fall with iteration 0 or with itself."""
SATURATIONS = np.arange(0.3, 1.01, 0.1)
"""When growth reaches its bound."""
GROWTH_OFFSETS = (0.01, 0.03, 0.1, 0.3)
"""t₀ of growth as a power of t + t₀."""
STEPS = np.linspace(-0.04, 0.04, 9)
"""Steps around the best time, and"""
FINER = np.geomspace(2 / 3, 3 / 2, 9)
"""parts of the best parameter of a grid, between which the search is repeated: a record without noise shows the coarser grid."""
TIMES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "line": lambda x: x,
    "power law": lambda x: np.log1p(x / 0.003),
    "power law with an offset": lambda x: np.log1p(x / 0.03),
    "stretched exponential, b = 0.3": lambda x: x**0.3,
    "stretched exponential, b = 0.5": lambda x: x**0.5,
    "stretched exponential, b = 0.7": lambda x: x**0.7,
}
"""The times in which a transient may fall along a line."""


def pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of two lists of parameters, as two lists."""
    return np.repeat(first, len(second)), np.tile(second, len(first))


def finer(first: float, second: float, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs around the best pair of a grid; the second parameter, a time, stays within its bounds."""
    return pairs(first * FINER, np.append(np.clip(second * FINER, bounds[0], bounds[-1]), np.clip(second + STEPS, bounds[0], bounds[-1])))


def joined(grid: tuple[np.ndarray, np.ndarray], more: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two lists of pairs as one."""
    return np.append(grid[0], more[0]), np.append(grid[1], more[1])


def clocks(x: np.ndarray, begun: float) -> list[tuple[np.ndarray, str]]:
    """The times since which a record may fall ever more slowly, each with its end at 1, and its name: since iteration 0, and for a late record since its first.

    Parameters
    ----------
    x : array (points,)
        Times from 0 to 1.
    begun : float
        How long before the record iteration 0 was, in the unit of x.
    """
    since_zero = (x + begun) / (1 + begun)
    return [(since_zero, "")] if begun <= LATE else [(since_zero, " since iteration 0"), (x, " since the first gap")]


def power_laws(x: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Falling power laws, a row for each t₀; the coefficient is p."""
    return -np.log(x + offsets[:, None])


def stretched_exponentials(x: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Falling stretched exponentials, a row for each b; the coefficient is c."""
    return -(x ** exponents[:, None])


def transients(x: np.ndarray, depths: np.ndarray, arrivals: np.ndarray, time: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Curves that fall from a depth to 0, and stay: log(1 + exp(depth·(1 − φ(x)/φ(arrival)))) in the time φ; a row for each pair."""
    return _bend(depths[:, None] * (1 - time(x) / time(arrivals)[:, None]))


def corners(x: np.ndarray, sharpness: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Curves that are 0 up to a corner and then a line that falls by 1 a unit of time; a row for each pair."""
    return -_bend(sharpness[:, None] * (x - positions[:, None])) / sharpness[:, None]


def _bend(z: np.ndarray) -> np.ndarray:
    """log(1 + e^z), four times faster than `logaddexp`."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def growths(x: np.ndarray) -> np.ndarray:
    """Curves that rise, exponentially or as a power, up to each of `SATURATIONS`."""
    bounded = np.minimum(x, SATURATIONS[:, None])
    return np.concatenate([bounded, *(np.log(bounded + offset) for offset in GROWTH_OFFSETS)])
