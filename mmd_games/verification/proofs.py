"""What is proved, in rational arithmetic: floats are dyadic rationals, so there is no rounding to argue about."""

from __future__ import annotations

from mmd_games.equilibria import NashEquilibrium
from mmd_games.equilibria.exact import exact_equilibrium
from mmd_games.games.game import exact_gap
from mmd_games.games.table_game import TableGame
from mmd_games.loop.trace import Trace
from mmd_games.verification.verdicts import Claim, Question, Verdict

LARGEST_EXACT = 400
"""Games of at most this many actions whose payoffs are stored have their last gap computed in rationals."""
LARGEST_SOLVED = 100
"""Up to so many actions a player the equilibrium itself is solved for in rationals."""
WORK = 1e7
"""What the exact search may take beside a run, in its own units: under a second."""


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


def claim_exact_equilibrium(trace: Trace, reference: NashEquilibrium) -> Claim:
    """An equilibrium of the float64 table in rational numbers, and what follows of how many there are.

    Parameters
    ----------
    trace : Trace
    reference : NashEquilibrium
        Where the search begins; of largest support, best.
    """
    game = trace.game
    statement = "An equilibrium of the table is proved in rational arithmetic (how many actions it plays)"
    if max(game.blocks) > LARGEST_SOLVED or not isinstance(game, TableGame) or float(game.scale) == 0:
        why = f"solved for in tables of payoffs that differ, of up to {LARGEST_SOLVED} actions a player."
        return Claim("exact_equilibrium", statement, None, None, Verdict.NOT_APPLICABLE, why, question=Question.PROVED)
    proof = exact_equilibrium(game, reference.policy, work=WORK)
    if proof is None:
        why = "the table ties so nearly that the exact pivots took more work than a report allows; nash --method exact allows more."
        return Claim("exact_equilibrium", statement, None, None, Verdict.INCONCLUSIVE, why, question=Question.PROVED)
    played, expected = len(proof.support), len(reference.support)
    ties = (
        ""
        if played == expected
        else f" Rounding of the table to float64 broke ties: to rounding an equilibrium plays {expected} actions, as the reference does."
    )
    return Claim("exact_equilibrium", statement, float(expected), float(played), Verdict.CONFIRMED, f"{proof}.{ties}", question=Question.PROVED)
