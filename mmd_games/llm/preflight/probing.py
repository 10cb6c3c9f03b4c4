r"""What a model's gradient steps make of an update: measured on the model, which is then put back as it was.

A few rollouts are made as the trainer makes them: the same groups, loss, optimizer and learning rate, a fresh optimizer where the magnet moves. After each, the change of the
log-probabilities of the group's completions is compared with what the step asked for, :math:`d = \text{target} - \log\pi_t`, both without their means over the group:

* the *fraction* :math:`f = \sum \langle \Delta, d\rangle / \sum \langle d, d\rangle`, which :mod:`~mmd_games.llm.preflight.fraction` turns into a step size;
* the *detour* :math:`\sqrt{\sum \langle\Delta, \Delta\rangle / \sum\langle d, d\rangle - f^2}`, what moved beside the update, relative to it.

Adam moves every weight by about the learning rate whatever the size of the gradient, so both depend on where in the run they are measured; the later half of the probe counts, and
what the rest of the run is played with is the model's `tangent` at its end. Copies of one completion in a group are one: what they are told apart by is the judge's noise, and no
policy can realise that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.llm.objective import group_variance
from mmd_games.llm.policy.modules import evaluating
from mmd_games.llm.preflight.forecast import Table
from mmd_games.llm.preflight.noise import judged
from mmd_games.llm.preflight.play import Fitting, draw_groups, vote_shares
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.llm.preflight.subject import Subject
from mmd_games.llm.preflight.tangent import Tangent, tangent_of
from mmd_games.updates import proximal_logits

PART = 0.1
"""The probe makes no more than this part of the run's rollouts."""
LONGEST = 50
"""And no more rollouts than this."""


@dataclass(frozen=True, eq=False)
class Probe:
    """What some rollouts of a model showed.

    Attributes
    ----------
    moments : array (rollouts, 3)
        ⟨Δ, d⟩, ⟨d, d⟩ and ⟨Δ, Δ⟩ of each.
    log_policy, log_magnet : array (B, n)
        At the end, on the listed completions.
    start_gap, gap : float
        Before and after, the mean over prompts.
    losses : array (rollouts, 2)
        Of each rollout before its gradient steps and after.
    part : float
        Of the run's rollouts.
    tangent : Tangent
        At the end.
    """

    moments: np.ndarray
    log_policy: np.ndarray
    log_magnet: np.ndarray
    start_gap: float
    gap: float
    losses: np.ndarray
    part: float
    tangent: Tangent

    @property
    def rollouts(self) -> int:
        """How many were made."""
        return len(self.moments)

    @property
    def fraction(self) -> float:
        """f, over the later half; 0 where nothing was asked for."""
        along, asked, _ = self._late()
        return float(along / asked) if asked > 0 else 0.0

    @property
    def detour(self) -> float:
        """Length of what moved beside the update, relative to it, over the later half."""
        _, asked, moved = self._late()
        return float(np.sqrt(max(moved / asked - self.fraction**2, 0.0))) if asked > 0 else 0.0

    @property
    def fitting(self) -> Fitting:
        """For the play of what follows."""
        return Fitting(self.fraction, self.detour, self.tangent)

    def _late(self) -> np.ndarray:
        return self.moments[len(self.moments) // 2 :].sum(0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        fractions = [float(along / asked) if asked > 0 else None for along, asked, _ in self.moments]
        measured = {name: getattr(self, name) for name in ("rollouts", "part", "fraction", "detour", "start_gap", "gap")}
        return {**measured, "fractions": fractions, "losses": self.losses.tolist()}


def rollouts_of(settings: RunSettings) -> int:
    """How many rollouts a probe of this run makes: a tenth at most.

    Raises
    ------
    InputError
        For a run of fewer than ten rollouts.
    """
    if settings.max_rollouts < 1 / PART:
        raise InputError(f"max_rollouts must be at least {round(1 / PART)} for a model to be probed with a tenth of the run, got {settings.max_rollouts}.")
    return min(LONGEST, int(PART * settings.max_rollouts))


def probe(subject: Subject, settings: RunSettings) -> Probe:
    """Make a tenth of a run's rollouts at most, measure them, and put the model back.

    Parameters
    ----------
    subject : Subject
    settings : RunSettings

    Returns
    -------
    Probe
    """
    count = rollouts_of(settings)
    with evaluating(subject.module), restored(subject.module) as weights:
        optimizer = torch.optim.AdamW(
            weights, lr=settings.learning_rate, betas=(settings.adam_beta1, settings.adam_beta2), eps=settings.adam_epsilon, weight_decay=0.0
        )
        generator = np.random.default_rng([settings.seed, 2])
        policy = magnet = subject.log_start
        moments, losses = [], []
        for rollout in range(count):
            counts, target = _group(generator, subject, settings, policy, magnet)
            before = policy
            lost = [_fit(subject, settings, optimizer, weights, counts, target) for _ in range(settings.inner_steps)]
            policy = subject.log_policy()
            after = _spread(counts, policy - target)
            losses.append((lost[0], after))
            moments.append(_moments(counts, policy - before, target - before))
            if settings.refresh_every and (rollout + 1) % settings.refresh_every == 0:
                magnet = policy
                if settings.reset_optimizer_at_refresh:
                    optimizer.state.clear()
        tangent = tangent_of(subject.log_probs(), weights, seed=settings.seed)
    start, end = (float(np.mean(subject.gaps(at))) for at in (subject.log_start, policy))
    return Probe(np.array(moments), policy, magnet, start, end, np.array(losses), count / settings.max_rollouts, tangent)


def table_after(subject: Subject, found: Probe) -> Table:
    """The game of a model's completions, where the probe left it."""
    return replace(subject.table(), log_policy=found.log_policy, log_magnet=found.log_magnet, first=found.rollouts)


@contextmanager
def restored(module: Any) -> Iterator[list[Tensor]]:
    """The trainable weights of a module, which are put back bit for bit afterwards, whatever happened."""
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    if not weights:
        raise InputError("The model has no trainable weights, so there is nothing to probe.")
    kept = [weight.detach().clone() for weight in weights]
    try:
        yield weights
    finally:
        with torch.no_grad():
            for weight, old in zip(weights, kept, strict=True):
                weight.copy_(old)
                weight.grad = None


def _group(generator: np.random.Generator, subject: Subject, settings: RunSettings, policy: np.ndarray, magnet: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts of each completion in the groups, and the targets: (B, n) each."""
    counts = draw_groups(generator, policy[None], settings.group_size)
    shares = vote_shares(generator, judged(subject.preference, settings), counts, settings.judge_votes)
    payoff = (shares @ counts[..., None])[0, ..., 0] / settings.group_size
    return counts[0], proximal_logits(payoff, policy, magnet, settings.step_size, settings.magnet_strength)


def _fit(subject: Subject, settings: RunSettings, optimizer: Any, weights: list[Tensor], counts: np.ndarray, target: np.ndarray) -> float:
    """One gradient step on the loss of the groups."""
    members = torch.as_tensor(np.stack([np.repeat(np.arange(counts.shape[1]), row.astype(int)) for row in counts]))
    log_probs = subject.log_probs()
    like = {"dtype": log_probs.dtype, "device": log_probs.device}
    members = members.to(log_probs.device)
    missing = log_probs + torch.as_tensor(subject.offset - target, **like)
    # The trainer's loss: of all that it knows of a completion only the target counts.
    loss = group_variance(missing.gather(1, members), torch.ones_like(members, dtype=torch.bool)).mean()
    optimizer.zero_grad()
    loss.backward()
    if settings.max_grad_norm:
        torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
    optimizer.step()
    return float(loss.detach())


def _spread(counts: np.ndarray, values: np.ndarray) -> float:
    """The loss of such residuals."""
    size = counts.sum(-1, keepdims=True)
    centred = values - (counts * values).sum(-1, keepdims=True) / size
    return float(np.mean((counts * centred**2).sum(-1) / (size[:, 0] - 1)))


def _moments(counts: np.ndarray, moved: np.ndarray, asked: np.ndarray) -> tuple[float, float, float]:
    """⟨Δ, d⟩, ⟨d, d⟩ and ⟨Δ, Δ⟩, weighted as in the groups, without their means."""
    share = counts / counts.sum(-1, keepdims=True)
    moved, asked = (values - (share * values).sum(-1, keepdims=True) for values in (moved, asked))
    return float((share * moved * asked).sum()), float((share * asked**2).sum()), float((share * moved**2).sum())
