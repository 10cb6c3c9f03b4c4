"""One BLAS thread a cell, wherever it runs: sums are then taken in one order, and a cell gives the same bits in one process or in many."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


def limit_threads() -> Any:
    """Leave this process's BLAS one thread for good: for processes that run cells and nothing else. Returns what would give the others back."""
    import scipy.linalg  # noqa: F401  # which brings a BLAS of its own: only what is loaded can be limited
    from threadpoolctl import threadpool_limits  # imported where it is used, as joblib is

    return threadpool_limits(limits=1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for as long as this lasts."""
    limits = limit_threads()
    try:
        yield
    finally:
        limits.restore_original_limits()
