"""What a suite is, and what its results are, whether it plays algorithms or takes the times of solvers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from mmd_games.sweeps.cells import Cell, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Result(Protocol):
    """The rows of a sweep, in the suite's order."""

    @property
    def cells(self) -> list[Row]:
        """The rows."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether cells are missing because of a Ctrl-C."""
        ...

    @property
    def exit_status(self) -> int:
        """What the command line says of it."""
        ...

    def tables(self, *, every: bool = False) -> list[tuple[str, list[dict[str, str]]]]:
        """Titles, and rows as text; with `every`, a row for each cell where there are fewer otherwise."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        ...

    def records(self) -> list[dict[str, Any]] | None:
        """A flat row for each cell, for a data frame; None where there is none."""
        ...

    def figures(self) -> Mapping[str, Axes]:
        """The plots, by file name."""
        ...


class AnySuite(Protocol):
    """What to run: a suite of algorithms or of solvers."""

    @property
    def name(self) -> str:
        """What the suite is called."""
        ...

    schema: ClassVar[str]
    """What a row looks like."""

    def cells(self) -> list[dict[str, Any]]:
        """The settings of every cell."""
        ...

    def runner(self, jobs: int, finished: Sequence[Row]) -> Callable[[Cell], Row]:
        """What makes a row of a cell, knowing the rows that are finished; refuses more `jobs` than it can have."""
        ...

    def result(self, rows: list[Row], interrupted: bool) -> Result:
        """The rows, in the suite's order."""
        ...
