"""Where a game is linearised: an equilibrium, told apart into the actions that it plays, those that are worse, and those of which neither is known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import Array, block_slices
from mmd_games.equilibria import NashEquilibrium, nash, regularised_equilibrium
from mmd_games.equilibria.certificate import LARGEST_GAP, PROVEN, certified_again, larger_by
from mmd_games.errors import InputError
from mmd_games.games.game import Game, certified_gap, check_policy

APART = 100.0
"""A played action's probability exceeds its slack over L by this factor at least, and an unplayed one's slack its probability."""


@dataclass(frozen=True, eq=False)
class RestPoint:
    """An equilibrium.

    Attributes
    ----------
    policy : array (actions,)
        Zero off the support.
    support : array (k,) of int
    slack : array (actions,)
        In the game's units; 0 on the support.
    refused : str
        Why rates at it are not known; empty where they are.
    """

    policy: np.ndarray
    support: np.ndarray
    slack: np.ndarray
    refused: str = ""


def nash_point(game: Game, equilibrium: NashEquilibrium | None = None) -> RestPoint:
    """The Nash equilibrium of largest support, computed, or one that was computed before; refused where it is none, or not strictly complementary.

    Raises
    ------
    InputError
        For an equilibrium of another game.
    """
    # By its own tolerance: where it was found to a looser one, that is where the rate is asked for.
    found = nash(game) if equilibrium is None else certified_again(game, equilibrium, equilibrium.tolerance * larger_by(game, equilibrium))
    refused = ""
    if not found.converged:
        refused = f"no equilibrium was found to its tolerance, the best gap is {found.gap:.2g}."
    elif found.margin < PROVEN:
        refused = (
            "which actions an equilibrium plays is not known beyond rounding: "
            f"some action has neither a probability nor a slack over L of {PROVEN:g} and more, so this equilibrium may not be strictly complementary."
        )
    return RestPoint(found.policy, np.flatnonzero(found.policy > 0), np.where(found.policy > 0, 0.0, found.slack), refused)


def given_point(game: Game, at: Array) -> RestPoint:
    """A policy that is said to be an equilibrium.

    An action counts as played where its probability exceeds its slack over L a hundredfold, and as unplayed in the opposite case; the larger of the two
    must be at least √(gap/L), for the product of both is at most the gap over L. Where that leaves an action undecided, the point is refused.

    Raises
    ------
    InputError
        For what is no policy of the game, or one of a gap above 1e-9 L.
    """
    policy = np.asarray(check_policy(game, at), dtype=np.float64)
    if policy.ndim != 1:
        raise InputError(f"A rate is predicted at one policy of {game.actions} entries, got an array of shape {policy.shape}.")
    scale = float(game.scale)
    gap, error = certified_gap(game, policy)
    if gap - error > LARGEST_GAP * scale:
        raise InputError(
            f"The policy given as `at` is no equilibrium of {game.name}: its gap is {gap:.3g}, at most {LARGEST_GAP:g} L = {LARGEST_GAP * scale:.3g} would be right."
        )
    payoffs = game.certified_payoffs(policy)[0]
    slack = np.concatenate([np.max(payoffs[part]) - payoffs[part] for part in block_slices(game.blocks)])
    relative = slack / scale
    least = np.where((policy == 0) | (relative == 0), PROVEN, max(PROVEN, math.sqrt(max(gap, 0.0) / scale)))
    known = np.maximum(policy, relative) >= least
    played = policy >= APART * relative
    undecided = np.flatnonzero(~known | ~(played | (relative >= APART * policy)))
    refused = ""
    if len(undecided):
        index = int(undecided[0])
        refused = (
            f"whether the equilibrium plays action {index + 1} is not clear: its probability is {policy[index]:.2g} and its slack {relative[index]:.2g} L "
            f"({len(undecided)} such), so this equilibrium may not be strictly complementary."
        )
    support = np.flatnonzero(played) if not refused else np.flatnonzero(policy > 0)
    return RestPoint(np.where(played, policy, 0.0), support, np.where(played, 0.0, slack), refused)


def regularised_point(game: Game, strength: float, log_magnet: Array | None) -> tuple[RestPoint, np.ndarray]:
    """The equilibrium regularised towards a magnet, whose actions it all plays, and its log-policy."""
    found = regularised_equilibrium(game, magnet_strength=strength, log_magnet=log_magnet)
    refused = "" if found.converged else f"the regularised equilibrium was found to a KL residual of {found.residual:.2g} only."
    return RestPoint(found.policy, np.flatnonzero(np.isfinite(found.log_policy)), np.zeros(game.actions), refused), found.log_policy
