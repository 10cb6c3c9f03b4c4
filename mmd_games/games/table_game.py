"""Games whose payoff matrix is stored."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from mmd_games.arrays import Array, block_slices, namespace, on_device
from mmd_games.errors import InputError
from mmd_games.games.game import Game, require_symmetric
from mmd_games.games.rounding import LONG_UNIT, SAFETY, certified_product, certified_products, gamma, rounded


class TableGame(Game):
    """A game with its whole payoff matrix in memory.

    Attributes
    ----------
    payoff_matrix : array (n, n) or (m, n)
        The game in its own units. A stack of games of one shape has leading batch axes; so have then all results.
    """

    payoff_matrix: Array

    @property
    def is_stack(self) -> bool:
        """Whether the payoff matrix has leading batch axes."""
        return self.payoff_matrix.ndim > 2

    @cached_property
    def scale(self) -> Array:  # type: ignore[override]
        """L, half the range of the payoffs: max|S| of a preference game; looked up once, as a pass over the whole table.

        A constant added to a payoff matrix changes no method here, so half the range serves wherever theory writes max|A|, and is never larger.
        """
        xp = namespace(self.payoff_matrix)
        return xp.max(self.payoff_matrix, axis=(-2, -1)) / 2 - xp.min(self.payoff_matrix, axis=(-2, -1)) / 2

    @cached_property
    def largest_payoff(self) -> float:  # type: ignore[override]
        """max|A|, over a whole stack too; looked up once, since every error bound asks for it."""
        return max(float(np.max(np.asarray(self.payoff_matrix))), -float(np.min(np.asarray(self.payoff_matrix))))

    @property
    def payoff_rounding(self) -> float:
        """γ_n·max|A|, n the length of the longest inner product."""
        return SAFETY * gamma(max(self.payoff_matrix.shape[-2:])) * self.largest_payoff

    @property
    def rounding(self) -> float:
        """As of :meth:`certified_payoffs` with all actions played."""
        terms, largest = max(self.payoff_matrix.shape[-2:]), self.largest_payoff
        return SAFETY**2 * rounded(SAFETY * largest, gamma(terms, LONG_UNIT) * largest, terms) if largest else 0.0

    def table(self) -> np.ndarray:
        """The payoff matrix itself."""
        return np.asarray(self.payoff_matrix)

    def restricted(self, actions: Sequence[int] | np.ndarray) -> np.ndarray:
        """The rows and columns of a symmetric game's matrix that are listed."""
        require_symmetric(self)
        chosen = np.asarray(actions)
        return np.asarray(self.payoff_matrix)[np.ix_(chosen, chosen)]

    def certified_payoffs(self, policy: Array) -> tuple[np.ndarray, Array]:
        """Payoffs summed in long doubles (80 bits on x86), with a proven bound on the error of every one; of a stack, one policy and one bound a game."""
        profile = np.asarray(policy, dtype=np.float64)
        matrix, parts = np.asarray(self.payoff_matrix), block_slices(self.blocks)
        if profile.ndim != matrix.ndim - 1 or matrix.ndim > 3:
            raise InputError("Certified payoffs are taken of one policy in one game, not of a batch.")

        def product(factor: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, Array]:
            return certified_products(factor, weights) if self.is_stack else certified_product(factor, weights, self.largest_payoff)

        received, error = product(matrix, profile[..., parts[-1]])
        if len(parts) == 1:
            return received, error
        paid, error_of_paid = product(np.swapaxes(matrix, -2, -1), profile[..., parts[0]])
        return np.concatenate([received, -paid], axis=-1), np.maximum(error, error_of_paid)

    def beside(self, array: Array) -> Self:
        """The same game with its table in the library, and on the device, of another array."""
        moved = self._copy()
        moved.payoff_matrix = on_device(np.asarray(self.payoff_matrix).copy(), array)
        return moved

    def __setstate__(self, state: dict[str, Any]) -> None:
        """From a file, or as a copy: the table stays one that nobody writes into, for what is known of it is looked up once."""
        vars(self).update(state)
        if isinstance(self.payoff_matrix, np.ndarray):
            self.payoff_matrix.flags.writeable = False

    def _copy(self) -> Self:
        """A copy that knows nothing of its table, which is about to be another."""
        other = copy.copy(self)
        for known in ("scale", "largest_payoff"):
            vars(other).pop(known, None)
        return other

    @classmethod
    def stack(cls, games: Sequence[Self]) -> Self:
        """Games of one shape as one game with a leading batch axis."""
        stacked = games[0]._copy()
        stacked.payoff_matrix = np.stack([game.payoff_matrix for game in games])
        stacked.name = f"{len(games)} games"
        return stacked
