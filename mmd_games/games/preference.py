"""Preference games: a table of win probabilities, or any skew-symmetric payoff table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError
from mmd_games.games.table_game import TableGame
from mmd_games.games.tables import as_table, check_labels, coarse_notes, coarseness, place

if TYPE_CHECKING:
    from mmd_games.games.data.comparisons import Comparisons

TOLERANCE = 1e-9
"""How far P + Pᵀ may be from 1: the rounding of a table printed with nine digits."""


class PreferenceGame(TableGame):
    r"""Two players choose; the first choice is preferred with probability :math:`P_{ij}`.

    Only :math:`S = P - 1/2` is stored, exactly skew-symmetric. Both players share one policy, a profile of one block.

    Parameters
    ----------
    preference : array (n, n)
        ``preference[i, j]`` is the probability that i is preferred to j; entries in [0, 1], P + Pᵀ = 1 within 1e-9, n at least 2. A table of float32 is taken as it
        stands; reports then say from where on gaps are below its rounding.
    labels : sequence of str, optional
        Names of the n actions.
    name : str, optional
        What reports call the game.
    symmetrise : bool
        Repair P + Pᵀ ≠ 1 by averaging each pair, and say in the notes by how much.

    Raises
    ------
    InputError
        For a table that is no preference; the sentence names the entry.

    Examples
    --------
    >>> import mmd_games as mg
    >>> game = mg.PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]], labels=["a", "b", "c"])
    >>> game
    <PreferenceGame a preference game (3 × 3, symmetric, win probability, L = 0.4)>
    """

    players_per_block = 2
    comparisons: Comparisons | None = None
    """What the table was counted from, where it was made of records."""

    def __init__(self, preference: Array, labels: Sequence[str] | None = None, name: str = "a preference game", *, symmetrise: bool = False):
        table = as_table(preference, "preference")
        labels = _check_square(table, labels)
        outside = (table < 0) | (table > 1)
        if np.any(outside):
            row, column = map(int, np.argwhere(outside)[0])
            raise InputError(
                f"{place(row, column, labels)} is {table[row, column]:.9g}, outside [0, 1]: win probabilities were expected (for a payoff table say so: from_payoffs, or --payoffs)."
            )
        error = table + table.T - 1.0
        row, column = map(int, np.unravel_index(np.argmax(np.abs(error)), error.shape))
        worst, tolerance = float(abs(error[row, column])), _tolerance(preference)
        if worst > tolerance and not symmetrise:
            raise InputError(
                f"P + Pᵀ must be 1 within {tolerance:g}: {place(row, column, labels)} and its mirror are {table[row, column]:.9g} and "
                f"{table[column, row]:.9g}, which sum to {table[row, column] + table[column, row]:.9g} (--symmetrise, or symmetrise=True, would average each pair)."
            )
        # Where a pair sums to 1 in floating point, the entry of at least 1/2 less 1/2 is exact; elsewhere take the mean of the two.
        exact = np.where(table >= 0.5, table - 0.5, 0.5 - table.T)
        self._set(np.where(error == 0.0, exact, (table - table.T) / 2), labels, name, "win probability")
        self.value_offset = 0.5
        self.notes = coarse_notes(preference, table)
        if worst > tolerance:
            self.notes += (f"symmetrised: P + Pᵀ was off by up to {worst:.3g} (at {place(row, column, labels)}); each pair was averaged.",)

    @classmethod
    def from_payoffs(cls, payoffs: Array, labels: Sequence[str] | None = None, name: str = "a symmetric game") -> PreferenceGame:
        """A symmetric zero-sum game from its skew-symmetric payoff table, in the table's own units.

        Raises
        ------
        InputError
            When the table is not skew-symmetric within 1e-9 of its largest entry.
        """
        table = as_table(payoffs, "payoff")
        labels = _check_square(table, labels)
        error = table + table.T
        row, column = map(int, np.unravel_index(np.argmax(np.abs(error)), error.shape))
        if abs(error[row, column]) > _tolerance(payoffs) * np.max(np.abs(table)):
            raise InputError(
                f"A symmetric game needs S + Sᵀ = 0: {place(row, column, labels)} and its mirror are {table[row, column]:.9g} and {table[column, row]:.9g} (for two different players use MatrixGame)."
            )
        game = object.__new__(cls)
        game._set(table / 2 - table.T / 2, labels, name, "payoff")
        game.notes = coarse_notes(payoffs, table)
        return game

    @classmethod
    def from_battles(cls, battles: Any, *, unmet: str = "refuse", table: str = "probabilities", **reading: Any) -> PreferenceGame:
        """The game of battles between models (columns model_a, model_b, winner): a path, a frame or an iterable of mappings.

        Parameters
        ----------
        battles
            As of :func:`~mmd_games.games.data.read_battles`, which takes the `reading` too: `model_a`, `model_b`, `winner`, `id`, `skip`.
        unmet : str
            Pairs that never met: "refuse", "prior:strength=1" or "connected"; see :func:`~mmd_games.games.data.game_from`.
        table : {"probabilities", "margins"}
        """
        from mmd_games.games.data import game_from, read_battles  # imported where they are used; they import this module

        return game_from(read_battles(battles, **reading), unmet, table)

    @classmethod
    def from_rankings(cls, rankings: Any, *, unmet: str = "refuse", table: str = "probabilities", **reading: Any) -> PreferenceGame:
        """The game of rankings, lists of names with the best first: see :func:`~mmd_games.games.data.read_rankings` (`unranked`, `skip`) and :meth:`from_battles`."""
        from mmd_games.games.data import game_from, read_rankings

        return game_from(read_rankings(rankings, **reading), unmet, table)

    @classmethod
    def from_scores(cls, scores: Any, *, unmet: str = "refuse", table: str = "probabilities", **reading: Any) -> PreferenceGame:
        """The game of scores by annotators or aspects, each a voter: see :func:`~mmd_games.games.data.read_scores` (`model`, `score`, `voters`, `best`, `skip`) and :meth:`from_battles`."""
        from mmd_games.games.data import game_from, read_scores

        return game_from(read_scores(scores, **reading), unmet, table)

    @classmethod
    def from_preflib(cls, path: str | os.PathLike[str], *, unmet: str = "refuse", table: str = "probabilities", unranked: str = "refuse") -> PreferenceGame:
        """The game of a PrefLib file (.soc, .soi, .toc, .toi): see :func:`~mmd_games.games.data.read_preflib` and :meth:`from_battles`."""
        from mmd_games.games.data import game_from, read_preflib

        return game_from(read_preflib(path, unranked=unranked), unmet, table)

    @classmethod
    def from_ratings(cls, ratings: Any, *, scale: str = "elo", **reading: Any) -> PreferenceGame:
        """The game that an Elo or Bradley-Terry fit stands for: see :func:`~mmd_games.games.data.read_ratings` (`scale`, `model`, `rating`)."""
        from mmd_games.games.data import read_ratings

        return read_ratings(ratings, scale=scale, **reading)

    def _set(self, skew: np.ndarray, labels: tuple[str, ...] | None, name: str, units: str) -> None:
        # Minus itself mirrored, so that the diagonal is +0 and S is skew-symmetric to the last bit.
        upper = np.triu(skew, 1)
        self.payoff_matrix = upper - upper.T
        self.payoff_matrix.flags.writeable = False
        self.blocks = (len(skew),)
        self.labels = None if labels is None else (labels,)
        self.name, self.units = name, units

    @property
    def preference(self) -> Array:
        """P = S + 1/2, made on demand; only a game of win probabilities has one."""
        if self.units != "win probability":
            raise InputError(f"{self.name} is given in payoffs, so it has no win probabilities.")
        return self.payoff_matrix + 0.5

    def payoffs(self, policy: Array) -> Array:
        """How much more often than half the time each action wins against the policy, or each of a batch: Sπ."""
        if policy.ndim > 1 and not self.is_stack:
            return -(policy @ self.payoff_matrix)  # Sᵀ = −S: one product of matrices
        return (self.payoff_matrix @ policy[..., None])[..., 0]

    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """Columns of S, one for each drawn opponent."""
        return self.payoff_matrix[:, opponents]


def _tolerance(values: Array) -> float:
    """How far a pair may be off: the rounding of nine digits, or of two coarser numbers."""
    return max(TOLERANCE, 4 * coarseness(values))


def _check_square(table: np.ndarray, labels: Sequence[str] | None) -> tuple[str, ...] | None:
    """Refuse a table that is not square, or labels that are not as many as its rows; return the labels as text."""
    rows, columns = table.shape
    if rows != columns:
        raise InputError(f"The table is not square: {rows} rows and {columns} columns (a payoff table of two different players is a MatrixGame, or --payoffs).")
    if rows < 2:
        raise InputError("The table is 1 × 1: a game needs at least two actions.")
    return None if labels is None else check_labels(labels, rows, "rows")
