"""The same rule on language models: the loss, the preference models, the trainer, and the bridge back to the tables and their judge.

``pip install 'mmd_games[llm]'``. Names are imported when they are asked for, so that ``import mmd_games.llm`` costs nothing and only what needs torch loads it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmd_games.llm.objective import group_payoffs as group_payoffs
    from mmd_games.llm.objective import magnetic_loss as magnetic_loss
    from mmd_games.llm.training import MagneticPreferenceConfig as MagneticPreferenceConfig
    from mmd_games.llm.training import MagneticPreferenceTrainer as MagneticPreferenceTrainer

_ROOMS = {
    "objective": ("group_payoffs", "magnetic_loss"),
    "training": ("MagneticPreferenceConfig", "MagneticPreferenceTrainer"),
}
"""Which module a name comes from."""
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
