"""The bootstrap: tables as they would have been with other battles, or other voters, of the same kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmd_games.games.data import Comparisons, skew_tables

CHUNK = 2**23
"""Entries of tables in memory at a time."""


def resampled_tables(comparisons: Comparisons, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Tables S of payoffs from resampled records, in stacks (some draws, n, n).

    Battles are drawn anew within each pair, with the shares of wins, losses and ties that it had (a multinomial): who met whom how often is taken as given, so that no pair is lost. Ballots are
    drawn whole from all ballots, for what one voter says of different pairs is not independent; a pair that no drawn ballot compares is even.

    Parameters
    ----------
    comparisons : Comparisons
    draws : int
    seed : int
        The same seed gives the same tables.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13.
    """
    generator = np.random.default_rng(seed)
    size = max(1, CHUNK // len(comparisons.names) ** 2)
    for first in range(0, draws, size):
        some = min(size, draws - first)
        yield _by_ballots(comparisons, some, generator) if comparisons.ballots is not None else _by_pairs(comparisons, some, generator)


def _by_pairs(comparisons: Comparisons, draws: int, generator: np.random.Generator) -> np.ndarray:
    wins, count = comparisons.wins, len(comparisons.names)
    rows, columns = np.triu_indices(count, 1)
    met = comparisons.counts[rows, columns]
    outcomes = np.stack([wins[rows, columns], wins[columns, rows], comparisons.ties[rows, columns]], axis=-1)
    drawn = generator.multinomial(met, outcomes / np.maximum(met, 1)[:, None] + (met == 0)[:, None] / 3, size=(draws, len(met)))
    margins = np.zeros((draws, count, count), dtype=np.int64)
    margins[:, rows, columns] = drawn[..., 0] - drawn[..., 1]
    margins -= np.swapaxes(margins, 1, 2)
    return skew_tables(margins, comparisons.counts, comparisons.strength, comparisons.table)


def _by_ballots(comparisons: Comparisons, draws: int, generator: np.random.Generator) -> np.ndarray:
    ballots = comparisons.ballots
    assert ballots is not None
    total = int(np.sum(ballots.weights))
    wins, ties = ballots.pair_counts(generator.multinomial(total, ballots.weights / total, size=draws))
    mirrored = np.swapaxes(wins, 1, 2)
    return skew_tables(wins - mirrored, wins + mirrored + ties, comparisons.strength, comparisons.table)
