"""A folder of results: which suite it is of, its cells, and what is made of them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmd_games import plots, specs
from mmd_games.errors import InputError
from mmd_games.report import output_directory
from mmd_games.sweeps.algorithm_suite import Suite
from mmd_games.sweeps.cells import Row, Store
from mmd_games.sweeps.frame import write_parquet
from mmd_games.sweeps.kinds import AnySuite, Result
from mmd_games.sweeps.reference_suite import ReferenceSuite

KINDS: tuple[Any, ...] = (Suite, ReferenceSuite)
SUITE, RESULTS, FRAME = "suite.json", "results.json", "results.parquet"
FIGURES = ("gaps.png", "profile.png", "times.png")


def write_suite(suite: Any, directory: Path) -> None:
    """Say which suite a folder is of, before anything runs: whatever happens then, its cells can be read."""
    with output_directory(directory) as folder:
        (folder / SUITE).write_text(json.dumps({"schema": suite.schema, "suite": asdict(suite)}, indent=1) + "\n", encoding="utf-8")


def remove_result(directory: Path) -> None:
    """Delete what was made of a folder's cells, so that nothing of an earlier sweep stands beside those of the next."""
    for name in (SUITE, RESULTS, FRAME, *FIGURES):
        (directory / name).unlink(missing_ok=True)


def write_result(result: Result, directory: Path, *, again: bool = False) -> list[str]:
    """Write results.json, results.parquet and the plots, all or none, and return their names; `again`, results.json of times stays, which says on what machine they were taken."""
    with output_directory(directory) as folder:
        records = result.records()
        if not (again and records is None and (directory / RESULTS).exists()):
            (folder / RESULTS).write_text(json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        if records is not None:
            write_parquet(records, folder / FRAME)
        for name, axes in result.figures().items():
            plots.save(axes, folder / name)
        return sorted(file.name for file in folder.iterdir())


def read_result(directory: str | os.PathLike[str]) -> Result:
    """The result that a folder holds, made anew from its cells, or where these are gone from results.json; nothing is run.

    Raises
    ------
    InputError
        When the folder holds no results, damaged ones, or those of another version.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such directory." if not folder.exists() else f"{folder}: is a file; a directory of results was expected.")
    head = _read(folder / SUITE) or _read(folder / RESULTS)
    if head is None:
        raise InputError(f"{folder}: holds no results: neither {SUITE} nor {RESULTS} is there (mmd-games bench writes them).")
    kind = next((kind for kind in KINDS if head.get("schema") == kind.schema), None)
    if kind is None:
        raise _other_version(folder, head.get("schema"), [kind.schema for kind in KINDS])
    suite = specs.build(kind, head.get("suite", {}), f"the suite in {folder}")
    rows, of = _rows(suite, folder)
    return suite.result(rows, len(rows) < of)


def require_schema(directory: Path, schema: str) -> None:
    """Refuse a folder whose results, or cells, are of another version of this library, or of another kind of suite."""
    for name in (SUITE, RESULTS):
        head = _read(directory / name)
        if head is not None and head.get("schema") != schema:
            raise _other_version(directory, head.get("schema"), [schema])
    found = Store(directory / "cells", schema).any_row()
    if found is not None and _schema_of(found) != schema:
        raise _other_version(directory, _schema_of(found), [schema])


def _schema_of(row: Row) -> str:
    """Of a row that does not say it, by what it is of: a solver, or an algorithm as the first version played it."""
    return row.get("schema", ReferenceSuite.schema if "solver" in row else "mmd_games.bench/1")


def _rows(suite: AnySuite, folder: Path) -> tuple[list[Row], int]:
    """The rows in the suite's order, and of how many."""
    cells, store = suite.cells(), Store(folder / "cells", suite.schema)
    found = store.rows(cells)
    rows = [found[store.key(cell)] for cell in cells if store.key(cell) in found]
    if not rows:
        rows = (_read(folder / RESULTS) or {}).get("cells", [])
    if not rows:
        raise InputError(f"{folder}: holds no finished cell of its suite; mmd-games bench … --out {folder} --resume runs them.")
    return rows, len(cells)


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is no file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}).") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: is not what mmd-games bench writes: a JSON object was expected.")
    return content


def _other_version(folder: Path, found: Any, known: list[str]) -> InputError:
    return InputError(
        f"{folder}: holds results of the schema {found!r}, and this version of mmd_games, or this kind of suite, has {' or '.join(map(repr, known))}; "
        "another --out keeps them, --overwrite starts afresh."
    )
