"""The grammar name:key=value,… and the sentences for what is not in it."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmd_games import specs
from mmd_games.errors import InputError, require_positive, require_whole, unknown
from mmd_games.games.tables import require_not_negative, require_probability, spec_name


def factory(
    count: int, size: float = 0.5, flag: bool = False, kind: Literal["a", "b"] = "a", wins: tuple[float, ...] = (0.9,), limit: float | None = None
) -> dict[str, object]:
    return {"count": count, "size": size, "flag": flag, "kind": kind, "wins": wins, "limit": limit}


def build(settings: dict[str, object]) -> dict[str, object]:
    return specs.build(factory, settings, "game 'x'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cycle", ("cycle", {})),
        ("cycle:", ("cycle", {})),
        (" random : n = 30 , seed=1, ", ("random", {"n": "30", "seed": "1"})),
        ("mine:key=a=b", ("mine", {"key": "a=b"})),
        ("mine:path=C:/x", ("mine", {"path": "C:/x"})),
    ],
)
def test_parse(text: str, expected: tuple[str, dict[str, str]]) -> None:
    assert specs.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"), [("random:n", ["'n'", "key=value"]), ("random:=3", ["'=3'"]), ("random:n=", ["'n='"]), ("r:n=1,n=2", ["'n'", "twice"])]
)
def test_parse_refuses(text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        specs.parse(text)
    assert all(word in str(refusal.value) for word in words)


def test_text_and_typed_values_build_the_same() -> None:
    text = build({"count": "3", "size": "1e-3", "flag": "yes", "kind": "b", "wins": "0.9/0.8", "limit": "2"})
    typed = build({"count": 3, "size": 0.001, "flag": True, "kind": "b", "wins": [0.9, 0.8], "limit": 2})
    assert text == typed == {"count": 3, "size": 0.001, "flag": True, "kind": "b", "wins": (0.9, 0.8), "limit": 2.0}
    assert isinstance(text["count"], int)
    assert isinstance(typed["limit"], float)


def test_one_number_is_a_tuple_of_one() -> None:
    assert build({"count": 1, "wins": "0.5"})["wins"] == build({"count": 1, "wins": 0.5})["wins"] == (0.5,)


@pytest.mark.parametrize(("value", "expected"), [("none", None), (None, None), ("0.5", 0.5)])
def test_optional_values(value: object, expected: float | None) -> None:
    assert build({"count": 1, "limit": value})["limit"] == expected


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ["game 'x' needs", "count=…"]),
        ({"count": 1, "sizes": 2}, ["'sizes'", "'size'"]),
        ({"count": "many"}, ["count", "game 'x'", "number", "'many'"]),
        ({"count": "2.5"}, ["count", "whole number", "'2.5'"]),
        ({"count": True}, ["count", "number"]),
        ({"count": "inf"}, ["count", "whole number"]),
        ({"count": 1, "size": "big"}, ["size", "number", "'big'"]),
        ({"count": 1, "flag": "perhaps"}, ["flag", "true or false", "'perhaps'"]),
        ({"count": 1, "kind": "c"}, ["kind", "one of a, b", "'c'"]),
        ({"count": 1, "wins": "0.9/x"}, ["wins", "'x'"]),
        ({"count": 1, "wins": {"a": 1}}, ["wins", "number"]),
        ({"count": 1, "size": 10**400}, ["size", "number"]),
    ],
)
def test_build_refuses(settings: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        build(settings)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@given(st.integers(-(10**18), 10**18), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_a_written_spec_reads_back(count: int, size: float, flag: bool, wins: list[float]) -> None:
    written = spec_name("x", count=count, size=size, flag=flag, wins=tuple(wins))
    name, settings = specs.parse(written)
    assert name == "x"
    assert build(settings) == {"count": count, "size": size, "flag": flag, "kind": "a", "wins": tuple(wins), "limit": None}


def test_unknown_offers_the_nearest_name_or_all() -> None:
    assert str(unknown("game", "randon", ["random", "disc"])) == "Unknown game 'randon'; did you mean 'random'?"
    assert "known: disc, random." in str(unknown("game", "zzzzzz", ["random", "disc"]))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (lambda value: require_positive(x=value), [1, 0.5, None], [0, -1, float("nan"), float("inf"), True, "1"]),
        (lambda value: require_whole(2, x=value), [2, 100, None], [1, 2.0, True, "2"]),
        (lambda value: require_probability(x=value), [0, 1, 0.5], [-0.1, 1.1, float("nan"), True, "0"]),
        (lambda value: require_not_negative(x=value), [0, 3.5], [-1, float("nan"), float("inf"), False]),
    ],
)
def test_numbers_that_are_refused(check, good: list[object], bad: list[object]) -> None:
    for value in good:
        check(value)
    for value in bad:
        with pytest.raises(InputError, match=r"^x must be"):
            check(value)
