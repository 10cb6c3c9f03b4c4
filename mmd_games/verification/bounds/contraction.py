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
from typing import NamedTuple

import numpy as np

from mmd_games.algorithms import LogLinear
from mmd_games.arrays import Array, kl
from mmd_games.games.game import Game
from mmd_games.loop.feedback import Exact
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.rounding import UNIT, kl_rounding, shifted_root, step_rounding
from mmd_games.verification.bounds.solved import SolvedStages, solve_stages
from mmd_games.verification.bounds.stage_policies import StagePolicies
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "KL to the regularised equilibrium falls by the guaranteed factor a step at least ({})"
THEOREMS = {False: "Magnetic Mirror Descent, Theorem 3.4: 1/(1 + ηα)", True: "policy update: 1 − ηα"}
TELLING = 4.0
"""A divergence of so many times its rounding has a ratio that says something."""


class _Stretches(NamedTuple):
    """Every two successive known policies of a stage, `steps` apart: KL before and after, the theorem's bound, and what rounding may add to it; arrays (stretches,)."""

    iteration: np.ndarray
    steps: np.ndarray
    before: np.ndarray
    after: np.ndarray
    bound: np.ndarray
    rounding: np.ndarray


def log_factor(rule: LogLinear, step_size: Array, strength: Array) -> Array:
    """Logarithm of the factor by which KL falls a step at least."""
    return np.log1p(-step_size * strength) if rule.explicit else -np.log1p(step_size * strength)


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
    parts = [_stretches(trace.game, rule, policies) for policies in solved.parts]
    number = sum(len(part.steps) for part in parts)
    if not number:
        missing = solved.missing if solved.unsolved else "no two recorded policies of one stage."
        return _claim(statement, predicted, None, Verdict.INCONCLUSIVE, missing)
    iteration, steps, before, after, bound, rounding = (np.concatenate(each) for each in zip(*parts, strict=True))
    # Where KL is all rounding, its ratio says nothing.
    telling = (before > 0) & (after > TELLING * rounding)
    measured = float(np.max((after[telling] / before[telling]) ** (1.0 / steps[telling]))) if np.any(telling) else None
    worst = int(np.argmax(after - bound - rounding))
    if not after[worst] <= bound[worst] + rounding[worst]:
        amount = f"KL is {after[worst]:.3e}, the bound {bound[worst]:.3e} (rounding explains {rounding[worst]:.0e})"
        return _claim(statement, predicted, measured, Verdict.REFUTED, f"broken at iteration {iteration[worst]:,}: {amount}.")
    held = f"holds over all {number:,} recorded stretches {solved.extent}; measured is the slowest."
    if solved.unsolved:
        return _claim(statement, predicted, measured, Verdict.INCONCLUSIVE, f"{solved.missing} It {held}")
    return _claim(statement, predicted, measured, Verdict.CONFIRMED, held)


def _stretches(game: Game, rule: LogLinear, policies: StagePolicies) -> _Stretches:
    """Every two successive known policies of each stage.

    A step computed with an error e in its logits adds e·√(B/2) to √KL at most (see `shifted_root`), after which that contracts too.
    """
    divergences = np.asarray(kl(policies.log_targets[policies.stage], policies.log_policies))
    doubt = policies.shift(game) + kl_rounding(game.actions) * divergences
    rows = np.flatnonzero(policies.stage[1:] == policies.stage[:-1])
    steps, before, after = np.diff(policies.times)[rows], divergences[rows], divergences[rows + 1]
    step_size, strength = policies.step_size[rows], policies.strength[rows]
    error = shifted_root(step_rounding(game, rule, step_size, strength, policies.largest_log[rows]), game.blocks)
    half = log_factor(rule, step_size, strength) / 2
    largest = np.exp(half * steps) * np.sqrt(before + doubt[rows]) + error * remembered(half, steps)
    bound = np.exp(2 * half * steps) * before
    return _Stretches(policies.times[rows + 1], steps, before, after, bound, largest**2 - bound + doubt[rows + 1])


def remembered(half: Array, steps: Array) -> np.ndarray:
    """Σ of exp(half·j) over j < steps: how many roundings a contraction remembers."""
    half, steps = np.broadcast_arrays(np.asarray(half, dtype=np.float64), np.asarray(steps, dtype=np.float64))
    sums = np.divide(np.expm1(half * steps), np.expm1(half), out=steps.copy(), where=half != 0)
    return np.minimum(steps, sums)


def _claim(statement: str, predicted: float | None, measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("contraction", statement, predicted, measured, verdict, detail, hard=True, question=Question.GUARANTEED)
