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
from mmd_games.errors import InputError
from mmd_games.verification.measured.fitting import AFTER_PLATEAU, EXACT, NATS, fit_all
from mmd_games.verification.measured.floors import Used, above_floor
from mmd_games.verification.measured.intervals import independent, slope_interval
from mmd_games.verification.measured.regression import Fit
from mmd_games.verification.measured.rotations import rotations
from mmd_games.verification.measured.straightness import straightness
from mmd_games.verification.measured.stretches import averages, without_dips

FEWEST_BINS = 8
"""Separate gaps above the floor, at least, that have a shape."""
SHORTEST = 3
MARGIN = 20.0
"""By how much the best line must beat every other shape, in units of the information criterion: odds of 22,000 to 1 if both were equally likely before."""
STRAIGHT = 8.0
"""By how much, over the straight part alone, a line must beat what falls ever more slowly."""
CLEAR = 2.0
"""By how much a shape that is no line must beat every line."""
FLAT = 0.1
"""A gap that falls by less than this factor (in nats) over the second half of the run is not falling."""
LAST = 0.2
"""The last part of a run: on a plateau it falls by half as much at most."""
RISE = math.log(2)
"""A gap that has risen by this factor (in nats) from its lowest is diverging, where it does not cycle more than that."""
BENT = 0.02
"""Where a faster mode, or a corner, still adds more than this part to the slope, the line is not alone."""
MOST = 2 / 3
"""But this part of the line, and a decade at least, is always used."""


class Kind(StrEnum):
    """How a gap behaves."""

    LINEAR = "linear"
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
        For lists of different lengths, fewer than three gaps, iterations that do not increase, gaps that are not finite, and negative ones.
    """
    t, g = _checked(iterations, gaps, floor)
    used = above_floor(t, g, floor)
    if len(used.times) < FEWEST_BINS:
        evidence = f"only {len(used.times)} gaps lie above the floor; {FEWEST_BINS} are needed."
        return Convergence(Kind.INCONCLUSIVE, None, None, None, used.floor, evidence)
    window = (int(used.times[0]), int(used.times[-1]))
    logs = without_dips(used.times, used.logs)
    centres, y, _ = averages(used.times, logs)
    x = centres / used.times[-1]
    # Turns are what a good shape leaves; in what a poor one leaves they would take the place of a better.
    plain = min(fit_all(x, y), key=lambda fit: fit.squares)
    turns = rotations(x, plain.residuals, np.column_stack([np.ones(len(x)), plain.trend]))
    fits = fit_all(x, y, turns)
    number = independent(min(fits, key=lambda fit: fit.squares).residuals, turns.shape[1])
    scores = {id(fit): number * math.log(fit.squares + len(x) * EXACT) + fit.parameters * math.log(number) for fit in fits}

    def best(chosen: list[Fit]) -> Fit:
        return min(chosen, key=lambda fit: scores[id(fit)])

    lines, others = [fit for fit in fits if _is_line(fit)], [fit for fit in fits if not _is_line(fit)]
    rival = best(others)
    ahead = scores[id(rival)] - scores[id(best(lines))] if lines else -math.inf
    if ahead >= MARGIN:
        return _linear(best(lines), rival, ahead, used, logs, x)
    kind, evidence = _not_a_line(rival, -ahead, used.reached, x, y, number)
    return Convergence(kind, None, None, window, used.floor, evidence)


def _checked(iterations: Sequence[int] | Array, gaps: Sequence[float] | Array, floor: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Both lists as arrays, if they are a record."""
    t, g = np.asarray(iterations, dtype=np.float64), np.asarray(gaps, dtype=np.float64)
    if t.ndim != 1 or t.shape != g.shape:
        raise InputError(f"iterations and gaps must be two lists of one length; they have the shapes {t.shape} and {g.shape}.")
    if len(t) < SHORTEST:
        raise InputError(f"Too short a trace: it has {len(t)} recorded gaps; {SHORTEST} at least would have a shape.")
    if floor is not None and not 0 <= floor < math.inf:
        raise InputError(f"floor must be a finite number that is not negative, got {floor!r}.")
    for wrong, words in (
        (~np.isfinite(t), "iterations must be finite; entry {entry} is {iteration}"),
        (np.append(False, t[1:] <= t[:-1]), "iterations must be increasing; entry {entry}, iteration {iteration:.0f}, does not follow the one before"),
        (~np.isfinite(g), "gaps must be finite; the one at iteration {iteration:.0f} is {gap}"),
        (g < -(floor or 0.0), "gaps must not be negative; the one at iteration {iteration:.0f} is {gap:.3g}"),
    ):
        if np.any(wrong):
            entry = int(np.argmax(wrong))
            raise InputError(words.format(entry=entry + 1, iteration=t[entry], gap=g[entry]) + ".")
    if t[0] < 0:
        raise InputError(f"iterations must not be negative; the first is {t[0]:.0f}.")
    return t, np.maximum(g, 0.0)


def _is_line(fit: Fit) -> bool:
    """Whether this shape ends in a line that falls by a decade."""
    return fit.family == "line" and fit.fall > NATS


def _linear(line: Fit, rival: Fit, ahead: float, used: Used, logs: np.ndarray, x: np.ndarray) -> Convergence:
    """The rate of a line and its interval, from where the line is alone."""
    local = -np.gradient(line.trend, x)
    bent = np.flatnonzero(np.abs(local / line.slope - 1) > BENT)
    first = x[min(bent[-1] + 1, len(x) - 1)] if len(bent) else 0.0
    latest = 1 - max(NATS, MOST * line.fall) / line.slope
    begin = int(np.searchsorted(used.times, min(first, latest) * used.times[-1]))
    t, y = used.times[begin:], logs[begin:]
    window = (int(t[0]), int(t[-1]))
    if len(t) < FEWEST_BINS:
        evidence = f"it ends in {line.name}, but only {len(t)} gaps were recorded on it; {FEWEST_BINS} are needed."
        return Convergence(Kind.INCONCLUSIVE, None, None, window, used.floor, evidence)
    # What falls ever faster into its line cannot be falling ever more slowly.
    straight = math.inf if line.name == AFTER_PLATEAU else straightness(t, y)
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


def _not_a_line(best: Fit, ahead: float, reached: bool, x: np.ndarray, y: np.ndarray, number: float) -> tuple[Kind, str]:
    """What a record is that holds no line, by the shape that explains it best."""
    spread = math.sqrt(best.squares / len(x))
    # The shape may bend where the record does not, and the other way round: both must rise, and one that stands still is enough.
    rise = min(best.trend[-1] - np.min(best.trend), _tenth(x, y, 9) - min(_tenth(x, y, tenth) for tenth in range(10)))
    steady = best.trend + best.residuals  # without rotations
    fall = min(float(np.interp(0.5, x, best.trend) - best.trend[-1]), _tenth(x, steady, 5) - _tenth(x, steady, 9), key=abs)
    flat = max(FLAT, 2 * spread * math.sqrt(3 / number))  # two standard deviations of the fall of a line's second half
    if not reached and rise > max(RISE, spread):
        return Kind.DIVERGING, f"it has risen by a factor of {math.exp(rise):.3g} from its lowest."
    if not reached and abs(fall) < flat:
        return Kind.STALLED, f"over the second half of the run it fell by a factor of {math.exp(max(fall, 0.0)):.3g} only."
    if ahead < CLEAR:
        return Kind.INCONCLUSIVE, f"a line and {best.name} explain it about as well."
    if best.family in ("power law", "stretched exponential"):
        return Kind.SUBLINEAR, f"it falls ever more slowly; {best.name} explains it better than a line."
    ending = float(np.interp(1 - LAST, x, best.trend) - best.trend[-1])
    if best.family == "plateau" and not reached and ending < FLAT / 2:
        return Kind.STALLED, f"{best.name} explains it better than anything that goes on falling."
    return Kind.INCONCLUSIVE, f"no shape explains it that would tell how it goes on; the nearest is {best.name}."


def _tenth(x: np.ndarray, y: np.ndarray, which: int) -> float:
    """The mean over a tenth of the record; infinite where nothing was recorded in it."""
    part = y[(x >= which / 10) & (x <= (which + 1) / 10)]
    return float(np.mean(part)) if len(part) else math.inf
