"""Games of low rank: the payoff is a skew form of two embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError
from mmd_games.games.implicit.base import ImplicitGame, one_policy
from mmd_games.games.rounding import LONG_UNIT, SAFETY, UNIT, gamma, rounded, slices
from mmd_games.games.tables import as_table, place

SKEW_TOLERANCE = 1e-9
"""How far R + Rᵀ may be from 0, relative to the largest entry of R."""


class LowRankGame(ImplicitGame):
    r"""Every action has an embedding :math:`v_i`, and i receives :math:`S_{ij} = \langle R v_i, v_j \rangle` against j, R skew-symmetric.

    Payoffs of a policy cost O(nd) for n embeddings of d dimensions: :math:`S\pi = V R^\top V^\top \pi`. The n × n table is never formed.

    Parameters
    ----------
    embeddings : array (n, d)
        float32 is kept as it is and float64 too, both without a copy, so do not write to the array later; all else becomes float64. Arithmetic is in
        float64, by chunks.
    mixing : array (d, d), optional
        R, skew-symmetric within 1e-9 of its largest entry; default block-diagonal with blocks [[0, −1], [1, 0]], for which d must be even: then the
        payoff is the sum of the areas :math:`v_{i1} v_{j2} - v_{i2} v_{j1}` over the pairs of coordinates.
    labels : sequence of str, optional
        Names of the n actions.
    name : str, optional
        What reports call the game.

    Raises
    ------
    InputError
        For embeddings that are no n × d table of finite numbers (the sentence names the entry), or a mixing matrix of another size or not skew.

    References
    ----------
    Zhang et al., General Preference Modeling with Preference Representations for Aligning Language Models, arXiv 2410.02197.

    Examples
    --------
    >>> import numpy as np
    >>> angles = 2 * np.pi * np.arange(5) / 5
    >>> game = LowRankGame(np.column_stack([np.cos(angles), np.sin(angles)]), name="pentagon")
    >>> game
    <LowRankGame pentagon (5 × 5, symmetric, payoff, L = 0.951057)>
    >>> float(np.max(np.abs(game.payoffs(np.full(5, 0.2))))) < 1e-15
    True
    """

    def __init__(self, embeddings: Array, mixing: Array | None = None, labels: Sequence[str] | None = None, name: str = "a low-rank game"):
        self.embeddings = _as_embeddings(embeddings)
        rows, self.dimensions = self.embeddings.shape
        super().__init__(rows, labels, name)
        self.mixing = _block_mixing(self.dimensions) if mixing is None else _as_mixing(mixing, self.dimensions)
        squares = np.array([np.max(_squares(self.chunk(part), part.start)) for part in self._slices()])
        self.reach = SAFETY * float(np.sqrt(np.max(squares)))
        """Largest Euclidean norm of an embedding."""
        # The norm of |R| is at most its largest row sum, |R| being symmetric.
        with np.errstate(over="ignore"):
            self.largest_product = SAFETY * self.reach**2 * float(np.max(np.sum(np.abs(self.mixing), axis=1)))
        """Bound on Σ |v_ik|·|R_lk|·|v_jl| for every i and j, which rounding errors are relative to."""
        if not np.isfinite(self.largest_product):
            raise InputError(f"The payoffs of {name} overflow: embeddings of norm {self.reach:.3g} and this mixing are too large.")

    def _slices(self) -> list[slice]:
        return slices(self.actions, self.dimensions)

    def chunk(self, rows: slice | np.ndarray) -> np.ndarray:
        """Some of the embeddings in float64."""
        return np.asarray(self.embeddings[rows], dtype=np.float64)

    def opponents(self, actions: np.ndarray) -> np.ndarray:
        """What an embedding is multiplied with for its payoff against each of these actions, Rᵀv_j: (len(actions), d)."""
        return self.chunk(actions) @ self.mixing

    def payoffs(self, policy: Array) -> np.ndarray:
        """Payoffs of every action: V(Rᵀ(Vᵀπ)), for one policy or a batch."""
        policies = np.asarray(policy, dtype=np.float64)
        mean = np.zeros((*policies.shape[:-1], self.dimensions))
        for rows in self._slices():
            if np.any(policies[..., rows]):
                mean += policies[..., rows] @ self.chunk(rows)
        opponent = mean @ self.mixing
        received = np.empty_like(policies)
        for rows in self._slices():
            received[..., rows] = opponent @ self.chunk(rows).T
        return received

    def certified_payoffs(self, policy: Array) -> tuple[np.ndarray, float]:
        """Payoffs summed in long doubles (80 bits on x86) over the support, with a proven bound on the error of every one."""
        probabilities = one_policy(policy, self)
        played = np.flatnonzero(probabilities)
        mean, size = np.zeros(self.dimensions, dtype=np.longdouble), np.zeros(self.dimensions)
        for part in slices(len(played), self.dimensions):
            weights, embeddings = probabilities[played[part]], self.chunk(played[part])
            mean += np.einsum("j,jk->k", weights.astype(np.longdouble), embeddings.astype(np.longdouble))
            size += np.abs(weights) @ np.abs(embeddings)
        opponent = np.einsum("l,lk->k", mean, self.mixing.astype(np.longdouble))
        received = np.empty(self.actions)
        for rows in self._slices():
            received[rows] = np.einsum("ik,k->i", self.chunk(rows).astype(np.longdouble), opponent)
        # Nested sums, relative to Σ |v_ik|·|R_lk|·Σ_j |v_jl|p_j ≤ ‖v_i‖·‖|R|ᵀΣ_j|v_j|p_j‖.
        terms = self._terms(len(played))
        bound = gamma(terms, LONG_UNIT) * self.reach * float(np.linalg.norm(size @ np.abs(self.mixing)))
        return received, rounded(received, bound, terms * self._underflow())

    @property
    def payoff_rounding(self) -> float:
        """γ of the three nested sums, the longest of which goes by chunks, times the largest sum of absolute products."""
        return SAFETY**2 * gamma(self._terms(self.actions)) * self.largest_product

    @property
    def rounding(self) -> float:
        """As of :meth:`certified_payoffs` with all actions played."""
        terms = self._terms(self.actions)
        return SAFETY**2 * rounded(SAFETY * self.largest_product, gamma(terms, LONG_UNIT) * self.largest_product, terms * self._underflow())

    def _terms(self, support: int) -> int:
        """Most roundings that one term of a payoff passes: of the sum over a chunk, over the chunks, and twice over the dimensions."""
        parts = slices(support, self.dimensions)
        return max((part.stop - part.start for part in parts), default=0) + len(parts) + 2 * self.dimensions

    def _underflow(self) -> float:
        """What the two outer products make of an underflow in the inner one."""
        return (1 + self.reach) * (1 + float(np.max(np.sum(np.abs(self.mixing), axis=1)))) * self.dimensions

    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """Columns of S, one for each drawn opponent: (n, len(opponents))."""
        factors = self.opponents(np.asarray(opponents)).T
        columns = np.empty((self.actions, factors.shape[1]))
        for rows in self._slices():
            columns[rows] = self.chunk(rows) @ factors
        return columns

    def restricted(self, actions: Sequence[int] | np.ndarray) -> np.ndarray:
        """Payoffs among the k listed actions: (k, k), exactly skew-symmetric."""
        chosen = self.chunk(np.asarray(actions))
        # R is T − Tᵀ for its lower triangle T, so S is one product less its transpose.
        product = chosen @ np.tril(self.mixing).T @ chosen.T
        return product - product.T

    def _scale_bound(self) -> float:
        """Cauchy and Schwarz: the longest Rv times the longest v."""
        longest = max(float(np.max(_squares(self.chunk(rows) @ self.mixing, rows.start))) for rows in self._slices())
        return SAFETY * self.reach * float(np.sqrt(longest)) + SAFETY * gamma(self.dimensions, UNIT) * self.largest_product


def _as_embeddings(embeddings: Array) -> np.ndarray:
    """A read-only n × d array of float32 or float64."""
    try:
        array = np.asarray(embeddings)
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise InputError(f"The embeddings must be a table of numbers, a row an action ({error}).") from None
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"The embeddings must be a table, a row an action and a column a dimension; got an array of shape {array.shape}.")
    array = array.view()
    array.flags.writeable = False
    return array


def _squares(rows: np.ndarray, first: int) -> np.ndarray:
    """Squared norms of some rows, the first of which has this number; entries that are not finite are refused by place."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", rows, rows)
    if not np.all(np.isfinite(squares)):
        row = int(np.argmin(np.isfinite(squares)))
        column = int(np.argmax(np.where(np.isnan(rows[row]), np.inf, np.abs(rows[row]))))
        raise InputError(f"{place(first + row, column)} of the embeddings is {rows[row, column]}; every entry must be a finite number, its square too.")
    return squares


def _block_mixing(dimensions: int) -> np.ndarray:
    """R of the general preference model: blocks [[0, −1], [1, 0]]."""
    if dimensions % 2:
        raise InputError(f"The embeddings have {dimensions} dimensions, which do not pair up: give an even number of them, or a skew mixing matrix.")
    first = np.arange(0, dimensions, 2)
    mixing = np.zeros((dimensions, dimensions))
    mixing[first, first + 1], mixing[first + 1, first] = -1.0, 1.0
    return mixing


def _as_mixing(mixing: Array, dimensions: int) -> np.ndarray:
    """R as given, made skew-symmetric to the last bit; refused where it is not nearly so."""
    table = as_table(mixing, "mixing")
    if table.shape != (dimensions, dimensions):
        rows, columns = table.shape
        raise InputError(f"The mixing matrix is {rows} × {columns}, but embeddings of {dimensions} dimensions need one of {dimensions} × {dimensions}.")
    error = np.abs(table + table.T)
    row, column = map(int, np.unravel_index(np.argmax(error), error.shape))
    if error[row, column] > SKEW_TOLERANCE * np.max(np.abs(table)):
        raise InputError(
            f"The mixing matrix must be skew-symmetric, R + Rᵀ = 0: {place(row, column)} and its mirror are {table[row, column]:.9g} and "
            f"{table[column, row]:.9g}; (R − Rᵀ)/2 would be."
        )
    return table / 2 - table.T / 2
