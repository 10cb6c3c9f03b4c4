r"""The rule as a loss: what a language model is fitted to is the tabular step itself, :func:`mmd_games.updates.proximal_logits`, on log-probabilities of completions.

Pure functions of tensors, for anyone's training loop. B prompts have K completions each; a log-probability is that of a whole completion, the sum over its
tokens. The loss is a variance over the completions of a prompt, so the step's normalising constant, which nobody can compute for a language model, drops out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.updates import proximal_logits


def group_payoffs(preference: Tensor, weights: Tensor | None = None, *, count_itself: bool = False) -> Tensor:
    r"""Payoff of each completion of a group: how often it is preferred to the others.

    Parameters
    ----------
    preference : tensor (B, K, K)
        ``preference[b, i, j]`` is the probability that completion i of prompt b is preferred to completion j. NaN where a judgement failed: that pair is left
        out, it is no tie.
    weights : tensor (B, K), optional
        Probabilities of the completions where they are *all* completions that there are; each is then measured against the policy itself,
        :math:`q_i = \sum_j \pi_j P_{ij}`. By default the completions are samples of the policy, and each is measured against the others,
        :math:`q_i = \frac{1}{K-1} \sum_{j \ne i} P_{ij}`, which is right on average.
    count_itself : bool
        Count a sample among its own opponents, as a tie: :math:`\frac1K \big(\tfrac12 + \sum_{j \ne i} P_{ij}\big)`. A group is its own opponents, so
        under :func:`magnetic_loss` leave-one-out payoffs push :math:`K/(K-1)` times too hard on average; with this the push is exact.

    Returns
    -------
    tensor (B, K)
        NaN where no judgement of a completion is valid: :func:`magnetic_loss` leaves such a completion out.

    Raises
    ------
    InputError
        For a table that is not square, fewer than two completions, or weights of another shape.

    Examples
    --------
    >>> wins = torch.tensor([[[0.5, 0.9, 0.3], [0.1, 0.5, torch.nan], [0.7, torch.nan, 0.5]]])
    >>> [round(payoff, 3) for payoff in group_payoffs(wins)[0].tolist()]
    [0.6, 0.1, 0.7]
    """
    if preference.ndim != 3 or preference.shape[1] != preference.shape[2]:
        raise InputError(f"A group's preference is a tensor (prompts, K, K), got shape {tuple(preference.shape)}.")
    require_group(preference.shape[-1])
    valid = ~torch.isnan(preference)
    itself = torch.eye(preference.shape[-1], dtype=torch.bool, device=preference.device)
    if weights is None:
        share = torch.ones_like(preference) if count_itself else (~itself).to(preference.dtype).expand_as(preference)
    elif weights.shape != preference.shape[:2]:
        raise InputError(f"weights must have shape {tuple(preference.shape[:2])}, one for each completion, got {tuple(weights.shape)}.")
    else:
        share = weights.to(preference.dtype)[:, None, :]
    share = torch.where(valid, share, torch.zeros_like(preference))
    payoff = (share * torch.nan_to_num(preference)).sum(-1) / share.sum(-1)
    return torch.where((valid & ~itself).any(-1), payoff, torch.nan)


def require_group(size: int) -> None:
    """Refuse groups of fewer than two completions: a preference is between two."""
    if size < 2:
        raise InputError(f"A group needs at least 2 completions of a prompt, to prefer one to another; got {size}.")


def magnetic_loss(log_probs: Tensor, log_policy: Tensor, log_magnet: Tensor, payoff: Tensor, *, step_size: float, magnet_strength: float) -> Tensor:
    r"""The loss of Magnetic Preference Optimization: variance over a group of :math:`\log \pi_\theta` minus the exact magnetic step.

    .. math::

        \mathcal{L} = \frac1B \sum_b \mathrm{Var}_i \Big( \log \pi_\theta(y_i) - \frac{\log \pi_t(y_i) + \eta\alpha \log \rho(y_i) + \eta q_i}{1 + \eta\alpha} \Big)

    It is zero exactly where the policy is the step of Magnetic Mirror Descent on the group, whatever policy the completions were drawn from. At
    :math:`\pi_\theta = \pi_t`, for completions drawn from it, its gradient is :math:`-2\eta/(1 + \eta\alpha)` times that of
    :math:`\langle \pi, q \rangle - \alpha \mathrm{KL}(\pi \| \rho) - \tfrac1\eta \mathrm{KL}(\pi \| \pi_t)`, on average.

    Parameters
    ----------
    log_probs : tensor (B, K)
        Of the policy that learns; the gradient goes through this alone.
    log_policy, log_magnet : tensor (B, K)
        Of the policy that drew the completions, and of the magnet.
    payoff : tensor (B, K)
        From :func:`group_payoffs`; NaN leaves a completion out.
    step_size, magnet_strength : float
        :math:`\eta` and :math:`\alpha`, in units of win probability.

    Returns
    -------
    tensor ()
        The mean over all B prompts of the unbiased variance; a prompt with fewer than two valid completions counts as zero.

    Raises
    ------
    InputError
        When the four tensors are not of one shape (B, K).

    References
    ----------
    Wang et al., "Magnetic Preference Optimization", ICLR 2025, arXiv 2410.16714; the step: Sokota et al., ICLR 2023, arXiv 2206.05825, eq. 12.

    Examples
    --------
    >>> log_policy = torch.log(torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64))
    >>> payoff = torch.tensor([[0.2, 0.1, -0.3]], dtype=torch.float64)
    >>> settings = dict(step_size=0.5, magnet_strength=0.2)
    >>> step = torch.log_softmax(proximal_logits(payoff, log_policy, log_policy, *settings.values()), -1)
    >>> float(magnetic_loss(step, log_policy, log_policy, payoff, **settings)) < 1e-30
    True
    """
    shapes = {tuple(tensor.shape) for tensor in (log_probs, log_policy, log_magnet, payoff)}
    if len(shapes) > 1 or log_probs.ndim != 2:
        raise InputError(f"log_probs, log_policy, log_magnet and payoff must all have one shape (prompts, K), got {sorted(shapes)}.")
    with torch.no_grad():
        target = proximal_logits(payoff, log_policy, log_magnet, step_size, magnet_strength)
    return group_variance(log_probs - target, ~torch.isnan(payoff)).mean()


def group_variance(values: Tensor, valid: Tensor) -> Tensor:
    """Unbiased variance of each group's valid values, zero where there are fewer than two: (B, K), (B, K) → (B,)."""
    count = valid.sum(-1)
    kept = torch.where(valid, values, torch.zeros_like(values))  # chosen before it is used, so that no NaN reaches a gradient
    mean = kept.sum(-1, keepdim=True) / count.clamp(min=1)[:, None]
    deviation = torch.where(valid, kept - mean, torch.zeros_like(values))
    return deviation.square().sum(-1) / (count - 1).clamp(min=1)
