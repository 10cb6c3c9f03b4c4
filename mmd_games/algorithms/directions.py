"""Payoffs along a direction, for the price of one product: what methods need that look at the game's first derivatives."""

from __future__ import annotations

from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.arrays import Array, Blocks, block_slices, namespace

REACH = 0.5
"""How far, relative to the present probability, the policy at which the payoffs are evaluated is from it, at most."""


def centred(values: Array, policy: Array, blocks: Blocks) -> Array:
    """The values less their mean under the policy, a player: for a change u of the logits, C(π)u is the policy times this."""
    xp = namespace(values)
    parts = [values[..., part] - xp.sum(policy[..., part] * values[..., part], axis=-1, keepdims=True) for part in block_slices(blocks)]
    return xp.concat(parts, axis=-1) if len(parts) > 1 else parts[0]


def payoff_change(payoffs: PayoffOracle, log_policy: Array, payoff: Array, logit_change: Array) -> Array:
    r"""How the payoffs change along a change of the logits: :math:`S\,C(\pi)\,u`, with :math:`C(\pi) = \mathrm{diag}\,\pi - \pi\pi^\top`.

    Payoffs are linear in the policy, so this is a difference of two of them, and not an approximation: one at the policy and one at
    :math:`\pi\,(1 + t(u - \langle\pi, u\rangle))`, which is a policy for small :math:`t`. The second is as far from the first as `REACH` allows, so
    that rounding is that of the payoffs themselves.

    Parameters
    ----------
    payoffs : PayoffOracle
        Called once; not at all where the change is the same for all actions of a player.
    log_policy : array (..., n)
        Normalised.
    payoff : array (..., n)
        :math:`S\pi`, known already.
    logit_change : array (..., n)
        :math:`u`; finite.

    Returns
    -------
    array (..., n)
    """
    xp = namespace(log_policy)
    change = centred(logit_change, xp.exp(log_policy), payoffs.blocks)
    largest = xp.max(xp.abs(change), axis=-1, keepdims=True)
    if not bool(xp.any(largest > 0)):
        return xp.zeros_like(payoff)
    reach = REACH / xp.where(largest > 0, largest, xp.ones_like(largest))
    return (payoffs(log_policy + xp.log1p(reach * change)) - payoff) / reach
