"""What a run reports of itself, from what its rollouts already hold: no extra completion is drawn, and no extra judgement asked for."""

from __future__ import annotations

import math
import time
from typing import Any

import torch
from torch import Tensor

from mmd_games.llm.training.rollout import Rollout


def rollout_metrics(rollout: Rollout, max_new_tokens: int) -> dict[str, float]:
    r"""Means over the prompts of a rollout; NaN where nothing can be said.

    Returns
    -------
    dict
        ``win_rate/magnet`` and ``win_rate/start``: how often the policy is preferred to them, from the same completions, whose chance under the other policy is
        known (self-normalised importance weights). ``kl/magnet`` and ``kl/start``: KL of the policy to them. ``game/gap``: duality gap of the group's own game at
        the group itself. ``judge/antisymmetry_error``: mean of :math:`|P_{ij} + P_{ji} - 1|`; ``judge/failed``: share of pairs without a judgement;
        ``groups/dropped``: share of prompts left out. ``completions/length`` in tokens; ``completions/cut``: share that reached `max_new_tokens`.
    """
    group = rollout.group
    policies = {"magnet": group.log_magnet, "start": rollout.log_start}
    metrics = {}
    for name, log_other in policies.items():
        if log_other is not None:
            metrics[f"win_rate/{name}"] = _mean(win_rate_against(group.preference, log_other - group.log_policy))
            metrics[f"kl/{name}"] = _mean(group.log_policy - log_other)
    valid = ~torch.isnan(group.payoff)
    size = group.payoff.shape[-1]
    off_diagonal = ~torch.eye(size, dtype=torch.bool, device=rollout.judged.device)
    lengths = [len(tokens) for tokens in rollout.completions]
    return metrics | {
        "game/gap": _mean(2.0 * (group.payoff.nan_to_num(-math.inf).amax(-1) - 0.5)[valid.all(-1)]),
        "judge/antisymmetry_error": _mean((rollout.judged + rollout.judged.mT - 1.0).abs()[:, off_diagonal]),
        "judge/failed": float(torch.isnan(rollout.judged[:, off_diagonal]).double().mean()),
        "groups/dropped": float((valid.sum(-1) < 2).double().mean()),
        "completions/length": sum(lengths) / len(lengths),
        "completions/cut": sum(length >= max_new_tokens for length in lengths) / len(lengths),
    }


def win_rate_against(preference: Tensor, log_ratio: Tensor) -> Tensor:
    r"""How often the policy that drew a group is preferred to another policy: (B, K, K), (B, K) → (B,).

    .. math:: \sum_{j} w_j \frac{1}{K-1} \sum_{i \ne j} P_{ij}, \qquad w_j \propto \rho(y_j) / \pi(y_j)

    Parameters
    ----------
    preference : tensor (B, K, K)
        Pairs that are NaN are left out.
    log_ratio : tensor (B, K)
        log ρ − log π of each completion.
    """
    valid = ~torch.isnan(preference) & ~torch.eye(preference.shape[-1], dtype=torch.bool, device=preference.device)
    weights = torch.where(valid, torch.softmax(log_ratio, -1)[:, None, :], 0.0)
    return (weights * preference.nan_to_num()).sum((-1, -2)) / weights.sum((-1, -2))


class Meter:
    """Collects metrics between two logs, and means them over rollouts and processes."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}
        self._tokens = 0
        self._since = time.perf_counter()

    def add(self, metrics: dict[str, float], tokens: int = 0) -> None:
        """Take in the metrics of a rollout, and how many tokens were drawn."""
        for name, value in metrics.items():
            self._values.setdefault(name, []).append(value)
        self._tokens += tokens

    def empty(self, accelerator: Any) -> dict[str, float]:
        """The means since the last call, over all processes, which must all call this; nothing where nothing was added."""
        if not self._values:
            return {}
        names, now = sorted(self._values), time.perf_counter()
        means = [_mean(torch.tensor(self._values[name])) for name in names] + [float(self._tokens)]
        every = accelerator.gather(torch.tensor([means], dtype=torch.float32, device=accelerator.device))
        result = {name: _mean(every[:, index]) for index, name in enumerate(names)}
        result["tokens_per_second"] = float(every[:, -1].sum()) / (now - self._since)
        self._values, self._tokens, self._since = {}, 0, now
        return {name: value for name, value in result.items() if not math.isnan(value)}


def _mean(values: Tensor) -> float:
    """Mean of what is not NaN; NaN where there is nothing."""
    return float(values.nanmean()) if values.numel() else math.nan
