"""The methods with a magnet: presets of the log-linear family, with their defaults by theory.

A setting left at None is filled in by ``with_defaults(L)``, L being half the range of the payoffs; ``solve`` does so.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from mmd_games.algorithms.log_linear import LogLinear, NamedMethod, unit_of
from mmd_games.errors import InputError, require_positive, require_whole

RELATIVE_STRENGTH = 0.2
"""c of the default magnet strength α = c·L: the value that confirms most of the catalogue within the default budget (benchmarks/default_strength.py)."""

RELATIVE_STAGE = 2.0
"""k of the default stage length K = k/(ηα): a stage then brings KL to its regularised equilibrium down by e² at least; chosen on the same suite."""


def contracting_step(strength: float, unit: float) -> float:
    """α/L², the largest step that the contraction theorem covers; divided twice where L² would leave float64."""
    return strength / unit**2 if 1e-100 < unit < 1e100 else strength / unit / unit


class MagneticMethod(NamedMethod):
    """Shared by all methods with a magnet: the default strength, and the checks."""

    step_size: float | None
    magnet_strength: float | None

    def __post_init__(self) -> None:
        require_positive(step_size=self.step_size, magnet_strength=self.magnet_strength)

    def _filled(self: Any, **defaults: Any) -> Any:
        return replace(self, **{name: value for name, value in defaults.items() if getattr(self, name) is None})

    def _strength(self, scale: float) -> float:
        return RELATIVE_STRENGTH * unit_of(scale) if self.magnet_strength is None else self.magnet_strength


@dataclass(frozen=True, kw_only=True)
class MagneticPreferenceOptimization(MagneticMethod):
    r"""Magnetic Preference Optimization: Magnetic Mirror Descent whose magnet jumps to the policy every K steps.

    Each stage of :math:`K` steps approaches the equilibrium regularised towards the magnet; moving the magnet there makes the outer loop a proximal
    point method, whose last iterate converges linearly to a Nash equilibrium of the original game. Too small a :math:`K` diverges: for small
    :math:`\eta\alpha` and :math:`\eta\omega^2/\alpha`, where :math:`\omega` is the largest frequency at which the game rotates, roughly :math:`K > \sqrt{3/(\eta\alpha)}`
    is needed. No :math:`K` is large enough where the step is so large that the inner method diverges by itself: with MMD, where :math:`\eta(\omega^2 - \alpha^2) > 2\alpha`.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`\alpha/L^2`, the largest that the contraction theorem covers (with the PU inner solver :math:`1/(\alpha + 2L)`).
    magnet_strength : float, optional
        :math:`\alpha`, in units of payoff; default :math:`0.2\,L`.
    refresh_every : int, optional
        :math:`K`; default the larger of :math:`1.5\sqrt{3/(\eta\alpha)}` and :math:`2/(\eta\alpha)`, a stage that
        contracts KL by a fixed factor, and at least 3: with fewer, strong magnets diverge (K = 1 is multiplicative weights).
    inner : {"mmd", "pu"}
        The method inside a stage: Magnetic Mirror Descent, or the policy-update extragradient of :class:`PolicyUpdate`.

    References
    ----------
    Wang et al., "Magnetic Preference Optimization: Achieving Last-iterate Convergence for Language Model Alignment", ICLR 2025, arXiv 2410.16714.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    refresh_every: int | None = None
    inner: Literal["mmd", "pu"] = "mmd"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(refresh_every=self.refresh_every)
        require_inner_weight(self, explicit=self.inner == "pu")

    def with_defaults(self, scale: float) -> Self:
        """Fill in what is open, from L."""
        strength, unit = self._strength(scale), unit_of(scale)
        step_size = self.step_size or (contracting_step(strength, unit) if self.inner == "mmd" else 1.0 / (strength + 2.0 * unit))
        pull = max(step_size * strength, sys.float_info.min)
        stage = max(3, math.ceil(max(1.5 * math.sqrt(3.0 / pull), RELATIVE_STAGE / pull)))
        return self._filled(magnet_strength=strength, step_size=step_size, refresh_every=stage)

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        inner = {"mmd": {}, "pu": {"evaluation": "half_step", "explicit": True}}[self.inner]
        return LogLinear(step_size=self.step_size, magnet_strength=self.magnet_strength, magnet="refreshed", refresh_every=self.refresh_every or 0, **inner)


@dataclass(frozen=True, kw_only=True)
class MagneticMirrorDescent(MagneticMethod):
    r"""Magnetic Mirror Descent, with a magnet that is fixed, moving or annealed.

    A fixed magnet leads to the equilibrium regularised towards it (a logit quantal response equilibrium when it is uniform), whose gap in the original game
    is a plateau known in advance. Annealing the strength leads to the Nash equilibrium, slower than linearly.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`\alpha/L^2`.
    magnet_strength : float, optional
        :math:`\alpha`, in units of payoff; default :math:`0.2\,L` (annealed: :math:`L`, where it starts).
    magnet : {"fixed", "moving", "annealed"}
        Stays; follows the policy by a geometric moving average; stays while step size and strength fall as :math:`(1 + t)^{-p}`.
    reference : {"start", "uniform"}
        The first magnet.
    magnet_rate : float, optional
        Weight of the policy in the moving average; default :math:`\eta\alpha/2`. Only where the magnet moves.
    anneal_power : float, optional
        :math:`p`; default 0.5. Only where it is annealed.

    References
    ----------
    Sokota et al., ICLR 2023, arXiv 2206.05825, eq. 12; annealing and moving magnets in its experiments.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    magnet: Literal["fixed", "moving", "annealed"] = "fixed"
    reference: Literal["start", "uniform"] = "start"
    magnet_rate: float | None = None
    anneal_power: float | None = None
    _may_stay_open = ("magnet_rate", "anneal_power")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(magnet_rate=self.magnet_rate, anneal_power=self.anneal_power)
        if self.magnet_rate is not None and getattr(self.magnet_rate, "ndim", 0) == 0 and self.magnet_rate > 1:
            raise InputError(f"magnet_rate must be at most 1, got {self.magnet_rate!r}.")

    def _needs(self, setting: str) -> bool:
        return super()._needs(setting) or (self.magnet, setting) in (("moving", "magnet_rate"), ("annealed", "anneal_power"))

    def with_defaults(self, scale: float) -> Self:
        """Fill in what is open, from L."""
        unit = unit_of(scale)
        strength = unit if self.magnet == "annealed" and self.magnet_strength is None else self._strength(scale)
        step_size = self.step_size or contracting_step(strength, unit)
        own = {"fixed": {}, "moving": {"magnet_rate": min(1.0, step_size * strength / 2.0)}, "annealed": {"anneal_power": 0.5}}[self.magnet]
        return self._filled(magnet_strength=strength, step_size=step_size, **own)

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        power = self.anneal_power or 0.0 if self.magnet == "annealed" else 0.0
        return LogLinear(
            step_size=self.step_size,
            magnet_strength=self.magnet_strength,
            magnet="moving" if self.magnet == "moving" else "fixed",
            magnet_rate=0.0 if self.magnet_rate is None else self.magnet_rate,
            step_size_power=power,
            magnet_strength_power=power,
            uniform_reference=self.reference == "uniform",
        )


@dataclass(frozen=True, kw_only=True)
class PolicyUpdate(MagneticMethod):
    r"""PU, also known as EGPO: an extragradient step on the regularised game, both half steps from the same point.

    Parameters
    ----------
    step_size : float, optional
        :math:`\eta`; default :math:`1/(\alpha + 2L)`, for which KL to the regularised equilibrium falls by :math:`1 - \eta\alpha` a step.
    magnet_strength : float, optional
        :math:`\alpha`, in units of payoff; default :math:`0.2\,L`. :math:`\eta\alpha` may be at most 1.
    reference : {"start", "uniform"}
        The magnet.

    References
    ----------
    Cen et al., "Fast Policy Extragradient Methods for Competitive Games with Entropy Regularization", arXiv 2105.15186; as EGPO for preferences in arXiv 2503.08942.
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
        return self._filled(magnet_strength=strength, step_size=1.0 / (strength + 2.0 * unit_of(scale)))

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        return LogLinear(
            step_size=self.step_size,
            magnet_strength=self.magnet_strength,
            magnet="fixed",
            explicit=True,
            evaluation="half_step",
            uniform_reference=self.reference == "uniform",
        )


@dataclass(frozen=True, kw_only=True)
class NashMirrorDescent(MagneticMethod):
    r"""Nash-MD: a mirror step from, and against, the geometric mixture of the policy and the magnet.

    Parameters
    ----------
    step_size : float, optional
        A constant :math:`\eta`. By default :math:`\eta_t = 2/(\alpha (t + 2))`, with which the last iterate approaches the regularised equilibrium as 1/t; a
        constant one stops within :math:`O(\eta)` of it.
    magnet_strength : float, optional
        :math:`\alpha`, in units of payoff; default :math:`0.2\,L`. :math:`\eta\alpha` may be at most 1.
    reference : {"start", "uniform"}
        The magnet.

    References
    ----------
    Munos et al., "Nash Learning from Human Feedback", arXiv 2312.00886.
    """

    step_size: float | None = None
    magnet_strength: float | None = None
    reference: Literal["start", "uniform"] = "start"
    _may_stay_open = ("step_size",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_inner_weight(self, explicit=True)

    def with_defaults(self, scale: float) -> Self:
        """Fill in what is open, from L."""
        return self._filled(magnet_strength=self._strength(scale))

    def as_log_linear(self: Any) -> LogLinear:
        """The preset, with its settings."""
        decaying = self.step_size is None
        return LogLinear(
            step_size=1.0 / self.magnet_strength if decaying else self.step_size,
            magnet_strength=self.magnet_strength,
            magnet="fixed",
            explicit=True,
            evaluation="mixture",
            step_size_power=1.0 if decaying else 0.0,
            decay_time=2.0,
            uniform_reference=self.reference == "uniform",
        )


def require_inner_weight(method: Any, explicit: bool) -> None:
    """Refuse settings that are too much for the explicit form: it mixes the magnet in with weight ηα, which must not exceed 1."""
    step_size, strength = method.step_size, method.magnet_strength
    if not explicit or step_size is None or strength is None or getattr(step_size * strength, "ndim", 0):
        return
    if step_size * strength > 1:
        raise InputError(f"step_size × magnet_strength must be at most 1, got {step_size:g} × {strength:g} = {step_size * strength:g}.")
