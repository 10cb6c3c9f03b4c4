r"""Methods of preference optimisation for language models, on tables: what each would do if its loss were fitted exactly.

Payoffs are win probabilities less one half, :math:`q = P\pi - \tfrac12`; a constant drops out of every policy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np

from mmd_games.algorithms.log_linear import LogLinear, PayoffOracle, unit_of
from mmd_games.algorithms.magnetic import MagneticMethod, contracting_step, require_inner_weight
from mmd_games.algorithms.magnetless import OptimisticMultiplicativeWeights
from mmd_games.algorithms.method import Method
from mmd_games.arrays import Array, block_slices, log_normalise


def explicit_step(strength: float, unit: float) -> float:
    """The largest explicit step size that the contraction theorem covers: η/(1 + ηα) at the implicit η = α/L²."""
    implicit = contracting_step(strength, unit)
    return implicit / (1.0 + implicit * strength)


@dataclass(frozen=True, kw_only=True)
class IterativeNashPolicyOptimization(MagneticMethod):
    r"""INPO: mirror descent on the game regularised towards a fixed reference; one product a step.

    .. math:: \log \pi^+ = (1 - \eta\alpha) \log \pi + \eta\alpha \log \rho + \eta q + \text{const}

    which is where its pairwise squared loss has its minimum. This is the magnetic step in its explicit form, that of Magnetic Mirror Descent at :math:`\eta/(1 - \eta\alpha)`:
    it goes to the regularised equilibrium.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`, the paper's 1/η; default :math:`\alpha / (L^2 + \alpha^2)`, the largest that the contraction theorem covers.
    magnet_strength : float, optional
        :math:`\alpha`, the paper's τ, in units of payoff; default :math:`0.2\,L`. :math:`\eta\alpha`, the paper's τ/η, may be at most 1.
    reference : {"start", "uniform"}
        The magnet.

    References
    ----------
    Zhang et al., "Iterative Nash Policy Optimization: Aligning LLMs with General Preferences via No-Regret Learning", ICLR 2025, arXiv 2407.00617 (abstract read; the loss as
    ``nash_loss`` in the program of COMAL).
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    reference: Literal["start", "uniform"] = "start"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_inner_weight(self, explicit=True)

    def with_defaults(self, scale: float) -> Self:
        """Fill in what is open, from L."""
        strength = self._strength(scale)
        return self._filled(magnet_strength=strength, step_size=explicit_step(strength, unit_of(scale)))

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        return LogLinear(
            step_size=self.step_size, magnet_strength=self.magnet_strength, magnet="fixed", explicit=True, uniform_reference=self.reference == "uniform"
        )


@dataclass(frozen=True, kw_only=True)
class NashMirrorProx(MagneticMethod):
    r"""Nash-MP: two proximal steps from the same point on the regularised game, the second along the payoffs of the first; two products a step.

    .. math:: \pi_{t+1/2} = \arg\max_\pi \langle \pi, q(\pi_t) \rangle - \alpha \mathrm{KL}(\pi \| \rho) - \tfrac1\eta \mathrm{KL}(\pi \| \pi_t), \qquad
        \pi_{t+1} = \arg\max_\pi \langle \pi, q(\pi_{t+1/2}) \rangle - \alpha \mathrm{KL}(\pi \| \rho) - \tfrac1\eta \mathrm{KL}(\pi \| \pi_t)

    KL to the regularised equilibrium falls by :math:`1/(1 + \eta\alpha)` a step for :math:`\eta \le 1/L`. :class:`PolicyUpdate` is its explicit form.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`1/L`, for win probabilities 2, with which the rate is the authors' :math:`(1 + 2\beta)^{-N/2}` in N products, their β being α.
    magnet_strength : float, optional
        :math:`\alpha`, in units of payoff; default :math:`0.2\,L`.
    reference : {"start", "uniform"}
        The magnet.

    References
    ----------
    Tiapkin et al., "Accelerating Nash Learning from Human Feedback via Mirror Prox", arXiv 2505.19731: abstract read. The update is derived, as the mirror-prox step of which the
    abstract speaks with the regulariser in its proximal operator; that it has the abstract's rate exactly speaks for it.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    reference: Literal["start", "uniform"] = "start"

    def with_defaults(self, scale: float) -> Self:
        """Fill in what is open, from L."""
        return self._filled(magnet_strength=self._strength(scale), step_size=1.0 / unit_of(scale))

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        return LogLinear(
            step_size=self.step_size,
            magnet_strength=self.magnet_strength,
            magnet="fixed",
            evaluation="half_step",
            uniform_reference=self.reference == "uniform",
        )


@dataclass(frozen=True, kw_only=True)
class OptimisticNashPolicyOptimization(OptimisticMultiplicativeWeights):
    r"""ONPO: optimistic online mirror descent in self-play, without a reference; one product a step.

    A base :math:`\hat\pi` takes mirror steps along the payoffs of the policy, and the policy is one step ahead of the base along the payoffs met last. As both
    steps are multiplicative this is :math:`\log \pi_{t+1} = \log \pi_t + \eta (2 q_t - q_{t-1})`, optimistic multiplicative weights (the first forecast is the first payoff).
    The authors bound the gap of the average, which every trace records: :math:`O(1/T)`.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`1/(\sqrt 8 L)`, the largest for which the regrets bound each other.

    References
    ----------
    Zhang et al., "Improving LLM General Preference Alignment via Optimistic Online Mirror Descent", arXiv 2502.16852 (abstract read; the update is derived from it). The step size:
    Syrgkanis et al., "Fast Convergence of Regularized Learning in Games", arXiv 1507.00407 (from memory).
    """

    _default_step = 1 / math.sqrt(8.0)


class SelfPlayState(NamedTuple):
    """The judged policy."""

    log_policy: Array


@dataclass(frozen=True, kw_only=True)
class SelfPlayPreferenceOptimization(Method):
    r"""SPPO: multiplicative weights in self-play, fitted with a constant in place of the normalisation; one product a step.

    Multiplicative weights would have :math:`\log \tfrac{\pi^+}{\pi} = \eta\,P\pi - \log Z`. SPPO puts :math:`\tfrac\eta2` for :math:`\log Z`, and fits
    :math:`\min_{\pi^+} \mathbb{E}_{y \sim \pi} \big(\log \tfrac{\pi^+}{\pi}(y) - \eta\,q(y)\big)^2`. No policy meets that target, since with it probabilities would sum to
    :math:`Z' = \sum \pi e^{\eta q} > 1`. Were the fit merely normalised afterwards, the constant would drop out and multiplicative weights be left. But the fit is one among *policies*,
    and its minimum lies elsewhere: with the residual :math:`r` its condition is :math:`r e^{-r} = c\,e^{\eta q}`, so

    .. math:: \pi^+ = \pi \, \frac{W(s\,e^{\eta q})}{s}, \qquad s > 0 \text{ such that } \sum \pi^+ = 1,

    with Lambert's function :math:`W`. That is multiplicative weights with what is gained or lost shrunk by a little: to leading order the step size is
    :math:`\eta (1 - \tfrac{\eta^2}{2} \mathrm{Var}_\pi q)`, off in the third order of :math:`\eta`. It is this minimum, over all policies and in expectation, that is played here.
    Like multiplicative weights it converges on average only.

    In a game of two different players the constant one half, the policy's own mean payoff in a symmetric game, becomes each player's mean payoff (derived: then payoffs
    matter up to a constant here, too).

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.1/L`, as for :class:`MultiplicativeWeights`. The authors' language models have 1000, at which no fit is near its minimum.

    References
    ----------
    Wu et al., "Self-Play Preference Optimization for Language Model Alignment", arXiv 2405.00675: the loss was read in the authors' program (``sppo_loss``), the approximation
    of log Z in reviews; where the minimum lies is derived.
    """

    step_size: float | None = None
    _defaults: ClassVar = {"step_size": (0.1, -1)}

    def init(self, log_policy: Array) -> SelfPlayState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        return SelfPlayState(log_policy)

    def step(self: Any, state: SelfPlayState, payoffs: PayoffOracle) -> SelfPlayState:
        """The policy with the least squared error."""
        log_policy, payoff = state.log_policy, payoffs(state.log_policy)
        logits = [log_policy[part] + _fitted(log_policy[part], self.step_size * payoff[part]) for part in block_slices(payoffs.blocks)]
        return SelfPlayState(log_normalise(np.concatenate(logits), payoffs.blocks))


def _fitted(log_policy: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The log-ratio with the least mean squared distance from the centred change among those that leave a policy, for one player.

    Newton's method on log Σπ W(s eᵃ) − log s as a function of log s, from log s = log log Σπeᵃ, which is never below the solution since W is concave.
    """
    from scipy.special import wrightomega  # imported where it is used, like all of SciPy

    policy = np.exp(log_policy)
    change = change - policy @ change
    top = np.max(log_policy + change)
    excess = top + math.log(np.sum(np.exp(log_policy + change - top)))
    if excess <= 0.0:  # by rounding: the change is the same for all actions that are played
        return change
    log_scale = math.log(excess)
    for _ in range(100):
        weight = wrightomega(log_scale + change)  # W(s eᵃ)
        total = policy @ weight
        error = math.log(total) - log_scale
        slope = policy @ (weight / (1.0 + weight)) / total - 1.0
        log_scale -= error / slope
        if abs(error) <= 1e-15 * abs(slope) or not math.isfinite(log_scale):
            break
    return change - wrightomega(log_scale + change)
