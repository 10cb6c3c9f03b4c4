"""What an answer is worth: one ruler for all solvers, the certified duality gap of the game itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmd_games.arrays import block_slices
from mmd_games.games.game import Game, certified_gap

PLAYED = 1e-9
"""A peer's probability above this counts as played; of ours every positive one does."""
MISFIT = 1e-6
"""By so much an entry may be negative, or a sum differ from 1, in what still is a policy."""


def judge(game: Game, returned: Any, *, ours: bool) -> dict[str, Any]:
    """The gap and the support of what a solver returned.

    Probabilities that rounding made negative are put to zero, and each player's are divided by their sum. Of two policies for a symmetric game the better
    one is judged, for one is all that it needs.

    Parameters
    ----------
    game : Game
    returned : object
        Meant to be an array (actions,); of a symmetric game also (2·actions,), x then y.
    ours : bool
        Whether every positive probability counts as played.

    Returns
    -------
    dict
        ``gap``, certified, error included, relative to L, and ``support``. With ``flaw`` where the entries are no probabilities: then there may be
        neither. With ``problem`` and ``crashed`` alone where it is not even an array of that shape.
    """
    try:
        profile = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError):
        return {"problem": f"returned no array of numbers but {type(returned).__name__}", "crashed": True}
    symmetric = len(game.blocks) == 1
    if profile.shape != (game.actions,) and not (symmetric and profile.shape == (2 * game.actions,)):
        return {"problem": f"returned an array of shape {profile.shape}, not ({game.actions},)", "crashed": True}
    worths = [_worth(game, policy, ours) for policy in profile.reshape(-1, game.actions)]
    return min(worths, key=lambda worth: ("flaw" in worth, worth.get("gap", np.inf)))


def _worth(game: Game, policy: np.ndarray, ours: bool) -> dict[str, Any]:
    parts = block_slices(game.blocks)
    if not np.all(np.isfinite(policy)):
        return {"flaw": "entries that are not finite"}
    clipped = np.where(policy > 0, policy, 0.0)
    totals = [float(clipped[part].sum()) for part in parts]
    if not np.all(np.isfinite(totals)):
        return {"flaw": "entries too large to sum"}
    if min(totals) <= 0:
        return {"flaw": "no probabilities above 0"}
    for part, total in zip(parts, totals, strict=True):
        clipped[part] /= total
    gap, error = certified_gap(game, clipped)
    worth: dict[str, Any] = {
        "gap": max(gap + error, 0.0) / (float(game.scale) or 1.0),
        "support": int(np.count_nonzero(clipped > (0.0 if ours else PLAYED))),
    }
    off = max(float(-policy.min()), *(abs(float(policy[part].sum()) - 1.0) for part in parts))
    return worth | ({"flaw": f"entries negative, or a sum not 1, by {off:.1e}"} if off > MISFIT else {})
