r"""The game linearised at a policy: the modes in which play rotates around an equilibrium.

Near a policy p the payoffs of a log-policy :math:`\log p + \delta` change by :math:`S\,C(p)\,\delta`, :math:`C(p) = D - pp^\top`, :math:`D = \mathrm{diag}(p)`. In the
coordinates :math:`z = \Pi D^{1/2} \delta`, where :math:`\Pi` removes the direction :math:`\sqrt p` of each player (a constant in the logits), that map is the skew-symmetric
:math:`K = \Pi D^{1/2} S D^{1/2} \Pi`. Its eigenvalues are :math:`\pm i\omega`, its eigenvectors orthonormal; no rule here mixes them, so each has one multiplier.
Where no frequency is 0 the policy is the only equilibrium on its support; the number of those that are is the dimension of the set of equilibria.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmd_games.arrays import Blocks, block_slices, block_sum
from mmd_games.errors import InputError
from mmd_games.games.game import Game

LARGEST_SUPPORT = 3000
"""The eigenvectors of so many actions take minutes."""
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The modes of a game at a policy.

    Attributes
    ----------
    support : array (k,) of int
        The actions that take part, increasing.
    policy : array (k,)
        Their probabilities; each player's sum to 1.
    blocks : tuple of int
        How many of them each player has.
    frequencies : array (modes,)
        ω > 0, decreasing, in units of payoff; one of each pair ±iω.
    vectors : array (k, modes) of complex
        v with K v = iωv, of length one.
    zero_modes : int
        Directions in which payoffs do not change to first order, constants not counted.
    resolution : float
        Frequencies up to this are rounding.
    """

    support: np.ndarray
    policy: np.ndarray
    blocks: Blocks
    frequencies: np.ndarray
    vectors: np.ndarray
    zero_modes: int
    resolution: float

    def coordinates(self, log_policies: np.ndarray, log_target: np.ndarray) -> np.ndarray:
        """The z of log-policies, seen from a target: (..., actions) → (..., k)."""
        scaled = (log_policies[..., self.support] - log_target[self.support]) * np.sqrt(self.policy)
        return _without_constants(scaled, self.policy, self.blocks)

    def amplitudes(self, log_policies: np.ndarray, log_target: np.ndarray) -> np.ndarray:
        """The complex amplitude of each mode in log-policies: (..., actions) → (..., modes)."""
        return self.coordinates(log_policies, log_target) @ self.vectors.conj()


def spectrum_of(game: Game, policy: np.ndarray, support: np.ndarray) -> Spectrum:
    """The modes at a policy, among the actions of a support.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    policy : array (actions,)
        Normalised on the support here.
    support : array (k,) of int
        Increasing; at least one action of each player.

    Raises
    ------
    InputError
        For more than 3,000 actions.
    """
    if len(support) > LARGEST_SUPPORT:
        raise InputError(f"The modes of {len(support):,} actions would take too long: at most {LARGEST_SUPPORT:,} may be played.")
    ends = np.searchsorted(support, np.cumsum((0, *game.blocks)))
    blocks = tuple(np.diff(ends).tolist())
    played = policy[support]
    played = played / np.repeat(block_sum(played, blocks), blocks)
    single = len(blocks) == 1
    payoffs = game.restricted(support) if single else _between(game, support, blocks)
    # What is left of K by rounding: each entry is a sum over k, and no singular value exceeds the largest payoff.
    resolution = 4 * len(support) * EPS * float(np.max(np.abs(payoffs), initial=0.0))
    frequencies, vectors = _of_one_policy(payoffs, played) if single else _of_two_policies(payoffs, played, blocks)
    turning = frequencies > resolution
    count = int(np.count_nonzero(turning))
    return Spectrum(
        support=support,
        policy=played,
        blocks=blocks,
        frequencies=frequencies[turning],
        vectors=vectors[:, turning],
        zero_modes=len(support) - len(blocks) - 2 * count,
        resolution=resolution,
    )


def _between(game: Game, support: np.ndarray, blocks: Blocks) -> np.ndarray:
    """The row player's payoffs among the actions played; a constant, which no mode sees, is taken off so that it costs no digits."""
    rows, columns = (support[part] for part in block_slices(blocks))
    payoffs = game.table()[np.ix_(rows, columns - game.blocks[0])]
    return payoffs - (payoffs.max() / 2 + payoffs.min() / 2)


def _of_one_policy(payoffs: np.ndarray, policy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    root, size = np.sqrt(policy), (len(policy),)
    half = _without_constants(root[:, None] * payoffs * root, policy, size)
    skew = _without_constants(half.T, policy, size).T
    skew = skew / 2 - skew.T / 2
    # iK is Hermitian: K v = iωv is (iK) v = −ωv, and the eigenvalues come in increasing order.
    values, vectors = np.linalg.eigh(1j * skew)
    count = len(policy) // 2
    return -values[:count], vectors[:, :count]


def _of_two_policies(payoffs: np.ndarray, policy: np.ndarray, blocks: Blocks) -> tuple[np.ndarray, np.ndarray]:
    x, y = (policy[part] for part in block_slices(blocks))
    half = _without_constants(np.sqrt(x)[:, None] * payoffs * np.sqrt(y), y, (len(y),))
    left, values, right = np.linalg.svd(_without_constants(half.T, x, (len(x),)).T, full_matrices=False)
    # M w = σu and Mᵀu = σw make (−iu, w)/√2 an eigenvector of [[0, M], [−Mᵀ, 0]] with the eigenvalue iσ.
    return values, np.concatenate([-1j * left, right.T]) / np.sqrt(2.0)


def _without_constants(values: np.ndarray, policy: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Each player's direction √p removed: (..., k)."""
    root = np.sqrt(policy)
    shares = block_sum(values * root, blocks)
    return values - root * (shares if len(blocks) == 1 else np.repeat(shares, blocks, axis=-1))
