"""A recorded run in the place of a new one: it must be a run of the game that is asked about."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.games.saving import to_arrays
from mmd_games.games.table_game import TableGame
from mmd_games.loop import Trace


def recorded_run(path: str | os.PathLike[str], game: Game) -> Trace:
    """The trace of a file, which must be of this game entry for entry; names of actions may differ.

    Raises
    ------
    InputError
        When the file is no trace, or its game is another; the first difference is named.
    """
    trace = Trace.load(path)
    difference = _difference(trace.game, game)
    if difference:
        raise InputError(f"{path}: a trace of another game: {difference}.")
    return trace


def _difference(found: Game, asked: Game) -> str:
    """The first difference between two games' payoffs; empty where there is none."""
    if found.blocks != asked.blocks:
        sizes = (" + ".join(f"{size:,}" for size in game.blocks) for game in (found, asked))
        return f"it has {next(sizes)} actions, {asked.name} has {next(sizes)}"
    if isinstance(found, TableGame) and isinstance(asked, TableGame):
        differing = np.argwhere(found.payoff_matrix != asked.payoff_matrix)
        if len(differing) == 0:
            return "" if found.value_offset == asked.value_offset else f"its payoffs are {found.units}, those of {asked.name} are {asked.units}"
        row, column = map(int, differing[0])
        values = [float(game.payoff_matrix[row, column] + game.value_offset) for game in (found, asked)]
        units = "" if found.units == asked.units else f" ({found.units})"
        return f"row {row + 1:,}, column {column + 1:,} of its table is {values[0]!r}{units}, that of {asked.name} is {values[1]!r} ({asked.units})"
    (words, numbers), (asked_words, asked_numbers) = to_arrays(found), to_arrays(asked)
    if _kinds(words) != _kinds(asked_words):
        return f"it is a {words['kind']}, {asked.name} is a {asked_words['kind']}, or their parts or temperatures differ"
    for name, array in numbers.items():
        other = asked_numbers[name]
        if array.shape != other.shape:
            return f"its {name} have shape {array.shape}, those of {asked.name} {other.shape}"
        differing = np.argwhere(array != other)
        if len(differing):
            place = tuple(map(int, differing[0]))
            where = ", ".join(str(index + 1) for index in place)
            return f"entry {where} of its {name} is {array[place]!r}, that of {asked.name} is {other[place]!r}"
    return ""


def _kinds(words: dict[str, Any]) -> tuple[Any, ...]:
    """What kind of game it is, parts included, apart from names."""
    return words["kind"], words.get("temperature"), tuple(_kinds(part) for part in words.get("parts", ()))
