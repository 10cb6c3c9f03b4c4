r"""The linear algebra of a game's self-dual program: products with its skew matrix K, and Newton systems :math:`(D - K)\,u = b`.

A symmetric game with payoffs S has K = S. A matrix game with payoffs A has, for z = (x, y, t) and a constant c that makes A + c positive,

.. math:: K = \begin{pmatrix} 0 & A + c & -1 \\ -(A + c)^\top & 0 & 1 \\ 1^\top & -1^\top & 0 \end{pmatrix},

whose solutions z ≥ 0, Kz ≤ 0 are the equilibria (x, y), with t the value of A + c (Dantzig; Goldman and Tucker). D is diagonal and positive, so D − K is never singular.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from mmd_games.equilibria.solvers.factors import factorise, lapack

SHIFT = 2.0
"""c: entries of A lie in [−1, 1], those of A + c in [1, 3]."""
LARGEST_SYSTEM = 6000
"""Unknowns up to which the whole system of a matrix game is factorised where the reduced one is too rough."""
REFINEMENTS = 8
"""Corrections of a solution before its factorisation counts as too rough."""


class System(ABC):
    """The skew matrix K of a game whose payoffs lie in [−1, 1], and the factors of D − K.

    Attributes
    ----------
    size : int
        Order of K.
    """

    size: int
    _diagonal: np.ndarray

    @abstractmethod
    def multiply(self, point: np.ndarray) -> np.ndarray:
        """Kz."""

    @abstractmethod
    def dense(self) -> np.ndarray:
        """K itself."""

    def block(self, actions: np.ndarray) -> np.ndarray:
        """K between the listed unknowns."""
        return self.dense()[np.ix_(actions, actions)]

    @abstractmethod
    def players(self, point: np.ndarray) -> list[np.ndarray]:
        """The part of a point that belongs to each player."""

    def policy(self, point: np.ndarray) -> np.ndarray:
        """The policy, a block a player, that a point stands for."""
        return np.concatenate([player / player.sum() for player in self.players(point)])

    @abstractmethod
    def gap(self, policy: np.ndarray) -> float:
        """Duality gap of a policy."""

    @abstractmethod
    def point(self, policy: np.ndarray) -> np.ndarray:
        """The point of a policy, with a sum of 1."""

    def start(self) -> np.ndarray:
        """The point of the uniform policy."""
        return self.point(np.concatenate([np.full(len(player), 1 / len(player)) for player in self.players(np.ones(self.size))]))

    @abstractmethod
    def factorise(self, diagonal: np.ndarray) -> None:
        """Factorise D − K, as roughly as is allowed."""

    @abstractmethod
    def sharpen(self) -> bool:
        """Factorise the same D − K, and all later ones, more accurately; False where there is nothing more accurate."""

    @abstractmethod
    def _solve(self, right: np.ndarray) -> np.ndarray:
        """(D − K)⁻¹ b by the factors alone."""

    def solve(self, right: np.ndarray, weights: np.ndarray, tolerance: float) -> np.ndarray:
        """(D − K)⁻¹ b, corrected until max|weights · residual| ≤ tolerance; by sharper factors, or as near as can be, where corrections do not get there."""
        best, least = np.zeros_like(right), np.inf
        with np.errstate(all="ignore"):  # factors that overflow are too rough
            while True:
                solution, worst = np.zeros_like(right), np.inf
                residual = right
                for _ in range(REFINEMENTS):
                    solution = solution + self._solve(residual)
                    residual = right - (self._diagonal * solution - self.multiply(solution))
                    last, worst = worst, float(np.max(np.abs(weights * residual)))
                    if worst < least:
                        best, least = solution, worst
                    if worst <= tolerance or not worst < 0.5 * last:
                        break
                if least <= tolerance or not self.sharpen():
                    return best


class SymmetricSystem(System):
    """K = S: an LU factorisation of order n, in single precision while that is good enough."""

    def __init__(self, matrix: np.ndarray):
        self._matrix, self.size = matrix, len(matrix)
        self._single = self.size >= 64
        self._rounded: np.ndarray | None = None

    def multiply(self, point: np.ndarray) -> np.ndarray:
        """Sp."""
        return self._matrix @ point

    def dense(self) -> np.ndarray:
        """S."""
        return self._matrix

    def players(self, point: np.ndarray) -> list[np.ndarray]:
        """The one block."""
        return [point]

    def point(self, policy: np.ndarray) -> np.ndarray:
        """The policy itself."""
        return policy

    def gap(self, policy: np.ndarray) -> float:
        """2·max Sp."""
        return 2 * float(np.max(self._matrix @ policy))

    def factorise(self, diagonal: np.ndarray) -> None:
        """LU of D − S, in single precision at first."""
        self._diagonal = diagonal
        # Transposing a skew matrix changes its sign: Fortran's order of −S is that of S in memory, so D + S is factorised and solved transposed.
        if self._single:
            if self._rounded is None:
                self._rounded = self._matrix.astype(np.float32)
            matrix = self._rounded.copy()
        else:
            matrix = self._matrix.copy()
        matrix[np.arange(self.size), np.arange(self.size)] = diagonal
        self._factors = factorise(matrix.T)

    def sharpen(self) -> bool:
        """Turn to double precision."""
        if not self._single:
            return False
        self._single, self._rounded = False, None
        self.factorise(self._diagonal)
        return True

    def _solve(self, right: np.ndarray) -> np.ndarray:
        return self._factors.solve(right)


def two_player_skew(matrix: np.ndarray) -> np.ndarray:
    """K of matrix games, with the entries of A + c rounded: (..., m, n) → (..., m + n + 1, m + n + 1)."""
    *games, rows, columns = matrix.shape
    skew = np.zeros((*games, rows + columns + 1, rows + columns + 1))
    skew[..., :rows, rows:-1], skew[..., :rows, -1], skew[..., rows:-1, -1] = matrix + SHIFT, -1, 1
    return skew - np.swapaxes(skew, -2, -1)


class TwoPlayerSystem(System):
    """K of a matrix game: a Cholesky factorisation of the order of the player with fewer actions, or LU of the whole where that is too rough."""

    def __init__(self, matrix: np.ndarray):
        rows, columns = matrix.shape
        self._matrix, self._rows, self.size = matrix, rows, rows + columns + 1
        self._whole = False
        # With x the player of more actions, D_y + (A+c)ᵀ D_x⁻¹ (A+c) remains for the other; t is a border.
        x, y = slice(0, rows), slice(rows, -1)
        self._parts, self._sign = ((x, y), 1.0) if rows >= columns else ((y, x), -1.0)
        self._coupling = matrix + SHIFT if rows >= columns else -(matrix.T + SHIFT)  # M = [[D_x, −C, s], [Cᵀ, D_y, −s], [−s, s, d]], s the sign

    def multiply(self, point: np.ndarray) -> np.ndarray:
        """(A + c)y − t, t − (A + c)ᵀx and Σx − Σy; c is added to the products, not to the entries, whose digits it would cost."""
        x, y, t = point[: self._rows], point[self._rows : -1], point[-1]
        x_sum, y_sum = x.sum(), y.sum()
        return np.concatenate([self._matrix @ y + (SHIFT * y_sum - t), t - SHIFT * x_sum - x @ self._matrix, [x_sum - y_sum]])

    def dense(self) -> np.ndarray:
        """K, with the entries of A + c rounded."""
        return two_player_skew(self._matrix)

    def block(self, actions: np.ndarray) -> np.ndarray:
        """K between the listed unknowns, in increasing order; the last one is t."""
        x, y = actions[actions < self._rows], actions[(actions >= self._rows) & (actions < self.size - 1)] - self._rows
        return two_player_skew(self._matrix[np.ix_(x, y)])[: len(actions), : len(actions)]

    def players(self, point: np.ndarray) -> list[np.ndarray]:
        """The policies of both, x then y, not normalised."""
        return [point[: self._rows], point[self._rows : -1]]

    def point(self, policy: np.ndarray) -> np.ndarray:
        """x, y and the middle of what they guarantee."""
        x, y = policy[: self._rows], policy[self._rows :]
        value = SHIFT + (np.max(self._matrix @ y) + np.min(x @ self._matrix)) / 2
        point = np.append(policy, value)
        return point / point.sum()

    def gap(self, policy: np.ndarray) -> float:
        """What the best answers win: max Ay − min Aᵀx."""
        return float(np.max(self._matrix @ policy[self._rows :]) - np.min(policy[: self._rows] @ self._matrix))

    def factorise(self, diagonal: np.ndarray) -> None:
        """Cholesky of what remains when x, or y if it is longer, is eliminated; LU of the whole where that fails."""
        self._diagonal = diagonal
        if self._whole:
            self._factors = factorise(np.asfortranarray(np.diag(diagonal) - self.dense()))
            return
        (first, second), shifted = self._parts, self._coupling
        self._inverse = 1 / diagonal[first]
        root = np.sqrt(self._inverse)[:, None] * shifted
        reduced = root.T @ root
        reduced[np.arange(len(reduced)), np.arange(len(reduced))] += diagonal[second]
        self._reduced, failed = lapack().dpotrf(reduced, lower=1, overwrite_a=1)
        if failed:
            self._corner = np.nan  # no solution by these factors is finite
            self.sharpen()
            return
        # The column and the row of t, once y is all that is left beside it.
        weighted = self._sign * (self._inverse @ shifted)
        self._column, self._row = -weighted - self._sign, self._sign - weighted
        self._border = lapack().dpotrs(self._reduced, self._column, lower=1)[0]
        self._corner = diagonal[-1] + self._inverse.sum() - self._row @ self._border

    def sharpen(self) -> bool:
        """Turn to the whole system."""
        if self._whole or self.size > LARGEST_SYSTEM:
            return False
        self._whole = True
        self.factorise(self._diagonal)
        return True

    def _solve(self, right: np.ndarray) -> np.ndarray:
        if self._whole:
            return self._factors.solve(right)
        if np.isnan(self._corner):
            return np.full_like(right, np.nan)
        first, second = self._parts
        scaled = self._inverse * right[first]
        y = lapack().dpotrs(self._reduced, right[second] - scaled @ self._coupling, lower=1)[0]
        t = (right[-1] + self._sign * scaled.sum() - self._row @ y) / self._corner
        y = y - t * self._border
        solution = np.empty_like(right)
        solution[first] = scaled + self._inverse * (self._coupling @ y - self._sign * t)
        solution[second], solution[-1] = y, t
        return solution
