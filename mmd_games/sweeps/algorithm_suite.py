"""Suites of algorithms: every cell plays one of them, with one setting, on a game, and judges its last iterate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from mmd_games import algorithms, games
from mmd_games.errors import require_positive, require_whole, unknown
from mmd_games.loop.told import feedback_from
from mmd_games.sweeps import playing
from mmd_games.sweeps.algorithm_result import SweepResult
from mmd_games.sweeps.cells import Cell, Row, require_entries, seeded
from mmd_games.sweeps.grids import require_grids, settings_of
from mmd_games.sweeps.playing import LEVELS, SCHEMA


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What to run.

    Attributes
    ----------
    name : str
    games, algorithms : tuple of str
        Specs. A game that takes a seed, and has none in its spec, is made once for each of `seeds`.
    seeds : tuple of int
    feedback : tuple of str
        What the players are told; every cell is run with each.
    grids : mapping of str to mapping of str to list
        For an entry of `algorithms` the settings that are tried of it: all combinations of the lists. A text "2x" is a multiple of the default that the algorithm fills in
        for the game, as by :func:`mmd_games.sweeps.grids.algorithm_with`.
    products : int
        Budget of a cell, in matrix-vector products.
    tolerance : float
        Largest gap that counts as an equilibrium, relative to L.
    level : float
        The relative gap that settings are compared by: the fewest products to it are the best.
    champion : str, optional
        The entry of `algorithms` that is held against all others.
    """

    schema: ClassVar[str] = SCHEMA

    name: str
    games: tuple[str, ...]
    algorithms: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    feedback: tuple[str, ...] = ("exact",)
    grids: Mapping[str, Any] = field(default_factory=dict)
    products: int = 100_000
    tolerance: float = 1e-8
    level: float = 1e-8
    champion: str | None = None

    def __post_init__(self) -> None:
        require_whole(products=self.products)
        require_positive(tolerance=self.tolerance, level=self.level)
        require_entries(games=self.games, algorithms=self.algorithms, seeds=self.seeds, feedback=self.feedback)
        if self.champion is not None and self.champion not in self.algorithms:
            raise unknown("champion", self.champion, self.algorithms)

    def cells(self) -> list[dict[str, Any]]:
        """The settings of every cell; each algorithm with each setting, and each game with its first seed, is made once before anything runs."""
        for spec in self.algorithms:
            algorithms.from_spec(spec)
        require_grids(self.grids, self.algorithms)
        for spec in self.feedback:
            feedback_from(spec)
        common = {"products": self.products, "tolerance": self.tolerance, "levels": sorted({*LEVELS, self.level}, reverse=True)}
        return [
            {"game": game, "entry": spec, "seed": seed, "algorithm": algorithm, "setting": setting, "feedback": feedback, **common}
            for spec in self.games
            for game, seed in zip(seeded(spec, self.seeds), self.seeds if games.takes_seed(spec) else (None,), strict=True)
            for feedback in self.feedback
            for algorithm in self.algorithms
            for setting in settings_of(self.grids.get(algorithm, {}))
        ]

    def runner(self, jobs: int, finished: Sequence[Row]) -> Callable[[Cell], Row]:
        """Every cell for itself, in as many processes as there are."""
        return playing.run_cell

    def result(self, rows: list[Row], interrupted: bool) -> SweepResult:
        """The rows, in the suite's order."""
        return SweepResult(self, rows, interrupted)
