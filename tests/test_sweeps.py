"""Suites: every cell is a row, and a finished one is never lost."""

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
from mmd_games.sweeps import Suite, playing, read_suite, run_suite
from mmd_games.sweeps.cells import Store
from mmd_games.sweeps.playing import first_below, run_cell

SUITES = Path(__file__).resolve().parents[1] / "benchmarks" / "suites"
SMALL = Suite(name="small", games=("rock_paper_scissors", "random:n=3"), algorithms=("mpo", "mwu"), seeds=(0, 1), products=2000)


SETTINGS = ("game", "entry", "seed", "algorithm", "setting", "feedback", "products", "tolerance", "levels")


def untimed(cells):
    """Rows but for their wall-clock times, which are never the same."""
    assert all("timing" in cell for cell in cells)
    return [{key: value for key, value in cell.items() if key != "timing"} for cell in cells]


def numbers(directory):
    return untimed(json.loads((directory / "results.json").read_text())["cells"])


def test_rows_stand_in_the_order_of_the_suite_whatever_the_jobs(tmp_path):
    one, two = run_suite(SMALL, tmp_path / "one"), run_suite(SMALL, tmp_path / "two", jobs=2)
    games = ["rock_paper_scissors", "random:n=3,seed=0", "random:n=3,seed=1"]
    assert [(cell["game"], cell["algorithm"]) for cell in one.cells] == [(game, method) for game in games for method in ("mpo", "mwu")]
    assert numbers(tmp_path / "one") == numbers(tmp_path / "two") == untimed(two.cells)
    assert (tmp_path / "one" / "gaps.png").exists()
    assert one.cells[0]["verdict"] == "confirmed"
    assert one.cells[1]["verdict"] != "confirmed"
    assert one.exit_status == 0


def test_finished_cells_are_kept_and_never_run_again(tmp_path):
    run_suite(SMALL, tmp_path)
    with pytest.raises(mg.InputError, match="--resume"):
        run_suite(SMALL, tmp_path)
    files = sorted((tmp_path / "cells").glob("*.json"))
    assert len(files) == 6
    marked = json.loads(files[0].read_text()) | {"marked": True}
    files[0].write_text(json.dumps(marked))
    files[1].unlink()
    result = run_suite(SMALL, tmp_path, resume=True)
    assert sum("marked" in cell for cell in result.cells) == 1
    assert len(result.cells) == 6


def test_other_settings_are_other_cells(tmp_path):
    run_suite(SMALL, tmp_path)
    longer = Suite(name="small", games=("rock_paper_scissors",), algorithms=("mwu",), products=3000)
    assert run_suite(longer, tmp_path, resume=True).cells[0]["products_spent"][-1] == 3000


def test_a_cell_that_fails_is_a_row_with_its_error():
    row = run_cell({"game": "random:n=10000000", "algorithm": "mpo", "products": 10, "tolerance": 1e-8})
    assert "memory" in row["error"]


def test_the_cost_of_a_gap_is_where_it_stays_below():
    row = run_cell({"game": "rock_paper_scissors", "algorithm": "mpo", "products": 5000, "tolerance": 1e-8})
    spent, gaps = row["products_spent"], row["gaps"]
    for level in (1e-2, 1e-4, 1e-6):
        cost = row["cost"][f"{level:.0e}"]
        assert all(gap <= level for product, gap in zip(spent, gaps, strict=True) if product >= cost)
        assert any(gap > level for product, gap in zip(spent, gaps, strict=True) if product < cost)


def test_an_interrupted_sweep_resumes_to_the_same_numbers(tmp_path):
    toml = tmp_path / "long.toml"
    toml.write_text('products = 20000\ngames = ["cycle:n=5", "cycle:n=7", "cycle:n=9", "cycle:n=11"]\nalgorithms = ["mwu", "omwu:step_size=0.01"]\n')
    command = [sys.executable, "-m", "mmd_games.cli", "bench", str(toml), "--out", str(tmp_path / "run"), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cells = tmp_path / "run" / "cells"
    deadline = time.monotonic() + 60
    while not list(cells.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    kept = {path.name: path.read_text() for path in cells.glob("*.json")}
    assert 1 <= len(kept) < 8
    assert json.loads(out)["interrupted"] is True
    resumed = run_suite(read_suite(toml), tmp_path / "run", resume=True)
    assert {name: (cells / name).read_text() for name in kept} == kept
    assert untimed(resumed.cells) == untimed(run_suite(read_suite(toml), tmp_path / "afresh").cells)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('games = ["rps"]\nalgorithms = ["mpo"]\nproduct = 3\n', "did you mean 'products'"),
        ('games = []\nalgorithms = ["mpo"]\n', "games"),
        ('games = ["rps"]\n', "algorithms"),
        ('games = ["rps"]\nalgorithms = ["mpo"]\nproducts = -1\n', "products"),
        ('games = ["rps"]\nalgorithms = ["mpo"]\nproducts = "x"\n', "products"),
        ('games = ["rps"]\nalgorithms = ["mpo"]\nseeds = "0-9"\n', "seeds"),
        ('games = ["rps"]\nalgorithms = ["mpo"]\nsolvers = ["lp"]\n', "not both"),
        ("games = [", "TOML"),
    ],
)
def test_bad_suites_are_refused_with_the_file_and_the_key(tmp_path, text, words):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(mg.InputError, match=words) as refusal:
        read_suite(tmp_path / "bad.toml")
    assert "bad.toml" in str(refusal.value)
    with pytest.raises(mg.InputError, match="no such file"):
        read_suite(tmp_path / "missing.toml")


def test_unknown_games_and_algorithms_are_refused_before_anything_runs(tmp_path):
    for suite in (Suite(name="s", games=("rsp",), algorithms=("mpo",)), Suite(name="s", games=("rps",), algorithms=("mpoo",))):
        with pytest.raises(mg.InputError, match="did you mean"):
            run_suite(suite, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_suites_of_the_project_can_be_run(path):
    suite = read_suite(path)
    assert len(suite.cells()) >= len(suite.games) * len(suite.algorithms if isinstance(suite, Suite) else suite.solvers)


def test_only_what_is_missing_is_run_again(tmp_path, monkeypatch):
    run_suite(SMALL, tmp_path)
    files = sorted((tmp_path / "cells").glob("*.json"))
    damaged, failed, lost = files[0], files[1], files[2]
    again = [{key: json.loads(file.read_text())[key] for key in SETTINGS} for file in (damaged, failed, lost)]
    damaged.write_text(damaged.read_text()[:100])
    failed.write_text(json.dumps(again[1] | {"schema": SMALL.schema, "error": "no memory that day"}))
    lost.unlink()
    kept = {file.name: file.read_bytes() for file in files[3:]}
    whole = numbers(tmp_path)
    ran = []
    monkeypatch.setattr(playing, "run_cell", lambda cell: ran.append(cell) or run_cell(cell))
    assert untimed(run_suite(SMALL, tmp_path, resume=True).cells) == whole
    assert sorted(ran, key=str) == sorted(again, key=str)
    assert {file.name: file.read_bytes() for file in files[3:]} == kept
    assert untimed(run_suite(SMALL, tmp_path, resume=True).cells) == whole
    assert len(ran) == 3


def test_a_cell_is_kept_by_all_its_settings(tmp_path):
    cell = {"game": "rps", "algorithm": "mpo", "products": 10, "tolerance": 1e-8}
    others = [cell | change for change in ({"game": "comal"}, {"algorithm": "mwu"}, {"products": 11}, {"tolerance": 1e-7})]
    key = Store(tmp_path, "mmd_games.bench/1").key
    assert len({key(one) for one in (cell, *others)}) == 5
    assert key(dict(reversed(cell.items()))) == key(cell) != Store(tmp_path, "mmd_games.bench/2").key(cell)


def test_a_failed_cell_is_status_3_on_the_command_line(tmp_path, capsys):
    (tmp_path / "s.toml").write_text('games = ["rps"]\nalgorithms = ["mwu", "nash_md:step_size=100"]\nproducts = 20\n')
    assert main(["bench", str(tmp_path / "s.toml"), "--out", str(tmp_path / "out")]) == 3
    assert "failed" in capsys.readouterr().out


def test_seeds_may_be_a_range(tmp_path):
    (tmp_path / "s.toml").write_text('games = ["random:n=3"]\nalgorithms = ["mwu"]\nseeds = "3..6"\n')
    assert read_suite(tmp_path / "s.toml").seeds == (3, 4, 5, 6)


class Broken:
    """A method of a user's own, with a mistake in it."""

    def init(self, log_policy):
        return mg.MultiplicativeWeights(step_size=1.0).init(log_policy)

    def step(self, state, payoffs):
        return state.log_policies


def test_a_failure_is_a_row_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "broken_method", sys.modules[__name__])
    suite = Suite(name="s", games=("rps", "kuhn_poker"), algorithms=("broken_method:Broken", "mwu", "nash_md:step_size=100"), products=20)
    result = run_suite(suite, tmp_path)
    assert [("error" in cell, cell["algorithm"]) for cell in result.cells] == [(name != "mwu", name) for name in suite.algorithms] * 2
    assert result.cells[0]["error"].startswith("AttributeError: ")
    rows = result.rows()
    assert [row["verdict"] == "failed" for row in rows] == [True, False, True] * 2
    assert "log_policies" in rows[0]["how it ended"]
    assert result.exit_status == 3
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == json.loads((tmp_path / "results.json").read_text())


def test_a_suite_of_failures_has_no_figure(tmp_path):
    result = run_suite(Suite(name="s", games=("rps",), algorithms=("nash_md:step_size=100",), products=20), tmp_path)
    assert result.figures() == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "results.json", "results.parquet", "suite.json"]


def test_cells_are_relative_to_the_scale_and_carry_their_cost():
    row = run_cell({"game": "blotto:soldiers=3,fields=3", "algorithm": "extragradient", "products": 3000, "tolerance": 1e-6})
    report = mg.verify(mg.solve(mg.games.from_spec(row["game"]), mg.Extragradient(), steps=1500, until=1e-10), 1e-6)
    assert row["verdict"] == report.verdict.value
    assert row["gap"] == row["gaps"][-1] == pytest.approx(report.trace.gap / float(report.trace.game.scale))
    assert row["products_spent"][-1] == 2 * report.trace.steps
    assert row["factor"] == pytest.approx(report.convergence.rate**0.5)


@pytest.mark.parametrize(
    ("products", "gaps", "level", "cost"),
    [([0, 1, 2, 3], [1, 0.1, 0.2, 0.05], 0.1, 3), ([0, 1, 2], [1, 0.1, 0.05], 0.1, 1), ([0, 1], [1, 0.5], 0.1, None), ([0, 5], [0.1, 0.01], 0.1, 0)],
)
def test_the_cost_counts_from_the_last_time_above(products, gaps, level, cost):
    row = first_below(np.array(gaps), level)
    assert (None if row is None else products[row]) == cost


def test_games_with_a_seed_of_their_own_are_made_once():
    suite = Suite(name="s", games=("random:n=3,seed=7", "random:n=3", "cycle"), algorithms=("mwu",), seeds=(0, 1, 2))
    assert [cell["game"] for cell in suite.cells()] == ["random:n=3,seed=7", *(f"random:n=3,seed={seed}" for seed in range(3)), "cycle"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_from_the_terminal_reaches_every_process(tmp_path, jobs):
    toml = tmp_path / "long.toml"
    # The first cell is done in a second and leaves one of two processes idle; the second would take many minutes, so that no interrupt comes too late.
    toml.write_text('products = 10000000\ngames = ["rps", "random:n=1000"]\nalgorithms = ["mwu"]\n')
    command = [sys.executable, "-m", "mmd_games.cli", "bench", str(toml), "--out", str(tmp_path / "run"), "--jobs", jobs]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "run" / "cells").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "rps" in out
    assert "--resume keeps them" in err
    assert "Warning" not in err
    assert "Traceback" not in err
    assert not [path for path in (tmp_path / "run").rglob("*") if "partial" in path.name]
