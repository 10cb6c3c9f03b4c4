"""The claim that a run comes to its limit at the rate that theory predicts from the game, at the equilibrium that the run went to."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mmd_games.arrays import log_normalise
from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.loop.feedback import Exact
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.predicted.comparison import Comparison, compare
from mmd_games.verification.predicted.local_rates import LARGEST_CHOSEN, predict_rate
from mmd_games.verification.predicted.measuring import CLOSE, Measurement
from mmd_games.verification.predicted.observed import observe
from mmd_games.verification.predicted.prediction import RatePrediction
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "Near its limit the run moves at the rate that theory predicts from the game: factor of the distance an iteration"
DOMINANT = 0.99
"""Where the deciding parts have less of the distance than this, a deviation refutes nothing."""
GROWN = 1.5
"""By so much at least a run that moves away must have done so, where no factor can be measured."""


def prediction_for(trace: Trace, *, reference: NashEquilibrium | None = None) -> RatePrediction:
    """The prediction for a run, at the equilibrium nearest to its last iterate.

    Where the game has several equilibria that is the one which minimises KL(π‖last iterate): the run's limit, up to second order in what is left of the way. With a fixed magnet
    it is the equilibrium regularised towards the run's own magnet.

    Parameters
    ----------
    trace : Trace
        Declined where it was made elsewhere, under other feedback than exact payoffs, or from a start that never plays some action.
    reference : NashEquilibrium, optional
        One of largest support, where it has been computed already.
    """
    game, rule = trace.game, log_linear_of(trace.algorithm)
    about = RatePrediction(game.name, trace.algorithm_spec)
    if isinstance(trace.algorithm, str):
        return replace(about, declined="the settings of a run made elsewhere are not known.")
    if trace.feedback != str(Exact()):
        return replace(about, declined="rates are predicted of runs that are told the exact payoffs.")
    if not np.all(np.isfinite(trace.log_policy)):
        return replace(about, declined="the run never plays some of the actions.")
    if rule is not None and rule.magnet == "fixed":
        return predict_rate(game, trace.algorithm, log_magnet=trace.stages.log_magnets[0])
    found = nash(game) if reference is None else reference
    prediction = predict_rate(game, trace.algorithm, at=found)
    if prediction.zero_modes == 0 or game.actions > LARGEST_CHOSEN:
        return prediction
    # Probabilities that underflow are of actions that no equilibrium plays.
    start = np.exp(log_normalise(np.maximum(trace.log_policy, -700.0), game.blocks))
    nearest = nash(game, select="maximum_entropy", start=start)
    return predict_rate(game, trace.algorithm, at=nearest) if nearest.converged else prediction


def check_rate(trace: Trace, prediction: RatePrediction, comparison: Comparison | None = None) -> Claim:
    """Compare a run with what is predicted of it.

    Confirmed where, in the regime that the prediction defines, the measured exponent is within 2% of the predicted one, or within its uncertainty on a
    straight line; and where that regime was not reached but every mode and action, each measured on its own, agrees on a straight line (the slowest is then
    shown). Refuted where it differs by more, the line is straight, and the deciding parts have 99% of the distance, and where one of these differs on its own.
    Inconclusive where the regime was not reached, or not for long enough, and where an uncertainty is more than a fifth of the exponent. A predicted divergence
    is also confirmed by a run too far away for a factor whose second half is half as far away again as its first quarter.

    Parameters
    ----------
    trace : Trace
    prediction : RatePrediction
        As by :func:`prediction_for`.
    comparison : Comparison, optional
        As by :func:`compare`, where it has been made already.

    Raises
    ------
    InputError
        For a prediction of another game or of another algorithm.
    """

    def claim(verdict: Verdict, detail: str, joint: Measurement | None = None) -> Claim:
        measured, interval = None, None
        if joint is not None and joint.measured is not None:
            per = prediction.steps_per_unit
            measured = math.exp(-joint.measured / per)
            reach = joint.half_width + joint.bias
            interval = (math.exp(-(joint.measured + reach) / per), math.exp(-(joint.measured - reach) / per))
        return Claim(
            "predicted_rate",
            STATEMENT,
            prediction.rate,
            measured,
            verdict,
            detail,
            interval=interval,
            question=Question.PREDICTED,
            assumed=prediction.assumptions,
        )

    if prediction.declined:
        return claim(Verdict.NOT_APPLICABLE, f"nothing is predicted: {prediction.declined}")
    if prediction.kind == "stands still":
        return claim(Verdict.NOT_APPLICABLE, prediction.detail)
    found = compare(trace, prediction) if comparison is None else comparison
    joint, parts = found.joint, _parts(found)
    if joint.measured is None:
        if prediction.kind == "diverges":
            return claim(*_divergence(trace, prediction))
        if found.deciding_is_off:
            return claim(Verdict.REFUTED, f"no stretch of the run shows it jointly ({joint.reason}), but what should decide is off on its own. {parts}")
        if found.is_whole and len(found.modes) == len(prediction.modes) and len(found.actions) == len(prediction.actions):
            slowest = min(found.measured, key=lambda part: part.measured or 0.0)
            if any(part.is_vague for part in found.measured):
                return claim(
                    Verdict.INCONCLUSIVE, f"no stretch of the run shows the slowest alone ({joint.reason}), and some are known too roughly. {parts}", slowest
                )
            return claim(
                Verdict.CONFIRMED, f"no stretch of the run shows the slowest alone ({joint.reason}), but each on its own is as predicted. {parts}", slowest
            )
        return claim(Verdict.INCONCLUSIVE, f"no stretch of the run shows it: {joint.reason}. {parts}")
    said = f"in iterations {joint.window[0]:,} to {joint.window[1]:,} the exponent is {joint.in_words}. {parts}" if joint.window else parts
    if joint.agrees:
        bent = not joint.is_straight and abs(joint.error or 0.0) > CLOSE
        doubt = "known too roughly to tell: " if joint.is_vague else "the slope still changes: " if bent else ""
        return claim(Verdict.INCONCLUSIVE if doubt else Verdict.CONFIRMED, f"{doubt}{said}", joint)
    if found.share < DOMINANT and not found.deciding_is_off:
        return claim(Verdict.INCONCLUSIVE, f"the slowest factor does not yet decide, it has {100 * found.share:.0f}% of the distance: {said}", joint)
    return claim(Verdict.REFUTED if joint.is_straight else Verdict.INCONCLUSIVE, said if joint.is_straight else f"the slope still changes: {said}", joint)


def _parts(found: Comparison) -> str:
    """How many modes and actions were measured, and the worst of them."""
    kinds = (("modes", found.modes), ("actions", found.actions))
    counts = [f"{sum(part.measured is not None for part in parts)} of {len(parts)} {what}" for what, parts in kinds if parts]
    said, measured = f"Measured separately: {', '.join(counts)}", found.measured
    if not measured:
        return f"{said}."
    worst = max(measured, key=lambda part: abs(part.error or 0.0))
    return f"{said}; the worst, {worst.name}, is {worst.in_words}."


def _divergence(trace: Trace, prediction: RatePrediction) -> tuple[Verdict, str]:
    """Whether a run that is predicted to move away, but is never near enough for a factor, has moved away.

    Far from the equilibrium the growth that theory predicts saturates, and play may end in a cycle around it: no distance there tells the factor. What the
    prediction does exclude is that the run stays as near as it has been. So it is confirmed where in the second half of the run even the nearest policy is
    1.5 times as far away as the nearest of the first quarter. A run that begins beyond its cycle does not move away: of it linear theory says nothing, and
    the claim stays open.
    """
    seen = observe(trace, prediction)
    whole = seen.times[-1]
    early, late = (float(np.min(seen.distance[rows])) for rows in (seen.times <= whole / 4, seen.times >= whole / 2))
    if late >= GROWN * early:
        return Verdict.CONFIRMED, (
            f"{prediction.detail} The run, too far away for a factor to be measured, moves away too: from a distance of {early:.2g} in its first quarter "
            f"to {late:.2g} and more in its second half."
        )
    return Verdict.INCONCLUSIVE, (
        f"{prediction.detail} The run neither shows a factor nor moves away by {GROWN:g} times: its distance is {early:.2g} and more in its first quarter, "
        f"{late:.2g} and more in its second half."
    )
