"""Products of a payoff matrix and a policy, each entry read as seldom as can be.

A skew-symmetric matrix says everything twice. Where it fits the cache that costs nothing, and whole rows make the simplest code; where it comes from memory, each pair (i, j) is read once and
serves both ways.
"""

from __future__ import annotations

import numpy as np

from mmd_games.jit import compiled, joined

ONE, TWO = np.uint64(1), np.uint64(2)
IN_CACHE = 256
"""Actions up to which whole rows are faster: the matrix stays in the second-level cache."""


@joined
def payoffs_of(matrix, first, policy, received):
    """Payoffs of all actions into `received`; `first` is the number of the row player's actions, 0 in a symmetric game of a skew matrix."""
    if first:
        two_player_product(matrix, first, policy, received)
    elif len(policy) <= IN_CACHE:
        whole_product(matrix, policy, received)
    else:
        half_product(matrix, policy, received)


@joined
def whole_product(matrix, policy, received):
    """S π by rows: column j of a skew matrix is minus its row j."""
    count = len(policy)
    for i in range(count):
        received[i] = 0.0
    for j in range(0, count - 3, 4):
        first, second, third, fourth = policy[j], policy[j + 1], policy[j + 2], policy[j + 3]
        for i in range(count):
            received[i] -= first * matrix[j, i] + second * matrix[j + 1, i] + third * matrix[j + 2, i] + fourth * matrix[j + 3, i]
    for j in range(count - count % 4, count):
        weight = policy[j]
        for i in range(count):
            received[i] -= weight * matrix[j, i]


@compiled
def half_product(matrix, policy, received):
    """S π from the upper triangle: entry (i, j) adds S_ij π_j to what i receives and takes S_ij π_i from what j receives; eight rows together."""
    count = len(policy)
    for i in range(count):
        received[i] = 0.0
    for i in range(0, count - 7, 8):
        _triangle(matrix, i, i + 8, policy, received)
        _eight_rows(matrix, np.uint64(i), policy, received)
    _triangle(matrix, count - count % 8, count, policy, received)


@compiled
def _triangle(matrix, begin, end, policy, received):
    """The pairs among some neighbouring actions."""
    for i in range(begin, end):
        for j in range(i + 1, end):
            received[i] += matrix[i, j] * policy[j]
            received[j] -= matrix[i, j] * policy[i]


@compiled
def _eight_rows(matrix, a, policy, received):
    """The pairs of eight neighbouring actions, of which `a` is the first, with all that come later; an unsigned index cannot count from the end, so no entry is checked for that."""
    b, c, d, e = a + ONE, a + TWO, a + TWO + ONE, a + TWO + TWO
    f, g, h = e + ONE, e + TWO, e + TWO + ONE
    of_a, of_b, of_c, of_d, of_e, of_f, of_g, of_h = policy[a], policy[b], policy[c], policy[d], policy[e], policy[f], policy[g], policy[h]
    sum_a = sum_b = sum_c = sum_d = sum_e = sum_f = sum_g = sum_h = 0.0
    for j in range(h + ONE, np.uint64(len(policy))):
        of_j = policy[j]
        sum_a += matrix[a, j] * of_j
        sum_b += matrix[b, j] * of_j
        sum_c += matrix[c, j] * of_j
        sum_d += matrix[d, j] * of_j
        sum_e += matrix[e, j] * of_j
        sum_f += matrix[f, j] * of_j
        sum_g += matrix[g, j] * of_j
        sum_h += matrix[h, j] * of_j
        half = matrix[a, j] * of_a + matrix[b, j] * of_b + matrix[c, j] * of_c + matrix[d, j] * of_d
        received[j] -= half + matrix[e, j] * of_e + matrix[f, j] * of_f + matrix[g, j] * of_g + matrix[h, j] * of_h
    received[a] += sum_a
    received[b] += sum_b
    received[c] += sum_c
    received[d] += sum_d
    received[e] += sum_e
    received[f] += sum_f
    received[g] += sum_g
    received[h] += sum_h


@compiled
def two_player_product(matrix, first, policy, received):
    """A y and −Aᵀx in one reading of A, for the profile (x, y)."""
    weights, paid = policy[first:], received[first:]
    for j in range(len(paid)):
        paid[j] = 0.0
    for i in range(first):
        received[i] = _row(matrix[i], policy[i], weights, paid)


@compiled
def _row(row, weight, policy, paid):
    """A row's product with a policy, while what it costs the others is taken from `paid`."""
    total = 0.0
    for j in range(len(policy)):
        total += row[j] * policy[j]
        paid[j] -= row[j] * weight
    return total
