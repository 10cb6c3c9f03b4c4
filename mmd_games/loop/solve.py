"""The loop: one for every algorithm, for one run or for a stack of runs that advance together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import device

from mmd_games.algorithms.log_linear import LogLinear
from mmd_games.algorithms.magnetic import MagneticPreferenceOptimization
from mmd_games.arrays import Array, log_normalise, namespace, require_memory, to_numpy, uniform_log_policy
from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.games.game import Game, check_policy
from mmd_games.loop.array_run import run_arrays
from mmd_games.loop.budget import steps_within
from mmd_games.loop.compiled_run import run_compiled
from mmd_games.loop.engines import Engine, arrays_until, product_of, require_engine
from mmd_games.loop.feedback import Exact, Feedback, Payoffs
from mmd_games.loop.progress import Interrupt, Progress, interruptible, silent
from mmd_games.loop.recording import Record, Recorder, require_recording_memory
from mmd_games.loop.stack import Stack, stacking_key
from mmd_games.loop.trace import Trace

DEFAULT_STEPS = 100_000
"""The budget where none is given."""
STATE = 12
"""Arrays of the size of a policy that a run needs on its way, at least."""


def solve(
    game: Game,
    algorithm: Any = None,
    *,
    steps: int = DEFAULT_STEPS,
    products: int | None = None,
    until: float | None = None,
    start: Array | None = None,
    record: Record | None = None,
    feedback: Feedback | None = None,
    engine: Engine = "auto",
    expected_steps: int | None = None,
    progress: Progress = silent,
) -> Trace:
    """Play a game by an algorithm, exactly, and record the run.

    Parameters
    ----------
    game : Game
    algorithm : object, optional
        One of :mod:`mmd_games.algorithms`, or any object with ``init(log_policy) -> state`` and ``step(state, payoffs) -> state``, the state having a
        ``log_policy``; default Magnetic Preference Optimization. Settings left open are filled in from the game's scale.
    steps : int
        Budget, in updates of the policy.
    products : int, optional
        Budget in matrix-vector products as well: the run ends at the first step by which it has spent them; with a fixed number a step, before it would spend more.
    until : float, optional
        Stop at the first recorded step whose duality gap is at most this, in the game's units.
    start : array (actions,), optional
        Probabilities of the first policy; default uniform. Given as an array of another library, such as a torch tensor on a GPU, the run is made there, in float64; the
        trace is in NumPy.
    record : Record, optional
        How much is kept.
    feedback : Feedback, optional
        What the players are told; default the exact payoffs. Recorded gaps are exact in any case.
    engine : {"auto", "array", "compiled"}
        "array" runs everything. "compiled" runs the log-linear family on tables in one compiled loop, the same to rounding: some fifty times faster on ten
        actions, four times on a hundred. "auto" takes it for budgets of 20,000 steps or more. A run with `until` begins on arrays even then, and goes on in it after a
        quarter of a second of work, or as soon as its gap is seen to fall too slowly to get there by then. Its first use on a machine compiles it, which takes about half a minute.
    expected_steps : int, optional
        How many steps the run will take to `until`, where theory tells: at 20,000 or more "auto" takes the compiled loop from the start. Nothing else depends on it.
    progress : callable (step, steps, gap), optional
        Told at recorded steps; ``mg.StderrProgress()`` draws a bar.

    Returns
    -------
    Trace
        Ctrl-C ends the run and returns the trace so far.

    Raises
    ------
    InputError
        For numbers out of range, a start that is not a policy of the game, a record that would not fit into memory, or a run whose policy stops being finite.

    Notes
    -----
    float64 throughout; on one thread the same call, with the same engine, gives the same bits.

    Examples
    --------
    >>> import mmd_games as mg
    >>> trace = mg.solve(mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)), until=1e-10)
    >>> trace.policy.round(4).tolist(), trace.gap < 1e-10
    ([0.3636, 0.2727, 0.3636], True)
    """
    chosen = _with_defaults(algorithm, game)
    budget = _Budget(steps, until, products, expected_steps)
    require_engine(engine)
    if products is not None:
        budget = replace(budget, steps=min(steps, steps_within(products, chosen, game)))
    runs = Stack([game], [chosen], [_log_start(game, start)], _like(start, feedback))
    with interruptible() as interrupt:
        return _run(runs, budget, record or Record(), feedback or Exact(), engine, progress, interrupt)[0]


def solve_many(
    games: Game | Sequence[Game],
    algorithms: Any = None,
    starts: Sequence[Array | None] | None = None,
    *,
    steps: int = DEFAULT_STEPS,
    until: float | None = None,
    record: Record | None = None,
    feedback: Feedback | None = None,
    engine: Engine = "auto",
    progress: Progress = silent,
) -> list[Trace]:
    """Many runs; those of one shape and one kind of algorithm advance together as one array program.

    Parameters
    ----------
    games, algorithms, starts : one, or a sequence
        Sequences have one length, the number of runs; what is given once serves all runs.
    steps, until, record, feedback, engine, progress
        As for :func:`solve`. A stack runs until its slowest member is done; each trace ends where the run of its own would have.

    Returns
    -------
    list of Trace
        In the order given. They differ from single runs by rounding only.
    """
    counts = {len(given) for given in (games, algorithms, starts) if isinstance(given, list | tuple)}
    if len(counts) > 1:
        raise InputError(f"games, algorithms and starts must be as many as each other, or one; got {sorted(counts)}.")
    count = counts.pop() if counts else 1
    every: list[list[Any]] = [list(given) if isinstance(given, list | tuple) else [given] * count for given in (games, algorithms, starts)]
    budget, feedback = _Budget(steps, until), feedback or Exact()
    require_engine(engine)
    chosen = [_with_defaults(algorithm, game) for game, algorithm in zip(every[0], every[1], strict=True)]
    entries = sum(game.actions for game in every[0])
    require_memory(8.0 * STATE * entries, f"{count:,} runs with {entries:,} actions in all")
    log_starts = [_log_start(game, start) for game, start in zip(every[0], every[2], strict=True)]
    likes = [_like(start, feedback) for start in every[2]]
    groups: dict[Any, list[int]] = {}
    for index, (game, algorithm, like) in enumerate(zip(every[0], chosen, likes, strict=True)):
        key = stacking_key(game, algorithm) if isinstance(feedback, Exact) else None
        place = None if like is None else (namespace(like), device(like))
        groups.setdefault((key, place) if key else index, []).append(index)

    traces: dict[int, Trace] = {}
    with interruptible() as interrupt:
        for members in groups.values():
            runs = Stack([every[0][i] for i in members], [chosen[i] for i in members], [log_starts[i] for i in members], likes[members[0]])
            traces.update(zip(members, _run(runs, budget, record or Record(), feedback, engine, progress, interrupt), strict=True))
    return [traces[index] for index in range(count)]


@dataclass(frozen=True)
class _Budget:
    """When a run ends."""

    steps: int
    until: float | None
    products: int | None = None
    expected: int | None = None

    def __post_init__(self) -> None:
        require_whole(steps=self.steps, products=self.products)
        require_whole(minimum=0, expected_steps=self.expected)
        require_positive(until=self.until)


def _with_defaults(algorithm: Any, game: Game) -> Any:
    """The algorithm with open settings filled in from the game's scale; a user's own without `with_defaults` is complete."""
    algorithm = MagneticPreferenceOptimization() if algorithm is None else algorithm
    if not (hasattr(algorithm, "init") and hasattr(algorithm, "step")) or isinstance(algorithm, type):
        raise InputError(f"An algorithm is an object with init and step (mg.algorithms.from_spec makes one from text), got {algorithm!r}.")
    return algorithm.with_defaults(float(game.scale)) if hasattr(algorithm, "with_defaults") else algorithm


def _like(start: Array | None, feedback: Feedback | None) -> Array | None:
    """The start itself where it is an array of another library than NumPy, which the run then follows."""
    if start is None or not hasattr(start, "shape") or namespace(start) is np:
        return None
    if not isinstance(feedback or Exact(), Exact):
        raise InputError(f"{feedback} is drawn on NumPy arrays: give the start as one, or exact payoffs.")
    return start


def _log_start(game: Game, start: Array | None) -> np.ndarray:
    """The normalised logarithm of the first policy; probabilities of zero stay zero."""
    if start is None:
        return uniform_log_policy(game.blocks)
    policy = np.asarray(check_policy(game, to_numpy(start)), dtype=np.float64)
    if policy.ndim != 1:
        raise InputError(f"A start is one policy of {game.actions} entries, got an array of shape {policy.shape}.")
    with np.errstate(divide="ignore"):
        return log_normalise(np.log(policy), game.blocks)


def _run(runs: Stack, budget: _Budget, record: Record, feedback: Feedback, engine: Engine, progress: Progress, interrupt: Interrupt) -> list[Trace]:
    """Advance a stack of runs together by one of the engines, and return the trace of each."""
    leave = arrays_until(engine, runs, feedback, budget.steps, budget.until, budget.expected)
    payoffs = Payoffs(runs.game, feedback, runs.game.payoffs if leave is not None else product_of(runs.game, budget.steps))
    payoffs.gap(runs.log_start)  # a game whose payoffs cannot be afforded says so before anything else is refused
    require_recording_memory(record, len(runs) * runs.game.actions, _stage_count(runs.rule, budget.steps))
    recorder = Recorder(record, budget.steps, runs.game.blocks)
    position = None
    if leave != 0:
        made = run_arrays(runs, budget.steps, budget.until, recorder, payoffs, feedback, progress, interrupt, leave, budget.products)
        if isinstance(made, list):
            return made
        position = made
    return run_compiled(runs, budget.steps, budget.until, recorder, feedback, progress, interrupt, position)


def _stage_count(rule: LogLinear | None, steps: int) -> int:
    return 1 + steps // rule.refresh_every if rule is not None and rule.refresh_every else 1
