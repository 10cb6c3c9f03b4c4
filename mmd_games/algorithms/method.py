"""What the methods outside the log-linear family share: settings in units of the game's scale, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from mmd_games.algorithms.log_linear import unit_of
from mmd_games.errors import InputError, require_positive


class Method:
    """A method outside the log-linear family: a frozen record of scalars; its state is its own, with the judged policy as `log_policy`."""

    _defaults: ClassVar[Mapping[str, tuple[float, int]]] = {}
    """For every setting that may be left open, the default as a multiple of a power of L: (multiple, power)."""
    products_per_step: ClassVar[int] = 1
    """Payoff evaluations (matrix-vector products) a step."""
    has_stages: ClassVar[bool] = False
    """Whether states have a `log_magnet`, a `magnet_strength` and a `step_size`, which are recorded whenever the first is another array or the second another number."""

    def __post_init__(self) -> None:
        require_positive(**{name: getattr(self, name) for name in self._defaults})

    def with_defaults(self: Any, scale: float) -> Any:
        """The same method with every setting filled in from the game's scale L = max|S|."""
        unit = unit_of(scale)
        filled = {name: multiple * unit**power for name, (multiple, power) in self._defaults.items() if getattr(self, name) is None}
        return replace(self, **filled) if filled else self

    def complete(self) -> Self:
        """The method itself, every setting of which must be filled in.

        Raises
        ------
        InputError
            When a setting still waits for its default.
        """
        open_settings = [name for name in self._defaults if getattr(self, name) is None]
        if open_settings:
            raise InputError(f"{type(self).__name__} has no {', '.join(open_settings)} yet: give a number, or call with_defaults(game.scale).")
        return self
