"""What is wrong with records: of each kind how many, and where the first of them stand. Nothing is left out unless that was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mmd_games.errors import InputError, unknown
from mmd_games.words import brief

KINDS = {
    "winner": "an unknown winner",
    "self": "one name on both sides",
    "missing": "an entry that is missing",
    "name": "a name that is no text of at most 1,000 characters",
    "number": "a number that cannot be used",
    "duplicate": "a repetition",
    "conflict": "a contradiction",
    "alone": "fewer than two names, so nothing to compare",
}
"""What a record can have that it cannot be counted, by the name under which `skip` leaves such records out."""
LISTED = 3
"""So many places of a kind are named; all are counted."""


@dataclass
class Problems:
    """Collects what cannot be counted.

    Attributes
    ----------
    source : str
        What the records are called, at the beginning of the sentence.
    noun : str
        What one of them is called: row, line, record, ballot.
    skip : collection of str
        The kinds that are left out, and counted, instead of refused; see :func:`skipped_kinds`.
    can_skip : bool
        Whether the reader has that choice, so that the sentence may offer it.
    meant : dict of str to str
        For a kind, the sentence that says what would be right.
    """

    source: str
    noun: str
    skip: frozenset[str] = frozenset()
    can_skip: bool = True
    meant: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, places: Iterable[int] | np.ndarray, example: str = "") -> None:
        """Note that the records at these places (numbers that people count by) have this wrong with them; the example is of the first."""
        where = np.asarray(places, dtype=np.int64).ravel()
        if not len(where):
            return
        self.counts[kind] = self.counts.get(kind, 0) + len(where)
        self.places.setdefault(kind, []).extend(where[:LISTED].tolist())
        self.examples.setdefault(kind, example)

    def settle(self, read: int) -> tuple[str, ...]:
        """Refuse what is not to be skipped, in one sentence; else return what a reader must know of what was skipped.

        Parameters
        ----------
        read : int
            How many records there were.
        """
        refused = {kind: count for kind, count in self.counts.items() if kind not in self.skip}
        if refused:
            total = sum(refused.values())
            parts = "; ".join(self._described(kind) for kind in refused)
            names = ",".join(refused)
            them = "it" if total == 1 else "them"
            offer = f' (--skip {names}, or skip="{names}", would leave {them} out, and the report would count {them}.)' if self.can_skip else ""
            right = "".join(f" {self.meant[kind]}" for kind in refused if kind in self.meant)
            raise InputError(f"{self.source}: {total:,} of {read:,} {self.noun}s cannot be counted: {parts}.{right}{offer}")
        return tuple(f"left out of {read:,} {self.noun}s, as was asked for: {self._described(kind)}." for kind in self.counts)

    def _described(self, kind: str) -> str:
        count, places = self.counts[kind], sorted(self.places[kind])[:LISTED]
        where = (
            f"{self.noun} {places[0]:,}" if count == 1 else f"{self.noun}s {', '.join(f'{place:,}' for place in places)}{', …' if count > len(places) else ''}"
        )
        example = self.examples[kind]
        return f"{count:,} {'has' if count == 1 else 'have'} {KINDS[kind]} ({where}{f': {example}' if example else ''})"


def skipped_kinds(skip: str | Iterable[str]) -> frozenset[str]:
    """The kinds of records to leave out: names from :data:`KINDS` as a list or with commas between, or "all".

    Raises
    ------
    InputError
        For a kind that is not known.
    """
    names = [name.strip() for name in skip.split(",")] if isinstance(skip, str) else list(skip)
    for name in filter(None, names):
        if name != "all" and name not in KINDS:
            raise unknown("kind of record to skip", str(name), [*KINDS, "all"])
    return frozenset(KINDS) if "all" in names else frozenset(filter(None, names))


def quoted(value: object) -> str:
    """A value of a record as a sentence quotes it."""
    return f"'{brief(str(value), 40)}'"
