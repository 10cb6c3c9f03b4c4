"""Hard checks: what a theorem guarantees at every step, separated from rounding by an error bound.

Each check recomputes what it needs from the game, the recorded policies and the stages.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from mmd_games.algorithms import LogLinear
from mmd_games.arrays import kl
from mmd_games.equilibria import RegularisedEquilibrium, regularised_equilibrium
from mmd_games.games.game import Game
from mmd_games.games.table_game import TableGame
from mmd_games.loop.feedback import Exact
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.verdicts import Claim, Verdict

UNIT = np.finfo(np.float64).eps / 2
"""Unit roundoff u."""

LARGEST_IMPLICIT = 2000
"""Games without a stored table have regularised equilibria computed up to so many actions."""
TOO_LARGE = f"not computed: a regularised equilibrium takes an n × n system, which is solved for up to {LARGEST_IMPLICIT:,} actions where no table is stored."


def payoff_rounding(game: Game) -> float:
    """Largest rounding error of one payoff of a recorded policy: that of the product, and four more for the exponentials of the policy."""
    return game.payoff_rounding + 4 * UNIT * game.largest_payoff


def gap_rounding(game: Game) -> float:
    """Largest difference between two evaluations of one policy's gap: each player's best payoff may round either way."""
    return 4.0 * payoff_rounding(game)


def check_record(trace: Trace) -> Claim:
    """The recorded gaps are the gaps of the recorded policies, recomputed."""
    game = trace.game
    recorded = trace.gaps[np.searchsorted(trace.iterations, trace.policy_iterations)]
    error = np.abs(game.gap_of_payoffs(game.payoffs(np.exp(trace.log_policies))) - recorded)
    worst, allowed = int(np.argmax(error)), gap_rounding(game)
    holds = bool(error[worst] <= allowed)
    detail = f"{len(error)} gaps recomputed; the largest difference is {error[worst]:.1e}" + (
        "." if holds else f", at iteration {trace.policy_iterations[worst]}: the record is not of these policies."
    )
    return Claim(
        "record",
        "The recorded gaps are those of the recorded policies",
        0.0,
        float(error[worst]),
        Verdict.CONFIRMED if holds else Verdict.REFUTED,
        detail,
        hard=True,
    )


@dataclass(frozen=True)
class _Step:
    """Two policies of one stage, `steps` apart, and how far KL to the regularised equilibrium may be from the theorem by rounding alone."""

    iteration: int
    steps: int
    before: float
    after: float
    bound: float
    rounding: float


def check_contraction(trace: Trace) -> Claim:
    """Sokota et al. (arXiv 2206.05825), Theorem 3.4: KL to the regularised equilibrium falls by 1/(1 + ηα) a step where η ≤ α/L²."""
    statement = "KL to the regularised equilibrium falls by 1/(1 + ηα) a step at least (Magnetic Mirror Descent, Theorem 3.4)"
    rule = log_linear_of(trace.algorithm)
    reason = "the run's settings are not known." if rule is None or len(trace.stages) == 0 else _why_no_contraction(trace, rule)
    if rule is None or reason:
        return Claim("contraction", statement, None, None, Verdict.NOT_APPLICABLE, reason)
    if _is_too_large(trace.game):
        return Claim("contraction", statement, None, None, Verdict.INCONCLUSIVE, TOO_LARGE)
    steps, unsolved = _stage_steps(trace, refreshed=rule.magnet == "refreshed")
    predicted = 1.0 / (1.0 + rule.step_size * rule.magnet_strength)
    if not steps:
        return Claim("contraction", statement, predicted, None, Verdict.INCONCLUSIVE, "no two recorded policies of one stage.")
    broken = max(steps, key=lambda step: step.after - step.bound - step.rounding)
    # Where KL is all rounding, its ratio says nothing.
    ratios = [(step.after / step.before) ** (1.0 / step.steps) for step in steps if step.after > 4 * step.rounding]
    measured = max(ratios) if ratios else None
    excess = broken.after - broken.bound - broken.rounding
    if excess > 0:
        detail = f"broken at iteration {broken.iteration}: KL is {broken.after:.3e}, the bound {broken.bound:.3e} (rounding explains {broken.rounding:.0e})."
        return Claim("contraction", statement, predicted, measured, Verdict.REFUTED, detail, hard=True)
    if unsolved:
        return Claim("contraction", statement, predicted, measured, Verdict.INCONCLUSIVE, f"{unsolved} regularised equilibria could not be computed.")
    return Claim(
        "contraction", statement, predicted, measured, Verdict.CONFIRMED, f"holds over all {len(steps)} recorded stretches; measured is the slowest.", hard=True
    )


def _why_no_contraction(trace: Trace, rule: LogLinear) -> str:
    """Why Theorem 3.4 says nothing of this run; empty where it does."""
    if trace.feedback != str(Exact()):
        return "the payoffs were sampled."
    if rule.magnet == "absent":
        return "there is no magnet."
    if not rule.steady:
        return "magnet or settings move at every step."
    if rule.explicit or rule.evaluation != "iterate":
        return "the theorem is about the plain magnetic step."
    scale = float(trace.game.scale)
    if _is_too_weak(trace.game, float(np.min(trace.stages.magnet_strengths))):
        return "the magnet is too weak for its regularised equilibrium to be computed."
    if np.any(np.isneginf(trace.log_policies[0])) and rule.uniform_reference:
        return "the start never plays what the magnet does, so KL is infinite throughout."
    if rule.step_size * scale**2 > rule.magnet_strength * (1 + 8 * UNIT):
        return f"step_size {rule.step_size:.4g} is above α/L² = {rule.magnet_strength / scale**2:.4g}, where the theorem ends."
    return ""


def _stage_steps(trace: Trace, *, refreshed: bool) -> tuple[list[_Step], int]:
    """All pairs of successive known policies inside a stage: the recorded ones, and where the magnet is refreshed the magnets themselves."""
    stages = trace.stages
    ends = np.append(stages.iterations[1:], trace.steps)
    steps: list[_Step] = []
    unsolved = 0
    for number, (first, last) in enumerate(zip(stages.iterations, ends, strict=True)):
        inside = np.flatnonzero((trace.policy_iterations >= first) & (trace.policy_iterations <= last))
        known = {int(trace.policy_iterations[i]): trace.log_policies[i] for i in inside}
        if refreshed:
            known.setdefault(int(first), stages.log_magnets[number])
        if len(known) < 2:
            continue
        equilibrium = regularised_equilibrium(
            trace.game, magnet_strength=float(stages.magnet_strengths[number]), log_magnet=stages.log_magnets[number], log_start=known[max(known)]
        )
        if not equilibrium.converged:
            unsolved += 1
            continue
        times = sorted(known)
        settings = (float(stages.step_sizes[number]), float(stages.magnet_strengths[number]))
        steps += [_step(trace.game, equilibrium, *settings, now, known[now], then, known[then]) for now, then in itertools.pairwise(times)]
    return steps, unsolved


def _step(
    game: Game, equilibrium: RegularisedEquilibrium, step_size: float, strength: float, now: int, policy: np.ndarray, then: int, later: np.ndarray
) -> _Step:
    """Measure one stretch, with its rounding.

    To first order an error e in the logits moves KL(π*‖π) by at most e·‖π* − π‖₁ ≤ e·√(2 KL). A step makes e = η·payoff error/(1 + ηα) + 8u·max|log π|, and the
    contraction forgets old ones. The computed equilibrium is off by at most its residual, measured in the norm weighted by the policy: there the inverse of
    I − S·C/α has norm at most 1, S being skew.
    """
    target = equilibrium.log_policy
    before, after = float(kl(target, policy)), float(kl(target, later))
    pull, steps = step_size * strength, then - now
    largest_log = float(np.max(np.abs(np.concatenate([policy[np.isfinite(policy)], later[np.isfinite(later)]]))))
    log_error = 8 * UNIT * max(1.0, largest_log)
    step_error = step_size * 2 * payoff_rounding(game) / (1 + pull) + log_error
    run_error = (steps if pull == 0 else min(steps, 1 + 1 / pull)) * (step_error * math.sqrt(2 * before) + step_error**2)
    solve_error = math.sqrt(2 * equilibrium.residual) + payoff_rounding(game) / strength + log_error
    played = np.exp(target) > 0
    weight = np.exp(target[played])
    distances = [math.sqrt(float(np.sum(weight * (target[played] - log[played]) ** 2))) for log in (policy, later)]
    rounding = run_error + solve_error * sum(distances) + 2 * solve_error**2
    return _Step(then, steps, before, after, before * (1 + pull) ** -steps, rounding)


def _is_too_weak(game: Game, strength: float) -> bool:
    """Whether a magnet is weaker than the rounding of the payoffs that it is weighed against."""
    return strength < 1e-11 * float(game.scale) or strength < np.finfo(np.float64).tiny / UNIT


def _is_too_large(game: Game) -> bool:
    """Whether the system of a regularised equilibrium, n × n, would be far larger than the game itself."""
    return game.actions > LARGEST_IMPLICIT and not isinstance(game, TableGame)


def check_plateau(trace: Trace) -> Claim | None:
    """A fixed magnet leads to its regularised equilibrium, whose gap in the original game is known beforehand; None where the magnet is not fixed."""
    rule = log_linear_of(trace.algorithm)
    if rule is None or rule.magnet != "fixed" or not rule.steady or len(trace.stages) == 0:
        return None
    game, strength = trace.game, float(trace.stages.magnet_strengths[0])
    if _is_too_weak(game, strength):
        return None
    statement = "A fixed magnet's plateau: the gap of its regularised equilibrium, 2α·[max log(π/ρ) − KL(π‖ρ)] for a symmetric game"
    if _is_too_large(game):
        return Claim("plateau", statement, None, None, Verdict.INCONCLUSIVE, TOO_LARGE)
    equilibrium = regularised_equilibrium(game, magnet_strength=strength, log_magnet=trace.stages.log_magnets[0])
    predicted, measured = equilibrium.gap, float(game.gap_of_payoffs(game.payoffs(trace.policy)))
    if not equilibrium.converged:
        return Claim("plateau", statement, None, measured, Verdict.INCONCLUSIVE, "the regularised equilibrium could not be computed.")
    # |gap(π) − gap(π')| ≤ 2L·‖π − π'‖₁ ≤ 2L·√(2 KL) for a symmetric game (Pinsker); for two players L·(√(2 KL_x) + √(2 KL_y)) is no larger.
    divergence = float(kl(equilibrium.log_policy, trace.log_policy))
    logs = np.concatenate([equilibrium.log_policy, trace.log_policy])
    rounding = gap_rounding(game) + 16 * UNIT * float(game.scale) * float(np.max(np.abs(logs[np.isfinite(logs)])))
    bound = 2 * float(game.scale) * math.sqrt(2 * divergence) + rounding
    difference = abs(measured - predicted)
    if difference > bound:
        return Claim(
            "plateau", statement, predicted, measured, Verdict.REFUTED, f"they differ by {difference:.2e}, more than the {bound:.2e} that KL allows.", hard=True
        )
    if bound <= max(0.05 * predicted, 4 * rounding):
        return Claim("plateau", statement, predicted, measured, Verdict.CONFIRMED, f"KL to the regularised equilibrium is {divergence:.1e}.")
    return Claim("plateau", statement, predicted, measured, Verdict.INCONCLUSIVE, f"not there yet: KL to the regularised equilibrium is {divergence:.1e}.")
