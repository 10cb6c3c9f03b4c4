"""The site: Markdown by MyST, notebooks as they are stored, the reference from docstrings. Nothing is fetched, neither here nor by a reader's browser."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

import mmd_games

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # for the extensions beside this file

project = "mmd_games"
author = "The mmd_games developers"
copyright = author
version = release = mmd_games.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "extensions.catalogue",
    "extensions.interface",
    "extensions.mathml",
]
exclude_patterns = ["_build", "extensions"]
default_role = "code"  # `name` in a docstring
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nitpicky = True
nitpick_ignore_regex = [  # rooms below the public modules, and types of other packages, have no page here
    ("py:.*", r"mmd_games\.(updates|games\.data|llm\.preference)\..*"),
]

html_theme = "furo"
html_title = "mmd_games"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"

myst_heading_anchors = 3
myst_fence_as_directive = ["math"]  # as GitHub has it
nb_execution_mode = "off"

autodoc_typehints = "none"  # the docstrings' Parameters sections say what is taken, in words and shapes
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]


def _bring_notebooks(app: Sphinx, config: Config) -> None:
    """Copy the executed notebooks beside the pages: Sphinx reads nothing outside its source."""
    folder = Path(app.srcdir) / "notebooks"
    folder.mkdir(exist_ok=True)
    stored = sorted((HERE.parent / "notebooks").glob("*.ipynb"))
    for path in stored:
        copy = folder / path.name
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            shutil.copyfile(path, copy)
    for copy in folder.glob("*.ipynb"):
        if copy.name not in {path.name for path in stored}:
            copy.unlink()


def _link_notebooks(app: Sphinx, docname: str, source: list[str]) -> None:
    """Pages link to the notebooks of the repository; on the site these are pages."""
    source[0] = source[0].replace("](../../notebooks/", "](../notebooks/")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _link_notebooks)
    app.connect("config-inited", _bring_notebooks)
