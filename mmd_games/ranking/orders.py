"""Rankings older than the lottery: Borda's, Copeland's, and Condorcet's winner."""

from __future__ import annotations

import numpy as np


def borda_scores(skew: np.ndarray) -> np.ndarray:
    """What each action earns on average against the others: P − 1/2, or the margin."""
    return np.sum(skew, axis=-1) / (skew.shape[-1] - 1)


def copeland_scores(skew: np.ndarray) -> np.ndarray:
    """How many others each action beats more often than not, half a point where they are even."""
    return np.sum(skew > 0, axis=-1) + (np.sum(skew == 0, axis=-1) - 1) / 2


def condorcet_winner(skew: np.ndarray) -> int | None:
    """The action that beats every other one more often than not, where there is one."""
    winners = np.flatnonzero(np.sum(skew > 0, axis=-1) == len(skew) - 1)
    return int(winners[0]) if len(winners) else None


def positions(scores: np.ndarray) -> np.ndarray:
    """The place of each action, 1 for the largest score; equal scores (to twelve digits) share the best of their places."""
    rounded = np.array([float(f"{score:.12g}") for score in scores])
    return 1 + np.sum(rounded[None, :] > rounded[:, None], axis=1)
