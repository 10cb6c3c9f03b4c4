"""Measuring a cell: a solver's time on one game or a batch of them, and what its answers are worth."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from mmd_games import games
from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.sweeps.cells import Cell, Row, family, with_seed
from mmd_games.sweeps.judging import judge
from mmd_games.sweeps.solvers import Answer, Solver, absent, from_name, stdout_to_stderr
from mmd_games.sweeps.stopwatch import peak_memory, stored_bytes, take_times

WARM_UP = ("rock_paper_scissors:wins=0.9/0.8/0.9",) * 8
"""What each solver solves before its first time is taken, so that nothing is imported or compiled on the clock."""
FACTOR = 2.0
"""A growth with n is measured between sizes that differ at least so much."""


class Measurer:
    """Makes the row of a cell, knowing the times of the rows before it.

    Parameters
    ----------
    finished : iterable of rows
        What earlier runs left.
    """

    def __init__(self, finished: Iterable[Row]):
        self._times: dict[tuple[str, str], dict[int, float]] = {}
        self._solvers: dict[str, Solver | str] = {}
        for row in finished:
            self._remember(row)

    def __call__(self, cell: Cell) -> Row:
        """Solve, time and judge; what goes wrong becomes the row's error."""
        row: Row = dict(cell)
        try:
            with stdout_to_stderr():
                row |= self._measured(cell)
        except Exception as error:
            row["error"] = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        self._remember(row)
        return row

    def _measured(self, cell: Cell) -> Row:
        solver = self._warm(cell["solver"], cell["tolerance"])
        if isinstance(solver, str):
            return {"error": solver}
        drawn = [games.from_spec(spec) for spec in ([with_seed(cell["game"], seed) for seed in cell["seeds"]] or [cell["game"]])]
        row: Row = {"n": max(drawn[0].blocks)}
        predicted = self._predicted(cell, row["n"])
        if predicted * len(drawn) > cell["limit"]:
            return row | {"predicted": predicted}
        solve = solver.prepare(drawn, cell["tolerance"])
        found, times, processor = take_times(solve, cell["repeats"], cell["seconds"])
        answers = [_judged(game, solver.read(raw), ours=solver.ours) for game, raw in zip(drawn, found, strict=True)]
        row |= {"times": [time / len(drawn) for time in times], "answers": answers, "processor": round(processor, 3)}
        if cell["memory"]:
            row |= {"peak_bytes": peak_memory(solve), "stored_bytes": sum(map(stored_bytes, drawn))}
        if all(answer.get("crashed") for answer in answers):
            row["error"] = answers[0]["problem"]
        return row

    def _warm(self, name: str, tolerance: float) -> Solver | str:
        """The solver, ready to be timed; or what to install."""
        if name not in self._solvers:
            solver = from_name(name)
            try:
                solver.prepare([games.from_spec(spec) for spec in WARM_UP], tolerance)()
                self._solvers[name] = solver
            except ImportError as error:
                self._solvers[name] = absent(error)
        return self._solvers[name]

    def _predicted(self, cell: Cell, size: int) -> float:
        """Seconds a game of this size is expected to take, by the largest of its family up to now; 0 where there was none.

        Times grow as n^growth, or as they did between the last two sizes where that is faster.
        """
        times = sorted((n, time) for n, time in self._times.get((cell["solver"], family(cell["game"])), {}).items() if n <= size)
        if not times:
            return 0.0
        last, seconds = times[-1]
        growth = cell["growth"]
        for n, time in times:
            if n * FACTOR <= last:
                measured = math.log(seconds / time) / math.log(last / n)
                growth = max(cell["growth"], measured)
        return seconds * (size / last) ** growth

    def _remember(self, row: Row) -> None:
        if row.get("times"):
            sizes = self._times.setdefault((row["solver"], family(row["game"])), {})
            sizes[row["n"]] = max(min(row["times"]), sizes.get(row["n"], 0.0))


def _judged(game: Game, answer: Answer, *, ours: bool) -> dict[str, Any]:
    """An answer as a row has it."""
    said = {"problem": answer.problem, "crashed": answer.crashed or None, "iterations": answer.iterations, "method": answer.method}
    worth = {} if answer.policy is None else judge(game, answer.policy, ours=ours)
    return worth | {key: value for key, value in said.items() if value is not None}
