"""Whether a run will end by its tolerance soon enough, from how its gap has fallen so far."""

from __future__ import annotations

import numpy as np

FIRST, RATIO = 32, 2**0.5
"""The first look is after one step in so many, and every further one after so many times the steps of the one before."""
DOUBT = 2.0
"""A run counts as late where not even so many times its present rate brings it there."""


class Outlook:
    """Looks now and then at the gaps of runs that are to reach a tolerance by some step.

    The lowest gap so far is compared with what it was two looks ago, about half of the run, so that a gap which goes up and down does not deceive it.

    Parameters
    ----------
    until : float
        The tolerance.
    by : int
        The step.
    """

    def __init__(self, until: float, by: int):
        self._until, self._by = until, by
        self._look = by / FIRST
        self._looks: list[tuple[int, np.ndarray]] = []
        self._lowest: np.ndarray | float = np.inf

    def is_late(self, step: int, gaps: np.ndarray) -> bool:
        """Whether some run will not have reached the tolerance in time if it goes on as it does.

        Parameters
        ----------
        step : int
            Larger at every call.
        gaps : array ()
            Or (runs,).
        """
        self._lowest = lowest = np.minimum(self._lowest, gaps)
        if step < self._look:
            return False
        self._looks.append((step, lowest))
        self._look = RATIO * step
        if len(self._looks) <= 2:
            return False
        since, before = self._looks.pop(0)
        with np.errstate(divide="ignore", invalid="ignore"):  # a gap of 0, and what rounding makes of it, is not late
            fallen = np.log(before / lowest) / (step - since)
            missing = np.log(lowest / self._until)
        return bool(np.any(DOUBT * fallen * (self._by - step) < missing))
