"""Payoffs in units of L, in which every solver works and every tolerance has one meaning."""

from __future__ import annotations

import numpy as np

from mmd_games.games.game import Game


def unit_matrix(game: Game) -> np.ndarray:
    """The payoff matrix with its entries moved to [−1, 1]: centred on the middle of their range and divided by half of it, L > 0."""
    matrix = game.table()
    if len(game.blocks) > 1:
        matrix = matrix - (matrix.min() / 2 + matrix.max() / 2)
    return matrix / float(np.max(np.abs(matrix)))
