"""Everything that is said of a ranking, as numbers: the lottery, its uncertainty, the older rankings, and where they contradict the majorities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.equilibria import NashEquilibrium
from mmd_games.games.preference import PreferenceGame
from mmd_games.ranking.bradley_terry import elo_points
from mmd_games.ranking.cycles import Contradictions, contradictions
from mmd_games.ranking.lotteries import Resampled, is_unique, lottery, require_preference, resampled
from mmd_games.ranking.orders import borda_scores, condorcet_winner, copeland_scores, positions

FEW = 10
"""A pair with fewer battles varies too little when they are drawn anew."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Standings:
    """The numbers of a ranking, in the order of the game's actions.

    Attributes
    ----------
    game : PreferenceGame
    equilibrium : NashEquilibrium
        Of largest entropy.
    unique : bool
        Whether it is the only one.
    scores : array (n,)
        What each action earns against it: P − 1/2, or the margin; at most 0 up to rounding, and 0 for those it plays.
    order : array (n,) of int
        The actions from first to last: by probability, then by that score, then by Borda's.
    elo, borda, copeland : array (n,)
        Points; average payoffs; number of others beaten.
    elo_place, borda_place, copeland_place : array (n,) of int
        Places, from 1.
    condorcet : int, or None
        The action that beats every other one.
    against_elo : Contradictions
    sample : Resampled, or None
    notes : tuple of str
    """

    game: PreferenceGame
    equilibrium: NashEquilibrium
    unique: bool
    scores: np.ndarray
    order: np.ndarray
    elo: np.ndarray
    borda: np.ndarray
    copeland: np.ndarray
    elo_place: np.ndarray
    borda_place: np.ndarray
    copeland_place: np.ndarray
    condorcet: int | None
    against_elo: Contradictions
    sample: Resampled | None
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the actions are called: their labels, or numbers from 1."""
        return self.game.labels[0] if self.game.labels else tuple(f"action {index + 1:,}" for index in range(self.game.actions))


def standings(game: PreferenceGame, bootstrap: int = 0, seed: int = 0, level: float = 0.95) -> Standings:
    """Rank the actions of a preference game.

    Parameters
    ----------
    game : PreferenceGame
    bootstrap : int
        Resampled tables, for intervals; 0 for none. It needs the counts, which a game made of records has.
    seed : int
    level : float
        Of the intervals.

    Raises
    ------
    InputError
        For another kind of game, or settings that make no sense.
    """
    game = require_preference(game)
    skew, comparisons = np.asarray(game.payoff_matrix), game.comparisons
    equilibrium = lottery(game)
    scores = skew @ equilibrium.policy
    scores[equilibrium.policy > 0] = np.minimum(scores[equilibrium.policy > 0], 0.0)
    # Of a table without counts every pair is taken to have met equally often.
    wins, ties = (comparisons.wins, comparisons.ties) if comparisons else (_as_wins(game, skew), np.zeros_like(skew))
    elo, said = elo_points(wins, ties)
    borda, copeland = borda_scores(skew), copeland_scores(skew)
    notes, sample = [*game.notes, *([said] if said else [])], None
    if bootstrap and comparisons is None:
        notes.append("no intervals: only the table is known, not what it was counted from.")
    elif bootstrap and comparisons:
        sample = resampled(comparisons, equilibrium.policy, bootstrap, seed, level)
        met = comparisons.counts[np.triu_indices(len(skew), 1)]
        if comparisons.ballots is None and np.any(met < FEW):
            notes.append(
                f"{int(np.sum(met < FEW)):,} of {len(met):,} pairs met fewer than {FEW} times: drawn anew they vary too little, so that intervals are too narrow there."
            )
    return Standings(
        game=game,
        equilibrium=equilibrium,
        unique=is_unique(skew, equilibrium.policy),
        scores=scores,
        order=np.lexsort((-borda, -np.round(scores, 12), -np.round(equilibrium.policy, 12))),
        elo=elo,
        borda=borda,
        copeland=copeland,
        elo_place=positions(elo),
        borda_place=positions(borda),
        copeland_place=positions(copeland),
        condorcet=condorcet_winner(skew),
        against_elo=contradictions(skew, elo),
        sample=sample,
        notes=tuple(notes),
    )


def _as_wins(game: PreferenceGame, skew: np.ndarray) -> np.ndarray:
    """A table as wins in as many battles of each pair: P itself, or payoffs moved up until none is negative."""
    offset = game.value_offset or float(np.max(skew)) or 1.0
    return (skew + offset) * (1.0 - np.eye(len(skew)))
