"""The site and the README: they build without a warning, need no network, leave no public name out, and every block of code in them runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import mmd_games as mg
from mmd_games import cli
from mmd_games.verification import Headline, Verdict

from . import doc_pages
from .doc_pages import Block, BlockError, blocks_of, run_page
from .test_public_api import MODULES, exported

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATED = ("_build", "notebooks")
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if path.relative_to(DOCS).parts[0] not in GENERATED)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def read(page: Path) -> list[Block]:
    return blocks_of(page.read_text(encoding="utf-8"), name_of(page))


# --- every block runs -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty directory with the examples in it; what is made in it cannot touch the repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "100")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("model", "run", "__pycache__"))
    shutil.copytree(ROOT / "benchmarks/suites", tmp_path / "benchmarks/suites")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]  # the next page may have another file of this name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_the_page_runs(page, checkout):
    import matplotlib.pyplot as plt

    run_page(page, read(page))
    plt.close("all")


WRONG = {
    "# A page\n\n```python\nx = 1\n\nprint(y)\n```\n": "page.md:6: NameError",
    "```python\nprint(1.25)\n```\n\n```text\n1.26\n```\n": "page.md:6: the page shows '1.26'",
    "```python\nprint('a\\nb')\n```\n\n```text\na\n```\n": "page.md:6: the block before it printed more",
    "```text\nnothing before\n```\n": "page.md:1: a text block shows",
    "```sh\nmmd-games verify rps --stepz 10\n```\n": "page.md:1: 'mmd-games verify rps --stepz 10' ended with exit status 2, not 0",
    "```sh\nmmd-games verify rps --algorithm mmd --steps 500\n```\n": "ended with exit status 1, not 0",
    "```sh\nmake vreify\n```\n": "no target",
    "```sh\npip install 'mmd_games[lmm]'\n```\n": "no extra",
    "```sh\npip install leftpad\n```\n": "does not know",
    "```sh\npython benchmarks/nothing.py\n```\n": "no script",
    "```sh\nrm -rf wins.csv\n```\n": "no rule",
    "```sh\nmmd-games bench benchmarks/suites/nothing.toml\n```\n": "nothing.toml",
    "```sh\nmmd-games preflight --confg examples/self_play.yaml\n```\n": "--confg",
    "```ruby\nputs 1\n```\n": "page.md:1: there is no rule",
    "```\nx = 1\n```\n": "page.md:1: there is no rule",
    "```python skip\nx = 1\n```\n": "does not name `skip`",
    "Text.\n\n    x = 1\n": "page.md:3: an indented block",
    "```{code-block} python\nx = 1\n```\n": "directive",
    "A table.\n\n```csv wins.csv\na,b\n```\n": "does not name `wins.csv`",
    "A table.\n\n```csv\na,b\n```\n": "page.md:3: the paragraph before the block does not name the file",
    "```toml\ngames = [\n```\n": "page.md:1",
    'This is `s.toml`:\n\n```toml s.toml\ngames = ["rps"]\nalgoritms = ["mpo"]\n```\n': "page.md:3: ",
}
"""Pages that lie, and how what is said of them begins or goes on."""


@pytest.mark.parametrize(("text", "complaint"), WRONG.items(), ids=range(len(WRONG)))
def test_a_page_that_lies_is_red_with_its_name_and_line(text, complaint, checkout):
    with pytest.raises(BlockError, match=re.escape(complaint)):
        run_page(Path("page.md"), blocks_of(text, "page.md"))


def test_what_pages_may_do_passes(checkout):
    text = (
        "This is `wins.csv`:\n\n```csv wins.csv\n,a,b,c\na,.5,.9,.1\nb,.1,.5,.8\nc,.9,.2,.5\n```\n\n"
        "```sh\nmmd-games nash wins.csv --method exact \\\n    --certificate proof.json  # a proof\nmmd-games check-certificate proof.json\n```\n\n"
        "```text\n…\nThe certificate holds.\n```\n\n```sh\nmmd-games verify rps --algorithm mmd --steps 500 # exit status 1\n```\n\n```text\nREFUTED: …\n…\n```\n\n"
        "```sh\nmmd-games bench benchmarks/suites/smoke.toml --jobs 2\nmmd-games train --config examples/self_play.yaml\nmake test\n```\n"
    )
    run_page(Path("page.md"), blocks_of(text, "page.md"))


# --- what the pages hold together -------------------------------------------------------------------------------------------------------------


def commands() -> list[list[str]]:
    """All lines of all pages that call the command line."""
    shell = [block for page in PAGES for block in read(page) if block.language == "sh"]
    lines = [words for block in shell for words, _ in doc_pages.commands_of(block)]
    return [[word for word in words if word] for words in lines if Path(words[0]).name == "mmd-games"]


def test_every_command_is_shown_and_described():
    names = {name for name in cli.app.app if not name.startswith("-")}
    assert names - {words[1] for words in commands()} == set()
    page = (DOCS / "reference/command_line.md").read_text(encoding="utf-8")
    assert names ^ set(re.findall(r"^```\{command\} (\S+)$", page, flags=re.MULTILINE)) == set()


def test_every_option_that_a_judge_has_is_shown():
    """Of the commands that most come for."""
    for command in ("verify", "rank", "bench"):
        shown = {word.partition("=")[0] for words in commands() if words[1] == command for word in words if word.startswith("--")}
        text = cli.app.app[command].generate_docs(output_format="markdown")
        options = set(re.findall(r"^\* `(--[a-z-]+)", text, flags=re.MULTILINE))
        assert options
        mentioned = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
        assert [option for option in options - shown if not re.search(rf"{option}(?![a-z-])", mentioned)] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "explanation/how_the_judge_decides.md"], ids=name_of)
def test_what_the_exit_statuses_mean_is_said(page):
    text = " ".join(page.read_text(encoding="utf-8").split())
    refuted = re.search(r"\*\*1\*\*:? refuted \((.*?)\)", text)
    assert refuted is not None
    words = {
        "STALLED": "stalled or cycling",
        "REGULARISED": "regularised",
        "SUBLINEAR": "slower than linear",
        "DIVERGED": "diverging",
        "UNSTABLE": "diverging",
        "BROKEN": "a bound broken",
    }
    assert set(words) == {headline.name for headline in Headline if headline.verdict is Verdict.REFUTED}
    assert [name for name, word in words.items() if word not in refuted.group(1)] == []
    assert all(f"**{status}**" in text for status in (0, 2, 3))


def test_every_method_is_explained_and_every_notebook_listed():
    methods = (DOCS / "explanation/the_methods.md").read_text(encoding="utf-8")
    told = {row["name"]: type(mg.algorithms.from_spec(row["name"])).__name__ for row in mg.algorithms.listing()}
    assert [name for name, kind in told.items() if not re.search(rf"^\| `{name}` \| `{kind}`", methods, flags=re.MULTILINE)] == []
    lessons = (DOCS / "tutorials/index.md").read_text(encoding="utf-8")
    assert [path.stem for path in (ROOT / "notebooks").glob("*.ipynb") if f"(../../notebooks/{path.stem}.ipynb)" not in lessons] == []


def test_the_picture_of_the_readme_is_what_its_code_draws(checkout):
    readme = ROOT / "README.md"
    (stored,) = re.findall(r"!\[[^]]+\]\((.*?)\)", readme.read_text(encoding="utf-8"))
    run_page(readme, [block for block in read(readme) if block.language == "python"])
    one, other = (
        re.split(r"(-?\d+\.?\d*)", re.sub(r"(<metadata>.*?</metadata>)|(id|href|clip-path)=\"[^\"]*\"", "", path.read_text(), flags=re.DOTALL))
        for path in (ROOT / stored, checkout / "gap.svg")
    )
    assert one[::2] == other[::2]
    np.testing.assert_allclose(np.array(one[1::2], dtype=float), np.array(other[1::2], dtype=float), atol=0.05)  # a twentieth of a point


def test_every_link_of_the_readme_goes_somewhere():
    """Those between the pages of the site are checked when it is built."""
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


# --- the site ---------------------------------------------------------------------------------------------------------------------------------


class Loaded(HTMLParser):
    """What a browser fetches by itself for a page."""

    def __init__(self):
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.addresses += [values.get("src") or "", values.get("srcset") or ""]
        if tag == "link" and (values.get("rel") or "") not in ("canonical", "index", "search", "next", "prev"):
            self.addresses.append(values.get("href") or "")
        if tag == "object":
            self.addresses.append(values.get("data") or "")
        if values.get("style"):
            self.addresses += re.findall(r"url\(([^)]*)\)", values["style"] or "")


def fetched(page: str) -> list[str]:
    """Addresses on the network that a page loads."""
    parser = Loaded()
    parser.feed(page)
    return [address for address in parser.addresses if re.match(r"\s*['\"]?(https?:)?//", address)]


def test_what_is_fetched_is_seen():
    bad = '<script src="https://cdn.example/x.js"></script><link rel="stylesheet" href="//fonts.example/a.css"><a href="https://arxiv.org">a paper</a>'
    assert fetched(bad + '<img src="_images/a.png">') == ["https://cdn.example/x.js", "//fonts.example/a.css"]


def words_of(page: Path) -> str:
    """A page without its tags."""
    return " ".join(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")).split())


def inventory(path: Path) -> set[str]:
    """The names of the Python objects that a site describes."""
    with path.open("rb") as stream:
        for _ in range(4):
            stream.readline()
        lines = zlib.decompress(stream.read()).decode().splitlines()
    return {line.split(" ", 1)[0] for line in lines if " py:" in line}


def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-n",
        "-q",
        "-b",
        "html",
        "-d",
        str(tmp_path / "doctrees"),
        str(DOCS),
        str(tmp_path / "site"),
    ]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    built = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert built.returncode == 0, built.stderr[-5000:]
    site = tmp_path / "site"
    pages = [path.relative_to(DOCS).with_suffix(".html") for path in PAGES if path.is_relative_to(DOCS)]
    pages += [Path("notebooks", f"{path.stem}.html") for path in (ROOT / "notebooks").glob("*.ipynb")]
    assert [str(page) for page in pages if not (site / page).is_file()] == []
    for page in site.rglob("*.html"):
        assert fetched(page.read_text(encoding="utf-8")) == [], page.name
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", sheet.read_text(encoding="utf-8")) == [], sheet.name
    described = inventory(site / "objects.inv")
    assert [f"{module}.{name}" for module in MODULES for name in exported(module) if f"{module}.{name}" not in described | set(MODULES)] == []
    assert "mmd-games verify [OPTIONS] SOURCE" in words_of(site / "reference/command_line.html")
    catalogue = (site / "reference/catalogue.html").read_text(encoding="utf-8")
    assert "rock_paper_scissors:wins" in catalogue and "restart_factor" in catalogue
