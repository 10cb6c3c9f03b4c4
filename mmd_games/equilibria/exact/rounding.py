"""An exact equilibrium as floats, with its proof: what ``nash(game, method="exact")`` returns."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from mmd_games.equilibria.certificate import certify
from mmd_games.equilibria.exact.proof import ExactEquilibrium
from mmd_games.equilibria.exact.search import exact_equilibrium
from mmd_games.equilibria.nash_equilibrium import NashEquilibrium
from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.games.table_game import TableGame

LARGEST = 1000
"""Actions of a player. The time grows as their cube and more: a second or two for 800 of usual payoffs."""
NOT_FOUND = (
    "no exact equilibrium was found: the table ties so nearly that the exact pivots took more work than is allowed; this is the point in floating point."
)
ROUNDED = "the game has no table of its own: what is proved is of the float64 table that its payoffs round to."


def require_exact_size(game: Game) -> None:
    """Refuse a game too large for exact arithmetic, with a sentence that says what is not."""
    if max(game.blocks) > LARGEST:
        raise InputError(
            f"{game.name} has {max(game.blocks):,} actions; method exact is for up to {LARGEST:,} a player, since its time grows faster than their cube: "
            "method interior_point solves it in floating point."
        )


def exact_nash(game: Game, rough: NashEquilibrium, tolerance: float) -> NashEquilibrium:
    """The exact equilibrium that an equilibrium in floating point leads to, rounded; that one itself, not converged, where there is none.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    rough : NashEquilibrium
        Of this game, best of largest support.
    tolerance : float
        For the gap of the rounded policy, in the game's units.
    """
    proof = exact_equilibrium(game, rough.policy)
    if proof is None:
        return replace(rough, method="exact", converged=False, notes=(*rough.notes, NOT_FOUND))
    policy, slack = (np.array([float(entry) for part in parts for entry in part]) for parts in (proof.policies, proof.slacks))
    notes = (*(() if isinstance(game, TableGame) else (ROUNDED,)), *_told_apart(proof, rough))
    found = certify(game, policy, tolerance, method="exact", selection="largest support" if proof.strictly_complementary else "vertex", notes=notes)
    relative = slack / found.scale if found.scale > 0 else slack
    margin = float(np.min(np.where(policy > 0, policy, relative)))
    return replace(found, value=float(proof.value + Fraction(game.value_offset)), slack=slack, margin=margin, proof=proof)


def _told_apart(proof: ExactEquilibrium, rough: NashEquilibrium) -> tuple[str, ...]:
    """A note where the exact equilibrium plays other actions than the one in floating point, which others may have seen."""
    exact, floating = len(proof.support), len(rough.support)
    if proof.support == rough.support:
        return ()
    if proof.strictly_complementary and rough.selection == "largest support" and exact < floating:
        return (f"of the table as rounded to float64 the largest support has {exact:,} actions: rounding broke ties; to rounding it has {floating:,}.",)
    return (f"it plays {exact:,} actions, the equilibrium in floating point from which it was sought {floating:,}, not the same ones.",)
