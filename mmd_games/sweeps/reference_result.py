"""Results of a suite of solvers: side by side, game by game."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games.sweeps.cells import Row, family
from mmd_games.sweeps.solvers import is_ours, labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmd_games.sweeps.reference_suite import ReferenceSuite

SCHEMA = "mmd_games.references/1"
SHOWN = 70
"""Characters of a remark that a table shows; JSON has it whole."""
MOST_CURVES = 8
"""Curves that a plot may have before it keeps to one family of games."""
BUSY = 0.8
"""Processors in use, below which a cell is counted as one whose time others lengthened."""


@dataclass(frozen=True)
class ReferenceResult:
    """The rows of a suite of solvers, in its order, and a line for each of its games and solvers.

    Attributes
    ----------
    suite : ReferenceSuite
    cells : list of rows
    interrupted : bool
    """

    suite: ReferenceSuite
    cells: list[Row]
    interrupted: bool

    @property
    def title(self) -> str:
        """What stands above the table, and how to read it."""
        suite, shares = self.suite, [row["processor"] for row in self.cells if "processor" in row]
        busy = sum(share < BUSY for share in shares)
        return (
            f"{suite.name}: {len(self.cells)} cell{'s' if len(self.cells) != 1 else ''}; L is half the range of a game's payoffs\n"
            f"time: of one game, the median of up to {suite.repeats} · gap / L: certified over all actions, the largest · "
            f"support: actions played (by a peer, above 1e-9), the median · iterations: the most\n"
            f"speed: the time of the fastest of {self._baseline} that answered all with gaps of at most {suite.tolerance:.0e} L, over this time: above 1 is faster\n"
            f"wrong: returned without complaint, gap > {suite.wrong:.0e} L · loose: gap > {suite.tolerance:.0e} L · no answer: failed, or said that it had not converged"
            + ("\npeak memory: held at the most while solving, over what the game itself holds" if suite.memory else "")
            + (f"\nOthers were at work too: {busy} of {len(shares)} cells had less than {BUSY:.0%} of a processor." if busy else "")
        )

    @property
    def _baseline(self) -> str:
        """Who is the measure of speed."""
        return ", ".join(name.rpartition(":")[2] for name in self.suite.baseline) or "the peers"

    @property
    def figure(self) -> str | None:
        """The plot's file name; None where no family of games has two sizes."""
        return "times.png" if self.curves() else None

    @property
    def exit_status(self) -> int:
        """0, or 3 where one of our own solvers failed with an error or was wrong; what peers do is a result."""
        return 3 if any(line["ours"] and (line["wrong"] or line["crashed"] or line["error"]) for line in self.lines) else 0

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """For each game of the suite and each solver, what its cells say together."""
        groups: dict[str, dict[str, list[Row]]] = {}
        for row in self.cells:
            groups.setdefault(row["game"], {}).setdefault(row["solver"], []).append(row)
        lines = []
        for game, solvers in groups.items():
            group = [self._line(game, solver, rows) for solver, rows in solvers.items()]
            right = [line["seconds"] for line in group if self._is_right(line)]
            lines += [line | {"speed": min(right) / line["seconds"] if right and line["gap"] is not None else None} for line in group]
        return lines

    def _is_right(self, line: dict[str, Any]) -> bool:
        """Whether a line is one to measure speed by: of a peer in the baseline, and all its answers as good as asked for."""
        named = line["solver"] in (self.suite.baseline or self.suite.solvers)
        return named and not line["ours"] and line["gap"] is not None and not (line["wrong"] or line["loose"] or line["unanswered"])

    @cached_property
    def totals(self) -> list[dict[str, Any]]:
        """For each solver, what all its cells say together; times of different games are not mixed."""
        solvers = dict.fromkeys(row["solver"] for row in self.cells)
        together = [self._line("all games", solver, [row for row in self.cells if row["solver"] == solver]) for solver in solvers]
        return [line | {"n": None, "seconds": None, "speed": None, "support": None, "predicted": None, "peak": None} for line in together]

    def _line(self, game: str, solver: str, rows: Sequence[Row]) -> dict[str, Any]:
        answers = [answer for row in rows for answer in row.get("answers", [])]
        complaints = [answer["problem"] for answer in answers if "problem" in answer]
        silent = [answer for answer in answers if "problem" not in answer]
        gaps = [answer["gap"] for answer in silent if "gap" in answer]
        wrong = [answer for answer in silent if "flaw" in answer or not answer["gap"] <= self.suite.wrong]
        times = [median(row["times"]) for row in rows if row.get("times")]
        peak = [row["peak_bytes"] / row["stored_bytes"] for row in rows if row.get("stored_bytes")]
        return {
            "game": game,
            "n": next((row["n"] for row in rows if "n" in row), None),
            "solver": solver,
            "ours": is_ours(solver),
            "games": len(answers),
            "seconds": median(times) if times else None,
            "runs": min((len(row["times"]) for row in rows if row.get("times")), default=0),
            "gap": max(gaps, default=None),
            "support": median(answer["support"] for answer in silent if "support" in answer) if gaps else None,
            "iterations": max((answer["iterations"] for answer in answers if "iterations" in answer), default=None),
            "wrong": len(wrong),
            "loose": sum(answer not in wrong and answer["gap"] > self.suite.tolerance for answer in silent),
            "unanswered": len(complaints),
            "crashed": sum(bool(answer.get("crashed")) for answer in answers),
            "peak": max(peak, default=None),
            "predicted": max((row["predicted"] * max(1, len(row["seeds"])) for row in rows if "predicted" in row), default=None),
            "error": next((row["error"] for row in rows if "error" in row), None),
            "problem": next(iter(complaints), None),
            "flaw": next((answer["flaw"] for answer in wrong if "flaw" in answer), None),
        }

    def rows(self) -> list[dict[str, str]]:
        """The lines as text, for a table: a game is named once, and a column that nobody fills is left out."""
        short = labels([*dict.fromkeys(row["solver"] for row in self.cells)])
        lines = self.lines + (self.totals if len({line["game"] for line in self.lines}) > 1 else [])
        rows = [
            {
                "game": line["game"] if line["game"] != before else "",
                "solver": short[line["solver"]],
                "games": str(line["games"]) if line["games"] > 1 else "",
                "time": _duration(line["seconds"]),
                "speed": _ratio(line["speed"]),
                "gap / L": "" if line["gap"] is None else f"{line['gap']:.1e}",
                "support": "" if line["support"] is None else f"{line['support']:g}",
                "iterations": str(line["iterations"] or ""),
                "wrong": str(line["wrong"]) if line["games"] else "",
                "loose": str(line["loose"]) if line["games"] else "",
                "no answer": str(line["unanswered"] or ""),
                "time / n": _duration(line["seconds"] / line["n"]) if self.suite.memory and line["seconds"] and not line["unanswered"] else "",
                "peak memory / game's": "" if line["peak"] is None else f"{line['peak']:.2f}",
                "remark": self._remark(line),
            }
            for before, line in zip([None, *(line["game"] for line in lines)], lines, strict=False)
        ]
        return [{name: text for name, text in row.items() if any(other[name] for other in rows)} for row in rows]

    def tables(self, *, every: bool = False) -> list[tuple[str, list[dict[str, str]]]]:
        """The lines, below their title."""
        return [(self.title, self.rows())]

    def records(self) -> None:
        """No data frame: a row holds lists of times and of answers."""

    def figures(self) -> Mapping[str, Axes]:
        """Time against the number of actions, where some family of games has two sizes."""
        return {} if self.figure is None else {self.figure: self.plot()}

    def _remark(self, line: dict[str, Any]) -> str:
        if line["predicted"] is not None and not line["games"]:
            return f"not run: {_duration(line['predicted'])} predicted"
        text = line["error"] or line["flaw"] or line["problem"] or ""
        if line["seconds"] is None and line["games"]:
            return ""  # a total: its lines have said it
        few = f"{line['runs']} run{'s' if line['runs'] > 1 else ''}" if 0 < line["runs"] < self.suite.repeats else ""
        return "; ".join(filter(None, [few, text if len(text) <= SHOWN else f"{text[:SHOWN]}…"]))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema": SCHEMA,
            "suite": asdict(self.suite),
            "interrupted": self.interrupted,
            "machine": _machine(),
            "lines": self.lines,
            "totals": self.totals,
            "cells": self.cells,
        }

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """For each solver, (n, seconds) over the first family of games that comes in several sizes; over each such family where few solvers are compared."""
        families: dict[str, set[int]] = {}
        for line in self.lines:
            families.setdefault(family(line["game"]), set()).add(line["n"])
        several = [name for name, sizes in families.items() if len(sizes - {None}) > 1]
        solvers = list(dict.fromkeys(line["solver"] for line in self.lines))
        short, drawn = labels(solvers), several if len(solvers) * len(several) <= MOST_CURVES else several[:1]
        curves: dict[str, list[tuple[int, float]]] = {}
        for solver in solvers:
            for name in drawn:
                lines = [line for line in self.lines if (line["solver"], family(line["game"])) == (solver, name) and line["gap"] is not None]
                points = sorted((line["n"], line["seconds"]) for line in lines if line["seconds"] and not line["unanswered"])
                if points:
                    curves[short[solver] if len(drawn) == 1 else f"{short[solver]}, {name}"] = points
        return curves

    def plot(self) -> Axes:
        """Time against the number of actions, a line for each solver."""
        from mmd_games.sweeps.times_plot import plot_times

        ours = {name for name in self.curves() if is_ours(name.partition(",")[0]) and name.partition(",")[0] in self.suite.solvers}
        first = next(family(line["game"]) for line in self.lines if line["n"])
        return plot_times(self.curves(), f"{self.suite.name} ({first})" if len(self.lines) > len(self.curves()) else self.suite.name, ours=ours)


def _duration(seconds: float | None) -> str:
    """Three digits and a unit that suits them."""
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}" if seconds >= 100 * size else f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _ratio(speed: float | None) -> str:
    """Two digits, and whole numbers where there are more."""
    return "" if speed is None else f"{speed:.0f}×" if speed >= 10 else f"{speed:.2g}×"


def _machine() -> dict[str, Any]:
    """What the times depend on: the processor, threads, and the versions of what was timed."""
    required = importlib.metadata.requires("mmd_games") or []
    names = {re.split(r"[^\w.-]", line)[0] for line in required if "extra" not in line or "peers" in line}
    versions = {}
    for name in sorted(names, key=str.lower):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    threads = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS") if name in os.environ}
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    facts = {
        "date": datetime.date.today().isoformat(),
        "mmd_games": importlib.metadata.version("mmd_games"),
        "processor": _processor(),
        "blas": blas.get("name"),
    }
    return facts | {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count(), "threads": threads, "versions": versions}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a machine that does not say
        return platform.processor()
