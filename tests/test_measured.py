"""The parts of the classifier of recorded gaps, each against another way to the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmd_games.verification import classify_convergence
from mmd_games.verification.measured import shapes
from mmd_games.verification.measured.fitting import fit_all
from mmd_games.verification.measured.floors import above_floor
from mmd_games.verification.measured.intervals import independent, memory, slope_interval
from mmd_games.verification.measured.regression import Regression
from mmd_games.verification.measured.rotations import rotations
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
