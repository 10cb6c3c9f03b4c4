"""Texts in which a prompt and two completions are put before a judge, and the strict reading of what it answers."""

from __future__ import annotations

import json
import re
from typing import Any

from mmd_games.errors import InputError, unknown
from mmd_games.llm.preference.protocol import Prompt, is_probability, prompt_text

FIELDS = ("prompt", "first", "second")
QUESTION = """Two answers were given to the same request.

[Request]
{prompt}
[End of request]

[Answer A]
{first}
[End of answer A]

[Answer B]
{second}
[End of answer B]

"""
TEMPLATES = {
    "letter": QUESTION + "Which answer is better? The order in which they are shown means nothing. Reply with A, B or TIE, and nothing else.",
    "probability": QUESTION + "How probable is it that answer A is the better one? Reply with one number between 0 and 1, and nothing else.",
}
"""What a language model is asked, by the kind of answer."""
LETTERS = {"A": 1.0, "B": 0.0, "TIE": 0.5}


def check_template(template: str, name: str) -> None:
    """Refuse a template that does not show both completions, or has a field of another name.

    Raises
    ------
    InputError
        Naming the field.
    """
    if not isinstance(template, str):
        raise InputError(f"template of {name} must be text with the fields {{prompt}}, {{first}} and {{second}}, got {template!r}.")
    found = re.findall(r"\{(\w+)\}", template)
    for field in found:
        if field not in FIELDS:
            raise unknown(f"field of the template of {name}", field, FIELDS)
    for field in ("first", "second"):
        if field not in found:
            raise InputError(f"template of {name} must have the field {{{field}}}, where a completion is put.")


def fill(template: str, prompt: Prompt, first: str, second: str) -> str:
    """The template with its fields filled in; braces in the texts themselves are left alone.

    Examples
    --------
    >>> fill("{prompt}: {first} or {second}? {json}", "pick", "{second}", "b")
    'pick: {second} or b? {json}'
    """
    texts = {"prompt": prompt_text(prompt), "first": first, "second": second}
    return re.sub(r"\{(prompt|first|second)\}", lambda field: texts[field.group(1)], template)


def read_answer(text: object, answer: str) -> float | None:
    r"""The probability that the first completion is preferred, or `None` for an answer that is not exactly as asked for.

    Parameters
    ----------
    text : object
        What the judge said.
    answer : {"letter", "probability"}
        A, B or TIE, or ``{"winner": …}`` with one of them; a number in [0, 1], or ``{"probability": …}`` with one.

    Examples
    --------
    >>> [read_answer(text, "letter") for text in ("A", " TIE\n", '{"winner": "B"}', "A is better", "a", "0.7")]
    [1.0, 0.5, 0.0, None, None, None]
    >>> [read_answer(text, "probability") for text in ("0.7", '{"probability": 1}', "1.2", "NaN", "70%", "A")]
    [0.7, 1.0, None, None, None, None]
    """
    if not isinstance(text, str):
        return None
    bare = text.strip()
    if answer == "letter" and bare in LETTERS:
        return LETTERS[bare]
    try:
        value = json.loads(bare, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    key, value = _single(value)
    if answer == "letter":
        return LETTERS.get(value) if key == "winner" and isinstance(value, str) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if key in (None, "probability") and is_number and is_probability(value) else None


def _single(value: Any) -> tuple[str | None, Any]:
    """The key and value of an object of one key, or no key and the value itself."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], tuple):
        return value[0]
    return None, value
