"""Noise and adversaries: the bound that no table can break, the worst flips by brute force, and seeds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.arrays import block_slices
from mmd_games.games.game import Game
from mmd_games.loop.perturbed import number_of
from mmd_games.loop.told import FEEDBACK, feedback_spec
from mmd_games.loop.votes import _misleading
from mmd_games.testing import games_and_policies, matrix_games, preference_games

EPS = np.finfo(np.float64).eps
RPS = mg.games.rock_paper_scissors()
EVERY_GAME = st.one_of(preference_games(max_actions=5), matrix_games(max_actions=4))
SHARE = st.sampled_from([0.2, 0.5, 0.9])


@given(games_and_policies(EVERY_GAME), SHARE, st.integers(0, 5))
def test_no_gap_is_further_off_than_the_bound(pair, share: float, seed: int) -> None:
    game, policy = pair
    enough = int(share * game.table().size / 2) > game.actions  # at least one of the pairs, whatever the shape
    for feedback in (*([mg.Corrupted(share=share)] if enough else []), mg.Noisy(scale=share, seed=seed)):
        told = feedback.begin(game).game_at(policy)
        bound = mg.gap_difference_bound(game, told)
        rounding = 8 * (game.payoff_rounding + told.payoff_rounding)
        assert abs(mg.duality_gap(told, policy) - mg.duality_gap(game, policy)) <= bound + rounding
        if isinstance(feedback, mg.Noisy):
            assert bound <= 2 * share * float(game.scale) * (1 + 4 * EPS)


def test_the_bound_is_attained() -> None:
    game, told = mg.PreferenceGame([[0.5, 0.6], [0.4, 0.5]]), mg.PreferenceGame([[0.5, 0.9], [0.1, 0.5]])
    policy = np.array([0.0, 1.0])  # the wrong entry is the best reply's
    assert mg.duality_gap(told, policy) - mg.duality_gap(game, policy) == pytest.approx(mg.gap_difference_bound(game, told), abs=4 * EPS)
    with pytest.raises(mg.InputError, match="Two games with the same actions"):
        mg.gap_difference_bound(game, mg.games.random(n=3))


@pytest.mark.parametrize("feedback", [mg.Noisy(scale=0.05, when="once", seed=3), mg.Corrupted(share=0.3, when="once")], ids=str)
@pytest.mark.parametrize(
    "algorithm", [mg.AdaptiveMPO(), mg.MagneticPreferenceOptimization(), mg.OptimisticMultiplicativeWeights()], ids=lambda method: type(method).__name__
)
def test_a_run_ends_within_the_bound_of_the_table_that_it_was_told(feedback, algorithm) -> None:
    game = mg.games.random(n=7, seed=4)
    trace = mg.solve(game, algorithm, products=20_000, feedback=feedback)
    told = feedback.begin(game).game_at(np.full(7, 1 / 7))
    assert trace.gap <= mg.duality_gap(told, trace.policy) + mg.gap_difference_bound(game, told) + 1e-12
    if isinstance(algorithm, mg.AdaptiveMPO):
        assert mg.duality_gap(told, trace.policy) <= 1e-10  # it did find that table's equilibrium
        assert trace.gap > 1e-3  # which is not the game's


def told_worth(game: Game, table: np.ndarray, policy: np.ndarray) -> float:
    """What the adversary lowers: the inner product of the told payoffs with the true ones, their mean under the policy taken off."""
    parts = block_slices(game.blocks)
    true = game.payoffs(policy)
    told = table @ policy[parts[-1]]
    told = told if len(parts) == 1 else np.concatenate([told, -(table.T @ policy[parts[0]])])
    return float(told @ np.concatenate([true[part] - policy[part] @ true[part] for part in parts]))


@given(games_and_policies(st.one_of(preference_games(min_actions=3, max_actions=4), matrix_games(min_actions=2, max_actions=2))), st.sampled_from([0.34, 0.5]))
def test_the_adversary_takes_the_worst_of_all_choices(pair, share: float) -> None:
    game, policy = pair
    table, symmetric = game.table(), len(game.blocks) == 1
    rows, columns = table.shape
    pairs = [(i, j) for i in range(rows) for j in range(columns) if not symmetric or i < j]
    number, middle = int(share * len(pairs)), 0.0 if symmetric else float(table.max() + table.min())
    worths = []
    for chosen in itertools.chain.from_iterable(itertools.combinations(pairs, count) for count in range(number + 1)):
        flipped = table.copy()
        for i, j in chosen:
            flipped[i, j] = middle - table[i, j]
            if symmetric:
                flipped[j, i] = -flipped[i, j]
        worths.append(told_worth(game, flipped, policy))
    told = mg.Corrupted(share=share).begin(game).game_at(policy).table()
    size = float(np.max(np.abs(table))) ** 2
    assert told_worth(game, told, policy) <= min(worths) + 1e-13 * max(size, 1.0) * 64
    changed = np.count_nonzero(np.triu(told != table) if symmetric else told != table)
    assert changed <= number


def test_a_larger_share_is_never_a_weaker_adversary_and_units_do_not_matter() -> None:
    game, policy = mg.games.random(n=8, seed=3), np.random.default_rng(0).dirichlet(np.ones(8))
    worths = [told_worth(game, mg.Corrupted(share=share).begin(game).game_at(policy).table(), policy) for share in (0.1, 0.3, 0.6, 0.9)]
    assert worths == sorted(worths, reverse=True)
    small = mg.PreferenceGame.from_payoffs(2.0**-40 * game.table())
    for share in (0.1, 0.6):
        told, scaled = (mg.Corrupted(share=share).begin(each).game_at(policy).table() for each in (game, small))
        assert np.array_equal(scaled, 2.0**-40 * told)


def test_at_an_equilibrium_the_entries_that_move_the_payoffs_most_are_flipped() -> None:
    game, policy = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.95)), mg.nash(mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.95))).policy
    assert mg.duality_gap(game, policy) < 1e-15  # there is no direction to mislead from
    table = game.table()
    told = mg.Corrupted(share=0.34).begin(game).game_at(policy).table()
    size = np.abs(2 * table) * np.add.outer(policy, policy)
    assert np.argwhere(np.triu(told != table)).tolist() == [list(np.unravel_index(np.argmax(np.triu(size)), size.shape))]


def test_a_share_is_counted_without_rounding_and_never_none() -> None:
    assert [number_of(share, 100, "") for share in (0.29, 0.57, 0.58)] == [29, 57, 58]
    with pytest.raises(mg.InputError, match=r"A share of 0\.2 of 3 pairs of actions is none; at least 0\.33 would be one"):
        mg.solve(RPS, steps=3, feedback=mg.Corrupted(share=0.2))
    with pytest.raises(mg.InputError, match="of 8 votes is none"):
        mg.solve(mg.games.random(n=4), steps=3, feedback=mg.CorruptedVotes(share=0.01, opponents=2))
    for kind in (lambda when: mg.Noisy(when=when), lambda when: mg.Corrupted(share=0.5, when=when)):
        with pytest.raises(mg.InputError, match="when must be one of once, always, got 'never'"):
            kind("never")


@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.5]))
def test_the_flipped_votes_are_the_worst_of_all(seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    wins, true = generator.random((3, 2)) < 0.5, generator.normal(size=3)
    worth = np.where(wins, 1, -1) * (true - true.mean())[:, None]
    flips = int(share * wins.size)
    chosen = _misleading(wins, true, share)
    assert np.count_nonzero(chosen) <= flips
    every = itertools.chain.from_iterable(itertools.combinations(worth.ravel().tolist(), count) for count in range(flips + 1))
    assert float(worth[chosen].sum()) >= max(map(sum, every)) - 1e-12


@pytest.mark.parametrize("feedback", [mg.Noisy(seed=5), mg.Noisy(seed=5, when="once"), mg.CorruptedVotes(share=0.2, seed=5), mg.Corrupted(share=0.2)], ids=str)
def test_the_same_seed_gives_the_same_run(feedback) -> None:
    game = mg.games.random(n=6, seed=0)
    first, second = (mg.solve(game, mg.MagneticMirrorDescent(), steps=60, feedback=feedback) for _ in range(2))
    assert np.array_equal(first.log_policies, second.log_policies)
    assert not np.array_equal(first.log_policies, mg.solve(game, mg.MagneticMirrorDescent(), steps=60).log_policies)
    assert mg.loop.feedback_from(feedback_spec(first.feedback)) == feedback


def test_always_is_another_table_at_every_product_and_once_is_not() -> None:
    game, policies = mg.games.random(n=6, seed=0), np.random.default_rng(1).dirichlet(np.ones(6), size=2)
    always, once = (mg.Noisy(seed=5, when=when).begin(game) for when in ("always", "once"))
    assert not np.array_equal(always(policies[0]), always(policies[0]))
    assert np.array_equal(once(policies[0]), once(policies[0]))
    always, once = (mg.Corrupted(share=0.3, when=when).begin(game) for when in ("always", "once"))
    assert not np.array_equal(always.game_at(policies[0]).table(), always.game_at(policies[1]).table())
    assert np.array_equal(once.game_at(policies[0]).table(), once.game_at(policies[1]).table())


def test_another_seed_gives_another_run() -> None:
    game = mg.games.random(n=6, seed=0)
    for kind in (mg.Noisy, lambda seed: mg.CorruptedVotes(share=0.2, seed=seed)):
        one, other = (mg.solve(game, steps=20, feedback=kind(seed=seed)) for seed in (0, 1))
        assert not np.array_equal(one.log_policies, other.log_policies)


def test_noise_is_skew_in_a_symmetric_game_and_bounded() -> None:
    game = mg.games.random(n=6, seed=0)
    noise = mg.Noisy(scale=0.2, seed=1).begin(game).game_at(np.full(6, 1 / 6)).table() - game.table()
    np.testing.assert_allclose(noise, -noise.T, rtol=0, atol=4 * EPS)
    assert 0.05 * float(game.scale) < np.max(np.abs(noise)) <= 0.2 * float(game.scale)


def test_flipped_votes_mislead_more_than_chance_does() -> None:
    game, policy = mg.games.bradley_terry(n=6), np.full(6, 1 / 6)
    true = game.payoffs(policy)
    honest, corrupted = (
        np.mean([feedback.begin(game)(policy) @ true for _ in range(1)])
        for feedback in (mg.Sampled(opponents=500), mg.CorruptedVotes(share=0.3, opponents=500))
    )
    # The best and the worst of six actions hold a third of the votes each way: flipping 30% of all turns the order round.
    assert honest > 0 > corrupted


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("noisy:scale=0", "scale must be a positive"),
        ("noisy:when=never", "when of feedback 'noisy' must be one of once, always"),
        ("corrupted", "needs share="),
        ("corrupted:share=1", "share must be below 1"),
        ("corrupted_votes:share=0.1,opponnts=3", "did you mean 'opponents'"),
        ("corrupt:share=0.1", "did you mean 'corrupted'"),
    ],
)
def test_bad_feedback_is_refused(spec: str, sentence: str) -> None:
    with pytest.raises(mg.InputError, match=sentence):
        mg.loop.feedback_from(spec)


def test_every_kind_has_a_name() -> None:
    assert {known.__name__ for known in FEEDBACK.values()} == {"Exact", "Sampled", "Noisy", "Corrupted", "CorruptedVotes"}
    assert feedback_spec("mine()") is None
