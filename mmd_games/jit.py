"""Compiled functions: the one way in which numba is used here.

Importing this module imports numba, so it is imported where it is used. Compiling takes seconds, once a machine: the result is kept on disk, beside the sources or
where ``NUMBA_CACHE_DIR`` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

FLAGS = {"reassoc", "contract", "nsz", "arcp"}
"""Sums may be taken in any order and quotients by reciprocals; NaN and infinity keep their meaning."""


def compiled(function: Callable[..., Any]) -> Any:
    """A compiled function that lets other threads run meanwhile, kept on disk where that can be written."""
    options: dict[str, Any] = {"nogil": True, "fastmath": FLAGS, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no directory for the cache is writable
        return njit(**options)(function)


def joined(function: Callable[..., Any]) -> Any:
    """A compiled function that becomes part of the machine code of whatever calls it: a call with arrays costs as much as ten steps of three actions."""
    return njit(nogil=True, fastmath=FLAGS, error_model="numpy", forceinline=True)(function)


def comparing(function: Callable[..., Any]) -> Any:
    """The same for a function that only compares numbers, vector code where it may take none of them for NaN; what it returns among NaN is any number."""
    return njit(nogil=True, fastmath={*FLAGS, "nnan"}, error_model="numpy", forceinline=True)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """A function that is compiled into whatever calls it."""
    return njit(inline="always", error_model="numpy")(function)
