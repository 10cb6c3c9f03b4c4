"""How the classifier of recorded gaps counts time where a record begins late, and how far it takes a record to have moved."""

from __future__ import annotations

import numpy as np
import pytest

from mmd_games.verification.measured import shapes
from mmd_games.verification.measured.fitting import fit_all
from mmd_games.verification.measured.movement import moved
from mmd_games.verification.measured.regression import Fit


def test_movement_is_that_of_what_moves_least():
    """Tenths of a record of a hundred: its shape, its averages, its highest gaps."""
    x = np.linspace(0, 1, 101)
    level = np.zeros(101)

    def of(trend, y, logs):
        return moved(Fit("", "", 0.0, y - trend, 0, trend), x, y, x, logs)

    rising = of(3 * x, 2 * x, 1.6 * x)
    # Means of the first and the last tenth: at .05 and .95; their highest: at .1 and 1.
    assert rising.rise == pytest.approx(2 * 0.9)
    assert of(3 * x, 2 * x, 0.5 * x).rise == pytest.approx(2 * 0.5 * 0.9)
    assert of(x, 2 * x, 2 * x).rise == pytest.approx(1.0)
    for still in ((3 * x, 2 * x, level), (level, 2 * x, 2 * x), (3 * x, level, 2 * x)):
        assert of(*still).rise == 0.0

    falling = of(-3 * x, -2 * x, -1.6 * x)
    assert falling.fall == pytest.approx(2 * 0.4)  # between the tenths at .55 and .95
    assert falling.highest_fall == pytest.approx(1.6 * 0.9)
    assert of(-x, -2 * x, level).fall == pytest.approx(0.5)
    assert rising.fall == pytest.approx(-2 * 0.4)
    assert rising.highest_fall == 0.0
    # What lies on both sides of a jump counts for neither, and a tenth without gaps has no level.
    jump = np.where(x < 0.52, 0.0, -9.0)
    assert of(jump, jump, jump).fall == 0.0
    seen = x[(x < 0.15) | (x > 0.45)]
    assert moved(Fit("", "", 0.0, 0 * seen, 0, seen), seen, seen, seen, seen).rise == pytest.approx(0.9)


def test_the_clocks_of_a_record():
    x = np.linspace(0, 1, 11)
    [(times, name)] = shapes.clocks(x, 0.0)
    assert np.array_equal(times, x)
    assert name == ""
    [(times, _)] = shapes.clocks(x, 0.1)
    assert times == pytest.approx((x + 0.1) / 1.1)
    (zero, first), (own, second) = shapes.clocks(x, 4.0)
    assert zero == pytest.approx(0.8 + 0.2 * x)
    assert np.array_equal(own, x)
    assert (first, second) == (" since iteration 0", " since the first gap")


def test_no_stretched_exponential_falls_further_than_floats_do():
    """From 1 to the smallest normal float are 710 nats: a curve that is steeper late in a long count was never a gap."""
    x = np.linspace(0, 1, 60)
    for begun, fits_well in ((10.0, True), (10_000.0, False)):
        [stretched] = [fit for fit in fit_all(x, -30 * x, begun) if "stretched exponential since iteration 0" in fit.name]
        # To fall by 30 over the last 1/11 of the count as x^.6 it must have fallen by 540 in all; over the last 1/10,001 by 500,000.
        assert (stretched.squares < 0.1 * 60) is fits_well
