"""Several processes: the same run as one, groups judged whole, and errors that reach all of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from . import processes
from .training import largest_difference

SETTINGS: dict[str, Any] = {"use_cpu": True, "optim": "sgd", "learning_rate": 0.05, "inner_steps": 2, "max_steps": 6, "refresh_every": 2}
RUNS = {"full": {**SETTINGS}, "lora": {**SETTINGS, "lora": True, "sequences_per_forward": 3}}
BATCH = 4


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The runs by one process, the same by two, and what the two said."""
    one, two = (tmp_path_factory.mktemp(name) for name in ("one", "two"))
    for name, settings in RUNS.items():
        (one / name).mkdir()
        processes.train(one / name, {**settings, "per_device_train_batch_size": BATCH})
        (two / name).mkdir()
    runs = {name: {**settings, "per_device_train_batch_size": BATCH // 2} for name, settings in RUNS.items()}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", processes.__file__, str(two), json.dumps(runs)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return one, two, ended.stdout


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_make_the_run_of_one(folders: tuple[Path, Path, str], name: str) -> None:
    first, second = (torch.load(folder / name / "weights.pt", weights_only=False) for folder in folders[:2])
    for part in ("policy", "magnet"):
        assert largest_difference(first[part], second[part]) < 1e-5  # sums of float32 gradients in another order, 1e-7 a step, times the six steps
    logs = [[entry for entry in run["log"] if "game/gap" in entry] for run in (first, second)]
    for metric in ("game/gap", "win_rate/magnet", "kl/magnet"):
        assert [entry[metric] for entry in logs[0]] == pytest.approx([entry[metric] for entry in logs[1]], abs=1e-5)
    evaluations = [run["log"][-1] for run in (first, second)]
    assert evaluations[0]["eval_game/gap"] == pytest.approx(evaluations[1]["eval_game/gap"], abs=1e-5)


def test_an_error_of_the_judge_reaches_all_processes(folders: tuple[Path, Path, str]) -> None:
    # Two processes write at once, and one's end of line may come after the other's words.
    assert sorted(re.findall(r"rank \d: the judge has broken down", folders[2])) == [f"rank {rank}: the judge has broken down" for rank in (0, 1)]
