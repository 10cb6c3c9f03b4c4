"""One grammar for games, algorithms and starts: `name:key=value,key=value`.

The same factory serves the command line (values are text) and a TOML file (values are typed already): a factory's signature says which
keys there are and of which type.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union

from mmd_games.errors import InputError, unknown


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split `name:key=value,key=value` into its name and its keys.

    Raises
    ------
    InputError
        When a part is not of the form key=value, or a key stands twice.

    Examples
    --------
    >>> parse("random:n=30,seed=1")
    ('random', {'n': '30', 'seed': '1'})
    """
    name, _, rest = text.strip().partition(":")
    settings: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in rest.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (key and equals and value):
            raise InputError(f"'{part}' in '{text}' is not of the form key=value (as in '{name}:key=value,key=value').")
        if key in settings:
            raise InputError(f"The key '{key}' stands twice in '{text}'.")
        settings[key] = value
    return name.strip(), settings


def keys(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keys that a factory (a function or a dataclass) takes, in order."""
    return dict(inspect.signature(factory).parameters)


def build(factory: Callable[..., Any], settings: Mapping[str, Any], what: str) -> Any:
    """Call `factory` with `settings`, converting text by the factory's annotations.

    Raises
    ------
    InputError
        For an unknown key (the nearest is offered), a missing one, or a value that is not of the key's type.
    """
    parameters = keys(factory)
    hints = typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    for key in settings:
        if key not in parameters:
            raise unknown(f"key of {what}", key, parameters)
    missing = [key for key, parameter in parameters.items() if parameter.default is parameter.empty and key not in settings]
    if missing:
        raise InputError(f"{what} needs {', '.join(f'{key}=…' for key in missing)}.")
    return factory(**{key: convert(value, hints.get(key, str), f"{key} of {what}") for key, value in settings.items()})


def convert(value: Any, annotation: Any, what: str) -> Any:
    """Turn text (or a TOML value) into the annotated type; a tuple is written with slashes, `0.9/0.8/0.9`."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        options = [option for option in arguments if option is not type(None)]
        if value is None or (value == "none" and len(options) < len(arguments)):
            return None
        return convert(value, options[0], what)
    if origin is Literal:
        if value in arguments:
            return value
        raise InputError(f"{what} must be one of {', '.join(map(str, arguments))}, got '{value}'.")
    if origin is tuple:
        parts = value.split("/") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
        return tuple(convert(part, arguments[0], what) for part in parts)
    if origin is Mapping:
        if isinstance(value, Mapping):
            return dict(value)
        raise InputError(f"{what} must be a table, got {value!r}.")
    if annotation is bool:
        return _boolean(value, what)
    if annotation is int:
        return _whole(value, what)
    if annotation is float:
        return _number(value, what)
    if not isinstance(value, str):
        raise InputError(f"{what} must be text, got {value!r}.")
    return value


def _boolean(value: Any, what: str) -> bool:
    if isinstance(value, bool):
        return value
    answers = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in answers:
        raise InputError(f"{what} must be true or false, got '{value}'.")
    return answers[str(value).lower()]


def _number(value: Any, what: str) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} must be a number, got '{value}'.") from None


def _whole(value: Any, what: str) -> int:
    number = _number(value, what)
    if not number.is_integer():
        raise InputError(f"{what} must be a whole number, got '{value}'.")
    return int(value) if isinstance(value, int | str) and str(value).lstrip("+-").isdigit() else int(number)
