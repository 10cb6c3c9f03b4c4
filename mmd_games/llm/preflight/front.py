"""The front door: settings in, report out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mmd_games.errors import InputError
from mmd_games.games import from_spec
from mmd_games.games.preference import PreferenceGame
from mmd_games.llm.preflight.advice import Measure, advise, assumed_fraction
from mmd_games.llm.preflight.forecast import Table, forecast
from mmd_games.llm.preflight.play import Fitting
from mmd_games.llm.preflight.probing import probe, table_after
from mmd_games.llm.preflight.report import PreflightReport
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.llm.preflight.subject import Subject
from mmd_games.verification import Verdict

SUITE = ("rps:wins=0.9/0.8/0.9", "random:n=5,seed=1", "random:n=10,seed=1", "general_preference:n=8", "blotto:soldiers=5,fields=3")
"""Games without a best completion, from the catalogue: a cycle, two of random win probabilities, an embedding's, and one of 21 actions."""


def preflight(
    settings: RunSettings,
    *,
    game: PreferenceGame | Sequence[PreferenceGame] | None = None,
    model: Subject | None = None,
    advice: bool = True,
    suite: Sequence[str] = SUITE,
) -> PreflightReport:
    """Play a training run's settings on matrix games before a GPU-hour is spent: will it converge, how fast, and to which noise floor?

    With a model the game among its own completions decides, played by its tangent; with a game, that one. With neither the
    suite decides: confirmed where all of its games come to the target, refuted where none does.

    Parameters
    ----------
    settings : RunSettings
    game : PreferenceGame, or several, optional
        Of win probabilities; of several, all decide.
    model : Subject, optional
        Tried for a tenth of the run at most, and left as it was.
    advice : bool
        Look for settings that would do, where these do not; each is played.
    suite : sequence of str
        Games of the catalogue, by name: those that decide where nothing else is given, and that are played beside a model's own.

    Returns
    -------
    PreflightReport
        Prints as text; ``exit_status`` is 0 confirmed, 1 refuted, 3 inconclusive.

    Raises
    ------
    InputError
        For both a game and a model, or games that are not of win probabilities.

    Examples
    --------
    >>> import mmd_games as mg
    >>> settings = RunSettings(step_size=1.0, magnet_strength=0.2, refresh_every=20, group_size=128, max_rollouts=400)
    >>> rps = mg.games.from_spec("rps:wins=0.9/0.8/0.9")
    >>> preflight(settings, game=rps).verdict.value
    'confirmed'
    >>> preflight(replace(settings, refresh_every=2), game=rps, advice=False).outlook.name
    'REFRESH'
    """
    if not isinstance(settings, RunSettings):
        raise InputError(f"settings must be RunSettings, as RunSettings.from_config makes them of a mapping; got {type(settings).__name__}.")
    if game is not None and model is not None:
        raise InputError("Either a game or a model is tried, whose own completions make the game: give one of them.")
    if model is not None:
        return _of_model(settings, model, advice, suite)
    games = [game] if isinstance(game, PreferenceGame) else [from_spec(spec) for spec in suite] if game is None else list(game)
    tables = [Table.of(each) for each in games]  # type: ignore[arg-type]
    made = tuple(forecast(table, settings, Fitting(settings.realised_fraction)) for table in tables)

    def measure(changed: RunSettings) -> tuple[Sequence[Table], Fitting]:
        return tables, Fitting(assumed_fraction(changed, settings))

    report = PreflightReport(settings, made, own=len(made) == 1)
    return replace(report, advice=advise(report.deciding, measure)) if advice and report.verdict is not Verdict.CONFIRMED else report


def _of_model(settings: RunSettings, model: Subject, advice: bool, suite: Sequence[str]) -> PreflightReport:
    """The model's own game first, which decides; then the suite, at the same fraction."""
    found = probe(model, settings)
    own = table_after(model, found)
    measure = _measuring(settings, model, (own, found.fitting))
    decides = forecast(own, settings, found.fitting)
    others = [forecast(Table.of(from_spec(spec)), settings, Fitting(found.fraction)) for spec in suite]  # type: ignore[arg-type]
    report = PreflightReport(settings, (decides, *others), own=True, probe=found)
    return replace(report, advice=advise(report.deciding, measure)) if advice and report.verdict is not Verdict.CONFIRMED else report


def _measuring(given: RunSettings, model: Subject, known: tuple[Table, Fitting]) -> Measure:
    """What the gradient steps realise with other settings: the model is tried anew where the learning rate or the inner steps differ."""
    probed = {(given.learning_rate, given.inner_steps): known}

    def measure(changed: RunSettings) -> tuple[Sequence[Table], Fitting]:
        key = (changed.learning_rate, changed.inner_steps)
        if key not in probed:
            found = probe(model, changed)
            probed[key] = (table_after(model, found), found.fitting)
        table, fitting = probed[key]
        return [table], fitting

    return measure
