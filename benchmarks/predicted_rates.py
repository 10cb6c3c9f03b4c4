"""Predicted rates against measured ones, on 1,000 random games.

The games are `random:n=…,seed=…`, seeds 0 to 999, n = 3 + seed mod 18: win probabilities drawn evenly. Each is played by Magnetic Preference Optimization with the PU inner solver (mpo),
optimistic multiplicative weights (omwu) and PU with a uniform magnet (pu), from the uniform start. Settings are chosen by the prediction alone, from a grid: those with which every other factor
is down by 100, and three e-folds more are seen, in the fewest steps, while the slowest part, taken to begin at 1, is still above 1e-9 when that begins; where none does, those with the smallest factor. A run goes on
until the slowest part should be at 1e-10, or to the budget of 30,000 steps. For omwu and mpo the target is the Nash equilibrium, for pu the regularised one.

The asymptotic regime, fixed before the run is looked at: every other factor is down by 100 if all begin alike (exponents within 1% of the smallest count as one), the mass off the support is below
1e-6, the distance √(‖z‖² + m²) to the target is above its rounding. The measured exponent is the slope of its logarithm over the later half of that stretch. In the stricter regime of the judge, what is not linear can
also move the slope by 3% at most, by a bound.

    python benchmarks/predicted_rates.py [GAMES] > benchmarks/results/predicted_rates.txt

It exits with 1 where fewer than 70% of the games have a run that reaches the regime, fewer than 95% of those runs are within 2%, or the judge refutes any (all are as theory has them).
About three minutes on one core.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

import mmd_games as mg
from mmd_games.verification.predicted import RatePrediction, check_rate, compare, predict_rate
from mmd_games.verification.predicted.checking import DOMINANT
from mmd_games.verification.predicted.comparison import BIAS, HEAVY, LIGHT, NOT_APART, ROUNDED, Comparison, asymptotic_from
from mmd_games.verification.predicted.measuring import CLOSE, Measurement, measure
from mmd_games.verification.predicted.observed import observe

GAMES = 1000
BUDGET = 30_000
LENGTHS = (1000, 4000, 12_000, BUDGET)
"""Runs have one of these lengths, so that many advance together."""
DEEPEST = math.log(1e9)
"""The slowest part may have fallen by this before it is seen alone."""
END = math.log(1e10)
"""A run goes on until it should have fallen by this."""
SEEN = 3.0
"""e-folds that are to be seen in the regime."""
ASKED_REACHED, ASKED_CLOSE = 0.70, 0.95
SHORT = "the regime is reached, but not for long enough"
METHODS = ("mpo", "omwu", "pu")


@dataclass
class Run:
    """One game under one method, before and after it is played."""

    seed: int
    method: str
    game: mg.Game
    prediction: RatePrediction
    algorithm: Any
    steps: int
    by_issue: Measurement | None = None
    by_judge: Comparison | None = None
    verdict: str = "not played"
    ends: tuple[float, float] = (math.nan, math.nan)
    linear_below: float = math.nan


def candidates(method: str, fastest: float, slowest: float, scale: float) -> list[Any]:
    """The grid of settings, in units of the game's own frequencies."""
    if method == "omwu":
        return [mg.OptimisticMultiplicativeWeights(step_size=part / fastest) for part in (0.25, 0.4, 0.5)]
    if method == "pu":
        strengths = [part * scale for part in (0.03, 0.1, 0.3, 1.0)]
        return [
            mg.PolicyUpdate(step_size=part / (strength + scale), magnet_strength=strength, reference="uniform") for strength in strengths for part in (0.3, 0.9)
        ]
    made = []
    for strength in (slowest / 3, slowest, 3 * slowest, 0.2 * scale):
        step_size = min(0.8 / fastest, 0.5 / strength)
        made += [
            mg.MagneticPreferenceOptimization(step_size=step_size, magnet_strength=strength, refresh_every=every, inner="pu")
            for every in (4, 16, 64, 256, 1024)
        ]
    return made


def steps_needed(prediction: RatePrediction) -> float:
    """Steps to the end of what is to be seen; infinite where it would be below rounding, or never come."""
    if prediction.kind != "linear" or not prediction.exponent or not math.isfinite(prediction.exponent):
        return math.inf
    begins = asymptotic_from(prediction)
    if prediction.actions:  # from the uniform start an action needs so long to fall to a mass of 1e-6
        begins = max(begins, math.log(1 / LIGHT) / prediction.actions[0].exponent)
    # Fewer than twelve refreshes are too few points.
    length = max(SEEN / prediction.exponent, 12.0)
    return (begins + length) * prediction.steps_per_unit if begins * prediction.exponent <= DEEPEST else math.inf


def planned(seed: int, method: str) -> Run:
    """The best settings of a game, by prediction."""
    game = mg.games.random(n=3 + seed % 18, seed=seed)
    nash = mg.nash(game)
    at = None if method == "pu" else nash
    frequencies = [mode.frequency for mode in predict_rate(game, mg.OptimisticMultiplicativeWeights(), at=nash).modes]
    scale = float(game.scale)
    grid = candidates(method, max(frequencies, default=scale), min(frequencies, default=scale), scale)
    predictions = [predict_rate(game, algorithm, at=at) for algorithm in grid]
    costs = [steps_needed(prediction) for prediction in predictions]
    best = int(np.argmin(costs))
    if math.isinf(costs[best]):
        best = int(np.argmin([prediction.rate or 1.0 for prediction in predictions]))
    chosen = predictions[best]
    wanted = max(costs[best], END / (chosen.exponent or math.inf) * chosen.steps_per_unit)
    steps = next((length for length in LENGTHS if length >= wanted), BUDGET)
    return Run(seed, method, game, chosen, grid[best], steps)


def by_the_issue(trace: mg.Trace, prediction: RatePrediction) -> Measurement:
    """The measured exponent in the regime that the prediction alone defines."""
    seen = observe(trace, prediction)
    usable = {
        NOT_APART: seen.times >= asymptotic_from(prediction),
        HEAVY: seen.mass < LIGHT,
        ROUNDED: seen.distance > float(np.linalg.norm(seen.floors)) * math.sqrt(2.0),
    }
    inside = seen.times[np.all(list(usable.values()), axis=0)]
    later = (inside[0] + inside[-1]) / 2 if len(inside) else math.inf
    usable[SHORT] = seen.times >= later
    with np.errstate(divide="ignore"):
        return measure("distance", prediction.exponent or 0.0, seen.iterations, seen.times, np.log(seen.distance), usable, np.zeros(len(seen.times)))


def extent(trace: mg.Trace, run: Run) -> tuple[tuple[float, float], float]:
    """The distance at both ends of the measured stretch, and that below which terms of second order move the slope by less than the judge allows."""
    seen, found = observe(trace, run.prediction), run.by_issue
    rows = [] if found is None or found.window is None else np.searchsorted(seen.iterations, found.window).tolist()
    ends = (float(seen.distance[rows[0]]), float(seen.distance[rows[1]])) if rows else (math.nan, math.nan)
    return ends, 2 * BIAS * abs(run.prediction.exponent or 0.0) / seen.gain


def play(runs: list[Run]) -> None:
    """All runs, those of one length together."""
    for length in LENGTHS:
        group = [run for run in runs if run.steps == length and run.prediction.exponent and math.isfinite(run.prediction.exponent)]
        if group:
            traces = mg.solve_many([run.game for run in group], [run.algorithm for run in group], steps=length, record=mg.Record(gaps=400, policies=400))
            for run, trace in zip(group, traces, strict=True):
                run.by_issue, run.by_judge = by_the_issue(trace, run.prediction), compare(trace, run.prediction)
                run.ends, run.linear_below = extent(trace, run)
                run.verdict = check_rate(trace, run.prediction, run.by_judge).verdict.value


def cause(run: Run) -> str:
    """Why a run is off."""
    assert run.by_issue is not None
    assert run.by_judge is not None
    ends = f"distance {run.ends[0]:.1e} to {run.ends[1]:.1e} in the stretch"
    if run.ends[1] > run.linear_below:
        return f"still too far away: {ends}, what is linear stands alone below {run.linear_below:.1e}"
    if run.by_judge.share < DOMINANT:
        return f"the slowest part has {100 * run.by_judge.share:.2g}% of the distance where the stretch begins: others began larger; {ends}"
    return f"the later half of the stretch begins too far away: {ends}, what is linear stands alone below {run.linear_below:.1e}"


def percent(part: int, whole: int) -> str:
    """As a share in text."""
    return f"{part:5d} of {whole:5d} ({100 * part / max(whole, 1):5.1f}%)"


def errors_of(found: list[Measurement]) -> list[float]:
    """Relative errors of exponents, as sizes."""
    return [abs(one.error) for one in found if one.error is not None]


def report(runs: list[Run], games: int) -> bool:
    """Print the tables; whether both asks are met."""
    print(f"{games} random games, n = 3..20, seeds 0..{games - 1}, at most {BUDGET:,} steps a run; settings chosen by the prediction\n")
    print(f"{'regime':18} {'method':7} {'runs that reach it':>25} {'of these within 2%':>25} {'median error':>13} {'95% below':>10}")
    met = True
    for regime in ("by the prediction", "and linear"):
        found = {(run.method, run.seed): run.by_issue if regime != "and linear" else (run.by_judge.joint if run.by_judge else None) for run in runs}
        for method in (*METHODS, "all"):
            errors = errors_of([one for (name, _), one in found.items() if one is not None and method in (name, "all")])
            total = sum(method in (name, "all") for name, _ in found)
            median, high = np.quantile(errors, [0.5, 0.95]) if errors else (math.nan, math.nan)
            close = sum(error <= CLOSE for error in errors)
            print(f"{regime:18} {method:7} {percent(len(errors), total):>25} {percent(close, len(errors)):>25} {median:13.1e} {high:10.1e}")
        reached = {seed for (_, seed), one in found.items() if one is not None and one.measured is not None}
        all_errors = errors_of([one for one in found.values() if one is not None])
        close = sum(error <= CLOSE for error in all_errors)
        print(f"{regime:18} games with such a run: {percent(len(reached), games)}\n")
        if regime != "and linear":
            met = len(reached) >= ASKED_REACHED * games and close >= ASKED_CLOSE * len(all_errors)
    for what in ("modes", "actions"):
        errors = errors_of([part for run in runs if run.by_judge for part in getattr(run.by_judge, what)])
        total = sum(len(getattr(run.prediction, what)) for run in runs)
        high = np.quantile(errors, [0.5, 0.999]) if errors else (math.nan, math.nan)
        close = sum(error <= CLOSE for error in errors)
        print(
            f"{what} measured on their own: {percent(len(errors), total)}, within 2% {percent(close, len(errors))}, median error {high[0]:.1e}, 99.9% below {high[1]:.1e}"
        )
    verdicts = Counter(run.verdict for run in runs)
    print("verdicts of the judge (check_rate): " + ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())))
    off = sorted(
        (run for run in runs if run.by_issue and abs(run.by_issue.error or 0) > CLOSE), key=lambda run: -abs((run.by_issue and run.by_issue.error) or 0)
    )
    print(f"\nexceptions, {len(off)} (error of the exponent, in the regime by the prediction):" + ("" if off else " none"))
    for run in off:
        assert run.by_issue is not None
        print(f"  {run.game.name} {run.method} {100 * (run.by_issue.error or 0):+.1f}%: {cause(run)}")
    reasons: dict[str, int] = {}
    for run in runs:
        why = run.by_issue.reason if run.by_issue else "the predicted factor is 0, or 1"
        if why:
            reasons[f"{run.method}: {why}"] = reasons.get(f"{run.method}: {why}", 0) + 1
    print("\nruns that do not reach the regime by the prediction, and why:")
    for why, count in sorted(reasons.items()):
        print(f"  {count:5d}  {why}")
    met = met and not verdicts["refuted"]
    asked = (
        f"{100 * ASKED_REACHED:.0f}% of the games reach the regime by the prediction, {100 * ASKED_CLOSE:.0f}% of those runs are within 2%, no run is refuted"
    )
    print(f"\nasked: {asked}: {'met' if met else 'MISSED'}")
    return met


def main() -> int:
    """Plan, play, compare; 1 where an ask is missed."""
    games, start = int(sys.argv[1]) if len(sys.argv) > 1 else GAMES, time.perf_counter()
    runs = [planned(seed, method) for method in METHODS for seed in range(games)]
    print(f"planned in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    for method in METHODS:
        play([run for run in runs if run.method == method])
        print(f"{method} played by {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0 if report(runs, games) else 1


if __name__ == "__main__":
    raise SystemExit(main())
