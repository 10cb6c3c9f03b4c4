"""Reports and directories of results."""

from __future__ import annotations

import copy
import json
import re
import signal
from types import SimpleNamespace

import jsonschema
import numpy as np
import pytest
from referencing import Registry, Resource

import mmd_games as mg
from mmd_games.report import (
    COMPARISON_SCHEMA,
    FILES,
    SCHEMA,
    comparison_rows,
    json_schema,
    output_directory,
    require_writable,
    save_comparison,
)
from mmd_games.report.contents import number
from mmd_games.terminal import listing_rows, print_table
from mmd_games.verification import Claim, Question, Verdict
from mmd_games.words import brief, visible


@pytest.fixture(scope="module")
def report():
    return mg.verify(mg.solve(mg.games.rock_paper_scissors(), until=1e-9))


VALIDATOR = jsonschema.Draft202012Validator(json_schema())
COMPARISON_VALIDATOR = jsonschema.Draft202012Validator(
    json_schema("compare"), registry=Registry().with_resource("urn:mmd_games:report:2", Resource.from_contents(json_schema()))
)


def test_the_text_has_every_claim_and_setting(report):
    text = " ".join(str(report).split())
    assert text.startswith("CONFIRMED: The last iterate reached the game's Nash equilibrium")
    for claim in report.claims:
        if claim.verdict is not Verdict.NOT_APPLICABLE:
            assert f"[{claim.verdict.value}] {claim.statement}" in text
            assert claim.detail in text
    for word in (report.trace.algorithm_spec, "tolerance", "NashConv", "products"):
        assert word in text


def test_json_has_the_same_numbers(report):
    content = json.loads(json.dumps(report.to_dict()))
    assert content["schema"] == SCHEMA == "mmd_games.report/2"
    assert content["verdict"] == "confirmed"
    assert {claim["name"] for claim in content["claims"]} >= {"record", "gap", "distance", "contraction", "rate"}
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
    content = strict(report.to_dict())
    VALIDATOR.validate(content)
    assert content["game"]["blocks"] == list(game.blocks)
    if float(game.scale) == 0:
        assert report.headline.name == "ALREADY"
        assert report.exit_status == 3


def test_no_line_is_longer_than_a_terminal_shows():
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    report = mg.verify(mg.solve(game, mg.MultiplicativeWeights(), start=[0.5, 0.3, 0.2], steps=20_000))
    assert len(f"{report.verdict.value.upper()}: {report.headline.sentence}") > 118
    assert max(map(len, str(report).splitlines())) <= 118
    assert " ".join(str(report).partition("\n\n")[0].split()) == f"REFUTED: {report.headline.sentence}"


def test_the_run_is_told_in_words_of_its_own():
    """Feedback as the command line has it, the gap at which a run ended, actions without names by their numbers."""
    game = mg.PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]])
    report = mg.verify(mg.solve(game, until=1e-6))
    text = " ".join(str(report).split())
    assert f"products; ended when the gap had come down to {report.trace.gap:.3g} feedback exact tolerance" in text
    assert f"policy action {np.argmax(report.trace.policy) + 1}: 0." in text
    assert strict(report.to_dict())["feedback"] == "exact"
    duel = mg.verify(mg.solve(mg.MatrixGame([[3, -1], [0, 2]]), steps=40, feedback=mg.Sampled(opponents=4, seed=3)))
    text = " ".join(str(duel).split())
    assert " feedback sampled:opponents=4,seed=3 tolerance" in text
    assert re.search(r"policy row [12]: 0\.\d{4}, row [12]: 0\.\d{4} \| column [12]: 0\.\d{4}, column [12]: 0\.\d{4} ", text)
    assert strict(duel.to_dict())["feedback"] == "sampled:opponents=4,seed=3"
    own = mg.Trace.from_policies(game, report.trace.log_policies)
    assert strict(mg.verify(own).to_dict())["feedback"] == "unknown"
    object.__setattr__(own, "feedback", "Votes(of=(1, 2))")
    assert " feedback Votes(of=(1, 2)) tolerance" in " ".join(str(mg.verify(own)).split())


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
    assert strict(content) == content
    VALIDATOR.validate(content)
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
    VALIDATOR.validate(found.to_dict())
    assert mg.Trace.load(found.save(tmp_path) / "trace.npz").algorithm == "my [run]: half"


def test_an_interrupted_run_has_a_report():
    trace = mg.solve(mg.games.rock_paper_scissors(), progress=lambda step, steps, gap: signal.raise_signal(signal.SIGINT) if step == 100 else None)
    report = mg.verify(trace)
    assert report.exit_status == 3
    assert f"{report.trace.steps} products; INTERRUPTED before the budget was spent" in " ".join(str(report).split())
    assert strict(report.to_dict())["stopped"] == "interrupted"
    VALIDATOR.validate(report.to_dict())


def test_labels_of_two_players_are_kept_apart():
    game = mg.MatrixGame([[3, -1], [0, 2]], row_labels=["up", "down"], column_labels=["left", "right"])
    report = mg.verify(mg.solve(game, steps=5_000))
    line = next(line for line in str(report).splitlines() if line.startswith("  policy"))
    rows, columns = line.split(" | ")
    assert {"up:", "down:"} <= set(rows.split())
    assert {"left:", "right:"} <= set(columns.split())
    assert strict(report.to_dict())["game"]["labels"] == [["up", "down"], ["left", "right"]]


def test_many_actions_are_cut_short():
    text = str(mg.verify(mg.solve(mg.games.cycle(n=41), steps=3)))
    shown = " ".join(text.partition("  policy ")[2].partition("\n  predicted ")[0].split())
    assert shown.count("0.0244") == 8
    assert shown.endswith(" and 33 more")
    assert max(map(len, text.splitlines())) <= 118


def test_a_policy_whose_every_part_is_small_says_so():
    report = mg.verify(mg.solve(mg.games.low_rank(n=25_000, dimensions=4), steps=4, record=mg.Record(gaps=4, policies=4)))
    assert "none of 25,000 actions above 0.00005" in " ".join(str(report).split())
    content = strict(report.to_dict())
    VALIDATOR.validate(content)
    # Of a large game the likeliest 10,000 actions, in order of the index.
    assert content["policy"] is None
    indices, probabilities = map(list, zip(*content["played"], strict=True))
    assert len(indices) == 10_000
    assert indices == sorted(indices)
    np.testing.assert_array_equal(report.trace.policy[indices], probabilities)
    assert np.delete(report.trace.policy, indices).max() <= min(probabilities)
    pure = np.full((3, 25_000), -np.inf)
    pure[:, 7] = 0.0
    alone = mg.verify(mg.Trace.from_policies(report.trace.game, pure)).to_dict()
    assert alone["played"] == [[7, 1.0]]
    VALIDATOR.validate(alone)


def test_save_writes_what_the_report_says(report, tmp_path):
    folder = report.save(tmp_path / "a" / "b")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert (folder / "report.txt").read_text(encoding="utf-8") == f"{report}\n"
    assert json.loads((folder / "report.json").read_text()) == strict(report.to_dict())
    assert (folder / "report.html").read_text(encoding="utf-8") == report.to_html()
    np.testing.assert_array_equal(mg.Trace.load(folder / "trace.npz").gaps, report.trace.gaps)


@pytest.mark.parametrize(("game", "figures"), [(mg.games.rock_paper_scissors(), {"gaps.png", "simplex.png"}), (mg.games.cycle(n=5), {"gaps.png"})])
def test_a_comparison_is_saved_whole(tmp_path, game, figures):
    reports = [mg.verify(mg.solve(game, mg.algorithms.from_spec(spec), steps=300)) for spec in ("mpo", "omwu")]
    save_comparison(reports, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == figures | {"compare.html", "compare.json", "trace-1.npz", "trace-2.npz"}
    content = json.loads((tmp_path / "compare.json").read_text())
    assert content["schema"] == COMPARISON_SCHEMA == "mmd_games.compare/2"
    COMPARISON_VALIDATOR.validate(content)
    with pytest.raises(jsonschema.ValidationError):
        COMPARISON_VALIDATOR.validate({**content, "results": [{**content["results"][0], "verdict": "maybe"}]})
    assert content["results"] == [strict(report.to_dict()) for report in reports]
    rows = comparison_rows(reports)
    assert [row["algorithm"] for row in rows] == [report.trace.algorithm_spec for report in reports]
    assert [row["verdict"] for row in rows] == [report.verdict.value for report in reports]


def test_a_rate_is_given_a_product():
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    report = mg.verify(mg.solve(game, mg.Extragradient(), until=1e-10))
    row = comparison_rows([report])[0]
    assert float(row["rate a product"]) == pytest.approx(report.claim("rate").measured ** 0.5, abs=1e-6)
    assert float(row["predicted"]) == pytest.approx(report.prediction.rate**0.5, abs=1e-6)
    plateau = mg.verify(mg.solve(game, mg.MagneticMirrorDescent(), steps=300))
    assert comparison_rows([plateau])[0]["predicted"] == ""  # theory speaks of the distance to the regularised equilibrium there


def places(document, path=()):
    """Every object in a document, by the way to it; of a list the first entry stands for all, and of names given by users there is none."""
    if isinstance(document, dict):
        yield path
        for key, value in document.items():
            yield from places(value, (*path, key))
    elif isinstance(document, list) and document:
        yield from places(document[0], (*path, 0))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def test_a_field_that_goes_or_comes_or_is_renamed_is_caught(report):
    content = strict(report.to_dict())
    found = list(places(content))
    assert {(), ("game",), ("gap",), ("claims", 0), ("convergence",), ("prediction",), ("prediction", "modes", 0), ("reference",), ("made_with",)} <= set(found)
    for path in found:
        for key in at(content, path):
            gone, renamed = copy.deepcopy(content), copy.deepcopy(content)
            del at(gone, path)[key]
            at(renamed, path)[f"{key}_"] = at(renamed, path).pop(key)
            assert not VALIDATOR.is_valid(gone), (path, key)
            assert not VALIDATOR.is_valid(renamed), (path, key)
        more = copy.deepcopy(content)
        at(more, path)["more"] = 1
        assert not VALIDATOR.is_valid(more), path


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "does not apply"),
        (("steps",), 1.5),
        (("tolerance",), 0),
        (("policy",), None),
        (("policy", 0), "0.5"),
        (("policy", 0), -0.5),
        (("played",), []),
        (("gap", "last"), None),
        (("claims",), []),
        (("claims", 0, "question"), "Why?"),
        (("claims", 0, "measured"), "1"),
        (("claims", 0, "interval"), [0.5]),
        (("claims", 0, "hard"), 1),
        (("convergence", "kind"), "flat"),
        (("convergence", "window"), [0.5, 2]),
        (("prediction", "kind"), "quadratic"),
        (("prediction", "schema"), "mmd_games.prediction/0"),
        (("reference", "schema"), "mmd_games.nash/1"),
        (("game", "blocks"), []),
    ],
)
def test_a_value_of_another_kind_is_caught(report, path, value):
    content = strict(report.to_dict())
    at(content, path[:-1])[path[-1]] = value
    assert not VALIDATOR.is_valid(content)


def test_a_proof_is_by_the_schema_too():
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/nash", "$defs": json_schema()["$defs"]})
    for game in (mg.games.rock_paper_scissors(), mg.games.cycle(n=4), mg.MatrixGame([[2, -1, 5], [-3, 1, 5], [-4, -4, 0]])):
        content = strict(mg.nash(game, method="exact").to_dict())
        validator.validate(content)
        for key in content["proof"]:
            without = {name: value for name, value in content["proof"].items() if name != key}
            assert not validator.is_valid({**content, "proof": without}), key
        for change in (
            {"more": 1},
            {"value": 0.5},
            {"value": "1/0"},
            {"value": "0.5"},
            {"policies": [["1/2", 0.5]]},
            {"policies": []},
            {"slacks": None},
            {"another": [["x"]]},
            {"unique": "yes"},
            {"strictly_complementary": None},
            {"support": [-1]},
        ):
            assert not validator.is_valid({**content, "proof": {**content["proof"], **change}}), change


def test_the_schemas_are_schemas():
    for name in ("report", "compare"):
        jsonschema.Draft202012Validator.check_schema(json_schema(name))
    with pytest.raises(mg.InputError, match="compare"):
        json_schema("comparison")


def with_claims(report, *claims):
    """The report with other claims."""
    return mg.Report(report.trace, SimpleNamespace(**{**vars(report.judgement), "claims": claims}), report.notes, report.reproduce)


MADE_UP = (
    Claim("late", "It is proved", 0.5, None, Verdict.REFUTED, "no.", question=Question.PROVED, assumed=("A is so.", "B is so.")),
    Claim(
        "silent_one",
        "It says nothing of (this) run: share of it (of the (1 + x) bound: all)",
        None,
        None,
        Verdict.NOT_APPLICABLE,
        "long " * 60,
        question=Question.CONVERGED,
    ),
    Claim("early", "It converged", 0.999999, 1234567.0, Verdict.CONFIRMED, "yes.", (0.25, 0.75), question=Question.CONVERGED, assumed=("B is so.",)),
    Claim("infinite", "It is far away", None, float("inf"), Verdict.INCONCLUSIVE, "who knows.", (0.0, float("inf")), question=Question.CONVERGED),
)


def test_claims_stand_under_their_questions_in_the_order_of_a_reader(report):
    text = str(with_claims(report, *MADE_UP))
    body, _, rest = text.partition("\n\n")[2].partition("\n\n")[2].partition("\n\nTo make this report again")[0].partition("\n\nDoes not apply\n")
    assert body.splitlines() == [
        "Did it converge?",
        "  [confirmed] It converged",
        "      predicted 1 − 1e-06 | measured 1.23457e+06 | 95% interval 0.25 to 0.75 | yes. | assumes (1)",
        "  [inconclusive] It is far away",
        "      measured inf | 95% interval 0 to inf | who knows.",
        "",
        "Proved?",
        "  [refuted] It is proved",
        "      predicted 0.5 | no. | assumes (1), (2)",
        "",
        "Assumed",
        "  (1) B is so.",
        "  (2) A is so.",
    ]
    # What does not apply comes after it, by what it would have claimed; then the words that a report speaks of.
    lines = rest.partition("\n\nWords\n")[0].splitlines()
    assert lines[0].startswith("  It says nothing of (this) run: long long ")
    assert all(line.startswith("      long ") and len(line) <= 118 for line in lines[1:])
    assert sum(line.count("long") for line in lines) == 60
    assert [line.split()[0] for line in rest.partition("\n\nWords\n")[2].splitlines() if line[2] != " "] == ["product", "refresh", "stage"]


def test_numbers_that_are_not_finite_are_null(report):
    content = with_claims(report, *MADE_UP).to_dict()
    assert strict(content) == content
    VALIDATOR.validate(content)
    assert content["claims"][3]["measured"] is None
    assert content["claims"][3]["interval"] == [0.0, None]


def test_numbers_near_one_keep_their_digits():
    assert [number(value) for value in (0.99995614, 1.0000001, 1 / 3, -0.99999999, 123456789.0, 0.0)] == [
        "0.99995614",
        "1 + 1e-07",
        "0.333333",
        "-0.99999999",
        "1.23457e+08",
        "0",
    ]


def test_where_the_run_began_is_said():
    game = mg.games.rock_paper_scissors()
    for start, words in ((None, "uniform"), ([0.5, 0.25, 0.25], "rock: 0.5000, "), ([1.0, 0, 0], "rock: 1.0000")):
        report = mg.verify(mg.solve(game, start=start, steps=10))
        line = next(line for line in str(report).splitlines() if line.startswith("  start "))
        assert line.split(maxsplit=1)[1].startswith(words)
        assert report.to_dict()["start"] in line
    late = mg.Trace.from_policies(game, np.log(np.full((3, 3), 1 / 3)), [5, 6, 7])
    assert "the first policy is that of step 5" in str(mg.verify(late))


@pytest.mark.parametrize("start", [None, [0.5, 0.2, 0.3]])
@pytest.mark.parametrize("feedback", [mg.Exact(), mg.Sampled(opponents=4, seed=3)])
def test_the_lines_of_python_make_the_report_and_the_run_again(tmp_path, monkeypatch, capsys, start, feedback):
    report = mg.verify(mg.solve(mg.games.rock_paper_scissors(), start=start, steps=60, feedback=feedback), tolerance=1 / 3e5)
    monkeypatch.chdir(report.save(tmp_path))
    block = str(report).partition("To make this report again\n")[2].splitlines()[:-1]
    names = {}
    exec("\n".join(line.removeprefix("  ") for line in block), names)
    assert capsys.readouterr().out == f"{report}\n"
    # The start is kept as logarithms, so 60 steps may differ in rounding: at most 60 times some units of the last place.
    np.testing.assert_allclose(names["again"].policy, report.trace.policy, rtol=1e-12)
    assert names["again"].steps == report.trace.steps


def test_a_run_from_elsewhere_is_judged_again_but_not_run(report):
    found = mg.verify(mg.Trace.from_policies(report.trace.game, report.trace.log_policies))
    assert "mg.verify(trace" in str(found)
    assert "mg.solve" not in str(found)


def test_a_command_is_broken_where_a_shell_reads_on(report):
    command = "mmd-games verify 'my table.csv' --algorithm " + "x" * 60 + " --steps 10 --start 'a b.txt' --feedback sampled:opponents=4 --payoffs"
    text = str(mg.Report(report.trace, report.judgement, (), command))
    lines = text.partition("To make this report again\n")[2].splitlines()[:-1]
    assert len(lines) > 1
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert max(map(len, lines)) <= 118
    assert " ".join(line.removesuffix("\\").strip() for line in lines) == command
    assert mg.Report(report.trace, report.judgement, (), command).to_dict()["reproduce"] == command


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\x1b[2J\nb\u202ec\x00\udcff\u2028\ufffe\x85") == "a\\x1b[2J\\nb\\u202ec\\x00\\udcff\\u2028\\ufffe\\x85"
    assert visible("π ≤ שלום 日本語 é 👩\u200d🔬 \xa0") == "π ≤ שלום 日本語 é 👩\u200d🔬 \xa0"
    assert [brief("abcdef", most) for most in (7, 6, 5, 1)] == ["abcdef", "abcdef", "abcd…", "…"]
    assert brief("\n" * 10, 4) == "\\n\\…"


def test_names_cannot_break_the_lines_of_a_report():
    game = mg.PreferenceGame(np.full((2, 2), 0.5), labels=["a\nCONFIRMED: yes", "\x1b[31mred"], name="x\r\ny")
    text = str(mg.verify(mg.solve(game, steps=20)))
    assert all(character == "\n" or character.isprintable() for character in text)
    assert not any(line.startswith("CONFIRMED") for line in text.splitlines())
    assert "a\\nCONFIRMED: yes" in text


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
    print_table("a\x1b[2J", [{"name": "b\x1b[2J\n"}])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "b\\x1b[2J\\n" in out
    print_table("nothing", [])
    assert capsys.readouterr().out == ""


def test_long_words_are_folded_and_never_cut(capsys):
    word = "".join(f"{number:04d}" for number in range(100))
    print_table("", [{"a": word, "b": "x"}])
    assert "".join(line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if "│" in line) == word


def test_defaults_are_listed_as_they_are_typed():
    rows = listing_rows([{"name": "x", "aliases": ["y"], "keys": {"wins": (0.9, 0.8), "flag": True, "open": None}, "description": "d"}])
    assert rows == [{"name": "x, y", "keys": "wins=0.9/0.8, flag=true, open", "what it is": "d"}]
