"""The claims about the last iterate: where it is, whether it rests there, how the gap fell."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.arrays import total_variation
from mmd_games.equilibria import NashEquilibrium, distance_to_equilibria
from mmd_games.games.game import Game, certified_gap
from mmd_games.loop.trace import Trace
from mmd_games.verification.headline import is_short
from mmd_games.verification.measured import Convergence, Kind
from mmd_games.verification.predicted import RatePrediction
from mmd_games.verification.verdicts import Claim, Question, Verdict

DEFAULT_TOLERANCE = 1e-8
"""Where none is given, a gap of this many L counts as an equilibrium."""
LARGEST_DISTANCE = 600
"""In larger games the distance is taken to one equilibrium, not to the set of all: that program takes minutes."""
LAST_PART = 0.9
"""A run rests if it stays near its last policy from this part of its length on."""


def default_tolerance(game: Game) -> float:
    """1e-8·L, in the game's units."""
    return DEFAULT_TOLERANCE * (float(game.scale) or 1.0)


def allowed_distance(game: Game, tolerance: float) -> float:
    """√(tolerance/L), in total variation: a gap within the tolerance may cost half of its digits, by the game's conditioning."""
    return math.sqrt(tolerance / (float(game.scale) or 1.0))


def claim_rest(trace: Trace, convergence: Convergence, allowed: float, *, reached: bool, approaches: bool) -> Claim:
    """The run came to rest, wherever that is: its policies of the last tenth are near its last one, and its gap has come to its end.

    Parameters
    ----------
    trace : Trace
    convergence : Convergence
    allowed : float
        As by :func:`allowed_distance`.
    reached : bool
        Whether the gap is within the tolerance.
    approaches : bool
        As by :func:`mmd_games.verification.headline.may_approach`.
    """
    statement = "The last iterate has come to rest: largest distance of the policies of the run's last tenth from it (total variation)"
    late = trace.log_policies[trace.policy_iterations >= LAST_PART * trace.steps]
    measured = float(np.max(total_variation(np.exp(late), trace.policy, trace.game.blocks)))
    stands = convergence.kind in (Kind.STALLED, Kind.DIVERGING) and not is_short(trace) and not approaches
    verdict, detail = Verdict.CONFIRMED, f"allowed √(tolerance/L) = {allowed:.1e}; {len(late)} recorded policies."
    if len(late) < 2:
        verdict, detail = Verdict.INCONCLUSIVE, "no other policy of the last tenth was recorded."
    elif measured > allowed:
        verdict = Verdict.REFUTED if stands else Verdict.INCONCLUSIVE
        detail += " It still moves" + (", and its gap does not fall." if stands else ".")
    elif not (reached or stands):
        verdict, detail = Verdict.INCONCLUSIVE, f"{detail} It moves little, but its gap is above the tolerance and may still fall."
    return Claim("rest", statement, 0.0, measured, verdict, detail, question=Question.CONVERGED)


def claim_gap(trace: Trace, tolerance: float) -> Claim:
    """The last iterate's duality gap, with a bound on its rounding."""
    measured, error = certified_gap(trace.game, trace.policy)
    verdict = Verdict.CONFIRMED if measured + error <= tolerance else Verdict.REFUTED if measured - error > tolerance else Verdict.INCONCLUSIVE
    relative = measured / (float(trace.game.scale) or 1.0)
    detail = f"tolerance {tolerance:.3g}; relative to L the gap is {relative:.3g}; computed with an error of at most {error:.1g}."
    statement = "The last iterate is a Nash equilibrium of the game: its duality gap is within the tolerance"
    return Claim("gap", statement, 0.0, measured, verdict, detail, question=Question.EQUILIBRIUM)


def claim_distance(trace: Trace, reference: NashEquilibrium, allowed: float, *, unique: bool = False) -> Claim:
    """The last iterate's distance to the set of equilibria, which in a large game is taken only where it has one element."""
    game = trace.game
    statement = "The last iterate is at the equilibria of the game, which are computed independently (total variation)"

    def claim(measured: float | None, verdict: Verdict, detail: str) -> Claim:
        return Claim("distance", statement, 0.0, measured, verdict, detail, question=Question.EQUILIBRIUM)

    if not reference.converged:
        return claim(None, Verdict.INCONCLUSIVE, f"the reference only reached a gap of {reference.gap:.1e}.")
    detail = f"allowed √(tolerance/L) = {allowed:.1e}; the reference has gap {reference.gap:.1e} and {len(reference.support)} actions in its support."
    measured = float(total_variation(trace.policy, reference.policy, game.blocks))
    if measured > allowed and unique:
        return claim(measured, Verdict.REFUTED, f"the equilibrium is the only one; {detail}")
    if measured > allowed and game.actions > LARGEST_DISTANCE:
        return claim(measured, Verdict.INCONCLUSIVE, f"this is to one equilibrium; others may be nearer; {detail}")
    if measured > allowed:
        # Not at this equilibrium; there may be others.
        measured = distance_to_equilibria(game, trace.policy, equilibrium=reference)
    if math.isnan(measured):
        return claim(None, Verdict.INCONCLUSIVE, "the solver of the distance failed.")
    return claim(measured, Verdict.CONFIRMED if measured <= allowed else Verdict.REFUTED, detail)


def claim_rate(trace: Trace, convergence: Convergence, predicted: Claim, prediction: RatePrediction, *, approaches: bool) -> Claim:
    """Whether the gap falls linearly, and how fast; what may still become a line is not refuted.

    Parameters
    ----------
    trace : Trace
    convergence : Convergence
    predicted : Claim
        That of the predicted rate.
    prediction : RatePrediction
    approaches : bool
        As by :func:`mmd_games.verification.headline.may_approach`.
    """
    verdict = {Kind.LINEAR: Verdict.CONFIRMED, Kind.SUPERLINEAR: Verdict.CONFIRMED, Kind.INCONCLUSIVE: Verdict.INCONCLUSIVE}.get(
        convergence.kind, Verdict.REFUTED
    )
    detail, interval = f"{convergence.kind.value}: {convergence.evidence}", convergence.interval
    line = prediction.target == "nash" and prediction.kind == "linear"
    if verdict is Verdict.REFUTED and is_short(trace):
        verdict, detail = Verdict.INCONCLUSIVE, f"{detail} But the run is too short to tell."
    elif verdict is Verdict.REFUTED and approaches:
        verdict, detail = Verdict.INCONCLUSIVE, f"{detail} But the policy still approaches the equilibrium in KL, so it may become a line."
    elif verdict is Verdict.REFUTED and line and convergence.kind is Kind.SUBLINEAR:
        verdict, detail = Verdict.INCONCLUSIVE, f"{detail} But theory predicts a line in the end."
    if convergence.window is not None and verdict is Verdict.CONFIRMED:
        detail += f" Iterations {convergence.window[0]:,} to {convergence.window[1]:,}."
    expected = prediction.rate if line else None
    if expected is not None and interval is not None and predicted.verdict is Verdict.CONFIRMED and not interval[0] <= expected <= interval[1]:
        detail += " The gap is still decided by more than the slowest part of the prediction, which is measured below."
    statement = "The gap falls faster than on any line" if convergence.kind is Kind.SUPERLINEAR else "The gap falls linearly: factor an iteration"
    return Claim("rate", statement, expected, convergence.rate, verdict, detail, interval=interval, question=Question.LINEAR)
