"""A performance profile: how often a method is how near to the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmd_games.plots.style import COLOURS, look, new_axes, put_legend, put_title, size_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_profile(ratios: Mapping[str, Sequence[float]], title: str, *, champion: str | None = None, ax: Axes | None = None) -> Axes:
    """The profile of Dolan and Moré: for each method the share of games on which it costs at most so many times what the best one costs.

    At 1 stands how often it is the best, on the right how often it gets there at all.

    Parameters
    ----------
    ratios : mapping of str to sequence of float
        For each method a ratio of at least 1 for each game, infinite where it does not get there.
    title : str
    champion : str, optional
        The method that is drawn thick.
    ax : Axes, optional
        Where to draw; default a new figure.
    """
    ax = new_axes(ax, size_for(len(ratios)))
    finite = [ratio for of in ratios.values() for ratio in of if np.isfinite(ratio)]
    end = 1.1 * max([2.0, *finite])
    for index, (name, of) in enumerate(ratios.items()):
        reached = np.sort([ratio for ratio in of if np.isfinite(ratio)])
        x = np.concatenate([[1.0], reached, [end]])
        y = np.concatenate([[0.0], np.arange(1, len(reached) + 1), [len(reached)]]) / max(1, len(of))
        ax.step(
            x,
            y,
            where="post",
            **look(index),
            markevery=(0.02 * (index % len(COLOURS)), 0.15),
            markersize=5,
            linewidth=3.0 if name == champion else 1.5,
            zorder=3 if name == champion else 2,
            label=name,
        )
    ax.set_xscale("log")
    ax.set_xlim(1, end)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("products, over the fewest that any takes")
    ax.set_ylabel("share of the games")
    put_title(ax, title)
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    put_legend(ax, beside=True)
    return ax
