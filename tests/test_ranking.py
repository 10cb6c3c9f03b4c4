"""Rankings: each against its definition by brute force, intervals against what must vary, cycles against a search of all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.games.data import Comparisons
from mmd_games.ranking import borda_scores, condorcet_winner, contradictions, copeland_scores, elo_points, resampled_tables, standings
from mmd_games.ranking.lotteries import is_unique
from mmd_games.ranking.orders import positions
from mmd_games.testing import preference_games


def table_of(wins, ties=None, ballots=None, unit="battle"):
    wins = np.asarray(wins)
    ties = np.zeros_like(wins) if ties is None else np.asarray(ties)
    return Comparisons(
        names=tuple("abcdefgh"[: len(wins)]), wins=wins, ties=ties, source="x", unit=unit, records=int(wins.sum() + ties.sum() // 2), ballots=ballots
    )


CYCLE = table_of([[0, 70, 20], [30, 0, 60], [80, 40, 0]])


@given(preference_games())
def test_borda_copeland_and_condorcet_are_what_they_say(game):
    table, size = game.payoff_matrix, game.actions
    others = [[j for j in range(size) if j != i] for i in range(size)]
    np.testing.assert_allclose(borda_scores(table), [np.mean([table[i, j] for j in others[i]]) for i in range(size)], atol=1e-15)
    assert copeland_scores(table).tolist() == [sum(1.0 if table[i, j] > 0 else 0.5 if table[i, j] == 0 else 0.0 for j in others[i]) for i in range(size)]
    winners = [i for i in range(size) if all(table[i, j] > 0 for j in others[i])]
    assert condorcet_winner(table) == (winners[0] if winners else None)
    found = standings(game)
    if winners and min(table[winners[0], j] for j in others[winners[0]]) > 1e-6:  # of margins, as large as counts have them
        assert found.equilibrium.policy[winners[0]] == 1.0
        assert (found.order[0], found.unique) == (winners[0], True)
        assert found.copeland_place[winners[0]] == 1
    assert sorted(found.order.tolist()) == list(range(size))
    assert np.all(np.diff(found.equilibrium.policy[found.order]) <= 1e-12)


def test_equal_scores_share_a_place():
    assert positions(np.array([1.0, 3.0, 3.0 + 1e-14, 2.0])).tolist() == [4, 1, 1, 3]


@given(preference_games(max_actions=6), st.one_of(st.permutations(range(6)), st.lists(st.integers(0, 2), min_size=6, max_size=6)))
@example(mg.games.rock_paper_scissors(), [1000] * 6)  # a circle whose names have equal points
def test_the_smallest_cycles_are_found(game, order):
    """Against a search of all cycles: there are any exactly where one is found, and the first is as short as any."""
    table, size = game.payoff_matrix, game.actions
    ratings = np.array(order[:size], dtype=float)
    found = contradictions(table, ratings)
    lengths = [
        length
        for length in range(3, size + 1)
        for cycle in itertools.permutations(range(size), length)
        if cycle[0] == min(cycle) and all(table[one, other] > 0 for one, other in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    ]
    assert found.triangles == lengths.count(3)
    assert bool(found.cycles) == bool(lengths)
    assert found.pairs == sum(table[i, j] > 0 and ratings[i] <= ratings[j] for i in range(size) for j in range(size))
    if lengths:
        assert len(found.cycles[0].actions) == min(lengths)
    for cycle in found.cycles:
        steps = list(zip(cycle.actions, (*cycle.actions[1:], cycle.actions[0]), strict=True))
        assert cycle.margins == tuple(table[one, other] for one, other in steps)
        assert min(cycle.margins) > 0
        assert any(ratings[one] <= ratings[other] for one, other in steps)
    assert len({cycle.actions for cycle in found.cycles}) == len(found.cycles) <= 10


def test_of_cycles_of_one_length_that_with_the_strongest_weakest_step():
    table = np.zeros((4, 4))
    for one, other, margin in [(0, 1, 0.3), (1, 3, 0.2), (3, 0, 0.4), (1, 2, 0.1), (2, 0, 0.4)]:
        table[one, other], table[other, one] = margin, -margin
    cycles = contradictions(table, np.array([0.0, 3.0, 2.0, 1.0])).cycles
    assert [cycle.actions for cycle in cycles] == [(0, 1, 3)]
    assert cycles[0].margins == (0.3, 0.2, 0.4)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6), st.integers(0, 2**31))
def test_elo_is_the_fit_of_ratings_that_made_the_table(strengths, seed):
    """Counts in exactly the proportions of a Bradley-Terry model give its ratings back, however often each pair met."""
    values = np.array(strengths)
    met = np.random.default_rng(seed).integers(1, 50, (len(values),) * 2)
    met = np.triu(met, 1) + np.triu(met, 1).T
    points, note = elo_points(met / (1 + np.exp(values[None, :] - values[:, None])), np.zeros_like(met))
    np.testing.assert_allclose(points, 1000 + 400 / np.log(10) * (values - values.mean()), atol=1e-4)
    assert note == ""


def test_elo_of_one_who_never_lost_needs_a_tie():
    points, note = elo_points(np.array([[0, 3, 2], [0, 0, 1], [0, 1, 0]]), np.zeros((3, 3)))
    assert np.all(np.isfinite(points))
    assert points[0] > points[1]
    assert "never lost" in note


def test_battles_are_drawn_within_their_pairs_and_ballots_whole():
    tables = np.concatenate(list(resampled_tables(CYCLE, 4000, seed=3)))
    np.testing.assert_array_equal(tables, -np.swapaxes(tables, 1, 2))
    shares = CYCLE.wins / np.maximum(CYCLE.counts, 1)
    spread = np.sqrt(shares * (1 - shares) / np.maximum(CYCLE.counts, 1))
    off = ~np.eye(3, dtype=bool)
    # Of 4,000 draws the mean is known to 1/63 of the spread, the spread to 1/89 of itself; five of these.
    assert np.all(np.abs(tables.mean(axis=0) + 0.5 - shares)[off] < 5 / 63 * spread[off])
    np.testing.assert_allclose(tables.std(axis=0)[off], spread[off], rtol=5 / 89)
    cast = [["a", "b", "c"]] * 6 + [["c", "b", "a"]] * 3
    counted = mg.PreferenceGame.from_rankings(cast).comparisons
    drawn = np.concatenate(list(resampled_tables(counted, 500, seed=0)))
    # Whole ballots: all pairs of a draw say the same, as all pairs of a ballot do.
    np.testing.assert_array_equal(drawn[:, 0, 1], drawn[:, 1, 2])
    np.testing.assert_array_equal(drawn[:, 0, 1], drawn[:, 0, 2])
    assert drawn[:, 0, 1].std() == pytest.approx(np.sqrt(2 / 9 / 9), rel=0.2)


def test_a_seed_gives_the_same_and_another_one_not(monkeypatch):
    game = CYCLE.game()
    first, again, other = (standings(game, bootstrap=40, seed=seed).sample for seed in (1, 1, 2))
    for name in ("in_support", "low", "high", "score_low", "condorcet"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert first.gap_high == again.gap_high != other.gap_high
    pieces = np.concatenate(list(resampled_tables(CYCLE, 10, seed=5)))
    monkeypatch.setitem(resampled_tables.__globals__, "CHUNK", 9)
    np.testing.assert_array_equal(np.concatenate(list(resampled_tables(CYCLE, 10, seed=5))), pieces)


def test_intervals_hold_the_estimate_and_shrink_with_more_battles():
    few, many = (standings(table_of(factor * CYCLE.wins).game(), bootstrap=200).sample for factor in (1, 100))
    assert np.all((many.low < many.high) & (many.high - many.low < (few.high - few.low) / 4))
    policy = standings(CYCLE.game()).equilibrium.policy
    assert np.all((few.low < policy) & (policy < few.high))
    assert 0 < many.gap_median < many.gap_high < few.gap_high
    assert many.in_support.tolist() == [1, 1, 1]
    sure = standings(table_of([[0, 900, 800], [100, 0, 700], [200, 300, 0]]).game(), bootstrap=50)
    assert (sure.condorcet, sure.sample.condorcet.tolist(), sure.sample.gap_high) == (0, [1, 0, 0], 0)


def test_the_equilibria_of_draws_are_those_of_their_tables():
    sample = standings(CYCLE.game(), bootstrap=9, seed=4).sample
    stack = np.concatenate(list(resampled_tables(CYCLE, 9, seed=4)))
    policies = np.stack([mg.nash(mg.PreferenceGame(skew + 0.5), select="maximum_entropy").policy for skew in stack])
    np.testing.assert_allclose(sample.low, np.quantile(policies, 0.025, axis=0), atol=1e-9)
    np.testing.assert_allclose(sample.in_support, np.mean(policies > 0, axis=0), atol=1e-15)
    point = standings(CYCLE.game()).equilibrium.policy
    gaps = [float(mg.duality_gap(mg.PreferenceGame(skew + 0.5), point)) for skew in stack]
    assert sample.gap_median == pytest.approx(np.median(gaps), abs=1e-15)


def test_of_several_equilibria_the_one_of_largest_entropy():
    """Two equal copies of rock share what rock had; a table of nothing but ties is even."""
    wins = np.array([[0, 5, 9, 1], [5, 0, 9, 1], [1, 1, 0, 9], [9, 9, 1, 0]])
    found = standings(table_of(wins).game(), bootstrap=8)
    np.testing.assert_allclose(found.equilibrium.policy, [1 / 6, 1 / 6, 1 / 3, 1 / 3], atol=1e-8)
    assert not found.unique
    assert not is_unique(found.game.payoff_matrix, found.equilibrium.policy)
    even = standings(table_of(np.zeros((3, 3), dtype=int), 2 * (1 - np.eye(3, dtype=int))).game(), bootstrap=4)
    np.testing.assert_allclose(even.equilibrium.policy, np.full(3, 1 / 3))
    assert even.elo.tolist() == [1000, 1000, 1000]


def test_draws_with_several_equilibria_take_that_of_largest_entropy_too():
    """A table that every draw repeats, for no pair in it was ever split: its equilibria mix a and c, in any shares from some on."""
    signs = np.array([[0, 0, 0, -1], [0, 0, -1, -1], [0, 1, 0, 1], [1, 1, -1, 0]])
    found = standings(table_of(20 * (signs > 0), 20 * ((signs == 0) & ~np.eye(4, dtype=bool))).game(), bootstrap=9)
    for policy in (found.equilibrium.policy, found.sample.low, found.sample.high):
        np.testing.assert_allclose(policy, [0.5, 0, 0.5, 0], atol=1e-6)
    assert not found.unique
    assert found.sample.in_support.tolist() == [1, 0, 1, 0]


def test_notes_say_what_limits_the_intervals():
    few = standings(table_of([[0, 2], [1, 0]]).game(), bootstrap=5)
    assert any("1 of 1 pairs met fewer than 10 times" in note for note in few.notes)
    known = standings(mg.games.rock_paper_scissors(), bootstrap=5)
    assert known.sample is None
    assert any("only the table is known" in note for note in known.notes)
    for wrong, words in (({"bootstrap": 1}, "bootstrap"), ({"bootstrap": 5, "seed": -1}, "seed"), ({"bootstrap": 5, "level": 1.0}, "level")):
        with pytest.raises(mg.InputError, match=words):
            standings(CYCLE.game(), **wrong)
    with pytest.raises(mg.InputError, match="MatrixGame"):
        mg.rank(mg.MatrixGame([[1, 2], [0, 3]]))
