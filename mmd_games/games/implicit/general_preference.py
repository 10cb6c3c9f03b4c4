"""The general preference model: win probabilities that are a logistic function of a skew form of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmd_games.arrays import Array
from mmd_games.errors import InputError, require_positive
from mmd_games.games.implicit.base import ImplicitGame, mirrored, one_policy
from mmd_games.games.implicit.low_rank import LowRankGame
from mmd_games.games.rounding import SAFETY, UNIT, gamma, slices

LARGEST_PRODUCT = 400_000_000
"""Most logistic functions evaluated for one product: a few seconds. Policies of up to `LARGEST_SUPPORT` actions are always served."""
LARGEST_SUPPORT = 4096
OPPONENTS = 512
"""Opponents taken together, so that a chunk of the products stays in the cache."""
TANH_ERROR = 16 * UNIT
"""Bound on the relative error of NumPy's tanh: 8 units of the last place, where vector code and C libraries stay within 4."""


class GeneralPreferenceGame(ImplicitGame):
    r"""i beats j with probability :math:`P_{ij} = \sigma(\langle R v_i, v_j \rangle / \tau)`, so :math:`S = P - \tfrac12 = \tfrac12 \tanh(\text{score} / 2\tau)`.

    The logistic function spoils the low rank, so payoffs cost one of it for every action and every action that the policy plays: n · support. Against
    policies with more than 4,096 actions in their support, products of more than 4·10⁸ are refused. Where some actions are better than most, equilibria play
    few, and ``mg.nash(game, method="double_oracle")`` needs only products of those; where none is, about half of all are played, as in a random game.

    Parameters
    ----------
    embeddings : array (n, d)
        As of :class:`LowRankGame`, whose payoffs are the scores here.
    mixing : array (d, d), optional
        R, skew-symmetric; default block-diagonal with blocks [[0, −1], [1, 0]].
    temperature : float
        τ, positive: scores well above it are nearly certain wins.
    labels : sequence of str, optional
        Names of the n actions.
    name : str, optional
        What reports call the game.

    Raises
    ------
    InputError
        As of :class:`LowRankGame`; and for a temperature that is not positive, or so small that scores overflow.

    References
    ----------
    Zhang et al., General Preference Modeling with Preference Representations for Aligning Language Models, arXiv 2410.02197.

    Examples
    --------
    >>> game = GeneralPreferenceGame([[1.0, 0.0], [0.0, 2.0], [-1.0, -1.0]], temperature=0.5)
    >>> (game.table() + 0.5).round(3).tolist()
    [[0.5, 0.982, 0.119], [0.018, 0.5, 0.982], [0.881, 0.018, 0.5]]
    """

    units = "win probability"
    value_offset = 0.5

    def __init__(
        self,
        embeddings: Array,
        mixing: Array | None = None,
        temperature: float = 1.0,
        labels: Sequence[str] | None = None,
        name: str = "a general preference game",
    ):
        require_positive(temperature=temperature)
        self.scores = LowRankGame(embeddings, mixing, name=f"the scores of {name}")
        super().__init__(self.scores.actions, labels, name)
        self.temperature = float(temperature)
        with np.errstate(over="ignore"):
            self._steepest = float(np.float64(self.scores.largest_product) / (2 * self.temperature))
        if not np.isfinite(self._steepest):
            raise InputError(
                f"The temperature {self.temperature:g} is too small for scores of up to {self.scores.largest_product:.3g}: their quotient overflows."
            )

    def payoffs(self, policy: Array) -> np.ndarray:
        """How much more often than half the time each action wins against the policy, or against each of a batch.

        Raises
        ------
        InputError
            For policies with so many actions in their support that a product would take minutes.
        """
        policies = np.asarray(policy, dtype=np.float64)
        batch = policies.reshape(-1, self.actions)
        played = np.flatnonzero(np.any(batch != 0, axis=0))
        self._require_affordable(len(played))
        received = np.zeros(batch.shape)
        for first in range(0, len(played), OPPONENTS):
            drawn = played[first : first + OPPONENTS]
            factors, weights = self._factors(drawn), batch[:, drawn].T / 2
            for rows in slices(self.actions, len(drawn)):
                arguments = self.scores.chunk(rows) @ factors
                received[:, rows] += (np.tanh(arguments, out=arguments) @ weights).T
        return received.reshape(policies.shape)

    def _require_affordable(self, support: int) -> None:
        if support > LARGEST_SUPPORT and support * self.actions > LARGEST_PRODUCT:
            raise InputError(
                f"Payoffs of {self.name} against a policy that plays {support:,} of its {self.actions:,} actions cost {support * self.actions:.1e} logistic "
                f"functions, more than the {LARGEST_PRODUCT:.0e} that are allowed: no low rank helps behind them. Its equilibrium plays few actions, and "
                'mg.nash(game, method="double_oracle") finds it by products with few.'
            )

    def _factors(self, opponents: np.ndarray) -> np.ndarray:
        """Rᵀv_j/(2τ) of some opponents, (d, len(opponents)): an embedding times these is the argument of tanh."""
        return (self.scores.opponents(opponents) / (2 * self.temperature)).T

    def certified_payoffs(self, policy: Array) -> tuple[np.ndarray, float]:
        """Payoffs in float64, with a proven bound on the error of every one."""
        probabilities = np.abs(one_policy(policy, self))
        played = np.flatnonzero(probabilities)
        received = self.payoffs(policy)
        steepness = 0.0
        for rows in slices(len(played), self.scores.dimensions):
            opponents = np.abs(self.scores.chunk(played[rows])) @ np.abs(self.scores.mixing)
            steepness += float(probabilities[played[rows]] @ np.linalg.norm(opponents, axis=1))
        steepness *= self.scores.reach / (2 * self.temperature)
        return received, self._error(len(played), steepness, float(np.sum(probabilities)))

    def _error(self, support: int, steepness: float, total: float) -> float:
        """Bound on the error of ½ Σ_j p_j tanh(x_ij), where Σ_j p_j·(absolute products in x_ij) ≤ steepness and Σ_j p_j = total.

        x_ij comes from two sums of d products and a division, and tanh, of slope at most 1, passes its error on; then the outer sum, by chunks, rounds.
        """
        inner = gamma(2 * self.scores.dimensions + 1) * steepness
        outer = gamma(min(support, OPPONENTS) + support // OPPONENTS + 2)
        return SAFETY**2 / 2 * (inner + (TANH_ERROR + outer) * total)

    @property
    def payoff_rounding(self) -> float:
        """Error bound with the largest support that is served."""
        served = max(LARGEST_SUPPORT, LARGEST_PRODUCT // self.actions)
        return self._error(min(self.actions, served), self._steepest, SAFETY)

    @property
    def rounding(self) -> float:
        """As of :meth:`certified_payoffs` with the largest support that is served."""
        return self.payoff_rounding

    def against(self, block: int, opponents: np.ndarray) -> np.ndarray:
        """Columns of S, one for each drawn opponent: (n, len(opponents))."""
        factors = self._factors(np.asarray(opponents))
        columns = np.empty((self.actions, factors.shape[1]))
        for rows in slices(self.actions, max(factors.shape)):
            columns[rows] = np.tanh(self.scores.chunk(rows) @ factors) / 2
        return columns

    def restricted(self, actions: Sequence[int] | np.ndarray) -> np.ndarray:
        """Payoffs among the k listed actions: (k, k), exactly skew-symmetric."""
        return mirrored(np.tanh(self.scores.restricted(actions) / (2 * self.temperature)) / 2)

    def _scale_bound(self) -> float:
        """The logistic function is increasing, so the bound on scores serves; a little more for the rounding of tanh."""
        return min(0.5, (1 + TANH_ERROR) * float(np.tanh(self.scores.scale / (2 * self.temperature))) / 2)
