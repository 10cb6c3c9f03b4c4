"""Tables in text: separated by commas, semicolons, tabs or white space, with or without labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import InputError
from mmd_games.games.table_file import TableFile, distinct_labels

Row = tuple[int, list[str]]
"""The number of a line, and its cells."""


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with or without a byte-order mark."""
    # A cell of four characters becomes a Python string of some 60 bytes, and is then still to become a number.
    require_memory(20 * path.stat().st_size, "reading the file")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the file is not UTF-8 text (byte {error.start + 1} cannot be read); save it as UTF-8.") from None


def read_csv(path: Path) -> TableFile:
    """Separated by commas, or by semicolons where the first line has those and no comma."""
    text = read_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    return _table(_delimited(text, ";" if ";" in first and "," not in first else ","))


def read_tsv(path: Path) -> TableFile:
    """Separated by tabs."""
    return _table(_delimited(read_text(path), "\t"))


def read_words(path: Path) -> TableFile:
    """Separated by white space; what follows a `#` is a comment."""
    lines = enumerate(io.StringIO(read_text(path), newline=None), start=1)
    return _table((number, line.partition("#")[0].split()) for number, line in lines)


def _delimited(text: str, delimiter: str) -> Iterable[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        for cells in reader:
            yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is not a row of cells ({error}).") from None


def _table(lines: Iterable[Row]) -> TableFile:
    rows = [(number, cells) for number, cells in lines if len(cells) > 1 or (cells and cells[0])]
    if not rows:
        raise InputError("the file is empty; a table of numbers was expected.")
    header, body = (rows[0], rows[1:]) if _has_header(rows) else (None, rows)
    if not body:
        raise InputError(f"line {rows[0][0]} has only text, and no numbers follow it; labels may fill the first line and the first column.")
    width = len(body[0][1])
    labelled = width > 1 and ((header is not None and header[1][0] == "") or all(_number(cells[0]) is None for _, cells in body))
    for number, cells in body:
        if len(cells) != width:
            raise InputError(f"line {number} has {_cells(len(cells))}, line {body[0][0]} has {width}; all rows must be of one length.")
    skipped = int(labelled)
    return TableFile(
        values=np.array([_numbers(number, cells, skipped) for number, cells in body]),
        row_labels=_row_labels(body) if labelled else None,
        column_labels=_column_labels(header, width, skipped) if header else None,
        lines=[number for number, _ in body],
        first_column=skipped + 1,
    )


def _has_header(rows: list[Row]) -> bool:
    """A first line of labels has not one number, or an empty corner; any other line with numbers is data, perhaps with a slip in it.

    Behind an empty corner numbers are labels only if they count (0, 1, 2, … as written by a data frame) or the first column is all text:
    else the corner may as well be a missing entry.
    """
    (_, first), rest = rows[0], rows[1:]
    numbers = [_number(cell) for cell in first]
    if first[0]:
        return all(number is None for number in numbers)
    if None in numbers[1:]:
        return True
    counting = numbers[1:] in ([*range(len(first) - 1)], [*range(1, len(first))])
    return counting or (len(rest) > 0 and all(_number(cells[0]) is None for _, cells in rest))


def _row_labels(body: list[Row]) -> tuple[str, ...]:
    return distinct_labels([cells[0] for _, cells in body], len(body), "rows", lambda row: f"line {body[row][0]}, column 1")


def _column_labels(header: Row, width: int, skipped: int) -> tuple[str, ...]:
    """The labels of a first line, whose corner may be empty, text, or missing."""
    number, cells = header
    corner = skipped if len(cells) == width else 0
    if len(cells) - corner != width - skipped or (skipped and not corner and cells[0] == ""):
        raise InputError(f"line {number} has {_cells(len(cells))} of labels, the rows below it have {width}.")
    return distinct_labels(cells[corner:], width - skipped, "columns", lambda column: f"line {number}, column {column + corner + 1}")


def _numbers(number: int, cells: list[str], skipped: int) -> list[float]:
    values = []
    for column, cell in enumerate(cells[skipped:], start=skipped + 1):
        value = _number(cell)
        if value is None:
            found = f"is '{cell[:40]}', which is not a number" if cell else "is empty"
            hint = "decimals are written with a point" if "," in cell else "labels may fill the first line and the first column only"
            raise InputError(f"line {number}, column {column} {found}; {hint}.")
        values.append(value)
    return values


def _number(text: str) -> float | None:
    """The number that is written here; Python's own 1_000 is not one."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _cells(count: int) -> str:
    return f"{count} cell{'s' * (count != 1)}"
