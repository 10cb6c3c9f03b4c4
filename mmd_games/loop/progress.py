"""Progress of long work, on stderr, and a Ctrl-C that loses nothing."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Protocol

PATIENCE = 2.0
"""Seconds of silence: shorter work shows no progress."""


class Progress(Protocol):
    """Told now and then how far a run is."""

    def __call__(self, step: int, steps: int, gap: float) -> None:
        """Be told that `step` of `steps` are done, with the gap there."""
        ...


def silent(step: int, steps: int, gap: float) -> None:
    """Progress that says nothing."""


class StderrProgress:
    """A bar on stderr for work that takes longer than two seconds; called with step = steps it goes away.

    Where stderr is no terminal (a log file) nothing is drawn.

    Parameters
    ----------
    what : str
        What is going on.
    gaps : bool
        Whether the gap is shown beside the bar.
    """

    def __init__(self, what: str = "solving", *, gaps: bool = True):
        self._what = what
        self._gaps = gaps
        self._due = time.monotonic() + PATIENCE
        self._bar: Any = None

    def __call__(self, step: int, steps: int, gap: float) -> None:
        """Draw, once it is due."""
        if self._bar is None:
            if step >= steps or time.monotonic() < self._due:
                return
            from rich.console import Console  # imported where it is used: it costs more than many a run
            from rich.progress import Progress as Bar

            console = Console(stderr=True)
            if not (console.is_terminal or console.is_jupyter):
                self._due = float("inf")
                return
            self._bar = Bar(*Bar.get_default_columns(), *(["gap {task.fields[gap]:.2e}"] if self._gaps else []), console=console, transient=True)
            self._task = self._bar.add_task(self._what, total=steps, gap=gap)
            self._bar.start()
        self._bar.update(self._task, completed=step, total=steps, gap=gap)
        if step >= steps:
            self._bar.stop()
            self._bar = None


class Interrupt:
    """Whether Ctrl-C was pressed."""

    pressed: bool = False


_around: list[Interrupt] = []
"""Those in force, outermost first."""


@contextlib.contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Turn the first Ctrl-C into a flag, so that no step is torn apart; the second one interrupts as usual.

    What begins after the flag of something around it has gone up begins with its own flag up. Outside the main thread signals cannot be caught, and the flag stays down.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.getsignal(signal.SIGINT) or signal.default_int_handler

    def press(number: int, frame: FrameType | None) -> None:
        interrupt.pressed = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    interrupt.pressed = any(outer.pressed for outer in _around)
    _around.append(interrupt)
    try:
        yield interrupt
    finally:
        _around.pop()
        signal.signal(signal.SIGINT, before)
