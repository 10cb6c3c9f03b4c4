"""A budget in products, in steps of an algorithm."""

from __future__ import annotations

from typing import Any

from mmd_games.games.game import Game


def steps_within(products: int, algorithm: Any, game: Game) -> int:
    """How many steps a budget of products pays for, at least one.

    Parameters
    ----------
    products : int
        Matrix-vector products for all players.
    algorithm : object
        What it spends a step is its `products_per_step`, with the settings that it would have in this game; 1 where it has no such attribute.
    game : Game
    """
    complete = algorithm.with_defaults(float(game.scale)) if hasattr(algorithm, "with_defaults") else algorithm
    return max(1, products // getattr(complete, "products_per_step", 1))
