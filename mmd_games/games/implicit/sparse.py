"""Sparse games: most pairs of actions are even."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError
from mmd_games.games.implicit.base import ImplicitGame, one_policy
from mmd_games.games.rounding import CHUNK, LONG_UNIT, SAFETY, gamma, rounded
from mmd_games.games.tables import check_labels, place

SKEW_TOLERANCE = 1e-9
"""How far S + Sᵀ may be from 0, relative to the largest payoff."""


class SparseGame(ImplicitGame):
    """A symmetric zero-sum game from a sparse skew-symmetric payoff matrix, in its own units; a product costs its stored entries.

    Parameters
    ----------
    matrix : scipy.sparse matrix or array (n, n), of any format
        Row i holds what i receives. Entries at one place are added up. It becomes a float64 CSR array.
    labels : sequence of str, optional
        Names of the n actions.
    name : str, optional
        What reports call the game.

    Raises
    ------
    InputError
        When the matrix is not square, not finite, or not skew-symmetric within 1e-9 of its largest entry.

    Examples
    --------
    >>> from scipy.sparse import coo_array
    >>> wins = coo_array(([1.0, 1.0, 1.0], ([0, 1, 2], [1, 2, 0])), shape=(3, 3))
    >>> SparseGame(wins - wins.T, name="rock, paper, scissors")
    <SparseGame rock, paper, scissors (3 × 3, symmetric, payoff, L = 1)>
    """

    def __init__(self, matrix: Any, labels: Sequence[str] | None = None, name: str = "a sparse game"):
        given = _as_csr(matrix)
        super().__init__(given.shape[0], None, name)
        names = None if labels is None else check_labels(labels, self.actions, "actions")
        self.labels = None if names is None else (names,)
        wrong = np.flatnonzero(~np.isfinite(given.data))
        if len(wrong):
            row, column = _where(given, wrong[0])
            raise InputError(f"{place(row, column, names)} of the sparse matrix is {given.data[wrong[0]]}; every entry must be a finite number.")
        error = (given + given.T).tocsr()
        if error.nnz:
            worst = int(np.argmax(np.abs(error.data)))
            if abs(error.data[worst]) > SKEW_TOLERANCE * np.max(np.abs(given.data)):
                row, column = _where(error, worst)
                raise InputError(
                    f"A symmetric game needs S + Sᵀ = 0: {place(row, column, names)} and its mirror are {given[row, column]:.9g} and "
                    f"{given[column, row]:.9g} (for two different players use MatrixGame)."
                )
        self.matrix: Any = (given / 2 - given.T / 2).tocsr()
        """S, a scipy.sparse CSR array, exactly skew-symmetric."""
        self.matrix.eliminate_zeros()
        self.matrix.sort_indices()
        self.scale_is_exact = True
        self._longest_row = int(np.max(np.diff(self.matrix.indptr)))

    @property
    def scale(self) -> float:
        """L = max|S|."""
        return self._scale_bound()

    def _scale_bound(self) -> float:
        return float(np.max(np.abs(self.matrix.data), initial=0.0))

    def payoffs(self, policy: Array) -> np.ndarray:
        """Payoffs of every action against the policy, or against each of a batch: Sπ."""
        policies = np.asarray(policy, dtype=np.float64)
        if policies.ndim == 1:
            return self.matrix @ policies
        return np.ascontiguousarray((self.matrix @ policies.reshape(-1, self.actions).T).T).reshape(policies.shape)

    def certified_payoffs(self, policy: Array) -> tuple[np.ndarray, float]:
        """Payoffs summed in long doubles (80 bits on x86), with a proven bound on the error of every one."""
        probabilities = one_policy(policy, self)
        starts, received = self.matrix.indptr, np.zeros(self.actions)
        first = 0
        while first < self.actions:
            last = max(first + 1, int(np.searchsorted(starts, starts[first] + CHUNK, side="right")) - 1)
            stored = slice(int(starts[first]), int(starts[last]))
            products = self.matrix.data[stored].astype(np.longdouble) * probabilities[self.matrix.indices[stored]]
            filled = np.flatnonzero(np.diff(starts[first : last + 1])) + first
            if len(filled):  # reduceat would give an empty row the entry behind it
                received[filled] = np.add.reduceat(products, starts[filled] - starts[first])
            first = last
        bound = gamma(self._longest_row, LONG_UNIT) * self.scale * float(np.sum(np.abs(probabilities)))
        return received, rounded(received, bound, self._longest_row)

    @property
    def payoff_rounding(self) -> float:
        """γ_m·max|S|, m the number of entries in the longest row."""
        return SAFETY * gamma(self._longest_row) * self.scale

    @property
    def rounding(self) -> float:
        """As of :meth:`certified_payoffs` with all actions played."""
        return SAFETY**2 * rounded(SAFETY * self.scale, gamma(self._longest_row, LONG_UNIT) * self.scale, self._longest_row)

    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """Columns of S, one for each drawn opponent: (n, len(opponents))."""
        return -self.matrix[np.asarray(opponents)].toarray().T  # rows are cheaper to take than columns, and S is skew

    def restricted(self, actions: Sequence[int] | np.ndarray) -> np.ndarray:
        """Payoffs among the k listed actions: (k, k), exactly skew-symmetric."""
        chosen = np.asarray(actions)
        return self.matrix[chosen][:, chosen].toarray()


def _as_csr(matrix: Any) -> Any:
    """A square float64 CSR array without duplicates."""
    from scipy import sparse  # imported where it is used

    if not sparse.issparse(matrix):
        raise InputError(f"A sparse game needs a scipy.sparse matrix, got {type(matrix).__name__} (PreferenceGame.from_payoffs takes a dense table).")
    if matrix.dtype.kind not in "biuf":
        raise InputError(f"The sparse matrix has entries of type {matrix.dtype}; real numbers were expected.")
    if len(matrix.shape) != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(f"The sparse matrix is not square: its shape is {tuple(map(int, matrix.shape))} (for two different players use MatrixGame).")
    csr: Any = sparse.csr_array(matrix, dtype=np.float64, copy=True)
    csr.sum_duplicates()
    return csr


def _where(csr: Any, entry: int) -> tuple[int, int]:
    """Row and column of a stored entry."""
    return int(np.searchsorted(csr.indptr, entry, side="right")) - 1, int(csr.indices[entry])
