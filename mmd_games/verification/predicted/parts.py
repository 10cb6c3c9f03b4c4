"""What a prediction is made of: modes, and actions that die out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np


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
        Change of its log-odds against the support a unit, at most 0.
    """

    action: int
    label: str
    slack: float
    drift: float

    @property
    def factor(self) -> float:
        """exp(drift); 0 where that underflows."""
        return math.exp(self.drift)

    @property
    def exponent(self) -> float:
        """−drift."""
        return -self.drift

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**vars(self), "factor": self.factor}
