"""What is predicted of a run near its limit: one factor, and the modes and actions behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmd_games.digits import LARGEST_LOG
from mmd_games.errors import InputError, require_positive
from mmd_games.verification.predicted.listing import as_text, verdict
from mmd_games.verification.predicted.parts import Mode, OffSupportAction
from mmd_games.verification.predicted.spectrum import Spectrum

SCHEMA = "mmd_games.prediction/1"
STILL = 1e-14
"""An exponent of less than this a unit is the rounding of a multiplier."""


@dataclass(frozen=True, eq=False)
class RatePrediction:
    """How fast theory says that a run comes to its limit, once it is near.

    Attributes
    ----------
    game, algorithm : str
        The game's name, and the algorithm's spec with all settings.
    target : str
        What the run converges to: "nash", or with a fixed magnet the "regularised" equilibrium.
    unit : str
        What factors are counted in: "refresh" of the magnet, or "step".
    steps_per_unit, products_per_unit : int
    modes : tuple of Mode
        Slowest first. At a Nash equilibrium those of frequency 0 are not among them: nothing moves along the set of equilibria.
    zero_modes : int
        How many have frequency 0: at a Nash equilibrium the dimension of the set of equilibria.
    actions : tuple of OffSupportAction
        Slowest first, at most 10,000.
    log_target : array (actions,)
        The log-policy at which the game was linearised, −inf off the support.
    spectrum : Spectrum or None
        The coordinates of the modes, for comparison with a run.
    unique, strictly_complementary : bool
        Whether the target is the only equilibrium, and whether every unplayed action is worse than those played.
    assumptions : tuple of str
        What the prediction rests on, a sentence each.
    declined : str
        Why nothing is predicted; empty where something is.
    detail : str
        What decides, and what would converge where this does not, as a sentence.
    """

    game: str
    algorithm: str
    target: str = "nash"
    unit: str = "step"
    steps_per_unit: int = 1
    products_per_unit: int = 1
    modes: tuple[Mode, ...] = ()
    zero_modes: int = 0
    actions: tuple[OffSupportAction, ...] = ()
    log_target: np.ndarray = field(default_factory=lambda: np.zeros(0))
    spectrum: Spectrum | None = field(default=None, repr=False)
    unique: bool = False
    strictly_complementary: bool = False
    assumptions: tuple[str, ...] = ()
    declined: str = ""
    detail: str = ""

    @property
    def policy(self) -> np.ndarray:
        """The policy at which the game was linearised, (actions,)."""
        return np.exp(self.log_target)

    @property
    def support_size(self) -> int:
        """How many actions it plays."""
        return int(np.count_nonzero(np.isfinite(self.log_target)))

    @property
    def exponent(self) -> float | None:
        """−log of the factor a unit, which keeps its digits where the factor is near 0 or 1: the least of all modes and actions, 0 where there is none."""
        return None if self.declined else min((part.exponent for part in (*self.modes, *self.actions)), default=0.0)

    @property
    def factor(self) -> float | None:
        """Factor of the distance to the target a unit, and of the gap (to a regularised target: of the gap's difference from its plateau)."""
        return _factor(self.exponent)

    @property
    def kl_factor(self) -> float | None:
        """Factor of KL(target‖π) a unit: of second order in the modes, but of first in the mass of actions that die out."""
        if self.declined:
            return None
        return _factor(min((*(2 * mode.exponent for mode in self.modes), *(action.exponent for action in self.actions)), default=0.0))

    @property
    def rate(self) -> float | None:
        """Factor of distance and gap a step."""
        return _factor(self.exponent, self.steps_per_unit)

    @property
    def rate_per_product(self) -> float | None:
        """Factor of distance and gap a product: what one matrix-vector product for all players buys."""
        return _factor(self.exponent, self.products_per_unit)

    @property
    def kind(self) -> str:
        """What theory says: "linear", "diverges", "stands still" (an exponent of 0 to rounding), or "declined"."""
        if self.exponent is None:
            return "declined"
        return "linear" if self.exponent > STILL else "diverges" if self.exponent < -STILL else "stands still"

    @property
    def decided_by(self) -> str:
        """Whose factor is the largest: "modes" or "actions"; empty where there are neither."""
        slowest = min((*self.modes, *self.actions), key=lambda part: part.exponent, default=None)
        return "" if slowest is None else "modes" if isinstance(slowest, Mode) else "actions"

    @property
    def slowest_part(self) -> str:
        """What decides, in words; empty where there is nothing."""
        if not self.decided_by:
            return ""
        what = "the part that grows fastest is" if self.kind == "diverges" else "the slowest part is"
        if self.decided_by == "actions":
            return f"{what} an action that dies out"
        return f"{what} a rotation" if self.modes[0].frequency > 0 else f"{what} a direction in which payoffs do not change"

    def products_between(self, start_gap: float, gap: float) -> float:
        """Products that take a run from one gap to another, at the predicted factor; infinite where it does not converge.

        Parameters
        ----------
        start_gap, gap : float
            Positive, in any one unit; the run must be near its limit at both.

        Raises
        ------
        InputError
            For gaps that are not positive, or where nothing is predicted.
        """
        require_positive(start_gap=start_gap, gap=gap)
        if self.exponent is None:
            raise InputError(f"No rate is predicted of {self.algorithm} on {self.game}: {self.declined}")
        if self.kind != "linear":
            return math.inf
        return max(0.0, self.products_per_unit * (math.log(start_gap) - math.log(gap)) / self.exponent)

    def __repr__(self) -> str:
        return f"<RatePrediction {self.algorithm} on {self.game}: {verdict(self)}>"

    def __str__(self) -> str:
        return as_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON takes it: complex numbers as [real, imaginary], an infinite exponent as null."""
        plain = {"game", "algorithm", "target", "unit", "steps_per_unit", "products_per_unit", "zero_modes", "unique", "declined", "detail"}
        return {
            "schema": SCHEMA,
            **{name: value for name, value in vars(self).items() if name in plain},
            "kind": self.kind,
            "decided_by": self.decided_by,
            **{name: getattr(self, name) for name in ("factor", "kl_factor", "rate", "rate_per_product")},
            "exponent": _finite(self.exponent),
            "strictly_complementary": self.strictly_complementary,
            "support_size": self.support_size,
            "support_sizes": [] if self.spectrum is None else list(self.spectrum.blocks),
            "assumptions": list(self.assumptions),
            "modes": [mode.to_dict() for mode in self.modes],
            "actions": [action.to_dict() for action in self.actions],
        }

    @property
    def target_name(self) -> str:
        """The target in words."""
        if self.target == "regularised":
            return "equilibrium regularised towards the magnet"
        return "only Nash equilibrium" if self.unique else "Nash equilibrium"


def _factor(exponent: float | None, parts: int = 1) -> float | None:
    """exp(−exponent/parts), at most the largest float."""
    return None if exponent is None else math.exp(min(-exponent / parts, LARGEST_LOG))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
