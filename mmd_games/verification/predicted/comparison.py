"""What a run shows of a prediction: jointly in the asymptotic regime, and for each mode and action where it can be told from all else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmd_games.loop.trace import Trace
from mmd_games.verification.predicted.measuring import Measurement, measure
from mmd_games.verification.predicted.observed import ObservedRun, observe
from mmd_games.verification.predicted.parts import Mode, OffSupportAction
from mmd_games.verification.predicted.prediction import RatePrediction

APART = math.log(100.0)
"""Every other factor must be down by this, in nats, before the slowest is seen alone."""
SAME = 0.01
"""Exponents within this part of the smallest decide together: any mixture of them has one slope to within 1%."""
LIGHT = 1e-6
"""Mass off the support below which play on it is undisturbed."""
BIAS = 0.03
"""Stretches in which what is not linear may move the slope by more than this part of the exponent are not used."""
NOT_LINEAR = "the run does not come near enough to its limit for the linear part to stand alone"
NOT_APART = "the run is too short for the slowest factor to stand out from all else"
ROUNDED = "it is below rounding before it can be told apart"
LAGGING = "the run is too short for its magnet to follow the policy at a steady distance"
HEAVY = "actions that die out still have a mass of 1e-6 and more"


@dataclass(frozen=True)
class Comparison:
    """A prediction and a run of it.

    Attributes
    ----------
    joint : Measurement
        Of the distance to the target, in the regime that the prediction defines: every other factor down by 100, less than 1e-6 of mass off the support, above rounding.
    share : float
        The least part of the distance that the deciding modes, or the mass of the deciding actions, have in that window: 1 where the regime is reached in fact. Where
        actions decide the modes follow them in proportion, so it may stay smaller. 0 without a window.
    modes, actions : tuple of Measurement
        The slowest 200 of either, in the prediction's order.
    """

    joint: Measurement
    share: float
    modes: tuple[Measurement, ...]
    actions: tuple[Measurement, ...]

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """The modes and actions that could be measured."""
        return tuple(part for part in (*self.modes, *self.actions) if part.measured is not None)

    @property
    def deciding_is_off(self) -> bool:
        """Whether a mode or action that decides differs from its prediction where it is measured on its own."""
        slowest = min(part.predicted for part in (*self.modes, *self.actions))
        return any(_decides(part.predicted, slowest) and not part.agrees and part.is_straight for part in self.measured)

    @property
    def is_whole(self) -> bool:
        """Whether every mode and action that is listed was measured on a straight line, and agrees."""
        return all(part.agrees and part.is_straight for part in (*self.modes, *self.actions))

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "joint": self.joint.to_dict(),
            "share": self.share,
            "modes": [part.to_dict() for part in self.modes],
            "actions": [part.to_dict() for part in self.actions],
        }


def compare(trace: Trace, prediction: RatePrediction) -> Comparison:
    """Measure a run in the coordinates of a prediction.

    Parameters
    ----------
    trace : Trace
    prediction : RatePrediction
        Of the trace's game and algorithm, not declined, with a mode or an action at least.

    Raises
    ------
    InputError
        For a prediction of another game or of another algorithm.
    """
    run = observe(trace, prediction)
    shown_modes, shown_actions = prediction.modes[: run.modes.shape[1]], prediction.actions[: run.log_odds.shape[1]]
    with np.errstate(divide="ignore", invalid="ignore"):
        modes = tuple(_mode(run, index, mode) for index, mode in enumerate(shown_modes))
        actions = tuple(_action(run, index, action) for index, action in enumerate(shown_actions))
        joint = _joint(run, prediction)
        share = _share(run, prediction, joint)
    return Comparison(joint, share, modes, actions)


def asymptotic_from(prediction: RatePrediction) -> float:
    """The time, in units of the prediction, from which every other factor is down by 100, all taken to begin alike; infinite where two are too close to part.

    Where actions decide it is also the time from which they fall evenly behind a moving magnet.
    """
    parts = (*prediction.modes, *prediction.actions)
    slowest = min(part.exponent for part in parts)
    others = [part.exponent for part in parts if not _decides(part.exponent, slowest)]
    others += [-math.log(part.second) for part in parts if isinstance(part, Mode) and part.second > 0]
    nearest = min(others, default=math.inf)
    even = max((part.settles for part in parts if isinstance(part, OffSupportAction) and _decides(part.exponent, slowest)), default=0.0)
    return max(APART / (nearest - slowest), even) if nearest > slowest else math.inf


def _decides(exponent: float, slowest: float) -> bool:
    return exponent <= slowest + SAME * abs(slowest)


def _mode(run: ObservedRun, index: int, mode: Mode) -> Measurement:
    name, amplitude = f"mode of frequency {mode.frequency:.6g}", run.modes[:, index]
    if not math.isfinite(mode.exponent) or mode.exponent == 0:
        return Measurement(name, 0.0, reason="its factor is 0, or 1")
    bias = run.bend / amplitude
    usable = {NOT_APART: run.times * (-math.log(mode.second) - mode.exponent) >= APART} if mode.second > 0 else {}
    usable |= {NOT_LINEAR: bias <= BIAS * abs(mode.exponent), ROUNDED: amplitude > run.floors[index]}
    return measure(name, mode.exponent, run.iterations, run.times, np.log(amplitude), usable, bias)


def _action(run: ObservedRun, index: int, action: OffSupportAction) -> Measurement:
    if action.exponent == 0:
        return Measurement(action.label, 0.0, reason="it does not move")
    usable = {NOT_LINEAR: run.push <= BIAS * action.exponent}
    if action.settles > 0:
        usable[LAGGING] = _since(usable[NOT_LINEAR], run.times) >= action.settles
    return measure(action.label, action.exponent, run.iterations, run.times, run.log_odds[:, index], usable, run.push)


def _since(holds: np.ndarray, times: np.ndarray) -> np.ndarray:
    """For how long a condition has held without a break, row by row; 0 where it does not."""
    rows = np.arange(len(holds))
    broken = np.maximum.accumulate(np.where(holds, -1, rows))
    return times - times[np.minimum(broken + 1, rows)]


def _joint(run: ObservedRun, prediction: RatePrediction) -> Measurement:
    exponent = prediction.exponent
    if not exponent or not math.isfinite(exponent):
        return Measurement("distance", 0.0, reason="the predicted factor is 0, or 1")
    floor = float(np.linalg.norm(run.floors)) * math.sqrt(2.0)
    by_modes = prediction.decided_by == "modes"
    # Where actions decide the modes follow their mass in proportion, and move their log-odds.
    bias = run.bend / run.distance if by_modes else run.push
    usable = {
        NOT_APART: run.times >= asymptotic_from(prediction),
        HEAVY: run.mass < LIGHT,
        NOT_LINEAR: bias <= BIAS * abs(exponent),
        ROUNDED: run.distance > floor,
    }
    return measure("distance", exponent, run.iterations, run.times, np.log(run.distance), usable, bias)


def _share(run: ObservedRun, prediction: RatePrediction, joint: Measurement) -> float:
    if joint.window is None:
        return 0.0
    slowest = joint.predicted
    inside = (run.iterations >= joint.window[0]) & (run.iterations <= joint.window[1])
    if prediction.decided_by == "modes":
        deciding = [index for index, mode in enumerate(prediction.modes[: run.modes.shape[1]]) if _decides(mode.exponent, slowest)]
        pairs = np.array([2.0 if prediction.modes[index].frequency > 0 else 1.0 for index in deciding])
        part = np.sqrt(run.modes[:, deciding] ** 2 @ pairs) / run.distance
    else:
        deciding = [index for index, action in enumerate(prediction.actions[: run.log_odds.shape[1]]) if _decides(action.exponent, slowest)]
        part = np.sum(np.exp(run.log_masses[:, deciding]), axis=1) / run.distance
    return float(min(np.min(part[inside]), 1.0))
