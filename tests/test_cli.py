"""The command line as a newcomer meets it: statuses, streams, and one sentence for what is wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mmd_games.cli import main

ASYMMETRIC = "rock_paper_scissors:wins=0.9/0.8/0.9"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder; its status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        ([ASYMMETRIC], 0, "CONFIRMED"),
        ([ASYMMETRIC, "--algorithm", "mwu", "--start", "0.5/0.3/0.2", "--steps", "20000"], 1, "REFUTED: The last iterate stalled or cycles"),
        ([ASYMMETRIC, "--algorithm", "mmd", "--steps", "5000"], 1, "REFUTED: The last iterate stalled at the equilibrium regularised"),
        ([ASYMMETRIC, "--steps", "100"], 3, "INCONCLUSIVE"),
        (["generalised_rps:n=5", "--steps", "200", "--start", "uniform"], 3, "INCONCLUSIVE: The start already is an equilibrium"),
        (["bradley_terry:n=6", "--algorithm", "mwu:step_size=1"], 0, "CONFIRMED"),
        ([ASYMMETRIC, "--feedback", "sampled:opponents=8", "--steps", "300"], 1, "Sampled(opponents=8, seed=0)"),
    ],
)
def test_the_status_answers_the_question(call, arguments, status, word):
    found, out, _ = call("verify", *arguments)
    assert found == status, out
    assert word in out


def test_a_start_at_the_equilibrium_is_left_by_default(call):
    status, out, _ = call("verify", "generalised_rps:n=5")
    assert status == 0
    assert "already is an equilibrium of this game, so the run starts from random:seed=0" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["verify", ASYMMETRIC], "verdict"),
        (["nash", ASYMMETRIC], "policy"),
        (["compare", ASYMMETRIC, "--products", "2000"], "results"),
        (["games"], None),
        (["algorithms"], None),
    ],
)
def test_json_stands_alone_on_standard_output(call, arguments, key):
    status, out, _ = call(*arguments, "--json")
    content = json.loads(out)
    assert status == 0
    assert key is None or key in content
    if key == "verdict":
        assert content["verdict"] == "confirmed"
        assert content["claims"][1]["measured"] <= content["tolerance"]
    if key == "policy":
        np.testing.assert_allclose(content["policy"], np.array([4, 3, 4]) / 11, atol=1e-15)
    if key == "results":
        assert [result["verdict"] for result in content["results"]][1] == "refuted"


def test_verify_writes_a_whole_directory(call, tmp_path):
    status, _, err = call("verify", ASYMMETRIC, "--out", "run/deep")
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "run/deep").iterdir()) == ["gap.png", "report.json", "report.txt", "trace.npz"]
    assert (tmp_path / "run/deep/gap.png").read_bytes().startswith(b"\x89PNG")
    assert "run/deep" in err


def test_compare_draws_five_algorithms_on_one_plot(call, tmp_path):
    status, out, _ = call("compare", ASYMMETRIC, "--products", "3000")
    assert status == 0
    for name in ("mpo", "mmd", "omwu", "extragradient", "mwu"):
        assert name in out
    names = {path.name for path in (tmp_path / "compare").iterdir()}
    assert {"gaps.png", "simplex.png", "compare.json", "trace-5.npz"} <= names


def test_published_tables(call, published_tables):
    status, out, _ = call("verify", published_tables / "soccer_winrates.txt", "--json")
    content = json.loads(out)
    assert status == 0
    assert content["gap"]["last"] <= 1e-8
    np.testing.assert_allclose(np.array(content["policy"])[[1, 8, 9]], [0.5218, 0.3308, 0.1474], atol=5e-5)
    status, out, _ = call("nash", published_tables / "soccer_winrates.txt", "--json")
    np.testing.assert_allclose(np.array(json.loads(out)["policy"])[[1, 8, 9]], [0.5218, 0.3308, 0.1474], atol=5e-5)
    assert call("verify", published_tables / "soccer_winrates.txt", "--algorithm", "mwu", "--steps", "30000")[0] == 1
    assert call("verify", published_tables / "soccer_winrates.txt", "--steps", "100")[0] == 3
    assert call("compare", published_tables / "blotto_10_3.npy", "--products", "1000")[0] == 0


def test_a_class_of_ones_own_is_found_beside_one(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom typing import NamedTuple\n"
        "class State(NamedTuple):\n    log_policy: object\n"
        "class Mine:\n"
        "    def init(self, log_policy):\n        return State(log_policy)\n"
        "    def step(self, state, payoffs):\n"
        "        logits = state.log_policy + payoffs(state.log_policy)\n        return State(logits - np.log(np.exp(logits).sum()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mmd_games.cli", "verify", "bradley_terry:n=4", "--algorithm", "mine:Mine"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("CONFIRMED")
    assert done.stderr == ""


TABLES = {
    "wide.csv": "0.5,0.6,0.7\n0.4,0.5,0.3\n",
    "one.csv": "0.5\n",
    "empty.csv": "",
    "nan.csv": "0.5,nan\n0.5,0.5\n",
    "pair.csv": "0.5,0.7\n0.4,0.5\n",
    "outside.csv": "0.5,1.5\n-0.5,0.5\n",
    "ragged.csv": "0.5,0.6\n0.4\n",
    "text.csv": "0.5,x\n0.5,0.5\n",
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wide.csv"], ["wide.csv", "2 rows and 3 columns"]),
        (["one.csv"], ["one.csv", "1 × 1"]),
        (["empty.csv"], ["empty.csv", "empty"]),
        (["nan.csv"], ["nan.csv", "line 1, column 2"]),
        (["pair.csv"], ["pair.csv", "line 1, column 2", "1.1", "--symmetrise"]),
        (["outside.csv"], ["outside.csv", "line 1, column 2", "1.5"]),
        (["ragged.csv"], ["ragged.csv", "line 2"]),
        (["text.csv"], ["text.csv", "line 1, column 2", "'x'"]),
        (["objects.npy"], ["objects.npy", "never unpickled"]),
        (["missing.csv"], ["missing.csv", "no such file"]),
        (["."], ["directory"]),
        (["rokc_paper_scissors"], ["did you mean 'rock_paper_scissors'?"]),
        (["blotto:soldier=3"], ["did you mean 'soldiers'?"]),
        (["random:n=1000000"], ["1,000,000 × 1,000,000", "memory"]),
        ([ASYMMETRIC, "--algorithm", "mpoo"], ["did you mean 'mpo'?"]),
        ([ASYMMETRIC, "--algorithm", "mpo:stepsize=1"], ["did you mean 'step_size'?"]),
        ([ASYMMETRIC, "--algorithm", "mpo:step_size=-1"], ["step_size must be a positive"]),
        ([ASYMMETRIC, "--algorithm", "mpo:refresh_every=0"], ["refresh_every must be a whole number"]),
        ([ASYMMETRIC, "--steps", "0"], ["steps must be a whole number of at least 1"]),
        ([ASYMMETRIC, "--steps", "many"], ["many"]),
        ([ASYMMETRIC, "--tolerance", "-1"], ["tolerance must be a positive"]),
        ([ASYMMETRIC, "--tolerance", "nan"], ["tolerance must be a positive"]),
        ([ASYMMETRIC, "--start", "0.5/0.5"], ["2 entries"]),
        ([ASYMMETRIC, "--start", "0.5/0.5/0.5"], ["sum to 1.5"]),
        ([ASYMMETRIC, "--start", "unifrom"], ["did you mean 'uniform'?"]),
        ([ASYMMETRIC, "--feedback", "smapled"], ["did you mean 'sampled'?"]),
        ([ASYMMETRIC, "--payoffs"], ["--payoffs"]),
        ([ASYMMETRIC, "--colour", "red"], ["--colour"]),
        ([ASYMMETRIC, "--out", "taken/run"], ["taken"]),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(call, tmp_path, arguments, words):
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text)
    np.save(tmp_path / "objects.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    (tmp_path / "taken").write_text("a file in the way")
    before = sorted(tmp_path.iterdir())
    extra = [] if "--out" in arguments else ["--out", "out"]
    status, out, err = call("verify", *arguments, *extra)
    assert status == 2, out + err
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    for word in words:
        assert word in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["verfy", ASYMMETRIC], "verify"),
        (["verify"], "SOURCE"),
        (["compare", ASYMMETRIC, "--products", "0"], "products"),
        (["nash", ASYMMETRIC, "--method", "pl"], "lp"),
    ],
)
def test_bad_usage_is_status_2(call, arguments, word):
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert word in err


def test_symmetrise_repairs_and_says_by_how_much(call, tmp_path):
    (tmp_path / "pair.csv").write_text(TABLES["pair.csv"])
    _, out, _ = call("verify", "pair.csv", "--symmetrise", "--steps", "200")
    assert "was off by up to 0.1" in out


def test_a_skew_table_is_read_as_payoffs_and_the_report_says_so(call, tmp_path):
    np.save(tmp_path / "skew.npy", np.array([[0, 2, -1], [-2, 0, 3], [1, -3, 0]]))
    _, out, _ = call("verify", "skew.npy", "--steps", "200")
    assert "read as payoffs" in " ".join(out.split())


def test_the_code_of_the_readme_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
    assert "CONFIRMED" in capsys.readouterr().out
