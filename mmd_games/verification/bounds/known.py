"""What is known of a run: the iterations at which its policy and its magnet are on record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.algorithms import LogLinear
from mmd_games.loop.trace import Trace


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the run at one iteration."""

    step: int
    log_policy: np.ndarray
    log_magnet: np.ndarray
    is_stage: bool
    """Whether the magnet was recorded just there, and does not only stand since earlier."""


class KnownSteps:
    """All iterations at which policy and magnet are known, in order; what is known at each is gathered as it is asked for.

    They are those of the recorded policies; where the magnet is refreshed those of the refreshes as well, as it is the policy then, and the start, unless the first magnet is
    uniform.

    Parameters
    ----------
    trace : Trace
    rule : LogLinear
        What the trace's algorithm is.

    Attributes
    ----------
    steps : array (known,) of int
    """

    def __init__(self, trace: Trace, rule: LogLinear):
        stages, steps = trace.stages, trace.policy_iterations
        row = np.arange(len(steps))
        if rule.magnet == "refreshed":
            more = np.setdiff1d(stages.iterations[int(rule.uniform_reference) :], steps)
            steps, row = np.append(steps, more), np.append(row, np.full(len(more), -1))
            order = np.argsort(steps)
            steps, row = steps[order], row[order]
        stage = np.searchsorted(stages.iterations, steps, side="right") - 1
        is_stage = stages.iterations[stage] == steps
        if not rule.steady:  # where the magnet moves at every step it is known only where it was recorded
            steps, row, stage, is_stage = (each[is_stage] for each in (steps, row, stage, is_stage))
        self.steps, self._row, self._stage, self._is_stage, self._trace = steps, row, stage, is_stage, trace

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, place: int) -> Known:
        row, log_magnet = self._row[place], self._trace.stages.log_magnets[self._stage[place]]
        return Known(int(self.steps[place]), log_magnet if row < 0 else self._trace.log_policies[row], log_magnet, bool(self._is_stage[place]))

    def log_policies(self, places: np.ndarray) -> np.ndarray:
        """The log-policies at some of the iterations, by their places: (places, actions)."""
        row, trace = self._row[places], self._trace
        found = trace.log_policies[row]
        found[row < 0] = trace.stages.log_magnets[self._stage[places[row < 0]]]
        return found

    def of_stages(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The places at which each of some stages begins, and those behind its end: an iteration with which one ends and the next begins is of both."""
        ends = np.append(self._trace.stages.iterations, self._trace.steps)
        return np.searchsorted(self.steps, ends[chosen], side="left"), np.searchsorted(self.steps, ends[chosen + 1], side="right")
