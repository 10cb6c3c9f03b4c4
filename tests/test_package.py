"""The package as a whole: what importing costs, and what is public."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mmd_games as mg

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "mmd_games").rglob("*.py"))


def test_importing_loads_nothing_heavy():
    """SciPy, matplotlib and the rest are imported where they are used, so start-up costs little more than NumPy's."""
    heavy = [
        "torch",
        "pyspiel",
        "open_spiel",
        "numba",
        "matplotlib",
        "scipy.optimize",
        "scipy.stats",
        "rich",
        "cyclopts",
        "joblib",
        "pandas",
        "hypothesis",
        "jinja2",
    ]
    code = f"import sys, mmd_games; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_command_line_knows_the_commands_of_language_models_without_loading_them():
    code = "import sys; from mmd_games.cli import app; print(sorted({'train', 'evaluate', 'preflight'} & set(app.app)), [n for n in ('torch', 'transformers', 'peft', 'yaml') if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert said == "['evaluate', 'preflight', 'train'] []"


def test_every_public_name_is_documented():
    for name, value in vars(mg).items():
        if not name.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value)):
            assert inspect.getdoc(value), name


def test_the_version_stands_once_more_in_the_citation():
    assert re.search(rf"^version: {re.escape(mg.__version__)}$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), flags=re.MULTILINE)


DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def undocumented(body, inherits=False):
    """Public functions and classes without a first sentence; what a class with bases has may be documented there."""
    for node in body:
        if not isinstance(node, DOCUMENTED) or node.name.startswith("_"):
            continue
        first = (ast.get_docstring(node) or "").partition("\n\n")[0].strip()
        overloaded = inherits and not first
        if not overloaded and not re.search(r"[.:?!…)]$", first):
            yield f"{node.name} (line {node.lineno}): {first!r}"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node.body, inherits=bool(node.bases))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_things_begin_with_a_sentence(path):
    module = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(module).partition("\n\n")[0].strip().endswith((".", "?", ":"))
    assert list(undocumented(module.body)) == []


def test_public_names_exist_where_they_are_promised():
    for name in (
        "PreferenceGame",
        "MatrixGame",
        "read_game",
        "solve",
        "solve_many",
        "verify",
        "nash",
        "Trace",
        "Report",
        "Record",
        "duality_gap",
        "InputError",
    ):
        assert getattr(mg, name).__module__.startswith("mmd_games.")
    documented = [value for name, value in vars(mg).items() if not name.startswith("_") and callable(value)]
    assert len(documented) > 20
    for value in documented:
        assert re.search(r"[.?!…)]$", inspect.getdoc(value).partition("\n\n")[0]), value


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_idea_that_it_names(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))
