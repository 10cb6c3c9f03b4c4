"""How long a sweep will take: told by what is finished, and not before something is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmd_games.sweeps import Suite, remaining, run_suite
from mmd_games.sweeps.playing import Clock
from mmd_games.sweeps.remaining import Remaining, SweepBar, in_words


def cell(algorithm="a", entry="g", **others):
    return {"game": f"{entry},seed=0", "entry": entry, "algorithm": algorithm, **others}


def row(seconds, algorithm="a", entry="g", **others):
    return cell(algorithm, entry, timing={"cell": seconds}, **others)


def test_nothing_is_said_before_there_is_something_to_base_it_on():
    waiting = [cell() for _ in range(4)]
    told = Remaining(waiting)
    assert told.seconds() is None
    told.finish(waiting[0], row(10))
    assert told.seconds() is None
    told.finish(waiting[1], row(20))
    assert told.seconds() == 30  # two cells of fifteen seconds
    assert Remaining([cell()], [row(10), row(20)]).seconds() == 15  # of an earlier run
    assert Remaining([cell()], [row(10), row(20, error="no"), cell()]).seconds() is None  # a failed cell took no time that another would


def test_cells_are_weighed_by_their_own_kind_where_there_is_one():
    finished = [row(1, "fast", "small"), row(9, "slow", "small"), row(100, "fast", "large")]
    expected = {("fast", "small"): 1, ("slow", "small"): 9, ("fast", "large"): 100, ("slow", "large"): 100, ("slow", "other"): 9, ("new", "other"): 110 / 3}
    for (algorithm, entry), seconds in expected.items():
        assert Remaining([cell(algorithm, entry)], finished).seconds() == pytest.approx(seconds)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=8), st.integers(1, 9), st.integers(1, 5))
def test_several_at_once_take_their_share_but_never_less_than_the_longest(seconds, count, jobs):
    each = sum(seconds) / len(seconds)
    found = Remaining([cell() for _ in range(count)], [row(time) for time in seconds], jobs=jobs).seconds()
    assert found == pytest.approx(max(each * count / jobs, each))


def test_words():
    said = [in_words(seconds) for seconds in (0, 12, 57, 61, 170, 89 * 60, 91 * 60, 40_000)]
    assert said == [
        "a few seconds left",
        "about 10 s left",
        "about 1 min left",
        "about 1 min left",
        "about 3 min left",
        "about 89 min left",
        "about 1.5 h left",
        "about 11 h left",
    ]


def test_the_estimate_runs_down_by_the_clock():
    now = [0.0]
    waiting = [cell() for _ in range(5)]
    bar = SweepBar(0, 5, Remaining(waiting), clock=lambda: now[0])
    bar.finish(waiting[0], row(100))
    assert bar.text() == ""
    bar.finish(waiting[1], row(100))
    assert bar.text() == "about 5 min left"
    now[0] += 120
    assert bar.text() == "about 3 min left"
    now[0] += 1000
    assert bar.text() == "a few seconds left"


def test_the_bar_goes_to_stderr(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(remaining, "PATIENCE", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    run_suite(Suite(name="s", games=("rps", "cycle:n=5"), algorithms=("mwu", "mpo"), products=50), tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4" in err
    assert "a few seconds left" in err


def test_nothing_is_drawn_where_nobody_looks(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(remaining, "PATIENCE", 0.0)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    run_suite(Suite(name="s", games=("rps",), algorithms=("mwu", "mpo"), products=50), tmp_path)
    assert capsys.readouterr() == ("", "")


def test_steps_that_are_told_together_count_as_one_note(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("mmd_games.sweeps.playing.time.perf_counter", lambda: now[0])
    clock = Clock()
    for step, seconds in ((100, 1.0), (150, 2.0), (160, 2.0001), (200, 2.0002)):  # the last three as a compiled run tells them
        now[0] = seconds
        clock(step, 1000, 0.5)
    assert [clock.at(step) for step in (0, 50, 100)] == [0.0, 0.5, 1.0]
    assert clock.at(150) == pytest.approx(1.5, abs=1e-3)
    assert clock.at(200) == pytest.approx(2.0002)
