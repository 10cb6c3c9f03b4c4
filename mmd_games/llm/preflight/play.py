"""A training run on tables: groups are drawn, judged and fitted as the trainer does it, for many seeds at once.

The loss sees a group only through how often each completion is in it and the mean payoff of its copies; so counts and shares of votes are drawn in place of completions and
single votes, which is the same in distribution. Where a model was probed its tangent learns, by the trainer's own optimizer (see `tangent`). Otherwise the policy is a table of
log-probabilities, and the fit is what gradient steps come to: the completions of the group move a fraction of the way to their targets, their mean logit stays (gradients of a
variance sum to zero over the group), and the logits of all others stay, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import log_normalise
from mmd_games.llm.preflight.noise import judged
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.llm.preflight.tangent import Tangent, TangentLearner
from mmd_games.updates import proximal_logits

LATE = 0.2
"""The last part of a run, whose mean gap is its result."""
SEEDS = 24
"""Plays of one table; the standard error of a late gap is then about a tenth of it."""


@dataclass(frozen=True, eq=False)
class Fitting:
    """What gradient steps make of an update.

    Attributes
    ----------
    fraction : float
        f, the part of each that is realised.
    detour : float
        Length of what moves beside it, relative to it.
    tangent : Tangent, optional
        Of the model, where one was probed: it is played then, and the fraction is what theory is told.
    """

    fraction: float
    detour: float = 0.0
    tangent: Tangent | None = None

    def learner(self, settings: RunSettings, first: int) -> TangentLearner | FractionLearner:
        """One for some plays, after `first` rollouts."""
        return FractionLearner(self.fraction) if self.tangent is None else self.tangent.learner(settings, first)


@dataclass(frozen=True)
class FractionLearner:
    """Tables that go a fraction of the way."""

    fraction: float

    def fitted(self, log_policy: np.ndarray, target: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The policies after a rollout: see :func:`fitted`."""
        return fitted(log_policy, target, counts, self.fraction)

    def refreshed(self) -> None:
        """A table has no optimizer."""


@dataclass(frozen=True, eq=False)
class Play:
    """Plays of one table, for several seeds.

    Attributes
    ----------
    gaps : array (seeds, rollouts + 1)
        Exact duality gap after each rollout, the mean over all prompts; the first is the start's.
    absent : float
        How often, in the last part, a completion that some equilibrium of its prompt plays was not in its group.
    """

    gaps: np.ndarray
    absent: float

    @property
    def late(self) -> np.ndarray:
        """Mean gap of each seed over the last fifth of the rollouts: (seeds,)."""
        return late_gap(self.gaps)

    @property
    def mean(self) -> float:
        """The mean of these over the seeds."""
        return float(np.mean(self.late))

    @property
    def interval(self) -> tuple[float, float]:
        """95% of the mean, from the spread of the seeds."""
        half = 1.96 * float(np.std(self.late, ddof=1)) / np.sqrt(len(self.late))
        return self.mean - half, self.mean + half

    @property
    def start(self) -> float:
        """Gap at the start."""
        return float(self.gaps[0, 0])

    def reached(self, target: float) -> int | None:
        """The first rollout from which on the mean gap over the seeds, and over a tenth of the run, stays at or below the target."""
        mean = self.gaps.mean(0)
        width = max(1, len(mean) // 10)
        above = np.flatnonzero(np.convolve(mean, np.full(width, 1 / width), "valid") > target)
        first = int(above[-1]) + 1 if len(above) else 0
        return first if first + width <= len(mean) else None


def late_gap(gaps: np.ndarray) -> np.ndarray:
    """Mean over the last fifth of the rollouts, the start not counted: (..., rollouts + 1) → (...)."""
    count = max(1, round(LATE * (gaps.shape[-1] - 1)))
    return gaps[..., -count:].mean(-1)


def play(
    preference: np.ndarray,
    start: np.ndarray,
    settings: RunSettings,
    *,
    fitting: Fitting,
    log_magnet: np.ndarray | None = None,
    first: int = 0,
    seeds: int = SEEDS,
    played: np.ndarray | None = None,
) -> Play:
    """Play a run on tables.

    Parameters
    ----------
    preference : array (B, n, n)
        Win probabilities, a table a prompt.
    start : array (B, n)
        Log-policy that play starts from.
    settings : RunSettings
    fitting : Fitting
        What gradient steps make of each update.
    log_magnet : array (B, n), optional
        Default the start.
    first : int
        Rollouts that were made before, by which refreshes are counted and which the budget has spent.
    seeds : int
        Independent plays.
    played : array (B, n) of bool, optional
        Which completions an equilibrium plays; default all.

    Returns
    -------
    Play
    """
    generator = np.random.default_rng([settings.seed, 1])
    told, size, n = judged(preference, settings), settings.group_size, preference.shape[-1]
    policy = log_normalise(np.broadcast_to(start, (seeds, *start.shape)), (n,))
    magnet = policy if log_magnet is None else log_normalise(np.broadcast_to(log_magnet, policy.shape), (n,))
    gaps, absences, learner = [_gap(preference, policy)], [], fitting.learner(settings, first)
    for rollout in range(first, settings.max_rollouts):
        counts = draw_groups(generator, policy, size)
        payoff = (vote_shares(generator, told, counts, settings.judge_votes) @ counts[..., None])[..., 0] / size
        policy = learner.fitted(policy, proximal_logits(payoff, policy, magnet, settings.step_size, settings.magnet_strength), counts)
        gaps.append(_gap(preference, policy))
        absences.append(float(np.mean(counts == 0 if played is None else counts[:, played] == 0)))
        if settings.refresh_every and (rollout + 1) % settings.refresh_every == 0:
            magnet = policy
            learner.refreshed()
    last = max(1, round(LATE * len(absences)))
    return Play(np.stack(gaps, axis=1), float(np.mean(absences[-last:])) if absences else 0.0)


def fitted(log_policy: np.ndarray, target: np.ndarray, counts: np.ndarray, fraction: float) -> np.ndarray:
    """Where gradient steps on a group's variance lead, or a fraction of the way there.

    Parameters
    ----------
    log_policy, target, counts : array (..., n)
        Log-probabilities, logits that are wanted, and how often each completion is in the group.
    fraction : float

    Returns
    -------
    array (..., n)
        Log-probabilities. The slopes of a variance sum to zero over the group, so the mean logit of the completions in it stays where it is.
    """
    missing, there = target - log_policy, counts > 0
    mean = np.sum(np.where(there, missing, 0.0), -1, keepdims=True) / np.sum(there, -1, keepdims=True)
    return log_normalise(log_policy + fraction * np.where(there, missing - mean, 0.0), (log_policy.shape[-1],))


def draw_groups(generator: np.random.Generator, log_policy: np.ndarray, size: int) -> np.ndarray:
    """How often each completion is in the group: (seeds, B, n)."""
    policy = np.exp(log_policy)
    return generator.multinomial(size, policy / policy.sum(-1, keepdims=True)).astype(np.float64)


def vote_shares(generator: np.random.Generator, told: np.ndarray, counts: np.ndarray, votes: int) -> np.ndarray:
    """Shares of votes between kinds of completions, 1/2 between copies of one: (seeds, B, n, n); a judge without votes tells the probabilities."""
    if votes == 0:
        return told
    first, second = np.triu_indices(counts.shape[-1], 1)
    cast = (votes * counts[..., first] * counts[..., second]).astype(np.int64)
    won = generator.binomial(cast, np.broadcast_to(told[:, first, second], cast.shape)) / np.maximum(cast, 1)
    shares = np.full((*counts.shape, counts.shape[-1]), 0.5)
    shares[..., first, second], shares[..., second, first] = won, 1.0 - won
    return shares


def _gap(preference: np.ndarray, log_policy: np.ndarray) -> np.ndarray:
    """The exact gap, the mean over prompts: (seeds, B, n) → (seeds,)."""
    payoffs = ((preference - 0.5) @ np.exp(log_policy)[..., None])[..., 0]
    return 2 * payoffs.max(-1).mean(-1)
