"""The command line as a newcomer meets it: statuses, streams, and one sentence for what is wrong."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mmd_games as mg
from mmd_games import cli, report
from mmd_games.cli import main
from mmd_games.loop import progress

ASYMMETRIC = "rock_paper_scissors:wins=0.9/0.8/0.9"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder; its status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments):
        path = list(sys.path)
        status = main([str(argument) for argument in arguments])
        assert sys.path == path
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        ([ASYMMETRIC], 0, "CONFIRMED"),
        (
            [ASYMMETRIC, "--algorithm", "mwu", "--start", "0.5/0.3/0.2", "--steps", "20000"],
            1,
            "REFUTED: The last iterate does not converge with these settings",
        ),
        ([ASYMMETRIC, "--algorithm", "mmd", "--steps", "5000"], 1, "REFUTED: The last iterate stalled at the equilibrium regularised"),
        ([ASYMMETRIC, "--steps", "100"], 3, "INCONCLUSIVE"),
        (["generalised_rps:n=5", "--steps", "200", "--start", "uniform"], 3, "INCONCLUSIVE: The start already is an equilibrium"),
        (["bradley_terry:n=6", "--algorithm", "mwu:step_size=1"], 0, "CONFIRMED"),
        ([ASYMMETRIC, "--feedback", "sampled:opponents=8", "--steps", "300"], 3, "sampled:opponents=8,seed=0"),
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
    assert sorted(path.name for path in (tmp_path / "run/deep").iterdir()) == sorted(report.FILES)
    assert (tmp_path / "run/deep/gap.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "run/deep/report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert err == "Wrote report.txt, report.json, report.html, trace.npz and gap.png to run/deep.\n"


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


def strict_json(text):
    """JSON and nothing else, without NaN or Infinity."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def process(*arguments, **options):
    """A command in a process of its own, which finds only what is installed and what the command line itself looks for."""
    code = "import sys; from mmd_games.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-P", "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, **options)


TINY = 'games = ["rps"]\nalgorithms = ["mpo"]\nproducts = 200\n'


def test_lists_comparisons_and_suites_are_json_too(call, tmp_path):
    for command, count in (("games", len(mg.games.listing())), ("algorithms", len(mg.algorithms.listing()))):
        status, out, err = call(command, "--json")
        assert (status, err) == (0, "")
        assert len(strict_json(out)) == count
    content = strict_json(call("compare", ASYMMETRIC, "--products", 300, "--json")[1])
    assert content["schema"] == report.COMPARISON_SCHEMA
    assert [result["algorithm"].partition(":")[0] for result in content["results"]] == list(cli.compare.COMPARED)
    assert content == strict_json((tmp_path / "compare/compare.json").read_text())
    (tmp_path / "tiny.toml").write_text(TINY)
    status, out, err = call("bench", "tiny.toml", "--json")
    assert (status, err) == (0, "")
    assert strict_json(out) == strict_json((tmp_path / "bench-tiny/results.json").read_text())


def test_progress_and_notes_go_to_stderr(call, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    _, out, err = call("verify", ASYMMETRIC, "--steps", 300, "--json", "--out", "run")
    assert strict_json(out)["verdict"] == "inconclusive"
    assert "solving" in err
    assert "Wrote report.txt" in err


def test_no_progress_into_a_log_file(call, monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    assert call("verify", ASYMMETRIC, "--steps", 300)[2] == ""


def test_the_four_files_agree_and_a_second_run_replaces_them(call, tmp_path):
    status, out, _ = call("verify", ASYMMETRIC, "--out", "run")
    assert (tmp_path / "run/report.txt").read_text() == out
    assert strict_json((tmp_path / "run/report.json").read_text())["verdict"] == "confirmed"
    assert mg.verify(mg.Trace.load(tmp_path / "run/trace.npz")).exit_status == status
    assert call("verify", ASYMMETRIC, "--steps", 100, "--out", "run")[0] == 3
    assert strict_json((tmp_path / "run/report.json").read_text())["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    "arguments",
    [
        [ASYMMETRIC],
        ["generalised_rps:n=5", "--steps", "2000"],
        [ASYMMETRIC, "--algorithm", "mmd", "--steps", "300", "--start", "0.5/0.3/0.2", "--tolerance", "1e-5"],
        ["odd name.csv", "--symmetrise", "--steps", "300", "--feedback", "sampled:opponents=4,seed=2"],
        ["odd name.csv", "--payoffs", "--steps", "300"],
    ],
)
def test_the_command_in_a_report_makes_the_report_again(call, tmp_path, arguments):
    (tmp_path / "odd name.csv").write_text("0.5,0.7,0.2\n0.4,0.5,0.6\n0.8,0.4,0.5\n")
    first = strict_json(call("verify", *arguments, "--json")[1])
    command = shlex.split(first["reproduce"])
    assert command[:2] == ["mmd-games", "verify"]
    again = strict_json(call(*command[1:], "--json")[1])
    assert again == first
    # As it is printed, with lines broken for a shell.
    text = call("verify", *arguments)[1].partition("To make this report again\n")[2]
    printed = " ".join(line.strip().removesuffix(" \\") for line in text.splitlines()[:-1])
    assert printed == first["reproduce"]


def test_the_commands_in_a_comparison_make_its_reports(call):
    for result in strict_json(call("compare", ASYMMETRIC, "--products", 300, "--algorithm", "omwu", "--algorithm", "extragradient", "--json")[1])["results"]:
        again = strict_json(call(*shlex.split(result["reproduce"])[1:], "--json")[1])
        assert again == result


@pytest.mark.parametrize(
    ("arguments", "status", "kind"),
    [
        ([ASYMMETRIC], 0, "linear"),
        ([ASYMMETRIC, "--algorithm", "mwu"], 1, "diverges"),
        ([ASYMMETRIC, "--algorithm", "mpo:refresh_every=2"], 1, "diverges"),
        ([ASYMMETRIC, "--algorithm", "nash_md"], 3, "declined"),
        (["wins.csv", "--symmetrise", "--algorithm", "omwu"], 0, "linear"),
        (["ties.csv"], 3, "declined"),
    ],
)
def test_predict_says_what_theory_says(call, tmp_path, arguments, status, kind):
    (tmp_path / "wins.csv").write_text("0.5,0.7,0.2\n0.4,0.5,0.6\n0.8,0.4,0.5\n")
    (tmp_path / "ties.csv").write_text("0.5,0.5\n0.5,0.5\n")
    found, out, err = call("predict", *arguments, "--json")
    content = strict_json(out)
    assert (found, content["kind"], err) == (status, kind, "")
    found, out, _ = call("predict", *arguments)
    out = " ".join(out.split())
    assert found == status
    assert content["algorithm"] in out
    assert (content["declined"] or content["detail"]) in out
    assert all(sentence in out for sentence in content["assumptions"])


def test_predict_agrees_with_the_report(call):
    predicted = strict_json(call("predict", ASYMMETRIC, "--json")[1])
    assert strict_json(call("verify", ASYMMETRIC, "--json")[1])["prediction"] == predicted


def test_bad_predictions_are_one_sentence(call):
    for arguments, word in (
        (["rps", "--algorithm", "mpoo"], "did you mean 'mpo'?"),
        (["rps", "--payoffs"], "--payoffs"),
        (["missing.csv"], "no such file"),
    ):
        status, out, err = call("predict", *arguments)
        assert (status, out) == (2, "")
        assert word in err
        assert len(err.splitlines()) == 1


def test_compare_puts_all_on_one_plot_and_spends_one_budget(call, monkeypatch):
    drawn, plot = [], mg.plots.plot_gaps
    monkeypatch.setattr(mg.plots, "plot_gaps", lambda *given, **options: drawn.append(plot(*given, **options)) or drawn[-1])
    content = strict_json(call("compare", ASYMMETRIC, "--products", 100, "--json")[1])
    legends = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in drawn]
    assert drawn  # for each file
    assert all([name for name in names if name != "predicted"] == list(cli.compare.COMPARED) for names in legends)
    steps = {result["algorithm"].partition(":")[0]: (result["steps"], result["products"]) for result in content["results"]}
    assert steps == dict.fromkeys(("mpo", "mmd", "omwu", "mwu"), (100, 100)) | {"extragradient": (50, 100)}


def test_a_name_of_the_catalogue_is_no_folder(call, tmp_path):
    (tmp_path / "rps").mkdir()
    assert call("nash", "rps")[0] == 0


def test_a_game_of_ties_only(call, tmp_path):
    (tmp_path / "ties.csv").write_text("0.5,0.5,0.5\n" * 3)
    status, out, _ = call("verify", "ties.csv", "--out", "run", "--json")
    assert (status, strict_json(out)["headline"]) == (3, "already")
    assert call("compare", "ties.csv")[0] == 0


def test_a_start_that_rules_actions_out_is_remarked_upon(call):
    _, out, _ = call("verify", "rps", "--start", "0.5/0.5/0", "--steps", 20, "--algorithm", "mwu")
    assert "the start plays 1 of the 3 actions with probability 0" in " ".join(out.split())


@pytest.mark.parametrize("name", ["matplotlib.py", "joblib.py"])
def test_a_file_in_the_current_directory_hides_no_library(tmp_path, name):
    (tmp_path / name).write_text("raise SystemError('hidden')\n")
    (tmp_path / "tiny.toml").write_text(TINY)
    done = process("bench", "tiny.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_class_beside_one_is_found_without_python_looking_there(tmp_path):
    source = (
        "from dataclasses import dataclass\n@dataclass(frozen=True, kw_only=True)\nclass Still:\n    rate: float = 1.0\n"
        "    def init(self, log_policy):\n        self.__dict__['log_policy'] = log_policy\n        return self\n"
        "    def step(self, state, payoffs):\n        payoffs(state.log_policy)\n        return state\n"
    )
    (tmp_path / "still_here.py").write_text(source)
    done = process("verify", ASYMMETRIC, "--algorithm", "still_here:Still:rate=0.5", "--steps", "300", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert strict_json(done.stdout)["algorithm"] == "still_here:Still:rate=0.5"


def test_a_terminal_without_greek_letters(tmp_path):
    for command in (["verify", ASYMMETRIC, "--steps", "50"], ["games"]):
        done = process(*command, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "30"})
        assert done.returncode in (0, 3)
        assert done.stderr == ""
    assert "bradley_terry:n=20,spread=2" in done.stdout  # a pipe has no width


def test_a_reader_that_leaves_is_no_verdict(tmp_path):
    command = [sys.executable, "-m", "mmd_games.cli", "verify", ASYMMETRIC, "--steps", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as running:
        running.stdout.close()
        assert running.wait(timeout=60) == 141
        assert running.stderr.read() == ""


def test_interrupted_runs_report_what_they_have(call, monkeypatch):
    def press(step, steps, gap):
        if step == 200:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli.playing, "StderrProgress", lambda: press)
    status, out, _ = call("verify", ASYMMETRIC, "--json")
    content = strict_json(out)
    assert (status, content["stopped"]) == (130, "interrupted")
    assert 200 <= content["steps"] < 1000
    status, out, _ = call("compare", ASYMMETRIC, "--json")
    assert (status, len(strict_json(out)["results"])) == (130, 1)


def test_an_interrupt_outside_the_loop(call, monkeypatch):
    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.nash, "nash", interrupted)
    assert call("nash", ASYMMETRIC) == (130, "", "mmd-games: interrupted.\n")


def test_nash_without_convergence_has_status_3(call, monkeypatch):
    monkeypatch.setattr("mmd_games.equilibria.solvers.interior_point.LARGEST_STEPS", 1)
    status, out, _ = call("nash", "random:n=30", "--method", "interior_point")
    assert status == 3
    assert "NOT CONVERGED" in out


def test_nash_selects_and_refuses(call):
    status, out, _ = call("nash", "clones:copies=2", "--select", "maximum_entropy", "--json")
    assert status == 0
    assert json.loads(out)["selection"] == "maximum entropy"
    assert call("nash", ASYMMETRIC, "--tolerance", "1e-300")[::2] == (
        2,
        f"mmd-games: A tolerance of 1e-300 is below what can be certified of {ASYMMETRIC} in floating point; ask for 7.1e-16 or more.\n",
    )


def test_nash_by_double_oracle_says_what_it_considered(call):
    status, out, _ = call("nash", "random:n=100", "--method", "double_oracle")
    assert status == 0
    assert "double_oracle" in out
    assert "actions were considered in" in out


def test_help_and_lists(call):
    commands = ("verify", "compare", "predict", "nash", "games", "algorithms", "bench", "report")
    for arguments in ([], ["--help"], *([command, "--help"] for command in commands)):
        status, out, err = call(*arguments)
        assert (status, err) == (0, "")
        assert "Usage: mmd-games" in out
    assert call("--version")[1].strip() == mg.__version__
    for command, names in (("games", [family.name for family in mg.games.listing()]), ("algorithms", [row["name"] for row in mg.algorithms.listing()])):
        out = call(command)[1]
        assert all(name in out for name in names)
        assert max(map(len, out.splitlines())) <= 160


def test_what_the_notebook_says():
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    methods = (mg.MagneticPreferenceOptimization(), mg.MagneticMirrorDescent(), mg.MultiplicativeWeights())
    mpo, mmd, mwu = runs = [mg.solve(game, method, steps=3_000) for method in methods]
    np.testing.assert_allclose(sorted(mpo.policy * 11), [3, 4, 4], atol=1e-9)
    assert [mg.verify(run, tolerance=1e-9).exit_status for run in runs] == [0, 1, 1]
    plateau = mg.verify(mmd).claim("plateau")
    assert plateau.predicted == pytest.approx(plateau.measured, rel=1e-9)
    assert mwu.average_gaps[-1] < 0.02 < mwu.gaps[-1]
    assert np.exp(mwu.log_policies[-30:]).min() < 0.01  # at the edge of the simplex
    assert mg.plots.plot_gaps(runs).get_xscale() == "linear"  # where a linear rate is a straight line


def test_the_exact_gap_of_a_run_can_be_certified_and_checked(tmp_path, capsys):
    proof = tmp_path / "gap.json"
    assert cli.main(["verify", "rps", "--start", "0.5/0.3/0.2", "--certificate", str(proof)]) == 0
    assert cli.main(["check-certificate", str(proof)]) == 0
    assert "duality gap" in capsys.readouterr().out
    text = proof.read_text(encoding="ascii")
    digit = next(place for place in range(text.index('"gap"', text.index("policies")), len(text)) if text[place].isdigit())
    proof.write_text(text[:digit] + str((int(text[digit]) + 1) % 10) + text[digit + 1 :], encoding="ascii")
    assert cli.main(["check-certificate", str(proof)]) == 1


def test_no_certificate_is_written_where_the_gap_cannot_be_exact(tmp_path, capsys):
    assert cli.main(["verify", "low_rank:n=5000", "--steps", "3", "--certificate", str(tmp_path / "gap.json")]) == 2
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err.count("mmd-games:") == 1
