"""Rankings: lists of names, the best first; names in one group are tied."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import InputError
from mmd_games.games.data.ballots import NOT_RANKED, with_unranked
from mmd_games.games.data.comparisons import Comparisons, require_table
from mmd_games.games.data.names import MISSING, WRONG, Names
from mmd_games.games.data.problems import Problems, quoted, skipped_kinds
from mmd_games.games.data.record_files import json_lines, require_file

SUFFIXES = (".jsonl", ".ndjson")
MOST_VOTERS = 10**12
"""Of one ballot, so that sums of them are whole numbers of 64 bits."""
MOST_BALLOTS = 1_000_000
"""So many different ballots are kept; alike ones are kept once."""


class UnusableError(Exception):
    """A ranking that cannot be counted: its kind, as in :data:`KINDS`, and what is wrong."""

    def __init__(self, kind: str, example: str):
        super().__init__(example)
        self.kind, self.example = kind, example


def read_rankings(data: Any, *, unranked: str = "refuse", skip: str | Iterable[str] = ()) -> Comparisons:
    """Count rankings, each an independent ballot.

    Parameters
    ----------
    data : path or iterable
        Rankings: sequences of names, best first, where a sequence or set in the place of a name holds names that are tied; or mappings with the keys "ranking" and, where several voters cast it,
        "count". A .jsonl file has one a line. Alike ballots are added up, for voters may agree.
    unranked : {"refuse", "below", "apart"}
        Names that a ballot leaves out are refused; tied below all that it ranks; or not compared.
    skip : str or iterable of str
        Kinds of ballots to leave out and count, where otherwise they are refused: missing (empty), alone (one name), conflict (a name that stands twice), name, or all.

    Raises
    ------
    InputError
        When ballots cannot be counted; the sentence counts them and says where the first are.
    """
    source, noun, numbered = _numbered(data)
    problems, names = Problems(source, noun, skipped_kinds(skip)), Names(source)
    cast: dict[tuple[tuple[int, ...], ...], int] = {}
    read = 0
    for number, entry in numbered:
        read += 1
        try:
            groups, count = _ranking(entry, names)
        except UnusableError as wrong:
            problems.add(wrong.kind, [number], wrong.example)
            continue
        cast[groups] = cast.get(groups, 0) + count
        if len(cast) > MOST_BALLOTS:
            raise InputError(f"{source}: there are more than {MOST_BALLOTS:,} different rankings.")
    notes = problems.settle(read)
    if not cast:
        raise InputError(f"{source}: there are no rankings{' left' if read else ''}.")
    labels, order = names.in_order()
    return ballots_counted(cast, labels, order, source=source, unranked=unranked, notes=notes)


def ballots_counted(
    cast: Mapping[tuple[tuple[int, ...], ...], int], labels: tuple[str, ...], order: np.ndarray, *, source: str, unranked: str, notes: tuple[str, ...] = ()
) -> Comparisons:
    """The comparisons of ballots: groups of tied places, best first, and how often each was cast.

    Parameters
    ----------
    cast : dict
        Each ballot with its number.
    labels : tuple of str
        All names.
    order : array of int
        For each place in a ballot that of its name among the labels.
    """
    require_table(len(labels), source)
    require_memory(3 * 4.0 * len(cast) * len(labels), f"{source}: {len(cast):,} ballots on {len(labels):,} names")
    ranks = np.full((len(cast), len(labels)), NOT_RANKED, dtype=np.int32)
    for row, groups in enumerate(cast):
        for rank, group in enumerate(groups):
            ranks[row, order[list(group)]] = rank
    ballots, said = with_unranked(ranks, np.fromiter(cast.values(), dtype=np.int64, count=len(cast)), unranked, source)
    wins, ties = ballots.pair_counts()
    name = source.replace("\\", "/").rpartition("/")[2]
    return Comparisons(
        names=labels, wins=wins, ties=ties, source=name, unit="ballot", records=int(np.sum(ballots.weights)), ballots=ballots, notes=(*notes, *said)
    )


def _numbered(data: Any) -> tuple[str, str, Iterator[tuple[int, Any]]]:
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        require_file(path, SUFFIXES)
        return str(path), "line", json_lines(path)
    if not isinstance(data, Iterable) or isinstance(data, Mapping | bytes):
        raise InputError(f"rankings come as the path of a .jsonl file or as an iterable of rankings; got {type(data).__name__}.")
    return "rankings", "ranking", enumerate(data, start=1)


def _ranking(entry: Any, names: Names) -> tuple[tuple[tuple[int, ...], ...], int]:
    """The groups of places of a ranking, and how often it was cast."""
    count = 1
    if isinstance(entry, Mapping):
        count, entry = entry.get("count", 1), entry.get("ranking")
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 0 < count <= MOST_VOTERS:
            raise UnusableError("number", f"a count of {quoted(count)}")
    if not isinstance(entry, Sequence | np.ndarray) or isinstance(entry, str | bytes):
        raise UnusableError("missing", f"no list of names, but {quoted(entry)}")
    places, groups = [], []
    for part in entry:
        members = list(part) if isinstance(part, Sequence | set | frozenset | np.ndarray) and not isinstance(part, str | bytes) else [part]
        if not members:
            raise UnusableError("missing", "an empty group of tied names")
        group = [names.place(name.item() if isinstance(name, np.generic) else name) for name in members]
        if MISSING in group:
            raise UnusableError("missing", "an empty name")
        if WRONG in group:
            raise UnusableError("name", quoted(members[group.index(WRONG)]))
        groups.append(tuple(sorted(group)))
        places += group
    if not places:
        raise UnusableError("missing", "an empty ranking")
    if len(set(places)) < len(places):
        twice = next(place for place in places if places.count(place) > 1)
        raise UnusableError("conflict", f"{quoted(list(names.places)[twice])} stands twice")
    if len(places) == 1:
        raise UnusableError("alone", quoted(list(names.places)[places[0]]))
    return tuple(groups), int(count)
