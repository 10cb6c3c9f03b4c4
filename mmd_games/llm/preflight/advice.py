"""What to change: settings near those given, played before they are recommended."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmd_games.llm.preflight.forecast import Forecast, Table, forecast
from mmd_games.llm.preflight.fraction import fraction_after, fraction_per_step
from mmd_games.llm.preflight.play import Fitting, play
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.verification import Verdict

MOST = 3
"""So many ways out are shown."""
MOST_TRIED = 60
"""So many are played in search of them."""
FEW = 8
"""Seeds in the search; what is found is played again with all of them."""
LONGEST = 20_000
"""No budget above this is tried: it would take minutes."""
LARGEST_GROUP = 4096
"""Nor a larger group."""
NEARLY = 0.9
"""Fraction of an update that more inner steps, or a larger learning rate, aim at."""


@dataclass(frozen=True)
class Change:
    """A way out that was played and found to come to the target.

    Attributes
    ----------
    values : dict
        The settings that differ, with what they become.
    late : float
        Largest late gap over the tables, with them.
    """

    values: dict[str, Any]
    late: float

    @property
    def sentence(self) -> str:
        """In words."""
        listed = " and ".join(f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value:.3g}" for name, value in self.values.items())
        return f"{listed} (played: the gap comes to {self.late:.3g})"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"values": self.values, "late": self.late, "sentence": self.sentence}


Measure = Callable[[RunSettings], tuple[Sequence[Table], Fitting]]
"""From settings to tables and what gradient steps make of an update: measured anew where learning rate or inner steps differ."""


def advise(made: Sequence[Forecast], measure: Measure) -> tuple[Change, ...]:
    """Ways out of what refutes some forecasts, the smallest changes first, each played on all tables.

    Parameters
    ----------
    made : sequence of Forecast
        Of one run, on several tables.
    measure : callable
        What the gradient steps realise with other settings.
    """
    settings = made[0].settings
    names = [each.table.name for each in sorted(made, key=lambda each: -each.play.mean)]  # the hardest first
    found: list[Change] = []
    rank = None
    for depth, values in itertools.islice(_candidates(settings, made), MOST_TRIED):
        if rank is not None and depth > rank:
            break
        changed = replace(settings, **values)
        tables, fitting = measure(changed)
        order = sorted(tables, key=lambda table: names.index(table.name))
        if not all(_played(table, changed, fitting) <= settings.target_gap for table in order):
            continue
        again = [forecast(table, changed, fitting) for table in order]
        if all(each.verdict is Verdict.CONFIRMED for each in again):
            rank = depth
            found.append(Change(values, max(each.play.mean for each in again)))
            if len(found) == MOST:
                break
    return tuple(found)


def _played(table: Table, settings: RunSettings, fitting: Fitting) -> float:
    """The late gap, from few seeds."""
    return play(table.preference, table.log_policy, settings, fitting=fitting, log_magnet=table.log_magnet, first=table.first, seeds=FEW).mean


def _candidates(settings: RunSettings, made: Sequence[Forecast]) -> Iterator[tuple[int, dict[str, Any]]]:
    """How far from the settings given, and what changes: one setting at a time, then two, then three; without a magnet, one that moves comes first."""
    if settings.magnet_strength == 0:
        for strength in (0.2, 0.1, 0.3):
            yield 0, {"magnet_strength": strength, "refresh_every": math.ceil(2.0 / (strength * settings.step_size * min(1.0, max(made[0].fraction, 1e-3))))}
    single = {name: values for name, values in _single(settings, made).items() if values}
    deepest = max(map(len, single.values()), default=0)
    for depth in range(deepest):
        for name, values in single.items():
            if depth < len(values):
                yield depth, {name: values[depth]}
    pairs = [pair for pair in itertools.combinations(single, 2) if set(pair) != {"learning_rate", "inner_steps"}]
    for depth in (1, 2):
        for pair in pairs:
            yield deepest + depth, {name: single[name][min(depth, len(single[name]) - 1)] for name in pair}
    yield deepest + 3, {name: single[name][-1] for name in ("refresh_every", "group_size", "max_rollouts") if name in single}


def _single(settings: RunSettings, made: Sequence[Forecast]) -> dict[str, list[Any]]:
    """What each setting may become, the nearest first."""
    pull = settings.pull / (1 + settings.pull) * min(1.0, max(made[0].fraction, 1e-3))
    # A stage of 2/(ηα) rollouts brings KL down by e², and one below √(3/(ηα)) diverges.
    # The first of them is what the tabular method takes by default.
    stages = [math.ceil(2.0 / pull), math.ceil(1.5 * math.sqrt(3.0 / pull)), math.ceil(1.0 / pull), math.ceil(3.0 / pull)] if pull > 0 else []
    every = settings.refresh_every
    stages = [stage for stage in dict.fromkeys(stages) if stage != every and (stage < every or 4 * stage <= settings.max_rollouts)]
    options: dict[str, list[Any]] = {}
    if settings.magnet_strength:
        options["refresh_every"] = stages
    options |= _fit(settings, made)
    options["group_size"] = _groups(settings, made)
    options["max_rollouts"] = [rollouts for factor in (2, 4, 8) if (rollouts := settings.max_rollouts * factor) <= LONGEST]
    options["step_size"] = [settings.step_size * factor for factor in (0.5, 2.0, 0.25, 0.1)]
    if settings.magnet_strength and settings.refresh_every:
        options["magnet_strength"] = [settings.magnet_strength * factor for factor in (2.0, 0.5, 3.0)]
    return options


def _groups(settings: RunSettings, made: Sequence[Forecast]) -> list[int]:
    """Twice, and four and sixteen times as many; or so many as should bring the floor, which falls with their square root, to half the target."""
    floor = max(each.floor for each in made)
    wanted = math.ceil(settings.group_size * (2 * floor / settings.target_gap) ** 2) if math.isfinite(floor) else 0
    sizes = {settings.group_size * factor for factor in (2, 4, 16)} | ({wanted} if settings.group_size < wanted <= LARGEST_GROUP else set())
    return sorted(sizes)


def _fit(settings: RunSettings, made: Sequence[Forecast]) -> dict[str, list[Any]]:
    """More inner steps, or another learning rate: so much as should make nearly all of each update, and half as much."""
    fraction = made[0].fraction
    if fraction >= NEARLY:
        return {}
    if not fraction > 0:
        return {"learning_rate": [settings.learning_rate * factor for factor in (0.1, 0.03, 0.01)]}
    each = fraction_per_step(fraction, settings.inner_steps)
    steps = math.ceil(math.log(1 - NEARLY) / math.log1p(-each))
    # Small parts of an update are as many as the learning rate is large.
    rates = [settings.learning_rate * fraction_per_step(goal, settings.inner_steps) / each for goal in (0.5, NEARLY)]
    return {"learning_rate": [float(f"{rate:.2g}") for rate in rates], "inner_steps": [steps, 2 * steps]}


def assumed_fraction(settings: RunSettings, given: RunSettings) -> float:
    """The fraction with other inner steps or another learning rate, where no model tells: equal small parts of what is left, as many as steps, as large as the rate."""
    each = fraction_per_step(given.realised_fraction, given.inner_steps) * settings.learning_rate / given.learning_rate
    return given.realised_fraction if given.realised_fraction >= 1 else fraction_after(min(each, 1.0), settings.inner_steps)
