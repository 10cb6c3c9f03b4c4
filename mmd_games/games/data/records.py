"""Records, whatever they come in, as batches of columns: never more of them in memory than a batch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmd_games.errors import InputError

BATCH = 2**16
"""Records at a time."""


class Column(NamedTuple):
    """A column of a batch: its different values, and for each record the place of its own among them, −1 where it has none."""

    codes: np.ndarray
    values: list[Any]


Batch = tuple[np.ndarray, dict[str, Column]]
"""The numbers of the records, as people count, and the columns that were asked for."""


@dataclass(frozen=True)
class Records:
    """A source of records.

    Attributes
    ----------
    source : str
        What sentences call it.
    noun : str
        What a record is called where it is numbered: row, line or record; rows are counted from 1 below the header.
    columns : tuple of str
        The names of the columns; of mappings, the keys of the first one.
    batches : callable
        Given names of columns, yields the batches.
    """

    source: str
    noun: str
    columns: tuple[str, ...]
    batches: Callable[[Sequence[str]], Iterator[Batch]]

    def require(self, names: Sequence[str], what: str) -> None:
        """Refuse a source without these columns."""
        missing = [name for name in names if name not in self.columns]
        if missing:
            shown = ", ".join(f"'{name}'" for name in self.columns[:12]) + (", …" if len(self.columns) > 12 else "")
            raise InputError(f"{self.source}: {what} needs the column{'s' * (len(missing) > 1)} {', '.join(missing)}; there are {shown or 'none'}.")
        twice = [name for name in names if self.columns.count(name) > 1]
        if twice:
            raise InputError(f"{self.source}: the column '{twice[0]}' stands twice.")


def records_of(data: Any, what: str) -> Records:
    """The records of a file (.csv, .tsv, .jsonl, .ndjson, .parquet), a frame, an Arrow table, or an iterable of mappings.

    Raises
    ------
    InputError
        When it is none of these.
    """
    if isinstance(data, str | os.PathLike):
        from mmd_games.games.data.record_files import records_in_file

        return records_in_file(Path(data))
    if hasattr(data, "columns") and hasattr(data, "loc"):
        return _of_pandas(data, what)
    if hasattr(data, "__arrow_c_stream__"):
        return _of_arrow(data, what)
    if isinstance(data, Iterable) and not isinstance(data, Mapping | bytes):
        return _of_mappings(data, what)
    raise InputError(f"{what} come as the path of a file, a data frame, an Arrow table or an iterable of mappings; got {type(data).__name__}.")


def column_of(array: Any) -> Column:
    """A column of an Arrow batch."""
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.unify_dictionaries().combine_chunks()
    if pa.types.is_nested(array.type):
        raise InputError("holds lists or mappings, where one value a record was expected")
    if pa.types.is_dictionary(array.type) and len(array.dictionary) > len(array):  # of a large one only what this piece needs
        array = array.dictionary_decode()
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    return Column(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary.to_pylist())


def arrow_batches(batches: Iterable[Any], names: Sequence[str], source: str, noun: str) -> Iterator[Batch]:
    """Arrow record batches as ours, numbered from 1; what Arrow cannot read becomes a sentence with the place."""
    import pyarrow as pa

    read = 0
    remaining = _pieces(batches)
    while True:
        name = ""
        try:
            batch = next(remaining, None)
            if batch is None:
                return
            columns = {}
            for name in names:
                columns[name] = column_of(batch.column(name))
        except InputError as error:
            raise InputError(f"{source}: the column '{name}' {error}.") from None
        except UnicodeDecodeError:
            raise InputError(f"{source}: text after {noun} {read:,} is not UTF-8; save it as UTF-8.") from None
        except (pa.ArrowException, OSError, ValueError, OverflowError, KeyError, TypeError) as error:
            said = " ".join(str(error).split())
            if "UTF8" in said or "UTF-8" in said:
                raise InputError(f"{source}: text after {noun} {read:,} is not UTF-8; save it as UTF-8.") from None
            raise InputError(f"{source}: cannot be read after {noun} {read:,} ({said[:200]}).") from None
        yield np.arange(read + 1, read + batch.num_rows + 1), columns
        read += batch.num_rows


def _pieces(batches: Iterable[Any]) -> Iterator[Any]:
    """Arrow's batches in pieces of ours: eight million bytes may be a million short rows."""
    for batch in batches:
        for first in range(0, batch.num_rows, BATCH):
            yield batch.slice(first, BATCH)


def mapping_batches(numbered: Iterable[tuple[int, Any]], names: Sequence[str], source: str, noun: str) -> Iterator[Batch]:
    """Numbered mappings as batches; a key that is not there is a missing entry."""
    remaining = iter(numbered)
    while chunk := list(itertools.islice(remaining, BATCH)):
        for number, record in chunk:
            if not isinstance(record, Mapping):
                raise InputError(f"{source}: {noun} {number:,} is a {type(record).__name__}; an object with the keys {', '.join(names)} was expected.")
        yield np.array([number for number, _ in chunk], dtype=np.int64), {name: _coded([record.get(name) for _, record in chunk]) for name in names}


def _coded(values: list[Any]) -> Column:
    places: dict[Any, int] = {}
    codes = np.empty(len(values), dtype=np.int64)
    for index, value in enumerate(values):
        if value is None:
            codes[index] = -1
            continue
        # 1, 1.0 and True are equal, and not the same; what cannot be a key of a dictionary is shown as it prints.
        key = (type(value), value) if isinstance(value, str | int | float | bool) else (type(value), repr(value))
        codes[index] = places.setdefault(key, len(places))
    found: list[Any] = [None] * len(places)
    for (kind, value), place in places.items():
        found[place] = value if kind in (str, int, float, bool) else Odd(value)
    return Column(codes, found)


class Odd(str):
    """The printed form of a value that is no text and no number, so that nobody takes it for a name."""


def _of_mappings(data: Iterable[Any], what: str) -> Records:
    remaining = iter(data)
    first = next(remaining, None)
    if first is None:
        raise InputError(f"{what}: there are none.")
    if not isinstance(first, Mapping):
        raise InputError(f"{what}: record 1 is a {type(first).__name__}; a mapping from columns to values was expected.")
    numbered = enumerate(itertools.chain([first], remaining), start=1)
    return Records(what, "record", tuple(map(str, first)), lambda names: mapping_batches(numbered, names, what, "record"))


def _of_pandas(frame: Any, what: str) -> Records:
    columns = tuple(map(str, frame.columns))

    def batches(names: Sequence[str]) -> Iterator[Batch]:
        import pyarrow as pa

        for first in range(0, len(frame), BATCH):
            part, columns_of_part = frame.iloc[first : first + BATCH], {}
            for name in names:
                values = part[name]
                try:
                    columns_of_part[name] = column_of(pa.array(values, from_pandas=True))
                except (InputError, pa.ArrowException, TypeError, ValueError, OverflowError):  # a column of mixed things, which is looked at thing by thing
                    entries = zip(values.tolist(), values.isna().tolist(), strict=True)
                    columns_of_part[name] = _coded([None if missing else value for value, missing in entries])
            yield np.arange(first + 1, first + len(part) + 1), columns_of_part

    return Records(what, "row", columns, batches)


def _of_arrow(data: Any, what: str) -> Records:
    import pyarrow as pa

    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"{what}: the Arrow stream cannot be read ({error}).") from None
    return Records(what, "row", tuple(reader.schema.names), lambda names: arrow_batches(reader, names, what, "row"))
