"""What a prediction is made of: modes, and actions that die out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SETTLED = 0.01
"""A drift within this part of the lasting one counts as it."""


@dataclass(frozen=True, eq=False)
class Mode:
    """One direction in which play rotates around the equilibrium.

    Attributes
    ----------
    frequency : float
        ω ≥ 0, in units of payoff.
    multiplier : complex
        By which its amplitude is multiplied a unit, in the long run.
    second : float
        Modulus of the next multiplier of the same mode, where a method remembers more than its policy (the last payoff, a moving magnet); else 0.
    vector : array (k,) of complex
        Of length one, over the support, see :class:`~mmd_games.verification.predicted.spectrum.Spectrum`; zero for the mode that stands for all of frequency 0.
    """

    frequency: float
    multiplier: complex
    second: float
    vector: np.ndarray = field(repr=False)

    @property
    def factor(self) -> float:
        """The modulus of the multiplier."""
        return abs(self.multiplier)

    @property
    def exponent(self) -> float:
        """−log of the factor: infinite where that is 0, negative where the mode grows."""
        return -math.log(self.factor) if self.factor > 0 else math.inf

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it: the multiplier as [real, imaginary], an infinite exponent as null."""
        return {
            "frequency": self.frequency,
            "multiplier": [self.multiplier.real, self.multiplier.imag],
            "factor": self.factor,
            "exponent": self.exponent if math.isfinite(self.exponent) else None,
        }


@dataclass(frozen=True)
class OffSupportAction:
    """An action that the equilibrium does not play, and how it dies out.

    Attributes
    ----------
    action : int
        Its place in the profile, counted from 0.
    label : str
    slack : float
        What it earns less than its player's best action, in the game's units.
    drift : float
        Change of its log-odds against the support a unit, at most 0, in the long run.
    second : float
        Where a magnet moves behind the policy: by how much a unit multiplies what its distance from the policy differs from the lasting one; else 0.
    excess : float
        By how much the first unit's drift, from where magnet and policy are one, exceeds the lasting one, relative to it.
    """

    action: int
    label: str
    slack: float
    drift: float
    second: float = 0.0
    excess: float = 0.0

    @property
    def factor(self) -> float:
        """exp(drift); 0 where that underflows."""
        return math.exp(self.drift)

    @property
    def exponent(self) -> float:
        """−drift."""
        return -self.drift

    @property
    def settles(self) -> float:
        """Units after which the drift is the lasting one to within 1%."""
        if self.excess <= SETTLED or self.second <= 0:
            return 0.0
        return math.log(self.excess / SETTLED) / -math.log(self.second) if self.second < 1 else math.inf

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {"action": self.action, "label": self.label, "slack": self.slack, "drift": self.drift, "factor": self.factor}
