"""Flat rows as a Parquet file, which every data frame reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_parquet(records: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows of scalars; a row lacks what it has no value for.

    Parameters
    ----------
    records : sequence of mapping of str to scalar
        A column is of one type, whole numbers among others being floats; where types differ otherwise it is text.
    path : Path
    """
    import pyarrow as pa  # imported where it is used
    import pyarrow.parquet as pq

    columns = {}
    for name in dict.fromkeys(name for record in records for name in record):
        values = [record.get(name) for record in records]
        kinds = {type(value) for value in values if value is not None}
        if kinds <= {int, float} and float in kinds:
            columns[name] = pa.array([None if value is None else float(value) for value in values], pa.float64())
        elif kinds == {int}:
            columns[name] = pa.array(values, pa.int64())
        elif kinds == {bool}:
            columns[name] = pa.array(values, pa.bool_())
        else:
            columns[name] = pa.array([None if value is None else str(value) for value in values], pa.string())
    pq.write_table(pa.table(columns), path)
