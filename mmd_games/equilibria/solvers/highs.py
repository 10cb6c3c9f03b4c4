"""The one call of HiGHS: its options, the same for every program of this room."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

FEASIBILITY = 1e-10
"""The tightest tolerance HiGHS accepts, on constraints and bounds."""

SMALLEST_ENTRY = 1e-12
"""Matrix entries below this are dropped: the smallest that HiGHS accepts for it; by default it would drop those below 1e-9."""


def minimise(costs: np.ndarray, *, matrix: np.ndarray, at_most: np.ndarray, equation: np.ndarray, equals: float, bounds: np.ndarray) -> OptimizeResult:
    """Minimise ``costs @ z`` subject to ``matrix @ z ≤ at_most``, ``equation @ z = equals`` and bounds.

    Parameters
    ----------
    costs, equation : array (variables,)
    matrix : array (constraints, variables)
        Best with entries of size 1: the tolerances are absolute.
    at_most : array (constraints,)
    equals : float
    bounds : array (variables, 2)
        Lower and upper bound of each variable, infinite where there is none.

    Returns
    -------
    scipy.optimize.OptimizeResult
        Its ``success`` says whether there is a solution; nothing is raised when there is none.
    """
    from scipy.optimize import OptimizeWarning, linprog  # imported where it is used: it takes longer than all the rest of the library

    options = {"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY, "small_matrix_value": SMALLEST_ENTRY}
    with warnings.catch_warnings():
        # SciPy hands small_matrix_value on to HiGHS, but warns that it does not know it.
        warnings.simplefilter("ignore", OptimizeWarning)
        return linprog(costs, A_ub=matrix, b_ub=at_most, A_eq=equation[None], b_eq=[equals], bounds=bounds, method="highs", options=options)
