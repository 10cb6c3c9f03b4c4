"""Whether what falls falls ever faster: the opposite of a power law, and better than a line."""

from __future__ import annotations

import math

import numpy as np

FEWEST = 5
"""Points above rounding, at least, the last not counted."""
DECADES = 4.0
"""By how many it must have fallen; without its end by half as many."""
BELOW = 0.1
"""By this part of the whole fall the curve may lie below the straight line from its first point to its last."""
ABOVE = 0.05
"""By this part of it, on average, it must lie above."""
NOISE = 2.0
"""And by so many times more as the record lies, on average, below the largest value still to come: that lies above a noisy line, whose last point may lie below it. Of 60,000 lines of 10 nats and
more with noise of half a nat none is taken for a bend; without this, one in twelve of those of 10 nats was."""
ENDING = 0.1
"""Without this last part of the record, and without its last point, the same must hold: a dip at the end would tilt the line."""


def falls_ever_faster(times: np.ndarray, logs: np.ndarray) -> bool:
    """Whether the largest value still to come bends downwards in logarithms over the whole record.

    Everything that falls ever more slowly lies far below the straight line between its ends, and a line on it, but for its noise. A plateau before a line bends
    too: whether there can be one is not for numbers to say.

    Parameters
    ----------
    times, logs : array (used,)
        Times, increasing, and logarithms of the values above rounding.
    """
    shorter = min(len(times) - 1, int(np.searchsorted(times, times[0] + (1 - ENDING) * (times[-1] - times[0]), side="right")))
    return _bends(times, logs, DECADES) and _bends(times[:shorter], logs[:shorter], DECADES / 2)


def _bends(times: np.ndarray, logs: np.ndarray, decades: float) -> bool:
    if len(times) < FEWEST:
        return False
    ahead = np.maximum.accumulate(logs[::-1])[::-1]
    fall = ahead[0] - ahead[-1]
    if fall < decades * math.log(10):
        return False
    above = (ahead - (ahead[0] - fall * (times - times[0]) / (times[-1] - times[0]))) / fall
    # By time and not by points: a record is finer at its beginning.
    height, noise = np.trapezoid([above, (ahead - logs) / fall], times, axis=-1) / (times[-1] - times[0])
    return bool(np.min(above) >= -BELOW and height >= ABOVE + NOISE * noise)
