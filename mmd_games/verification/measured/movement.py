"""How far a record has risen, and how far it falls at the end, as its levels in tenths of the run tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmd_games.verification.measured.regression import Fit


@dataclass(frozen=True)
class Moved:
    """How far a record has moved, in nats.

    Attributes
    ----------
    rise : float
        From its lowest to its end: of its shape, its averages and twice its highest gaps what rises least.
    fall : float
        Over the second half of the run, of its shape and of its averages the one that falls less; negative where it rises.
    highest_fall : float
        From the highest gap to the highest of the last tenth.
    """

    rise: float
    fall: float
    highest_fall: float


def moved(fit: Fit, x: np.ndarray, y: np.ndarray, times: np.ndarray, logs: np.ndarray) -> Moved:
    """How far a record has moved.

    A shape may bend where the record does not, and the other way round; and the averages of a cycle of two or three recorded gaps, a few in each, drift where the
    cycle does not. So the shape and the averages must rise, and the highest gaps half as much; and for a fall that is none, one of shape and averages is enough.

    Parameters
    ----------
    fit : Fit
        The shape that explains the record best.
    x, y : array (points,)
        The averages it was fitted to: times from 0 to 1, and logarithms.
    times, logs : array (used,)
        The record itself, with its times from 0 to 1.
    """
    trend, steady = fit.trend, fit.trend + fit.residuals  # without rotations
    means, highest = _tenths(x, y, np.mean), _tenths(times, logs, np.max)
    rises = (trend[-1] - np.min(trend), means[9] - np.min(means), 2 * (highest[9] - np.min(highest)))
    without_turns = _tenths(x, steady, np.median)  # an average on both sides of a jump counts for neither
    falls = (np.interp(0.5, x, trend) - trend[-1], without_turns[5] - without_turns[9])
    return Moved(float(min(rises)), float(min(falls, key=abs)), float(np.max(logs) - highest[9]))


def _tenths(x: np.ndarray, y: np.ndarray, level: Callable[[np.ndarray], float]) -> np.ndarray:
    """The level of each tenth of the record; infinite where nothing was recorded in it."""
    parts = [y[(x >= tenth / 10) & (x <= (tenth + 1) / 10)] for tenth in range(10)]
    return np.array([level(part) if len(part) else np.inf for part in parts])
