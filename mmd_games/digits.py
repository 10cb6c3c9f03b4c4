"""Numbers as people read them: digits where they differ, also next to 1."""

from __future__ import annotations

import math
import sys

BESIDE_ONE = 1e-5
"""What is nearer to 1 than this is written as 1 and its difference from it."""
LARGEST_LOG = math.log(sys.float_info.max)


def number(value: float) -> str:
    """Six digits; eight for a factor close to 1, whose first ones are nines or zeros, and next to 1 the difference from it.

    Examples
    --------
    >>> [number(value) for value in (1 / 3, 0.99995614, 1 - 1.8e-10, 1.0)]
    ['0.333333', '0.99995614', '1 − 1.8e-10', '1']
    """
    if 0 < abs(value - 1) < BESIDE_ONE:
        return _beside_one(value - 1)
    return f"{value:.8g}" if 0.9 < abs(value) < 1.1 else f"{value:.6g}"


def factor_of(exponent: float) -> str:
    """The factor exp(−exponent), at most the largest float, with the digits that its exponent has and the factor itself has lost.

    Examples
    --------
    >>> factor_of(1.8e-20), factor_of(-1.8e-20), factor_of(math.log(2))
    ('1 − 1.8e-20', '1 + 1.8e-20', '0.5')
    """
    difference = math.expm1(min(-exponent, LARGEST_LOG))
    return _beside_one(difference) if 0 < abs(difference) < BESIDE_ONE else number(math.exp(min(-exponent, LARGEST_LOG)))


def _beside_one(difference: float) -> str:
    return f"1 {'−' if difference < 0 else '+'} {abs(difference):.4g}"
