"""Tables drawn at random from a seed, and nothing but the seed."""

from __future__ import annotations

from typing import Literal

import numpy as np

from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.games.draws import areas, differences, logistic, prepare, skew
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.tables import require_not_negative, require_probability


def random(n: int = 10, seed: int = 0, distribution: Literal["uniform", "gaussian", "tournament"] = "uniform") -> PreferenceGame:
    """Every pair of actions drawn on its own, without any structure.

    Almost surely the equilibrium is unique and has an odd support, of size k with probability C(n, k)/2^(n−1): full support is rare.

    Parameters
    ----------
    n : int
        Number of actions, at least 2.
    seed : int
        At least 0.
    distribution : {"uniform", "gaussian", "tournament"}
        Of the upper triangle: win probabilities uniform on (0, 1); payoffs standard normal; or certain wins, 0 or 1 by a fair coin.

    Returns
    -------
    PreferenceGame
        n × n; win probabilities, or payoffs where gaussian.

    Raises
    ------
    InputError
        For a wrong size, or one that does not fit into memory.
    """
    generator, name = prepare("random", n, seed, distribution=distribution)
    pairs = n * (n - 1) // 2
    if distribution == "gaussian":
        return PreferenceGame.from_payoffs(skew(n, generator.standard_normal(pairs)), name=name)
    if distribution == "tournament":
        return PreferenceGame(0.5 + skew(n, generator.integers(0, 2, pairs) - 0.5), name=name)
    if distribution != "uniform":
        raise InputError(f"distribution must be one of uniform, gaussian, tournament, got '{distribution}'.")
    return PreferenceGame(0.5 + skew(n, generator.random(pairs) - 0.5), name=name)


def bradley_terry(n: int = 10, seed: int = 0, spread: float = 1.0) -> PreferenceGame:
    r"""Players with a rating each (Elo): transitive, so the best rated action is the equilibrium, pure.

    P[i, j] = 1/(1 + exp(r_j − r_i)) with normal ratings r; in Elo points they are r·400/ln 10.

    Parameters
    ----------
    n : int
        Number of actions, at least 2.
    seed : int
        At least 0.
    spread : float
        Standard deviation of the ratings, in log-odds, positive.

    Returns
    -------
    PreferenceGame
        n × n, win probabilities.

    References
    ----------
    Bradley and Terry, Rank analysis of incomplete block designs, Biometrika 39, 1952.
    """
    require_positive(spread=spread)
    generator, name = prepare("bradley_terry", n, seed, spread=spread)
    return PreferenceGame(logistic(differences(spread * generator.standard_normal(n))), name=name)


def noisy_elo(n: int = 10, seed: int = 0, spread: float = 1.0, noise: float = 0.5) -> PreferenceGame:
    """Elo ratings with noise on every pair: nearly transitive, with cycles between players of like strength.

    The log-odds of i against j are r_i − r_j plus normal noise, skew-symmetric; without noise it is `bradley_terry` of the same seed.

    Parameters
    ----------
    n : int
        Number of actions, at least 2.
    seed : int
        At least 0.
    spread : float
        Standard deviation of the ratings, in log-odds, positive.
    noise : float
        Standard deviation of the noise, in log-odds, at least 0.

    Returns
    -------
    PreferenceGame
        n × n, win probabilities.
    """
    require_positive(spread=spread)
    require_not_negative(noise=noise)
    generator, name = prepare("noisy_elo", n, seed, spread=spread, noise=noise)
    ratings = spread * generator.standard_normal(n)
    return PreferenceGame(logistic(differences(ratings) + noise * skew(n, generator.standard_normal(n * (n - 1) // 2))), name=name)


def disc(n: int = 10, seed: int = 0) -> PreferenceGame:
    """Points of the unit disc; the payoff of v against w is the area v × w = v₁w₂ − v₂w₁: cyclic, of rank 2.

    A policy is an equilibrium where the mean point is 0; if no mixture reaches 0, the equilibrium lies on the edge of the points' hull.

    Parameters
    ----------
    n : int
        Number of points, drawn uniformly from the disc, at least 2.
    seed : int
        At least 0.

    Returns
    -------
    PreferenceGame
        n × n, payoffs in [−1, 1].

    References
    ----------
    Balduzzi et al., Open-ended Learning in Symmetric Zero-sum Games, arXiv 1901.08106.
    """
    generator, name = prepare("disc", n, seed)
    radius = np.sqrt(generator.random(n))
    angle = 2 * np.pi * generator.random(n)
    return PreferenceGame.from_payoffs(areas((radius * np.cos(angle))[:, None], (radius * np.sin(angle))[:, None]), name=name)


def transitive_cyclic(n: int = 10, seed: int = 0, cyclic: float = 0.5, on: Literal["probability", "logit"] = "probability") -> PreferenceGame:
    r"""A mixture of a transitive part and a cyclic part, whose shares are known.

    :math:`M = (1 - c)\,T + c\,C`, where T holds the differences of n normal ratings, and C is a random skew matrix without its
    own transitive part (all its rows sum to 0); both are scaled to a largest entry of 1. The split stands where `on` says: on the
    probabilities, P = (1 + M)/2, or on the log-odds, P = 1/(1 + exp(−2M)); the two agree to second order in M. The split of a game on
    one of them is not its split on the other.

    Parameters
    ----------
    n : int
        Number of actions, at least 3 (two actions have no cyclic part).
    seed : int
        At least 0.
    cyclic : float
        Share of the cyclic part, in [0, 1]: at 0 the best rated action is the equilibrium, at 1 the uniform policy is one.
    on : {"probability", "logit"}
        Where the parts are added.

    Returns
    -------
    PreferenceGame
        n × n, win probabilities.

    References
    ----------
    Balduzzi et al., Open-ended Learning in Symmetric Zero-sum Games, arXiv 1901.08106 (the decomposition).
    """
    require_whole(3, n=n)
    require_probability(cyclic=cyclic)
    generator, name = prepare("transitive_cyclic", n, seed, cyclic=cyclic, on=on)
    if on not in ("probability", "logit"):
        raise InputError(f"on must be one of probability, logit, got '{on}'.")
    transitive = differences(generator.standard_normal(n))
    rotation = skew(n, generator.standard_normal(n * (n - 1) // 2))
    rotation -= differences(rotation.mean(axis=1))
    mixture = (1 - cyclic) * transitive / np.max(transitive) + cyclic * rotation / np.max(rotation)
    return PreferenceGame(logistic(2 * mixture) if on == "logit" else (1 + mixture) / 2, name=name)
