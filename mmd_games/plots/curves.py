"""The data of the curves in a figure: their names, where their points lie in the saved picture, and the numbers there in words.

A page puts them beside the picture, so that a reader who points at a curve, or walks along it with the keyboard, is told its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from matplotlib.artist import Artist  # so this module is imported where something is drawn, not at start-up
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from mmd_games.digits import number
from mmd_games.plots.style import Readout, thinned, to_svg
from mmd_games.words import brief, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_READ = 500
"""Points of a curve that a page holds; more of them would lie closer than anyone can point."""
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

    A curve is a line that :func:`mmd_games.plots.style.tell` told of, or horizontal bars, whose points are their right ends. Points outside the axes and holes are left out, and so is what lies in
    the same place as the point before it.

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
    cast("Figure", ax.figure).add_artist(measure)
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
        told = _told(line)
        if told is not None:
            x, y = _data(ax, line, told)
            if len(x):
                yield _curve(ax, told, line.get_color(), x, y, _words(x))
    for bars in ax.collections:
        told = _told(bars)
        if isinstance(bars, LineCollection) and told is not None:
            starts, ends = np.moveaxis(np.array(bars.get_segments()), 1, 0)
            words = [f"{start} to {end}" for start, end in zip(_words(starts[:, 0]), _words(ends[:, 0]), strict=True)]
            yield _curve(ax, told, np.array(bars.get_color())[0], ends[:, 0], ends[:, 1], words)


def _told(artist: Artist) -> Readout | None:
    return artist.__dict__.get("readout")


def _curve(ax: Axes, told: Readout, colour: Any, x: np.ndarray, y: np.ndarray, words: list[str]) -> Curve:
    """A curve, of whose points that lie in one place the first is kept, and the last of all."""
    left, top = (_places(ax, x, y) / ax.figure.bbox.size).T * [[1], [-1]] + [[0], [1]]
    left, top = left.round(5), top.round(5)
    names = isinstance(told.y, Sequence)
    apart = np.ones(len(x), dtype=bool) if names else np.append(True, np.diff(left) != 0) | (np.arange(len(x)) == len(x) - 1)
    y_words = [visible(name) for name in told.y] if names else _words(y)
    x_words, y_words = ([word for word, kept in zip(each, apart, strict=True) if kept] for each in (words, y_words))
    return Curve(brief(told.name, LONGEST_NAME), to_hex(colour), left[apart].tolist(), top[apart].tolist(), x_words, y_words, names)


def _data(ax: Axes, line: Line2D, told: Readout) -> tuple[np.ndarray, np.ndarray]:
    """The points that are seen, at most `MOST_READ` of them."""
    given = (told.x, told.y) if told.x is not None else line.get_data()
    x, y = (np.asarray(values, dtype=np.float64) for values in given)
    x0, y0, x1, y1 = ax.bbox.extents
    place = _places(ax, x, y)
    # A hair more than the axes, whose own edge is seen.
    seen = (place >= [x0 - 1, y0 - 1]).all(axis=1) & (place <= [x1 + 1, y1 + 1]).all(axis=1)
    return thinned(x[seen], y[seen], MOST_READ)


def _places(ax: Axes, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where points lie, in pixels; what a logarithmic axis has no place for, such as a gap of zero, at its lower end."""
    place = ax.transData.transform(np.column_stack([x, y]))
    if ax.get_yscale() == "log":
        place[y <= 0, 1] = ax.bbox.y0
    return place


def _words(values: np.ndarray) -> list[str]:
    """Coordinates in words, whole numbers with all their digits."""
    return [f"{value + 0.0:,.0f}" if value == round(value) and abs(value) < LARGEST_WHOLE else number(value) for value in values.tolist()]
