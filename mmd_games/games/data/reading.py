"""A game from a file of records, whichever kind it is: the suffix, or the names of its columns, say which."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmd_games.errors import InputError
from mmd_games.games.data import preflib
from mmd_games.games.data.battles import ONE_HOT, read_battles
from mmd_games.games.data.rankings import read_rankings
from mmd_games.games.data.ratings import read_ratings
from mmd_games.games.data.record_files import SUFFIXES, json_lines, records_in_file, require_file
from mmd_games.games.data.scores import read_scores
from mmd_games.games.data.unmet import game_from
from mmd_games.games.preference import PreferenceGame

KINDS = ("battles", "rankings", "scores", "ratings", "preflib")
OPTIONS = {"battles": ("id", "skip"), "rankings": ("unranked", "skip"), "scores": ("voters", "skip"), "ratings": (), "preflib": ("unranked",)}
"""Which of the readers' options each kind of records has."""


def read_data(
    path: str | os.PathLike[str],
    *,
    unmet: str = "refuse",
    table: str = "probabilities",
    unranked: str = "refuse",
    skip: str = "",
    id: str | None = None,
    voters: Sequence[str] | None = None,
) -> PreferenceGame:
    """The game of a file: battles (columns model_a, model_b and the winner), scores (model, score, and who scored), ratings (model, rating), rankings (a list a line), or PrefLib's.

    Parameters
    ----------
    path : path
    unmet, table
        As of :func:`~mmd_games.games.data.unmet.game_from`.
    unranked, skip, id, voters
        As of the readers; one that is given and has no meaning for this kind of file is refused.

    Raises
    ------
    InputError
        When the file is of no known kind, or its reader refuses it.
    """
    path = Path(path)
    kind = kind_of(path)
    given: dict[str, Any] = {"id": id, "voters": voters or None, "skip": skip or None, "unranked": None if unranked == "refuse" else unranked}
    options = {name: value for name, value in given.items() if value is not None}
    for name in options:
        if name not in OPTIONS[kind]:
            raise InputError(f"{path}: holds {kind}, for which --{name} has no meaning.")
    if kind == "ratings":
        if unmet != "refuse" or table != "probabilities":
            raise InputError(f"{path}: holds ratings, for which --unmet and --table have no meaning: a fit has a probability for every pair.")
        return read_ratings(path)
    readers = {"battles": read_battles, "rankings": read_rankings, "scores": read_scores, "preflib": preflib.read_preflib}
    return game_from(readers[kind](path, **options), unmet, table)


def kind_of(path: Path) -> str:
    """What a file holds: one of :data:`KINDS`."""
    suffix = require_file(path, (*SUFFIXES, *preflib.SUFFIXES))
    if suffix in preflib.SUFFIXES:
        return "preflib"
    if suffix in (".jsonl", ".ndjson"):
        lines = json_lines(path)
        first = next(lines, None)
        lines.close()
        if first is not None and (isinstance(first[1], list) or (isinstance(first[1], dict) and "ranking" in first[1])):
            return "rankings"
    columns = set(records_in_file(path).columns)
    if {"model_a", "model_b"} & columns or {"winner", *ONE_HOT} & columns:
        return "battles"
    if {"model", "score"} <= columns:
        return "scores"
    if {"model", "rating"} <= columns:
        return "ratings"
    shown = ", ".join(f"'{name}'" for name in sorted(columns)[:12])
    raise InputError(
        f"{path}: these columns are not known: {shown or 'none'}. Battles have model_a, model_b and winner; scores have model, score and who gave them; ratings have model and rating "
        "(a table of win probabilities goes to mmd-games nash)."
    )
