"""The same rule on language models: the loss, the preference models, the trainer, and the bridge back to the tables and their judge.

``pip install 'mmd_games[llm]'``. Names are imported when they are asked for, so that ``import mmd_games.llm`` costs nothing and only what needs torch loads it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmd_games.llm.bridge import GameFamily as GameFamily
    from mmd_games.llm.bridge import as_game as as_game
    from mmd_games.llm.bridge import distance_to_tabular as distance_to_tabular
    from mmd_games.llm.bridge import enumerated_log_policy as enumerated_log_policy
    from mmd_games.llm.bridge import trace_from_checkpoints as trace_from_checkpoints
    from mmd_games.llm.bridge import verify_checkpoints as verify_checkpoints
    from mmd_games.llm.objective import group_payoffs as group_payoffs
    from mmd_games.llm.objective import magnetic_loss as magnetic_loss
    from mmd_games.llm.policy import PolicyAndMagnet as PolicyAndMagnet
    from mmd_games.llm.policy import TransformersGenerator as TransformersGenerator
    from mmd_games.llm.policy import completion_log_probs as completion_log_probs
    from mmd_games.llm.policy.server_generation import ServerGenerator as ServerGenerator
    from mmd_games.llm.preflight import PreflightReport as PreflightReport
    from mmd_games.llm.preflight import RunSettings as RunSettings
    from mmd_games.llm.rivals import OBJECTIVES as OBJECTIVES
    from mmd_games.llm.training import MagneticPreferenceConfig as MagneticPreferenceConfig
    from mmd_games.llm.training import MagneticPreferenceTrainer as MagneticPreferenceTrainer

_ROOMS = {
    "bridge": ("GameFamily", "as_game", "distance_to_tabular", "enumerated_log_policy", "trace_from_checkpoints", "verify_checkpoints"),
    "objective": ("group_payoffs", "magnetic_loss"),
    "policy": ("PolicyAndMagnet", "TransformersGenerator", "completion_log_probs"),
    "policy.server_generation": ("ServerGenerator",),
    "preflight": ("PreflightReport", "RunSettings"),
    "rivals": ("OBJECTIVES",),
    "training": ("MagneticPreferenceConfig", "MagneticPreferenceTrainer"),
}
"""Which room a name comes from."""
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
