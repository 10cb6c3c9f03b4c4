"""The question that a judge is asked, and the strict reading of what it answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmd_games.llm.preference.templates import fill, read_answer


@given(
    st.text() | st.floats().map(str) | st.floats(0, 1).map(str) | st.sampled_from(["A", "B", "TIE", "A\n", " B "]), st.sampled_from(["letter", "probability"])
)
@settings(max_examples=300)
def test_only_an_exact_answer_is_read(text: str, answer: str):
    found = read_answer(text, answer)
    if answer == "letter":
        assert found == {"A": 1.0, "B": 0.0, "TIE": 0.5}.get(text.strip())  # no random text is a JSON object of the one right key
    else:
        try:
            number = float(text)
        except ValueError:
            number = None
        assert found is None or (found == number and 0 <= found <= 1)
        if number is not None and 0 <= number <= 1 and text == repr(number):
            assert found == number


@pytest.mark.parametrize(
    "text",
    [
        '{"probability": true}',
        '{"probability": "0.5"}',
        '{"p": 0.5}',
        '{"probability": 0.5, "why": 1}',
        "[0.5]",
        "NaN",
        "-Infinity",
        "true",
        "null",
        "1" + "0" * 400,
        "[" * 5000,
    ],
)
def test_what_is_almost_a_probability_is_none(text: str):
    assert read_answer(text, "probability") is None
    assert read_answer(text, "letter") is None


@given(st.text(), st.text(), st.text())
def test_a_template_shows_the_texts_as_they_are(prompt: str, first: str, second: str):
    assert fill('«{prompt}» «{first}» «{second}» {"winner": "A"}', prompt, first, second) == f'«{prompt}» «{first}» «{second}» {{"winner": "A"}}'
