"""Whether a figure can be read without colour: rules that can fail, applied to what matplotlib is about to write.

``watch()`` looks at every figure as it is written or displayed; ``complain()`` raises where one of them could not be read. The tests of the notebooks run both in the kernel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import Colormap, to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.text import Text

THIN, THICK = 1.0, 2.4
"""Points: up to the first a line is thin, from the second on it is thick; each of these looks other than what lies between."""
DASHES = 1.6
"""Strokes and holes that differ by less than this factor look alike."""
CONTRAST = 3.0
"""Ratio of luminances that a letter needs against its ground, and a hatch against its bar (WCAG 2.2, 1.4.11)."""
HIDDEN = 0.25
"""Share of a line's points that may lie under a legend."""
OVERLAP = 2.0
"""Pixels by which two texts may overlap: boxes are larger than letters."""

complaints: list[str] = []
_written = FigureCanvasBase.print_figure


def watch() -> None:
    """From now on look at every figure that is written."""

    def print_figure(self: FigureCanvasBase, *args: Any, **options: Any) -> Any:
        complaints.extend(sentence for sentence in problems(self.figure) if sentence not in complaints)
        return _written(self, *args, **options)

    FigureCanvasBase.print_figure = print_figure


def complain() -> None:
    """Raise where a figure could not be read."""
    if complaints:
        raise AssertionError("\n".join(complaints))


def problems(figure: Figure) -> list[str]:
    """Sentences on what cannot be read in a figure; each names the axes by its title."""
    figure.draw_without_rendering()
    found: list[str] = []
    bars = {image.colorbar.ax for axes in figure.axes for image in _images(axes) if image.colorbar is not None}
    scales = {_scale(image) for axes in figure.axes for image in _images(axes) if image.colorbar is not None}
    explained = {text.get_text() for axes in figure.axes if (legend := axes.get_legend()) is not None for text in legend.get_texts()}
    for axes in figure.axes:
        if not axes.get_visible() or axes in bars:
            continue
        title = axes.get_title().partition("\n")[0] or "without a title"
        found += [
            f"'{title}': {sentence}"
            for sentence in itertools.chain(_alike(axes), _unexplained(axes, explained), _images_unread(axes, scales), _unnamed(axes), _covered(axes))
        ]
    found += [f"the colour bar beside '{figure.axes[0].get_title()}' has no label" for bar in bars if not (bar.get_ylabel() or bar.get_xlabel())]
    titles = [axes.title for axes in figure.axes if axes.get_title()]
    return found + [
        f"the titles '{one.get_text()}' and '{other.get_text()}' overlap" for one, other in itertools.combinations(titles, 2) if _overlap(one, other)
    ]


def _alike(axes: Axes) -> Iterator[str]:
    """Labelled things of one kind that differ by nothing but their colour."""
    for kind, named in (("lines", _lines(axes)), ("bars", _bars(axes)), ("points", _points(axes)), ("areas", _areas(axes))):
        for (name, look), (other, same) in itertools.combinations(named, 2):
            if look == same or (kind == "lines" and _is_near(look, same)):
                yield f"the {kind} '{name}' and '{other}' differ by colour alone"
    for container in axes.containers:
        patch = container.patches[0] if isinstance(container, BarContainer) and container.patches else None
        if patch is not None and patch.get_hatch() and _contrast(patch.get_facecolor()[:3], patch.get_edgecolor()[:3]) < CONTRAST:
            yield f"the hatch of '{container.get_label()}' cannot be seen on its bars"


def _is_named(artist: Any) -> bool:
    label = artist.get_label()
    return bool(label) and not str(label).startswith("_") and (not hasattr(artist, "get_visible") or artist.get_visible())


def _lines(axes: Axes) -> list[tuple[str, Any]]:
    return [(str(line.get_label()), _look(line)) for line in axes.lines if _is_named(line)]


def _look(line: Line2D) -> tuple[Any, ...]:
    """What is left of a line's looks without colour: its dashes, its marker, whether that is filled, and whether the line is thin or thick."""
    width = line.get_linewidth()
    drawn = line.get_linestyle() not in ("None", " ", "") and width > 0
    marker = line.get_marker()
    marker = None if marker in (None, "None", " ", "") else marker
    filled = None if marker is None else str(line.get_markerfacecolor()) in ("none", "white", "w")
    dashes = line._unscaled_dash_pattern if drawn else None
    pattern = None if dashes is None else (None if dashes[1] is None else tuple(np.round(dashes[1], 3)))
    return (drawn, pattern, None if not drawn else (width > THIN) + (width >= THICK), marker, filled)


def _is_near(look: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two looks differ by their dashes alone, and these by so little that nobody tells them apart."""
    one, two = look[1], other[1]
    if one is None or two is None or look[2:] != other[2:] or len(one) != len(two):
        return False
    return all(max(a, b) < DASHES * min(a, b) for a, b in zip(one, two, strict=True))


def _bars(axes: Axes) -> list[tuple[str, Any]]:
    return [
        (str(bars.get_label()), bars.patches[0].get_hatch() or "")
        for bars in axes.containers
        if isinstance(bars, BarContainer) and bars.patches and _is_named(bars)
    ]


def _points(axes: Axes) -> list[tuple[str, Any]]:
    named = [points for points in axes.collections if isinstance(points, PathCollection) and _is_named(points)]
    return [(str(points.get_label()), (points.get_paths()[0].vertices.tobytes(), len(points.get_facecolor()) > 0)) for points in named]


def _areas(axes: Axes) -> list[tuple[str, Any]]:
    return [(str(area.get_label()), area.get_hatch() or "") for area in axes.collections if isinstance(area, PolyCollection) and _is_named(area)]


def _unexplained(axes: Axes, explained: Iterable[str]) -> Iterator[str]:
    """Several named things, and no legend in the figure that has the names."""
    names = [name for name, _ in (*_lines(axes), *_bars(axes), *_points(axes))]
    beginnings = {text[:20] for text in explained}
    for name in names if len(names) > 1 else []:
        if name[:20] not in beginnings:
            yield f"'{name}' stands in no legend"


def _images(axes: Axes) -> list[Any]:
    return [*axes.images, *(mesh for mesh in axes.collections if isinstance(mesh, QuadMesh))]


def _scale(image: Any) -> Any:
    """What a colour bar explains: one serves all images of its colours and limits."""
    return (image.get_cmap().name, *image.get_clim())


def _images_unread(axes: Axes, scales: set[Any]) -> Iterator[str]:
    """Images whose cells carry no number that can be read, and whose colours are not ordered by lightness or have no bar."""
    for image in _images(axes):
        values = np.ma.asarray(image.get_array())
        written = len(axes.texts) >= values.size and isinstance(image, AxesImage)
        if not written and not (is_ordered(image.get_cmap()) and _scale(image) in scales):
            yield "an image has neither numbers in its cells nor a colour bar of ordered lightness"
        if written:
            grounds = image.get_cmap()(image.norm(values)).reshape(-1, 4)
            for text, ground in zip(axes.texts, grounds, strict=False):
                if _contrast(to_rgb(text.get_color()), ground[:3]) < CONTRAST:
                    yield f"the number {text.get_text()} cannot be read on its cell"


def is_ordered(colours: Colormap) -> bool:
    """Whether a colour map only becomes lighter, or darker, from end to end, or from its middle to both ends."""
    light = np.array([_luminance(colour[:3]) for colour in colours(np.linspace(0, 1, 65))])
    halves = (light[:33], light[32:])
    rises = [np.all(np.diff(half) > 0) for half in halves]
    falls = [np.all(np.diff(half) < 0) for half in halves]
    return bool(all(rises) or all(falls) or (rises[0] and falls[1]) or (falls[0] and rises[1]))


def _unnamed(axes: Axes) -> Iterator[str]:
    """No title, or an axis without a label whose ticks are no words either; ticks on top of each other."""
    if not axes.get_title():
        yield "there is no title"
    if not axes.axison:
        return
    is_table = bool(axes.images)  # its colour bar says what a row does
    for name, axis in (("horizontal", axes.xaxis), ("vertical", axes.yaxis)):
        ticks = [label for label in axis.get_ticklabels() if label.get_text() and label.get_visible()]
        if not is_table and not axis.get_label_text() and not any(_is_word(label.get_text()) for label in ticks):
            yield f"the {name} axis has no label"
        first, last = sorted(axis.get_view_interval())
        inside = [label for label in ticks if first <= _place(label, name) <= last]
        turned = any(label.get_rotation() % 90 for label in inside)
        for one, other in itertools.pairwise(inside):
            if not turned and _overlap(one, other):
                yield f"the ticks '{one.get_text()}' and '{other.get_text()}' of the {name} axis overlap"


def _place(label: Text, name: str) -> float:
    return float(label.get_position()[0 if name == "horizontal" else 1])


def _covered(axes: Axes) -> Iterator[str]:
    """Lines that lie under the legend of their axes."""
    legend = axes.get_legend()
    if legend is None:
        return
    box = legend.get_window_extent()
    for line in axes.lines:
        points = line.get_transform().transform(np.column_stack([line.get_xdata(orig=False), line.get_ydata(orig=False)]).astype(float))
        points = points[np.all(np.isfinite(points), axis=1)]
        points = points[[axes.bbox.contains(*point) for point in points]] if len(points) else points
        if _is_named(line) and len(points) and np.mean([box.contains(*point) for point in points]) > HIDDEN:
            yield f"the line '{line.get_label()}' lies under the legend"


def _is_word(text: str) -> bool:
    return any(letter.isalpha() for letter in text.replace("mathdefault", "")) and "$" not in text


def _overlap(one: Text, other: Text) -> bool:
    first, second = one.get_window_extent(), other.get_window_extent()
    wide = min(first.x1, second.x1) - max(first.x0, second.x0)
    high = min(first.y1, second.y1) - max(first.y0, second.y0)
    return wide > OVERLAP and high > OVERLAP


def _luminance(colour: Iterable[float]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: Iterable[float], other: Iterable[float]) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
