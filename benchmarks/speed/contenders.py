"""Ours, through the public interface, and the loop that anyone would write by hand in NumPy: the same games, settings and starts.

All start from the uniform policy, which is the magnet too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import mmd_games as mg
from benchmarks.speed.measuring import Contender
from mmd_games.loop.engines import Engine

OURS = "mmd_games"
BY_HAND = "NumPy by hand"
RECORD = mg.Record(gaps=4, policies=4)
"""As little as can be recorded."""


def ours(game: mg.Game, algorithm: Any, steps: int, *, engine: Engine = "compiled", work: float = 1.0) -> Contender:
    """One run of :func:`mmd_games.solve`."""

    def play(number: int) -> mg.Trace:
        return _whole(mg.solve(game, algorithm, steps=number, engine=engine, record=RECORD))

    return Contender(name=OURS, prepare=lambda: play, steps=steps, work=work, outcome=lambda trace: trace.policy)


def ours_together(games: mg.Game | Sequence[mg.Game], algorithms: Any, steps: int, *, engine: Engine = "auto") -> Contender:
    """Many runs of :func:`mmd_games.solve_many`; the cost is that of a step of all."""

    def play(number: int) -> list[mg.Trace]:
        return [_whole(trace) for trace in mg.solve_many(games, algorithms, steps=number, engine=engine, record=RECORD)]

    return Contender(name=OURS, prepare=lambda: play, steps=steps, outcome=lambda traces: np.array([trace.policy for trace in traces]))


def covered(contender: Callable[[Engine], Contender]) -> Contender:
    """The contender by the compiled loop, or by arrays where that loop does not cover the game; its note then says so."""
    compiled = contender("compiled")
    try:
        compiled.reaches(1)
    except mg.InputError as error:
        if "does not cover" not in str(error):
            raise
        return replace(contender("array"), note="by the array engine: the compiled loop does not cover this game")
    return compiled


def by_hand(matrix: Any, algorithm: Any, steps: int) -> Contender:
    """The hand-written loop on one game."""
    return Contender(name=BY_HAND, prepare=lambda: lambda number: play_by_hand(matrix, algorithm, number), steps=steps)


def each_by_hand(matrices: Sequence[np.ndarray], algorithms: Sequence[Any], steps: int) -> Contender:
    """The hand-written loop on each game with its algorithm, one after the other; the cost is that of a step of all."""

    def play(number: int) -> list[np.ndarray]:
        return [play_by_hand(matrix, algorithm, number) for matrix, algorithm in zip(matrices, algorithms, strict=True)]

    return Contender(name=BY_HAND, prepare=lambda: play, steps=steps)


def products_together(matrix: np.ndarray, count: int, steps: int) -> Contender:
    """BLAS's product of a table with so many policies, and nothing else: what no step of so many runs can be faster than."""
    policies, payoffs = np.full((count, len(matrix)), 1 / len(matrix)), np.empty((count, len(matrix)))  # so laid out it is quicker than as columns

    def play(number: int) -> None:
        for _ in range(number):
            np.matmul(policies, matrix, out=payoffs)

    return Contender(name="the products alone", prepare=lambda: play, steps=steps)


def play_by_hand(matrix: Any, algorithm: Any, steps: int) -> np.ndarray:
    """Magnetic Mirror Descent, and Magnetic Preference Optimization where the algorithm has a `refresh_every`, written as a textbook has it.

    Parameters
    ----------
    matrix : array (n, n), or anything that is multiplied by ``@``
        Skew-symmetric payoffs.
    algorithm : object
        With `step_size` and `magnet_strength` filled in.
    steps : int

    References
    ----------
    Sokota et al., arXiv 2206.05825, eq. 12; Wang et al., arXiv 2410.16714.
    """
    step_size, strength, refresh_every = algorithm.step_size, algorithm.magnet_strength, getattr(algorithm, "refresh_every", None)
    log_policy = np.full(matrix.shape[0], -np.log(matrix.shape[0]))
    log_magnet = log_policy
    for step in range(1, steps + 1):
        payoff = matrix @ np.exp(log_policy)
        log_policy = (log_policy + step_size * strength * log_magnet + step_size * payoff) / (1 + step_size * strength)
        top = log_policy.max()
        log_policy = log_policy - (top + np.log(np.exp(log_policy - top).sum()))
        if refresh_every and step % refresh_every == 0:
            log_magnet = log_policy
    return np.exp(log_policy)


class LowRankTable:
    """What the hand-written loop multiplies by where a table would be too large: V Rᵀ Vᵀ."""

    def __init__(self, embeddings: np.ndarray, mixing: np.ndarray):
        self._embeddings, self._mixing = embeddings, mixing
        self.shape = (len(embeddings), len(embeddings))

    def __matmul__(self, policy: np.ndarray) -> np.ndarray:
        return self._embeddings @ (self._mixing.T @ (self._embeddings.T @ policy))


def _whole(trace: mg.Trace) -> mg.Trace:
    """The trace, unless Ctrl-C cut it short: the benchmark ends then, too."""
    if trace.stopped == "interrupted":
        raise KeyboardInterrupt
    return trace
