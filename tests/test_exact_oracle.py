"""The exact oracle itself: against all extreme equilibria of tiny games, which another oracle enumerates, and against false claims."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from .exact_oracle import certify, exact_equilibrium, prove, whole_numbers
from .extreme_equilibria import extreme_equilibria

tiny_tables = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(-2, 2)))


def skew(table: np.ndarray) -> np.ndarray:
    square = table[: min(table.shape), : min(table.shape)]
    return np.triu(square, 1) - np.triu(square, 1).T


either = tiny_tables | tiny_tables.map(skew)


@given(either)
def test_the_oracle_agrees_with_all_extreme_equilibria(table):
    exact = exact_equilibrium(table)
    value, rows, columns = extreme_equilibria(table)
    assert exact.value == value
    assert exact.unique == (len(rows) == len(columns) == 1)
    for support, dimension, vertices in zip(exact.supports, exact.dimensions, (rows, columns), strict=True):
        assert set(support) == {index for vertex in vertices for index, chance in enumerate(vertex) if chance}
        first, *others = np.array(sorted(vertices), dtype=float)
        # Vertices of these games are ratios of minors below 100, so that no two of them are within 1e-4.
        assert dimension == (np.linalg.matrix_rank(np.array(others) - first, tol=1e-9) if others else 0)


def test_equilibria_known_by_hand():
    exact = exact_equilibrium(np.kron([[0, 4, -3], [-4, 0, 4], [3, -4, 0]], np.ones((2, 2))))  # every action twice: only the pairs' totals matter
    assert (exact.value, exact.supports[0], exact.dimensions, exact.unique) == (0, tuple(range(6)), (3, 3), False)
    assert [exact.policies[0][2 * pair] + exact.policies[0][2 * pair + 1] for pair in range(3)] == [Fraction(weight, 11) for weight in (4, 3, 4)]
    exact = exact_equilibrium(np.array([[3, -1], [-2, 1]]) * 0.25)
    assert (exact.value, exact.policies) == (Fraction(1, 28), ((Fraction(3, 7), Fraction(4, 7)), (Fraction(2, 7), Fraction(5, 7))))
    assert exact.unique
    # A saddle point, from which the other row loses 2 and the nearer column 1, of a half range of 3.5.
    assert exact_equilibrium(np.array([[4, 2, 3], [1, 0, 7]])).margin == pytest.approx(1 / 3.5)
    assert exact_equilibrium(np.zeros((2, 3))).supports == ((0, 1), (0, 1, 2))


def test_floats_are_taken_exactly():
    table = np.array([[0.1, 0.2, -0.3], [5e-324, 1e300, 0.0]])
    matrix, unit = whole_numbers(table)
    assert [[entry * unit for entry in row] for row in matrix] == [[Fraction(entry) for entry in row] for row in table.tolist()]
    # 0.1 + 0.2 is above 0.3 in floats, so the second row is the better one by 1e-17: a tie among tenths is none among floats.
    assert exact_equilibrium(np.array([[0.3], [0.1 + 0.2]])).supports == ((1,), (0,))
    assert whole_numbers(np.array([[6e12, -4e12]])) == ([[3, -2]], Fraction(2 * 10**12))


def test_a_pair_that_is_no_equilibrium_proves_nothing():
    pennies, unit = [[1, -1], [-1, 1]], Fraction(1)
    assert certify(pennies, unit, [1, 1], [1, 1]) is not None
    assert certify(pennies, unit, [1, 3], [1, 1]) is None  # all actions are played, but against these rows one column is better
    assert certify([[0, 0]], unit, [1], [2, -1]) is None  # no policy
    assert certify(pennies, unit, [0, 0], [1, 1]) is None
    assert certify([[0, 0]], unit, [1], [1, 0]) is None  # an equilibrium, but the other column is as good


@given(either)
def test_a_claim_of_the_largest_support_is_proved_or_refuted(table):
    exact = exact_equilibrium(table)
    policies = [np.array([float(chance) for chance in policy]) for policy in exact.policies]
    proof = prove(table, *policies)
    assert proof is not None
    assert (proof.value, proof.supports, proof.dimensions) == (exact.value, exact.supports, exact.dimensions)
    for player, policy in enumerate(policies):
        for action in range(len(policy)):
            claim = [each.copy() for each in policies]
            claim[player][action] = 0.0 if policy[action] > 0 else 0.1
            assert not np.any(claim[player]) or prove(table, *claim) is None
