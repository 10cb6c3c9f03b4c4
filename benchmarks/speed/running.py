"""All rows, one after the other; a row that cannot be measured says why, and the others go on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from benchmarks.speed.table import Line, Row
from mmd_games.errors import InputError

if TYPE_CHECKING:
    from benchmarks.speed.rows import Bench


def measure_all(rows: Iterable[Row], bench: Bench) -> list[Line]:
    """The lines of the table; how it goes is told on standard error."""
    lines = []
    for row in rows:
        print(f"{row.key}: {row.work}, against {row.against}", end=" ", file=sys.stderr, flush=True)
        line = measure(row, bench)
        found = "" if line.measured is None else f"{row.amount(line.measured.ratio.median)}, "
        print(f"– {found}{line.reached}", file=sys.stderr)
        lines.append(line)
        gc.collect()
    return lines


def measure(row: Row, bench: Bench) -> Line:
    """One line."""
    try:
        return Line(row, row.measure(bench))
    except ImportError as error:
        return Line(row, None, f"{error.name or error} is not installed")
    except (InputError, MemoryError) as error:  # a game that does not fit into this machine
        return Line(row, None, str(error).rstrip(".") or "out of memory")
