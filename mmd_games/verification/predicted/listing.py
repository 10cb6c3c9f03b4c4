"""A prediction as text for a terminal: what it says, what it costs, and the modes and actions behind it."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from mmd_games.digits import factor_of
from mmd_games.words import visible

if TYPE_CHECKING:
    from mmd_games.verification.predicted.prediction import RatePrediction

WIDTH = 118
SHOWN = 8
"""So many modes, and so many actions, are printed."""


def as_text(prediction: RatePrediction) -> str:
    """In lines of at most 118 columns."""
    about = f"Prediction for {prediction.algorithm} on {prediction.game}:"
    if prediction.declined:
        return "\n".join(_wrapped("", f"{about} {verdict(prediction)}"))
    lines = _wrapped("", about) + _wrapped("  ", verdict(prediction))
    lines += [f"  {prediction.slowest_part}; {cost(prediction)}"] if prediction.kind != "stands still" else []
    lines += _wrapped("  ", prediction.detail) if prediction.detail else []
    zero = f", and {prediction.zero_modes} of frequency 0" if prediction.zero_modes and prediction.target == "nash" else ""
    counted = _count(len(prediction.modes), "mode")
    lines += _wrapped("  ", f"at the {prediction.target_name}, {prediction.support_size} of {len(prediction.log_target)} actions played: {counted}{zero}")
    lines += _modes(prediction) + _actions(prediction)
    return "\n".join([*lines, *(line for sentence in prediction.assumptions for line in _wrapped("  assumed: ", sentence))])


def verdict(prediction: RatePrediction) -> str:
    """What is predicted, in one line, or why nothing is."""
    if prediction.exponent is None:
        return f"none, because {prediction.declined}"
    per = f"a {prediction.unit}"
    if prediction.steps_per_unit > 1:
        per += f" of {prediction.steps_per_unit:,} steps, {factor_of(prediction.exponent / prediction.steps_per_unit)} a step"
    said = {"linear": "converges linearly", "diverges": "diverges", "stands still": "stands still, to rounding"}[prediction.kind]
    return f"{said}, factor {factor_of(prediction.exponent)} {per}"


def cost(prediction: RatePrediction) -> str:
    """How many steps and products take the distance down, or up, by a factor of ten: one unit at least."""
    units = max(1.0, math.log(10.0) / abs(prediction.exponent or math.inf))
    what = "a factor of ten takes" if prediction.kind == "linear" else "to grow tenfold takes"
    return f"{what} {_rounded(units * prediction.steps_per_unit)} steps, {_rounded(units * prediction.products_per_unit)} products"


def _modes(prediction: RatePrediction) -> list[str]:
    if not prediction.modes:
        return []
    rows = [
        f"    {mode.frequency:12.6g} {factor_of(mode.exponent):>18}   {mode.multiplier.real:.6g}{mode.multiplier.imag:+.6g}i"
        for mode in prediction.modes[:SHOWN]
    ]
    return [f"    {'frequency':>12} {f'factor a {prediction.unit}':>18}   multiplier", *rows, *_more(len(prediction.modes))]


def _actions(prediction: RatePrediction) -> list[str]:
    if not prediction.actions:
        return []
    dying = "that dies out" if len(prediction.actions) == 1 else "that die out"
    rows = [f"    {action.slack:20.6g} {action.drift:20.6g}   {visible(action.label)}" for action in prediction.actions[:SHOWN]]
    head = f"    {'slack (payoff units)':>20} {f'log-odds a {prediction.unit}':>20}   action"
    return [f"  {_count(len(prediction.actions), 'action')} {dying}", head, *rows, *_more(len(prediction.actions))]


def _rounded(amount: float) -> str:
    """A whole number, rounded up, as long as it is read at a glance."""
    return f"{math.ceil(amount):,}" if amount < 1e6 else f"{amount:.2g}"


def _wrapped(prefix: str, text: str) -> list[str]:
    later = " " * (len(prefix) + (0 if prefix else 2))
    return textwrap.wrap(visible(text), WIDTH, initial_indent=prefix, subsequent_indent=later, break_long_words=False, break_on_hyphens=False)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _more(number: int) -> list[str]:
    return [f"    … and {number - SHOWN:,} faster"] if number > SHOWN else []
