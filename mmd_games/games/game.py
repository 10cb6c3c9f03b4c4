"""What every game is: payoffs against a profile, and the duality gap."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import Self

import numpy as np

from mmd_games.arrays import Array, Blocks, block_max, block_slices, block_sum, namespace
from mmd_games.errors import InputError


class Game(ABC):
    """A two-player zero-sum game, seen through one profile array of all players' policies.

    Attributes
    ----------
    payoff_matrix : array (n, n) or (m, n)
        The game in its own units. A stack of games of one shape has leading batch axes; so have then all results.
    blocks : tuple of int
        Number of actions of each player; one block for a symmetric game, whose two players share one policy.
    labels : tuple of tuple of str, or None
        Names of the actions, a tuple a block.
    name : str
        What reports call the game.
    units : str
        What a payoff is measured in.
    """

    payoff_matrix: Array
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

    @property
    def actions(self) -> int:
        """Length of a profile: the actions of all blocks."""
        return sum(self.blocks)

    @property
    def scale(self) -> Array:
        """L, half the range of the payoffs: max|S| of a preference game.

        A constant added to a payoff matrix changes no method here, so half the range serves wherever theory writes max|A|, and is never larger.
        """
        xp = namespace(self.payoff_matrix)
        return xp.max(self.payoff_matrix, axis=(-2, -1)) / 2 - xp.min(self.payoff_matrix, axis=(-2, -1)) / 2

    @abstractmethod
    def payoffs(self, policy: Array) -> Array:
        """Payoff of every action of every player against the profile: (..., actions) → (..., actions), in the game's units."""

    @abstractmethod
    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """Payoffs of each action of player `block` against each of the drawn opponents' actions: (actions of block, len(opponents))."""

    def opponent_of(self, block: int) -> int:
        """The block from which the opponents of player `block` are drawn."""
        return len(self.blocks) - 1 - block

    def gap_of_payoffs(self, payoffs: Array) -> Array:
        """The duality gap of the profile whose payoffs these are: (..., actions) → (...)."""
        xp = namespace(payoffs)
        return self.players_per_block * xp.sum(block_max(payoffs, self.blocks), axis=-1)

    def describe(self) -> str:
        """One line: name, size, units and scale."""
        size = " × ".join(str(rows) for rows in self.payoff_matrix.shape[-2:])
        kind = "symmetric" if len(self.blocks) == 1 else "two players"
        return f"{self.name} ({size}, {kind}, {self.units}, L = {float(np.max(self.scale)):.6g})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.describe()}>"

    @classmethod
    def stack(cls, games: Sequence[Self]) -> Self:
        """Games of one shape as one game with a leading batch axis."""
        first = games[0]
        stacked = copy.copy(first)
        stacked.payoff_matrix = np.stack([game.payoff_matrix for game in games])
        stacked.name = f"{len(games)} games"
        return stacked


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
        One game, not a stack.
    policy : array (actions,)
        Probabilities of all players' actions.
    """
    policy = np.asarray(check_policy(game, policy), dtype=np.float64)
    if policy.ndim != 1 or game.payoff_matrix.ndim != 2:
        raise InputError("An exact gap is taken of one policy in one game, not of a batch.")
    matrix, matrix_unit = _integers(np.asarray(game.payoff_matrix))
    columns, _ = _integers(policy[block_slices(game.blocks)[-1]])
    rows, _ = _integers(policy[block_slices(game.blocks)[0]])
    best = Fraction(max((matrix @ columns).tolist()), sum(columns.tolist()))
    worst = Fraction(min((rows @ matrix).tolist()), sum(rows.tolist()))
    return (best - worst) * matrix_unit


def _integers(values: np.ndarray) -> tuple[np.ndarray, Fraction]:
    """Python integers and one power of two, whose products are exactly the given floats."""
    mantissas, exponents = np.frexp(values)
    whole = (mantissas * 2.0**53).astype(np.int64)
    exponents = np.where(whole == 0, np.max(exponents), exponents) - 53
    lowest = int(np.min(exponents))
    shifted = [int(number) << int(shift) for number, shift in zip(whole.flat, (exponents - lowest).flat, strict=True)]
    result = np.empty(values.size, dtype=object)
    result[:] = shifted
    return result.reshape(values.shape), Fraction(2) ** lowest
