"""Proven bounds on the rounding of payoffs, and products that are computed in more than float64 holds."""

from __future__ import annotations

from typing import Any

import numpy as np

UNIT = float(np.finfo(np.float64).eps) / 2
"""Unit roundoff u of float64."""
LONG_UNIT = float(np.finfo(np.longdouble).eps) / 2
"""Unit roundoff of NumPy's long double: 2⁻⁶⁴ on x86, that of float64 where there is nothing longer."""
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)
"""What underflow costs a product or a conversion, at most."""
SAFETY = 1.0 + 2.0**-18
"""Factor for the rounding of a bound itself, a sum of n positive terms with n below 10⁹; or for a policy, which sums to 1 within 1e-6."""
CHUNK = 2**17
"""Numbers worked on at a time: 2 MiB of long doubles, which stay in the cache."""


def gamma(terms: float, unit: float = UNIT) -> float:
    """γ = n·u/(1 − n·u): in any order of summation, an inner product of n terms is off by at most γ times the sum of its absolute values.

    References
    ----------
    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002, section 3.1.
    """
    return terms * unit / (1.0 - terms * unit)


def slices(count: int, width: int) -> list[slice]:
    """Stretches of `count` rows, of at most `CHUNK` numbers each (one row at least), where a row has `width` of them."""
    rows = max(1, CHUNK // max(1, width))
    return [slice(first, min(first + rows, count)) for first in range(0, count, rows)]


def certified_product(matrix: np.ndarray, weights: np.ndarray, largest: float) -> tuple[np.ndarray, float]:
    """The product of a float64 matrix and a vector, summed in long doubles, and a bound on the absolute error of every entry.

    Parameters
    ----------
    matrix : array (m, n)
    weights : array (n,)
    largest : float
        The largest absolute value in the matrix.
    """
    if largest == 0:
        return np.zeros(len(matrix)), 0.0
    played = np.flatnonzero(weights)
    factors = weights[played].astype(np.longdouble)
    product = np.empty(len(matrix))
    for rows in slices(len(matrix), len(played)):
        product[rows] = np.einsum("ij,j->i", matrix[rows].take(played, axis=1).astype(np.longdouble), factors)
    # Σ_j |M_ij·w_j| is at most max|M|·Σ|w|; the conversions to long doubles are exact.
    bound = gamma(len(played), LONG_UNIT) * largest * float(np.sum(np.abs(weights)))
    return product, float(rounded(product, bound, len(played)))


def certified_products(matrices: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`certified_product` for a stack of small matrices, each with its own vector: (games, m, n) and (games, n) → (games, m) and (games,)."""
    largest, terms = np.max(np.abs(matrices), axis=(1, 2)), weights.shape[-1]
    products = np.empty(matrices.shape[:2])
    for games in slices(len(matrices), matrices[0].size):
        products[games] = np.einsum("gij,gj->gi", matrices[games].astype(np.longdouble), weights[games].astype(np.longdouble))
    bound = gamma(terms, LONG_UNIT) * largest * np.sum(np.abs(weights), axis=-1)
    return products, np.where(largest > 0, rounded(products, bound, terms), 0.0)


def rounded(values: Any, bound: Any, underflows: float) -> Any:
    """What a bound on long-double sums becomes once they are rounded to the float64 `values`, (..., n), and so many products have underflown: (...)."""
    return SAFETY * (bound + UNIT * np.max(np.abs(values), axis=-1) + (underflows + 1) * SMALLEST)
