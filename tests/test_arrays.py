"""Logits and probabilities: normalisation, sums by block, and a divergence that is right to the last digits."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from mmd_games.arrays import block_max, block_slices, block_sum, kl, log_normalise, require_memory, total_variation, uniform_log_policy
from mmd_games.errors import InputError
from mmd_games.testing import log_policies

EPS = np.finfo(np.float64).eps
BLOCKS = st.sampled_from([(1,), (2,), (5,), (2, 3), (1, 4), (3, 1, 2)])

LIBRARIES = {"torch": lambda values: torch.tensor(values, dtype=torch.float64), "array-api-strict": array_api_strict.asarray}


@pytest.fixture(params=list(LIBRARIES))
def library(request: pytest.FixtureRequest) -> Any:
    """Another array library: how it makes an array of NumPy's."""
    return LIBRARIES[request.param]


@st.composite
def logits_of_blocks(draw: Any) -> tuple[np.ndarray, tuple[int, ...]]:
    blocks = draw(BLOCKS)
    return np.array(draw(st.lists(st.floats(-2000, 2000), min_size=sum(blocks), max_size=sum(blocks)))), blocks


@st.composite
def pairs(draw: Any, **how: Any) -> tuple[np.ndarray, np.ndarray]:
    blocks = draw(BLOCKS)
    return draw(log_policies(blocks, **how)), draw(log_policies(blocks, **how))


# --- log_normalise ------------------------------------------------------------------------------------------------------------------------


@given(logits_of_blocks())
def test_each_block_becomes_a_policy_and_differences_stay(drawn: tuple[np.ndarray, tuple[int, ...]]) -> None:
    logits, blocks = drawn
    log_policy = log_normalise(logits, blocks)
    for part in block_slices(blocks):
        # One rounding a sum of up to 5 terms, and of exp and log each.
        assert math.fsum(np.exp(log_policy[part])) == pytest.approx(1.0, abs=8 * EPS)
        # Two subtractions at magnitudes up to 4000.
        np.testing.assert_allclose(log_policy[part] - log_policy[part][0], logits[part] - logits[part][0], rtol=0, atol=4 * 4000 * EPS)


@given(logits_of_blocks(), st.floats(-1000, 1000))
def test_a_constant_a_block_drops_out(drawn: tuple[np.ndarray, tuple[int, ...]], constant: float) -> None:
    logits, blocks = drawn
    moved = logits.copy()
    moved[block_slices(blocks)[-1]] += constant
    np.testing.assert_allclose(log_normalise(moved, blocks), log_normalise(logits, blocks), rtol=0, atol=4 * 4000 * EPS)


def test_probabilities_of_zero_and_far_below_float() -> None:
    found = log_normalise(np.array([0.0, -np.inf, -3000.0, 5.0, -np.inf]), (3, 2))
    assert found.tolist() == [0.0, -np.inf, -3000.0, 0.0, -np.inf]


def test_a_batch_is_normalised_row_by_row() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)) * 30
    batch = log_normalise(logits, (2, 3))
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(batch[index], log_normalise(logits[index], (2, 3)))


def test_uniform() -> None:
    np.testing.assert_array_equal(uniform_log_policy((2, 4)), np.log([0.5, 0.5, 0.25, 0.25, 0.25, 0.25]))


# --- blocks -------------------------------------------------------------------------------------------------------------------------------


def test_blocks_by_hand() -> None:
    values = np.array([[1.0, 5.0, 2.0, 2.0, -7.0], [0.0, 0.0, 1.0, 2.0, 3.0]])
    assert [(part.start, part.stop) for part in block_slices((2, 3))] == [(0, 2), (2, 5)]
    assert block_sum(values, (2, 3)).tolist() == [[6.0, -3.0], [0.0, 6.0]]
    assert block_max(values, (2, 3)).tolist() == [[5.0, 2.0], [0.0, 3.0]]
    # ½Σ|p − q| is 1 for disjoint policies; of two players the farther one counts.
    assert total_variation(np.array([1.0, 0.0, 0.5, 0.5]), np.array([0.0, 1.0, 0.5, 0.5]), (2, 2)) == 1.0
    assert total_variation(np.array([1.0, 0.0, 0.5, 0.5]), np.array([0.75, 0.25, 0.0, 1.0]), (2, 2)) == 0.5


# --- kl -----------------------------------------------------------------------------------------------------------------------------------


def decimal_kl(log_p: np.ndarray, log_q: np.ndarray) -> Decimal:
    """Σ e^a (e^(b−a) − 1 − (b − a)) of the given floats, in 60 digits; for normalised policies this is Σ p log(p/q)."""
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -(10**6), 10**6
        total = Decimal(0)
        for a, b in zip(log_p.tolist(), log_q.tolist(), strict=True):
            if a == -math.inf:
                total += Decimal(b).exp() if b > -math.inf else 0
                continue
            d = Decimal(b) - Decimal(a)
            total += Decimal(a).exp() * (d.exp() - 1 - d)
        return total


@given(pairs(lowest=-700.0))
def test_kl_in_sixty_digits(pair: tuple[np.ndarray, np.ndarray]) -> None:
    log_p, log_q = pair
    expected = decimal_kl(log_p, log_q)
    # e^a is right to |a|·ε and d to ε·(|a| + |b|), which moves e^d − 1 − d by no more than |d|·e^d: below the series 2/|d| ≤ 20 times as much.
    scale = float(np.max(np.abs(np.stack(pair))))
    assert float(kl(log_p, log_q)) == pytest.approx(float(expected), rel=100 * EPS * (1 + scale), abs=1e-300)


@given(log_policies((6,), lowest=-30.0), st.floats(1e-14, 1e-2), st.integers(0, 2**32 - 1))
def test_kl_of_policies_close_together(log_p: np.ndarray, distance: float, seed: int) -> None:
    log_q = log_normalise(log_p + distance * np.random.default_rng(seed).normal(size=6), (6,))
    expected = float(decimal_kl(log_p, log_q))
    assume(expected > 0)
    # The floats a and b are exact here, and b − a of nearby floats too (Sterbenz), or else rounded by ε of itself; e^a is right to (|a| + 2)·ε; then six sums.
    assert float(kl(log_p, log_q)) == pytest.approx(expected, rel=60 * EPS, abs=0)


def test_kl_of_policies_1e_12_apart_has_its_digits() -> None:
    # p = (½, ½), q = p(1 ± d): KL = d²/2 + O(d⁴), where Σ p log(p/q) is rounding noise of 1e-16.
    log_p = np.log([0.5, 0.5])
    distance = 2.0**-40
    log_q = log_p + np.array([distance, -distance])  # b − a is exact: both are near log ½
    exact = float(decimal_kl(log_p, log_q))
    assert exact == pytest.approx(distance**2 / 2, rel=1e-11, abs=0)
    assert float(kl(log_p, log_q)) == pytest.approx(exact, rel=8 * EPS, abs=0)


@given(pairs(zeros=True))
def test_kl_is_a_divergence(pair: tuple[np.ndarray, np.ndarray]) -> None:
    log_p, log_q = pair
    divergence = float(kl(log_p, log_q))
    assert divergence >= 0.0
    assert float(kl(log_p, log_p)) == 0.0
    assert (divergence == math.inf) == bool(np.any((np.exp(log_p) > 0) & (log_q == -np.inf)))


def test_kl_of_zeros_by_hand() -> None:
    zero = -np.inf
    assert float(kl(np.array([0.0, zero]), np.log([0.5, 0.5]))) == pytest.approx(math.log(2), rel=4 * EPS, abs=0)
    assert float(kl(np.log([0.5, 0.5]), np.array([0.0, zero]))) == math.inf
    assert float(kl(np.array([0.0, zero]), np.array([0.0, zero]))) == 0.0
    # q far below the smallest float, but not zero: log ½ − ½·(0 − 1000) up to log q's own normalisation.
    assert float(kl(np.log([0.5, 0.5]), np.array([0.0, -1000.0]))) == pytest.approx(500 - math.log(2), rel=4 * EPS, abs=0)


@given(st.data())
def test_kl_of_a_profile_is_the_sum_over_the_players(data: st.DataObject) -> None:
    log_p, log_q = (data.draw(log_policies((2, 3))) for _ in range(2))
    assert float(kl(log_p, log_q)) == pytest.approx(float(kl(log_p[:2], log_q[:2])) + float(kl(log_p[2:], log_q[2:])), rel=8 * EPS, abs=0)


def test_kl_of_batches() -> None:
    generator = np.random.default_rng(1)
    log_p, log_q = (log_normalise(generator.normal(size=(4, 7)), (7,)) for _ in range(2))
    single = [float(kl(p, q)) for p, q in zip(log_p, log_q, strict=True)]
    np.testing.assert_array_equal(kl(log_p, log_q), single)
    np.testing.assert_array_equal(kl(log_p, log_q[0]), [float(kl(p, log_q[0])) for p in log_p])


# --- other libraries ----------------------------------------------------------------------------------------------------------------------


def test_other_array_libraries_give_the_same(library: Any) -> None:
    generator = np.random.default_rng(2)
    logits = generator.normal(size=(6, 5)) * [[0.1], [1], [10], [300], [1], [1]]
    logits[4, 1] = logits[5, 3] = -np.inf
    p, q = log_normalise(logits, (2, 3)), log_normalise(logits[::-1].copy(), (2, 3))
    calls = [
        (lambda a, b: log_normalise(a, (2, 3)), logits, q),
        (lambda a, b: log_normalise(a, (5,)), logits, q),
        (lambda a, b: block_sum(a, (2, 3)), np.exp(p), q),
        (lambda a, b: block_max(a, (2, 3)), p, q),
        (kl, p[:4], q[2:]),
        (kl, p, q),
        (kl, p, p + 1e-9),
        (lambda a, b: total_variation(a, b, (2, 3)), np.exp(p), np.exp(q)),
    ]
    for function, first, second in calls:
        expected, found = function(first, second), function(library(first), library(second))
        assert type(found) is type(library(first))
        # exp and log of two libraries may differ in the last bit, on logits up to 1000.
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1000 * EPS, atol=8 * EPS)


def test_float32_stays_float32() -> None:
    logits = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    assert log_normalise(logits, (3,)).dtype == np.float32
    assert kl(log_normalise(logits, (3,)), log_normalise(-logits, (3,))).dtype == np.float32


# --- memory -------------------------------------------------------------------------------------------------------------------------------


def test_memory_is_refused_before_it_is_taken() -> None:
    require_memory(1.0, "Nothing")
    with pytest.raises(InputError, match=r"^A dream would need .* GiB of memory; .* are free\.$"):
        require_memory(1e18, "A dream")
