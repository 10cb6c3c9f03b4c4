"""Compiled functions: the one way in which numba is used here.

Importing this module imports numba, so it is imported where it is used. Compiling takes seconds, once a machine: the result is kept on disk, beside the sources or
where ``NUMBA_CACHE_DIR`` says.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

FLAGS = {"reassoc", "contract", "nsz", "arcp"}
"""Sums may be taken in any order, and quotients by reciprocals; NaN stays NaN. A sum with infinities may be none in another order: see :func:`ordered`."""
SOURCES = ("compiled/*.py", "equilibria/solvers/*.py", "updates.py", "jit.py")
"""What is compiled. numba looks at the file of the function that is called alone, not at those of the functions that become part of it."""


def digest_of(package: Path) -> str:
    """A short name for the sources of a package as they are now."""
    files = sorted(file for pattern in SOURCES for file in package.glob(pattern))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]


DIGEST = digest_of(Path(__file__).parent)


class _Announcement(event.Listener):
    """Says once, to whoever listens to the log of `mmd_games`, that something of its own is being compiled: seconds in which nothing seems to happen."""

    said = False

    def on_start(self, event: event.Event) -> None:
        compiled = (event.data or {})["dispatcher"].py_func
        ours = compiled.__module__.startswith("mmd_games.")  # the event is the whole process's
        if ours and not self.said:
            _Announcement.said = True
            logging.getLogger("mmd_games").info("compiling for this machine, which takes some seconds …")

    def on_end(self, event: event.Event) -> None:
        pass


event.register("numba:compile", _Announcement())  # what is read from the disk is no such event


def compiled(function: Callable[..., Any]) -> Any:
    """A compiled function that lets other threads run meanwhile, kept on disk, under the digest of all sources, where that can be written."""
    options: dict[str, Any] = {"nogil": True, "fastmath": FLAGS, "error_model": "numpy"}
    function.__qualname__ = f"{function.__qualname__}-{DIGEST}"  # which the name of its file is made of
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


def ordered(function: Callable[..., Any]) -> Any:
    """A function of numbers that becomes part of whatever calls it, but not of the sums there, which may be taken in any order.

    Rearranged, x − k·a − k·b is x − k·(a + b), which loses what the two parts of log 2 are for, and (1 − w)·a + w·b is a + w·(b − a), which is no number where both are −∞.
    A product may still be rounded together with the sum after it, and quotients by one number be products with its reciprocal.
    """
    return njit(forceinline=True, fastmath={"arcp", "contract"}, error_model="numpy")(function)
