"""What is shipped: the sdist, the wheel made from it, and that what the code imports is what the package declares.

That both install and run on every Python at hand is seen by `make package`, which needs an index of packages.
"""

from __future__ import annotations

import ast
import email
import importlib.metadata
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tracked() -> set[str]:
    """What git keeps, and what is about to be; empty where there is no git, or no checkout."""
    if shutil.which("git") is None:
        return set()
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.splitlines()
    return {name for name in lines if (ROOT / name).is_file()}


TRACKED = tracked()
SOURCES = sorted(
    path
    for path in (ROOT / "mmd_games").rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and (not TRACKED or path.relative_to(ROOT).as_posix() in TRACKED)
)
EXTRAS = {"preflibtools": "data", "pandas": "notebooks", "hypothesis": "test", "dask": "dask", "distributed": "dask", "ray": "ray"}
"""What is imported only where somebody asks for it, and the extra that brings it."""
OPTIONAL = {"highspy"}
"""What is used where it happens to be installed; without it SciPy's own HiGHS answers."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Names in the sdist, names in the wheel made from it, and the wheel's metadata."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], check=True, capture_output=True)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    with tarfile.open(sdist) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        return shipped, names, email.message_from_bytes(archive.read(metadata)), archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()


def test_the_wheel_is_the_package_and_nothing_else(built):
    _, names, _, _ = built
    assert {name for name in names if ".dist-info/" not in name} == {path.relative_to(ROOT).as_posix() for path in SOURCES}
    assert {"mmd_games/py.typed", "mmd_games/report/report.schema.json", "mmd_games/report/page.css", "mmd_games/report/report.html.j2"} <= names


def test_the_sdist_has_what_its_tests_need(built):
    shipped, _, _, _ = built
    if not TRACKED:
        pytest.skip("not a git checkout: what is tracked is not known here")
    assert {name for name in TRACKED if not name.startswith(".ci/")} <= shipped
    assert [name for name in shipped if name.endswith((".pyc", ".so"))] == []


def test_the_wheel_says_what_it_needs(built):
    _, _, metadata, entries = built
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    needed = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]
    assert {str(Requirement(line)) for line in needed} == {str(Requirement(line.replace("_", "-"))) for line in PROJECT["dependencies"]}
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert "mmd-games = mmd_games.cli:main" in entries


def imported(path):
    """Names of the top-level modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def brought_by(lines):
    """The modules that requirements bring, without what those require in turn."""
    distributions = {canonicalize_name(Requirement(line).name) for line in lines}
    return {module for module, names in importlib.metadata.packages_distributions().items() if distributions & {canonicalize_name(name) for name in names}}


def test_everything_imported_is_declared():
    extras = PROJECT["optional-dependencies"]
    always = set(sys.stdlib_module_names) | {"mmd_games"} | OPTIONAL | brought_by(PROJECT["dependencies"])
    # Ray, which the tests leave out, is not at hand.
    asked = {module for module, extra in EXTRAS.items() if module in brought_by(extras[extra]) or extra == "ray"}
    allowed = {False: always | asked, True: always | asked | brought_by(extras["llm"])}
    sources = [path for path in SOURCES if path.suffix == ".py"]
    missing = {(module, path.name) for path in sources for module in imported(path) if module not in allowed["llm" in path.relative_to(ROOT).parts]}
    assert missing == set()
