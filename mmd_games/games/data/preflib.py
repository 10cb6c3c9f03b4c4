"""PrefLib's files of orders (.soc, .soi, .toc, .toi), parsed by preflibtools after every line and every count of the header has been checked."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import InputError
from mmd_games.games.data.comparisons import Comparisons
from mmd_games.games.data.names import LONGEST_NAME, MOST_NAMES
from mmd_games.games.data.rankings import ballots_counted
from mmd_games.games.data.record_files import require_file
from mmd_games.words import brief

SUFFIXES = (".soc", ".soi", ".toc", ".toi")
"""Strict or with ties, complete or incomplete."""
LONGEST_LINE = 2**20
ORDER = re.compile(r"\s*\d{1,12}\s*:\s*(?:\{\s*\d{1,9}\s*(?:,\s*\d{1,9}\s*)*\}|\d{1,9})\s*(?:,\s*(?:\{\s*\d{1,9}\s*(?:,\s*\d{1,9}\s*)*\}|\d{1,9})\s*)*\s*")
"""A number of voters, and alternatives by their numbers, those in braces tied. preflibtools itself passes over what is not of this form."""
COUNTS = ("NUMBER ALTERNATIVES", "NUMBER VOTERS", "NUMBER UNIQUE ORDERS")
"""What the header must have, each once and as a whole number."""


def read_preflib(path: str | os.PathLike[str], *, unranked: str = "refuse") -> Comparisons:
    """Count the orders of a PrefLib file.

    Parameters
    ----------
    path : path
    unranked : {"refuse", "below", "apart"}
        Alternatives that an order leaves out are refused; tied below all that it ranks (as where voters name their best ones); or not compared (as where drivers were not in a race).

    Raises
    ------
    InputError
        When the file cannot be read; its header lacks a count, or has one that its lines do not bear out; an order stands on two lines; or alternatives are left out and it was not said what that
        means. The sentence names the line.

    References
    ----------
    Mattei and Walsh, PrefLib: a library for preferences, ADT 2013; https://preflib.github.io/PrefLib-Jekyll/format.
    """
    path = Path(path)
    suffix = require_file(path, SUFFIXES)
    try:
        lines, counts = _checked_lines(path)
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror or error}).") from None
    instance = _parsed(path, [line for _, line in lines], suffix[1:])
    places = [number for number, line in lines if not line.startswith("#")]
    orders: list[tuple[tuple[int, ...], ...]] = [tuple(tuple(sorted(group)) for group in order) for order in instance.orders]
    multiplicities = [int(line.partition(":")[0]) for _, line in lines if not line.startswith("#")]
    _check_orders(path, orders, places, counts["NUMBER ALTERNATIVES"], suffix[1:])
    found = {
        "NUMBER ALTERNATIVES": (len(instance.alternatives_name), "names of alternatives"),
        "NUMBER VOTERS": (sum(multiplicities), "voters in its orders"),
        "NUMBER UNIQUE ORDERS": (len(orders), "orders"),
    }
    for name, (number, what) in found.items():
        if number != counts[name]:
            raise InputError(f"{path}: the header says {name}: {counts[name]:,}, but the file has {number:,} {what}.")
    labels = _labels(path, instance.alternatives_name, counts["NUMBER ALTERNATIVES"])
    cast = dict(zip(orders, multiplicities, strict=True))
    return ballots_counted(cast, labels, np.arange(-1, len(labels)), source=str(path), unranked=unranked)


def _checked_lines(path: Path) -> tuple[list[tuple[int, str]], dict[str, int]]:
    """The lines that are not blank, with their numbers, and the counts of the header; read line by line, so that nonsense is refused at its first."""
    require_memory(30 * path.stat().st_size, f"{path}: reading the file")
    lines: list[tuple[int, str]] = []
    counts: dict[str, int] = {}
    ordered = False
    with path.open("rb") as file:
        for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
            if len(raw) == LONGEST_LINE:
                raise InputError(f"{path}: line {number:,} is longer than {LONGEST_LINE:,} bytes; an order was expected.")
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise InputError(f"{path}: line {number:,} is not UTF-8 text (its byte {error.start + 1} cannot be read); save it as UTF-8.") from None
            if not line:
                continue
            if not line.startswith("#"):
                ordered = True
                if not ORDER.fullmatch(line) or int(line.partition(":")[0]) == 0:
                    raise InputError(f"{path}: line {number:,} is no order such as '12: 3, {{1, 4}}, 2' (voters: best, tied, worst): '{brief(line, 40)}'.")
            elif ordered:
                raise InputError(f"{path}: line {number:,} begins with '#', but the header ends where the orders begin.")
            else:
                _note_count(path, number, line, counts)
            lines.append((number, line))
    missing = [name for name in COUNTS if name not in counts]
    if missing:
        raise InputError(f"{path}: the header has no '# {missing[0]}: …'; a PrefLib file was expected.")
    if not ordered:
        raise InputError(f"{path}: a header and no orders.")
    return lines, counts


def _note_count(path: Path, number: int, line: str, counts: dict[str, int]) -> None:
    name, _, value = line[1:].strip().partition(":")
    if name in COUNTS:
        if not re.fullmatch(r"[0-9]{1,15}", value.strip()):
            raise InputError(f"{path}: line {number:,} says {name}: '{brief(value.strip(), 40)}', which is no whole number.")
        if name in counts:
            raise InputError(f"{path}: line {number:,} says {name} a second time.")
        counts[name] = int(value)


def _parsed(path: Path, lines: list[str], kind: str) -> Any:
    """Preflibtools' instance of checked lines."""
    try:
        from preflibtools.instances import OrdinalInstance
    except ModuleNotFoundError:
        raise InputError(f"{path}: PrefLib's files are read with preflibtools, which is not installed: pip install 'mmd_games[data]' brings it.") from None
    instance = OrdinalInstance()
    try:
        instance.data_type = kind
        instance.parse_lines(lines)  # not parse_str, which would break lines at characters that end none
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(f"{path}: preflibtools cannot read it ({error}).") from None
    if instance.data_type != kind:
        raise InputError(f"{path}: the header says DATA TYPE: {brief(instance.data_type, 40)}, the name of the file says {kind}.")
    return instance


def _check_orders(path: Path, orders: list[tuple[tuple[int, ...], ...]], places: list[int], count: int, kind: str) -> None:
    """Refuse what no order can be, and what the kind of the file excludes."""
    first: dict[Any, int] = {}
    for number, order in zip(places, orders, strict=True):
        ranked = [alternative for group in order for alternative in group]
        wrong = next((alternative for alternative in ranked if not 1 <= alternative <= count), None)
        if wrong is not None:
            raise InputError(f"{path}: line {number:,} ranks alternative {wrong:,}; the header says NUMBER ALTERNATIVES: {count:,}.")
        if len(set(ranked)) < len(ranked):
            twice = next(alternative for alternative in ranked if ranked.count(alternative) > 1)
            raise InputError(f"{path}: line {number:,} ranks alternative {twice:,} twice.")
        if kind[0] == "s" and len(order) < len(ranked):
            raise InputError(f"{path}: line {number:,} has a tie, which a .{kind} file of strict orders cannot have.")
        if kind[2] == "c" and len(ranked) < count:
            raise InputError(f"{path}: line {number:,} ranks {len(ranked):,} of {count:,} alternatives; a .{kind} file has complete orders.")
        if order in first:
            raise InputError(f"{path}: lines {first[order]:,} and {number:,} have the same order; a PrefLib file has each once, with the number of its voters.")
        first[order] = number


def _labels(path: Path, names: dict[int, str], count: int) -> tuple[str, ...]:
    """The names of alternatives 1 to n, which must differ."""
    missing = next((number for number in range(1, count + 1) if number not in names), None)
    if missing is not None:
        raise InputError(f"{path}: the header has no '# ALTERNATIVE NAME {missing}: …'.")
    if count > MOST_NAMES:
        raise InputError(f"{path}: there are {count:,} alternatives; at most {MOST_NAMES:,} are ranked.")
    first: dict[str, int] = {}
    for number in range(1, count + 1):
        name = names[number].strip()
        if not name or len(name) > LONGEST_NAME:
            raise InputError(f"{path}: the name of alternative {number:,} {'is empty' if not name else f'has more than {LONGEST_NAME:,} characters'}.")
        if name in first:
            raise InputError(f"{path}: alternatives {first[name]:,} and {number:,} have the same name, '{brief(name, 40)}'.")
        first[name] = number
    return tuple(first)
