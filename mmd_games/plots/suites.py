"""A suite: how methods do over many games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games.plots.style import COLOURS, FEW, look, new_axes, positive, put_legend, put_title, size_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_suite(cells: Sequence[Mapping[str, Any]], title: str, *, champion: str | None = None, ax: Axes | None = None) -> Axes:
    """Relative gap against products over a suite: for each algorithm the median over its cells and, unless there are many, a band from quartile to quartile.

    Parameters
    ----------
    cells : sequence of mappings
        Rows with `algorithm`, `products_spent` and `gaps` (relative to L); rows without gaps are left out.
    title : str
    champion : str, optional
        The algorithm that is drawn thick.
    ax : Axes, optional
        Where to draw; default a new figure.
    """
    rows = [cell for cell in cells if "gaps" in cell]
    names = list(dict.fromkeys(cell["algorithm"] for cell in rows))
    ax = new_axes(ax, size_for(len(names)))
    longest = max(2, *(cell["products_spent"][-1] for cell in rows))
    grid = np.unique(np.geomspace(1, longest, 400).round())
    ax.set_xscale("log")
    ax.set_yscale("log")
    for index, name in enumerate(names):
        mine = [cell for cell in rows if cell["algorithm"] == name]
        # A run that stopped early has reached its tolerance and stays there.
        curves = np.array([np.asarray(cell["gaps"])[np.searchsorted(cell["products_spent"], grid, side="right") - 1] for cell in mine])
        low, middle, high = np.quantile(curves, [0.25, 0.5, 0.75], axis=0)
        style = look(index)
        every = (0.02 * (index % len(COLOURS)), 0.12) if np.any(middle > 0) else None
        ax.plot(
            grid,
            positive(middle),
            **style,
            markevery=every,
            linewidth=3.0 if name == champion else 1.5,
            zorder=3 if name == champion else 2,
            label=name,
        )
        if len(names) <= FEW:
            # A logarithmic axis has no place for a band down to zero.
            ax.fill_between(grid, low, high, where=low > 0, color=style["color"], alpha=0.12, linewidth=0)
    ax.set_xlabel("products (matrix-vector products for all players)")
    ax.set_ylabel("duality gap, NashConv, relative to L")
    ax.set_xlim(left=1)
    put_title(ax, f"{title}: median{' and quartiles' if len(names) <= FEW else ''} over the games")
    ax.grid(True, which="major", linewidth=0.4, color="#cccccc")
    put_legend(ax, beside=len(names) > FEW)
    return ax
