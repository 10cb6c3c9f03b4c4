"""The page: valid HTML that needs nothing else, with everything in it, whatever things are called."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import html5lib
import numpy as np
import pytest

import mmd_games as mg
from mmd_games import plots
from mmd_games import report as report_package
from mmd_games.report import comparison_html
from mmd_games.report.contents import facts, number, predicted_slope
from mmd_games.verification import Question, Verdict
from mmd_games.verification.predicted import RatePrediction, predict_rate
from mmd_games.words import brief

ASYMMETRIC = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))


def with_prediction(report, prediction):
    """The same report, as if the judge had asked theory."""
    return mg.Report(report.trace, SimpleNamespace(**{**vars(report.judgement), "prediction": prediction}), report.notes, report.reproduce)


@pytest.fixture(scope="module")
def confirmed():
    report = mg.verify(mg.solve(ASYMMETRIC, until=1e-9), reproduce="mmd-games verify 'my table.csv' --steps 100000")
    return with_prediction(report, predict_rate(ASYMMETRIC, report.trace.algorithm))


@pytest.fixture(scope="module")
def reports(confirmed):
    labelled = mg.MatrixGame([[3, -1, 0], [0, 2, 1]], ["up", "down"], ["x", "y", "z"])
    two = mg.verify(mg.solve(labelled, steps=200))
    ties = mg.verify(mg.solve(mg.PreferenceGame(np.full((2, 2), 0.5)), steps=20))
    policies = np.log([[0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.4, 0.35, 0.25], [0.37, 0.36, 0.27]])
    elsewhere = mg.verify(mg.Trace.from_policies(ASYMMETRIC, policies))
    many = mg.verify(mg.solve(mg.games.low_rank(n=12_000, dimensions=4), steps=4, record=mg.Record(gaps=4, policies=4)))
    declined = RatePrediction("a game", "an algorithm", declined="theory is silent on it.")
    return [confirmed, with_prediction(two, predict_rate(labelled, two.trace.algorithm)), ties, with_prediction(elsewhere, declined), many]


@pytest.fixture(scope="module")
def pages(reports):
    """Each report with its page as a tree."""
    return [(report, parsed(report.to_html())) for report in reports]


@pytest.fixture(scope="module")
def comparisons(reports):
    """Several reports on one page: on one game, on several, and of one run alone."""
    return [(chosen, parsed(comparison_html(chosen))) for chosen in ([reports[0], reports[3]], reports[:4], [reports[4]])]


def parsed(page):
    """The page as a tree; the parser refuses anything that is no valid HTML."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def pictures(tree):
    """The figures of a page, as text."""
    prefix = "data:image/svg+xml;base64,"
    sources = [image.get("src") for image in tree.iter("img")]
    assert all(source.startswith(prefix) for source in sources)
    return [base64.b64decode(source.removeprefix(prefix), validate=True).decode("utf-8") for source in sources]


def text_of(tree):
    return " ".join("".join(tree.itertext()).split())


def test_pages_are_valid_and_need_nothing_else(pages, comparisons):
    for _, tree in pages + comparisons:
        tags = {element.tag for element in tree.iter() if isinstance(element.tag, str)}
        assert not tags & {"link", "iframe", "object", "embed", "base", "form", "svg", "video", "audio", "source"}
        for element in tree.iter():
            for name, value in element.attrib.items():
                assert not name.startswith("on"), name
                assert name not in ("href", "srcset", "action", "background", "data"), name
                assert not re.match(r"\s*(https?:|//|javascript:)", value), value
        style = "".join(element.text for element in tree.iter("style"))
        assert "url(" not in style
        assert "@import" not in style
        (script,) = tree.iter("script")
        assert script.attrib == {}
        assert not re.search(r"\b(eval|Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|fetch|XMLHttpRequest|import)\b", script.text)
        allowed = base64.b64encode(hashlib.sha256(script.text.encode("utf-8")).digest()).decode("ascii")
        policy = next(meta.get("content") for meta in tree.iter("meta") if meta.get("http-equiv") == "Content-Security-Policy")
        assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"


def test_figures_are_pictures_that_load_nothing(pages):
    for report, tree in pages:
        game = report.trace.game
        found = pictures(tree)
        assert len(found) == (2 if isinstance(game, mg.LowRankGame) else 3)
        for picture in found:
            root = ET.fromstring(picture)
            assert root.tag == "{http://www.w3.org/2000/svg}svg"
            for element in root.iter():
                assert not element.tag.endswith("}script")
                for name, value in element.attrib.items():
                    if name.endswith("href"):
                        assert value.startswith(("#", "data:image/png;base64,")), value


def test_pages_can_be_read_by_all(pages, comparisons):
    assert pages[0][1].findtext("head/title").strip() == f"confirmed: {ASYMMETRIC.name}"
    assert comparisons[0][1].findtext("head/title").strip() == f"comparison: {ASYMMETRIC.name}"
    for _, tree in pages + comparisons:
        can_be_read(tree)


def can_be_read(tree):
    assert tree.get("lang") == "en"
    assert all(len(image.get("alt")) > 30 for image in tree.iter("img"))
    assert all(header.get("scope") in ("col", "row", "rowgroup") for header in tree.iter("th"))
    assert all(table.find("caption") is not None for table in tree.iter("table"))
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    assert {element.get("aria-labelledby") for element in tree.iter("section")} <= set(ids)
    levels = [int(element.tag[1]) for element in tree.iter() if element.tag in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in zip(levels, levels[1:], strict=False))
    style = "".join(element.text for element in tree.iter("style"))
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def luminance(colour):
    """Relative luminance, as WCAG 2.1 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_words_stand_out_in_light_dark_and_print(pages):
    style = "".join(element.text for element in pages[0][1].iter("style"))
    schemes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{([^}]*)\}", style)]
    assert len(schemes) == 3
    for colours in schemes:
        for ink in ("text", "soft", "good", "bad", "open"):
            for paper in ("back", "band"):
                light, dark = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper, colours)  # WCAG 2.1, level AA


def test_the_page_says_what_the_report_says(pages):
    for report, tree in pages:
        text = text_of(tree)
        assert text_of(tree.find("body/header")) == f"{report.verdict.value.upper()}: {report.headline.sentence}"
        rows = [[text_of(cell) for cell in row] for table in tree.iter("table") for row in table.iter("tr")]
        order = [row[0] for row in rows if len(row) == 1]
        assert order == [question.value for question in Question if question.value in order]
        for claim in report.claims:
            assert claim.statement in text
            assert claim.detail in text
            if claim.verdict is not Verdict.NOT_APPLICABLE:
                row = next(row for row in rows if row[0].startswith(claim.statement))
                assert row[1] == claim.verdict.value
                assert row[2] == ("" if claim.predicted is None else number(claim.predicted))
                assert row[3] == ("" if claim.measured is None else number(claim.measured))
                assert row[4] == ("" if claim.interval is None else " to ".join(map(number, claim.interval)))
            for sentence in claim.assumed:
                assert sentence in text
        assert report.trace.algorithm_spec in text
        assert report.reference.selection in text


def test_a_comparison_says_what_its_reports_say(comparisons):
    for chosen, tree in comparisons:
        text = text_of(tree)
        rows = [[text_of(cell) for cell in row] for row in next(tree.iter("table")).iter("tr")][1:]
        assert len(rows) == len(chosen)
        for report, row in zip(chosen, rows, strict=True):
            assert row[1:4] == [report.verdict.value, f"{int(report.trace.products[-1]):,}", f"{report.trace.gap:.2e}"]
            assert report.headline.sentence in text
            assert all(f"{name}{fact}" in text.replace(" ", "") for name, fact in ((name, fact.replace(" ", "")) for name, fact in facts(report)))
        names = [row[0] for row in rows]
        assert len(set(names)) == len(names)
        read = json.loads(next(tree.iter("figure")).get("data-curves"))["lines"]
        assert {line["name"] for line in read} <= {brief(f"{what}{name}", 80) for name in names for what in ("", "average of ")}
    first, several, alone = (text_of(tree.find("body/header")) for _, tree in comparisons)
    assert first.startswith(f"{ASYMMETRIC.name}, 2 runs: 1 confirmed, 1 ")
    assert several.startswith("3 games, 4 runs: 1 confirmed, ")
    assert alone.endswith(", 1 run: 1 inconclusive")
    shared = text_of(comparisons[0][1].find(".//section[@aria-labelledby='compared']"))
    assert ASYMMETRIC.describe() in shared and "algorithm" not in shared  # what all runs share stands once, above them
    assert text_of(comparisons[0][1]).count(ASYMMETRIC.describe()) == 1
    assert 'mg.Trace.load("trace-2.npz")' in text_of(comparisons[0][1])
    assert "mmd-games verify 'my table.csv' --steps 100000" in text_of(comparisons[0][1])


def test_curves_stand_beside_their_figures(pages):
    for report, tree in pages:
        told = [json.loads(figure.get("data-curves")) for figure in tree.iter("figure") if figure.get("data-curves")]
        lines = [line for of in told for line in of["lines"]]
        assert len(told) == (1 if report.trace.game.blocks == (3,) else 2) or report.trace.steps < 2 or np.all(report.trace.gaps == 0)
        for line in lines:
            counts = {len(line["along"]), len(line["across"]), len(line["keys"].split("\n")), len(line["values"].split("\n"))}
            assert len(counts) == 1
            assert all(0 <= place <= 1 for place in line["along"] + line["across"])
            assert re.fullmatch("#[0-9a-f]{6}", line["colour"])


def test_where_there_are_several_equilibria_the_nearest_stands_beside_the_reference(pages):
    """Blotto has a set of them: the run goes to another one than the reference, and the page says so."""
    blotto = mg.verify(mg.solve(mg.games.blotto(soldiers=5, fields=3), until=1e-9))
    assert not blotto.prediction.unique
    tree = parsed(blotto.to_html())
    table = next(table for table in tree.iter("table") if "likeliest actions" in text_of(table.find("caption")))
    assert "The game has several equilibria: the reference is one of them, and beside it stands the one nearest" in text_of(table.find("caption"))
    head, *rows = [[text_of(cell) for cell in row] for row in table.iter("tr")]
    assert head == ["action", "last iterate", "reference", "nearest equilibrium", "slack"]
    names = {name: place for place, name in enumerate(blotto.trace.game.labels[0])}
    assert len(rows) == 9
    for name, mine, reference, nearest, _ in rows:
        place = names[name]
        assert float(mine) == pytest.approx(blotto.trace.policy[place], abs=1e-6)
        assert float(reference) == pytest.approx(blotto.reference.policy[place], abs=1e-6)
        assert float(nearest) == pytest.approx(float(mine), abs=2e-6)  # which is what the claim of the distance says
    assert max(abs(float(row[1]) - float(row[2])) for row in rows) > 0.01
    # One equilibrium needs no such words, and where nothing is predicted they are put with care.
    captions = [" ".join(text_of(table.find("caption")) for table in page.iter("table")) for _, page in pages]
    unique, declined = captions[0], captions[3]
    assert "several equilibria" not in unique
    assert "Where the game has several equilibria, the reference is one of them" in declined
    assert all("nearest equilibrium" not in text_of(page) for _, page in pages)


def test_words_are_explained_once(pages):
    for _, tree in pages:
        text = text_of(tree)
        for word in ("payoffs of all actions against one policy", "the steps from one refresh to the next"):
            assert text.count(word) == 1


def test_modes_and_actions_of_the_prediction_are_listed(pages):
    for report, tree in pages:
        text, prediction = text_of(tree), report.prediction
        if prediction.declined:
            assert f"nothing: {prediction.declined}" in text
        else:
            for part in (*prediction.modes, *prediction.actions):
                assert number(part.factor if part in prediction.modes else part.drift) in text
            assert number(prediction.rate) in text
            assert all(sentence in text for sentence in prediction.assumptions)


def test_the_predicted_slope_is_drawn_in_the_window(confirmed, monkeypatch):
    drawn, plot = [], plots.plot_gaps
    monkeypatch.setattr(plots, "plot_gaps", lambda *given, **options: drawn.append(plot(*given, **options)) or drawn[-1])
    confirmed.to_html()
    line = next(line for line in drawn[0].lines if line.get_label() == "predicted")
    (x0, x1), (y0, y1) = line.get_data()
    window = confirmed.convergence.window
    assert window[0] <= x0 < x1 <= window[1]
    assert np.log(y1 / y0) == pytest.approx((x1 - x0) * np.log(confirmed.prediction.rate), rel=1e-12)


def test_a_prediction_of_another_gap_is_not_drawn(confirmed):
    # With a fixed magnet theory speaks of the distance to a regularised equilibrium, where the game's own gap stands still.
    assert predicted_slope(with_prediction(confirmed, predict_rate(ASYMMETRIC, mg.MagneticMirrorDescent()))) is None
    assert predicted_slope(with_prediction(confirmed, RatePrediction("a", "b", declined="no."))) is None


def test_the_page_is_the_same_each_time(confirmed):
    page = confirmed.to_html()
    assert page == confirmed.to_html()
    assert not re.search(r"20\d\d-\d\d-\d\d", "".join(pictures(parsed(page))))  # no day


# What a game may be called, and what is shown of it.
HOSTILE = {
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    '"onload="alert(1)" x=\'': '"onload="alert(1)" x=\'',
    "a & b &amp; &lt;&#x3c;": "a & b &amp; &lt;&#x3c;",
    "\u202egnp.exe \u2066x": "\\u202egnp.exe \\u2066x",
    "שלום עולם": "שלום עולם",
    "line\nbreak\r\ttab": "line\\nbreak\\r\\ttab",
    "\x1b[2J\x00\x07 \udcff \uffff": "\\x1b[2J\\x00\\x07 \\udcff \\uffff",
    "日本語 $x$ {{ 7 * 7 }} {% raw %}": "日本語 $x$ {{ 7 * 7 }} {% raw %}",
    "]]> --> <!-- </style></title></pre></textarea>": "]]> --> <!-- </style></title></pre></textarea>",
    "w" * 3000: "w" * 3000,
}


def skeleton(tree):
    """Elements and attributes, without what users may call things."""
    return [(element.tag, sorted(name for name in element.attrib)) for element in tree.iter()]


def named(name):
    """A judged run in which everything that a user can name is called so."""
    game = mg.PreferenceGame(ASYMMETRIC.preference, labels=[f"{name}{i}" for i in range(3)], name=name)
    game.notes = (name,)
    policies = np.log([[0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.4, 0.35, 0.25]])
    trace = mg.Trace.from_policies(game, policies, name=name)
    report = mg.Report(trace, mg.verify(trace).judgement, (name,), "")
    algorithm = mg.MagneticPreferenceOptimization()
    return with_prediction(report, predict_rate(game, algorithm))


@pytest.fixture(scope="module")
def harmless():
    return skeleton(parsed(named("plain").to_html()))


@pytest.mark.parametrize(("name", "shown"), HOSTILE.items(), ids=lambda name: ascii(name[:12]))
def test_names_are_shown_and_never_read(name, shown, harmless):
    report = named(name)
    page = report.to_html()
    page.encode("utf-8")
    tree = parsed(page)
    assert skeleton(tree) == harmless
    text = "".join(tree.itertext())
    for place in ("", "0", "2"):  # the name of the game, and those of its actions
        assert shown + place in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff\uffff]", text)
    for picture in pictures(tree):
        ET.fromstring(picture)
        assert len(picture) < 2_000_000
    assert all(character == "\n" or character.isprintable() for character in str(report))


def test_a_long_run_stays_a_small_page():
    steps = np.arange(30_000)
    policies = np.array([4, 3, 4]) / 11 + 0.1 * np.cos(steps)[:, None] * 0.999 ** steps[:, None] * np.array([1.0, -0.5, -0.5])
    page = mg.verify(mg.Trace.from_policies(ASYMMETRIC, np.log(policies)), tolerance=1e-6).to_html()
    assert len(page) < 1_000_000


def test_the_script_of_a_page_is_the_file_to_the_letter(pages):
    script = (Path(report_package.__file__).parent / "page.js").read_text(encoding="utf-8")
    for _, tree in pages:
        assert [element.text.strip() for element in tree.iter("script")] == [script.strip()]
