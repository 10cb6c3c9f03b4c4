"""A game as words and arrays that can be written to a file, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.games.implicit import GeneralPreferenceGame, LowRankGame, SparseGame, SumGame
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.table_game import TableGame

TABLES: dict[str, type[TableGame]] = {"PreferenceGame": PreferenceGame, "MatrixGame": MatrixGame}


def to_arrays(game: Game) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What describes a game, ready for JSON, and its numbers.

    Raises
    ------
    InputError
        Where a part of it is too large to be had.
    """
    words = {"kind": type(game).__name__, **{key: getattr(game, key) for key in ("name", "units", "labels", "notes", "value_offset", "blocks")}}
    match game:
        case LowRankGame():
            return words, {"embeddings": game.embeddings, "mixing": game.mixing}
        case GeneralPreferenceGame():
            return {**words, "temperature": game.temperature}, {"embeddings": game.scores.embeddings, "mixing": game.scores.mixing}
        case SparseGame():
            return words, {"entries": game.matrix.data, "columns": game.matrix.indices, "row_starts": game.matrix.indptr}
        case SumGame():
            saved = [to_arrays(part) for part in game.parts]
            numbers = {f"part{index}_{name}": array for index, (_, arrays) in enumerate(saved) for name, array in arrays.items()}
            return {**words, "parts": [part for part, _ in saved]}, numbers
    return words, {"payoff_matrix": game.table()}


def from_arrays(words: dict[str, Any], arrays: dict[str, np.ndarray]) -> Game:
    """The game that :func:`to_arrays` took apart; its numbers are taken out of `arrays`.

    Raises
    ------
    InputError
        Where it is of a kind that is not known.
    """
    match words["kind"]:
        case "LowRankGame":
            game = LowRankGame(arrays.pop("embeddings"), arrays.pop("mixing"))
        case "GeneralPreferenceGame":
            game = GeneralPreferenceGame(arrays.pop("embeddings"), arrays.pop("mixing"), words["temperature"])
        case "SparseGame":
            from scipy.sparse import csr_array

            stored = (arrays.pop("entries"), arrays.pop("columns"), arrays.pop("row_starts"))
            game = SparseGame(csr_array(stored, shape=tuple(words["blocks"]) * 2))
        case "SumGame":
            mine = [{name: arrays.pop(f"part{index}_{name}") for name in _names_of(arrays, f"part{index}_")} for index in range(len(words["parts"]))]
            game = SumGame([from_arrays(part, numbers) for part, numbers in zip(words["parts"], mine, strict=True)])
        case kind if kind not in TABLES:
            raise InputError(f"its game is of the kind {kind!r}, which this version does not know.")
        case kind:
            game = TABLES[kind].__new__(TABLES[kind])
            game.payoff_matrix, game.blocks = arrays.pop("payoff_matrix"), tuple(words["blocks"])
            game.payoff_matrix.flags.writeable = False
    game.labels = words["labels"] and tuple(map(tuple, words["labels"]))
    game.name, game.units, game.value_offset, game.notes = words["name"], words["units"], words["value_offset"], tuple(words["notes"])
    return game


def _names_of(arrays: dict[str, np.ndarray], prefix: str) -> list[str]:
    """The names behind a prefix."""
    return [name.removeprefix(prefix) for name in arrays if name.startswith(prefix)]
