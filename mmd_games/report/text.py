"""A report as text for a terminal, in lines of at most 118 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from mmd_games.report.contents import WORDS, assumptions, brief_statement, by_question, facts, not_applicable, number, reproduction, versions
from mmd_games.verification import Claim
from mmd_games.words import visible

if TYPE_CHECKING:
    from mmd_games.report.record import Report

WIDTH = 118


def as_text(report: Report) -> str:
    """The headline, the facts, the claims by question, what they assume, and how to make the report again."""
    lines = [*_wrapped(f"{report.verdict.value.upper()}: ", report.headline.sentence, "  "), ""]
    lines += [line for name, text in facts(report) for line in _wrapped(f"  {name:<10} ", text)]
    assumed = assumptions(report)
    for question, claims in by_question(report):
        lines += ["", question.value]
        lines += [line for claim in claims for line in _claim(claim, assumed)]
    if assumed:
        lines += ["", "Assumed"]
        lines += [line for sentence, index in assumed.items() for line in _wrapped(f"  ({index}) ", sentence)]
    silent = not_applicable(report)
    if silent:
        lines += ["", "Does not apply"]
        lines += [line for claim in silent for line in _wrapped("  ", f"{brief_statement(claim)}: {claim.detail}", "      ")]
    lines += ["", "Words", *(line for word, meaning in WORDS for line in _wrapped(f"  {word:<10} ", meaning))]
    lines += ["", "To make this report again", *(f"  {visible(line)}" for line in reproduction(report, WIDTH - 2))]
    lines += [f"  made with {', '.join(f'{name} {version}' for name, version in versions().items())}"]
    return "\n".join(lines)


def numbers(claim: Claim) -> list[str]:
    """Predicted, measured and interval, those that there are."""
    shown = [f"predicted {number(claim.predicted)}"] if claim.predicted is not None else []
    shown += [f"measured {number(claim.measured)}"] if claim.measured is not None else []
    return shown + ([f"95% interval {number(claim.interval[0])} to {number(claim.interval[1])}"] if claim.interval is not None else [])


def _claim(claim: Claim, assumed: dict[str, int]) -> list[str]:
    """Verdict and statement; then the numbers, the reason and the numbers of the assumptions."""
    rests = f"assumes {', '.join(f'({index})' for index in sorted(assumed[sentence] for sentence in claim.assumed))}" if claim.assumed else ""
    said = " | ".join(filter(None, [*numbers(claim), claim.detail, rests]))
    return [*_wrapped(f"  [{claim.verdict.value}] ", claim.statement, "      "), *_wrapped("      ", said)]


def _wrapped(prefix: str, text: str, later: str | None = None) -> list[str]:
    """Text in lines of at most `WIDTH` characters, later lines indented like the first unless told otherwise."""
    indent = " " * len(prefix) if later is None else later
    words = visible(text)
    return textwrap.wrap(words, WIDTH, initial_indent=prefix, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
