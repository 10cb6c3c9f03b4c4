"""Figures, by what is drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

import mmd_games as mg
from mmd_games import plots
from mmd_games.plots import style
from mmd_games.plots.style import MOST_POINTS, thinned


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


def luminance(colour):
    """CIE lightness, 0 black to 100 white: what a grey print shows."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    share = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return 116 * np.cbrt(share) - 16 if share > 0.008856 else 903.3 * share


def test_neighbours_in_grey_differ_by_shade_or_by_dash_and_marker():
    looks = list(zip(plots.COLOURS, plots.DASHES, plots.MARKERS, strict=True))
    for (one, dash, marker), (other, other_dash, other_marker) in zip(looks, looks[1:], strict=False):
        assert abs(luminance(one) - luminance(other)) > 10 or (dash != other_dash and marker != other_marker)
    assert len(set(map(str, plots.DASHES))) == len(set(plots.MARKERS)) == len(set(plots.COLOURS)) == 7
    assert all(luminance(colour) < 75 for colour in plots.COLOURS)  # seen on white


def names(runs):
    return [text.get_text() for text in plots.plot_gaps(runs).get_legend().get_texts()]


@dataclass(frozen=True)
class Mine:
    rate: float = 1.0

    def init(self, log_policy):
        return mg.MultiplicativeWeights(step_size=self.rate).init(log_policy)

    def step(self, state, payoffs):
        return mg.MultiplicativeWeights(step_size=self.rate).step(state, payoffs)


def test_a_legend_says_only_what_differs(runs):
    game = runs[0].game
    assert names(runs[:1]) == ["mpo"]
    several = [mg.solve(game, mg.algorithms.from_spec(spec), steps=5) for spec in ("mpo:refresh_every=30", "omwu", "mpo:refresh_every=50")]
    assert names(several) == ["mpo:refresh_every=30", "omwu", "mpo:refresh_every=50"]
    assert names([several[1]] * 3) == ["omwu (1)", "omwu (2)", "omwu (3)"]
    assert names([mg.solve(game, Mine(), steps=5), mg.solve(game, Mine(rate=1 / 3), steps=5)]) == ["Mine:rate=1", "Mine:rate=0.3333"]
    elsewhere = mg.Trace.from_policies(game, several[0].log_policies, name="run: a=1")
    assert names([elsewhere, several[1]]) == ["run: a=1", "omwu"]
    other = mg.solve(mg.games.cycle(n=5), mg.algorithms.from_spec("omwu:step_size=1.25"), steps=5)
    mine = mg.solve(game, mg.algorithms.from_spec("omwu:step_size=1.25"), steps=5)
    assert names([mine, other]) == [f"omwu on {game.name}", f"omwu on {other.game.name}"]


def test_the_axis_is_plain_for_runs_of_like_length_and_logarithmic_else(runs):
    short = mg.solve(runs[0].game, steps=20)
    assert plots.plot_gaps(runs).get_xscale() == "linear"
    ax = plots.plot_gaps([runs[0], short])
    assert ax.get_xscale() == "symlog"
    assert ax.get_xlim()[0] == 0
    assert plots.plot_gaps([short]).get_xscale() == "linear"


def test_the_axis_by_iterations_and_the_users_own_labels_and_axes(runs):
    eg = runs[3]
    given = plots.plot_gaps([eg])
    given.clear()
    ax = plots.plot_gaps([eg, runs[0]], against="iterations", labels=["one", "two"], average=False, ax=given)
    assert ax is given
    assert ax.get_xlabel() == "iterations"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), eg.iterations)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert len(ax.lines) == 2
    with pytest.raises(ValueError, match="zip"):
        plots.plot_gaps([eg], labels=["one", "two"])


def test_zeros_inside_a_run_are_holes_and_no_warning(runs, tmp_path):
    policies = np.array([[0.5, 0.25, 0.25], [4, 4, 3], [0.3, 0.3, 0.4]]) / np.array([[1], [11], [1]])
    trace = mg.Trace.from_policies(mg.PreferenceGame(np.full((3, 3), 0.5)), np.log(policies))
    mixed = mg.Trace.from_policies(mg.MatrixGame([[1, 0], [0, 0]]), np.log(np.full((3, 4), 0.5)))
    object.__setattr__(mixed, "gaps", np.array([0.5, 0.0, 0.25]))
    line = plots.plot_gaps([mixed]).lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [0.5, np.nan, 0.25])
    plots.save(plots.plot_gaps([trace, mixed, runs[0]]), tmp_path / "holes.png")
    assert [text.get_text() for text in plots.plot_gaps([trace]).texts] == ["every gap is zero"]
    assert len(plots.plot_gaps([mixed]).texts) == 0


def test_the_predicted_slope_runs_through_the_middle_of_its_window(runs):
    mpo, eg = runs[0], runs[3]
    for against in ("products", "iterations"):
        ax = plots.plot_gaps([mpo, eg, mpo], predicted=[(0.97, (100, 300)), (0.95, (20, 200)), None], average=False, against=against)
        assert len(ax.lines) == 5
        for line, trace, factor, first, last in zip(ax.lines[3:], (mpo, eg), (0.97, 0.95), (100, 20), (300, 200), strict=True):
            inside = (trace.iterations >= first) & (trace.iterations <= last)
            (x0, x1), (y0, y1) = line.get_data()
            ends = trace.iterations[inside][[0, -1]]
            np.testing.assert_allclose([x0, x1], (2 * ends if trace is eg and against == "products" else ends))
            assert np.log(y1 / y0) == pytest.approx((ends[1] - ends[0]) * np.log(factor), rel=1e-12)
            heights = np.log(y0) + (trace.iterations[inside] - ends[0]) * np.log(factor)
            assert np.mean(np.log(trace.gaps[inside]) - heights) == pytest.approx(0, abs=1e-12)
        # One entry stands for all.
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mpo (1)", "extragradient", "mpo (2)", "predicted"]
    assert len(plots.plot_gaps([mpo], predicted=[(0.0, (0, 400))], average=False).lines) == 1  # underflowed: there is no line to draw
    assert len(plots.plot_gaps([mpo], predicted=[(0.9, (9000, 9999))], average=False).lines) == 1  # nor where nothing was recorded
    touching = mg.Trace.from_policies(mpo.game, mpo.log_policies[:4])
    object.__setattr__(touching, "gaps", np.array([0.4, 0.0, 0.1, 0.05]))
    line = plots.plot_gaps([touching], predicted=[(0.5, (0, 3))], average=False).lines[1]
    np.testing.assert_allclose(line.get_ydata(), [0.4, 0.05])  # a zero has no place on a logarithmic axis
    with pytest.raises(ValueError, match="zip"):
        plots.plot_gaps([mpo, eg], predicted=[None])


def test_long_lines_are_thinned_and_keep_every_peak():
    steps = np.arange(50_000)
    gaps = np.exp(-steps / 10_000)
    gaps[31_234], gaps[40_001], gaps[17], gaps[20_000:20_200] = 5.0, 1e-9, 0.0, 0.0
    x, y = thinned(steps, np.where(gaps > 0, gaps, np.nan))
    assert len(x) <= MOST_POINTS
    assert np.all(np.diff(x) > 0)
    assert {0, 31_234, 40_001, 49_999} <= set(x.tolist())
    assert np.isnan(y[(x >= 20_050) & (x < 20_150)]).all()
    np.testing.assert_array_equal(y[~np.isnan(y)], gaps[x][~np.isnan(y)])
    flat = thinned(steps, np.ones(50_000))[0]
    assert (flat[0], flat[-1]) == (0, 49_999)
    for given in (steps[:MOST_POINTS], steps[:1]):
        np.testing.assert_array_equal(thinned(given, given)[0], given)


def test_policies_are_drawn_for_the_actions_that_were_likely():
    game = mg.MatrixGame(np.eye(5), [f"row {i}" for i in range(5)], [f"column {i}" for i in range(5)])
    policies = np.full((40, 10), 0.1)
    policies[:, 3], policies[:, [0, 1, 2, 4]] = 0.6, 0.1
    policies[20, 7], policies[20, [5, 6, 8, 9]] = 0.8, 0.05
    policies[:20, 5:] = policies[21:, 5:] = 0.2
    ax = plots.plot_policies(mg.Trace.from_policies(game, np.log(policies)))
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(names) == len(ax.lines) == 7
    assert {"player 1, row 3", "player 2, column 2"} <= set(names)
    line = ax.lines[names.index("player 2, column 2")]
    np.testing.assert_allclose(line.get_ydata(), policies[:, 7])
    assert "7 of 10 actions" in ax.get_title()
    alone = plots.plot_policies(mg.solve(mg.games.cycle(n=5), steps=20))
    assert [text.get_text() for text in alone.get_legend().get_texts()] == [f"action {i}" for i in range(1, 6)]


def test_svg_is_text_that_is_the_same_each_time(runs):
    first, second = (plots.to_svg(plots.plot_gaps(runs[:2])) for _ in range(2))
    assert first == second
    assert first.startswith("<?xml")
    assert "<metadata>" not in first
    assert "<text" not in first  # outlines: no font is needed


@pytest.mark.parametrize("name", ["w" * 5000, "\x1b[2J\x00 \udcff\n", "\u202eabc"])
def test_names_that_fit_no_figure_are_cut_and_made_visible(name):
    game = mg.PreferenceGame(mg.games.random(n=3).preference, labels=[f"{i}{name}" for i in range(3)], name=name)
    trace = mg.solve(game, steps=10)
    for ax in (plots.plot_gaps([trace], labels=[name]), plots.plot_policies(trace), plots.plot_simplex(trace, labels=[name]), plots.plot_payoffs(game)):
        picture = plots.to_svg(ax)
        picture.encode("utf-8")
        width, height = (float(re.search(rf' {side}="([0-9.]+)pt"', picture)[1]) for side in ("width", "height"))
        assert max(width, height) < 1500
        words = [text.get_text() for text in ax.figure.findobj(Text)]
        assert all(word.replace("\n", "").isprintable() or "\u200b" in word for word in words)


HOSTILE = ["[red]<b>", "$\\foo$ {", "日本語 $x$"]


def test_hostile_names_are_drawn_as_they_are(tmp_path):
    game = mg.PreferenceGame(mg.games.rock_paper_scissors().preference, labels=HOSTILE, name="$\\bar$ " + "long " * 40)
    trace = mg.solve(game, steps=10)
    for number, ax in enumerate([plots.plot_payoffs(game), plots.plot_simplex(trace, labels=["$\\a{$"]), plots.plot_gaps([trace], labels=["$\\a{$"])]):
        for suffix in plots.FORMATS:
            assert plots.save(ax, tmp_path / f"{number}{suffix}").stat().st_size > 1000
        assert ax.get_title().replace("\n", " ") == game.name.strip()
    assert [text.get_text() for text in plots.plot_payoffs(game).get_yticklabels()] == HOSTILE


def test_actions_are_counted_from_one_whatever_the_size():
    for n in (3, 20, 40):
        ax = plots.plot_payoffs(mg.games.random(n=n))
        np.testing.assert_array_equal(ax.images[0].get_extent(), [0.5, n + 0.5, n + 0.5, 0.5])
        assert ax.get_xlim() == (0.5, n + 0.5)
        assert len(ax.texts) == (9 if n == 3 else 0)
    table = np.array([[3.0, -1.0, 2.0], [0.0, 4.0, -2.0]])
    ax = plots.plot_payoffs(mg.MatrixGame(table, ["up", "down"], ["left", "middle", "right"]))
    np.testing.assert_array_equal(ax.images[0].get_array(), table)
    assert {(text.get_position(), text.get_text()) for text in ax.texts} >= {((1, 1), "3"), ((3, 1), "2"), ((2, 2), "4")}
    assert [text.get_text() for text in ax.get_xticklabels()] == ["left", "middle", "right"]


def test_a_simplex_has_a_start_an_end_and_corners_by_name(runs):
    ax = plots.plot_simplex(runs[:2])
    assert [text.get_text() for text in ax.texts] == list(runs[0].game.labels[0])
    points = [line for line in ax.lines if len(np.atleast_1d(line.get_xdata())) == 1]
    assert len(points) == 2 + 1
    paths = [line for line in ax.lines if line.get_label() in ("mpo", "mmd")]
    assert [list(line.get_markevery()) for line in paths] == [[len(line.get_xdata()) - 1] for line in paths]  # the mark of its end
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mpo", "mmd", "Nash equilibrium"]
    with pytest.raises(mg.InputError, match=r"2 \+ 2"):
        plots.plot_simplex(mg.solve(mg.games.matching_pennies(), steps=2))


def test_figures_appear_whole_or_not_at_all(runs, tmp_path, monkeypatch):
    ax = plots.plot_gaps(runs[:1])
    for suffix, start in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")):
        assert plots.save(ax, tmp_path / f"gap{suffix}").read_bytes().startswith(start)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["gap.PDF", "gap.png", "gap.svg"]

    def half(path, **options):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ax.figure, "savefig", half)
    with pytest.raises(mg.InputError, match="No space left"):
        plots.save(ax, tmp_path / "gap.png")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(mg.InputError, match=r"gap\.jpeg: .*\.svg"):
        plots.save(ax, tmp_path / "gap.jpeg")
    with pytest.raises(mg.InputError, match="nowhere"):
        plots.save(plots.plot_gaps(runs[:1]), tmp_path / "nowhere" / "gap.png")


def test_a_suite_of_zeros_alone_is_drawn(tmp_path):
    cells = [{"algorithm": "a", "products_spent": [0], "gaps": [0.0]}]
    assert plots.save(plots.plot_suite(cells, "ties"), tmp_path / "suite.png").exists()


def test_forty_nine_lines_are_told_apart_without_colour():
    looks = [(str(style.look(index)["linestyle"]), style.look(index)["marker"]) for index in range(49)]
    assert len(set(looks)) == 49
    assert len({style.look(index)["color"] for index in range(7)}) == 7


@pytest.mark.parametrize("draw", [mg.plots.plot_gaps, mg.plots.plot_simplex])
def test_the_eighth_run_does_not_look_like_the_first(draw):
    runs = [mg.solve(mg.games.rock_paper_scissors(), mg.MultiplicativeWeights(step_size=0.1 * number), steps=20) for number in range(1, 9)]
    drawn = [
        (line.get_color(), line.get_linestyle(), str(line._unscaled_dash_pattern), line.get_marker())
        for line in draw(runs).lines
        if "=" in str(line.get_label()) and not str(line.get_label()).startswith("_")
    ]
    assert len(drawn) == 8
    assert drawn[0][:3] == drawn[7][:3]
    assert len({(dash, marker) for _, _, dash, marker in drawn}) == 8
