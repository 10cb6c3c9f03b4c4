"""Commands that the language-model column, and other packages, add by entry points. Their modules import what is heavy when a command is called."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from mmd_games.cli.app import app

GROUP = "mmd_games.commands"
"""An entry point's name is the command's, its value `module:function`."""

for _command in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
    try:
        app.command(_command.load(), name=_command.name)
    except Exception as error:  # whatever another package does wrong, the commands of this one remain
        print(f"mmd-games: the command '{_command.name}' ({_command.value}) cannot be loaded: {error}", file=sys.stderr)
