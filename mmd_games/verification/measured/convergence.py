"""How a recorded gap falls: linearly, more slowly, not at all; or the record does not say.

A straight line on a logarithmic plot and a high R² prove nothing: a power law has both. So shapes compete: a line, alone, after a plateau or after a faster mode; power laws;
stretched exponentials; plateaus that are reached in six ways; growth. Each is fitted to averages of the logarithm, beside the slow turns of rotating modes; they are compared by the
Bayesian information criterion, with the number of independent residuals in place of the number of points, for neighbouring residuals resemble each other. A record is linear only if
the best line beats every other shape by far.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from mmd_games.arrays import Array
from mmd_games.verification.measured.fitting import AFTER_PLATEAU, EXACT, NATS, fit_all
from mmd_games.verification.measured.floors import Used, above_floor
from mmd_games.verification.measured.intervals import independent, slope_interval
from mmd_games.verification.measured.movement import Moved, moved
from mmd_games.verification.measured.records import checked
from mmd_games.verification.measured.regression import Fit
from mmd_games.verification.measured.rotations import rotations
from mmd_games.verification.measured.straightness import straightness
from mmd_games.verification.measured.stretches import averages, without_dips

FEWEST_BINS = 8
"""Separate gaps above the floor, at least, that have a shape."""
MARGIN = 20.0
"""By how much the best line must beat every other shape, in units of the information criterion: odds of 22,000 to 1 if both were equally likely before."""
STRAIGHT = 8.0
"""By how much, over the straight part alone, a line must beat what falls ever more slowly."""
CLEAR = 2.0
"""By how much a shape that is no line must beat every line."""
FLAT = 0.1
"""A gap that falls by less than this factor (in nats) over the second half of the run is not falling."""
FLATTEST = math.log(2)
"""Nor is one that falls by less than its scatter leaves uncertain; but what falls by this factor (in nats) is never called flat, and neither is what a slow fall explains
better than every plateau, where its highest gaps have fallen by a decade: its waves may hide its fall for half a run."""
LAST = 0.2
"""The last part of a run: on a plateau it falls by half as much at most."""
RISE = math.log(2)
"""A gap that has risen by this factor (in nats) from its lowest is diverging, where it does not cycle more than that, and if its highest gaps have risen half as much."""
BENT = 0.02
"""Where a faster mode, or a corner, still adds more than this part to the slope, the line is not alone."""
LARGEST = 1023 * math.log(2)
"""A factor of that many nats is still a float."""
SLOW = ("power law", "stretched exponential")
"""Families that fall ever more slowly."""
MOST = 2 / 3
"""But this part of the line, and a decade at least, is always used."""


class Kind(StrEnum):
    """How a gap behaves; superlinear is what magnets show (:mod:`mmd_games.verification.refreshes`), never gaps alone."""

    LINEAR = "linear"
    SUPERLINEAR = "superlinear"
    SUBLINEAR = "sublinear"
    STALLED = "stalled"
    DIVERGING = "diverging"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Convergence:
    """What the recorded gaps say.

    Attributes
    ----------
    kind : Kind
    rate : float or None
        Factor by which the gap falls an iteration, where it falls linearly.
    interval : (float, float) or None
        95% interval of the rate, its errors taken to be autocorrelated.
    window : (int, int) or None
        First and last iteration of the points that decided.
    floor : float
        Gaps at or below it were not used: the one that was given, or one that was found.
    evidence : str
        The numbers behind the kind, as a sentence.
    """

    kind: Kind
    rate: float | None
    interval: tuple[float, float] | None
    window: tuple[int, int] | None
    floor: float
    evidence: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**vars(self), "kind": self.kind.value}


def classify_convergence(iterations: Sequence[int] | Array, gaps: Sequence[float] | Array, floor: float | None = None) -> Convergence:
    """Tell how recorded gaps fall.

    Parameters
    ----------
    iterations : array (recorded,)
        Increasing, recorded evenly or not.
    gaps : array (recorded,)
        Non-negative; negative ones within the floor count as zero.
    floor : float, optional
        Gaps at or below it are rounding noise. By default exact zeros are, and a final level below 2·10⁻¹² times the largest gap.

    Raises
    ------
    InputError
        For lists of different lengths or of other things than numbers, fewer than three gaps, iterations that do not increase or reach 2⁵³, gaps that are not
        finite, negative ones, and a floor that is no finite number from 0 on.
    """
    t, g, lowest = checked(iterations, gaps, floor)
    used = above_floor(t, g, lowest)
    if len(used.times) < FEWEST_BINS:
        evidence = f"only {len(used.times)} gaps lie above the floor; {FEWEST_BINS} are needed."
        return Convergence(Kind.INCONCLUSIVE, None, None, None, used.floor, evidence)
    window = (int(used.times[0]), int(used.times[-1]))
    # From the first of them on: a record may begin late, and large iterations leave floats no digits for the steps between them.
    times = used.times - used.times[0]
    logs = without_dips(times, used.logs)
    centres, y, _ = averages(times, logs)
    x, begun = centres / times[-1], used.times[0] / times[-1]
    # Turns are what a good shape leaves; in what a poor one leaves they would take the place of a better.
    fits = fit_all(x, y, begun)
    plain = min(fits, key=lambda fit: fit.squares)
    turns = rotations(x, plain.residuals, np.column_stack([np.ones(len(x)), plain.trend]))
    if turns.shape[1]:  # without any the same shapes would be fitted to the same record again
        fits = fit_all(x, y, begun, turns)
    number = independent(min(fits, key=lambda fit: fit.squares).residuals, turns.shape[1])
    scores = {id(fit): number * math.log(fit.squares + len(x) * EXACT) + fit.parameters * math.log(number) for fit in fits}

    def score(fit: Fit) -> float:
        return scores[id(fit)]

    lines, others = [fit for fit in fits if _is_line(fit)], [fit for fit in fits if not _is_line(fit)]
    rival, plateau = min(others, key=score), min((fit for fit in others if fit.family == "plateau"), key=score)
    ahead = score(rival) - score(min(lines, key=score)) if lines else -math.inf
    if ahead >= MARGIN:
        return _linear(min(lines, key=score), rival, ahead, used, times, logs, x)
    movement = moved(rival, x, y, times / times[-1], used.logs)
    slow = rival.family in SLOW and score(plateau) - score(rival) >= CLEAR and movement.highest_fall > NATS and _last_fall(rival, x, 0.5) >= FLAT
    uncertain = 2 * math.sqrt(3 * rival.squares / len(x) / number)  # two standard deviations of the fall of a line's second half
    flat = 0.0 if slow else min(max(FLAT, uncertain), FLATTEST)
    kind, evidence = _not_a_line(rival, -ahead, used.reached, _last_fall(rival, x, LAST), movement, flat)
    return Convergence(kind, None, None, window, used.floor, evidence)


def _last_fall(fit: Fit, x: np.ndarray, part: float) -> float:
    """By how much a shape falls over the last part of the run."""
    return float(np.interp(1 - part, x, fit.trend) - fit.trend[-1])


def _is_line(fit: Fit) -> bool:
    """Whether this shape ends in a line that falls by a decade."""
    return fit.family == "line" and fit.fall > NATS


def _linear(line: Fit, rival: Fit, ahead: float, used: Used, times: np.ndarray, logs: np.ndarray, x: np.ndarray) -> Convergence:
    """The rate of a line and its interval, from where the line is alone."""
    local = -np.gradient(line.trend, x)
    bent = np.flatnonzero(np.abs(local / line.slope - 1) > BENT)
    first = x[min(bent[-1] + 1, len(x) - 1)] if len(bent) else 0.0
    latest = 1 - max(NATS, MOST * line.fall) / line.slope
    begin = int(np.searchsorted(times, min(first, latest) * times[-1]))
    t, y = times[begin:], logs[begin:]
    window = (int(used.times[begin]), int(used.times[-1]))
    if len(t) < FEWEST_BINS:
        evidence = f"it ends in {line.name}, but only {len(t)} gaps were recorded on it; {FEWEST_BINS} are needed."
        return Convergence(Kind.INCONCLUSIVE, None, None, window, used.floor, evidence)
    # What falls ever faster into its line cannot be falling ever more slowly.
    straight = math.inf if line.name == AFTER_PLATEAU else straightness(t, y, float(used.times[0]))
    if straight < STRAIGHT:
        evidence = f"it ends in {line.name}, but over that line alone a shape that falls ever more slowly explains it about as well."
        return Convergence(Kind.INCONCLUSIVE, None, None, window, used.floor, evidence)
    slope, low, high = slope_interval(t, y)
    evidence = (
        f"it falls by {(y[0] - y[-1]) / NATS:.1f} decades on {line.name}, which explains the record better than every other shape; the next best, {rival.name}, "
        f"is {ahead:.0f} units of the information criterion behind ({MARGIN:.0f} are needed)."
    )
    if high >= 0:
        evidence = f"it ends in {line.name}, but on that line its rate is uncertain: {math.exp(slope):.6g} an iteration, with an interval that goes beyond 1."
        return Convergence(Kind.INCONCLUSIVE, None, None, window, used.floor, evidence)
    return Convergence(Kind.LINEAR, math.exp(slope), (math.exp(low), math.exp(high)), window, used.floor, evidence)


def _not_a_line(best: Fit, ahead: float, reached: bool, ending: float, movement: Moved, flat: float) -> tuple[Kind, str]:
    """What a record is that holds no line, by the shape that explains it best."""
    if not reached and movement.rise > max(RISE, math.sqrt(np.mean(best.residuals**2))):
        return Kind.DIVERGING, f"it has risen by a factor of {_factor(movement.rise)} from its lowest."
    if not reached and abs(movement.fall) < flat:
        return Kind.STALLED, f"over the second half of the run {_in_words(movement.fall)}."
    if ahead < CLEAR:
        return Kind.INCONCLUSIVE, f"a line and {best.name} explain it about as well."
    if best.family in SLOW and movement.highest_fall < FLAT:
        return Kind.STALLED, "its highest gaps are as high at the end of the run as ever."
    if best.family in SLOW:
        return Kind.SUBLINEAR, f"it falls ever more slowly; {best.name} explains it better than a line."
    if best.family == "plateau" and not reached and ending < FLAT / 2:
        return Kind.STALLED, f"{best.name} explains it better than anything that goes on falling."
    return Kind.INCONCLUSIVE, f"no shape explains it that would tell how it goes on; the nearest is {best.name}."


def _factor(rise: float) -> str:
    """A rise as a factor, which may be larger than any float."""
    return f"{math.exp(rise):.3g}" if rise < LARGEST else f"1e{rise / NATS:+.0f}"


def _in_words(fall: float) -> str:
    """How little it fell."""
    factor = f"{math.exp(abs(fall)):.2f}"
    if factor == "1.00":
        return "it did not fall (factor 1.00)"
    return f"it fell by a factor of {factor} only" if fall > 0 else f"it did not fall: it rose by a factor of {factor}"
