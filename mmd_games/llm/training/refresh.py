r"""When the magnet moves: by schedule, or once the policy has come near what this magnet can give.

At the equilibrium regularised towards the magnet :math:`\alpha \log(\pi/\rho) = q` up to a constant. So
:math:`\mathrm{Var}(\alpha \log(\pi/\rho) - q)` over the completions of a prompt says how far the policy still is from it, in units of payoff; times
:math:`1/(2\alpha)` it is the regularised gap to second order. Payoffs are seen through a few opponents, whose noise would never let that variance come to
zero. Two halves of the opponents have noises of their own, so the *covariance* of the two residuals is free of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from mmd_games.llm.rivals import Group

MEMORY = 0.8
"""Weight of what was measured before in the running means: about five rollouts count."""


def progress_of(group: Group, magnet_strength: float) -> Tensor:
    r"""Sums over the groups of a rollout: (2,), the noise-free :math:`\mathrm{Var}(\alpha \log(\pi/\rho) - q)` and :math:`\mathrm{Var}(\alpha \log(\pi/\rho))`.

    Groups with a failed judgement are left out, and so are those of fewer than four, which have no two halves.
    """
    size = group.preference.shape[-1]
    whole = ~torch.isnan(group.preference).flatten(1).any(-1)
    if size < 4 or not bool(whole.any()):
        return torch.zeros(2, dtype=group.log_policy.dtype, device=group.log_policy.device)
    pull = magnet_strength * (group.log_policy - group.log_magnet)[whole]
    half = size // 2
    first, second = (part.mean(-1) for part in group.preference[whole].split([half, size - half], dim=-1))
    residuals = [pull - part for part in (first, second)]
    centred = [values - values.mean(-1, keepdim=True) for values in (*residuals, pull)]
    remaining, moved = (centred[0] * centred[1]).mean(-1), centred[2].square().mean(-1)
    return torch.stack([remaining.sum(), moved.sum()])


@dataclass
class RefreshRule:
    """Decides after every rollout whether the magnet moves.

    Attributes
    ----------
    every : int
        Rollouts between two refreshes; with `by_progress` the fewest. 0 is never.
    by_progress : bool
    tolerance : float
        How much of the way may remain, with `by_progress`.
    since : int
        Rollouts since the last refresh.
    remaining, moved : float
        Running means of :func:`progress_of` since the last refresh.
    """

    every: int
    by_progress: bool
    tolerance: float
    since: int = 0
    remaining: float = 0.0
    moved: float = 0.0

    @property
    def ratio(self) -> float:
        """How much of the way remains: 0 at the regularised equilibrium, infinite before the policy has left its magnet."""
        return max(self.remaining, 0.0) / self.moved if self.moved > 0 else float("inf")

    def due(self, remaining: float, moved: float) -> bool:
        """Count the rollout that just ended, with what it measured, and say whether the magnet moves now.

        Parameters
        ----------
        remaining, moved : float
            Sums of :func:`progress_of`, over all processes.
        """
        weight = MEMORY if self.since else 0.0
        self.remaining = weight * self.remaining + (1 - weight) * remaining
        self.moved = weight * self.moved + (1 - weight) * moved
        self.since += 1
        if not self.every or self.since < self.every or (self.by_progress and self.ratio > self.tolerance):
            return False
        self.since, self.remaining, self.moved = 0, 0.0, 0.0
        return True

    def state(self) -> dict[str, float]:
        """What changes, to be saved."""
        return {name: value for name, value in asdict(self).items() if name in ("since", "remaining", "moved")}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from a saved state."""
        self.since, self.remaining, self.moved = int(state["since"]), float(state["remaining"]), float(state["moved"])
