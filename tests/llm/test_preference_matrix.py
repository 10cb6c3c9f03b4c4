"""A table over known texts: looked up, lost outside it, and with the votes of a noisy judge."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.llm.preference import MatrixPreference
from mmd_games.testing import preference_games
from tests.llm.tiny import MOVES, RPS

EPS = np.finfo(np.float64).eps


@given(preference_games(max_actions=6))
@settings(max_examples=40, deadline=None)
def test_a_table_comes_back_in_any_order_of_the_texts(game: mg.PreferenceGame):
    texts = [f"text {index}" for index in range(game.payoff_matrix.shape[0])]
    order = np.random.default_rng(0).permutation(len(texts))
    answers = MatrixPreference(texts, game.preference)(["q"], [[f" {texts[index]}\n" for index in order]])[0]
    assert torch.equal(answers, torch.tensor(np.asarray(game.preference)[np.ix_(order, order)]))


@pytest.mark.parametrize("outside", [1.0, 0.8])
def test_texts_that_are_not_listed_lose_and_tie_among_themselves(outside: float):
    answers = MatrixPreference(MOVES, RPS, outside=outside)(["q"], [["rock", "well", "", "paper"]])[0]
    assert float(answers[0, 3]) == pytest.approx(0.9, abs=EPS)
    assert answers[[0, 0, 3, 3], [1, 2, 1, 2]].tolist() == [outside] * 4
    assert answers[[1, 2, 1, 2], [0, 0, 3, 3]].tolist() == [1 - outside] * 4
    assert answers[1, 2] == answers[2, 1] == 0.5


def test_tables_by_prompt():
    model = MatrixPreference({"q": MOVES, "user: r": ["x", "y"]}, {"q": RPS, "user: r": [[0.5, 1.0], [0.0, 0.5]]})
    answers = model(["q", [{"role": "user", "content": "r"}]], [["rock", "scissors"], ["x", "y"]])
    assert answers[:, 0, 1].tolist() == pytest.approx([0.2, 1.0], abs=EPS)
    with pytest.raises(InputError, match="has no table for the prompt 's'"):
        model(["s"], [["x", "y"]])
    one_for_all = MatrixPreference({"q": ["x", "y"], "r": ["y", "x"]}, [[0.5, 0.75], [0.25, 0.5]])
    assert one_for_all(["q", "r"], [["x", "y"], ["x", "y"]])[:, 0, 1].tolist() == [0.75, 0.25]


def test_votes_have_the_mean_and_the_variance_of_a_judge():
    rounds, votes = 3000, 4
    model = MatrixPreference(MOVES, RPS, votes=votes, seed=1)
    drawn = torch.cat([model(["q"], [MOVES]) for _ in range(rounds)])
    assert torch.equal(drawn + drawn.mT, torch.ones_like(drawn))
    assert set((drawn * votes).unique().tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}
    others = ~np.eye(3, dtype=bool)
    variance = RPS * (1 - RPS) / votes
    # Five standard errors: of a mean √(σ²/n); of a variance at most √(E[(x−μ)⁴]/n) ≤ ½·√(σ²/n), as |x − μ| < 1 and σ² ≤ 1/16.
    error = np.sqrt(variance / rounds)
    assert np.all(np.abs(drawn.mean(0).numpy() - RPS)[others] < 5 * error[others])
    assert np.all(np.abs(drawn.var(0).numpy() - variance)[others] < 5 * error[others])


def test_votes_depend_on_seed_call_and_content_and_not_on_the_batch():
    groups = [["rock", "paper", "scissors", "rock"], ["paper", "rock", "scissors", "scissors"]]
    model = MatrixPreference(MOVES, RPS, votes=1000, seed=3)
    first, second = model(["q", "r"], groups), model(["q", "r"], groups)
    shards = [MatrixPreference(MOVES, RPS, votes=1000, seed=3) for _ in range(2)]
    assert torch.equal(torch.cat([shard([prompt], [group]) for shard, prompt, group in zip(shards, "qr", groups, strict=True)]), first)
    assert not torch.equal(first, second)
    assert not torch.equal(MatrixPreference(MOVES, RPS, votes=1000, seed=4)(["q", "r"], groups), first)
    repeated = MatrixPreference(MOVES, RPS, votes=1000, seed=3)(["q", "q"], [groups[0], groups[0]])
    assert torch.equal(repeated[0], first[0]) and not torch.equal(repeated[0], repeated[1])
    assert bool((first[0][[0, 3], [3, 0]] == 0.5).all())  # the same text twice


def test_a_resumed_run_sees_the_votes_of_the_uninterrupted_one():
    straight = MatrixPreference(MOVES, RPS, votes=1000)
    drawn = [straight(["q"], [MOVES]) for _ in range(3)]
    before, after = MatrixPreference(MOVES, RPS, votes=1000), MatrixPreference(MOVES, RPS, votes=1000)
    before(["q"], [MOVES]), before(["q"], [MOVES])
    after.load_state_dict(before.state_dict())
    assert torch.equal(after(["q"], [MOVES]), drawn[2])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MatrixPreference(MOVES, RPS[:2, :2]), "label"),
        (lambda: MatrixPreference(MOVES, RPS + np.diag([0.1, 0, 0])), "must be 1 within"),
        (lambda: MatrixPreference(MOVES, 2 * RPS), r"outside \[0, 1\]"),
        (lambda: MatrixPreference(MOVES, np.where(RPS == 0.9, np.nan, RPS)), "nan"),
        (lambda: MatrixPreference(["a", "b ", "b"], RPS), "list a text twice"),
        (lambda: MatrixPreference("abc", RPS), "must be a list of texts"),
        (lambda: MatrixPreference([1, 2, 3], RPS), "must be a list of texts"),  # type: ignore[list-item]
        (lambda: MatrixPreference(MOVES, RPS, outside=1.5), "outside of matrix must be a probability"),
        (lambda: MatrixPreference(MOVES, RPS, outside=math.nan), "outside of matrix must be a probability"),
        (lambda: MatrixPreference(MOVES, RPS, votes=0), "votes must be a whole number"),
        (lambda: MatrixPreference(MOVES, RPS, seed=-1), "seed must be a whole number"),
        (lambda: MatrixPreference({}, RPS), "at least one"),
        (lambda: MatrixPreference({"q": MOVES}, {"r": RPS}), r"one of them is missing for \['q', 'r'\]"),
        (lambda: MatrixPreference(MOVES, RPS, outside=None)(["q"], [["rock", "well"]]), "does not list the completion 'well', and outside is None"),
    ],
)
def test_bad_tables_are_refused(make: Callable[[], Any], sentence: str):
    with pytest.raises(InputError, match=sentence):
        make()
