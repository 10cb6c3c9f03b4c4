"""What a preference model is: prompts and completions in, a table of win probabilities for each prompt out; and the checks on both ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.llm.objective import require_group

Prompt: TypeAlias = str | list[dict[str, str]]
"""Text, or chat messages with the keys "role" and "content"."""
Mask: TypeAlias = np.ndarray | Tensor
"""Which pairs to judge."""

TOLERANCE = 1e-6
"""How far a table may be from [0, 1], from 1/2 on its diagonal, and from a declared antisymmetry: the rounding of a model in single precision."""


@runtime_checkable
class PreferenceModel(Protocol):
    """Who says which of two completions is better.

    A model may also have the counters ``calls`` (judgements that were paid for), ``failures`` (how many judgements failed, by reason) and ``cached``; a method
    ``check()``, called before the first rollout, which raises :class:`InputError` where no judgement can succeed; and ``state_dict()`` with
    ``load_state_dict(state)``, where a resumed run would otherwise be judged differently.

    Attributes
    ----------
    antisymmetric : bool
        P_ij + P_ji = 1 by construction: only one of the two need be judged.
    """

    antisymmetric: bool

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """The probability that completion i of a prompt is preferred to its completion j.

        Parameters
        ----------
        prompts : sequence of B prompts
        completions : sequence of B sequences of K texts
        mask : bool (B, K, K), optional
            True for the pairs to judge, or of any shape that broadcasts to this; by default all are judged.

        Returns
        -------
        tensor (B, K, K)
            float64 on the CPU, in [0, 1], 1/2 on the diagonal; NaN where a judgement failed or the mask is False.
        """
        ...


def name_of(model: object) -> str:
    """What messages call a preference model: its ``name``, else its type's or its own name."""
    own = getattr(model, "name", None) or getattr(model, "__name__", None)
    return own if isinstance(own, str) else type(model).__name__


def prompt_text(prompt: Prompt) -> str:
    """A prompt as one text: chat messages as paragraphs that open with the role.

    Raises
    ------
    InputError
        For a prompt that is neither text nor messages with a role and a content.

    Examples
    --------
    >>> prompt_text([{"role": "user", "content": "Name a colour."}])
    'user: Name a colour.'
    """
    if isinstance(prompt, str):
        return prompt
    try:
        return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt)
    except (KeyError, TypeError):
        raise InputError(f"A prompt is text, or a list of messages with the keys 'role' and 'content'; got {prompt!r}.") from None


def group_shape(prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], name: str) -> tuple[int, int]:
    """B and K of a batch of groups.

    Raises
    ------
    InputError
        For no prompt, a group for each prompt that is missing, groups of several sizes, or fewer than two completions.
    """
    if isinstance(prompts, str) or not len(prompts):
        raise InputError(f"{name} is asked about a list of at least one prompt, got {prompts!r}.")
    if len(completions) != len(prompts):
        raise InputError(f"{name} got {len(prompts)} prompts but completions of {len(completions)}; each prompt needs its group of completions.")
    sizes = {len(group) for group in completions}
    if len(sizes) > 1:
        raise InputError(f"{name} needs the same number of completions for every prompt, got {sorted(sizes)}.")
    (size,) = sizes
    require_group(size)
    return len(prompts), size


def wanted_pairs(mask: Mask | None, groups: int, size: int, name: str) -> np.ndarray:
    """The pairs to judge, bool (B, K, K): those of the mask, without the diagonal, which is known.

    Raises
    ------
    InputError
        For a mask that is not of truth values, or of a shape that does not fit.
    """
    wanted = np.ones((groups, size, size), dtype=bool)
    if mask is not None:
        given = torch.as_tensor(mask).cpu().numpy()
        if given.dtype != bool:
            raise InputError(f"The mask of {name} must hold truth values, got {given.dtype}.")
        try:
            wanted &= given
        except ValueError:
            raise InputError(f"The mask of {name} must have shape {(groups, size, size)}, got {given.shape}.") from None
    wanted &= ~np.eye(size, dtype=bool)
    return wanted


def judged_table(table: np.ndarray | Tensor, wanted: np.ndarray) -> Tensor:
    """A table as the protocol has it: what was not wanted is NaN, the diagonal 1/2."""
    values = torch.as_tensor(np.where(wanted, table, np.nan), dtype=torch.float64)
    return values.masked_fill(torch.eye(wanted.shape[-1], dtype=torch.bool), 0.5)


def is_probability(value: object) -> bool:
    """Is it a number in [0, 1]? Numbers of NumPy and tensors of one number are; text and NaN are not."""
    number = as_number(value)
    return number is not None and 0 <= number <= 1


def as_number(value: Any) -> float | None:
    """A float from anything that is one number, NaN included; `None` from all else."""
    if isinstance(value, str | bytes | bytearray):
        return None
    try:
        return float(value.detach() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, OverflowError, RuntimeError):  # RuntimeError: a tensor of several numbers
        return None


def check_preferences(table: Any, groups: int, size: int, name: str, *, antisymmetric: bool = False, may_be_silent: bool = False) -> Tensor:
    """What a preference model returned, or a sentence that says what is wrong with it.

    Parameters
    ----------
    table : tensor or array (B, K, K)
        NaN marks failed judgements. Values within 1e-6 of [0, 1] are rounded into it.
    groups, size : int
        B and K.
    name : str
        Of the preference model, for messages: see :func:`name_of`.
    antisymmetric : bool
        The model's declaration: known pairs must then sum to 1 within 1e-6.
    may_be_silent : bool
        Whether a table without any judgement is taken too.

    Returns
    -------
    tensor (B, K, K)
        float64 on the CPU, without a gradient.

    Raises
    ------
    InputError
        For a table that is no tensor of numbers, has the wrong shape, values outside [0, 1] or a diagonal other than 1/2, breaks a declared antisymmetry, or
        has no judgement at all.
    """
    if not isinstance(table, Tensor | np.ndarray) or (isinstance(table, np.ndarray) and table.dtype.kind not in "biuf"):
        raise InputError(f"Preference model '{name}' must return a tensor of numbers of shape {(groups, size, size)}, got {_described(table)}.")
    if tuple(table.shape) != (groups, size, size):
        raise InputError(f"Preference model '{name}' must return a table of shape {(groups, size, size)} (prompts, K, K), got {tuple(table.shape)}.")
    if isinstance(table, Tensor) and table.is_complex():
        raise InputError(f"Preference model '{name}' must return real numbers, got {table.dtype}.")
    values = torch.as_tensor(table).detach().to("cpu", torch.float64, copy=True)
    _refuse(
        (values < -TOLERANCE) | (values > 1 + TOLERANCE),
        lambda group, row, column: (
            f"Preference model '{name}' returned {float(values[group, row, column]):.7g} for prompt {group}, completions {row} and {column}: "
            "a probability in [0, 1] was expected, or NaN for a failed judgement."
        ),
    )
    itself = torch.eye(size, dtype=torch.bool)
    _refuse(
        itself & ~((values - 0.5).abs() <= TOLERANCE),
        lambda group, row, column: (
            f"Preference model '{name}' returned {float(values[group, row, column]):.7g} on the diagonal, for prompt {group}, completion {row} "
            "against itself: 1/2 was expected."
        ),
    )
    if antisymmetric:
        _refuse(
            (values + values.mT - 1).abs() > TOLERANCE,
            lambda group, row, column: (
                f"Preference model '{name}' declares itself antisymmetric, but for prompt {group}, completions {row} and {column} P_ij + P_ji is "
                f"{float(values[group, row, column] + values[group, column, row]):.7g}: 1 was expected (or antisymmetric = False)."
            ),
        )
    if not may_be_silent and bool((torch.isnan(values) | itself).all()):
        raise InputError(f"Preference model '{name}' returned no valid judgement: all {groups * size * (size - 1)} pairs are NaN.")
    return values.clamp(0, 1).masked_fill(itself, 0.5)


def _refuse(wrong: Tensor, sentence: Callable[[int, int, int], str]) -> None:
    """Raise the sentence of the first wrong entry, if there is one."""
    places = wrong.nonzero()
    if len(places):
        raise InputError(sentence(*map(int, places[0])))


def _described(table: object) -> str:
    if isinstance(table, np.ndarray):
        return f"an array of {table.dtype}"
    number = as_number(table)
    return f"the number {number:g}" if number is not None and not math.isnan(number) else f"a value of type {type(table).__name__}"
