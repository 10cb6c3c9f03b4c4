"""What is played: payoffs and duality gaps against best responses, exact rationals and OpenSpiel; and tables that are no game."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyspiel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_spiel.python.algorithms import exploitability
from open_spiel.python.policy import TabularPolicy

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.games.game import check_policy
from mmd_games.testing import games_and_policies, matrix_games, policies, preference_games

EPS = np.finfo(np.float64).eps
ANY_GAME = st.one_of(preference_games(), matrix_games())


def largest(game: mg.Game) -> float:
    return float(np.max(np.abs(game.payoff_matrix)))


def gap_error(game: mg.Game) -> float:
    """Rounding of a gap: two inner products of n terms, each at most max|A|, with weights that sum to 1 within n·ε."""
    return 8 * game.actions * EPS * largest(game)


# --- payoffs ------------------------------------------------------------------------------------------------------------------------------


@given(games_and_policies(preference_games()))
def test_preference_payoffs_are_win_probabilities_less_a_half(pair: tuple[mg.PreferenceGame, np.ndarray]) -> None:
    game, policy = pair
    wins = [math.fsum(row * policy) - 0.5 * math.fsum(policy) for row in game.preference]
    np.testing.assert_allclose(game.payoffs(policy), wins, rtol=0, atol=10 * EPS * len(policy))
    assert abs(float(policy @ game.payoffs(policy))) <= gap_error(game)  # nobody wins against oneself


@given(preference_games())
def test_the_payoff_matrix_is_skew_to_the_last_bit(game: mg.PreferenceGame) -> None:
    np.testing.assert_array_equal(game.payoff_matrix, -game.payoff_matrix.T)
    assert not np.any(np.signbit(np.diag(game.payoff_matrix)))
    assert not game.payoff_matrix.flags.writeable
    assert (game.blocks, game.actions, game.players_per_block) == ((len(game.payoff_matrix),), len(game.payoff_matrix), 2)
    assert float(game.scale) == largest(game)


@given(games_and_policies(matrix_games()))
def test_matrix_payoffs_by_definition(pair: tuple[mg.MatrixGame, np.ndarray]) -> None:
    game, profile = pair
    m, _ = game.blocks
    x, y = profile[:m], profile[m:]
    received = [math.fsum(row * y) for row in game.payoff_matrix]
    paid = [math.fsum(column * x) for column in game.payoff_matrix.T]
    np.testing.assert_allclose(game.payoffs(profile), [*received, *(-value for value in paid)], rtol=0, atol=gap_error(game))
    assert math.fsum(profile * game.payoffs(profile)) == pytest.approx(0, abs=gap_error(game))  # zero-sum


@given(st.data(), ANY_GAME)
def test_payoffs_against_drawn_opponents_average_to_payoffs(data: st.DataObject, game: mg.Game) -> None:
    profile = data.draw(policies(game))
    start = 0
    for block, size in enumerate(game.blocks):
        rival = game.opponent_of(block)
        first = sum(game.blocks[:rival])
        every = game.against(block, np.arange(game.blocks[rival]))
        expected = every @ profile[first : first + game.blocks[rival]]
        np.testing.assert_allclose(game.payoffs(profile)[start : start + size], expected, rtol=0, atol=gap_error(game))
        start += size


@given(st.data(), ANY_GAME)
def test_batches_of_policies_and_stacks_of_games(data: st.DataObject, game: mg.Game) -> None:
    profiles = np.array([data.draw(policies(game)) for _ in range(3)])
    single = [game.payoffs(profile) for profile in profiles]
    np.testing.assert_allclose(game.payoffs(profiles), single, rtol=0, atol=gap_error(game))
    stack = type(game).stack([game, game, game])
    np.testing.assert_allclose(stack.payoffs(profiles), single, rtol=0, atol=gap_error(game))
    np.testing.assert_array_equal(stack.scale, [game.scale] * 3)
    np.testing.assert_allclose(mg.duality_gap(game, profiles), [mg.duality_gap(game, profile) for profile in profiles], rtol=0, atol=gap_error(game))


@given(ANY_GAME)
def test_the_table_and_parts_of_it(game: mg.Game) -> None:
    assert game.table() is game.payoff_matrix
    assert game.largest_payoff == largest(game)
    assert (game.is_stack, type(game).stack([game, game]).is_stack) == (False, True)
    chosen = [game.blocks[0] - 1, 0]
    if len(game.blocks) == 1:
        np.testing.assert_array_equal(game.restricted(chosen), game.payoff_matrix[np.ix_(chosen, chosen)])
    else:
        with pytest.raises(InputError, match="symmetric"):
            game.restricted(chosen)


# --- duality gap --------------------------------------------------------------------------------------------------------------------------


def rational_gap(game: mg.Game, profile: np.ndarray) -> Fraction:
    """max_p pᵀAy − min_q xᵀAq over pure p and q, of the floats as they stand, in Python's rationals."""
    matrix = [[Fraction(float(value)) for value in row] for row in game.payoff_matrix]
    m = game.blocks[0]
    x, y = ([Fraction(float(value)) for value in part] for part in (profile[:m], profile[-game.blocks[-1] :]))
    x, y = [value / sum(x) for value in x], [value / sum(y) for value in y]
    best = max(sum(a * b for a, b in zip(row, y, strict=True)) for row in matrix)
    worst = min(sum(a * b for a, b in zip(x, column, strict=True)) for column in zip(*matrix, strict=True))
    return best - worst


@given(st.one_of(games_and_policies(preference_games(), interior=False), games_and_policies(matrix_games(), interior=False)))
def test_gap_and_exact_gap_against_rationals(pair: tuple[mg.Game, np.ndarray]) -> None:
    game, profile = pair
    expected = rational_gap(game, profile)
    assert mg.exact_gap(game, profile) == expected
    assert expected >= 0
    assert float(mg.duality_gap(game, profile)) == pytest.approx(float(expected), abs=gap_error(game))


def test_exact_gap_of_numbers_far_apart() -> None:
    game = mg.MatrixGame([[5e-324, 1e300], [-1e300, 0.1]])
    profile = np.array([1e-200, 1.0, 1.0, 2.0**-1074])
    assert mg.exact_gap(game, profile) == rational_gap(game, profile)
    assert mg.exact_gap(mg.MatrixGame([[0.0, 0.0]]), [1.0, 0.5, 0.5]) == 0
    with pytest.raises(InputError, match="not of a batch"):
        mg.exact_gap(game, [profile, profile])


def test_gaps_by_hand() -> None:
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    assert mg.exact_gap(mg.PreferenceGame.from_payoffs([[0, 1, -1], [-1, 0, 1], [1, -1, 0]]), [0.5, 0.5, 0]) == 1  # 2·max(½, −½, 0)
    assert float(mg.duality_gap(game, np.array([4, 3, 4]) / 11)) <= gap_error(game)
    assert float(mg.duality_gap(mg.MatrixGame([[1, -1], [-1, 1]]), [1, 0, 0, 1])) == 2.0  # the row player could win 1 − (−1) more


@given(matrix_games(min_actions=2, max_actions=4), st.data())
def test_gap_is_openspiels_nash_conv(game: mg.MatrixGame, data: st.DataObject) -> None:
    m, n = game.blocks
    profile = data.draw(policies(game, interior=False))
    names = [f"r{i}" for i in range(m)], [f"c{j}" for j in range(n)]
    turn_based = pyspiel.convert_to_turn_based(pyspiel.create_matrix_game("g", "g", *names, game.payoff_matrix.tolist(), (-game.payoff_matrix).tolist()))
    tabular = TabularPolicy(turn_based)
    for state in tabular.states:
        part = (profile[:m], profile[m:])[state.current_player()]
        tabular.policy_for_key(state.information_state_string())[: len(part)] = part
    expected = float(mg.duality_gap(game, profile))
    for found in (
        exploitability.nash_conv(turn_based, tabular),
        2 * exploitability.exploitability(turn_based, tabular),
        pyspiel.nash_conv(turn_based, tabular.to_dict()),
    ):
        assert found == pytest.approx(expected, abs=2 * gap_error(game))


@given(st.one_of(games_and_policies(preference_games()), games_and_policies(matrix_games())), st.data())
def test_how_far_a_gap_moves_with_policy_and_payoffs(pair: tuple[mg.Game, np.ndarray], data: st.DataObject) -> None:
    game, profile = pair
    other = data.draw(policies(game))
    # |gap(π) − gap(π')| ≤ 2L‖π − π'‖₁, for two players L‖x − x'‖₁ + L‖y − y'‖₁.
    bound = game.players_per_block * float(game.scale) * float(np.sum(np.abs(profile - other)))
    assert abs(float(mg.duality_gap(game, profile) - mg.duality_gap(game, other))) <= bound + 2 * gap_error(game)


# --- what must not change a gap -------------------------------------------------------------------------------------------------------------


@given(games_and_policies(preference_games()))
def test_a_preference_game_is_the_symmetric_profile_of_its_matrix_game(pair: tuple[mg.PreferenceGame, np.ndarray]) -> None:
    game, policy = pair
    both = mg.MatrixGame(game.payoff_matrix)
    profile = np.concatenate([policy, policy])
    np.testing.assert_allclose(both.payoffs(profile), np.tile(game.payoffs(policy), 2), rtol=0, atol=gap_error(game))
    assert float(mg.duality_gap(both, profile)) == pytest.approx(float(mg.duality_gap(game, policy)), abs=gap_error(game))
    assert mg.exact_gap(both, profile) == mg.exact_gap(game, policy)
    assert both.scale == game.scale


@given(games_and_policies(matrix_games()), st.floats(-100, 100), st.floats(1e-3, 1e3))
def test_a_constant_changes_no_gap_and_a_factor_scales_it(pair: tuple[mg.MatrixGame, np.ndarray], constant: float, factor: float) -> None:
    game, profile = pair
    moved = mg.MatrixGame(game.payoff_matrix + constant)
    gap = float(mg.duality_gap(game, profile))
    assert float(mg.duality_gap(moved, profile)) == pytest.approx(gap, abs=2 * gap_error(moved) + gap_error(game))
    assert float(moved.scale) == pytest.approx(float(game.scale), abs=4 * EPS * largest(moved))
    scaled = mg.MatrixGame(factor * game.payoff_matrix)
    assert float(mg.duality_gap(scaled, profile)) == pytest.approx(factor * gap, abs=2 * gap_error(scaled))
    assert float(scaled.scale) == pytest.approx(factor * float(game.scale), rel=4 * EPS, abs=4 * EPS * largest(scaled))


@given(games_and_policies(preference_games()), st.randoms(use_true_random=False))
def test_the_order_of_actions_does_not_matter(pair: tuple[mg.PreferenceGame, np.ndarray], shuffle: Any) -> None:
    game, policy = pair
    order = list(range(game.actions))
    shuffle.shuffle(order)
    renamed = mg.PreferenceGame(game.preference[np.ix_(order, order)])
    np.testing.assert_array_equal(renamed.payoff_matrix, game.payoff_matrix[np.ix_(order, order)])
    assert mg.exact_gap(renamed, policy[order]) == mg.exact_gap(game, policy)


@given(games_and_policies(matrix_games()))
def test_exchanging_the_players_changes_no_gap(pair: tuple[mg.MatrixGame, np.ndarray]) -> None:
    game, profile = pair
    m, _ = game.blocks
    assert mg.exact_gap(mg.MatrixGame(-game.payoff_matrix.T), np.roll(profile, -m)) == mg.exact_gap(game, profile)


# --- tables -------------------------------------------------------------------------------------------------------------------------------


def test_preferences_are_stored_exactly() -> None:
    # 0.9 − ½ and ½ − 0.1 differ in the last bit; the entry of at least a half is taken, whose difference is exact.
    game = mg.PreferenceGame([[0.5, 0.9], [0.1, 0.5]])
    assert Fraction(float(game.payoff_matrix[0, 1])) == Fraction(0.9) - Fraction(1, 2)
    assert game.preference.tolist()[0] == [0.5, 0.9]
    assert game.units == "win probability"
    assert game.value_offset == 0.5


def test_tables_a_little_off_are_taken_and_others_only_on_request() -> None:
    game = mg.PreferenceGame([[0.5, 0.9], [0.1 + 2e-10, 0.5]])
    assert float(game.payoff_matrix[0, 1]) == pytest.approx(0.4 - 1e-10, abs=1e-15)
    assert game.notes == ()
    repaired = mg.PreferenceGame([[0.6, 0.9], [0.2, 0.5]], labels=["a", "b"], symmetrise=True)
    assert repaired.payoff_matrix.tolist() == pytest.approx(np.array([[0, 0.35], [-0.35, 0]]))
    assert "off by up to 0.2" in repaired.notes[0]
    assert "row 1, column 1 ('a' against 'a')" in repaired.notes[0]


def test_symmetric_payoffs_keep_their_units() -> None:
    game = mg.PreferenceGame.from_payoffs([[0, 1000], [-1000, 0]], labels=["a", "b"])
    assert (float(game.scale), game.units, game.value_offset, game.labels) == (1000.0, "payoff", 0.0, (("a", "b"),))
    with pytest.raises(InputError, match="no win probabilities"):
        _ = game.preference


def test_payoffs_at_the_end_of_float() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(mg.PreferenceGame.from_payoffs([[0, 1.5e308], [-1.5e308, 0]]).scale) == 1.5e308


def test_describe_and_labels() -> None:
    game = mg.MatrixGame([[1, -1, 0], [-1, 1, 2]], row_labels=np.array(["x", "y"]), name="toy")
    assert game.describe() == "toy (2 × 3, two players, payoff, L = 1.5)"
    assert game.labels == (("x", "y"), ("0", "1", "2"))
    assert mg.MatrixGame([[1, 2]]).labels is None


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([], ["preference table is empty"]),
        ([0.5, 0.5], ["rows and columns", "(2,)"]),
        ([[0.5, 0.5], [0.5]], ["rectangle of numbers"]),
        ([["a", "b"], ["c", "d"]], ["rectangle of numbers"]),
        ([[0.5]], ["1 × 1"]),
        ([[0.5, 0.1, 0.2], [0.9, 0.5, 0.3]], ["not square", "2 rows and 3 columns"]),
        ([[0.5, math.nan], [0.1, 0.5]], ["row 1, column 2", "nan"]),
        ([[0.5, 0.2], [math.inf, 0.5]], ["row 2, column 1", "inf"]),
        ([[0.5, 1.5], [-0.5, 0.5]], ["row 1, column 2", "1.5", "[0, 1]", "from_payoffs"]),
        ([[0.5, 0.9], [0.2, 0.5]], ["row 1, column 2", "0.9 and 0.2", "sum to 1.1", "--symmetrise"]),
        ([[0.6, 0.9], [0.1, 0.5]], ["row 1, column 1", "sum to 1.2"]),
    ],
)
def test_tables_that_are_no_preference(table: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        mg.PreferenceGame(table)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_a_refused_entry_is_named_by_its_labels() -> None:
    with pytest.raises(InputError, match=r"row 1, column 2 \('a' against 'b'\)"):
        mg.PreferenceGame([[0.5, 0.9], [0.2, 0.5]], labels=["a", "b"])
    for labels in (["a"], ["a", "b", "c"], []):
        with pytest.raises(InputError, match=f"{len(labels)} labels were given for 2 rows"):
            mg.PreferenceGame([[0.5, 7], [0.2, 0.5]], labels=labels)


def test_other_games_that_are_refused() -> None:
    with pytest.raises(InputError, match=r"S \+ Sᵀ = 0: row 1, column 2 and its mirror are 1 and 2"):
        mg.PreferenceGame.from_payoffs([[0, 1], [2, 0]])
    with pytest.raises(InputError, match="1 × 1"):
        mg.MatrixGame([[1.0]])
    with pytest.raises(InputError, match="3 labels were given for 2 columns"):
        mg.MatrixGame([[1, 2]], column_labels=["a", "b", "c"])
    with pytest.raises(InputError, match="0 labels were given for 1 rows"):
        mg.MatrixGame([[1, 2]], row_labels=[])


def test_a_game_does_not_follow_its_table() -> None:
    table = np.array([[0.0, 1.0], [2.0, 3.0]])
    game = mg.MatrixGame(table)
    table[0, 0] = 99
    assert game.payoff_matrix[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        game.payoff_matrix[0, 0] = 1


# --- policies -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ([0.5, 0.5], ["2 entries", "2 + 3 actions"]),
        (0.5, ["1 entries"]),
        (None, ["1 entries"]),
        ([0.5, 0.5, 0.5, 0.5, math.nan], ["Entry 5", "nan"]),
        ([0.5, 0.5, 1.5, -0.5, 0], ["Entry 4", "-0.5"]),
        ([0.5, 0.5, 0.5, 0.4, 0], ["sum to 1 for each player", "0.9"]),
        ([1, 1, 0, 0, 0], ["sum to 2"]),
        ([[0.5, 0.5, 1, 0, 0], [0.5, 0.5, 0.5, math.inf, 0]], ["Entry 4", "inf"]),
        (["a", "b", "c", "d", "e"], ["list of probabilities"]),
        ([[1], [1, 2]], ["list of probabilities"]),
    ],
)
def test_policies_that_are_refused(policy: Any, words: list[str]) -> None:
    game = mg.MatrixGame([[1, -1, 0], [-1, 1, 2]])
    with pytest.raises(InputError) as refusal:
        mg.duality_gap(game, policy)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@given(st.data(), ANY_GAME)
def test_policies_that_are_taken(data: st.DataObject, game: mg.Game) -> None:
    profile = data.draw(policies(game, interior=False))
    assert check_policy(game, profile) is profile
    np.testing.assert_array_equal(check_policy(game, profile.tolist()), profile)


# --- published tables -----------------------------------------------------------------------------------------------------------------------


def test_a_published_table(published_tables: Path) -> None:
    game = mg.PreferenceGame(np.loadtxt(published_tables / "soccer_winrates.txt"))
    uniform = np.full(game.actions, 1 / game.actions)
    assert float(mg.duality_gap(game, uniform)) == pytest.approx(float(rational_gap(game, uniform)), abs=gap_error(game))


def test_a_table_that_was_stored_or_copied_cannot_be_written_into() -> None:
    """For what is known of it, its scale and its largest payoff, is looked up once."""
    game = mg.games.random(n=4, seed=1)
    assert game.scale == np.max(np.abs(game.payoff_matrix))
    for same in (pickle.loads(pickle.dumps(game)), copy.deepcopy(game), copy.copy(game)):
        assert (same.scale, same.name) == (game.scale, game.name)
        with pytest.raises(ValueError, match="read-only"):
            same.payoff_matrix[0, 1] = 5.0
