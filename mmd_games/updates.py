r"""The rules, each written once.

Elementwise and in plain operators, so that the same functions serve NumPy arrays, torch tensors and scalars in a compiled loop. They take
and return logits: a policy's logarithm up to one constant a player, which :func:`mmd_games.arrays.log_normalise` removes. Nothing is
clamped and nothing is added: probabilities of 1e-165 are ordinary here.
"""

from __future__ import annotations

from mmd_games.arrays import Array


def proximal_logits(payoff: Array, log_policy: Array, log_magnet: Array, step_size: Array, magnet_strength: Array) -> Array:
    r"""Logits of the Magnetic Mirror Descent step.

    .. math::

        \log \pi^+ = \frac{\log \pi + \eta\alpha \log \rho + \eta q}{1 + \eta\alpha} + \text{const}
                   = \arg\max_{\pi'} \langle \pi', q \rangle - \alpha\,\mathrm{KL}(\pi' \| \rho) - \tfrac{1}{\eta} \mathrm{KL}(\pi' \| \pi)

    Parameters
    ----------
    payoff : array (..., n)
        :math:`q`, the payoff of each action.
    log_policy : array (..., n)
        :math:`\log \pi`, where the step starts.
    log_magnet : array (..., n) or 0.0
        :math:`\log \rho`. The number 0.0 is a uniform magnet (a constant drops out), and what to pass where there is none.
    step_size : number, or array (..., 1)
        :math:`\eta`.
    magnet_strength : number, or array (..., 1)
        :math:`\alpha`, in units of payoff; 0 gives multiplicative weights.

    Returns
    -------
    array (..., n)
        Logits, to be normalised a player.

    References
    ----------
    Sokota et al., "A Unified Approach to Reinforcement Learning, Quantal Response Equilibria, and Two-Player Zero-Sum Games", ICLR 2023,
    arXiv 2206.05825, eq. 12.
    """
    pull = step_size * magnet_strength
    return (log_policy + pull * log_magnet + step_size * payoff) / (1.0 + pull)


def geometric_mixture(log_policy: Array, log_magnet: Array, weight: Array) -> Array:
    r"""Logits of :math:`\pi^{1-w} \rho^{w}`.

    A proximal step from here without a magnet is the *explicit* magnetic step at step size :math:`\eta = w/\alpha`, which equals the implicit one of
    :func:`proximal_logits` at :math:`\eta/(1 - \eta\alpha)`. It is also the policy that Nash-MD plays against (Munos et al., arXiv 2312.00886).
    """
    return (1.0 - weight) * log_policy + weight * log_magnet


def optimistic_payoff(payoff: Array, previous_payoff: Array) -> Array:
    r"""The payoff extrapolated one step ahead, :math:`2 q_t - q_{t-1}` (optimistic multiplicative weights; Daskalakis & Panageas, arXiv 1807.04252)."""
    return 2.0 * payoff - previous_payoff


def decayed(setting: Array, steps: int, decay_time: float, power: float) -> Array:
    r"""A setting after some steps, :math:`s\,(1 + t/h)^{-p}`: annealing (Sokota et al., arXiv 2206.05825) and the step sizes of Nash-MD."""
    return setting * (1.0 + steps / decay_time) ** -power
