"""The log-linear family: one step, three choices.

Every method here is *log π⁺ = proximal_logits(payoff, log π, log ρ)*. They differ in where the payoff is evaluated, in what the magnet does, and in
whether the pull to the magnet is implicit or explicit. :class:`LogLinear` holds the three choices; the named methods are presets of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

from mmd_games.arrays import Array, Blocks, log_normalise, namespace
from mmd_games.errors import InputError, require_whole
from mmd_games.updates import decayed, geometric_mixture, optimistic_payoff, proximal_logits

Evaluation = Literal["iterate", "extrapolated", "half_step", "mixture"]
"""Where the payoff is evaluated: at the iterate; there, extrapolated by the last one; at a half step; at the mixture with the magnet."""
Magnet = Literal["absent", "fixed", "refreshed", "moving"]
"""What the magnet does: nothing; stays; jumps to the policy every `refresh_every` steps; follows it by `magnet_rate` a step."""


class PayoffOracle(Protocol):
    """What an algorithm sees of a game: payoffs at a log-policy, one product a call, and where the players' blocks lie."""

    blocks: Blocks

    def __call__(self, log_policy: Array) -> Array:
        """Payoff of every action, (..., actions)."""
        ...


class State(NamedTuple):
    """Between two steps. `step_size` and `magnet_strength` are those of the next step."""

    log_policy: Array
    log_magnet: Array
    step_size: Array
    magnet_strength: Array
    steps: int
    previous_payoff: Array | None


@dataclass(frozen=True, kw_only=True)
class LogLinear:
    r"""A member of the family, by its choices.

    Attributes
    ----------
    step_size, magnet_strength : float
        :math:`\eta` and :math:`\alpha`; a stack of runs has arrays (batch, 1).
    evaluation : Evaluation
    magnet : Magnet
    explicit : bool
        Whether the pull is taken before the payoff (PU, Nash-MD) or with it (Magnetic Mirror Descent).
    refresh_every : int
        :math:`K`, steps between two refreshes, where the magnet is refreshed.
    magnet_rate : float
        Weight of the policy in the magnet's geometric moving average, where it moves.
    step_size_power, magnet_strength_power : float
        The settings decay as :math:`(1 + t/h)^{-p}`, with :math:`h` = `decay_time` steps.
    uniform_reference : bool
        Whether the first magnet is uniform; otherwise it is the start.
    """

    step_size: float
    magnet_strength: float = 0.0
    evaluation: Evaluation = "iterate"
    magnet: Magnet = "absent"
    explicit: bool = False
    refresh_every: int = 0
    magnet_rate: float = 0.0
    step_size_power: float = 0.0
    magnet_strength_power: float = 0.0
    decay_time: float = 1.0
    uniform_reference: bool = False

    def __post_init__(self) -> None:
        if self.magnet == "refreshed":
            require_whole(refresh_every=self.refresh_every)

    @property
    def products_per_step(self) -> int:
        """Payoff evaluations a step: 2 where a half step is taken."""
        return 2 if self.evaluation == "half_step" else 1

    @property
    def steady(self) -> bool:
        """Whether magnet and settings stand still between refreshes."""
        return self.magnet != "moving" and self.step_size_power == 0 and self.magnet_strength_power == 0

    def settings(self, steps: int) -> tuple[Array, Array]:
        """Step size and magnet strength of the step after `steps` steps."""
        if self.step_size_power == 0 and self.magnet_strength_power == 0:
            return self.step_size, self.magnet_strength
        return (
            decayed(self.step_size, steps, self.decay_time, self.step_size_power),
            decayed(self.magnet_strength, steps, self.decay_time, self.magnet_strength_power),
        )

    def init(self, log_policy: Array) -> State:
        """The state before the first step, at a normalised log-policy."""
        log_magnet: Array = log_policy
        if self.magnet == "absent":
            log_magnet = 0.0
        elif self.uniform_reference:
            log_magnet = namespace(log_policy).zeros_like(log_policy)
        return State(log_policy, log_magnet, *self.settings(0), 0, None)

    def step(self, state: State, payoffs: PayoffOracle) -> State:
        """One update of the policy, and of the magnet where it is due."""
        blocks, log_magnet, step_size, magnet_strength = payoffs.blocks, state.log_magnet, state.step_size, state.magnet_strength
        base, pull = state.log_policy, magnet_strength
        if self.explicit:
            base = log_normalise(mixture(base, log_magnet, step_size * magnet_strength), blocks)
            log_magnet, pull = 0.0, 0.0

        payoff = seen = payoffs(base if self.evaluation == "mixture" else state.log_policy)
        if self.evaluation == "extrapolated" and state.previous_payoff is not None:
            payoff = optimistic_payoff(seen, state.previous_payoff)
        log_policy = log_normalise(proximal_logits(payoff, base, log_magnet, step_size, pull), blocks)
        if self.evaluation == "half_step":
            payoff = payoffs(log_policy)
            log_policy = log_normalise(proximal_logits(payoff, base, log_magnet, step_size, pull), blocks)

        steps = state.steps + 1
        log_magnet = state.log_magnet
        if self.magnet == "refreshed" and steps % self.refresh_every == 0:
            log_magnet = log_policy
        elif self.magnet == "moving":
            log_magnet = log_normalise(mixture(log_magnet, log_policy, self.magnet_rate), blocks)
        return State(log_policy, log_magnet, *self.settings(steps), steps, seen if self.evaluation == "extrapolated" else None)


def mixture(log_policy: Array, log_magnet: Array, weight: Array) -> Array:
    """The geometric mixture; a weight of one forgets the policy, where 0·(−inf) would not."""
    if getattr(weight, "ndim", 0) == 0:
        return log_magnet if weight == 1.0 else geometric_mixture(log_policy, log_magnet, weight)
    return namespace(log_policy).where(weight == 1.0, log_magnet, geometric_mixture(log_policy, log_magnet, weight))


def unit_of(scale: float) -> float:
    """L, or 1 in a game without payoffs: there every policy is an equilibrium and any unit will do."""
    return scale if scale > 0 else 1.0


class NamedMethod(ABC):
    """A method under the name its authors gave it: a frozen record of scalars that knows which member of the family it is."""

    _may_stay_open: ClassVar[tuple[str, ...]] = ()
    """Settings for which None may be an answer."""

    @abstractmethod
    def with_defaults(self, scale: float) -> Self:
        """The same method with every setting filled in, by theory, from the game's scale L = max|S|."""

    @abstractmethod
    def as_log_linear(self: Any) -> LogLinear:
        """The member of the family that this is; every setting must be filled in."""

    def _needs(self, setting: str) -> bool:
        """Whether this method cannot run while the setting is None."""
        return setting not in self._may_stay_open

    @cached_property
    def log_linear(self) -> LogLinear:
        """The member of the family that this is, made once.

        Raises
        ------
        InputError
            When a setting still waits for its default.
        """
        open_settings = [name for name, value in vars(self).items() if value is None and self._needs(name)]
        if open_settings:
            raise InputError(f"{type(self).__name__} has no {', '.join(open_settings)} yet: give a number, or call with_defaults(game.scale).")
        return self.as_log_linear()

    @property
    def products_per_step(self) -> int:
        """Payoff evaluations (matrix-vector products) a step."""
        return self.log_linear.products_per_step

    def init(self, log_policy: Array) -> State:
        """The state before the first step, at a normalised log-policy."""
        return self.log_linear.init(log_policy)

    def step(self, state: State, payoffs: PayoffOracle) -> State:
        """One update, as :class:`LogLinear` makes it."""
        return self.log_linear.step(state, payoffs)
