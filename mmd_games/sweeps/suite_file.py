"""Suites from TOML files: one with `algorithms` plays them, one with `solvers` takes their times."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from mmd_games import specs
from mmd_games.errors import InputError, unknown
from mmd_games.sweeps.algorithm_suite import Suite
from mmd_games.sweeps.reference_suite import ReferenceSuite

LISTS = {
    "games": '["random:n=10"]',
    "algorithms": '["mpo", "omwu"]',
    "solvers": '["interior_point", "lp"]',
    "seeds": '[0, 1], or "0..199"',
    "feedback": '["exact", "sampled:opponents=16"]',
}
"""The keys of a suite that are lists, with an example."""


def read_suite(path: str | os.PathLike[str]) -> Suite | ReferenceSuite:
    """Read a suite from a TOML file: of solvers where it has that key, otherwise of algorithms.

    Raises
    ------
    InputError
        When the file is missing or not TOML, and for an unknown key (the nearest is offered).
    """
    try:
        with Path(path).open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: cannot be read as TOML ({error}).") from None
    kind = ReferenceSuite if "solvers" in content else Suite
    if "solvers" in content and "algorithms" in content:
        raise InputError(f"{path}: a suite has algorithms, or solvers whose times are taken, not both.")
    known = {field.name for field in fields(kind)}
    for key, value in content.items():
        if key not in known:
            raise InputError(f"{path}: {unknown('key', key, known)}")
        if key == "seeds":
            content[key] = value = _range(value)
        if key in LISTS and not isinstance(value, list):
            raise InputError(f"{path}: {key} must be a list, as in {key} = {LISTS[key]}, got {value!r}.")
    try:
        return specs.build(kind, {"name": Path(path).stem, **content}, "a suite")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _range(seeds: Any) -> Any:
    """A list for "0..199", the last one included; anything else as it is."""
    ends = re.fullmatch(r"(\d+)\.\.(\d+)", seeds) if isinstance(seeds, str) else None
    return list(range(int(ends[1]), int(ends[2]) + 1)) if ends else seeds
