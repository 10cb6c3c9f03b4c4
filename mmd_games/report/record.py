"""A judged run, and the forms it takes: text, JSON, HTML, a plot, a directory."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmd_games import plots
from mmd_games.equilibria import NashEquilibrium
from mmd_games.loop.trace import Trace
from mmd_games.report.contents import predicted_slope
from mmd_games.report.document import as_dict
from mmd_games.report.html import as_html
from mmd_games.report.saving import output_directory
from mmd_games.report.text import as_text
from mmd_games.verification import Claim, Convergence, Headline, Judgement, Verdict, judge
from mmd_games.verification.predicted import RatePrediction

FILES = ("report.txt", "report.json", "report.html", "trace.npz", "gap.png")
"""What a saved report consists of."""


@dataclass(frozen=True, eq=False)
class Report:
    """A judged run.

    Attributes
    ----------
    trace : Trace
    judgement : Judgement
    notes : tuple of str
        What a reader must know beside the claims.
    reproduce : str
        The command that makes this report again; where it is empty, lines of Python that judge the saved trace are shown instead.
    """

    trace: Trace
    judgement: Judgement
    notes: tuple[str, ...] = ()
    reproduce: str = ""

    @property
    def headline(self) -> Headline:
        """Did the last iterate reach the game's equilibrium, linearly?"""
        return self.judgement.headline

    @property
    def verdict(self) -> Verdict:
        """Confirmed, refuted or inconclusive."""
        return self.headline.verdict

    @property
    def exit_status(self) -> int:
        """0 confirmed, 1 refuted, 3 inconclusive."""
        return self.verdict.exit_status

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All claims, in the order a reader asks."""
        return self.judgement.claims

    @property
    def reference(self) -> NashEquilibrium:
        """The equilibrium computed independently of the run."""
        return self.judgement.reference

    @property
    def convergence(self) -> Convergence:
        """What the recorded gaps say."""
        return self.judgement.convergence

    @property
    def prediction(self) -> RatePrediction:
        """What theory says of the run near its limit, or why it says nothing."""
        return self.judgement.prediction

    def claim(self, name: str) -> Claim:
        """One claim by its name."""
        return next(claim for claim in self.claims if claim.name == name)

    def __str__(self) -> str:
        return as_text(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, by the schema that :func:`mmd_games.report.json_schema` returns; `verdict` is confirmed, refuted or inconclusive."""
        return as_dict(self)

    def to_html(self) -> str:
        """One page that needs nothing else: nothing is loaded from elsewhere, and without scripts all of it can be read."""
        return as_html(self)

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the gap against products into a file (.png, .svg or .pdf), with the predicted slope where there is one."""
        return plots.save(plots.plot_gaps([self.trace], predicted=[predicted_slope(self)]), path)

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write report.txt, report.json, report.html, trace.npz and gap.png into a directory, each whole or not at all."""
        with output_directory(directory) as folder:
            (folder / "report.txt").write_text(f"{self}\n", encoding="utf-8")
            (folder / "report.json").write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            (folder / "report.html").write_text(self.to_html(), encoding="utf-8")
            self.trace.save(folder / "trace.npz")
            self.plot(folder / "gap.png")
        return Path(directory)


def verify(
    trace: Trace, tolerance: float | None = None, *, notes: tuple[str, ...] = (), reproduce: str = "", reference: NashEquilibrium | None = None
) -> Report:
    """Judge a run: did its last iterate reach the game's Nash equilibrium, and at a linear rate?

    Parameters
    ----------
    trace : Trace
        From :func:`mmd_games.solve`, or brought in by ``Trace.from_policies``.
    tolerance : float, optional
        Largest duality gap that counts as an equilibrium, in the game's units; default 1e-8·L.
    notes : tuple of str
        Printed with the report.
    reproduce : str
        The command that makes the report again, printed with it.
    reference : NashEquilibrium, optional
        Of the trace's game, as :func:`mmd_games.nash` returns it, where several runs of one game are judged; default computed. Only its policy, and
        how it was found, is taken from it; the rest is computed again.

    Returns
    -------
    Report
        Prints as text; ``report.save(directory)`` writes it out.
    """
    return Report(trace, judge(trace, tolerance, reference=reference), notes, reproduce)
