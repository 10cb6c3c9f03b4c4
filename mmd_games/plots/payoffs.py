"""A game: its payoff table as an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmd_games.games.game import Game
from mmd_games.plots.style import LONGEST_LABEL, new_axes, put_title
from mmd_games.words import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_payoffs(game: Game, *, ax: Axes | None = None) -> Axes:
    """The game's table as the user gave it: win probabilities, or payoffs; numbers are written in where there is room."""
    ax = new_axes(ax, (5.6, 4.8))
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
        beside = [brief(name, LONGEST_LABEL) for name in game.labels[0]] if game.labels else [str(i + 1) for i in range(rows)]
        below = [brief(name, LONGEST_LABEL) for name in game.labels[-1]] if game.labels else [str(i + 1) for i in range(columns)]
        size = "medium" if max(table.shape) <= 12 else "x-small"
        ax.set_yticks(range(1, rows + 1), beside, parse_math=False, fontsize=size)
        ax.set_xticks(range(1, columns + 1), below, rotation=90 if max(map(len, below)) > 3 else 0, parse_math=False, fontsize=size)
    put_title(ax, game.name)
    return ax
