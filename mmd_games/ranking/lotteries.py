"""The lottery of a table, its equilibrium of largest entropy, and how it would have come out on resampled records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.equilibria import NashEquilibrium, nash, nash_many
from mmd_games.errors import InputError, require_share, require_whole
from mmd_games.games.data import Comparisons
from mmd_games.games.game import Game
from mmd_games.games.preference import PreferenceGame
from mmd_games.ranking.resampling import resampled_tables

DEPENDENT = 1e-9
"""Singular values below this part of the largest payoff are rounding."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Resampled:
    """Equilibria of resampled tables.

    Attributes
    ----------
    draws, seed : int
    level : float
        Of the intervals, such as 0.95.
    in_support : array (n,)
        In which share of the draws the action is played.
    low, high : array (n,)
        The interval of its probability: quantiles over the draws.
    score_low, score_high : array (n,)
        That of what the action earns against the equilibrium of its draw.
    condorcet : array (n,)
        In which share of the draws it beats every other action.
    gap_median, gap_high : float
        Duality gap, in the tables drawn, of the lottery of the table observed: the median, and what a share `level` of the draws do not exceed. In the game's units.
    not_converged : int
        Draws whose equilibrium missed the tolerance; they are counted like the others.
    """

    draws: int
    seed: int
    level: float
    in_support: np.ndarray
    low: np.ndarray
    high: np.ndarray
    score_low: np.ndarray
    score_high: np.ndarray
    condorcet: np.ndarray
    gap_median: float
    gap_high: float
    not_converged: int


def lottery(game: Game, near: np.ndarray | None = None) -> NashEquilibrium:
    """The equilibrium of largest entropy, which is a symmetric game's one lottery to name where it has several.

    References
    ----------
    Kreweras 1965 and Fishburn, Rev. Econ. Stud. 51 (1984): maximal lotteries; Balduzzi et al., Re-evaluating Evaluation, NeurIPS 2018: Nash averaging, by largest entropy.
    """
    return nash(game, select="maximum_entropy", warm_start=near)


def is_unique(skew: np.ndarray, policy: np.ndarray) -> bool:
    """Whether an equilibrium of largest support is the only one: no direction within its support leaves the payoffs on it at zero."""
    played = np.flatnonzero(policy > 0)
    among = skew[np.ix_(played, played)]
    return int(np.linalg.matrix_rank(among, tol=DEPENDENT * float(np.max(np.abs(skew))))) == len(played) - 1


def resampled(comparisons: Comparisons, policy: np.ndarray, draws: int, seed: int, level: float = 0.95) -> Resampled:
    """Equilibria of resampled tables, and the gap of a policy in them.

    Parameters
    ----------
    comparisons : Comparisons
    policy : array (n,)
        The lottery of the table that was observed.
    draws : int
        At least 2.
    seed : int
    level : float

    Raises
    ------
    InputError
        For fewer draws, a seed below 0, or a level outside (0, 1).
    """
    require_whole(2, bootstrap=draws)
    require_whole(0, seed=seed)
    require_share(level=level)
    policies, scores, winners, gaps, missed = [], [], [], [], 0
    for stack in resampled_tables(comparisons, draws, seed):
        games = [_game(skew, comparisons) for skew in stack]
        for skew, game, found in zip(stack, games, nash_many(games), strict=True):
            best = found if is_unique(skew, found.policy) or float(game.scale) == 0 else lottery(game)
            missed += not best.converged
            policies.append(best.policy)
            scores.append(skew @ best.policy)
        winners.append(np.sum(stack > 0, axis=-1) == stack.shape[-1] - 1)
        gaps.append(2 * np.max(stack @ policy, axis=-1))
    tails = [(1 - level) / 2, (1 + level) / 2]
    (low, high), (score_low, score_high) = np.quantile(np.stack(policies), tails, axis=0), np.quantile(np.stack(scores), tails, axis=0)
    gap = np.concatenate(gaps)
    return Resampled(
        draws=draws,
        seed=seed,
        level=level,
        in_support=np.mean(np.stack(policies) > 0, axis=0),
        low=low,
        high=high,
        score_low=score_low,
        score_high=score_high,
        condorcet=np.mean(np.concatenate(winners), axis=0),
        gap_median=float(np.median(gap)),
        gap_high=float(np.quantile(gap, level)),
        not_converged=missed,
    )


def _game(skew: np.ndarray, comparisons: Comparisons) -> PreferenceGame:
    return PreferenceGame(skew + 0.5) if comparisons.table == "probabilities" else PreferenceGame.from_payoffs(skew)


def require_preference(game: object) -> PreferenceGame:
    """Refuse what is no symmetric game with a table."""
    if not isinstance(game, PreferenceGame) or game.is_stack:
        raise InputError(f"a ranking is made of one preference game, such as mg.PreferenceGame.from_battles(…) makes; got {type(game).__name__}.")
    return game
