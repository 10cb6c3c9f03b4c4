"""A race: contenders take turns, so that whatever else the machine does falls on all alike; what they reach is compared apart from that.

A ratio is taken within a round. A block of steps is so long that what a call costs once, and compiling, which is done before, are a few percent of it at most.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Someone who plays.

    Parameters
    ----------
    name : str
    prepare : callable () -> callable (steps) -> object
        Makes a fresh run, untimed; what it returns plays so many steps and is timed.
    steps : int
        Of a block.
    work : float
        Units of work in a step, by which costs are divided: products, games, bytes.
    outcome : callable (object) -> array
        The last policies, from what was played; untimed.
    note : str
        What a reader of the table should know.
    """

    name: str
    prepare: Callable[[], Callable[[int], Any]]
    steps: int
    work: float = 1.0
    outcome: Callable[[Any], np.ndarray] = np.asarray
    note: str = ""

    def reaches(self, steps: int) -> np.ndarray:
        """The last policies after so many steps."""
        return np.asarray(self.outcome(self.prepare()(steps)))


@dataclass(frozen=True)
class Cost:
    """What a contender took, by round.

    Attributes
    ----------
    seconds : array (rounds,)
        A unit of work.
    step : float
        Seconds a step, the median.
    processors : float
        In use on average: well below those that should be, others wanted the machine.
    """

    seconds: np.ndarray
    step: float
    processors: float


@dataclass(frozen=True)
class Ratio:
    """A median over the rounds, and the quarters."""

    median: float
    low: float
    high: float


def race(contenders: Sequence[Contender], rounds: int) -> list[Cost]:
    """Let each do a block in each round, in an order that rotates.

    Parameters
    ----------
    contenders : sequence of Contender
        All have played before, so that nothing is compiled here.
    rounds : int
    """
    spent: list[list[float]] = [[] for _ in contenders]
    used = [0.0 for _ in contenders]
    with _no_garbage():
        for turn in range(rounds):
            for place in range(len(contenders)):
                index = (turn + place) % len(contenders)
                play = contenders[index].prepare()
                began, before = time.perf_counter(), time.process_time()
                play(contenders[index].steps)
                used[index] += time.process_time() - before
                spent[index].append(time.perf_counter() - began)
    costs = []
    for contender, seconds, processor in zip(contenders, spent, used, strict=True):
        steps = np.array(seconds) / contender.steps
        costs.append(Cost(steps / contender.work, float(np.median(steps)), processor / max(sum(seconds), 1e-9)))
    return costs


def ratio(theirs: Cost, ours: Cost) -> Ratio:
    """How many times ours goes into theirs."""
    low, median, high = np.quantile(theirs.seconds / ours.seconds, [0.25, 0.5, 0.75])
    return Ratio(float(median), float(low), float(high))


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest between two outcomes, over the largest probability; infinite where one of them is no number or has another shape."""
    if one.shape != other.shape:
        return float("inf")
    found = float(np.max(np.abs(one - other)) / np.max(other))
    return found if np.isfinite(found) else float("inf")


@contextmanager
def threads(number: int) -> Iterator[int]:
    """So many threads of numba's, or as many as there are; yields how many."""
    import numba

    before = numba.get_num_threads()
    given = min(number, numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(given)
    try:
        yield given
    finally:
        numba.set_num_threads(before)


@contextmanager
def _no_garbage() -> Iterator[None]:
    """The collector of garbage comes before, not within."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
