"""The data of the curves in a figure: their names, where their points lie in the saved picture, and the numbers there in words.

A page puts them beside the picture, so that a reader who points at a curve, or walks along it with the keyboard, is told its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist  # so this module is imported where something is drawn, not at start-up
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.ticker import FixedLocator

from mmd_games.digits import number
from mmd_games.plots.style import thinned, to_svg
from mmd_games.words import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.backend_bases import RendererBase
    from matplotlib.lines import Line2D

MOST_READ = 500
"""Points of a curve that a page holds; more of them would lie closer than anyone can point."""
FEWEST_READ = 3
"""A line of fewer points is a mark, or one drawn between two ends: it has no numbers of its own on the way."""
LONGEST_NAME = 80
LARGEST_WHOLE = 1e15
"""Larger numbers are written with an exponent."""


class Curve(NamedTuple):
    """One line of a figure; all lists run over its points.

    Attributes
    ----------
    name : str
    colour : str
        As `#rrggbb`.
    left, top : list of float
        Where the points lie, as fractions of the picture's width from its left side and of its height from its top.
    x, y : list of str
        The coordinates as people read them.
    names_on_y : bool
        Whether the vertical axis has names instead of numbers, so that the curve is read from the top down.
    """

    name: str
    colour: str
    left: list[float]
    top: list[float]
    x: list[str]
    y: list[str]
    names_on_y: bool


def svg_and_curves(ax: Axes) -> tuple[str, list[Curve]]:
    """The figure of an axes as :func:`mmd_games.plots.to_svg` writes it, and the curves in it.

    A curve is a line with a label of its own and at least three points, or horizontal bars, whose points are their right ends. A label that begins
    with "_" keeps a line out of the legend, not out of the curves, where it is named without that sign. Points outside the axes and holes are left out.

    Parameters
    ----------
    ax : Axes

    Returns
    -------
    str
        SVG.
    list of Curve
    """
    measure = _Measure(ax)
    ax.figure.add_artist(measure)  # type: ignore[union-attr]
    try:
        return to_svg(ax), measure.curves
    finally:
        measure.remove()


class _Measure(Artist):
    """An artist that draws nothing: drawn last, it sees where everything came to lie in the picture as it is saved, cut to what is in it."""

    def __init__(self, ax: Axes) -> None:
        super().__init__()
        self._ax = ax
        self.curves: list[Curve] = []
        self.set_in_layout(False)
        self.set_zorder(float("inf"))

    def draw(self, renderer: RendererBase) -> None:
        """Note the curves; a figure is drawn more than once until it is saved, and the last time counts."""
        self.curves = list(_curves(self._ax))


def _curves(ax: Axes) -> Iterator[Curve]:
    """Lines, then bars; of axes that are hidden there is nothing to read."""
    if not ax.axison:
        return
    for line in ax.lines:
        points = _points(ax, line)
        if _is_named(line) and len(points) >= FEWEST_READ:
            yield _curve(ax, line, line.get_color(), points, _words(ax.xaxis, points[:, 0]))
    for bars in ax.collections:
        if isinstance(bars, LineCollection) and _is_named(bars) and len(bars.get_segments()) >= FEWEST_READ:
            starts, points = np.moveaxis(np.array(bars.get_segments()), 1, 0)
            ends = zip(_words(ax.xaxis, starts[:, 0]), _words(ax.xaxis, points[:, 0]), strict=True)
            yield _curve(ax, bars, np.array(bars.get_color())[0], points, [f"{start} to {end}" for start, end in ends])


def _is_named(artist: Artist) -> bool:
    """Whether it has a label that is not the one matplotlib gives."""
    return re.fullmatch(r"_child\d+", str(artist.get_label())) is None


def _curve(ax: Axes, artist: Artist, colour: Any, points: np.ndarray, x: list[str]) -> Curve:
    left, top = (ax.transData.transform(points) / ax.figure.bbox.size).T * [[1], [-1]] + [[0], [1]]
    name = brief(str(artist.get_label()).removeprefix("_"), LONGEST_NAME)
    return Curve(name, to_hex(colour), left.round(5).tolist(), top.round(5).tolist(), x, _words(ax.yaxis, points[:, 1]), _has_names(ax.yaxis))


def _points(ax: Axes, line: Line2D) -> np.ndarray:
    """The points that are seen, at most `MOST_READ` of them."""
    x, y = (np.asarray(values, dtype=np.float64) for values in line.get_data())
    x0, y0, x1, y1 = ax.bbox.extents
    place = line.get_transform().transform(np.column_stack([x, y]))
    # A hair more than the axes, whose own edge is seen.
    seen = (place >= [x0 - 1, y0 - 1]).all(axis=1) & (place <= [x1 + 1, y1 + 1]).all(axis=1)
    return np.column_stack(thinned(x[seen], y[seen], MOST_READ))


def _words(axis: Axis, values: np.ndarray) -> list[str]:
    """Coordinates in words: names where the axis has names, else numbers, whole ones with all their digits."""
    if _has_names(axis):
        ticks, names = axis.get_ticklocs(), [text.get_text() for text in axis.get_ticklabels()]
        return [names[int(np.argmin(np.abs(ticks - value)))] for value in values]
    return [f"{value:,.0f}" if value == round(value) and abs(value) < LARGEST_WHOLE else number(value) for value in values.tolist()]


def _has_names(axis: Axis) -> bool:
    return isinstance(axis.get_major_locator(), FixedLocator)
