"""Extragradient with AdaGrad-Norm step sizes: no constant of the game has to be known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.algorithms.method import Method
from mmd_games.algorithms.projections import log_of, project_to_simplices
from mmd_games.arrays import Array, Blocks, block_slices, log_normalise
from mmd_games.errors import require_positive
from mmd_games.updates import proximal_logits


class AdaGradState(NamedTuple):
    """The judged policy, the sum of the squares of payoff differences so far, and the step size of the step before."""

    log_policy: Array
    squares: float
    step_size: float


@dataclass(frozen=True, kw_only=True)
class AdaGradExtragradient(Method):
    r"""Extragradient (mirror-prox) whose step size falls with what the payoffs changed by from iterate to half step; two products a step.

    .. math:: \gamma_t = D \Big/ \sqrt{G_0^2 + \sum_{s < t} \lVert q(x_s) - q(h_s) \rVert_*^2}

    with the half step :math:`h_s`. On smooth games like these the step sizes settle at a positive limit.

    Parameters
    ----------
    geometry : {"projected", "entropic"}
        Euclidean steps, projected onto the simplices, with the Euclidean norm; or multiplicative ones, with the largest difference of a player (root of the sum of squares
        over players), dual to their ℓ₁ norm.
    diameter : float, optional
        :math:`D`; by default what the geometry has: :math:`\sqrt 2` a player, or :math:`\sqrt{2 \log n}` (root of the sum of squares over players).
    initial_gradient : float, optional
        :math:`G_0`, in units of payoff; default :math:`L`.

    References
    ----------
    Bach & Levy, "A Universal Algorithm for Variational Inequalities Adaptive to Smoothness and Noise", COLT 2019, arXiv 1902.01637: the scheme
    :math:`D/\sqrt{G_0^2 + \sum Z^2}` was read in notes on it; there :math:`Z` is made of distances between iterates, :math:`Z_s^2 = (\lVert h_s - x_s \rVert^2 + \lVert h_s - x_{s+1} \rVert^2)/(5
    \gamma_s^2)`. Payoff differences in its place: Antonakopoulos, Belmega & Mertikopoulos, "Adaptive extra-gradient methods for min-max optimization and games", ICLR 2021, arXiv
    2010.12100 (abstract read, the step size from memory; theirs has D = G₀ = 1). Both judge the average, whose gap every trace records beside the last iterate's.
    """

    geometry: Literal["projected", "entropic"] = "projected"
    diameter: float | None = None
    initial_gradient: float | None = None
    _defaults: ClassVar = {"initial_gradient": (1.0, 1)}
    products_per_step: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(diameter=self.diameter)

    def init(self, log_policy: Array) -> AdaGradState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        return AdaGradState(log_policy, 0.0, math.inf)

    def step(self: Any, state: AdaGradState, payoffs: PayoffOracle) -> AdaGradState:
        """One extragradient step at the present step size, and what it adds to the squares."""
        blocks = payoffs.blocks
        diameter = self._diameter(blocks) if self.diameter is None else self.diameter
        step_size = diameter / math.sqrt(self.initial_gradient**2 + state.squares)
        payoff = payoffs(state.log_policy)
        half_payoff = payoffs(self._moved(state.log_policy, step_size * payoff, blocks))
        log_policy = self._moved(state.log_policy, step_size * half_payoff, blocks)
        return AdaGradState(log_policy, state.squares + self._squared(payoff - half_payoff, blocks), step_size)

    def _diameter(self, blocks: Blocks) -> float:
        return math.sqrt(sum(2.0 if self.geometry == "projected" else 2.0 * math.log(max(size, 2)) for size in blocks))

    def _moved(self, log_policy: Array, change: Array, blocks: Blocks) -> Array:
        if self.geometry == "entropic":
            return log_normalise(proximal_logits(change, log_policy, 0.0, 1.0, 0.0), blocks)
        return log_of(project_to_simplices(np.exp(log_policy) + change, blocks))

    def _squared(self, difference: Array, blocks: Blocks) -> float:
        """The squared dual norm."""
        if self.geometry == "projected":
            return float(difference @ difference)
        return float(sum(np.max(np.abs(difference[part])) ** 2 for part in block_slices(blocks)))
