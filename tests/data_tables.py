"""Records for tests: battles written out from counts, in every form that is read."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

FORMS = ("csv", "semicolons", "tsv", "jsonl", "parquet", "pandas", "arrow", "mappings", "generator")
TIES = ("tie", "tie (bothbad)")
ONE_HOT = ("winner_model_a", "winner_model_b", "winner_tie")


def battles_of(names, wins, ties, generator) -> list[dict[str, object]]:
    """Battles whose counts these are, in an order and with sides drawn at random."""
    records: list[dict[str, object]] = []
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            records += [{"model_a": first, "model_b": second, "winner": "model_a"} for _ in range(int(wins[i, j]))]
            if i < j:
                records += [{"model_a": first, "model_b": second, "winner": TIES[k % 2]} for k in range(int(ties[i, j]))]
    mirrored = {"model_a": "model_b", "model_b": "model_a"}
    for index in np.flatnonzero(generator.random(len(records)) < 0.5):
        record = records[index]
        records[index] = {"model_a": record["model_b"], "model_b": record["model_a"], "winner": mirrored.get(str(record["winner"]), record["winner"])}
    return [records[index] for index in generator.permutation(len(records))]


def one_hot(records):
    """The same battles with three columns for the outcome."""
    return [
        {"model_a": r["model_a"], "model_b": r["model_b"], **{name: int(part) for name, part in zip(ONE_HOT, outcome(r["winner"]), strict=True)}}
        for r in records
    ]


def outcome(winner):
    return (winner == "model_a", winner == "model_b", winner in TIES)


def written(records: list[dict[str, object]], form: str, folder: Path):
    """What a reader is given: the path of a file, or the records themselves in some frame."""
    columns = list(records[0])
    path = folder / f"battles.{'csv' if form == 'semicolons' else form}"
    if form in ("csv", "semicolons", "tsv"):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, delimiter={"csv": ",", "semicolons": ";", "tsv": "\t"}[form])
            writer.writeheader()
            writer.writerows(records)
        return path
    if form == "jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return path
    if form == "mappings":
        return records
    if form == "generator":
        return (record for record in records)
    table = pa.table({name: [record[name] for record in records] for name in columns})
    if form == "parquet":
        parquet.write_table(table, path)
        return path
    return table if form == "arrow" else table.to_pandas()
