"""The classifier of recorded gaps, on traces whose truth is known."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mmd_games.errors import InputError
from mmd_games.verification import Kind, classify_convergence

GRIDS = {
    "even": lambda steps, number: np.linspace(0, steps, number),
    "logarithmic": lambda steps, number: np.concatenate([[0], np.geomspace(1, steps, number)]),
    "mixed": lambda steps, number: np.concatenate([np.linspace(0, steps, number // 2), np.geomspace(1, steps, number // 2)]),
}


def grid(rng: np.random.Generator) -> np.ndarray:
    steps = int(10 ** rng.uniform(2.5, 5))
    return np.unique(GRIDS[rng.choice(list(GRIDS))](steps, int(rng.choice([200, 500, 1000]))).astype(int))


def geometric(rng, t):
    """A rotating mode that falls by 3 to 12 decades; the envelope's factor is known."""
    fall, turns = rng.uniform(3, 12) * np.log(10), rng.uniform(0, 200)
    return np.exp(-fall * t / t[-1]) * (1 + 0.9 * np.cos(turns * 2 * np.pi * t / t[-1] + rng.uniform(0, 6)))


def plateau_then_line(rng, t):
    start = rng.uniform(0.2, 0.5)
    return np.exp(-rng.uniform(3, 10) * np.log(10) * np.maximum(0, t / t[-1] - start) / (1 - start))


def two_modes(rng, t):
    fall = rng.uniform(3, 10) * np.log(10)
    return np.exp(-fall * t / t[-1]) + 10 * np.exp(-fall * t / t[-1] * rng.uniform(3, 30))


def power_law(rng, t):
    return (t + rng.uniform(1, 10)) ** -rng.uniform(0.5, 3)


def stretched_exponential(rng, t):
    return np.exp(-rng.uniform(5, 25) * (t / t[-1]) ** rng.uniform(0.2, 0.5))


def plateau_for_ever(rng, t):
    """Within a percent of its plateau from 80% of the run on at the latest."""
    level = 10 ** rng.uniform(-4, -1)
    fall = np.log(100 / level) / rng.uniform(0.1, 0.8)
    return level + np.exp(-fall * t / t[-1])


def cycling(rng, t):
    return 1 + 0.9 * np.cos(rng.uniform(8, 50) * 2 * np.pi * t / t[-1])


def diverging(rng, t):
    return np.minimum(1, 1e-3 * np.exp(rng.uniform(3, 10) * t / t[-1]))


def kinds(shape, number=120):
    rng = np.random.default_rng(7)
    counts = Counter()
    for _ in range(number):
        t = grid(rng)
        gaps = shape(rng, t) * np.exp(rng.choice([0, 0.05, 0.2]) * rng.normal(size=len(t)))
        counts[classify_convergence(t, gaps, floor=1e-13).kind] += 1
    return counts


@pytest.mark.parametrize("shape", [geometric, plateau_then_line, two_modes])
def test_lines_are_called_linear(shape):
    counts = kinds(shape)
    assert counts[Kind.LINEAR] >= 0.95 * counts.total(), counts
    assert counts[Kind.LINEAR] + counts[Kind.INCONCLUSIVE] == counts.total(), counts


@pytest.mark.parametrize(
    ("shape", "kind", "recall"),
    [
        (power_law, Kind.SUBLINEAR, 0.8),
        (stretched_exponential, Kind.SUBLINEAR, 0.8),
        (plateau_for_ever, Kind.STALLED, 0.7),
        (cycling, Kind.STALLED, 0.7),
        (diverging, Kind.DIVERGING, 0.95),
    ],
)
def test_what_is_no_line_is_never_called_linear_nor_hidden_as_inconclusive(shape, kind, recall):
    counts = kinds(shape)
    # The generator's longest stretched exponentials at b = 1/2 are the hardest; none of these 120 may pass as a line.
    assert counts[Kind.LINEAR] == 0, counts
    assert counts[kind] >= recall * counts.total(), counts


def test_the_true_rate_lies_in_the_interval():
    rng, inside, number = np.random.default_rng(3), 0, 200
    for _ in range(number):
        t = np.arange(0, 2001, 4)
        slope = rng.uniform(3, 12) * np.log(10) / t[-1]
        result = classify_convergence(t, np.exp(-slope * t + 0.1 * rng.normal(size=len(t))))
        low, high = result.interval
        inside += low <= np.exp(-slope) <= high
    # 95% nominal; below 89% the binomial tail of 200 draws has probability 1e-4.
    assert inside >= 0.89 * number


def test_a_pure_line_gives_its_rate_to_rounding():
    t = np.arange(0, 3000, 3)
    result = classify_convergence(t, 0.3 * 0.99**t)
    assert result.kind is Kind.LINEAR
    assert result.rate == pytest.approx(0.99, rel=1e-10)
    assert result.interval == pytest.approx((0.99, 0.99), rel=1e-9)


def test_the_rate_is_that_of_the_straight_part():
    """After a plateau, and after a faster mode: neither may bend the slope by more than a few percent."""
    t = np.arange(0, 4000, 4)
    after_plateau = classify_convergence(t, 0.99 ** np.maximum(0, t - 1600))
    after_fast_mode = classify_convergence(t, 0.99**t + 100 * 0.95**t)
    for result in (after_plateau, after_fast_mode):
        assert result.kind is Kind.LINEAR
        assert np.log(result.rate) == pytest.approx(np.log(0.99), rel=0.05)


def test_the_floor_ends_the_line():
    t = np.arange(0, 4000, 4)
    noise = 1e-15 * np.abs(np.random.default_rng(0).normal(size=len(t)))
    result = classify_convergence(t, 0.98**t + noise, floor=1e-13)
    assert result.kind is Kind.LINEAR
    assert result.rate == pytest.approx(0.98, rel=1e-3)
    assert result.window[1] <= np.log(1e-13) / np.log(0.98) + 4
    # Without the floor the noise at the end is a plateau far above zero.
    assert classify_convergence(t, 0.98**t + 1e-15).kind is not Kind.DIVERGING


def test_exact_zeros_are_below_any_floor():
    t = np.arange(400)
    gaps = np.where(t < 300, 0.9**t, 0.0)
    assert classify_convergence(t, gaps).kind is Kind.LINEAR


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_short_record_is_inconclusive(number):
    assert classify_convergence(np.arange(number), 0.5 ** np.arange(number)).kind is Kind.INCONCLUSIVE


@pytest.mark.parametrize(
    ("iterations", "gaps", "words"),
    [
        ([0, 1, 1], [1, 1, 1], "increasing"),
        ([0, 1], [1, 1, 1], "one length"),
        ([0, 1, 2], [1, np.nan, 1], "iteration 1"),
        ([0, 1, 2], [1, 1, np.inf], "iteration 2"),
    ],
)
def test_bad_records_are_refused(iterations, gaps, words):
    with pytest.raises(InputError, match=words):
        classify_convergence(iterations, gaps)
