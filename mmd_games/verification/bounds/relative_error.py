r"""A magnet that moves by relative error comes closer to every Nash equilibrium, however its policies were found.

From the magnet ρ at strength α, with the policy π, it moves to log ρ⁺ = log ρ + Sπ/α + const, when KL(π‖ρ⁺) ≤ σ·KL(π‖ρ). For every equilibrium π* with slacks d,

    KL(π*‖ρ) − KL(π*‖ρ⁺) = KL(π‖ρ) − KL(π‖ρ⁺) + ⟨d, π⟩/α ≥ (1 − σ)·KL(π‖ρ) + ⟨d, π⟩/α

(the proof stands in :mod:`mmd_games.algorithms.adaptive`), that is ⟨log ρ⁺ − log ρ, π* − π⟩ = ⟨d, π⟩/α. Three things are checked at every refresh whose policy was recorded: that the magnet
moved so, from the game's own payoffs; that it was allowed to; and, with an equilibrium that was computed independently, what the move is worth. The last is left out where the start never
plays an action of that equilibrium, to which KL is infinite then. A magnet moves at the beginning of a step: its policy is that of the iteration before its stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmd_games.algorithms.adaptive import RELATIVE_ERROR, AdaptiveMPO
from mmd_games.arrays import block_slices, kl
from mmd_games.equilibria import NashEquilibrium
from mmd_games.games.game import Game
from mmd_games.loop.feedback import Exact
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.rounding import UNIT, kl_rounding, normalisation_rounding, payoff_rounding
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "Every refresh brings the magnet nearer to the equilibrium, by (1 − σ)·KL(π‖ρ) + Σ slack·π/α at least (share of what rounding explains)"
ROUNDINGS = 16
"""Of the largest logarithm that enter one of the magnet's: the sum, two normalisations, doubled for their own rounding."""


@dataclass(frozen=True)
class _Refresh:
    """What was found at one refresh, as shares of what rounding explains: the move, the criterion, and the fall of KL."""

    move: float
    error: float
    fall: float


def check_relative_error(trace: Trace, reference: NashEquilibrium) -> Claim | None:
    """Recompute every refresh of a magnet that moves by relative error; None for other methods.

    Parameters
    ----------
    trace : Trace
    reference : NashEquilibrium
        Of this game, computed independently of the run.
    """
    if type(trace.algorithm) is not AdaptiveMPO or trace.feedback != str(Exact()):
        return None
    stages, rows = trace.stages, {int(step): row for row, step in enumerate(trace.policy_iterations)}
    moved = np.flatnonzero(stages.refreshed)
    known = [index for index in moved.tolist() if int(stages.iterations[index + 1]) - 1 in rows]
    if not known:
        return _claim(None, Verdict.INCONCLUSIVE, "no refresh has its policy recorded.")
    if not reference.converged:
        return _claim(None, Verdict.INCONCLUSIVE, f"the reference only reached a gap of {reference.gap:.1e}.")
    found = {index: _refresh(trace, reference, index, trace.log_policies[rows[int(stages.iterations[index + 1]) - 1]]) for index in known}
    worst = max(found, key=lambda index: max(vars(found[index]).values()))
    share, at = found[worst], int(stages.iterations[worst + 1]) - 1
    for what, value in (
        ("the magnet did not move by the payoffs of its policy over α", share.move),
        ("the magnet moved although its policy was further from the regularised equilibrium than the criterion allows", share.error),
        ("KL(π*‖ρ) did not fall by what the slacks explain", share.fall),
    ):
        if not value <= 1:
            return _claim(value, Verdict.REFUTED, f"broken at the refresh of iteration {at:,}: {what}, by {value:.2g} times what rounding explains.")
    largest = max(vars(share).values())
    return _claim(
        largest, Verdict.CONFIRMED, f"holds at {len(known):,} of {len(moved):,} refreshes, for the equilibrium by {reference.method}; σ = {RELATIVE_ERROR:g}."
    )


def _refresh(trace: Trace, reference: NashEquilibrium, index: int, log_policy: np.ndarray) -> _Refresh:
    game, strength = trace.game, float(trace.stages.magnet_strengths[index])
    before, after = trace.stages.log_magnets[index], trace.stages.log_magnets[index + 1]
    policy, played = np.exp(log_policy), np.isfinite(before)
    logs = np.where(played, np.abs(before), 0.0) + np.where(played, np.abs(after), 0.0) + 1.0
    each = payoff_rounding(game) / strength + UNIT * ROUNDINGS * (logs + game.largest_payoff / strength) + 2 * normalisation_rounding(game.actions)
    change = np.where(played, after, 0.0) - np.where(played, before, 0.0)
    rest = change - game.payoffs(policy) / strength
    # A criterion that is met to rounding may be missed by as much as the recorded magnets, normalised once more, differ from those that met it.
    blur = math.sqrt(float(np.sum(policy * each**2)))
    distance, allowed = (math.sqrt(float(kl(log_policy, magnet))) for magnet in (after, before))
    limit = math.sqrt(RELATIVE_ERROR) * (allowed * (1 + kl_rounding(game.actions)) + blur) + blur
    apart, explained = reference.policy - policy, float(reference.slack @ policy) / strength
    doubt = (reference.gap + reference.gap_error + 2 * payoff_rounding(game)) / strength + float(np.sum(np.abs(apart) * 2 * each))
    doubt += (2 * game.actions + 32) * UNIT * float(np.sum(np.abs(apart * change)) + explained)
    reachable = not np.any((reference.policy > 0) & ~played)
    return _Refresh(
        _share(_spread(game, rest, played) / 2, float(np.max(each[played]))),
        _share(distance, limit),
        _share(abs(float(np.sum(apart * change)) - explained), doubt) if reachable else 0.0,
    )


def _spread(game: Game, values: np.ndarray, played: np.ndarray) -> float:
    """The largest range of the values over a block: a constant is free."""
    return max(float(np.ptp(values[part][played[part]])) for part in block_slices(game.blocks))


def _share(value: float, allowed: float) -> float:
    return value / allowed if allowed > 0 else math.inf if value > 0 else 0.0


def _claim(measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("relative_error", STATEMENT, 1.0, measured, verdict, detail, hard=True, question=Question.GUARANTEED)
