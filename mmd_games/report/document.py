"""A report as JSON, by a schema that stands beside this module."""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games.errors import unknown
from mmd_games.loop.trace import Trace
from mmd_games.report.contents import feedback_of, start_of, versions

if TYPE_CHECKING:
    from mmd_games.report.record import Report

SCHEMA = "mmd_games.report/2"
LARGEST_LISTED = 10_000
"""Up to so many actions, the policy and the names stand in the document in full; beyond it, the likeliest of so many actions."""


def as_dict(report: Report) -> dict[str, Any]:
    """The report as JSON takes it; numbers that are not finite are null."""
    trace = report.trace
    whole = trace.game.actions <= LARGEST_LISTED
    return plain(
        {
            "schema": SCHEMA,
            "verdict": report.verdict.value,
            "headline": report.headline.name.lower(),
            "sentence": report.headline.sentence,
            "game": {
                "name": trace.game.name,
                "blocks": trace.game.blocks,
                "labels": trace.game.labels if whole else None,
                "units": trace.game.units,
                "scale": trace.game.scale,
                "notes": trace.game.notes,
            },
            "algorithm": trace.algorithm_spec,
            "start": start_of(trace),
            "feedback": feedback_of(trace),
            "steps": trace.steps,
            "products": trace.products[-1],
            "stopped": trace.stopped,
            "tolerance": report.judgement.tolerance,
            "gap": {"start": trace.gaps[0], "last": trace.gap, "average": trace.average_gaps[-1]},
            "policy": trace.policy if whole else None,
            "played": None if whole else _likeliest(trace),
            "claims": [claim.to_dict() for claim in report.claims],
            "convergence": report.convergence.to_dict(),
            "prediction": report.prediction.to_dict(),
            "reference": report.reference.to_dict(),
            "notes": report.notes,
            "reproduce": report.reproduce,
            "made_with": versions(),
        }
    )


def _likeliest(trace: Trace) -> list[tuple[int, float]]:
    """The actions of probability above 0, at most 10,000 of them and then the likeliest, as (index from 0, probability) in order of the index."""
    policy = trace.policy
    first = np.argsort(-policy, kind="stable")[:LARGEST_LISTED]
    return [(int(i), float(policy[i])) for i in np.sort(first[policy[first] > 0])]


def plain(value: Any) -> Any:
    """What JSON has: lists for tuples and arrays, Python's numbers for NumPy's, null for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_schema(name: str = "report") -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a document, `report`, `compare` or `rank`.

    A comparison's schema refers to the report's by its ``$id``.
    """
    if name not in ("report", "compare", "rank"):
        raise unknown("schema", name, ["report", "compare", "rank"])
    return json.loads(resources.files("mmd_games.report").joinpath(f"{name}.schema.json").read_text(encoding="utf-8"))
