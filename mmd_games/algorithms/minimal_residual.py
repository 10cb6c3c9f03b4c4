r"""The linear system of a Newton step towards a regularised equilibrium, by products alone.

At the equilibrium of the game regularised towards a magnet ρ the logits are :math:`\log\rho + S\pi/\alpha` up to constants. With the residual r of that, Newton's
change u of the logits solves :math:`u - S\,C(\pi)\,u/\alpha = r`, :math:`C(\pi) = \mathrm{diag}\,\pi - \pi\pi^\top`. In the inner product
:math:`\langle u, v\rangle = u^\top C(\pi)\,v`, the covariance under the policy, the operator :math:`S\,C(\pi)` is skew, so the system is never singular: its
eigenvalues are :math:`1 \mp i\omega/\alpha`. Its residual is minimised there over the Krylov space of r, one product a dimension. Short recurrences exist for such
systems, and rounding makes them take several times as many products; here the basis is kept whole.
"""

from __future__ import annotations

import numpy as np

from mmd_games.algorithms.directions import centred, payoff_change
from mmd_games.algorithms.log_linear import PayoffOracle

EXHAUSTED = 1e-14
"""A new direction this small, relative to the largest that was met, is rounding: the space is exhausted."""


def newton_change(
    payoffs: PayoffOracle, log_policy: np.ndarray, payoff: np.ndarray, residual: np.ndarray, magnet_strength: float, accuracy: float, most: int
) -> np.ndarray:
    r"""The change of the logits, of mean zero under the policy.

    Parameters
    ----------
    payoffs : PayoffOracle
        Called once a dimension of the Krylov space.
    log_policy : array (n,)
    payoff : array (n,)
        :math:`S\pi`.
    residual : array (n,)
        r, finite.
    magnet_strength : float
        :math:`\alpha`.
    accuracy : float
        Stop when the residual of the system is this small, relative to r.
    most : int
        Dimensions at most, each of which keeps two vectors.

    Returns
    -------
    array (n,)
        :math:`r + S\,C(\pi)\,v/\alpha` with the minimiser v: one more application of the operator than v itself, which costs nothing, as the products are kept. It also
        makes the change right for actions so rare that the inner product does not see them.
    """
    weights = np.exp(log_policy)
    target = centred(residual, weights, payoffs.blocks)
    size = _norm(weights, target)
    if size == 0:
        return target
    basis, changes = np.empty((2, 8, len(target)))
    basis[0] = target / size
    triangle = _Triangle(size)
    for count in range(1, most + 1):
        if count == len(basis):
            basis, changes = (np.concatenate([rows, np.empty_like(rows)]) for rows in (basis, changes))
        last, known = count - 1, basis[:count]
        changes[last] = payoff_change(payoffs, log_policy, payoff, basis[last])
        image = centred(basis[last] - changes[last] / magnet_strength, weights, payoffs.blocks)
        overlaps = np.zeros(count)
        for _ in range(2):  # the second pass removes what rounding left of the first
            again = known @ (weights * image)
            overlaps, image = overlaps + again, image - again @ known
        rest = _norm(weights, image)
        if rest == 0 and not np.any(overlaps):
            break
        triangle.add(overlaps, rest)
        if abs(triangle.rest) <= accuracy * size or rest <= EXHAUSTED * np.max(np.abs(overlaps)):
            break
        basis[count] = image / rest
    return centred(target + triangle.coordinates() @ changes[: triangle.number] / magnet_strength, weights, payoffs.blocks)


class _Triangle:
    """The least-squares problem in the basis: a column a direction, brought to upper triangular form by one rotation each (Saad & Schultz, SIAM J. Sci. Stat. Comput. 7, 1986)."""

    def __init__(self, size: float):
        self._columns: list[np.ndarray] = []
        self._rotations: list[tuple[float, float]] = []
        self._wanted: list[float] = []
        self.rest = size
        """What remains of the right-hand side, up to its sign."""

    @property
    def number(self) -> int:
        """Directions so far."""
        return len(self._columns)

    def add(self, overlaps: np.ndarray, rest: float) -> None:
        """A new column: the image's overlaps with the basis, and the length of what is left of it."""
        column = overlaps.copy()
        for row, (cosine, sine) in enumerate(self._rotations):
            column[row : row + 2] = cosine * column[row] + sine * column[row + 1], cosine * column[row + 1] - sine * column[row]
        length = float(np.hypot(column[-1], rest))
        cosine, sine = float(column[-1]) / length, rest / length
        column[-1] = length
        self._columns.append(column)
        self._rotations.append((cosine, sine))
        self._wanted.append(cosine * self.rest)
        self.rest *= -sine

    def coordinates(self) -> np.ndarray:
        """The minimiser."""
        square = np.zeros((self.number, self.number))
        for index, column in enumerate(self._columns):
            square[: index + 1, index] = column
        return np.linalg.solve(square, np.array(self._wanted))


def _norm(weights: np.ndarray, values: np.ndarray) -> float:
    """Standard deviation of centred values under the policy."""
    return float(np.sqrt(np.sum(weights * values**2)))
