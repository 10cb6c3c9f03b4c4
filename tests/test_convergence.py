"""The classifier of recorded gaps, on records whose answer is known."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmd_games.errors import InputError
from mmd_games.verification import Kind, classify_convergence

T = np.arange(0, 4000, 4)
NOISE = np.random.default_rng(0).normal(size=len(T))
X = T / T[-1]
HERE = np.arange(200)


def test_a_pure_line_gives_its_rate_to_rounding():
    result = classify_convergence(T, 0.3 * 0.995**T)
    assert result.kind is Kind.LINEAR
    # Logarithms of up to 22 are exact to 4e-15, and so is their slope over 4,000 iterations.
    assert result.rate == pytest.approx(0.995, rel=1e-13)
    assert result.interval == pytest.approx((0.995, 0.995), rel=1e-12)
    assert result.window == (0, 3996)
    assert result.floor == 0.0


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
def test_units_do_not_matter(scale):
    """Neither those of the gap nor those of time: a record every 1,000 iterations has the same factor a record."""
    gaps = 0.995**T * np.exp(0.1 * NOISE)
    plain, scaled = classify_convergence(T, gaps), classify_convergence(1000 * T, scale * gaps)
    assert scaled.kind is plain.kind is Kind.LINEAR
    assert 1000 * np.log(scaled.rate) == pytest.approx(np.log(plain.rate), rel=1e-6)


def test_a_rotating_line_and_its_window():
    result = classify_convergence(T, 0.995**T * (1 + 0.9 * np.cos(2 * np.pi * 7.3 * X)))
    assert result.kind is Kind.LINEAR
    assert result.interval[0] <= 0.995 <= result.interval[1]
    assert np.log(result.rate) == pytest.approx(np.log(0.995), rel=0.02)


def test_the_rate_is_that_of_the_straight_part():
    """After a plateau, and after a faster mode: neither may bend the slope."""
    after_plateau = classify_convergence(T, 0.99 ** np.maximum(0, T - 1600))
    after_fast_mode = classify_convergence(T, 0.99**T + 100 * 0.95**T)
    for result in (after_plateau, after_fast_mode):
        assert result.kind is Kind.LINEAR
        # The shapes' grids are 5% of the record wide; what is left of the bend costs a percent of the slope at most.
        assert np.log(result.rate) == pytest.approx(np.log(0.99), rel=0.01)
    assert 1600 <= after_plateau.window[0] <= 2000
    assert 0 < after_fast_mode.window[0] <= 800


def test_the_floor_ends_the_line():
    result = classify_convergence(T, 0.98**T + 1e-15 * np.abs(NOISE), floor=1e-13)
    assert result.kind is Kind.LINEAR
    # At ten floors 1e-15 is 1e-3 of the gap, at the end of 27 nats: 4e-5 of the slope, and somewhat more of its end.
    assert result.rate == pytest.approx(0.98, rel=1e-4)
    assert result.window[1] <= np.log(1e-12) / np.log(0.98) + 4
    assert result.floor == 1e-13


def test_a_floor_that_nobody_declared_is_found():
    """1e-15 of the largest gap is rounding; 1e-9 of it is a plateau."""
    found = classify_convergence(T, 5 * 0.98**T + 5e-15 * (1 + np.abs(NOISE)))
    assert found.kind is Kind.LINEAR
    assert 5e-15 <= found.floor <= 5e-14
    assert classify_convergence(T, 0.98**T + 1e-9).kind is Kind.STALLED
    short = 0.5 ** np.arange(60) + 1e-15 * np.abs(NOISE[:60])  # a level of ten gaps that scatter
    assert classify_convergence(np.arange(60), short).floor > 0
    assert classify_convergence(T, 0.98**T + 1e-15, floor=0.0).kind is Kind.STALLED  # declared exact


def test_exact_zeros_and_underflow_end_the_record():
    zeros = classify_convergence(T, np.where(T < 1200, 0.98**T, 0.0))
    assert zeros.kind is Kind.LINEAR
    assert zeros.window[1] < 1200
    gaps = np.exp(-0.6 * T)  # zero from iteration 1,242 on
    assert gaps[-1] == 0
    deep = classify_convergence(T, gaps)
    assert deep.kind is Kind.LINEAR
    # 690 nats are exact to 1e-13.
    assert np.log(deep.rate) == pytest.approx(-0.6, rel=1e-12)


def test_a_run_that_meets_its_floor_is_not_stalled():
    """A line that ends at its floor after a plateau of most of the record: too little is left to call it anything."""
    result = classify_convergence(T, np.where(T < 3900, 1.0, 1e-16), floor=1e-13)
    assert result.kind is Kind.INCONCLUSIVE


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_power_laws(power, noise):
    result = classify_convergence(T, (T + 4.0) ** -power * np.exp(noise * NOISE))
    assert result.kind is Kind.SUBLINEAR
    assert result.rate is result.interval is None
    assert result.window == (0, 3996)


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_longest_stretched_exponential_is_not_a_line(noise):
    for exponent in (0.2, 0.5, 0.6):
        result = classify_convergence(T, np.exp(-12 * X**exponent + noise * NOISE))
        assert result.kind is Kind.SUBLINEAR, exponent


def test_stalls_cycles_and_growth():
    spiky = np.exp(3 * np.cos(2 * np.pi * 5.5 * X))
    for gaps, kind in (
        (np.full(len(T), 0.3), Kind.STALLED),
        (0.3 * np.exp(0.2 * NOISE), Kind.STALLED),
        (0.01 + 0.99**T, Kind.STALLED),
        (1 + 0.9 * np.cos(2 * np.pi * 12 * X), Kind.STALLED),
        (spiky, Kind.STALLED),
        (np.exp(2 * X), Kind.DIVERGING),
        (1e-3 * np.minimum(1, np.exp(9 * (X - 0.6))), Kind.DIVERGING),
        (np.exp(-90 * X) + 1e-4 * np.exp(5 * X), Kind.DIVERGING),
    ):
        assert classify_convergence(T, gaps).kind is kind


def test_a_line_of_less_than_a_decade_is_not_called_linear():
    assert classify_convergence(T, np.exp(-2.2 * X)).kind is Kind.INCONCLUSIVE
    assert classify_convergence(T, np.exp(-2.4 * X)).kind is Kind.LINEAR


def test_a_line_must_be_straight_after_its_corner():
    """A fall of 1.2 nats after a corner is no line of a decade, though the part before it falls too."""
    assert classify_convergence(T, np.exp(-2 * np.minimum(X, 0.7) - 4 * np.maximum(0, X - 0.7))).kind is Kind.INCONCLUSIVE
    assert classify_convergence(T, np.exp(-4 * np.minimum(X, 0.7) - 8 * np.maximum(0, X - 0.7))).kind is Kind.LINEAR


def test_a_rise_and_a_fall_are_no_line():
    """It may be half of a cycle."""
    assert classify_convergence(T, np.exp(np.where(X < 0.5, 6 * X, 6 - 6 * X))).kind is not Kind.LINEAR


def test_a_line_that_noise_could_have_made_is_inconclusive():
    t = np.arange(40.0)
    few = np.exp(-5 * np.maximum(0, t / 39 - 0.4) + 0.4 * NOISE[:40])
    assert classify_convergence(t, few).kind is Kind.INCONCLUSIVE
    many = np.exp(-5 * np.maximum(0, X - 0.4) + 0.4 * NOISE)
    assert classify_convergence(T, many).kind is Kind.LINEAR


def test_slow_falls():
    """Over the second half: by less than a tenth is a stall; by more is none, even if it would end on a plateau one day."""
    assert classify_convergence(T, np.exp(-0.15 * X)).kind is Kind.STALLED
    assert classify_convergence(T, np.exp(-0.3 * X)).kind is Kind.INCONCLUSIVE
    assert classify_convergence(T, 1 + np.exp(2 - 2 * X / 0.75)).kind is Kind.INCONCLUSIVE


def test_what_comes_before_a_floor_is_no_divergence():
    assert classify_convergence(T, np.where(T < 3200, np.exp(2 * X), 1e-17), floor=1e-13).kind is Kind.INCONCLUSIVE
    assert classify_convergence(T, np.where(T < 3200, np.exp(2 * X), 1e-3), floor=1e-13).kind is not Kind.LINEAR


def test_a_rise_at_the_very_beginning_is_no_divergence():
    assert classify_convergence(T, np.exp(-2 * np.exp(-X / 0.008))).kind is Kind.STALLED


def test_the_window_begins_where_the_line_is_alone():
    # The faster mode adds 100·(.95/.99)^t·4.1 of the slope: 2% at iteration 240, half at 163.
    assert 200 <= classify_convergence(T, 0.99**T + 100 * 0.95**T).window[0] <= 400
    # A corner as round as this still bends at x = .89; but two thirds of the line, from x = 2/3 on, are used.
    assert 0.5 <= classify_convergence(T, np.exp(-np.logaddexp(0, 10 * (X - 0.5)))).window[0] / T[-1] <= 0.7


def test_a_sum_of_many_modes_is_not_called_linear():
    """Twenty exponentials that imitate a power law over the whole record; only their last one is a line, and it has not been seen alone."""
    rates = np.geomspace(1, 1000, 20)
    gaps = sum(rate**1.5 * np.exp(-rate * X) for rate in rates)
    assert classify_convergence(T, gaps).kind is not Kind.LINEAR


@given(slope=st.floats(5, 25), turns=st.floats(5, 30), depth=st.floats(0, 0.8), grid=st.sampled_from(["even", "log", "mixed"]))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_lines_on_every_grid(slope, turns, depth, grid):
    even, log = np.arange(0, 20_001, 40), np.geomspace(1, 20_000, 500).round().astype(int)
    t = {"even": even, "log": np.unique(log), "mixed": np.union1d(even, log)}[grid]
    result = classify_convergence(t, np.exp(-slope * t / 20_000) * (1 + depth * np.cos(2 * np.pi * turns * t / 20_000)))
    assert result.kind is Kind.LINEAR
    # The wave is 1.6 nats deep at most; over five turns its mean shifts the slope by less than a nat.
    assert -20_000 * np.log(result.rate) == pytest.approx(slope, abs=1.0)


def test_too_few_gaps_above_the_floor():
    result = classify_convergence(range(7), 0.5 ** np.arange(7))
    assert (result.kind, result.window) == (Kind.INCONCLUSIVE, None)
    assert "only 7 gaps" in result.evidence
    nothing = classify_convergence(T, np.zeros(len(T)))
    assert nothing.kind is Kind.INCONCLUSIVE
    assert "only 0 gaps" in nothing.evidence


def test_the_evidence_names_the_rival_and_is_json():
    line = classify_convergence(T, 0.995**T * np.exp(0.1 * NOISE))
    assert "decades on a line" in line.evidence
    assert "next best" in line.evidence
    assert "power law (exponent 2)" in classify_convergence(T, (T + 40.0) ** -2).evidence
    assert json.loads(json.dumps(line.to_dict()))["kind"] == "linear"


@pytest.mark.parametrize(
    ("iterations", "gaps", "words"),
    [
        ([0, 1, 1], [1, 1, 1], "increasing; entry 3, iteration 1"),
        ([0, 2, 1], [1, 1, 1], "increasing; entry 3"),
        ([-1, 0, 1], [1, 1, 1], "not be negative; the first is -1"),
        ([0, 1, np.inf], [1, 1, 1], "iterations must be finite; entry 3"),
        ([-np.inf, 1, 2], [1, 1, 1], "iterations must be finite; entry 1"),
        ([0, 1], [1, 1, 1], "one length"),
        ([[0, 1, 2]], [[1, 1, 1]], "one length"),
        ([0, 1, 2], [1, np.nan, 1], "iteration 1 is nan"),
        ([0, 1, 2], [1, 1, np.inf], "iteration 2 is inf"),
        ([0, 5, 9], [1, -0.5, 1], "not be negative; the one at iteration 5 is -0.5"),
        ([], [], "Too short a trace: it has 0"),
        ([0, 1], [1, 1], "Too short a trace: it has 2"),
    ],
)
def test_bad_records_are_refused(iterations, gaps, words):
    with pytest.raises(InputError, match=words):
        classify_convergence(iterations, gaps)


@pytest.mark.parametrize("floor", [-1.0, np.nan, np.inf])
def test_bad_floors_are_refused(floor):
    with pytest.raises(InputError, match="floor"):
        classify_convergence([0, 1, 2], [1, 1, 1], floor=floor)


def test_rounding_below_zero_counts_as_zero():
    gaps = 0.98**T + 1e-15 * NOISE
    assert np.min(gaps) < 0
    assert classify_convergence(T, gaps, floor=1e-13).kind is Kind.LINEAR
    with pytest.raises(InputError, match="not be negative"):
        classify_convergence(T, gaps, floor=1e-16)


@pytest.mark.parametrize(("depth", "turns"), [(0.25, 1.5), (0.35, 1.5), (0.35, 5.0)])
def test_slow_waves_do_not_hide_a_slow_fall(depth, turns):
    """Waves in logarithmic time, as of a magnet that weakens, may outweigh the fall by a factor of 1.45 over half a run; not that over five decades of it."""
    t = np.arange(0, 100_001, 250)
    gaps = (t + 1.0) ** -0.54 * np.exp(depth * np.cos(turns * np.log(t + 1.0)))
    assert classify_convergence(t, gaps).kind is Kind.SUBLINEAR


def test_growth_beyond_any_float_has_words():
    assert "risen by a factor of 1e+548 from its lowest" in classify_convergence(HERE, np.exp(np.linspace(-690, 700, 200))).evidence


@pytest.mark.parametrize("begun", [1000, 5000, 10**4, 10**6, 10**12, 10**15])
def test_where_the_iterations_begin_does_not_matter(begun):
    """Growth, a line, a plateau, cycles, and what has begun to fall with the record: a count that goes on from another run changes none of them."""
    for gaps in (
        1.03**HERE,
        1.05**HERE,
        0.9**HERE,
        0.95 ** np.maximum(0, HERE - 80),
        0.01 + 0.9**HERE,
        1 + 0.9 * np.cos(2 * np.pi * HERE / 17),
        1 / (HERE + 1.0),
        np.exp(-12 * np.sqrt(HERE / 200)),
    ):
        early, late = classify_convergence(HERE, gaps), classify_convergence(HERE + begun, gaps)
        assert early.kind is late.kind is not Kind.INCONCLUSIVE
        assert (late.rate, late.interval) == (early.rate, early.interval)
        assert late.window == (early.window[0] + begun, early.window[1] + begun)


def test_a_late_record_may_have_begun_to_fall_with_iteration_0():
    for begun in (40, 100, 200):
        t = HERE + begun
        for gaps, words in (
            (t**-2.0, "a power law since iteration 0 (exponent 2)"),
            (np.exp(-40 * np.sqrt(t / t[-1])), "a stretched exponential since iteration 0 (b = 0.5)"),
            ((HERE + 0.5) ** -2.0, "a power law since the first gap"),
        ):
            result = classify_convergence(t, gaps)
            assert result.kind is Kind.SUBLINEAR
            assert words in result.evidence
    # A twentieth of its length late it has one clock.
    assert "since" not in classify_convergence(HERE + 10, (HERE + 10) ** -2.0).evidence


def test_a_line_far_from_iteration_0_and_the_slow_falls_that_no_gap_can_have_had():
    """Over 400 iterations after 5,000 a stretched exponential is nearly a line: noise hides the rest, and it has fallen by 90 nats before. After a million it would have by 17,000."""
    t = np.arange(400)
    gaps = 0.99**t * np.exp(0.1 * NOISE[:400])
    assert classify_convergence(t, gaps).kind is Kind.LINEAR
    assert classify_convergence(t + 5000, gaps).kind is Kind.INCONCLUSIVE
    assert classify_convergence(t + 10**6, gaps).kind is Kind.LINEAR


@pytest.mark.parametrize("level", [1e-15, 1e-9, 1e-3])
def test_a_fall_at_once_is_a_stall_after_it(level):
    t = np.arange(100)
    result = classify_convergence(t, np.where(t < 50, 1.0, level), floor=0)
    assert result.kind is Kind.STALLED
    assert result.evidence == "over the second half of the run it did not fall (factor 1.00)."


def test_no_large_fall_is_called_flat_however_much_it_scatters():
    """The scatter of few gaps allows for any fall; by a factor of two is one."""
    t, rng, factors = np.arange(12), np.random.default_rng(3), []
    for deviation in np.linspace(0.5, 2.0, 40):
        result = classify_convergence(t, np.exp(-2 * t / 12 + deviation * rng.normal(size=12)))
        if found := re.search(r"by a factor of (\S+) only", result.evidence):
            assert result.kind is Kind.STALLED
            factors.append(float(found[1]))
    assert factors
    assert max(factors) <= 2


def test_the_words_of_a_stall():
    """The fall is that between the sixth tenth and the last, four tenths later, or that of the shape, if this is less."""
    for gaps, words in (
        (np.full(len(T), 0.3), "it did not fall (factor 1.00)"),
        (np.exp(-0.1 * X), "it fell by a factor of 1.04 only"),
        (np.exp(0.1 * X), "it did not fall: it rose by a factor of 1.04"),
    ):
        assert classify_convergence(T, gaps).evidence == f"over the second half of the run {words}."


@pytest.mark.parametrize(
    "cycle",
    [(1, 1e-8), (1e-8, 1), (1e-4, 1, 1), (1, 1e-4, 1), (1, 1, 1e-4), (1e-4, 1e-4, 1), (1e-8, 1e-4, 1), (1e-6, 1, 1, 1, 1), (1, 1e-3, 1e-6, 1e-3, 0.1)],
)
def test_cycles_of_a_few_gaps_are_stalled(cycle):
    """Averages of three gaps drift where the cycle does not: its highest gaps neither rise nor fall."""
    for number in (100, 101, 133, 200, 250, 301, 401):
        for begun in (0, 1, 1000):
            result = classify_convergence(np.arange(number) + begun, np.resize(cycle, number))
            assert result.kind is Kind.STALLED, (number, begun, result.evidence)


@pytest.mark.parametrize(
    ("iterations", "gaps", "words"),
    [
        (range(3), [10**400, 1, 1], "gaps must be a list of numbers .int too large"),
        ([0, 1, 10**400], [1, 1, 1], "iterations must be a list of numbers"),
        (range(3), ["a", "b", "c"], "gaps must be a list of numbers .'a' is none"),
        (range(3), ["1", "2", "3"], "gaps must be a list of numbers .'1' is none"),
        (range(3), [1j, 1, 1], "gaps must be a list of numbers"),
        (range(3), [True, True, False], "gaps must be a list of numbers .True is none"),
        (range(3), [None, {}, 1], "gaps must be a list of numbers"),
        ([[0], [1, 2]], [1, 1, 1], "iterations must be a list of numbers"),
        (np.array([1, 2, 3], dtype="M8[s]"), [1, 1, 1], "iterations must be a list of numbers"),
        (None, None, "one length"),
        (np.array([2**53 - 1, 2**53, 2**53 + 1], dtype=np.uint64), [1, 1, 1], r"below 2\*\*53.*; entry 2 is 9007199254740992"),
        ([0.0, 1.0, 1e300], [1, 1, 1], r"below 2\*\*53.*; entry 3"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(iterations, gaps, words):
    with pytest.raises(InputError, match=words):
        classify_convergence(iterations, gaps)


def test_the_largest_iterations_and_numbers_of_any_kind():
    largest = np.arange(2**53 - 200, 2**53, dtype=np.uint64)
    assert classify_convergence(largest, 0.9**HERE).rate == pytest.approx(0.9, rel=1e-12)
    halves = [Fraction(1, 2**i) for i in range(20)]
    assert classify_convergence(range(20), halves).rate == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("floor", ["x", "0", True, np.True_, 1j, 10**400, [0.0], np.zeros(2)])
def test_floors_that_are_no_number_are_refused(floor):
    with pytest.raises(InputError, match="floor must be a finite number"):
        classify_convergence(range(20), 0.5 ** np.arange(20), floor=floor)


@pytest.mark.parametrize("floor", [None, 0, 0.0, np.float32(0), Fraction(1, 10**9), np.int64(0)])
def test_the_floor_is_given_back_as_a_float(floor):
    for gaps in (0.5 ** np.arange(20), np.zeros(20)):
        result = classify_convergence(range(20), gaps, floor=floor)
        assert type(result.floor) is float
        assert result.floor == float(floor or 0)
