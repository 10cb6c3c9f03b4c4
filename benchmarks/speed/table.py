"""The table: what was measured, what was asked, and whether it was reached."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.speed.limits import Limits
from benchmarks.speed.measuring import Ratio

BUSY = 0.5
"""A load average from which on figures are not to be trusted."""


def times(value: float) -> str:
    """A ratio with as many digits as are worth reading."""
    return f"{value:,.0f} ×" if value >= 100 else f"{value:.1f} ×" if value >= 10 else f"{value:.2f} ×"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came out of a row.

    Attributes
    ----------
    ratio : Ratio
    blocks : str
        How long was played: our steps, theirs, and what share of our block a call costs once.
    difference, allowed : float, optional
        Between the outcomes, relative to the largest probability; none where nothing was compared.
    processors : float
        In use, at the least.
    note : str
    points : list of (str, int, float)
        Contender, actions, and seconds a step, for the plot.
    details : list of str
        Lines that are printed below the table.
    """

    ratio: Ratio
    blocks: str = ""
    difference: float | None = None
    allowed: float = 0.0
    processors: float | None = None
    note: str = ""
    points: Sequence[tuple[str, int, float]] = ()
    details: Sequence[str] = ()

    @property
    def agrees(self) -> bool:
        """Whether the contenders reached the same."""
        return self.difference is None or self.difference <= self.allowed


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table, before it is measured: `measure` takes a bench and returns what came out."""

    key: str
    work: str
    against: str
    asked: float | None
    measure: Callable[[Any], Measured] = field(repr=False)
    at_most: bool = False
    percent: bool = False

    def amount(self, value: float) -> str:
        """A ratio as it is printed."""
        return f"{value:.0%}" if self.percent else times(value)


@dataclass(frozen=True)
class Line:
    """A row with what came out, or with the reason why nothing did."""

    row: Row
    measured: Measured | None
    reason: str = ""

    @property
    def reached(self) -> str:
        """Yes, no, or why that cannot be said."""
        if self.measured is None:
            return f"not measured: {self.reason}"
        if not self.measured.agrees:
            return "no: outcomes differ"
        if self.row.asked is None:
            return "not asked"
        found = self.measured.ratio.median
        return "yes" if (found <= self.row.asked if self.row.at_most else found >= self.row.asked) else "no"

    @property
    def missed(self) -> bool:
        """Whether something asked was measured and not reached, or a contender reached something else."""
        return self.reached.startswith("no:") or self.reached == "no"

    def __str__(self) -> str:
        row, measured = self.row, self.measured
        asked = "" if row.asked is None else f"{'at most' if row.at_most else 'at least'} {row.amount(row.asked)}"
        start = f"{row.work:<47} {row.against:<33}"
        if measured is None:
            return f"{start} {'':<33} {asked:<17} {self.reached}"
        found = f"{row.amount(measured.ratio.median):>9}  [{row.amount(measured.ratio.low)}, {row.amount(measured.ratio.high)}]"
        compared = "" if measured.difference is None else f"{measured.difference:.0e}"
        return f"{start} {found:<33} {asked:<17} {self.reached:<19} {compared:<8} {measured.blocks}".rstrip()


HEAD = f"{'work':<47} {'against':<33} {'measured, median [quarters]':<33} {'asked':<17} {'reached':<19} {'differ':<8} steps a block, ours / theirs; a call"


def text_of(lines: Sequence[Line], limits: Limits, load: float, quick: bool) -> str:
    """The whole result.

    Parameters
    ----------
    lines : sequence of Line
    limits : Limits
    load : float
        Average, before anything was measured.
    quick : bool
        Whether sizes and steps were cut down.
    """
    parts = [
        "Cost of exact updates: ours against loops by hand, against the peers, and against the machine. Ratios within one run; contenders take turns, by rounds, on one thread",
        "unless the row says two. All start at the uniform policy and play Magnetic Mirror Descent with a fixed magnet and the default settings, unless the row says otherwise.",
        "`differ` is the largest difference between the last policies after equally many steps, over the largest probability; `a call` what a call of ours costs once, as a part of its block.",
    ]
    if quick:
        parts.append("QUICK: sizes and steps are cut down, so that these figures say only that everything runs.")
    if load > BUSY:
        parts.append(f"WARNING: the load average was {load:.1f} before this began. Something else was running, so the figures are to be taken again.")
    parts += ["", str(limits), "", HEAD, *map(str, lines)]
    notes = [f"  {line.row.work}, against {line.row.against}: {line.measured.note}." for line in lines if line.measured is not None and line.measured.note]
    notes += [
        f"  {line.row.work}, against {line.row.against}: the outcomes differ by {line.measured.difference:.1e}, and {line.measured.allowed:.0e} is allowed."
        for line in lines
        if line.measured is not None and not line.measured.agrees
    ]
    if notes:
        parts += ["", "Notes:", *notes]
    for line in lines:
        if line.measured is not None and line.measured.details:
            parts += ["", f"{line.row.work}, against {line.row.against}:", *(f"  {detail}" for detail in line.measured.details)]
    used = [line.measured.processors for line in lines if line.measured is not None and line.measured.processors is not None]
    if used:
        parts += ["", f"Processors in use by a contender on one thread, at the least: {min(used):.2f} (1 where nothing else wanted the machine)."]
    return "\n".join([*parts, "", _versions(), ""])


def _versions() -> str:
    names = ("numpy", "numba", "open_spiel")
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    return f"Python {platform.python_version()}, " + ", ".join(found)
