r"""A function of each token on its own, computed for some tokens at a time, so that what it needs in between, the logits, never is in memory for all of them.

Where nothing of the function learns (a frozen head, as under most adapters), the gradient to the tokens is known as soon as the value is, and is kept: it is as
small as the hidden states, and no logits are computed twice. Where it learns, the gradient to its weights needs what arrives in the backward pass, and each piece
is computed again there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

Score = Callable[[Tensor, Tensor], Tensor]
"""(tokens, features), (tokens,) → (tokens,), each entry of its own token alone."""


def default_chunk(device: torch.device) -> int:
    """Tokens at a time: few on a CPU, more elsewhere, where products of few rows are slower than the memory saved is worth (benchmarks/results/llm_device.txt)."""
    return 256 if device.type == "cpu" else 1024


def chunked(score: Score, hidden: Tensor, tokens: Tensor, chunk: int) -> Tensor:
    """Apply a score to at most `chunk` tokens at a time: (tokens, features), (tokens,) → (tokens,)."""
    if not torch.is_grad_enabled():
        return _pieces(score, hidden, tokens, chunk)
    if score(hidden[:1].detach(), tokens[:1]).requires_grad:  # asked of the function itself: wrappers hide from a module what its parameters are
        return _pieces(partial(checkpoint, score, use_reentrant=False, preserve_rng_state=False), hidden, tokens, chunk)
    return KeptGradient.apply(hidden, tokens, score, chunk) if hidden.requires_grad else _pieces(score, hidden, tokens, chunk)


def _pieces(score: Any, hidden: Tensor, tokens: Tensor, chunk: int) -> Tensor:
    return torch.cat([cast(Tensor, score(piece, targets)) for piece, targets in zip(hidden.split(chunk), tokens.split(chunk), strict=True)])


class KeptGradient(torch.autograd.Function):
    """A score of which nothing learns, with its gradient to the hidden states computed along with it."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, tokens: Tensor, score: Score, chunk: int) -> Tensor:
        """(tokens, features), (tokens,) → (tokens,)."""
        values, gradient = [], torch.empty_like(hidden)
        for piece, targets, part in zip(hidden.split(chunk), tokens.split(chunk), gradient.split(chunk), strict=True):
            with torch.enable_grad():
                leaf = piece.detach().requires_grad_()
                value = score(leaf, targets)
                part.copy_(torch.autograd.grad(value.sum(), leaf)[0])
            values.append(value.detach())
        ctx.save_for_backward(gradient)
        return torch.cat(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override], the decorator leaves no names
        """(tokens,) → (tokens, features)."""
        (arriving,), (gradient,) = grad_outputs, ctx.saved_tensors
        return gradient * arriving[:, None].to(gradient.dtype), None, None, None


class LogSoftmaxAt(torch.autograd.Function):
    """Log-softmax of logits at one token each; its gradient, onehot − softmax, is written over what was kept, and that over the logits: nobody else needs them."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor) -> Tensor:
        """(tokens, vocabulary), (tokens,) → (tokens,)."""
        # On a CPU new memory costs more time than the function itself. Each entry is read before it is written; other devices need not do so, and reuse memory anyway.
        log_probs = torch.log_softmax(logits.detach(), -1, out=logits.detach() if logits.device.type == "cpu" else None)
        ctx.save_for_backward(log_probs, tokens)
        return log_probs.gather(-1, tokens[:, None])[:, 0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:  # type: ignore[override], the decorator leaves no names
        """(tokens,) → (tokens, vocabulary)."""
        (arriving,), (log_probs, tokens) = grad_outputs, ctx.saved_tensors
        gradient = log_probs.exp_().mul_(-arriving[:, None])
        return gradient.scatter_add_(-1, tokens[:, None], arriving[:, None]), None
