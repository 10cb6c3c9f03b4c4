"""Games as the compiled loop takes them: plain arrays, and the function that advances runs on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.games.table_game import TableGame
from mmd_games.loop.stack import Stack

SHARED = 256
"""Actions of a game from which several runs on it are one product of matrices a step, which BLAS makes faster than the compiled loop one product after the other."""


def share_products(runs: Stack) -> bool:
    """Whether these are several runs on one game so large that they are best advanced together."""
    return len(runs) > 1 and not runs.game.is_stack and runs.game.actions >= SHARED


def compiled_game(runs: Stack) -> CompiledTable | CompiledShared | CompiledLowRank:
    """The game of some runs as the loop that is to play them takes it."""
    if not isinstance(runs.game, TableGame):
        return CompiledLowRank(runs.game)
    return CompiledShared(runs.game, len(runs)) if share_products(runs) and has_one_place(runs) else CompiledTable(runs.game)


def has_one_place(runs: Stack) -> bool:
    """Whether every step of theirs takes its payoffs at the policies that it starts from, in a symmetric game: then all can be had by one product of matrices."""
    rule: Any = runs.rule
    return len(runs.game.blocks) == 1 and rule.evaluation != "half_step" and not (rule.evaluation == "mixture" and rule.explicit)


class CompiledTable:
    """A stored table as the compiled loop takes it, or a stack of them.

    Attributes
    ----------
    threads : bool
        Whether its runs are shared out among numba's threads.
    """

    threads = True

    def __init__(self, game: Any):
        from mmd_games.compiled.advance import advance  # numba is imported where it is used

        self.advance = advance
        matrix = np.ascontiguousarray(game.payoff_matrix)
        self._matrices = (matrix if matrix.ndim == 3 else matrix[None]).view()
        self._matrices.flags.writeable = False  # of a stack as of one game, so that one compiled loop serves both
        self._first = game.blocks[0] if len(game.blocks) > 1 else 0
        self.size = self._matrices[0].size

    def of(self, some: slice, policies: np.ndarray) -> tuple[Any, ...]:
        """What some of the runs are played on, and their policies, as the last step has rounded them."""
        return self._matrices if len(self._matrices) == 1 else self._matrices[some], self._first, policies[some]

    def summed(self, policies: np.ndarray) -> np.ndarray:
        """What the loop sums of the policies: themselves."""
        return policies.copy()


class CompiledShared:
    """One large table for several runs: theirs are products of matrices, which BLAS shares out among its own threads."""

    threads = False

    def __init__(self, game: Any, count: int):
        from mmd_games.compiled.shared import advance_shared

        self.advance = advance_shared
        self._matrix = np.ascontiguousarray(game.payoff_matrix).view()
        self._matrix.flags.writeable = False  # so that one compiled loop serves every table
        self._payoffs, self._evaluated = np.empty((count, game.actions)), np.array([-1])
        self.size = self._matrix.size / 16  # of what an entry takes in a product with one policy

    def of(self, some: slice, policies: np.ndarray) -> tuple[Any, ...]:
        """The table, and the policies of some of the runs, as the last step has rounded them."""
        return self._matrix, self._payoffs, self._evaluated, policies[some]

    def summed(self, policies: np.ndarray) -> np.ndarray:
        """What the loop sums of the policies: themselves."""
        return policies.copy()


class CompiledLowRank:
    """A game of low rank as the compiled loop takes it: its embeddings by dimensions, in float64."""

    threads = True

    def __init__(self, game: Any):
        from mmd_games.compiled.low_rank_runs import advance_low_rank

        self.advance = advance_low_rank
        require_memory(8.0 * game.actions * max(8, game.dimensions), f"The embeddings of {game.name}, by dimensions")
        # Eight dimensions have a loop of their own, so five to seven are filled up with zeros.
        dimensions = 8 if 4 < game.dimensions < 8 else game.dimensions
        self._columns, self._mixing = np.zeros((dimensions, game.actions)), np.zeros((dimensions, dimensions))
        self._columns[: game.dimensions] = game.embeddings.T
        self._mixing[: game.dimensions, : game.dimensions] = game.mixing
        self.size = 2 * self._columns.size

    def of(self, some: slice, policies: np.ndarray) -> tuple[Any, ...]:
        """What some of the runs are played on: all on the same, from their log-policies."""
        return self._columns, self._mixing

    def summed(self, policies: np.ndarray) -> np.ndarray:
        """What the loop sums of the policies: their mean embeddings."""
        return policies @ self._columns.T
