"""Training of a language model: how its duality gap fell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmd_games.plots.style import look, new_axes, positive, put_legend, put_title, thinned

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_training(
    rollouts: Sequence[int] | np.ndarray, gaps: Mapping[str, np.ndarray], title: str, *, refreshes: Sequence[int] = (), ax: Axes | None = None
) -> Axes:
    """Duality gap against rollouts, a line for each set of prompts or run.

    Parameters
    ----------
    rollouts : sequence of int
        Updates of the policy before each measurement.
    gaps : mapping of str to array (measurements,)
        In win probability; NaN leaves a hole.
    title : str
    refreshes : sequence of int
        When the magnet moved: small ticks at the foot.
    """
    ax = new_axes(ax, (7.2, 4.4))
    ax.set_yscale("log")
    steps = np.asarray(rollouts, dtype=np.float64)
    for index, (name, values) in enumerate(gaps.items()):
        line = thinned(steps, positive(np.asarray(values, dtype=np.float64)))
        ax.plot(*line, markevery=(0.02 * index, 0.12), label=name, **look(index))
    if len(refreshes):
        ax.plot(refreshes, np.zeros(len(refreshes)), "|", color="#666666", markersize=8, transform=ax.get_xaxis_transform(), label="magnet refreshed")
    ax.set_xlabel("rollouts (updates of the policy)")
    ax.set_ylabel("duality gap, NashConv, win probability")
    put_title(ax, title)
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    put_legend(ax)
    return ax
