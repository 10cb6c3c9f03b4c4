"""Pairs that never met: refused unless it was said what to make of them, and what was made of them is in the notes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.games.data.unmet import parts_of


def battles(*pairs):
    return [{"model_a": a, "model_b": b, "winner": "model_a"} for a, b in pairs]


CHAIN = battles("ab", "bc", "ca", "cd")
ISLANDS = [*battles("ab", "bc", "ca"), *battles("xy", "yx", "xy", "yx")]


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (CHAIN, ["2 of 6 pairs never met", "'a' and 'd'", "--unmet prior:strength=1"]),
        (ISLANDS, ["6 of 10 pairs never met", "'a' and 'x'", "2 parts", "no battle at all", "(of 3, 2 names)", "--unmet connected keeps"]),
        ([*CHAIN, *battles("xy")], ["10 of 15 pairs never met", "--unmet connected:strength=1 keeps the largest part"]),
    ],
)
def test_pairs_that_never_met_are_refused_and_counted(records, words):
    with pytest.raises(mg.InputError) as error:
        mg.PreferenceGame.from_battles(records)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_prior_is_so_many_ties_in_every_pair():
    game = mg.PreferenceGame.from_battles(CHAIN, unmet="prior:strength=3")
    assert game.preference[0].tolist() == [0.5, 2.5 / 4, 1.5 / 4, 0.5]
    assert game.notes[-1] == "prior: 3 tied battles added to every pair; 2 pairs that never met are even by it alone."
    assert mg.PreferenceGame.from_battles(CHAIN, unmet="prior").preference[0, 1] == 0.75
    parts = mg.PreferenceGame.from_battles(ISLANDS, unmet="prior").notes[-1]
    assert "1 tied battle added" in parts
    assert "2 parts that no battle links: what the table says between parts is the prior" in parts
    margins = mg.PreferenceGame.from_battles(CHAIN, unmet="prior", table="margins")
    assert margins.payoff_matrix[0].tolist() == [0, 1, -1, 0]
    assert margins.notes[-1] == "2 pairs never met; their margin is 0, and a prior changes no margin."


def test_the_connected_part_is_the_largest_and_names_what_it_leaves_out():
    game = mg.PreferenceGame.from_battles(ISLANDS, unmet="connected")
    assert game.labels == (("a", "b", "c"),)
    assert game.notes == (
        "counted from 3 battles on 3 names; none tied.",
        "restricted to the largest connected part, 3 of 5 names; left out with their 4 comparisons: x, y.",
    )
    assert game.comparisons.records == 3
    with pytest.raises(mg.InputError, match=r"2 of 6 pairs never met.*connected:strength=1"):
        mg.PreferenceGame.from_battles(CHAIN, unmet="connected")
    filled = mg.PreferenceGame.from_battles([*CHAIN, *battles("xy")], unmet="connected:strength=1")
    assert filled.actions == 4
    assert "prior: 1 tied battle" in filled.notes[-1]
    assert "linked" in mg.PreferenceGame.from_battles(battles("ab", "bc", "ca"), unmet="connected").notes[-1]


def test_ballots_are_restricted_with_their_table():
    cast = [["a", "b", "c"], ["b", "a", "c"], ["c", "b", "a"], ["x", "y"]]
    game = mg.PreferenceGame.from_rankings(cast, unmet="connected", unranked="apart")
    assert game.comparisons.ballots.ranks.shape == (4, 3)
    assert mg.rank(game, bootstrap=5).standings.sample.draws == 5


@pytest.mark.parametrize(
    ("unmet", "words"),
    [("prio", "'prior'"), ("prior:streng=1", "'strength'"), ("prior:strength=0", "positive"), ("prior:strength=-1", "positive"), ("prior:strength=much", "number"), ("refuse:strength=1", "'strength'"), ("", "known"), ("connected:strength=nan", "positive")],
)  # fmt: skip
def test_other_choices(unmet, words):
    with pytest.raises(mg.InputError, match=words):
        mg.PreferenceGame.from_battles(CHAIN, unmet=unmet)
    with pytest.raises(mg.InputError, match="'margin'"):
        mg.PreferenceGame.from_battles(CHAIN, table="margin")


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=10))
def test_the_parts_are_those_of_the_graph(pairs):
    counts = np.zeros((8, 8), dtype=int)
    for i, j in pairs:
        counts[i, j] = counts[j, i] = int(i != j)
    parts = [set(part.tolist()) for part in parts_of(counts)]
    reach = np.linalg.matrix_power(counts + np.eye(8, dtype=int), 8) > 0
    assert {frozenset(part) for part in parts} == {frozenset(np.flatnonzero(row).tolist()) for row in reach}
    assert sum(map(len, parts)) == 8
    assert [len(part) for part in parts] == sorted(map(len, parts), reverse=True)
