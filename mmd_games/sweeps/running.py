"""Running a suite: what is finished is kept, the rest runs, and the results are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmd_games.errors import InputError, require_whole
from mmd_games.loop.progress import Interrupt, interruptible
from mmd_games.report import require_writable
from mmd_games.sweeps.backends import Backend, Pool, Run, WorkerLostError
from mmd_games.sweeps.cells import Cell, Row, Store, remove_leftovers
from mmd_games.sweeps.kinds import AnySuite
from mmd_games.sweeps.reference_suite import ReferenceSuite
from mmd_games.sweeps.remaining import Remaining, SweepBar
from mmd_games.sweeps.results import remove_result, require_schema, write_result, write_suite

LOST = "the process that ran it was killed: it may need more memory than there is."
"""The error of a cell that ends its process, whoever runs beside it."""


def run_suite(
    suite: AnySuite,
    directory: str | os.PathLike[str],
    *,
    jobs: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    backend: str = "loky",
    address: str | None = None,
) -> Any:
    """Run every cell, writing each to `directory` as it finishes, then the results and their plots.

    Parameters
    ----------
    suite : Suite or ReferenceSuite
    directory : path
    jobs : int
        Processes that run cells at once on this machine; 1 where times are taken.
    resume : bool
        Keep the cells that an earlier run finished with the very same settings, and run the failed ones again; without it, or `overwrite`, a directory that holds
        cells is refused.
    overwrite : bool
        Delete the cells of earlier runs, and start afresh.
    backend : {"loky", "dask", "ray"}
        Where cells run: on this machine, or on the cluster at `address`.
    address : str, optional
        Of the cluster's scheduler.

    Returns
    -------
    SweepResult or ReferenceResult
        Whose rows stand in the suite's order.

    Raises
    ------
    InputError
        For a directory that holds cells, or results of another version; a scheduler that does not answer; and what the suite refuses.
    """
    require_whole(jobs=jobs)
    place = Backend(backend, address)
    if resume and overwrite:
        raise InputError("--resume keeps finished cells, --overwrite deletes them; give one of the two.")
    if place.address is not None and isinstance(suite, ReferenceSuite):
        raise InputError(f"Times are taken one at a time, in this process: --backend {backend} is for suites of algorithms.")
    require_writable(directory)
    folder, store = Path(directory), Store(Path(directory) / "cells", suite.schema)
    cells = suite.cells()
    if not overwrite:
        require_schema(folder, suite.schema)
    finished = {} if overwrite else {key: row for key, row in store.rows(cells).items() if "error" not in row}
    run = suite.runner(jobs, list(finished.values()))
    if store.files() and not (resume or overwrite):
        raise InputError(f"{directory}: holds finished cells; --resume keeps them, --overwrite starts afresh, and so does another --out.")
    waiting = [cell for cell in cells if store.key(cell) not in finished]
    with interruptible() as interrupt, place.pool(jobs) as (pool, at_once):
        remove_leftovers(folder)
        if overwrite:
            store.clear()
            remove_result(folder)
        write_suite(suite, folder)
        bar = SweepBar(len(finished), len(cells), Remaining(waiting, finished.values(), jobs=at_once))
        try:
            _run_cells(waiting, run, pool, interrupt, lambda cell, row: (store.write(cell, row), bar.finish(cell, row)))
        finally:
            bar.close()
    rows = store.rows(cells)
    result = suite.result([rows[store.key(cell)] for cell in cells if store.key(cell) in rows], interrupt.pressed and len(rows) < len(cells))
    write_result(result, folder)
    return result


def _run_cells(waiting: Sequence[Cell], run: Run, pool: Pool | None, interrupt: Interrupt, keep: Callable[[Cell, Row], Any]) -> None:
    """Run cells; the first Ctrl-C stops after what is running. `keep` is told each row as it ends, in this process."""
    left = dict(enumerate(waiting))
    if pool is not None:
        while left and not interrupt.pressed:
            try:
                _drain(pool, run, left, left, interrupt, keep)
            except WorkerLostError:
                _run_alone(pool, run, left, interrupt, keep)
        return
    for cell in waiting:
        if interrupt.pressed:
            break
        try:
            row = run(cell)
        except KeyboardInterrupt:
            interrupt.pressed = True
            break
        keep(cell, row)


def _drain(pool: Pool, run: Run, cells: Mapping[int, Cell], left: dict[int, Cell], interrupt: Interrupt, keep: Callable[[Cell, Row], Any]) -> None:
    """Run cells in a pool, taking those that end from what is left."""
    with pool(run, dict(cells)) as outcomes:
        for outcome in outcomes:
            if outcome is not None:
                number, row = outcome
                if row is None:
                    interrupt.pressed = True
                else:
                    keep(left.pop(number), row)
            if interrupt.pressed:
                break


def _run_alone(pool: Pool, run: Run, left: dict[int, Cell], interrupt: Interrupt, keep: Callable[[Cell, Row], Any]) -> None:
    """After a process died, the first cell that is left runs with no other beside it: if it is the one, this shows it, and if not, it is finished."""
    number, cell = next(iter(left.items()))
    try:
        _drain(pool, run, {number: cell}, left, interrupt, keep)
    except WorkerLostError:
        keep(left.pop(number), {**cell, "error": LOST})
