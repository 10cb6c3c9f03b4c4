"""The stopwatch: how long a call takes, and how much memory, with everything else out of the way."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from mmd_games.games.game import Game

LONG = 1.0
"""Seconds: of calls that take less, the first is not counted, for it may read files and compile."""
SHORT = 2e-3
"""Seconds: calls that take less are repeated so often, and the mean is taken, that a clock can time them."""


def take_times(call: Callable[[], Any], repeats: int, seconds: float) -> tuple[Any, list[float], float]:
    """Time a call several times over, the collector of garbage switched off.

    Parameters
    ----------
    call : callable
    repeats : int
        How many times to take, at least 1.
    seconds : float
        Fewer are taken where another would take all together past this; one is, whatever it takes.

    Returns
    -------
    result : object
        Of the first call.
    times : list of float
        Seconds a call.
    processor : float
        Processors in use, on average: well below 1 where others wanted the machine, and the times are not to be trusted.
    """
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    began, used = time.perf_counter(), time.process_time()
    try:
        result, first = _timed(call)
        times, calls = [first], 1
        if first < LONG and repeats > 1:
            calls = max(1, round(SHORT / max(_timed(call)[1], 1e-9)))
            times = [_mean(call, calls)]
        while len(times) < repeats and sum(times) + max(times) <= seconds:
            times.append(_mean(call, calls))
    finally:
        if enabled:
            gc.enable()
    return result, times, (time.process_time() - used) / max(time.perf_counter() - began, 1e-9)


def peak_memory(call: Callable[[], Any]) -> int:
    """The most bytes that a call holds at once, as Python and NumPy allocate them (what BLAS takes for itself is not seen)."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def stored_bytes(game: Game) -> int:
    """The bytes of all arrays that a game holds, such as its embeddings."""
    seen: dict[int, int] = {}

    def visit(value: Any) -> None:
        if id(value) in seen:
            return
        seen[id(value)] = 0
        if isinstance(value, np.ndarray):
            if isinstance(value.base, np.ndarray):
                visit(value.base)
            else:
                seen[id(value)] = value.nbytes
        elif isinstance(value, list | tuple):
            for entry in value:
                visit(entry)
        else:
            for entry in getattr(value, "__dict__", {}).values():
                visit(entry)

    visit(game)
    return sum(seen.values())


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def _mean(call: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls
