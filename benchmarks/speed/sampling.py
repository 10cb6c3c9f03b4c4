"""Where a program spends its time: a timer asks every millisecond which functions of the package are running, and on behalf of what.

cProfile, which counts every call, takes three times as long as the run itself, and makes what has many small calls look large. A sampler has a fault of its own: Python hears the timer at the
next call or return to Python code, and not while a library works, so that a product with which a function ends would be charged to its caller. Functions of which the time is to be known as such
are therefore watched: a thin wrapper says what kind of work is being done, and Python hears the timer before it begins and as it ends.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

PACKAGE = str(Path(find_spec("mmd_games").origin).parent) + os.sep  # type: ignore[union-attr, arg-type]
TICK = 1e-3
"""Seconds between two questions, on average."""


class Place(NamedTuple):
    """A function that is running: its module's path within the package, its name and its first line."""

    path: str
    name: str
    line: int

    @property
    def room(self) -> str:
        """The folder, or the module where there is none."""
        return self.path.rpartition("/")[0] or self.path


Stack = tuple[Place, ...]
"""The functions of the package that are running, the innermost first."""


class Watched(NamedTuple):
    """A function of which all time, with what it calls, is work of one kind: `owner` is the class or the module that has it under this name."""

    owner: Any
    name: str
    kind: str


def wherever(function: Callable[..., Any], kind: str) -> list[Watched]:
    """A function in all modules of the package that have imported it by its name."""
    name = function.__name__
    modules = [module for module in list(sys.modules.values()) if getattr(module, "__name__", "").partition(".")[0] == "mmd_games"]
    return [Watched(module, name, kind) for module in modules if vars(module).get(name) is function]


class Sampler:
    """Asks what runs, and charges it with the time since the last question.

    Parameters
    ----------
    watched : sequence of Watched

    Attributes
    ----------
    seconds : dict of (str, Stack) to float
        By the kind of what is watched, empty for all else, and by what was running.
    """

    def __init__(self, watched: Sequence[Watched] = ()) -> None:
        self.seconds: defaultdict[tuple[str, Stack], float] = defaultdict(float)
        self._watched, self._kind, self._random = watched, "", random.Random(0)
        self._asking = False

    def __enter__(self) -> None:
        self._plain = [getattr(owner, name) for owner, name, _ in self._watched]
        for (owner, name, kind), function in zip(self._watched, self._plain, strict=True):
            setattr(owner, name, self._watch(function, kind))
        self._before = signal.signal(signal.SIGALRM, self._ask)
        self._last, self._asking = time.perf_counter(), True
        self._wait()

    def __exit__(self, *error: object) -> None:
        self._asking = False  # before the timer is stopped, for a question that is heard after that must not start it again
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        for (owner, name, _), function in zip(self._watched, self._plain, strict=True):
            setattr(owner, name, function)

    def _watch(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            outer, self._kind = self._kind, kind
            try:
                return function(*args, **kwargs)
            finally:
                self._kind = outer

        return watched

    def _wait(self) -> None:
        """Until the next question, now a little more and now a little less, so that no work keeps time with them."""
        signal.setitimer(signal.ITIMER_REAL, TICK * (0.5 + self._random.random()))

    def _ask(self, number: int, frame: FrameType | None) -> None:
        places = []
        while frame is not None:
            path = _within(frame.f_code.co_filename)
            if path:
                places.append(Place(path, frame.f_code.co_name, frame.f_code.co_firstlineno))
            frame = frame.f_back
        now = time.perf_counter()
        self.seconds[self._kind, tuple(places)] += now - self._last
        self._last = now
        if self._asking:
            self._wait()


def _within(path: str) -> str:
    """The path of a module within the package; empty for others."""
    return Path(path.removeprefix(PACKAGE)).as_posix() if path.startswith(PACKAGE) else ""
