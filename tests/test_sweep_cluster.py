"""Past one machine: a real Dask scheduler with two workers, of which one is killed while it works."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import mmd_games as mg
from mmd_games import cli
from mmd_games.sweeps import Suite, read_suite, run_suite
from mmd_games.sweeps.backends import Backend

distributed = pytest.importorskip("distributed", reason="pip install 'mmd_games[dask]'")

SUITE = """
games = ["rps", "random:n=4", "kuhn_poker"]
algorithms = ["mpo", "omwu", "mwu"]
seeds = [0, 1]
products = 3000
champion = "mpo"

[grids]
omwu = { step_size = ["0.5x", "1x"] }
"""
ENVIRONMENT = {**os.environ, "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def started(*commands):
    """Processes, each in a group of its own, that are gone afterwards."""
    running = []
    try:
        for command in commands:
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=ENVIRONMENT))
        yield running
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def scheduler(port):
    return [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]


def worker(address):
    return [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # workers leave their scratch space where they start
    return tmp_path


def untimed(result):
    return [{key: value for key, value in cell.items() if key != "timing"} for cell in result.cells]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing happened for a minute"
        time.sleep(0.02)


def test_a_killed_worker_changes_nothing(folder):
    (folder / "s.toml").write_text(SUITE)
    plan = read_suite(folder / "s.toml")
    address = f"tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mmd_games.cli", "bench", "s.toml", "--out", "cluster", "--backend", "dask", "--address", address]
    with (
        started(scheduler(address.rpartition(":")[2]), worker(address), worker(address)) as (_, first, second),
        distributed.Client(address, timeout=30) as client,
    ):
        client.wait_for_workers(2, timeout=30)
        sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        try:
            wait_for(lambda: len(list((folder / "cluster/cells").glob("*.json"))) >= 2 and len(client.processing()) == 2 and all(client.processing().values()))
            os.killpg(first.pid, signal.SIGKILL)
            out, err = sweep.communicate(timeout=120)
        finally:
            sweep.kill()
        assert sweep.returncode == 0, err
        assert len(client.scheduler_info()["workers"]) == 1
        assert second.poll() is None
    assert "mpo against the best rival" in out
    rows = untimed(run_suite(plan, folder / "cluster", resume=True))
    assert len(rows) == len(plan.cells())
    assert rows == untimed(run_suite(plan, folder / "here"))


def test_a_lost_scheduler_is_a_sentence_and_the_sweep_goes_on(folder, capsys):
    (folder / "s.toml").write_text(SUITE)
    address = f"tcp://127.0.0.1:{free_port()}"
    arguments = ["bench", "s.toml", "--out", "out"]
    with started(scheduler(address.rpartition(":")[2]), worker(address)) as (first, _):

        def kill():
            wait_for(lambda: len(list((folder / "out/cells").glob("*.json"))) >= 2)
            os.killpg(first.pid, signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        assert cli.main([*arguments, "--backend", "dask", "--address", address]) == 2
        thread.join()
    assert "the Dask scheduler was lost; --resume" in capsys.readouterr().err
    kept = len(list((folder / "out/cells").glob("*.json")))
    assert 2 <= kept < len(read_suite(folder / "s.toml").cells())
    assert cli.main([*arguments, "--resume"]) == 0


class Fatal(Suite):
    """A suite that runs a function which workers do not have."""

    def runner(self, jobs, finished):
        return fatal


def fatal(cell):
    pytest.fail("a function of a test is not importable where workers are")


def test_workers_that_cannot_run_a_cell_say_why(folder):
    address = f"tcp://127.0.0.1:{free_port()}"
    with started(scheduler(address.rpartition(":")[2]), worker(address)):
        plan = Fatal(name="s", games=("rps",), algorithms=("mwu",), products=20)
        with pytest.raises(mg.InputError, match=r"cannot run a cell.*mmd_games"):
            run_suite(plan, folder / "out", backend="dask", address=address)


LETHAL = """
import os, signal

class Lethal:
    def init(self, log_policy):
        os.kill(os.getpid(), signal.SIGKILL)

    def step(self, state, payoffs):
        return state
"""


def test_a_cell_that_no_worker_survives_is_a_row_with_its_error(folder, monkeypatch):
    (folder / "lethal.py").write_text(LETHAL)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(ENVIRONMENT, "PYTHONPATH", str(folder))
    address = f"tcp://127.0.0.1:{free_port()}"
    nanny = [argument for argument in worker(address) if argument != "--no-nanny"]  # which starts a new worker for a dead one
    with started(scheduler(address.rpartition(":")[2]), nanny):
        plan = Suite(name="s", games=("rps", "cycle"), algorithms=("mwu", "lethal:Lethal"), products=20)
        result = run_suite(plan, folder / "out", backend="dask", address=address)
    assert [cell.get("error", "") for cell in result.cells if cell["algorithm"] == "mwu"] == ["", ""]
    assert all("every worker that ran it died, 4 in all" in cell["error"] for cell in result.cells if cell["algorithm"] != "mwu")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_what_is_no_scheduler_is_a_sentence_in_time(folder, capsys, monkeypatch, answer):
    monkeypatch.setattr("mmd_games.sweeps.backends.PATIENCE", 1.5)
    (folder / "s.toml").write_text(SUITE)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    caller, _ = server.accept()
                    kept.append(caller)
                    caller.sendall(answer)

        kept: list[socket.socket] = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert cli.main(["bench", "s.toml", "--out", "out", "--backend", "dask", "--address", address]) == 2
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for caller in kept:
            caller.close()
    sentence = capsys.readouterr().err
    assert sentence.startswith(f"mmd-games: --address {address}: no Dask scheduler answers there")
    assert sentence.count("\n") == 1
    assert not (folder / "out").exists()


def test_a_scheduler_without_workers_is_a_sentence(folder, capsys, monkeypatch):
    monkeypatch.setattr("mmd_games.sweeps.backends.PATIENCE", 3.0)
    (folder / "s.toml").write_text(SUITE)
    address = f"tcp://127.0.0.1:{free_port()}"
    with started(scheduler(address.rpartition(":")[2])):
        assert cli.main(["bench", "s.toml", "--out", "out", "--backend", "dask", "--address", address]) == 2
    sentence = capsys.readouterr().err
    assert address in sentence
    assert "worker" in sentence


def test_backends_by_name():
    with pytest.raises(mg.InputError, match="did you mean 'dask'"):
        Backend("dusk", "tcp://x:1")
    with pytest.raises(mg.InputError, match="--address"):
        Backend("ray")
    with pytest.raises(mg.InputError, match="for dask and ray"):
        Backend("loky", "tcp://x:1")


@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_what_to_install_is_said(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(mg.InputError, match=rf"pip install 'mmd_games\[{name}\]'"), Backend(name, "127.0.0.1:1").pool(1):
        pytest.fail("a pool was made of nothing")
