"""Runs as array programs, one step of the algorithm after the other: what every algorithm, game and feedback goes through."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmd_games.arrays import Array, to_numpy
from mmd_games.games.game import Game
from mmd_games.loop.feedback import Feedback, Payoffs
from mmd_games.loop.outlook import Outlook
from mmd_games.loop.progress import Interrupt, Progress
from mmd_games.loop.recording import Recorder
from mmd_games.loop.stack import Stack
from mmd_games.loop.trace import Trace


@dataclass(frozen=True, eq=False)
class Position:
    """Where runs stand that go on in another engine.

    Attributes
    ----------
    step : int
    state : State
        Of the log-linear family.
    total : array (..., actions)
        Sum of all policies so far.
    traces : dict
        Of the members that have ended.
    """

    step: int
    state: Any
    total: Array
    traces: dict[int, Trace]


def run_arrays(
    runs: Stack,
    steps: int,
    until: float | None,
    recorder: Recorder,
    payoffs: Payoffs,
    feedback: Feedback,
    progress: Progress,
    interrupt: Interrupt,
    leave: int | None = None,
    products: int | None = None,
) -> list[Trace] | Position:
    """Advance a stack of runs together, and return the trace of each, or where they stand at the step at which they leave.

    Parameters
    ----------
    runs : Stack
    steps : int
    until : float or None
    recorder : Recorder
        Empty.
    payoffs : Payoffs
        Of the stack's game.
    feedback, progress, interrupt
        As the compiled run has them.
    leave : int, optional
        At the latest; before that where the tolerance is not in sight (see :class:`~mmd_games.loop.outlook.Outlook`).
    products : int, optional
        The run ends at the first step by which it has spent as many.
    """
    algorithm, rule = runs.algorithm, runs.rule
    steady = rule is None or rule.steady
    most = math.inf if products is None else products
    outlook = Outlook(until, leave) if until is not None and leave is not None else None
    unreached = set(range(len(runs)))
    traces: dict[int, Trace] = {}

    with np.errstate(over="ignore", invalid="ignore"):  # a policy that stops being finite is reported in words
        state = algorithm.init(runs.log_start)
        log_policy, step = runs.log_policy(state), 0
        total = 1.0 * payoffs.policy(log_policy)
        staged = rule is not None or getattr(algorithm, "has_stages", False)
        if staged:
            recorder.add_stage(0, state)
        while True:
            finished = step >= steps or payoffs.products >= most or interrupt.pressed
            if finished or recorder.wants(step):
                gap, kept = to_numpy(payoffs.gap(log_policy)), to_numpy(log_policy)
                each = np.ravel(gap).tolist()  # of one run Python compares the gap ten times faster than NumPy
                runs.require_policy(kept, each, step)
                reached = [index for index, its in enumerate(each) if its <= until and index in unreached] if until is not None else []
                unreached.difference_update(reached)
                finished |= not unreached
                recorder.add(step, payoffs.products, gap, _average_gap(runs.game, total, step), kept, pin=finished or bool(reached))
                if not steady and step > 0:
                    recorder.add_stage(step, state)
                # At once, before the record is thinned for the sake of those that go on.
                traces.update((index, runs.trace(index, recorder, "tolerance", feedback)) for index in reached)
                progress(step, step if finished else steps, max(each))
                if outlook is not None and outlook.is_late(step, gap):
                    leave = step
            if finished:
                break
            if step == leave:
                return Position(step, state, total, traces)
            magnet, strength = (state.log_magnet, state.magnet_strength) if staged else (None, None)
            state = algorithm.step(state, payoffs)
            step += 1
            log_policy = runs.log_policy(state)
            total += payoffs.policy(log_policy)
            if staged and steady and (state.log_magnet is not magnet or (rule is None and state.magnet_strength != strength)):
                recorder.add_stage(step, state)
                stage = recorder.stages.count
                if recorder.wants_refresh(stage) and not recorder.wants(step):
                    recorder.add_refresh(stage, step, payoffs.products, to_numpy(payoffs.gap(log_policy)), _average_gap(runs.game, total, step))
    stopped = "interrupted" if interrupt.pressed and step < steps and payoffs.products < most else "budget"
    return [traces[index] if index in traces else runs.trace(index, recorder, stopped, feedback) for index in range(len(runs))]


def _average_gap(game: Game, total: Array, step: int) -> Array:
    """Gap of the arithmetic mean of the iterates 0, …, step."""
    return to_numpy(game.gap_of_payoffs(game.payoffs(total / (step + 1))))
