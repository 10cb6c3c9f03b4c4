"""The figure of a suite of solvers: time against the number of actions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from mmd_games.plots.style import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_times(curves: Mapping[str, Sequence[tuple[int, float]]], title: str, *, ours: Collection[str] = (), ax: Axes | None = None) -> Axes:
    """Seconds against actions on logarithmic axes, where a power of n is a straight line.

    Parameters
    ----------
    curves : mapping of str to sequence of (int, float)
        For each solver its sizes, ascending, and the seconds there.
    title : str
    ours : collection of str
        The solvers that are drawn thick.
    ax : Axes, optional
        Where to draw; default a new figure.
    """
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8.4, 4.8), layout="constrained").add_subplot()
    for index, (name, points) in enumerate(curves.items()):
        ax.plot(
            [n for n, _ in points],
            [seconds for _, seconds in points],
            **look(index),
            markersize=5,
            linewidth=2.4 if name in ours else 1.1,
            zorder=3 if name in ours else 2,
            label=name,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("actions, n")
    ax.set_ylabel("seconds a game")
    ax.set_title(f"{title}: time to an equilibrium", fontsize="medium", parse_math=False)
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    for text in ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5)).get_texts():
        text.set_parse_math(False)
    return ax
