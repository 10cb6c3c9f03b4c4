"""Colonel Blotto: soldiers spread over battlefields."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, combinations
from typing import Literal

import numpy as np

from mmd_games.errors import InputError, require_whole
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.tables import require_table_memory, spec_name

ORDERED_LIMIT = 1_000_000
COMPARISON_LIMIT = 10_000_000_000
"""Most allocations listed, and most fields compared, for a table that is averaged over the orders of the fields: about a minute."""


def blotto(soldiers: int = 10, fields: int = 3, reduce_symmetry: bool = False, payoff: Literal["sign", "margin"] = "sign") -> PreferenceGame:
    """Two colonels spread equally many soldiers over the fields; the larger force takes a field, equal forces take none.

    Parameters
    ----------
    soldiers : int
        At least 1, all of which are placed.
    fields : int
        At least 2.
    reduce_symmetry : bool
        False: an action is an ordered allocation, C(soldiers + fields − 1, fields − 1) of them. True: one action for every multiset of forces,
        "5-3-2" for all orders of 5, 3 and 2, and the payoff is the mean over the orders of the opponent's fields, as if each colonel
        assigned the forces to the fields at random. An equilibrium of the smaller game, spread evenly over the orders, is one of the larger.
    payoff : {"sign", "margin"}
        "sign": 1 for taking more fields than the opponent, −1 for fewer. "margin": half of the fields taken less the fields lost.

    Returns
    -------
    PreferenceGame
        Payoffs; labels are the allocations, as "5-3-2".

    Raises
    ------
    InputError
        For a wrong size, or one that is too large; nothing is listed before the size is known.

    Examples
    --------
    >>> blotto(soldiers=2, fields=2).labels
    (('0-2', '1-1', '2-0'),)
    """
    require_whole(1, soldiers=soldiers)
    require_whole(2, fields=fields)
    if payoff not in ("sign", "margin"):
        raise InputError(f"payoff must be one of sign, margin, got '{payoff}'.")
    name = spec_name("blotto", soldiers=soldiers, fields=fields, reduce_symmetry=reduce_symmetry, payoff=payoff)
    ordered_count = _count_ordered(soldiers, fields, name)
    if not reduce_symmetry:
        require_table_memory(ordered_count, ordered_count, name)
        allocations = _ordered(soldiers, fields)
        table = np.stack([_score(row, allocations, payoff) for row in allocations])
        return PreferenceGame.from_payoffs(table, labels=_labels(allocations), name=name)
    if ordered_count > ORDERED_LIMIT:
        raise InputError(f"{name} averages over {ordered_count:,} ordered allocations; at most {ORDERED_LIMIT:,} are listed.")
    count = _count_multisets(soldiers, fields)
    require_table_memory(count, count, name)
    comparisons = count * ordered_count * fields
    if comparisons > COMPARISON_LIMIT:
        raise InputError(f"{name} would compare {comparisons:,} fields to average its payoffs; at most {COMPARISON_LIMIT:,} are compared.")
    ordered = _ordered(soldiers, fields)
    multisets, multiset_of, orders = np.unique(np.sort(ordered, axis=1)[:, ::-1], axis=0, return_inverse=True, return_counts=True)
    # Sums of whole or half numbers are exact, and equal ratios round alike: the means are skew-symmetric to the last bit.
    table = np.stack([np.bincount(multiset_of, weights=_score(row, ordered, payoff)) / orders for row in multisets])
    return PreferenceGame.from_payoffs(table, labels=_labels(multisets), name=name)


def _count_ordered(soldiers: int, fields: int, name: str) -> int:
    """C(soldiers + fields − 1, fields − 1), refused by its logarithm where the number itself would be of astronomical length."""
    magnitude = (math.lgamma(soldiers + fields) - math.lgamma(fields) - math.lgamma(soldiers + 1)) / math.log(10)
    if magnitude > 15:
        raise InputError(f"{name} has about 10^{magnitude:.0f} allocations; a table of that size fits into no memory.")
    return math.comb(soldiers + fields - 1, fields - 1)


def _count_multisets(soldiers: int, fields: int) -> int:
    """Partitions of the soldiers into at most `fields` parts (as many as into parts of at most that size)."""
    ways = [1] + [0] * soldiers
    for part in range(1, min(fields, soldiers) + 1):
        for total in range(part, soldiers + 1):
            ways[total] += ways[total - part]
    return ways[soldiers]


def _ordered(soldiers: int, fields: int) -> np.ndarray:
    """All ordered allocations, (count, fields), in lexicographic order: the gaps between fields − 1 bars placed among the soldiers."""
    places = soldiers + fields - 1

    def gaps() -> Iterator[tuple[int, ...]]:
        for bars in combinations(range(places), fields - 1):
            yield tuple(right - left - 1 for left, right in zip((-1, *bars), (*bars, places), strict=True))

    return np.fromiter(chain.from_iterable(gaps()), dtype=np.int64).reshape(-1, fields)


def _score(allocation: np.ndarray, opponents: np.ndarray, payoff: str) -> np.ndarray:
    """Payoff of one allocation against each of the opponents': (fields,), (count, fields) → (count,)."""
    margin = np.zeros(len(opponents))
    for force, opposed in zip(allocation, opponents.T, strict=True):
        margin += force > opposed
        margin -= force < opposed
    return np.sign(margin) if payoff == "sign" else margin / 2


def _labels(allocations: np.ndarray) -> list[str]:
    return ["-".join(map(str, row)) for row in allocations.tolist()]
