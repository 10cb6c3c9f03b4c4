"""The notebooks: paired with their scripts, executed, and still running from clean."""

from __future__ import annotations

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
QUICK = "01_quickstart"
"""The one that is executed anew in every run of the tests; the others take ten seconds and more."""


def test_the_notebooks_are_there_and_the_readme_names_them():
    assert [script.stem for script in SCRIPTS] == [QUICK, "02_why_the_magnet_moves", "03_predicted_rates", "04_the_league", "05_language_model"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [script.stem for script in SCRIPTS if f"(notebooks/{script.stem}.ipynb)" not in readme] == []


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


@pytest.mark.parametrize("script", [pytest.param(script, id=script.stem, marks=[] if script.stem == QUICK else pytest.mark.slow) for script in SCRIPTS])
def test_the_notebook_runs_from_clean_and_says_the_same(script, monkeypatch):
    # The kernel is a process of its own: what it prints must be what the stored notebook shows.
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    stored = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    fresh = jupytext.read(script)
    nbclient.NotebookClient(fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    assert printed(fresh)[-1] == printed(stored)[-1]


def printed(notebook) -> list[str]:
    """What each code cell wrote to standard output; how many messages that came in depends on the time between them."""
    cells = [
        "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    return [text for text in cells if text]
