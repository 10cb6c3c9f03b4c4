r"""What rounding may do to a payoff, a gap, a step and a divergence: the error bounds that tell a broken inequality from a rounded one."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.algorithms import LogLinear
from mmd_games.arrays import Array, Blocks, block_slices, block_sum
from mmd_games.games.game import Game

UNIT = np.finfo(np.float64).eps / 2
"""Unit roundoff u."""
ROUNDINGS_OF_A_STEP = 24
"""At most so many roundings of the largest term enter one logit of a step: 7 of the mixture with its normalisation, 5 of the proximal step, 4 of the second normalisation,
doubled for their own rounding and for settings that are products of two floats."""


def payoff_rounding(game: Game) -> float:
    """Largest rounding error of one payoff of a recorded policy: that of the product, and four more for the exponentials of the policy."""
    return game.payoff_rounding + 4 * UNIT * game.largest_payoff


def gap_rounding(game: Game) -> float:
    """Largest difference between two evaluations of one policy's gap: each player's best payoff may round either way."""
    return 4.0 * payoff_rounding(game)


def kl_rounding(actions: int) -> float:
    """Relative rounding error of a computed divergence.

    Its terms are not negative, so their sum adds n·u. A term is taken from a series, to some units, or where log-probabilities differ by at least 0.1 as a difference that is
    1/200 of its parts: 5 roundings of each, 1000·u.
    """
    return (actions + 1000) * UNIT


def normalisation_rounding(actions: int) -> float:
    """How far the computed log-sum-exp of a recorded log-policy may be from 0: two sums of n, their exponentials, and the entropy's share of the rounded logarithms."""
    return (4 * actions + 64) * UNIT


def largest_log(*log_policies: np.ndarray) -> float:
    """The largest finite logarithm by size, at least 1."""
    return max(1.0, *(float(np.max(np.abs(logs), initial=0.0, where=np.isfinite(logs))) for logs in log_policies))


def largest_logs(log_policies: np.ndarray) -> np.ndarray:
    """The same of each policy: (..., actions) → (...)."""
    return np.max(np.abs(log_policies), axis=-1, initial=1.0, where=np.isfinite(log_policies))


def step_rounding(game: Game, rule: LogLinear, step_size: Array, strength: Array, largest: Array) -> Array:
    """How far the logits of one computed step may be from those of an exact one; a second evaluation takes its rounding from the first.

    Parameters
    ----------
    step_size, strength : float, or array (...)
        Of this step.
    largest : float, or array (...)
        The largest logarithm of policies and magnet.
    """
    weight = 1.0 if rule.explicit else 1.0 / (1.0 + step_size * strength)
    once = weight * step_size * payoff_rounding(game) + ROUNDINGS_OF_A_STEP * UNIT * (largest + weight * step_size * game.largest_payoff)
    return once * (1.0 + weight * step_size * float(game.scale)) if rule.evaluation == "half_step" else once


def shifted_root(shift: Array, blocks: Blocks) -> Array:
    r"""How far :math:`\sqrt{KL(p\|\pi)}` moves where the logits of π move by at most `shift` to either side.

    With d the change, KL(p‖π) grows by ⟨π − p, d⟩ + Σ log E exp(d − E d), the first at most shift·Σ‖π − p‖₁ ≤ shift·√(2B·KL) over B blocks (Pinsker) and the second at most
    B·shift²/2 (Hoeffding): together that is (√KL + shift·√(B/2))² − KL.
    """
    return shift * math.sqrt(len(blocks) / 2)


def logit_residual(game: Game, log_policy: np.ndarray, log_magnet: np.ndarray, strength: Array) -> Array:
    r"""How far a policy may be from the regularised equilibrium π* of a magnet: a bound e on :math:`\sqrt{KL(\pi\|\pi^*) + KL(\pi^*\|\pi)}`, rounding included.

    With r = log π − log ρ − q(π)/α, the sum of both divergences is ⟨π − π*, r⟩, the payoffs of a zero-sum game dropping out: at most Σ e_b·‖π_b − π*_b‖₁, e_b half the range of
    r over a block, and by Pinsker at most √(Σ e_b²) times its own root.

    Parameters
    ----------
    log_policy, log_magnet : array (..., actions)
    strength : float, or array (...)
        α.

    Returns
    -------
    array (...)
        Infinite where a policy never plays what its magnet does.
    """
    played, strength = np.isfinite(log_magnet), np.asarray(strength)
    finite = np.isfinite(log_policy)
    payoffs = game.payoffs(np.exp(log_policy))
    largest = np.maximum(largest_logs(log_policy), largest_logs(log_magnet))
    rounding = payoff_rounding(game) / strength + 4 * UNIT * (2 * largest + game.largest_payoff / strength)
    residual = np.where(finite, log_policy, 0.0) - np.where(played, log_magnet, 0.0) - payoffs / strength[..., None]
    squares = []
    for part in block_slices(game.blocks):
        values, inside = residual[..., part], played[..., part]
        spread = np.max(values, axis=-1, initial=-np.inf, where=inside) - np.min(values, axis=-1, initial=np.inf, where=inside)
        squares.append((spread / 2 + rounding) ** 2)
    return np.where(np.all(finite | ~played, axis=-1), np.sqrt(sum(squares)), np.inf)[()]


def target_shift(error: Array, ratio: Array, target: np.ndarray, log_policies: np.ndarray, blocks: Blocks) -> np.ndarray:
    r"""How far :math:`KL(\pi^*\|\pi)` may be from KL(t‖π), t being within `error` of π* as :func:`logit_residual` bounds it.

    The difference is KL(π*‖t) + ⟨π* − t, log t − log π⟩. The first is at most error². In the second |π* − t| in the norm weighted by 1/t is at most error·√(largest ratio of π*
    to t), whose logarithm is at most 2·error·(1 + L/α); and log t − log π counts by its standard deviation under t, as π* − t sums to 0.

    Parameters
    ----------
    error, ratio : float, or array (policies,)
        The second is L/α.
    target : array (actions,), or (policies, actions)
        log t.
    log_policies : array (policies, actions)
    """
    weights = np.exp(target)
    played = weights > 0
    apart = np.where(played, target, 0.0) - np.where(played, log_policies, 0.0)
    spread = np.sum(variances(apart, np.broadcast_to(weights, apart.shape), blocks), axis=-1)
    return error**2 + error * np.exp(np.minimum(error * (1 + ratio), 700.0)) * np.sqrt(spread)


def variances(values: np.ndarray, weights: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Variance of the values of each block under the policy that weighs them: (..., actions) → (..., blocks)."""
    centred = values - spread_over(block_sum(weights * values, blocks), blocks)
    return block_sum(weights * centred**2, blocks)


def spread_over(sums: np.ndarray, blocks: Blocks) -> np.ndarray:
    """One number a block, repeated for each of its actions: (..., blocks) → (..., actions)."""
    return np.repeat(sums, blocks, axis=-1)
