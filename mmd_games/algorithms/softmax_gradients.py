r"""Gradient methods on logits that use second derivatives: Hamiltonian gradient descent and consensus optimisation.

With :math:`\pi = \mathrm{softmax}(\theta)` a player, every player's gradient of its own payoff in its own logits is a part of :math:`\xi(\theta) = C(\pi) q`,
:math:`C(\pi) = \mathrm{diag}\,\pi - \pi \pi^\top`; a symmetric game in self-play is one block of it. The Jacobian is

.. math:: J = \partial\xi = D + C S C, \qquad D u = (C u) \circ (q - \langle \pi, q \rangle) - \pi \langle C u, q \rangle,

where :math:`D`, the second derivative of a softmax, is symmetric, and :math:`C S C` is skew as the payoffs are. So :math:`J^\top \xi = D \xi - C\,(S C \xi)`, and the one product in it is that of
:func:`~mmd_games.algorithms.directions.payoff_change`. :math:`\xi` vanishes at every vertex, too: these methods may end where no equilibrium is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from mmd_games.algorithms.directions import centred, payoff_change
from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.algorithms.method import Method
from mmd_games.arrays import Array, Blocks, block_slices, log_normalise, namespace


class LogitState(NamedTuple):
    """The judged policy, whose logarithm is the logits."""

    log_policy: Array


def gradient_and_hamiltonian(payoffs: PayoffOracle, log_policy: Array) -> tuple[Array, Array]:
    r"""The simultaneous gradient :math:`\xi`, and :math:`\nabla \tfrac12 \lVert \xi \rVert^2 = J^\top \xi`, for two products.

    Parameters
    ----------
    payoffs : PayoffOracle
    log_policy : array (actions,)
        Normalised.
    """
    xp, blocks, payoff = namespace(log_policy), payoffs.blocks, payoffs(log_policy)
    policy = xp.exp(log_policy)
    advantage = centred(payoff, policy, blocks)
    gradient = policy * advantage
    turned = policy * centred(gradient, policy, blocks)  # Cξ
    curved = turned * advantage - policy * _spread(turned * payoff, blocks)  # Dξ
    return gradient, curved - policy * centred(payoff_change(payoffs, log_policy, payoff, gradient), policy, blocks)


def _spread(values: Array, blocks: Blocks) -> Array:
    """For every action the sum over its player's block."""
    xp = namespace(values)
    return xp.concat([xp.zeros_like(values[part]) + xp.sum(values[part]) for part in block_slices(blocks)])


@dataclass(frozen=True, kw_only=True)
class HamiltonianDescent(Method):
    r"""Hamiltonian gradient descent on the logits: the squared length of the gradient is what descends; two products a step.

    :math:`\theta^+ = \theta - \eta \nabla \tfrac12 \lVert \xi \rVert^2`.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`, in units of inverse squared payoff; default :math:`4/L^2`.

    References
    ----------
    Abernethy, Lai & Wibisono, "Last-Iterate Convergence Rates for Min-Max Optimization: Convergence of Hamiltonian Gradient Descent and Consensus Optimization", ALT 2021, arXiv
    1906.02027 (abstract and summaries read). The authors' problem is unconstrained; the softmax parametrisation and its derivatives are derived here.
    """

    step_size: float | None = None
    _defaults: ClassVar = {"step_size": (4.0, -2)}
    products_per_step: ClassVar[int] = 2

    def init(self, log_policy: Array) -> LogitState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        return LogitState(log_policy)

    def step(self: Any, state: LogitState, payoffs: PayoffOracle) -> LogitState:
        """One descent step."""
        _, hamiltonian = gradient_and_hamiltonian(payoffs, state.log_policy)
        return LogitState(log_normalise(state.log_policy - self.step_size * hamiltonian, payoffs.blocks))


@dataclass(frozen=True, kw_only=True)
class ConsensusOptimization(Method):
    r"""Consensus optimisation on the logits: the gradient, and a descent of its squared length beside it; two products a step.

    :math:`\theta^+ = \theta + \eta (\xi - \gamma \nabla \tfrac12 \lVert \xi \rVert^2)`.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`1/L`.
    consensus : float, optional
        :math:`\gamma`, the weight of the Hamiltonian, in units of inverse payoff; default :math:`4/L`.

    References
    ----------
    Mescheder, Nowozin & Geiger, "The Numerics of GANs", NeurIPS 2017, arXiv 1705.10461 (from memory); Abernethy, Lai & Wibisono, arXiv 1906.02027, as for
    :class:`HamiltonianDescent`.
    """

    step_size: float | None = None
    consensus: float | None = None
    _defaults: ClassVar = {"step_size": (1.0, -1), "consensus": (4.0, -1)}
    products_per_step: ClassVar[int] = 2

    def init(self, log_policy: Array) -> LogitState:
        """The state before the first step, at a normalised log-policy."""
        self.complete()
        return LogitState(log_policy)

    def step(self: Any, state: LogitState, payoffs: PayoffOracle) -> LogitState:
        """One step up the gradient and down the Hamiltonian."""
        gradient, hamiltonian = gradient_and_hamiltonian(payoffs, state.log_policy)
        return LogitState(log_normalise(state.log_policy + self.step_size * (gradient - self.consensus * hamiltonian), payoffs.blocks))
