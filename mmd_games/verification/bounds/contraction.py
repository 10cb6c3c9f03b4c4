r"""The contraction of a stage: KL to its regularised equilibrium π* falls by a known factor a step.

*Magnetic Mirror Descent* (Sokota et al., ICLR 2023, arXiv 2206.05825, Theorem 3.4): KL(π*‖π⁺) ≤ KL(π*‖π)/(1 + ηα) where η ≤ α/L². Proof: the optimality of π⁺ and of π*,
multiplied by π⁺ − π*, gives (1 + ηα)·KL(π*‖π⁺) + ηα·KL(π⁺‖π*) = KL(π*‖π) − KL(π⁺‖π) + η⟨π⁺ − π*, S(π − π⁺)⟩, and the last term is at most
ηL·‖π⁺ − π*‖₁·‖π − π⁺‖₁ ≤ ηα·KL(π⁺‖π*) + KL(π⁺‖π) by Pinsker, where (ηL)² ≤ ηα.

*Policy update* (Cen et al., arXiv 2105.15186, for the uniform magnet and η ≤ 1/(α + 2L)): KL(π*‖π⁺) ≤ (1 − ηα)·KL(π*‖π) where (ηL)² ≤ 1 − ηα, which holds up to
η = 1/(α + L). Proof: with h the half step, multiply log π⁺ − log π* = (1 − ηα)(log π − log π*) + η(q(h) − q(π*)) by h − π*; the payoffs drop out, and
KL(π*‖π⁺) = (1 − ηα)·[KL(π*‖π) − KL(h‖π)] − ηα·KL(h‖π*) + KL(h‖π⁺). As log h − log π⁺ = η(q(π) − q(h)) up to constants, Pinsker gives
KL(h‖π⁺) ≤ ηL‖π − h‖₁·‖h − π⁺‖₁ − ½‖h − π⁺‖₁² ≤ ½(ηL)²‖π − h‖₁² ≤ (ηL)²·KL(h‖π).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmd_games.algorithms import LogLinear
from mmd_games.arrays import kl
from mmd_games.games.game import Game
from mmd_games.loop.feedback import Exact
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.rounding import UNIT, kl_rounding, largest_log, shifted_root, step_rounding
from mmd_games.verification.bounds.solved import SolvedStage, SolvedStages, solve_stages
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "KL to the regularised equilibrium falls by the guaranteed factor a step at least ({})"
THEOREMS = {False: "Magnetic Mirror Descent, Theorem 3.4: 1/(1 + ηα)", True: "policy update: 1 − ηα"}
TELLING = 4.0
"""A divergence of so many times its rounding has a ratio that says something."""


@dataclass(frozen=True)
class _Stretch:
    """Two known policies of one stage, `steps` apart: KL before and after, the theorem's bound, and what rounding may add to it."""

    iteration: int
    steps: int
    before: float
    after: float
    bound: float
    rounding: float


def log_factor(rule: LogLinear, step_size: float, strength: float) -> float:
    """Logarithm of the factor by which KL falls a step at least."""
    return math.log1p(-step_size * strength) if rule.explicit else -math.log1p(step_size * strength)


def why_no_contraction(trace: Trace) -> str:
    """Why no theorem says that this run contracts; empty where one does."""
    rule = log_linear_of(trace.algorithm)
    if rule is None or len(trace.stages) == 0:
        return "the run's settings are not known."
    if trace.feedback != str(Exact()):
        return "the payoffs were sampled."
    if rule.magnet == "absent":
        return "there is no magnet."
    if not rule.steady:
        return "magnet or settings move at every step."
    if (rule.explicit, rule.evaluation) not in ((False, "iterate"), (True, "half_step")):
        return "the theorems are about the plain magnetic step and the policy update."
    step_size, strength, scale = rule.step_size, rule.magnet_strength, float(trace.game.scale)
    turn, slack = step_size * scale, 1 + 8 * UNIT
    if not rule.explicit and turn * scale > strength * slack:
        return f"step_size {step_size:.4g} is above α/L² = {strength / scale / scale:.4g}, where the theorem ends."
    if rule.explicit and not turn * turn <= (1 - step_size * strength) * slack:
        return f"step_size {step_size:.4g} has (ηL)² = {turn * turn:.4g} above 1 − ηα = {1 - step_size * strength:.4g}, where the theorem ends."
    return ""


def check_contraction(trace: Trace, solved: SolvedStages | None = None) -> Claim:
    """KL to the regularised equilibrium falls by 1/(1 + ηα) a step (with the policy update by 1 − ηα) where theory guarantees it.

    Every two successive known policies of a stage are compared, the refresh at its end included. It catches steps that do not go where the rule goes; settings that differ a
    little still contract, so those are for :func:`check_rule`.

    Parameters
    ----------
    trace : Trace
    solved : SolvedStages, optional
        Where they have been computed.
    """
    rule = log_linear_of(trace.algorithm)
    reason = why_no_contraction(trace)
    solved = solve_stages(trace) if solved is None and not reason else solved
    reason = reason or (solved.reason if solved is not None else "")
    if rule is None or solved is None or reason:
        statement = STATEMENT.format(THEOREMS[rule is not None and rule.explicit])
        return _claim(statement, None, None, Verdict.NOT_APPLICABLE, reason)
    statement = STATEMENT.format(THEOREMS[rule.explicit])
    predicted = math.exp(log_factor(rule, rule.step_size, rule.magnet_strength))
    stretches = [stretch for stage in solved.stages for stretch in _stretches(trace.game, rule, stage)]
    if not stretches:
        missing = solved.missing if solved.unsolved else "no two recorded policies of one stage."
        return _claim(statement, predicted, None, Verdict.INCONCLUSIVE, missing)
    # Where KL is all rounding, its ratio says nothing.
    ratios = [(each.after / each.before) ** (1.0 / each.steps) for each in stretches if each.before > 0 and each.after > TELLING * each.rounding]
    measured = max(ratios) if ratios else None
    worst = max(stretches, key=lambda each: each.after - each.bound - each.rounding)
    if not worst.after <= worst.bound + worst.rounding:
        amount = f"KL is {worst.after:.3e}, the bound {worst.bound:.3e} (rounding explains {worst.rounding:.0e})"
        return _claim(statement, predicted, measured, Verdict.REFUTED, f"broken at iteration {worst.iteration:,}: {amount}.")
    held = f"holds over all {len(stretches):,} recorded stretches {solved.extent}; measured is the slowest."
    if solved.unsolved:
        return _claim(statement, predicted, measured, Verdict.INCONCLUSIVE, f"{solved.missing} It {held}")
    return _claim(statement, predicted, measured, Verdict.CONFIRMED, held)


def _stretches(game: Game, rule: LogLinear, stage: SolvedStage) -> list[_Stretch]:
    """Every two successive known policies.

    A step computed with an error e in its logits adds e·√(B/2) to √KL at most (see `shifted_root`), after which that contracts too.
    """
    divergences = np.asarray(kl(stage.log_policy, stage.log_policies))
    doubt = stage.shift(game) + kl_rounding(game.actions) * divergences
    logs = largest_log(stage.log_policies, stage.log_magnet)
    error = shifted_root(step_rounding(game, rule, stage.step_size, stage.magnet_strength, logs), game.blocks)
    half = log_factor(rule, stage.step_size, stage.magnet_strength) / 2
    found = []
    for row in range(len(stage.times) - 1):
        steps = int(stage.times[row + 1] - stage.times[row])
        before, after = float(divergences[row]), float(divergences[row + 1])
        largest = math.exp(half * steps) * math.sqrt(before + float(doubt[row])) + error * remembered(half, steps)
        bound = math.exp(2 * half * steps) * before
        found.append(_Stretch(int(stage.times[row + 1]), steps, before, after, bound, largest**2 - bound + float(doubt[row + 1])))
    return found


def remembered(half: float, steps: int) -> float:
    """Σ of exp(half·j) over j < steps: how many roundings a contraction remembers."""
    return float(steps) if half == 0 else min(float(steps), math.expm1(half * steps) / math.expm1(half))


def _claim(statement: str, predicted: float | None, measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("contraction", statement, predicted, measured, verdict, detail, hard=True, question=Question.GUARANTEED)
