"""What a sweep leaves on disk: rows, JSON, Parquet, plots; and what is refused before a file is touched."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import mmd_games as mg
from mmd_games import cli
from mmd_games.sweeps import Suite, cells, playing, read_result, run_suite
from mmd_games.sweeps.cells import Store, thinned

SMALL = Suite(
    name="small",
    games=("rps", "random:n=3"),
    algorithms=("mpo", "omwu", "nash_md:step_size=100"),
    products=1500,
    champion="mpo",
    grids={"omwu": {"step_size": ["0.5x", "1x", 2]}, "mpo": {"refresh_every": [30, "1x"]}},
)
TOML = 'games = ["rps"]\nalgorithms = ["mpo"]\nproducts = 20\n'


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swept")
    return folder, run_suite(SMALL, folder)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_what_is_written(swept):
    folder, result = swept
    assert set(content(folder)) == {"suite.json", "results.json", "results.parquet", "gaps.png", "profile.png"}
    written = json.loads((folder / "results.json").read_text())
    assert written["schema"] == playing.SCHEMA == json.loads((folder / "suite.json").read_text())["schema"]
    assert written["cells"] == result.cells
    assert [(best["game"], best["algorithm"], best["tried"], best["failed"]) for best in written["best"]] == [
        (game, name, tried, failed)
        for game in ("rps", "random:n=3,seed=0")
        for name, tried, failed in (("mpo", 2, 0), ("omwu", 3, 0), ("nash_md:step_size=100", 1, 1))
    ]
    assert written["standings"] == json.loads(json.dumps(result.standings))
    assert len(list((folder / "cells").iterdir())) == len(SMALL.cells()) == 12


def test_a_row_says_all_that_is_measured(swept):
    row = next(row for row in swept[1].cells if row["algorithm"] == "omwu" and row["setting"] == {"step_size": "1x"})
    levels = ["1e-02", "1e-04", "1e-06", "1e-08", "1e-10"]
    assert list(row["cost"]) == list(row["average_cost"]) == list(row["timing"]["to"]) == list(row["timing"]["average_to"]) == levels
    costs = [row["cost"][level] for level in levels]
    assert costs == sorted(costs)
    assert row["gap"] <= 1e-10
    assert costs[-1] <= row["spent"] <= row["products"] == 1500
    seconds = [row["timing"]["to"][level] for level in levels]
    assert seconds == sorted(seconds)
    assert 0 < seconds[-1] <= row["timing"]["seconds"] <= row["timing"]["cell"]
    assert row["average_gap"] == row["average_gaps"][-1] > row["gap"]
    assert row["factor"] == pytest.approx(row["predicted"], rel=1e-2)
    assert (row["verdict"], row["headline"], row["n"]) == ("confirmed", "converged", 3)


def test_parquet_says_what_json_says(swept):
    folder, _result = swept
    frame = pq.read_table(folder / "results.parquet").to_pylist()
    written = json.loads((folder / "results.json").read_text())
    assert len(frame) == len(written["cells"])
    chosen = [(best["game"], best["algorithm"], json.dumps(best["setting"])) for best in written["best"]]
    for flat, cell in zip(frame, written["cells"], strict=True):
        for name in ("game", "entry", "seed", "algorithm", "feedback", "products", "tolerance", "n", "settings", "verdict", "headline", "sentence", "error"):
            assert flat[name] == cell.get(name), name
        for name in ("gap", "average_gap", "spent", "factor", "predicted"):
            assert flat[name] == cell.get(name), name
        assert json.loads(flat["setting"]) == cell["setting"]
        assert {key: flat[f"value_{key}"] for key in cell.get("values", {})} == cell.get("values", {})
        for prefix, source in (("products_to", cell.get("cost")), ("average_products_to", cell.get("average_cost")), ("seconds_to", cell["timing"].get("to"))):
            assert {name: flat[f"{prefix}_{name}"] for name in source or {}} == (source or {})
        assert flat["cell_seconds"] == cell["timing"]["cell"]
        assert flat["best"] == ((cell["game"], cell["algorithm"], json.dumps(cell["setting"])) in chosen)
        assert not any(isinstance(value, list | dict) for value in flat.values())


def test_report_makes_the_same_again_without_running(swept, monkeypatch, capsys, tmp_path):
    folder, _result = swept
    monkeypatch.setattr(playing, "run_cell", lambda cell: pytest.fail("a cell was run"))
    before = content(folder)
    assert cli.main(["report", str(folder)]) == 3  # as bench did, for cells failed
    first = capsys.readouterr().out
    assert content(folder) == before
    for name in ("results.parquet", "gaps.png", "profile.png", "results.json"):
        (folder / name).unlink()
    assert cli.main(["report", str(folder), "--all"]) == 3
    assert content(folder) == before
    assert all(text in first for text in ("best rival", "edge", "step_size: "))
    assert capsys.readouterr().out.count("omwu  ") > first.count("omwu  ")
    for name, value in before.items():  # and from results.json alone
        (tmp_path / name).write_bytes(value)
    assert cli.main(["report", str(tmp_path), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["best"] == json.loads(before["results.json"])["best"]
    assert content(tmp_path) == before


def test_a_sweep_that_was_cut_off_has_a_report(tmp_path, swept):
    folder, result = swept
    store = Store(tmp_path / "cells", SMALL.schema)
    for cell, row in list(zip(SMALL.cells(), result.cells, strict=True))[:7]:
        store.write(cell, row)
    (tmp_path / "suite.json").write_bytes((folder / "suite.json").read_bytes())
    (tmp_path / "results.json").write_text(json.dumps({"schema": SMALL.schema, "cells": []}))  # of a run before
    found = read_result(tmp_path)
    assert (len(found.cells), found.interrupted) == (7, True)
    assert cli.main(["report", str(tmp_path)]) == 3
    written = json.loads((tmp_path / "results.json").read_text())
    assert (written["interrupted"], len(written["cells"])) == (True, 7)


def test_solvers_have_a_report_as_well(tmp_path, capsys):
    (tmp_path / "s.toml").write_text('games = ["rps", "cycle:n=5"]\nsolvers = ["lp", "interior_point"]\nrepeats = 1\n')
    assert cli.main(["bench", str(tmp_path / "s.toml"), "--out", str(tmp_path / "out")]) == 0
    told, before = capsys.readouterr().out, content(tmp_path / "out")
    assert cli.main(["report", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == told
    assert content(tmp_path / "out") == before


def test_curves_are_thinned_where_there_are_many(swept, monkeypatch):
    row = max(swept[1].cells, key=lambda row: len(row.get("gaps", [])))
    small = thinned(row, 60)
    assert 20 <= len(small["gaps"]) == len(small["products_spent"]) == len(small["average_gaps"]) <= 60
    pairs = list(zip(row["products_spent"], row["gaps"], row["average_gaps"], strict=True))
    assert all(pair in pairs for pair in zip(small["products_spent"], small["gaps"], small["average_gaps"], strict=True))
    assert (small["gaps"][0], small["gaps"][-1]) == (row["gaps"][0], row["gaps"][-1])
    assert small | dict.fromkeys(cells.CURVES) == row | dict.fromkeys(cells.CURVES)
    monkeypatch.setattr(cells, "MOST_POINTS", 600)
    assert all(len(row.get("gaps", ())) <= 50 for row in read_result(swept[0]).cells)
    stored = [len(json.loads(path.read_text()).get("gaps", [])) for path in (swept[0] / "cells").iterdir()]
    assert max(stored) > 100


def test_of_very_many_cells_json_has_the_curves_of_the_best_alone(swept, monkeypatch):
    result = read_result(swept[0])
    monkeypatch.setattr("mmd_games.sweeps.algorithm_result.MOST_POINTS", 100)
    written = result.to_dict()["cells"]
    assert [("gaps" in cell) for cell in written] == [flat["best"] and "error" not in cell for flat, cell in zip(result.records(), result.cells, strict=True)]
    plain = [{name: value for name, value in cell.items() if name not in cells.CURVES} for cell in result.cells]
    assert [{name: value for name, value in cell.items() if name not in cells.CURVES} for cell in written] == plain


def test_a_row_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    store, cell = Store(tmp_path / "cells", SMALL.schema), SMALL.cells()[0]
    write = Path.write_text

    def torn(path, text, **options):
        write(path, text[:20], **options)
        raise SystemExit("killed while writing")

    for before in ({}, {store.key(cell): {"old": True}}):
        for row in before.values():
            store.write(cell, row)
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(Path, "write_text", torn)
            store.write(cell, {"new": True, "gap": [0.1] * 50})
        assert store.rows([cell]) == before
        assert len(store.files()) == len(before)


def test_leftovers_are_ignored_and_removed(tmp_path, swept):
    for folder in (tmp_path, tmp_path / "cells"):
        (folder / ".partial-abc_1234").mkdir(parents=True)
        (folder / ".partial-abc_1234" / "0123.json").write_text("{")
    (tmp_path / ".partial-of-mine-which-stays").mkdir()
    run_suite(Suite(name="s", games=("rps",), algorithms=("mwu",), products=20), tmp_path, resume=True)
    assert [path.name for path in tmp_path.rglob(".partial*")] == [".partial-of-mine-which-stays"]
    assert len(list((tmp_path / "cells").iterdir())) == 1


def test_overwrite_starts_afresh_and_nothing_else_does(tmp_path):
    plan = Suite(name="s", games=("rps",), algorithms=("mwu",), products=20)
    run_suite(plan, tmp_path)
    (mark,) = (tmp_path / "cells").iterdir()
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"marked": True}))
    with pytest.raises(mg.InputError, match=r"--resume.*--overwrite"):
        run_suite(plan, tmp_path)
    assert "marked" in run_suite(plan, tmp_path, resume=True).cells[0]
    other = Suite(name="s", games=("rps",), algorithms=("mwu",), products=30)
    (tmp_path / "results.json").write_text('{"schema": "mmd_games.bench/0"}')
    (tmp_path / "profile.png").write_bytes(b"of another suite")
    (tmp_path / "mine.txt").write_text("stays")
    assert "marked" not in run_suite(other, tmp_path, overwrite=True).cells[0]
    assert len(list((tmp_path / "cells").iterdir())) == 1
    assert set(content(tmp_path)) == {"suite.json", "results.json", "results.parquet", "gaps.png", "mine.txt"}
    assert json.loads((tmp_path / "results.json").read_text())["schema"] == playing.SCHEMA


def old_results(folder):
    (folder / "cells").mkdir(parents=True)
    (folder / "cells" / "0123.json").write_text('{"game": "rps", "algorithm": "mpo", "gap": 0.1}')


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bench", "s.toml", "--out", "new", "--resume", "--overwrite"], ["--resume", "--overwrite", "one of the two"]),
        (["bench", "s.toml", "--out", "old", "--resume"], ["old", "'mmd_games.bench/1'", "'mmd_games.bench/2'", "--overwrite"]),
        (["bench", "s.toml", "--out", "older", "--resume"], ["older", "'mmd_games.bench/0'", "'mmd_games.bench/2'"]),
        (["bench", "s.toml", "--out", "new", "--backend", "dask"], ["dask", "--address"]),
        (["bench", "s.toml", "--out", "new", "--address", "tcp://x:1"], ["--address", "dask and ray"]),
        (["bench", "s.toml", "--out", "new", "--backend", "dask", "--address", "tcp://127.0.0.1:{port}"], ["127.0.0.1", "no Dask scheduler"]),
        (["bench", "s.toml", "--out", "new", "--backend", "dask", "--address", "what is this"], ["what is this", "no Dask scheduler"]),
        (["bench", "solvers.toml", "--out", "new", "--backend", "dask", "--address", "tcp://127.0.0.1:1"], ["one at a time", "--backend dask"]),
        (["report", "nowhere"], ["nowhere: no such directory"]),
        (["report", "s.toml"], ["s.toml: is a file"]),
        (["report", "."], ["no results", "suite.json"]),
        (["report", "older"], ["older", "'mmd_games.bench/0'"]),
        (["report", "damaged"], ["results.json", "JSON"]),
        (["report", "empty"], ["empty", "no finished cell", "--resume"]),
        (["bench", "champion.toml", "--out", "new"], ["champion", "'mp'", "'mpo'"]),
        (["bench", "feedback.toml", "--out", "new"], ["feedback", "'exakt'", "'exact'"]),
        (["bench", "feedbacks.toml", "--out", "new"], ["feedback", "list"]),
        (["bench", "level.toml", "--out", "new"], ["level", "positive"]),
        (["bench", "grid.toml", "--out", "new"], ["zero cells"]),
    ],
)
def test_bad_input_is_a_sentence_and_status_2(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(playing, "run_cell", lambda cell: pytest.fail("a cell was run"))
    monkeypatch.setattr("mmd_games.sweeps.backends.PATIENCE", 2.0)
    Path("s.toml").write_text(TOML)
    Path("solvers.toml").write_text('games = ["rps"]\nsolvers = ["lp"]\n')
    for name, line in {"champion": 'champion = "mp"', "feedback": 'feedback = ["exakt"]', "feedbacks": 'feedback = "exact"', "level": "level = 0"}.items():
        Path(f"{name}.toml").write_text(f"{TOML}{line}\n")
    Path("grid.toml").write_text(f"{TOML}[grids]\nmpo = {{ step_size = [] }}\n")
    old_results(Path("old"))
    old_results(Path("older"))
    Path("older/results.json").write_text('{"schema": "mmd_games.bench/0", "cells": []}')
    Path("damaged").mkdir()
    Path("damaged/results.json").write_text('{"schema": ')
    Path("empty").mkdir()
    Path("empty/suite.json").write_text('{"schema": "mmd_games.bench/2", "suite": {"name": "s", "games": ["rps"], "algorithms": ["mpo"]}}')
    before = sorted(Path().rglob("*"))
    assert cli.main([argument.format(port=closed_port()) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mmd-games: ")
    assert err.count("\n") == 1, err
    assert all(word in err for word in words), err
    assert sorted(Path().rglob("*")) == before


def test_too_little_memory_is_a_row_with_the_sizes():
    row = playing.run_cell({"game": "random:n=10_000_000", "algorithm": "mpo", "products": 10, "tolerance": 1e-8})
    assert "GiB" in row["error"]
    assert "10,000,000" in row["error"]
