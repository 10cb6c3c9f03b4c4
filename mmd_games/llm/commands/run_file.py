"""A run as a YAML file: model, preference model, data, adapter, training, and how the run is watched. What is wrong is named before anything is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from mmd_games.errors import InputError, unknown

SECTIONS = ("model", "preference_model", "data", "lora", "training", "generator", "bridge", "preflight")


@dataclass(frozen=True)
class RunFile:
    """The sections of a run's file.

    Attributes
    ----------
    path : Path
    model : dict
        `path`, a directory or a hub name; `build`, a function ``module:function`` that makes the directory where it is missing; `dtype`.
    preference_model : dict
        `kind` and its settings.
    data : dict
        `train` and `eval`: files of rows with a `prompt` column (.jsonl, .json, .csv, .parquet).
    training : dict
        Settings of :class:`~mmd_games.llm.MagneticPreferenceConfig`.
    lora : dict or None
        Settings of `peft.LoraConfig`; without it the whole model is trained.
    generator : dict or None
        An OpenAI-compatible server that draws the completions, such as vLLM's: settings of :class:`~mmd_games.llm.ServerGenerator`, `base_url` and
        `adapter_directory` among them. Without it the model draws them itself.
    bridge : dict or None
        `completions`: all completions of a prompt, a function ``module:function`` from the prompt to texts, or a .json file of a list of texts; `every` so many
        rollouts; `preference_model`, who judges for the measurement, where that is not the run's own (which may be noisy).
    preflight : dict
        Settings of the preflight beside those of training.
    """

    path: Path
    model: dict[str, Any]
    preference_model: dict[str, Any]
    data: dict[str, Any]
    training: dict[str, Any]
    lora: dict[str, Any] | None = None
    generator: dict[str, Any] | None = None
    bridge: dict[str, Any] | None = None
    preflight: dict[str, Any] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Reads 1e-5 as the number that everybody means, where YAML 1.1 has it as text."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789"))

KEYS = {
    "model": ("path", "build", "dtype"),
    "data": ("train", "eval"),
    "generator": ("base_url", "adapter_directory", "requests", "timeout", "retries", "api_key_variable"),
    "bridge": ("completions", "every", "preference_model"),
}


def read_run_file(path: str | os.PathLike[str]) -> RunFile:
    """Read a run's file.

    Raises
    ------
    InputError
        When it cannot be read, is no mapping, or has an unknown or missing section or key.
    """
    target = Path(path)
    try:
        text = target.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{target}: cannot be read ({error.strerror or error}).") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{target}: is no UTF-8 text (byte {error.start + 1}).") from None
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{target}: is no YAML ({' '.join(str(error).split())}).") from None
    if not isinstance(content, dict):
        raise InputError(f"{target}: must have the sections {', '.join(SECTIONS)}; got {type(content).__name__}.")
    for name, section in content.items():
        if name not in SECTIONS:
            raise _named(target, unknown("section", str(name), SECTIONS))
        if name == "model" and isinstance(section, str):
            content[name] = {"path": section}
        elif not isinstance(section, Mapping):
            raise InputError(f"{target}: section '{name}' must be a mapping of keys to values, got {type(section).__name__}.")
        for key in content[name]:
            if name in KEYS and key not in KEYS[name]:
                raise _named(target, unknown(f"key of {name}", str(key), KEYS[name]))
    missing = [name for name in ("model", "preference_model", "data", "training") if name not in content]
    if missing:
        raise InputError(f"{target}: the section{'s' if len(missing) > 1 else ''} {', '.join(missing)} must be there.")
    for section, key in (
        ("model", "path"),
        ("data", "train"),
        ("preference_model", "kind"),
        ("bridge", "completions"),
        ("generator", "base_url"),
        ("generator", "adapter_directory"),
    ):
        if section in content and key not in content[section]:
            raise InputError(f"{target}: section '{section}' needs the key '{key}'.")
    return RunFile(target, **{name: dict(section) for name, section in content.items()})


def function_from(spec: str, where: str) -> Any:
    """The function that ``module:function`` names.

    Raises
    ------
    InputError
        When there is no such module or function.
    """
    module, _, name = spec.partition(":")
    if not (module and name):
        raise InputError(f"{where}: '{spec}' is not of the form module:function.")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{where}: '{spec}' cannot be imported ({error}).") from None


def _named(path: Path, error: InputError) -> InputError:
    return InputError(f"{path}: {error}")
