"""Floats as integers and a power of two, against Python's own ratios."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmd_games.equilibria.exact.integers import whole_numbers
from mmd_games.games.integers import as_integers

TABLES = st.lists(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1, 1), st.integers(-64, 64).map(lambda k: k / 8)), min_size=1, max_size=6
)


@given(TABLES)
def test_nothing_is_rounded(values: list[float]) -> None:
    integers, unit = as_integers(np.array(values))
    assert [int(integer) * unit for integer in integers] == [Fraction(value) for value in values]
    # The largest such unit: an integer is odd.
    assert not any(values) or any(int(integer) % 2 for integer in integers)
    assert unit.numerator == 1 or unit.denominator == 1


@given(TABLES)
def test_whole_numbers_have_no_common_factor(values: list[float]) -> None:
    (row,), unit = whole_numbers(np.array([values]))
    assert [entry * unit for entry in row] == [Fraction(value) for value in values]
    assert all(type(entry) is int for entry in row)
    ratios = [value.as_integer_ratio() for value in values]
    finest = max(denominator for _, denominator in ratios)
    by_hand = [numerator * (finest // denominator) for numerator, denominator in ratios]
    factor = math.gcd(*by_hand) or 1
    assert row == [entry // factor for entry in by_hand]
    assert unit == Fraction(factor, finest)


@pytest.mark.parametrize(("values", "kind"), [([1.0, 2.0**-61], np.int64), ([1.0, 2.0**-62], object), ([-3.0, 2.0**60], np.int64), ([5e-324, 1e308], object)])
def test_a_machine_word_is_used_where_it_is_enough(values: list[float], kind: type) -> None:
    integers, unit = as_integers(np.array(values))
    assert integers.dtype == kind
    assert [int(integer) * unit for integer in integers] == [Fraction(value) for value in values]
