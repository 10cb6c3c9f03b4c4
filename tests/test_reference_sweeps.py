"""Suites of solvers: times side by side, wrong answers counted, absent and broken peers named, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.cli import main
from mmd_games.sweeps import ReferenceSuite, measuring, run_suite
from mmd_games.sweeps.judging import judge
from mmd_games.sweeps.measuring import Measurer
from mmd_games.sweeps.reference_result import ReferenceResult
from mmd_games.sweeps.solvers import from_name, labels
from mmd_games.sweeps.stopwatch import peak_memory, stored_bytes, take_times

ME = "fake_peers"
RPS = "rock_paper_scissors:wins=0.9/0.8/0.9"
EQUILIBRIUM = np.array([4, 3, 4]) / 11


@pytest.fixture(autouse=True)
def _adapters(monkeypatch):
    monkeypatch.setitem(sys.modules, ME, sys.modules[__name__])
    CALLS.clear()


CALLS: list[str] = []


def right(matrix):
    """The equilibrium, by our own linear program."""
    CALLS.append("right")
    return mg.nash(mg.PreferenceGame.from_payoffs(matrix), method="lp").policy


def slow(matrix):
    CALLS.append("slow")
    time.sleep(0.006)
    return mg.nash(mg.PreferenceGame.from_payoffs(matrix), method="lp").policy


def timed(matrix):
    """A peer whose time is what `stopped_clock` makes of its calls."""
    CALLS.append("timed")
    NOW[0] += len(matrix) ** 2 / 1000
    return right(matrix)


def twice(matrix):
    timed(matrix)
    return timed(matrix)


NOW = [0.0]


@pytest.fixture
def stopped_clock(monkeypatch):
    """Time passes only where a solver says so, and a nanosecond at every look."""

    def look():
        NOW[0] += 1e-9
        return NOW[0]

    for clock in ("perf_counter", "process_time"):
        monkeypatch.setattr(f"mmd_games.sweeps.stopwatch.time.{clock}", look)


def wrong(matrix):
    return np.full(len(matrix), 1 / len(matrix))


def rough(matrix):
    """Off by about 1e-9."""
    policy = right(matrix) + 1e-9 * np.arange(len(matrix))
    return policy / policy.sum()


def sometimes(matrix):
    """Wrong, without a word, on about half of the games."""
    return wrong(matrix) if matrix[0, 1] > 0 else right(matrix)


def crashing(matrix):
    raise np.linalg.LinAlgError("Singular matrix")


def refusing(matrix):
    raise RuntimeError("infeasible")


def nothing(matrix):
    return None


def misshapen(matrix):
    return np.ones(len(matrix) + 1)


def words(matrix):
    return "no"


def missing(matrix):
    import no_such_library  # noqa: F401  # pyright: ignore


def noisy(matrix):
    os.write(1, b"a banner\n")
    print("and a greeting")
    return right(matrix)


def overwriting(matrix):
    policy = right(matrix)
    matrix[:] = np.nan
    return policy


def suite(*solvers, games=(RPS,), **settings):
    options = {"repeats": 1, **settings}
    return ReferenceSuite(name="small", games=games, solvers=tuple(f"{ME}:{name}" if name in globals() else name for name in solvers), **options)


def lines(result):
    return {(line["game"], line["solver"].removeprefix(f"{ME}:")): line for line in result.lines}


def test_every_solver_stands_beside_the_others_with_its_certified_gap(tmp_path):
    result = run_suite(suite("interior_point", "lp", "auto", "nash_many", "right", "slow", games=(RPS, "random:n=20")), tmp_path)
    found = lines(result)
    assert len(found) == 12
    for line in found.values():
        # The policies are right to the last bits of numbers of size 1: payoffs of at most 0.5 L are rounded n times at most.
        assert 0 <= line["gap"] <= 20 * np.finfo(float).eps
        assert (line["wrong"], line["loose"], line["unanswered"], line["games"]) == (0, 0, 0, 1)
        assert line["seconds"] > 0
    assert found[RPS, "right"]["support"] == found[RPS, "interior_point"]["support"] == 3
    assert found[RPS, "interior_point"]["iterations"] >= 1
    assert found[RPS, "lp"]["iterations"] is None
    assert [row["game"] for row in result.rows()] == [RPS, *[""] * 5, "random:n=20", *[""] * 5, "all games", *[""] * 5]
    assert [row["solver"] for row in result.rows()[:6]] == ["interior_point", "lp", "auto", "nash_many", "right", "slow"]
    assert result.exit_status == 0


def test_the_speed_is_against_the_fastest_peer_that_is_right(tmp_path, stopped_clock):
    found = lines(run_suite(suite("interior_point", "wrong", "crashing", "twice", "timed"), tmp_path))
    # Wrong or crashed at once is no speed to be measured by, and ours are no peers.
    assert {name: line["speed"] for (_, name), line in found.items() if line["gap"] is not None} == {
        "interior_point": pytest.approx(9e6, rel=1e-3),
        "wrong": pytest.approx(9e6, rel=1e-3),
        "twice": pytest.approx(0.5, rel=1e-3),
        "timed": 1.0,
    }
    assert found[RPS, "crashing"]["speed"] is None


def test_lines_from_rows():
    """Hand-made rows: the median over games of the median over times, and the largest, the middle and the most of what is told."""
    answers = [{"gap": 1e-15, "support": 3, "iterations": 5}, {"gap": 1e-9, "support": 5, "iterations": 9}, {"gap": 1e-16, "support": 9}]
    rows = [
        {"game": "random:n=9", "solver": "lp", "seeds": [seed], "n": 9, "times": times, "answers": [answer]}
        for seed, (times, answer) in enumerate(zip(([1, 2, 30], [7, 4, 5], [8, 6, 3]), answers, strict=True))
    ]
    (line,) = suite("lp", repeats=4).result(rows, False).lines
    told = {"games": 3, "seconds": 5, "gap": 1e-9, "support": 5, "iterations": 9, "wrong": 0, "loose": 1, "runs": 3}
    assert {key: line[key] for key in told} == told
    (row,) = suite("lp", repeats=4).result(rows, False).rows()
    assert (row["time"], row["gap / L"], row["remark"]) == ("5 s", "1.0e-09", "3 runs")


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.83e-6, "3.83 µs"), (4.3e-9, "4.3 ns"), (0.00041, "410 µs"), (0.99, "990 ms"), (1.0, "1 s"), (73.34, "73.3 s"), (1913, "1913 s")]
)
def test_durations(seconds, text):
    rows = [{"game": "rps", "solver": "lp", "seeds": [], "n": 3, "times": [seconds], "answers": [{"gap": 0.0, "support": 3}]}]
    assert suite("lp").result(rows, False).rows()[0]["time"] == text


def test_a_median_of_times_that_were_slept(tmp_path):
    (row,) = run_suite(suite("slow", repeats=3), tmp_path).cells
    assert len(row["times"]) == 3
    assert min(row["times"]) >= 0.006
    assert CALLS.count("slow") == 8 + 2 + 3  # warm-up; a first that is not counted, one to see how often to call; the times


@pytest.mark.parametrize(
    ("name", "line", "remark"),
    [
        ("wrong", {"wrong": 1, "loose": 0, "unanswered": 0}, ""),
        ("rough", {"wrong": 0, "loose": 1, "unanswered": 0}, ""),
        ("crashing", {"wrong": 0, "unanswered": 1, "crashed": 1, "gap": None}, "LinAlgError: Singular matrix"),
        ("refusing", {"wrong": 0, "unanswered": 1, "crashed": 0, "gap": None}, "infeasible"),
        ("nothing", {"wrong": 0, "unanswered": 1, "crashed": 1}, "returned None"),
        ("misshapen", {"wrong": 0, "unanswered": 1, "crashed": 1}, "shape (4,), not (3,)"),
        ("words", {"wrong": 0, "unanswered": 1, "crashed": 1}, "no array"),
        ("missing", {"wrong": 0, "games": 0, "seconds": None}, "absent (pip install no_such_library)"),
    ],
)
def test_what_a_peer_does_is_told_in_its_row(tmp_path, name, line, remark):
    result = run_suite(suite(name, "right"), tmp_path)
    found = lines(result)[RPS, name]
    assert {key: found[key] for key in line} == line
    assert remark in result.rows()[0].get("remark", "")
    assert lines(result)[RPS, "right"]["gap"] < 1e-15
    assert result.exit_status == 0


def test_the_matrix_is_the_adapters_own(tmp_path):
    assert all(line["gap"] < 1e-15 for line in run_suite(suite("overwriting", "right"), tmp_path).lines)
    assert np.isfinite(mg.games.from_spec(RPS).table()).all()


@pytest.mark.parametrize(
    ("returned", "flaw"),
    [
        ([np.nan, 0.5, 0.5], "not finite"),
        ([-1.0, 0.0, 0.0], "no probabilities"),
        ([4 / 11, 3 / 11, 4.1 / 11], "sum not 1"),
        ([5 / 11, 7 / 11, -1 / 11], "negative"),
    ],
)
def test_what_is_no_policy_is_a_wrong_answer(returned, flaw, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "wrong", lambda matrix: np.array(returned))
    assert flaw in judge(mg.games.from_spec(RPS), returned, ours=False)["flaw"]
    result = run_suite(suite("wrong"), tmp_path)
    assert (result.lines[0]["wrong"], result.lines[0]["unanswered"]) == (1, 0)
    assert flaw in result.rows()[0]["remark"]


def test_the_ruler():
    game = mg.games.from_spec(RPS)
    uniform = np.full(3, 1 / 3)
    for policy in (EQUILIBRIUM, uniform, [1.0, 0.0, 0.0]):
        assert judge(game, policy, ours=False)["gap"] == pytest.approx(float(mg.exact_gap(game, policy)) / float(game.scale), abs=1e-15)
    # Of two policies the better one counts, whichever it is.
    both = [judge(game, np.concatenate(pair), ours=False)["gap"] for pair in ((uniform, EQUILIBRIUM), (EQUILIBRIUM, uniform))]
    assert max(both) < 1e-15
    crumbs = EQUILIBRIUM + np.array([1e-8, -2e-8, 1e-8])
    assert judge(game, crumbs, ours=False)["gap"] == pytest.approx(float(mg.exact_gap(game, crumbs)) / float(game.scale), rel=1e-6)
    pure = np.array([1 - 1e-10, 1e-10, 0])
    assert [judge(game, pure, ours=ours)["support"] for ours in (True, False)] == [2, 1]
    pennies = mg.games.matching_pennies()
    assert judge(pennies, [0.5, 0.5, 1.0, 0.0], ours=True)["gap"] == pytest.approx(float(mg.exact_gap(pennies, [0.5, 0.5, 1, 0])) / float(pennies.scale))


def test_ours_that_fail_are_status_3(tmp_path, monkeypatch):
    def broken(games, **options):
        raise np.linalg.LinAlgError("Singular matrix")

    assert run_suite(suite("double_oracle", games=("kuhn_poker",)), tmp_path / "one").exit_status == 3  # two different players
    monkeypatch.setattr("mmd_games.sweeps.solvers.nash_many", broken)
    result = run_suite(suite("nash_many", "right"), tmp_path / "two")
    assert result.exit_status == 3
    assert "Singular matrix" in result.rows()[0]["remark"]


def test_ours_that_do_not_converge_say_so(tmp_path, monkeypatch):
    from dataclasses import replace

    honest = mg.nash
    monkeypatch.setattr("mmd_games.sweeps.solvers.nash", lambda game, **options: replace(honest(game, **options), converged=False))
    result = run_suite(suite("interior_point"), tmp_path)
    assert (result.lines[0]["unanswered"], result.lines[0]["wrong"], result.lines[0]["gap"]) == (1, 0, None)
    assert result.rows()[0]["remark"].endswith("not converged")
    assert result.exit_status == 0


def test_counts_and_medians_over_many_seeds(tmp_path):
    result = run_suite(suite("interior_point", "sometimes", "refusing", games=("random:n=7", RPS), seeds=tuple(range(25)), peer_seeds=10, batch=4), tmp_path)
    found = lines(result)
    games = [mg.games.from_spec(f"random:n=7,seed={seed}") for seed in range(25)]
    bad = [game for game in games[:10] if game.payoff_matrix[0, 1] > 0]
    assert 0 < len(bad) < 10
    line = found["random:n=7", "sometimes"]
    assert (line["games"], line["wrong"], line["unanswered"]) == (10, len(bad), 0)
    uniform = np.full(7, 1 / 7)
    assert line["gap"] == pytest.approx(max(float(mg.duality_gap(game, uniform) / game.scale) for game in bad), rel=1e-12)
    ours = found["random:n=7", "interior_point"]
    assert (ours["games"], ours["wrong"], ours["loose"]) == (25, 0, 0)
    assert ours["support"] == np.median([len(mg.nash(game).support) for game in games])
    assert ours["iterations"] == max(mg.nash(game, tolerance=1e-12 * float(game.scale)).iterations for game in games)
    assert found["random:n=7", "refusing"]["unanswered"] == 10
    assert found[RPS, "interior_point"]["games"] == 1
    totals = {line["solver"].removeprefix(f"{ME}:"): line for line in result.totals}
    both = [found[game, "sometimes"] for game in ("random:n=7", RPS)]
    for key in ("games", "wrong", "loose", "unanswered"):
        assert totals["sometimes"][key] == sum(line[key] for line in both)
    assert totals["sometimes"]["gap"] == max(line["gap"] for line in both)
    assert totals["refusing"]["unanswered"] == 11
    seeds = [row["seeds"] for row in result.cells if row["solver"] == f"{ME}:sometimes" and row["seeds"]]
    assert seeds == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    (batch,) = [row for row in result.cells if row["solver"] == "interior_point" and row["seeds"] == [4, 5, 6, 7]]
    assert len(batch["answers"]) == 4


def test_the_time_of_a_batch_is_that_of_one_game(tmp_path, stopped_clock):
    row = run_suite(suite("timed", games=("random:n=3",), seeds=tuple(range(5)), batch=5), tmp_path).cells[0]
    assert row["times"] == pytest.approx([0.009])


def test_what_would_take_too_long_is_not_run(tmp_path, stopped_clock):
    games = ("random:n=3", "random:n=6", "random:n=12", "random:n=24")
    result = run_suite(suite("timed", "right", games=games, seeds=(0, 1), batch=2, limit=0.5), tmp_path)
    found = lines(result)
    assert [found[game, "timed"]["seconds"] for game in games[:2]] == pytest.approx([0.009, 0.036])
    assert CALLS.count("timed") == 8 + 2 * 2
    assert [found[game, "timed"]["predicted"] for game in games] == [None, None, pytest.approx(2 * 0.036 * 2**3), pytest.approx(2 * 0.036 * 4**3)]
    assert all(found[game, "right"]["games"] == 2 for game in games)
    remarks = [row["remark"] for row in result.rows() if row["solver"] == "timed"]
    assert remarks == ["", "", "not run: 576 ms predicted", "not run: 4.61 s predicted", ""]


def test_a_growth_that_was_faster_is_believed():
    measurer = Measurer([{"game": "random:n=10", "solver": "lp", "n": 10, "times": [0.1]}, {"game": "random:n=20", "solver": "lp", "n": 20, "times": [3.2]}])
    cell = {"game": "random:n=40", "solver": "lp", "growth": 3.0}
    assert measurer._predicted(cell, 40) == pytest.approx(3.2 * 2**5)
    assert measurer._predicted(cell | {"growth": 6.0}, 40) == pytest.approx(3.2 * 2**6)
    assert measurer._predicted(cell, 15) == pytest.approx(0.1 * 1.5**3)
    assert measurer._predicted(cell | {"game": "cycle:n=41"}, 41) == 0
    assert measurer._predicted(cell | {"solver": "auto"}, 40) == 0


def test_finished_cells_are_kept_and_what_failed_runs_again(tmp_path, monkeypatch):
    small = suite("right", "crashing", "missing", games=("random:n=3", "random:n=4"))
    before = run_suite(small, tmp_path)
    with pytest.raises(mg.InputError, match="--resume"):
        run_suite(small, tmp_path)
    ran, measured = [], Measurer.__call__
    monkeypatch.setattr(measuring.Measurer, "__call__", lambda self, cell: ran.append(cell["solver"].partition(":")[2]) or measured(self, cell))
    after = run_suite(small, tmp_path, resume=True)
    assert sorted(ran) == ["crashing", "crashing", "missing", "missing"]
    assert [row for row in after.cells if row["solver"].endswith("right")] == [row for row in before.cells if row["solver"].endswith("right")]


def test_times_of_an_earlier_run_are_remembered(tmp_path, stopped_clock):
    run_suite(suite("timed", games=("random:n=6",), limit=0.5), tmp_path)
    result = run_suite(suite("timed", games=("random:n=6", "random:n=24"), limit=0.5), tmp_path, resume=True)
    assert lines(result)["random:n=24", "timed"]["predicted"] == pytest.approx(0.036 * 4**3)
    assert CALLS.count("timed") == 8 + 1 + 8  # a warm-up a run


def test_times_are_taken_one_at_a_time(tmp_path):
    with pytest.raises(mg.InputError, match="one at a time"):
        run_suite(suite("right"), tmp_path, jobs=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('solvers = ["interior_pint"]', "did you mean 'interior_point'"),
        ('solvers = ["fake_peers:rihgt"]', "did you mean 'right'"),
        ('solvers = ["benchmarks.no_such_place:glop"]', "root of the repository"),
        ('solvers = ["lp"]\nproducts = 3', "products"),
        ('solvers = ["lp"]\nrepeats = 0', "repeats"),
        ('solvers = ["lp"]\npeer_seeds = 0', "peer_seeds"),
        ('solvers = ["lp"]\nlimit = -1', "limit"),
        ("solvers = []", "solvers"),
        ('solvers = "lp"', "solvers must be a list"),
    ],
)
def test_bad_suites_are_one_sentence_and_status_2(tmp_path, capsys, text, words):
    (tmp_path / "bad.toml").write_text(f'games = ["rps"]\n{text}\n')
    assert main(["bench", str(tmp_path / "bad.toml"), "--out", str(tmp_path / "out")]) == 2
    output = capsys.readouterr()
    assert (output.out, len(output.err.splitlines())) == ("", 1)
    assert words in output.err
    assert not (tmp_path / "out").exists()


def test_unknown_games_are_refused_before_anything_runs(tmp_path):
    for game, words in (("rsp", "did you mean 'rps'"), ("random:m=3", "'m'"), ("random:n=0", "n must")):
        with pytest.raises(mg.InputError, match=words):
            run_suite(suite("right", games=(RPS, game)), tmp_path / "out")
    assert CALLS == []
    # Later members of a family are not made before it is their turn: they may be large.
    result = run_suite(suite("right", games=("random:n=3", "random:m=3")), tmp_path / "later")
    assert "'m'" in result.lines[1]["error"]


def test_the_command_line_prints_the_table_and_keeps_everything(tmp_path, capfd):
    text = f'games = ["random:n=4", "random:n=8"]\nsolvers = ["lp", "{ME}:noisy", "{ME}:missing"]\nmemory = true\nrepeats = 1\n'
    (tmp_path / "tiny.toml").write_text(text)
    assert main(["bench", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "out")]) == 0
    out, err = capfd.readouterr()
    assert "gap / L" in out
    assert "absent (pip install no_such_library)" in " ".join(out.split())
    assert "a banner" in err
    assert "a banner" not in out
    assert "and a greeting" not in out
    assert (tmp_path / "out/times.png").read_bytes().startswith(b"\x89PNG")
    assert main(["bench", str(tmp_path / "tiny.toml"), "--out", str(tmp_path / "out"), "--resume", "--json"]) == 0
    content = json.loads(capfd.readouterr().out)
    assert content == json.loads((tmp_path / "out/results.json").read_text())
    assert content["schema"] == "mmd_games.references/1"
    assert content["machine"]["versions"]["numpy"] == np.__version__
    assert {"highspy", "quantecon"} <= set(content["machine"]["versions"])
    assert [len(row["times"]) for row in content["cells"] if row["solver"] == "lp"] == [1, 1]
    assert all(row["peak_bytes"] > 0 and row["stored_bytes"] >= 8 * row["n"] ** 2 for row in content["cells"] if "times" in row)


def test_an_interrupted_run_resumes(tmp_path):
    (tmp_path / "sleepy.py").write_text("import time\ndef peer(matrix):\n    time.sleep(0.02)\n    return [1.0 / len(matrix)] * len(matrix)\n")
    games = [f"cycle:n={n}" for n in range(5, 45, 2)]
    (tmp_path / "s.toml").write_text(f'games = {json.dumps(games)}\nsolvers = ["sleepy:peer"]\nrepeats = 3\n')
    command = [sys.executable, "-m", "mmd_games.cli", "bench", "s.toml", "--out", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cells, deadline = tmp_path / "run" / "cells", time.monotonic() + 60
    while not list(cells.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "--resume keeps them" in err
    kept = {path.name: path.read_bytes() for path in cells.glob("*.json")}
    assert 1 <= len(kept) < len(games)
    assert subprocess.run([*command, "--resume"], cwd=tmp_path, capture_output=True, check=False).returncode == 0
    assert len(list(cells.glob("*.json"))) == len(games)
    assert {name: (cells / name).read_bytes() for name in kept} == kept


def test_the_stopwatch(monkeypatch):
    now, spent = [0.0], []

    def call():
        now[0] += durations[min(len(spent), len(durations) - 1)]
        spent.append(now[0])
        return len(spent)

    monkeypatch.setattr("mmd_games.sweeps.stopwatch.time.perf_counter", lambda: now[0])
    monkeypatch.setattr("mmd_games.sweeps.stopwatch.time.process_time", lambda: 0.4 * now[0])
    durations = [0.9, 0.5, 0.2, 0.3, 0.4]  # compiled on the first call; one more to see how long
    assert take_times(call, 3, 100) == (1, pytest.approx([0.2, 0.3, 0.4]), pytest.approx(0.4))
    now[:], spent[:], durations = [0.0], [], [30.0]
    assert take_times(call, 5, 70)[:2] == (1, pytest.approx([30.0, 30.0]))
    now[:], spent[:] = [0.0], []
    assert take_times(call, 5, 10)[:2] == (1, pytest.approx([30.0]))
    now[:], spent[:], durations = [0.0], [], [1e-5]
    assert take_times(call, 2, 100)[1] == pytest.approx([1e-5, 1e-5])
    assert len(spent) == 2 + 2 * 200  # many to a time, or the clock would be all that is seen


def test_a_machine_that_others_use_too_is_remarked_upon(tmp_path):
    result = run_suite(suite("slow", repeats=3), tmp_path)  # which sleeps for most of its time
    assert "1 of 1 cells had less than 80% of a processor" in result.title


def test_memory():
    assert 8_000_000 <= peak_memory(lambda: np.zeros(1_000_000) + 1) < 24_000_000
    game = mg.games.from_spec("random:n=50")
    assert stored_bytes(game) == 8 * 50**2
    low_rank = mg.games.from_spec("low_rank:n=100,dimensions=8")
    assert 8 * 100 * 8 <= stored_bytes(low_rank) <= 8 * 100 * 8 + 8 * 8 * 8 + 1024


def test_one_line_a_solver_over_the_sizes_of_a_family(tmp_path):
    games = ("random:n=4", "random:n=8", "integers:n=4,largest=2", "integers:n=8,largest=2", RPS)
    result = run_suite(suite("lp", "right", "crashing", games=games), tmp_path)
    names = [f"{solver}, {family}" for solver in ("lp", "right") for family in ("random", "integers:largest=2")]
    assert [text.get_text() for text in result.plot().get_legend().get_texts()] == names
    assert [list(line.get_xdata()) for line in result.plot().lines] == [[4, 8]] * 4
    found = lines(result)
    assert result.curves()["lp, random"][1] == (8, found["random:n=8", "lp"]["seconds"])
    many = run_suite(suite("lp", "interior_point", "nash_many", "right", "auto", games=games), tmp_path / "many")
    assert list(many.curves()) == ["lp", "interior_point", "nash_many", "right", "auto"]  # one family, which the title names
    assert "(random)" in many.plot().get_title()
    assert run_suite(suite("lp"), tmp_path / "one").figure is None


def test_speed_is_measured_by_the_baseline_alone(tmp_path, stopped_clock):
    named = suite("interior_point", "twice", "timed", baseline=(f"{ME}:twice",))
    found = lines(run_suite(named, tmp_path))
    assert {name: line["speed"] for (_, name), line in found.items() if name != "interior_point"} == {"twice": 1.0, "timed": pytest.approx(2.0, rel=1e-3)}
    with pytest.raises(mg.InputError, match="baseline"):
        suite("lp", baseline=(f"{ME}:twice",))


def test_a_loose_answer_is_no_measure_of_speed():
    """Hand-made rows: fast with a gap of 1e-9, slow with one of 1e-16."""
    rows = [
        {"game": RPS, "solver": f"{ME}:{name}", "seeds": [], "n": 3, "times": [seconds], "answers": [{"gap": gap, "support": 3}]}
        for name, seconds, gap in (("wrong", 1e-4, 1e-9), ("right", 1e-2, 1e-16))
    ]
    found = lines(ReferenceResult(suite("wrong", "right"), rows, False))
    assert found[RPS, "right"]["speed"] == 1.0
    assert found[RPS, "wrong"]["speed"] == pytest.approx(100.0)


def test_wrong_names_of_adapters():
    for name in (":right", f"{ME}:", f"{ME}:RPS"):
        with pytest.raises(mg.InputError, match=name):
            from_name(name)


def test_names_in_tables_stay_apart():
    assert labels(["lp", "a.b:glop", "c:glop", "c:pdlp"]) == {"lp": "lp", "a.b:glop": "a.b:glop", "c:glop": "c:glop", "c:pdlp": "pdlp"}


PEERS = (
    "highs_simplex",
    "highs_ipm",
    "highspy_ipm",
    "highspy_simplex",
    "glop",
    "pdlp",
    "quantecon_minmax",
    "quantecon_lemke_howson",
    "openspiel_lp",
    "nashpy_lp",
)
ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", PEERS)
def test_the_adapters_find_our_equilibrium(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.references import peers

    rng = np.random.default_rng(0)
    for game in (mg.games.from_spec(RPS), mg.games.random(n=12, seed=1), mg.MatrixGame(rng.uniform(-1, 1, (4, 7))), mg.games.kuhn_poker()):
        try:
            profile = getattr(peers, name)(np.array(game.table()))
        except ImportError as error:
            pytest.skip(f"the optional peer is not installed ({error})")
        assert profile.shape == (sum(game.table().shape),)
        # What each peer was asked for, at worst 1e-7 and L at most 2; x is wrong as soon as the multipliers have the wrong sign.
        halves = np.split(profile, [len(game.table())])
        assert all(half.min() >= -1e-7 and abs(half.sum() - 1) < 1e-6 for half in halves)
        assert np.max(game.table() @ halves[1]) - np.min(halves[0] @ game.table()) < 1e-6
        value = float(halves[0] @ game.table() @ halves[1])
        assert value == pytest.approx(mg.nash(game).value - game.value_offset, abs=1e-6)
