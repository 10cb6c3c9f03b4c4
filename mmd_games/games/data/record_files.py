"""Files of records: .csv, .tsv, .jsonl and .parquet, read a piece at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmd_games.errors import InputError
from mmd_games.games.data.records import BATCH, Batch, Records, arrow_batches, mapping_batches
from mmd_games.words import brief

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""How the name of a file of records ends."""
BLOCK = 2**22
"""Bytes of a text file that are read at a time: no record may be longer."""
HEADER = 2**16
"""Bytes in which the first line of a text file must end."""


def require_file(path: Path, suffixes: Sequence[str]) -> str:
    """The suffix of a file that is there, and not empty; else a sentence."""
    suffix = path.suffix.lower()
    if "\0" in str(path):
        raise InputError("a path holds no null character.")
    try:
        if path.is_dir():
            raise InputError(f"{path}: this is a directory; a file was expected ({', '.join(suffixes)}).")
        if not path.exists():
            raise InputError(f"{path}: there is no such file.")
        if suffix not in suffixes:
            raise InputError(f"{path}: files that end in '{suffix}' are not read here; known are {', '.join(suffixes)}.")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty.")
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror or error}).") from None
    return suffix


def records_in_file(path: Path) -> Records:
    """The records of a file, by its suffix."""
    suffix = require_file(path, SUFFIXES)
    try:
        if suffix == ".parquet":
            return _parquet(path)
        return _json_lines(path) if suffix in (".jsonl", ".ndjson") else _delimited(path, suffix)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror or error}).") from None


def _delimited(path: Path, suffix: str) -> Records:
    """Separated by commas, by semicolons where the first line has those and no comma, or by tabs."""
    with path.open("rb") as file:
        first = file.readline(HEADER)
    if len(first) == HEADER:
        raise InputError(f"{path}: the first line does not end within {HEADER:,} bytes; names of columns were expected there.")
    try:
        line = first.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the file is not UTF-8 text (byte {error.start + 1} cannot be read); save it as UTF-8.") from None
    delimiter = "\t" if suffix == ".tsv" else ";" if ";" in line and "," not in line else ","
    try:
        columns = tuple(next(csv.reader([line], delimiter=delimiter, strict=True), []))
    except csv.Error as error:
        raise InputError(f"{path}: line 1 is no row of names of columns ({error}).") from None

    def batches(names: Sequence[str]) -> Iterator[Batch]:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        try:
            reader = arrow_csv.open_csv(
                path,
                # One thread: many would read ahead, and hold what they read.
                read_options=arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK),
                parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(include_columns=list(names), column_types=dict.fromkeys(names, pa.string())),
            )
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise _unreadable(path, error) from None
        yield from arrow_batches(reader, names, str(path), "row")

    return Records(str(path), "row", columns, batches)


def _unreadable(path: Path, error: Exception) -> InputError:
    said = " ".join(str(error).split())
    if "UTF8" in said or "UTF-8" in said:
        return InputError(f"{path}: the file is not UTF-8 text; save it as UTF-8.")
    if said == "Empty CSV file":
        return InputError(f"{path}: the file has names of columns and no rows.")
    return InputError(f"{path}: cannot be read ({said[:200]}).")


def _parquet(path: Path) -> Records:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        columns = tuple(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from None

    def batches(names: Sequence[str]) -> Iterator[Batch]:
        with file:
            yield from arrow_batches(file.iter_batches(BATCH, columns=list(names), use_threads=False), names, str(path), "row")

    return Records(str(path), "row", columns, batches)


def _json_lines(path: Path) -> Records:
    lines = json_lines(path)
    first = next(lines, None)
    lines.close()
    if first is None:
        raise InputError(f"{path}: the file has only blank lines.")
    number, record = first
    if not isinstance(record, dict):
        raise InputError(f"{path}: line {number} is no object with names of columns as keys.")
    return Records(str(path), "line", tuple(record), lambda names: mapping_batches(json_lines(path), names, str(path), "line"))


def json_lines(path: Path) -> Generator[tuple[int, Any], None, None]:
    """The number and the value of every line of a .jsonl file that is not blank.

    Raises
    ------
    InputError
        For a line that is no JSON, no UTF-8, or longer than 4 MiB.
    """
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(BLOCK), b""), start=1):
            if len(line) == BLOCK:
                raise InputError(f"{path}: line {number:,} is longer than {BLOCK:,} bytes; one record a line was expected.")
            text = ""
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                if not text:
                    continue
                value = json.loads(text)
            except UnicodeDecodeError as error:
                raise InputError(f"{path}: line {number:,} is not UTF-8 text (its byte {error.start + 1} cannot be read); save it as UTF-8.") from None
            except (ValueError, RecursionError) as error:
                said = "nested too deeply" if isinstance(error, RecursionError) else error
                raise InputError(f"{path}: line {number:,} is no JSON ({said}): '{brief(text, 40)}'.") from None
            yield number, value
