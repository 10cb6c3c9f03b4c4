"""Training checkpoints as a run: a trace that the judge of the tables takes as it is, and its distance from the exact run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmd_games.algorithms.log_linear import LogLinear
from mmd_games.arrays import Array, log_normalise, total_variation, uniform_log_policy
from mmd_games.errors import InputError
from mmd_games.games.game import Game, check_policy
from mmd_games.loop import Record, solve
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Stages, Trace

FEEDBACK = "groups of completions"
"""What traces of language models say of their feedback. It is not that of exact play, so the judge does not hold the run to theorems about exact play."""


def trace_from_checkpoints(
    game: Game,
    log_policies: Array,
    iterations: Sequence[int] | np.ndarray | None = None,
    algorithm: Any = None,
    log_magnets: Array | None = None,
    *,
    name: str = "a language model",
    feedback: str = FEEDBACK,
) -> Trace:
    """The run that a language model's checkpoints are, to be judged by :func:`mmd_games.verify`.

    Parameters
    ----------
    game : Game
        Over the listed completions, as by :func:`as_game`.
    log_policies : array (checkpoints, actions)
        The policies, as :func:`enumerated_log_policy` gives them.
    iterations : sequence of int, optional
        How many updates (rollouts) came before each; default 0, 1, 2, …
    algorithm : object, optional
        Of :mod:`mmd_games.algorithms`: what the training does, in the tables' terms. The judge then knows of the magnet and its plateau. It does not ask whether each
        step is the rule's own, nor for the contraction that theory grants to exact play: it is told that payoffs come by `feedback`. For those see :func:`distance_to_tabular`.
    log_magnets : array (checkpoints, actions), optional
        The magnet in force after each checkpoint. Without it, it is found from the algorithm: the checkpoints must then begin at 0 and, where the magnet is refreshed,
        include every refresh.
    name : str
        What reports call the run where no algorithm is given.
    feedback : str
        How payoffs were learned, in words.

    Raises
    ------
    InputError
        For policies or magnets that are none of this game, iterations that do not increase, magnets without an algorithm, or magnets that cannot be found.
    """
    trace = Trace.from_policies(game, log_policies, iterations, name=name)
    if algorithm is None:
        if log_magnets is not None:
            raise InputError("log_magnets were given without the algorithm whose magnets they are.")
        return trace
    algorithm = algorithm.with_defaults(float(game.scale)) if hasattr(algorithm, "with_defaults") else algorithm
    rule = log_linear_of(algorithm)
    if rule is None:
        return replace(trace, algorithm=algorithm, feedback=feedback)
    magnets = _magnets(trace, rule) if log_magnets is None else _given(trace, log_magnets)
    begins = np.ones(len(magnets), dtype=bool)
    if rule.steady:
        begins[1:] = np.any(magnets[1:] != magnets[:-1], axis=-1)
    step_sizes, strengths = (np.broadcast_to(setting, len(magnets))[begins].copy() for setting in rule.settings(trace.iterations))  # type: ignore[arg-type]
    stages = Stages(trace.iterations[begins], magnets[begins], strengths, step_sizes, rule.steady)
    return replace(trace, algorithm=algorithm, stages=stages, feedback=feedback)


def _given(trace: Trace, log_magnets: Array) -> np.ndarray:
    """Magnets as they were given, checked."""
    magnets = np.array(log_magnets, dtype=np.float64)
    if magnets.shape != trace.log_policies.shape:
        raise InputError(f"log_magnets must have the shape of the policies, {trace.log_policies.shape}, got {magnets.shape}.")
    with np.errstate(over="ignore"):
        check_policy(trace.game, np.exp(magnets))
    return log_normalise(magnets, trace.game.blocks)


def _magnets(trace: Trace, rule: LogLinear) -> np.ndarray:
    """The magnet in force after each checkpoint, by the algorithm."""
    times, policies = trace.iterations, trace.log_policies
    uniform = np.broadcast_to(uniform_log_policy(trace.game.blocks), policies.shape)
    if rule.magnet == "absent" or (rule.magnet == "fixed" and rule.uniform_reference):
        return uniform.copy()
    if times[0] != 0:
        raise InputError(f"The first magnet is the policy of iteration 0, and the first checkpoint is of iteration {int(times[0])}; give log_magnets.")
    if rule.magnet == "moving":
        raise InputError("This magnet moves at every step, so it cannot be found from the checkpoints; give log_magnets.")
    if rule.magnet == "fixed":
        return np.broadcast_to(policies[0], policies.shape).copy()
    refreshes = np.arange(0, int(times[-1]) + 1, rule.refresh_every)
    missing = np.setdiff1d(refreshes, times)
    if len(missing):
        raise InputError(
            f"The magnet was refreshed at iteration {int(missing[0])}, of which there is no checkpoint; give log_magnets, or checkpoint at every refresh."
        )
    found = policies[np.searchsorted(times, times // rule.refresh_every * rule.refresh_every)]
    if rule.uniform_reference:
        found[times < rule.refresh_every] = uniform[0]
    return found


def tabular_run(trace: Trace) -> np.ndarray:
    """The policies that exact play by the trace's algorithm, from the trace's first policy, has at its recorded iterations: (recorded, actions), as logarithms."""
    steps = trace.steps
    if trace.policy_iterations[0] != 0:
        raise InputError(f"Exact play starts at iteration 0, and the first checkpoint is of iteration {int(trace.policy_iterations[0])}.")
    if steps == 0:
        return trace.log_policies
    every = 2 * (steps + 2)
    exact = solve(trace.game, trace.algorithm, steps=steps, start=np.exp(trace.log_policies[0]), record=Record(gaps=every, policies=every))
    return exact.log_policies[trace.policy_iterations]


def distance_to_tabular(game: Game, algorithm: Any, log_policies: Array, iterations: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
    """Total variation between a language model's checkpoints and exact play by :func:`mmd_games.solve` with the same settings, from the same start.

    Parameters
    ----------
    game, log_policies, iterations
        As for :func:`trace_from_checkpoints`; the first iteration must be 0.
    algorithm : object
        What is played.

    Returns
    -------
    array (checkpoints,)
        The first is 0, up to rounding.

    Notes
    -----
    Under a magnet both are contracted towards the same policies, so errors of single updates do not add up without end; without one they do.
    """
    trace = replace(Trace.from_policies(game, log_policies, iterations), algorithm=algorithm)
    return np.asarray(total_variation(np.exp(trace.log_policies), np.exp(tabular_run(trace)), game.blocks))
