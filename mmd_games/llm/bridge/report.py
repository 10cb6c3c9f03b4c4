"""The judge's report of a language model's checkpoints, and beside it what exact play would have done and at which rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmd_games.arrays import total_variation
from mmd_games.errors import InputError
from mmd_games.llm.bridge.checkpoints import tabular_run
from mmd_games.loop.feedback import Exact
from mmd_games.loop.trace import Trace
from mmd_games.report import Report, verify
from mmd_games.verification.predicted import RatePrediction, check_rate
from mmd_games.verification.predicted.checking import prediction_for
from mmd_games.verification.verdicts import Claim, Verdict

CLEAR = 0.25
"""A rate is measured while the model is nearer to exact play than this part of exact play's own distance from its limit; later, its noise decides."""
FEWEST = 8
"""Checkpoints of which a rate is measured at least."""


@dataclass(frozen=True, eq=False)
class BridgeReport:
    """What the judge says of a language model's training, and how it compares with exact play.

    Attributes
    ----------
    report : Report
        Of :func:`mmd_games.verify`, unchanged.
    iterations : array (checkpoints,) of int
    distances : array (checkpoints,)
        Total variation between the model's policy and that of exact play with the same settings, from the same start.
    tabular_gaps : array (checkpoints,)
        Duality gaps of exact play.
    prediction : RatePrediction
        What theory says of exact play near its limit.
    rate : Claim
        Predicted and measured rate, of the checkpoints up to `measured_until`.
    measured_until : int or None
        The last iteration before which the model's distance from exact play is small beside the way that exact play still has to go; None where none is.
    """

    report: Report
    iterations: np.ndarray
    distances: np.ndarray
    tabular_gaps: np.ndarray
    prediction: RatePrediction
    rate: Claim
    measured_until: int | None

    @property
    def trace(self) -> Trace:
        """The checkpoints."""
        return self.report.trace

    @property
    def lines(self) -> tuple[str, ...]:
        """The comparison with exact play, a sentence a line."""
        worst = int(np.argmax(self.distances))
        predicted = "none" if self.rate.predicted is None else f"{self.rate.predicted:.6g} an update"
        measured = "none" if self.rate.measured is None else f"{self.rate.measured:.6g} (iterations up to {self.measured_until:,})"
        return (
            f"total variation to exact play: {self.distances[-1]:.2e} at the end, {self.distances[worst]:.2e} at most (iteration {self.iterations[worst]:,})",
            f"duality gap at the end: {self.trace.gap:.4g}, of exact play {self.tabular_gaps[-1]:.4g}",
            f"rate predicted: {predicted}; measured: {measured}; {self.rate.verdict.value}: {self.rate.detail}",
        )

    def __str__(self) -> str:
        return "\n".join([str(self.report), "", "Beside exact play by the same algorithm from the same start", *(f"  {line}" for line in self.lines)])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: the judge's report by its own schema, and the comparison."""
        return {
            "report": self.report.to_dict(),
            "iterations": self.iterations.tolist(),
            "distances": self.distances.tolist(),
            "tabular_gaps": self.tabular_gaps.tolist(),
            "prediction": self.prediction.to_dict(),
            "rate": {
                "predicted": self.rate.predicted,
                "measured": self.rate.measured,
                "verdict": self.rate.verdict.value,
                "detail": self.rate.detail,
                "measured_until": self.measured_until,
            },
        }


def verify_checkpoints(trace: Trace, tolerance: float | None = None) -> BridgeReport:
    """Judge a language model's checkpoints, and compare them with exact play.

    Parameters
    ----------
    trace : Trace
        Of :func:`trace_from_checkpoints`, with its algorithm, from iteration 0 on.
    tolerance : float, optional
        Largest duality gap that counts as an equilibrium. Sampled training comes to rest at a gap of its noise, not at the default of 1e-8·L.

    Raises
    ------
    InputError
        For a trace without an algorithm, or whose first checkpoint is not of iteration 0.
    """
    if not isinstance(trace, Trace) or isinstance(trace.algorithm, str):
        raise InputError("Checkpoints are compared with exact play of their algorithm: give it to trace_from_checkpoints (mg.verify judges runs without one).")
    report = verify(trace, tolerance)
    game, exact = trace.game, np.exp(tabular_run(trace))
    distances = np.asarray(total_variation(np.exp(trace.log_policies), exact, game.blocks))
    tabular_gaps = np.asarray(game.gap_of_payoffs(game.payoffs(exact)))
    prediction = prediction_for(replace(trace, feedback=str(Exact())), reference=report.reference)
    until = 0
    if not prediction.declined:
        to_go = np.asarray(total_variation(exact, prediction.policy, game.blocks))
        drowned = np.flatnonzero(distances > CLEAR * to_go)
        until = int(drowned[0]) if len(drowned) else len(distances)
    claim = check_rate(_first(trace, until), prediction) if until >= FEWEST else _not_measured(trace, prediction)
    return BridgeReport(report, trace.policy_iterations, distances, tabular_gaps, prediction, claim, int(trace.iterations[until - 1]) if until else None)


def _not_measured(trace: Trace, prediction: RatePrediction) -> Claim:
    """The claim of a rate that too few checkpoints show."""
    if prediction.declined:
        return check_rate(trace, prediction)
    claim = check_rate(trace, replace(prediction, declined="its noise decides."))
    detail = f"fewer than {FEWEST} checkpoints are near enough to exact play."
    return replace(claim, predicted=prediction.rate, verdict=Verdict.INCONCLUSIVE, detail=detail)


def _first(trace: Trace, rows: int) -> Trace:
    """The trace as it was after its first checkpoints."""
    begun = trace.stages.iterations <= trace.iterations[rows - 1]
    stages = replace(
        trace.stages,
        **{name: getattr(trace.stages, name)[begun] for name in ("iterations", "log_magnets", "magnet_strengths", "step_sizes")},
    )
    columns = ("iterations", "products", "gaps", "average_gaps", "policy_iterations", "log_policies")
    return replace(trace, **{name: getattr(trace, name)[:rows] for name in columns}, stages=stages)
