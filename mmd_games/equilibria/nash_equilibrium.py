"""A Nash equilibrium with its own certificate: how far it is from being one, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games.arrays import Blocks
from mmd_games.equilibria.listing import list_policy

if TYPE_CHECKING:
    from mmd_games.equilibria.exact.proof import ExactEquilibrium

LARGEST_LISTED = 10_000
"""Up to so many actions, JSON holds the probability and the slack of each; beyond it, of the support alone."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NashEquilibrium:
    """A Nash equilibrium and how far it is from being one.

    Attributes
    ----------
    policy : array (actions,)
        Probabilities, a block a player.
    value : float
        What the first player receives, in the user's units (0.5 for win probabilities); right to within the gap and its error.
    gap : float
        Duality gap of ``policy``, recomputed from the game over all its actions, in the game's units.
    gap_error : float
        Bound on the rounding error of ``gap``: the true one is at most ``gap + gap_error``.
    slack : array (actions,)
        What each action earns less than its player's best one, at least 0.
    margin : float
        The least of the probabilities that are positive and of the other actions' slacks over L. Where it is above rounding (1e-11 and more) the
        equilibrium is strictly complementary: its support is the largest of any (Goldman and Tucker), in this game or in one whose payoffs differ by less
        than 1e-14 L: in games of payoffs over many decades that may be another. 0 where an action of the support has slack.
    method : str
        How it was found.
    selection : str
        Which equilibrium it is where there are several: "largest support" ("support not proven the largest" where the margin is rounding),
        "maximum entropy", "vertex", or "one equilibrium", of which no more is known; in a constant game "every policy is an equilibrium".
    iterations : int
        Newton steps of an interior point, rounds of a double oracle; 0 for the linear program.
    tolerance : float
        The gap asked for, in the game's units.
    converged : bool
        ``gap + gap_error <= tolerance``; of the method "exact", also that there is a proof.
    scale : float
        L, half the range of the game's payoffs, or a bound on it.
    blocks, labels, game, units
        The game's sizes, names of actions, name and units.
    notes : tuple of str
        What happened on the way that a reader must know.
    proof : ExactEquilibrium, or None
        The equilibrium in rational numbers, of which ``policy`` is the rounding, and what is proved of it; of the method "exact" alone.
    """

    policy: np.ndarray
    value: float
    gap: float
    gap_error: float
    slack: np.ndarray
    margin: float
    method: str
    selection: str
    iterations: int
    tolerance: float
    converged: bool
    scale: float
    blocks: Blocks
    labels: tuple[tuple[str, ...], ...] | None
    game: str
    units: str
    notes: tuple[str, ...] = ()
    proof: ExactEquilibrium | None = None

    @cached_property
    def support(self) -> tuple[int, ...]:
        """Where ``policy`` is positive, counted from 0."""
        return tuple(np.flatnonzero(self.policy > 0).tolist())

    def __repr__(self) -> str:
        return f"<NashEquilibrium of {self.game}: {len(self.support):,} of {len(self.policy):,} actions, gap {self.gap:.3g} ± {self.gap_error:.1g}>"

    def __str__(self) -> str:
        missed = f"the gap is above the tolerance {self.tolerance:.3g}" if self.gap + self.gap_error > self.tolerance else "nothing is proved"
        state = "" if self.converged else f"\n  NOT CONVERGED: {missed}; this is the best point found"
        proved, fractions = ("", None) if self.proof is None else (f"\n  {self.proof}", self.proof.short_fractions())
        notes = "".join(f"\n  note: {note}" for note in self.notes)
        steps = f", {self.iterations:,} iterations" if self.iterations else ""
        return (
            f"Nash equilibrium of {self.game} ({self.method}, {self.selection}{steps}): {self._value()}, "
            f"{len(self.support):,} of {sum(self.blocks):,} actions played, {self._gap()} "
            f"({self.units}, L = {self.scale:.6g}){state}{proved}{notes}\n{list_policy(self.policy, self.blocks, self.labels, fractions)}"
        )

    def _value(self) -> str:
        """The value in the user's units; where something is proved of a table of payoffs in other units, in those as well."""
        if self.proof is None or float(self.proof.value) == self.value:
            return f"value {self.value:.9g}"
        return f"value {self.value:.9g} as {self.units}, {float(self.proof.value):.9g} as payoff (P − 1/2)"

    def _gap(self) -> str:
        """The duality gap with its error; that of the rational policies, where there are any, and that of their rounding."""
        rounded = f"{self.gap:.3g} ± {self.gap_error:.1g}"
        return f"duality gap {rounded}" if self.proof is None else f"duality gap exactly 0 (proved; {rounded} of the policy rounded to float64)"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON takes it; indices are counted from 0, ``gap_relative`` is the gap over L (0 in a constant game).

        Beyond 10,000 actions ``policy``, ``slack`` and ``labels`` are null: ``support`` and ``probabilities``, those of the support, say all.
        """
        listed = len(self.policy) <= LARGEST_LISTED
        return {
            "schema": "mmd_games.nash/3",
            "game": self.game,
            "units": self.units,
            "blocks": list(self.blocks),
            "labels": None if self.labels is None or not listed else [list(names) for names in self.labels],
            "method": self.method,
            "selection": self.selection,
            "iterations": self.iterations,
            "value": self.value,
            "gap": self.gap,
            "gap_error": self.gap_error,
            "gap_relative": self.gap / self.scale if self.scale > 0 else 0.0,
            "tolerance": self.tolerance,
            "converged": self.converged,
            "scale": self.scale,
            "margin": self.margin,
            "support": list(self.support),
            "probabilities": self.policy[list(self.support)].tolist(),
            "policy": self.policy.tolist() if listed else None,
            "slack": self.slack.tolist() if listed else None,
            "notes": list(self.notes),
            "proof": None if self.proof is None else self.proof.to_dict(),
        }
