"""Grids: the settings of an algorithm that a suite tries, as values or as multiples of what the algorithm would take by itself."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmd_games import algorithms, specs
from mmd_games.algorithms.registry import ALGORITHMS, ALIASES
from mmd_games.errors import InputError, unknown

MULTIPLE = re.compile(r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)x\s*")
"""How a multiple of a default is written: "0.5x", "2x"."""

Grid = Mapping[str, Sequence[Any]]
"""For each setting the values to try."""


def multiple_of(value: Any) -> float | None:
    """The factor of a text such as "2x"; None for anything else.

    Examples
    --------
    >>> multiple_of("0.5x"), multiple_of("2"), multiple_of(2)
    (0.5, None, None)
    """
    found = MULTIPLE.fullmatch(value) if isinstance(value, str) else None
    return float(found[1]) if found else None


def settings_of(grid: Grid) -> list[dict[str, Any]]:
    """All combinations of the lists, the last list's values fastest; one without any setting where there is no grid.

    Examples
    --------
    >>> settings_of({"step_size": ["1x", "2x"], "refresh_every": [5]})
    [{'step_size': '1x', 'refresh_every': 5}, {'step_size': '2x', 'refresh_every': 5}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def require_grids(grids: Mapping[str, Any], entries: Sequence[str]) -> None:
    """Refuse grids that are not tables of lists, are of no algorithm of the suite, or of settings that it does not have; the nearest that is known is named.

    Parameters
    ----------
    grids : mapping of str to mapping of str to list
        By the algorithm's entry in the suite, and by the setting.
    entries : sequence of str
        The suite's `algorithms`.
    """
    for entry, grid in grids.items():
        if entry not in entries:
            raise unknown("algorithm in 'grids'", entry, entries)
        if not isinstance(grid, Mapping):
            raise InputError(f'The grid of {entry} must be a table of lists, as in {entry} = {{ step_size = ["0.5x", "1x"] }}, got {grid!r}.')
        if not grid:
            raise InputError(f"The grid of {entry} has no setting in it: it would be zero cells. Leave it out, or give it a list.")
        method = algorithms.from_spec(entry)
        fixed = _parts(entry)[1]
        for key, values in grid.items():
            _require_values(entry, key, values)
            if key not in specs.keys(type(method)):
                raise unknown(f"setting in the grid of '{entry}'", key, specs.keys(type(method)))
            if key in fixed:
                raise InputError(f"The grid of '{entry}' has the setting {key}, which its entry gives a value already; one of the two must go.")
        for setting in settings_of(grid):
            _require_setting(entry, setting)


def algorithm_with(entry: str, setting: Mapping[str, Any], scale: float) -> Any:
    """The algorithm of an entry with one setting of its grid, in a game of this scale.

    Multiples are settled one after the other, in the order in which the grid lists them: each is of the default that the algorithm fills in, given the entry's own
    keys, the setting's values and the multiples before it. So "1x" of the last one is what is filled in where it is left open.

    Parameters
    ----------
    entry : str
        A spec.
    setting : mapping of str to value
        A text such as "2x" is a multiple of a default, rounded to a whole number of at least 1 where the default is whole; anything else is the value itself.
    scale : float
        L of the game.

    Examples
    --------
    >>> algorithm_with("omwu", {"step_size": "2x"}, 0.5)
    OptimisticMultiplicativeWeights(step_size=2.0)
    """
    name, own = _parts(entry)
    given = own | {key: value for key, value in setting.items() if multiple_of(value) is None}
    for key, value in setting.items():
        factor = multiple_of(value)
        if factor is not None:
            given[key] = _times(entry, key, factor, _default(name, given, key, scale))
    return algorithms.from_spec(entry) if not setting else algorithms.from_settings(name, given)


def _default(name: str, given: Mapping[str, Any], key: str, scale: float) -> Any:
    method = algorithms.from_settings(name, given)
    return getattr(method.with_defaults(scale) if hasattr(method, "with_defaults") else method, key, None)


def _times(entry: str, key: str, factor: float, default: Any) -> float | int:
    if isinstance(default, bool) or not isinstance(default, int | float):
        raise InputError(
            f"'{factor:g}x' in the grid of '{entry}': its {key} has no number for a default ({default!r}) that could be multiplied; give the value itself."
        )
    return max(1, round(factor * default)) if isinstance(default, int) else factor * default


def _parts(entry: str) -> tuple[str, dict[str, Any]]:
    """The name of an entry, of a user's own class with its module, and its keys."""
    head, _, rest = entry.strip().partition(":")
    class_name, _, settings = rest.partition(":")
    if head not in ALGORITHMS and head not in ALIASES and class_name.isidentifier():
        return f"{head}:{class_name}", specs.parse(f"{class_name}:{settings}")[1]
    return specs.parse(entry)


def _require_values(entry: str, key: str, values: Any) -> None:
    if not isinstance(values, list | tuple):
        raise InputError(f'{key} in the grid of \'{entry}\' must be a list, as in {key} = ["0.5x", "1x"], got {values!r}.')
    if not values:
        raise InputError(f"{key} in the grid of '{entry}' is an empty list: the grid would be zero cells.")
    for value in values:
        if not isinstance(value, str | int | float):
            raise InputError(f"{key} in the grid of '{entry}' has {value!r}; a value is a number, a text, or true or false.")
        if multiple_of(value) == 0:
            raise InputError(f"{key} in the grid of '{entry}' has '{value}'; a multiple of a default must be positive.")
    if len(set(map(repr, values))) < len(values):
        twice = next(value for value in values if list(values).count(value) > 1)
        raise InputError(f"{key} in the grid of '{entry}' names every value once; {twice!r} stands there more often.")


def _require_setting(entry: str, setting: Mapping[str, Any]) -> None:
    """Refuse values that the algorithm refuses in every game, and multiples of what is no number; what only some game refuses becomes a row's error there."""
    name, own = _parts(entry)
    values = {key: value for key, value in setting.items() if multiple_of(value) is None}
    algorithms.from_settings(name, own | values)
    for key in setting.keys() - values.keys():
        _times(entry, key, multiple_of(setting[key]) or 1.0, _default(name, own | values, key, 1.0))
