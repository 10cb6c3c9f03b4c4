"""Functions whose operations keep their order, wherever they are compiled into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def ordered(function: Callable[..., Any]) -> Any:
    """A function that becomes part of whatever calls it, but not of the sums there, which the compiler may take in any order.

    Rearranged, x − k·a − k·b is x − k·(a + b), which loses what the two parts of log 2 are for, and (1 − w)·a + w·b is a + w·(b − a), which is no number where both are −∞.
    Divisions by one number may still be products with its reciprocal.
    """
    return njit(forceinline=True, fastmath={"arcp"}, error_model="numpy")(function)
