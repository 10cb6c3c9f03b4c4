"""What the compiled loop is made of: the exponential against decimals, and the products against rational numbers."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from mmd_games import jit
from mmd_games.compiled.exponential import exponential
from mmd_games.compiled.products import half_product, payoffs_of, two_player_product, whole_product
from mmd_games.jit import FLAGS

UNIT = Fraction(1, 2**53)
TINY = Fraction(1, 2**1074)
"""The smallest float: what a product of two small numbers may lose."""


# --- the exponential ------------------------------------------------------------------------------------------------------------------------


@njit(fastmath=FLAGS, error_model="numpy")
def exponentials(values: np.ndarray, results: np.ndarray) -> None:
    """With the flags of the loop, which let the compiler reorder sums."""
    for i in range(len(values)):
        results[i] = exponential(values[i])


@njit(fastmath=FLAGS, error_model="numpy")
def total_of_exponentials(values: np.ndarray) -> float:
    """As the normalisation sums them."""
    total = 0.0
    for i in range(len(values)):
        total += exponential(values[i])
    return total


def exponentials_of(values: Any) -> np.ndarray:
    given = np.asarray(values, dtype=np.float64)
    results = np.empty_like(given)
    exponentials(given, results)
    return results


def units_off(value: float, result: float) -> float:
    """How far a result is from eˣ, in units of its last place."""
    with localcontext() as context:
        context.prec = 50
        exact = Decimal(value).exp()
        place = max(math.ulp(float(exact)), math.ulp(0.0))
        return float(abs(Decimal(result) - exact) / Decimal(place))


@given(st.lists(st.floats(-746, 0), min_size=1, max_size=20))
@example([-745.2, -745.13321910194122, -744.4400719213812, -708.3964185322641, -708.4, 0.0, -0.0, -5e-324, -1e-17])
def test_the_exponential_is_within_two_units_of_the_last_place(values: list[float]) -> None:
    # Lists of up to twenty, so that the vector code and the rest of a loop are both taken.
    for value, result in zip(values, exponentials_of(values), strict=True):
        assert units_off(value, result) <= 2, value


def test_the_exponential_is_good_everywhere_and_where_its_pieces_meet() -> None:
    # Between two pieces the reduced argument is ±log(2)/2; and an even grid, on which a wrong coefficient of the series shows.
    seams = [(whole + half) * math.log(2) for whole in range(-1075, 0) for half in (0.0, 0.5)]
    beside = [math.nextafter(seam, away) for seam in seams for away in (-math.inf, 0.0)]
    values = [value for value in [*seams, *beside, *np.linspace(-746, 0, 2001), *-np.geomspace(1e-18, 1, 500)] if value >= -746]
    results = exponentials_of(values)
    assert max(units_off(value, result) for value, result in zip(values, results, strict=True)) <= 2
    assert np.count_nonzero((results > 0) & (results < np.finfo(np.float64).tiny)) > 100  # subnormal numbers were among them


@pytest.mark.parametrize("count", [1, 3, 8, 33])
def test_the_exponential_at_its_ends(count: int) -> None:
    def all_of(value: float) -> list[float]:
        return exponentials_of(np.full(count, value)).tolist()

    for lowest in (-math.inf, -1e308, -1e6, -747.0, math.nextafter(-746.0, -math.inf), -746.0):
        assert all_of(lowest) == [0.0] * count, lowest
    assert all_of(0.0) == all_of(-0.0) == all_of(-5e-324) == [1.0] * count
    assert np.isnan(all_of(math.nan)).all()
    assert all_of(-745.0) == [math.exp(-745.0)] * count == [5e-324] * count
    mixed = exponentials_of([math.nan, -math.inf, 0.0, -1.0] * count)
    assert np.isnan(mixed[::4]).all() and not np.isnan(mixed.reshape(-1, 4)[:, 1:]).any()


def test_a_sum_of_exponentials_is_the_sum_of_their_values() -> None:
    # The flags could fold what follows into the series: each term within two units, and a sum of sixty-four.
    values = np.append(np.linspace(-740, -0.1, 62), [-math.inf, 0.0])
    exact = math.fsum(math.exp(value) for value in values)
    assert abs(total_of_exponentials(values) - exact) <= (2 + 64) * 2.0**-52 * exact
    assert math.isnan(total_of_exponentials(np.append(values, math.nan)))


# --- products -------------------------------------------------------------------------------------------------------------------------------


def table(generator: np.random.Generator, rows: int, columns: int, kind: str) -> np.ndarray:
    """Payoffs of every magnitude that matters to a sum."""
    values = generator.uniform(-1, 1, (rows, columns))
    if kind == "whole":
        return generator.integers(-3, 4, (rows, columns)).astype(np.float64)
    if kind == "huge and small":
        return values * 10.0 ** generator.integers(-150, 151, (rows, columns))
    if kind == "rows of zeros":
        values[generator.random(rows) < 0.4] = 0.0
    return values


def weights(generator: np.random.Generator, count: int) -> np.ndarray:
    """A policy, some of whose actions are never played or nearly so."""
    policy = generator.dirichlet(np.ones(count))
    policy[generator.random(count) < 0.2] = 0.0
    return policy * 10.0 ** -(generator.integers(0, 2, count) * generator.integers(0, 300, count))


def skew(matrix: np.ndarray) -> np.ndarray:
    upper = np.triu(matrix, 1)
    return upper - upper.T


def product(function: Callable[..., None], matrix: np.ndarray, *rest: Any) -> np.ndarray:
    """Into an array that holds no number before; of a table that cannot be written to, as a game's."""
    fixed = np.ascontiguousarray(matrix).view()
    fixed.flags.writeable = False
    received = np.full(len(rest[-1]), np.nan)
    function(fixed, *rest, received)
    return received


def assert_within_rounding(received: np.ndarray, matrix: np.ndarray, policy: np.ndarray) -> None:
    """|computed − exact| ≤ γ_n Σ|a||p|, whatever the order of the sum (Higham, 2002, section 3.1), and what underflows."""
    count = len(policy)
    gamma = count * UNIT / (1 - count * UNIT)
    exact_policy = [Fraction(weight) for weight in policy.tolist()]
    for value, row in zip(received.tolist(), matrix.tolist(), strict=True):
        terms = [Fraction(entry) * weight for entry, weight in zip(row, exact_policy, strict=True)]
        assert abs(Fraction(value) - sum(terms)) <= gamma * sum(abs(term) for term in terms) + count * TINY


KINDS = st.sampled_from(["even", "whole", "huge and small", "rows of zeros"])
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("function", [whole_product, half_product], ids=["whole", "half"])
@settings(max_examples=100)
@given(count=st.integers(1, 40), kind=KINDS, seed=SEEDS)
def test_a_product_with_a_skew_table_is_the_exact_one_to_rounding(function: Callable[..., None], count: int, kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    matrix, policy = skew(table(generator, count, count, kind)), weights(generator, count)
    assert_within_rounding(product(function, matrix, policy), matrix, policy)


@settings(max_examples=100)
@given(rows=st.integers(1, 40), columns=st.integers(1, 40), kind=KINDS, seed=SEEDS)
def test_a_product_of_two_players_is_the_exact_one_to_rounding(rows: int, columns: int, kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    matrix, policy = table(generator, rows, columns, kind), np.concatenate([weights(generator, rows), weights(generator, columns)])
    received = product(two_player_product, matrix, rows, policy)
    assert_within_rounding(received[:rows], matrix, policy[rows:])
    assert_within_rounding(received[rows:], -matrix.T, policy[:rows])


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 31, 40])
def test_what_each_product_reads(count: int) -> None:
    """The half product reads the upper triangle alone; the whole one reads row j for what action j pays, so a row of an action never played counts for nothing."""
    generator = np.random.default_rng(count)
    matrix, policy = skew(table(generator, count, count, "even")), weights(generator, count)
    expected = product(half_product, matrix, policy)
    matrix[np.tril_indices(count)] = np.nan
    np.testing.assert_array_equal(product(half_product, matrix, policy), expected)
    # Not skew: by rows the product is −Mᵀπ.
    matrix = table(generator, count, count, "even")
    assert_within_rounding(product(whole_product, matrix, policy), -matrix.T, policy)


@pytest.mark.parametrize("count", [255, 256, 257, 263, 520])
def test_a_game_of_any_size_gets_its_payoffs(count: int) -> None:
    """On both sides of the size from which one triangle is read; against long doubles, whose own error is 2000 times smaller."""
    generator = np.random.default_rng(count)
    matrix, policy = skew(table(generator, count, count, "even")), generator.dirichlet(np.ones(count))
    exact = (matrix.astype(np.longdouble) * policy).sum(axis=1)
    bound = 1.001 * count * 2.0**-53 * np.abs(matrix) @ policy
    assert np.all(np.abs(product(payoffs_of, matrix, 0, policy) - exact) <= bound)
    rectangle = np.ascontiguousarray(matrix[: count // 3])
    profile = np.concatenate([generator.dirichlet(np.ones(count // 3)), policy])
    received = product(payoffs_of, rectangle, count // 3, profile)
    assert np.all(np.abs(received[: count // 3] - exact[: count // 3]) <= bound[: count // 3])
    paid = (rectangle.astype(np.longdouble) * profile[: count // 3, None]).sum(axis=0)
    assert np.all(np.abs(received[count // 3 :] + paid) <= 1.001 * count * 2.0**-53 * profile[: count // 3] @ np.abs(rectangle))


def test_products_of_what_is_no_number_are_none() -> None:
    """So that a run whose policy stopped being finite says so."""
    for count in (3, 9, 300):
        matrix = skew(table(np.random.default_rng(0), count, count, "even"))
        for first, name in ((0, "symmetric"), (count, "two players")):
            policy = np.full(2 * count if first else count, 1 / count)
            policy[count - 1] = np.nan
            received = product(payoffs_of, matrix, first, policy)
            assert np.isnan(received).any(), name


def test_other_sources_are_compiled_anew(tmp_path: Path) -> None:
    """Machine code is kept under a digest of all that becomes part of it, since numba looks at one file alone."""
    shutil.copytree(Path(jit.__file__).parent, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__", "llm"))
    assert jit.digest_of(tmp_path / "copy") == jit.DIGEST
    for name in ("compiled/steps.py", "updates.py", "jit.py", "equilibria/solvers/interior_point.py"):
        before = jit.digest_of(tmp_path / "copy")
        with (tmp_path / "copy" / name).open("a", encoding="utf-8") as file:
            file.write("\n")
        assert jit.digest_of(tmp_path / "copy") != before, name
    assert half_product.__qualname__.endswith(jit.DIGEST)
