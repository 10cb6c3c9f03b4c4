"""Preference models from a configuration file, and the sentences for one that is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmd_games.errors import InputError
from mmd_games.llm.preference import (
    FunctionPreference,
    GeneralPreference,
    JudgePreference,
    MatrixPreference,
    PairwisePreference,
    RewardPreference,
    VotersPreference,
    preference_from_config,
)
from tests.llm.test_preference_neural import classifier, tokenizer

SOURCE = """
def shorter(prompt, completion):
    return -len(completion)

def more_letters_e(prompt, completion):
    return completion.count("e")

def first_wins(prompt, first, second):
    return 0.75

number = 3
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's file of functions, also importable as the module `users_own_voters`, and named relative to the working directory."""
    (tmp_path / "users_own_voters.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("users_own_voters", None)


def read(text: str) -> Any:
    return preference_from_config(yaml.safe_load(text))


def test_voters_from_yaml(source: Path):
    model = read("""
        kind: voters
        voters:
          - users_own_voters:shorter
          - {score: users_own_voters.py:more_letters_e, weight: 3, name: e}
    """)
    assert isinstance(model, VotersPreference)
    assert model(["q"], [["eel", "no"]])[0, 0, 1] == 0.75  # the three quarters of the second voter; the first prefers "no"
    assert list(model.voters) == ["users_own_voters:shorter", "e"]


def test_a_function_from_yaml(source: Path):
    model = read("{kind: function, function: users_own_voters.py:first_wins, antisymmetric: yes}")
    assert isinstance(model, FunctionPreference) and model.antisymmetric
    assert model(["q"], [["a", "b"]]).tolist() == [[[0.5, 0.75], [0.25, 0.5]]]


def test_a_matrix_from_yaml_and_from_a_file_with_names(source: Path):
    model = read("{kind: matrix, completions: [a, b], table: [[0.5, 0.7], [0.3, 0.5]], votes: 4, seed: 2, outside: 9e-1}")
    assert isinstance(model, MatrixPreference)
    assert (model.votes, model.seed, model.outside) == (4, 2, 0.9)
    (source / "wins.csv").write_text("a,b\n0.5,0.7\n0.3,0.5\n")
    assert float(read("{kind: matrix, table: wins.csv}")(["q"], [["a", "b"]])[0, 0, 1]) == pytest.approx(0.7, abs=1e-15)
    assert float(read("{kind: matrix, table: wins.csv, completions: [b, a]}")(["q"], [["a", "b"]])[0, 0, 1]) == pytest.approx(0.3, abs=1e-15)
    by_prompt = read("{kind: matrix, completions: {q: [a, b]}, table: {q: [[0.5, 1], [0, 0.5]]}, outside: null}")
    assert by_prompt(["q"], [["a", "b"]])[0, 0, 1] == 1 and by_prompt.outside is None


def test_a_judge_from_yaml():
    model = read("{kind: judge, base_url: 'http://127.0.0.1:9/v1', model: m, answer: probability, budget: 1e3, timeout: 5, cache: answers, request: {seed: 1}}")
    assert isinstance(model, JudgePreference)
    assert (model.budget, model.endpoint.timeout, model.answer, dict(model.endpoint.request)["seed"]) == (1000, 5.0, "probability", 1)


@pytest.mark.parametrize(
    ("kind", "cls", "labels", "more"),
    [("reward", RewardPreference, 1, ""), ("general", GeneralPreference, 2, "normalise: yes"), ("pairwise", PairwisePreference, 2, "both_orders: no")],
)
def test_models_with_weights_from_yaml(tmp_path: Path, kind: str, cls: type, labels: int, more: str):
    for part in (classifier(labels, pad=0), tokenizer()):
        part.save_pretrained(tmp_path)
    model = read(f"{{kind: {kind}, model: {tmp_path}, temperature: 2, batch_size: 3, max_tokens: 8, device: cpu, dtype: float64, name: mine, {more}}}")
    assert isinstance(model, cls)
    assert (model.temperature, model.classifier.batch_size, model.classifier.max_tokens, model.name) == (2.0, 3, 8, "mine")
    assert getattr(model, "normalise", True) and not (kind == "pairwise" and model.antisymmetric)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{kind: votrs}", "Unknown kind of preference model 'votrs'; did you mean 'voters'"),
        ("{voters: []}", "configured by the key kind"),
        ("[1]", "configured by the key kind"),
        ("{kind: matrix, completions: [a, b], table: [[0.5, 1], [0, 0.5]], sed: 1}", "Unknown key of preference model 'matrix' 'sed'; did you mean 'seed'"),
        ("{kind: matrix, completions: [a, b]}", "preference model 'matrix' needs the key table"),
        ("{kind: matrix, table: [[0.5, 1], [0, 0.5]]}", "matrix needs completions"),
        ("{kind: matrix, table: nowhere.csv}", "nowhere.csv"),
        ("{kind: matrix, completions: [a, b], table: [[0.5, 1], [0, 0.5]], votes: few}", "votes of preference model 'matrix' must be a number, got 'few'"),
        ("{kind: judge, model: m}", "needs the key base_url"),
        ("{kind: judge}", "needs the keys base_url, model"),
        ("{kind: judge, base_url: 'http://a/v1', model: m, answer: word}", "answer of preference model 'judge' must be one of letter, probability"),
        (
            "{kind: judge, base_url: 'http://a/v1', model: m, api_key: sk-1}",
            "Unknown key of preference model 'judge' 'api_key'; did you mean 'api_key_variable'",
        ),
        ("{kind: reward}", "needs the key model"),
        ("{kind: reward, model: /nowhere/at/all}", "No sequence classifier for reward model"),
        ("{kind: function, function: users_own_voters}", "must be module:function"),
        ("{kind: function, function: 'users_own_voters:'}", "must be module:function"),
        ("{kind: function, function: users_own_votes:first_wins}", "no module named 'users_own_votes'"),
        ("{kind: function, function: votes.py:first_wins}", "there is no file 'votes.py'"),
        ("{kind: function, function: users_own_voters:last_wins}", "'users_own_voters' has no function 'last_wins'"),
        ("{kind: function, function: users_own_voters:number}", "has no function 'number'"),
        ("{kind: voters, voters: []}", "voters needs a list of voters"),
        ("{kind: voters, voters: [{weight: 1}]}", "voter 0 of voters must be"),
        ("{kind: voters, voters: [{score: users_own_voters:shorter, weights: 2}]}", "Unknown key of voter 0 of voters 'weights'; did you mean 'weight'"),
        ("{kind: voters, voters: [{score: users_own_voters:shorter, weight: much}]}", "weight of voter 0 of voters must be a number"),
        ("{kind: voters, voters: [users_own_voters:shorter, users_own_voters:shorter]}", "Two of the voters are called"),
    ],
)
def test_a_wrong_configuration_gets_a_sentence(source: Path, text: str, sentence: str):
    with pytest.raises(InputError, match=sentence):
        read(text)
