"""The Bradley-Terry fit, which Elo's points are a scale of: one number an action, and therefore no cycles."""

from __future__ import annotations

import math

import numpy as np

STEPS = 100
"""Newton steps at most; ten are usual."""
CLOSE = 1e-10
"""The fit ends where every expected number of wins is right to this part of all battles."""
POINTS = 400 / math.log(10)
"""Elo points for one unit of log-odds."""
MEAN = 1000.0
"""The mean of the points, which is a convention."""


def elo_points(wins: np.ndarray, ties: np.ndarray) -> tuple[np.ndarray, str]:
    r"""Maximum-likelihood ratings in Elo points, ties as half a win for each, and what had to be done to have any.

    The likelihood has a maximum exactly if no group of actions never lost to the rest (Ford 1957). Where one did not, a tied battle is added to every pair.

    Parameters
    ----------
    wins, ties : array (n, n)
        How often i beat j; how often they tied, symmetric.

    Returns
    -------
    array (n,), str
        Points with mean 1000; a sentence, empty where nothing was added.

    References
    ----------
    Bradley and Terry, Biometrika 39 (1952); Ford, Amer. Math. Monthly 64 (1957); Hunter, Ann. Statist. 32 (2004).
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    points = wins + ties / 2.0
    parts, _ = connected_components(csr_array(points > 0), directed=True, connection="strong")
    note = ""
    if parts > 1:
        points = points + 0.5 * (1.0 - np.eye(len(points)))
        note = "Elo: some names never lost to the others, so that no finite fit exists; it was made with a tied battle added to every pair."
    return MEAN + POINTS * _fit(points), note


def _fit(points: np.ndarray) -> np.ndarray:
    """Log-strengths of mean zero that maximise the likelihood of the points, by Newton's method with a line search."""
    counts = points + points.T
    total, size = float(np.sum(points)), len(points)
    strengths = np.zeros(size)

    def loss(values: np.ndarray) -> float:
        return float(np.sum(points * np.logaddexp(0.0, values[None, :] - values[:, None])))

    for _ in range(STEPS):
        chance = 0.5 + 0.5 * np.tanh((strengths[:, None] - strengths[None, :]) / 2)
        slope = np.sum(points - counts * chance, axis=1)
        weights = counts * chance * chance.T
        if np.max(np.abs(slope)) <= CLOSE * total or not np.any(weights):
            break
        curvature = np.diag(np.sum(weights, axis=1)) - weights
        # Only differences matter: the constant direction is given a curvature of its own.
        step = np.linalg.solve(curvature + np.max(curvature) / size, slope)
        length, before = 1.0, loss(strengths)
        while loss(strengths + length * step) > before and length > 1e-6:
            length /= 2
        strengths = strengths + length * step
        strengths -= np.mean(strengths)
    return strengths
