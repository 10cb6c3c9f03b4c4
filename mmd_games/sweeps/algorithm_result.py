"""Results of a suite of algorithms: for each game and algorithm the best of the settings that were tried, and a champion against its rivals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmd_games import plots
from mmd_games.sweeps.cells import CURVES, FEWEST_POINTS, MOST_POINTS, Row
from mmd_games.sweeps.playing import SCHEMA
from mmd_games.sweeps.standings import Best, best_settings, level_name, performance_ratios, standings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmd_games.sweeps.algorithm_suite import Suite

Table = tuple[str, list[dict[str, str]]]


@dataclass(frozen=True)
class SweepResult:
    """The rows of a sweep, in the suite's order; a cell that failed is a row with its error."""

    suite: Suite
    cells: list[dict[str, Any]]
    interrupted: bool

    @property
    def title(self) -> str:
        """What stands above the table, and how to read it."""
        level, cells = level_name(self.suite.level), len(self.cells)
        text = f"{self.suite.name}: {cells} cell{'s' if cells != 1 else ''}; gaps are relative to L, half the range of a game's payoffs"
        if not self.suite.grids:
            return text
        return f"{text}\nof each grid the setting with the fewest products to {level}; edge: where it lies at the end of its grid, beyond which there may be a better one"

    @property
    def exit_status(self) -> int:
        """0, or 3 where a cell failed with an error."""
        return 3 if any("error" in cell for cell in self.cells) else 0

    @cached_property
    def best(self) -> list[tuple[Best, Row]]:
        """For each game, feedback and algorithm the best setting, and its row."""
        return best_settings(self.cells, self.suite.level)

    @cached_property
    def standings(self) -> dict[str, Any] | None:
        """The champion against its rivals; None where the suite names none."""
        return None if self.suite.champion is None else standings((best for best, _ in self.best), self.suite.champion)

    def rows(self, *, every: bool = False) -> list[dict[str, str]]:
        """The best settings as text, for a table, or every cell; a column that nobody fills is left out."""
        if every:
            rows = [self._row(cell, _setting(cell)) for cell in self.cells]
        else:
            rows = [
                self._row(cell, _setting(cell))
                | {"edge": ", ".join(map(str, best.edges)), "tried": str(best.tried), "failed": str(best.failed or "")}
                | ({"how it ended": _ending(cell)})
                for best, cell in self.best
            ]
        needed = ("game", "algorithm", "verdict", "gap / L", "how it ended", *([] if every or not self.suite.grids else ["edge", "tried"]))
        idle = {"tried"} if not self.suite.grids else set()
        if len(self.suite.feedback) == 1:
            idle |= {"feedback"}
        filled = [name for name in (rows[0] if rows else ()) if name in needed or (name not in idle and any(row[name].strip("-") for row in rows))]
        return [{name: row[name] for name in filled} for row in rows]

    def _row(self, cell: Row, setting: str) -> dict[str, str]:
        failed, level = "error" in cell, level_name(self.suite.level)
        seconds = cell.get("timing", {}).get("to", {}).get(level)
        return {
            "game": cell["game"],
            "feedback": cell.get("feedback", "exact"),
            "algorithm": cell["algorithm"],
            "setting": setting,
            "edge": "",
            "tried": "",
            "failed": "",
            "verdict": "failed" if failed else cell["verdict"],
            "gap / L": "" if failed else f"{cell['gap']:.1e}",
            **{f"to {name}": "" if failed else f"{cost if cost is not None else '-'}" for name, cost in self._costs(cell, "cost")},
            "seconds": "" if seconds is None else f"{seconds:.3g}",
            "average gap / L": "" if failed else f"{cell['average_gap']:.1e}",
            **{f"average to {name}": "" if failed else f"{cost if cost is not None else '-'}" for name, cost in self._costs(cell, "average_cost")},
            "factor a product": f"{cell['factor']:.6f}" if cell.get("factor") else "",
            "predicted": f"{cell['predicted']:.6f}" if cell.get("predicted") else "",
            "how it ended": _ending(cell),
        }

    @cached_property
    def _levels(self) -> list[str]:
        """The levels whose costs any row has."""
        return list(dict.fromkeys(name for cell in self.cells for name in cell.get("cost", {})))

    def _costs(self, cell: Row, which: str) -> list[tuple[str, int | None]]:
        return [(name, cell.get(which, {}).get(name)) for name in self._levels]

    def tables(self, *, every: bool = False) -> list[Table]:
        """The best settings, or every cell; and where the suite has a champion, its standings."""
        return [(self.title, self.rows(every=every)), *self._standing_tables()]

    def _standing_tables(self) -> list[Table]:
        found = self.standings
        if found is None or not found["games"]:
            return []
        level, factor, slack = level_name(self.suite.level), found["factor"], found["slack"]
        games = [
            {
                "game": line["game"],
                **({"feedback": line["feedback"]} if len(self.suite.feedback) > 1 else {}),
                "champion": _products(line["champion"], line["champion_reached"]),
                "best rival": line["rival"],
                "its products": _products(line["rival_products"], line["rival_reached"]),
                "ratio": f"{line['ratio']:.3g}",
                "": "pass" if line["passes"] else "FAIL",
            }
            for line in found["games"]
        ]
        rivals = [
            {"rival": line["rival"], "median ratio": f"{line['median_ratio']:.3g}", "passes against it": f"{line['passes']} of {line['games']}"}
            for line in found["rivals"]
        ]
        passed, count = sum(line["passes"] for line in found["games"]), len(found["games"])
        nobody = sum(not (line["champion_reached"] or line["rival_reached"]) for line in found["games"])
        title = (
            f"{self.suite.champion} against the best rival of each game, products to {level}: passes on {passed} of {count} ({found['passing']:.0%}), "
            f"that is, takes at most {factor:g} × the rival's + {slack}; '>' is a budget spent without getting there"
            + (f"\nOn {nobody} of them nobody got there, which counts as a tie." if nobody else "")
        )
        return [(title, games), (f"{self.suite.champion}'s products over each rival's: the median over their games", rivals)]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema": SCHEMA,
            "suite": json.loads(json.dumps(asdict(self.suite))),  # lists, as they come back
            "interrupted": self.interrupted,
            "best": [best.to_dict() | {"edges": [asdict(edge) for edge in best.edges]} for best, _ in self.best],
            "standings": self.standings,
            "cells": self._written(),
        }

    def _written(self) -> list[Row]:
        """The rows as results.json has them: where there are very many, the curves of all but the best settings stay in the cells."""
        if len(self.cells) * FEWEST_POINTS <= MOST_POINTS:
            return self.cells
        chosen = {id(row) for _, row in self.best}
        return [cell if id(cell) in chosen else {name: value for name, value in cell.items() if name not in CURVES} for cell in self.cells]

    def records(self) -> list[dict[str, Any]]:
        """A flat row for each cell, without its curves."""
        chosen = {id(row) for _, row in self.best}
        return [_flat(cell) | {"best": id(cell) in chosen} for cell in self.cells]

    def figures(self) -> Mapping[str, Axes]:
        """`gaps.png`, relative gap against products of the best settings; `profile.png`, how often an algorithm is how near to the best. Only where there is something to draw."""
        drawn = {"gaps.png": self.plot()} if any("gaps" in row for _, row in self.best) else {}
        ratios = self.ratios()
        if len(ratios) > 1 and any(math.isfinite(ratio) for of in ratios.values() for ratio in of):
            drawn["profile.png"] = plots.plot_profile(
                ratios, f"{self.suite.name}: products to a gap of {level_name(self.suite.level)} L", champion=self.suite.champion
            )
        return drawn

    def ratios(self) -> dict[str, list[float]]:
        """For each algorithm and game its products over the fewest of all."""
        return performance_ratios(best for best, _ in self.best)

    def plot(self) -> Axes:
        """Relative gap against products."""
        return plots.plot_suite([row for _, row in self.best], self.suite.name, champion=self.suite.champion)


def _setting(cell: Row) -> str:
    return ", ".join(f"{key}={value}" for key, value in cell.get("setting", {}).items())


def _ending(cell: Row) -> str:
    return cell["error"] if "error" in cell else cell["headline"]


def _products(products: int, reached: bool) -> str:
    return f"{'' if reached else '> '}{products:,}"


def _flat(cell: Row) -> dict[str, Any]:
    timing = cell.get("timing", {})
    plain = ("game", "entry", "seed", "algorithm", "feedback", "products", "tolerance", "n", "settings", "verdict", "headline", "sentence", "error")
    numbers = ("gap", "average_gap", "spent", "factor", "predicted")
    levels: Sequence[str] = [level_name(level) for level in cell.get("levels", ())]
    return {
        **{name: cell.get(name) for name in plain},
        "setting": json.dumps(cell.get("setting", {})),
        **{f"value_{key}": value for key, value in cell.get("values", {}).items()},
        **{name: cell.get(name) for name in numbers},
        **{f"products_to_{level}": cell.get("cost", {}).get(level) for level in levels},
        **{f"average_products_to_{level}": cell.get("average_cost", {}).get(level) for level in levels},
        "seconds": timing.get("seconds"),
        "cell_seconds": timing.get("cell"),
        **{f"seconds_to_{level}": timing.get("to", {}).get(level) for level in levels},
        **{f"average_seconds_to_{level}": timing.get("average_to", {}).get(level) for level in levels},
    }
