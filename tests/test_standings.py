"""Standings, on rows made by hand: the best of a grid, its edges, a champion and its rivals."""

from __future__ import annotations

import math
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmd_games import plots
from mmd_games.sweeps.standings import Edge, best_row, best_settings, edges, level_name, performance_ratios, standings

LEVEL = 1e-8
BUDGET = 1000


def row(cost=None, *, game="g", algorithm="a", gap=None, error=None, setting=None, feedback="exact", values=None, products=BUDGET):
    """A row that gets to the level at some cost, or does not."""
    made = {"game": game, "feedback": feedback, "algorithm": algorithm, "setting": setting or {}, "products": products, "values": values or {}}
    if error is not None:
        return made | {"error": error}
    return made | {"cost": {"1e-08": cost}, "gap": gap if gap is not None else (1e-9 if cost is not None else 1e-3)}


def best(rows):
    return [found for found, _ in best_settings(rows, LEVEL)]


def test_the_fewest_products_win():
    found = best([row(300, setting={"s": 1}), row(200, setting={"s": 2}), row(setting={"s": 3})])
    assert [(one.setting, one.products, one.reached, one.tried, one.failed) for one in found] == [({"s": 2}, 200, True, 3, 0)]


def test_what_does_not_get_there_counts_as_its_budget_and_then_the_gap_decides():
    assert best_row([row(gap=1e-4, setting={"s": 1}), row(gap=1e-5, setting={"s": 2}), row(gap=1e-3, setting={"s": 3})], LEVEL)["setting"] == {"s": 2}
    assert best_row([row(gap=1e-6), row(BUDGET, setting={"s": 2})], LEVEL)["setting"] == {"s": 2}  # at the budget, but there
    (found,) = best([row(gap=1e-4), row(error="no", setting={"s": 2})])
    assert (found.products, found.reached, found.gap, found.failed) == (BUDGET, False, 1e-4, 1)
    (lost,) = best([row(error="no"), row(error="neither", setting={"s": 2})])
    assert (lost.products, lost.reached, lost.gap, lost.failed) == (BUDGET, False, None, 2)


def test_a_failed_setting_is_never_the_best_of_others():
    assert "error" not in best_row([row(error="no", products=10), row(gap=1e-2, products=10, setting={"s": 2})], LEVEL)


def test_edges_are_of_numeric_keys_with_several_values():
    grid = [row(setting={"s": text, "k": 5, "inner": name}, values={"k": 5, "inner": name}) for text in ("0.5x", "1x", "2x") for name in ("mmd", "pu")]
    assert edges(grid[0], grid) == (Edge("s", "smallest"),)
    assert edges(grid[2], grid) == ()
    assert edges(grid[5], grid) == (Edge("s", "largest"),)
    assert str(edges(grid[5], grid)[0]) == "s: largest"
    # "10x" is larger than "9x", which no order of letters knows
    tens = [row(setting={"s": text}) for text in ("9x", "10x", "8x")]
    assert edges(tens[0], tens) == ()
    assert edges(tens[1], tens) == (Edge("s", "largest"),)


def test_multiples_among_values_are_compared_by_what_they_came_to():
    mixed = [row(setting={"s": "1x"}, values={"s": 0.4}), row(setting={"s": 0.1}, values={"s": 0.1}), row(setting={"s": 3}, values={"s": 3.0})]
    assert [edges(one, mixed) for one in mixed] == [(), (Edge("s", "smallest"),), (Edge("s", "largest"),)]
    flags = [row(setting={"b": value}, values={"b": value}) for value in (True, False)]
    assert edges(flags[0], flags) == ()


def test_standings_by_hand():
    rows = [
        row(100, game="one", algorithm="champion"),
        row(50, game="one", algorithm="fast"),
        row(400, game="one", algorithm="slow"),
        row(750, game="two", algorithm="champion"),
        row(360, game="two", algorithm="fast"),
        row(game="two", algorithm="slow"),
        row(501, game="three", algorithm="champion"),
        row(200, game="three", algorithm="fast"),
        row(10, game="four", algorithm="champion"),  # alone: no rival, no game
        row(10, game="five", algorithm="fast"),
    ]
    found = standings(best(rows), "champion")
    assert [(game["game"], game["champion"], game["rival"], game["rival_products"], game["passes"]) for game in found["games"]] == [
        ("one", 100, "fast", 50, True),  # 100 <= 1.5·50 + 200
        ("two", 750, "fast", 360, False),  # 750 > 740
        ("three", 501, "fast", 200, False),  # 501 > 500
    ]
    assert found["passing"] == pytest.approx(1 / 3)
    assert found["rivals"] == [
        {"rival": "fast", "games": 3, "median_ratio": median([2, 750 / 360, 501 / 200]), "passes": 1},
        {"rival": "slow", "games": 2, "median_ratio": median([0.25, 0.75]), "passes": 2},
    ]


@pytest.mark.parametrize(("champion", "passes"), [(499, True), (500, True), (501, False)])
def test_the_rule_is_one_and_a_half_times_and_200(champion, passes):
    found = standings(best([row(champion, algorithm="c"), row(200, algorithm="r")]), "c")
    assert found["games"][0]["passes"] is passes


def test_ties_and_budgets():
    (tie,) = standings(best([row(70, algorithm="c"), row(70, algorithm="r")]), "c")["games"]
    assert (tie["ratio"], tie["passes"]) == (1.0, True)
    (nobody,) = standings(best([row(algorithm="c"), row(algorithm="r")]), "c")["games"]
    assert (nobody["ratio"], nobody["passes"], nobody["champion_reached"], nobody["rival_reached"]) == (1.0, True, False, False)
    (lost,) = standings(best([row(algorithm="c"), row(100, algorithm="r")]), "c")["games"]
    assert (lost["champion"], lost["ratio"], lost["passes"]) == (BUDGET, 10.0, False)
    (start,) = standings(best([row(0, algorithm="c"), row(0, algorithm="r")]), "c")["games"]
    assert start["ratio"] == 1.0
    assert standings(best([row(1, algorithm="c")]), "c") | {"games": None} == standings([], "c") | {"games": None}


def test_feedback_is_another_field():
    rows = [
        row(cost, algorithm=name, feedback=told) for told, name, cost in (("exact", "c", 900), ("exact", "r", 100), ("sampled", "c", 90), ("sampled", "r", 100))
    ]
    assert [(game["feedback"], game["passes"]) for game in standings(best(rows), "c")["games"]] == [("exact", False), ("sampled", True)]


COSTS = st.one_of(st.none(), st.integers(0, BUDGET))
ROWS = st.lists(
    st.builds(
        lambda cost, game, algorithm, size, gap, failed: row(
            cost, game=game, algorithm=algorithm, setting={"s": size}, gap=1e-9 if cost is not None else gap, error="no" if failed else None
        ),
        COSTS,
        st.sampled_from("xyz"),
        st.sampled_from("abc"),
        st.sampled_from(["0.5x", "1x", "2x"]),
        st.sampled_from([1e-2, 1e-3, 1e-4]),
        st.sampled_from([False] * 5 + [True]),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda one: (one["game"], one["algorithm"], one["setting"]["s"]),
)


def by_name(found):
    return {(one.game, one.algorithm): one for one in found}


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_the_rows_does_not_matter(pair):
    rows, mixed = pair
    assert by_name(best(rows)) == by_name(best(mixed))
    one, other = standings(best(rows), "a"), standings(best(mixed), "a")
    assert one["passing"] == other["passing"]
    assert sorted(one["games"], key=str) == sorted(other["games"], key=str)
    assert sorted(one["rivals"], key=str) == sorted(other["rivals"], key=str)


@given(ROWS)
def test_the_best_is_at_most_any_setting_and_at_most_the_budget(rows):
    for found in best(rows):
        group = [one for one in rows if (one["game"], one["algorithm"]) == (found.game, found.algorithm)]
        counted = [BUDGET if one.get("cost", {}).get("1e-08") is None else one["cost"]["1e-08"] for one in group]
        assert found.products == min(counted)
        assert found.tried == len(group)
    for game in standings(best(rows), "a")["games"]:
        assert game["passes"] == (game["champion"] <= 1.5 * game["rival_products"] + 200)
        assert game["rival_products"] == min(one.products for one in best(rows) if one.game == game["game"] and one.algorithm != "a")


@given(ROWS)
def test_ratios_begin_at_1_and_somebody_has_it(rows):
    found = best(rows)
    ratios = performance_ratios(found)
    assert set(ratios) == {one.algorithm for one in found}
    assert len({len(of) for of in ratios.values()}) == 1
    for game in zip(*ratios.values(), strict=True):
        assert min(game) == (1.0 if any(map(math.isfinite, game)) else math.inf)
        assert all(ratio >= 1.0 for ratio in game)


def test_the_profile_rises_to_the_share_that_gets_there():
    ax = plots.plot_profile({"a": [1.0, 1.0, 3.0, math.inf], "b": [2.0, 2.0, 1.0, 1.0]}, "p")
    for line, shares in zip(ax.lines, ({1.0: 0.5, 2.9: 0.5, 3.0: 0.75}, {1.0: 0.5, 1.9: 0.5, 2.0: 1.0}), strict=True):
        x, y = line.get_xdata(), line.get_ydata()
        assert line.get_drawstyle() == "steps-post"
        for at, share in shares.items():
            assert max(height for place, height in zip(x, y, strict=True) if place <= at) == share


@pytest.mark.parametrize("count", [3, 12])
def test_plots_of_many_algorithms_tell_them_apart(count):
    names = [f"method {index}" for index in range(count)]
    cells = [{"algorithm": name, "products_spent": [0, 10, 100], "gaps": [1.0, 0.1, 0.01]} for name in names]
    drawn = (plots.plot_suite(cells, "s", champion=names[1]), plots.plot_profile({name: [1.0, 2.0] for name in names}, "p", champion=names[1]))
    for ax in drawn:
        looks = {(line.get_color(), str(line.get_linestyle()), line.get_marker()) for line in ax.lines}
        assert len(looks) == len(ax.lines) == count
        assert [line.get_label() for line in ax.lines if line.get_linewidth() > 2] == [names[1]]
    assert len(drawn[0].collections) == (3 if count == 3 else 0)  # bands


def test_levels_have_names_that_say_them():
    assert [level_name(level) for level in (1e-2, 1e-10, 2.5e-7, 3e-5)] == ["1e-02", "1e-10", "2.5e-07", "3e-05"]
