"""How fast the magnets of a run come to an equilibrium: what tells where the gap does not, for a proximal method's KL falls at every refresh and its gap need not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmd_games.arrays import kl, log_normalise
from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.measured import Convergence, Kind, falls_ever_faster

SMALLEST = 1e-24
"""KL below this is rounding: that of two policies whose logarithms differ by 1e-12."""
WEAKENED = 0.1
"""The last strength is at most this part of the largest."""
LOWEST = -700.0
"""Logarithms below this are of probabilities that underflow."""


def by_refresh(trace: Trace, reference: NashEquilibrium, convergence: Convergence) -> Convergence:
    """What the magnets say of a run whose gaps show neither a line nor more: superlinear where their KL to the equilibrium falls ever faster.

    So does their strength then, and an exact proximal step leaves the factor 1/√(1 + ω²/α²) of a mode ω. KL bounds the gap, which is at most 2L·√(2 KL(π*‖π)). Only for methods outside the log-linear family whose magnets are known: inside it rates are predicted and measured.

    Parameters
    ----------
    trace : Trace
    reference : NashEquilibrium
        Computed independently of the run.
    convergence : Convergence
        What the gaps say; returned where the magnets say nothing else.
    """
    if convergence.kind in (Kind.LINEAR, Kind.SUPERLINEAR) or log_linear_of(trace.algorithm) is not None or len(trace.stages) < 2:
        return convergence
    if not (reference.converged and np.all(np.isfinite(trace.stages.log_magnets))):
        return convergence
    magnets, strengths = trace.stages.log_magnets, trace.stages.magnet_strengths
    if strengths[-1] > WEAKENED * np.max(strengths):
        return convergence
    moved = np.concatenate([[True], np.any(magnets[1:] != magnets[:-1], axis=1)])
    iterations, magnets = trace.stages.iterations[moved], magnets[moved]
    for target in (reference, None):
        if target is None:  # the game has others: the one that the run went to
            target = nash(trace.game, select="maximum_entropy", start=np.exp(log_normalise(np.maximum(trace.log_policy, LOWEST), trace.game.blocks)))
        with np.errstate(divide="ignore"):
            divergences = np.asarray(kl(np.log(target.policy), magnets))
        used = divergences > SMALLEST
        if target.converged and falls_ever_faster(np.flatnonzero(used).astype(float), np.log(divergences[used])):
            window = (int(iterations[used][0]), int(iterations[used][-1]))
            decades = float(np.log10(divergences[used][0] / divergences[used][-1]))
            evidence = f"from refresh to refresh KL(π*‖ρ) falls ever faster, by {decades:.1f} decades in {int(np.sum(used)) - 1} of them; the gap is at most 2L·√(2 KL)."
            return replace(convergence, kind=Kind.SUPERLINEAR, rate=None, interval=None, window=window, evidence=evidence)
    return convergence
