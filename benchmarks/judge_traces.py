"""Traces of gaps whose truth is known, to judge the judge by: `sample(seed, index)`.

Nine families, in equal shares. Every trace is drawn from its own generator, seeded with (seed, index), so that any of them can be looked at alone. All of
this was fixed before the classifier was written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmd_games.loop.recording import Rows
from mmd_games.verification import Kind

NATS = math.log(10)
"""Nats in a decade."""
TWO_DECADES, ENOUGH_POINTS = 2.0, 200
"""A linear trace with this much on its line, above the floor, is eligible: the judge must recognise it."""


@dataclass(frozen=True)
class Sample:
    """A generated trace and its truth.

    Attributes
    ----------
    family : str
    kind : Kind
        The truth.
    iterations, gaps : array (recorded,)
    floor : float or None
        What the judge is told of the rounding of the gaps.
    rate : float or None
        True factor per iteration, where the truth is linear.
    eligible : bool
        Linear, with two decades and 200 recorded gaps above the floor on the line itself.
    """

    family: str
    kind: Kind
    iterations: np.ndarray
    gaps: np.ndarray
    floor: float | None
    rate: float | None = None
    eligible: bool = False


@dataclass(frozen=True)
class Shape:
    """The logarithm of a clean gap at the recorded iterations; where its truth is a line, the line and the iteration from which it is alone.

    A deep one has no rounding and falls until floats underflow.
    """

    kind: Kind
    logs: np.ndarray
    slope: float = 0.0
    line: np.ndarray | None = None
    begins: float = 0.0
    deep: bool = False


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def draw_iterations(rng: np.random.Generator) -> np.ndarray:
    """Recorded iterations: evenly, log-spaced, at refreshes, or on the grids of this library's own record."""
    grid = rng.choice(["even", "log", "refreshes", "library"])
    if grid == "even":
        return np.arange(round(log_uniform(rng, 50, 100_000))) * int(rng.choice([1, 1, 2, 10]))
    if grid == "refreshes":
        every = round(log_uniform(rng, 5, 500))
        return every * np.arange(int(rng.integers(0, 2)), round(log_uniform(rng, 50, max(60, 100_000 / every))))
    if grid == "log":
        steps = log_uniform(rng, 1000, 100_000)
        return np.unique(np.geomspace(1, steps, round(log_uniform(rng, 80, 2000))).round().astype(int))
    steps, rows = round(log_uniform(rng, 100, 100_000)), int(rng.choice([200, 1000]))
    record = Rows(rows, steps)
    for step in range(steps + 1):
        if record.wants(step):
            record.add(step, None)
    return np.array(sorted(record.rows))


def rotation(rng: np.random.Generator, t: np.ndarray, span: float, chance: float = 0.65) -> np.ndarray:
    """The logarithm of a rotating mode's modulation, of four turns in `span` iterations to one in two iterations; sometimes none."""
    if rng.random() > chance:
        return np.zeros(len(t))
    turns = log_uniform(rng, 4, max(8.0, span / 2))
    angle = 2 * math.pi * (turns * t / span + rng.random())
    style = rng.choice(["tilted", "faces", "beats"])
    if style == "tilted":
        return np.log1p(rng.uniform(0.1, 0.95) * np.cos(angle))
    if style == "faces":  # a duality gap is the largest of several linear functions of the mode
        number = int(rng.integers(2, 7))
        phases = 2 * math.pi * np.arange(number) / number + rng.uniform(-0.3, 0.3, size=number)
        return np.log(np.maximum(1e-3, np.max([np.cos(angle + phase) for phase in phases], axis=0)))
    other = rng.uniform(0.2, 5.0)
    return np.log1p(0.45 * np.cos(angle) + rng.uniform(0.1, 0.5) * np.cos(other * angle + 1.0))


def geometric(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """A line of 1 to 13 decades that rotates."""
    slope = rng.uniform(1, 13) * NATS / t[-1]
    return Shape(Kind.LINEAR, -slope * t + rotation(rng, t, t[-1]), slope, -slope * t)


def plateau_then_linear(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """A plateau over 10 to 70% of the run, then a line of 1 to 12 decades; the corner is sharp or round."""
    begins, last = rng.uniform(0.1, 0.7) * t[-1], t[-1]
    slope = rng.uniform(1, 12) * NATS / (last - begins)
    line = -slope * (t - begins)
    corner = np.minimum(0, line) if rng.random() < 0.5 else -np.logaddexp(0, -line)
    drift = -rng.choice([0.0, 0.3]) * np.minimum(t / begins, 1)
    return Shape(Kind.LINEAR, corner + drift + rotation(rng, t, last - begins), slope, line, begins)


def fast_and_slow(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """A fast mode that hides a slow one at first, up to 10⁴ times smaller and 3 to 50 times slower; both may rotate."""
    slope, ratio, hidden = rng.uniform(2, 12) * NATS / t[-1], log_uniform(rng, 3, 50), rng.uniform(0, 4) * NATS
    slow, fast = -hidden - slope * t, -ratio * slope * t
    alone = (hidden + NATS) / ((ratio - 1) * slope)  # from here on the fast mode is below a tenth of the slow one
    return Shape(Kind.LINEAR, np.logaddexp(slow + rotation(rng, t, t[-1]), fast + rotation(rng, t, t[-1])), slope, slow, alone)


def float_floor(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """A line that meets the rounding of its gaps after 10 to 95% of the run, or goes on to underflow."""
    deep = rng.random() < 0.2
    fall = rng.uniform(20, 330) if deep else 16
    slope = fall * NATS / (t[-1] * rng.uniform(0.1, 0.95))
    return Shape(Kind.LINEAR, -slope * t + rotation(rng, t, fall * NATS / slope), slope, -slope * t, deep=deep)


def power_law(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """(t + t₀)^-p with p from 1/2 to 3."""
    offset = log_uniform(rng, 1, max(2.0, t[-1] / 20))
    return Shape(Kind.SUBLINEAR, -rng.uniform(0.5, 3) * np.log(t / offset + 1) + rotation(rng, t, t[-1], 0.3))


def stretched_exponential(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """exp(−c·t^b) with b up to 1/2, falling by 1 to 12 decades."""
    return Shape(Kind.SUBLINEAR, -rng.uniform(1, 12) * NATS * (t / t[-1]) ** rng.uniform(0.15, 0.5) + rotation(rng, t, t[-1], 0.3))


def plateau_for_ever(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """A plateau between half the start and 10⁻⁹ of it, which is reached (within 5%) after 5 to 80% of the run."""
    level, reached = rng.uniform(-9, -0.3) * NATS, rng.uniform(0.05, 0.8)
    x, drop = t / t[-1] / reached, -level + math.log(20)
    way = rng.choice(["line", "power", "stretched"])
    transient = -drop * {"line": x, "power": np.log1p(x * 50) / math.log(51), "stretched": x ** rng.uniform(0.3, 0.7)}[str(way)]
    return Shape(Kind.STALLED, np.logaddexp(level, transient) + rotation(rng, t, t[-1], 0.4))


def cycling(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """Four turns or more of a cycle, round or spiky, of a period that may grow or shrink; sometimes after a transient of up to three decades."""
    x = t / t[-1]
    turns, drift = log_uniform(rng, 4, max(8.0, t[-1] / 3)), rng.choice([1.0, rng.uniform(0.6, 1.5)])
    angle = 2 * math.pi * (turns * x**drift + rng.random())
    waves = {"round": np.log1p(rng.uniform(0.3, 0.98) * np.cos(angle)), "spiky": rng.uniform(0.3, 3.0) * np.cos(angle)}
    waves["touching"] = np.log(np.maximum(1e-4, np.abs(np.cos(angle / 2))))
    transient = rng.choice([0.0, rng.uniform(0, 3) * NATS]) - x / rng.uniform(0.02, 0.1)
    return Shape(Kind.STALLED, np.logaddexp(waves[str(rng.choice(list(waves)))], transient - 3))


def divergence(rng: np.random.Generator, t: np.ndarray) -> Shape:
    """Growth by a factor of 5 to 10⁶, exponential or a power, which may saturate in the second half; sometimes after a fall."""
    x, growth = t / t[-1], rng.uniform(math.log(5), 6 * NATS)
    saturates = rng.choice([1.0, rng.uniform(0.5, 1.0)])
    grown = growth * np.minimum(1, x / saturates)
    if rng.random() < 0.3:
        grown = growth * np.minimum(1, np.log1p(30 * x / saturates) / math.log(31))
    fallen = rng.choice([-1e3, rng.uniform(0, growth)]) - x / rng.uniform(0.01, 0.05)
    return Shape(Kind.DIVERGING, np.logaddexp(grown, fallen) - growth + rotation(rng, t, t[-1], 0.5))


FAMILIES: tuple[Callable[[np.random.Generator, np.ndarray], Shape], ...] = (
    geometric,
    plateau_then_linear,
    fast_and_slow,
    float_floor,
    power_law,
    stretched_exponential,
    plateau_for_ever,
    cycling,
    divergence,
)


def add_noise(rng: np.random.Generator, logs: np.ndarray) -> np.ndarray:
    """Log-noise of a standard deviation up to 0.2, sometimes none, sometimes with a memory of a few recorded gaps."""
    deviation = rng.choice([0.0, rng.uniform(0, 0.2), rng.uniform(0, 0.2), 0.2])
    noise = rng.normal(size=len(logs))
    if rng.random() < 0.2:
        from scipy.signal import lfilter

        memory = rng.uniform(0, 0.8)
        noise = lfilter([math.sqrt(1 - memory**2)], [1, -memory], noise)
    return logs + deviation * noise


def round_off(rng: np.random.Generator, logs: np.ndarray, rounding: float) -> np.ndarray:
    """The gaps themselves, with the rounding that a computed gap has near its floor."""
    gaps = np.exp(logs)
    style = rng.choice(["noise", "zeros", "multiples", "stuck"])
    if rounding == 0:
        return gaps
    if style == "noise":
        return gaps + rounding * np.abs(rng.normal(size=len(gaps)))
    if style == "zeros":
        return np.where(gaps < rounding, 0.0, gaps)
    return np.round(gaps / rounding) * rounding if style == "multiples" else np.maximum(gaps, rounding)


def sample(seed: int, index: int) -> Sample:
    """The trace of this index; its family is the index modulo nine."""
    rng = np.random.default_rng([seed, index])
    family = FAMILIES[index % len(FAMILIES)]
    iterations = draw_iterations(rng)
    t = iterations.astype(float)
    shape = family(rng, t)
    scale = rng.uniform(-3, 3) * NATS
    rounding = 0.0 if shape.deep else math.exp(scale + rng.uniform(-17.5, -14.5) * NATS)
    floor = None if shape.deep or rng.random() < 0.3 else rounding * 10 ** rng.uniform(0.5, 2.5)
    gaps = round_off(rng, add_noise(rng, shape.logs) + scale, rounding)
    if shape.line is None:
        return Sample(family.__name__, shape.kind, iterations, gaps, floor)
    lowest = math.log(max(floor or 0.0, 10 * rounding, 1e-300)) - scale
    alone = shape.line[(t >= shape.begins) & (shape.line > lowest)]
    eligible = len(alone) >= ENOUGH_POINTS and alone[0] - alone[-1] >= TWO_DECADES * NATS
    return Sample(family.__name__, shape.kind, iterations, gaps, floor, math.exp(-shape.slope), bool(eligible))
