"""The rungs of the ladder from tables to language models: one loop of updates for whatever has log-probabilities, and the policies that climb it.

The loop is minimal on purpose: the loss of the library, an optimiser of torch, and nothing of the trainer, which has tests of its own.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

import mmd_games as mg
from mmd_games.arrays import log_normalise, total_variation
from mmd_games.llm.objective import group_payoffs, magnetic_loss
from mmd_games.llm.policy import completion_log_probs, make_batch
from mmd_games.updates import proximal_logits

FITTED = 1e-6
"""An update is fitted when its loss, the variance of log π over the completions, is below this: total variation is at most half its root, .0005, if π is flat."""
EVALUATIONS = 200
"""How often the loss may be evaluated for one update."""


class Policy(Protocol):
    """Whatever has log-probabilities of n completions for each of B prompts, and parameters behind them."""

    def log_probs(self) -> Tensor:
        """(B, n), with a graph."""
        ...

    def parameters(self) -> list[nn.Parameter]:
        """What is fitted."""
        ...


class Softmax:
    """Logits, one for each completion."""

    def __init__(self, log_policies: np.ndarray):
        self.logits = nn.Parameter(torch.tensor(log_policies, dtype=torch.float64))

    def log_probs(self) -> Tensor:
        """See :class:`Policy`."""
        return self.logits.log_softmax(-1)

    def parameters(self) -> list[nn.Parameter]:
        """See :class:`Policy`."""
        return [self.logits]


class Transformer:
    """A language model over listed completions of some prompts, as tokens."""

    def __init__(self, model: Any, prompts: Sequence[list[int]], completions: Sequence[list[int]]):
        self.model, self.prompts, self.completions = model, list(prompts), list(completions)
        self._batch = make_batch([prompt for prompt in prompts for _ in completions], list(completions) * len(prompts), 0)

    def log_probs(self) -> Tensor:
        """See :class:`Policy`."""
        return completion_log_probs(self.model, self._batch).double().view(len(self.prompts), len(self.completions))

    def parameters(self) -> list[nn.Parameter]:
        """See :class:`Policy`."""
        return list(self.model.parameters())


def scaled(model: Any) -> Any:
    """Give the matrices of a new model entries of size 1/√width: its own initialisation, .02, is meant for widths of thousands, and leaves a narrow model all but constant."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(1 / (0.02 * math.sqrt(model.config.hidden_size)))
    return model


def normalised(log_probs: Tensor) -> Tensor:
    """Over the listed completions."""
    return log_probs - log_probs.logsumexp(-1, keepdim=True)


class _Fitted(Exception):  # noqa: N818  (no error: it ends a search)
    """Raised by a loss that is small enough, at the parameters for which it is."""


def fit(policy: Policy, loss: Callable[[], Tensor], *, fitted: float = FITTED, evaluations: int = EVALUATIONS) -> None:
    """Minimise a loss by L-BFGS, which has no momentum from one update to the next, until it is `fitted`."""
    optimizer = torch.optim.LBFGS(
        policy.parameters(),
        max_iter=evaluations,
        max_eval=evaluations,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        if float(value.detach()) <= fitted:
            raise _Fitted
        value.backward()
        return value

    with contextlib.suppress(_Fitted):
        optimizer.step(closure)


@dataclass(frozen=True, eq=False)
class Run:
    """Policies and magnets after 0, 1, … updates: (updates + 1, B, n), normalised logarithms."""

    log_policies: np.ndarray
    log_magnets: np.ndarray


def play(policy: Policy, tables: np.ndarray, algorithm: Any, updates: int, *, samples: int | None = None, seed: int = 0, fitted: float = FITTED) -> Run:
    """Fit a policy to one step of an algorithm after another.

    Parameters
    ----------
    policy : Policy
    tables : array (B, n, n)
        Win probabilities of the listed completions.
    algorithm : object
        A plain magnetic method of :mod:`mmd_games.algorithms`, all settings given; the magnet starts at the policy.
    updates : int
    samples : int, optional
        K, completions drawn for each prompt and update; by default the group is the list itself, weighted by the policy.
    seed : int
        Of the draws.
    fitted : float
        See :func:`fit`.
    """
    rule = algorithm.log_linear
    preference, generator = torch.tensor(tables), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        log_policy = policy.log_probs()
    log_magnet = log_policy
    policies, magnets = [normalised(log_policy)], [normalised(log_magnet)]
    for update in range(1, updates + 1):
        chances = normalised(log_policy).exp()
        if samples is None:
            drawn = torch.arange(chances.shape[-1]).expand_as(chances)
            payoff = group_payoffs(preference, chances)
        else:
            drawn = torch.multinomial(chances, samples, replacement=True, generator=generator)
            rows = torch.arange(len(drawn))[:, None, None]
            payoff = group_payoffs(preference[rows, drawn[:, :, None], drawn[:, None, :]], count_itself=True)
        old, anchor = log_policy.gather(-1, drawn), log_magnet.gather(-1, drawn)

        def loss(drawn: Tensor = drawn, old: Tensor = old, anchor: Tensor = anchor, payoff: Tensor = payoff) -> Tensor:
            new = policy.log_probs().gather(-1, drawn)
            return magnetic_loss(new, old, anchor, payoff, step_size=rule.step_size, magnet_strength=rule.magnet_strength)

        fit(policy, loss, fitted=fitted)
        with torch.no_grad():
            log_policy = policy.log_probs()
        if rule.magnet == "refreshed" and update % rule.refresh_every == 0:
            log_magnet = log_policy
        policies.append(normalised(log_policy))
        magnets.append(normalised(log_magnet))
    return Run(torch.stack(policies).numpy(), torch.stack(magnets).numpy())


def one_step_errors(game: mg.Game, algorithm: Any, run: Run, prompt: int) -> np.ndarray:
    """Total variation of each update to the exact step from the policy and the magnet that it started from: (updates,)."""
    rule, before, magnets = algorithm.log_linear, run.log_policies[:-1, prompt], run.log_magnets[:-1, prompt]
    step = proximal_logits(game.payoffs(np.exp(before)), before, magnets, rule.step_size, rule.magnet_strength)
    return np.asarray(total_variation(np.exp(log_normalise(step, game.blocks)), np.exp(run.log_policies[1:, prompt]), game.blocks))


def expected_errors(game: mg.Game, algorithm: Any, run: Run, prompt: int, samples: int) -> np.ndarray:
    r"""What :func:`one_step_errors` should be on average, where payoffs are means over K drawn opponents: (updates,).

    Such a payoff has covariance Cov_π(P_i·, P_j·)/K; the step changes log π by η/(1 + ηα) times its error, and π_i by π_i times that less its mean. For large K these are
    normal, and the mean size of a normal number is √(2/π) times its standard deviation.
    """
    rule, table, found = algorithm.log_linear, game.table(), []
    for log_policy in run.log_policies[1:, prompt]:  # the steps end here, and sizes change little within one
        policy = np.exp(log_policy)
        spread = table - policy @ table  # the error of π_i is π_i · (row i less the mean row)
        deviation = np.sqrt(np.maximum((spread**2) @ policy - (spread @ policy) ** 2, 0) / samples)
        found.append(rule.step_size / (1 + rule.step_size * rule.magnet_strength) * np.sum(policy * deviation) * math.sqrt(2 / math.pi) / 2)
    return np.array(found)


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Feedback for the tables as a group of K completions gives it: every action against the K that were drawn, with its win probabilities and not with votes."""

    size: int
    seed: int = 0

    def begin(self, game: mg.Game) -> Callable[[np.ndarray], np.ndarray]:
        """See :class:`mmd_games.loop.feedback.Feedback`."""
        generator = np.random.default_rng(self.seed)

        def payoffs(policy: np.ndarray) -> np.ndarray:
            return game.against(0, generator.choice(len(policy), size=self.size, p=policy / policy.sum())).mean(axis=1)

        return payoffs
