r"""A magnet that sets its own strength: MPO without a setting to tune.

From the magnet ρ, at strength α, the policy π goes by Newton steps towards the equilibrium regularised towards ρ. As soon as

.. math:: \mathrm{KL}(\pi\|\rho^+) \le \sigma\,\mathrm{KL}(\pi\|\rho), \qquad \log\rho^+ = \log\rho + S\pi/\alpha + \text{const},

the magnet moves to ρ⁺, and the next one is weaker where few steps were needed. Where they do not come that far, the strength is raised and the magnet stays. So each
magnet is as weak as the policy can still follow: near the equilibrium the strength goes to 0, and with it the factor of a refresh.

**What it preserves.** For every equilibrium π* with slacks d = −Sπ* ≥ 0 and every policy π whatever, however it was found,

.. math:: \mathrm{KL}(\pi^*\|\rho^+) = \mathrm{KL}(\pi^*\|\rho) - \mathrm{KL}(\pi\|\rho) + \mathrm{KL}(\pi\|\rho^+) - \tfrac{1}{\alpha}\langle d, \pi\rangle .

Proof: log ρ⁺ = log ρ + Sπ/α − Z, so KL(p‖ρ⁺) − KL(p‖ρ) = Z − ⟨p, Sπ⟩/α for every p; take p = π*, where ⟨π*, Sπ⟩ = ⟨d, π⟩, and p = π, where ⟨π, Sπ⟩ = 0, and
subtract. (Two players: the same with the profile; the values of the two cancel.) The rule for refreshing therefore makes KL(π*‖ρ) fall at every refresh by at
least (1 − σ)·KL(π‖ρ) + ⟨d, π⟩/α, to all equilibria at once: magnets are Fejér monotone and never leave the support of an equilibrium. An exact stage is the proximal
step with the factor 1/√(1 + ω²/α²) for a mode ω; as α goes to 0 it is faster than any line.

A relative error as the criterion is the hybrid proximal extragradient of Solodov & Svaiter (Set-Valued Analysis 7, 1999), here with KL; that the inner problem is solved by
Newton steps, on products alone, is this library's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from mmd_games.algorithms.directions import centred
from mmd_games.algorithms.log_linear import PayoffOracle
from mmd_games.algorithms.method import Method
from mmd_games.algorithms.minimal_residual import newton_change
from mmd_games.arrays import Array, kl, log_normalise

RELATIVE_ERROR = 0.5
"""σ: how far from its magnet's regularised equilibrium the policy may be when the magnet moves, relative to how far it moves."""
WEAKER = (6.0, 6.0, 3.0, 2.0)
"""By what the strength is divided at a refresh after so many Newton steps (0, 1, 2, 3); after more it stays."""
STRONGER = 4.0
"""By what it is multiplied where the Newton steps do not lead to a refresh."""
NEWTON_STEPS = 6
"""Newton steps at one strength, at most."""
ACCURACY = 0.03
"""Relative residual to which the linear system of a Newton step is solved."""
DIMENSIONS = 1000
"""Of the space in which it is solved, at most: so many vectors of the size of the policy are kept, twice. In a game of fewer actions as many as there are."""
RARE = 0.3
"""An action is rare below this times α/L: even twice as likely it moves no logit of the regularised equilibrium by more than this."""
BOUNDARY = 0.95
"""A Newton step takes at most so much of the probability of an action that is not rare."""
SHORTER, SHORTEST = 3.0, 0.1
"""A Newton step that does not lower the residual is divided by the first, until it is below the second of what it was."""
ROUNDINGS, AT_REST = 4, 64
"""Of the largest payoff: how many may enter the residual of a logit, times α; and the payoff of the best reply, less the mean, at an equilibrium."""
EPSILON = float(np.finfo(np.float64).eps)
WEAKEST = 1e-12
"""The smallest strength, relative to L: below, the rounding of the payoffs would move the logits."""


class AdaptiveState(NamedTuple):
    """Between two Newton steps: the policy and its payoffs where they are known, the magnet and its strength, and the Newton steps since they changed."""

    log_policy: np.ndarray
    payoff: Array
    log_magnet: np.ndarray
    magnet_strength: float
    newton_steps: int

    @property
    def step_size(self) -> float:
        """Of the magnet's step along the payoffs, 1/α."""
        return 1.0 / self.magnet_strength


@dataclass(frozen=True, kw_only=True)
class AdaptiveMPO(Method):
    r"""Magnetic Preference Optimization that sets its own strength and refreshes its magnet by relative error; nothing to tune.

    A step is one Newton step towards the regularised equilibrium, of as many products as its linear system takes, and one for every trial of its length. The policy that is
    judged is the iterate; the magnet moves at the beginning of a step, as the module's text says. Its constants are not settings: halving or doubling any of them changes the products to a gap of 1e-8 on
    24 games by a tenth at most, in the geometric mean (`benchmarks/adaptive_constants.py`).

    Payoffs are assumed exact: it looks at differences of them. Under noise the criterion fails, the strength goes up, and it becomes a cautious extragradient.

    Parameters
    ----------
    payoff_scale : float, optional
        L, in units of payoff, where the strength starts; no setting, but filled in from the game.

    Notes
    -----
    Memory: twice as many vectors as the linear system has dimensions, about as many as actions are played, at most `DIMENSIONS`. First-order methods keep a few vectors; to them a product is all
    that a step costs, here k dimensions cost n·k² operations beside their k products. And n products, at the n pure policies, would tell the whole of a table.

    References
    ----------
    The outer loop: Wang et al., arXiv 2410.16714. The criterion: Solodov & Svaiter, "A hybrid approximate extragradient-proximal point algorithm using the enlargement of a maximal
    monotone operator", Set-Valued Analysis 7, 1999.

    Examples
    --------
    >>> import mmd_games as mg
    >>> trace = mg.solve(mg.games.random(n=10, seed=0), mg.AdaptiveMPO(), until=1e-10)
    >>> trace.gap < 1e-10, int(trace.products[-1]) < 200
    (True, True)
    """

    payoff_scale: float | None = None
    _defaults: ClassVar = {"payoff_scale": (1.0, 1)}
    products_per_step: ClassVar[int] = 1
    """At least; most steps take several."""
    has_stages: ClassVar[bool] = True

    def init(self, log_policy: np.ndarray) -> AdaptiveState:
        """The state before the first step: the magnet is the start."""
        return AdaptiveState(log_policy, None, log_policy, float(self.complete().payoff_scale or 1.0), 0)

    def step(self, state: AdaptiveState, payoffs: PayoffOracle) -> AdaptiveState:
        """A refresh where it is due, and one Newton step; then more strength, where that led nowhere or there have been too many."""
        if state.payoff is None:
            state = state._replace(payoff=payoffs(state.log_policy))
        state = self._refreshed(state, payoffs)
        nearer = self._newton_step(state, payoffs)
        if nearer is None or (nearer.newton_steps >= NEWTON_STEPS and self._refreshed(nearer, payoffs) is nearer):
            return (nearer or state)._replace(magnet_strength=min(STRONGER * state.magnet_strength, self._strongest), newton_steps=0)
        return nearer

    @property
    def _strongest(self) -> float:
        return float(self.payoff_scale or 1.0)

    def _newton_step(self, state: AdaptiveState, payoffs: PayoffOracle) -> AdaptiveState | None:
        """The state after the longest Newton step that lowers KL(π‖ρ⁺), or allows a refresh; None where there is none."""
        strength, log_policy = state.magnet_strength, state.log_policy
        played, after = np.isfinite(log_policy), _magnet_after(state, payoffs)
        residual = np.where(played, after, 0.0) - np.where(played, log_policy, 0.0)
        change = newton_change(payoffs, log_policy, state.payoff, residual, strength, ACCURACY, min(len(log_policy), DIMENSIONS))
        level = math.log(RARE * strength / self._strongest)
        first = min(1.0, BOUNDARY / max(float(np.max(-change, where=log_policy >= level, initial=0.0)), BOUNDARY))
        error, length = float(kl(log_policy, after)), first
        while length > SHORTEST * first:
            tried = log_normalise(log_policy + _bounded(change, length, log_policy, level), payoffs.blocks)
            trial = AdaptiveState(tried, payoffs(tried), state.log_magnet, strength, state.newton_steps + 1)
            left = _error(trial, payoffs)
            if left <= (1.0 - SHORTEST * length) * error or left <= RELATIVE_ERROR * float(kl(tried, state.log_magnet)):
                return trial
            length /= SHORTER
        return None

    def _refreshed(self, state: AdaptiveState, payoffs: PayoffOracle) -> AdaptiveState:
        """The state with its magnet moved, where the policy is near enough to the magnet's regularised equilibrium; itself where it is not, or is an equilibrium to rounding.

        What rounding alone makes of KL(π‖ρ⁺) is near enough too: a policy at rest, of which an action that is all but absent is still the best reply, must not stop its magnet.
        """
        largest = float(np.max(np.abs(state.payoff))) + self._strongest
        move, error = float(kl(state.log_policy, state.log_magnet)), _error(state, payoffs)
        if error > RELATIVE_ERROR * move and error > (ROUNDINGS * EPSILON * largest / state.magnet_strength) ** 2:
            return state
        ahead = centred(state.payoff, np.exp(state.log_policy), payoffs.blocks)
        if float(np.max(ahead, where=np.isfinite(state.log_policy), initial=-np.inf)) <= AT_REST * EPSILON * largest:
            return state
        weaker = WEAKER[state.newton_steps] if state.newton_steps < len(WEAKER) else 1.0
        strength = max(state.magnet_strength / weaker, WEAKEST * self._strongest)
        return state._replace(log_magnet=_magnet_after(state, payoffs), magnet_strength=strength, newton_steps=0)


def _bounded(change: np.ndarray, length: float, log_policy: np.ndarray, level: float) -> np.ndarray:
    """What a Newton step of some length adds to the logarithms; actions below `level`, a logarithm, are rare.

    The linear system knows how payoffs move when an action's probability p moves by p·u, so common actions are moved by just that, and not by p·(e^u − 1): at weak
    strengths the difference would move every logit. Rare actions go all the way, which payoffs hardly see; but of one that comes in the system does not know what it will do
    to the others, so it comes no further than to where it starts to matter, or by p·u where that is more.
    """
    rare = log_policy < level
    in_proportion = np.log1p(length * np.where(rare, np.maximum(change, 0.0), change))
    entering = np.minimum(change, level - log_policy)
    return np.where(rare, np.where(change > 0, np.maximum(in_proportion, entering), change), in_proportion)


def _magnet_after(state: AdaptiveState, payoffs: PayoffOracle) -> np.ndarray:
    """Where the magnet would move now, log ρ⁺."""
    return log_normalise(state.log_magnet + state.payoff / state.magnet_strength, payoffs.blocks)


def _error(state: AdaptiveState, payoffs: PayoffOracle) -> float:
    """KL(π‖ρ⁺), which is 0 at the magnet's regularised equilibrium alone; 2α times it is the gap of the regularised game."""
    return float(kl(state.log_policy, _magnet_after(state, payoffs)))
