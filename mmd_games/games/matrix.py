"""Two-player zero-sum matrix games of two different players."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmd_games.arrays import Array, block_slices, namespace
from mmd_games.errors import InputError
from mmd_games.games.table_game import TableGame
from mmd_games.games.tables import as_table, check_labels, coarse_notes


class MatrixGame(TableGame):
    """The row player draws i from x and receives ``payoffs[i, j]``; the column player draws j from y and pays it.

    A profile is one array of m + n probabilities, x then y.

    Parameters
    ----------
    payoffs : array (m, n)
        The row player's payoffs, in any units; at least 2 entries.
    row_labels, column_labels : sequence of str, optional
        Names of the actions.
    name : str, optional
        What reports call the game.

    Raises
    ------
    InputError
        For a table that is empty, ragged or not finite; the sentence names the entry.

    Examples
    --------
    >>> import mmd_games as mg
    >>> game = mg.MatrixGame([[1, -1, 0], [-1, 1, 2]])
    >>> game.blocks
    (2, 3)
    >>> float(mg.duality_gap(game, [0.5, 0.5, 0.5, 0.5, 0.0]))
    0.0
    """

    players_per_block = 1
    units = "payoff"

    def __init__(
        self,
        payoffs: Array,
        row_labels: Sequence[str] | None = None,
        column_labels: Sequence[str] | None = None,
        name: str = "a matrix game",
    ):
        table = as_table(payoffs, "payoff")
        rows, columns = table.shape
        if table.size < 2:
            raise InputError("The table is 1 × 1: a game needs at least two actions.")
        table.flags.writeable = False
        self.payoff_matrix = table
        self.notes = coarse_notes(payoffs, table)
        self.blocks = (rows, columns)
        self.name = name
        row_names = check_labels(list(map(str, range(rows))) if row_labels is None else row_labels, rows, "rows")
        column_names = check_labels(list(map(str, range(columns))) if column_labels is None else column_labels, columns, "columns")
        self.labels = None if row_labels is None and column_labels is None else (row_names, column_names)

    def payoffs(self, policy: Array) -> Array:
        """What each row receives against y, then what each column receives against x: Ay and −Aᵀx, for one profile or a batch."""
        rows, columns = block_slices(self.blocks)
        matrix = self.payoff_matrix
        if policy.ndim > 1 and not self.is_stack:
            return namespace(policy).concat([policy[..., columns] @ matrix.T, -(policy[..., rows] @ matrix)], axis=-1)
        received = (matrix @ policy[..., columns, None])[..., 0]
        paid = (policy[..., None, rows] @ matrix)[..., 0, :]
        return namespace(received).concat([received, -paid], axis=-1)

    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """What each action of player `block` receives against each drawn action of the other player."""
        return self.payoff_matrix[:, opponents] if block == 0 else -self.payoff_matrix[opponents].T
