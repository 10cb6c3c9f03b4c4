"""How often each action was preferred to each other one: the small table that all records are counted into, and the game that it makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import InputError
from mmd_games.games.data.ballots import Ballots
from mmd_games.games.preference import PreferenceGame

TABLES = ("probabilities", "margins")
"""A game of win probabilities, or of majority margins (votes for less votes against)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparisons:
    """Wins and ties of every pair: all that the table of a game needs of the records.

    Attributes
    ----------
    names : tuple of str
        The n actions, in alphabetical order unless the file has one of its own.
    wins : array (n, n) of int
        ``wins[i, j]``: how often i was preferred to j.
    ties : array (n, n) of int
        How often the two were judged alike; symmetric, zero on the diagonal.
    source : str
        What the records are called.
    unit : str
        What one independent record is: "battle" or "ballot".
    records : int
        How many of them were counted.
    ballots : Ballots, or None
        Where a record compares several actions at once: what to resample, for the pairs of one ballot are not independent.
    strength : float
        Of the prior: so many tied battles are added to every pair.
    table : {"probabilities", "margins"}
        What the game is made of.
    notes : tuple of str
        What was done with the records that a reader must know.
    """

    names: tuple[str, ...]
    wins: np.ndarray
    ties: np.ndarray
    source: str
    unit: str
    records: int
    ballots: Ballots | None = None
    strength: float = 0.0
    table: str = "probabilities"
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> np.ndarray:
        """How often each pair met: (n, n)."""
        return self.wins + self.wins.T + self.ties

    def game(self) -> PreferenceGame:
        """The game of this table.

        Raises
        ------
        InputError
            When a pair never met and there is no prior, or there are fewer than two actions.
        """
        count = len(self.names)
        if count < 2:
            raise InputError(f"{self.source}: {count} {'name' if count == 1 else 'names'} to compare; a game needs at least two.")
        skew = skew_tables(self.wins - self.wins.T, self.counts, self.strength, self.table)
        name = f"{self.source} ({self.table})"
        game = PreferenceGame(skew + 0.5, self.names, name) if self.table == "probabilities" else PreferenceGame.from_payoffs(skew, self.names, name)
        game.notes = (self.description(), *self.notes)
        game.comparisons = self
        return game

    def description(self) -> str:
        """What was counted, in a sentence."""
        tied = int(np.sum(np.triu(self.ties)))
        pairs = int(np.sum(np.triu(self.counts)))
        ballots = f", {pairs:,} comparisons of two" if self.unit == "ballot" else ""
        ties = f"; {tied:,} tied, which count half a win for each" if tied else "; none tied"
        return f"counted from {self.records:,} {self.unit}{'s' * (self.records != 1)} on {len(self.names):,} names{ballots}{ties}."


def skew_tables(margins: np.ndarray, counts: np.ndarray, strength: float, table: str) -> np.ndarray:
    """Tables S of payoffs from counts, or a stack of them: P − 1/2 with `strength` tied battles added to every pair, or the margins themselves.

    A pair without any battle and without a prior is even. P is at most 1e-16 from the quotient of the counts.

    Parameters
    ----------
    margins : array (..., n, n)
        Wins less losses.
    counts : array (..., n, n)
        Wins, losses and ties.
    """
    if table == "margins":
        return margins.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = margins / (2.0 * (counts + strength))
    return np.where(margins == 0, 0.0, skew)


def require_table(count: int, what: str) -> None:
    """Refuse so many names that the tables of their pairs do not fit into memory."""
    require_memory(8 * 8.0 * count**2, f"{what}: a table of {count:,} × {count:,} names")
