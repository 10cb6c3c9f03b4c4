"""How long the rest of a sweep will take, by the cells that are finished, and a bar that says so."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mmd_games.sweeps.cells import Cell, Row

PATIENCE = 2.0
"""Seconds of silence: shorter work shows no progress."""
FEWEST = 2
"""Finished cells, at least, on which a remaining time is based."""

Keys = tuple[tuple[str, ...], ...]
"""What tells how long a cell takes, the closest first: cells that share all of them are expected to take equally long."""


class Remaining:
    """The remaining time of cells, from the times of finished ones.

    A waiting cell is taken to need what finished cells of the same algorithm and the same game but for its seed took on average; where there are none, those of the same
    game; then those of the same algorithm; then all of them.

    Parameters
    ----------
    waiting : sequence of cells
    finished : iterable of rows
        Of earlier runs.
    jobs : int
        Cells that run at once.
    """

    def __init__(self, waiting: Sequence[Cell], finished: Iterable[Row] = (), *, jobs: int = 1):
        self._jobs = max(1, jobs)
        self._waiting = Counter(map(_keys, waiting))
        self._times: dict[tuple[str, ...], tuple[float, int]] = {}
        for row in finished:
            self._learn(row)

    def finish(self, cell: Cell, row: Row) -> None:
        """Take a cell from the waiting ones, and learn from its time."""
        self._waiting[_keys(cell)] -= 1
        self._learn(row)

    def seconds(self) -> float | None:
        """Seconds until all are finished; None where too few are to tell."""
        if self._times.get((), (0.0, 0))[1] < FEWEST:
            return None
        expected = {keys: self._expected(keys) for keys, number in self._waiting.items() if number > 0}
        whole = sum(self._waiting[keys] * seconds for keys, seconds in expected.items())
        return max(whole / self._jobs, max(expected.values(), default=0.0))

    def _expected(self, keys: Keys) -> float:
        whole, number = next(self._times[key] for key in keys if key in self._times)
        return whole / number

    def _learn(self, row: Row) -> None:
        taken = row.get("timing", {}).get("cell")
        if taken is not None and "error" not in row:
            for key in _keys(row):
                whole, number = self._times.get(key, (0.0, 0))
                self._times[key] = whole + taken, number + 1


def _keys(cell: Cell) -> Keys:
    game, algorithm = str(cell.get("entry", cell.get("game"))), str(cell.get("algorithm"))
    return (algorithm, game), ("game", "", game), ("algorithm", algorithm, "", ""), ()


def in_words(seconds: float | None) -> str:
    """A remaining time as people say it; nothing where it is not known.

    Examples
    --------
    >>> in_words(170), in_words(40), in_words(5), in_words(9000), in_words(None)
    ('about 3 min left', 'about 40 s left', 'a few seconds left', 'about 2.5 h left', '')
    """
    if seconds is None:
        return ""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 55:
        return f"about {round(seconds, -1):.0f} s left"
    if seconds < 90 * 60:
        return f"about {max(1, round(seconds / 60))} min left"
    return f"about {seconds / 3600:.1f} h left" if seconds < 10 * 3600 else f"about {seconds / 3600:.0f} h left"


class SweepBar:
    """A bar on stderr for sweeps that take longer than two seconds; where stderr is no terminal nothing is drawn.

    Parameters
    ----------
    done, of : int
        Cells finished before, and of how many.
    remaining : Remaining
    """

    def __init__(self, done: int, of: int, remaining: Remaining, clock: Callable[[], float] = time.monotonic):
        self._done, self._of, self._remaining, self._clock = done, of, remaining, clock
        self._due = clock() + PATIENCE
        self._bar: Any = None
        self._text, self._said = "", clock()
        self._estimate: float | None = None

    def finish(self, cell: Cell, row: Row) -> None:
        """Draw a finished cell."""
        self._done += 1
        self._remaining.finish(cell, row)
        self._estimate, self._said = self._remaining.seconds(), self._clock()
        self.draw()

    def text(self) -> str:
        """The remaining time, less what has passed since it was estimated."""
        return "" if self._estimate is None else in_words(max(0.0, self._estimate - (self._clock() - self._said)))

    def draw(self) -> None:
        """Draw, once it is due."""
        if self._bar is None:
            if self._done >= self._of or self._clock() < self._due:
                return
            from rich.console import Console  # imported where it is used: it costs more than many a run
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
            from rich.text import Text

            console = Console(stderr=True)
            if not (console.is_terminal or console.is_jupyter):
                self._due = float("inf")
                return
            text = self.text

            class Left(ProgressColumn):
                """The remaining time, as it runs down while a cell runs."""

                def render(self, task: Task) -> Text:
                    return Text(text())

            self._bar = Progress(TextColumn("cells"), BarColumn(), MofNCompleteColumn(), Left(), console=console, transient=True)
            self._task = self._bar.add_task("cells", total=self._of)
            self._bar.start()
        self._bar.update(self._task, completed=self._done)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
