"""Running a suite: what is finished is kept, the rest runs, and the results are written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mmd_games import plots
from mmd_games.errors import InputError, require_whole
from mmd_games.loop.progress import interruptible
from mmd_games.report import output_directory, require_writable
from mmd_games.sweeps.cells import Cell, Row, Store, run_cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Result(Protocol):
    """The rows of a sweep, in the suite's order."""

    @property
    def cells(self) -> list[Row]:
        """The rows."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether cells are missing because of a Ctrl-C."""
        ...

    @property
    def title(self) -> str:
        """What stands above the table."""
        ...

    @property
    def figure(self) -> str | None:
        """The file name of the plot; None where there is nothing to draw."""
        ...

    @property
    def exit_status(self) -> int:
        """What the command line says of it."""
        ...

    def rows(self) -> list[dict[str, str]]:
        """The rows as text, for a table."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        ...

    def plot(self) -> Axes:
        """Draw them."""
        ...


class AnySuite(Protocol):
    """What to run: a suite of algorithms or of solvers."""

    @property
    def name(self) -> str:
        """What the suite is called."""
        ...

    @property
    def schema(self) -> str:
        """What a row looks like."""
        ...

    def cells(self) -> list[dict[str, Any]]:
        """The settings of every cell."""
        ...

    def runner(self, jobs: int, finished: Sequence[Row]) -> Callable[[Cell], Row]:
        """What makes a row of a cell, knowing the rows that are finished; refuses more `jobs` than it can have."""
        ...

    def result(self, rows: list[Row], interrupted: bool) -> Result:
        """The rows, in the suite's order."""
        ...


def run_suite(suite: AnySuite, directory: str | os.PathLike[str], *, jobs: int = 1, resume: bool = False) -> Any:
    """Run every cell, writing each to `directory` as it finishes, then results.json and a plot.

    Parameters
    ----------
    suite : Suite or ReferenceSuite
    directory : path
    jobs : int
        Processes that run cells at once; 1 where times are taken.
    resume : bool
        Keep the cells that an earlier run finished with the very same settings, and run the failed ones again; without it a directory that holds
        cells is refused.

    Returns
    -------
    SweepResult or ReferenceResult
        Whose rows stand in the suite's order.
    """
    require_whole(jobs=jobs)
    require_writable(directory)
    cells, store = suite.cells(), Store(Path(directory) / "cells", suite.schema)
    finished = {key: row for key, row in store.rows(cells).items() if "error" not in row}
    run = suite.runner(jobs, list(finished.values()))
    if any(store.folder.glob("*.json")) and not resume:
        raise InputError(f"{directory}: holds finished cells; --resume keeps them, another --out starts afresh.")
    waiting = [cell for cell in cells if store.key(cell) not in finished]
    with interruptible() as interrupt:
        run_cells(waiting, run, store, jobs, interrupt, done=len(finished), of=len(cells))
    rows = store.rows(cells)
    result = suite.result([rows[store.key(cell)] for cell in cells if store.key(cell) in rows], interrupt.pressed and len(rows) < len(cells))
    with output_directory(directory) as folder:
        (folder / "results.json").write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
        if result.figure is not None:
            plots.save(result.plot(), folder / result.figure)
    return result
