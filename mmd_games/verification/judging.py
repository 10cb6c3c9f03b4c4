"""The judge: all claims about a run, in the order in which a reader asks, and one headline."""

from __future__ import annotations

from dataclasses import dataclass

from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.equilibria.certificate import certified_again
from mmd_games.errors import InputError, require_positive
from mmd_games.games.game import Game
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds import check_bounds, gap_rounding
from mmd_games.verification.claims import allowed_distance, claim_distance, claim_gap, claim_rate, claim_rest, default_tolerance
from mmd_games.verification.headline import headline_of, may_approach
from mmd_games.verification.limits import claim_projection, claim_support
from mmd_games.verification.measured import Convergence, Kind, classify_convergence
from mmd_games.verification.predicted import RatePrediction, check_rate, prediction_for
from mmd_games.verification.proofs import claim_exact_equilibrium, claim_exact_gap
from mmd_games.verification.refreshes import by_refresh
from mmd_games.verification.verdicts import Claim, Headline, Question, Verdict

FEWEST_ROWS = 3
"""A run of fewer recorded gaps has no shape."""


@dataclass(frozen=True)
class Judgement:
    """All that was found out about a run.

    Attributes
    ----------
    headline : Headline
    claims : tuple of Claim
        In the order of :class:`~mmd_games.verification.Question`.
    tolerance : float
        In the game's units.
    reference : NashEquilibrium
        Computed independently of the run.
    convergence : Convergence
        What the recorded gaps say.
    prediction : RatePrediction
        What theory says of the run at the equilibrium nearest to its last iterate.
    """

    headline: Headline
    claims: tuple[Claim, ...]
    tolerance: float
    reference: NashEquilibrium
    convergence: Convergence
    prediction: RatePrediction


def judge(trace: Trace, tolerance: float | None = None, *, reference: NashEquilibrium | None = None) -> Judgement:
    """Judge whether the last iterate reached the game's Nash equilibrium, and how.

    Parameters
    ----------
    trace : Trace
    tolerance : float, optional
        Largest duality gap, in the game's units, that counts as an equilibrium; default 1e-8·L.
    reference : NashEquilibrium, optional
        Of the trace's game, where it has been computed already, independently of the run; only its policy, and how it was found, is taken from it.

    Raises
    ------
    InputError
        For a tolerance that is not positive, a trace of fewer than three recorded gaps, or a reference that is no equilibrium of the trace's game.
    """
    require_positive(tolerance=tolerance)
    if not isinstance(trace, Trace):
        raise InputError(f"A trace is judged, as mg.solve returns it or Trace.from_policies makes it; got {type(trace).__name__}.")
    game, tolerance = trace.game, default_tolerance(trace.game) if tolerance is None else float(tolerance)
    convergence = _convergence(trace, tolerance)
    reference, allowed = nash(game) if reference is None else certified_again(game, reference), allowed_distance(game, tolerance)
    convergence = by_refresh(trace, reference, convergence)
    prediction = prediction_for(trace, reference=reference)
    approaches = may_approach(trace, reference, prediction)
    gap, distance, predicted = (
        claim_gap(trace, tolerance),
        claim_distance(trace, reference, allowed, unique=prediction.target == "nash" and prediction.unique),
        check_rate(trace, prediction),
    )
    reached = gap.verdict is Verdict.CONFIRMED and distance.verdict is Verdict.CONFIRMED
    made = [
        claim_rest(trace, convergence, allowed, reached=gap.verdict is Verdict.CONFIRMED, approaches=approaches),
        gap,
        distance,
        claim_support(trace, reference, allowed, reached=reached),
        claim_projection(trace, reference, allowed, reached) if prediction.zero_modes else None,
        claim_rate(trace, convergence, predicted, prediction, approaches=approaches),
        predicted,
        claim_exact_gap(trace, tolerance),
        claim_exact_equilibrium(trace, reference),
        *check_bounds(trace, reference),
    ]
    order = list(Question)
    claims = tuple(sorted((claim for claim in made if claim is not None), key=lambda claim: order.index(claim.question)))
    headline = headline_of(trace, claims, convergence, tolerance, prediction=prediction, approaches=approaches)
    return Judgement(headline, claims, tolerance, reference, convergence, prediction)


def _convergence(trace: Trace, tolerance: float) -> Convergence:
    """How the recorded gaps fall; a run that was over at once has no shape, one that was cut short cannot be judged."""
    floor, rows = gap_floor(trace.game), len(trace.iterations)
    if rows >= FEWEST_ROWS:
        return classify_convergence(trace.iterations, trace.gaps, floor=floor)
    if trace.gaps[-1] > tolerance:
        raise InputError(f"The run recorded {rows} gaps; judging needs {FEWEST_ROWS} at least: more steps would be right.")
    return Convergence(Kind.INCONCLUSIVE, None, None, None, floor, f"the tolerance was reached within {trace.steps} steps, which have no shape.")


def gap_floor(game: Game) -> float:
    """Gaps below this are rounding: 25 times the largest difference between two evaluations of one policy's gap."""
    return 25 * gap_rounding(game)
