"""Several reports on one HTML page: their gaps on one plot, a table of them, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mmd_games import plots
from mmd_games.plots.runs import names_of
from mmd_games.report.contents import CODE_WIDTH, WORDS, facts, predicted_slope, reproduction, versions
from mmd_games.report.page import Figure, figure, rendered
from mmd_games.report.record import Report
from mmd_games.verification import Verdict
from mmd_games.words import brief

LONGEST_HEADLINE = 200
"""Characters of a game's name in the headline; below it stands in full."""


class Run(NamedTuple):
    """One run on the page: its name in the figures, its row of (shown, number), what only it has to say, and the lines that make its report again."""

    name: str
    report: Report
    numbers: list[tuple[str, float | None]]
    facts: list[tuple[str, str]]
    reproduce: list[str]


def as_html(reports: Sequence[Report], rows: Sequence[dict[str, str]], rates: Sequence[tuple[float | None, float | None]]) -> str:
    """The page. Names are shown as they are and never read as HTML.

    Parameters
    ----------
    reports : sequence of Report
    rows : sequence of dict
        As :func:`mmd_games.report.comparison_rows` makes them.
    rates : sequence of (measured, predicted)
        Factors a product; None where there is none.
    """
    traces = [report.trace for report in reports]
    said = [facts(report) for report in reports]
    shared = [fact for fact in said[0] if all(fact in others for others in said)]
    runs = [
        Run(name, report, _numbers(report, row, rate), [fact for fact in own if fact not in shared], reproduction(report, CODE_WIDTH, f"trace-{index}.npz"))
        for index, (name, report, row, rate, own) in enumerate(zip(names_of(traces), reports, rows, rates, said, strict=True), start=1)
    ]
    games = {trace.game.name: None for trace in traces}
    where = next(iter(games)) if len(games) == 1 else f"{len(games)} games"
    return rendered(
        "compare.html.j2",
        where=brief(where, LONGEST_HEADLINE),
        sentence=_sentence(reports),
        facts=shared,
        figure=_gaps(reports),
        figures=[_simplex(reports)] if len(games) == 1 and traces[0].game.blocks == (3,) else [],
        heads=NUMBERS,
        runs=runs,
        words=WORDS,
        versions=versions(),
    )


NUMBERS = ("products", "last gap", "average gap", "rate a product", "predicted")
"""The columns of numbers, as :func:`mmd_games.report.comparison_rows` calls them."""


def _numbers(report: Report, row: dict[str, str], rate: tuple[float | None, float | None]) -> list[tuple[str, float | None]]:
    trace = report.trace
    values = (int(trace.products[-1]), trace.gap, float(trace.average_gaps[-1]), *rate)
    return [(row[head], value) for head, value in zip(NUMBERS, values, strict=True)]


def _sentence(reports: Sequence[Report]) -> str:
    """How many runs came to which verdict."""
    counted = Counter(report.verdict for report in reports)
    return f"{len(reports):,} run{'s' * (len(reports) > 1)}: {', '.join(f'{counted[verdict]:,} {verdict.value}' for verdict in Verdict if counted[verdict])}"


def _gaps(reports: Sequence[Report]) -> Figure:
    ax = plots.plot_gaps([report.trace for report in reports], predicted=[predicted_slope(report) for report in reports])
    drawn = "; dashed grey lines are predicted slopes" if any(predicted_slope(report) for report in reports) else ""
    caption = f"Duality gaps of the last iterates (thick) and of the average iterates (thin){drawn}."
    return figure(ax, "gaps", caption, "Line plot of the duality gaps of all runs on a logarithmic scale; the table below has where they came to.")


def _simplex(reports: Sequence[Report]) -> Figure:
    alt = "Triangle whose corners are the three actions; each path ends at a marker, and a star marks the equilibrium."
    return figure(plots.plot_simplex([report.trace for report in reports]), "simplex", "The last iterates' paths; the star is the Nash equilibrium.", alt)
