"""The plateau of a fixed magnet: the gap of its regularised equilibrium, known before the run."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.arrays import kl
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.rounding import gap_rounding, kl_rounding
from mmd_games.verification.bounds.solved import SolvedStages, solve_stages
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "A fixed magnet's plateau: the last gap is that of its regularised equilibrium, up to what KL to it allows"
REACHED = 0.05
"""The plateau counts as reached where KL leaves the gap this much of it to differ."""


def check_plateau(trace: Trace, solved: SolvedStages | None = None) -> Claim | None:
    """A fixed magnet leads to its regularised equilibrium, whose gap in the original game is known beforehand; None where the magnet is not fixed.

    Parameters
    ----------
    trace : Trace
    solved : SolvedStages, optional
        Where they have been computed.
    """
    rule = log_linear_of(trace.algorithm)
    if rule is None or rule.magnet != "fixed" or not rule.steady:
        return None
    solved = solve_stages(trace) if solved is None else solved
    if solved.reason:
        return None
    game = trace.game
    measured = trace.gap
    if not solved.stages:
        return _claim(None, measured, Verdict.INCONCLUSIVE, solved.missing)
    stage = solved.stages[0]
    predicted = float(game.gap_of_payoffs(game.payoffs(np.exp(stage.log_policy))))
    # |gap(π) − gap(π')| ≤ 2L·‖π − π'‖₁ ≤ 2L·√(2 KL) for a symmetric game (Pinsker); for two players L·(√(2 KL_x) + √(2 KL_y)) is no larger.
    divergence = float(kl(stage.log_policy, trace.log_policy))
    doubt = float(stage.shift(game)[-1]) + kl_rounding(game.actions) * divergence
    rounding = 2 * gap_rounding(game) + 2 * float(game.scale) * (stage.error + math.sqrt(2 * doubt))
    bound = 2 * float(game.scale) * math.sqrt(2 * divergence) + rounding
    difference = abs(measured - predicted)
    if not difference <= bound:
        return _claim(predicted, measured, Verdict.REFUTED, f"they differ by {difference:.2e}, more than the {bound:.2e} that KL allows.")
    if bound <= max(REACHED * predicted, 4 * rounding):
        return _claim(predicted, measured, Verdict.CONFIRMED, f"KL to the regularised equilibrium is {divergence:.1e}.")
    return _claim(predicted, measured, Verdict.INCONCLUSIVE, f"not there yet: KL to the regularised equilibrium is {divergence:.1e}.")


def _claim(predicted: float | None, measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("plateau", STATEMENT, predicted, measured, verdict, detail, hard=True, question=Question.GUARANTEED)
