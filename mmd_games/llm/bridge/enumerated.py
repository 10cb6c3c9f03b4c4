"""Completions that can be listed: a preference model over them is a preference game, and a language model a policy of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mmd_games.arrays import log_normalise
from mmd_games.errors import InputError, require_whole
from mmd_games.games.preference import PreferenceGame
from mmd_games.llm.policy import completion_log_probs, make_batch
from mmd_games.llm.policy.modules import evaluating
from mmd_games.llm.preference import PreferenceModel, Prompt, check_preferences, name_of, prompt_text


def as_game(preference_model: PreferenceModel, prompt: Prompt, completions: Sequence[str], name: str | None = None) -> PreferenceGame:
    """The game that a preference model makes of a prompt and a list of completions.

    Parameters
    ----------
    preference_model : PreferenceModel
    prompt : str or chat messages
    completions : sequence of n str
        Become the labels of the actions.
    name : str, optional
        What reports call the game; default the preference model and the prompt.

    Returns
    -------
    PreferenceGame
        Where the judge's two orders of a pair disagree it is their mean, and the game's notes say by how much; where only one is known, it is that one.

    Raises
    ------
    InputError
        For a table that is no preference (see :func:`~mmd_games.llm.preference.check_preferences`), or a pair whose judgement failed in both orders.

    Examples
    --------
    >>> from mmd_games.llm.preference import FunctionPreference
    >>> shorter = FunctionPreference(lambda prompt, first, second: float(len(first) < len(second)), antisymmetric=True)
    >>> as_game(shorter, "Say it.", ["certainly", "yes", "ok"], name="brevity")
    <PreferenceGame brevity (3 × 3, symmetric, win probability, L = 0.5)>
    """
    texts, judge = list(completions), name_of(preference_model)
    table = check_preferences(preference_model([prompt], [texts]), 1, len(texts), judge, antisymmetric=bool(getattr(preference_model, "antisymmetric", False)))[
        0
    ]
    table = torch.where(torch.isnan(table), 1 - table.mT, table)
    failed = torch.isnan(table).nonzero().tolist()
    if failed:
        row, column = failed[0]
        raise InputError(
            f"Preference model '{judge}' could not judge {len(failed) // 2} pairs, the first being completions {row} and {column} ({texts[row][:40]!r}, {texts[column][:40]!r}): "
            "a game needs a win probability of every pair."
        )
    called = f"{judge} on {prompt_text(prompt)[:60]!r}" if name is None else name
    return PreferenceGame(table.numpy(), labels=texts, name=called, symmetrise=True)


class EnumeratedPolicy(NamedTuple):
    """A language model's policy over the listed completions of a prompt.

    Attributes
    ----------
    log_policy : array (n,)
        Normalised over the list.
    log_mass : float
        Logarithm of the probability that a completion is one of the list.
    """

    log_policy: np.ndarray
    log_mass: float


def enumerated_log_policy(
    model: Any,
    prompt: Sequence[int],
    completions: Sequence[Sequence[int]],
    *,
    pad_id: int = 0,
    temperature: float = 1.0,
    sequences: int = 256,
    chunk: int = 256,
) -> EnumeratedPolicy:
    """What a language model plays, of the completions in a list.

    Parameters
    ----------
    model : module
        As for :func:`~mmd_games.llm.policy.completion_log_probs`; in evaluation mode while this runs.
    prompt : sequence of int
        Tokens.
    completions : sequence of n sequences of int
        Tokens, with the eos that ends a completion where one does.
    pad_id : int
        Any token of the model; padding is masked.
    temperature : float
        Of the sampling.
    sequences : int
        Completions in one forward pass.
    chunk : int
        Tokens of the head at one time.

    Raises
    ------
    InputError
        For fewer than two completions, or one that another begins with (or equals): the probability of tokens without an eos is that of all that begins with them.
    """
    require_whole(sequences=sequences)
    listed = [tuple(map(int, tokens)) for tokens in completions]
    if len(listed) < 2:
        raise InputError(f"A policy is over at least 2 completions, got {len(listed)}.")
    order = sorted(range(len(listed)), key=listed.__getitem__)  # what begins with a completion follows it at once
    for first, second in itertools.pairwise(order):
        if listed[second][: len(listed[first])] == listed[first]:
            raise InputError(
                f"Completion {second} begins with completion {first}, so its probability would count twice; an eos at the end of both keeps them apart."
            )
    device = next(model.parameters()).device
    values = []
    with torch.no_grad(), evaluating(model):
        for start in range(0, len(listed), sequences):
            part = listed[start : start + sequences]
            batch = make_batch([list(prompt)] * len(part), part, pad_id, device)
            values.append(completion_log_probs(model, batch, temperature=temperature, chunk=chunk).double().cpu())
    log_probs = torch.cat(values)
    return EnumeratedPolicy(log_normalise(log_probs.numpy(), (len(listed),)), float(log_probs.logsumexp(0)))
