"""Stretches of a run played again by its rule, all at once, and how far from the record they end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mmd_games.algorithms import LogLinear, State
from mmd_games.loop.feedback import Exact, Payoffs
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.drift import Drift
from mmd_games.verification.bounds.known import Known

MEANINGFUL = 1e-6
"""A stretch whose error bound in log-policies comes above this is not compared."""
ENTRIES = 2**20
"""Numbers of policies replayed at a time."""


class Stretch(NamedTuple):
    """Two successive iterations at which the run is known, and the policy of the step before them where the rule remembers its payoff."""

    first: Known
    second: Known
    log_policy_before: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """From the first to the second."""
        return self.second.step - self.first.step


class Ending(NamedTuple):
    """The largest difference to the recorded policy and magnet, and its share of what rounding explains."""

    difference: float
    share: float


class _Watched:
    """Payoffs that remember where they were last taken."""

    def __init__(self, payoffs: Payoffs):
        self._payoffs, self.blocks = payoffs, payoffs.blocks
        self.evaluated = np.zeros(0)

    def __call__(self, log_policy: np.ndarray) -> np.ndarray:
        """The payoffs at a log-policy."""
        self.evaluated = log_policy
        return self._payoffs(log_policy)


def replay(trace: Trace, rule: LogLinear, stretches: Sequence[Stretch]) -> list[Ending | None]:
    """Replay stretches by the rule's own step from what is known at their beginnings, and compare what comes out with what is known at their ends.

    Parameters
    ----------
    trace : Trace
    rule : LogLinear
        What the trace's algorithm is.
    stretches : sequence of Stretch

    Returns
    -------
    list of Ending or None
        One for each stretch; None where rounding may have moved it by too much for the comparison to tell anything.
    """
    together: dict[object, list[int]] = {}
    for place, stretch in enumerate(stretches):
        together.setdefault((_clock(rule, stretch.first.step), stretch.log_policy_before is None), []).append(place)
    rows = max(1, ENTRIES // trace.game.actions)
    endings: list[Ending | None] = [None] * len(stretches)
    for places in together.values():
        for begin in range(0, len(places), rows):
            some = places[begin : begin + rows]
            for place, ending in zip(some, _replay(trace, rule, [stretches[place] for place in some]), strict=True):
                endings[place] = ending
    return endings


def _clock(rule: LogLinear, step: int) -> int | None:
    """What a step does by the time: stretches advance together where it is the same for all; None where each may have its own."""
    if rule.magnet != "refreshed":
        return None
    return step % rule.refresh_every if rule.steady else step


def _replay(trace: Trace, rule: LogLinear, stretches: list[Stretch]) -> list[Ending | None]:
    """Stretches of one clock, which leave as they end."""
    payoffs = Payoffs(trace.game, Exact())
    drift, watched = Drift(trace.game, rule, (len(stretches),)), _Watched(payoffs)
    state = _beginning(rule, stretches, payoffs)
    left, lengths = np.arange(len(stretches)), np.array([stretch.steps for stretch in stretches])
    endings: list[Ending | None] = [None] * len(stretches)
    taken = 0
    while len(left):
        after = rule.step(state, watched)
        drift.advance(state, watched.evaluated, after)
        state, taken = after, taken + 1
        ended, clear = lengths[left] == taken, drift.largest <= MEANINGFUL
        if np.all(clear & ~ended):
            continue
        rows = np.flatnonzero(ended & clear)
        if len(rows):
            known = [stretches[place].second for place in left[rows]]
            for place, ending in zip(left[rows].tolist(), _endings(rule, state, drift, rows, known), strict=True):
                endings[place] = ending
        going = clear & ~ended
        left = left[going]
        drift.keep(going)
        state = _rows(state, going)
    return endings


def _beginning(rule: LogLinear, stretches: list[Stretch], payoffs: Payoffs) -> State:
    """The state at the first iteration of every stretch, a row each."""
    clock, step = _clock(rule, 0), np.array([[stretch.first.step] for stretch in stretches])
    # A magnet that is refreshed asks whether it is due, which all of them are at the same time.
    steps: Any = step if clock is None else int(step[0, 0])
    magnets = 0.0 if rule.magnet == "absent" else np.array([stretch.first.log_magnet for stretch in stretches])
    before = [stretch.log_policy_before for stretch in stretches if stretch.log_policy_before is not None]
    previous = payoffs(np.array(before)) if before else None
    return State(np.array([stretch.first.log_policy for stretch in stretches]), magnets, *rule.settings(steps), steps, previous)


def _rows(state: State, rows: np.ndarray) -> State:
    """Some rows of a state; what all of them share stays as it is."""
    parts: list[Any] = [value[rows] if isinstance(value, np.ndarray) else value for value in state]
    return State(*parts)


def _endings(rule: LogLinear, state: State, drift: Drift, rows: np.ndarray, known: list[Known]) -> list[Ending]:
    """The comparison of stretches, some rows of a state, that have come to their ends."""
    difference, share = _apart(state.log_policy[rows], np.array([each.log_policy for each in known]), drift.at_the_end(state.log_policy)[rows])
    if rule.magnet in ("moving", "refreshed"):
        of_magnets = _apart(state.log_magnet[rows], np.array([each.log_magnet for each in known]), drift.at_the_end(state.log_magnet)[rows])
        staged = np.array([each.is_stage for each in known])
        difference, share = (np.where(staged, np.maximum(*both), both[0]) for both in zip((difference, share), of_magnets, strict=True))
    return [Ending(*both) for both in zip(difference.tolist(), share.tolist(), strict=True)]


def _apart(replayed: np.ndarray, recorded: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest difference of two log-policies, infinite where only one of them never plays an action, and the largest share of what is allowed, row by row."""
    never, never_recorded = np.isneginf(replayed), np.isneginf(recorded)
    apart = np.abs(np.where(never, 0.0, replayed) - np.where(never_recorded, 0.0, recorded))
    apart[never != never_recorded] = np.inf
    return np.max(apart, axis=-1), np.max(apart / allowed, axis=-1)
