"""The report: what a judgement says, as text, JSON and a directory of files."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmd_games import plots
from mmd_games.equilibria import NashEquilibrium
from mmd_games.errors import InputError
from mmd_games.loop.trace import Trace
from mmd_games.verification import Claim, Convergence, Headline, Judgement, Verdict, judge

SCHEMA = "mmd_games.report/1"
COMPARISON_SCHEMA = "mmd_games.compare/1"
WIDTH = 118


@dataclass(frozen=True, eq=False)
class Report:
    """A judged run.

    Attributes
    ----------
    trace : Trace
    judgement : Judgement
    notes : tuple of str
        What a reader must know beside the claims.
    """

    trace: Trace
    judgement: Judgement
    notes: tuple[str, ...] = ()

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

    def claim(self, name: str) -> Claim:
        """One claim by its name."""
        return next(claim for claim in self.claims if claim.name == name)

    def __str__(self) -> str:
        trace = self.trace
        budget = f"{trace.steps:,} steps, {int(trace.products[-1]):,} products (matrix-vector products for all players); stopped by {trace.stopped}"
        facts = [
            ("game", trace.game.describe()),
            ("algorithm", trace.algorithm_spec),
            ("budget", budget),
            ("feedback", trace.feedback),
            ("tolerance", f"{self.judgement.tolerance:.3g} (duality gap, NashConv, in units of the game)"),
            ("gap", f"{trace.gaps[0]:.4g} at the start, {trace.gap:.4g} at the end; of the average iterate {trace.average_gaps[-1]:.4g}"),
            ("policy", _policy_line(trace)),
            *(("note", note) for note in (*trace.game.notes, *self.notes)),
        ]
        lines = [f"{self.verdict.value.upper()}: {self.headline.sentence}", ""]
        lines += [line for name, text in facts for line in _wrapped(f"  {name:<10} ", text)]
        lines += [""]
        for claim in self.claims:
            numbers = [f"predicted {claim.predicted:.6g}"] if claim.predicted is not None else []
            numbers += [f"measured {claim.measured:.6g}"] if claim.measured is not None else []
            numbers += [f"95% interval {claim.interval[0]:.6g} to {claim.interval[1]:.6g}"] if claim.interval is not None else []
            lines += _wrapped(f"  [{claim.verdict.value}] ", claim.statement)
            lines += _wrapped("      ", "; ".join(filter(None, [", ".join(numbers), claim.detail])))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `verdict` is confirmed, refuted or inconclusive."""
        trace = self.trace
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "headline": self.headline.name.lower(),
            "sentence": self.headline.sentence,
            "game": {
                "name": trace.game.name,
                "blocks": list(trace.game.blocks),
                "labels": None if trace.game.labels is None else [list(names) for names in trace.game.labels],
                "units": trace.game.units,
                "scale": float(trace.game.scale),
                "notes": list(trace.game.notes),
            },
            "algorithm": trace.algorithm_spec,
            "feedback": trace.feedback,
            "steps": trace.steps,
            "products": int(trace.products[-1]),
            "stopped": trace.stopped,
            "tolerance": self.judgement.tolerance,
            "gap": {"start": float(trace.gaps[0]), "last": trace.gap, "average": float(trace.average_gaps[-1])},
            "policy": trace.policy.tolist(),
            "claims": [claim.to_dict() for claim in self.claims],
            "convergence": self.convergence.to_dict(),
            "reference": self.reference.to_dict(),
            "notes": list(self.notes),
        }

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the gap against products into a file (.png, .svg or .pdf)."""
        return plots.save(plots.plot_gaps([self.trace]), path)

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write report.txt, report.json, trace.npz and gap.png into a directory, each whole or not at all."""
        with output_directory(directory) as folder:
            (folder / "report.txt").write_text(f"{self}\n", encoding="utf-8")
            (folder / "report.json").write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
            self.trace.save(folder / "trace.npz")
            self.plot(folder / "gap.png")
        return Path(directory)


def verify(trace: Trace, tolerance: float | None = None, *, notes: tuple[str, ...] = ()) -> Report:
    """Judge a run: did its last iterate reach the game's Nash equilibrium, and at a linear rate?

    Parameters
    ----------
    trace : Trace
        From :func:`mmd_games.solve`, or brought in by ``Trace.from_policies``.
    tolerance : float, optional
        Largest duality gap that counts as an equilibrium, in the game's units; default 1e-8·L.
    notes : tuple of str
        Printed with the report.

    Returns
    -------
    Report
        Prints as text; ``report.save(directory)`` writes it out.
    """
    return Report(trace, judge(trace, tolerance), notes)


def comparison_rows(reports: Sequence[Report]) -> list[dict[str, str]]:
    """A row for each report: what was run, where its last iterate came to, and the verdict."""
    return [
        {
            "algorithm": result.trace.algorithm_spec,
            "products": f"{int(result.trace.products[-1]):,}",
            "last gap": f"{result.trace.gap:.2e}",
            "average gap": f"{result.trace.average_gaps[-1]:.2e}",
            "rate a product": _rate_per_product(result),
            "verdict": result.verdict.value,
            "why": result.headline.sentence,
        }
        for result in reports
    ]


def comparison_dict(reports: Sequence[Report]) -> dict[str, Any]:
    """All reports, JSON-ready."""
    return {"schema": COMPARISON_SCHEMA, "results": [result.to_dict() for result in reports]}


def save_comparison(reports: Sequence[Report], directory: str | os.PathLike[str]) -> Path:
    """Write compare.json, gaps.png (all runs on one plot), and for three actions simplex.png, into a directory."""
    traces = [result.trace for result in reports]
    with output_directory(directory) as folder:
        (folder / "compare.json").write_text(json.dumps(comparison_dict(reports), indent=1) + "\n", encoding="utf-8")
        plots.save(plots.plot_gaps(traces), folder / "gaps.png")
        if traces[0].game.blocks == (3,):
            plots.save(plots.plot_simplex(traces), folder / "simplex.png")
        for number, trace in enumerate(traces, start=1):
            trace.save(folder / f"trace-{number}.npz")
    return Path(directory)


def _rate_per_product(result: Report) -> str:
    """The measured factor a product, where the gap falls linearly."""
    rate, trace = result.convergence.rate, result.trace
    return "" if rate is None else f"{rate ** (trace.steps / float(trace.products[-1])):.6f}"


@contextlib.contextmanager
def output_directory(directory: str | os.PathLike[str]) -> Iterator[Path]:
    """A fresh folder whose files move into `directory` when all are written; otherwise nothing is left behind, nor directories made for it.

    Raises
    ------
    InputError
        When the directory cannot be written.
    """
    target, made = Path(directory), []
    try:
        made = [folder for folder in (target, *target.parents) if not folder.exists()]
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as partial:
            yield Path(partial)
            for file in sorted(Path(partial).iterdir()):
                os.replace(file, target / file.name)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error}).") from None
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it has files now
                folder.rmdir()


def require_writable(directory: str | os.PathLike[str]) -> None:
    """Refuse an output directory that cannot be written, before any work is done for it; told by trying, and nothing stays."""
    target = Path(directory)
    for folder in (target, *target.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; a directory was expected.")
    with output_directory(target):
        pass


def _policy_line(trace: Trace) -> str:
    """The most likely actions of the last iterate, player by player."""
    parts, start = [], 0
    for number, size in enumerate(trace.game.blocks):
        policy = trace.policy[start : start + size]
        labels = trace.game.labels[number] if trace.game.labels else range(1, size + 1)
        order = [int(i) for i in np.argsort(-policy, kind="stable") if policy[i] >= 5e-5]
        shown = ", ".join(f"{labels[i]} {policy[i]:.4f}" for i in order[:8])
        more = f" and {len(order) - 8} more" if len(order) > 8 else ""
        parts.append(f"{shown}{more}" if order else f"none of {size:,} actions above 0.00005")
        start += size
    return " | ".join(parts)


def _wrapped(prefix: str, text: str) -> list[str]:
    """Text in lines of at most `WIDTH` characters, later lines indented like the first."""
    return textwrap.wrap(text, WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix), break_long_words=False, break_on_hyphens=False)
