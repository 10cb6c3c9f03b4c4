"""The benchmark of speed, cut down: every row is there, contenders agree, and one that does something else is found out. Nothing here is timed for its own sake."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mmd_games as mg
from benchmarks.speed import contenders
from benchmarks.speed.__main__ import main
from benchmarks.speed.family import MEMBERS
from benchmarks.speed.limits import measure_limits
from benchmarks.speed.measuring import Contender, Ratio, difference, race, ratio
from benchmarks.speed.plot import curves_of, plot_costs
from benchmarks.speed.rows import OUR_STEPS, QUICK, all_rows, duel
from benchmarks.speed.running import measure, measure_all
from benchmarks.speed.sampling import Place, Sampler
from benchmarks.speed.table import Line, Measured, Row, text_of
from benchmarks.speed.verify_profile import INSIDE, inside, shares


@pytest.fixture(scope="module")
def lines():
    return measure_all(all_rows(), QUICK)


@pytest.fixture(scope="module")
def limits():
    return measure_limits(sorted({QUICK.size(actions) for actions in OUR_STEPS}), QUICK.memory, rounds=1)


def row(key):
    (found,) = (row for row in all_rows() if row.key == key)
    return found


def test_every_row_is_measured_and_all_reach_the_same(lines):
    for line in lines:
        if line.measured is None:
            assert line.row.key.startswith("lite_efg")
            assert line.reason == "LiteEFG is not installed"
        else:
            assert line.measured.agrees
            assert line.measured.ratio.median > 0
            assert (line.measured.difference is None) == (line.row.key == "verify")


def test_the_table_has_every_number_that_was_asked_for(lines, limits):
    text = text_of(lines, limits, load=0.1, quick=True)
    assert "QUICK" in text
    assert "WARNING" not in text
    for line in lines:
        (printed,) = (part for part in text.splitlines() if part.startswith(f"{line.row.work} ") and f" {line.row.against} " in part)
        assert line.row.asked is None or line.row.amount(line.row.asked) in printed
        assert line.reached in printed
    for name in MEMBERS:
        assert text.count(f"\n  {name} ") == 3
    assert "the load average was 2.5" in text_of(lines, limits, load=2.5, quick=False)


def test_the_plot_has_ours_the_peers_and_the_limits(lines, limits, tmp_path):
    curves = curves_of(lines)
    assert set(curves) >= {contenders.OURS, contenders.BY_HAND, "OpenSpiel mmd_dilated", "ssokota/mmd style"}
    assert [actions for actions, _ in curves[contenders.OURS]] == sorted({QUICK.size(actions) for actions in OUR_STEPS})
    assert plot_costs(lines, limits, tmp_path / "speed.png").stat().st_size > 10_000


def test_a_contender_that_does_something_else_is_reported(monkeypatch, limits):
    def without_magnet(matrix, algorithm, steps):
        logits = np.zeros(len(matrix))
        for _ in range(steps):
            logits = logits + algorithm.step_size * matrix @ np.exp(logits - np.logaddexp.reduce(logits))
        return np.exp(logits - np.logaddexp.reduce(logits))

    monkeypatch.setattr(contenders, "play_by_hand", without_magnet)
    line = measure(row("mmd_10"), QUICK)
    assert line.reached == "no: outcomes differ"
    assert line.missed
    assert "the outcomes differ by" in text_of([line], limits, 0.0, quick=True)


def test_an_outcome_that_is_no_number_or_of_another_shape_differs():
    assert difference(np.array([0.5, 0.5]), np.array([0.5, np.nan])) == np.inf
    assert difference(np.array([0.5, 0.5]), np.array([1.0])) == np.inf
    assert difference(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == 0.25 / 0.75


def test_a_row_that_cannot_be_measured_says_why_and_the_others_go_on():
    def absent(bench):
        raise ImportError(name="nothing")

    def too_large(bench):
        raise mg.InputError("A table of this size would not fit.")

    made = [replace(row("mmd_3"), measure=absent), replace(row("mmd_3"), measure=too_large), row("mmd_3")]
    lines = measure_all(made, QUICK)
    assert [line.reached for line in lines] == ["not measured: nothing is not installed", "not measured: A table of this size would not fit", "not asked"]
    assert not any(line.missed for line in lines)


@pytest.mark.parametrize(("found", "at_most", "reached"), [(2.0, False, "yes"), (1.9, False, "no"), (2.0, True, "yes"), (2.1, True, "no")])
def test_what_was_asked_is_reached_or_not(found, at_most, reached):
    asked = Row(key="k", work="w", against="a", asked=2.0, at_most=at_most, measure=lambda bench: None)
    line = Line(asked, Measured(ratio=Ratio(found, found, found)))
    assert line.reached == reached
    assert line.missed == (reached == "no")


def test_costs_are_of_a_unit_of_work_and_in_turns():
    played = []
    one = Contender(name="one", prepare=lambda: lambda steps: played.append(("one", steps)), steps=5)
    other = Contender(name="other", prepare=lambda: lambda steps: played.append(("other", steps)), steps=7, work=4.0)
    costs = race([one, other], 2)
    assert played == [("one", 5), ("other", 7), ("other", 7), ("one", 5)]
    assert costs[1].step == pytest.approx(4.0 * np.median(costs[1].seconds))
    twice = replace(costs[0], seconds=2 * costs[0].seconds)
    assert ratio(twice, costs[0]) == Ratio(2.0, 2.0, 2.0)


def test_ours_falls_back_to_arrays_and_says_so():
    game = mg.GeneralPreferenceGame(np.random.default_rng(0).standard_normal((6, 2)))  # without a table
    algorithm = mg.MagneticMirrorDescent().with_defaults(game.scale)
    mine = contenders.covered(lambda engine: contenders.ours(game, algorithm, 3, engine=engine))
    assert "array engine" in mine.note
    measured, _ = duel(mine, mine, 1, common=2, allowed=0.0)
    assert measured.note == mine.note


def test_time_is_charged_to_its_kind_or_to_the_room_that_spent_it():
    command, bounds = Place("cli/verify.py", "verify", 1), Place("verification/bounds/drift.py", "check", 5)
    loop, products, exponentials = INSIDE
    found = shares(
        {(loop, (command,)): 4.0, (products, (bounds, command)): 1.0, (exponentials, (bounds, command)): 1.0, ("", (bounds, command)): 3.0, ("", ()): 1.0}
    )
    assert list(found.inside.values()) == pytest.approx([0.4, 0.1, 0.1])
    assert found.rooms == pytest.approx({"verification/bounds": 0.3, "elsewhere": 0.1})
    assert found.outside == pytest.approx(0.4)
    assert found.functions == pytest.approx({"verification/bounds/drift.py:5 check": 0.3, "elsewhere": 0.1})


def sampled(work, least):
    """What a sampler sees of work that is done again and again until it has been seen so often."""
    sampler = Sampler(inside())
    with sampler:
        while sum(sampler.seconds.values()) < least:
            work()
    return sampler.seconds


def test_the_sampler_sees_what_runs_and_for_what():
    """A product is all that payoffs end with, so that Python hears the timer only after it has returned."""
    game, policy = mg.games.random(n=1500, seed=0), np.full(1500, 1 / 1500)
    seconds = sampled(lambda: game.payoffs(policy), 0.3)
    products = sum(spent for (kind, _), spent in seconds.items() if kind == INSIDE[1])
    assert products > 0.8 * sum(seconds.values())
    assert {stack[0].path for kind, stack in seconds if kind and stack} <= {"games/preference.py"}
    assert not any("benchmarks" in place.path or "site-packages" in place.path for _, stack in seconds for place in stack)


def test_what_comes_before_something_watched_is_not_charged_to_it():
    numbers = np.ones(400_000)

    def work():
        numbers * numbers  # no call: Python hears nothing of the time that it takes before the next
        np.exp(0.0)

    seconds = sampled(work, 0.3)
    assert sum(spent for (kind, _), spent in seconds.items() if kind) < 0.3 * sum(seconds.values())


def test_what_was_watched_is_left_as_it_was():
    before = [getattr(owner, name) for owner, name, _ in inside()]
    with pytest.raises(KeyError), Sampler(inside()):
        assert np.exp is not before[-4]
        raise KeyError
    assert all(getattr(owner, name) is function for (owner, name, _), function in zip(inside(), before, strict=True))
    assert len(before) > 12  # kl and log_normalise are known by these names in several modules


def test_the_command_writes_the_table_and_the_plot(tmp_path, capsys):
    assert main(["--quick", "--only", "mmd_10", "--out", str(tmp_path / "speed.txt")]) == 0
    printed = capsys.readouterr()
    assert printed.out == (tmp_path / "speed.txt").read_text(encoding="utf-8")
    assert printed.out.count("NumPy by hand") == 1
    assert "mmd_10" in printed.err
    assert (tmp_path / "speed.png").exists()


def test_a_row_that_there_is_not_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "mmd_11"])
    assert "no row is called mmd_11" in capsys.readouterr().err
