"""Cells on disk: each is run once, written whole as it finishes, and found again by its settings."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmd_games import games
from mmd_games.errors import InputError
from mmd_games.report import output_directory

Cell = Mapping[str, Any]
"""The settings of a cell, JSON-ready."""
Row = dict[str, Any]
"""A cell with what came of it; with a key "error" where it failed."""
CURVES = ("products_spent", "gaps", "average_gaps")
"""What a row has for every record of its run."""
MOST_POINTS, FEWEST_POINTS = 40_000, 40
"""Points that the curves of all rows together may have before each is thinned, and what is left to it at least."""


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

    def rows(self, cells: Sequence[Cell]) -> dict[str, Row]:
        """The rows on disk, by key; a damaged one counts as missing. Where there are many, their curves are thinned."""
        rows, points = {}, max(FEWEST_POINTS, MOST_POINTS // max(1, len(cells)))
        for key in map(self.key, cells):
            with contextlib.suppress(FileNotFoundError, ValueError):
                rows[key] = thinned(json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8")), points)
        return rows

    def write(self, cell: Cell, row: Row) -> None:
        """Write a row, whole or not at all."""
        with output_directory(self.folder) as folder:
            (folder / f"{self.key(cell)}.json").write_text(json.dumps(row), encoding="utf-8")

    def files(self) -> list[Path]:
        """The files of finished cells, of whatever suite."""
        return sorted(path for path in self.folder.glob("*.json") if not path.name.startswith("."))

    def any_row(self) -> Row | None:
        """A row of whatever suite; None where there is none that can be read."""
        for path in self.files():
            with contextlib.suppress(OSError, ValueError):
                row = json.loads(path.read_text(encoding="utf-8"))
                if row and isinstance(row, dict):
                    return row
        return None

    def clear(self) -> None:
        """Delete all finished cells."""
        for path in self.files():
            path.unlink()


def remove_leftovers(directory: Path) -> None:
    """Delete what a sweep that was killed had begun to write, in a folder of results and in that of its cells."""
    for folder in (directory, directory / "cells"):
        for path in folder.glob(".partial-*") if folder.is_dir() else ():
            if path.is_dir() and re.fullmatch(r"\.partial-\w{8}", path.name):
                shutil.rmtree(path, ignore_errors=True)


def thinned(row: Row, points: int) -> Row:
    """A row whose curves have at most about so many points, evenly spread over the logarithm of the products; first and last stay."""
    products = row.get("products_spent", [])
    if len(products) <= points:
        return row
    marks = np.unique(np.geomspace(1, products[-1], points - 2).round())
    kept = np.unique(np.concatenate([[0], np.searchsorted(products, marks), [len(products) - 1]])).tolist()
    return row | {name: [row[name][index] for index in kept] for name in CURVES if name in row}


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
