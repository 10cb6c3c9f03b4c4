"""Floats as integers and one power of two: they are dyadic rationals, so nothing is rounded here."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

DIGITS, WORD = 53, 62
"""Binary digits of a float64, and of an integer for which a machine word is enough, sign and room for a sum of two left out."""


def as_integers(values: np.ndarray) -> tuple[np.ndarray, Fraction]:
    """Integers, and the largest power of two whose products with them are exactly the given floats.

    Parameters
    ----------
    values : array (...)
        Finite float64.

    Returns
    -------
    integers : array (...)
        Of int64 where a machine word is enough for every one, else of Python's integers.
    unit : Fraction
        1 where all values are 0.
    """
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, DIGITS).astype(np.int64)
    places = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    odd, powers = whole >> np.maximum(places, 0), exponents - DIGITS + places
    lowest = int(np.min(powers, initial=np.iinfo(np.int32).max, where=whole != 0))
    if not np.any(whole):
        return whole, Fraction(1)
    shifts = np.where(whole == 0, 0, powers - lowest)
    if np.max(np.where(whole == 0, 0, exponents - lowest)) <= WORD:
        return odd << shifts, Fraction(2) ** lowest
    return odd.astype(object) << shifts.astype(object), Fraction(2) ** lowest
