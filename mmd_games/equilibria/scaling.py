"""Payoffs in units of L, in which every solver works and every tolerance has one meaning."""

from __future__ import annotations

import numpy as np

from mmd_games.games.game import Game


def unit_matrix(game: Game) -> np.ndarray:
    """The payoff matrix with its entries moved to [−1, 1]: centred on the middle of their range and divided by half of it, where that is not 0. Of a stack, each game's."""
    matrix, axes = game.table(), (-2, -1)
    if len(game.blocks) > 1:
        matrix = matrix - (matrix.min(axis=axes, keepdims=True) / 2 + matrix.max(axis=axes, keepdims=True) / 2)
    largest = np.max(np.abs(matrix), axis=axes, keepdims=True)
    return matrix / np.where(largest > 0, largest, 1.0)
