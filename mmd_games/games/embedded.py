"""Games of random embeddings: as tables while they are small, and without one where a table would be large."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import require_memory
from mmd_games.errors import require_positive, require_whole
from mmd_games.games.draws import areas, generator_and_name, logistic
from mmd_games.games.implicit import GeneralPreferenceGame, LowRankGame
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.tables import require_not_negative, require_table_memory

LARGEST_TABLE = 4000
"""Up to so many actions the general preference model is made into a table."""


def low_rank(n: int = 1000, dimensions: int = 16, seed: int = 0, quality: float = 0.0) -> LowRankGame:
    r"""Payoffs of low rank without a table: a skew form of normal embeddings, ⟨R v_i, v_j⟩.

    R is block-diagonal with blocks [[0, −1], [1, 0]]. In n points of d dimensions 0 lies between the points (and some mixture has payoff 0 against all) as soon as n is well
    above 2d; among 10⁶ actions the equilibrium then plays few.

    Parameters
    ----------
    n : int
        Number of actions, at least 2.
    dimensions : int
        Of the embeddings, even.
    seed : int
        At least 0.
    quality : float
        Added to the second coordinate of every embedding: the first one then counts as a quality, so many times, beside the cycles.

    Returns
    -------
    LowRankGame
        n actions, payoffs.
    """
    require_whole(2, dimensions=dimensions)
    require_not_negative(quality=quality)
    generator, name = generator_and_name("low_rank", n, seed, dimensions=dimensions, quality=quality)
    require_memory(4.0 * 8 * n * dimensions, name)
    return LowRankGame(_embeddings(generator, n, dimensions, quality), name=name)


def general_preference(n: int = 10, seed: int = 0, blocks: int = 2, temperature: float = 1.0, quality: float = 0.0) -> PreferenceGame | GeneralPreferenceGame:
    r"""The general preference model: the log-odds are a skew form of embeddings, P = σ(⟨R v_i, v_j⟩ / temperature).

    R is block-diagonal with blocks [[0, −1], [1, 0]], and the v_i are standard normal: the log-odds have rank 2·blocks (or n, less one if odd).
    Where no action is better than others on the whole (quality 0), about half of all are played, as in a random game; with a quality of 5 and 16 dimensions a
    dozen, of 10⁴ actions or of 10⁶.

    Parameters
    ----------
    n : int
        Number of actions, at least 2.
    seed : int
        At least 0.
    blocks : int
        Number of 2 × 2 blocks of R, at least 1: half the dimension of the embeddings.
    temperature : float
        Positive.
    quality : float
        Added to the second coordinate of every embedding: the first one then counts as a quality, so many times, beside the cycles.

    Returns
    -------
    PreferenceGame or GeneralPreferenceGame
        n × n, win probabilities; above 4,000 actions without a table.

    References
    ----------
    Zhang et al., General Preference Modeling with Preference Representations for Aligning Language Models, arXiv 2410.02197.
    """
    require_whole(1, blocks=blocks)
    require_positive(temperature=temperature)
    require_not_negative(quality=quality)
    generator, name = generator_and_name("general_preference", n, seed, blocks=blocks, temperature=temperature, quality=quality)
    if n > LARGEST_TABLE:
        require_memory(4.0 * 8 * n * 2 * blocks, name)
        return GeneralPreferenceGame(_embeddings(generator, n, 2 * blocks, quality), temperature=temperature, name=name)
    require_table_memory(n, max(n, 2 * blocks), name)
    embeddings = _embeddings(generator, n, 2 * blocks, quality)
    return PreferenceGame(logistic(areas(embeddings[:, ::2], embeddings[:, 1::2]) / temperature), name=name)


def _embeddings(generator: np.random.Generator, n: int, dimensions: int, quality: float) -> np.ndarray:
    embeddings = generator.standard_normal((n, dimensions))
    embeddings[:, 1] += quality
    return embeddings
