"""Which equilibrium the run went to, where the game has several: the support of its limit, and the projection of its start."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import total_variation
from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.equilibria.certificate import LARGEST_SUPPORT
from mmd_games.errors import InputError
from mmd_games.loop.feedback import Exact
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.verdicts import Claim, Question, Verdict

VANISHES = 10.0
"""A probability that falls by this factor over the second half of a run is on its way to zero."""
LARGEST_PROJECTION = 1000
"""In larger games the start is not projected: the program takes minutes."""


def claim_support(trace: Trace, reference: NashEquilibrium, allowed: float, *, reached: bool) -> Claim:
    """The last iterate plays every action that any equilibrium plays.

    Every limit of a proximal outer loop that starts with full support has the largest support of any equilibrium. A probability below `allowed` cannot be told from zero at
    this tolerance, unless it is zero or is seen to vanish.

    Parameters
    ----------
    trace : Trace
    reference : NashEquilibrium
    allowed : float
        How far, in total variation, a policy of this tolerance may be from the equilibria.
    reached : bool
        Whether the last iterate is an equilibrium, within the tolerance.
    """
    statement = "The last iterate plays every action that some equilibrium plays (the number of them)"
    if reference.selection != LARGEST_SUPPORT or not reference.converged or not reached:
        why = "the run did not come to an equilibrium." if not reached else "which actions the equilibria play is not known beyond rounding."
        return Claim("support", statement, None, None, Verdict.NOT_APPLICABLE, why, question=Question.EQUILIBRIUM)
    support = np.array(reference.support)
    now, logs = trace.policy[support], trace.log_policy[support]
    half = int(np.searchsorted(trace.policy_iterations, 0.5 * trace.steps))
    faint = now <= allowed
    gone = faint & (np.isneginf(logs) | (logs < trace.log_policies[half][support] - np.log(VANISHES)))
    predicted, measured = float(len(support)), float(np.count_nonzero(~gone))
    detail = f"of {len(reference.policy):,} actions; the least probability or slack of the reference is {reference.margin:.1g} (slacks over L), so to rounding no equilibrium plays another."
    verdict = Verdict.CONFIRMED
    if np.any(gone):
        verdict, detail = Verdict.REFUTED, f"{_names(trace, support[gone])} vanished, which an equilibrium plays."
    elif np.any(faint):
        verdict, detail = Verdict.INCONCLUSIVE, f"{_names(trace, support[faint])}: below {allowed:.1e}, which this tolerance cannot tell from zero."
    return Claim("support", statement, predicted, measured, verdict, detail, question=Question.EQUILIBRIUM)


def claim_projection(trace: Trace, reference: NashEquilibrium, allowed: float, reached: bool) -> Claim | None:
    """Where some equilibrium plays every action, the limit is known beforehand: the equilibrium nearest to the start in KL; None where that says nothing.

    The rules without a magnet, and those whose magnet follows the policy, change the log-policy by payoffs and constants only, so log π − log π₀ stays in the range of the
    payoff matrix. On the set of equilibria KL to the start is minimal just there.
    """
    rule = log_linear_of(trace.algorithm)
    whole = reference.converged and reference.selection == LARGEST_SUPPORT and len(reference.support) == trace.game.actions
    if rule is None or rule.magnet == "fixed" or trace.feedback != str(Exact()) or not whole or trace.game.actions > LARGEST_PROJECTION:
        return None
    start = np.exp(trace.log_policies[0])
    if trace.policy_iterations[0] != 0 or np.any(start <= 0):
        return None
    try:
        target = nash(trace.game, select="maximum_entropy", start=start)
    except InputError:  # larger than this machine's memory
        return None
    if target.selection != "maximum entropy":
        return None
    statement = "The limit is the equilibrium nearest to the start in KL, as theory predicts where an equilibrium of full support exists (total variation)"
    measured = float(total_variation(trace.policy, target.policy, trace.game.blocks))
    there = measured <= allowed
    verdict = Verdict.CONFIRMED if there else Verdict.REFUTED if reached else Verdict.INCONCLUSIVE
    detail = f"allowed √(tolerance/L) = {allowed:.1e}" + ("." if there or reached else "; the run has not come to an equilibrium yet.")
    return Claim("projection", statement, 0.0, measured, verdict, detail, question=Question.EQUILIBRIUM)


def _names(trace: Trace, actions: np.ndarray) -> str:
    """Up to five actions by their labels, or counted from 1."""
    labels = [name for names in trace.game.labels for name in names] if trace.game.labels else None
    shown = ", ".join(labels[i] if labels else f"action {i + 1}" for i in actions[:5])
    return f"{shown} and {len(actions) - 5} more" if len(actions) > 5 else shown
