"""The front door of predictions: one function, which linearises a game at an equilibrium and asks the rules what becomes of every mode and action."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mmd_games.algorithms import MagneticPreferenceOptimization
from mmd_games.algorithms.adaptive import AdaptiveMPO
from mmd_games.algorithms.log_linear import LogLinear
from mmd_games.algorithms.registry import to_spec
from mmd_games.arrays import Array
from mmd_games.digits import factor_of
from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.equilibria.regularised import WEAKEST
from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.loop.stack import log_linear_of
from mmd_games.verification.predicted.multipliers import drift_per_slack, lag_of_drift, mode_multipliers, smallest_refresh
from mmd_games.verification.predicted.parts import Mode, OffSupportAction
from mmd_games.verification.predicted.prediction import RatePrediction
from mmd_games.verification.predicted.rest_point import RestPoint, given_point, nash_point, regularised_point
from mmd_games.verification.predicted.spectrum import LARGEST_SUPPORT, Spectrum, spectrum_of

LARGEST_LISTED = 10_000
"""So many unplayed actions are listed, the slowest."""
LARGEST_CHOSEN = 1000
"""Up to so many actions the equilibrium of largest entropy is computed where there are several."""


def predict_rate(
    game: Game,
    algorithm: Any = None,
    *,
    at: Array | NashEquilibrium | None = None,
    log_magnet: Array | None = None,
    reference: NashEquilibrium | None = None,
) -> RatePrediction:
    r"""Predict from the game alone how fast a method's last iterate comes to its limit, once it is near.

    Near a Nash equilibrium :math:`\pi^*` play is a sum of modes, which rotate among the actions of the support with the frequencies :math:`\omega` of
    :math:`S\,C(\pi^*)`, and of actions off it, which die out at their slack d. A method multiplies each mode by a number a step: 1 + iηω for multiplicative weights,
    a root of λ² − (1 + 2iηω)λ + iηω for the optimistic ones, 1 + iηω − (ηω)² for extragradient; a refresh of Magnetic Preference Optimization by
    :math:`r + (1 - r)a^K`, :math:`r = 1/(1 - i\omega/\alpha)`, where the inner method's a is (1 + iηω)/(1 + ηα), or with PU (1 − ηα)(1 + iηω) − (ηω)². The log-odds of
    an unplayed action fall by ηd a step, or by :math:`(d/\alpha)(1 - (1 + \eta\alpha)^{-K})` a refresh (with PU :math:`1 - (1 - \eta\alpha)^K`). The largest modulus of all is the
    factor of distance and gap. A fixed magnet leads to the equilibrium regularised towards it, which plays all actions.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    algorithm : object, optional
        A member of the log-linear family; default Magnetic Preference Optimization. Settings left open are filled in from the game's scale.
    at : array (actions,) or NashEquilibrium, optional
        Where to linearise: a Nash equilibrium of this game, of a gap of at most 1e-9 L. An action counts as played where its probability exceeds its slack over L a hundredfold. Default the equilibrium
        of largest support, of several the one of largest entropy (in games of up to 1,000 actions), to which methods go from the uniform start where it plays all actions.
    log_magnet : array (actions,), optional
        A fixed magnet's log-policy; default uniform. Not for other methods.
    reference : NashEquilibrium, optional
        One of largest support, where it has been computed already: what is predicted without `at` is the same, and takes less time.

    Returns
    -------
    RatePrediction
        Per mode, per action and jointly. Where theory is silent, ``declined`` says why.

    Raises
    ------
    InputError
        For what is no game, algorithm, policy or reference, a stack of games, a policy that is no equilibrium of this game, `at` for a method with a fixed magnet, or
        `log_magnet` for one without.

    Notes
    -----
    The multipliers are computed by the library's own rules, on complex numbers. Products of methods with a half step count double in ``rate_per_product``.

    Examples
    --------
    >>> import mmd_games as mg
    >>> from mmd_games.verification.predicted import predict_rate
    >>> game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    >>> prediction = predict_rate(game, mg.MagneticPreferenceOptimization(step_size=0.3, magnet_strength=0.3, refresh_every=20))
    >>> round(prediction.factor, 4), prediction.unit, prediction.kind, prediction.decided_by
    (0.9219, 'refresh', 'linear', 'modes')
    """
    if not isinstance(game, Game):
        raise InputError(f"A game is expected, such as mg.PreferenceGame(table) or mg.games.from_spec('rps'); got {type(game).__name__}.")
    if game.is_stack:
        raise InputError("A rate is predicted of one game, not of a stack of games.")
    if reference is not None and at is not None:
        raise InputError("Give `at`, where to linearise, or `reference`, an equilibrium of largest support that is known already, not both.")
    if reference is not None and not isinstance(reference, NashEquilibrium):
        raise InputError(f"A reference is a Nash equilibrium, as mg.nash(game) returns it; got {type(reference).__name__}.")
    algorithm = MagneticPreferenceOptimization() if algorithm is None else algorithm
    if not (hasattr(algorithm, "init") and hasattr(algorithm, "step")) or isinstance(algorithm, type):
        raise InputError(f"An algorithm is an object with init and step (mg.algorithms.from_spec makes one from text), got {algorithm!r}.")
    algorithm = algorithm.with_defaults(float(game.scale)) if hasattr(algorithm, "with_defaults") else algorithm
    about = RatePrediction(game.name, to_spec(algorithm))
    rule = log_linear_of(algorithm)
    if log_magnet is not None and rule is not None and rule.magnet != "fixed":
        raise InputError(f"log_magnet is of a magnet that stays fixed, and that of {about.algorithm} is {rule.magnet}: give `at`, or neither.")
    rule = _without_idle_magnet(rule)
    silent = _silent(game, rule)
    if type(algorithm) is AdaptiveMPO:
        silent = "the strength of its magnet falls as far as the payoffs allow, and with it the factor of a refresh: it is faster than any linear rate."
    if rule is None or silent:
        return replace(about, declined=silent)
    about = replace(about, unit="refresh" if rule.magnet == "refreshed" else "step", **_unit(rule))
    if rule.magnet == "fixed":
        if at is not None:
            raise InputError("A fixed magnet leads to its regularised equilibrium, which is computed: give log_magnet in place of `at`.")
        if game.actions > LARGEST_SUPPORT:
            return replace(about, target="regularised", declined=_too_large(game.actions))
        if rule.magnet_strength < WEAKEST * float(game.scale):
            return replace(about, target="regularised", declined="the magnet is too weak for its regularised equilibrium to be computed.")
        point, log_target = regularised_point(game, rule.magnet_strength, log_magnet)
        about = replace(about, target="regularised", log_target=log_target)
    else:
        known = reference if at is None else at
        point = nash_point(game, known) if known is None or isinstance(known, NashEquilibrium) else given_point(game, known)
        about = replace(about, log_target=_log(point.policy))
    if point.refused or len(point.support) > LARGEST_SUPPORT:
        return replace(about, declined=point.refused or _too_large(len(point.support)))
    spectrum = spectrum_of(game, point.policy, point.support)
    if spectrum.zero_modes and at is None and about.target == "nash" and game.actions <= LARGEST_CHOSEN:
        chosen = nash(game, select="maximum_entropy")
        if chosen.converged and np.array_equal(np.flatnonzero(chosen.policy > 0), point.support):
            point, about = replace(point, policy=chosen.policy), replace(about, log_target=_log(chosen.policy))
            spectrum = spectrum_of(game, point.policy, point.support)
    return _predicted(about, game, rule, point, spectrum)


def _predicted(about: RatePrediction, game: Game, rule: LogLinear, point: RestPoint, spectrum: Spectrum) -> RatePrediction:
    """All parts, slowest first."""
    regularised = about.target == "regularised"
    still = np.zeros(spectrum.zero_modes if regularised else 0)
    frequencies = np.concatenate([spectrum.frequencies, still[:1]])
    vectors = np.hstack([spectrum.vectors, np.zeros((len(spectrum.support), len(still[:1])))])
    multipliers = mode_multipliers(rule, frequencies)
    seconds = np.abs(multipliers[:, 1]) if multipliers.shape[1] > 1 else np.zeros(len(frequencies))
    modes = [Mode(*each) for each in zip(frequencies.tolist(), multipliers[:, 0].tolist(), seconds.tolist(), vectors.T, strict=True)]
    losing = np.setdiff1d(np.arange(game.actions), point.support) if not regularised else np.zeros(0, dtype=np.int64)
    slowest = losing[np.argsort(point.slack[losing], kind="stable")][:LARGEST_LISTED]
    drift = drift_per_slack(rule) if len(losing) else 0.0
    labels = [name for names in game.labels for name in names] if game.labels else None
    lag = lag_of_drift(rule) if len(losing) else (0.0, 0.0)
    slacks = point.slack.tolist()
    actions = [OffSupportAction(i, labels[i] if labels else f"action {i + 1}", slacks[i], drift * slacks[i], *lag) for i in slowest.tolist()]
    prediction = replace(
        about,
        modes=tuple(sorted(modes, key=lambda mode: mode.exponent)),
        zero_modes=spectrum.zero_modes,
        actions=tuple(actions),
        spectrum=spectrum,
        unique=regularised or spectrum.zero_modes == 0,
        strictly_complementary=True,
        assumptions=_assumptions(about, game, spectrum, len(losing)),
    )
    return replace(prediction, detail=_detail(prediction, rule, frequencies))


def _assumptions(about: RatePrediction, game: Game, spectrum: Spectrum, losing: int) -> tuple[str, ...]:
    """What the prediction rests on."""
    if about.target == "regularised":
        unplayed = game.actions - len(spectrum.support)
        return (
            "The run is near the equilibrium regularised towards its magnet, which is unique"
            + (f"; the magnet excludes {unplayed} actions." if unplayed else "."),
        )
    single = (
        "is the only one"
        if spectrum.zero_modes == 0
        else f"is one of a set of dimension {spectrum.zero_modes}, along which nothing moves; at another the rate may differ"
    )
    strict = "all actions" if losing == 0 else f"{len(spectrum.support):,} of {game.actions:,} actions, and every other one is worse (strict complementarity)"
    made = [f"The run is near the Nash equilibrium at which the game was linearised; it {single}.", f"That equilibrium plays {strict}."]
    slowest = float(spectrum.frequencies[-1]) if len(spectrum.frequencies) else np.inf
    if slowest < 1000 * spectrum.resolution:
        made.append(f"The slowest frequency, {slowest:.2g}, is no more than rounding times {slowest / spectrum.resolution:.0f}: it may be 0.")
    return tuple(made)


def _detail(prediction: RatePrediction, rule: LogLinear, frequencies: np.ndarray) -> str:
    """What decides; where it diverges, what would converge."""
    if prediction.kind == "stands still":
        return (
            "Nothing moves by more than rounding: no mode but those of frequency 0."
            if not prediction.modes
            else "The slowest mode moves by less than rounding."
        )
    if prediction.kind == "linear":
        return ""
    mode = prediction.modes[0]
    found = f"The mode of frequency {mode.frequency:.6g} grows by {factor_of(mode.exponent)} a {prediction.unit}"
    if rule.magnet == "refreshed":
        every = smallest_refresh(rule, frequencies)
        if every is not None:
            return f"{found}: refresh_every is too small, {every:,} is the smallest that converges with this step_size and magnet_strength."
        return f"{found}: the method between two refreshes diverges too, so step_size must be smaller."
    if prediction.target == "regularised" or rule.evaluation in ("half_step", "extrapolated"):
        return f"{found}: step_size must be smaller."
    if rule.magnet == "moving":
        return f"{found}: step_size or magnet_rate must be smaller."
    return f"{found}: this method diverges from every equilibrium that is not pure, with any step size."


def _silent(game: Game, rule: LogLinear | None) -> str:
    """Why theory says nothing of this method in this game, if it does not."""
    if float(game.scale) == 0:
        return "the game is constant, so every policy is an equilibrium and nothing moves."
    if rule is None:
        return "the algorithm is not of the log-linear family, whose rules are known."
    if rule.step_size_power or rule.magnet_strength_power:
        return "settings that fall with the step allow no linear rate."
    if rule.evaluation == "mixture":
        return "a method that plays against the mixture with its magnet comes to rest near the regularised equilibrium, not at it."
    return ""


def _without_idle_magnet(rule: LogLinear | None) -> LogLinear | None:
    """A magnet without strength is none."""
    return rule if rule is None or rule.magnet_strength != 0 else replace(rule, magnet="absent")


def _unit(rule: LogLinear) -> dict[str, int]:
    steps = rule.refresh_every if rule.magnet == "refreshed" else 1
    return {"steps_per_unit": steps, "products_per_unit": steps * rule.products_per_step}


def _too_large(played: int) -> str:
    return f"{played:,} actions are played, and modes are computed of at most {LARGEST_SUPPORT:,}."


def _log(policy: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(policy)
