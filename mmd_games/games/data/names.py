"""Names of actions, as records have them, and their places: each name once, and not too many of them."""

from __future__ import annotations

import numpy as np

from mmd_games.errors import InputError
from mmd_games.games.data.problems import quoted
from mmd_games.games.data.records import Column, Odd

MOST_NAMES = 5_000
"""More different names are no leaderboard; most likely another column was meant."""
LONGEST_NAME = 1_000
MISSING, WRONG = -1, -2


class Names:
    """The names met so far, in the order in which they came."""

    def __init__(self, source: str):
        self.source = source
        self.places: dict[str, int] = {}

    def place(self, value: object) -> int:
        """The place of a name: `MISSING` where there is none, `WRONG` where it cannot be one."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            value = str(value)
        if value is None or (isinstance(value, str) and not isinstance(value, Odd) and not value.strip()):
            return MISSING
        if not isinstance(value, str) or isinstance(value, Odd) or len(value) > LONGEST_NAME:
            return WRONG
        found = self.places.setdefault(value.strip(), len(self.places))
        if found >= MOST_NAMES:
            raise InputError(
                f"{self.source}: there are more than {MOST_NAMES:,} different names, such as {quoted(value)}; are these columns the names of what is ranked?"
            )
        return found

    def places_of(self, column: Column) -> np.ndarray:
        """The place of every record's name."""
        return looked_up(column, [self.place(value) for value in column.values], MISSING)

    def in_order(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The names in alphabetical order, and for each of their places the new one."""
        ordered = sorted(self.places)
        order = np.empty(len(ordered), dtype=np.int64)
        for new, name in enumerate(ordered):
            order[self.places[name]] = new
        return tuple(ordered), order


def looked_up(column: Column, meanings: list[int], missing: int) -> np.ndarray:
    """For every record the meaning of its value; `missing` where it has none."""
    return np.array([*meanings, missing], dtype=np.int64)[column.codes]


def first_value(column: Column, wrong: np.ndarray) -> str:
    """What the first of some records has in a column, quoted; nothing where there is none."""
    codes = column.codes[wrong]
    return quoted(column.values[int(codes[0])]) if len(codes) and codes[0] >= 0 else ""
