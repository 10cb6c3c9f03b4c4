r"""The noise that sampled groups and votes put into payoffs, and the gap that it leaves: the floor of a run.

**Noise of a group.** Let K completions be drawn from :math:`\pi`, :math:`m_i` of them being i. They are their own opponents, so a completion i is told
:math:`\hat q_i = \frac1K \sum_j m_j \hat P_{ij}`, where :math:`\hat P_{ij}` is the mean of :math:`m_i m_j` comparisons of v votes each. Identical completions cancel
(:math:`\hat P_{ij} + \hat P_{ji} = 1`). To leading order in 1/K, and given that :math:`K\pi_i \gg 1`,

.. math::

    \mathrm{Cov}(\hat q) = \frac1K\, S\, C(\pi)\, S^\top + V, \qquad
    V_{ii} = \frac{1}{v K} E\Big[\frac{[m_i > 0]}{m_i}\Big] \sum_{j \ne i} \pi_j P_{ij} P_{ji}, \qquad V_{ij} = -\frac{P_{ij} P_{ji}}{v K^2}\, p_i p_j :

the first term is which opponents were drawn, common to all completions; the second is the votes, where :math:`p_i = 1 - (1 - \pi_i)^K` is the probability of being in the group at
all (who is not, does not move) and the expectation is :math:`1/(K \pi_i)` for frequent completions: votes weigh less than opponents as long as groups hold many copies.

**Floor.** Near an equilibrium, with :math:`u = \log\pi - \log\pi^*` on its support, one rollout is linear:
:math:`u \leftarrow A u + B u_\rho + c\,\xi`, with :math:`w = f\eta\alpha/(1+\eta\alpha)`, :math:`c = f\eta/(1+\eta\alpha)`, :math:`A = (1 - w) I + c\,S C(\pi^*)`, :math:`B = w I`. After k
rollouts from a refresh, :math:`u_k = A_k u_0 + \sum_{l<k} A^l c\,\xi`, :math:`A_k = A^k + w \sum_{l<k} A^l`; the magnet starts each stage of R rollouts at
:math:`u_\rho = u_0`. So the covariance at refreshes solves :math:`X_0 = A_R X_0 A_R^\top + N_R`, :math:`N_k = c^2 \sum_{l<k} A^l \mathrm{Cov}(\hat q) (A^l)^\top`, and
:math:`X_k = A_k X_0 A_k^\top + N_k` between them. The floor is the mean over a stage of :math:`E[2 \max_i (S C u)_i - 2 d_i]`, a maximum of Gaussian numbers (the slack
:math:`d_i` is 0 on the support). Directions along which no payoff changes, constants among them, are left out: play drifts along them, and no gap sees it.

It is right to first order, in a small neighbourhood of the equilibrium: floors of up to 0.1 come out within a quarter, provided that the rarest completion of the support is drawn
five times a group on average. Rarer ones, and larger floors, are for the play itself to tell.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_lyapunov
from scipy.stats import binom

from mmd_games.games.preference import PreferenceGame
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.verification.predicted.spectrum import spectrum_of

DRAWS = 20_000
"""Gaussian draws behind an expected maximum: its standard error is below 1% of the floor."""
STABLE = 1.0 - 1e-9
"""A stage that multiplies some direction by more than this has no stationary state to speak of."""


def payoff_noise(preference: np.ndarray, policy: np.ndarray, group_size: int, votes: int) -> np.ndarray:
    """Covariance of the payoffs that a group is told: (n, n), (n,) → (n, n), to leading order in 1/K; all probabilities must be positive."""
    skew = preference - 0.5
    drawn = skew @ (np.diag(policy) - np.outer(policy, policy)) @ skew.T / group_size
    if votes == 0:
        return drawn
    spread = preference * preference.T / votes
    np.fill_diagonal(spread, 0.0)
    counts = np.arange(1, group_size + 1)
    shares = binom.pmf(counts, group_size, policy[:, None]) @ (1.0 / counts)  # E[1/m_i] where the group has one
    there = -np.expm1(group_size * np.log1p(-np.minimum(policy, 1 - 1e-12)))
    return drawn + np.diag(shares * (spread @ policy)) / group_size - spread * np.outer(there, there) / group_size**2


def judged(preference: np.ndarray, settings: RunSettings) -> np.ndarray:
    """What a judge that flips some answers says on average."""
    return 0.5 + (1.0 - 2.0 * settings.judge_flips) * (preference - 0.5)


def predicted_floor(game: PreferenceGame, policy: np.ndarray, slack: np.ndarray, settings: RunSettings, fraction: float) -> float:
    """Mean duality gap of a run that has come to its stationary state near an equilibrium; infinite where it has none.

    Parameters
    ----------
    game : PreferenceGame
        Of win probabilities.
    policy, slack : array (actions,)
        The equilibrium, and by how much each action is worse there.
    settings : RunSettings
    fraction : float
        f, of each update.

    Notes
    -----
    With a magnet that never moves, or none, the run does not go to this equilibrium: infinite.
    """
    if settings.pull == 0 or settings.refresh_every == 0:
        return float("inf")
    support = np.flatnonzero(policy > 0)
    if len(support) < 2:
        return 0.0
    played = policy[support] / policy[support].sum()
    told = judged(game.preference, settings)
    spectrum = spectrum_of(game, policy, support)
    # Real and imaginary parts of the eigenvectors span the directions that turn; in them the map is skew-symmetric and well conditioned.
    vectors = spectrum.vectors * np.sqrt(2.0)
    basis = np.concatenate([vectors.real, vectors.imag], axis=1)
    if basis.shape[1] == 0:  # all that is played ties: noise moves the policy, and no gap comes of it
        return 0.0
    root = np.sqrt(played)
    turning = basis.T @ (root[:, None] * (told[np.ix_(support, support)] - 0.5) * root) @ basis
    scaled = basis.T @ (root[:, None] * payoff_noise(told[np.ix_(support, support)], played, settings.group_size, settings.judge_votes) * root) @ basis
    weight, push = fraction * settings.pull / (1 + settings.pull), fraction * settings.step_size / (1 + settings.pull)
    states = _stationary(turning, push**2 * scaled, weight, push, settings.refresh_every)
    if states is None:
        return float("inf")
    seen = (game.preference - 0.5)[:, support] @ (root[:, None] * basis)  # S C u, u = D^{-1/2} z
    draws = np.random.default_rng(settings.seed).standard_normal((DRAWS, len(turning)))
    gaps = [_expected_gap(seen, slack, state, draws) for state in states]
    return float(np.mean(gaps))


def _stationary(turning: np.ndarray, noise: np.ndarray, weight: float, push: float, stage: int) -> list[np.ndarray] | None:
    """Covariances after each rollout of a stage, at most about 32 of them evenly spread."""
    one = np.eye(len(turning))
    step = (1 - weight) * one + push * turning
    power, pulled, spread = one, np.zeros_like(one), np.zeros_like(one)
    maps, spreads = [], []
    for _ in range(stage):
        pulled, spread = pulled + weight * power, step @ spread @ step.T + noise
        power = power @ step
        maps.append(power + pulled)
        spreads.append(spread)
    if np.max(np.abs(np.linalg.eigvals(maps[-1]))) >= STABLE:
        return None
    first = solve_discrete_lyapunov(maps[-1], spreads[-1])
    chosen = range(0, stage, max(1, stage // 32))
    return [maps[k] @ first @ maps[k].T + spreads[k] for k in chosen]


def _expected_gap(seen: np.ndarray, slack: np.ndarray, covariance: np.ndarray, draws: np.ndarray) -> float:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return float(2 * np.mean(np.max(draws @ (seen @ root).T - slack, axis=1)))
