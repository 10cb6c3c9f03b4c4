r"""Completions drawn from the policy, exactly: token by token from :math:`\mathrm{softmax}(z / T)` over the whole vocabulary.

Each draw inverts the distribution function at a number that depends on the prompt's key, on which of its samples it is, and on the position; on nothing else.
So a completion does not depend on what else is in the batch, on which rank draws it, or on whether the run was interrupted before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, register_fsdp_forward_method
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.llm.policy.modules import causal_model, evaluating, unwrapped


class Generator(Protocol):
    """Draws completions of prompts."""

    def __call__(self, model: nn.Module, prompts: list[list[int]], keys: list[tuple[int, ...]]) -> list[list[list[int]]]:
        """K completions of each prompt, as tokens.

        Parameters
        ----------
        model : module
            The policy, wrapped or bare, its adapter active.
        prompts : list of list of int
        keys : list of tuple of int
            What identifies each prompt for randomness, such as (seed, rollout, prompt): the same key gives the same completions, different ones independent
            ones.

        Returns
        -------
        list (prompts) of list (K) of list of int
            A completion includes the eos token that ended it; one that was cut at the greatest length has none.
        """
        ...


class TransformersGenerator:
    """Draws with the model itself, by `generate` of transformers with its cache.

    Parameters
    ----------
    samples : int
        K, completions of a prompt.
    max_new_tokens : int
        Greatest length of a completion.
    temperature : float
        T.
    eos_id : int or sequence of int
        Tokens of which any ends a completion.
    pad_id : int
    batch : int
        Sequences that are drawn at once, at most.

    Notes
    -----
    Settings of the model's own `generation_config` (top-k, top-p, penalties, forced or suppressed tokens and the like) are put aside: log-probabilities would not
    be those of the distribution that is drawn from.
    """

    def __init__(self, samples: int, max_new_tokens: int, temperature: float = 1.0, *, eos_id: int | Sequence[int], pad_id: int, batch: int = 64) -> None:
        require_whole(samples=samples, max_new_tokens=max_new_tokens, batch=batch)
        require_positive(temperature=temperature)
        self.samples, self.max_new_tokens, self.temperature, self.batch = samples, max_new_tokens, temperature, batch
        self.eos_ids, self.pad_id = eos_tokens(eos_id), pad_id

    def __call__(self, model: nn.Module, prompts: list[list[int]], keys: list[tuple[int, ...]]) -> list[list[list[int]]]:
        """See :class:`Generator`."""
        inner = causal_model(model)
        require_room(prompts, keys, self.max_new_tokens, inner.config)
        rows = [(index, sample) for index in range(len(prompts)) for sample in range(self.samples)]
        rows.sort(key=lambda row: len(prompts[row[0]]))  # prompts of like length together, for little padding
        completions: list[list[list[int]]] = [[[] for _ in range(self.samples)] for _ in prompts]
        with torch.no_grad(), evaluating(inner), _own_settings(inner), _gathering(model) as generate:
            for start in range(0, len(rows), self.batch):
                part = rows[start : start + self.batch]
                numbers = np.stack([uniforms(keys[index], sample, self.max_new_tokens) for index, sample in part])
                for (index, sample), tokens in zip(part, self._draw(inner, generate, [prompts[index] for index, _ in part], numbers), strict=True):
                    completions[index][sample] = tokens
        return completions

    def _draw(self, model: Any, generate: Callable[..., Tensor], prompts: list[list[int]], numbers: np.ndarray) -> list[list[int]]:
        """One completion for each of some prompts and rows of numbers in [0, 1)."""
        width = max(map(len, prompts))
        ids = torch.full((len(prompts), width), self.pad_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        draw = InverseDistribution(torch.from_numpy(numbers).to(model.device), self.temperature, width)
        settings = GenerationConfig(
            max_new_tokens=self.max_new_tokens, do_sample=False, num_beams=1, use_cache=True, eos_token_id=self.eos_ids, pad_token_id=self.pad_id
        )
        drawn = generate(
            inputs=ids.to(model.device), attention_mask=mask.to(model.device), generation_config=settings, logits_processor=LogitsProcessorList([draw])
        )
        if not bool(draw.finite):
            raise InputError(f"The logits of {type(model).__name__} are not finite, so no completion can be drawn from them.")
        return [self._until_end(row) for row in drawn[:, width:].tolist()]

    def _until_end(self, tokens: list[int]) -> list[int]:
        """Leave out what follows the first eos."""
        end = next((place for place, token in enumerate(tokens) if token in self.eos_ids), len(tokens))
        return tokens[: end + 1]


class InverseDistribution(LogitsProcessor):
    """Leaves one token possible: the one at which the distribution function of softmax(logits / T) passes the row's number for this position."""

    def __init__(self, numbers: Tensor, temperature: float, width: int) -> None:
        self.numbers, self.temperature, self.width = numbers, temperature, width
        self.finite = torch.ones((), dtype=torch.bool, device=numbers.device)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(rows, width + position), (rows, vocabulary) → (rows, vocabulary)."""
        distribution = torch.softmax(scores.double() / self.temperature, -1).cumsum(-1)
        total = distribution[:, -1:]
        self.finite &= torch.isfinite(total).all()
        number = self.numbers[:, input_ids.shape[1] - self.width, None] * total  # the sum of probabilities is one to rounding only
        token = torch.searchsorted(distribution, number, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(-1, token, 0.0)


def uniforms(key: tuple[int, ...], sample: int, count: int) -> np.ndarray:
    """Numbers in [0, 1) that belong to a sample of a prompt, one for each position; more of them begin with the same."""
    return np.random.default_rng(np.random.SeedSequence([len(key), *key], spawn_key=(sample,))).random(count)


def eos_tokens(eos_id: int | Sequence[int]) -> list[int]:
    """Tokens that end a completion, as a list."""
    tokens = [eos_id] if isinstance(eos_id, int) else list(eos_id or ())
    if not tokens or not all(isinstance(token, int) for token in tokens):
        raise InputError(f"eos_id must be a token or several, any of which ends a completion; got {eos_id!r}.")
    return tokens


def require_room(prompts: list[list[int]], keys: list[tuple[int, ...]], max_new_tokens: int, config: Any = None) -> None:
    """Refuse prompts that have no token, no key, or no room for a completion within the model's context."""
    if len(prompts) != len(keys):
        raise InputError(f"keys must have one entry for each of the {len(prompts)} prompts, got {len(keys)}.")
    context = getattr(config.get_text_config(), "max_position_embeddings", None) if config is not None else None
    for index, prompt in enumerate(prompts):
        if not prompt:
            raise InputError(f"A prompt needs at least one token; prompt {index} has none.")
        if context is not None and len(prompt) + max_new_tokens > context:
            raise InputError(f"Prompt {index} has {len(prompt)} tokens, which with max_new_tokens={max_new_tokens} exceeds the model's context of {context}.")


@contextmanager
def _own_settings(model: Any) -> Iterator[None]:
    """Put aside the model's generation settings: `generate` takes from them what it is not told."""
    before = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = before


@contextmanager
def _gathering(model: nn.Module) -> Iterator[Callable[..., Tensor]]:
    """`generate` of the language model; where its weights are in pieces (FSDP2), called so that what holds them gathers those of no layer first, as in a forward pass.

    The ranks then wait for each other at every token, so those that have ended go on until all have.
    """
    inner, outer = causal_model(model), unwrapped(model)
    if not isinstance(outer, FSDPModule):
        yield inner.generate
        return
    holder: Any = outer  # a module and an FSDPModule, which their types do not say
    holder.generate_in_pieces = partial(inner.generate, synced_gpus=True)
    try:
        register_fsdp_forward_method(holder, "generate_in_pieces")
        yield holder.generate_in_pieces
    finally:
        del holder.generate_in_pieces
