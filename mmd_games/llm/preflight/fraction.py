r"""An update that gradient steps realise in part is a whole update of another step size.

Let the inner gradient steps of a rollout bring the policy a fraction f of the way to their target, :math:`\log \pi_{t+1} = \log \pi_t + f\,(\text{target} - \log \pi_t)` up to a
constant, with target :math:`= (\log \pi_t + \eta\alpha \log\rho + \eta q)/(1 + \eta\alpha)`. Then

.. math::

    \log \pi_{t+1} = \Big(1 - \tfrac{f\eta\alpha}{1+\eta\alpha}\Big) \log \pi_t + \tfrac{f\eta\alpha}{1+\eta\alpha} \log\rho + \tfrac{f\eta}{1+\eta\alpha}\, q ,

which is the exact magnetic step of size :math:`\eta'` with :math:`\eta'/(1 + \eta'\alpha) = f\eta/(1 + \eta\alpha)` and the *same* magnet strength:

.. math::

    \eta' = \frac{f\,\eta}{1 + (1 - f)\,\eta\alpha} .

So a learning rate that is too small, or too few inner steps, is a smaller step size: every theorem about step sizes holds at :math:`\eta'`, and in particular the shortest
refresh interval that converges grows like :math:`\sqrt{3/(\eta'\alpha)}`. Overshooting, f > 1, is a larger step; beyond :math:`f = 1 + 1/(\eta\alpha)`, where the weight of
:math:`\log\pi_t` is no longer positive, no magnetic step does the same.

The linear algebra needs no step size: with a target that is right and f of the way made, a mode is multiplied by :math:`1 - f + f a(\omega)` a rollout.
"""

from __future__ import annotations


def equivalent_step(step_size: float, magnet_strength: float, fraction: float) -> float | None:
    r"""The step size :math:`\eta'` of the exact step that a fraction of one amounts to.

    Parameters
    ----------
    step_size, magnet_strength : float
        :math:`\eta > 0`, :math:`\alpha \ge 0`.
    fraction : float
        f.

    Returns
    -------
    float or None
        None where no positive step size does the same: f ≤ 0, or :math:`f \ge 1 + 1/(\eta\alpha)`.

    Examples
    --------
    >>> equivalent_step(1.0, 0.3, 1.0)
    1.0
    >>> round(equivalent_step(1.0, 0.3, 0.1), 4)
    0.0787
    """
    weight = 1.0 + (1.0 - fraction) * step_size * magnet_strength
    return fraction * step_size / weight if fraction > 0 and weight > 0 else None


def fraction_per_step(fraction: float, steps: int) -> float:
    """Which part of what is left each of several equal gradient steps makes, if together they make this fraction of the whole, from 0 to 1."""
    return 1.0 - (1.0 - min(max(fraction, 0.0), 1.0)) ** (1.0 / steps)


def fraction_after(per_step: float, steps: int) -> float:
    """The reverse of :func:`fraction_per_step`."""
    return 1.0 - (1.0 - per_step) ** steps
