"""LAPACK's factorisations, through SciPy, which is imported where they are first used."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Factors(NamedTuple):
    """P·L·U of a matrix of either precision."""

    matrix: np.ndarray
    pivots: np.ndarray
    singular: bool

    def solve(self, right: np.ndarray) -> np.ndarray:
        """The solution of one system, in float64; the right-hand side is scaled, so that single precision does not overflow."""
        largest = float(np.max(np.abs(right))) or 1.0
        back = lapack().sgetrs if self.matrix.dtype == np.float32 else lapack().dgetrs
        return back(self.matrix, self.pivots, right / largest)[0].astype(np.float64) * largest


def lapack() -> Any:
    """SciPy's module of LAPACK routines, which has no types."""
    from scipy.linalg import lapack as routines

    return routines


def factorise(matrix: np.ndarray) -> Factors:
    """LU with partial pivoting of a matrix in Fortran's order, which is overwritten."""
    routine = lapack().sgetrf if matrix.dtype == np.float32 else lapack().dgetrf
    factors, pivots, info = routine(matrix, overwrite_a=1)
    return Factors(factors, pivots, info != 0)
