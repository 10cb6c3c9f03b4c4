"""A game from a file that someone else wrote."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import numpy as np

from mmd_games.errors import InputError
from mmd_games.games.array_files import read_json, read_npy, read_npz
from mmd_games.games.embedding_files import read_embeddings
from mmd_games.games.game import Game
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.preference import TOLERANCE, PreferenceGame
from mmd_games.games.table_file import TableFile
from mmd_games.games.text_files import read_csv, read_tsv, read_words

READERS = {".npy": read_npy, ".npz": read_npz, ".csv": read_csv, ".tsv": read_tsv, ".txt": read_words, ".dat": read_words, ".json": read_json}
"""By suffix, what turns the bytes of a file into a table."""
SUFFIXES = tuple(READERS)
"""How the name of a file of a game ends."""


def read_game(path: str | os.PathLike[str], *, payoffs: bool = False, symmetrise: bool = False) -> Game:
    """Read a game from a file: .csv, .tsv, .txt or .dat (white space, `#` comments), .json, .npy, .npz.

    A table is read as win probabilities, `table[i, j]` that i beats j. A table that is exactly skew-symmetric cannot be that: it is read as
    payoffs, and the game's notes say so. Any other payoff table is read with `payoffs=True`: a skew-symmetric one as a symmetric game, all
    else as the row player's payoffs in a game of two players.

    Text may carry the actions' names in its first line, its first column, or both; the corner may be empty, text, or missing. JSON is a list
    of rows, or an object with "preference" or "payoffs" and optionally "labels", or "row_labels" and "column_labels"; an .npz file has
    arrays of these names, or exactly one array. The key "payoffs" stands for `payoffs=True`.

    An .npz file with the array "embeddings" (n × d), and optionally "mixing" (d × d) and "labels", is a game without a table: payoffs of low rank,
    or with one number "temperature" the win probabilities of the general preference model.

    Parameters
    ----------
    path : path
        The file; its name becomes the game's name.
    payoffs : bool
        Read the table as payoffs, in any units.
    symmetrise : bool
        Average each pair of a table that breaks P + Pᵀ = 1 (of payoffs: S + Sᵀ = 0), and say in the notes by how much.

    Returns
    -------
    PreferenceGame or MatrixGame; LowRankGame or GeneralPreferenceGame of embeddings

    Raises
    ------
    InputError
        When the file cannot be read, or is no game. The sentence starts with the path and names line (or row) and column as they stand in
        the file, counted from 1 and with headers.
    """
    path = Path(path)
    try:
        suffix = _known_suffix(path)
        embedded = read_embeddings(path) if suffix == ".npz" else None
        if embedded is not None:
            _require_no_table_options(embedded, payoffs=payoffs, symmetrise=symmetrise)
            return embedded
        table = READERS[suffix](path)
        return _game(table, path.name, payoffs=payoffs or table.kind == "payoffs", symmetrise=symmetrise, asked=payoffs)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror or error}).") from None
    except InputError as error:
        raise InputError(f"{path}: {error}{_hint(path)}") from None


def _hint(path: Path) -> str:
    """Where to go with a file that is no table but records; empty for all else."""
    from mmd_games.games.data.reading import kind_of  # whose readers are imported where they are used

    try:
        kind = kind_of(path)
    except InputError:
        return ""
    return f" It holds {kind}, which are counted first: mmd-games rank {shlex.quote(str(path))} --out ranking writes ranking/table.json (in Python, PreferenceGame.from_{kind})."


def _require_no_table_options(game: Game, *, payoffs: bool, symmetrise: bool) -> None:
    if symmetrise:
        raise InputError("a game of embeddings is skew-symmetric by itself; only a table can be symmetrised.")
    if payoffs and game.units != "payoff":
        raise InputError("embeddings with a 'temperature' are win probabilities, so they cannot be read as payoffs; leave the temperature out.")


def _known_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if "\0" in str(path):
        raise InputError("a path holds no null character.")
    if path.is_dir():
        raise InputError(f"this is a directory; a file was expected ({', '.join(READERS)}).")
    if not path.exists():
        raise InputError("there is no such file.")
    if suffix not in READERS:
        raise InputError(f"files that end in '{suffix}' are not read; known are {', '.join(READERS)}.")
    if path.stat().st_size == 0:
        raise InputError("the file is empty.")
    return suffix


def _game(table: TableFile, name: str, *, payoffs: bool, symmetrise: bool, asked: bool) -> PreferenceGame | MatrixGame:
    values = table.values
    rows, columns = values.shape
    if values.size == 1:
        raise InputError("the table is 1 × 1; a game needs at least two actions.")
    table.check_finite()
    if asked and table.kind == "preference":
        raise InputError("the file calls its table 'preference', so it cannot be read as payoffs; call it 'payoffs'.")
    if payoffs:
        return _payoff_game(table, name, symmetrise)
    if rows != columns:
        raise InputError(
            f"the table is not square: {rows} rows and {columns} columns; win probabilities need as many rows as columns "
            "(a payoff table of two players is read with --payoffs, or payoffs=True)."
        )
    if table.kind is None and np.array_equal(values, -values.T):
        game = PreferenceGame.from_payoffs(values, table.common_labels(), name)
        game.notes = ("the table is skew-symmetric, so it was read as payoffs, not as win probabilities.",)
        return game
    labels = table.common_labels()
    outside = np.argwhere((values < 0) | (values > 1))
    if len(outside):
        row, column = map(int, outside[0])
        raise InputError(
            f"{table.place(row, column)} is {values[row, column]:.9g}, outside [0, 1]; win probabilities were expected "
            "(a payoff table is read with --payoffs, or payoffs=True)."
        )
    row, column, error = _worst_pair(values, 1.0)
    if error > TOLERANCE and not symmetrise:
        raise InputError(
            f"{_pair(table, row, column)}; P + Pᵀ must be 1 within {TOLERANCE:g}, with 0.5 on the diagonal "
            "(--symmetrise, or symmetrise=True, would average each pair)."
        )
    return PreferenceGame(values, labels, name, symmetrise=symmetrise)


def _payoff_game(table: TableFile, name: str, symmetrise: bool) -> PreferenceGame | MatrixGame:
    values = table.values
    rows, columns = values.shape
    if symmetrise and rows != columns:
        raise InputError(f"the table has {rows} rows and {columns} columns; only a square one can be symmetrised.")
    if rows == columns and (symmetrise or table.labels_agree()):
        row, column, error = _worst_pair(values, 0.0)
        if error <= TOLERANCE * np.max(np.abs(values)):
            return PreferenceGame.from_payoffs(values, table.common_labels(), name)
        if symmetrise:
            game = PreferenceGame.from_payoffs((values - values.T) / 2, table.common_labels(), name)
            game.notes = (f"symmetrised: S + Sᵀ was off by up to {error:.3g} (at {table.place(row, column)}); each pair was averaged.",)
            return game
    return MatrixGame(values, table.row_labels, table.column_labels, name)


def _worst_pair(values: np.ndarray, total: float) -> tuple[int, int, float]:
    """Where values + valuesᵀ is farthest from `total`, and by how much."""
    error = np.abs(values + values.T - total)
    row, column = map(int, np.unravel_index(np.argmax(error), error.shape))
    return row, column, float(error[row, column])


def _pair(table: TableFile, row: int, column: int) -> str:
    values = table.values
    if row == column:
        return f"{table.place(row, column)}, on the diagonal, is {values[row, column]:.9g}"
    return (
        f"{table.place(row, column)} is {values[row, column]:.9g} and {table.place(column, row)} is {values[column, row]:.9g}, "
        f"which sum to {values[row, column] + values[column, row]:.9g}"
    )
