"""The last step of an interior point: once the support is known, its equations are solved to rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.equilibria.solvers.factors import factorise
from mmd_games.equilibria.solvers.systems import System

REGULARISATION = 1e-9
"""ε of the proximal steps: singular values far above it are solved for, those far below count as zero."""
PROXIMAL_STEPS = 4
"""The last of them only takes the rounding of the one before out."""
STRICT = 1e-12
"""Probabilities, and slacks for payoffs in [−1, 1], of more than this are told from zero."""
SOLVED = 1e-14
"""Gaps up to this many L are the rounding of products of up to some thousand terms."""


@dataclass(frozen=True)
class Polished:
    """A policy on a support.

    Attributes
    ----------
    policy : array (actions,)
    gap : float
    strict : bool
        Whether every action of the support is played, and every other one is worse: then the support is the largest of any equilibrium.
    """

    policy: np.ndarray
    gap: float
    strict: bool


def on_support(system: System, point: np.ndarray, played: np.ndarray) -> Polished | None:
    r"""The point nearest to `point`, in Euclidean norm, of the null space of K on its support; None where that is not a policy.

    Proximal steps :math:`z \leftarrow z + (\varepsilon - K_{BB})^{-1} K_{BB} z` leave the null space alone and take the rest down by
    :math:`\varepsilon / \sqrt{\varepsilon^2 + \sigma^2}` for each singular value σ. The matrix is never singular, so continua of equilibria need no
    decision about a rank. Residuals are taken from K, so the last step leaves them at rounding.
    """
    actions = np.flatnonzero(played)
    if len(actions) == 0:
        return None
    block = system.block(actions)
    shifted = np.array(-block, order="F")
    shifted[np.arange(len(actions)), np.arange(len(actions))] = REGULARISATION
    factors = factorise(shifted)
    if factors.singular:
        return None
    part = point[actions] / point[actions].sum()
    for _ in range(PROXIMAL_STEPS):
        part = part + factors.solve(block @ part)
        if not (np.all(part > 0) and part.sum() > 0.5):
            return None
        part = part / part.sum()
    solved = np.zeros_like(point)
    solved[actions] = part
    if not all(player.sum() > 0 for player in system.players(solved)):
        return None
    policy = system.policy(solved)
    payoffs = system.multiply(solved)
    gap = system.gap(policy)
    return Polished(policy, gap, gap <= SOLVED and bool(np.all(part > STRICT) and np.all(payoffs[~played] < -STRICT)))
