"""All hard checks of a run, which share its regularised equilibria."""

from __future__ import annotations

from mmd_games.equilibria import NashEquilibrium
from mmd_games.loop.trace import Trace
from mmd_games.verification.bounds.contraction import check_contraction
from mmd_games.verification.bounds.fejer import check_fejer
from mmd_games.verification.bounds.plateau import check_plateau
from mmd_games.verification.bounds.record import check_record
from mmd_games.verification.bounds.regularised_gap import check_regularised_gap
from mmd_games.verification.bounds.relative_error import check_relative_error
from mmd_games.verification.bounds.rule import check_rule
from mmd_games.verification.bounds.solved import solve_stages
from mmd_games.verification.verdicts import Claim


def check_bounds(trace: Trace, reference: NashEquilibrium) -> tuple[Claim, ...]:
    """Whether the record is what it says, and whether what theory guarantees holds on it.

    Parameters
    ----------
    trace : Trace
    reference : NashEquilibrium
        Of the trace's game, computed independently of the run.

    Returns
    -------
    tuple of Claim
        All hard: record, rule, contraction, regularised gap, Fejér, the plateau where the magnet is fixed, and the refreshes where it moves by relative error. Where theory is silent the claim says so.
    """
    solved = solve_stages(trace)
    claims = (
        check_record(trace),
        check_rule(trace),
        check_contraction(trace, solved),
        check_regularised_gap(trace, solved),
        check_fejer(trace, reference),
        check_plateau(trace, solved),
        check_relative_error(trace, reference),
    )
    return tuple(claim for claim in claims if claim is not None)
