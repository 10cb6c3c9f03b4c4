"""Scores: several annotators, aspects or prompts give numbers to models; each of them is a voter, and ranks by its own numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import InputError
from mmd_games.games.data.ballots import NOT_RANKED, Ballots
from mmd_games.games.data.comparisons import Comparisons, require_table
from mmd_games.games.data.names import MISSING, WRONG, Names, first_value
from mmd_games.games.data.problems import Problems, skipped_kinds
from mmd_games.games.data.records import Column, records_of

MOST_VOTERS = 1_000_000
BEST = ("highest", "lowest")


def read_scores(
    data: Any,
    *,
    model: str = "model",
    score: str = "score",
    voters: str | Sequence[str] | None = None,
    best: str = "highest",
    skip: str | Iterable[str] = (),
) -> Comparisons:
    """Count scores: within each voter a model with a better score is preferred, and equal scores are a tie. Scores of different voters are never compared.

    Parameters
    ----------
    data : path, data frame, Arrow table, or iterable of mappings
        One score a record.
    model, score : str
        The columns of the name and of the number.
    voters : str or sequence of str, optional
        The columns that together say who scored what: an annotator, an aspect, a prompt, or several of them. Default: all columns that are not the other two.
    best : {"highest", "lowest"}
        Which score is best.
    skip : str or iterable of str
        Kinds of records to leave out and count, where otherwise they are refused: missing, name, number, duplicate (a voter scores a model twice alike; the first stays), conflict (differently; none
        stays), alone (a voter who scored one model only), or all.

    Raises
    ------
    InputError
        When records cannot be counted; the sentence counts them and says where the first are.
    """
    if best not in BEST:
        raise InputError(f"best must be one of {', '.join(BEST)}, got '{best}'.")
    records = records_of(data, "scores")
    if voters is None:
        voters = [name for name in records.columns if name not in (model, score)]
    who = [voters] if isinstance(voters, str) else list(voters)
    wanted = [model, score, *who]
    records.require(wanted, "a record of a score")
    if not who:
        raise InputError(f"{records.source}: no column says who gave a score, such as 'annotator' or 'aspect'; there are only '{model}' and '{score}'.")
    problems, names = Problems(records.source, records.noun, skipped_kinds(skip)), Names(records.source)
    people: dict[tuple[Any, ...], int] = {}
    kept: list[tuple[np.ndarray, ...]] = []
    read = 0
    for numbers, columns in records.batches(wanted):
        read += len(numbers)
        places = names.places_of(columns[model])
        values, wrong = numbers_of(columns[score])
        missing = np.any([places == MISSING, columns[score].codes < 0, *(columns[name].codes < 0 for name in who)], axis=0)
        unnamed, odd = (places == WRONG) & ~missing, wrong & ~missing & (places != WRONG)
        problems.add("missing", numbers[missing])
        problems.add("name", numbers[unnamed], first_value(columns[model], unnamed))
        problems.add("number", numbers[odd], first_value(columns[score], odd))
        good = ~(missing | unnamed | odd)
        kept.append((_voters(columns, who, good, people), places[good], values[good], numbers[good]))
        if len(people) > MOST_VOTERS:
            raise InputError(f"{records.source}: {', '.join(who)} name more than {MOST_VOTERS:,} voters; voters=… (or --voters) says which columns do.")
    voter, place, value, number = (np.concatenate(parts) for parts in zip(*kept, strict=True)) if kept else (np.empty(0, dtype=np.int64),) * 4
    good = _settle(problems, voter, place, value, number)
    notes = problems.settle(read)
    if not np.any(good):
        raise InputError(f"{records.source}: there are no scores{' left' if read else ''}.")
    labels, order = names.in_order()
    require_table(len(labels), records.source)
    signed = value[good] if best == "lowest" else -value[good]
    ballots = _ballots(voter[good], order[place[good]], signed, len(labels), records.source)
    wins, ties = ballots.pair_counts()
    voted = int(np.sum(ballots.weights))
    said = f"a voter is {' × '.join(who)} ({voted:,} of them), the {best} score is the best; scores of different voters are not compared, nor is a model with those that its voter did not score."
    source = records.source.replace("\\", "/").rpartition("/")[2]
    return Comparisons(names=labels, wins=wins, ties=ties, source=source, unit="ballot", records=voted, ballots=ballots, notes=(*notes, said))


def numbers_of(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a column, and where there is none."""
    values = np.full(len(column.values) + 1, np.nan)
    for index, value in enumerate(column.values):
        try:
            text = isinstance(value, str)
            if not isinstance(value, bool) and (isinstance(value, int | float) or (text and "_" not in value)):
                values[index] = float(value)
        except (ValueError, OverflowError):
            continue
    found = values[column.codes]
    return found, ~np.isfinite(found)


def _voters(columns: dict[str, Column], who: list[str], good: np.ndarray, people: dict[tuple[Any, ...], int]) -> np.ndarray:
    """The number of the voter of every good record; new ones are added to the people."""
    codes = np.stack([columns[name].codes[good] for name in who], axis=1)
    different, places = np.unique(codes, axis=0, return_inverse=True)
    found = []
    for row in different.tolist():
        key = tuple(str(columns[name].values[code]) for name, code in zip(who, row, strict=True))
        found.append(people.setdefault(key, len(people)))
    return np.array(found, dtype=np.int64)[places.reshape(-1)] if found else np.empty(0, dtype=np.int64)


def _settle(problems: Problems, voter: np.ndarray, place: np.ndarray, value: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Which scores count: one of each voter for each model, and of voters who scored at least two."""
    good = np.ones(len(voter), dtype=bool)
    if not len(voter):
        return good
    order = np.lexsort((number, place, voter))
    opens = np.append(True, (np.diff(voter[order]) != 0) | (np.diff(place[order]) != 0))
    group = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)[group]
    differs = np.zeros(group[-1] + 1, dtype=bool)
    differs[group[value[order] != value[order][first]]] = True
    conflicting, again = np.zeros_like(good), np.zeros_like(good)
    conflicting[order], again[order] = differs[group], ~opens & ~differs[group]
    problems.add("conflict", np.sort(number[conflicting]), "one voter scores a model twice, differently" if np.any(conflicting) else "")
    problems.add("duplicate", np.sort(number[again]), "one voter scores a model twice, alike" if np.any(again) else "")
    good = ~conflicting & ~again
    scored = np.bincount(voter[good], minlength=int(np.max(voter)) + 1)
    alone = good & (scored[voter] == 1)
    problems.add("alone", np.sort(number[alone]), "its voter scored no other model" if np.any(alone) else "")
    return good & ~alone


def _ballots(voter: np.ndarray, place: np.ndarray, score: np.ndarray, count: int, source: str) -> Ballots:
    """A ballot a voter, alike ones once: the rank of a score is the number of different lower ones of its voter."""
    people, row = np.unique(voter, return_inverse=True)
    require_memory(3 * 4.0 * len(people) * count, f"{source}: {len(people):,} voters' ballots on {count:,} names")
    order = np.lexsort((score, row))
    row, place, score = row[order], place[order], score[order]
    opens = np.append(True, np.diff(row) != 0)
    steps = np.append(False, np.diff(score) != 0) & ~opens
    height = np.cumsum(steps)
    ranks = np.full((len(people), count), NOT_RANKED, dtype=np.int32)
    ranks[row, place] = height - height[np.flatnonzero(opens)][np.cumsum(opens) - 1]
    different, weights = np.unique(ranks, axis=0, return_counts=True)
    return Ballots(different, weights)
