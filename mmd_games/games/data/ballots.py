"""Ballots: each ranks some of the actions, best first, perhaps with ties; and what they say of every pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import InputError

UNRANKED = ("refuse", "below", "apart")
"""What becomes of the actions that a ballot leaves out."""
NOT_RANKED = -1
"""The rank of an action that a ballot says nothing of."""
CHUNK = 2**22
"""Comparisons worked on at a time."""


@dataclass(frozen=True, eq=False)
class Ballots:
    """Different ballots and how often each was cast.

    Attributes
    ----------
    ranks : array (ballots, n) of int
        0 for the best; equal where tied; −1 where the ballot does not compare the action with any other.
    weights : array (ballots,) of int
        How many voters cast it.
    """

    ranks: np.ndarray
    weights: np.ndarray

    def pair_counts(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Wins and ties of every pair, (n, n) each; of a stack of other weights (draws, ballots), stacks (draws, n, n).

        Counts are whole numbers, exact below 2⁵³.
        """
        given = self.weights if weights is None else weights
        cast = np.atleast_2d(given).astype(np.float64)
        ballots, count = self.ranks.shape
        wins, ties = np.zeros((len(cast), count * count)), np.zeros((len(cast), count * count))
        step = max(1, CHUNK // count**2)
        for first in range(0, ballots, step):
            part = self.ranks[first : first + step]
            ranked = part != NOT_RANKED
            both = ranked[:, :, None] & ranked[:, None, :]
            for total, holds in ((wins, part[:, :, None] < part[:, None, :]), (ties, part[:, :, None] == part[:, None, :])):
                total += cast[:, first : first + step] @ (both & holds).reshape(len(part), -1).astype(np.float64)
        ties.reshape(len(cast), count, count)[:, range(count), range(count)] = 0.0
        shape = (count, count) if np.ndim(given) == 1 else (len(cast), count, count)
        return wins.astype(np.int64).reshape(shape), ties.astype(np.int64).reshape(shape)

    def among(self, kept: np.ndarray) -> Ballots:
        """The same ballots on some of the actions."""
        return Ballots(self.ranks[:, kept], self.weights)


def with_unranked(ranks: np.ndarray, weights: np.ndarray, unranked: str, source: str) -> tuple[Ballots, tuple[str, ...]]:
    """Ballots in which it is settled what becomes of those left out, and the note that says so.

    Parameters
    ----------
    ranks : array (ballots, n) of int
        −1 where a ballot does not rank an action.
    weights : array (ballots,) of int
    unranked : {"refuse", "below", "apart"}
        Refuse ballots that leave actions out; take those left out to be tied below all that the ballot ranks; or take the ballot to say nothing of them.

    Raises
    ------
    InputError
        When actions are left out and the choice is "refuse", or it is none of the three.
    """
    if unranked not in UNRANKED:
        raise InputError(f"unranked must be one of {', '.join(UNRANKED)}, got '{unranked}'.")
    missing = ranks == NOT_RANKED
    short = np.any(missing, axis=1)
    if not np.any(short):
        return Ballots(ranks, weights), ()
    cast, count = int(np.sum(weights[short])), int(np.sum(weights))
    left_out = int(np.sum(np.sum(missing, axis=1) * weights))
    said = f"{cast:,} of {count:,} ballots leave out names ({left_out:,} of {count * ranks.shape[1]:,} places)"
    if unranked == "refuse":
        raise InputError(
            f'{source}: {said}; say what that means: --unranked below (or unranked="below") takes them to be tied below all that the ballot ranks, '
            "--unranked apart to be not compared at all."
        )
    if unranked == "apart":
        return Ballots(ranks, weights), (f"{said}: a ballot says nothing of names that it does not rank.",)
    require_memory(2.0 * ranks.nbytes, f"{source}: its ballots")
    below = np.where(missing, np.max(ranks, axis=1, keepdims=True) + 1, ranks)
    return Ballots(below, weights), (f"{said}: those are taken to be tied below all that the ballot ranks.",)
