"""What people type wrong: exit status 2 and one sentence on standard error that says what, where, and what would be right; nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from mmd_games import cli
from mmd_games.sweeps import playing

RPS = "rock_paper_scissors"
SUITE = 'games = ["rps"]\nalgorithms = ["mpo"]\nproducts = 20\n'


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def long_work(*given, **options):
    pytest.fail("work began before the input was checked")


@pytest.fixture
def refused(capsys):
    """The sentence of a command that must be refused, unless it says otherwise before any run begins, and with nothing written."""

    def command(*tokens, before_work=True):
        before = sorted(Path().rglob("*"))
        with pytest.MonkeyPatch.context() as patch:
            if before_work:
                patch.setattr(cli.playing, "solve", long_work)
                patch.setattr(playing, "run_cell", long_work)
            status = cli.main([str(token) for token in tokens])
        out, err = capsys.readouterr()
        assert (status, out) == (2, ""), err
        assert err.startswith("mmd-games: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert sorted(Path().rglob("*")) == before
        return err

    return command


TABLES = {
    "not square": ("0.5,0.9\n", ["not square", "1 rows and 2 columns", "--payoffs"]),
    "not square, labelled": (",a,b,c\nx,0.5,0.9,1\ny,0.1,0.5,0\n", ["not square", "2 rows and 3 columns"]),
    "empty": ("", ["empty"]),
    "blank": ("\n\n", ["empty"]),
    "1 × 1": ("0.5\n", ["1 × 1", "two actions"]),
    "NaN": ("0.5,0.9\nnan,0.5\n", ["line 2, column 1", "nan", "finite"]),
    "inf": ("0.5,inf\n0.1,0.5\n", ["line 1, column 2", "inf", "finite"]),
    "a pair that sums to 1.1": ("0.5,0.8,0.2\n0.2,0.5,0.9\n0.8,0.2,0.5\n", ["line 2, column 3", "line 3, column 2", "1.1", "--symmetrise"]),
    "the largest of two such pairs": ("0.5,0.8,0.2\n0.3,0.5,0.9\n0.8,0.3,0.5\n", ["line 2, column 3 is 0.9", "line 3, column 2 is 0.3", "1.2"]),
    "diagonal": ("0.6,0.8\n0.2,0.5\n", ["line 1, column 1", "diagonal", "0.6"]),
    "outside [0, 1]": ("0.5,1.9\n-0.9,0.5\n", ["line 1, column 2", "1.9", "[0, 1]", "--payoffs"]),
    "ragged": ("0.5,0.9\n0.1\n", ["line 2 has 1 cell", "line 1 has 2"]),
    "text": ("0.5,high\n0.1,0.5\n", ["line 1, column 2", "'high'", "not a number"]),
    "missing entry": ("0.5,\n0.1,0.5\n", ["line 1, column 2", "empty"]),
}


@pytest.mark.parametrize("command", ["verify", "compare", "nash"])
@pytest.mark.parametrize("kind", TABLES)
def test_tables(refused, command, kind):
    content, words = TABLES[kind]
    Path("wins.csv").write_text(content)
    sentence = refused(command, "wins.csv", *([] if command == "nash" else ["--out", "results"]))
    assert sentence.startswith("mmd-games: wins.csv: ")
    assert all(word in sentence for word in words), sentence


def test_object_arrays_are_never_unpickled(refused):
    np.save("wins.npy", np.array([[0.5, None], [0.1, 0.5]], dtype=object), allow_pickle=True)
    assert "Python objects" in refused("verify", "wins.npy")


def test_missing_files_and_directories(refused):
    Path("folder").mkdir()
    Path("wins.xlsx").write_text("?")
    for name, words in {
        "wins.csv": "no such file",
        "folder/wins": "no such file",
        "wins.xls": "no such file",
        "folder": "directory",
        ".": "directory",
        "wins.xlsx": ".csv",
    }.items():
        sentence = refused("verify", name)
        assert words in sentence
        assert name in sentence


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["verify", "rock_paper_scisors"], ["game", "'rock_paper_scisors'", "'rock_paper_scissors'"]),
        (["verify", ""], ["game", "known", "blotto"]),
        (["verify", "rps:win=0.9/0.8/0.9"], ["key", "'rps'", "'win'", "'wins'"]),
        (["verify", "random:n"], ["'n'", "key=value"]),
        (["verify", "random:n=many"], ["n of game 'random'", "number", "'many'"]),
        (["verify", "random:n=3.5"], ["n of game 'random'", "whole number", "'3.5'"]),
        (["verify", "random:n=1"], ["n", "at least 2"]),
        (["verify", "openspiel:kuhn_pokr"], ["'kuhn_pokr'", "'kuhn_poker'"]),
        (["verify", RPS, "--algorithm", "mpp"], ["algorithm", "'mpp'", "'mpo'"]),
        (["verify", RPS, "--algorithm", ""], ["algorithm", "known", "mpo"]),
        (["verify", RPS, "--algorithm", "mpo:step_siz=1"], ["key", "'mpo'", "'step_siz'", "'step_size'"]),
        (["verify", RPS, "--algorithm", "no_such_module:Mine"], ["no_such_module", "imported"]),
        (["verify", RPS, "--algorithm", "json:Mine"], ["json", "'Mine'"]),
        (["verify", RPS, "--algorithm", "json:JSONDecoder"], ["init", "step"]),
        (["compare", RPS, "--algorithm", "mpo", "--algorithm", "omu"], ["'omu'", "'omwu'"]),
        (["verfy", RPS], ["verfy", "verify"]),
        (["verify", RPS, "--algoritm", "mpo"], ["--algoritm", "--algorithm"]),
        (["verify", RPS, "--algorithm", "mpo", "--algorithm", "mwu"], ["--algorithm", "multiple"]),
        (["verify", RPS, "more"], ["more"]),
        (["verify"], ["SOURCE", "requires"]),
        (["verify", RPS, "--steps"], ["--steps", "requires"]),
        (["verify", RPS, "--feedback", "sampeld"], ["feedback", "'sampeld'", "'sampled'"]),
        (["verify", RPS, "--feedback", "sampled:oponents=3"], ["'oponents'", "'opponents'"]),
        (["verify", RPS, "--feedback", "sampled:opponents=0"], ["opponents", "at least 1"]),
        (["verify", RPS, "--payoffs"], ["--payoffs", RPS, "file"]),
        (["nash", RPS, "--symmetrise"], ["--symmetrise", RPS, "file"]),
        *((["verify", RPS, "--start", start], words) for start, words in {
            "unifrm": ["start", "'unifrm'", "'uniform'"],
            "randm": ["start", "'randm'", "'random'"],
            "": ["start", "random", "uniform"],
            "uniform:seed=1": ["'uniform'", "'seed'"],
            "random:sed=1": ["'sed'", "'seed'"],
            "random:seed=-1": ["seed", "at least 0", "-1"],
            "random:seed=1.5": ["seed", "whole number", "1.5"],
            "0.5/0.5": ["0.5/0.5", "2 entries", "3 actions"],
            "0.5/0.3/0.3": ["sum to 1", "1.1"],
            "0.5/0.6/-0.1": ["Entry 3", "-0.1", "probability"],
            "nan/0.5/0.5": ["Entry 1", "nan"],
            "start.csv": ["start.csv", "No such file"],
        }.items()),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)  # fmt: skip
def test_names_keys_and_starts(refused, tokens, words):
    sentence = refused(*tokens)
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("start.csv", b"0.5,0.5\n", ["2 entries", "3 actions"]),
        ("start.csv", b"", ["0 entries", "3 actions"]),
        ("start.txt", b"0.5 0.3\nhalf", ["entry 3", "'half'", "not a number"]),
        ("start.txt", b"\xff\xfe0", ["start.txt", "probabilities"]),
        ("start.npy", b"no array", ["start.npy", "probabilities"]),
        ("start.npy", b"", ["start.npy", "probabilities"]),
        ("start.npy", b"PK\x03\x04", ["start.npy", "probabilities"]),
    ],
)
def test_files_of_a_start(refused, name, content, words):
    Path(name).write_bytes(content)
    sentence = refused("verify", RPS, "--start", name)
    assert all(word in sentence for word in words), sentence


def test_a_start_of_python_objects(refused):
    np.save("start.npy", np.array([0.5, None, 0.5], dtype=object), allow_pickle=True)
    assert "start.npy" in refused("verify", RPS, "--start", "start.npy")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "fast"])
@pytest.mark.parametrize("key", ["mpo:step_size", "mpo:magnet_strength", "mwu:step_size", "omwu:step_size"])
def test_step_sizes_and_strengths(refused, key, value):
    sentence = refused("verify", RPS, "--algorithm", f"{key}={value}")
    assert key.partition(":")[2] in sentence
    assert "number" in sentence
    assert value in sentence


@pytest.mark.parametrize("value", ["0", "-5", "1.5", "many", "nan", "inf"])
def test_counts(refused, value):
    Path("suite.toml").write_text(SUITE)
    for option, tokens in {
        "steps": ["verify", RPS, "--out", "results"],
        "products": ["compare", RPS, "--out", "results"],
        "jobs": ["bench", "suite.toml", "--out", "results"],
    }.items():
        sentence = refused(*tokens, f"--{option}", value)
        assert option in sentence
        assert "number" in sentence
        assert value in sentence
    assert "refresh_every" in refused("verify", RPS, "--algorithm", f"mpo:refresh_every={value}")


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "small"])
def test_tolerances(refused, value):
    for command in ("verify", "compare"):
        assert "tolerance" in refused(command, RPS, "--tolerance", value, "--out", "results")
    assert "tolerance" in refused("nash", RPS, "--tolerance", value)


@pytest.mark.parametrize("place", ["taken", "taken/below", "/proc/nobody/writes/here"])
def test_an_out_that_cannot_be_written_is_refused_before_the_work(refused, place):
    if place.startswith("/proc") and sys.platform != "linux":
        pytest.skip("a folder that not even root can write is known on Linux only")
    Path("taken").write_text("mine")
    Path("suite.toml").write_text(SUITE)
    for tokens in (["verify", RPS], ["compare", RPS], ["bench", "suite.toml"]):
        sentence = refused(*tokens, "--out", place)
        assert place.partition("/below")[0] in sentence
        assert "directory" in sentence or "cannot be written" in sentence
    assert Path("taken").read_text() == "mine"


@pytest.mark.parametrize("name", ["random:n=1000000", "spinning_top:layers=100001,width=101", "blotto:soldiers=200,fields=20"])
def test_games_too_large_for_memory(refused, name):
    sentence = refused("verify", name)
    assert "memory" in sentence
    assert name.partition(":")[0] in sentence


def test_the_size_of_a_game_too_large_is_said(refused):
    sentence = refused("nash", "random:n=1000000")
    assert "1,000,000 × 1,000,000" in sentence
    assert "GiB" in sentence


def test_a_record_too_large_for_memory(refused):
    assert "GiB" in refused("verify", RPS, "--steps", 10**13, before_work=False)


def test_memory_that_runs_out_on_the_way(refused, monkeypatch):
    def greedy(*given, **options):
        raise MemoryError("Unable to allocate 1 PiB")

    monkeypatch.setattr(cli.playing, "solve", greedy)
    assert "1 PiB" in refused("verify", RPS, before_work=False)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SUITE + "product = 3\n", ["key", "'product'", "'products'"]),
        ("games = [\n", ["TOML", "suite.toml"]),
        ("\xff", ["TOML"]),
        ("", ["needs", "games=…", "algorithms=…"]),
        ('games = []\nalgorithms = ["mpo"]\n', ["at least one", "'games'"]),
        ('games = ["rps"]\nalgorithms = []\n', ["at least one", "'algorithms'"]),
        (SUITE + "seeds = []\n", ["at least one", "'seeds'"]),
        ('games = "rps:wins=0.9/0.8/0.9"\nalgorithms = ["mpo"]\n', ["games", "list", '["random:n=10"]']),
        ("games = 3\nalgorithms = 4\n", ["games", "list", "3"]),
        ('games = [1]\nalgorithms = ["mpo"]\n', ["games", "text", "1"]),
        (SUITE + "seeds = 3\n", ["seeds", "list", "[0, 1]"]),
        (SUITE + 'seeds = ["x"]\n', ["seeds", "number", "'x'"]),
        (SUITE.replace("20", "0"), ["products", "at least 1"]),
        (SUITE.replace("20", "1.5"), ["products", "whole number"]),
        (SUITE + "tolerance = -1\n", ["tolerance", "positive"]),
        (SUITE + "tolerance = nan\n", ["tolerance", "positive"]),
        (SUITE + "name = 3\n", ["name", "text"]),
        (SUITE.replace("rps", "rsp"), ["game", "'rsp'", "'rps'"]),
        (SUITE.replace("rps", "random:m=3"), ["'m'", "'random'"]),
        (SUITE.replace("rps", "random:n=0"), ["n", "at least"]),
        (SUITE.replace("mpo", "mpp"), ["algorithm", "'mpp'", "'mpo'"]),
        (SUITE.replace("mpo", "mpo:step_size=0"), ["step_size", "positive"]),
    ],
)
def test_suites(refused, content, words):
    Path("suite.toml").write_text(content, encoding="latin-1")
    sentence = refused("bench", "suite.toml", "--out", "results")
    assert all(word in sentence for word in words), sentence


def test_suites_that_are_not_there(refused):
    assert "nowhere.toml: no such file" in refused("bench", "nowhere.toml")
    assert "directory" in refused("bench", ".")


def test_a_folder_with_finished_cells_needs_resume(refused):
    Path("suite.toml").write_text(SUITE)
    Path("results/cells").mkdir(parents=True)
    Path("results/cells/0123.json").write_text("{}")
    assert "--resume" in refused("bench", "suite.toml", "--out", "results")
