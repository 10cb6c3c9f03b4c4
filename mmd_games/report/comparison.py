"""Several reports side by side."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmd_games import plots
from mmd_games.report.comparison_page import as_html
from mmd_games.report.contents import predicted_slope
from mmd_games.report.record import Report
from mmd_games.report.saving import output_directory

COMPARISON_SCHEMA = "mmd_games.compare/2"


def comparison_rows(reports: Sequence[Report]) -> list[dict[str, str]]:
    """A row for each report: what was run, where its last iterate came to, and the verdict."""
    return [
        {
            "algorithm": result.trace.algorithm_spec,
            "products": f"{int(result.trace.products[-1]):,}",
            "last gap": f"{result.trace.gap:.2e}",
            "average gap": f"{result.trace.average_gaps[-1]:.2e}",
            **{name: "" if rate is None else f"{rate:.6f}" for name, rate in zip(("rate a product", "predicted"), _rates(result), strict=True)},
            "verdict": result.verdict.value,
            "why": result.headline.sentence,
        }
        for result in reports
    ]


def comparison_dict(reports: Sequence[Report]) -> dict[str, Any]:
    """All reports, JSON-ready."""
    return {"schema": COMPARISON_SCHEMA, "results": [result.to_dict() for result in reports]}


def comparison_html(reports: Sequence[Report]) -> str:
    """All reports on one page that needs nothing else: the gaps on one plot, a table that can be sorted, and the verdict on each with its reason."""
    return as_html(reports, comparison_rows(reports), [_rates(result) for result in reports])


def save_comparison(reports: Sequence[Report], directory: str | os.PathLike[str]) -> Path:
    """Write compare.html, compare.json, gaps.png (all runs on one plot), for three actions simplex.png, and the traces into a directory."""
    traces = [result.trace for result in reports]
    with output_directory(directory) as folder:
        (folder / "compare.html").write_text(comparison_html(reports), encoding="utf-8")
        (folder / "compare.json").write_text(json.dumps(comparison_dict(reports), indent=1, allow_nan=False) + "\n", encoding="utf-8")
        plots.save(plots.plot_gaps(traces, predicted=[predicted_slope(result) for result in reports]), folder / "gaps.png")
        if traces[0].game.blocks == (3,):
            plots.save(plots.plot_simplex(traces), folder / "simplex.png")
        for number, trace in enumerate(traces, start=1):
            trace.save(folder / f"trace-{number}.npz")
    return Path(directory)


def _rates(result: Report) -> tuple[float | None, float | None]:
    """The measured factor a product, where the gap falls linearly, and the predicted one, where theory predicts one of this gap."""
    rate, trace = result.convergence.rate, result.trace
    measured = None if rate is None else rate ** (trace.steps / float(trace.products[-1]))
    return measured, result.prediction.rate_per_product if predicted_slope(result) is not None else None
