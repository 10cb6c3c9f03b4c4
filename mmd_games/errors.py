"""What a user did wrong, in one sentence: what, where, and what would be right."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from numbers import Integral


class InputError(ValueError):
    """Bad input or usage. Its message is a sentence for a person; the command line prints it and exits with status 2."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Say that no `kind` is called `name`, offering the nearest of the `known` names."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean '{nearest[0]}'?" if nearest else f"known: {', '.join(names) or 'none'}."
    return InputError(f"Unknown {kind} '{name}'; {hint}")


def require_positive(**values: float | int | None) -> None:
    """Refuse numbers that are not positive and finite, by name; `None` and arrays (a batch of settings) pass."""
    for name, value in values.items():
        if value is None or getattr(value, "ndim", 0):
            continue
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < float("inf"):
            raise InputError(f"{name} must be a positive, finite number, got {value!r}.")


def require_share(**values: float | None) -> None:
    """Refuse numbers that are not strictly between 0 and 1, by name; `None` passes."""
    require_positive(**values)
    for name, value in values.items():
        if value is not None and not value < 1:
            raise InputError(f"{name} must be below 1, got {value!r}.")


def require_whole(minimum: int = 1, **values: int | None) -> None:
    """Refuse counts that are not whole numbers of at least `minimum`, by name; `None` passes."""
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
            raise InputError(f"{name} must be a whole number of at least {minimum}, got {value!r}.")
