"""Figures, by what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

import mmd_games as mg
from mmd_games import plots


@pytest.fixture(scope="module")
def runs():
    game = mg.games.rock_paper_scissors()
    return [mg.solve(game, mg.algorithms.from_spec(spec), steps=400) for spec in ("mpo", "mmd", "omwu", "extragradient", "mwu", "pu", "nash_md")]


def test_gaps_are_those_of_the_traces(runs):
    ax = plots.plot_gaps(runs)
    assert ax.get_yscale() == "log"
    assert "NashConv" in ax.get_ylabel()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mpo", "mmd", "omwu", "extragradient", "mwu", "pu", "nash_md"]
    for line, run in zip(ax.lines[::2], runs, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), run.products)
        np.testing.assert_array_equal(line.get_ydata(), np.where(run.gaps > 0, run.gaps, np.nan))
    for line, run in zip(ax.lines[1::2], runs, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), run.average_gaps)


def test_seven_runs_differ_without_colour(runs):
    lines = plots.plot_gaps(runs, average=False).lines
    # Matplotlib keeps the dash pattern of a line in this one place.
    looks = {(str(line._unscaled_dash_pattern), line.get_marker()) for line in lines}
    assert len(looks) == len({line.get_color() for line in lines}) == 7
    brightness = [np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722]) for colour in plots.COLOURS]
    assert max(brightness) < 0.75  # each is seen on white paper


def test_the_simplex_path_is_barycentric(runs):
    ax = plots.plot_simplex(runs[0])
    policies = np.exp(runs[0].log_policies)
    path = next(line for line in ax.lines if len(line.get_xdata()) == len(policies))
    np.testing.assert_allclose(path.get_xdata(), policies[:, 1] + policies[:, 2] / 2, atol=1e-15)
    np.testing.assert_allclose(path.get_ydata(), policies[:, 2] * np.sqrt(0.75), atol=1e-15)
    star = next(line for line in ax.lines if line.get_label() == "Nash equilibrium")
    np.testing.assert_allclose(star.get_xdata(), 3 / 11 + 2 / 11, atol=1e-12)
    with pytest.raises(mg.InputError, match="three actions"):
        plots.plot_simplex(mg.solve(mg.games.cycle(n=5), steps=5))


def test_the_payoff_image_is_the_table():
    game = mg.games.random(n=6)
    ax = plots.plot_payoffs(game)
    np.testing.assert_array_equal(ax.images[0].get_array(), game.preference)
    assert len(ax.texts) == 36


def test_zeros_leave_holes(tmp_path):
    trace = mg.solve(mg.PreferenceGame([[0.5, 0.5], [0.5, 0.5]]), steps=20)
    plots.save(plots.plot_gaps([trace]), tmp_path / "zero.png")
    assert (tmp_path / "zero.png").stat().st_size > 1000


def test_a_suite_is_drawn_by_quartiles():
    cells = [{"algorithm": "a", "products_spent": [0, 10, 100], "gaps": [1.0, value, value / 10]} for value in (0.1, 0.2, 0.4)] + [
        {"algorithm": "b", "error": "no"}
    ]
    ax = plots.plot_suite(cells, "suite")
    assert len(ax.lines) == 1
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(0.02)
