"""Cycles of majorities, a beats b beats c beats a: what no list of numbers, one an action, can express."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MOST_LISTED = 10
"""Cycles that are listed."""
MOST_LOOKED_AT = 200
"""Contradictions, the clearest first, for each of which the smallest cycle is looked for."""
EQUAL = 1e-6
"""Ratings that differ by no more than this share of the largest are the same: a fit has no more digits."""


class Cycle(NamedTuple):
    """Actions of which each beats the next, and the last the first; and by how much each does (P − 1/2, or the margin)."""

    actions: tuple[int, ...]
    margins: tuple[float, ...]


class Contradictions(NamedTuple):
    """Where majorities contradict a ranking.

    Attributes
    ----------
    pairs : int
        Pairs of which the lower one beats the higher one, or one of the same rating the other.
    on_cycles : int
        How many of them lie on a cycle of majorities.
    triangles : int
        Cycles of three, all of them.
    cycles : tuple of Cycle
        The smallest cycle through each of the clearest contradictions, short ones first; at most 10 different ones.
    """

    pairs: int
    on_cycles: int
    triangles: int
    cycles: tuple[Cycle, ...]


def contradictions(skew: np.ndarray, ratings: np.ndarray) -> Contradictions:
    """Pairs in which the one with the lower or the same rating wins more often, and the smallest cycles that make them so.

    Every cycle of majorities has such a pair, whatever the ratings are.

    Parameters
    ----------
    skew : array (n, n)
        Payoffs, skew-symmetric.
    ratings : array (n,)
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    beats = skew > 0
    same = EQUAL * max(1.0, float(np.max(np.abs(ratings), initial=0.0)))
    pairs = np.argwhere(beats & (ratings[:, None] <= ratings[None, :] + same))
    _, part = connected_components(csr_array(beats), directed=True, connection="strong")
    cyclic = pairs[part[pairs[:, 0]] == part[pairs[:, 1]]]
    clearest = cyclic[np.argsort(-skew[cyclic[:, 0], cyclic[:, 1]], kind="stable")][:MOST_LOOKED_AT]
    found: dict[tuple[int, ...], Cycle] = {}
    for winner, loser in clearest.tolist():
        cycle = _turned([winner, *_shortest_path(skew, loser, winner)[:-1]])
        if cycle not in found:
            margins = tuple(float(skew[one, other]) for one, other in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
            found[cycle] = Cycle(cycle, margins)
    ordered = sorted(found.values(), key=lambda cycle: (len(cycle.actions), -min(cycle.margins)))
    numbers = beats.astype(np.float64)
    triangles = round(float(np.sum((numbers @ numbers) * numbers.T)) / 3)
    return Contradictions(len(pairs), len(cyclic), triangles, tuple(ordered[:MOST_LISTED]))


def _shortest_path(skew: np.ndarray, start: int, end: int) -> list[int]:
    """A path of fewest steps, each a majority, from start to end, both included; among those one whose weakest step is the strongest. There must be one."""
    width = np.zeros(len(skew))
    width[start] = np.inf
    seen = width > 0
    before: list[np.ndarray] = []
    while not seen[end]:
        through = np.minimum(width[:, None], np.maximum(skew, 0.0))
        best = np.argmax(through, axis=0)
        width = np.where(seen, 0.0, through[best, np.arange(len(skew))])
        seen = seen | (width > 0)
        before.append(best)
    path = [end]
    for best in reversed(before):
        path.append(int(best[path[-1]]))
    return path[::-1]


def _turned(cycle: list[int]) -> tuple[int, ...]:
    """The same cycle, beginning at its smallest member."""
    first = cycle.index(min(cycle))
    return (*cycle[first:], *cycle[:first])
