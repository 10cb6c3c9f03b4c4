"""What is proved of a run, in rational arithmetic: floats are dyadic rationals, so there is no rounding to argue about."""

from __future__ import annotations

from mmd_games.games.game import exact_gap
from mmd_games.games.table_game import TableGame
from mmd_games.loop.trace import Trace
from mmd_games.verification.verdicts import Claim, Question, Verdict

LARGEST_EXACT = 400
"""Games of at most this many actions whose payoffs are stored have their last gap computed in rationals."""


def claim_exact_gap(trace: Trace, tolerance: float) -> Claim:
    """The last iterate's duality gap as a rational number, against the tolerance."""
    statement = "The duality gap of the last iterate, computed in rational arithmetic, is within the tolerance"
    if trace.game.actions > LARGEST_EXACT or not isinstance(trace.game, TableGame):
        why = f"computed for tables of up to {LARGEST_EXACT} actions."
        return Claim("exact_gap", statement, None, None, Verdict.NOT_APPLICABLE, why, question=Question.PROVED)
    exact = exact_gap(trace.game, trace.policy)
    verdict = Verdict.CONFIRMED if exact <= tolerance else Verdict.REFUTED
    detail = f"tolerance {tolerance:.3g}; this proves it of this policy and this table, with no rounding."
    return Claim("exact_gap", statement, 0.0, float(exact), verdict, detail, question=Question.PROVED)
