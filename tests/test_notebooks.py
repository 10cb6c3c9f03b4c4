"""The notebooks: one story, paired with their scripts, executed, running from clean, and with figures that need no colour."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import jupytext
import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "notebooks"
SCRIPTS = sorted(FOLDER.glob("*.py"))
LARGEST = 1_500_000
"""Bytes of an executed notebook: more makes the repository heavy and the page slow."""
NAMES = ["01_quickstart", "02_why_the_magnet_moves", "03_predicted_rates", "04_the_league", "05_language_model", "06_a_real_leaderboard"]
RELATIVE, ABSOLUTE = 1e-3, 1e-6
"""What a printed number may differ by: another processor rounds in another way, and what is smaller than the second is rounding itself."""
SAMPLED = {"05_language_model": ("over the last four measurements", 0.05)}
"""Where a network is trained on samples of its own, rounding changes what is drawn: of these only the cells with such words are compared, to this."""
NUMBER = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
LINK = re.compile(r"\((\d\d_\w+)\.ipynb\)")


def test_the_notebooks_are_there_and_the_readme_names_them():
    assert [script.stem for script in SCRIPTS] == NAMES
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"(notebooks/{name}.ipynb)" not in readme] == []


def test_the_notebooks_tell_one_story():
    cells = {name: [cell.source for cell in jupytext.read(FOLDER / f"{name}.py").cells if cell.cell_type == "markdown"] for name in NAMES}
    for before, after in itertools.pairwise(NAMES):
        assert f"[{before}]({before}.ipynb)" in cells[after][0], f"{after} does not say what {before} left open"
        assert f"Next: [{after}]({after}.ipynb)" in cells[before][-1], f"{before} does not lead to {after}"
    for name, texts in cells.items():
        assert "runs for" in texts[0], f"{name} does not say how long it runs"
        assert "## What we saw" in texts[-1], f"{name} does not end with what we saw"
        assert set(LINK.findall("\n".join(texts))) <= set(NAMES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_stored_notebook_is_small_and_shows_no_warning(script):
    path = script.with_suffix(".ipynb")
    assert path.stat().st_size <= LARGEST
    outputs = [output for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert [output.text for output in outputs if output.output_type == "stream" and output.name != "stdout"] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_is_its_script_executed(script):
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    source = jupytext.read(script)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [(cell.cell_type, cell.source) for cell in source.cells], "run make notebooks"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run make notebooks"
    figures = sum("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    assert figures >= 2


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_runs_from_clean_says_the_same_and_its_figures_need_no_colour(script, monkeypatch):
    # The kernel is a process of its own: what it prints must be what the stored notebook shows.
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    fresh, stored = executed(jupytext.read(script)), nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    words, tolerance = SAMPLED.get(script.stem, ("", ABSOLUTE))
    told, kept = ([text for text in printed(notebook) if words in text] for notebook in (fresh, stored))
    assert len(told) == len(kept) > 0
    assert [sentence for one, other in zip(told, kept, strict=True) for sentence in differences(one, other, tolerance)] == []


def executed(notebook):
    """The notebook run in a new kernel, in which every figure is looked at before it is shown."""
    first = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nimport readable_figures\nreadable_figures.watch()"
    for place, source in ((0, first), (len(notebook.cells) + 1, "readable_figures.complain()")):
        notebook.cells.insert(place, nbformat.v4.new_code_cell(source))
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    return notebook


def differences(told: str, kept: str, tolerance: float) -> list[str]:
    """Lines of which the words differ, or a number by more than rounding; versions of libraries aside."""
    lines = [[line for line in text.splitlines() if "made with" not in line] for text in (told, kept)]
    if len(lines[0]) != len(lines[1]):
        return [f"{len(lines[0])} lines, where {len(lines[1])} are stored"]
    return [f"{one!r}, where {other!r} is stored" for one, other in zip(*lines, strict=True) if not same(one, other, tolerance)]


def same(one: str, other: str, tolerance: float) -> bool:
    words = [NUMBER.sub("#", line).split() for line in (one, other)]
    numbers = [[float(number.replace(",", "").replace("−", "-")) for number in NUMBER.findall(line)] for line in (one, other)]
    return words[0] == words[1] and all(math.isclose(a, b, rel_tol=RELATIVE, abs_tol=tolerance) for a, b in zip(*numbers, strict=True))


def test_a_line_that_says_something_else_is_found():
    assert same("gap 1.2e-17, 7,360 steps", "gap 3.4e-17,  7,361 steps", ABSOLUTE)
    assert not same("gap 0.012", "gap 0.013", ABSOLUTE)
    assert not same("CONFIRMED: 1", "REFUTED: 1", ABSOLUTE)
    assert differences("a 1\nb", "a 1", ABSOLUTE)


def test_a_figure_that_needs_colour_fails_its_notebook():
    source = "import matplotlib.pyplot as plt\nfor name in ('one', 'other'):\n    plt.plot([0, 1], label=name)\nplt.legend()\nplt.title('by colour'); plt.xlabel('x'); plt.ylabel('y');"
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="'by colour': the lines 'one' and 'other' differ by colour alone"):
        executed(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]))


def printed(notebook) -> list[str]:
    """What each code cell wrote to standard output; how many messages that came in depends on the time between them."""
    cells = [
        "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    return [text for text in cells if text]
