"""The regularised equilibrium, to machine precision, and the duality gap it leaves in the original game."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmd_games.arrays import Array, Blocks, block_max, block_sum, kl, log_normalise, require_memory, uniform_log_policy
from mmd_games.equilibria.listing import list_policy
from mmd_games.equilibria.newton import System
from mmd_games.errors import InputError, require_positive
from mmd_games.games.game import Game, duality_gap

TOLERANCE = 1e-14
"""The KL residual below which an equilibrium counts as converged."""

WEAKEST = 1e-12
"""The smallest magnet strength, over L: log-policies are payoffs over it, of which float64 then leaves four digits behind the point."""

NORMALISED = 1e-6
"""The most by which the probabilities of a magnet may differ from a sum of 1."""

LARGEST_LOG = math.log1p(NORMALISED)
"""No log-probability of such a magnet is larger."""


@dataclass(frozen=True, eq=False)
class RegularisedEquilibrium:
    """Where both players' payoffs, less α KL(π‖ρ), are in equilibrium: π ∝ ρ·exp(payoffs(π)/α).

    Attributes
    ----------
    log_policy : array (actions,)
        −inf where the magnet is.
    magnet_strength : float
        α, in the game's units.
    log_magnet : array (actions,)
        log ρ.
    residual : float
        KL(π‖softmax(log ρ + payoffs(π)/α)), summed over the blocks: the regularised duality gap over α and the players a block stands for.
    gap : float
        Duality gap of π in the original game, in its units.
    newton_steps : int
        Linear systems solved.
    converged : bool
        ``residual <= 1e-14``.
    scale : float
        L, half the range of the game's payoffs.
    blocks, labels, game, units
        The game's sizes, names of actions, name and units.
    """

    log_policy: np.ndarray
    magnet_strength: float
    log_magnet: np.ndarray
    residual: float
    gap: float
    newton_steps: int
    converged: bool
    scale: float
    blocks: Blocks
    labels: tuple[tuple[str, ...], ...] | None
    game: str
    units: str

    @property
    def policy(self) -> np.ndarray:
        """Probabilities of all players' actions: (actions,)."""
        return np.exp(self.log_policy)

    def __str__(self) -> str:
        state = "" if self.converged else f"\n  NOT CONVERGED: the residual is above {TOLERANCE:g}"
        return (
            f"Regularised equilibrium of {self.game}: magnet strength {self.magnet_strength:.6g} ({self.units}, L = {self.scale:.6g}), "
            f"KL residual {self.residual:.3g}, {self.newton_steps} Newton steps, duality gap {self.gap:.9g} in the original game"
            f"{state}\n{list_policy(self.policy, self.blocks, self.labels)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON takes it: a log-probability of −inf is null, ``gap_relative`` is the gap over L (0 in a constant game)."""
        return {
            "schema": "mmd_games.regularised/1",
            "game": self.game,
            "units": self.units,
            "blocks": list(self.blocks),
            "labels": None if self.labels is None else [list(names) for names in self.labels],
            "magnet_strength": self.magnet_strength,
            "residual": self.residual,
            "gap": self.gap,
            "gap_relative": self.gap / self.scale if self.scale > 0 else 0.0,
            "newton_steps": self.newton_steps,
            "converged": self.converged,
            "scale": self.scale,
            "policy": self.policy.tolist(),
            "log_policy": _finite_or_none(self.log_policy),
            "log_magnet": _finite_or_none(self.log_magnet),
        }


def regularised_equilibrium(game: Game, *, magnet_strength: float, log_magnet: Array | None = None, log_start: Array | None = None) -> RegularisedEquilibrium:
    r"""The unique equilibrium of the game regularised by α KL(π‖ρ): what Magnetic Mirror Descent with a fixed magnet converges to.

    Newton's method on :math:`F(\ell) = \ell - \log\rho - q(e^\ell)/\alpha + c = 0`, :math:`\sum e^\ell = 1`, one constant c a block. The
    Jacobian :math:`I - M\,\mathrm{diag}(p)/\alpha`, M the skew matrix of the payoffs, has the eigenvalues
    :math:`1 \pm i\lambda/\alpha`, and with the normalisation as border it is never singular. Newton is local: α is lowered in steps from 2L,
    in longer ones while few iterations suffice, and the change of log-policies in one step is bounded.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    magnet_strength : float
        α > 0, in the game's units.
    log_magnet : array (actions,), optional
        Normalised log-probabilities, uniform by default. An action with −inf is never played.
    log_start : array (actions,), optional
        Log-policy or logits to start from, such as a nearby solution. Where Newton does not converge from there, α is lowered from 2L as without it.

    Returns
    -------
    RegularisedEquilibrium
        The best point found, with ``converged`` false where its residual is above 1e-14. Payoffs are rounded by ε·max|A|, log-policies by that
        over α: a constant of 1e6 L in all payoffs is seen in the residual below α = 1e-4 L.

    Raises
    ------
    InputError
        For a magnet strength that is not positive or below 1e-12 L, a magnet that is no log-policy of this game, a start of another
        length, or a stack of games.

    References
    ----------
    Sokota et al., "A Unified Approach to Reinforcement Learning, Quantal Response Equilibria, and Two-Player Zero-Sum Games", ICLR 2023.

    Examples
    --------
    >>> import mmd_games as mg
    >>> from mmd_games.equilibria import regularised_equilibrium
    >>> game = mg.PreferenceGame.from_payoffs([[0, -0.5, 0.5], [0.5, 0, -1 / 6], [-0.5, 1 / 6, 0]])
    >>> regularised_equilibrium(game, magnet_strength=0.1).policy.round(8).tolist()
    [0.17347803, 0.48630324, 0.34021873]
    """
    require_positive(magnet_strength=magnet_strength)
    if game.is_stack:
        raise InputError("A regularised equilibrium is computed of one game, not of a stack of games.")
    strength, scale = float(magnet_strength), float(game.scale)
    if strength < WEAKEST * scale:
        raise InputError(
            f"magnet_strength must be at least {WEAKEST:g} L = {WEAKEST * scale:.3g}: smaller ones leave log-policies no digits; got {strength:.3g}."
        )
    log_magnet = _check_magnet(game, log_magnet)
    played = np.isfinite(log_magnet)
    start = None if log_start is None else _check_length(game, log_start, "start")[played]
    require_memory(32.0 * game.actions**2, f"The regularised equilibrium of {game.name}")

    system = System.of(game, log_magnet)
    found, steps = None, 0
    if start is not None and np.all(np.isfinite(start)):
        found, steps = system.newton(log_normalise(start, system.blocks), strength, at_most=30, to_the_end=True)
    if found is None:
        found, more = system.continuation(strength, from_strength=2 * scale)
        steps += more

    log_policy = np.full(game.actions, -np.inf)
    log_policy[played] = found
    policy = np.exp(log_policy)
    residual = float(kl(log_policy, log_normalise(log_magnet + game.payoffs(policy) / strength, game.blocks)))
    return RegularisedEquilibrium(
        log_policy=log_policy,
        magnet_strength=strength,
        log_magnet=log_magnet,
        residual=residual,
        gap=max(float(duality_gap(game, policy)), 0.0),
        newton_steps=steps,
        converged=residual <= TOLERANCE,
        scale=scale,
        blocks=game.blocks,
        labels=game.labels,
        game=game.name,
        units=game.units,
    )


def plateau(game: Game, equilibrium: RegularisedEquilibrium) -> float:
    r"""The duality gap at which a fixed magnet stalls, from log-ratios alone: :math:`\sum \alpha\,[\max_i \log(\pi_i/\rho_i) - KL(\pi\|\rho)]`.

    The sum is over the players (twice the one block of a symmetric game). At the regularised equilibrium
    :math:`\alpha\log(\pi_i/\rho_i)` is the payoff of action i up to a constant, and ⟨π, payoffs⟩ sums to zero over the players: so this is the gap
    without any payoff being evaluated. Where the magnet excludes actions, it is the gap of the game without them.

    Parameters
    ----------
    game : Game
    equilibrium : RegularisedEquilibrium
        Of this game.
    """
    played = np.isfinite(equilibrium.log_magnet)
    ratios = np.where(played, equilibrium.log_policy, -np.inf) - np.where(played, equilibrium.log_magnet, 0.0)
    divergence = float(kl(equilibrium.log_policy, equilibrium.log_magnet))
    best = float(np.sum(block_max(ratios, game.blocks)))
    return game.players_per_block * equilibrium.magnet_strength * (best - divergence)


def _check_length(game: Game, values: Array, what: str) -> np.ndarray:
    actions = " + ".join(map(str, game.blocks))
    try:
        # Complex entries are refused, and not cut to their real parts.
        values = np.asarray(values).astype(np.float64, casting="same_kind") if np.iscomplexobj(values) else np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"The {what} is not made of numbers; {game.name} needs one log-probability for each of its {actions} actions.") from None
    if values.shape != (game.actions,):
        raise InputError(f"The {what} has shape {values.shape}; {game.name} needs one log-probability for each of its {actions} actions.")
    return values


def _check_magnet(game: Game, log_magnet: Array | None) -> np.ndarray:
    """The magnet as a normalised log-policy, or a sentence that says what is wrong with it."""
    if log_magnet is None:
        return uniform_log_policy(game.blocks)
    values = _check_length(game, log_magnet, "magnet")
    wrong = np.flatnonzero(~(values <= LARGEST_LOG))
    if len(wrong):
        raise InputError(
            f"Entry {wrong[0] + 1} of the magnet is {values[wrong[0]]:g}; a log-probability was expected: at most 0, and -inf for an action never played."
        )
    totals = block_sum(np.exp(values), game.blocks)
    if np.any(np.abs(totals - 1) > NORMALISED):
        worst = float(totals[np.argmax(np.abs(totals - 1))])
        raise InputError(f"The magnet must be a normalised log-policy, one for each player; exp of its entries sums to {worst:.9g}.")
    return log_normalise(values, game.blocks)


def _finite_or_none(values: np.ndarray) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]
