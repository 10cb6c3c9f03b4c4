"""What the players are told, and the oracle that tells it: exact payoffs here, others in `votes` and `perturbed`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mmd_games.arrays import Array, namespace
from mmd_games.games.game import Game


class Feedback(Protocol):
    """How payoffs are learned. `begin` returns the function policy → payoffs of one run; it owns the run's random state."""

    def begin(self, game: Game) -> Callable[[Array], Array]:
        """The function policy → payoffs of one run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The payoffs themselves: one matrix-vector product for all players."""

    def begin(self, game: Game) -> Callable[[Array], Array]:
        """The game's own payoffs."""
        return game.payoffs


class Payoffs:
    """The oracle that the loop hands to an algorithm: evaluates, counts products, and remembers the last one of a gap.

    Parameters
    ----------
    game : Game
    feedback : Feedback
    product : callable policy → payoffs, optional
        A faster way to the game's exact payoffs than its own.

    Attributes
    ----------
    products : int
        Calls so far. Gaps that the loop records for itself are not counted.
    """

    def __init__(self, game: Game, feedback: Feedback, product: Callable[[Array], Array] | None = None):
        self.blocks = game.blocks
        self.products = 0
        self._game = game
        self._product = product or game.payoffs
        self._exact = isinstance(feedback, Exact)
        self._learn = self._product if self._exact else feedback.begin(game)
        self._policy: tuple[Array, Array] | None = None
        self._last: tuple[Array, Array] | None = None

    def __call__(self, log_policy: Array) -> Array:
        """Payoffs as the feedback gives them, at a log-policy."""
        self.products += 1
        if self._exact and self._last is not None and self._last[0] is log_policy:
            return self._last[1]
        if self._policy is not None and self._policy[0] is log_policy:
            return self._learn(self._policy[1])
        return self._learn(namespace(log_policy).exp(log_policy))  # not remembered: an algorithm of somebody's own may write into what it asks about

    def policy(self, log_policy: Array) -> Array:
        """The probabilities of a log-policy that nobody writes into any more, taken once for the loop, its gap and the step that evaluates there next."""
        if self._policy is None or self._policy[0] is not log_policy:
            self._policy = (log_policy, namespace(log_policy).exp(log_policy))
        return self._policy[1]

    def gap(self, log_policy: Array) -> Array:
        """The exact duality gap at a log-policy, whatever the feedback; free where the algorithm evaluates there next."""
        self._last = (log_policy, self._product(self.policy(log_policy)))
        return self._game.gap_of_payoffs(self._last[1])
