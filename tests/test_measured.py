"""The parts of the classifier of recorded gaps, each against another way to the same numbers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from mmd_games.verification import Kind, classify_convergence
from mmd_games.verification.measured import convergence as convergence_module
from mmd_games.verification.measured import shapes
from mmd_games.verification.measured.fitting import fit_all
from mmd_games.verification.measured.floors import above_floor
from mmd_games.verification.measured.intervals import independent, memory, slope_interval
from mmd_games.verification.measured.movement import Moved, moved
from mmd_games.verification.measured.regression import Fit, Regression
from mmd_games.verification.measured.rotations import rotations
from mmd_games.verification.measured.straightness import straightness
from mmd_games.verification.measured.stretches import averages, without_dips

T = np.arange(0, 4000, 4)
NOISE = np.random.default_rng(0).normal(size=len(T))
X = T / T[-1]


def test_above_floor_cuts_where_all_that_follows_is_rounding_and_drops_dips():
    gaps = np.array([1.0, 1e-4, 1e-1, 1e-2, 2e-4, 2e-3, 5e-4, 1e-4, 1e-5])
    used = above_floor(np.arange(9.0), gaps, 1e-4)
    assert used.times.tolist() == [0, 2, 3, 5]  # 1e-4 and 2e-4 are within three floors; from 5e-4 on all is within ten
    assert np.exp(used.logs) == pytest.approx([1, 1e-1, 1e-2, 2e-3])
    assert used.reached
    assert not above_floor(np.arange(9.0), gaps, 1e-7).reached


def test_averages_against_a_loop():
    rng = np.random.default_rng(1)
    t = np.sort(rng.choice(np.arange(1.0, 5000), 700, replace=False))
    logs = rng.normal(size=700)
    centres, means, first = averages(t, logs, 40)
    parts = np.split(np.arange(700), first[1:])
    assert np.allclose(centres, [t[part].mean() for part in parts])
    assert np.allclose(means, [logs[part].mean() for part in parts])
    width = (t[-1] - t[0]) / 40
    long = [part for part in parts if t[part[0]] > t[0] + width]
    assert all(t[part[-1]] - t[part[0]] <= width for part in long)
    assert len(long) == 39
    # What lies before is halved towards the start.
    assert len(parts) - len(long) > 3


def test_dips_are_cut_and_nothing_else():
    line = -20 * X
    assert np.array_equal(without_dips(T.astype(float), line), line)
    dipped = line.copy()
    dipped[100::50] -= 7
    cut = without_dips(T.astype(float), dipped)
    assert np.max(np.abs(cut - line)) <= 1.2
    assert np.array_equal(cut[1:50], line[1:50])


def test_rotations_find_two_frequencies_and_no_more():
    x = np.linspace(0, 1, 100)
    level = np.ones((100, 1))
    wave = np.cos(2 * np.pi * 7.37 * x) + 0.8 * np.sin(2 * np.pi * 19.9 * x)
    found = rotations(x, wave, level)
    assert found.shape == (100, 12)
    basis = np.linalg.qr(np.column_stack([level, found]))[0]
    # Frequencies are found to 0.02 turns: an error of 0.06 radians at the ends of the record.
    assert np.max(np.abs(wave - basis @ (basis.T @ wave))) < 0.1
    assert rotations(x, np.random.default_rng(0).normal(size=100), level).shape == (100, 0)
    assert rotations(x, np.zeros(100), level).shape == (100, 0)


def test_rotations_are_waves_at_the_recorded_times():
    """Two points a turn show no sine, harmonics of what is near that are as slow as a trend, and others are one wave: neither is a column."""
    x = np.linspace(0, 1, 97)
    trend = np.column_stack([np.ones(97), x, x**2])
    for turns in (48.0, 47.8, 47.4, 32.2):
        found = rotations(x, np.cos(2 * np.pi * turns * x), trend)
        assert found.shape[1] > 0
        basis = np.linalg.qr(trend)[0]
        assert np.all(np.sum((basis.T @ found) ** 2, axis=0) < 0.25 * np.sum(found**2, axis=0))
        # A column adds a twentieth of mean square at least, so at most eleven of them are far from dependent; those of the trend itself have the condition 20.
        assert np.linalg.cond(np.column_stack([trend, found])) < 1e3


def test_regression_against_least_squares():
    rng = np.random.default_rng(2)
    x = np.sort(rng.uniform(0, 1, 60))
    turns = np.column_stack([np.cos(20 * x), np.sin(20 * x)])
    y = -9 * x + turns @ [0.5, 0.2] + 0.1 * rng.normal(size=60)
    regression = Regression(x, y, turns)
    curves = shapes.power_laws(x, shapes.OFFSETS)
    row, coefficient = regression.best(curves)

    def squares(*columns):
        return float(np.linalg.lstsq(np.column_stack([np.ones(60), turns, *columns]), y, rcond=None)[1][0])

    expected = [squares(curve) for curve in curves]
    assert row == int(np.argmin(expected))
    fit = regression.fit("", "", 2, coefficient * curves[row])
    assert fit.squares == pytest.approx(min(expected))
    assert np.allclose(fit.trend + fit.residuals, y - turns @ np.linalg.lstsq(turns, y - fit.trend - fit.residuals, rcond=None)[0])
    # A bound that binds: the coefficient stays at it.
    assert regression.best(curves[:1], high=0.5)[1] == 0.5
    assert regression.best(-curves)[1] == 0.0

    hinges = shapes.corners(x, *shapes.pairs(shapes.SHARPNESS, shapes.CORNERS))
    found, slopes, heights = regression.beside_line(hinges)
    for i in range(0, len(hinges), 7):
        coefficients, left, *_ = np.linalg.lstsq(np.column_stack([np.ones(60), turns, x, hinges[i]]), y, rcond=None)
        if coefficients[-1] >= 0:
            assert (-slopes[i], heights[i]) == pytest.approx(tuple(coefficients[-2:]), rel=1e-6)
            assert found[i] - found[0] == pytest.approx(float(left[0]) - (squares(x, hinges[0]) if heights[0] > 0 else squares(x)), abs=1e-8)
        else:
            assert heights[i] == 0.0
            assert slopes[i] == pytest.approx(-float(np.linalg.lstsq(np.column_stack([np.ones(60), turns, x]), y, rcond=None)[0][-1]))


def test_every_family_explains_its_own():
    x = np.linspace(0.002, 1, 90)
    own = {
        "power law": -2 * np.log(x + 0.02),
        "stretched exponential": -15 * x**0.4,
        "line": -12 * x,
        "a line after a faster mode": np.logaddexp(-30 * x, -4 - 8 * x),
        "a line after a plateau": -9 * np.maximum(0, x - 0.4),
        "plateau": np.logaddexp(-8, -20 * x),
        "growth": 3 * np.minimum(x, 0.7),
    }
    for name, y in own.items():
        fits = fit_all(x, y)
        ours, others = ([fit for fit in fits if (name in (fit.family, fit.name)) is own] for own in (True, False))
        best = min(ours, key=lambda fit: fit.squares)
        # A line may take any part: every shape that has a line can have nothing else.
        assert best.squares <= 1.001 * min(fit.squares for fit in others) + 1e-20, name
        assert math.sqrt(best.squares / len(x)) < 0.02, name  # nats: the grids' steps
        assert np.allclose(best.trend + best.residuals, y)
    line = min(fit_all(x, own["a line after a plateau"]), key=lambda fit: fit.squares)
    assert (line.slope, line.fall) == (pytest.approx(9, rel=0.01), pytest.approx(9 * 0.6, rel=0.02))


def test_memory_and_the_number_of_independent_residuals():
    rng = np.random.default_rng(4)
    white = rng.normal(size=4000)
    assert memory(white, 0) < 0.05
    walk = np.zeros(4000)
    for i in range(1, 4000):
        walk[i] = 0.6 * walk[i - 1] + white[i]
    # Standard error of a correlation of 4,000: 0.016.
    assert memory(walk, 0) == pytest.approx(0.6, abs=0.06)
    assert memory(walk, 400) == pytest.approx(memory(walk, 0) + 0.1)
    assert independent(walk, 0) == pytest.approx(1000, rel=0.15)
    assert memory(np.zeros(5), 2) == 0.0
    assert memory(np.ones(50), 20) == 0.97
    assert independent(np.ones(5), 4) == 4.0


def test_the_interval_holds_rounding_and_bends():
    for rate in np.linspace(0.985, 0.9999, 30):
        low, high = classify_convergence(T, 0.3 * rate ** (T / 2)).interval or (0, 1)
        assert low <= rate**0.5 <= high
    t = np.arange(300.0)
    # The second half of this parabola falls by half of the bend more than the whole; its noise alone would allow for a fifth.
    slope, low, high = slope_interval(t, -5 * t / 299 - (t / 299) ** 2 + 0.3 * NOISE[:300])
    assert 299 * (slope - low) > 0.35
    assert 299 * (high - slope) < 0.35
    # Powers of two have no rounding and this line no residuals; other lines have.
    slope, low, high = slope_interval(np.arange(64.0), -0.5 * np.arange(64.0))
    assert (low, high) == (pytest.approx(slope, abs=1e-13), pytest.approx(slope, abs=1e-13))
    assert high - low > 8 * np.finfo(float).eps


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_the_interval_of_a_slope_has_its_coverage(correlation):
    rng, inside, width = np.random.default_rng(5), 0, []
    t = np.arange(300.0)
    for _ in range(150):
        noise = rng.normal(size=300)
        for i in range(1, 300):
            noise[i] = correlation * noise[i - 1] + np.sqrt(1 - correlation**2) * noise[i]
        slope, low, high = slope_interval(t, -0.05 * t + 0.2 * noise)
        assert low <= slope <= high
        inside += low <= -0.05 <= high
        width.append((high - low) / 2)
    # 95% nominal; fewer than 87% of 150 have probability 1e-4.
    assert inside >= 0.87 * 150
    # Standard deviation of the slope of white noise: 0.2·√12/300^1.5; a memory of 0.6 doubles it.
    assert np.median(width) <= 3 * 0.2 * np.sqrt(12 / 300**3) * np.sqrt((1 + correlation) / (1 - correlation))


# --- numbers by hand --------------------------------------------------------------------------------------------------------------------------


def test_where_a_declared_floor_ends_a_record():
    """At ten floors and below, for good; and what lies within three floors before is left out."""
    gaps = np.array([100.0, 0.75, 0.8, 2.6, 0.7, 2.5, 2.0, 0.1])
    used = above_floor(np.arange(8.0), gaps, 0.25)
    assert (used.times.tolist(), used.floor, used.reached) == ([0, 2, 3], 0.25, True)
    assert used.logs.tolist() == np.log([100.0, 0.8, 2.6]).tolist()
    assert not above_floor(np.arange(4.0), gaps[:4], 0.25).reached
    # Without a floor what has underflown ends it, and what nearly has.
    tiny = np.array([1.0, 2.9e-300, 3.1e-300, 1.1e-299, 0.9e-299, 0.0])
    assert above_floor(np.arange(6.0), tiny, 0.0).times.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        ([1.5e-12] * 20 + [1e-13] * 19 + [2e-13], 2e-13),  # the largest of its later half
        ([1.5e-12] * 23 + [1e-13] * 20, 1e-13),  # twenty of forty-three: two quarters
        ([2.1e-12] * 40, 2.1e-12),
        ([2.3e-12] * 40, 0.0),  # above 10,000 ε
        ([1e-12] * 20 + [1e-13 * math.e**0.95] * 10 + [1e-13] * 10, 1e-13 * math.e**0.95),
        ([1e-12] * 20 + [1e-13 * math.e**1.05] * 10 + [1e-13] * 10, 0.0),  # still falling
        ([1e-12] * 20 + [1e-13] * 10 + [1e-13 * math.e**1.05] * 10, 0.0),
        ([1e-13] * 10 + [1e-12] * 8 + [1e-13] * 2, 1e-12),
        ([0.0] * 40, 0.0),
        ([1e-13] * 4, 1e-13),
        ([1e-13] * 3, 0.0),  # no quarter
    ],
)
def test_a_floor_that_was_found(tail, found):
    assert above_floor(np.arange(100.0 + len(tail)), np.append(np.ones(100), tail), None).floor == found


def test_a_level_must_be_three_hundredths_of_the_record():
    for length, floor in ((400, 1e-13), (401, 0.0)):
        gaps = np.append(np.ones(length - 12), np.full(12, 1e-13))
        assert above_floor(np.arange(float(length)), gaps, None).floor == floor


def test_the_early_stretches_by_hand():
    """The first of the equal stretches is halved twelve times towards the first gap; a gap belongs to the stretch that ends with it."""
    times = np.append(100 + 4096 * 0.5 ** np.arange(14, -1, -1.0), 100 + 4096 * np.arange(2.0, 13.0))
    logs = np.random.default_rng(0).normal(size=len(times))
    centres, means, first = averages(times, logs)  # 26 gaps: the fewest stretches, 12 of 4096
    # Halved twelve times the first ends at 1: the times 1/4 and 1/2, and 1 itself, are in it.
    expected = [slice(0, 3), *(slice(i, i + 1) for i in range(3, 26))]
    assert first.tolist() == [part.start for part in expected]
    assert centres == pytest.approx([np.mean(times[part]) for part in expected])
    assert means == pytest.approx([np.mean(logs[part]) for part in expected])
    # A third of the gaps, 96 at most.
    for number, stretches in ((60, 20), (270, 90), (900, 96)):
        even = averages(np.arange(float(number)), np.zeros(number))[2]
        assert abs(len(even) - stretches) <= 5  # the first stretch of few gaps is a few of those that it is halved into
        assert np.max(np.diff(even)) == math.ceil((number - 1) / stretches)


@pytest.mark.parametrize(("size", "deepest"), [(1.0, 3 * 1.4826), (0.1, 1.0)])
def test_how_deep_a_dip_may_be(size, deepest):
    """Three robust standard deviations, 1.4826 times the median of the sizes; and a nat at least."""
    logs = size * (-1.0) ** np.arange(961)
    logs[[501, 701]] = -10
    cut = without_dips(np.arange(961.0), logs)
    # The medians of thirty gaps, half of them up and half down, are 0.
    assert cut[[501, 701]] == pytest.approx(-deepest, abs=0.02 * size)
    assert np.array_equal(np.delete(cut, [501, 701]), np.delete(logs, [501, 701]))


def test_memory_by_hand():
    # The products of neighbours are 1, −1, 1, …, 1.
    pattern = np.tile([1.0, 1.0, -1.0, -1.0], 10)
    assert memory(pattern, 0) == pytest.approx(1 / 40)
    assert memory(pattern, 3) == pytest.approx(1 / 40 + 3 / 40)
    assert independent(pattern, 3) == pytest.approx(37 * 0.9 / 1.1)
    assert memory(np.array([1.0, -1.0, 1.0]), 1) == 0.0
    assert memory(np.zeros(4), 1) == 0.0
    assert memory(np.ones(100), 0) == 0.97
    assert independent(np.ones(1000), 0) == pytest.approx(1000 * 0.03 / 1.97)
    assert independent(np.ones(10), 0) == 4.0


@pytest.mark.parametrize("bend", [-3.0, 0.0, 3.0])
@pytest.mark.parametrize("number", [9, 14, 40, 300])
def test_the_interval_of_a_slope_by_the_textbook(bend, number):
    """Student's quantile times the standard error, from the inverse of the normal equations, 1.2 times; eight roundings; and the slope of the second half."""
    times = np.append(np.arange(10.0, 9.0 + number), 14.0 + number)  # the last one late
    x = (times - times[0]) / (times[-1] - times[0])
    logs = 2 - 4 * x + bend * x**2 + 0.05 * NOISE[:number]

    def textbook(t, y):
        centres, means, _ = averages(t, y)
        z = (centres - t[0]) / (t[-1] - t[0])
        turns = rotations(z, means, np.column_stack([np.ones(len(z)), z, z**2]))
        design = np.column_stack([np.ones(len(z)), z, turns])
        found, *_ = np.linalg.lstsq(design, means, rcond=None)
        left = means - design @ found
        free, effective = len(z) - design.shape[1], independent(left, design.shape[1])
        variance = float(left @ left) / free * float(np.linalg.inv(design.T @ design)[1, 1]) * free / effective
        return found[1] / (t[-1] - t[0]), stats.t.ppf(0.975, max(effective - 2, 2)) * math.sqrt(variance) / (t[-1] - t[0])

    slope, reach = textbook(times, logs)
    middle = (times[0] + times[-1]) / 2
    half = min(int(np.sum(times < middle)), max(number - 8, 0))
    later, _ = textbook(times[half:], logs[half:])
    found = slope_interval(times, logs)
    assert found == pytest.approx((slope, min(slope - 1.2 * reach, later), max(slope + 1.2 * reach, later)), rel=1e-8)
    # A line without residuals has those of its logarithms, 8·ε, and of its factor.
    low, high = slope_interval(np.arange(65.0), 640 - 10 * np.arange(65.0))[1:]
    assert high - low == pytest.approx(2 * 8 * np.finfo(float).eps * (1 + 640 / 64), rel=0.2)


def test_the_grids_of_shapes():
    """Each increases, from and to where it is said to, in steps over which the finer one reaches."""
    for grid, first, last, number, factor in (
        (shapes.OFFSETS, 3e-5, 0.2, 11, 3.4),
        (shapes.EXPONENTS, 0.1, 0.6, 11, 1.51),
        (shapes.KNEES, 0.01, 0.5, 11, 2.01),
        (shapes.ARRIVALS, 0.03, 0.75, 16, 2.01),
        (shapes.DEPTHS, 1.0, 27.0, 6, 2.01),
        (shapes.CORNERS, 0.02, 0.8, 17, 2.51),
        (shapes.SATURATIONS, 0.3, 1.0, 8, 1.34),
        (np.array(shapes.GROWTH_OFFSETS), 0.01, 0.3, 4, 3.4),
        (shapes.FINER, 2 / 3, 3 / 2, 9, 1.107),
    ):
        assert (grid[0], grid[-1], len(grid)) == (pytest.approx(first), pytest.approx(last), number)
        assert np.all(grid[1:] > grid[:-1])
        assert np.max(grid[1:] / grid[:-1]) < factor
    assert shapes.STEPS.tolist() == pytest.approx([0.01 * step for step in range(-4, 5)])
    assert shapes.SHARPNESS.tolist() == [1000.0, 30.0, 10.0]
    # Times in which a transient falls: from 0, and what they say of themselves at x = 0.3 against x = 1.
    for time, x, expected in zip(shapes.TIMES.values(), [0.25] * 6, [0.25, math.log(253 / 3), math.log(28 / 3), 0.25**0.3, 0.5, 0.25**0.7], strict=True):
        assert time(np.array([0.0, x])) == pytest.approx([0.0, expected])


def test_the_shapes_by_hand():
    x = np.array([0.0, 0.1, 0.5, 1.0])
    assert shapes.power_laws(x, np.array([0.1]))[0] == pytest.approx([math.log(10), math.log(5), -math.log(0.6), -math.log(1.1)])
    assert shapes.stretched_exponentials(x, np.array([0.5]))[0] == pytest.approx([0, -math.sqrt(0.1), -math.sqrt(0.5), -1])
    fall = shapes.transients(x, np.array([8.0]), np.array([0.5]), shapes.TIMES["line"])[0]
    assert fall == pytest.approx([math.log(1 + math.exp(8 * (1 - 2 * each))) for each in x])
    turn = shapes.corners(x, np.array([10.0]), np.array([0.4]))[0]
    assert turn == pytest.approx([-math.log(1 + math.exp(10 * (each - 0.4))) / 10 for each in x])
    grown = shapes.growths(x)
    assert grown.shape == (40, 4)
    assert grown[3] == pytest.approx([0, 0.1, 0.5, 0.6])  # up to the fourth bound, 0.6
    assert grown[8 + 3] == pytest.approx(np.log([0.01, 0.11, 0.51, 0.61]))
    assert grown[32 + 7] == pytest.approx(np.log([0.3, 0.4, 0.8, 1.3]))
    first, second = shapes.pairs(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    assert (first.tolist(), second.tolist()) == ([1, 1, 1, 2, 2, 2], [3, 4, 5, 3, 4, 5])
    depths, knees = shapes.finer(8.0, 0.45, shapes.KNEES)
    assert (len(depths), np.min(depths), np.max(depths)) == (9 * 18, pytest.approx(16 / 3), pytest.approx(12))
    assert knees[:18] == pytest.approx(np.clip([*(0.45 * (2 / 3) ** (1 - k / 4) for k in range(9)), *(0.41 + 0.01 * k for k in range(9))], 0.01, 0.5))
    assert shapes.finer(8.0, 0.012, shapes.KNEES)[1].min() == 0.01
    assert [each.tolist() for each in shapes.joined((x[:1], x[1:2]), (x[2:3], x[3:]))] == [[0.0, 0.5], [0.1, 1.0]]


def test_the_competition_and_what_each_may_spend():
    """Free numbers beside the level: a line its slope; with a faster mode two more and its height; a power law its power and its offset; a transient three."""
    x = np.linspace(0.002, 1, 90)
    fits = fit_all(x, -9 * x + 0.01 * NOISE[:90])
    plateaus = [f"a plateau after a {name}" for name in shapes.TIMES]
    free = {fit.name: (fit.family, fit.parameters) for fit in fits}
    assert free["a constant"] == ("plateau", 0)
    assert all(free[name] == ("plateau", 3) for name in plateaus)
    assert free["growth"] == ("growth", 2)
    assert free["a line"] == ("line", 1)
    assert free["a line after a faster mode"] == free["a line after a plateau"] == ("line", 4)
    families = [fit.family for fit in fits]
    assert (families.count("power law"), families.count("stretched exponential")) == (1, 1)
    assert {fit.parameters for fit in fits if fit.family in ("power law", "stretched exponential")} == {2}
    line = next(fit for fit in fits if fit.name == "a line")
    assert line.slope == line.fall == pytest.approx(-np.polyfit(x, -9 * x + 0.01 * NOISE[:90], 1)[0], rel=1e-9)
    assert line.squares == pytest.approx(float(np.polyfit(x, -9 * x + 0.01 * NOISE[:90], 1, full=True)[1][0]), rel=1e-9)
    # A line may rise; a constant is the mean.
    rising = next(fit for fit in fit_all(x, 3 * x) if fit.name == "a line")
    assert (rising.slope, rising.fall, rising.squares) == (pytest.approx(-3), pytest.approx(-3), pytest.approx(0, abs=1e-20))
    assert next(fit for fit in fit_all(x, 3 * x) if fit.name == "a constant").trend == pytest.approx(np.full(90, 3 * x.mean()))


@pytest.mark.parametrize("finer", [3, 5])
def test_grids_are_refined(finer):
    """Parameters between those of a grid are found where the finer one has them: the fit is exact."""
    x, part, step = np.linspace(0.002, 1, 90), shapes.FINER[finer], shapes.STEPS[finer]
    for name, y, family in (
        ("power law", -2 * np.log(x + shapes.OFFSETS[5] * part), "power law"),
        ("stretched", -9 * x ** (shapes.EXPONENTS[0] * part), "stretched exponential"),
        ("transient", shapes.transients(x, np.array([8.0]), np.array([0.45 + step]), shapes.TIMES["line"])[0], "plateau"),
        ("mode", shapes.transients(x, np.array([8.0]), np.array([0.3 + step]), shapes.TIMES["line"])[0] - 7 * x, "line"),
        ("corner", 9 * shapes.corners(x, np.array([30.0]), np.array([0.45 + step]))[0], "line"),
    ):
        exact = min(fit.squares for fit in fit_all(x, y) if fit.family == family)
        assert exact < 90 * 1e-3**2, name  # a thousandth of a nat; steps of a third of a parameter are a hundred times that
    # The power of a power law goes up to 8, and the exponent of a stretched exponential to 0.6.
    steep = next(fit for fit in fit_all(x, -9 * np.log(x + 0.1)) if fit.family == "power law")
    assert steep.name == "a power law (exponent 8)"
    assert next(fit for fit in fit_all(x, -9 * x**0.6) if fit.family == "stretched exponential").name == "a stretched exponential (b = 0.6)"
    # A transient's height is what it is, up to half.
    low, high = (
        min(fit_all(x, height * shapes.transients(x, np.array([27.0]), np.array([0.75]), shapes.TIMES["line"])[0]), key=lambda fit: fit.squares)
        for height in (1.4, 3.0)
    )
    assert low.family == "plateau"
    assert high.squares > 100 * low.squares


def test_where_a_line_begins():
    """From its corner or where its faster mode is gone, unless it has four fifths of its slope before; a rise of a fifth of its fall makes it no line."""
    x = np.linspace(0.002, 1, 180)

    def best(y):
        return min(fit_all(x, y), key=lambda fit: fit.squares)

    def corner(before, after, at=0.5):
        return best(-before * np.minimum(x, at) - after * np.maximum(0, x - at))

    assert (corner(8.1, 10).fall, corner(8.1, 10).slope) == (pytest.approx(10, rel=0.02), pytest.approx(10, rel=0.02))
    assert corner(7.9, 10).fall == pytest.approx(5, rel=0.02)
    assert corner(0, 10).name == "a line after a plateau"
    assert corner(0, 4).name == "a line after a plateau, too short to be one"
    assert corner(-3, -1).name == "a line after a plateau, which rises"
    # It falls by 5; a rise by 0.95 leaves it a line, one by 1.05 is no plateau.
    assert corner(-1.9, 10).fall == pytest.approx(5, rel=0.02)
    assert corner(-2.1, 10).fall == math.log(10)
    assert corner(-2.1, 10).name.endswith("too short to be one")
    # A mode that starts 8 nats above a line of slope s and reaches it at 0.3 falls by s + 8/0.3 a unit: beside s = 10 it is another.
    mode = shapes.transients(x, np.array([8.0]), np.array([0.3]), shapes.TIMES["line"])[0]
    assert (best(mode - 10 * x).fall, best(mode - 10 * x).slope) == (pytest.approx(7, rel=0.02), pytest.approx(10, rel=0.02))
    slow = shapes.transients(x, np.array([1.0]), np.array([0.5]), shapes.TIMES["line"])[0]
    assert best(slow - 8.5 * x).fall == pytest.approx(8.5, rel=0.02)
    assert best(slow - 7.5 * x).fall == pytest.approx(3.75, rel=0.02)


@pytest.mark.parametrize("wave", [0.0, 0.3])
@pytest.mark.parametrize("begun", [0.0, 399.0, 2000.0])
def test_straightness_by_brute_force(begun, wave):
    """The number of independent residuals times the logarithm of the ratio of squares: of the best bend, on both clocks where it began late, over those of the line."""
    times, found = np.append(np.arange(1000.0, 3971.0, 10), 4000.0), []
    noise = 0.02 * NOISE[:299] + wave * np.cos(times / 100)
    for logs in (-times / 200 + noise, -9 * np.sqrt((times + begun) / 1000) + noise, -12 * np.log(times + 50) + noise):
        centres, y, _ = averages(times, logs)
        smooth = np.column_stack([np.ones(len(y)), centres])
        # Turns of what a line leaves, of times that span 1.
        turns = rotations(centres / 3000, y - smooth @ np.linalg.lstsq(smooth, y, rcond=None)[0], smooth)
        found.append(turns.shape[1] > 0)
        always = np.column_stack([np.ones(len(y)), turns])

        def left(*columns, y=y, always=always):
            design = np.column_stack([always, *columns])
            return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]

        def beside(curve, highest, y=y, always=always, left=left):
            height = np.linalg.lstsq(np.column_stack([always, curve]), y, rcond=None)[0][-1]
            if 0 <= height <= highest:
                return left(curve)
            rest = y - np.clip(height, 0, highest) * curve
            return rest - always @ np.linalg.lstsq(always, rest, rcond=None)[0]

        bends = []
        for x in [(centres + begun) / (4000 + begun), centres / 4000][: 2 if begun > 400 else 1]:
            bends += [beside(-np.log(x + offset), 8.0) for offset in shapes.OFFSETS]
            bends += [beside(-(x**exponent), 1024 * math.log(2)) for exponent in shapes.EXPONENTS]
        bend, line = min(bends, key=lambda each: float(each @ each)), left(centres)
        number = independent(min(bend, line, key=lambda each: float(each @ each)), turns.shape[1])
        assert straightness(times, logs, begun) == pytest.approx(number * math.log(float(bend @ bend) / float(line @ line)), rel=1e-6)
    assert found[0] is (wave > 0)
    assert 500 < straightness(times, -times / 200, begun) < math.inf  # residuals of rounding, or of none


def plain_fit(trend, noise=0.0, family="plateau", name="a shape", **details):
    """A shape that is laid through ten points a tenth of the record, or what noise makes of it."""
    residuals = noise * (-1.0) ** np.arange(len(trend))
    return Fit(name, family, float(residuals @ residuals), residuals, 2, np.asarray(trend, dtype=float), **details)


TENTHS = (np.arange(100) + 0.5) / 100
NEAREST = "no shape explains it that would tell how it goes on; the nearest is a shape."
SLOWER = "it falls ever more slowly; a shape explains it better than a line."


@pytest.mark.parametrize(
    ("rise", "fall", "highest", "noise", "family", "ahead", "reached", "ending", "kind", "words"),
    [
        (0.70, -9.0, 0.0, 0.1, "growth", 99.0, False, 0.0, Kind.DIVERGING, "it has risen by a factor of 2.01 from its lowest."),
        (0.69, -9.0, 0.0, 0.1, "growth", 99.0, False, 0.0, Kind.INCONCLUSIVE, NEAREST),
        (0.80, -9.0, 0.0, 0.79, "growth", 99.0, False, 0.0, Kind.DIVERGING, "it has risen by a factor of 2.23 from its lowest."),
        (0.80, -9.0, 0.0, 0.81, "growth", 99.0, False, 0.0, Kind.INCONCLUSIVE, NEAREST),
        (9.00, -9.0, 0.0, 0.1, "growth", 99.0, True, 0.0, Kind.INCONCLUSIVE, NEAREST),
        (0.0, 0.19, 9.0, 0.1, "power law", 99.0, False, 0.0, Kind.STALLED, "over the second half of the run it fell by a factor of 1.21 only."),
        (0.0, -0.19, 9.0, 0.1, "power law", 99.0, False, 0.0, Kind.STALLED, "over the second half of the run it did not fall: it rose by a factor of 1.21."),
        (0.0, 0.001, 9.0, 0.1, "power law", 99.0, False, 0.0, Kind.STALLED, "over the second half of the run it did not fall (factor 1.00)."),
        (0.0, 0.20, 9.0, 0.1, "power law", 99.0, False, 0.0, Kind.SUBLINEAR, SLOWER),
        (0.0, 0.19, 9.0, 0.1, "power law", 99.0, True, 0.0, Kind.SUBLINEAR, SLOWER),
        (0.0, 0.5, 9.0, 0.1, "power law", 2.0, False, 0.0, Kind.SUBLINEAR, SLOWER),
        (0.0, 0.5, 9.0, 0.1, "power law", 1.9, False, 0.0, Kind.INCONCLUSIVE, "a line and a shape explain it about as well."),
        (0.0, 0.5, 0.10, 0.1, "stretched exponential", 99.0, False, 0.0, Kind.SUBLINEAR, SLOWER),
        (0.0, 0.5, 0.09, 0.1, "stretched exponential", 99.0, False, 0.0, Kind.STALLED, "its highest gaps are as high at the end of the run as ever."),
        (0.0, 0.5, 9.0, 0.1, "plateau", 99.0, False, 0.049, Kind.STALLED, "a shape explains it better than anything that goes on falling."),
        (0.0, 0.5, 9.0, 0.1, "plateau", 99.0, False, 0.050, Kind.INCONCLUSIVE, NEAREST),
        (0.0, 0.5, 9.0, 0.1, "plateau", 99.0, True, 0.049, Kind.INCONCLUSIVE, NEAREST),
        (0.0, 0.5, 0.09, 0.1, "growth", 99.0, False, 0.049, Kind.INCONCLUSIVE, NEAREST),
    ],
)
def test_what_is_no_line(rise, fall, highest, noise, family, ahead, reached, ending, kind, words):
    fit = plain_fit(np.zeros(100), noise, family)
    assert convergence_module._not_a_line(fit, ahead, reached, ending, Moved(rise, fall, highest), 0.2) == (kind, words)


def test_how_far_a_record_has_moved():
    """The least rise of shape, tenths and twice the highest gaps; the lesser fall of shape and tenths; and how far the highest gap lies above the last ones."""
    rise, still = np.where(TENTHS > 0.8, 2.0, 0.0), np.zeros(100)
    for trend, y, logs, expected in (
        (rise, rise, rise, 2.0),
        (rise, still, rise, 0.0),
        (still, rise, rise, 0.0),
        (rise, rise, still, 0.0),
        (rise, np.where(TENTHS < 0.1, 0.0, 0.8), rise, 0.8),  # from its lowest tenth, wherever that is
        (rise, np.where((TENTHS > 0.7) & (TENTHS < 0.8), 0.0, 0.8), rise, 0.8),
        (rise, rise, np.where((TENTHS > 0.7) & (TENTHS < 0.8), 0.5, 0.8), pytest.approx(0.6)),  # twice 0.3
        (rise - np.where(TENTHS < 0.1, 1.5, 0), rise, rise, 2.0),
    ):
        assert moved(plain_fit(trend), TENTHS, y, TENTHS, logs).rise == expected
    # Between 0.55, the middle of the sixth tenth, and 0.95 a line falls by two fifths, and by half of it from 0.5 to its end.
    line = moved(plain_fit(-TENTHS), TENTHS, -TENTHS, TENTHS, -TENTHS)
    assert line.fall == pytest.approx(0.4)
    assert line.highest_fall == pytest.approx(0.9)  # from 0.005 to 0.905
    assert line.rise == 0.0
    step = plain_fit(np.where(TENTHS < 0.55, 0.0, -0.3))
    assert moved(step, TENTHS, still, TENTHS, still).fall == pytest.approx(0.15)  # half of the sixth tenth lies before the jump: its median between both
    late = plain_fit(-np.maximum(0, TENTHS - 0.9))
    assert moved(late, TENTHS, still, TENTHS, still).fall == pytest.approx(0.05)
    cliff = plain_fit(np.where(TENTHS < 0.52, 0.0, -0.3))
    assert moved(cliff, TENTHS, still, TENTHS, still).fall == pytest.approx(0.0)
    assert moved(plain_fit(0.5 * TENTHS), TENTHS, still, TENTHS, still).fall == pytest.approx(-0.2)
    # A tenth holds both of its ends; where nothing was recorded it counts for nothing.
    x = np.array([0.25, 0.5, 0.75, 1.0])
    few = moved(plain_fit([8.0, 2.0, 4.0, 7.0]), x, np.array([8.0, 2.0, 4.0, 7.0]), x, np.array([8.0, 2.0, 4.0, 7.0]))
    assert (few.rise, few.fall, few.highest_fall) == (5.0, -5.0, 1.0)


def decide(monkeypatch, fits, gaps=None, times=T):
    """The judgement of a record on which these shapes compete, and a plateau that explains nothing."""
    plateau = Fit("a constant", "plateau", 1e30, np.zeros(1), 0, np.zeros(1))
    monkeypatch.setattr(convergence_module, "fit_all", lambda x, y, begun=0.0, turns=None: [*fits(x, y), plateau])
    return classify_convergence(times, np.exp(-9 * X) * (1 + 0.01 * NOISE) if gaps is None else gaps)


@pytest.mark.parametrize(
    ("ahead", "kind", "words"), [(20.5, Kind.LINEAR, "is 20 units"), (19.5, Kind.INCONCLUSIVE, "a line and a rival explain it about as well")]
)
def test_by_how_much_a_line_must_win(monkeypatch, ahead, kind, words):
    """The criterion is number·log(squares) + parameters·log(number): four free numbers of the line against two of its rival."""

    def fits(x, y):
        line = -9 * x
        left = y - line - np.mean(y - line)
        number, squares = independent(left, 0), float(left @ left)
        other = Fit("a rival", "power law", squares * math.exp((ahead + 2 * math.log(number)) / number), left, 2, line)
        return [Fit("a line", "line", squares, left, 4, line, slope=9.0, fall=9.0), other]

    result = decide(monkeypatch, fits)
    assert result.kind is kind
    assert words in result.evidence


@pytest.mark.parametrize(
    ("part", "noise", "over", "highest", "shape", "kind"),
    [
        (1.01, 1.0, 1.0, 9.0, 9.0, Kind.SUBLINEAR),
        (0.99, 1.0, 1.0, 9.0, 9.0, Kind.STALLED),
        (0.99, 1.0, 1.9, 9.0, 9.0, Kind.STALLED),
        (0.99, 1.0, 2.1, 9.0, 9.0, Kind.SUBLINEAR),  # clearly better than every plateau: no scatter
        (0.00, 1.0, 2.1, 9.0, 9.0, Kind.SUBLINEAR),  # nor is a wave that outweighs the fall
        (0.99, 1.0, 2.1, 2.31, 9.0, Kind.SUBLINEAR),
        (0.99, 1.0, 2.1, 2.30, 9.0, Kind.STALLED),  # its highest gaps do not fall by a decade
        (0.99, 1.0, 2.1, 9.0, 0.21, Kind.SUBLINEAR),
        (0.99, 1.0, 2.1, 9.0, 0.19, Kind.STALLED),  # half of that over the second half: a tenth of a nat is always flat
        (0.28, 1.0, 1.0, 9.0, 9.0, Kind.STALLED),
        (0.70 / 1.4, 4.0, 1.0, 9.0, 9.0, Kind.SUBLINEAR),  # but a half never is
        (0.68 / 1.4, 4.0, 1.0, 9.0, 9.0, Kind.STALLED),
    ],
)
def test_noise_hides_a_fall_unless_it_explains_more_than_a_plateau(monkeypatch, part, noise, over, highest, shape, kind):
    """Two standard deviations of the second half's fall are 2·√(3/number) times the noise: about 0.35 of one nat, and 1.4 of four."""

    def fits(x, y):
        left = noise * (-1.0) ** np.arange(len(x))
        number, squares = independent(left, 0), float(left @ left)
        unit = 2 * math.sqrt(3 / number) * (noise if noise < 2 else 1.4 / (2 * math.sqrt(3 / number)))
        monkeypatch.setattr(convergence_module, "moved", lambda *given: Moved(0.0, part * unit, highest))
        monkeypatch.setattr(convergence_module, "rotations", lambda x, *given: np.empty((len(x), 0)))
        plateau = Fit("a level", "plateau", squares * math.exp((over + 2 * math.log(number)) / number), left, 0, 0 * x)
        return [Fit("a rival", "power law", squares, left, 2, -shape * x), plateau]

    assert decide(monkeypatch, fits).kind is kind


@pytest.mark.parametrize("fall", [2.2, 2.4])
def test_a_line_falls_by_a_decade(monkeypatch, fall):
    def fits(x, y):
        left = y + 9 * x - np.mean(y + 9 * x)
        squares = float(left @ left)
        return [Fit("a line", "line", squares, left, 1, -9 * x, slope=9.0, fall=fall), Fit("a rival", "power law", 1e9 * squares, 1e4 * left, 2, -9 * x)]

    assert (decide(monkeypatch, fits).kind is Kind.LINEAR) is (fall > math.log(10))


def bent_line(bend, ends, fall=8.0, name="a line after a plateau"):
    """A line whose slope is this much less than 9 up to where the bend ends."""

    def fits(x, y):
        trend = -9 * x + 9 * bend * np.minimum(x, ends)
        left = 0.01 * (-1.0) ** np.arange(len(x))
        line = Fit(name, "line", float(left @ left), left, 4, trend, slope=9.0, fall=fall)
        return [line, Fit("a rival", "power law", 1e9, left, 2, trend)]

    return fits


@pytest.mark.parametrize(
    ("bend", "ends", "fall", "begins"),
    [
        (0.05, 0.3, 8.0, 0.3),  # where it is straight
        (0.019, 0.3, 8.0, 0.0),  # a fiftieth is straight
        (-0.05, 0.3, 8.0, 0.3),
        (0.05, 0.6, 7.2, 1 - 7.2 * 2 / 3 / 9),  # but two thirds of it are always used
        (0.05, 0.9, 3.0, 1 - math.log(10) / 9),  # and a decade
    ],
)
def test_where_the_window_begins(monkeypatch, bend, ends, fall, begins):
    result = decide(monkeypatch, bent_line(bend, ends, fall))
    assert result.kind is Kind.LINEAR
    # The averages are a hundredth of the record apart, and a gradient looks one further.
    assert begins - 0.001 <= result.window[0] / T[-1] <= begins + (0.03 if begins == ends else 0.002)
    assert result.window[1] == T[-1]
    fallen = 9 * (1 - result.window[0] / T[-1]) / math.log(10)
    assert f"it falls by {fallen:.1f} decades on a line after a plateau" in result.evidence


def test_what_else_a_line_needs(monkeypatch):
    """Eight gaps on it; to be straight by itself, unless it falls ever faster; and an interval below 1."""
    for number, said in ((7, True), (8, False)):
        # The last decade of it, at 9 a unit, begins at 2977.
        times = np.append(np.arange(0.0, 2975.0, 10.0), np.linspace(3200.0, 4000.0, number))
        result = decide(monkeypatch, bent_line(0.05, 0.9, 3.0), np.exp(-9 * times / 4000), times)
        words = "it ends in a line after a plateau, but only 7 gaps were recorded on it; 8 are needed."
        assert (result.evidence == words) is said
        assert result.window == (3200, 4000) or not said
        assert result.kind is (Kind.INCONCLUSIVE if said else Kind.LINEAR)
    for name, kind in (("a line after a plateau", Kind.LINEAR), ("a line after a faster mode", Kind.INCONCLUSIVE)):
        for level, expected in ((7.9, kind), (8.0, Kind.LINEAR)):
            monkeypatch.setattr(convergence_module, "straightness", lambda times, logs, begun, level=level: level)
            result = decide(monkeypatch, bent_line(0.0, 0.5, name=name))
            assert result.kind is expected
            if expected is Kind.INCONCLUSIVE:
                assert result.evidence == f"it ends in {name}, but over that line alone a shape that falls ever more slowly explains it about as well."
                assert result.window == (0, 3996)
    for high, kind in ((0.0, Kind.INCONCLUSIVE), (-1e-9, Kind.LINEAR)):
        monkeypatch.setattr(convergence_module, "slope_interval", lambda times, logs, high=high: (-0.5, -1.0, high))
        result = decide(monkeypatch, bent_line(0.0, 0.5))
        assert result.kind is kind
        if kind is Kind.LINEAR:
            assert (result.rate, result.interval) == (math.exp(-0.5), (math.exp(-1), math.exp(-1e-9)))
        else:
            assert (result.rate, result.interval) == (None, None)
            assert (
                result.evidence
                == "it ends in a line after a plateau, but on that line its rate is uncertain: 0.606531 an iteration, with an interval that goes beyond 1."
            )


def test_records_of_the_classifier_are_immutable():
    result = classify_convergence(T, 0.995**T)
    used = above_floor(np.arange(3.0), np.ones(3), None)
    for record, name in ((result, "rate"), (used, "floor"), (plain_fit([0.0]), "slope")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, 1.0)
    assert (plain_fit([0.0]).slope, plain_fit([0.0]).fall) == (0.0, 0.0)


def test_the_squares_beside_a_line_by_least_squares():
    """Up to one constant, the squares of a line and each curve; a curve that is a line itself is left out."""
    rng = np.random.default_rng(7)
    x = np.linspace(0, 1, 40)
    y = -3 * x + 0.4 * np.log(x + 0.1) + 0.1 * rng.normal(size=40)
    curves = np.stack([-np.log(x + 0.1), np.sqrt(x), 2 * x, x**2])
    found, falls, heights = Regression(x, y, np.empty((40, 0))).beside_line(curves)
    design = np.column_stack([np.ones(40), x])
    left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    constant = found[2] - float(left @ left)
    assert heights[2] == pytest.approx(0, abs=1e-6)
    for row in (0, 1, 3):
        full = np.column_stack([design, curves[row]])
        coefficients = np.linalg.lstsq(full, y, rcond=None)[0]
        if coefficients[2] < 0:
            assert heights[row] == 0
            assert found[row] == pytest.approx(found[2], abs=1e-9)
        else:
            assert (falls[row], heights[row]) == pytest.approx((-coefficients[1], coefficients[2]), rel=1e-6)
            assert found[row] - constant == pytest.approx(float(np.sum((y - full @ coefficients) ** 2)), rel=1e-6)
    row, coefficient = Regression(x, y, np.empty((40, 0))).best(curves, low=0.25, high=0.5)
    assert 0.25 <= coefficient <= 0.5
    assert row == int(np.argmin([min(float(np.var(y - c * curve)) for c in np.linspace(0.25, 0.5, 501)) for curve in curves]))


@pytest.mark.parametrize(("points", "columns"), [(8, 0), (9, 3)])
def test_turns_take_fewer_columns_than_half_of_the_points(points, columns):
    """Cosine and sine of two turns and the one wave of four beside the level are four columns: half of eight points, and less of nine."""
    x = np.linspace(0, 1, points)
    assert rotations(x, np.cos(4 * np.pi * x), np.ones((points, 1))).shape[1] == columns
