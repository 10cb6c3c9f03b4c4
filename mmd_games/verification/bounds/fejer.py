r"""The outer loop comes closer to every Nash equilibrium π* in KL, by a known amount a refresh.

An exact proximal step from the magnet ρ to ρ⁺ obeys KL(π*‖ρ⁺) = KL(π*‖ρ) − KL(ρ⁺‖ρ) − (1/α)·Σ d_i ρ⁺_i, d ≥ 0 the slacks of π*: proximal point methods are Fejér monotone. With K inner
steps the equality holds up to an inexactness that is known beforehand. Unrolled, the steps of a stage are

    log ρ⁺ − log ρ = ((1 − c^K)/α)·S π̄ + const,   π̄ = Σ_j w_j π_j / Σ_j w_j,   w_j = c^{K−1−j},

c = 1/(1 + ηα) (policy update: 1 − ηα, and half steps h_j in place of π_j). As KL(π*‖ρ) − KL(π*‖ρ⁺) − KL(ρ⁺‖ρ) = ⟨log ρ⁺ − log ρ, π* − ρ⁺⟩ for any three policies,

    KL(π*‖ρ) − KL(π*‖ρ⁺) − KL(ρ⁺‖ρ) = ((1 − c^K)/α)·[Σ d_i ρ⁺_i + ε],   |ε| = |⟨π̄ − ρ⁺, q(π*) − q(ρ⁺)⟩| ≤ R·‖π̄ − ρ⁺‖₁,

R half the range of q(π*) − q(ρ⁺) over each block.

Both π̄ and ρ⁺ are near the regularised equilibrium ρ': the contraction (see :mod:`~mmd_games.verification.bounds.contraction`) gives KL(ρ'‖π_j) ≤ c^j·D with D = KL(ρ'‖ρ), and the
equality for the exact step D ≤ KL(π*‖ρ). With s = √c the weighted sum of s^j is (1 + s)·s^{K−1}/(1 + s^K), so ‖π̄ − ρ⁺‖₁ ≤ √(2D)·s^{K−1}·[(1 + s)/(1 + s^K) + s]. A half
step lies no further from ρ' than κ = 1 + √(c/(c − (ηL)²)) times that, since (c − (ηL)²)·KL(h‖π) ≤ c·KL(ρ'‖π). No regularised equilibrium need be computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmd_games.algorithms import LogLinear
from mmd_games.arrays import block_slices, block_sum, kl, log_normalise
from mmd_games.equilibria import NashEquilibrium
from mmd_games.games.game import Game
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.contraction import log_factor, remembered, why_no_contraction
from mmd_games.verification.bounds.rounding import ROUNDINGS_OF_A_STEP, UNIT, largest_log, payoff_rounding, shifted_root, spread_over, step_rounding
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "At every refresh KL(π*‖ρ) falls by KL(ρ⁺‖ρ) + (1 − c^K)/α · Σ slack·ρ⁺, up to the inexactness of K inner steps (share of the bound)"
ENTRIES = 2**14
"""Numbers of magnets worked on at a time: as many as stay in a processor's cache."""


@dataclass(frozen=True)
class _Refreshes:
    """Some refreshes: what KL fell by less KL(ρ⁺‖ρ), what the slacks explain of it, and how far the two may be apart."""

    fallen: np.ndarray
    explained: np.ndarray
    allowed: np.ndarray


def check_fejer(trace: Trace, reference: NashEquilibrium) -> Claim:
    """KL to an independently computed Nash equilibrium falls at every refresh by what its slacks and the move of the magnet explain.

    It catches magnets that did not come from this game's payoffs or not from these settings: where an action off the support still has mass, α by its relative error, the payoffs'
    sign, another game; and a reference whose slacks are not its own. Near an interior equilibrium slacks vanish, and it says only that nothing moves away. The bound falls by √c a step: with short
    stages, such as the default ones, it is many times what it leaves to be explained.

    Parameters
    ----------
    trace : Trace
    reference : NashEquilibrium
        Of this game, computed independently of the run.
    """
    rule, stages = log_linear_of(trace.algorithm), trace.stages
    reason = why_no_contraction(trace) or ("the magnet is not refreshed." if rule is None or rule.magnet != "refreshed" else "")
    if rule is None or reason:
        return _claim(None, Verdict.NOT_APPLICABLE, reason)
    if float(trace.game.scale) == 0:
        return _claim(None, Verdict.NOT_APPLICABLE, "the game has no payoffs.")
    # A uniform first magnet is not where the first stage starts, as the unrolled steps have it.
    begin = int(rule.uniform_reference)
    refreshes = len(stages) - 1 - begin
    if np.any(np.isneginf(stages.log_magnets[-1]) & (reference.policy > 0)):
        return _claim(None, Verdict.NOT_APPLICABLE, "the start never plays an action of this equilibrium, so KL is infinite throughout.")
    if refreshes < 1:
        return _claim(None, Verdict.INCONCLUSIVE, "the magnet was not refreshed yet.")
    if not reference.converged:
        return _claim(None, Verdict.INCONCLUSIVE, f"the reference only reached a gap of {reference.gap:.1e}.")
    rows = max(1, ENTRIES // trace.game.actions)
    share, refresh, sentence = -math.inf, 0, ""
    for first in range(begin, len(stages) - 1, rows):
        found = _refreshes(trace, rule, reference, slice(first, min(first + rows, len(stages) - 1)))
        residual = np.abs(found.fallen - found.explained)
        shares = np.divide(residual, found.allowed, out=np.where(residual > 0, np.inf, 0.0), where=found.allowed > 0)
        row = int(np.argmax(shares))
        if math.isnan(shares[row]) or shares[row] > share:
            share, refresh = float(shares[row]), int(stages.iterations[first + row + 1])
            sentence = (
                f"KL falls by {found.fallen[row]:.3e} more than the magnet moves, the slacks explain {found.explained[row]:.3e} ± {found.allowed[row]:.0e}"
            )
    if not share <= 1:
        return _claim(share, Verdict.REFUTED, f"broken at the refresh of iteration {refresh:,}: {sentence}.")
    return _claim(
        share, Verdict.CONFIRMED, f"holds at all {refreshes:,} refreshes, for the equilibrium by {reference.method}; at iteration {refresh:,} {sentence}."
    )


def _refreshes(trace: Trace, rule: LogLinear, reference: NashEquilibrium, rows: slice) -> _Refreshes:
    """Both sides of the equality at some refreshes, and the bound on their difference."""
    game, stages, target = trace.game, trace.stages, reference.policy
    magnets = stages.log_magnets[rows.start : rows.stop + 1]
    before, after, played = magnets[:-1], magnets[1:], np.isfinite(magnets)
    now = np.exp(after)
    moved = np.subtract(after, before, out=np.zeros_like(after), where=played[:-1] & played[1:])
    moved -= spread_over(block_sum(now * moved, game.blocks), game.blocks)
    apart = target - now
    pays = game.payoffs(now) - game.payoffs(target)
    ranges = np.stack([np.ptp(pays[..., part], axis=-1) / 2 for part in block_slices(game.blocks)], axis=-1)
    unit = float(game.scale)  # payoffs of any size, whose squares would leave float64
    steepest = unit * np.sqrt(np.sum((ranges / unit) ** 2, axis=-1)) + 2 * payoff_rounding(game)
    strength, steps = rule.magnet_strength, np.diff(stages.iterations[rows.start : rows.stop + 1])
    rate = log_factor(rule, rule.step_size, strength)
    weight = -np.expm1(rate * steps) / strength
    explained = weight * (now @ reference.slack)
    inexact = weight * steepest * _spread(game, rule, reference, before, steps)
    doubt = weight * (reference.gap + reference.gap_error + 2 * payoff_rounding(game))
    sizes = np.where(played, np.abs(magnets), 0.0)
    rounding = _rounding(game, rule, np.abs(apart), target + now, moved, sizes[:-1] + sizes[1:], steps)
    return _Refreshes(np.sum(apart * moved, axis=-1), explained, inexact + doubt + rounding + _relative(game) * explained)


def _spread(game: Game, rule: LogLinear, reference: NashEquilibrium, before: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Bound on ‖π̄ − ρ⁺‖₁, the roundings of the inner steps included."""
    with np.errstate(divide="ignore"):
        target = log_normalise(np.log(reference.policy), game.blocks)
    furthest = np.asarray(kl(target, before)) + (reference.gap + reference.gap_error) / rule.magnet_strength
    half = log_factor(rule, rule.step_size, rule.magnet_strength) / 2
    detour = 1.0
    if rule.explicit:
        contraction = math.exp(2 * half)
        room = contraction - (rule.step_size * float(game.scale)) ** 2
        detour = 1 + math.sqrt(contraction / room) if room > 0 else math.inf
    share = detour * mean_root(half, steps) + np.exp(half * steps)
    error = shifted_root(step_rounding(game, rule, rule.step_size, rule.magnet_strength, largest_log(before)), game.blocks)
    kept = remembered(half, steps)
    # No two policies are further apart than 2 for each block.
    return np.minimum(math.sqrt(2) * (share * np.sqrt(furthest) + (1 + detour) * kept * error), 2 * math.sqrt(len(game.blocks)))


def mean_root(half: float, steps: np.ndarray) -> np.ndarray:
    """Σ w_j s^j / Σ w_j over j < K with s = exp(half) and w_j = s^(2(K − 1 − j)), which is (1 + s)·s^(K−1)/(1 + s^K)."""
    return (1 + math.exp(half)) * np.exp(half * (steps - 1)) / (1 + np.exp(half * steps))


def _rounding(game: Game, rule: LogLinear, apart: np.ndarray, masses: np.ndarray, moved: np.ndarray, sizes: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """What the roundings of a stage's steps, and of the sum itself, make of the left-hand side.

    Parameters
    ----------
    game, rule
    apart, masses : array (refreshes, actions)
        |π* − ρ⁺| and π* + ρ⁺.
    moved, sizes : array (refreshes, actions)
        What was added to log ρ, and |log ρ| + |log ρ⁺|.
    steps : array (refreshes,)
    """
    step_size, strength = rule.step_size, rule.magnet_strength
    rate, weight = log_factor(rule, step_size, strength), 1.0 if rule.explicit else 1.0 / (1.0 + step_size * strength)
    kept = remembered(rate, steps)[:, None]
    # Within a stage no logarithm is further from the magnet's than 2L/α, whatever the payoffs.
    logs = sizes + 2 * float(game.scale) / strength + 1.0
    each = weight * step_size * payoff_rounding(game) + ROUNDINGS_OF_A_STEP * UNIT * (logs + weight * step_size * game.largest_payoff)
    return np.sum(apart * kept * each + _relative(game) * masses * np.abs(moved), axis=-1)


def _relative(game: Game) -> float:
    """Rounding of a sum over all actions whose weights sum to 1 up to such a sum."""
    return (2 * game.actions + 32) * UNIT


def _claim(measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("fejer", STATEMENT, 1.0, measured, verdict, detail, hard=True, question=Question.GUARANTEED)
