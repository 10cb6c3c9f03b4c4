"""Runs of one shape and one kind of algorithm, as one array program and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from mmd_games.algorithms.log_linear import LogLinear, NamedMethod
from mmd_games.algorithms.registry import to_spec
from mmd_games.arrays import Array, on_device, require_memory
from mmd_games.errors import InputError
from mmd_games.games.game import Game, check_policy
from mmd_games.games.table_game import TableGame
from mmd_games.loop.feedback import Feedback
from mmd_games.loop.recording import Recorder
from mmd_games.loop.trace import Stages, Trace

NUMBERS = ("step_size", "magnet_strength", "magnet_rate")
"""The settings that may differ within a stack."""


def log_linear_of(algorithm: Any) -> LogLinear | None:
    """The member of the log-linear family that an algorithm is, if it is one; a subclass that steps otherwise is not."""
    own = type(algorithm)
    if (
        not isinstance(algorithm, LogLinear | NamedMethod)
        or own.step not in (LogLinear.step, NamedMethod.step)
        or own.init not in (LogLinear.init, NamedMethod.init)
    ):
        return None
    return algorithm if isinstance(algorithm, LogLinear) else algorithm.log_linear


def stacking_key(game: Game, algorithm: Any) -> Any:
    """What two runs must share to advance together; None for an algorithm outside the family, which runs alone.

    Games of stored tables stack; a game without a table advances together with itself only.
    """
    rule = log_linear_of(algorithm)
    if rule is None:
        return None
    choices = tuple(getattr(rule, field.name) for field in dataclasses.fields(rule) if field.name not in NUMBERS)
    return (type(game) if isinstance(game, TableGame) else id(game), game.blocks, choices)


class Stack:
    """One run, or several with a leading batch axis.

    Parameters
    ----------
    games : list of Game
    algorithms : list
    log_starts : list of array (actions,)
    like : array, optional
        Of another library than NumPy: the runs are made there, on its device.
    """

    def __init__(self, games: list[Game], algorithms: list[Any], log_starts: list[Array], like: Array | None = None):
        self._games, self._algorithms = games, algorithms
        self._alone = len(games) == 1
        self.game, self.algorithm, self.log_start = games[0], algorithms[0], log_starts[0]
        self.rule = log_linear_of(self.algorithm)
        if not self._alone:
            if any(game is not games[0] for game in games):
                tables = cast("list[TableGame]", games)  # others share a key with themselves only
                require_memory(8.0 * len(games) * tables[0].payoff_matrix.size, f"A stack of {len(games)} games")
                self.game = type(tables[0]).stack(tables)
            self.log_start = np.stack(log_starts)
            rules: list[Any] = [log_linear_of(algorithm) for algorithm in algorithms]
            columns = {name: np.array([[getattr(rule, name)] for rule in rules]) for name in NUMBERS}
            self.algorithm = self.rule = dataclasses.replace(rules[0], **columns)
        if like is not None:
            self._move(like)

    def _move(self, like: Array) -> None:
        """Go on in the library, and on the device, of another array."""
        if self.rule is None or not isinstance(self.game, TableGame):
            what = self._games[0].name if self.rule is not None else to_spec(self._algorithms[0])
            raise InputError(f"{what} is played on NumPy arrays only: give the start as one (the log-linear family on tables follows its start to any device).")
        self.game, self.log_start = self.game.beside(like), on_device(self.log_start, like)
        if not self._alone:
            self.algorithm = self.rule = dataclasses.replace(self.rule, **{name: on_device(getattr(self.rule, name), like) for name in NUMBERS})

    def __len__(self) -> int:
        return len(self._games)

    def log_policy(self, state: Any) -> Array:
        """The log-policy of a state; a copy from an algorithm outside the family, which may write into its own."""
        if self.rule is not None:
            return state.log_policy
        log_policy = np.array(state.log_policy, dtype=np.float64)
        if log_policy.shape != self.log_start.shape:
            raise InputError(f"{to_spec(self._algorithms[0])}: its log_policy must have the shape {self.log_start.shape}, got {log_policy.shape}.")
        return log_policy

    def require_policy(self, log_policy: Array, gaps: Sequence[float], step: int) -> None:
        """Stop runs whose policy is no longer one, naming the run; `gaps` has one number for each."""
        index = next((index for index, gap in enumerate(gaps) if not math.isfinite(gap)), None)
        if index is not None:
            raise InputError(
                f"{to_spec(self._algorithms[index])} on {self._games[index].name}: the policy stopped being finite by step {step}; "
                "smaller settings, or a start that plays every action, would be right."
            )
        if self.rule is None:
            try:
                check_policy(self.game, np.exp(log_policy))
            except InputError as error:
                raise InputError(f"{to_spec(self._algorithms[0])} on {self.game.name}, after step {step}: {error} (log_policy must be normalised.)") from None

    def trace(self, index: int, recorder: Recorder, stopped: str, feedback: Feedback) -> Trace:
        """The trace of one run so far."""

        def mine(value: Array) -> Array:
            return value if self._alone else value[index]

        rows = recorder.gap_rows()
        policy_rows = [(step, mine(log_policy)) for step, log_policy in recorder.policy_rows()]
        steady = self.rule is None or self.rule.steady
        stages = recorder.stages.of(None if self._alone else index, self.game.actions)
        if not steady:  # samples at the recorded policies
            kept = np.isin(stages[0], [step for step, _ in policy_rows])
            stages = tuple(part[kept] for part in stages)
        return Trace(
            game=self._games[index],
            algorithm=self._algorithms[index],
            iterations=np.array([step for step, _ in rows]),
            products=np.array([products for _, (products, _, _) in rows]),
            gaps=np.array([float(mine(gap)) for _, (_, gap, _) in rows]),
            average_gaps=np.array([float(mine(average)) for _, (_, _, average) in rows]),
            policy_iterations=np.array([step for step, _ in policy_rows]),
            log_policies=np.array([log_policy for _, log_policy in policy_rows]),
            stages=Stages(*stages, steady=steady),
            feedback=str(feedback),
            stopped=stopped,
        )
