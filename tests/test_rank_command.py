"""`mmd-games rank`: from a file to a table, JSON and a page; and what it refuses."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from base64 import b64decode

import html5lib
import jsonschema
import numpy as np
import pytest

import mmd_games as mg
from mmd_games import report
from mmd_games.cli import main

from . import data_tables

CYCLE = np.array([[0, 70, 20], [30, 0, 60], [80, 40, 0]])
TIES = np.array([[0, 4, 0], [4, 0, 0], [0, 0, 0]])


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Run `rank` in a folder with battles.csv; its status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    data_tables.written(data_tables.battles_of(("ann", "bob", "cy"), CYCLE, TIES, np.random.default_rng(0)), "csv", tmp_path)

    def run(*arguments):
        status = main(["rank", *map(str, arguments)])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


def parsed(page):
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def text_of(tree):
    return " ".join("".join(tree.itertext()).split())


def test_a_table_on_the_terminal(call):
    status, out, err = call("battles.csv", "--bootstrap", "50")
    text = " ".join(out.split())
    assert (status, err) == (0, "")
    assert out.startswith("No name beats all the others (no Condorcet winner); the lottery plays 3 of 3: bob 0.506, cy 0.325, ann 0.169.")
    assert "counted from 304 battles on 3 names; 4 tied, which count half a win for each." in text
    assert "50 tables from battles, within each pair drawn anew (seed 0)" in text
    assert "ann —0.6923→ bob —0.6→ cy —0.8→ ann" in text
    assert "maximal lottery in social choice" in text
    assert "mmd-games rank battles.csv --unmet refuse" in text
    assert max(map(len, out.splitlines())) <= 160


def test_json_follows_its_schema_and_the_command_makes_it_again(call):
    status, out, _ = call("battles.csv", "--json", "--bootstrap", "20", "--seed", "5")
    content = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert status == 0
    jsonschema.Draft202012Validator(report.json_schema("rank")).validate(content)
    assert content["records"] == {"unit": "battle", "counted": 304, "table": "probabilities", "prior_strength": 0, "ties": 4}
    ranked = content["ranking"]
    assert [row["place"] for row in ranked] == [1, 2, 3]
    assert sum(row["probability"] for row in ranked) == pytest.approx(1)
    assert [row["probability"] for row in ranked] == sorted((row["probability"] for row in ranked), reverse=True)
    assert all(row["interval"][0] <= row["probability"] <= row["interval"][1] for row in ranked)
    assert call(*content["reproduce"].split()[2:], "--json")[1] == out
    skipping = json.loads(call("battles.csv", "--json", "--bootstrap", "0", "--skip", "self")[1])
    assert skipping["reproduce"].endswith("--skip self")
    assert call("battles.csv", "--json", "--bootstrap", "20", "--seed", "6")[1] != out
    bare = json.loads(call("battles.csv", "--json", "--bootstrap", "0")[1])
    jsonschema.Draft202012Validator(report.json_schema("rank")).validate(bare)
    assert bare["resampled"] is None
    for broken in ({**content, "more": 1}, {**content, "ranking": []}, {key: content[key] for key in content if key != "unique"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(report.json_schema("rank")).validate(broken)


def test_a_whole_directory(call, tmp_path):
    status, _, err = call("battles.csv", "--out", "run/deep", "--bootstrap", "20")
    folder = tmp_path / "run/deep"
    assert status == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(report.RANKING_FILES)
    assert err == "Wrote rank.txt, rank.json, rank.html, table.json and lottery.png to run/deep.\n"
    assert (folder / "lottery.png").read_bytes().startswith(b"\x89PNG")
    content, page, text = json.loads((folder / "rank.json").read_text()), (folder / "rank.html").read_text(encoding="utf-8"), (folder / "rank.txt").read_text()
    for form in (text_of(parsed(page)), " ".join(text.split())):
        for row in content["ranking"]:
            assert row["name"] in form
            assert f"{row['probability']:.4f}" in form
            assert f"{row['elo']:.0f}" in form
        assert content["sentence"] in form
        assert all(note in form for note in content["notes"])


@pytest.mark.parametrize("table", ["probabilities", "margins"])
def test_the_table_that_was_counted_is_there_for_the_other_commands(call, tmp_path, table):
    names = ["1.5", "nan", 'a,"b', "line\nbreak", "=1+1", "{{7*7}}", "é\u202e", "</script>"]
    battles = [{"model_a": one, "model_b": other, "winner": "model_a"} for one in names for other in names if one < other]
    with (tmp_path / "odd.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(battle) + "\n" for battle in battles)
    assert call("odd.jsonl", "--out", "run", "--bootstrap", "0", "--table", table)[0] == 0
    counted, read = mg.PreferenceGame.from_battles(battles, table=table), mg.read_game(tmp_path / "run/table.json")
    assert read.labels == counted.labels
    assert read.value_offset == counted.value_offset
    np.testing.assert_allclose(read.payoff_matrix, counted.payoff_matrix, rtol=0, atol=2**-53)  # P − 1/2 is as far from S as P is from S + 1/2


@pytest.mark.parametrize("kind", ["rankings", "scores", "ratings", "parquet", "margins"])
def test_every_kind_of_data_is_known_by_its_columns(call, tmp_path, kind):
    options = []
    if kind == "rankings":
        (tmp_path / "x.jsonl").write_text('["ann", "bob"]\n["bob", "ann"]\n["ann", "bob"]\n')
    elif kind == "scores":
        (tmp_path / "x.csv").write_text("model,score,annotator\nann,3,1\nbob,1,1\nann,2,2\nbob,1,2\n")
        options = ["--voters", "annotator"]
    elif kind == "ratings":
        (tmp_path / "x.csv").write_text("model,rating\nann,1010\nbob,1000\n")
    else:
        path = data_tables.written(
            data_tables.battles_of(("ann", "bob"), np.array([[0, 3], [1, 0]]), np.zeros((2, 2)), np.random.default_rng(0)), "parquet", tmp_path
        )
        path.rename(tmp_path / "x.parquet")
        options = ["--table", "margins"] if kind == "margins" else []
    path = next(tmp_path.glob("x.*"))
    status, out, _ = call(path.name, "--json", "--bootstrap", "10", *options)
    content = json.loads(out)
    assert (status, content["condorcet_winner"]) == (0, "ann")
    assert content["game"]["units"] == ("payoff" if kind == "margins" else "win probability")
    assert (content["resampled"] is None) == (kind == "ratings")
    assert " ".join(call(path.name, "--bootstrap", "10", *options)[1].split()).startswith("ann is the Condorcet winner")


def test_a_season_of_formula_one(call, published_tables):
    status, out, _ = call(published_tables / "f1_1979.soc", "--bootstrap", "50")
    assert status == 0
    assert out.startswith("gilles_villeneuve is the Condorcet winner")
    assert "50 tables from ballots drawn anew" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.csv"], ["none.csv", "no such file"]),
        (["."], ["directory"]),
        (["bad.csv"], ["bad.csv: 2 of 3 rows", "1 has an unknown winner (row 2: 'x')", "The column 'winner' says model_a, model_b, tie, tie (bothbad).", "1 has one name on both sides (row 3: 'a')", "--skip winner,self"]),
        (["split.csv"], ["4 of 6 pairs never met", "2 parts", "--unmet prior:strength=1", "--unmet connected"]),
        (["columns.csv"], ["'x', 'y'", "model_a, model_b and winner"]),
        (["battles.csv", "--unmet", "prio"], ["'prio'", "'prior'"]),
        (["battles.csv", "--table", "margin"], ["'margin'", "'margins'"]),
        (["battles.csv", "--unranked", "below"], ["holds battles", "--unranked"]),
        (["battles.csv", "--skip", "winer"], ["'winer'", "'winner'"]),
        (["battles.csv", "--id", "turn"], ["turn", "'model_a', 'model_b', 'winner'"]),
        (["elo.csv", "--unmet", "prior"], ["holds ratings", "--unmet"]),
        (["battles.csv", "--bootstrap", "1"], ["bootstrap", "at least 2"]),
        (["battles.csv", "--bootstrap", "-1"], ["bootstrap", "-1"]),
        (["battles.csv", "--bootstrap", "many"], ["bootstrap", "'many'"]),
        (["battles.csv", "--seed", "-1"], ["seed", "at least 0"]),
        (["battles.csv", "--level", "1"], ["level", "below 1"]),
        (["battles.csv", "--out", "battles.csv"], ["battles.csv", "directory"]),
        ([], ["DATA", "requires"]),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_refused(call, tmp_path, arguments, words):
    (tmp_path / "bad.csv").write_text("model_a,model_b,winner\na,b,tie\na,b,x\na,a,tie\n")
    (tmp_path / "split.csv").write_text("model_a,model_b,winner\na,b,tie\nc,d,tie\n")
    (tmp_path / "columns.csv").write_text("x,y\n1,2\n")
    (tmp_path / "elo.csv").write_text("model,rating\na,1\nb,2\n")
    before = sorted(tmp_path.iterdir())
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("mmd-games: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words), err
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_left_out_is_counted_in_the_report(call, tmp_path):
    (tmp_path / "bad.csv").write_text("model_a,model_b,winner\na,b,model_a\na,b,x\na,a,tie\n")
    status, out, _ = call("bad.csv", "--skip", "winner,self", "--bootstrap", "0")
    assert status == 0
    assert "left out of 3 rows, as was asked for: 1 has an unknown winner (row 2: 'x')." in " ".join(out.split())


HOSTILE = [
    "<script>alert(1)</script>",
    '" onload="alert(1)',
    "a & b &amp; &#x3c;",
    "\u202egnp.exe",
    "line\nbreak\x1b[2J\x00",
    "{{ 7 * 7 }} {% raw %} $x$",
    "]]> --> </style></title>",
    "w" * 900,
]


def skeleton(tree):
    return [(element.tag, sorted(element.attrib)) for element in tree.iter()]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:12]))
def test_names_are_shown_and_never_read(name):
    def ranked(names):
        records = data_tables.battles_of(names, CYCLE, TIES, np.random.default_rng(0))
        return mg.rank(mg.PreferenceGame.from_battles(records), bootstrap=5, reproduce="mmd-games rank 'x y'")

    hostile, plain = ranked([f"{name}{i}" for i in range(3)]), ranked(["n0", "n1", "n2"])
    tree = parsed(hostile.to_html())
    assert skeleton(tree) == skeleton(parsed(plain.to_html()))
    tags = {element.tag for element in tree.iter() if isinstance(element.tag, str)}
    assert len(list(tree.iter("script"))) == 1  # the page's own
    assert not tags & {"link", "iframe", "object", "base", "form", "svg"}
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", "".join(tree.itertext()))
    for image in tree.iter("img"):
        ET.fromstring(b64decode(image.get("src").removeprefix("data:image/svg+xml;base64,")))
        assert len(image.get("alt")) > 30
    assert all(table.find("caption") is not None for table in tree.iter("table"))
    assert all(character == "\n" or character.isprintable() for character in str(hostile))
    assert max(map(len, str(hostile).splitlines())) < 200
    assert hostile.to_html() == hostile.to_html()


def test_the_ranking_as_a_frame():
    game = mg.PreferenceGame.from_battles(data_tables.battles_of(("a", "b", "c"), CYCLE, TIES, np.random.default_rng(0)))
    ranking = mg.rank(game, bootstrap=5)
    frame = ranking.to_frame()
    assert tuple(frame["name"]) == ranking.names
    assert frame["probability"].sum() == pytest.approx(1)


def test_many_names_stay_a_table_of_fifty():
    size = 60
    game = mg.PreferenceGame.from_ratings({f"m{k}": k for k in range(size)})
    text = str(mg.rank(game, bootstrap=0))
    assert "and 10 more, which the JSON has" in text
    assert re.search(r"^50  m10 ", text, flags=re.MULTILINE)
    assert not re.search(r"^51 ", text, flags=re.MULTILINE)
    assert len(mg.rank(game, bootstrap=0).to_dict()["ranking"]) == size
