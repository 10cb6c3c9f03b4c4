"""One answer from all claims."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import kl
from mmd_games.equilibria import NashEquilibrium
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.measured import FEWEST_BINS, Convergence, Kind
from mmd_games.verification.verdicts import Claim, Headline, Verdict

STOPPED = 1e-6
"""A policy whose logarithms change by less than this over the second half of the run has stopped moving."""
SHORTEST_RUN = 50.0
"""Smallest ηLT of a run that may be called stalled or diverging: eight turns of the fastest mode a game of this scale can have."""


def headline_of(trace: Trace, claims: tuple[Claim, ...], convergence: Convergence, tolerance: float, reference: NashEquilibrium) -> Headline:
    """Did the last iterate reach the game's equilibrium, linearly?

    Parameters
    ----------
    trace : Trace
    claims : tuple of Claim
        Those of :func:`mmd_games.verification.judge`.
    convergence : Convergence
    tolerance : float
        In the game's units.
    reference : NashEquilibrium
    """
    by_name = {claim.name: claim for claim in claims}
    gap, rate = by_name["gap"].verdict, by_name.get("predicted_rate")
    if any(claim.hard and claim.verdict is Verdict.REFUTED for claim in claims):
        return Headline.BROKEN
    if gap is Verdict.INCONCLUSIVE:
        return Headline.ROUNDING
    if gap is Verdict.CONFIRMED:
        return Headline.ALREADY if trace.gaps[0] <= tolerance else _within_tolerance(trace, by_name, convergence)
    if convergence.kind in (Kind.STALLED, Kind.DIVERGING):
        if is_short(trace):
            return Headline.TOO_SHORT
        if "plateau" in by_name and by_name["plateau"].verdict is Verdict.CONFIRMED:
            return Headline.REGULARISED
        if _approaches(trace, reference):
            return Headline.SLOW
        if rate is not None and rate.verdict is Verdict.CONFIRMED and (rate.predicted or 0.0) > 1:
            return Headline.UNSTABLE
        return Headline.STALLED if convergence.kind is Kind.STALLED else Headline.DIVERGED
    if convergence.kind is Kind.SUBLINEAR and _is_annealed(trace):
        return Headline.SUBLINEAR
    return Headline.FALLING if float(trace.gaps[-1]) < 0.9 * float(np.max(trace.gaps)) else Headline.TOO_SHORT


def is_short(trace: Trace) -> bool:
    """Whether the run is too short for its settings to call it stalled."""
    rule = log_linear_of(trace.algorithm)
    if rule is None:
        return trace.steps < SHORTEST_RUN
    if rule.magnet == "refreshed" and len(trace.stages) <= FEWEST_BINS:
        return True
    return float(np.mean(trace.stages.step_sizes)) * float(trace.game.scale) * trace.steps < SHORTEST_RUN


def _within_tolerance(trace: Trace, by_name: dict[str, Claim], convergence: Convergence) -> Headline:
    """What a run is that came to the tolerance: it must have come to the equilibrium, and on a line."""
    plateau = by_name.get("plateau")
    elsewhere = by_name["distance"].verdict is Verdict.REFUTED or (plateau is not None and (plateau.predicted or 0.0) > convergence.floor)
    if convergence.kind is Kind.LINEAR and not elsewhere:
        return Headline.CONVERGED
    # With steady settings a slow mode can look sublinear for long: then only a larger budget tells.
    slows = _is_annealed(trace) or log_linear_of(trace.algorithm) is None
    return Headline.SUBLINEAR if convergence.kind is Kind.SUBLINEAR and slows else Headline.UNCLEAR


def _is_annealed(trace: Trace) -> bool:
    """Whether the settings fall as a power of the step, which allows no line."""
    rule = log_linear_of(trace.algorithm)
    return rule is not None and not rule.steady and rule.magnet_strength_power > 0


def _approaches(trace: Trace, reference: NashEquilibrium) -> bool:
    """Whether the run may still be on its way: it has not stopped moving, and KL(π*‖π) to the reference does not grow.

    Proximal and optimistic methods come closer to every equilibrium (theory calls it Fejér monotone), while their gap may stand still or rise for long; from a start
    near the boundary KL falls by less than its rounding. A diverging run moves away in KL, and one that stalled has stopped moving.
    """
    with np.errstate(divide="ignore"):
        divergences = kl(np.log(reference.policy), trace.log_policies)
    half, last = (int(np.searchsorted(trace.policy_iterations, part * trace.steps)) for part in (0.5, 0.75))
    before, after = np.max(divergences[half:last], initial=0.0), np.max(divergences[last:])
    played = (reference.policy > 0) & np.isfinite(trace.log_policy)
    moved = np.max(np.abs(trace.log_policy[played] - trace.log_policies[half][played]), initial=0.0)
    return bool(after <= before * (1 + 1e-12) and moved > STOPPED)
