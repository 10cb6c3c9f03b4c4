r"""Log-probabilities of whole completions, without ever holding the logits of all their tokens.

Logits of 8 sequences of 512 tokens over a vocabulary of 64,000 are a gigabyte, and their softmax and gradients two more. Here the head is applied to some tokens
at a time, at completion tokens only, and again in the backward pass. This happens *inside* the model's forward, so that whatever wraps the model (DDP, FSDP,
autocast) sees an ordinary call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.llm.policy.chunks import LogSoftmaxAt, chunked, default_chunk
from mmd_games.llm.policy.modules import causal_model, unwrapped


@dataclass(frozen=True)
class CausalBatch:
    """Prompts with their completions, padded on the right: N sequences of at most T tokens.

    Attributes
    ----------
    input_ids : tensor (N, T), int64
    attention_mask : tensor (N, T), int64
        One on tokens, zero on padding.
    completion_mask : tensor (N, T), bool
        True on the tokens of the completion, its eos included.
    """

    input_ids: Tensor
    attention_mask: Tensor
    completion_mask: Tensor


def make_batch(prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], pad_id: int, device: torch.device | str = "cpu") -> CausalBatch:
    """Pad prompts and their completions, one of each for a sequence, to one rectangle.

    Raises
    ------
    InputError
        When the numbers of prompts and completions differ, or one of them has no token: the first token of a completion is predicted from the last of its prompt.
    """
    if len(prompts) != len(completions) or not prompts:
        raise InputError(f"prompts and completions must come in pairs, got {len(prompts)} prompts and {len(completions)} completions.")
    for name, sequences in (("prompt", prompts), ("completion", completions)):
        if not all(sequences):
            raise InputError(f"A {name} needs at least one token; {name} {[bool(tokens) for tokens in sequences].index(False)} has none.")
    width = max(len(prompt) + len(completion) for prompt, completion in zip(prompts, completions, strict=True))
    ids = torch.full((len(prompts), width), pad_id)
    place = torch.arange(width)
    starts = torch.tensor([len(prompt) for prompt in prompts])[:, None]
    ends = starts + torch.tensor([len(completion) for completion in completions])[:, None]
    for row, prompt, completion in zip(ids, prompts, completions, strict=True):
        row[: len(prompt) + len(completion)] = torch.tensor([*prompt, *completion])
    return CausalBatch(ids.to(device), (place < ends).long().to(device), ((place >= starts) & (place < ends)).to(device))


def completion_log_probs(model: nn.Module, batch: CausalBatch, *, temperature: float = 1.0, chunk: int | None = None) -> Tensor:
    r"""Log-probability of each completion given its prompt, :math:`\sum_t \log \mathrm{softmax}(z_t / T)_{y_t}`.

    Parameters
    ----------
    model : module
        A causal language model of transformers, bare, with adapters (PEFT), or as its distributed wrapper; the wrapper itself is called.
    batch : CausalBatch
    temperature : float
        T of the distribution that completions are drawn from.
    chunk : int, optional
        Number of tokens whose logits are in memory at once; default 256 on a CPU, 1,024 elsewhere.

    Returns
    -------
    tensor (N,)
        In float32, or in float64 for a float64 model. The gradient reaches the model's parameters. A completion that was cut off without eos has the
        probability of its tokens, that is, of all completions that begin with them.

    Raises
    ------
    InputError
        For a module that is no causal language model, or one that changes its logits after the head in another way than to scale or to cap them.
    """
    require_positive(temperature=temperature)
    require_whole(chunk=chunk)
    if isinstance(model, DistributedDataParallel) and not torch.is_grad_enabled():
        model = model.module  # without a gradient there is nothing to reduce; the wrapper would make its ranks wait for each other
    after_head = _after_head(model, batch)
    predicted = batch.completion_mask[:, 1:]
    places = predicted.nonzero(as_tuple=True)  # here once: a device would be waited for at every use of the mask
    tokens = batch.input_ids[:, 1:][places]

    def log_probs(head: Callable[[Tensor], Tensor], hidden: Tensor) -> Tensor:
        values = chunked(partial(_token_log_probs, head, after_head, temperature), hidden[:, :-1][places], tokens, chunk or default_chunk(tokens.device))
        return values.new_zeros(predicted.shape).index_put(places, values).sum(-1)

    return _with_head(model, log_probs, batch)


def _token_log_probs(head: Callable[[Tensor], Tensor], after_head: AfterHead, temperature: float, hidden: Tensor, tokens: Tensor) -> Tensor:
    """Log-probability of each of some tokens, at least in float32: (tokens, features), (tokens,) → (tokens,)."""
    logits = head(hidden)
    logits = after_head(logits.to(torch.promote_types(logits.dtype, torch.float32)))
    return LogSoftmaxAt.apply(logits if temperature == 1 else logits / temperature, tokens)


@dataclass(frozen=True)
class AfterHead:
    r"""What a model does to its logits after the head: :math:`s z`, or :math:`c \tanh(s z / c)` (Cohere, Granite; Gemma)."""

    scale: float
    cap: float | None = None

    def __call__(self, logits: Tensor) -> Tensor:
        """The logits that the model would have returned."""
        if self.cap is not None:
            return torch.tanh(logits * (self.scale / self.cap)) * self.cap
        return logits if self.scale == 1 else logits * self.scale


_KNOWN: WeakKeyDictionary[nn.Module, AfterHead] = WeakKeyDictionary()


def _after_head(model: nn.Module, batch: CausalBatch) -> AfterHead:
    """Measure, once for a model, what it does to logits after the head: names in configurations differ from model to model, and new ones come."""
    inner = causal_model(model)
    if inner not in _KNOWN:
        # Numbers that bfloat16 has, too: FSDP2 rounds to it.
        probe = torch.tensor([2.0**20, 2.0**-20, -50.0, -7.0, -0.5, 0.0, 0.125, 3.0, 20.0], dtype=torch.float64, device=batch.input_ids.device)
        with torch.no_grad(), _head_replaced(inner, lambda hidden: probe.expand(1, 1, -1)):
            seen = model(input_ids=batch.input_ids[:1, :1], attention_mask=batch.attention_mask[:1, :1], use_cache=False).logits.double().flatten()
        largest, slope = float(seen[0]), float(seen[1]) * 2**20
        slope = 1.0 if abs(slope - 1) < 1e-6 else slope
        for candidate in (AfterHead(slope), AfterHead(slope, largest)):
            if seen.shape == probe.shape and torch.allclose(candidate(probe), seen, rtol=1e-5, atol=1e-5):
                _KNOWN[inner] = candidate
                break
        else:
            raise InputError(
                f"{type(inner).__name__} changes its logits after the head other than to scale or to cap them; its log-probabilities cannot be chunked."
            )
    return _KNOWN[inner]


def _with_head(model: nn.Module, replacement: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor], batch: CausalBatch) -> Tensor:
    """Call a model so that it returns `replacement(head, hidden states)`, computed where it would compute its logits."""
    inner, found = causal_model(model), []
    original = inner.get_output_embeddings().forward

    def forward(hidden: Tensor) -> Tensor:
        found.append(replacement(original, hidden))
        return hidden.new_zeros(1, 1, 1)  # whatever the model does to its logits is done to this

    # First of the hooks: a wrapper that prepares its backward pass at the outputs must find these.
    handle = unwrapped(model).register_forward_hook(lambda *_: found[0] if found else None, prepend=True)
    try:
        with _head_replaced(inner, forward):
            result = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False)
    finally:
        handle.remove()
    if not isinstance(result, Tensor):
        raise InputError(f"{type(inner).__name__} does not compute its logits by its output embeddings; its log-probabilities cannot be chunked.")
    # FSDP2 rounds what a model returns to its own precision, by which a sum of many logarithms loses all that matters; its hooks are on what it rounds.
    return result if result.dtype == found[0].dtype else found[0]


@contextmanager
def _head_replaced(inner: Any, forward: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let the head of a model do something else for a while."""
    head = inner.get_output_embeddings()
    own = head.__dict__.get("forward")
    head.forward = forward
    try:
        yield
    finally:
        if own is None:
            del head.forward
        else:
            head.forward = own
