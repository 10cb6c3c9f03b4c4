"""Does the run follow the rule that it is said to follow: its stages against its settings, and stretches of it replayed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mmd_games.algorithms import LogLinear
from mmd_games.arrays import log_normalise
from mmd_games.loop.feedback import Exact
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.known import KnownSteps
from mmd_games.verification.bounds.replay import Stretch, replay
from mmd_games.verification.bounds.rounding import UNIT, normalisation_rounding
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = (
    "The run follows the rule with the settings that it states: replayed from known policies, it comes to the known ones (largest difference of log-policies)"
)
MOST_STEPS, FEWEST_STEPS, SHARE = 2000, 64, 4
"""A replay takes at most so many steps, and at most one in `SHARE` of the run's, but the second number where it has them."""


def check_rule(trace: Trace) -> Claim:
    """Replay stretches between known policies by the stated algorithm, and compare what comes out with what was recorded.

    The definition of the rule is the algorithm's own step; payoffs are the game's. Known are the recorded policies and, where the magnet is refreshed, the magnets. A wrong step
    size, strength or stage length shows as soon as it moves a policy by more than rounding, which :class:`~mmd_games.verification.bounds.drift.Drift` bounds; so do a
    changed policy or magnet, and another game.

    Parameters
    ----------
    trace : Trace
    """
    rule = log_linear_of(trace.algorithm)
    if rule is None or len(trace.stages) == 0:
        return _claim(None, Verdict.NOT_APPLICABLE, "the run's settings are not known.")
    if trace.feedback != str(Exact()):
        return _claim(None, Verdict.NOT_APPLICABLE, "the payoffs were sampled.")
    wrong = _stages_differ(trace, rule)
    if wrong:
        return _claim(None, Verdict.REFUTED, wrong)
    known = KnownSteps(trace, rule)
    begins = _begins(rule, known.steps)
    chosen = begins[_chosen(known.steps[begins + 1] - known.steps[begins], trace.steps)]
    stretches = [_stretch(rule, known, begin) for begin in chosen.tolist()]
    compared, steps, largest = 0, 0, 0.0
    worst, place = -math.inf, ""
    for stretch, ending in zip(stretches, replay(trace, rule, stretches), strict=True):
        if ending is None:
            continue
        difference, share = ending
        compared, steps, largest = compared + 1, steps + stretch.steps, max(largest, difference)
        if math.isnan(share) or share > worst:
            between = f"from iteration {stretch.first.step:,} to {stretch.second.step:,}"
            worst, place = share, f"{between} the replay ends {difference:.1e} away, {share:.2g} times what rounding explains"
    if not compared:
        return _claim(None, Verdict.INCONCLUSIVE, "no stretch between known policies is short enough for its rounding to be bounded.")
    if not worst <= 1:
        return _claim(largest, Verdict.REFUTED, f"{place}.")
    agreement = place if largest > 0 else "they agree to the last bit"
    return _claim(largest, Verdict.CONFIRMED, f"{compared:,} of {len(known) - 1:,} stretches replayed, {steps:,} of {trace.steps:,} steps; {agreement}.")


def _stages_differ(trace: Trace, rule: LogLinear) -> str:
    """How the recorded stages contradict the stated settings; empty where they do not."""
    stages = trace.stages
    times: Any = stages.iterations
    for name, recorded, stated in zip(("step size", "magnet strength"), (stages.step_sizes, stages.magnet_strengths), rule.settings(times), strict=True):
        expected = np.broadcast_to(stated, recorded.shape)
        odd = np.flatnonzero(~(np.abs(recorded - expected) <= 8 * UNIT * np.abs(expected)))
        if len(odd):
            return f"at iteration {stages.iterations[odd[0]]:,} the recorded {name} is {recorded[odd[0]]:.9g}, the stated one {expected[odd[0]]:.9g}."
    if rule.steady:
        expected = np.arange(0, trace.steps + 1, rule.refresh_every) if rule.magnet == "refreshed" else np.zeros(1)
        odd = np.flatnonzero(np.not_equal(*(each[: min(len(expected), len(stages))] for each in (stages.iterations, expected))))
        if len(odd):
            began, due = stages.iterations[odd[0]], expected[odd[0]]
            return f"the magnet did not move when the settings say: stage {odd[0] + 1:,} begins at iteration {began:,}, not at {due:,.0f}."
        if len(expected) != len(stages):
            return f"the magnet did not move when the settings say: there are {len(stages):,} stages, not {len(expected):,}."
    if trace.policy_iterations[0] == 0:
        start = rule.init(trace.log_policies[0])
        first = log_normalise(np.zeros(trace.game.actions) + start.log_magnet, trace.game.blocks)
        if not _apart(first, stages.log_magnets[0]) <= 2 * normalisation_rounding(trace.game.actions) * (1 + _size(first)):
            return "the first magnet is not the one that the settings say."
    return ""


def _begins(rule: LogLinear, steps: np.ndarray) -> np.ndarray:
    """Which known iterations, all but the last, begin a stretch: where the payoff is extrapolated, those whose step before is known too, or that have none."""
    if rule.evaluation != "extrapolated":
        return np.arange(len(steps) - 1)
    follows = np.diff(steps, prepend=-2) == 1
    return np.flatnonzero(((steps == 0) | follows)[:-1])


def _stretch(rule: LogLinear, known: KnownSteps, begin: int) -> Stretch:
    """What lies between a known iteration and the next."""
    remembers = rule.evaluation == "extrapolated" and known.steps[begin] > 0
    return Stretch(known[begin], known[begin + 1], known[begin - 1].log_policy if remembers else None)


def _chosen(lengths: np.ndarray, steps: int) -> np.ndarray:
    """Which stretches of some lengths fit into the budget, evenly over the run, the first and the last among them."""
    budget = min(MOST_STEPS, max(FEWEST_STEPS, steps // SHARE))
    short = np.flatnonzero(lengths <= budget / 2)
    number = len(short)
    while number:
        chosen = short[np.linspace(0, len(short) - 1, number).round().astype(int)]
        if lengths[chosen].sum() <= budget:
            return chosen
        number = number * 4 // 5
    return short


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference of two log-policies; infinite where only one of them never plays an action."""
    if not np.array_equal(np.isneginf(one), np.isneginf(other)):
        return math.inf
    return float(np.max(np.abs(np.where(np.isneginf(one), 0.0, one) - np.where(np.isneginf(other), 0.0, other))))


def _size(log_policy: np.ndarray) -> float:
    return float(np.max(np.abs(log_policy), initial=0.0, where=np.isfinite(log_policy)))


def _claim(measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("rule", STATEMENT, 0.0, measured, verdict, detail, hard=True, question=Question.RECORD)
