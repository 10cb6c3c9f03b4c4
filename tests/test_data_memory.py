"""Much data in little memory: millions of battles, and half a gigabyte of nonsense. Each in a process of its own, whose peak is measured."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

NAMES = np.array([f"some-model-{k:02d}-instruct" for k in range(30)])
MEASURED = """
import json, resource, sys
def peak():
    # What getrusage says begins with the peak of the process that started this one.
    if sys.platform == "linux":
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
from mmd_games.errors import InputError
from mmd_games.games.data import read_battles, read_data
options = json.loads(sys.argv[2])
try:
    counted = read_battles(sys.argv[1], **options) if "id" in options else read_data(sys.argv[1], **options).comparisons
    said, records = "", counted.records
except InputError as error:
    said, records = str(error), 0
print(json.dumps({"said": said, "records": records, "bytes": peak()}))
"""


def measured(path, **options):
    """What reading a file comes to, and the memory that the process held at most."""
    done = subprocess.run([sys.executable, "-c", MEASURED, str(path), json.dumps(options)], capture_output=True, text=True, timeout=600, check=True)
    found = json.loads(done.stdout)
    print(path.name, options, f"{found['bytes'] / 2**20:.0f} MiB", found["said"][:200])
    return found


def write_battles(path, count):
    """So many battles of thirty models, with an identifier each."""
    generator = np.random.default_rng(0)
    first = generator.integers(0, 30, count)
    second = (first + generator.integers(1, 30, count)) % 30
    outcome = np.array(["model_a", "model_b", "tie", "tie (bothbad)"])[generator.choice(4, count, p=[0.4, 0.35, 0.15, 0.1])]
    table = pa.table({"id": np.arange(count), "model_a": NAMES[first], "model_b": NAMES[second], "winner": outcome})
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    elif path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for batch in table.to_batches(10_000) for record in batch.to_pylist())


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "options"), [("csv", {}), ("parquet", {}), ("jsonl", {}), ("csv", {"id": "id"})])
def test_two_million_battles_in_less_than_a_gigabyte(tmp_path, suffix, options):
    path = tmp_path / f"battles.{suffix}"
    write_battles(path, 2_000_000)
    found = measured(path, **options)
    assert (found["records"], found["said"]) == (2_000_000, "")
    assert found["bytes"] < 10**9, found


@pytest.mark.slow
def test_a_million_battles_are_ranked(tmp_path):
    write_battles(tmp_path / "battles.csv", 1_000_000)
    code = "import sys; from mmd_games.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "rank", str(tmp_path / "battles.csv"), "--json"], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"]["counted"] == 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", ["noise.csv", "noise.jsonl", "noise.soi", "noise.parquet", "rows.csv", "text.jsonl"])
def test_half_a_gigabyte_of_nonsense(name, tmp_path):
    path, generator = tmp_path / name, np.random.default_rng(0)
    starts = {"rows.csv": b"model_a,model_b,winner\n", "noise.parquet": b"PAR1", "text.jsonl": b'{"model_a": "'}
    blocks = {"rows.csv": b"x,y,z\n" * 2**18, "text.jsonl": b"x" * 2**20}
    with path.open("wb") as file:
        file.write(starts.get(name, b""))
        while file.tell() < 2**29:
            file.write(blocks.get(name) or generator.bytes(2**20))
    found = measured(path)
    assert name in found["said"]
    assert len(found["said"]) < 1000
    assert found["bytes"] < 6 * 10**8, found
