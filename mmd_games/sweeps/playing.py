"""One cell of a suite of algorithms: played, judged, and measured in products and in seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from mmd_games import games
from mmd_games.errors import InputError
from mmd_games.loop import Trace, default_start, solve
from mmd_games.loop.told import feedback_from
from mmd_games.report import Report, verify
from mmd_games.report.contents import predicted_slope
from mmd_games.sweeps.cells import Cell, Row
from mmd_games.sweeps.grids import algorithm_with
from mmd_games.sweeps.standings import level_name
from mmd_games.sweeps.threads import one_thread
from mmd_games.verification import default_tolerance

SCHEMA = "mmd_games.bench/2"
LEVELS = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)
"""Relative gaps whose cost is reported."""
TOGETHER = 1e-3
"""Seconds between two notes of the clock that count as one."""


def run_cell(cell: Cell) -> Row:
    """Play and judge one cell; a failure (a setting out of range, too little memory, a mistake in a user's own method) becomes the row's error, and the others go on.

    All of the row is the same bit for bit wherever the cell runs, but for what stands under ``timing``.
    """
    row: Row = {"schema": SCHEMA, **cell}
    began = time.perf_counter()
    try:
        with one_thread():
            _play(cell, row)
    except Exception as error:
        row["error"] = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    row.setdefault("timing", {})["cell"] = time.perf_counter() - began
    return row


def _play(cell: Cell, row: Row) -> None:
    """Fill in a row, as far as it gets."""
    game = games.from_spec(cell["game"])
    row["n"] = game.actions
    setting, levels = cell.get("setting", {}), cell.get("levels", LEVELS)
    method = algorithm_with(cell["algorithm"], setting, float(game.scale))
    row["values"] = {key: getattr(method, key, None) for key in setting}
    unit = float(game.scale) or 1.0
    tolerance = cell["tolerance"] / 1e-8 * default_tolerance(game)
    start, notes = default_start(game, tolerance)
    clock = Clock()
    trace = solve(
        game,
        method,
        steps=cell["products"],  # a step spends a product at least
        products=cell["products"],
        until=min(tolerance / 10, min(levels) * unit) * (1 - 1e-9),  # so that dividing by L brings no gap back above the level
        start=start,
        feedback=feedback_from(cell.get("feedback", "exact")),
        progress=clock,
    )
    if trace.stopped == "interrupted":
        raise KeyboardInterrupt
    report = verify(trace, tolerance, notes=notes)
    row |= _judged(report) | _measured(trace, unit, levels, clock) | {"notes": list(notes)}


def _judged(report: Report) -> Row:
    rate, trace = report.convergence.rate, report.trace
    return {
        "settings": trace.algorithm_spec,
        "verdict": report.verdict.value,
        "headline": report.headline.name.lower(),
        "sentence": report.headline.sentence,
        "factor": None if rate is None else rate ** (trace.steps / float(trace.products[-1])),
        "predicted": None if predicted_slope(report) is None else report.prediction.rate_per_product,
    }


def _measured(trace: Trace, unit: float, levels: Sequence[float], clock: Clock) -> Row:
    last, average = trace.gaps / unit, trace.average_gaps / unit
    costs, seconds = {}, {}
    for name, gaps in (("cost", last), ("average_cost", average)):
        first = {level_name(level): first_below(gaps, level) for level in levels}
        costs[name] = {level: None if row is None else int(trace.products[row]) for level, row in first.items()}
        seconds[name] = {level: None if row is None else clock.at(int(trace.iterations[row])) for level, row in first.items()}
    return {
        "gap": float(last[-1]),
        "average_gap": float(average[-1]),
        "spent": int(trace.products[-1]),
        **costs,
        "products_spent": trace.products.tolist(),
        "gaps": last.tolist(),
        "average_gaps": average.tolist(),
        "timing": {"seconds": clock.at(trace.steps), "to": seconds["cost"], "average_to": seconds["average_cost"]},
    }


def first_below(gaps: np.ndarray, level: float) -> int | None:
    """The record from which on the gap stays at or below a level; None where it does not."""
    above = np.flatnonzero(gaps > level)
    first = int(above[-1]) + 1 if len(above) else 0
    return first if first < len(gaps) else None


class Clock:
    """Seconds since a run began, noted whenever the run says how far it is; the recording is in them.

    A compiled run tells of many steps at once when it has made them: of notes that follow one another so closely only the last counts.
    """

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self._steps, self._seconds = [0], [0.0]

    def __call__(self, step: int, steps: int, gap: float) -> None:
        """Note the time at a step."""
        now = time.perf_counter()
        if now - self._last < TOGETHER and len(self._steps) > 1:
            del self._steps[-1], self._seconds[-1]
        self._last = now
        self._steps.append(step)
        self._seconds.append(now - self._began)

    def at(self, step: int) -> float:
        """Seconds at a step, evenly between two that were noted."""
        return float(np.interp(step, self._steps, self._seconds))
