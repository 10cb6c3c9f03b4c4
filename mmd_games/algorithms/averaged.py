"""Methods that are judged by an average of what they would play, and the averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.algorithms.method import Method
from mmd_games.algorithms.projections import log_of
from mmd_games.arrays import Array, log_normalise
from mmd_games.updates import optimistic_payoff, proximal_logits

Average = Literal["none", "uniform", "linear", "quadratic"]
"""How the policies 1, …, t are weighted: only the last one, all alike, as k, as k²."""
POWERS = {"uniform": 0, "linear": 1, "quadratic": 2}


def averaged(average: np.ndarray, policy: Array, number: int, power: int) -> np.ndarray:
    r"""The mean of policies 1, …, `number` with weights :math:`k^p`, from the mean of those before and the last one.

    Parameters
    ----------
    average : array (actions,)
        Of policies 1, …, number − 1; of no meaning where number is 1.
    policy : array (actions,)
    number, power : int
    """
    total = {0: number, 1: number * (number + 1) / 2, 2: number * (number + 1) * (2 * number + 1) / 6}[power]
    return average + (policy - average) * (number**power / total)


class AverageToLastState(NamedTuple):
    """The judged running average, its probabilities, the learner's own policy, and the payoffs and unfolded payoffs of the step before."""

    log_policy: Array
    average: np.ndarray
    log_learner: Array
    payoff: Array
    unfolded: Array
    steps: int


@dataclass(frozen=True, kw_only=True)
class AverageToLast(Method):
    r"""Optimistic multiplicative weights behind A2L: the running average is what is played, so that it is the last iterate; one product a step.

    A learner inside has policies :math:`x_t`; what is played is :math:`\bar x_t = \tfrac1t \sum_{k \le t} x_k`. As payoffs are linear, those of :math:`x_t` can be unfolded from
    those that were met, :math:`\hat u_t = t\,S \bar x_t - (t - 1)\,S \bar x_{t-1} = S x_t`, and the learner is optimistic multiplicative weights on them:
    :math:`\log x_{t+1} = \log x_t + \eta (2 \hat u_t - \hat u_{t-1})` with :math:`\hat u_0 = 0`. Its gap falls as :math:`\log d / T`: for :math:`\eta \le 1/(2L)` it is at most
    :math:`\tfrac1T \sum_\text{players} (\tfrac{\log d}{\eta} + \eta L^2)`.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.5/L`.

    References
    ----------
    Cai, Luo, Wei & Zheng, "From Average-Iterate to Last-Iterate Convergence in Games: A Reduction and Its Applications", NeurIPS 2025, arXiv 2506.03464. The reduction was read in
    a review of it; the bound with its constants is derived from the regret bound of optimistic follow-the-regularised-leader (Syrgkanis et al., arXiv 1507.00407, from memory).
    """

    step_size: float | None = None
    _defaults: ClassVar = {"step_size": (0.5, -1)}

    def init(self, log_policy: Array) -> AverageToLastState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        nothing = np.zeros_like(log_policy)
        return AverageToLastState(log_policy, np.exp(log_policy), log_policy, nothing, nothing, 0)

    def step(self: Any, state: AverageToLastState, payoffs: PayoffOracle) -> AverageToLastState:
        """The learner's step on the unfolded payoffs, and its policy put into the average."""
        number = state.steps + 1
        payoff = payoffs(state.log_policy)
        unfolded = number * payoff - (number - 1) * state.payoff
        change = optimistic_payoff(unfolded, state.unfolded)
        log_learner = log_normalise(proximal_logits(change, state.log_learner, 0.0, self.step_size, 0.0), payoffs.blocks)
        average = averaged(state.average, np.exp(log_learner), number + 1, 0)
        return AverageToLastState(log_of(average), average, log_learner, payoff, unfolded, number)
