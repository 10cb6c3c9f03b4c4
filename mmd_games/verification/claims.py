"""The judge: claims about a run, each with its verdict, and one headline."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import kl, total_variation
from mmd_games.equilibria import NashEquilibrium, distance_to_equilibria, nash
from mmd_games.errors import require_positive
from mmd_games.games.game import Game, certified_gap, exact_gap
from mmd_games.games.table_game import TableGame
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds import check_contraction, check_plateau, check_record, gap_rounding
from mmd_games.verification.measured import FEWEST_BINS, Convergence, Kind, classify_convergence
from mmd_games.verification.verdicts import Claim, Headline, Verdict

DEFAULT_TOLERANCE = 1e-8
"""Where none is given, a gap of this many L counts as an equilibrium."""
LARGEST_EXACT = 400
"""Games of at most this many actions whose payoffs are stored have their last gap computed in rationals."""
LARGEST_DISTANCE = 600
"""In larger games the distance is taken to one equilibrium, not to the set of all: that program takes minutes."""
STOPPED = 1e-6
"""A policy whose logarithms change by less than this over the second half of the run has stopped moving."""
SHORTEST_RUN = 50.0
"""Smallest ηLT of a run that may be called stalled or diverging: eight turns of the fastest mode a game of this scale can have."""


@dataclass(frozen=True)
class Judgement:
    """All that was found out about a run.

    Attributes
    ----------
    headline : Headline
    claims : tuple of Claim
    tolerance : float
        In the game's units.
    reference : NashEquilibrium
        Computed independently of the run.
    convergence : Convergence
        What the recorded gaps say.
    """

    headline: Headline
    claims: tuple[Claim, ...]
    tolerance: float
    reference: NashEquilibrium
    convergence: Convergence


def default_tolerance(game: Game) -> float:
    """1e-8·L, in the game's units."""
    return DEFAULT_TOLERANCE * (float(game.scale) or 1.0)


def judge(trace: Trace, tolerance: float | None = None) -> Judgement:
    """Judge whether the last iterate reached the game's Nash equilibrium, and how.

    Parameters
    ----------
    trace : Trace
    tolerance : float, optional
        Largest duality gap, in the game's units, that counts as an equilibrium; default 1e-8·L.
    """
    require_positive(tolerance=tolerance)
    game, tolerance = trace.game, default_tolerance(trace.game) if tolerance is None else float(tolerance)
    reference = nash(game)
    convergence = classify_convergence(trace.iterations, trace.gaps, floor=gap_floor(game))
    gap = _claim_gap(trace, tolerance)
    claims = [check_record(trace), gap, _claim_distance(trace, reference, tolerance), check_contraction(trace), check_plateau(trace)]
    kept = (*(claim for claim in claims if claim is not None), _claim_rate(trace, convergence))
    return Judgement(_headline(trace, kept, convergence, tolerance, reference), kept, tolerance, reference, convergence)


def gap_floor(game: Game) -> float:
    """Gaps below this are rounding: 100 units of the last place of a payoff."""
    return 25 * gap_rounding(game)


def _claim_gap(trace: Trace, tolerance: float) -> Claim:
    """The last iterate's duality gap, exact where the game is small enough and its payoffs are stored, else with a bound on its rounding."""
    game = trace.game
    statement = "The last iterate is a Nash equilibrium of the game: its duality gap is within the tolerance"
    if game.actions <= LARGEST_EXACT and isinstance(game, TableGame):
        exact = exact_gap(game, trace.policy)
        measured, verdict = float(exact), Verdict.CONFIRMED if exact <= tolerance else Verdict.REFUTED
        how = "computed in rational arithmetic: a proof for this policy and table"
    else:
        measured, error = certified_gap(game, trace.policy)
        verdict = Verdict.CONFIRMED if measured + error <= tolerance else Verdict.REFUTED if measured - error > tolerance else Verdict.INCONCLUSIVE
        how = f"computed in floating point, with an error of at most {error:.1g}"
    relative = measured / (float(game.scale) or 1.0)
    return Claim("gap", statement, 0.0, measured, verdict, f"tolerance {tolerance:.3g}; relative to L the gap is {relative:.3g}; {how}.")


def _claim_distance(trace: Trace, reference: NashEquilibrium, tolerance: float) -> Claim:
    """The last iterate's distance to the set of equilibria: the gap may cost half of the tolerance's digits, by the game's conditioning."""
    game = trace.game
    statement = "The last iterate is at the equilibria of the game, which are computed independently (total variation)"
    if not reference.converged:
        return Claim("distance", statement, 0.0, None, Verdict.INCONCLUSIVE, f"the reference only reached a gap of {reference.gap:.1e}.")
    allowed = math.sqrt(tolerance / (float(game.scale) or 1.0))
    detail = f"allowed √(tolerance/L) = {allowed:.1e}; the reference has gap {reference.gap:.1e} and {len(reference.support)} actions in its support."
    measured = float(total_variation(trace.policy, reference.policy, game.blocks))
    if measured > allowed and game.actions > LARGEST_DISTANCE:
        return Claim("distance", statement, 0.0, measured, Verdict.INCONCLUSIVE, f"this is to one equilibrium; others may be nearer; {detail}")
    if measured > allowed:
        # Not at this equilibrium; there may be others.
        measured = distance_to_equilibria(game, trace.policy, equilibrium=reference)
    if math.isnan(measured):
        return Claim("distance", statement, 0.0, None, Verdict.INCONCLUSIVE, "the solver of the distance failed.")
    return Claim("distance", statement, 0.0, measured, Verdict.CONFIRMED if measured <= allowed else Verdict.REFUTED, detail)


def _claim_rate(trace: Trace, convergence: Convergence) -> Claim:
    """Whether the gap falls linearly, and how fast; a run that is too short for its settings refutes nothing."""
    verdict = {Kind.LINEAR: Verdict.CONFIRMED, Kind.INCONCLUSIVE: Verdict.INCONCLUSIVE}.get(convergence.kind, Verdict.REFUTED)
    detail = f"{convergence.kind.value}: {convergence.evidence}"
    if verdict is Verdict.REFUTED and _is_short(trace):
        verdict, detail = Verdict.INCONCLUSIVE, f"{detail} But the run is too short to tell."
    if convergence.window is not None and convergence.kind is Kind.LINEAR:
        detail += f" Iterations {convergence.window[0]:,} to {convergence.window[1]:,}."
    return Claim("rate", "The gap falls linearly: factor an iteration", None, convergence.rate, verdict, detail, interval=convergence.interval)


def _headline(trace: Trace, claims: tuple[Claim, ...], convergence: Convergence, tolerance: float, reference: NashEquilibrium) -> Headline:
    """One answer from all claims."""
    by_name = {claim.name: claim for claim in claims}
    reached = by_name["gap"].verdict is Verdict.CONFIRMED
    if any(claim.hard and claim.verdict is Verdict.REFUTED for claim in claims):
        return Headline.BROKEN
    if by_name["gap"].verdict is Verdict.INCONCLUSIVE:
        return Headline.ROUNDING
    if reached and trace.gaps[0] <= tolerance:
        return Headline.ALREADY
    rule = log_linear_of(trace.algorithm)
    # Settings that fall as a power of t allow no line. With steady ones a slow mode can look sublinear for long: then only a larger budget tells.
    annealed = rule is not None and not rule.steady and rule.magnet_strength_power > 0
    plateau = by_name.get("plateau")
    if reached:
        elsewhere = by_name["distance"].verdict is Verdict.REFUTED or (plateau is not None and (plateau.predicted or 0.0) > gap_floor(trace.game))
        if convergence.kind is Kind.LINEAR and not elsewhere:
            return Headline.CONVERGED
        return Headline.SUBLINEAR if convergence.kind is Kind.SUBLINEAR and (annealed or rule is None) else Headline.UNCLEAR
    if convergence.kind in (Kind.STALLED, Kind.DIVERGING):
        if _is_short(trace):
            return Headline.TOO_SHORT
        if plateau is not None and plateau.verdict is Verdict.CONFIRMED:
            return Headline.REGULARISED
        if _approaches(trace, reference):
            return Headline.SLOW
        return Headline.STALLED if convergence.kind is Kind.STALLED else Headline.DIVERGED
    if convergence.kind is Kind.SUBLINEAR and annealed:
        return Headline.SUBLINEAR
    return Headline.FALLING if float(trace.gaps[-1]) < 0.9 * float(np.max(trace.gaps)) else Headline.TOO_SHORT


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


def _is_short(trace: Trace) -> bool:
    """Whether the run is too short for its settings to call it stalled."""
    rule = log_linear_of(trace.algorithm)
    if rule is None:
        return trace.steps < SHORTEST_RUN
    if rule.magnet == "refreshed" and len(trace.stages) <= FEWEST_BINS:
        return True
    return float(np.mean(trace.stages.step_sizes)) * float(trace.game.scale) * trace.steps < SHORTEST_RUN
