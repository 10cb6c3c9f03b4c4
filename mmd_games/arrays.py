"""Arrays of logits and probabilities: the only door to the array API.

A *profile* is one array `(..., sum(blocks))`: one block of log-probabilities a player, side by side. A symmetric game has one block.
Everything here takes NumPy arrays, and any other array-API library's (torch, array-api-strict), and returns the same kind.
"""

from __future__ import annotations

import math
import os
from functools import lru_cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_cupy_array, is_torch_array, to_device

from mmd_games.errors import InputError

Array = Any
"""An array of NumPy or of any library that follows the array API."""

Blocks = tuple[int, ...]

OF_NUMPY = (np.ndarray, np.generic, float, int)
"""What NumPy works on."""


def namespace(array: Array) -> Any:
    """The array library of `array`; NumPy itself by a short cut, since this stands in the inner loop."""
    return np if isinstance(array, OF_NUMPY) else array_namespace(array)


def on_device(values: Array, like: Array) -> Array:
    """The values in float64, in the library and on the device of another array."""
    xp = namespace(like)
    return xp.asarray(values, dtype=xp.float64, device=device(like))


def to_numpy(array: Array) -> Array:
    """The same numbers in NumPy, brought from whatever device they are on; what is no array stays what it is."""
    if not hasattr(array, "shape") or namespace(array) is np:
        return array
    return np.asarray(to_device(array, "cpu") if is_torch_array(array) or is_cupy_array(array) else array)


@lru_cache(maxsize=256)
def block_slices(blocks: Blocks) -> tuple[slice, ...]:
    """The slice of each player's block in a profile."""
    ends = np.cumsum(blocks).tolist()
    return tuple(slice(end - size, end) for size, end in zip(blocks, ends, strict=True))


def log_normalise(logits: Array, blocks: Blocks) -> Array:
    """Subtract each block's log-sum-exp, so that every block is a log-policy.

    Parameters
    ----------
    logits : array (..., sum(blocks))
        May hold −inf (an action never played), but not in a whole block.
    blocks : tuple of int
        Actions of each player.
    """
    xp = namespace(logits)
    if len(blocks) > 1:
        return xp.concat([log_normalise(logits[..., part], (size,)) for part, size in zip(block_slices(blocks), blocks, strict=True)], axis=-1)
    shifted = logits - maximum(logits, keepdims=True)
    return shifted - xp.log(total(xp.exp(shifted), keepdims=True))


def uniform_log_policy(blocks: Blocks) -> np.ndarray:
    """The log-policy of players who draw every action equally often."""
    return np.concatenate([np.full(size, -math.log(size)) for size in blocks])


def maximum(values: Array, *, keepdims: bool = False) -> Array:
    """Largest entry along the last axis; of NumPy's arrays by the ufunc itself, which on a hundred numbers takes half the time of ``np.max``."""
    xp = namespace(values)
    return np.maximum.reduce(values, axis=-1, keepdims=keepdims) if xp is np else xp.max(values, axis=-1, keepdims=keepdims)


def total(values: Array, *, keepdims: bool = False) -> Array:
    """Sum along the last axis, as :func:`maximum` is taken."""
    xp = namespace(values)
    return np.add.reduce(values, axis=-1, keepdims=keepdims) if xp is np else xp.sum(values, axis=-1, keepdims=keepdims)


def block_sum(values: Array, blocks: Blocks) -> Array:
    """Sum of each block: (..., sum(blocks)) → (..., len(blocks))."""
    if len(blocks) == 1:
        return total(values, keepdims=True)
    return namespace(values).stack([total(values[..., part]) for part in block_slices(blocks)], axis=-1)


def block_max(values: Array, blocks: Blocks) -> Array:
    """Maximum of each block: (..., sum(blocks)) → (..., len(blocks))."""
    if len(blocks) == 1:
        return maximum(values, keepdims=True)
    return namespace(values).stack([maximum(values[..., part]) for part in block_slices(blocks)], axis=-1)


def kl(log_p: Array, log_q: Array) -> Array:
    r"""Kullback-Leibler divergence KL(p‖q), summed over the last axis (for a profile: over the players).

    Computed as :math:`\sum_i p_i (e^{d_i} - 1 - d_i)` with :math:`d = \log q - \log p`: every term is non-negative, so two policies
    1e-12 apart have a divergence of 1e-24, where the textbook sum would return rounding noise of 1e-16.

    Parameters
    ----------
    log_p, log_q : array (..., n)
        Normalised log-policies; −inf allowed. +inf is returned where p is positive and q is zero.
    """
    xp = namespace(log_p)
    p, q = xp.exp(log_p), xp.exp(log_q)
    positive = p > 0
    zero = xp.zeros_like(log_p)
    d = xp.where(positive, log_q, zero) - xp.where(positive, log_p, zero)
    small = xp.abs(d) < 0.1
    s = xp.where(small, d, zero)
    # The Taylor series of expm1(s) - s to s¹¹: below |s| = 0.1 the rest is under 1e-17 of the first term.
    series = zero
    for order in range(11, 1, -1):
        series = (1.0 + series) * (s / order)
    series = s * series
    # Far away, p·expm1(d) would be 0·inf: write it as q − p.
    terms = xp.where(small, p * series, (q - p) - xp.where(positive, p * d, zero))
    # Where probabilities underflow, rounding can leave less than nothing of a term.
    return xp.sum(xp.where(positive, xp.where(terms > 0, terms, zero), q), axis=-1)


def total_variation(p: Array, q: Array, blocks: Blocks) -> Array:
    """Largest total variation distance over the players: max_block ½·Σ|p − q|."""
    xp = namespace(p)
    return xp.max(block_sum(xp.abs(p - q), blocks), axis=-1) / 2


def require_memory(needed: float, what: str) -> None:
    """Refuse work whose arrays would not fit into the memory that is free, before anything is taken.

    Parameters
    ----------
    needed : float
        Bytes.
    what : str
        What needs them, as the subject of the sentence.
    """
    free = _free_memory()
    if needed > free:
        raise InputError(f"{what} would need {_size(needed)} of memory; {_size(free)} are free.")


def _size(bytes_: float) -> str:
    return f"{bytes_ / 2**30:.1f} GiB" if bytes_ >= 2**29 else f"{bytes_ / 2**20:.0f} MiB"


def _free_memory() -> float:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024.0 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux: count all of the machine's pages as free
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
