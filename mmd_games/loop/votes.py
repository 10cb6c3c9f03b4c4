"""Payoffs told by votes of sampled comparisons; some of them an adversary's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import Array, block_slices
from mmd_games.errors import require_share, require_whole
from mmd_games.games.game import Game
from mmd_games.loop.perturbed import number_of


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """Votes: opponents are drawn from the policy, and every action is compared once with each of them.

    A vote is a Bernoulli draw whose mean is the win probability, or for payoff tables ±max|entry| with the payoff as mean; so the payoffs are right on average.

    Parameters
    ----------
    opponents : int
        Number of opponents drawn a product.
    seed : int
        Seed of the run; the same seed gives the same run.
    """

    opponents: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        require_whole(opponents=self.opponents)
        require_whole(minimum=0, seed=self.seed)

    def begin(self, game: Game) -> Callable[[Array], Array]:
        """A run's own stream of votes, from the seed."""
        return _votes(game, self.opponents, self.seed, 0.0)


@dataclass(frozen=True, kw_only=True)
class CorruptedVotes:
    """Votes as of :class:`Sampled`, a share of which is flipped by an adversary who sees the policy, the votes and the true payoffs.

    Of each player's votes it flips those that make the told payoffs point away from the true ones the most: it lowers their covariance under a uniform weight as far as so many
    flips can.

    Parameters
    ----------
    share : float
        Of each player's votes of a product, at most; rounded down to a whole number of them, at least one.
    opponents : int
        Number of opponents drawn a product.
    seed : int
        Seed of the run; the same seed gives the same run.
    """

    share: float
    opponents: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        require_share(share=self.share)
        require_whole(opponents=self.opponents)
        require_whole(minimum=0, seed=self.seed)

    def begin(self, game: Game) -> Callable[[Array], Array]:
        """A run's own stream of votes, from the seed."""
        return _votes(game, self.opponents, self.seed, self.share)


def _votes(game: Game, opponents: int, seed: int, share: float) -> Callable[[Array], Array]:
    """The function policy → payoffs, by votes of which a share is flipped."""
    generator = np.random.default_rng(seed)
    vote = 0.5 if game.value_offset else game.largest_payoff or 1.0
    slices = block_slices(game.blocks)

    def payoffs(policy: np.ndarray) -> np.ndarray:
        received = []
        true = game.payoffs(policy) if share else None
        for block, part in enumerate(slices):
            weights = policy[slices[game.opponent_of(block)]]
            drawn = generator.choice(len(weights), size=opponents, p=weights / weights.sum())
            means = game.against(block, drawn)
            wins = generator.random(means.shape) * (2 * vote) < means + vote
            if true is not None:
                wins ^= _misleading(wins, true[part], share)
            received.append(vote * (2.0 * wins.mean(axis=1) - 1.0))
        return np.concatenate(received)

    return payoffs


def _misleading(wins: np.ndarray, true: np.ndarray, share: float) -> np.ndarray:
    """Which votes (actions, opponents) to flip: wins of actions that are better than most, and losses of those that are worse, the most telling first."""
    worth = np.where(wins, 1.0, -1.0) * (true - true.mean())[:, None]
    best = np.argsort(-worth, axis=None, kind="stable")[: number_of(share, wins.size, "votes")]
    chosen = np.zeros(wins.size, dtype=bool)
    chosen[best[worth.ravel()[best] > 0]] = True
    return chosen.reshape(wins.shape)
