"""Battles: of two models one won, or neither did. Counted as they are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mmd_games.errors import InputError
from mmd_games.games.data.comparisons import Comparisons, require_table
from mmd_games.games.data.names import MISSING, MOST_NAMES, WRONG, Names, first_value, looked_up
from mmd_games.games.data.problems import Problems, skipped_kinds
from mmd_games.games.data.records import Column, Records, records_of

A, B, TIE, UNKNOWN = 0, 1, 2, -1
WINNERS = {"model_a": A, "model_b": B, "tie": TIE, "tie (bothbad)": TIE}
"""What the column of the winner may say."""
ONE_HOT = ("winner_model_a", "winner_model_b", "winner_tie")
"""Instead of it, three columns of which exactly one is 1 (or true)."""
FLAGS = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
MOST_PENDING = 2**22
"""So many codes are kept before they are counted together."""


def read_battles(
    data: Any, *, model_a: str = "model_a", model_b: str = "model_b", winner: str = "winner", id: str | None = None, skip: str | Iterable[str] = ()
) -> Comparisons:
    """Count battles: a model against another one, and who won.

    Every record is a battle of its own: two models may meet often, with the same outcome. Where a column identifies a battle, `id` names it; then a second record with the same
    entry in it is a duplicate where it says the same, and a conflict where it does not, and both are refused. (Entries are compared by a hash of 64 bits.)

    Parameters
    ----------
    data : path, data frame, Arrow table, or iterable of mappings
        A .csv, .tsv, .jsonl or .parquet file is read a piece at a time; memory is needed for the names and their pairs, and 24 bytes a record where there is an `id`.
    model_a, model_b : str
        The columns of the two names.
    winner : str
        The column that says model_a, model_b, tie or tie (bothbad). Where there is none: winner_model_a, winner_model_b and winner_tie, exactly one of them 1.
    id : str, optional
        The column that identifies a battle.
    skip : str or iterable of str
        Kinds of records to leave out and to count in the notes, where otherwise they are refused: winner, self, missing, name, duplicate (the first stays), conflict (none stays), or all.

    Raises
    ------
    InputError
        When records cannot be counted, or the data cannot be read; the sentence counts them and says where the first are.

    References
    ----------
    The form of records is that of Chatbot Arena: Chiang et al., arXiv 2403.04132.
    """
    records = records_of(data, "battles")
    forms = (winner,) if winner in records.columns else ONE_HOT
    right = f"The column '{winner}' says {', '.join(WINNERS)}." if forms == (winner,) else f"Of {', '.join(ONE_HOT)} exactly one is 1."
    problems = Problems(records.source, records.noun, skipped_kinds(skip), meant={"winner": right})
    if winner not in records.columns and not set(ONE_HOT) <= set(records.columns):
        records.require([model_a, model_b, winner], "a record of a battle")
    wanted = [model_a, model_b, *forms, *([] if id is None else [id])]
    records.require(wanted, "a record of a battle")
    count = _Counting(records, problems, (model_a, model_b), forms, id)
    for numbers, columns in records.batches(wanted):
        count.add(numbers, columns)
    return count.result(both=winner in records.columns and set(ONE_HOT) <= set(records.columns))


class _Counting:
    """What is kept while battles are read: names, and how often each of them beat or tied each other one."""

    def __init__(self, records: Records, problems: Problems, models: tuple[str, str], forms: tuple[str, ...], identifier: str | None):
        self.records, self.problems, self.models, self.forms, self.identifier = records, problems, models, forms, identifier
        self.names = Names(records.source)
        self.read = 0
        self.keys, self.totals = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self.pending: list[np.ndarray] = []
        self.identified: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, numbers: np.ndarray, columns: dict[str, Column]) -> None:
        """Count a batch."""
        self.read += len(numbers)
        first, second = (self.names.places_of(columns[name]) for name in self.models)
        outcome, gone = _outcomes(columns, self.forms)
        good = np.ones(len(numbers), dtype=bool)

        def leave_out(kind: str, wrong: np.ndarray, column: str) -> None:
            nonlocal good
            wrong = wrong & good
            self.problems.add(kind, numbers[wrong], first_value(columns[column], wrong))
            good = good & ~wrong

        for places, name in zip((first, second), self.models, strict=True):
            leave_out("missing", places == MISSING, name)
            leave_out("name", places == WRONG, name)
        leave_out("missing", gone, self.forms[0])
        leave_out("winner", outcome == UNKNOWN, self.forms[0])
        leave_out("self", first == second, self.models[0])
        if self.identifier is not None:
            leave_out("missing", columns[self.identifier].codes < 0, self.identifier)
        codes = battle_codes(first[good], second[good], outcome[good])
        if self.identifier is None:
            self.pending.append(codes)
            if sum(map(len, self.pending)) > MOST_PENDING:
                self._count()
        else:
            column = columns[self.identifier]
            hashes = looked_up(column, [hash(str(value)) for value in column.values], 0)
            self.identified.append((hashes[good], codes, numbers[good]))

    def _count(self) -> None:
        """Count what is pending."""
        found, totals = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *self.pending]), return_counts=True)
        self.pending = []
        keys, places = np.unique(np.concatenate([self.keys, found]), return_inverse=True)
        self.totals = np.bincount(places, weights=np.concatenate([self.totals, totals]), minlength=len(keys)).astype(np.int64)
        self.keys = keys

    def result(self, *, both: bool) -> Comparisons:
        """The table, when all have been read; both: the source has the outcome in two forms."""
        source = self.records.source
        if self.identified:
            self._settle_identified()
        self._count()
        notes = self.problems.settle(self.read)
        if not len(self.keys):
            raise InputError(f"{source}: there are no battles{' left' if self.read else ''}.")
        names, order = self.names.in_order()
        require_table(len(names), source)
        wins, ties = np.zeros((len(names),) * 2, dtype=np.int64), np.zeros((len(names),) * 2, dtype=np.int64)
        pairs, tied = np.divmod(self.keys, 2)
        winners, losers = (order[places] for places in np.divmod(pairs, MOST_NAMES))
        won = tied == 0
        np.add.at(wins, (winners[won], losers[won]), self.totals[won])
        for rows, columns in ((winners, losers), (losers, winners)):
            np.add.at(ties, (rows[~won], columns[~won]), self.totals[~won])
        said = (f"the column '{self.forms[0]}' was read; {', '.join(ONE_HOT)} were not.",) if both else ()
        return Comparisons(names=names, wins=wins, ties=ties, source=_short(source), unit="battle", records=int(np.sum(self.totals)), notes=(*notes, *said))

    def _settle_identified(self) -> None:
        """Of records with one identifier the first counts where all say the same; where they do not, none does."""
        hashes, codes, numbers = (np.concatenate(parts) for parts in zip(*self.identified, strict=True))
        order = np.argsort(hashes, kind="stable")
        hashes, codes, numbers = hashes[order], codes[order], numbers[order]
        opens = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
        group = np.cumsum(opens) - 1
        first = np.flatnonzero(opens)[group] if len(hashes) else group
        differs = np.zeros(int(np.sum(opens)), dtype=bool)
        differs[group[codes != codes[first]]] = True
        conflicting, again = differs[group], ~opens & ~differs[group]
        for kind, wrong in (("conflict", conflicting), ("duplicate", again)):
            places = np.sort(numbers[wrong])
            self.problems.add(kind, places, f"the same '{self.identifier}' as another {self.records.noun}" if len(places) else "")
        self.pending, self.identified = [codes[~conflicting & ~again]], []


def battle_codes(first: np.ndarray, second: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """One whole number for a pair and its outcome: (winner, loser), or the two of a tie in order of their places."""
    tied = outcome == TIE
    swapped = np.where(tied, first > second, outcome == B)
    ahead, behind = np.where(swapped, second, first), np.where(swapped, first, second)
    return (ahead * MOST_NAMES + behind) * 2 + tied


def _outcomes(columns: dict[str, Column], forms: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Who won each battle, `UNKNOWN` where that cannot be told; and where the entry is missing."""
    if len(forms) == 1:
        column = columns[forms[0]]
        known = [WINNERS.get(value.strip(), UNKNOWN) if isinstance(value, str) else UNKNOWN for value in column.values]
        blank = [isinstance(value, str) and not value.strip() for value in column.values]
        return looked_up(column, known, UNKNOWN), looked_up(column, list(map(int, blank)), 1) == 1
    flags, gone = [], []
    for name in forms:
        column = columns[name]
        flags.append(looked_up(column, [FLAGS.get(str(value).strip().lower(), UNKNOWN) for value in column.values], UNKNOWN))
        gone.append(column.codes < 0)
    stacked = np.stack(flags)
    exactly_one = np.all(stacked >= 0, axis=0) & (np.sum(stacked, axis=0) == 1)
    return np.where(exactly_one, np.argmax(stacked, axis=0), UNKNOWN), np.any(gone, axis=0)


def _short(source: str) -> str:
    return source.replace("\\", "/").rpartition("/")[2]
