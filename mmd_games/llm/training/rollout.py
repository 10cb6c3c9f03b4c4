"""A rollout: completions of the present policy, what they are worth against each other, and all that the loss needs to know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mmd_games.llm.objective import group_payoffs
from mmd_games.llm.policy import CausalBatch, Generator, PolicyAndMagnet, completion_log_probs, make_batch
from mmd_games.llm.preference import symmetrised
from mmd_games.llm.rivals import Group
from mmd_games.llm.training.prompts import PromptTokens


@dataclass(frozen=True)
class Rollout:
    """B prompts with K completions each.

    Attributes
    ----------
    prompts : list of list of int, length B
    completions : list of list of int, length B·K
        Group by group.
    group : Group
        Log-probabilities under the policy that drew them and the magnet, win probabilities, payoffs.
    log_start : tensor (B, K), or None
        Log-probabilities under the first policy, where that was asked for and is kept.
    judged : tensor (B, K, K)
        Win probabilities as the preference model gave them, which `group` has made antisymmetric.
    """

    prompts: list[list[int]]
    completions: list[list[int]]
    group: Group
    log_start: Tensor | None
    judged: Tensor

    @property
    def tokens(self) -> int:
        """Of all completions."""
        return sum(map(len, self.completions))

    def to(self, device: Any) -> Rollout:
        """The same on another device."""
        moved = {name: getattr(self.group, name).to(device) for name in ("log_policy", "log_magnet", "preference", "payoff")}
        start = None if self.log_start is None else self.log_start.to(device)
        return replace(self, group=Group(**moved), log_start=start, judged=self.judged.to(device))


@dataclass(frozen=True)
class Scorer:
    """How sequences become log-probabilities: one setting for policy, magnet and start.

    Attributes
    ----------
    temperature : float
    chunk : int
        Tokens of the head at one time.
    pad_id : int
    sequences : int or None
        Completions in one forward pass.
    """

    temperature: float
    chunk: int
    pad_id: int
    sequences: int | None

    def parts(self, count: int) -> Iterator[slice]:
        """The slices of `count` sequences that go through the model together."""
        size = self.sequences or count
        return (slice(first, min(first + size, count)) for first in range(0, count, size))

    def batch(self, prompts: list[list[int]], completions: list[list[int]], part: slice, device: Any) -> CausalBatch:
        """Some sequences as one padded batch; prompts are as many as groups."""
        size = len(completions) // len(prompts)
        return make_batch([prompts[index // size] for index in range(part.start, part.stop)], completions[part], self.pad_id, device)

    def log_probs(self, model: Any, batch: CausalBatch) -> Tensor:
        """Log-probability of each completion: (N,)."""
        return completion_log_probs(model, batch, temperature=self.temperature, chunk=self.chunk)

    @torch.no_grad()
    def score(self, model: Any, prompts: list[list[int]], completions: list[list[int]], device: Any) -> Tensor:
        """Log-probabilities without a graph: (B, K)."""
        parts = [self.log_probs(model, self.batch(prompts, completions, part, device)) for part in self.parts(len(completions))]
        return torch.cat(parts).reshape(len(prompts), -1)


def roll_out(
    *,
    models: PolicyAndMagnet,
    policy: Any,
    generator: Generator,
    scorer: Scorer,
    judge: Callable[[list[Any], list[list[str]]], Tensor],
    decode: Callable[[list[int]], str],
    rows: list[PromptTokens],
    keys: list[tuple[int, ...]],
    device: Any,
    score_policy: Callable[[list[list[int]], list[list[int]]], Tensor],
    score_start: bool,
    autocast: Callable[..., AbstractContextManager[Any]],
) -> Rollout:
    """Draw, judge and score the completions of some prompts.

    Parameters
    ----------
    models : PolicyAndMagnet
    policy : module
        The policy as the training loop has wrapped it.
    generator : Generator
    scorer : Scorer
    judge : callable
        Prompts and groups of texts to win probabilities (B, K, K).
    decode : callable
        Tokens to text.
    rows : list of PromptTokens, length B
    keys : list of tuple of int, length B
        What the completions' randomness depends on.
    device : torch.device
    score_policy : callable
        Prompts and completions to log-probabilities (B, K) under the policy. Asked last, so that a graph may be kept of it.
    score_start : bool
        Whether the first policy's log-probabilities are wanted too, where it is kept.
    autocast : callable
        The precision in which the training loop runs the policy, for the generator and the magnet, which it does not wrap. The policy is scored outside of it: a
        weight that was cast without a gradient would be taken from the cache with one.
    """
    prompts = [row.tokens for row in rows]
    with autocast():
        groups = generator(policy, prompts, keys)
    judged = judge([row.prompt for row in rows], [[decode(tokens) for tokens in group] for group in groups])
    completions = [tokens for group in groups for tokens in group]
    with autocast(), models.magnet(policy) as magnet:
        log_magnet = scorer.score(magnet, prompts, completions, device)
    log_start = None
    if score_start:
        with autocast(), models.start(policy) as start:
            log_start = None if start is None else scorer.score(start, prompts, completions, device)
    log_policy = score_policy(prompts, completions)
    preference = symmetrised(judged).to(log_policy.dtype).to(device)
    # Each counts itself among its opponents: the gradient is then that of the tabular step on average, for any size of the group.
    group = Group(log_policy, log_magnet, preference, group_payoffs(preference, count_itself=True))
    return Rollout(prompts, completions, group, log_start, judged)
