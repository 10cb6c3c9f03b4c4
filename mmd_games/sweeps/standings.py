"""Who wins: the best setting of every algorithm on every game, and a champion against all rivals. Computed from plain rows alone.

A row has `game`, `feedback`, `algorithm`, `setting`, `products` (its budget), and, unless it has an `error`, `cost` (products to each level), `gap` and `values`
(the setting's numbers in that game). What does not reach the level counts as its budget.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from mmd_games.sweeps.cells import Row
from mmd_games.sweeps.grids import multiple_of

FACTOR, SLACK = 1.5, 200
"""A champion passes on a game where it takes at most so many times the products of the best rival, and so many more."""


def level_name(level: float) -> str:
    """A relative gap as a key: `1e-08`; all digits where one does not say it."""
    short = f"{level:.0e}"
    return short if float(short) == level else repr(float(level))


@dataclass(frozen=True)
class Edge:
    """A setting at the end of its grid: beyond it there may be a better one."""

    key: str
    side: str
    """"smallest" or "largest" of those tried."""

    def __str__(self) -> str:
        return f"{self.key}: {self.side}"


@dataclass(frozen=True)
class Best:
    """The best setting of an algorithm on a game.

    Attributes
    ----------
    game, feedback, algorithm : str
    setting : dict
        As the grid has it.
    products : int
        To the level, or the budget where it is not reached.
    reached : bool
    gap : float or None
        The last, relative to L; None where every setting failed.
    edges : tuple of Edge
    tried, failed : int
        Settings, and those of them that ended in an error.
    """

    game: str
    feedback: str
    algorithm: str
    setting: dict[str, Any]
    products: int
    reached: bool
    gap: float | None
    edges: tuple[Edge, ...]
    tried: int
    failed: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def best_row(rows: Iterable[Row], level: float) -> Row:
    """The row with the fewest products to the level; a setting that does not reach it counts as its budget, and then the smallest final gap decides."""
    return min(rows, key=lambda row: (_products(row, level), "error" in row, row.get("gap", math.inf), _text(row.get("setting", {}))))


def best_settings(rows: Iterable[Row], level: float) -> list[tuple[Best, Row]]:
    """For each game, feedback and algorithm, in the order in which they first come, its best setting and the row of that."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["game"], row.get("feedback", "exact"), row["algorithm"]), []).append(row)
    found = []
    for (game, feedback, algorithm), group in groups.items():
        row = best_row(group, level)
        best = Best(
            game,
            feedback,
            algorithm,
            dict(row.get("setting", {})),
            products=_products(row, level),
            reached=_cost(row, level) is not None,
            gap=row.get("gap"),
            edges=edges(row, group),
            tried=len(group),
            failed=sum("error" in other for other in group),
        )
        found.append((best, row))
    return found


def edges(row: Row, group: Sequence[Row]) -> tuple[Edge, ...]:
    """The numeric keys in which a row's setting is the smallest or the largest of those that were tried; a key with one value has no edge."""
    found = []
    for key in row.get("setting", {}):
        numbers = _numbers(key, group)
        own = numbers.get(_text(row["setting"][key]))
        if own is None or len(set(numbers.values())) < 2:
            continue
        if own in (low := min(numbers.values()), max(numbers.values())):
            found.append(Edge(key, "smallest" if own == low else "largest"))
    return tuple(found)


def standings(bests: Iterable[Best], champion: str) -> dict[str, Any]:
    """A champion against its rivals, each with its best setting.

    Parameters
    ----------
    bests : iterable of Best
    champion : str
        The algorithm.

    Returns
    -------
    dict
        ``games``: for each game (and feedback) that the champion and some rival have, the champion's products, the best rival and its products, their ratio, and whether
        it passes, ``champion <= 1.5·best + 200``. ``rivals``: for each the median ratio over its games, champion's products to its own, and on how many of them the champion
        passes against it alone. ``passing``: the share of games that pass; None where there are none.
    """
    fields: dict[tuple[str, str], dict[str, Best]] = {}
    for best in bests:
        fields.setdefault((best.game, best.feedback), {})[best.algorithm] = best
    fields = {place: field for place, field in fields.items() if champion in field and len(field) > 1}
    games, against = [], dict[str, list[tuple[Best, Best]]]()
    for (game, feedback), field in fields.items():
        own = field[champion]
        rivals = [best for name, best in field.items() if name != champion]
        first = min(rivals, key=lambda best: (best.products, not best.reached, math.inf if best.gap is None else best.gap, best.algorithm))
        games.append(
            {
                "game": game,
                "feedback": feedback,
                "champion": own.products,
                "champion_reached": own.reached,
                "rival": first.algorithm,
                "rival_products": first.products,
                "rival_reached": first.reached,
                "ratio": _ratio(own, first),
                "passes": _passes(own, first),
            }
        )
        for rival in rivals:
            against.setdefault(rival.algorithm, []).append((own, rival))
    lines = [
        {
            "rival": rival,
            "games": len(pairs),
            "median_ratio": median(_ratio(own, other) for own, other in pairs),
            "passes": sum(_passes(own, other) for own, other in pairs),
        }
        for rival, pairs in against.items()
    ]
    passing = sum(game["passes"] for game in games) / len(games) if games else None
    return {"champion": champion, "factor": FACTOR, "slack": SLACK, "games": games, "rivals": lines, "passing": passing}


def performance_ratios(bests: Iterable[Best]) -> dict[str, list[float]]:
    """For each algorithm and each game that all of them have, its products over the fewest that any takes to the level; infinite where it does not reach it.

    The profile of Dolan and Moré, "Benchmarking optimization software with performance profiles", Mathematical Programming 91, 2002, is the distribution of these.
    """
    fields: dict[tuple[str, str], dict[str, Best]] = {}
    for best in bests:
        fields.setdefault((best.game, best.feedback), {})[best.algorithm] = best
    names = list(dict.fromkeys(name for field in fields.values() for name in field))
    ratios: dict[str, list[float]] = {name: [] for name in names}
    for field in fields.values():
        if len(field) < len(names):
            continue
        least = min((max(1, best.products) for best in field.values() if best.reached), default=math.inf)
        for name, best in field.items():
            ratios[name].append(max(1, best.products) / least if best.reached else math.inf)
    return ratios


def _cost(row: Row, level: float) -> int | None:
    return row.get("cost", {}).get(level_name(level))


def _products(row: Row, level: float) -> int:
    cost = _cost(row, level)
    return row["products"] if cost is None else cost


def _ratio(own: Best, rival: Best) -> float:
    """Products over products; a start that is at the level already counts as one product."""
    return max(1, own.products) / max(1, rival.products)


def _passes(own: Best, rival: Best) -> bool:
    return own.products <= FACTOR * rival.products + SLACK


def _numbers(key: str, group: Sequence[Row]) -> dict[str, float]:
    """The numbers that a key was tried with, by the text of its value: the factors where all are multiples of a default, otherwise what they came to in the game."""
    written = {_text(row["setting"][key]): row["setting"][key] for row in group if key in row.get("setting", {})}
    factors = {text: multiple_of(value) for text, value in written.items()}
    if all(factor is not None for factor in factors.values()):
        return {text: factor for text, factor in factors.items() if factor is not None}
    numbers = {}
    for row in group:
        value = row.get("values", {}).get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and key in row.get("setting", {}):
            numbers[_text(row["setting"][key])] = float(value)
    return numbers


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
