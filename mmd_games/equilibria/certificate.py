"""Certificates: what a policy is worth as an equilibrium, with a bound on the rounding of that number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mmd_games.arrays import block_slices
from mmd_games.equilibria.nash_equilibrium import NashEquilibrium
from mmd_games.equilibria.solvers.support import SOLVED
from mmd_games.errors import InputError, require_positive
from mmd_games.games.game import Game, check_policy, exact_gap, gap_bound
from mmd_games.games.rounding import SMALLEST, UNIT
from mmd_games.games.table_game import TableGame

LARGEST_GAP = 1e-9
"""A policy of a larger gap, over L, is no equilibrium."""
PROVEN = 1e-11
"""A margin of this much and more is no rounding: the support is the largest."""
LARGEST_SUPPORT = "largest support"
"""What an equilibrium says of its selection where its support is proven the largest."""
DEFAULT_TOLERANCE = 1e-9
"""Where none is given, a gap of this many L is asked for."""
SEEN = 100
"""Actions whose payoffs against each other are looked at, where L is only known to be less than a bound."""
LARGEST_EXACT = 400
"""Tables with at most this many actions have their gap taken in rationals where floats cannot tell."""


def certify(
    game: Game, policy: np.ndarray, tolerance: float, *, method: str, selection: str, iterations: int = 0, notes: tuple[str, ...] = ()
) -> NashEquilibrium:
    """Recompute the gap over all actions, in more than float64 where the machine has it; in rationals where that is too rough for the tolerance.

    Parameters
    ----------
    game : Game
        One game.
    policy : array (actions,)
        Not negative; each block sums to 1 up to rounding.
    tolerance : float
        In the game's units.
    method, selection, iterations, notes
        What is to be said of the solver.
    """
    if float(game.scale) == 0:  # every policy is an equilibrium
        payoffs = np.repeat(game.against(0, np.zeros(1, dtype=np.int64))[0], game.actions)
        payoffs[game.blocks[0] :] *= -1
        gap = error = 0.0
    else:
        payoffs, error = game.certified_payoffs(policy)
        gap, error = map(float, gap_bound(game, policy, payoffs, error))
        if gap + error > tolerance and _has_exact_gap(game):
            gap = float(exact_gap(game, policy))
            error = UNIT * gap + SMALLEST
    scale = float(game.scale)
    found = facts(game, policy, payoffs, np.asarray(scale))
    said = {"method": method, "selection": selection, "iterations": iterations, "tolerance": tolerance, "notes": notes}
    return equilibrium_of(game, policy, gap, error, *found, scale, **said)


def certified_again(game: Game, equilibrium: NashEquilibrium, tolerance: float | None = None) -> NashEquilibrium:
    """An equilibrium that was computed before, with what it is worth in this game: nothing but its policy, and how it was found, is taken from it.

    Parameters
    ----------
    game : Game
    equilibrium : NashEquilibrium
    tolerance : float, optional
        By which it counts as converged, in the game's units; default that of :func:`mmd_games.nash`.

    Raises
    ------
    InputError
        For what is no equilibrium, or one of another game: of other actions, or with a gap in this game above 1e-9 L, unless it was no smaller, over L, where it was found.
    """
    if not isinstance(equilibrium, NashEquilibrium):
        raise InputError(f"A Nash equilibrium is expected, as mg.nash(game) returns it; got {type(equilibrium).__name__}.")
    if equilibrium.blocks != game.blocks:
        theirs, ours = (" + ".join(map(str, blocks)) for blocks in (equilibrium.blocks, game.blocks))
        raise InputError(f"The equilibrium given is of {equilibrium.game}, of {theirs} actions; {game.name} has {ours}.")
    policy = np.asarray(check_policy(game, equilibrium.policy), dtype=np.float64)
    if policy.ndim != 1:
        raise InputError(f"An equilibrium has one policy of {game.actions} entries, got an array of shape {policy.shape}.")
    aim = resolve_tolerance(game, None) if tolerance is None else tolerance
    said = {name: getattr(equilibrium, name) for name in ("method", "selection", "iterations", "notes")}
    found = with_proven_support(certify(game, policy, aim, **said))
    known = (equilibrium.gap + equilibrium.gap_error) * larger_by(game, equilibrium)
    allowed = LARGEST_GAP * found.scale
    if not found.gap - found.gap_error <= max(allowed, known):
        raise InputError(
            f"The equilibrium given is of {equilibrium.game}, and none of {game.name}: its gap there is {found.gap:.3g}, "
            f"at most {LARGEST_GAP:g} L = {allowed:.3g} would be right."
        )
    return found


def larger_by(game: Game, equilibrium: NashEquilibrium) -> float:
    """How many times as large payoffs are in this game as in the one in which an equilibrium was found."""
    return float(game.scale) / equilibrium.scale if equilibrium.scale else 1.0


def with_proven_support(equilibrium: NashEquilibrium) -> NashEquilibrium:
    """The same, which says that its support is the largest only where its margin is more than rounding."""
    proven = equilibrium.converged and equilibrium.margin >= PROVEN
    return equilibrium if proven or equilibrium.selection != LARGEST_SUPPORT else replace(equilibrium, selection="support not proven the largest")


def facts(game: Game, policy: np.ndarray, payoffs: np.ndarray, scale: np.ndarray) -> tuple[Any, np.ndarray, Any]:
    """What payoffs tell, of one game or of a stack: the value (in the units of payoffs), the slack (..., actions), and the margin."""
    parts = block_slices(game.blocks)
    best = [np.max(payoffs[..., part], axis=-1, keepdims=True) for part in parts]
    slack = np.concatenate([most - payoffs[..., part] for most, part in zip(best, parts, strict=True)], axis=-1)
    value = (best[0] / 2 - best[1] / 2)[..., 0] if len(best) > 1 else np.zeros(scale.shape)
    relative, played = slack / np.where(scale > 0, scale, 1.0)[..., None], policy > 0
    # The least probability of what is played, or slack of what is not; 0 where something that is played has slack, so that no claim rests on it.
    margin = np.min(np.where(played, policy, relative), axis=-1)
    return value, slack, np.where(np.any(played & (relative > SOLVED), axis=-1), 0.0, margin)


def equilibrium_of(
    game: Game, policy: np.ndarray, gap: float, error: float, value: Any, slack: np.ndarray, margin: Any, scale: float, **said: Any
) -> NashEquilibrium:
    """All that is known of a policy, and what its solver says, as one object."""
    return NashEquilibrium(
        policy=policy,
        value=float(value) + game.value_offset,
        gap=max(gap, 0.0),
        gap_error=error,
        slack=slack,
        margin=float(margin),
        converged=gap + error <= said["tolerance"],
        scale=scale,
        blocks=game.blocks,
        labels=game.labels,
        game=game.name,
        units=game.units,
        **said,
    )


def resolve_tolerance(game: Game, tolerance: float | None, scale: float | None = None) -> float:
    """The tolerance asked for, or the default: 1e-9 L (of payoffs that were looked at, where L is only bounded), or what can be certified where that is more.

    Raises
    ------
    InputError
        For a tolerance that is not positive, or below what certificates in floating point can meet.
    """
    require_positive(tolerance=tolerance)
    scale, players = float(game.scale) if scale is None else scale, game.players_per_block * len(game.blocks)
    # Twice the bound on what is added to a gap, and what the rounding of probabilities leaves of it anyway.
    rounding, largest = (0.0, scale) if _has_exact_gap(game) else (game.rounding, max(scale, float(game.largest_payoff)))
    certifiable = 2 * players * (rounding + 4 * UNIT * largest) if scale else 0.0
    if tolerance is None:
        return max(DEFAULT_TOLERANCE * (scale if game.scale_is_exact else _seen(game) or scale), certifiable)
    if tolerance < certifiable:
        raise InputError(f"A tolerance of {tolerance:.3g} is below what can be certified of {game.name} in floating point; ask for {certifiable:.2g} or more.")
    return float(tolerance)


def _seen(game: Game) -> float:
    """The largest payoff among some evenly spread actions: a bound on L from above may be far too large where one action is unlike all others."""
    return float(np.max(np.abs(game.restricted(np.unique(np.linspace(0, game.actions - 1, SEEN).astype(np.int64))))))


def _has_exact_gap(game: Game) -> bool:
    return isinstance(game, TableGame) and game.actions <= LARGEST_EXACT
