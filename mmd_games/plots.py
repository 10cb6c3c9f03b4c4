"""Every figure, from traces and games: `ax=None` in, Axes out.

Methods differ by colour (Okabe and Ito's palette, safe for colour-blind readers), by dash and by marker, so a grey print tells them apart as well.
"""

from __future__ import annotations

import os
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from mmd_games.algorithms.registry import settings_of, to_spec
from mmd_games.equilibria import nash
from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.loop.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 2, 1.5, 2, 1.5, 2)), (0, (4, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FORMATS = (".png", ".svg", ".pdf")
SIMILAR = 10
"""Runs whose lengths differ by at most this factor share a plain horizontal axis, where a linear rate is a straight line."""


def plot_gaps(
    traces: Sequence[Trace],
    *,
    labels: Sequence[str] | None = None,
    average: bool = True,
    against: Literal["products", "iterations"] = "products",
    ax: Axes | None = None,
) -> Axes:
    """Duality gap of the last iterate, and thinner of the average iterate, for one or several runs.

    Parameters
    ----------
    traces : sequence of Trace
    labels : sequence of str, optional
        Names in the legend; default the algorithms', with the settings in which two of one name differ.
    average : bool
        Whether to draw the average iterate too.
    against : {"products", "iterations"}
        The horizontal axis; products (matrix-vector products for all players) are what methods are fairly compared by. It is logarithmic (from 10 on)
        only where one run is more than ten times as long as another.
    ax : Axes, optional
        Where to draw; default a new figure.
    """
    ax = _axes(ax, (7.2, 4.4))
    names = list(labels) if labels is not None else _names(traces)
    for index, (trace, name) in enumerate(zip(traces, names, strict=True)):
        colour, dash, marker = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)], MARKERS[index % len(MARKERS)]
        x, gaps = getattr(trace, against), _positive(trace.gaps)
        # Markers stand evenly along the axes; a run of zeros alone has no place for any.
        every = (0.05 * index / len(names), 0.12) if np.any(trace.gaps > 0) else None
        ax.plot(x, gaps, color=colour, linestyle=dash, linewidth=1.8, marker=marker, markersize=5, markevery=every, label=name)
        if average:
            ax.plot(x, _positive(trace.average_gaps), color=colour, linestyle=dash, linewidth=0.7, alpha=0.8)
    ax.set_yscale("log")
    if not any(np.any(trace.gaps > 0) for trace in traces):
        ax.text(0.5, 0.5, "every gap is zero", transform=ax.transAxes, ha="center")
    lengths = [float(getattr(trace, against)[-1]) for trace in traces]
    if max(lengths) > SIMILAR * min(lengths):
        ax.set_xscale("symlog", linthresh=10)
    ax.set_xlim(left=0)
    ax.set_xlabel("products (matrix-vector products for all players)" if against == "products" else "iterations")
    units = {trace.game.units for trace in traces}
    ax.set_ylabel(f"duality gap, NashConv ({units.pop() if len(units) == 1 else 'units of each game'})")
    games = {trace.game.name for trace in traces}
    _title(ax, games.pop() if len(games) == 1 else f"{len(games)} games")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    _legend(ax, title="thick: last iterate; thin: average" if average else None)
    return ax


def plot_simplex(traces: Trace | Sequence[Trace], *, labels: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Trajectories of a game of three actions in its simplex, with its Nash equilibrium.

    Raises
    ------
    InputError
        When the game has more than one block, or not three actions.
    """
    runs = [traces] if isinstance(traces, Trace) else list(traces)
    game = runs[0].game
    if game.blocks != (3,):
        raise InputError(f"A simplex plot needs a symmetric game of three actions; {game.name} has {' + '.join(map(str, game.blocks))}.")
    ax = _axes(ax, (6.8, 4.6))
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    outline = corners[[0, 1, 2, 0]]
    ax.plot(outline[:, 0], outline[:, 1], color="black", linewidth=0.8)
    names = game.labels[0] if game.labels else ("action 1", "action 2", "action 3")
    for corner, name, side in zip(corners, names, ("top", "top", "bottom"), strict=True):
        ax.annotate(name, corner, xytext=(0, -6 if side == "top" else 6), textcoords="offset points", ha="center", va=side, parse_math=False)
    for index, (run, name) in enumerate(zip(runs, list(labels) if labels is not None else _names(runs), strict=True)):
        path = np.exp(run.log_policies) @ corners
        colour = COLOURS[index % len(COLOURS)]
        ax.plot(path[:, 0], path[:, 1], color=colour, linestyle=DASHES[index % len(DASHES)], linewidth=1.0, label=name)
        ax.plot(*path[0], marker="o", markersize=6, markerfacecolor="white", color=colour)
        ax.plot(*path[-1], marker=MARKERS[index % len(MARKERS)], markersize=7, color=colour)
    target = nash(game).policy @ corners
    ax.plot(*target, marker="*", markersize=13, color="black", markerfacecolor="white", linestyle="none", label="Nash equilibrium")
    ax.set_aspect("equal")
    ax.set_axis_off()
    _title(ax, game.name, pad=22)  # above the upper corner's name
    _legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def plot_payoffs(game: Game, *, ax: Axes | None = None) -> Axes:
    """The game's table as the user gave it: win probabilities, or payoffs; numbers are written in where there is room."""
    ax = _axes(ax, (5.6, 4.8))
    table = game.table() + game.value_offset
    rows, columns = table.shape
    # Actions are counted from 1.
    image = ax.imshow(table, cmap="cividis", aspect="auto" if rows != columns else "equal", extent=(0.5, columns + 0.5, rows + 0.5, 0.5))
    ax.figure.colorbar(image, ax=ax, label=f"{game.units} of the row")
    if max(table.shape) <= 12:
        middle = (table.min() + table.max()) / 2
        for (row, column), value in np.ndenumerate(table):
            ax.text(column + 1, row + 1, f"{value:.2g}", ha="center", va="center", fontsize="small", color="black" if value > middle else "white")
    if max(table.shape) <= 30:
        beside = game.labels[0] if game.labels else [str(i + 1) for i in range(rows)]
        below = game.labels[-1] if game.labels else [str(i + 1) for i in range(columns)]
        size = "medium" if max(table.shape) <= 12 else "x-small"
        ax.set_yticks(range(1, rows + 1), beside, parse_math=False, fontsize=size)
        ax.set_xticks(range(1, columns + 1), below, rotation=90 if max(map(len, below)) > 3 else 0, parse_math=False, fontsize=size)
    _title(ax, game.name)
    return ax


def plot_suite(cells: Sequence[Mapping[str, Any]], title: str, *, ax: Axes | None = None) -> Axes:
    """Relative gap against products over a suite: for each algorithm the median over its cells, and a band from quartile to quartile.

    Parameters
    ----------
    cells : sequence of mappings
        Rows with `algorithm`, `products_spent` and `gaps` (relative to L); rows without gaps are left out.
    """
    ax = _axes(ax, (7.2, 4.4))
    rows = [cell for cell in cells if "gaps" in cell]
    longest = max(2, *(cell["products_spent"][-1] for cell in rows))
    grid = np.unique(np.geomspace(1, longest, 400).round())
    ax.set_xscale("log")
    ax.set_yscale("log")
    for index, name in enumerate(dict.fromkeys(cell["algorithm"] for cell in rows)):
        mine = [cell for cell in rows if cell["algorithm"] == name]
        # A run that stopped early has reached its tolerance and stays there.
        curves = np.array([np.asarray(cell["gaps"])[np.searchsorted(cell["products_spent"], grid, side="right") - 1] for cell in mine])
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        colour = COLOURS[index % len(COLOURS)]
        every = (0.02 * index, 0.12) if np.any(middle > 0) else None
        ax.plot(grid, _positive(middle), color=colour, linestyle=DASHES[index % len(DASHES)], marker=MARKERS[index % len(MARKERS)], markevery=every, label=name)
        # A logarithmic axis has no place for a band down to zero.
        ax.fill_between(grid, low, high, where=low > 0, color=colour, alpha=0.12, linewidth=0)
    ax.set_xlabel("products (matrix-vector products for all players)")
    ax.set_ylabel("duality gap, NashConv, relative to L")
    ax.set_xlim(left=1)
    _title(ax, f"{title}: median and quartiles over the games")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    _legend(ax)
    return ax


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


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes to draw on; a new figure stands outside pyplot, so nothing has to be closed."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").add_subplot()


def _positive(gaps: np.ndarray) -> np.ndarray:
    """Gaps for a logarithmic axis: exact zeros (and rounding below zero) leave a hole."""
    return np.where(gaps > 0, gaps, np.nan)


def _title(ax: Axes, text: str, **options: Any) -> None:
    """A title in the user's own words: a dollar sign in a file's name begins no formula."""
    ax.set_title(textwrap.fill(text, 80), fontsize="medium", parse_math=False, **options)


def _legend(ax: Axes, **options: Any) -> None:
    """A small legend, its names verbatim."""
    for text in ax.legend(fontsize="small", title_fontsize="small", **options).get_texts():
        text.set_parse_math(False)


def _names(traces: Sequence[Trace]) -> list[str]:
    """Short names of the runs: the algorithm's; where two share it, with the settings in which they differ, or the game, or a number."""
    short = [_short_name(trace.algorithm) for trace in traces]
    settings = [{} if isinstance(trace.algorithm, str) else settings_of(trace.algorithm) for trace in traces]
    names = []
    for trace, name, mine in zip(traces, short, settings, strict=True):
        others = [theirs for other, theirs in zip(short, settings, strict=True) if other == name]
        differing = [
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in mine.items()
            if any(theirs.get(key) != value for theirs in others)
        ]
        games = {other.game.name for other, theirs in zip(traces, short, strict=True) if theirs == name}
        full = f"{name}:{','.join(differing)}" if differing else name
        full = f"{full} on {trace.game.name}" if len(games) > 1 else full
        names.append(full)
    return [name if names.count(name) == 1 else f"{name} ({names[: index + 1].count(name)})" for index, name in enumerate(names)]


def _short_name(algorithm: Any) -> str:
    """`mpo`, or the class of a user's own; a run from elsewhere has a name already."""
    if isinstance(algorithm, str):
        return algorithm
    spec = to_spec(algorithm)
    return (spec.rpartition(":")[0] if settings_of(algorithm) else spec).rpartition(":")[2]
