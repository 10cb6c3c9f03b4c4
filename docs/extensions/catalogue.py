"""Directives that list what the package has, at build time, so that no list goes stale: `games`, `methods`, `command`, `schemas`."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mmd_games import algorithms, cli, games
from mmd_games.cli.app import app as commands


class Games(SphinxDirective):
    """The games of the catalogue: a spec, its keys, a sentence."""

    def run(self) -> list[nodes.Node]:
        """Called by docutils."""
        rows = [(_names(family.name, family.aliases), _keys(family.keys), family.description, f"`{family.example}`") for family in games.listing()]
        return self.parse_text_to_nodes(_table(("name", "keys", "what it is", "for example"), rows))


class Methods(SphinxDirective):
    """The methods: a name, its class, its keys, a sentence."""

    def run(self) -> list[nodes.Node]:
        """Called by docutils."""
        rows = []
        for row in algorithms.listing():
            kind = type(algorithms.from_spec(row["name"])).__name__
            link = f"{{py:class}}`~mmd_games.algorithms.{kind}`"
            rows.append((_names(row["name"], row["aliases"]), link, _keys(row["keys"]), row["description"]))
        return self.parse_text_to_nodes(_table(("name", "class", "keys", "what it is"), rows))


class Command(SphinxDirective):
    """Usage, arguments and options of one command, as `--help` has them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Called by docutils."""
        (name,) = self.arguments
        section = re.search(rf"^## mmd-games {name}\n(.*?)(?=^## |\Z)", commands.generate_docs(output_format="markdown"), flags=re.DOTALL | re.MULTILINE)
        if section is None:
            raise self.error(f"there is no command {name!r}")
        usage = re.sub(r"(```console\nmmd-games \S+)(?: -m \S+)?", r"\1", section[1])  # Cyclopts looks at how this process was started
        return self.parse_text_to_nodes(usage.replace("```console", "```sh"))


def _names(name: str, aliases: Any) -> str:
    return ", ".join(f"`{each}`" for each in (name, *aliases))


def _keys(keys: dict[str, Any]) -> str:
    return ", ".join(f"`{key}`" if value is None else f"`{key}={_value(value)}`" for key, value in keys.items())


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    assert cli  # its commands have registered
    for name, directive in (("games", Games), ("methods", Methods), ("command", Command)):
        app.add_directive(name, directive)
    for language in ("csv", "jsonl"):
        app.add_lexer(language, TextLexer)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
