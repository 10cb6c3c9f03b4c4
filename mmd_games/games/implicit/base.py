"""What all games without a stored payoff matrix share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mmd_games.arrays import Array, require_memory
from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.games.tables import check_labels

EXACT_SCALE = 4096
"""Up to so many actions every payoff is looked at once for the largest; in larger games `scale` is an upper bound."""
COLUMNS = 64
"""Columns looked at together."""


class ImplicitGame(Game):
    """A symmetric game, S = −Sᵀ, whose payoffs are computed and not looked up.

    Parameters
    ----------
    actions : int
    labels : sequence of str, or None
    name : str
    """

    players_per_block = 2
    units = "payoff"

    def __init__(self, actions: int, labels: Sequence[str] | None, name: str):
        if actions < 2:
            raise InputError(f"{actions} action{'' if actions == 1 else 's'} were given: a game needs at least two.")
        self.blocks = (actions,)
        self.labels = None if labels is None else (check_labels(labels, actions, "actions"),)
        self.name = name
        self.scale_is_exact = actions <= EXACT_SCALE

    @property
    def scale(self) -> float:
        """L = max|S| in games of up to `EXACT_SCALE` actions, computed from every payoff; in larger ones an upper bound."""
        return self._scale

    @cached_property
    def _scale(self) -> float:
        if not self.scale_is_exact:
            return self._scale_bound()
        columns = np.arange(self.actions)
        return max(float(np.max(np.abs(self.against(0, columns[first : first + COLUMNS])))) for first in range(0, self.actions, COLUMNS))

    @abstractmethod
    def _scale_bound(self) -> float:
        """An upper bound on max|S| that is cheap."""

    @property
    def largest_payoff(self) -> float:
        """max|S|, or the bound on it that `scale` is."""
        return self.scale

    def table(self) -> np.ndarray:
        """The whole payoff matrix, (n, n), exactly skew-symmetric, made on demand; refused where it would not fit into memory."""
        require_memory(4.0 * 8 * self.actions**2, f"The {self.actions:,} × {self.actions:,} table of {self.name}")
        return self.restricted(np.arange(self.actions))


def one_policy(policy: Array, game: Game) -> np.ndarray:
    """The float64 array of one policy; a batch is refused."""
    probabilities = np.asarray(policy, dtype=np.float64)
    if probabilities.shape != (game.actions,):
        raise InputError(f"Certified payoffs are taken of one policy of {game.actions} entries, got an array of shape {probabilities.shape}.")
    return probabilities


def mirrored(matrix: np.ndarray) -> np.ndarray:
    """The matrix that has this one's upper triangle and is skew-symmetric to the last bit."""
    upper = np.triu(matrix, 1)
    return upper - upper.T
