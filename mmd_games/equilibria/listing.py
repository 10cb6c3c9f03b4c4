"""A policy as lines of text: the actions most played first."""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import Blocks, block_slices

LONGEST = 20
"""Actions listed for each player before the rest is only counted."""


def list_policy(policy: np.ndarray, blocks: Blocks, labels: tuple[tuple[str, ...], ...] | None, fractions: tuple[str, ...] | None = None) -> str:
    """The actions of positive probability, a line each, largest first; rows and columns without labels are counted from 1.

    Parameters
    ----------
    policy : array (actions,)
    blocks : tuple of int
    labels : tuple of tuple of str, or None
        Names of the actions, a tuple a block.
    fractions : tuple of str, optional
        What is written instead of each action's probability.
    """
    lines = []
    for block, part in enumerate(block_slices(blocks)):
        chances = policy[part]
        kind = ("row", "column")[block]
        if len(blocks) > 1:
            lines.append(f"  {kind} player")
        played = [int(action) for action in np.argsort(-chances, kind="stable") if chances[action] > 0]
        for action in played[:LONGEST]:
            name = f"{kind} {action + 1}" if labels is None else labels[block][action]
            chance = format(chances[action], ".6g") if fractions is None else fractions[part.start + action]
            lines.append(f"  {chance:>12}  {name}")
        if len(played) > LONGEST:
            rest = played[LONGEST:]
            lines.append(f"  {float(np.sum(chances[rest])):12.6g}  on {len(rest):,} more")
    return "\n".join(lines)
