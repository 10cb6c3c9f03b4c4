"""Tables in JSON and in NumPy's own files."""

from __future__ import annotations

import contextlib
import json
import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import InputError, unknown
from mmd_games.games.table_file import TableFile, distinct_labels
from mmd_games.games.text_files import read_text

TABLES = 6
"""float64 tables that are alive while a game is made from one."""
KINDS = ("preference", "payoffs")
KEYS = (*KINDS, "labels", "row_labels", "column_labels")
"""The keys of a JSON object, and the names of the arrays in an .npz file."""

DAMAGE = (
    *(ValueError, TypeError, KeyError, EOFError, RuntimeError, MemoryError, SyntaxError),
    *(tokenize.TokenError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)
"""What NumPy and zipfile raise on files that are cut short or damaged; RuntimeError includes encryption and endless nesting."""


def read_json(path: Path) -> TableFile:
    """A list of rows, or an object of `KEYS`."""
    try:
        data = json.loads(read_text(path), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise InputError(f"line {error.lineno}, column {error.colno} is not valid JSON ({error.msg}).") from None
    except RecursionError:
        raise InputError("its lists are nested too deeply for a table.") from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"this is not valid JSON ({str(error).partition(';')[0]}).") from None
    if isinstance(data, list):
        return TableFile(values=_rows(data, "the list"))
    if not isinstance(data, dict):
        raise InputError("a list of rows, or an object with 'preference' or 'payoffs', was expected.")
    kind = _kind(data)
    return _labelled(_rows(data[kind], f"'{kind}'"), kind, {key: _texts(value, key) for key, value in data.items() if key not in KINDS})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise InputError("a key stands twice in one JSON object.")
    return result


def _rows(rows: Any, what: str) -> np.ndarray:
    if not isinstance(rows, list):
        raise InputError(f"{what} must be a list of rows.")
    if not rows or rows[0] == []:
        raise InputError(f"{what} is empty; a table of numbers was expected.")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list):
            raise InputError(f"row {number} of {what} is {_shown(row)}; a list of numbers was expected.")
        if len(row) != len(rows[0]):
            raise InputError(f"row {number} of {what} has {len(row)} entries, row 1 has {len(rows[0])}; all rows must be of one length.")
    return np.array([[_number(entry, row, column) for column, entry in enumerate(entries, 1)] for row, entries in enumerate(rows, 1)])


def _number(entry: Any, row: int, column: int) -> float:
    try:
        if isinstance(entry, int | float):
            return float(entry)
    except OverflowError:
        raise InputError(f"row {row}, column {column} is too large for a number.") from None
    raise InputError(f"row {row}, column {column} is {_shown(entry)}, which is not a number.")


def _texts(labels: Any, key: str) -> list[str]:
    if not isinstance(labels, list) or not all(isinstance(label, str | int) and not isinstance(label, bool) for label in labels):
        raise InputError(f"'{key}' must be a list of text.")
    return [str(label) for label in labels]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"


def read_npy(path: Path) -> TableFile:
    """One array; never unpickled."""
    with path.open("rb") as stream:
        return TableFile(values=_read_table(stream, "the array"))


def read_npz(path: Path) -> TableFile:
    """Arrays named by `KEYS`, or exactly one array."""
    with open_npz(path) as (archive, members):
        if len(members) == 1 and not set(members) & set(KEYS):
            kind, key = None, next(iter(members))
        else:
            kind = key = _kind(members)
        with archive.open(members[key]) as stream:
            values = _read_table(stream, f"the array '{key}'")
        return _labelled(values, kind, {name: read_labels(archive, members[name], name) for name in members if name != key})


@contextlib.contextmanager
def open_npz(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, str]]]:
    """An archive, and the file in it for the name of each array; damage that is met within becomes a sentence."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if len(members) < len(archive.namelist()):
                raise InputError("an array stands twice in the archive.")
            yield archive, members
    except InputError:
        raise
    except DAMAGE as error:
        raise _damaged("an .npz archive", error) from None


def read_labels(archive: zipfile.ZipFile, member: str, name: str) -> list[str]:
    """A list of text from an archive."""
    with archive.open(member) as stream:
        array = _read_array(stream, f"the array '{name}'")
    if array.dtype.kind not in "USiu" or array.ndim != 1:
        raise InputError(f"the array '{name}' must be a list of text; it is of type {array.dtype} and shape {array.shape}.")
    return [label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label) for label in array.tolist()]


def read_numbers(stream: IO[bytes], what: str, *, copies: int) -> np.ndarray:
    """An array of real numbers of any shape, as its type stands in the file; there must be memory for so many float64 copies too."""
    array = _read_array(stream, what, copies)
    if array.dtype.kind not in "biuf":
        held = {"c": "complex numbers", "U": "text", "S": "text"}.get(array.dtype.kind, f"entries of type {array.dtype}")
        raise InputError(f"{what} holds {held}; real numbers were expected.")
    return array


def _read_table(stream: IO[bytes], what: str) -> np.ndarray:
    array = read_numbers(stream, what, copies=TABLES)
    if array.ndim != 2:
        raise InputError(f"{what} has {array.ndim} axes, of shape {array.shape}; a table has rows and columns.")
    if array.size == 0:
        raise InputError(f"{what} is empty, of shape {array.shape}; a table of numbers was expected.")
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes inf, which is refused by its place
        return array.astype(np.float64)


def _read_array(stream: IO[bytes], what: str, copies: int = 0) -> np.ndarray:
    """The next array of a stream, once its header says that it fits into memory and holds no Python objects."""
    layout = np.lib.format
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of headers that Python 2 wrote
            version = layout.read_magic(stream)
            start = stream.tell()
            shape, _, dtype = (layout.read_array_header_1_0 if version == (1, 0) else layout.read_array_header_2_0)(stream)
            if dtype.hasobject:
                raise InputError(f"{what} holds Python objects, which are never unpickled; save it as numbers.")
            if any(size < 0 for size in shape):
                raise ValueError(f"a shape of {shape}")
            require_memory(prod(shape) * (dtype.itemsize + 8 * copies), f"{what} of shape {shape}")
            stream.seek(start - layout.MAGIC_LEN)
            return layout.read_array(stream, allow_pickle=False)
    except InputError:
        raise
    except DAMAGE as error:
        raise _damaged(what, error) from None


def _damaged(what: str, error: BaseException) -> InputError:
    reason = " ".join(str(error).split()).rstrip(".")[:200]
    return InputError(f"{what} cannot be read: the file is cut short, damaged, or of another kind ({reason or type(error).__name__}).")


def _kind(keys: Mapping[str, Any]) -> str:
    """Which of 'preference' and 'payoffs' is there; one of them must be, and every other key must be known."""
    for key in keys:
        if key not in KEYS:
            raise unknown("key", key, KEYS)
    kinds = [kind for kind in KINDS if kind in keys]
    if len(kinds) != 1:
        found = "both 'preference' and 'payoffs' are" if kinds else "neither 'preference' nor 'payoffs' is"
        raise InputError(f"{found} there; exactly one of them was expected.")
    return kinds[0]


def _labelled(values: np.ndarray, kind: str | None, labels: Mapping[str, Sequence[str]]) -> TableFile:
    if "labels" in labels and len(labels) > 1:
        raise InputError("'labels' name rows and columns alike; give them, or 'row_labels' and 'column_labels'.")
    names = {
        axis: distinct_labels(labels[key], size, axis, lambda place, key=key: f"entry {place + 1} of '{key}'")
        for axis, size in zip(("rows", "columns"), values.shape, strict=True)
        for key in ("labels", f"{axis.removesuffix('s')}_labels")
        if key in labels
    }
    return TableFile(values=values, row_labels=names.get("rows"), column_labels=names.get("columns"), kind=kind)
