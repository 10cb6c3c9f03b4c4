"""Sweeps that survive: killed at any moment they lose what was running, and nothing else."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import scipy.linalg  # noqa: F401  # which has a BLAS of its own
from threadpoolctl import ThreadpoolController

from mmd_games.sweeps import Suite, playing, read_suite, run_suite
from mmd_games.sweeps.backends import run_in_worker
from mmd_games.sweeps.cells import Store
from mmd_games.sweeps.playing import run_cell

KILLS = 20
SUITE = """
games = ["rps", "random:n=4", "kuhn_poker", "cycle:n=5"]
algorithms = ["mpo", "omwu", "mwu"]
seeds = [0, 1]
products = 1000
champion = "mpo"
feedback = ["exact", "sampled:opponents=4,seed=1"]

[grids]
omwu = { step_size = ["0.5x", "1x", "2x"] }
mpo = { magnet_strength = ["1x", "2x"], refresh_every = ["1x", "2x"] }
"""


def untimed(folder):
    written = json.loads((folder / "results.json").read_text())
    assert all("timing" in cell for cell in written["cells"])
    return written | {"cells": [{key: value for key, value in cell.items() if key != "timing"} for cell in written["cells"]]}


def finished(folder):
    return {path.name: path.read_bytes() for path in (folder / "cells").glob("*.json")}


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are killed in the POSIX way")
def test_a_sweep_killed_twenty_times_ends_as_one_that_never_was(tmp_path):
    toml, killed, chance = tmp_path / "killed.toml", tmp_path / "killed", random.Random(5)
    toml.write_text(SUITE)
    plan = read_suite(toml)
    store, count = Store(killed / "cells", plan.schema), len(plan.cells())
    before, kills, gains, ends = {}, 0, 0, 0
    while kills < KILLS:
        jobs = 2 if kills % 7 == 3 else 1
        command = [sys.executable, "-m", "mmd_games.cli", "bench", str(toml), "--out", str(killed), "--resume", "--jobs", str(jobs)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        if kills % 2:  # while cells are being run and written; otherwise at any moment from its start on
            while process.poll() is None and len(finished(killed)) == len(before):
                time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.4) if kills % 2 else chance.uniform(0.05, 1.2))
        if process.poll() is not None:  # on a fast machine it may have come to its end: then once more from the beginning
            ends += 1
            assert ends < KILLS, process.returncode
            shutil.rmtree(killed)
            before = {}
            continue
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        after = finished(killed)
        assert {name: after.get(name) for name in before} == before  # what was finished stays, to the last byte
        assert len(store.rows(plan.cells())) == len(after)  # and every file is whole
        gains += len(after) > len(before)
        before = after
    assert gains >= 10
    result = run_suite(plan, killed, resume=True)
    assert len(result.cells) == count > len(before)
    assert {name: (killed / "cells" / name).read_bytes() for name in before} == before
    assert not [path for path in killed.rglob("*") if "partial" in path.name]
    run_suite(plan, tmp_path / "whole", jobs=2)
    assert untimed(killed) == untimed(tmp_path / "whole")


class Deadly:
    """Ends the process that runs a certain cell, as the kernel does where memory is short."""

    def __init__(self, game, folder, times):
        self.game, self.folder, self.times = game, Path(folder), times

    def __call__(self, cell):
        if cell["game"] == self.game and len(list(self.folder.iterdir())) < self.times:
            (self.folder / str(time.monotonic_ns())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return run_cell(cell)


class DeadlySuite(Suite):
    """A suite one of whose cells ends its process."""

    def runner(self, jobs, finished):
        times, folder = self.name.split(maxsplit=1)
        return Deadly("random:n=3,seed=1", folder, int(times))


@pytest.mark.parametrize("times", [1, 1000])
def test_a_process_that_dies_costs_its_own_cell_at_most(tmp_path, times):
    deaths = tmp_path / "deaths"
    deaths.mkdir()
    plan = DeadlySuite(name=f"{times} {deaths}", games=("random:n=3",), algorithms=("mwu",), seeds=tuple(range(6)), products=50)
    result = run_suite(plan, tmp_path / "out", jobs=2)
    assert [cell["game"] for cell in result.cells if "error" in cell] == ([] if times == 1 else ["random:n=3,seed=1"])
    assert len(result.cells) == 6
    assert all("was killed" in cell["error"] for cell in result.cells if "error" in cell)
    assert list(deaths.iterdir())


def blas_threads():
    return {library.num_threads for library in ThreadpoolController().lib_controllers if library.user_api == "blas"}


def test_a_cell_runs_on_one_thread_and_gives_the_others_back(monkeypatch):
    seen = []
    monkeypatch.setattr(playing, "_play", lambda cell, row: seen.append(blas_threads()))
    with ThreadpoolController().limit(limits=2):
        if blas_threads() != {2}:
            pytest.skip("this BLAS has no second thread")
        playing.run_cell({"game": "rps"})
        assert seen == [{1}]
        assert blas_threads() == {2}
        run_in_worker(lambda cell: {}, 0, {})  # a process that runs nothing else keeps to one
        assert blas_threads() == {1}
