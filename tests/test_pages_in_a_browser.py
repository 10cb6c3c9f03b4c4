"""The pages as people meet them: in headless Chromium, opened from a file, offline, whatever things are called."""

from __future__ import annotations

import contextlib
import os
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, expect, sync_playwright

from mmd_games.digits import number
from mmd_games.report import save_comparison
from mmd_games.words import visible

from . import browser_pages
from .browser_pages import ARGUMENTS, BROWSER, HOSTILE, KINDS, LOOKS, PHONE, column, fits, natural, picture_of, reading, reading_of, sorts, written
from .test_curves import paths_of


@pytest.fixture(scope="module")
def browser():
    if not BROWSER or os.environ.get("BROWSER") == "no":
        pytest.skip("no Chromium here (Debian: apt-get install chromium): the pages were not looked at in a browser")
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        except Error as error:
            pytest.fail(f"{BROWSER} does not start (BROWSER=no leaves these tests out): {str(error).splitlines()[0]}", pytrace=False)
        yield running
        running.close()


@pytest.fixture(scope="module")
def said():
    return browser_pages.ordinary()


@pytest.fixture(scope="module")
def hostile():
    return browser_pages.hostile()


@pytest.fixture(scope="module")
def pages(said, tmp_path_factory):
    return written(said, tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def hostile_pages(hostile, tmp_path_factory):
    return written(hostile, tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def opened(browser):
    """A page opened from its file, in a context of its own; at the end nothing was asked of the network, and no message, error or dialog came up."""
    with contextlib.ExitStack() as stack:

        def open_page(path, **options):
            context = stack.enter_context(browser.new_context(offline=True, **options))
            page = context.new_page()
            page.set_default_timeout(15_000)
            heard, asked = [], []
            page.on("console", lambda message: heard.append(message.text))
            page.on("pageerror", lambda error: heard.append(str(error)))
            page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
            context.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            stack.callback(lambda: check(heard, asked, path))
            return page

        def check(heard, asked, path):
            assert heard == []
            assert [url for url in asked if not url.startswith("data:image/svg+xml;base64,")] == [path.as_uri()]

        yield open_page


# Curves


@pytest.mark.parametrize("look", LOOKS)
def test_pointing_at_a_point_tells_the_numbers_of_the_trace(said, pages, opened, look):
    page = opened(pages["compare"], **LOOKS[look])
    traces = [report.trace for report in said["compare"]]
    plot, marks = page.locator(".plot").first, page.locator(".mark")
    expect(page.locator(".rule").first).to_be_hidden()
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    path = paths_of(picture_of(page), "#0072b2")[0]  # where matplotlib drew the first run, which has a point for each product
    for products in (0, 1, 17, 40) if look == "phone" else (0, 1, 17, 55, 99, 100):
        position = {"x": path[products, 0] * box["width"], "y": path[products, 1] * box["height"]}
        plot.tap(position=position) if look == "phone" else plot.hover(position=position)
        assert reading(page) == reading_of(traces, ("mpo", "omwu", "mmd"), products)
        mark = marks.first.bounding_box()
        middle = np.array([mark["x"] + mark["width"] / 2 - box["x"], mark["y"] + mark["height"] / 2 - box["y"]])
        np.testing.assert_allclose(middle, [position["x"], position["y"]], atol=1.0)
        rule = page.locator(".rule").first.bounding_box()
        assert abs(rule["x"] - box["x"] - position["x"]) < 1.5
        assert page.locator(".readout").first.get_attribute("aria-live") == "polite"


def test_the_keyboard_walks_along_the_curves(said, pages, opened):
    page = opened(pages["compare"])
    traces, names = [report.trace for report in said["compare"]], ("mpo", "omwu", "mmd")
    seen = set()
    for _ in range(40):  # every control can be reached
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.className"))
    assert {"scroll", "slider", "sort"} <= seen
    slider = page.get_by_label("Read the curves").first
    slider.focus()
    for key, products in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 100), ("ArrowLeft", 99), ("Home", 0)):
        page.keyboard.press(key)
        assert reading(page) == reading_of(traces, names, products)
        assert slider.get_attribute("aria-valuetext") == f"products: {products}"
    page.keyboard.press("Escape")
    expect(page.locator(".rule").first).to_be_hidden()
    assert page.locator(".readout").first.inner_text().startswith("Point at the figure")


def test_on_a_phone_the_rule_stays_in_view(pages, opened):
    page = opened(pages["compare"], **PHONE)
    page.get_by_label("Read the curves").first.focus()
    page.keyboard.press("End")
    rule = page.locator(".rule").first.bounding_box()
    assert 0 < rule["x"] < 360


def test_a_long_run_and_a_lottery_tell_their_numbers(said, pages, opened):
    page, trace = opened(pages["report"]), said["report"].trace
    plot = page.locator(".plot").first
    box = plot.bounding_box()
    for share in np.linspace(0.15, 0.95, 9):
        plot.hover(position={"x": share * box["width"], "y": 100})
        place, values = reading(page)
        assert (place, values) == reading_of([trace], ["mpo"], int(place.removeprefix("products: ").replace(",", "")))
    page, rows = opened(pages["rank"]), said["rank"].to_dict()["ranking"]
    page.locator(".slider").focus()
    for row in rows[1:]:
        page.keyboard.press("ArrowRight")
        place, values = reading(page)
        assert (place, float(values["probability"])) == (row["name"], pytest.approx(row["probability"], abs=1e-6, rel=1e-5))
        assert values["interval"] == " to ".join(number(end) if end != round(end) else f"{end:.0f}" for end in row["interval"])


# Tables


def test_a_ranking_is_sorted_as_python_sorts_its_data(said, pages, opened):
    page, rows = opened(pages["rank"]), said["rank"].to_dict()["ranking"]
    names = [row["name"] for row in rows]
    assert names != sorted(names, key=natural)
    sorts(page, "name", names, [natural(name) for name in names])
    for key in ("place", "probability", "in_support", "earns", "elo", "borda", "copeland"):
        head = {"probability": "lottery", "in_support": "in support"}.get(key, key)
        sorts(page, head, names, [row[key] for row in rows])
    sorts(page, "interval", names, [row["interval"][0] for row in rows])


def test_a_comparison_is_sorted_and_what_is_empty_stands_last(said, pages, opened):
    page, reports, names = opened(pages["compare"]), said["compare"], ["mpo", "omwu", "mmd"]
    sorts(page, "last gap", names, [report.trace.gap for report in reports])
    sorts(page, "products", names, [report.trace.products[-1] for report in reports])
    sorts(page, "verdict", names, [report.verdict.value for report in reports])
    predicted = column(page, 7)
    assert "" in predicted and predicted != ["", "", ""]
    sorts(page, "predicted", names, [float(text) if text else None for text in predicted])


def test_policies_are_sorted_by_what_is_behind_the_digits(said, pages, opened):
    page, trace, reference = opened(pages["report"]), said["report"].trace, said["report"].reference
    names = column(page, 1, "section[aria-labelledby=policy] table")
    places = [trace.game.labels[0].index(name) for name in names]
    sorts(page, "last iterate", names, trace.policy[places], "section[aria-labelledby=policy] table")
    sorts(page, "slack", names, reference.slack[places], "section[aria-labelledby=policy] table")


def test_numbers_in_every_spelling_and_the_keyboard(said, pages, opened):
    page, rows = opened(pages["rank"]), said["rank"].to_dict()["ranking"]
    names = [row["name"] for row in rows]
    spelled = ["1e-10", "-inf", "", "nan", "inf", "12.3", "-5", "1e300", "0", "12.3", "inf", "0.5"]
    page.locator("table tbody tr").evaluate_all("(rows, values) => rows.forEach((row, i) => { row.cells[2].dataset.value = values[i] })", spelled)
    sorts(page, "lottery", names, [None if text in ("", "nan") else float(text) for text in spelled])
    page.get_by_role("button", name="lottery").focus()
    for key, order in (("Enter", "ascending"), (" ", "descending"), ("Enter", None)):
        page.keyboard.press(key)
        assert page.locator("th", has=page.get_by_role("button", name="lottery")).get_attribute("aria-sort") == order
    assert column(page, 2) == names


# Every page, every reader


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(pages, opened, kind, look):
    page = opened(pages[kind], **LOOKS[look])
    if look != "dark":  # there the hint is looked at, elsewhere the numbers
        page.locator(".slider").first.focus()
        page.keyboard.press("ArrowRight")
        page.locator(".sort").first.click()
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_shows_all_of_it(pages, opened, kind):
    page = opened(pages[kind], **PHONE)
    fits(page)
    for button in page.locator(".sort, .slider").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 24
    for image in page.locator("figure img").all():
        assert image.bounding_box()["width"] >= 500  # in a frame that scrolls; its letters would be too small to read
    for frame in page.locator(".scroll").all():
        assert (frame.get_attribute("tabindex"), frame.get_attribute("role")) == ("0", "region")
        label = page.locator(f"[id='{frame.get_attribute('aria-labelledby')}']")
        assert len(label.text_content()) > 15


@pytest.mark.parametrize("kind", KINDS)
def test_print_has_all_of_it_on_white_and_no_controls(pages, opened, kind):
    shown = opened(pages[kind], java_script_enabled=False).locator("main").inner_text()
    page = opened(pages[kind], viewport={"width": 700, "height": 900}, color_scheme="dark")
    page.locator(".slider").first.focus()
    page.keyboard.press("ArrowRight")
    page.emulate_media(media="print")
    for control in page.locator(".controls, .readout, .rule, .mark").all():
        expect(control).to_be_hidden()
    assert page.locator(".sort").first.evaluate("button => getComputedStyle(button, '::after').content") == "none"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert set(page.locator(".scroll").evaluate_all("frames => frames.map((frame) => getComputedStyle(frame).overflowX)")) == {"visible"}
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    page.locator(".controls, .readout").evaluate_all("made => made.forEach((element) => element.remove())")
    assert page.locator("main").inner_text().split() == shown.split()
    document = page.pdf(format="A4")
    assert document.startswith(b"%PDF")
    assert len(re.findall(rb"/Type ?/Page\b", document)) >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_without_scripts_all_of_it_is_there(pages, opened, kind):
    plain = opened(pages[kind], java_script_enabled=False)
    assert plain.locator("button, input, [aria-live]").count() == 0
    page = opened(pages[kind])
    assert page.locator("button, input, [aria-live]").count() > 2
    page.locator(".controls, .readout").evaluate_all("made => made.forEach((element) => element.remove())")
    assert "".join(plain.locator("body").text_content().split()) == "".join(page.locator("body").text_content().split())


# What was made to do harm


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_shown_and_do_nothing(hostile_pages, opened, kind):
    page = opened(hostile_pages[kind], **PHONE)
    page.wait_for_timeout(100)
    fits(page)
    text = page.locator("body").inner_text()
    for name in [name[:900] for name in HOSTILE]:
        assert visible(name) in text, name
        assert name in text or re.search("[\x00-\x1f\u2028-\u202e]", name)
    head = page.locator("th button").nth(1)
    before = column(page, 1)
    for _ in range(3):
        head.click()
        assert sorted(column(page, 1)) == sorted(before)
    assert column(page, 1) == before
    page.locator(".slider").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".readout li").count() >= 2
    if kind == "compare":
        names = page.locator(".readout").first.locator("li bdi").all_inner_texts()
        assert names[0] == HOSTILE[0]
        assert "average of __proto__" in names
    fits(page)
    assert page.evaluate("typeof window.pwned") == "undefined"
    assert (page.locator("script").count(), page.locator("[onerror], [src='x']").count()) == (1, 0)
    assert Axe().run(page).response["violations"] == []


def test_the_policy_stops_what_would_slip_through(pages, browser, tmp_path):
    """A second lock: were something once printed without being escaped, browsers would not run it."""
    broken = tmp_path / "broken.html"
    slipped = "<script>window.pwned=1</script><img src=x onerror='window.pwned=2'><iframe src='https://example.org'></iframe><img src='https://example.org/x'>"
    broken.write_text(pages["rank"].read_text(encoding="utf-8").replace("<main>", f"<main>{slipped}"), encoding="utf-8")
    with browser.new_context(offline=True) as context:
        page, heard = context.new_page(), []
        page.on("console", lambda message: heard.append(message.text))
        page.goto(broken.as_uri())
        page.wait_for_timeout(100)
        assert page.evaluate("typeof window.pwned") == "undefined"
        assert sum("Content Security Policy" in text for text in heard) >= 4
        page.locator(".sort").first.click()  # and the page's own script runs
        assert page.locator("[aria-sort]").count() == 1


def test_a_comparison_is_saved_as_a_page(said, pages, tmp_path):
    save_comparison(said["compare"], tmp_path)
    assert (tmp_path / "compare.html").read_text(encoding="utf-8") == pages["compare"].read_text(encoding="utf-8")


def test_one_column_at_a_time_is_the_sorted_one_and_the_keyboard_sees_where_it_is(opened, pages):
    page = opened(pages["compare"])
    heads = page.locator("table[data-sortable] th button")
    for place in (2, 3):
        heads.nth(place).focus()
        assert (
            heads.nth(place)
            .evaluate(
                "button => { button.blur(); const before = getComputedStyle(button).outlineStyle; button.focus({focusVisible: true}); return before + ' ' + getComputedStyle(button).outlineStyle }"
            )
            .split()[1]
            != "none"
        )
        page.keyboard.press("Enter")
    assert page.locator("[aria-sort]").count() == 1
    assert page.locator("table[data-sortable] th").nth(3).get_attribute("aria-sort") == "ascending"


def test_gaps_of_a_comparison_sort_by_their_own_numbers(opened, said, pages):
    page = opened(pages["compare"])
    cells = page.locator("table[data-sortable] tbody tr").evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.dataset.value ?? null))")
    for cell, report in zip(cells, said["compare"], strict=True):
        assert [float(value) for value in cell[2:5]] == [report.trace.products[-1], report.trace.gap, report.trace.average_gaps[-1]]
