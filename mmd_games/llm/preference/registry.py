"""Preference models from a configuration: `{kind: voters, voters: [...]}`, as in a YAML file."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from mmd_games.errors import InputError, unknown
from mmd_games.games.files import read_game
from mmd_games.games.preference import PreferenceGame
from mmd_games.llm.preference.general import GeneralPreference
from mmd_games.llm.preference.judge import JudgePreference
from mmd_games.llm.preference.matrix import MatrixPreference
from mmd_games.llm.preference.pairwise import TEMPLATE, PairwisePreference
from mmd_games.llm.preference.protocol import PreferenceModel
from mmd_games.llm.preference.reward import RewardPreference
from mmd_games.llm.preference.simple import FunctionPreference, VotersPreference
from mmd_games.specs import convert


def matrix(
    *, table: Any, completions: Any = None, outside: float | None = 1.0, votes: int | None = None, seed: int = 0, name: str = "matrix"
) -> MatrixPreference:
    """A table, or a file of one that :func:`read_game` reads; its labels are the completions unless these are given."""
    if isinstance(table, str):
        game = read_game(table)
        if not isinstance(game, PreferenceGame):
            raise InputError(f"table of {name}: '{table}' is no table of win probabilities.")
        table = game.preference
        completions = game.labels[0] if completions is None and game.labels is not None else completions
    if completions is None:
        raise InputError(f"{name} needs completions, the texts that its table is about.")
    return MatrixPreference(completions, table, outside=outside, votes=votes, seed=seed, name=name)


def voters(*, voters: Any, name: str = "voters") -> VotersPreference:
    """Voters, each a function by reference or a mapping with its `score`, and optionally its `weight` and `name`."""
    if not isinstance(voters, list) or not voters:
        raise InputError(f"{name} needs a list of voters, each `module:function` or a mapping with the key score, got {voters!r}.")
    functions: dict[str, Callable[..., Any]] = {}
    weights: list[float] = []
    for index, voter in enumerate(voters):
        settings = {"score": voter} if isinstance(voter, str) else voter
        if not isinstance(settings, Mapping) or "score" not in settings:
            raise InputError(f"voter {index} of {name} must be `module:function` or a mapping with the key score, got {voter!r}.")
        _check_keys(settings, ("score", "weight", "name"), f"voter {index} of {name}")
        title = str(settings.get("name", settings["score"]))
        if title in functions:
            raise InputError(f"Two of the {name} are called '{title}': give one of them another name.")
        functions[title] = load_function(settings["score"], f"score of voter {index} of {name}")
        weights.append(convert(settings.get("weight", 1.0), float, f"weight of voter {index} of {name}"))
    return VotersPreference(functions, weights, name=name)


def function(*, function: str, antisymmetric: bool = False, name: str | None = None) -> FunctionPreference:
    """A function by reference."""
    return FunctionPreference(load_function(function, "function of the preference model"), antisymmetric=antisymmetric, name=name)


def reward(
    *,
    model: str,
    temperature: float = 1.0,
    batch_size: int = 16,
    max_tokens: int | None = None,
    device: str | None = None,
    dtype: str = "float32",
    name: str = "reward model",
) -> RewardPreference:
    """A reward model from a directory or the hub."""
    return RewardPreference.from_pretrained(model, temperature=temperature, batch_size=batch_size, max_tokens=max_tokens, device=device, dtype=dtype, name=name)


def general(
    *,
    model: str,
    temperature: float = 1.0,
    normalise: bool = False,
    batch_size: int = 16,
    max_tokens: int | None = None,
    device: str | None = None,
    dtype: str = "float32",
    name: str = "general preference model",
) -> GeneralPreference:
    """A general preference model from a directory or the hub."""
    return GeneralPreference.from_pretrained(
        model, temperature=temperature, normalise=normalise, batch_size=batch_size, max_tokens=max_tokens, device=device, dtype=dtype, name=name
    )


def pairwise(
    *,
    model: str,
    template: str = TEMPLATE,
    first_label: int = 0,
    both_orders: bool = True,
    temperature: float = 1.0,
    batch_size: int = 16,
    max_tokens: int | None = None,
    device: str | None = None,
    dtype: str = "float32",
    name: str = "pairwise model",
) -> PairwisePreference:
    """A pairwise classifier from a directory or the hub."""
    return PairwisePreference.from_pretrained(
        model,
        template=template,
        first_label=first_label,
        both_orders=both_orders,
        temperature=temperature,
        batch_size=batch_size,
        max_tokens=max_tokens,
        device=device,
        dtype=dtype,
        name=name,
    )


KINDS: dict[str, Callable[..., PreferenceModel]] = {
    "matrix": matrix,
    "voters": voters,
    "function": function,
    "reward": reward,
    "general": general,
    "pairwise": pairwise,
    "judge": JudgePreference,
}
"""By kind, what makes a preference model of the other keys."""


def preference_from_config(config: Mapping[str, Any]) -> PreferenceModel:
    """A preference model from the mapping of a configuration file.

    Parameters
    ----------
    config : mapping
        The key ``kind`` (one of :data:`KINDS`) and the settings of that kind: those of its class, with ``model`` for the directory or name of a neural one, and
        functions as ``module:function`` or ``path/to/file.py:function``. Weights are loaded here.

    Raises
    ------
    InputError
        For an unknown kind or key (the nearest is offered), one that is missing, or a value that is not what the key needs.

    Examples
    --------
    >>> preference_from_config({"kind": "matrix", "completions": ["a", "b"], "table": [[0.5, 0.7], [0.3, 0.5]], "votes": "4"}).votes
    4
    """
    if not isinstance(config, Mapping) or "kind" not in config:
        raise InputError(f"A preference model is configured by the key kind ({', '.join(KINDS)}) and its settings, got {config!r}.")
    kind = str(config["kind"])
    if kind not in KINDS:
        raise unknown("kind of preference model", kind, KINDS)
    factory, what = KINDS[kind], f"preference model '{kind}'"
    settings = {key: value for key, value in config.items() if key != "kind"}
    parameters = inspect.signature(factory).parameters
    _check_keys(settings, parameters, what)
    missing = [key for key, parameter in parameters.items() if parameter.default is parameter.empty and key not in settings]
    if missing:
        raise InputError(f"The {what} needs the key{'s' * (len(missing) > 1)} {', '.join(missing)}.")
    hints = typing.get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    return factory(**{key: _converted(value, hints[key], f"{key} of {what}") for key, value in settings.items()})


def load_function(reference: str, what: str) -> Callable[..., Any]:
    """The function that ``module:function`` or ``path/to/file.py:function`` names.

    Raises
    ------
    InputError
        When there is no such module, file or function.
    """
    place, _, attribute = reference.rpartition(":") if isinstance(reference, str) else ("", "", "")
    if not place or not attribute:
        raise InputError(f"{what} must be module:function or path/to/file.py:function, got {reference!r}.")
    try:
        module = _load_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except FileNotFoundError:
        raise InputError(f"{what}: there is no file '{place}'.") from None
    except ModuleNotFoundError as error:
        raise InputError(f"{what}: no module named '{error.name}' can be imported.") from None
    found = getattr(module, attribute, None)
    if not callable(found):
        raise InputError(f"{what}: '{place}' has no function '{attribute}'.")
    return found


def _load_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    assert spec is not None  # a name that ends with .py has both
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check_keys(settings: Mapping[str, Any], known: typing.Iterable[str], what: str) -> None:
    names = list(known)
    for key in settings:
        if key not in names:
            raise unknown(f"key of {what}", str(key), names)


def _converted(value: Any, annotation: Any, what: str) -> Any:
    """Text as the annotated number or choice (YAML reads 1e-3 as text); lists and mappings as they are, for the model to check."""
    return value if isinstance(value, list | Mapping) or annotation is Any else convert(value, annotation, what)
