"""A report as one HTML page that needs nothing else: figures and the script inline, nothing loaded from elsewhere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmd_games import plots
from mmd_games.arrays import block_slices
from mmd_games.games.table_game import TableGame
from mmd_games.report.contents import (
    CODE_WIDTH,
    LEAST_SHOWN,
    WORDS,
    action_names,
    assumptions,
    by_question,
    facts,
    not_applicable,
    number,
    predicted_line,
    predicted_slope,
    reproduction,
    versions,
)
from mmd_games.report.page import Figure, figure, rendered

if TYPE_CHECKING:
    from mmd_games.report.record import Report

MOST_ROWS = 20
"""Rows of a table of actions or modes; the JSON has them all."""
LARGEST_PICTURE = 200
"""A payoff table of more actions is not drawn."""


class PolicyTable(NamedTuple):
    """The likeliest actions of a player: (name, last iterate, reference, nearest equilibrium, slack at the reference), and how many more there are."""

    player: str
    rows: list[tuple[str, float, float, float, float]]
    more: int


def as_html(report: Report) -> str:
    """The page. Names are shown as they are and never read as HTML."""
    return rendered(
        "report.html.j2",
        report=report,
        facts=facts(report),
        questions=by_question(report),
        assumed=assumptions(report),
        silent=not_applicable(report),
        policies=_policies(report),
        others=_other_equilibria(report),
        words=WORDS,
        figures=_figures(report),
        reproduce=reproduction(report, CODE_WIDTH),
        versions=versions(),
        most=MOST_ROWS,
        angle=_angle,
        predicted_line=predicted_line,
    )


def _policies(report: Report) -> list[PolicyTable]:
    """For each player the actions that the last iterate or an equilibrium plays, the likeliest first."""
    trace, reference = report.trace, report.reference
    near = report.prediction.policy if _other_equilibria(report) == "listed" else reference.policy
    tables = []
    for index, (part, names) in enumerate(zip(block_slices(trace.game.blocks), action_names(trace), strict=True)):
        mine, theirs, nearest, slack = trace.policy[part], reference.policy[part], near[part], reference.slack[part]
        larger = np.maximum(np.maximum(mine, theirs), nearest)
        order = [int(i) for i in np.argsort(-larger, kind="stable") if larger[i] >= LEAST_SHOWN]
        rows = [(names[i], float(mine[i]), float(theirs[i]), float(nearest[i]), float(slack[i])) for i in order[:MOST_ROWS]]
        player = f"Player {index + 1}" if len(trace.game.blocks) > 1 else "Both players"
        tables.append(PolicyTable(player, rows, len(names) - len(rows)))
    return tables


def _other_equilibria(report: Report) -> str:
    """What is known of equilibria beside the reference: "none", "listed" where the one nearest to the last iterate is known as well, else "perhaps"."""
    prediction = report.prediction
    if prediction.target != "nash" or prediction.declined:
        return "perhaps"
    if prediction.unique:
        return "none"
    # The prediction is made at the reference itself where the nearest equilibrium was not computed.
    return "perhaps" if np.allclose(prediction.policy, report.reference.policy, rtol=1e-9, atol=0) else "listed"


def _figures(report: Report) -> list[Figure]:
    """The gap with the predicted slope; the path of the policy; the payoffs where they can be seen."""
    trace, game = report.trace, report.trace.game
    slope = predicted_slope(report)
    drawn = f", and as a dashed line the predicted factor {number(slope[0])} an iteration" if slope else ""
    figures = [
        figure(
            plots.plot_gaps([trace], predicted=[slope]),
            "gaps",
            f"Duality gap of the last iterate (thick) and of the average iterate (thin){drawn}.",
            f"Line plot of the duality gap on a logarithmic scale: from {trace.gaps[0]:.3g} to {trace.gap:.3g} in {int(trace.products[-1]):,} products.",
        )
    ]
    if game.blocks == (3,):
        alt = "Triangle whose corners are the three actions; the path ends at a marker, and a star marks the equilibrium."
        figures.append(figure(plots.plot_simplex(trace), "simplex", "The last iterate's path in the simplex; the star is the Nash equilibrium.", alt))
    else:
        alt = "Line plot of the probabilities of the likeliest actions against iterations."
        figures.append(figure(plots.plot_policies(trace), "policies", "Probabilities of the likeliest actions.", alt))
    if isinstance(game, TableGame) and max(game.blocks) <= LARGEST_PICTURE:
        figures.append(
            figure(plots.plot_payoffs(game), "payoffs", f"The game's table ({game.units} of the row).", "Image of the payoff table, a cell an entry.")
        )
    return figures


def _angle(multiplier: complex) -> float:
    """How far a mode turns a unit, in degrees."""
    return math.degrees(math.atan2(multiplier.imag, multiplier.real))
