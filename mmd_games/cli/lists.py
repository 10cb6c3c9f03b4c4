"""`games` and `algorithms`: what there is, by name, with keys."""

import json
from typing import Any

from mmd_games import algorithms, games
from mmd_games.cli.app import AsJson, app
from mmd_games.terminal import listing_rows, print_table


@app.command(name="games")
def games_command(*, as_json: AsJson = False) -> int:
    """List the games of the catalogue, with their keys."""
    return _list([vars(family) for family in games.listing()], as_json)


@app.command(name="algorithms")
def algorithms_command(*, as_json: AsJson = False) -> int:
    """List the algorithms, with their keys; a key without a value is chosen from the game."""
    return _list(algorithms.listing(), as_json)


def _list(families: list[dict[str, Any]], as_json: bool) -> int:
    """Names with their keys, as JSON or as a table."""
    if as_json:
        print(json.dumps(families, indent=1))
    else:
        print_table("", listing_rows(families))
    return 0
