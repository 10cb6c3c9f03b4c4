"""Runs through the compiled loop: what steps are wanted goes in, and the rows come back to the same record as an array run's."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np

from mmd_games.arrays import Array
from mmd_games.loop.array_run import Position
from mmd_games.loop.compiled_games import compiled_game
from mmd_games.loop.feedback import Feedback
from mmd_games.loop.progress import Interrupt, Progress
from mmd_games.loop.recording import Recorder
from mmd_games.loop.stack import Stack
from mmd_games.loop.trace import Trace

ROWS = 512
"""Rows of one visit to the compiled loop, at most."""
BYTES = 2**25
"""And of their policies, at most."""
VISIT = 3e8
"""Operations of one visit, about a fifth of a second: so long a Ctrl-C may wait."""


def run_compiled(
    runs: Stack,
    steps: int,
    until: float | None,
    recorder: Recorder,
    feedback: Feedback,
    progress: Progress,
    interrupt: Interrupt,
    position: Position | None = None,
) -> list[Trace]:
    """Advance a stack of runs of one rule, and return the trace of each.

    Parameters
    ----------
    runs : Stack
    steps : int
    until : float or None
    recorder : Recorder
        Empty, or what an array run has left of it.
    feedback, progress, interrupt
        As the array run has them.
    position : Position, optional
        Where an array run left; default the start.
    """
    rule: Any = runs.rule
    loop, count, steady, products_per_step = _CompiledLoop(runs, until), len(runs), rule.steady, rule.products_per_step
    if position is None:
        recorder.add_stage(0, loop.state(0))
        at, traces = 0, {}
    else:
        loop.go_on(position)
        at, traces = position.step, position.traces
    while True:
        stopping = interrupt.pressed
        end, wanted = (at, np.array([at])) if stopping else loop.visit(at, steps, recorder)
        last = end if stopping else steps
        rows = loop.advance(at, end, wanted, loop.limits(wanted, last, recorder))
        # Which rows some run stops at for the first time, and which cannot go on; found for all rows at once, since most visits have none.
        stops = {row: np.flatnonzero(rows.reached == row).tolist() for row in set(rows.reached.tolist()) - {-1}}
        broken = set(np.flatnonzero(~np.isfinite(rows.gaps).all(axis=0)).tolist())
        stages, recorded = recorder.stages.count, 0
        gaps, averages, largest = loop.by_row(rows.gaps), loop.by_row(rows.averages), np.max(rows.gaps, axis=0).tolist()
        policies = rows.kept[0] if count == 1 else rows.kept.swapaxes(0, 1)
        for row, step in enumerate(wanted.tolist()):
            products, kept = step * products_per_step, recorder.wants(step)
            if not kept and step in rows.refreshes:
                number = stages + rows.refreshes.index(step) + 1
                if recorder.wants_refresh(number):
                    recorder.add_refresh(number, step, products, gaps[row], averages[row])
            reached = [index for index in stops[row] if index not in traces] if row in stops else []
            finished = step >= last or len(traces) + len(reached) == count
            if not (finished or reached or kept):
                continue
            if row in broken:
                runs.require_policy(policies[row], np.ravel(gaps[row]).tolist(), step)
            recorder.add(step, products, gaps[row], averages[row], policies[row], pin=finished or bool(reached))
            if not steady and step > recorder.stages.last:  # an interrupted run may end at a row that it has
                recorder.add_stage(step, loop.moved(rows, row, step))
            progress(step, step if finished else steps, largest[row])
            if not (finished or reached):
                continue
            recorded = loop.add_stages(recorder, rows, recorded, step)
            # At once, before the record is thinned for the sake of those that go on.
            traces.update((index, runs.trace(index, recorder, "tolerance", feedback)) for index in reached)
            loop.stop(reached)
            if finished:
                stopped = "interrupted" if stopping and step < steps else "budget"
                return [traces[index] if index in traces else runs.trace(index, recorder, stopped, feedback) for index in range(count)]
        loop.add_stages(recorder, rows, recorded, end)
        at = end


class _CompiledLoop:
    """The state of a stack of runs, as the compiled loop keeps it."""

    def __init__(self, runs: Stack, until: float | None):
        game, count = runs.game, len(runs)
        rule: Any = runs.rule
        self._runs, self._rule, self._until = runs, rule, -np.inf if until is None else until
        self._log_policies = np.array(np.broadcast_to(runs.log_start, (count, game.actions)), dtype=np.float64)
        start: Any = runs.algorithm.init(runs.log_start)
        self._log_magnets = np.array(np.broadcast_to(start.log_magnet, self._log_policies.shape), dtype=np.float64)
        self._played = compiled_game(runs)
        self._policies = np.exp(self._log_policies)
        self._totals = self._played.summed(self._policies)
        self._previous = np.zeros_like(self._totals)
        self._numbers = [
            np.array(np.broadcast_to(np.ravel(getattr(rule, name)), count), dtype=np.float64) for name in ("step_size", "magnet_strength", "magnet_rate")
        ]
        self._every = rule.refresh_every if rule.magnet == "refreshed" and rule.steady else 0
        self._keeps_magnets = not rule.steady and rule.magnet in ("refreshed", "moving")
        self._done = np.zeros(count, dtype=np.bool_)
        self._parts = _parts(count) if self._played.threads else [slice(0, count)]

    def go_on(self, position: Position) -> None:
        """From where an array run left."""
        state, shape = position.state, self._log_policies.shape
        self._log_policies[:], self._log_magnets[:] = np.broadcast_to(state.log_policy, shape), np.broadcast_to(state.log_magnet, shape)
        self._policies[:] = np.exp(self._log_policies)
        self._totals[:] = self._played.summed(np.broadcast_to(position.total, shape))
        if state.previous_payoff is not None:
            self._previous[:] = np.broadcast_to(state.previous_payoff, shape)
        self.stop(list(position.traces))

    def visit(self, at: int, steps: int, recorder: Recorder) -> tuple[int, np.ndarray]:
        """How far the next visit goes, and the steps on its way whose rows may be kept."""
        rule, (count, actions) = self._rule, self._log_policies.shape
        work = count * rule.products_per_step * (self._played.size + 20.0 * actions + 200.0)
        end = min(steps, at + max(1, int(VISIT / work)), max(at + 1, recorder.horizon()))
        most = max(1, min(ROWS, int(BYTES / (8 * count * actions))))
        if self._every:
            end = min(end, at + most * self._every)
        wanted = recorder.candidates(at, end, self._every)
        if len(wanted) > most:
            wanted = wanted[:most]
            end = int(wanted[-1])
        if end == steps and (not len(wanted) or wanted[-1] != steps):
            wanted = np.append(wanted, steps)
        return end, wanted

    def limits(self, wanted: np.ndarray, last: int, recorder: Recorder) -> np.ndarray:
        """The gap at which a run stops, row by row; it does not at refreshes that only the record of refreshes wants."""
        if not self._every:
            return np.full(len(wanted), float(self._until))
        return np.array([self._until if step == last or recorder.wants(step) else -np.inf for step in wanted.tolist()], dtype=np.float64)

    def stop(self, reached: list[int]) -> None:
        """These runs go no further."""
        self._done[reached] = True

    def advance(self, begin: int, end: int, wanted: np.ndarray, limits: np.ndarray) -> Any:
        """One visit, on as many threads as numba has."""
        from mmd_games.compiled.choices import EVALUATIONS, MAGNETS  # with the rest of that package, where it is used

        rule, shape, every = self._rule, self._log_policies.shape, self._every
        refreshes = range((begin // every + 1) * every, end + 1, every) if every else range(0)
        rows = SimpleNamespace(
            wanted=wanted,
            refreshes=refreshes,
            gaps=np.empty((shape[0], len(wanted))),
            averages=np.empty((shape[0], len(wanted))),
            kept=np.empty((shape[0], len(wanted), shape[1])),
            kept_magnets=np.empty((shape[0], len(wanted) if self._keeps_magnets else 0, shape[1])),
            stage_magnets=np.empty((shape[0], len(refreshes), shape[1])),
            reached=np.empty(shape[0], dtype=np.int64),
        )

        def part(some: slice) -> None:
            self._played.advance(
                *self._played.of(some, self._policies), self._log_policies[some], self._log_magnets[some], self._previous[some], self._totals[some],
                *(numbers[some] for numbers in self._numbers), float(rule.step_size_power), float(rule.magnet_strength_power), float(rule.decay_time),
                EVALUATIONS.index(rule.evaluation), MAGNETS[rule.magnet], bool(rule.explicit), max(rule.refresh_every, 1),
                begin, end, wanted, limits, self._done[some],
                rows.gaps[some], rows.averages[some], rows.kept[some], rows.kept_magnets[some], rows.stage_magnets[some], rows.reached[some],
            )  # fmt: skip

        if len(self._parts) == 1:
            part(self._parts[0])
        else:
            with ThreadPoolExecutor(len(self._parts)) as pool:
                list(pool.map(part, self._parts))
        return rows

    def alone(self, values: Array) -> Array:
        """Without the batch axis where there is one run."""
        return values[0] if len(self._runs) == 1 else values

    def by_row(self, values: np.ndarray) -> Sequence[Array]:
        """Of numbers (runs, rows) those of each row: one number where there is one run."""
        return values[0].tolist() if len(self._runs) == 1 else list(values.T)

    def state(self, step: int) -> Any:
        """What a stage's record needs, at the present policies and magnets."""
        return self._stage(self._log_policies.copy(), self._log_magnets.copy(), step)

    def add_stages(self, recorder: Recorder, rows: Any, first: int, step: int) -> int:
        """Record the refreshes of a visit from the first-th on, up to a step; how many of them are recorded then."""
        count = bisect_right(rows.refreshes, step)
        if count > first:
            step_size, magnet_strength = self._rule.settings(0)
            magnets = rows.stage_magnets[:, first:count].swapaxes(0, 1)
            recorder.stages.add(rows.refreshes[first:count], magnets[:, 0] if len(self._runs) == 1 else magnets, magnet_strength, step_size)
        return count

    def moved(self, rows: Any, row: int, step: int) -> Any:
        """The same at a row of a rule whose magnet or settings move."""
        magnets = rows.kept_magnets[:, row] if self._keeps_magnets else self._log_magnets
        return self._stage(rows.kept[:, row].copy(), magnets.copy(), step)

    def _stage(self, log_policy: Array, log_magnet: Array, step: int) -> Any:
        step_size, magnet_strength = self._rule.settings(step)
        return SimpleNamespace(log_policy=self.alone(log_policy), log_magnet=self.alone(log_magnet), step_size=step_size, magnet_strength=magnet_strength)


def _parts(count: int) -> list[slice]:
    """Runs for each of numba's threads."""
    from numba import get_num_threads

    ends = np.linspace(0, count, min(get_num_threads(), count) + 1).astype(int).tolist()
    return [slice(start, end) for start, end in itertools.pairwise(ends)]
