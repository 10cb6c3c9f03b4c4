"""Reports and directories of results."""

from __future__ import annotations

import json

import pytest

import mmd_games as mg
from mmd_games.report import output_directory, require_writable


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
