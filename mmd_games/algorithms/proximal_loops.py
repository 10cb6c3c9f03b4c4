r"""The proximal outer loop under other names: regularise towards a policy, solve, move the policy there.

Magnetic Preference Optimization, COMAL, KL-APMD, NashPG and R-NaD share it. The others take the pull to the reference *explicitly*,

.. math:: \log \pi^+ = (1 - \eta\alpha) \log \pi + \eta\alpha \log \rho + \eta q + \text{const},

which is the implicit step at :math:`\eta/(1 - \eta\alpha)`, and differ from each other in their settings; R-NaD moves from one reference to the next gradually.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from mmd_games.algorithms.log_linear import LogLinear, PayoffOracle, mixture, unit_of
from mmd_games.algorithms.magnetic import RELATIVE_STAGE, MagneticMethod, require_inner_weight
from mmd_games.algorithms.method import Method
from mmd_games.algorithms.preference_optimization import explicit_step
from mmd_games.arrays import Array, log_normalise
from mmd_games.errors import require_whole
from mmd_games.updates import proximal_logits


def stage_length(step_size: float, strength: float, folds: float) -> int:
    """Steps after which a stage of explicit steps has brought KL down by e^folds at least, and never so few that the outer loop diverges."""
    weight = step_size * strength
    if weight >= 1.0:
        return 3
    pull = max(weight / (1.0 - weight), sys.float_info.min)
    return max(3, math.ceil(max(1.5 * math.sqrt(3.0 / pull), folds / math.log1p(pull))))


class ProximalLoop(MagneticMethod):
    """Shared by the methods that refresh a reference every K explicit steps: three settings, and where their defaults come from."""

    refresh_every: int | None
    _relative_strength: ClassVar[float]
    """Default strength in units of L."""
    _folds: ClassVar[float] = RELATIVE_STAGE
    """By how many e-folds a stage brings KL down at least."""
    _shortest: ClassVar[int] = 1
    """The authors' own number of steps, where theory does not ask for more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(refresh_every=self.refresh_every)
        require_inner_weight(self, explicit=True)

    def _default_step(self, strength: float, unit: float) -> float:
        return explicit_step(strength, unit)

    def with_defaults(self, scale: float) -> Self:
        """Fill in what is open, from L."""
        unit = unit_of(scale)
        strength = self._relative_strength * unit if self.magnet_strength is None else self.magnet_strength
        step_size = self.step_size or self._default_step(strength, unit)
        return self._filled(magnet_strength=strength, step_size=step_size, refresh_every=max(self._shortest, stage_length(step_size, strength, self._folds)))

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        return LogLinear(step_size=self.step_size, magnet_strength=self.magnet_strength, magnet="refreshed", refresh_every=self.refresh_every, explicit=True)


@dataclass(frozen=True, kw_only=True)
class ConvergentMetaAlignment(ProximalLoop):
    r"""COMAL: the game regularised towards a reference is solved by INPO, then the reference becomes the solution; one product a step.

    KL to every Nash equilibrium never rises from one reference to the next, and the last iterate converges.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta` of INPO (the paper's 1/η); default: the authors' weight of the reference, :math:`\eta\alpha = 1/3`, and at most :math:`\alpha/(L^2 + \alpha^2)`.
    magnet_strength : float, optional
        :math:`\alpha` (the paper's τ), in units of payoff; default :math:`L/\sqrt 2`, the least for which the authors' weight contracts by theory.
    refresh_every : int, optional
        Steps of INPO between two references; default the authors' 12, or more where theory needs more.

    References
    ----------
    Liu et al., "COMAL: A Convergent Meta-Algorithm for Aligning LLMs with General Preferences", arXiv 2410.23223: abstract, and the authors' program (``nash_loss``,
    ``tau_eta_ratio`` 1/3, ``UPDATE_INTERVAL`` 12) were read.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    refresh_every: int | None = None
    _relative_strength: ClassVar[float] = 1 / math.sqrt(2.0)
    _shortest: ClassVar[int] = 12

    def _default_step(self, strength: float, unit: float) -> float:
        return min(explicit_step(strength, unit), 1.0 / (3.0 * strength))


@dataclass(frozen=True, kw_only=True)
class AdaptivelyPerturbedMirrorDescent(ProximalLoop):
    r"""KL-APMD: entropic mirror descent on payoffs that are perturbed by the KL divergence from a slingshot, which jumps to the policy; one product a step.

    :math:`\pi^+ \propto \pi\,e^{\eta (q - \alpha \log(\pi/\sigma))}`, and :math:`\sigma \leftarrow \pi` every :math:`T_\sigma` steps. The authors' other geometry and divergences are not here.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`\alpha/(L^2 + \alpha^2)`, which at the default strength is the authors' 0.1 but for one percent.
    magnet_strength : float, optional
        :math:`\alpha`, the paper's μ, in units of payoff; default the authors' :math:`0.1\,L`.
    refresh_every : int, optional
        :math:`T_\sigma`; default the authors' 100, or more where theory needs more.

    References
    ----------
    Abe, Ariu, Sakamoto & Iwasaki, "Adaptively Perturbed Mirror Descent for Learning in Games", ICML 2024, arXiv 2305.16610: abstract, the authors' program (``apmd.py`` with
    ``regularizer=entropy``, ``perturbation_divergence=kl``, and its settings for full feedback), and when the slingshot moves in their arXiv 2410.02388, were read.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    refresh_every: int | None = None
    _relative_strength: ClassVar[float] = 0.1
    _folds: ClassVar[float] = 0.0
    _shortest: ClassVar[int] = 100


@dataclass(frozen=True, kw_only=True)
class NashPolicyGradient(ProximalLoop):
    r"""NashPG: policy gradient on a game with a strong KL pull to a reference, which is refined again and again; one product a step.

    On tables the policy gradient is the natural one, :math:`\theta^+ = \theta + \eta (q - \alpha \log(\pi/\rho))` in the logits (derived: the paper's gradients are those of
    networks, and its theory takes each stage for solved). So a stage here is long.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`\alpha/(L^2 + \alpha^2)`, at the default strength :math:`1/(2L)`.
    magnet_strength : float, optional
        :math:`\alpha`, in units of payoff; default :math:`L`: the authors fix it "at a large value for robustness".
    refresh_every : int, optional
        Steps between two references; default such that KL falls by e¹⁰ in a stage at least.

    References
    ----------
    Yu et al., "Nash Policy Gradient: A Policy Gradient Method with Iteratively Refined Regularization for Finding Nash Equilibria", arXiv 2510.18183 (abstract and a review
    read).
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    refresh_every: int | None = None
    _relative_strength: ClassVar[float] = 1.0
    _folds: ClassVar[float] = 10.0


class RegularisedState(NamedTuple):
    """The judged policy, the reference and the one before it, and how many steps were taken."""

    log_policy: Array
    log_reference: Array
    log_previous: Array
    steps: int


@dataclass(frozen=True, kw_only=True)
class RegularisedNashDynamics(Method):
    r"""R-NaD: replicator dynamics on rewards that are lowered by the log-ratio to a reference, stage after stage; one product a step.

    :math:`\log \pi^+ = \log \pi + \eta (q - \alpha \log(\pi/\rho_n)) + \text{const}`: the discrete replicator dynamics (NeuRD) on the transformed reward. In step n of the K of stage m

    .. math:: \log \rho_n = \lambda_n \log \rho_m + (1 - \lambda_n) \log \rho_{m-1}, \qquad \lambda_n = \min(1, 2n/K),

    so that the reward moves from one reference to the next over the first half of a stage. The next reference is the policy at the end. Which differs from KL-APMD only
    in that, and in its settings.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.2/L`. :math:`\eta\alpha` may be at most 1.
    magnet_strength : float, optional
        :math:`\alpha`, the paper's η, in units of payoff; default the authors' :math:`0.2\,L`.
    refresh_every : int
        :math:`K`, steps of a stage; the authors' schedules are those of networks.

    References
    ----------
    Perolat et al., "From Poincaré Recurrence to Convergence in Imperfect Information Games", ICML 2021, arXiv 2002.08456 (from memory); "Mastering the Game of Stratego with Model-Free
    Multiagent Reinforcement Learning", Science 2022, arXiv 2206.15378, as its authors' ``rnad.py`` in OpenSpiel has it (``EntropySchedule``, ``eta_reward_transform``), which was
    read. Its clipping of logits and forces, target networks and sampled returns are left out.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    refresh_every: int = 100
    _defaults: ClassVar = {"step_size": (0.2, -1), "magnet_strength": (0.2, 1)}

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(refresh_every=self.refresh_every)
        require_inner_weight(self, explicit=True)

    def init(self, log_policy: Array) -> RegularisedState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        return RegularisedState(log_policy, log_policy, log_policy, 0)

    def step(self: Any, state: RegularisedState, payoffs: PayoffOracle) -> RegularisedState:
        """One step of the dynamics, and a new reference where it is due."""
        share = min(1.0, 2.0 * (state.steps % self.refresh_every) / self.refresh_every)
        log_reference = mixture(state.log_previous, state.log_reference, share) if share > 0 else state.log_previous
        base = mixture(state.log_policy, log_reference, self.step_size * self.magnet_strength)
        log_policy = log_normalise(proximal_logits(payoffs(state.log_policy), base, 0.0, self.step_size, 0.0), payoffs.blocks)
        steps = state.steps + 1
        if steps % self.refresh_every == 0:
            return RegularisedState(log_policy, log_policy, state.log_reference, steps)
        return RegularisedState(log_policy, state.log_reference, state.log_previous, steps)
