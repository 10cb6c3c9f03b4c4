r"""Many regularised equilibria of one game at once, from starts near them, by products alone.

Newton's method is that of :mod:`~mmd_games.equilibria.newton`; here its linear systems are not factorised. Less its mean a block, a step δ solves :math:`(I - K)\delta = r` with
:math:`K = \Pi M\,\mathrm{diag}(p)/\alpha`, M the skew matrix of the payoffs and Π what takes away the mean under p. In the inner product weighted by p, K is skew, and for the identity less a skew
operator Krylov's method needs three terms and one product an iteration (Concus and Golub; Widlund): the error falls by λ/(1 + √(1 + λ²)) at least, λ = ‖K‖ ≤ L/α. So the members of a stack share
products of matrices, and no system of n × n is made.

References
----------
Concus and Golub, "A generalized conjugate gradient method for nonsymmetric systems of linear equations", 1976.
Widlund, "A Lanczos method for a class of nonsymmetric systems of linear equations", SIAM Journal on Numerical Analysis 15, 1978.
Dembo, Eisenstat and Steihaug, "Inexact Newton methods", SIAM Journal on Numerical Analysis 19, 1982.
"""

from __future__ import annotations

import numpy as np

from mmd_games.arrays import block_slices, log_normalise
from mmd_games.equilibria.newton import LARGEST_MOVE
from mmd_games.games.game import Game

MOST_STEPS, MOST_PRODUCTS = 8, 60
"""Newton steps, and products of one of them, after which a member is given up: factorising its systems then is as cheap."""
ROUNDINGS, EPSILON = 4, np.finfo(np.float64).eps
"""At most so many roundings of the largest term enter a residual beside those of its payoff."""
LOOSEST, BELOW_ROUNDING = 0.1, 0.25
"""A step is solved to as small a part of its residual as that residual is, and to the first at least: so its error falls as the square of the last one, and no digit is computed that the next step
changes. Nor is any below the second part of what rounding makes of a residual."""


def regularised_equilibria_near(game: Game, strengths: np.ndarray, log_magnets: np.ndarray, log_starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The equilibria of a game regularised towards several magnets, where the starts are near enough for full Newton steps.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    strengths : array (members,)
        α > 0, in the game's units.
    log_magnets, log_starts : array (members, actions)
        Normalised log-policies; an action with −inf in a magnet is never played, one that it plays must have a finite start.

    Returns
    -------
    log_policies : array (members, actions)
    converged : array (members,) of bool
        Whether ℓ = log ρ + q(e^ℓ)/α + const holds up to what rounding explains. Others are no solutions, and not near one either.
    """
    found, converged, alphas = log_starts.copy(), np.zeros(len(log_starts), dtype=bool), np.asarray(strengths, dtype=np.float64)[:, None]
    left = np.flatnonzero(np.all(np.isfinite(log_starts) | np.isneginf(log_magnets), axis=-1))
    for taken in range(MOST_STEPS + 1):
        log_policies, log_magnet, alpha, played = found[left], log_magnets[left], alphas[left], np.isfinite(log_magnets[left])
        policies = np.exp(log_policies)
        with np.errstate(invalid="ignore"):  # −inf less −inf
            residuals = _centred(game, np.where(played, log_magnet + game.payoffs(policies) / alpha - log_policies, 0.0), policies)
        largest = sum(np.max(np.abs(logs), axis=-1, initial=1.0, where=played) for logs in (log_policies, log_magnet)) + game.largest_payoff / alpha[:, 0]
        explained = game.payoff_rounding / alpha[:, 0] + ROUNDINGS * EPSILON * largest
        done = np.max(np.abs(residuals), axis=-1, initial=0.0, where=played) <= explained
        converged[left[done]] = True
        if taken == MOST_STEPS or np.all(done):
            break
        left, log_policies, played = left[~done], log_policies[~done], played[~done]
        steps, usable = _newton_steps(game, policies[~done], alpha[~done], residuals[~done], BELOW_ROUNDING * explained[~done])
        usable &= np.max(np.abs(steps), axis=-1, initial=0.0, where=played) <= LARGEST_MOVE
        left = left[usable]
        found[left] = log_normalise(np.where(played, log_policies + steps, -np.inf)[usable], game.blocks)
    return found, converged


def _newton_steps(game: Game, policies: np.ndarray, alphas: np.ndarray, residuals: np.ndarray, negligible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solutions of (I − K)δ = r, each to the part of its residual that is asked or to a norm that is negligible, and which of them were found."""
    solutions, solved = np.zeros_like(residuals), np.zeros(len(residuals), dtype=bool)
    left, missing, weight = np.arange(len(residuals)), residuals, np.ones((len(residuals), 1))
    now = before = np.zeros_like(residuals)
    square = _squares(missing, policies)
    asked = np.maximum(square * np.minimum(square, LOOSEST**2), negligible[:, None] ** 2)
    for _ in range(MOST_PRODUCTS + 1):
        done = (square <= asked)[:, 0]
        if np.any(done):
            # What is missing, once more added, makes good what actions have that are hardly played, which the weighted norm does not see.
            solutions[left[done]], solved[left[done]] = (now + missing)[done], True
            if np.all(done):
                break
            left = left[~done]
            policies, alphas, residuals, missing, now, before, square, asked, weight = (
                each[~done] for each in (policies, alphas, residuals, missing, now, before, square, asked, weight)
            )
        now, before = before + weight * (missing + now - before), now
        missing = residuals - now + _centred(game, game.payoffs(policies * now) / alphas, policies)
        last, square = square, _squares(missing, policies)
        weight = 1.0 / (1.0 + square / last / weight)
    return solutions, solved


def _centred(game: Game, values: np.ndarray, policies: np.ndarray) -> np.ndarray:
    """The values less their mean over each block under a policy."""
    means = [_products(policies[:, part], values[:, part]) for part in block_slices(game.blocks)]
    return values - (means[0] if len(means) == 1 else np.repeat(np.concatenate(means, axis=-1), game.blocks, axis=-1))


def _squares(values: np.ndarray, policies: np.ndarray) -> np.ndarray:
    """Sum of the squares under a policy: (members, actions) → (members, 1)."""
    return _products(policies, values * values)


def _products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Inner product of each member: (members, actions) → (members, 1)."""
    return np.einsum("ij,ij->i", one, other)[:, None]
