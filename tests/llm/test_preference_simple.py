"""What a preference model must return, and those that Python functions make: of pairs, and of voters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmd_games.errors import InputError
from mmd_games.llm.preference import FunctionPreference, MatrixPreference, PreferenceModel, VotersPreference, check_preferences, name_of, prompt_text
from tests.llm.tiny import MOVES, RPS

EPS = np.finfo(np.float64).eps
MODELS: dict[str, Callable[[], PreferenceModel]] = {
    "function": lambda: FunctionPreference(lambda prompt, first, second: 0.75, name="p"),
    "antisymmetric function": lambda: FunctionPreference(lambda prompt, first, second: 0.75, antisymmetric=True, name="p"),
    "voters": lambda: VotersPreference([lambda prompt, completion: len(completion)], name="p"),
    "matrix": lambda: MatrixPreference(MOVES, RPS, name="p"),
    "voted matrix": lambda: MatrixPreference(MOVES, RPS, votes=3, name="p"),
}


def table(**entries: float) -> torch.Tensor:
    """Two groups of three, all 1/2 but for the entries, named such as p012."""
    values = torch.full((2, 3, 3), 0.5)
    for place, value in entries.items():
        values[tuple(map(int, place[1:]))] = value
    return values


@pytest.mark.parametrize(
    ("given_table", "sentence"),
    [
        (torch.full((2, 3), 0.5), r"must return a table of shape \(2, 3, 3\) \(prompts, K, K\), got \(2, 3\)"),
        (torch.full((2, 3, 2), 0.5), r"got \(2, 3, 2\)"),
        (torch.full((1, 3, 3), 0.5), r"got \(1, 3, 3\)"),
        (table(p102=1.5), r"'judge' returned 1\.5 for prompt 1, completions 0 and 2: a probability in \[0, 1\]"),
        (table(p020=-0.01), r"returned -0\.01\d* for prompt 0, completions 2 and 0"),
        (table(p012=math.inf), "returned inf for prompt 0, completions 1 and 2"),
        (table(p122=0.6), r"'judge' returned 0\.6\d* on the diagonal, for prompt 1, completion 2 against itself: 1/2"),
        (table(p000=math.nan), "returned nan on the diagonal, for prompt 0, completion 0"),
        (torch.full((2, 3, 3), math.nan), "on the diagonal"),
        (torch.full((2, 3, 3), math.nan).masked_fill(torch.eye(3, dtype=torch.bool), 0.5), "'judge' returned no valid judgement: all 12 pairs are NaN"),
        (table().to(torch.complex64), "must return real numbers, got torch.complex64"),
        (0.5, "must return a tensor of numbers of shape .*, got the number 0.5"),
        (None, "got a value of type NoneType"),
        (np.array([["a"]]), "got an array of <U1"),
    ],
)
def test_what_is_no_preference_is_refused(given_table: Any, sentence: str):
    with pytest.raises(InputError, match=sentence):
        check_preferences(given_table, 2, 3, "judge")


def test_a_declared_antisymmetry_is_held_to():
    broken = table(p001=0.9, p010=0.2)
    with pytest.raises(InputError, match=r"declares itself antisymmetric, but for prompt 0, completions 0 and 1 P_ij \+ P_ji is 1\.1"):
        check_preferences(broken, 2, 3, "judge", antisymmetric=True)
    assert check_preferences(broken, 2, 3, "judge")[0, 0, 1] == np.float32(0.9)
    check_preferences(table(p001=0.9, p010=math.nan), 2, 3, "judge", antisymmetric=True)  # only a known pair can break it


def test_a_checked_table_is_double_has_no_gradient_and_no_rounding_outside():
    given_table = table(p001=1 + 5e-7, p010=-5e-7, p102=math.nan, p122=0.5 + 5e-7).requires_grad_()
    checked = check_preferences(given_table, 2, 3, "judge")
    assert (checked.dtype, checked.requires_grad) == (torch.float64, False)
    assert (float(checked[0, 0, 1]), float(checked[0, 1, 0]), float(checked[1, 2, 2])) == (1.0, 0.0, 0.5)
    assert bool(torch.isnan(checked[1, 0, 2])) and int(torch.isnan(checked).sum()) == 1
    assert float(given_table.detach()[0, 0, 1]) > 1  # the model's own tensor is left alone


@pytest.mark.parametrize("kind", MODELS)
def test_every_model_keeps_the_protocol(kind: str):
    model = MODELS[kind]()
    assert isinstance(model, PreferenceModel)
    groups = [["rock", "paper"], ["paper", "scissors"]]
    full = check_preferences(model(["a", "b"], groups), 2, 2, name_of(model), antisymmetric=model.antisymmetric)
    assert full.shape == (2, 2, 2) and not torch.isnan(full).any()
    mask = np.zeros((2, 2, 2), dtype=bool)
    mask[1, 0, 1] = True
    for given_mask in (mask, torch.from_numpy(mask)):
        fresh = MODELS[kind]()
        assert torch.isnan(fresh(["a", "b"], groups, given_mask)).tolist() == [[[False, True], [True, False]], [[False, False], [True, False]]]
        assert fresh(["a", "b"], groups, given_mask)[1, 1, 1] == 0.5
    assert torch.equal(torch.nan_to_num(MODELS[kind]()(["a", "b"], groups, mask), 7)[mask], full[mask])  # a mask saves work and changes nothing
    for i, j in ((0, 1), (1, 0)):
        one_order = np.zeros((2, 2), dtype=bool)
        one_order[i, j] = True
        half = MODELS[kind]()(["a", "b"], groups, one_order)
        assert torch.equal(half[:, i, j], full[:, i, j]) and bool(torch.isnan(half[:, j, i]).all())


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((["a"], [["rock"]]), "at least 2 completions of a prompt, to prefer one to another; got 1"),
        ((["a"], [[]]), "at least 2 completions"),
        (([], []), "at least one prompt"),
        (("a", [["rock", "paper"]]), "a list of at least one prompt, got 'a'"),
        ((["a", "b"], [["rock", "paper"]]), "p got 2 prompts but completions of 1"),
        ((["a", "b"], [["rock", "paper"], ["rock", "paper", "rock"]]), r"p needs the same number of completions for every prompt, got \[2, 3\]"),
        ((["a"], [["rock", "paper"]], np.ones((1, 3, 3), dtype=bool)), r"mask of p must have shape \(1, 2, 2\), got \(1, 3, 3\)"),
        ((["a"], [["rock", "paper"]], np.ones((1, 2, 2))), "mask of p must hold truth values, got float64"),
    ],
)
def test_bad_batches_are_refused(kind: str, arguments: tuple[Any, ...], sentence: str):
    with pytest.raises(InputError, match=sentence):
        MODELS[kind]()(*arguments)


def test_a_function_is_called_for_wanted_pairs_alone():
    seen: list[tuple[Any, str, str]] = []

    def prefer(prompt: Any, first: str, second: str) -> float:
        seen.append((prompt, first, second))
        return 0.25

    both = FunctionPreference(prefer)
    assert both(["q"], [["a", "b"]]).tolist() == [[[0.5, 0.25], [0.25, 0.5]]]
    assert seen == [("q", "a", "b"), ("q", "b", "a")]
    seen.clear()
    once = FunctionPreference(prefer, antisymmetric=True)
    assert once(["q"], [["a", "b"]]).tolist() == [[[0.5, 0.25], [0.75, 0.5]]]
    assert seen == [("q", "a", "b")]
    assert (both.calls, once.calls) == (2, 1)
    assert name_of(both) == "function prefer"


@pytest.mark.parametrize("nothing", [None, math.nan, np.float64("nan"), torch.tensor(math.nan)])
def test_a_function_that_cannot_judge_fails_that_pair_alone(nothing: Any):
    model = FunctionPreference(lambda prompt, first, second: nothing if {first, second} == {"a", "b"} else 1.0)
    answers = model(["q"], [["a", "b", "c"]])
    assert torch.isnan(answers[0]).nonzero().tolist() == [[0, 1], [1, 0]]
    assert model.failures == {"no answer": 2}


@pytest.mark.parametrize("answer", [1.2, -1e-9, math.inf, "0.5", "A", [0.1, 0.2], object(), torch.tensor([0.1, 0.2]), 10**400])
def test_a_function_that_returns_something_else_is_refused(answer: Any):
    with pytest.raises(InputError, match=r"function .* returned .* for prompt 1, completions 0 and 1: a probability"):
        FunctionPreference(lambda prompt, first, second: 0.5 if prompt == "q" else answer)(["q", "r"], [["a", "b"], ["a", "b"]])
    with pytest.raises(InputError, match=r"takes \(prompt, first, second\), got 3"):
        FunctionPreference(3)  # type: ignore[arg-type]


# Voters


@given(
    scores=st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=5),
    weights=st.lists(st.integers(1, 9), min_size=5, max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_voters_share_a_pair_by_weight_and_halve_ties(scores: list[list[int]], weights: list[int]):
    voters = [lambda prompt, completion, row=row: row[int(completion)] for row in scores]
    answers = VotersPreference(voters, weights[: len(voters)])(["q"], [["0", "1", "2", "3"]])[0]
    total = sum(weights[: len(voters)])
    for i, j in itertools.product(range(4), repeat=2):
        won = sum(weight * ((row[i] > row[j]) + (row[i] == row[j]) / 2) for row, weight in zip(scores, weights, strict=False))
        assert float(answers[i, j]) == pytest.approx(won / total, abs=8 * EPS)  # five products and sums of numbers up to 1
    check_preferences(answers[None], 1, 4, "voters", antisymmetric=True)


def test_three_voters_make_a_circle_that_no_reward_has():
    ranks = ({"a": 3, "b": 2, "c": 1}, {"b": 3, "c": 2, "a": 1}, {"c": 3, "a": 2, "b": 1})
    model = VotersPreference({name: lambda prompt, text, rank=rank: rank[text] for name, rank in zip("xyz", ranks, strict=True)})
    answers = model(["q"], [["a", "b", "c"]])[0]
    assert bool(answers[0, 1] > 0.5) and bool(answers[1, 2] > 0.5) and bool(answers[2, 0] > 0.5)
    assert model.calls == 9


def test_a_voter_who_cannot_say_fails_pairs_with_that_completion():
    model = VotersPreference([lambda prompt, text: None if text == "b" else len(text), lambda prompt, text: -math.inf if text != "c" else 0])
    answers = model(["q"], [["a", "b", "c"]])[0]
    assert torch.isnan(answers).nonzero().tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert float(answers[0, 2]) == 0.25  # a tie of the one, and a loss by −∞ to 0 of the other
    assert model.failures == {"no score": 2}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: VotersPreference([]), "need at least one voter"),
        (lambda: VotersPreference(["length"]), "each a function"),  # type: ignore[list-item]
        (lambda: VotersPreference([len, len], [1.0]), "weights of voters must be 2 positive numbers"),
        (lambda: VotersPreference([len, len], [1.0, 0.0]), "2 positive numbers"),
        (lambda: VotersPreference([len, len], [1.0, math.nan]), "2 positive numbers"),
        (lambda: VotersPreference([len], ["x"]), "1 positive numbers"),  # type: ignore[list-item]
        (lambda: VotersPreference({"taste": lambda prompt, text: "good"})(["q"], [["a", "b"]]), "'taste' of voters returned 'good' for the completion 'a'"),
    ],
)
def test_bad_voters_are_refused(make: Callable[[], Any], sentence: str):
    with pytest.raises(InputError, match=sentence):
        make()


@pytest.mark.parametrize("prompt", [[{"role": "user"}], ["hello"], [3], 3])
def test_a_prompt_that_is_neither_text_nor_messages_is_refused(prompt: Any):
    with pytest.raises(InputError, match="A prompt is text, or a list of messages"):
        prompt_text(prompt)
