"""Reports and directories of results."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.report import COMPARISON_SCHEMA, comparison_rows, output_directory, require_writable, save_comparison
from mmd_games.terminal import listing_rows, print_table


@pytest.fixture(scope="module")
def report():
    return mg.verify(mg.solve(mg.games.rock_paper_scissors(), until=1e-9))


def test_the_text_has_every_claim_and_setting(report):
    text = " ".join(str(report).split())
    assert text.startswith("CONFIRMED: The last iterate reached the game's Nash equilibrium")
    for claim in report.claims:
        assert f"[{claim.verdict.value}]" in text
        assert claim.statement in text
    for word in (report.trace.algorithm_spec, "tolerance", "NashConv", "products"):
        assert word in text


def test_json_has_the_same_numbers(report):
    content = json.loads(json.dumps(report.to_dict()))
    assert content["schema"] == "mmd_games.report/1"
    assert content["verdict"] == "confirmed"
    assert {claim["name"] for claim in content["claims"]} == {"record", "gap", "distance", "contraction", "rate"}
    rate = next(claim for claim in content["claims"] if claim["name"] == "rate")
    assert rate["interval"][0] <= rate["measured"] <= rate["interval"][1]
    assert content["gap"]["last"] == report.trace.gap


def test_hostile_names_are_shown_as_they_are(capsys):
    labels = ["[red]<b>", "$x$", "a,b"]
    game = mg.PreferenceGame(mg.games.rock_paper_scissors().preference, labels=labels, name="[bold]<script>")
    text = str(mg.verify(mg.solve(game, steps=300)))
    assert "[bold]<script>" in text
    assert "[red]<b>" in text


@pytest.mark.parametrize(
    "game",
    [mg.PreferenceGame([[0.5, 0.5], [0.5, 0.5]]), mg.MatrixGame([[1, 1], [1, 1]]), mg.MatrixGame([[3, -1, 0], [0, 2, 1]], column_labels=["x", "y", "z"])],
    ids=["ties", "constant", "labelled"],
)
def test_odd_games_have_reports(game):
    report = mg.verify(mg.solve(game, steps=500))
    assert json.loads(json.dumps(report.to_dict()))["game"]["blocks"] == list(game.blocks)
    if float(game.scale) == 0:
        assert report.headline.name == "ALREADY"
        assert report.exit_status == 3


def test_a_failed_write_leaves_nothing(tmp_path):
    def write_half() -> None:
        with output_directory(tmp_path / "out") as folder:
            (folder / "half.txt").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list((tmp_path / "out").iterdir() if (tmp_path / "out").exists() else []) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(mg.InputError, match="directory"):
        require_writable(tmp_path / "file" / "run")


def test_figures_are_written_by_suffix(report, tmp_path):
    assert report.plot(tmp_path / "gap.svg").read_text().lstrip().startswith("<?xml")
    with pytest.raises(mg.InputError, match=r"\.png"):
        report.plot(tmp_path / "gap.bmp")
    assert [path.name for path in tmp_path.iterdir()] == ["gap.svg"]


def strict(value):
    """Through JSON and back, without NaN or Infinity."""
    return json.loads(json.dumps(value, allow_nan=False))


def test_the_dictionary_is_plain_json(report):
    content = report.to_dict()
    assert strict(strict(content)) == strict(content)
    assert list(content)[:3] == ["schema", "verdict", "headline"]
    assert content["policy"] == report.trace.policy.tolist()
    assert content["tolerance"] == pytest.approx(0.4e-8)
    assert [claim["name"] for claim in content["claims"]] == [claim.name for claim in report.claims]
    assert content["reference"]["gap"] < 1e-12


def test_a_run_from_elsewhere_has_a_report(tmp_path):
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    target = np.array([by_name[name] for by_name in [{"rock": 4, "paper": 4, "scissors": 3}] for name in game.labels[0]]) / 11
    steps = np.arange(0, 400, 2)
    policies = target + np.array([0.2, -0.1, -0.1]) * np.exp(-0.05 * steps)[:, None]
    found = mg.verify(mg.Trace.from_policies(game, np.log(policies), steps, name="my [run]: half"), tolerance=1e-6)
    assert found.exit_status == 0, found
    assert found.claim("rate").measured == pytest.approx(np.exp(-0.05), abs=1e-4)
    assert "my [run]: half" in str(found)
    assert strict(found.to_dict())["algorithm"] == "my [run]: half"
    assert mg.Trace.load(found.save(tmp_path) / "trace.npz").algorithm == "my [run]: half"


def test_an_interrupted_run_has_a_report():
    trace = mg.solve(mg.games.rock_paper_scissors(), progress=lambda step, steps, gap: signal.raise_signal(signal.SIGINT) if step == 100 else None)
    report = mg.verify(trace)
    assert report.exit_status == 3
    assert "interrupted" in str(report)
    assert strict(report.to_dict())["stopped"] == "interrupted"


def test_labels_of_two_players_are_kept_apart():
    game = mg.MatrixGame([[3, -1], [0, 2]], row_labels=["up", "down"], column_labels=["left", "right"])
    report = mg.verify(mg.solve(game, steps=5_000))
    line = next(line for line in str(report).splitlines() if line.startswith("  policy"))
    rows, columns = line.split(" | ")
    assert {"up", "down"} <= set(rows.split())
    assert {"left", "right"} <= set(columns.split())
    assert strict(report.to_dict())["game"]["labels"] == [["up", "down"], ["left", "right"]]


def test_many_actions_are_cut_short():
    text = str(mg.verify(mg.solve(mg.games.cycle(n=41), steps=3)))
    shown = " ".join(text.partition("  policy ")[2].partition("\n\n")[0].split())
    assert shown.count("0.0244") == 8
    assert shown.endswith(" and 33 more")
    assert max(map(len, text.splitlines())) <= 118


def test_a_policy_whose_every_part_is_small_says_so():
    report = mg.verify(mg.solve(mg.games.low_rank(n=25_000, dimensions=4), steps=4, record=mg.Record(gaps=4, policies=4)))
    assert "none of 25,000 actions above 0.00005" in " ".join(str(report).split())


def test_save_writes_what_the_report_says(report, tmp_path):
    folder = report.save(tmp_path / "a" / "b")
    assert sorted(path.name for path in folder.iterdir()) == ["gap.png", "report.json", "report.txt", "trace.npz"]
    assert (folder / "report.txt").read_text(encoding="utf-8") == f"{report}\n"
    assert json.loads((folder / "report.json").read_text()) == strict(report.to_dict())
    np.testing.assert_array_equal(mg.Trace.load(folder / "trace.npz").gaps, report.trace.gaps)


@pytest.mark.parametrize(("game", "figures"), [(mg.games.rock_paper_scissors(), {"gaps.png", "simplex.png"}), (mg.games.cycle(n=5), {"gaps.png"})])
def test_a_comparison_is_saved_whole(tmp_path, game, figures):
    reports = [mg.verify(mg.solve(game, mg.algorithms.from_spec(spec), steps=300)) for spec in ("mpo", "omwu")]
    save_comparison(reports, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == figures | {"compare.json", "trace-1.npz", "trace-2.npz"}
    content = json.loads((tmp_path / "compare.json").read_text())
    assert content["schema"] == COMPARISON_SCHEMA
    assert content["results"] == [strict(report.to_dict()) for report in reports]
    rows = comparison_rows(reports)
    assert [row["algorithm"] for row in rows] == [report.trace.algorithm_spec for report in reports]
    assert [row["verdict"] for row in rows] == [report.verdict.value for report in reports]


def test_a_rate_is_given_a_product():
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    report = mg.verify(mg.solve(game, mg.Extragradient(), until=1e-10))
    assert float(comparison_rows([report])[0]["rate a product"]) == pytest.approx(report.claim("rate").measured ** 0.5, abs=1e-6)


def test_a_failed_write_takes_its_new_folders_along_but_no_old_ones(tmp_path):
    (tmp_path / "old").mkdir()

    def write_half(target):
        with output_directory(tmp_path / target) as folder:
            (folder / "half.txt").write_text("half")
            raise RuntimeError

    for target in ("old", "old/new", "one/two/three"):
        with pytest.raises(RuntimeError):
            write_half(target)
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]
    require_writable(tmp_path / "one" / "two")
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]


def test_a_folder_in_the_place_of_a_file_is_a_sentence(report, tmp_path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(mg.InputError, match="cannot be written"):
        report.save(tmp_path)
    assert not list(tmp_path.glob(".partial-*"))


HOSTILE = ["[red]<b>", "\\[bold]x[/bold]", ":apple:", "a:b:c", "[/]", "[link=x]y", "\\"]


def test_tables_show_every_word_as_it_is(capsys):
    print_table("[red]t[/red] :apple:", [{"name": word, "n": "1"} for word in HOSTILE])
    out = capsys.readouterr().out
    assert out.startswith("[red]t[/red] :apple:")
    for word in HOSTILE:
        assert f"│ {word} " in out, word
    print_table("nothing", [])
    assert capsys.readouterr().out == ""


def test_long_words_are_folded_and_never_cut(capsys):
    word = "".join(f"{number:04d}" for number in range(100))
    print_table("", [{"a": word, "b": "x"}])
    assert "".join(line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if "│" in line) == word


def test_defaults_are_listed_as_they_are_typed():
    rows = listing_rows([{"name": "x", "aliases": ["y"], "keys": {"wins": (0.9, 0.8), "flag": True, "open": None}, "description": "d"}])
    assert rows == [{"name": "x, y", "keys": "wins=0.9/0.8, flag=true, open", "what it is": "d"}]
