"""Cells on disk: each is run once, written whole as it finishes, and found again by its settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmd_games import games
from mmd_games.errors import InputError
from mmd_games.loop.progress import Interrupt, StderrProgress
from mmd_games.report import output_directory

Cell = Mapping[str, Any]
"""The settings of a cell, JSON-ready."""
Row = dict[str, Any]
"""A cell with what came of it; with a key "error" where it failed."""


@dataclass(frozen=True)
class Store:
    """The folder of finished cells.

    Attributes
    ----------
    folder : Path
    schema : str
        What a row looks like: rows of another schema are other files.
    """

    folder: Path
    schema: str

    def key(self, cell: Cell) -> str:
        """A cell's name: a digest of all its settings and of the schema of its row."""
        return hashlib.sha256(json.dumps([self.schema, cell], sort_keys=True).encode()).hexdigest()[:20]

    def rows(self, cells: Iterable[Cell]) -> dict[str, Row]:
        """The rows on disk, by key; a damaged one counts as missing."""
        rows = {}
        for key in map(self.key, cells):
            with contextlib.suppress(FileNotFoundError, ValueError):
                rows[key] = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        return rows

    def write(self, cell: Cell, row: Row) -> None:
        """Write a row, whole or not at all."""
        with output_directory(self.folder) as folder:
            (folder / f"{self.key(cell)}.json").write_text(json.dumps(row), encoding="utf-8")


def run_cells(cells: Sequence[Cell], run: Callable[[Cell], Row], store: Store, jobs: int, interrupt: Interrupt, *, done: int, of: int) -> None:
    """Run cells one after the other or in processes; the first Ctrl-C stops after what is running.

    Parameters
    ----------
    cells : sequence of cells
    run : callable
        Makes the row of a cell; picklable where `jobs` is more than 1.
    store : Store
    jobs : int
    interrupt : Interrupt
        Raised when a cell was interrupted, too.
    done, of : int
        Cells finished before, and of how many, for the progress shown.
    """
    progress = StderrProgress("cells", gaps=False)
    if jobs == 1:
        for number, cell in enumerate(cells, start=1):
            if interrupt.pressed or not _run_and_store(run, cell, store):
                interrupt.pressed = True
                break
            progress(done + number, of, 0.0)
        return
    from joblib import Parallel, delayed, parallel_config  # imported where it is used: it starts a resource tracker

    with parallel_config(backend="loky", inner_max_num_threads=1):
        running: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(_in_worker)(run, cell, store) for cell in cells)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*tasks", UserWarning)  # that closing early cancels what still runs is meant
            for number, kept in enumerate(running, start=1):
                progress(done + number, of, 0.0)
                if interrupt.pressed or not kept:
                    interrupt.pressed = True
                    break
            running.close()


def require_entries(**lists: Sequence[Any]) -> None:
    """Refuse a suite one of whose lists is empty, by name."""
    for key, entries in lists.items():
        if not entries:
            raise InputError(f"A suite needs at least one entry in '{key}'.")
        if len(set(entries)) < len(entries):
            twice = next(entry for entry in entries if list(entries).count(entry) > 1)
            raise InputError(f"A suite names every entry of '{key}' once; {twice!r} stands there more often.")


def seeded(spec: str, seeds: Sequence[int]) -> list[str]:
    """The game of a spec once for each seed, or once where it takes none; the first is made, so that a wrong spec is refused before anything runs."""
    every = [with_seed(spec, seed) for seed in seeds] if games.takes_seed(spec) else [spec]
    games.from_spec(every[0])
    return every


def family(spec: str) -> str:
    """A game's spec without its size: what games of several sizes have in common."""
    name, _, keys = spec.partition(":")
    return ":".join(filter(None, [name.strip(), ",".join(key for key in keys.split(",") if key and not key.strip().startswith("n="))]))


def with_seed(spec: str, seed: int) -> str:
    """The spec of a game that takes a seed, with this one."""
    return f"{spec}{',' if ':' in spec else ':'}seed={seed}"


def _in_worker(run: Callable[[Cell], Row], cell: Cell, store: Store) -> bool:
    """Run a cell in a process of its own, which a Ctrl-C at the terminal reaches too: it ends the run inside `solve`, and nothing where none is."""
    signal.signal(signal.SIGINT, lambda number, frame: None)
    return _run_and_store(run, cell, store)


def _run_and_store(run: Callable[[Cell], Row], cell: Cell, store: Store) -> bool:
    """Run a cell and write its row; False where it was interrupted."""
    try:
        row = run(cell)
    except KeyboardInterrupt:
        return False
    store.write(cell, row)
    return True
