"""How fast the magnets of a run come to an equilibrium: what tells where the gap does not, for a proximal method's KL falls at every refresh and its gap need not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmd_games.algorithms import AdaptiveMPO
from mmd_games.arrays import kl, log_normalise
from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.loop.trace import Trace
from mmd_games.verification.measured import Convergence, Kind, falls_ever_faster

SMALLEST = 1e-24
"""KL below this is rounding: that of two policies whose logarithms differ by 1e-12."""
WEAKENED = 0.1
"""The last strength is at most this part of the largest."""
LOWEST = -700.0
"""Logarithms below this are of probabilities that underflow."""


def by_refresh(trace: Trace, reference: NashEquilibrium, convergence: Convergence) -> Convergence:
    """What the magnets say of a run of :class:`~mmd_games.algorithms.AdaptiveMPO`: superlinear where their KL to the equilibrium falls ever faster, step by step.

    So does their strength then, and an exact proximal step leaves the factor 1/√(1 + ω²/α²) of a mode ω. KL bounds the gap, which is at most 2L·√(2 KL(π*‖π)). Other methods are not
    asked: a bend over some refreshes is no proof of more than a line where theory does not promise it.

    Parameters
    ----------
    trace : Trace
    reference : NashEquilibrium
        Computed independently of the run.
    convergence : Convergence
        What the gaps say; returned where they show a line already, and where the magnets say nothing.
    """
    if type(trace.algorithm) is not AdaptiveMPO or convergence.kind is Kind.LINEAR or not reference.converged:
        return convergence
    return _superlinear(trace, reference, convergence) or _superlinear(trace, _nearest(trace), convergence) or convergence


def _nearest(trace: Trace) -> NashEquilibrium:
    """Where the game has several equilibria, the one that the run went to."""
    return nash(trace.game, select="maximum_entropy", start=np.exp(log_normalise(np.maximum(trace.log_policy, LOWEST), trace.game.blocks)))


def _superlinear(trace: Trace, target: NashEquilibrium, convergence: Convergence) -> Convergence | None:
    """What the magnets say of one equilibrium; None where they do not fall ever faster towards it."""
    stages = trace.stages
    with np.errstate(divide="ignore"):
        divergences = np.asarray(kl(np.log(target.policy), stages.log_magnets))
    rounding = np.flatnonzero(~(divergences > SMALLEST))
    used = np.flatnonzero(np.append(True, stages.refreshed)[: rounding[0] if len(rounding) else None])
    weakened = stages.magnet_strengths[used]
    if not target.converged or len(used) < 2 or not np.all(np.isfinite(divergences[used])) or weakened[-1] > WEAKENED * np.max(weakened):
        return None
    if not falls_ever_faster(stages.iterations[used].astype(float), np.log(divergences[used])):
        return None
    decades = float(np.log10(divergences[used[0]] / divergences[used[-1]]))
    evidence = f"from refresh to refresh KL(π*‖ρ) falls ever faster, by {decades:.1f} decades in {len(used) - 1} of them; the gap is at most 2L·√(2 KL)."
    window = (int(stages.iterations[used[0]]), int(stages.iterations[used[-1]]))
    return replace(convergence, kind=Kind.SUPERLINEAR, rate=None, interval=None, window=window, evidence=evidence)
