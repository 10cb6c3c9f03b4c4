"""What every game is: payoffs against a profile, and the duality gap."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from mmd_games.arrays import Array, Blocks, block_max, block_slices, block_sum, maximum, total
from mmd_games.errors import InputError
from mmd_games.games.integers import as_integers
from mmd_games.games.rounding import SAFETY, SMALLEST, UNIT


class Game(ABC):
    """A two-player zero-sum game, seen through one profile array of all players' policies.

    Attributes
    ----------
    blocks : tuple of int
        Number of actions of each player; one block for a symmetric game, whose two players share one policy.
    labels : tuple of tuple of str, or None
        Names of the actions, a tuple a block.
    name : str
        What reports call the game.
    units : str
        What a payoff is measured in.
    """

    blocks: Blocks
    labels: tuple[tuple[str, ...], ...] | None
    name: str
    units: str
    players_per_block: int
    """2 where one block stands for both players of a symmetric game, else 1."""
    value_offset: float = 0.0
    """What was taken off the user's entries: 1/2 for win probabilities."""
    notes: tuple[str, ...] = ()
    """What a reader of a report must know of how the game was read."""
    scale_is_exact: bool = True
    """Whether `scale` is L itself; otherwise it is an upper bound."""

    @property
    def actions(self) -> int:
        """Length of a profile: the actions of all blocks."""
        return sum(self.blocks)

    @property
    def is_stack(self) -> bool:
        """Whether this is a stack of games with leading batch axes."""
        return False

    @property
    @abstractmethod
    def scale(self) -> Array:
        """L, half the range of the payoffs; an upper bound where `scale_is_exact` is false."""

    @property
    @abstractmethod
    def largest_payoff(self) -> float:
        """Largest absolute value of a payoff, or a bound on it."""

    @property
    @abstractmethod
    def payoff_rounding(self) -> float:
        """Largest rounding error of an entry of :meth:`payoffs` against any policy, by a priori analysis."""

    @property
    @abstractmethod
    def rounding(self) -> float:
        """Largest error bound that :meth:`certified_payoffs` can give with any policy, by a priori analysis."""

    @abstractmethod
    def payoffs(self, policy: Array) -> Array:
        """Payoff of every action of every player against the profile: (..., actions) → (..., actions), in the game's units."""

    @abstractmethod
    def certified_payoffs(self, policy: Array) -> tuple[np.ndarray, float]:
        """Payoffs against one policy as accurately as they can be had, and a proven bound on the absolute error of every one of them.

        The bound is against the payoffs of exactly these float64 probabilities, which are not normalised.

        Parameters
        ----------
        policy : array (actions,)
        """

    @abstractmethod
    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """Payoffs of each action of player `block` against each of the drawn opponents' actions: (actions of block, len(opponents))."""

    @abstractmethod
    def table(self) -> np.ndarray:
        """The whole payoff matrix, (n, n) or (m, n), made on demand; refused where it would not fit into memory."""

    @abstractmethod
    def restricted(self, actions: Sequence[int] | np.ndarray) -> np.ndarray:
        """Payoffs of a symmetric game among the k listed actions: (k, k), exactly skew-symmetric, equal to those of :meth:`table` up to rounding."""

    def __add__(self, other: object) -> Game:
        """The game whose payoffs are the sum of two symmetric games' payoffs, a :class:`~mmd_games.games.SumGame`."""
        from mmd_games.games.implicit.sums import SumGame  # which imports this module

        return SumGame([self, other]) if isinstance(other, Game) else NotImplemented

    def opponent_of(self, block: int) -> int:
        """The block from which the opponents of player `block` are drawn."""
        return len(self.blocks) - 1 - block

    def gap_of_payoffs(self, payoffs: Array) -> Array:
        """The duality gap of the profile whose payoffs these are: (..., actions) → (...)."""
        if len(self.blocks) == 1:
            return self.players_per_block * maximum(payoffs)
        return self.players_per_block * total(block_max(payoffs, self.blocks))

    def describe(self) -> str:
        """One line: name, size, units and scale."""
        size = " × ".join(str(self.blocks[player]) for player in (0, -1))
        kind = "symmetric" if len(self.blocks) == 1 else "two players"
        return f"{self.name} ({size}, {kind}, {self.units}, L {'=' if self.scale_is_exact else '≤'} {float(np.max(self.scale)):.6g})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe()}>"


def require_symmetric(game: Game) -> None:
    """Refuse a game of two different players where only a symmetric one makes sense."""
    if len(game.blocks) != 1:
        raise InputError(f"{game.name} has two different players; a symmetric game was expected.")


def check_policy(game: Game, policy: Array) -> Array:
    """Return `policy` as an array, or refuse it: wrong length, negative, not finite, or a block that does not sum to 1.

    Parameters
    ----------
    policy : array (..., actions)
        Probabilities, a block a player, each summing to 1 within 1e-6.
    """
    if not hasattr(policy, "shape"):
        try:
            policy = np.asarray(policy, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"A policy is a list of probabilities ({error}).") from None
    if policy.ndim == 0 or policy.shape[-1] != game.actions:
        expected = " + ".join(map(str, game.blocks))
        length = 1 if policy.ndim == 0 else policy.shape[-1]
        raise InputError(f"The policy has {length} entries; {game.name} has {expected} actions.")
    entries = np.asarray(policy)
    if not np.all(np.isfinite(entries)) or np.any(entries < 0):
        where = tuple(np.argwhere(~(np.isfinite(entries) & (entries >= 0)))[0])
        raise InputError(f"Entry {where[-1] + 1} of the policy must be a probability, got {entries[where]}.")
    totals = np.asarray(block_sum(entries, game.blocks))
    if np.any(np.abs(totals - 1) > 1e-6):
        worst = float(totals.flat[np.argmax(np.abs(totals - 1))])
        raise InputError(f"The probabilities of a policy must sum to 1{' for each player' if len(game.blocks) > 1 else ''}; these sum to {worst:.9g}.")
    return policy


def duality_gap(game: Game, policy: Array) -> Array:
    """Duality gap (NashConv): what both players together could win by best responses.

    ``max_p pᵀPπ − min_q πᵀPq``: zero exactly at a Nash equilibrium, and twice what is elsewhere called exploitability.

    Parameters
    ----------
    game : Game
    policy : array (..., actions)
        Probabilities of all players' actions.

    Returns
    -------
    array (...)
        In the game's units.

    Raises
    ------
    InputError
        When the policy is not one of this game.

    Examples
    --------
    >>> import mmd_games as mg
    >>> game = mg.games.rock_paper_scissors()
    >>> round(float(mg.duality_gap(game, [1, 0, 0])), 12)
    0.6
    """
    return game.gap_of_payoffs(game.payoffs(check_policy(game, policy)))


def exact_gap(game: Game, policy: Array) -> Fraction:
    """Duality gap in rational arithmetic: a proof of how far a policy is from the Nash equilibrium, without a solver.

    Floats are dyadic rationals. The entries of ``game.payoff_matrix`` are taken as they stand, the probabilities are divided by their exact
    sum, and the gap is ``max_i (Ay)_i − min_j (xᵀA)_j`` without a rounding error.

    Parameters
    ----------
    game : Game
        One game, not a stack, whose payoff matrix is stored.
    policy : array (actions,)
        Probabilities of all players' actions.
    """
    policy = np.asarray(check_policy(game, policy), dtype=np.float64)
    if policy.ndim != 1 or game.is_stack:
        raise InputError("An exact gap is taken of one policy in one game, not of a batch.")
    stored = getattr(game, "payoff_matrix", None)
    if stored is None:
        raise InputError(f"{game.name} has no stored payoffs to be taken as exact; certified_gap bounds the gap in floating point.")
    matrix, matrix_unit = as_integers(np.asarray(stored, dtype=np.float64))
    rows, columns = (as_integers(policy[block_slices(game.blocks)[player]])[0].astype(object) for player in (0, -1))
    entries = matrix.astype(object)
    received = entries @ columns
    # Where both players hold the same weights, a skew table has the one pay what the other receives.
    paid = -received if len(game.blocks) == 1 and np.array_equal(matrix, -matrix.T) else rows @ entries
    best, worst = Fraction(max(received.tolist()), sum(columns.tolist())), Fraction(min(paid.tolist()), sum(rows.tolist()))
    return (best - worst) * matrix_unit


def certified_gap(game: Game, policy: Array) -> tuple[float, float]:
    """Duality gap in floating point, and a proven bound on its error.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    policy : array (actions,)
        Probabilities of all players' actions; as in :func:`exact_gap` the gap is that of the probabilities divided by their exact sum.

    Returns
    -------
    gap, error : float
        In the game's units; the exact gap is at most gap + error, and at least gap − error.
    """
    policy = np.asarray(check_policy(game, policy), dtype=np.float64)
    gap, error = gap_bound(game, policy, *game.certified_payoffs(policy))
    return float(gap), float(error)


def gap_bound(game: Game, policy: np.ndarray, payoffs: np.ndarray, error: Array) -> tuple[Array, Array]:
    """The duality gap that certified payoffs tell, and a bound on its error: (..., actions), (..., actions) and (...) → (...) each."""
    parts = block_slices(game.blocks)
    gap, bound = 0.0, 0.0
    for block, part in enumerate(parts):
        weights = policy[..., parts[game.opponent_of(block)]]
        total = np.array([math.fsum(row) for row in weights.reshape(-1, weights.shape[-1]).tolist()]).reshape(weights.shape[:-1])
        best = np.max(payoffs[..., part], axis=-1) / total
        gap = gap + best
        # The sum and the quotient are correctly rounded, and adding the players rounds once more.
        bound = bound + SAFETY * (error / total) + 4 * UNIT * np.abs(best) + SMALLEST
    return game.players_per_block * gap, game.players_per_block * bound
