r"""The losses that a trainer can choose from: the magnetic one, its policy-gradient form, and those of other methods of self-play, behind one signature.

All see the same group: completions of :math:`\pi_t`, log-probabilities of whole completions, and who is preferred to whom. With :math:`s_{ij} = P_{ij} - \tfrac12`, and
:math:`\pi^+` for the exact magnetic step, each docstring says where the loss has its minimum. For six completions in a cyclic preference, drawn without noise, at
η = 1 and α = 0.2, where the exact step moves the policy by .049 in total variation, the minima lie at a distance from it of 0 (magnetic and INPO; with completions of another
policy than :math:`\pi_t` still 0, and .017), .010 (Nash-MD), .044 (SPPO) and .41 (online IPO).

Where a completion's payoff or a pair's preference is NaN, it is left out. Every loss is a mean over all prompts; a prompt of which nothing is left counts as zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.llm.objective import group_payoffs, group_variance, magnetic_loss
from mmd_games.updates import geometric_mixture, proximal_logits


@dataclass(frozen=True)
class Group:
    """What is known of B prompts with K completions each, drawn by one policy.

    Attributes
    ----------
    log_policy : tensor (B, K)
        Of the policy that drew them, the whole completion's.
    log_magnet : tensor (B, K)
    preference : tensor (B, K, K)
        ``preference[b, i, j]`` is the probability that completion i is preferred to completion j; NaN where the judgement failed.
    payoff : tensor (B, K)
        From :func:`~mmd_games.llm.objective.group_payoffs`; NaN leaves a completion out.
    """

    log_policy: Tensor
    log_magnet: Tensor
    preference: Tensor
    payoff: Tensor


class Objective(Protocol):
    """A loss of the log-probabilities (B, K) under the policy that learns, given a group; step size and magnet strength are in units of win probability."""

    def __call__(self, log_probs: Tensor, group: Group, *, step_size: float, magnet_strength: float) -> Tensor:
        """The loss, a scalar, whose gradient goes through `log_probs` alone."""
        ...


def magnetic(log_probs: Tensor, group: Group, *, step_size: float, magnet_strength: float) -> Tensor:
    r"""Magnetic Preference Optimization: :func:`~mmd_games.llm.objective.magnetic_loss`. Its minimum is :math:`\pi^+`, whatever policy drew the completions.

    References
    ----------
    Wang et al., arXiv 2410.16714.
    """
    return magnetic_loss(log_probs, group.log_policy, group.log_magnet, group.payoff, step_size=step_size, magnet_strength=magnet_strength)


def policy_gradient(log_probs: Tensor, group: Group, *, step_size: float, magnet_strength: float) -> Tensor:
    r"""The magnetic step as an objective, by score function: an ablation of the magnetic loss.

    Maximises :math:`J(\pi) = \langle \pi, q \rangle - \alpha \mathrm{KL}(\pi \| \rho) - \tfrac1\eta \mathrm{KL}(\pi \| \pi_t)`, which is
    :math:`-\tfrac{1 + \eta\alpha}{\eta} \mathrm{KL}(\pi \| \pi^+)` up to a constant, so its maximum is :math:`\pi^+` too. The gradient is REINFORCE's with the mean of the
    others for baseline, weighted by :math:`\pi / \pi_t` once the policy has moved: right on average, and nothing for any group where the policy is :math:`\pi^+`. Scaled by
    :math:`2\eta / (1 + \eta\alpha)`, so that the first gradient of a group is that of the magnetic loss, to the last digit; the later ones differ by the weights, in which actions
    that :math:`\pi` plays often count more. The value of the loss means nothing.

    References
    ----------
    The form: Williams, Machine Learning 8, 1992. Baseline: Kool et al., "Buy 4 REINFORCE samples, get a baseline for free!", 2019.
    """
    valid = ~torch.isnan(group.payoff)
    with torch.no_grad():
        target = proximal_logits(group.payoff, group.log_policy, group.log_magnet, step_size, magnet_strength)
        # (1 + ηα)/η times this is α·log π/ρ + (1/η)·log π/π_t − q, up to one constant a prompt, which the baseline removes.
        cost = torch.where(valid, log_probs - target, torch.zeros_like(log_probs))
        count = valid.sum(-1, keepdim=True)
        others = (cost.sum(-1, keepdim=True) - cost) / (count - 1).clamp(min=1)
        advantage = (log_probs - group.log_policy).exp() * (cost - others) / count.clamp(min=1)
        share = torch.where(valid & (count > 1), advantage, torch.zeros_like(advantage))
    return 2 * (share * torch.where(valid, log_probs, torch.zeros_like(log_probs))).sum(-1).mean()


def sppo(log_probs: Tensor, group: Group, *, step_size: float, magnet_strength: float) -> Tensor:
    r"""Self-Play Preference Optimization: :math:`\big(\log \tfrac{\pi}{\pi_t}(y_i) - \eta (q_i - \tfrac12)\big)^2` for each completion alone.

    It knows no magnet, so `magnet_strength` is not used: where it leads to is multiplicative weights, and not even there does its minimum lie, since the step's
    normalising constant is taken to be zero. It is off in the third order of the step size (for a list of all completions, each once, in the second), and off
    :math:`\pi^+` in the first, for want of the magnet.

    References
    ----------
    Wu et al., "Self-Play Preference Optimization for Language Model Alignment", arXiv 2405.00675.
    """
    del magnet_strength
    valid = ~torch.isnan(group.payoff)
    residual = log_probs - group.log_policy - step_size * (group.payoff - 0.5)
    squares = torch.where(valid, residual, torch.zeros_like(residual)).square().sum(-1)
    return (squares / valid.sum(-1).clamp(min=1)).mean()


def inpo(log_probs: Tensor, group: Group, *, step_size: float, magnet_strength: float) -> Tensor:
    r"""Iterative Nash Policy Optimization: a pairwise squared loss, over all pairs of the group and in expectation of the judge's vote.

    :math:`\big(r_i - r_j - \tfrac{\eta}{1 + \eta\alpha} s_{ij}\big)^2` with :math:`r = \log \pi - \tfrac{\log \pi_t + \eta\alpha \log \rho}{1 + \eta\alpha}`: the
    paper's loss, whose step is explicit, at the step size for which it is the magnetic one (its 1/η is η/(1 + ηα) here, its τ is α). On a group that lacks no pair its gradient is that of
    :func:`magnetic` with ``group_payoffs(..., count_itself=True)``, to the last digit. It asks no payoffs, so for completions of another policy than :math:`\pi_t` its
    minimum is the step against that policy, not :math:`\pi^+`.

    References
    ----------
    Zhang et al., "Iterative Nash Policy Optimization", arXiv 2407.00617.
    """
    with torch.no_grad():
        base = proximal_logits(0.0, group.log_policy, group.log_magnet, step_size, magnet_strength)
    return _pairwise(log_probs - base, group, step_size / (1 + step_size * magnet_strength))


def nash_md(log_probs: Tensor, group: Group, *, step_size: float, magnet_strength: float) -> Tensor:
    r"""Nash-MD: the explicit step from, and against, the geometric mixture :math:`\pi_t^{1 - \eta\alpha} \rho^{\eta\alpha}`, as a regression.

    The mixture need not be drawn from: a completion is an opponent with weight :math:`(\rho / \pi_t)^{\eta\alpha}`, normalised over the group (itself counted). The minimum is
    the step of :class:`mmd_games.NashMirrorDescent` up to the noise of these weights; to :math:`\pi^+` it differs in the first order of ηα, by the opponent.

    Raises
    ------
    InputError
        Where ηα is above 1.

    References
    ----------
    Munos et al., "Nash Learning from Human Feedback", arXiv 2312.00886. There a policy gradient follows the step; here the same variance does as for :func:`magnetic`.
    """
    weight = step_size * magnet_strength
    if weight > 1:
        raise InputError(f"step_size × magnet_strength must be at most 1 for nash_md, got {step_size:g} × {magnet_strength:g} = {weight:g}.")
    with torch.no_grad():
        left_out = torch.isnan(group.payoff)
        opponents = (weight * (group.log_magnet - group.log_policy)).masked_fill(left_out, -torch.inf).softmax(-1)
        payoff = group_payoffs(group.preference, opponents).masked_fill(left_out, torch.nan)
        mixture = geometric_mixture(group.log_policy, group.log_magnet, weight)
        target = proximal_logits(payoff, mixture, 0.0, step_size, 0.0)
    return group_variance(log_probs - target, ~torch.isnan(payoff)).mean()


def online_ipo(log_probs: Tensor, group: Group, *, step_size: float, magnet_strength: float) -> Tensor:
    r"""Online IPO: pairs of the present policy's completions under IPO's squared loss, in expectation of the judge's vote.

    :math:`\big(\log \tfrac{\pi}{\rho}(y_i) - \log \tfrac{\pi}{\rho}(y_j) - s_{ij} / \alpha\big)^2`. Nothing holds the policy to :math:`\pi_t`, and `step_size` is not used: the minimum is
    the regularised best reply :math:`\rho\, e^{q/\alpha}`, which :math:`\pi^+` becomes for an infinite step. Only slow optimisation makes self-play of it.

    Raises
    ------
    InputError
        Without a magnet (a strength of 0), to which alone it is regularised.

    References
    ----------
    Calandriello et al., "Human Alignment of Large Language Models through Online Preference Optimisation", arXiv 2403.08635; IPO: Azar et al., arXiv 2310.12036.
    """
    del step_size
    if not magnet_strength > 0:
        raise InputError(f"online_ipo is regularised to the magnet alone, so magnet_strength must be positive, got {magnet_strength:g}.")
    return _pairwise(log_probs - group.log_magnet, group, 1 / magnet_strength)


def _pairwise(residual: Tensor, group: Group, slope: float) -> Tensor:
    """Half the mean of (r_i − r_j − slope·s_ij)² over the ordered pairs of different completions that are known, averaged over the prompts."""
    kept = ~torch.isnan(group.payoff)
    itself = torch.eye(residual.shape[-1], dtype=torch.bool, device=residual.device)
    valid = ~torch.isnan(group.preference) & kept[:, :, None] & kept[:, None, :] & ~itself
    difference = residual[:, :, None] - residual[:, None, :] - slope * (group.preference - 0.5)
    squares = torch.where(valid, difference, torch.zeros_like(difference)).square().sum((-1, -2))
    return (squares / valid.sum((-1, -2)).clamp(min=1)).mean() / 2


OBJECTIVES: dict[str, Objective] = {
    "magnetic": magnetic,
    "policy_gradient": policy_gradient,
    "sppo": sppo,
    "inpo": inpo,
    "nash_md": nash_md,
    "online_ipo": online_ipo,
}
"""The losses by the names that a configuration uses."""
