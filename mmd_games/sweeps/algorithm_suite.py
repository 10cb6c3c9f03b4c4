"""Suites of algorithms: every cell plays one on a game and judges its last iterate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games import algorithms, games, plots
from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.loop import default_start, solve
from mmd_games.loop.budget import steps_within
from mmd_games.report import verify
from mmd_games.sweeps.cells import Cell, Row, require_entries, seeded
from mmd_games.verification import default_tolerance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA = "mmd_games.bench/1"
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
        require_entries(games=self.games, algorithms=self.algorithms, seeds=self.seeds)

    @property
    def schema(self) -> str:
        """What a row looks like."""
        return SCHEMA

    def cells(self) -> list[dict[str, Any]]:
        """The settings of every cell; each algorithm, and each game with its first seed, is made once before anything runs."""
        for spec in self.algorithms:
            algorithms.from_spec(spec)
        settings = {"products": self.products, "tolerance": self.tolerance}
        return [{"game": game, "algorithm": algorithm, **settings} for spec in self.games for game in seeded(spec, self.seeds) for algorithm in self.algorithms]

    def runner(self, jobs: int, finished: Sequence[Row]) -> Callable[[Cell], Row]:
        """Every cell for itself, in as many processes as there are."""
        return run_cell

    def result(self, rows: list[Row], interrupted: bool) -> SweepResult:
        """The rows, in the suite's order."""
        return SweepResult(self, rows, interrupted)


@dataclass(frozen=True)
class SweepResult:
    """The rows of a sweep, in the suite's order; a cell that failed is a row with its error."""

    suite: Suite
    cells: list[dict[str, Any]]
    interrupted: bool

    @property
    def title(self) -> str:
        """What stands above the table."""
        return f"{self.suite.name}: {len(self.cells)} cells"

    @property
    def figure(self) -> str | None:
        """The plot's file name; None where no cell has gaps to draw."""
        return "gaps.png" if any("gaps" in cell for cell in self.cells) else None

    @property
    def exit_status(self) -> int:
        """0, or 3 where a cell failed with an error."""
        return 3 if any("error" in cell for cell in self.cells) else 0

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

    def plot(self) -> Axes:
        """Relative gap against products."""
        return plots.plot_suite(self.cells, self.suite.name)


def run_cell(cell: Cell) -> Row:
    """Play and judge one cell; a failure (a setting out of range, a mistake in a user's own method) becomes the row's error, and the others go on."""
    row: Row = dict(cell)
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
