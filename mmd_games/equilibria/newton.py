"""Newton's method for the regularised equilibrium, with continuation in the magnet's strength."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import Blocks, block_slices, log_normalise
from mmd_games.games.game import Game

LARGEST_MOVE, NEGLIGIBLE = 4.0, -10.0
"""A Newton step changes no log-probability by more than the first, counting only what is above the second (see `_step_length`)."""


@dataclass(frozen=True, eq=False)
class System:
    """The equations of the actions that the magnet plays."""

    matrix: np.ndarray
    """Payoff of each action against each other one: (actions, actions), each column centred within the blocks, which only changes c."""
    log_magnet: np.ndarray
    blocks: Blocks

    @classmethod
    def of(cls, game: Game, log_magnet: np.ndarray) -> System:
        """The system of a game; payoffs being linear in the profile, those of the pure ones are all of its matrix."""
        played = np.isfinite(log_magnet)
        matrix = game.payoffs(np.eye(game.actions)[played]).T[played]
        blocks = tuple(int(np.sum(played[part])) for part in block_slices(game.blocks))
        for part in block_slices(blocks):
            matrix[part] -= np.mean(matrix[part], axis=0)
        return cls(matrix, log_magnet[played], blocks)

    def continuation(self, strength: float, *, from_strength: float) -> tuple[np.ndarray, int]:
        """Lower the strength from `from_strength` in steps; the log-policy at the last one reached, and the linear systems solved."""
        reached, target, factor = math.inf, max(strength, from_strength), 1.5
        log_policy, total = self.log_magnet, 0
        while True:
            found, steps = self.newton(log_policy, target, at_most=12, to_the_end=target == strength)
            total += steps
            if found is not None:
                log_policy, reached = found, target
                if steps <= 4:
                    factor = min(factor**1.6, 20.0)
                elif steps >= 7:
                    factor = max(factor**0.7, 1.2)
            else:
                factor = 1 + (factor - 1) / 3
            if reached == strength or reached == math.inf or factor < 1 + 1e-6:
                return log_policy, total
            target = max(strength, reached / factor)

    def newton(self, log_policy: np.ndarray, strength: float, *, at_most: int, to_the_end: bool) -> tuple[np.ndarray | None, int]:
        """Newton's method at one strength: the solution, None where it was not found, and the linear systems solved.

        A solution on the way of the continuation need only be near enough for the next one. At the end a step of 1e-7 makes the
        next one rounding, convergence being quadratic; log-policies in the thousands (small α) are themselves rounded by ε of that.
        """
        count, players = len(log_policy), len(self.blocks)
        equations = np.zeros((count + players, count + players))
        equations[:count, count:] = np.repeat(np.eye(players), self.blocks, axis=0)
        for taken in range(1, at_most + 1):
            policy = np.exp(log_policy)
            missing = self.log_magnet + self.matrix @ policy / strength - log_policy
            equations[:count, :count] = np.eye(count) - self.matrix * (policy / strength)
            equations[count:, :count] = equations[:count, count:].T * policy
            step = np.linalg.solve(equations, np.append(missing, np.zeros(players)))[:count]
            length = _step_length(log_policy, step)
            log_policy = log_normalise(log_policy + length * step, self.blocks)
            small = max(1e-7, 100 * np.finfo(np.float64).eps * float(np.max(np.abs(log_policy))))
            if length == 1.0 and (np.max(np.abs(step)) <= small or (not to_the_end and _largest_move(log_policy, step) <= 0.3)):
                return log_policy, taken
        return None, at_most


def _step_length(log_policy: np.ndarray, step: np.ndarray) -> float:
    """The part of a Newton step to take: no log-probability may move by more than `LARGEST_MOVE` above `NEGLIGIBLE`.

    Below that a probability is so small that the equations are linear in its logarithm, and any step is right: what rises from below may
    cover all the way up to there, and what falls to below may fall as far as it wants.
    """
    rise = LARGEST_MOVE + np.maximum(0.0, NEGLIGIBLE - log_policy)
    fall = np.where(log_policy - LARGEST_MOVE > NEGLIGIBLE, LARGEST_MOVE, np.inf)
    allowed = np.where(step > 0, rise, fall)
    return 1.0 / max(1.0, float(np.max(np.abs(step) / allowed)))


def _largest_move(log_policy: np.ndarray, step: np.ndarray) -> float:
    """The largest change that `step` has brought to `log_policy`, counting only what is above `NEGLIGIBLE`."""
    return float(np.max(np.abs(np.maximum(log_policy, NEGLIGIBLE) - np.maximum(log_policy - step, NEGLIGIBLE))))
