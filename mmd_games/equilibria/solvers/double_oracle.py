"""Double oracle: equilibria of games with millions of actions, few of which are ever played.

The game is solved on a small set of actions; the best answers to that solution, over all actions, join the set, and whenever the gap has halved those that lose
more than the best answer wins leave it; and so on until there is no better answer
(McMahan, Gordon and Blum, Planning in the Presence of Cost Functions Controlled by an Adversary, ICML 2003). A round costs one product over all actions.
It is for games in which few actions are played, as where some are better than most: where all are alike on the whole, half of them may be in the support.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmd_games.equilibria.solvers import interior_point
from mmd_games.equilibria.solvers.systems import SymmetricSystem

FIRST = 64
"""Actions of the first round, evenly spread."""
FEWEST_ADDED = 32
"""Answers that join in a round; as many as are played, where those are more."""
MOST_ROUNDS = 200
"""Rounds after which the best point is returned as it is."""
MOST_CONSIDERED = 4000
"""Actions beyond which it is, too: solving the restricted game costs their cube, and that so many are needed says that more will be."""


@dataclass(frozen=True)
class Solution:
    """The best policy over all rounds.

    Attributes
    ----------
    policy : array (actions,)
    rounds : int
        Products over all actions.
    considered : int
        Actions of the last restricted game.
    finished : bool
        Whether there was no better answer in the end.
    """

    policy: np.ndarray
    rounds: int
    considered: int
    finished: bool


def solve(
    count: int,
    payoffs: Callable[[np.ndarray], np.ndarray],
    restricted: Callable[[np.ndarray], np.ndarray],
    floor: float,
    warm_start: np.ndarray | None,
    progress: Callable[[int, int, float], None],
) -> Solution:
    """Solve a symmetric game through its products alone.

    Parameters
    ----------
    count : int
        Actions of the game.
    payoffs : callable (policy) -> array (count,)
        Sp.
    restricted : callable (actions) -> array (k, k)
        S among k actions, exactly skew-symmetric.
    floor : float
        A best answer that earns no more than this ends the rounds: the rounding of payoffs.
    warm_start : array (count,), optional
        A policy near the equilibrium, whose actions are in the first round.
    progress : callable (round, rounds expected at least, gap)
        Told after every round.
    """
    actions = np.unique(np.linspace(0, count - 1, min(FIRST, count)).astype(np.int64))
    if warm_start is not None:
        likeliest = np.argsort(-warm_start, kind="stable")[: MOST_CONSIDERED // 2]
        actions = np.union1d(actions, likeliest[warm_start[likeliest] > 0])
    best, least, pruned_at, rounds = np.zeros(0), np.inf, np.inf, 0
    while True:
        rounds += 1
        policy = np.zeros(count)
        policy[actions] = _equilibrium(restricted(actions))
        earned = payoffs(policy)
        most = float(np.max(earned))
        if most < least:
            best, least = policy, most
        considered, losing = len(actions), (earned[actions] < -most) & (policy[actions] == 0)
        earned[actions] = -np.inf
        if most <= pruned_at / 2:  # so rarely that it ends: between two prunings the set only grows
            actions, pruned_at = actions[~losing], most
        answers = _best(earned, max(FEWEST_ADDED, int(np.count_nonzero(policy))), floor)
        last = len(answers) == 0 or rounds == MOST_ROUNDS or len(actions) + len(answers) > MOST_CONSIDERED
        progress(rounds, rounds + (not last), 2 * most)
        if last:
            return Solution(best, rounds, considered, len(answers) == 0)
        actions = np.union1d(actions, answers)


def _equilibrium(matrix: np.ndarray) -> np.ndarray:
    largest = float(np.max(np.abs(matrix)))
    return np.full(len(matrix), 1 / len(matrix)) if largest == 0 else interior_point.solve(SymmetricSystem(matrix / largest)).policy


def _best(earned: np.ndarray, most: int, floor: float) -> np.ndarray:
    """At most so many actions, those that earn the most, of those that earn more than the floor."""
    answers = np.flatnonzero(earned > floor)
    return answers if len(answers) <= most else answers[np.argpartition(-earned[answers], most)[:most]]
