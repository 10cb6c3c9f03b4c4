"""Euclidean projections, a player at a time: onto the simplex, and onto what lies above it."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import Array, Blocks, block_slices


def project_to_simplices(values: Array, blocks: Blocks) -> np.ndarray:
    r"""The nearest policy of every player, exactly: :math:`\max(v - \theta, 0)` with the threshold that makes it sum to one.

    Parameters
    ----------
    values : array (actions,)
    blocks : tuple of int
        Actions of each player.

    Returns
    -------
    array (actions,)

    References
    ----------
    By sorting: Held, Wolfe & Crowder, "Validation of subgradient optimization", Math. Program. 6, 1974; Duchi et al., ICML 2008, Fig. 1.
    """
    return np.concatenate([_nearest(values[part]) for part in block_slices(blocks)])


def project_above_simplices(values: Array, blocks: Blocks) -> np.ndarray:
    r"""The nearest point of :math:`\{v \ge 0, \sum_i v_i \ge 1\}` for every player: what is negative is cut off, and where less than one is left, the simplex's point."""
    cut = np.maximum(values, 0.0)
    return np.concatenate([cut[part] if cut[part].sum() >= 1.0 else _nearest(values[part]) for part in block_slices(blocks)])


def log_of(policy: Array) -> np.ndarray:
    """Log-probabilities, −inf where an action is not played."""
    with np.errstate(divide="ignore"):
        return np.log(policy)


def gap_of(payoff: Array, policy: Array, blocks: Blocks) -> float:
    """What the players could win by best replies, summed over the blocks; in a symmetric game half the duality gap, since one block stands for two players."""
    return float(sum(np.max(payoff[part]) - policy[part] @ payoff[part] for part in block_slices(blocks)))


def _nearest(values: np.ndarray) -> np.ndarray:
    shifted = values - np.max(values)  # so that the threshold is found among numbers of its own size
    descending = -np.sort(-shifted)
    excess = np.cumsum(descending) - 1.0
    kept = np.count_nonzero(descending * np.arange(1, len(values) + 1) > excess)
    return np.maximum(shifted - excess[kept - 1] / kept, 0.0)
