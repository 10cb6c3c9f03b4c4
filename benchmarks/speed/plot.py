"""The figure: cost of a step against the number of actions, with what the machine allows drawn in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.speed.contenders import OURS
from benchmarks.speed.limits import Limits
from benchmarks.speed.table import Line
from mmd_games.plots.style import COLOURS, MARKERS, new_axes, put_legend, put_title, save


def curves_of(lines: Iterable[Line]) -> dict[str, list[tuple[int, float]]]:
    """For each contender its sizes, ascending, and the seconds a step there; the first where a size was measured twice."""
    found: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for line in lines:
        for name, actions, seconds in line.measured.points if line.measured is not None else ():
            found[name].setdefault(actions, seconds)
    return {name: sorted(points.items()) for name, points in found.items()}


def plot_costs(lines: Iterable[Line], limits: Limits, path: Path) -> Path:
    """Draw the figure into a file.

    Parameters
    ----------
    lines : iterable of Line
    limits : Limits
    path : Path
        .png, .svg or .pdf.
    """
    ax = new_axes(None, (8.4, 4.8))
    for index, (name, points) in enumerate(curves_of(lines).items()):
        style = {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)], "markersize": 5}
        width, order = (2.4, 4) if name == OURS else (1.1, 3)
        ax.plot([actions for actions, _ in points], [seconds for _, seconds in points], linewidth=width, zorder=order, label=name, **style)
    sizes = sorted(limits.half_tables)
    ax.plot(sizes, [limits.step(actions) for actions in sizes], color="#777777", linestyle="--", label="limit: half the table read, and exponentials")
    memory = [4.0 * actions**2 / limits.one_thread for actions in sizes]
    ax.plot(sizes, memory, color="#777777", linestyle=":", label="half the table at the speed of memory")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("actions, n")
    ax.set_ylabel("seconds a step")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    put_title(ax, "Magnetic Mirror Descent on one game, one thread")
    put_legend(ax, beside=True)
    return save(ax, path)
