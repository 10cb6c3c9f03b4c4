"""The methods without a magnet: presets of the log-linear family with one setting, the step size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mmd_games.algorithms.log_linear import LogLinear, NamedMethod, unit_of
from mmd_games.errors import require_positive


class _WithoutMagnet(NamedMethod):
    """Shared by the methods without a magnet: one setting, the step size, given as a multiple of 1/L."""

    step_size: float | None
    _default_step: float

    def __post_init__(self) -> None:
        require_positive(step_size=self.step_size)

    def with_defaults(self: Any, scale: float) -> Any:
        """Fill in what is open, from L."""
        return self if self.step_size is not None else replace(self, step_size=self._default_step / unit_of(scale))


@dataclass(frozen=True, kw_only=True)
class MultiplicativeWeights(_WithoutMagnet):
    r"""Multiplicative weights (Hedge): no magnet. The average iterate converges; the last one does not, unless the equilibrium is pure.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.1/L`.

    References
    ----------
    Freund & Schapire, "Adaptive game playing using multiplicative weights", Games and Economic Behavior 29, 1999.
    """

    step_size: float | None = None
    _default_step = 0.1

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        return LogLinear(step_size=self.step_size)


@dataclass(frozen=True, kw_only=True)
class OptimisticMultiplicativeWeights(_WithoutMagnet):
    r"""Optimistic multiplicative weights: the payoff is extrapolated one step ahead; one product a step.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.5/L`. Locally it converges while :math:`\eta\,\omega_{\max} < 1/\sqrt{3}`, and :math:`\omega_{\max} \le L`.

    References
    ----------
    Daskalakis & Panageas, arXiv 1807.04252; linear last-iterate convergence with a unique equilibrium in Wei et al., ICLR 2021, arXiv 2006.09517.
    """

    step_size: float | None = None
    _default_step = 0.5

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        return LogLinear(step_size=self.step_size, evaluation="extrapolated")


@dataclass(frozen=True, kw_only=True)
class Extragradient(_WithoutMagnet):
    r"""Extragradient in the entropic geometry (mirror-prox): the payoff is evaluated at a half step; two products a step.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`0.7/L`. Locally it converges while :math:`\eta\,\omega_{\max} < 1`, fastest for a mode with :math:`\eta\,\omega = 1/\sqrt{2}`.

    References
    ----------
    Korpelevich, 1976; Nemirovski, "Prox-method with rate of convergence O(1/t)", SIAM J. Optim. 15, 2004.
    """

    step_size: float | None = None
    _default_step = 0.7

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        return LogLinear(step_size=self.step_size, evaluation="half_step")
