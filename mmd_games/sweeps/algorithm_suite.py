"""Suites: games × algorithms × seeds, cell by cell; a finished cell is never lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import tomllib
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mmd_games import algorithms, games, plots, specs
from mmd_games.errors import InputError, require_positive, require_whole, unknown
from mmd_games.loop import default_start, solve
from mmd_games.loop.budget import steps_within
from mmd_games.loop.progress import Interrupt, StderrProgress, interruptible
from mmd_games.report import output_directory, require_writable, verify
from mmd_games.verification import default_tolerance

SCHEMA = "mmd_games.bench/1"
LISTS = {"games": '["random:n=10"]', "algorithms": '["mpo", "omwu"]', "seeds": "[0, 1]"}
"""The keys of a suite that are lists, with an example."""
LEVELS = (1e-2, 1e-4, 1e-6, 1e-8)
"""Relative gaps whose cost in products is reported."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What to run.

    Attributes
    ----------
    name : str
    games, algorithms : tuple of str
        Specs. A game that takes a seed, and has none in its spec, is made once for each of `seeds`.
    seeds : tuple of int
    products : int
        Budget of a cell, in matrix-vector products.
    tolerance : float
        Largest gap that counts as an equilibrium, relative to L.
    """

    name: str
    games: tuple[str, ...]
    algorithms: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    products: int = 100_000
    tolerance: float = 1e-8

    def __post_init__(self) -> None:
        require_whole(products=self.products)
        require_positive(tolerance=self.tolerance)
        for key in LISTS:
            if not getattr(self, key):
                raise InputError(f"A suite needs at least one entry in '{key}'.")

    def cells(self) -> list[dict[str, Any]]:
        """The settings of every cell; each algorithm, and each game with its first seed, is made once before anything runs."""
        for spec in self.algorithms:
            algorithms.from_spec(spec)
        settings = {"products": self.products, "tolerance": self.tolerance}
        return [{"game": game, "algorithm": algorithm, **settings} for spec in self.games for game in self._seeded(spec) for algorithm in self.algorithms]

    def _seeded(self, spec: str) -> list[str]:
        seeds = self.seeds if games.takes_seed(spec) else ()
        every = [f"{spec}{',' if ':' in spec else ':'}seed={seed}" for seed in seeds] or [spec]
        games.from_spec(every[0])
        return every


@dataclass(frozen=True)
class SweepResult:
    """The rows of a sweep, in the suite's order; a cell that failed is a row with its error."""

    suite: Suite
    cells: list[dict[str, Any]]
    interrupted: bool

    @property
    def drawn(self) -> bool:
        """Whether any cell has gaps to draw."""
        return any("gaps" in cell for cell in self.cells)

    def rows(self) -> list[dict[str, str]]:
        """The rows as text, for a table."""
        return [
            {
                "game": cell["game"],
                "algorithm": cell["algorithm"],
                "verdict": cell.get("verdict", "failed"),
                "gap / L": f"{cell['gap']:.1e}" if "gap" in cell else "",
                **{f"to {level:.0e}": f"{cell['cost'][f'{level:.0e}'] or '-'}" if "cost" in cell else "" for level in LEVELS},
                "factor a product": f"{cell['factor']:.6f}" if cell.get("factor") else "",
                "how it ended": cell.get("headline", cell.get("error", "")),
            }
            for cell in self.cells
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"schema": SCHEMA, "suite": asdict(self.suite), "interrupted": self.interrupted, "cells": self.cells}


def read_suite(path: str | os.PathLike[str]) -> Suite:
    """Read a suite from a TOML file.

    Raises
    ------
    InputError
        When the file is missing or not TOML, and for an unknown key (the nearest is offered).
    """
    try:
        with Path(path).open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error}).") from None
    known = {field.name for field in fields(Suite)}
    for key, value in content.items():
        if key not in known:
            raise InputError(f"{path}: {unknown('key', key, known)}")
        if key in LISTS and not isinstance(value, list):
            raise InputError(f"{path}: {key} must be a list, as in {key} = {LISTS[key]}, got {value!r}.")
    try:
        return specs.build(Suite, {"name": Path(path).stem, **content}, "a suite")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def run_suite(suite: Suite, directory: str | os.PathLike[str], *, jobs: int = 1, resume: bool = False) -> SweepResult:
    """Run every cell, writing each to `directory` as it finishes, then results.json and gaps.png.

    Parameters
    ----------
    suite : Suite
    directory : path
    jobs : int
        Processes that run cells at once.
    resume : bool
        Keep the cells that an earlier run finished with the very same settings, and run the failed ones again; without it a directory that holds
        cells is refused.
    """
    require_whole(jobs=jobs)
    require_writable(directory)
    cells = suite.cells()
    store = Path(directory) / "cells"
    finished = {key for key, row in _finished(store, cells).items() if "error" not in row}
    if any(store.glob("*.json")) and not resume:
        raise InputError(f"{directory}: holds finished cells; --resume keeps them, another --out starts afresh.")
    waiting = [cell for cell in cells if _key(cell) not in finished]
    with interruptible() as interrupt:
        _run_cells(waiting, store, jobs, interrupt, done=len(finished), of=len(cells))
    rows = _finished(store, cells)
    result = SweepResult(suite, [rows[_key(cell)] for cell in cells if _key(cell) in rows], interrupt.pressed and len(rows) < len(cells))
    with output_directory(directory) as folder:
        (folder / "results.json").write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
        if result.drawn:
            plots.save(plots.plot_suite(result.cells, suite.name), folder / "gaps.png")
    return result


def run_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Play and judge one cell; a failure (a setting out of range, a mistake in a user's own method) becomes the row's error, and the others go on."""
    row: dict[str, Any] = dict(cell)
    try:
        game, method = games.from_spec(cell["game"]), algorithms.from_spec(cell["algorithm"])
        tolerance = cell["tolerance"] / 1e-8 * default_tolerance(game)
        start, notes = default_start(game, tolerance)
        trace = solve(game, method, steps=steps_within(cell["products"], method, game), until=tolerance / 10, start=start)
        if trace.stopped == "interrupted":
            raise KeyboardInterrupt
        report = verify(trace, tolerance, notes=notes)
    except Exception as error:
        return row | {"error": str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"}
    scale = float(game.scale) or 1.0
    relative = trace.gaps / scale
    rate = report.convergence.rate
    return row | {
        "settings": trace.algorithm_spec,
        "verdict": report.verdict.value,
        "headline": report.headline.name.lower(),
        "sentence": report.headline.sentence,
        "gap": float(relative[-1]),
        "cost": {f"{level:.0e}": _cost(trace.products, relative, level) for level in LEVELS},
        "factor": None if rate is None else rate ** (trace.steps / float(trace.products[-1])),
        "products_spent": trace.products.tolist(),
        "gaps": relative.tolist(),
        "notes": list(notes),
    }


def _cost(products: np.ndarray, gaps: np.ndarray, level: float) -> int | None:
    """Products after which the gap stays at or below a level; None where it does not."""
    above = np.flatnonzero(gaps > level)
    first = above[-1] + 1 if len(above) else 0
    return int(products[first]) if first < len(gaps) else None


def _key(cell: Mapping[str, Any]) -> str:
    """A cell's name: a digest of all its settings and of the schema of its row."""
    return hashlib.sha256(json.dumps([SCHEMA, cell], sort_keys=True).encode()).hexdigest()[:20]


def _finished(store: Path, cells: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows already on disk, by key; a damaged one counts as missing."""
    rows = {}
    for key in map(_key, cells):
        with contextlib.suppress(FileNotFoundError, ValueError):
            rows[key] = json.loads((store / f"{key}.json").read_text(encoding="utf-8"))
    return rows


def _run_cells(cells: list[dict[str, Any]], store: Path, jobs: int, interrupt: Interrupt, done: int, of: int) -> None:
    """Run cells one after the other or in processes; the first Ctrl-C stops after what is running."""
    from joblib import Parallel, delayed, parallel_config  # imported where it is used: it starts a resource tracker

    progress = StderrProgress("cells", gaps=False)
    if jobs == 1:
        for number, cell in enumerate(cells, start=1):
            if interrupt.pressed or not _run_and_store(run_cell, cell, store):
                interrupt.pressed = True
                break
            progress(done + number, of, 0.0)
        return
    with parallel_config(backend="loky", inner_max_num_threads=1):
        running: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(_in_worker)(cell, store) for cell in cells)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*tasks", UserWarning)  # that closing early cancels what still runs is meant
            for number, kept in enumerate(running, start=1):
                progress(done + number, of, 0.0)
                if interrupt.pressed or not kept:
                    interrupt.pressed = True
                    break
            running.close()


def _in_worker(cell: dict[str, Any], store: Path) -> bool:
    """Run a cell in a process of its own, which a Ctrl-C at the terminal reaches too: it ends the run inside `solve`, and nothing where none is."""
    signal.signal(signal.SIGINT, lambda number, frame: None)
    return _run_and_store(run_cell, cell, store)


def _run_and_store(run: Callable[[Mapping[str, Any]], dict[str, Any]], cell: dict[str, Any], store: Path) -> bool:
    """Run a cell and write its row whole; False where it was interrupted."""
    try:
        row = run(cell)
    except KeyboardInterrupt:
        return False
    with output_directory(store) as folder:
        (folder / f"{_key(cell)}.json").write_text(json.dumps(row), encoding="utf-8")
    return True
