"""Commands that the language-model column, and other packages, add by entry points. Their modules import what is heavy when a command is called."""

from __future__ import annotations

from importlib.metadata import entry_points

from mmd_games.cli.app import app

GROUP = "mmd_games.commands"
"""An entry point's name is the command's, its value `module:function`."""

for _command in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
    app.command(_command.load(), name=_command.name)
