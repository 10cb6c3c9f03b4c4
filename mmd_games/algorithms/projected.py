r"""Methods in the Euclidean geometry: gradient steps on the probabilities themselves, projected back onto the simplices.

Their theory speaks of the largest singular value :math:`\lVert S \rVert_2` of the payoffs, which a method that sees only L = max|S| does not know:
:math:`L \le \lVert S \rVert_2 \le L \sqrt{mn}`. For n×n independent entries it grows as :math:`\sqrt n`; the defaults, multiples of 1/L, suit up to a hundred of them. Larger tables,
and those where many entries are as large as the largest in a pattern, want smaller steps; small ones bear larger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.algorithms.method import Method
from mmd_games.algorithms.projections import log_of, project_to_simplices
from mmd_games.arrays import Array
from mmd_games.errors import require_whole


class ProjectedState(NamedTuple):
    """The judged policy, its probabilities, and the point that steps are taken from."""

    log_policy: Array
    policy: np.ndarray
    base: np.ndarray


class AnchoredState(NamedTuple):
    """The judged policy, its probabilities, the present anchor, the first one, and how many steps were taken."""

    log_policy: Array
    policy: np.ndarray
    anchor: np.ndarray
    first_anchor: np.ndarray
    steps: int


@dataclass(frozen=True, kw_only=True)
class OptimisticGradientAscent(Method):
    r"""Projected optimistic gradient descent ascent (OGDA): the last payoff is the forecast of the next; one product a step.

    .. math:: \hat x_{t+1} = \Pi(\hat x_t + \eta q(x_t)), \qquad x_{t+1} = \Pi(\hat x_{t+1} + \eta q(x_t)), \qquad x_1 = \hat x_1

    :math:`x_t` is what is played, and judged. The last iterate converges linearly to an equilibrium of any matrix game, unique or not.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.05/L`. The authors' theorem asks for :math:`\eta \le 1/(8 \lVert S \rVert_2)`.

    References
    ----------
    Popov, 1980; Wei, Lee, Zhang & Luo, "Linear Last-iterate Convergence in Constrained Saddle-point Optimization", ICLR 2021, arXiv 2006.09517. The update and the
    condition are from memory: neither text was read.
    """

    step_size: float | None = None
    _defaults: ClassVar = {"step_size": (0.05, -1)}

    def init(self, log_policy: Array) -> ProjectedState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        policy = np.exp(log_policy)
        return ProjectedState(log_policy, policy, policy)

    def step(self: Any, state: ProjectedState, payoffs: PayoffOracle) -> ProjectedState:
        """A step of the base along the payoffs that were met, and the policy as far again from there."""
        change = self.step_size * payoffs(state.log_policy)
        base = project_to_simplices(state.base + change, payoffs.blocks)
        policy = project_to_simplices(base + change, payoffs.blocks)
        return ProjectedState(log_of(policy), policy, base)


@dataclass(frozen=True, kw_only=True)
class ProjectedExtragradient(Method):
    r"""Extragradient in the Euclidean geometry, as it was first proposed; two products a step.

    .. math:: h_t = \Pi(x_t + \eta q(x_t)), \qquad x_{t+1} = \Pi(x_t + \eta q(h_t))

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.1/L`. It converges for :math:`\eta < 1/\lVert S \rVert_2`.

    References
    ----------
    Korpelevich, "The extragradient method for finding saddle points and other problems", Matecon 12, 1976 (from memory; the text was not read).
    """

    step_size: float | None = None
    _defaults: ClassVar = {"step_size": (0.1, -1)}
    products_per_step: ClassVar[int] = 2

    def init(self, log_policy: Array) -> ProjectedState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        policy = np.exp(log_policy)
        return ProjectedState(log_policy, policy, policy)

    def step(self: Any, state: ProjectedState, payoffs: PayoffOracle) -> ProjectedState:
        """A half step, and the whole one along the payoffs met there."""
        half = project_to_simplices(state.base + self.step_size * payoffs(state.log_policy), payoffs.blocks)
        policy = project_to_simplices(state.base + self.step_size * payoffs(log_of(half)), payoffs.blocks)
        return ProjectedState(log_of(policy), policy, policy)


@dataclass(frozen=True, kw_only=True)
class BoostedGradientAscent(Method):
    r"""Gradient ascent with boosting payoff perturbation (GABP): projected, pulled to an anchor that moves ever more slowly; one product a step.

    .. math:: x_{t+1} = \Pi\Big(x_t + \eta \big(q(x_t) - \mu (x_t - \tfrac{k \sigma_k + \sigma_1}{k + 1})\big)\Big)

    Every :math:`T_\sigma` steps :math:`k` goes up by one and :math:`\sigma_k` becomes the policy. The last iterate approaches the equilibrium as 1/t, up to a logarithm.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.025/L`. Theorem 4.1 asks for less than :math:`\mu / (\lVert S \rVert_2 + \mu)^2`.
    pull_strength : float, optional
        :math:`\mu`, in units of payoff; default :math:`L`: the theorem allows any.
    refresh_every : int
        :math:`T_\sigma`; the theorem has :math:`6 \ln(3(T + 1)) / \ln(1 + \eta\mu)` for a run of T steps.

    References
    ----------
    Abe, Sakamoto, Ariu & Iwasaki, "Boosting Perturbed Gradient Ascent for Last-Iterate Convergence in Games", ICLR 2025, arXiv 2410.02388: Algorithm 1, the form above, and
    Theorem 4.1 were read.
    """

    step_size: float | None = None
    pull_strength: float | None = None
    refresh_every: int = 100
    _defaults: ClassVar = {"step_size": (0.025, -1), "pull_strength": (1.0, 1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(refresh_every=self.refresh_every)

    def init(self, log_policy: Array) -> AnchoredState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        policy = np.exp(log_policy)
        return AnchoredState(log_policy, policy, policy, policy, 0)

    def step(self: Any, state: AnchoredState, payoffs: PayoffOracle) -> AnchoredState:
        """A perturbed gradient step, and a new anchor where it is due."""
        number = 1 + state.steps // self.refresh_every
        pulled_to = (number * state.anchor + state.first_anchor) / (number + 1)
        gradient = payoffs(state.log_policy) - self.pull_strength * (state.policy - pulled_to)
        policy = project_to_simplices(state.policy + self.step_size * gradient, payoffs.blocks)
        steps = state.steps + 1
        return AnchoredState(log_of(policy), policy, policy if steps % self.refresh_every == 0 else state.anchor, state.first_anchor, steps)
