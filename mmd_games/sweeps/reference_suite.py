"""Suites of solvers: whose equilibrium comes first, and is it one?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mmd_games import games
from mmd_games.errors import InputError, require_positive, require_whole, unknown
from mmd_games.sweeps.cells import Cell, Row, require_entries
from mmd_games.sweeps.measuring import Measurer
from mmd_games.sweeps.reference_result import SCHEMA, ReferenceResult
from mmd_games.sweeps.solvers import from_name


@dataclass(frozen=True, kw_only=True)
class ReferenceSuite:
    """What to solve, with what, and how often.

    Attributes
    ----------
    name : str
    games : tuple of str
        Specs. A game that takes a seed, and has none in its spec, is made once for each of `seeds`. List smaller ones first: times are predicted from them.
    solvers : tuple of str
        Methods of :func:`mmd_games.nash`, "nash_many", or peers as `module:function`, such as "benchmarks.references.peers:glop".
    seeds : tuple of int
    peer_seeds : int, optional
        How many of the seeds the peers are given; default all.
    batch : int
        Games a cell has, of as many seeds; "nash_many" solves them together, the others one by one, and the time is that of one game.
    repeats : int
        Times that are taken, of which the median is told.
    seconds : float
        Fewer are taken where they would take longer than this together; one always is.
    limit : float
        A cell that is predicted to take longer than so many seconds, solved once, is not run.
    growth : float
        Times are predicted to grow as this power of n, or as they grew last where that is more.
    tolerance : float
        What ours are asked for, relative to L. A gap above it is loose, whoever returned it.
    wrong : float
        A gap above it, relative to L, that was returned without complaint is a wrong answer.
    memory : bool
        Whether peak memory is measured too, in a run of its own.
    baseline : tuple of str
        Peers whose fastest right answer is the measure of speed; default all.
    """

    schema: ClassVar[str] = SCHEMA

    name: str
    games: tuple[str, ...]
    solvers: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    peer_seeds: int | None = None
    batch: int = 1
    repeats: int = 5
    seconds: float = 30.0
    limit: float = 120.0
    growth: float = 3.0
    tolerance: float = 1e-12
    wrong: float = 1e-6
    memory: bool = False
    baseline: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_whole(batch=self.batch, repeats=self.repeats, peer_seeds=self.peer_seeds)
        require_positive(seconds=self.seconds, limit=self.limit, growth=self.growth, tolerance=self.tolerance, wrong=self.wrong)
        require_entries(games=self.games, solvers=self.solvers, seeds=self.seeds)
        for name in self.baseline:
            if name not in self.solvers:
                raise unknown("solver in 'baseline'", name, self.solvers)

    def cells(self) -> list[dict[str, Any]]:
        """The settings of every cell; each solver is looked up, and the first game of each family is made (not all: they may be large), before anything runs."""
        solvers = [from_name(name) for name in self.solvers]
        keys = ("repeats", "seconds", "limit", "growth", "tolerance", "memory")
        settings = {key: getattr(self, key) for key in keys}
        for spec in {spec.partition(":")[0]: spec for spec in reversed(self.games)}.values():
            games.from_spec(spec)
        return [
            {"game": spec, "seeds": seeds, "solver": solver.name, **settings}
            for spec in self.games
            for first in range(0, len(self.seeds) if games.takes_seed(spec) else 1, self.batch)
            for solver in solvers
            if (seeds := self._batch(spec, first, ours=solver.ours)) is not None
        ]

    def _batch(self, spec: str, first: int, *, ours: bool) -> list[int] | None:
        """The seeds of a cell: none where the game takes none; None where a peer has had all of its own."""
        if not games.takes_seed(spec):
            return []
        last = len(self.seeds) if ours or self.peer_seeds is None else self.peer_seeds
        return list(self.seeds[first : min(first + self.batch, last)]) or None

    def runner(self, jobs: int, finished: Sequence[Row]) -> Callable[[Cell], Row]:
        """One cell at a time, as times must be taken."""
        if jobs > 1:
            raise InputError(f"Times are taken one at a time: --jobs {jobs} is for suites of algorithms.")
        return Measurer(finished)

    def result(self, rows: list[Row], interrupted: bool) -> ReferenceResult:
        """The rows, in the suite's order."""
        return ReferenceResult(self, rows, interrupted)
