"""What the tests in a browser share: the browser, what pages are made of, and how a page is read as a person would."""

from __future__ import annotations

import base64
import os
import re
import shutil

import numpy as np

import mmd_games as mg
from mmd_games.digits import number
from mmd_games.report import comparison_html

from . import data_tables

BROWSER = os.environ.get("MMD_GAMES_BROWSER") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
KINDS = ("report", "compare", "rank")
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
LOOKS = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE}
GAME = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))

HOSTILE = (
    "</script><script>window.pwned=1</script>", '"><img src=x onerror=alert(1)>', "]]>", "<!--", "{{7*7}}{%x%}", "__proto__", "constructor", "\u202egnp.exe", "\u200b\u200d",
    "\x00\x1b[2J\x07", "🎲🏳️‍🌈", "w" * 5000, "&lt;b&gt;", "'\\", "line\nbreak", "javascript:alert(1)", "a\u2028b\u2029c", "שלום",
)  # fmt: skip


def ordinary():
    """What the pages are made of, by kind: a report, several reports, a ranking."""
    runs = [mg.verify(mg.solve(GAME, mg.algorithms.from_spec(spec), steps=steps)) for spec, steps in (("mpo", 100), ("omwu", 90), ("mmd", 60))]
    report = mg.verify(mg.solve(mg.games.blotto(soldiers=5, fields=3), until=1e-9), reproduce="mmd-games verify blotto:soldiers=5,fields=3 --steps 100000")
    return {"report": report, "compare": runs, "rank": ranked([f"model {k}" for k in range(1, 13)])}


def hostile():
    """The same where everything that a user can name is called something that was made to do harm."""
    size = len(HOSTILE)
    game = mg.PreferenceGame(mg.games.random(n=size).preference, labels=list(HOSTILE), name="".join(HOSTILE))
    policies = np.log(np.random.default_rng(0).dirichlet(np.ones(size), 9))
    runs = [mg.verify(mg.Trace.from_policies(game, policies, name=name), notes=(name,), reproduce=f"mmd-games verify {name!r}") for name in HOSTILE]
    return {"report": runs[0], "compare": runs, "rank": ranked([name[:900] for name in HOSTILE])}  # records take names of at most 1,000 characters


def ranked(names):
    """A ranking by random battles, with intervals."""
    random, size = np.random.default_rng(0), len(names)
    wins = random.integers(1, 9, (size, size)) * (1 - np.eye(size, dtype=int))
    battles = data_tables.battles_of(names, wins, np.zeros((size, size), dtype=int), random)
    return mg.rank(mg.PreferenceGame.from_battles(battles), bootstrap=20, reproduce="mmd-games rank battles.csv --bootstrap 20")


def written(said, folder):
    """The pages as files, by kind."""
    pages = {kind: folder / f"{kind}.html" for kind in KINDS}
    for kind, path in pages.items():
        path.write_text(comparison_html(said[kind]) if kind == "compare" else said[kind].to_html(), encoding="utf-8")
    return pages


def picture_of(page):
    return base64.b64decode(page.locator("figure img").first.get_attribute("src").partition(",")[2]).decode("utf-8")


def reading(page):
    """The readout of the first figure: the place, and the value of each curve by its name."""
    readout = page.locator(".readout").first
    rows = [row.rsplit(": ", 1) for row in readout.locator("li").all_inner_texts()]
    return readout.locator(".here").inner_text(), dict(rows)


def reading_of(traces, name_of, products):
    """What it should say: the gaps at the recorded number of products, which for a run that was over is its last one."""
    values = {}
    for name, trace in zip(name_of, traces, strict=True):
        place = int(np.argmin(np.abs(trace.products - products)))
        at = "" if trace.products[place] == products else f" (at {int(trace.products[place]):,})"
        values |= {name: number(trace.gaps[place]) + at, f"average of {name}": number(trace.average_gaps[place]) + at}
    return f"products: {products:,}", values


def column(page, place, table="table[data-sortable]"):
    return [text.strip() for text in page.locator(f"{table} tbody tr > :nth-child({place})").all_inner_texts()]


def natural(name):
    """How people order names: numbers in them by their size."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def sorts(page, head, names, values, table="table[data-sortable]"):
    """Click through the three orders of a column, and compare with Python's."""
    th = page.locator(f"{table} th", has_text=head).first
    given = list(zip(names, values, strict=True))
    full, empty = [pair for pair in given if pair[1] is not None], [pair for pair in given if pair[1] is None]
    for order, expected in (
        ("ascending", sorted(full, key=lambda pair: pair[1]) + empty),
        ("descending", sorted(full, key=lambda pair: pair[1], reverse=True) + empty),
        (None, given),
    ):
        th.locator("button").click()
        assert th.get_attribute("aria-sort") == order
        assert page.locator("[aria-sort]").count() == (order is not None)
        place = 1 + page.locator(f"{table} tbody tr").first.evaluate("row => [...row.cells].findIndex(cell => cell.tagName === 'TH')")
        assert column(page, place, table) == [name for name, _ in expected]


def fits(page):
    """Nothing scrolls sideways but what is meant to, and nothing else sticks out."""
    width = page.viewport_size["width"]  # what does not fit makes a phone's window itself wider
    out = page.evaluate(
        """(width) => [...document.querySelectorAll("body *")].filter((element) => !element.closest(".scroll") && element.getBoundingClientRect().right > width + 1)
        .map((element) => element.outerHTML.slice(0, 100))""",
        width,
    )
    assert out == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
