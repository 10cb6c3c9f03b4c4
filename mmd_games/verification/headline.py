"""One answer from all claims."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import kl
from mmd_games.equilibria import NashEquilibrium, regularised_equilibrium
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.solved import LARGEST_SYSTEM
from mmd_games.verification.measured import FEWEST_BINS, Convergence, Kind
from mmd_games.verification.predicted import RatePrediction
from mmd_games.verification.verdicts import Claim, Headline, Verdict

STOPPED = 1e-6
"""A policy whose logarithms change by less than this over the second half of the run has stopped moving."""
SHORTEST_RUN = 50.0
"""Smallest ηT times its gap (at most L) of a run that may be called stalled or diverging: eight turns of the fastest mode that payoffs of this size can have."""
NEAR = 0.05
"""A gap within this part of the regularised equilibrium's is at it."""


def headline_of(
    trace: Trace, claims: tuple[Claim, ...], convergence: Convergence, tolerance: float, *, prediction: RatePrediction, approaches: bool
) -> Headline:
    """Did the last iterate reach the game's equilibrium, linearly?

    Parameters
    ----------
    trace : Trace
    claims : tuple of Claim
        Those of :func:`mmd_games.verification.judge`.
    convergence : Convergence
    tolerance : float
        In the game's units.
    prediction : RatePrediction
    approaches : bool
        As by :func:`may_approach`.
    """
    by_name = {claim.name: claim for claim in claims}
    gap, rate = by_name["gap"].verdict, by_name["predicted_rate"].verdict
    diverges = prediction.kind == "diverges"
    if any(claim.hard and claim.verdict is Verdict.REFUTED for claim in claims):
        return Headline.BROKEN
    if gap is Verdict.INCONCLUSIVE:
        exact = by_name.get("exact_gap")
        gap = gap if exact is None or exact.verdict is Verdict.NOT_APPLICABLE else exact.verdict
    if gap is Verdict.INCONCLUSIVE:
        return Headline.ROUNDING
    if gap is Verdict.CONFIRMED:
        if trace.gaps[0] <= tolerance:
            return Headline.ALREADY
        if diverges:
            return Headline.PASSING
        return Headline.UNCLEAR if rate is Verdict.REFUTED else _within_tolerance(trace, by_name, convergence)
    stands = convergence.kind in (Kind.STALLED, Kind.DIVERGING)
    if stands and _is_regularised(trace, by_name.get("plateau")):
        return Headline.REGULARISED
    if diverges and rate is Verdict.CONFIRMED and not is_short(trace):
        return Headline.UNSTABLE
    fallen = float(trace.gaps[-1]) < 0.9 * float(np.max(trace.gaps))
    if _is_annealed(trace) and fallen and convergence.kind is not Kind.LINEAR and _turns(trace, float(trace.game.scale)) >= SHORTEST_RUN:
        return Headline.SUBLINEAR
    if stands:
        if is_short(trace):
            return Headline.TOO_SHORT
        if approaches:
            return Headline.SLOW
        return Headline.STALLED if convergence.kind is Kind.STALLED else Headline.DIVERGED
    return Headline.FALLING if fallen else Headline.TOO_SHORT


def is_short(trace: Trace) -> bool:
    """Whether the run is too short for its settings to call it stalled: a gap moves the logits by no more than ηT times itself."""
    rule = log_linear_of(trace.algorithm)
    if rule is None:
        return trace.steps < SHORTEST_RUN
    if rule.magnet == "refreshed" and len(trace.stages) <= FEWEST_BINS:
        return True
    late = trace.gaps[trace.iterations >= 0.75 * trace.steps]
    return _turns(trace, min(float(trace.game.scale), float(np.max(late)))) < SHORTEST_RUN


def may_approach(trace: Trace, reference: NashEquilibrium, prediction: RatePrediction) -> bool:
    """Whether the run may still be on its way: it has not stopped moving, and KL(π*‖π) to the reference is finite and does not grow.

    Proximal and optimistic methods come closer to every equilibrium (theory calls it Fejér monotone), while their gap may stand still or rise for long; from a start
    near the boundary KL falls by less than its rounding. A diverging run moves away in KL, one that stalled has stopped moving, and one with a fixed magnet goes elsewhere.
    """
    rule = log_linear_of(trace.algorithm)
    if prediction.kind == "diverges" or (rule is not None and rule.magnet == "fixed" and rule.magnet_strength_power == 0):
        return False
    half, last = (int(np.searchsorted(trace.policy_iterations, part * trace.steps)) for part in (0.5, 0.75))
    with np.errstate(divide="ignore"):
        divergences = kl(np.log(reference.policy), trace.log_policies[half:])
    before, after = np.max(divergences[: last - half], initial=0.0), np.max(divergences[last - half :])
    played = (reference.policy > 0) & np.isfinite(trace.log_policy)
    moved = np.max(np.abs(trace.log_policy[played] - trace.log_policies[half][played]), initial=0.0)
    # Theory lets a known rule stand still to rounding; a run that is not known, and may go in circles, must come nearer.
    nearer = after <= before * (1 + 1e-12 if rule is not None else 1 - 1e-9)
    return bool(np.isfinite(after) and nearer and moved > STOPPED)


def _turns(trace: Trace, payoff: float) -> float:
    """How far payoffs of this size may have moved the logits over the whole run."""
    return float(np.mean(trace.stages.step_sizes)) * payoff * trace.steps


def _within_tolerance(trace: Trace, by_name: dict[str, Claim], convergence: Convergence) -> Headline:
    """What a run is that came to the tolerance: it must have come to the equilibrium, and on a line."""
    plateau = by_name.get("plateau")
    elsewhere = by_name["distance"].verdict is Verdict.REFUTED or (plateau is not None and (plateau.predicted or 0.0) > convergence.floor)
    if convergence.kind is Kind.LINEAR and not elsewhere:
        return Headline.CONVERGED
    if convergence.kind is Kind.SUPERLINEAR and not elsewhere:
        return Headline.FASTER
    # With steady settings a slow mode can look sublinear for long: then only a larger budget tells.
    slows = _is_annealed(trace) or log_linear_of(trace.algorithm) is None
    return Headline.SUBLINEAR if convergence.kind is Kind.SUBLINEAR and slows else Headline.UNCLEAR


def _is_annealed(trace: Trace) -> bool:
    """Whether the magnet's strength falls as a power of the step, which allows no line."""
    rule = log_linear_of(trace.algorithm)
    return rule is not None and rule.magnet_strength_power > 0


def _is_regularised(trace: Trace, plateau: Claim | None) -> bool:
    """Whether a run with a fixed magnet stands at the gap of its regularised equilibrium, or within a twentieth of it."""
    rule = log_linear_of(trace.algorithm)
    if plateau is not None and plateau.verdict is Verdict.CONFIRMED:
        return True
    if rule is None or rule.magnet != "fixed" or rule.steady or rule.magnet_strength_power > 0 or trace.game.actions > LARGEST_SYSTEM:
        return False
    # The step size falls (Nash-MD): the same equilibrium, approached as slowly as that.
    target = regularised_equilibrium(trace.game, magnet_strength=float(trace.stages.magnet_strengths[0]), log_magnet=trace.stages.log_magnets[0])
    return target.converged and abs(trace.gap - target.gap) <= NEAR * target.gap
