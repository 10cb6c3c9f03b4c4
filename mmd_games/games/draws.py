"""What families that are drawn at random share: the generator with the game's name, and matrices from its draws."""

from __future__ import annotations

import numpy as np

from mmd_games.errors import require_whole
from mmd_games.games.tables import require_table_memory, spec_name


def generator_and_name(family: str, n: int, seed: int, **settings: object) -> tuple[np.random.Generator, str]:
    """The generator and the name of a game of n actions, once n and the seed are known to be right."""
    require_whole(2, n=n)
    require_whole(0, seed=seed)
    return np.random.default_rng(seed), spec_name(family, n=n, seed=seed, **settings)


def prepare(family: str, n: int, seed: int, **settings: object) -> tuple[np.random.Generator, str]:
    """As :func:`generator_and_name`, of a game whose n × n table is known to fit into memory."""
    generator, name = generator_and_name(family, n, seed, **settings)
    require_table_memory(n, n, name)
    return generator, name


def skew(n: int, upper: np.ndarray) -> np.ndarray:
    """The skew matrix with these n(n − 1)/2 entries above its diagonal, row by row."""
    matrix = np.zeros((n, n))
    matrix[np.tri(n, k=-1, dtype=bool).T] = upper
    return matrix - matrix.T


def differences(ratings: np.ndarray) -> np.ndarray:
    """r_i − r_j."""
    return ratings[:, None] - ratings


def areas(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """⟨R v_i, v_j⟩ for embeddings v = (first, second), (n, blocks) each."""
    product = first @ second.T
    return product - product.T


def logistic(log_odds: np.ndarray) -> np.ndarray:
    """1/(1 + exp(−x)), without overflow."""
    return 0.5 + np.tanh(log_odds / 2) / 2
