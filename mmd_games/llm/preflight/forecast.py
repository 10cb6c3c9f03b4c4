"""What is to be expected of a run on one table (or one a prompt): theory's rate and floor, the run as it is played, and the outlook that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmd_games.arrays import log_normalise
from mmd_games.equilibria import NashEquilibrium, nash, regularised_equilibrium
from mmd_games.errors import InputError
from mmd_games.games.preference import PreferenceGame
from mmd_games.llm.preflight.fraction import equivalent_step
from mmd_games.llm.preflight.noise import judged, predicted_floor
from mmd_games.llm.preflight.play import SEEDS, Fitting, Play, play
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.llm.preflight.words import Outlook
from mmd_games.verification import RatePrediction, Verdict, predict_rate

MARGIN = 0.1
"""A played gap within this part of the target, or whose 95% interval contains it, is too close to call."""
OFTEN_ABSENT = 0.2
"""A group that misses the equilibrium's completions more often than this is too small."""
FOLLOWS = 0.05
"""Gradient steps of which less than this fraction of an update comes, while they move more than the update's length, follow something else."""


@dataclass(frozen=True, eq=False)
class Table:
    """A game, or one for each of B prompts, and where the policy starts.

    Attributes
    ----------
    name : str
    games : tuple of PreferenceGame, length B
        Of win probabilities, all of n actions.
    log_policy : array (B, n)
        Of the start.
    log_magnet : array (B, n)
    first : int
        Rollouts made before.
    """

    name: str
    games: tuple[PreferenceGame, ...]
    log_policy: np.ndarray
    log_magnet: np.ndarray
    first: int = 0

    @classmethod
    def of(cls, game: PreferenceGame, log_policy: np.ndarray | None = None) -> Table:
        """One game; without a start, one from which there is a way to go: the equilibrium's likeliest action played half the time least, the others evenly."""
        if not isinstance(game, PreferenceGame) or (game.units != "win probability" and float(game.scale) > 1):
            raise InputError(f"A preflight plays games of win probabilities, such as mg.PreferenceGame(table); got {game!r}.")
        if log_policy is None:
            start = np.full(game.actions, 0.5 / (game.actions - 1))
            start[int(np.argmin(nash(game).policy))] = 0.5
            log_policy = np.log(start)
        played = log_normalise(np.asarray(log_policy, dtype=np.float64)[None], (game.actions,))
        return cls(game.name, (game,), played, played)

    @property
    def preference(self) -> np.ndarray:
        """Win probabilities: (B, n, n)."""
        # A table of payoffs in [−1, 1], such as Blotto's, is one of win probabilities (1 + payoff)/2.
        return np.stack([0.5 + game.table() * (1.0 if game.units == "win probability" else 0.5) for game in self.games])


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is to be expected of a run on a table.

    Attributes
    ----------
    table : Table
    settings : RunSettings
    fitting : Fitting
        What gradient steps make of each update.
    equilibria : tuple of NashEquilibrium
        A prompt each, as are the predictions.
    predictions : tuple of RatePrediction
        At the step size that the fraction amounts to; empty where none does.
    floor : float
        Mean gap of the stationary state by theory, over the prompts; infinite where there is none.
    plateau : float or None
        With a fixed magnet: the gap of its regularised equilibrium.
    play : Play
    whole : Play or None
        The same with all of each update realised, where the fraction is below one.
    outlook : Outlook
    """

    table: Table
    settings: RunSettings
    fitting: Fitting
    equilibria: tuple[NashEquilibrium, ...]
    predictions: tuple[RatePrediction, ...]
    floor: float
    plateau: float | None
    play: Play
    whole: Play | None
    outlook: Outlook

    @property
    def verdict(self) -> Verdict:
        """Confirmed, refuted or inconclusive."""
        return self.outlook.verdict

    @property
    def fraction(self) -> float:
        """f, of each update."""
        return self.fitting.fraction

    @property
    def slowest(self) -> RatePrediction | None:
        """The prediction of the slowest prompt; None where nothing is predicted."""
        known = [prediction for prediction in self.predictions if prediction.exponent is not None]
        return min(known, key=lambda prediction: (prediction.exponent or 0.0) / prediction.steps_per_unit, default=None)

    @property
    def rarest(self) -> float:
        """How often a group has the equilibrium's rarest completion, on average."""
        return self.settings.group_size * min(float(np.min(equilibrium.policy[equilibrium.policy > 0])) for equilibrium in self.equilibria)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready but for numbers that are not finite."""
        slowest = self.slowest
        return {
            "table": self.table.name,
            "verdict": self.verdict.value,
            "outlook": self.outlook.name.lower(),
            "sentence": self.outlook.sentence,
            "prompts": len(self.table.games),
            "completions": self.table.log_policy.shape[-1],
            "fraction": self.fraction,
            "prediction": None if slowest is None else slowest.to_dict(),
            "floor": self.floor,
            "plateau": self.plateau,
            "rarest": self.rarest,
            "absent": self.play.absent,
            "gap": {"start": self.play.start, "late": self.play.mean, "interval": self.play.interval, "target": self.settings.target_gap},
            "reached": self.play.reached(self.settings.target_gap),
        }


def forecast(table: Table, settings: RunSettings, fitting: Fitting, *, seeds: int = SEEDS) -> Forecast:
    """Predict and play a run on a table.

    Parameters
    ----------
    table : Table
    settings : RunSettings
    fitting : Fitting
        What gradient steps make of each update, as measured or assumed.
    seeds : int
    """
    fraction, equilibria = fitting.fraction, tuple(nash(game) for game in table.games)
    preference = table.preference
    played = np.stack([equilibrium.policy > 0 for equilibrium in equilibria])
    run = play(preference, table.log_policy, settings, fitting=fitting, log_magnet=table.log_magnet, first=table.first, seeds=seeds, played=played)
    told = [PreferenceGame(judged(each, settings), name=game.name) for each, game in zip(preference, table.games, strict=True)]
    step = equivalent_step(settings.step_size, settings.magnet_strength, fraction)
    fixed = settings.magnet_strength > 0 and settings.refresh_every == 0
    magnets = [{"log_magnet": magnet} if fixed else {} for magnet in table.log_magnet]
    predictions = () if step is None else tuple(predict_rate(game, settings.algorithm(step), **magnet) for game, magnet in zip(told, magnets, strict=True))
    floor = np.mean([_floor(each, equilibrium, settings, fraction) for each, equilibrium in zip(preference, equilibria, strict=True)])
    plateau = (
        None
        if not fixed
        else float(np.mean([_plateau(game, each, settings, magnet) for game, each, magnet in zip(told, preference, table.log_magnet, strict=True)]))
    )
    refuted = run.mean > settings.target_gap
    whole = (
        play(preference, table.log_policy, settings, fitting=Fitting(1.0), log_magnet=table.log_magnet, first=table.first, seeds=seeds)
        if refuted and fraction < 1
        else None
    )
    made = Forecast(table, settings, fitting, equilibria, predictions, float(floor), plateau, run, whole, Outlook.CLOSE)
    return Forecast(**{**vars(made), "outlook": _outlook(made)})


def _floor(preference: np.ndarray, equilibrium: NashEquilibrium, settings: RunSettings, fraction: float) -> float:
    scaled = PreferenceGame(preference)
    slack = -scaled.payoffs(equilibrium.policy)
    return predicted_floor(scaled, equilibrium.policy, np.where(equilibrium.policy > 0, 0.0, slack), settings, fraction)


def _plateau(game: PreferenceGame, preference: np.ndarray, settings: RunSettings, log_magnet: np.ndarray) -> float:
    found = regularised_equilibrium(game, magnet_strength=settings.magnet_strength, log_magnet=log_magnet)
    return float(2 * np.max((preference - 0.5) @ found.policy))


def _outlook(made: Forecast) -> Outlook:
    """The verdict by the play, and where it is refuted by theory's reason for it."""
    settings, target = made.settings, made.settings.target_gap
    low, high = made.play.interval
    detached = made.fraction <= 0 or (made.fraction < FOLLOWS and made.fitting.detour > 1)
    if max(high, made.play.mean * (1 + MARGIN)) <= target and not detached:
        # Theory speaks of exact steps. A tangent makes others, and its own play is nearer to what they do.
        passing = made.fitting.tangent is None and made.slowest is not None and made.slowest.kind == "diverges"
        return Outlook.PASSING if passing else Outlook.REACHES
    if detached:
        return Outlook.DETACHED
    if min(low, made.play.mean * (1 - MARGIN)) <= target:
        return Outlook.CLOSE
    if settings.magnet_strength == 0:
        return Outlook.NO_MAGNET
    if settings.refresh_every == 0:
        return Outlook.REGULARISED if (made.plateau or 0.0) > target else _slow(made)
    if made.whole is not None and made.whole.mean <= target:
        return Outlook.PARTIAL
    if made.slowest is not None and made.slowest.kind == "diverges":
        return Outlook.STEP if "step_size must be smaller" in made.slowest.detail else Outlook.REFRESH
    if made.play.absent > OFTEN_ABSENT:
        return Outlook.SUPPORT
    if made.floor > target:
        return Outlook.NOISE
    return _slow(made)


def _slow(made: Forecast) -> Outlook:
    """Whether a run that should come to the target, and does not, is on its way."""
    halves = made.play.gaps.mean(0)[len(made.play.gaps[0]) // 2 :]
    middle = len(halves) // 2
    return Outlook.BUDGET if halves[middle:].mean() < 0.9 * halves[:middle].mean() else Outlook.ABOVE
