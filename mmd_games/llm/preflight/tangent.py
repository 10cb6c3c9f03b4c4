r"""A model in place of which its tangent learns: the trainer's own optimizer on the linear map from weights to log-probabilities, at the price of a table.

Adam moves every weight by about the learning rate, whatever the size of the gradient. So the part of an update that is realised grows as updates become smaller, jumps where the optimizer
starts anew, and one prompt's step moves the others: nothing that one number could tell. All of it follows from the Jacobian :math:`J = \partial \log p / \partial\theta` of the completions, a
row each: a gradient :math:`g` of the loss by log-probabilities is one of :math:`J^\top g` by weights, and a step :math:`\Delta\theta` of the weights moves them by :math:`J\Delta\theta`. Adam works weight by
weight, so a random sample of S of the N weights, with :math:`J\Delta\theta` scaled by N/S, has the same expected path.

The Jacobian is taken where the probe ends, and it does not stay: a model that learns by noisy steps comes to where its log-probabilities are less steep. In runs that settle the mean size of its entries
falls by about half from a tenth of the run to its end; in the play it falls as :math:`(t/t_0)^{-0.3}`, t rollouts after the run's begin if it was taken after :math:`t_0`. With Jacobians that are
taken late in the run no such factor is needed.

References
----------
Jacot, Gabriel & Hongler, "Neural Tangent Kernel", NeurIPS 2018, arXiv 1806.07572; that large steps make a network less steep: Lewkowycz et al., "The large learning rate phase of deep
learning", arXiv 2003.02218.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmd_games.arrays import log_normalise
from mmd_games.llm.preflight.settings import RunSettings

WEIGHTS = 2048
"""So many of the weights stand for all."""
RELAXES = 0.3
"""The power with which the entries of the Jacobian fall: see the module. Chosen on runs of a tiny model (benchmarks/llm/preflight_grid.py)."""


@dataclass(frozen=True, eq=False)
class Tangent:
    """The Jacobian of the log-probabilities of B prompts' completions, n each, by S weights.

    Attributes
    ----------
    rows : array (B, n, S)
        Play is in their precision.
    scale : float
        N/S: how many weights each of them stands for.
    """

    rows: np.ndarray
    scale: float

    def learner(self, settings: RunSettings, first: int) -> TangentLearner:
        """One that goes on from where the Jacobian was taken, after `first` rollouts."""
        return TangentLearner(self, settings, first)


class TangentLearner:
    """Many plays' models at once, each a tangent with an optimizer of its own.

    Parameters
    ----------
    tangent : Tangent
    settings : RunSettings
    first : int
        Rollouts that were made before.
    """

    def __init__(self, tangent: Tangent, settings: RunSettings, first: int) -> None:
        self.rows = tangent.rows.reshape(-1, tangent.rows.shape[-1])
        self.scale, self.settings, self.first, self.rollout = tangent.scale, settings, max(first, 1), first
        self.steps = 0
        self.mean = self.square = np.zeros_like(self.rows[:1])

    def fitted(self, log_policy: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The policies after the gradient steps of a rollout: three arrays (seeds, B, n) → (seeds, B, n)."""
        steepness = self.scale * (max(self.rollout, 1) / self.first) ** -RELAXES
        size, policy = counts.sum(-1, keepdims=True), log_policy
        for _ in range(self.settings.inner_steps):
            missing = policy - target
            centred = missing - (counts * missing).sum(-1, keepdims=True) / size
            # The slope of the mean over prompts of each group's unbiased variance.
            slope = 2.0 * counts * centred / ((size - 1) * policy.shape[-2])
            step = self._step(slope.reshape(len(slope), -1).astype(self.rows.dtype) @ self.rows)
            moved = (step @ self.rows.T).reshape(policy.shape)
            policy = log_normalise(policy - steepness * moved, (policy.shape[-1],))
        self.rollout += 1
        return policy

    def refreshed(self) -> None:
        """A new magnet, with which the optimizer may start anew."""
        if self.settings.reset_optimizer_at_refresh:
            self.steps = 0
            self.mean = self.square = np.zeros_like(self.square)

    def _step(self, gradient: np.ndarray) -> np.ndarray:
        """Adam's step for a gradient, both (seeds, S)."""
        made, first, second = self.settings, self.settings.adam_beta1, self.settings.adam_beta2
        if made.max_grad_norm:
            norm = np.sqrt(self.scale * np.sum(np.square(gradient), -1, keepdims=True))
            gradient *= np.minimum(1.0, made.max_grad_norm / (norm + 1e-6))
        self.steps += 1
        self.mean = first * self.mean + (1 - first) * gradient
        self.square = second * self.square + (1 - second) * np.square(gradient)
        size = np.sqrt(self.square / (1 - second**self.steps)) + made.adam_epsilon
        return made.learning_rate / (1 - first**self.steps) * self.mean / size


def tangent_of(log_probs: Tensor, weights: Sequence[Tensor], *, seed: int) -> Tangent:
    """The Jacobian at the present weights, by some of them drawn at random, in float32.

    Parameters
    ----------
    log_probs : tensor (B, n)
        With a graph.
    weights : sequence of tensor
        That are trained.
    seed : int
        Of the draw.
    """
    ends = np.cumsum([weight.numel() for weight in weights])
    count = int(ends[-1])
    chosen = np.sort(np.random.default_rng(seed).choice(count, min(WEIGHTS, count), replace=False))
    parts = [torch.as_tensor(part, device=weight.device) for part, weight in zip(_split(chosen, ends), weights, strict=True)]
    rows = []
    for value in log_probs.reshape(-1):
        slopes = torch.autograd.grad(value, list(weights), retain_graph=True, allow_unused=True)
        rows.append(np.concatenate([_picked(slope, part) for slope, part in zip(slopes, parts, strict=True)]))
    return Tangent(np.stack(rows).reshape(*log_probs.shape, -1), count / len(chosen))


def _split(chosen: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """Sorted places among all weights as places in each tensor."""
    starts = np.concatenate([[0], ends[:-1]])
    return [part - start for part, start in zip(np.split(chosen, np.searchsorted(chosen, ends[:-1])), starts, strict=True)]


def _picked(slope: Tensor | None, part: Tensor) -> np.ndarray:
    """Some entries of a slope, zeros of one that is absent."""
    return np.zeros(len(part), dtype=np.float32) if slope is None else slope.reshape(-1)[part].float().cpu().numpy()
