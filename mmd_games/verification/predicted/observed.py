"""A run in the coordinates of a prediction: the amplitude of every mode, the log-odds of every action that dies out, and where rounding begins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmd_games.arrays import block_sum
from mmd_games.errors import InputError
from mmd_games.loop.stack import log_linear_of
from mmd_games.loop.trace import Trace
from mmd_games.verification.predicted.multipliers import drift_per_slack
from mmd_games.verification.predicted.prediction import RatePrediction
from mmd_games.verification.predicted.spectrum import EPS, Spectrum

ABOVE_ROUNDING = 100.0
"""What is measured must exceed rounding by this factor: then it moves a slope by a hundredth of its part of the window at most."""
LARGEST_MEASURED = 200
"""So many modes, and so many actions, are measured: the slowest."""
ROWS = 512
"""So many policies are read at once: of more, every step on the way would be an array that takes fresh memory, and a third more time."""


@dataclass(frozen=True, eq=False)
class ObservedRun:
    """Recorded policies, seen from the predicted limit. Rows are refreshes of the magnet where rates are per refresh, else kept policies.

    Attributes
    ----------
    iterations : array (rows,) of int
    times : array (rows,)
        In units of the prediction.
    modes : array (rows, measured modes)
        Modulus of the amplitude of each of the prediction's modes, in its order.
    log_odds : array (rows, measured actions)
        Of each of its actions against the support: log π_i − Σ_j π*_j log π_j.
    log_masses : array (rows, measured actions)
        log π_i.
    distance : array (rows,)
        √(‖z‖² + m²): z without what lies along a set of equilibria, m the mass off the support. Near the target KL(π*‖π) is ‖z‖²/2 + m.
    along : array (rows,)
        What lies along the set of equilibria.
    mass : array (rows,)
    floors : array (measured modes,)
        Amplitudes below this are rounding.
    gain : float
        By how much a payoff of L changes logits in one unit of play, at most.
    """

    iterations: np.ndarray
    times: np.ndarray
    modes: np.ndarray
    log_odds: np.ndarray
    log_masses: np.ndarray
    distance: np.ndarray
    along: np.ndarray
    mass: np.ndarray
    floors: np.ndarray
    gain: float

    @cached_property
    def bend(self) -> np.ndarray:
        """What is not linear in the amplitudes, a unit, at most: payoffs of second order, and those of the mass off the support."""
        return self.gain * (self.distance * (self.distance / 2 + self.along) + self.mass)

    @cached_property
    def push(self) -> np.ndarray:
        """What moves the log-odds of an action besides its slack, a unit, at most: payoffs of the modes, at first order, and those of the mass off the support."""
        return self.gain * (self.distance + self.along + self.mass)


def observe(trace: Trace, prediction: RatePrediction) -> ObservedRun:
    """Read a run in the coordinates of a prediction that was not declined.

    Raises
    ------
    InputError
        For a prediction of another game or of another algorithm.
    """
    rule, spectrum = log_linear_of(trace.algorithm), prediction.spectrum
    wrong = (prediction.algorithm, prediction.game) != (trace.algorithm_spec, trace.game.name) or len(prediction.log_target) != trace.game.actions
    if rule is None or spectrum is None or wrong:
        raise InputError(f"A prediction of {prediction.algorithm} on {prediction.game} says nothing of a run of {trace.algorithm_spec} on {trace.game.name}.")
    by_refresh = prediction.unit == "refresh"
    iterations = trace.stages.iterations if by_refresh else trace.policy_iterations
    logs = trace.stages.log_magnets if by_refresh else trace.log_policies
    unplayed = np.setdiff1d(np.arange(trace.game.actions), spectrum.support)
    parts = (_read(rows, spectrum, prediction.log_target, unplayed) for rows in np.array_split(logs, len(logs) // ROWS + 1))
    turning, still, mass, centre = (np.concatenate(each) for each in zip(*parts, strict=True))
    regularised = prediction.target == "regularised"
    # The spectrum lists frequencies from the largest on; a mode of frequency 0, the last, stands for all of them, which have one multiplier.
    by_frequency = np.argsort([-mode.frequency for mode in prediction.modes], kind="stable")
    amplitudes = np.column_stack([turning, still])[:, np.argsort(by_frequency)[:LARGEST_MEASURED]]
    moving = 2 * np.sum(turning**2, axis=1) + (still**2 if regularised else 0.0)
    actions = np.array([action.action for action in prediction.actions[:LARGEST_MEASURED]], dtype=np.int64)
    log_masses = logs[:, actions]
    log_odds = centre[:, np.searchsorted(np.cumsum(trace.game.blocks), actions, side="right")]
    np.subtract(log_masses, log_odds, out=log_odds)
    gain = rule.step_size if regularised else -drift_per_slack(rule)
    return ObservedRun(
        iterations=iterations,
        times=iterations / prediction.steps_per_unit,
        modes=amplitudes,
        log_odds=log_odds,
        log_masses=log_masses,
        distance=np.sqrt(moving + mass**2),
        along=np.zeros(len(logs)) if regularised else still,
        mass=mass,
        floors=_floors(trace, prediction, spectrum),
        gain=float(gain * trace.game.scale * rule.products_per_step),
    )


def _read(logs: np.ndarray, spectrum: Spectrum, log_target: np.ndarray, unplayed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of each policy the modulus of each mode's amplitude, the length of what does not turn, the mass off the support, and each player's mean on it, from which log-odds count."""
    seen = spectrum.coordinates(logs, log_target)
    amplitudes = seen @ spectrum.vectors.conj()
    # Without modes of frequency 0 only rounding would be left.
    still = np.linalg.norm(seen - 2 * np.real(amplitudes @ spectrum.vectors.T), axis=1) if spectrum.zero_modes else np.zeros(len(logs))
    mass = np.sum(np.exp(logs[:, unplayed]), axis=1)
    return np.abs(amplitudes), still, mass, block_sum(logs[:, spectrum.support] * spectrum.policy, spectrum.blocks)


def _floors(trace: Trace, prediction: RatePrediction, spectrum: Spectrum) -> np.ndarray:
    """Rounding of each mode's amplitude: of logits, as much as a contracting run remembers of it; and of payoffs, which moves the point where it comes to rest."""
    shown = prediction.modes[:LARGEST_MEASURED]
    frequencies = np.array([mode.frequency for mode in shown])
    exponents = np.array([abs(mode.exponent) for mode in shown])
    memory = np.minimum(trace.steps, prediction.steps_per_unit / np.maximum(exponents, 1e-300))
    logits = EPS * (2 + float(np.max(-prediction.log_target[spectrum.support]))) * np.sqrt(memory)
    payoffs, rounding, support = trace.game.payoffs(prediction.policy), trace.game.payoff_rounding, spectrum.support
    if prediction.target == "regularised":
        strength, magnet = float(trace.stages.magnet_strengths[0]), trace.stages.log_magnets[0]
        missed = prediction.log_target[support] - magnet[support] - payoffs[support] / strength
        moved = rounding / strength
    else:
        missed, moved = payoffs[support], rounding
    spectral = np.array([np.abs(mode.vector.conj() @ _scaled(missed, spectrum)) for mode in shown]).reshape(len(shown))
    resting = (spectral + moved) / (frequencies if prediction.target == "nash" else 1.0)
    return ABOVE_ROUNDING * (logits + resting)


def _scaled(logits: np.ndarray, spectrum: Spectrum) -> np.ndarray:
    """Logits as coordinates z; each player's mean, which modes do not see, is taken off first so that it costs no digits."""
    centred = logits - np.repeat(block_sum(logits * spectrum.policy, spectrum.blocks), spectrum.blocks)
    return centred * np.sqrt(spectrum.policy)
