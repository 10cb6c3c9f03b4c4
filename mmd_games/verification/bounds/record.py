"""Is the record what it says: the recorded policies are policies, and the recorded gaps are theirs."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import block_sum
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.rounding import gap_rounding, normalisation_rounding
from mmd_games.verification.verdicts import Claim, Question, Verdict

STATEMENT = "The recorded gaps are those of the recorded policies (largest difference)"
OWN_NORMALISATION = 1e-6
"""What the loop asks of the log-policies of an algorithm that normalises them itself."""


def check_record(trace: Trace) -> Claim:
    """The recorded gaps are the gaps of the recorded policies, recomputed; gaps whose policy was not kept, and those of averages, cannot be.

    Parameters
    ----------
    trace : Trace
    """
    wrong = _not_a_policy(trace)
    if wrong:
        return _claim(None, Verdict.REFUTED, wrong)
    game = trace.game
    recorded = trace.gaps[np.searchsorted(trace.iterations, trace.policy_iterations)]
    error = np.abs(game.gap_of_payoffs(game.payoffs(np.exp(trace.log_policies))) - recorded)
    worst, allowed = int(np.argmax(error)), gap_rounding(game)
    amount = f"the largest difference is {error[worst]:.1e}, rounding explains {allowed:.1e}"
    if not error[worst] <= allowed:
        return _claim(float(error[worst]), Verdict.REFUTED, f"at iteration {trace.policy_iterations[worst]:,} the record is not of this policy: {amount}.")
    rows = f"{len(error):,} of {len(trace.gaps):,} recorded gaps have their policy kept, and were recomputed"
    return _claim(float(error[worst]), Verdict.CONFIRMED, f"{rows}; {amount}. Gaps of averages cannot be recomputed.")


def _not_a_policy(trace: Trace) -> str:
    """What is wrong with the rows or with a log-policy; empty where nothing is."""
    missing = np.setdiff1d(trace.policy_iterations, trace.iterations)
    if len(missing):
        return f"the policy of iteration {missing[0]:,} has no recorded gap."
    logs = trace.log_policies
    # A logarithm of a probability is at most 0, up to the rounding of its normalisation; NaN is not.
    allowed = normalisation_rounding(trace.game.actions) if log_linear_of(trace.algorithm) is not None else OWN_NORMALISATION
    bad = np.flatnonzero(~np.all(logs <= allowed, axis=-1))
    if len(bad):
        return f"at iteration {trace.policy_iterations[bad[0]]:,} an entry is no logarithm of a probability."
    with np.errstate(divide="ignore"):
        totals = np.abs(np.log(block_sum(np.exp(logs), trace.game.blocks))).max(axis=-1)
    worst = int(np.argmax(totals))
    if not totals[worst] <= allowed:
        return f"at iteration {trace.policy_iterations[worst]:,} the log-policy is not normalised: its log-sum-exp is {totals[worst]:.1e}, rounding explains {allowed:.1e}."
    return ""


def _claim(measured: float | None, verdict: Verdict, detail: str) -> Claim:
    return Claim("record", STATEMENT, 0.0, measured, verdict, detail, hard=True, question=Question.RECORD)
