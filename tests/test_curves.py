"""The curves beside a figure: where their points lie in the saved picture, and what is said of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

import mmd_games as mg
from mmd_games import plots
from mmd_games.plots.curves import MOST_READ, svg_and_curves
from mmd_games.plots.style import tell

GAME = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))


def paths_of(svg, colour):
    """The lines of a colour as matplotlib wrote them, as fractions of the picture."""
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    style = rf"fill: none; stroke(?:-dasharray: [\d., ]+; stroke-dashoffset: \d+; stroke)?: {colour}"
    found = re.findall(rf'<path d="(M[^"]*)" clip-path="[^"]*" style="{style}', svg)
    return [np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path), dtype=float) / [width, height] for path in found]


@pytest.mark.parametrize("name", ["short", "a name " * 12])
def test_points_lie_where_the_picture_has_them(name):
    # Fewer points than those from which on matplotlib leaves some out of a path.
    traces = [mg.solve(GAME, mg.algorithms.from_spec(spec), steps=60) for spec in ("mpo", "extragradient")]
    svg, curves = svg_and_curves(plots.plot_gaps(traces, labels=[name, "other"]))
    assert len(curves) == 4
    for first, trace in zip((0, 2), traces, strict=True):
        for curve, path in zip(curves[first : first + 2], paths_of(svg, curves[first].colour), strict=True):
            assert len(path) == len(trace.products)
            np.testing.assert_allclose(np.column_stack([curve.left, curve.top]), path, atol=1e-5)


def test_a_figure_is_drawn_the_same_with_and_without_its_curves():
    trace = mg.solve(GAME, steps=50)
    ax = plots.plot_gaps([trace])
    before = list(ax.figure.get_children())
    svg, _ = svg_and_curves(ax)
    assert svg == plots.to_svg(plots.plot_gaps([trace]))
    assert list(ax.figure.get_children()) == before


def test_curves_say_what_the_traces_hold():
    traces = [mg.solve(GAME, mg.algorithms.from_spec(spec), steps=60) for spec in ("mpo", "extragradient")]
    curves = svg_and_curves(plots.plot_gaps(traces, predicted=[(0.9, (10, 50)), None]))[1]
    assert [curve.name for curve in curves] == [
        "mpo",
        "average of mpo",
        "extragradient",
        "average of extragradient",
    ]  # and no slope, which has no numbers of its own on the way
    for pair, trace in zip((curves[:2], curves[2:]), traces, strict=True):
        for curve, gaps in zip(pair, (trace.gaps, trace.average_gaps), strict=True):
            assert curve.x == [f"{products:,.0f}" for products in trace.products]
            np.testing.assert_allclose(np.array(curve.y, dtype=float), gaps, rtol=1e-5)


def test_long_curves_are_thinned_and_keep_their_ends_and_extremes():
    policies = np.array([4, 3, 4]) / 11 + 0.1 * np.cos(np.arange(5000))[:, None] * 0.999 ** np.arange(5000)[:, None] * np.array([1.0, -0.5, -0.5])
    trace = mg.Trace.from_policies(GAME, np.log(policies))
    curve = svg_and_curves(plots.plot_gaps([trace]))[1][0]
    products = [int(text.replace(",", "")) for text in curve.x]
    assert len(products) == len(curve.y) == len(curve.left) == len(curve.top) <= MOST_READ
    assert {0, products[-1], int(trace.products[np.argmin(trace.gaps)]), int(trace.products[np.argmax(trace.gaps)])} <= set(products)
    assert products[-1] == trace.products[-1]


def test_holes_and_what_lies_outside_are_left_out():
    ax = plots.plot_gaps([mg.solve(GAME, steps=5)])
    ax.clear()
    ax.plot(range(8), [1, 2, np.nan, 3, 4, np.inf, 5, 6], label="line")
    ax.set_xlim(0, 6)
    assert svg_and_curves(ax)[1] == []  # nobody told of it
    tell(ax.lines[0], "line")
    (curve,) = svg_and_curves(ax)[1]
    assert curve.x == ["0", "1", "3", "4", "6"]
    assert curve.y == ["1", "2", "3", "4", "5"]
    ax.set_yscale("log")
    assert svg_and_curves(ax)[1][0].top != curve.top


def test_a_lottery_is_read_by_name_and_with_its_intervals():
    names = ["ann", "bob", "a name that is longer than there is room for"]
    low, high = np.array([0.4, 0.1, 0.0]), np.array([0.7, 0.35, 0.2])
    svg, (points, bars) = svg_and_curves(plots.plot_lottery(names, [0.5, 0.25, 0.25], (low, high)))
    assert points.names_on_y and bars.names_on_y
    assert points.y == bars.y == names
    assert (points.name, points.x, bars.name, bars.x) == ("probability", ["0.5", "0.25", "0.25"], "interval", ["0.4 to 0.7", "0.1 to 0.35", "0 to 0.2"])
    assert points.top == sorted(points.top) == bars.top
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])
    ends = [float(x) / width for x in re.findall(r"L ([\d.]+) [\d.]+ \n\" clip-path=\"[^\"]*\" style=\"fill: none; stroke: #0072b2; stroke-opacity: 0.35", svg)]
    np.testing.assert_allclose(bars.left, ends, atol=1e-5)


def test_a_simplex_has_no_axes_to_read():
    assert svg_and_curves(plots.plot_simplex(mg.solve(GAME, steps=20)))[1] == []


def test_names_are_made_visible_and_cut():
    curves = svg_and_curves(plots.plot_gaps([mg.solve(GAME, steps=5)], labels=["\u202e\x00\n" + "w" * 5000]))[1]
    assert curves[0].name == "\\u202e\\x00\\n" + "w" * 67 + "…"
    assert all(curve.name.isprintable() and len(curve.name) <= 80 for curve in curves)


def test_a_gap_of_zero_lies_at_the_lower_edge_and_is_read_as_zero():
    policies = np.log([[0.2, 0.3, 0.5], [0.3, 0.3, 0.4], [1 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3]])
    trace = mg.Trace.from_policies(mg.games.rock_paper_scissors(wins=(1, 1, 1)), policies)
    ax = plots.plot_gaps([trace])
    curve = svg_and_curves(ax)[1][0]
    assert trace.gaps[2:].tolist() == [0, 0]
    assert curve.y[2:] == ["0", "0"]
    assert curve.top[2] == curve.top[3] == pytest.approx(1 - ax.bbox.y0 / ax.figure.bbox.height, abs=0.1)
    assert curve.top[2] > max(curve.top[:2])


@pytest.mark.parametrize("name", ["_", "_nolegend_", "_child3", "$x_1$"])
def test_a_run_is_read_out_by_the_name_it_has(name):
    curves = svg_and_curves(plots.plot_gaps([mg.solve(GAME, steps=5)], labels=[name]))[1]
    assert [curve.name for curve in curves] == [name, f"average of {name}"]


def test_every_point_on_the_page_has_a_place_of_its_own():
    trace = mg.solve(GAME, mg.MultiplicativeWeights(), steps=300_000)
    for curve in svg_and_curves(plots.plot_gaps([trace]))[1]:
        assert len(set(curve.left[:-1])) == len(curve.left) - 1
        assert (curve.x[0], curve.x[-1]) == ("0", "300,000")


def test_a_slope_stays_with_the_gaps_it_is_compared_with():
    trace = mg.solve(GAME, mg.MultiplicativeWeights(), steps=100)
    for factor in (1.5, 0.5, 1.0):
        ax = plots.plot_gaps([trace], predicted=[(factor, (0, 100))])
        (slope,) = [line for line in ax.lines if line.get_label() == "predicted"]
        values = slope.get_ydata()
        assert trace.gaps.min() / 2.72 <= min(values) <= max(values) <= trace.gaps.max() * 2.72
        assert (values[1] / values[0]) ** (1 / np.diff(slope.get_xdata())[0]) == pytest.approx(factor)
