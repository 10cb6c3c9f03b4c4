"""The answer of a preflight, and the forms it takes: text, JSON, a figure, a directory."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games import plots
from mmd_games.llm.preflight.advice import Change
from mmd_games.llm.preflight.claims import claim_of_fit, claims_of
from mmd_games.llm.preflight.forecast import Forecast
from mmd_games.llm.preflight.probing import Probe
from mmd_games.llm.preflight.settings import RunSettings
from mmd_games.llm.preflight.words import Outlook, wrapped
from mmd_games.plots import style
from mmd_games.report import plain
from mmd_games.report.contents import versions
from mmd_games.report.saving import output_directory
from mmd_games.report.text import numbers
from mmd_games.verification import Claim, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA = "mmd_games.preflight/1"
FILES = ("preflight.txt", "preflight.json", "preflight.png")
"""What a saved preflight consists of."""


@dataclass(frozen=True, eq=False)
class PreflightReport:
    """What is to be expected of a training run.

    Attributes
    ----------
    settings : RunSettings
    forecasts : tuple of Forecast
        A table each. The first is the one that decides, where a model or a game was given; without either all of them do.
    own : bool
        Whether it is the run's own game.
    probe : Probe or None
        What the model's gradient steps realise.
    advice : tuple of Change, or None
        Ways out, each played; None where none were looked for.
    """

    settings: RunSettings
    forecasts: tuple[Forecast, ...]
    own: bool = False
    probe: Probe | None = None
    advice: tuple[Change, ...] | None = None

    @property
    def deciding(self) -> tuple[Forecast, ...]:
        """The forecasts that the verdict rests on."""
        return self.forecasts[:1] if self.own else self.forecasts

    @property
    def outlook(self) -> Outlook:
        """One answer: that of the run's own game; of a suite, what all games agree on."""
        outlooks = [forecast.outlook for forecast in self.deciding]
        verdicts = {outlook.verdict for outlook in outlooks}
        if len(verdicts) > 1:
            return Outlook.MIXED
        return max(outlooks, key=outlooks.count)

    @property
    def verdict(self) -> Verdict:
        """Confirmed, refuted or inconclusive."""
        return self.outlook.verdict

    @property
    def exit_status(self) -> int:
        """0 confirmed, 1 refuted, 3 inconclusive; 2 is bad input."""
        return self.verdict.exit_status

    def claims(self, forecast: Forecast) -> tuple[Claim, ...]:
        """Those of one table, and of the model's gradient steps where it is the model's."""
        made = claims_of(forecast)
        if self.probe is not None and self.own and forecast is self.forecasts[0]:
            return (*made, claim_of_fit(self.probe, forecast))
        return made

    def __str__(self) -> str:
        lines = [*wrapped(f"{self.verdict.value.upper()}: ", self.outlook.sentence, "  "), ""]
        lines += [line for name, text in self._facts() for line in wrapped(f"  {name:<10} ", text)]
        for index, forecast in enumerate(self.forecasts):
            lines += ["", *wrapped("", self._heading(index))]
            lines += _table_lines(self.claims(forecast), brief=self.own and index > 0)
        if self.advice:
            lines += ["", "What to change: any of these, each played before it is printed"]
            lines += [line for change in self.advice for line in wrapped("  - ", change.sentence)]
        elif self.advice is not None:
            lines += ["", "What to change: none of the settings near these that were played comes to the target; change several, or the target."]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers that are not finite are null."""
        tables = [{**forecast.to_dict(), "claims": [claim.to_dict() for claim in self.claims(forecast)]} for forecast in self.forecasts]
        return plain(
            {
                "schema": SCHEMA,
                "verdict": self.verdict.value,
                "outlook": self.outlook.name.lower(),
                "sentence": self.outlook.sentence,
                "settings": self.settings.to_dict(),
                "own_game": self.own,
                "probe": None if self.probe is None else self.probe.to_dict(),
                "tables": tables,
                "advice": [change.to_dict() for change in self.advice or ()],
                "made_with": versions(),
            }
        )

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the played gaps, their mean over the seeds, against rollouts, with the target."""
        return plots.save(_plot(self), path)

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write preflight.txt, preflight.json and preflight.png into a directory, each whole or not at all."""
        with output_directory(directory) as folder:
            (folder / FILES[0]).write_text(f"{self}\n", encoding="utf-8")
            (folder / FILES[1]).write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            self.plot(folder / FILES[2])
        return Path(directory)

    def _facts(self) -> list[tuple[str, str]]:
        s = self.settings
        magnet = (
            "none"
            if s.magnet_strength == 0
            else f"strength {s.magnet_strength:g}, " + (f"moved every {_count(s.refresh_every, 'rollout')}" if s.refresh_every else "never moved")
        )
        judge = f"of {_count(s.judge_votes, 'vote')} a pair" if s.judge_votes else "without noise"
        facts = [
            ("step", f"size {s.step_size:g}, by {_count(s.inner_steps, 'gradient step')} a rollout at a learning rate of {s.learning_rate:g}"),
            ("magnet", magnet),
            ("groups", f"{s.group_size:,} completions; a judge {judge}" + (f", {100 * s.judge_flips:g}% of its answers flipped" if s.judge_flips else "")),
            ("target", f"a gap of {s.target_gap:g} within {s.max_rollouts:,} rollouts"),
        ]
        if self.probe is not None:
            found = self.probe
            said = f"{found.rollouts:,} rollouts of the model, {100 * found.part:.2g}% of the run's: {found.fraction:.3g} of each update realised"
            return [*facts, ("probe", f"{said}, {found.detour:.2g} times its length moved beside it")]
        realised = "each update realised whole" if s.realised_fraction == 1 else f"{s.realised_fraction:.3g} of each update realised"
        assumed = f"none was tried, so nothing is known of the learning rate; tables are played with {realised}"
        return [*facts, ("model", assumed)]

    def _heading(self, index: int) -> str:
        forecast = self.forecasts[index]
        size = f"{len(forecast.table.games)} prompts, " if len(forecast.table.games) > 1 else ""
        decides = " This decides." if self.own and index == 0 else ""
        return (
            f"{forecast.table.name} ({size}{forecast.table.log_policy.shape[-1]} completions): {forecast.verdict.value}. {forecast.outlook.sentence}{decides}"
        )


def _table_lines(claims: tuple[Claim, ...], *, brief: bool) -> list[str]:
    """The claims of a table under their questions; of a table that does not decide, one line each."""
    lines: list[str] = []
    for question, asked in itertools.groupby(claims, key=lambda claim: claim.question):
        lines += [] if brief else [f"  {question.value}"]
        for claim in asked:
            lines += wrapped(f"  [{claim.verdict.value}] " if brief else f"    [{claim.verdict.value}] ", claim.statement, "        ")
            if not brief:
                lines += wrapped("        ", " | ".join(filter(None, [*numbers(claim), claim.detail])))
    return lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _plot(report: PreflightReport) -> Axes:
    ax = style.new_axes(None, (7.2, 4.4))
    for index, forecast in enumerate(report.forecasts):
        look = style.look(index)
        rollouts, mean = forecast.table.first + np.arange(forecast.play.gaps.shape[1]), forecast.play.gaps.mean(0)
        ax.plot(*style.thinned(rollouts, style.positive(mean)), label=forecast.table.name, color=look["color"], linestyle=look["linestyle"])
    ax.axhline(report.settings.target_gap, color="0.5", linewidth=1, label="target")
    ax.set_yscale("log")
    ax.set_xlabel("rollouts")
    ax.set_ylabel("duality gap, mean over the plays")
    style.put_title(ax, "Preflight: the run, played on tables")
    style.put_legend(ax)
    return ax
