r"""Regret matching+ and its kin: policies in proportion to what every action would have won.

All work on the instantaneous regrets :math:`r_t = q_t - \langle x_t, q_t \rangle 1`, a player at a time, and update all players at once. Where no regret is positive
the policy stays as it is; the authors play uniformly there, which would leave an equilibrium that is the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mmd_games.algorithms.averaged import POWERS, Average, averaged
from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.algorithms.method import Method
from mmd_games.algorithms.projections import log_of, project_above_simplices
from mmd_games.arrays import Array, Blocks, block_slices
from mmd_games.errors import require_share


class RegretState(NamedTuple):
    """The judged policy, the policy that is played next, what is judged as probabilities, the positive regrets of every player, and how many steps were taken."""

    log_policy: Array
    policy: np.ndarray
    average: np.ndarray
    regrets: np.ndarray
    steps: int


class SmoothState(NamedTuple):
    """The judged policy, the lifted policy it is the direction of, the lifted point that steps are taken from, and how often it was restarted."""

    log_policy: Array
    lifted: np.ndarray
    base: np.ndarray
    restarts: int


class _RegretMatching(Method):
    """Shared by the plain and the predictive form."""

    average: Average
    _predictive: ClassVar[bool]

    def init(self, log_policy: Array) -> RegretState:
        """The state before the first step, at a normalised log-policy."""
        policy = np.exp(log_policy)
        return RegretState(log_policy, policy, policy, np.zeros_like(log_policy), 0)

    def step(self, state: RegretState, payoffs: PayoffOracle) -> RegretState:
        """The regrets of the policy that is played, and the policy that they ask for."""
        blocks, number = payoffs.blocks, state.steps + 1
        regret = regrets_of(payoffs(log_of(state.policy)), state.policy, blocks)
        regrets = np.maximum(state.regrets + regret, 0.0)
        policy = in_proportion(np.maximum(regrets + regret, 0.0) if self._predictive else regrets, state.policy, blocks)
        average = policy if self.average == "none" else averaged(state.average, state.policy, number, POWERS[self.average])
        return RegretState(log_of(average), policy, average, regrets, number)


@dataclass(frozen=True, kw_only=True)
class RegretMatchingPlus(_RegretMatching):
    r"""Regret matching+: regrets are summed, cut off at zero, and played in proportion; no settings, one product a step.

    :math:`R_t = [R_{t-1} + r_t]^+`, and :math:`x_{t+1} \propto R_t`.

    Its average converges; its last iterate does not, on a 3×3 game already (Cai et al., arXiv 2311.00676, abstract read).

    Parameters
    ----------
    average : {"linear", "quadratic", "uniform", "none"}
        Which average of the policies that were played is judged; "none" is the policy that is played next.

    References
    ----------
    Tammelin, arXiv 1407.5042; linear averaging in Tammelin et al., "Solving Heads-up Limit Texas Hold'em", IJCAI 2015 (from memory; there players move in turn).
    """

    average: Average = "linear"
    _predictive: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class PredictiveRegretMatchingPlus(_RegretMatching):
    r"""Predictive regret matching+ (PRM+): regret matching+ that counts the last regret once more, as a forecast; no settings, one product a step.

    :math:`R_t = [R_{t-1} + r_t]^+` and :math:`x_{t+1} \propto [R_t + r_t]^+`: the forecast of the next payoff is the last one, against the policy that met it.

    Parameters
    ----------
    average : {"quadratic", "linear", "uniform", "none"}
        Which average of the policies that were played is judged; "none" is the policy that is played next.

    References
    ----------
    Farina, Kroer & Sandholm, "Faster Game Solving via Predictive Blackwell Approachability", AAAI 2021, arXiv 2007.14358, Algorithm 5 (read in the comments of a public
    implementation), with quadratic averaging as in its experiments (from memory; there players move in turn).
    """

    average: Average = "quadratic"
    _predictive: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class SmoothPredictiveRegretMatchingPlus(Method):
    r"""Smooth predictive regret matching+ (SPRM+) with restarts: the lifted policies keep away from the origin; one product a step.

    With :math:`\Pi` the projection onto :math:`\{R \ge 0, \sum_i R_i \ge 1\}`, a player at a time, and :math:`x = z / \lVert z \rVert_1`,

    .. math:: w_{t+1} = \Pi(w_t + \eta\,r(z_t)), \qquad z_{t+1} = \Pi(w_{t+1} + \eta\,r(z_t)).

    Where :math:`\lVert w_{t+1} - z_t \rVert + \lVert w_t - z_t \rVert \le 8 f^k`, both start anew from :math:`x_{t+1}`, whose norm is one, and k goes up by one. Without restarts norms
    grow and steps lose their effect; with them the last iterate converges linearly.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.1/L`. The authors' theorem asks for far less: one over some multiple of the largest number of actions times :math:`\lVert S \rVert_2`.
    restart_factor : float
        :math:`f`, by which the threshold falls at every restart.

    References
    ----------
    Farina, Grand-Clément, Kroer, Lee & Luo, "Regret Matching+: (In)Stability and Fast Convergence in Games", NeurIPS 2023, arXiv 2305.14709, Algorithm 2; restarts in Cai et al.,
    "Last-Iterate Convergence Properties of Regret-Matching Algorithms in Games", ICLR 2025, arXiv 2311.00676. Abstracts, reviews and the comments of a public implementation
    were read; the threshold 8/2^k and the point of the restart are from memory.
    """

    step_size: float | None = None
    restart_factor: float = 0.5
    _defaults: ClassVar = {"step_size": (0.1, -1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_share(restart_factor=self.restart_factor)

    def init(self, log_policy: Array) -> SmoothState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        policy = np.exp(log_policy)
        return SmoothState(log_policy, policy, policy, 0)

    def step(self: Any, state: SmoothState, payoffs: PayoffOracle) -> SmoothState:
        """The base's step, the forecast from there, and a restart where both hardly move."""
        blocks = payoffs.blocks
        change = self.step_size * regrets_of(payoffs(state.log_policy), np.exp(state.log_policy), blocks)
        base = project_above_simplices(state.base + change, blocks)
        lifted = project_above_simplices(base + change, blocks)
        policy = in_proportion(lifted, lifted, blocks)
        moved = np.linalg.norm(base - state.lifted) + np.linalg.norm(state.base - state.lifted)
        if moved <= 8.0 * self.restart_factor**state.restarts:
            return SmoothState(log_of(policy), policy, policy, state.restarts + 1)
        return SmoothState(log_of(policy), lifted, base, state.restarts)


def regrets_of(payoff: Array, policy: Array, blocks: Blocks) -> np.ndarray:
    """What each action wins over the policy, a player at a time."""
    return np.concatenate([payoff[part] - policy[part] @ payoff[part] for part in block_slices(blocks)])


def in_proportion(weights: np.ndarray, otherwise: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Every player's weights divided by their sum; where that is zero, the player's part of `otherwise`."""
    parts = [(weights[part], otherwise[part]) for part in block_slices(blocks)]
    return np.concatenate([weight / weight.sum() if weight.sum() > 0 else old for weight, old in parts])
