"""The exponential function in plain operators, so that the compiler makes vector code of a loop over it; a call of the C library's would stay scalar."""

from __future__ import annotations

import numpy as np

from mmd_games.jit import ordered

LOWEST = -746.0
"""Below, the result is zero in float64."""
PER_LOG_TWO = 1.4426950408889634
LOG_TWO_HIGH = 6.93145751953125e-1
LOG_TWO_LOW = 1.42860682030941723212e-6
"""log 2 in two parts, the first of so few digits that whole multiples of it are exact (Cody & Waite, 1980)."""


@ordered
def exponential(x):
    """eˣ for x ≤ 709, within 2 units of the last place; −∞ gives 0 and NaN gives NaN."""
    x = LOWEST if x < LOWEST else x
    power = np.floor(x * PER_LOG_TWO + 0.5)
    rest = (x - power * LOG_TWO_HIGH) - power * LOG_TWO_LOW
    # The Taylor series to rest¹³: |rest| ≤ log(2)/2, so what is left out is below 5e-18.
    series = 1.0 / 6227020800.0
    series = series * rest + 1.0 / 479001600.0
    series = series * rest + 1.0 / 39916800.0
    series = series * rest + 1.0 / 3628800.0
    series = series * rest + 1.0 / 362880.0
    series = series * rest + 1.0 / 40320.0
    series = series * rest + 1.0 / 5040.0
    series = series * rest + 1.0 / 720.0
    series = series * rest + 1.0 / 120.0
    series = series * rest + 1.0 / 24.0
    series = series * rest + 1.0 / 6.0
    series = series * rest + 0.5
    series = series * rest * rest + rest + 1.0
    # Two powers of two, whose exponents are halves: one alone could not reach the subnormal numbers.
    whole = np.int64(power)
    half = whole >> 1
    # At the lowest the second is 0: underflow would give that too, but takes a processor as long as ten of these, and actions that have died out come here at every step.
    rest_of_power = 0.0 if x == LOWEST else np.int64((whole - half + 1023) << 52).view(np.float64)
    return series * np.int64((half + 1023) << 52).view(np.float64) * rest_of_power
