"""OpenSpiel's games: values that are known, OpenSpiel's own normal forms, and sentences for what is no such game."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.games import openspiel
from mmd_games.games.openspiel import openspiel_game

pyspiel = pytest.importorskip("pyspiel")


def value(matrix: np.ndarray) -> float:
    """The row player's value: the largest v with xᵀA ≥ v for a policy x."""
    rows, columns = matrix.shape
    answer = linprog(
        np.append(np.zeros(rows), -1.0),
        A_ub=np.hstack([-matrix.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        A_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    return -answer.fun


def test_kuhn_poker_is_worth_minus_one_eighteenth() -> None:
    game = openspiel_game("kuhn_poker")
    assert game.blocks == (64, 64)
    assert value(game.payoff_matrix) == pytest.approx(-1 / 18, abs=1e-12)
    assert game.labels[0][0] == "0:Pass 0pb:Pass 1:Pass 1pb:Pass 2:Pass 2pb:Pass"
    assert len(set(game.labels[0])) == len(set(game.labels[1])) == 64
    assert mg.games.kuhn_poker().name == "kuhn_poker"


def kuhn(row: dict[str, str], column: dict[str, str]) -> Fraction:
    """Expected winnings of the first player, from the rules: antes of 1, one bet of 1, the higher card wins a showdown."""
    total = Fraction(0)
    for ours, theirs in product("012", repeat=2):
        if ours == theirs:
            continue
        sign = 1 if ours > theirs else -1
        if row[ours] == "Bet":
            gain = 2 * sign if column[theirs + "b"] == "Bet" else 1
        elif column[theirs + "p"] == "Pass":
            gain = sign
        else:
            gain = 2 * sign if row[ours + "pb"] == "Bet" else -1
        total += Fraction(gain, 6)
    return total


def test_kuhn_poker_follows_the_rules_of_the_game() -> None:
    game = openspiel_game("kuhn_poker")
    rows, columns = ([dict(choice.split(":") for choice in label.split()) for label in labels] for labels in game.labels)
    expected = [[float(kuhn(row, column)) for column in columns] for row in rows]
    assert np.allclose(game.payoff_matrix, expected, atol=1e-15)


@pytest.mark.parametrize(
    "spec", ["kuhn_poker", "nim(pile_sizes=1;2)", "goofspiel(num_cards=2)", "goofspiel(num_cards=3,points_order=descending,imp_info=True)"]
)
def test_normal_forms_are_open_spiels_own_up_to_the_order(spec: str) -> None:
    game = openspiel_game(spec)
    own = np.array(pyspiel.extensive_to_matrix_game(pyspiel.load_game(spec)).row_utilities())
    assert game.payoff_matrix.shape == own.shape
    # The same rows and columns in another order: equal sorted row sums, column sums and squares, and the same value.
    for axis, power in product((0, 1), (1, 2, 3)):
        assert np.allclose(np.sort((game.payoff_matrix**power).sum(axis)), np.sort((own**power).sum(axis)))
    assert value(game.payoff_matrix) == pytest.approx(value(own), abs=1e-9)


def test_one_shot_games_are_taken_as_they_are() -> None:
    game = openspiel_game("matrix_rps")
    assert game.name == "openspiel:matrix_rps"
    assert game.payoff_matrix.tolist() == [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]
    assert game.labels == (("Rock", "Paper", "Scissors"),) * 2


def test_a_wrapped_matrix_game_goes_through_its_normal_form() -> None:
    game = openspiel_game("zerosum(game=matrix_pd())")
    # Half of the difference of the two players' utilities, (5, 5) (0, 10) (10, 0) (1, 1), up to the wrapper's scale.
    assert np.array_equal(game.payoff_matrix, game.payoff_matrix[1, 0] * np.array([[0, -1], [1, 0]]))
    assert game.payoff_matrix[1, 0] > 0
    assert game.labels == (("Cooperate", "Defect"),) * 2


def test_its_blotto_is_the_catalogues() -> None:
    theirs, ours = openspiel_game("blotto(coins=4,fields=3,players=2)"), mg.games.blotto(soldiers=4, fields=3)
    place = {label: k for k, label in enumerate(ours.labels[0])}
    order = [place[label.strip("[]").replace(",", "-")] for label in theirs.labels[0]]
    assert sorted(order) == list(range(ours.actions))
    assert np.array_equal(theirs.payoff_matrix, ours.payoff_matrix[np.ix_(order, order)])


def test_what_follows_the_colon_goes_to_open_spiel_verbatim() -> None:
    game = mg.games.from_spec("openspiel:goofspiel(num_cards=2,points_order=descending)")
    assert game.name == "openspiel:goofspiel(num_cards=2,points_order=descending)"
    assert all("\n" not in label for labels in game.labels for label in labels)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("kuhn_pocker", ["Unknown OpenSpiel game 'kuhn_pocker'", "'kuhn_poker'"]),
        ("", ["Unknown OpenSpiel game ''"]),
        ("kuhn_poker(cards=3)", ["OpenSpiel refuses 'kuhn_poker(cards=3)'", "'cards'"]),
        ("kuhn_poker(players=2", ["OpenSpiel refuses", "bracket"]),
        ("misere", ["OpenSpiel refuses 'misere'", "game"]),
        ("kuhn_poker(players=3)", ["3 players", "two"]),
        ("solitaire", ["1 player;"]),
        ("matrix_pd", ["general-sum", "zero-sum"]),
        ("tiny_hanabi", ["identical"]),
        ("phantom_ttt", ["game tree of more than 50,000 nodes"]),
        ("goofspiel(num_cards=4)", ["about 10^", "10,000,000"]),
        ("go", ["game tree of more than 50,000 nodes"]),
        ("pig", ["information states"]),
        ("liars_dice(numdice=1,dice_sides=3)", ["pure strategies", "10,000,000"]),
        ("leduc_poker", ["openspiel:leduc_poker has about 10^", "pure strategies", "10,000,000"]),
    ],
)
def test_what_is_wrong_with_a_game_is_said(spec: str, words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError) as refusal:
        openspiel_game(spec)
    message = str(refusal.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert "Available games" not in capfd.readouterr().err


def test_the_limit_on_entries_is_the_product_of_the_strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openspiel, "ENTRY_LIMIT", 64 * 64)
    assert openspiel_game("kuhn_poker").blocks == (64, 64)
    monkeypatch.setattr(openspiel, "ENTRY_LIMIT", 64 * 64 - 1)
    with pytest.raises(InputError, match="64 × 64 pure strategies; at most 4,095"):
        openspiel_game("kuhn_poker")
    monkeypatch.setattr(openspiel, "NODE_LIMIT", 10)
    with pytest.raises(InputError, match="more than 10 nodes"):
        openspiel_game("kuhn_poker")


def test_without_open_spiel_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    with pytest.raises(InputError, match="pip install open_spiel"):
        openspiel_game("kuhn_poker")
