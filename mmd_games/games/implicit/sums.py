"""Sums of symmetric games: one part may be of low rank, another sparse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError
from mmd_games.games.game import Game, require_symmetric
from mmd_games.games.implicit.base import ImplicitGame
from mmd_games.games.rounding import SAFETY, UNIT


class SumGame(ImplicitGame):
    """The symmetric game whose payoffs are the sum of its parts' payoffs; ``game + game`` makes one too.

    A game of win probabilities enters with its payoffs, S = P − 1/2, and the units of a sum are payoffs. Sums of sums are flattened.

    Parameters
    ----------
    parts : sequence of Game
        Symmetric games of equally many actions, with stored tables or without; their labels, where they have any, must agree.
    name : str, optional
        What reports call the game; default the names of the parts with + between them.

    Raises
    ------
    InputError
        For parts that do not fit together.

    Examples
    --------
    >>> import mmd_games as mg
    >>> from mmd_games.games import LowRankGame
    >>> LowRankGame([[1, 0], [0, 1], [1, 1]], name="areas") + mg.games.rock_paper_scissors()
    <SumGame areas + rock_paper_scissors:wins=0.9/0.8/0.9 (3 × 3, symmetric, payoff, L = 1.4)>
    """

    def __init__(self, parts: Sequence[Game], name: str | None = None):
        self.parts = tuple(part for given in parts for part in (given.parts if isinstance(given, SumGame) else (given,)))
        if not self.parts:
            raise InputError("A sum of games needs at least one part.")
        first = self.parts[0]
        for part in self.parts:
            require_symmetric(part)
            if part.is_stack:
                raise InputError(f"{part.name} is a stack of games; a sum has single games as its parts.")
            if part.actions != first.actions:
                raise InputError(f"The parts of a sum must have equally many actions; {first.name} has {first.actions}, {part.name} has {part.actions}.")
        named = [part for part in self.parts if part.labels is not None]
        for part in named:
            if part.labels != named[0].labels:
                raise InputError(f"The parts of a sum must have the same actions in the same order; the labels of {named[0].name} and {part.name} differ.")
        super().__init__(first.actions, None, " + ".join(part.name for part in self.parts) if name is None else name)
        self.labels = named[0].labels if named else None
        self.notes = tuple(note for part in self.parts for note in part.notes)

    def payoffs(self, policy: Array) -> np.ndarray:
        """The sum of the parts' payoffs."""
        policies = np.asarray(policy, dtype=np.float64)
        received = np.array(self.parts[0].payoffs(policies))
        for part in self.parts[1:]:
            received += part.payoffs(policies)
        return received

    def certified_payoffs(self, policy: Array) -> tuple[np.ndarray, float]:
        """The sum of the parts' certified payoffs, with the sum of their bounds and the rounding of every addition."""
        received, error = self.parts[0].certified_payoffs(policy)
        for part in self.parts[1:]:
            more, its_error = part.certified_payoffs(policy)
            received = received + more
            error = SAFETY * (error + its_error + UNIT * float(np.max(np.abs(received))))
        return received, error

    def _with_additions(self, errors: Sequence[float]) -> float:
        """The errors of the parts' payoffs, and those of adding them up."""
        return SAFETY ** (len(self.parts) + 2) * (sum(errors) + (len(self.parts) - 1) * UNIT * sum(part.largest_payoff for part in self.parts))

    @property
    def payoff_rounding(self) -> float:
        """The sum of the parts' rounding, and that of the additions."""
        return self._with_additions([part.payoff_rounding for part in self.parts])

    @property
    def rounding(self) -> float:
        """The sum of the parts' rounding, and that of the additions."""
        return self._with_additions([part.rounding for part in self.parts])

    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """The sum of the parts' columns."""
        return np.sum([part.against(block, opponents) for part in self.parts], axis=0)

    def restricted(self, actions: Sequence[int] | np.ndarray) -> np.ndarray:
        """The sum of the parts' payoffs among the k listed actions: (k, k), exactly skew-symmetric."""
        return np.sum([part.restricted(actions) for part in self.parts], axis=0)

    def _scale_bound(self) -> float:
        return SAFETY * sum(float(part.scale) for part in self.parts)
