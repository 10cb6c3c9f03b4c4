"""A ranking as text, as a figure and as a page."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from mmd_games import plots
from mmd_games.report.contents import CODE_WIDTH, broken_command, versions
from mmd_games.report.page import figure, rendered
from mmd_games.report.ranking.contents import WORDS, cycle_line, facts, headline
from mmd_games.words import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mmd_games.report.ranking.record import Ranking

WIDTH = 118
MOST_ROWS, MOST_ON_PAGE = 50, 500
"""Rows of the table in text and on a page; the JSON has them all."""


def as_text(ranking: Ranking) -> str:
    """The headline, the table, what is said about it, the cycles, and how to make it again."""
    return "\n".join([*_wrapped("", headline(ranking.standings)), "", *_columns(ranking.rows()), *remarks(ranking)])


def remarks(ranking: Ranking) -> list[str]:
    """The lines under the table."""
    it, left = ranking.standings, len(ranking.names) - MOST_ROWS
    lines = [f"  and {left:,} more, which the JSON has", ""] if left > 0 else [""]
    lines += [line for name, text in facts(it) for line in _wrapped(f"  {name:<12} ", text)]
    if it.against_elo.cycles:
        lines += ["", "Smallest cycles of majorities (each beats the next so often)"]
        lines += [line for cycle in it.against_elo.cycles for line in _wrapped("  ", cycle_line(it, cycle))]
    lines += ["", "Words", *(line for word, meaning in WORDS for line in _wrapped(f"  {word:<12} ", meaning))]
    if ranking.reproduce:
        lines += ["", "To make this ranking again", *(f"  {visible(line)}" for line in broken_command(ranking.reproduce, WIDTH - 2))]
    return [*lines, f"  made with {', '.join(f'{name} {version}' for name, version in versions().items())}"]


def figure_of(ranking: Ranking) -> Axes:
    """The lottery with its intervals."""
    it, order = ranking.standings, ranking.standings.order
    intervals = None if it.sample is None else (it.sample.low[order], it.sample.high[order])
    return plots.plot_lottery(ranking.names, it.equilibrium.policy[order], intervals, title=it.game.name)


def as_html(ranking: Ranking) -> str:
    """The page. Names are shown as they are and never read as HTML."""
    it = ranking.standings
    played = sum(it.equilibrium.policy > 0)
    caption = "The lottery: a point is the probability of a name" + (", a bar its interval over resampled tables." if it.sample else ".")
    alt = f"Plot of the probabilities of the first names, of which the lottery plays {played}; the table below has the same numbers."
    return rendered(
        "ranking/rank.html.j2",
        standings=it,
        sentence=headline(it),
        facts=facts(it),
        figure=figure(figure_of(ranking), "lottery", caption, alt),
        offset=it.game.value_offset,
        unit="win rate" if it.game.value_offset else "margin",
        shown=it.order[:MOST_ON_PAGE].tolist(),
        left=len(it.names) - MOST_ON_PAGE,
        cycles=[cycle_line(it, cycle) for cycle in it.against_elo.cycles],
        words=WORDS,
        reproduce=broken_command(ranking.reproduce, CODE_WIDTH) if ranking.reproduce else [],
        versions=versions(),
    )


def _columns(rows: list[dict[str, str]]) -> list[str]:
    """Rows in columns of spaces: words to the left, numbers to the right."""
    heads = list(rows[0])
    cells = [heads, *([visible(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    return [
        "  ".join(text.ljust(width) if head == "name" else text.rjust(width) for head, text, width in zip(heads, row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _wrapped(prefix: str, text: str) -> list[str]:
    indent = " " * len(prefix)
    return textwrap.wrap(visible(text), WIDTH, initial_indent=prefix, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
