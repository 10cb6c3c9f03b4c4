"""The machine's own limits, measured in the same run as everything that is compared with them: how fast it reads, and how fast it takes exponentials.

Reading is a compiled sum over an array: one pass over far more bytes than any cache holds, by one thread and by two; and many passes over as many bytes as half a payoff table has, which
is what a step on a skew-symmetric game must read at least, from whichever cache holds them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.speed.measuring import Contender
from mmd_games.jit import compiled

ROUNDS = 7
"""Each limit is the best of so many: what else the machine does can only hide it."""
LEAST = 2e-2
"""Seconds: passes over little are repeated for so long that a clock can time them."""
EXPONENTIALS = 1000
"""Of one call: the first-level cache holds what goes in and what comes out."""


@compiled
def read(values, passes):
    """The sum of all values, so many times over."""
    total = 0.0
    for _ in range(passes):
        for i in range(len(values)):
            total += values[i]
    return total


@dataclass(frozen=True)
class Limits:
    """What the machine does at best.

    Attributes
    ----------
    one_thread, two_threads : float
        Bytes a second that are read from memory.
    exponentials : float
        A second, by NumPy on one thread.
    half_tables : dict of int to float
        Actions of a game → bytes a second of one thread, read over and over from as many as half its table has.
    megabytes : float
        Size of the array that was read from memory.
    """

    one_thread: float
    two_threads: float
    exponentials: float
    half_tables: dict[int, float]
    megabytes: float

    def step(self, actions: int) -> float:
        """Seconds below which no step can be: half the table is read once, and every action has its exponential."""
        return half_table_bytes(actions) / self.half_tables[actions] + actions / self.exponentials

    def __str__(self) -> str:
        lines = [
            "The machine's limits, each the best of several:",
            f"  reading {self.megabytes:,.0f} MB from memory   one thread {self.one_thread / 1e9:.1f} GB/s, two threads {self.two_threads / 1e9:.1f} GB/s",
            f"  exponentials by NumPy        {self.exponentials / 1e9:.2f} a nanosecond, {EXPONENTIALS:,} at a time",
            "  reading half a table, GB/s   " + ", ".join(f"n = {actions:,}: {rate / 1e9:.0f}" for actions, rate in self.half_tables.items()),
        ]
        return "\n".join(lines)


def half_table_bytes(actions: int) -> float:
    """Of one float64 a pair of actions, n²/2 of them."""
    return 8.0 * actions**2 / 2


def streaming(values: np.ndarray, passes: int) -> Contender:
    """Reading an array that no cache holds, as a contender whose cost is that of a byte."""

    def play(steps: int) -> None:
        if read(values, steps) != steps * len(values):  # of ones
            raise ArithmeticError("A sum of ones is not their number.")

    return Contender(name="streaming", prepare=lambda: play, steps=passes, work=values.nbytes)


def measure_limits(actions: Sequence[int], values: np.ndarray, rounds: int = ROUNDS) -> Limits:
    """Measure all limits.

    Parameters
    ----------
    actions : sequence of int
        Sizes of games for which reading half a table is timed.
    values : array
        Of ones, larger than any cache.
    rounds : int
    """
    read(values[:1], 1)
    halves = np.array_split(values, 2)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(read, halves, (1, 1)))
        two = min(_seconds(lambda: list(pool.map(read, halves, (1, 1)))) for _ in range(rounds))
    one = min(_seconds(lambda: read(values, 1)) for _ in range(rounds))
    exponents, results = np.linspace(-20.0, 0.0, EXPONENTIALS), np.empty(EXPONENTIALS)
    exponential = min(_repeated(lambda passes: [np.exp(exponents, out=results) for _ in range(passes)]) for _ in range(rounds))
    tables = {}
    for number in actions:
        count = min(len(values), max(1, round(half_table_bytes(number) / 8)))
        part = values[:count]
        tables[number] = part.nbytes / min(_repeated(lambda passes, part=part: read(part, passes)) for _ in range(rounds))
    return Limits(values.nbytes / one, values.nbytes / two, EXPONENTIALS / exponential, tables, values.nbytes / 1e6)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _repeated(call: Callable[[int], object]) -> float:
    """Seconds a pass, of enough passes."""
    passes = 1
    while (spent := _seconds(partial(call, passes))) < LEAST:
        passes = max(2 * passes, int(passes * LEAST / max(spent, 1e-9)))
    return spent / passes
