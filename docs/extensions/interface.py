"""The directive `interface`: public names of a module, each from its docstring, and every path at which a name may be imported as a target of links."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry, PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

WRITTEN_DOWN = Path(__file__).parents[2] / "tests/public_api.txt"
"""The public interface, a heading a module, the shortest path of a name first."""
PUBLIC = {
    heading: re.findall(r"^(\w+)", names, flags=re.MULTILINE)
    for heading, names in re.findall(r"^# (\S+)\n((?:(?!# ).*\n?)*)", WRITTEN_DOWN.read_text(encoding="utf-8"), flags=re.MULTILINE)
}
MODULES = tuple(PUBLIC)
LONGEST = 1_000
"""Characters of a signature that is shown."""


def _described(module: str, name: str) -> list[str]:
    """The reStructuredText that describes a name."""
    value, path = getattr(import_module(module), name), f"{module}.{name}"
    if inspect.isclass(value):
        dull = ["   :exclude-members: __new__, __init__"] if issubclass(value, dict | tuple) else []
        return [f".. autoclass:: {path}", "   :members:", *dull, ""]
    if callable(value) and hasattr(value, "__code__"):
        return [f".. autofunction:: {path}", ""]
    return [f".. py:data:: {name}", f"   :module: {module}", "", *(f"   {line}" for line in _comment(module, name)), ""]


def _comment(module: str, name: str) -> list[str]:
    """What stands below a constant where it is defined."""
    return ModuleAnalyzer.for_module(_home(module, name)).find_attr_docs().get(("", name), [])


def _home(module: str, name: str) -> str:
    """The module that defines a name."""
    value = getattr(import_module(module), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        return value.__module__
    for line in inspect.getsource(import_module(module)).splitlines():
        words = line.split()
        if words[:1] == ["from"] and name in (word.strip(",()") for word in words[3:]):
            return words[1]
    return module


class Interface(SphinxDirective):
    """Describe the names of a module that are given, one a line; without any, all that the shorter paths do not have."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Called by docutils."""
        (module,) = self.arguments
        names = [line.strip() for line in self.content if line.strip()]
        whole = not names
        if whole:
            shorter = {id(getattr(import_module(other), name)) for other in MODULES[: MODULES.index(module)] for name in PUBLIC[other]}
            names = [name for name in PUBLIC[module] if id(getattr(import_module(module), name)) not in shorter]
        lines = ["```{eval-rst}", *([f".. py:module:: {module}", ""] if whole else [])]
        for name in names:
            lines += _described(module, name)
        return self.parse_text_to_nodes("\n".join([*lines, "```"]))


def _further_paths(app: Sphinx, env: BuildEnvironment) -> None:
    """Let a link to any path of a public object find where it is described."""
    domain = env.domains["py"]
    assert isinstance(domain, PythonDomain)
    first: dict[int, str] = {}
    for module in MODULES:
        for name in PUBLIC[module]:
            value = getattr(import_module(module), name)
            path = f"{module}.{name}"
            described = path if path in domain.objects else first.get(id(value), "")
            entry = domain.objects.get(described)
            if entry is None:
                continue
            first.setdefault(id(value), described)
            domain.objects.setdefault(path, ObjectEntry(entry.docname, entry.node_id, entry.objtype, False))
            _alias(domain, described, f"{_home(module, name)}.{name}")


def _alias(domain: PythonDomain, described: str, home: str) -> None:
    """The same for where an object, and its members, are defined, and for the packages in between."""
    steps = home.split(".")
    name = steps[-1]
    for depth in range(1, len(steps)):
        other = ".".join([*steps[:depth], name])
        for known, entry in list(domain.objects.items()):
            if known == described or known.startswith(f"{described}."):
                domain.objects.setdefault(other + known[len(described) :], ObjectEntry(entry.docname, entry.node_id, entry.objtype, True))


def _set_aside(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Keep Napoleon from reading `sentence: more` below an attribute as a type and a description."""
    if what in ("property", "attribute", "data"):
        app.interface_lines = list(lines)
        lines.clear()


def _put_back(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    if what in ("property", "attribute", "data"):
        lines[:] = app.interface_lines


def _shorten(app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returned: str | None) -> tuple[str, str | None] | None:
    """A signature of a hundred parameters, most of them another package's, says less than the docstring below it."""
    return ("(…)", returned) if signature is not None and len(signature) > LONGEST else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("interface", Interface)
    app.connect("env-updated", _further_paths)
    app.connect("autodoc-process-signature", _shorten)
    app.connect("autodoc-process-docstring", _set_aside, priority=400)
    app.connect("autodoc-process-docstring", _put_back, priority=600)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
