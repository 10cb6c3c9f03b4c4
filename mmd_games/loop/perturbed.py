r"""Payoffs of another table than the game's: one with noise, or one with entries that an adversary has flipped.

**How far wrong an answer can be.** For two tables and every policy π,

.. math:: |\mathrm{gap}'(\pi) - \mathrm{gap}(\pi)| \le 2\,\|P' - P\|_{\max} .

Proof: the gap of a symmetric game is 2·max_i (Sπ)_i. A maximum moves by no more than the largest of its terms, and (S'π − Sπ)_i is an average, with the weights π, of
entries of S' − S. Of two players, gap = max(Ay) + max(−Aᵀx): each term moves by at most max|A' − A|. So a run that finds an equilibrium of the table that it was
told is within 2·max|P' − P| of one of the real game. A policy attains it where the entry that is wrong is that of the best reply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from mmd_games.arrays import Array, block_slices
from mmd_games.errors import InputError, require_positive, require_share, require_whole
from mmd_games.games.game import Game
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.preference import PreferenceGame

When = Literal["once", "always"]
"""Whether the table is changed once, before the first product, or anew at every one."""
SAME = 1e-12
"""What two entries are worth counts as equal where it differs by less than this part of the largest."""


def number_of(share: float, of: int, what: str) -> int:
    """A share of so many things, rounded down to a whole number of them.

    Raises
    ------
    InputError
        Where that is none: a run would be called corrupted that is not.
    """
    number = int(share * of * (1 + 4 * np.finfo(np.float64).eps))  # 0.29·100 is 28.999…
    if number == 0:
        raise InputError(f"A share of {share:g} of {of:,} {what} is none; at least {1 / of:.2g} would be one.")
    return number


def _require_when(when: str) -> None:
    if when not in get_args(When):
        raise InputError(f"when must be one of {', '.join(get_args(When))}, got {when!r}.")


def gap_difference_bound(game: Game, other: Game) -> float:
    """The most by which the duality gaps of one policy in two games can differ, 2·max|P' − P|; the proof stands above.

    Parameters
    ----------
    game, other : Game
        With as many actions.

    Raises
    ------
    InputError
        Where they have not.
    """
    if game.blocks != other.blocks:
        raise InputError(f"Two games with the same actions can be compared; {game.name} has {game.blocks} and {other.name} has {other.blocks}.")
    return 2.0 * float(np.max(np.abs(other.table() - game.table())))


@dataclass(frozen=True, kw_only=True)
class Noisy:
    """Payoffs of the game's table plus noise: every entry uniform on ±scale·L, its mirror in a symmetric game the opposite.

    Parameters
    ----------
    scale : float
        Largest noise, relative to L.
    when : {"once", "always"}
        One table for the whole run, or another at every product.
    seed : int
        Seed of the run; the same seed gives the same run.
    """

    scale: float = 0.1
    when: When = "always"
    seed: int = 0

    def __post_init__(self) -> None:
        require_positive(scale=self.scale)
        require_whole(minimum=0, seed=self.seed)
        _require_when(self.when)

    def begin(self, game: Game) -> _Told:
        """A run's own tables, from the seed."""
        generator, table = np.random.default_rng(self.seed), game.table()
        reach = self.scale * float(game.scale)

        def noisy(policy: np.ndarray) -> np.ndarray:
            noise = generator.uniform(-reach, reach, table.shape)
            if len(game.blocks) == 1:
                noise = np.triu(noise, 1)
                noise = noise - noise.T
            return table + noise

        return _Told(game, noisy, self.when)

    def told(self, game: Game, policy: Array) -> Game:
        """The game of the first table, which with ``when="once"`` is the only one."""
        return self.begin(game).game_at(policy)


@dataclass(frozen=True, kw_only=True)
class Corrupted:
    """Payoffs of the game's table with a share of its entries flipped by an adversary who sees the policy.

    A flipped entry says the opposite: P becomes 1 − P, in a symmetric game its mirror too, and an entry of another table is reflected in the middle of the table's range. Of all choices
    of so many entries or fewer the adversary takes the one that makes the told payoffs point away from the true ones the most (lowest inner product with them, their mean under the policy
    taken off); where that is the same for all, as at an equilibrium, the entries that move the payoffs most.

    Parameters
    ----------
    share : float
        Of the pairs of actions, at most; rounded down to a whole number of them, at least one.
    when : {"once", "always"}
        Flipped once, for the policy of the first product, or anew for every one.
    """

    share: float
    when: When = "always"

    def __post_init__(self) -> None:
        require_share(share=self.share)
        _require_when(self.when)

    def begin(self, game: Game) -> _Told:
        """A run's own adversary."""
        table, symmetric = game.table(), len(game.blocks) == 1
        flipped = -table if symmetric else float(table.max()) + float(table.min()) - table
        pairs = np.triu(np.ones(table.shape, dtype=bool), 1) if symmetric else np.ones(table.shape, dtype=bool)
        number = number_of(self.share, int(np.count_nonzero(pairs)), "pairs of actions")
        parts = block_slices(game.blocks)

        def corrupted(policy: np.ndarray) -> np.ndarray:
            true = game.payoffs(policy)
            towards = np.concatenate([true[part] - policy[part] @ true[part] for part in parts])
            rows, columns = parts[0], parts[-1]
            # What an entry moves the payoffs by, row and column, and what that is worth: the column player, or the mirror, loses what the row gains.
            change = flipped - table
            worth = change * (np.outer(towards[rows], policy[columns]) - np.outer(policy[rows], towards[columns]))
            size = np.abs(change) * np.add.outer(policy[rows], policy[columns])
            steps = np.round(worth[pairs] / (SAME * (float(np.max(np.abs(worth[pairs]))) or 1.0)))
            order = np.lexsort((-size[pairs], steps))[:number]
            chosen = np.zeros(table.shape, dtype=bool)
            chosen[pairs] = np.isin(np.arange(len(steps)), order[steps[order] <= 0])
            chosen = chosen | chosen.T if symmetric else chosen
            return np.where(chosen, flipped, table)

        return _Told(game, corrupted, self.when)

    def told(self, game: Game, policy: Array) -> Game:
        """The game that a run is told of which first evaluates this policy; with ``when="once"`` for good."""
        return self.begin(game).game_at(policy)


class _Told:
    """The function policy → payoffs of the table that is told.

    Parameters
    ----------
    game : Game
    table_at : callable policy → table
    when : {"once", "always"}
    """

    def __init__(self, game: Game, table_at: Callable[[np.ndarray], np.ndarray], when: When):
        self._game, self._table_at, self._when = game, table_at, when
        self._parts = block_slices(game.blocks)
        self._table: np.ndarray | None = None

    def __call__(self, policy: np.ndarray) -> np.ndarray:
        table = self._at(policy)
        received = table @ policy[self._parts[-1]]
        return received if len(self._parts) == 1 else np.concatenate([received, -(table.T @ policy[self._parts[0]])])

    def game_at(self, policy: Array) -> Game:
        """The game that is told of, where this policy is the next to be evaluated."""
        table, name = self._at(np.asarray(policy, dtype=np.float64)), f"{self._game.name}, as told"
        return PreferenceGame.from_payoffs(table, name=name) if len(self._parts) == 1 else MatrixGame(table, name=name)

    def _at(self, policy: np.ndarray) -> np.ndarray:
        if self._table is None or self._when == "always":
            self._table = self._table_at(policy)
        return self._table
