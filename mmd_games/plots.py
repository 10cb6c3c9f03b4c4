"""Every figure, from traces and games: `ax=None` in, Axes out.

Methods differ by colour (Okabe and Ito's palette, safe for colour-blind readers), by dash and by marker, so a grey print tells them apart as well.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mmd_games.equilibria import nash
from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.loop.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 2, 1.5, 2, 1.5, 2)), (0, (4, 4)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
FORMATS = (".png", ".svg", ".pdf")


def plot_gaps(
    traces: Sequence[Trace], *, labels: Sequence[str] | None = None, average: bool = True, against: Literal["products", "iterations"] = "products", ax: Axes | None = None
) -> Axes:
    """Duality gap of the last iterate, and thinner of the average iterate, for one or several runs.

    Parameters
    ----------
    traces : sequence of Trace
    labels : sequence of str, optional
        Names in the legend; default the algorithms', with their settings where two share a name.
    average : bool
        Whether to draw the average iterate too.
    against : {"products", "iterations"}
        The horizontal axis; products (matrix-vector products for all players) are what methods are fairly compared by.
    ax : Axes, optional
        Where to draw; default a new figure.
    """
    ax = _axes(ax, (7.2, 4.4))
    names = list(labels) if labels is not None else _names(traces)
    for index, (trace, name) in enumerate(zip(traces, names, strict=True)):
        colour, dash, marker = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)], MARKERS[index % len(MARKERS)]
        x = getattr(trace, against)
        ax.plot(x, _positive(trace.gaps), color=colour, linestyle=dash, linewidth=1.8, marker=marker, markersize=5, markevery=(0.05 * index / len(names), 0.12), label=name)
        if average:
            ax.plot(x, _positive(trace.average_gaps), color=colour, linestyle=dash, linewidth=0.7, alpha=0.8)
    ax.set_yscale("log")
    ax.set_xscale("symlog", linthresh=10) if len(traces) > 1 else None
    ax.set_xlim(left=0)
    ax.set_xlabel("products (matrix-vector products for all players)" if against == "products" else "iterations")
    units = {trace.game.units for trace in traces}
    ax.set_ylabel(f"duality gap, NashConv ({units.pop() if len(units) == 1 else 'units of each game'})")
    games = {trace.game.name for trace in traces}
    ax.set_title(games.pop() if len(games) == 1 else f"{len(games)} games", fontsize="medium")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    ax.legend(title="thick: last iterate; thin: average" if average else None, fontsize="small", title_fontsize="small")
    return ax


def plot_simplex(traces: Trace | Sequence[Trace], *, labels: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Trajectories of a game of three actions in its simplex, with the Nash equilibrium that a linear program finds.

    Raises
    ------
    InputError
        When the game has more than one block, or not three actions.
    """
    runs = [traces] if isinstance(traces, Trace) else list(traces)
    game = runs[0].game
    if game.blocks != (3,):
        raise InputError(f"A simplex plot needs a symmetric game of three actions; {game.name} has {' + '.join(map(str, game.blocks))}.")
    ax = _axes(ax, (5.2, 4.8))
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    outline = corners[[0, 1, 2, 0]]
    ax.plot(outline[:, 0], outline[:, 1], color="black", linewidth=0.8)
    names = game.labels[0] if game.labels else ("action 1", "action 2", "action 3")
    for corner, name, side in zip(corners, names, ("top", "top", "bottom"), strict=True):
        ax.annotate(name, corner, xytext=(0, -6 if side == "top" else 6), textcoords="offset points", ha="center", va=side)
    for index, (run, name) in enumerate(zip(runs, labels or _names(runs), strict=True)):
        path = np.exp(run.log_policies) @ corners
        colour = COLOURS[index % len(COLOURS)]
        ax.plot(path[:, 0], path[:, 1], color=colour, linestyle=DASHES[index % len(DASHES)], linewidth=1.0, label=name)
        ax.plot(*path[0], marker="o", markersize=6, markerfacecolor="white", color=colour)
        ax.plot(*path[-1], marker=MARKERS[index % len(MARKERS)], markersize=7, color=colour)
    target = nash(game).policy @ corners
    ax.plot(*target, marker="*", markersize=13, color="black", markerfacecolor="white", linestyle="none", label="Nash equilibrium")
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(game.name, fontsize="medium")
    ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(0.0, 1.0))
    return ax


def plot_payoffs(game: Game, *, ax: Axes | None = None) -> Axes:
    """The game's table as the user gave it: win probabilities, or payoffs; numbers are written in where there is room."""
    ax = _axes(ax, (5.6, 4.8))
    table = np.asarray(game.payoff_matrix) + game.value_offset
    image = ax.imshow(table, cmap="cividis", aspect="auto" if table.shape[0] != table.shape[1] else "equal")
    ax.figure.colorbar(image, ax=ax, label=f"{game.units} of the row")
    if max(table.shape) <= 12:
        middle = (table.min() + table.max()) / 2
        for (row, column), value in np.ndenumerate(table):
            ax.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize="small", color="black" if value > middle else "white")
    if max(table.shape) <= 30:
        rows = game.labels[0] if game.labels else [str(i + 1) for i in range(table.shape[0])]
        columns = game.labels[-1] if game.labels else [str(i + 1) for i in range(table.shape[1])]
        ax.set_yticks(range(table.shape[0]), rows)
        ax.set_xticks(range(table.shape[1]), columns, rotation=90 if max(map(len, columns)) > 3 else 0)
    ax.set_title(game.name, fontsize="medium")
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
    longest = max(cell["products_spent"][-1] for cell in rows)
    grid = np.unique(np.geomspace(1, longest, 400).round())
    for index, name in enumerate(dict.fromkeys(cell["algorithm"] for cell in rows)):
        mine = [cell for cell in rows if cell["algorithm"] == name]
        # A run that stopped early has reached its tolerance and stays there.
        curves = np.array([np.asarray(cell["gaps"])[np.searchsorted(cell["products_spent"], grid, side="right") - 1] for cell in mine])
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        colour = COLOURS[index % len(COLOURS)]
        ax.plot(grid, _positive(middle), color=colour, linestyle=DASHES[index % len(DASHES)], marker=MARKERS[index % len(MARKERS)], markevery=(0.02 * index, 0.12), label=name)
        ax.fill_between(grid, _positive(low), _positive(high), color=colour, alpha=0.12, linewidth=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("products (matrix-vector products for all players)")
    ax.set_ylabel("duality gap, NashConv, relative to L")
    ax.set_title(f"{title}: median and quartiles over the games", fontsize="medium")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    ax.legend(fontsize="small")
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
        ax.figure.savefig(partial, dpi=150, bbox_inches="tight")
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


def _names(traces: Sequence[Trace]) -> list[str]:
    """Short names of the algorithms; with settings where two runs would share one."""
    short = [trace.algorithm_spec.partition(":")[0] for trace in traces]
    return [trace.algorithm_spec if short.count(name) > 1 else name for trace, name in zip(traces, short, strict=True)]
