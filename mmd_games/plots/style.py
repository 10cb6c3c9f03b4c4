"""What all figures share: colours, dashes and markers, axes, titles, and how a figure becomes a file."""

from __future__ import annotations

import io
import os
import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from mmd_games.errors import InputError
from mmd_games.words import brief

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 2, 1.5, 2, 1.5, 2)), (0, (4, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FORMATS = (".png", ".svg", ".pdf")
MOST_POINTS = 2000
"""A line of more points is thinned: no figure shows them, and a file would hold them all."""
LONGEST_LABEL = 24
"""Characters of an action's name that a figure has room for."""

FEW = 8
"""Of more lines than these the names stand beside the plot, which grows with them."""


def save(ax: Axes, path: str | os.PathLike[str]) -> Path:
    """Write an axes' figure to .png, .svg or .pdf; the file appears whole or not at all.

    Raises
    ------
    InputError
        For another suffix, or where the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise InputError(f"{target}: figures are written as {', '.join(FORMATS)}.")
    partial = target.with_name(f".{target.stem}.{os.getpid()}.partial{target.suffix}")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks is drawn as boxes
            cast("Figure", ax.figure).savefig(partial, dpi=150, bbox_inches="tight")
        os.replace(partial, target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error}).") from None
    finally:
        partial.unlink(missing_ok=True)
    return target


def to_svg(ax: Axes) -> str:
    """The figure of an axes as SVG text: the same text for the same figure, letters as outlines, and nothing in it that is loaded from elsewhere."""
    import matplotlib

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": "mmd_games", "svg.fonttype": "path"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        cast("Figure", ax.figure).savefig(buffer, format="svg", bbox_inches="tight", metadata=nothing)
    return buffer.getvalue()


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes to draw on; a new figure stands outside pyplot, so nothing has to be closed."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").add_subplot()


def size_for(lines: int) -> tuple[float, float]:
    """Inches of a figure with so many named lines."""
    return (7.2, 4.4) if lines <= FEW else (10.2, max(4.8, 0.22 * lines + 0.6))


def look(index: int) -> dict[str, Any]:
    """Colour, dash and marker of the line with a number, as matplotlib takes them: of 49 lines no two share both dash and marker."""
    kind = index % len(COLOURS)
    return {"color": COLOURS[kind], "linestyle": DASHES[kind], "marker": MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]}


def in_legend(name: str) -> str:
    """A name as a label: matplotlib leaves out of a legend what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


class Readout(NamedTuple):
    """What is read out of a line by whoever points at it: its name in full, and the numbers or words behind its points, where the line itself shows fewer or has no place for some."""

    name: str
    x: Any = None
    y: Any = None


def tell(artist: Artist, name: str, x: Any = None, y: Any = None) -> None:
    """Let a line, or bars, be read out on a page (see :mod:`mmd_games.plots.curves`); lines that nobody tells of are not."""
    artist.__dict__["readout"] = Readout(name, x, y)


def positive(gaps: np.ndarray) -> np.ndarray:
    """Gaps for a logarithmic axis: exact zeros (and rounding below zero) leave a hole."""
    return np.where(gaps > 0, gaps, np.nan)


def put_title(ax: Axes, text: str, **options: Any) -> None:
    """A title in the user's own words: a dollar sign in a file's name begins no formula."""
    ax.set_title(textwrap.fill(brief(text, 320), 80), fontsize="medium", parse_math=False, **options)


def put_legend(ax: Axes, *, beside: bool = False, **options: Any) -> None:
    """A small legend, its names verbatim as far as there is room; less of that where it stands beside the axes."""
    options |= {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if beside else {}
    for text in ax.legend(fontsize="small", title_fontsize="small", **options).get_texts():
        text.set_parse_math(False)
        text.set_text(brief(text.get_text(), 48 if beside else 80))


def thinned(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """The points of a line, at most so many of them: of each stretch the lowest and the highest, so that no dip and no peak is lost."""
    if len(x) <= most:
        return x, y
    kept = {0, len(x) - 1}
    for stretch in np.array_split(np.arange(len(x)), most // 2 - 1):
        values = y[stretch]
        finite = stretch[np.isfinite(values)]
        kept |= {int(finite[np.argmin(y[finite])]), int(finite[np.argmax(y[finite])])} if len(finite) else {int(stretch[0])}
    index = np.array(sorted(kept))
    return x[index], y[index]
