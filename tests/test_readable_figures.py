"""Each rule of a figure that needs no colour: a figure that breaks it is found, and the package's own are not."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import mmd_games as mg

from .readable_figures import is_ordered, problems


@pytest.fixture
def ax():
    axes = Figure(figsize=(7.2, 4.2), layout="constrained").add_subplot()
    axes.set(title="a figure", xlabel="x", ylabel="y", xlim=(0, 3), ylim=(0, 9))
    return axes


def lines(ax, one, other):
    ax.plot([0, 1], [0, 1], label="one", **one)
    ax.plot([0, 1], [1, 0], label="other", **other)
    ax.legend(loc="upper right")
    return problems(ax.figure)


ALIKE = ["'a figure': the lines 'one' and 'other' differ by colour alone"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"linestyle": "--"}),
        ({}, {"marker": "o"}),
        ({"marker": "o"}, {"marker": "o", "markerfacecolor": "none"}),
        ({"linewidth": 1.5}, {"linewidth": 3}),
        ({"linewidth": 1.5}, {"linewidth": 0.7}),
        ({"linestyle": (0, (6, 2))}, {"linestyle": (0, (2, 1.5))}),
        ({"linestyle": "none", "marker": "o"}, {"linestyle": "none", "marker": "s"}),
    ],
)
def test_lines_that_differ_otherwise_pass(ax, one, other):
    assert lines(ax, one, other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"color": "red"}, {"color": "green"}),
        ({"linewidth": 1.5}, {"linewidth": 1.8}),
        ({"linestyle": "--", "color": "red"}, {"linestyle": "--"}),
        ({"linestyle": (0, (6, 2))}, {"linestyle": (0, (5, 3))}),
        ({"linestyle": "none", "marker": "o"}, {"linestyle": "none", "marker": "o", "color": "red"}),
    ],
)
def test_lines_that_differ_by_colour_alone_are_found(ax, one, other):
    assert lines(ax, one, other) == ALIKE


def test_bars_need_hatches_that_can_be_seen(ax):
    ax.bar([0, 1], [1, 2], label="one", color="white", edgecolor="black")
    ax.bar([2, 3], [1, 2], label="other", color="red", edgecolor="black")
    ax.legend()
    assert problems(ax.figure) == ["'a figure': the bars 'one' and 'other' differ by colour alone"]
    ax.containers[1].patches[0].set_hatch("//")
    assert problems(ax.figure) == []
    ax.containers[1].patches[0].set_facecolor("#111111")
    assert problems(ax.figure) == ["'a figure': the hatch of 'other' cannot be seen on its bars"]


def test_points_and_areas_too(ax):
    for name, colour in (("one", "red"), ("other", "green")):
        ax.scatter([0, 1], [1, 2], label=name, color=colour)
        ax.fill_between([0, 1], [1, 2], [2, 3], label=f"area {name}", color=colour)
    ax.legend()
    found = problems(ax.figure)
    assert found == [
        "'a figure': the points 'one' and 'other' differ by colour alone",
        "'a figure': the areas 'area one' and 'area other' differ by colour alone",
    ]


def test_images_need_numbers_or_ordered_lightness_with_a_bar(ax):
    table, missing = np.arange(4.0).reshape(2, 2), "'a figure': an image has neither numbers in its cells nor a colour bar of ordered lightness"
    image = ax.imshow(table, cmap="viridis")
    assert problems(ax.figure) == [missing]
    bar = ax.figure.colorbar(image, label="how much")
    assert problems(ax.figure) == []
    bar.set_label("")
    assert problems(ax.figure) == ["the colour bar beside 'a figure' has no label"]
    bar.set_label("how much")
    image.set_cmap("jet")
    assert problems(ax.figure) == [missing]
    for (row, column), value in np.ndenumerate(table):
        ax.text(column, row, f"{value:g}", color="black")
    assert problems(ax.figure) == ["'a figure': the number 0 cannot be read on its cell", "'a figure': the number 3 cannot be read on its cell"]


def test_colour_maps_of_ordered_lightness():
    import matplotlib

    assert [name for name in ("viridis", "cividis", "gray", "PuOr", "jet", "hsv", "tab10") if is_ordered(matplotlib.colormaps[name])] == [
        "viridis",
        "cividis",
        "gray",
        "PuOr",
    ]


def test_axes_need_their_names(ax):
    ax.set(title="", xlabel="", ylabel="")
    assert problems(ax.figure) == [
        "'without a title': there is no title",
        "'without a title': the horizontal axis has no label",
        "'without a title': the vertical axis has no label",
    ]
    ax.set_xticks([0, 1], ["rock", "paper"])
    assert len(problems(ax.figure)) == 2
    ax.set_axis_off()
    assert problems(ax.figure) == ["'without a title': there is no title"]


def test_names_without_a_legend_and_lines_under_one(ax):
    ax.plot([2.5, 2.6, 2.9], [8, 8.5, 8.8], label="one")
    ax.plot([0, 1, 2], [1, 2, 3], "--", label="other")
    assert problems(ax.figure) == ["'a figure': 'one' stands in no legend", "'a figure': 'other' stands in no legend"]
    ax.legend(loc="upper right")
    assert problems(ax.figure) == ["'a figure': the line 'one' lies under the legend"]


def test_texts_on_top_of_each_other():
    axes = Figure(figsize=(5, 3), layout="constrained").subplots(1, 2)
    for each in axes:
        each.set(title="a title that is much too long for so small a place", xlabel="x", ylabel="y")
    assert [sentence for sentence in problems(axes[0].figure) if sentence.startswith("the titles")]
    axes[0].set_xticks([0.5, 0.51], ["one word", "another one"])
    assert any("'one word' and 'another one' of the horizontal axis overlap" in sentence for sentence in problems(axes[0].figure))


GAME = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
RUNS = [mg.solve(GAME, method, steps=200) for method in (mg.MagneticPreferenceOptimization(), mg.MagneticMirrorDescent(), mg.MultiplicativeWeights())]
CELLS = [{"algorithm": f"method {index}", "products_spent": [1, 10, 100], "gaps": [1.0, 0.5 / (index + 1), 0.1 / (index + 1)]} for index in range(20)]
FIGURES = {
    "gaps": lambda: mg.plots.plot_gaps(RUNS),
    "simplex": lambda: mg.plots.plot_simplex(RUNS),
    "policies": lambda: mg.plots.plot_policies(RUNS[0]),
    "payoffs": lambda: mg.plots.plot_payoffs(GAME),
    "payoffs of a large game": lambda: mg.plots.plot_payoffs(mg.games.random(n=20, seed=0)),
    "profile": lambda: mg.plots.plot_profile({f"method {index}": np.linspace(1, index + 2, 9) for index in range(20)}, "twenty methods"),
    "suite": lambda: mg.plots.plot_suite(CELLS, "twenty methods"),
    "training": lambda: mg.plots.plot_training(
        [0, 5, 10], {f"run {index}": np.array([1.0, 0.5, 0.1]) / (index + 1) for index in range(7)}, "seven runs", refreshes=[5]
    ),
    "lottery": lambda: mg.plots.plot_lottery(["a", "b"], [0.4, 0.6], (np.array([0.3, 0.5]), np.array([0.5, 0.7])), title="a lottery"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_of_the_package_need_no_colour(name):
    assert problems(FIGURES[name]().figure) == []
