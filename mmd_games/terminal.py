"""Tables on standard output."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mmd_games.words import visible

WIDTH = 160
"""Columns of a table where standard output is no terminal, unless its short cells need more."""
LONG = 64
"""Cells of more characters may be folded."""


def print_table(title: str, rows: Sequence[Mapping[str, str]], *, wide: bool = False) -> None:
    """Print rows as a table, every word verbatim; nothing where there are none. Where it may be wide, what is short is not folded in a file."""
    from rich.console import Console  # imported where it is used: it costs more than many a run
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    longest = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in rows[0]}
    needed = sum(min(length, LONG) + 3 for length in longest.values()) + 1
    console = Console(width=None if sys.stdout.isatty() else max(WIDTH, needed if wide else 0))
    console.print(
        *(Text(visible(line), style="italic") for line in title.split("\n")), sep="\n"
    )  # not the table's own title, which would be folded to its width
    table = Table()
    for name in rows[0]:
        # What is short stays whole wherever the table has room for that, so that no number and no name is cut in two.
        table.add_column(name, overflow="fold", no_wrap=longest[name] <= LONG and needed <= console.width)
    for row in rows:
        table.add_row(*(Text(visible(str(value))) for value in row.values()))
    console.print(table)


def listing_rows(families: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Names with their keys, as rows of a table: defaults are shown as they are written in a spec."""
    return [
        {
            "name": ", ".join([family["name"], *family["aliases"]]),
            "keys": ", ".join(key if value is None else f"{key}={_as_typed(value)}" for key, value in family["keys"].items()),
            "what it is": family["description"],
            **({"example": family["example"]} if "example" in family else {}),
        }
        for family in families
    ]


def _as_typed(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
