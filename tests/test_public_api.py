"""The public interface as it was written down: what users import does not change without being meant to.

After a change that is meant, write it down anew:  python -m tests.test_public_api
"""

from __future__ import annotations

import ast
import importlib
import inspect
from enum import Enum
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("public_api.txt")
MODULES = ("mmd_games", "mmd_games.algorithms", "mmd_games.games", "mmd_games.plots", "mmd_games.testing", "mmd_games.llm")


def exported(module: str) -> list[str]:
    """The names that a package's __init__ re-exports on purpose (`import x as x`, or `__all__`), or that a module defines."""
    source = Path(importlib.import_module(module).__file__ or "")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return sorted(ast.literal_eval(node.value))
    if source.name == "__init__.py":
        return sorted({alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names if alias.asname == alias.name})
    return sorted(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"))


def line(name: str, value: Any) -> str:
    """A name with its parameters and their defaults; types are documentation."""
    if inspect.ismodule(value):
        return f"{name}  (module)"
    if inspect.isclass(value) and issubclass(value, Enum):
        return f"{name}  ({', '.join(member.name for member in value)})"
    if inspect.isclass(value) and issubclass(value, Exception):
        return f"{name}  ({value.__base__.__name__})"
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return f"{name}  ({type(value).__name__})"
    return f"{name}{inspect.Signature([plain(parameter) for parameter in parameters])}"


def plain(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter without its type; of a default that is no literal its name alone."""
    default = parameter.default
    if default is not parameter.empty and not isinstance(default, int | float | str | tuple | None):
        default = Named(getattr(default, "__name__", type(default).__name__))
    return parameter.replace(annotation=parameter.empty, default=default)


class Named(str):
    """A default as its name, without quotation marks."""

    def __repr__(self) -> str:
        return f"<{self}>"


def interface() -> str:
    """All modules, a line a name."""
    parts = []
    for module in MODULES:
        here = importlib.import_module(module)
        parts.append("\n".join([f"# {module}", *(line(name, getattr(here, name)) for name in exported(module))]))
    return "\n\n".join(parts) + "\n"


def test_the_public_interface_is_the_one_that_is_written_down() -> None:
    assert interface() == FILE.read_text(encoding="utf-8"), "if the change is meant: python -m tests.test_public_api, and a line in CHANGELOG.md"


def test_every_public_name_has_a_docstring() -> None:
    bare = [
        f"{module}.{name}"
        for module in MODULES
        for name in exported(module)
        if callable(value := getattr(importlib.import_module(module), name)) and not (inspect.getdoc(value) or "").strip()
    ]
    assert bare == []


if __name__ == "__main__":
    FILE.write_text(interface(), encoding="utf-8")
