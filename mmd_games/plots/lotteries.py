"""A lottery over actions, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mmd_games.plots.style import COLOURS, LONGEST_LABEL, new_axes, put_title, tell
from mmd_games.words import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_SHOWN = 20
"""Actions that a figure has room for."""


def plot_lottery(
    names: Sequence[str],
    probabilities: Sequence[float] | np.ndarray,
    intervals: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw the probability of each action as a point, the first at the top, with its interval as a bar.

    Parameters
    ----------
    names : sequence of str
        At most the first 20 are drawn.
    probabilities : array (n,)
    intervals : (array (n,), array (n,)), optional
        Lower and upper ends.
    title : str
    ax : Axes, optional
        Drawn on; else a new figure.
    """
    count = min(len(names), MOST_SHOWN)
    ax = new_axes(ax, (7.2, 0.9 + 0.27 * count))
    heights = np.arange(count)[::-1]
    if intervals is not None:
        low, high = (np.asarray(end)[:count] for end in intervals)
        tell(ax.hlines(heights, low, high, color=COLOURS[0], linewidth=5, alpha=0.35, label="interval"), "interval", y=list(names[:count]))
    (points,) = ax.plot(np.asarray(probabilities)[:count], heights, "o", color=COLOURS[0], label="probability")
    tell(points, "probability", y=list(names[:count]))
    ax.set_yticks(heights)
    for text in ax.set_yticklabels([brief(name, LONGEST_LABEL) for name in names[:count]]):
        text.set_parse_math(False)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("probability in the lottery")
    ax.grid(axis="x", alpha=0.3)
    if title:
        put_title(ax, title)
    return ax
