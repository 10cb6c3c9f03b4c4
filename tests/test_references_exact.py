"""References against exact rational equilibria, over every kind of small game that makes a difference: none may be wrong, and none claim what it has not."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import mmd_games as mg
from mmd_games.arrays import block_sum

from .exact_oracle import ExactEquilibrium, exact_equilibrium, prove

EPS = np.finfo(np.float64).eps
EVIDENT = 1e-8
"""A margin that rounding cannot hide: seven decades above that of payoffs, 8ε L. Ties of numbers that are rounded have margins of about ε, or none."""

# --- games --------------------------------------------------------------------------------------------------------------------------------

integers = st.integers(-3, 3).map(float)
sixteenths = st.integers(-16, 16).map(lambda whole: whole / 16)
rationals = st.builds(lambda numerator, denominator: numerator / denominator, st.integers(-6, 6), st.integers(1, 7))
probabilities = st.just(0.0) | st.floats(1e-100, 1)  # in games of smaller numbers products fall out of the range of floats
percents = st.integers(0, 100).map(lambda percent: percent / 100)
decades = st.builds(lambda sign, exponent: sign * 10.0**exponent, st.sampled_from([-1, 1]), st.integers(-9, 0))


def skew(table: np.ndarray) -> np.ndarray:
    """Skew-symmetric, with what is above the diagonal."""
    return np.triu(table, 1) - np.triu(table, 1).T


def game_of(table: np.ndarray, kind: str, symmetric: bool) -> mg.PreferenceGame | mg.MatrixGame:
    return mg.PreferenceGame.from_payoffs(table, name=kind) if symmetric else mg.MatrixGame(table, name=kind)


shapes = st.integers(2, 8).map(lambda size: (size,)) | st.tuples(st.integers(1, 8), st.integers(1, 8)).filter(lambda shape: shape != (1, 1))
"""Actions of the one block of a symmetric game, or of two players."""


def table_of(draw: Any, entries: st.SearchStrategy[float], shape: tuple[int, ...]) -> np.ndarray:
    """A table of entries, skew-symmetric for a shape of one block."""
    table = draw(arrays(np.float64, (shape[0], shape[-1]), elements=entries))
    return skew(table) if len(shape) == 1 else table


def duplicate(draw: Any, table: np.ndarray, symmetric: bool) -> np.ndarray:
    """Some actions several times, others not at all."""
    rows, columns = (draw(st.lists(st.integers(0, size - 1), min_size=size, max_size=size)) for size in table.shape)
    return table[np.ix_(rows, rows if symmetric else columns)]


def blank(draw: Any, table: np.ndarray, symmetric: bool) -> np.ndarray:
    """An action that ties with all others."""
    table[(action := draw(st.integers(0, len(table) - 1)))] = 0
    if symmetric:
        table[:, action] = 0
    return table


def win(draw: Any, table: np.ndarray, symmetric: bool) -> np.ndarray:
    """A pure equilibrium, strict or not."""
    row, column = (draw(st.integers(0, size - 1)) for size in table.shape)
    if symmetric:
        table[row] = np.abs(table[row])
        table[:, row] = -table[row]
        return table
    table[row] = np.maximum(table[row], table[row, column])
    table[:, column] = np.minimum(table[:, column], table[row, column])
    return table


def dominate(draw: Any, table: np.ndarray, symmetric: bool) -> np.ndarray:
    """An action that is never better than another one, and as good against most."""
    worse, better = (draw(st.integers(0, len(table) - 1)) for _ in range(2))
    if worse != better:
        table[worse] = table[better] - draw(arrays(np.float64, table.shape[1], elements=st.sampled_from([0.0, 0.0, 1.0])))
        if symmetric:
            table[worse, worse] = 0
            table[:, worse] = -table[worse]
    return table


def flatten(draw: Any, table: np.ndarray, symmetric: bool) -> np.ndarray:
    """Nothing to win, or the same against whatever is played."""
    return np.zeros_like(table) if symmetric else np.full_like(table, draw(integers))


DEGENERATE = (duplicate, blank, win, dominate, flatten)
EXACT = ("integers", "sixteenths", "degenerate", "scaled")
"""Kinds of games in which ties are ties in floating point too, so that the largest support is what a reference must find, whatever the margin."""
ROUNDED_UNITS = (1e-12, 1e-12 / 3, 1e12 / 7)
KINDS = (*EXACT, "rationals", "win probabilities", "rounded units", "spread")


@st.composite
def exact_games(draw: Any, kinds: tuple[str, ...] = KINDS, shapes: st.SearchStrategy[tuple[int, ...]] = shapes) -> mg.PreferenceGame | mg.MatrixGame:
    """A game named after its kind."""
    kind, shape = draw(st.sampled_from(kinds)), draw(shapes)
    symmetric = len(shape) == 1
    if kind == "win probabilities":
        table = table_of(draw, draw(st.sampled_from([probabilities, percents])), shape)
        if symmetric:
            return mg.PreferenceGame(np.where(table < 0, 1 + table, np.where(table > 0, table, 0.5)), name=kind)
        return mg.MatrixGame(table, name=kind)
    choices = {"sixteenths": [sixteenths], "rationals": [rationals], "spread": [decades]}.get(kind, [integers, sixteenths])
    table = table_of(draw, draw(st.sampled_from(choices)), shape)
    if kind == "degenerate" or (kind not in ("spread", "integers") and draw(st.booleans())):
        for deform in draw(st.lists(st.sampled_from(DEGENERATE), min_size=1, max_size=3)):
            table = deform(draw, table.copy(), symmetric)
    if kind == "scaled":
        table = table * draw(st.sampled_from([2.0**-40, 2.0**40, 1e12]))  # exact, all of them
    if kind == "rounded units":
        table = table * draw(st.sampled_from(ROUNDED_UNITS))
    return game_of(table, kind, symmetric)


# --- what a reference must keep to --------------------------------------------------------------------------------------------------------


def largest_support(game: mg.Game, exact: ExactEquilibrium) -> tuple[int, ...]:
    rows, columns = exact.supports
    return rows if len(game.blocks) == 1 else (*rows, *(len(exact.policies[0]) + column for column in columns))


def require_honest(game: mg.Game, found: mg.NashEquilibrium, exact: ExactEquilibrium) -> None:
    """Policies are policies, the certificate holds, what is called converged is, and the value is right."""
    assert np.all(found.policy >= 0)
    np.testing.assert_allclose(block_sum(found.policy, game.blocks), 1, rtol=0, atol=8 * EPS)  # a rounding an entry
    assert found.support == tuple(np.flatnonzero(found.policy > 0).tolist())
    gap, certified = mg.exact_gap(game, found.policy), Fraction(found.gap) + Fraction(found.gap_error)
    assert gap <= certified
    if found.converged:
        assert gap <= Fraction(1, 10**12) * Fraction(float(game.scale))
    # The offset is added, and the mean of what the players get taken, in floating point.
    rounding = 4 * Fraction(EPS) * max(Fraction(game.value_offset), abs(exact.value))
    assert abs(Fraction(found.value) - Fraction(game.value_offset) - exact.value) <= certified + rounding


def tolerance_of(game: mg.Game) -> float | None:
    """What every reference is asked for here: a gap of 1e-12 L."""
    return 1e-12 * float(game.scale) or None


def check(game: mg.PreferenceGame | mg.MatrixGame, **settings: Any) -> None:
    """The interior point on one game."""
    exact, found = exact_equilibrium(game.payoff_matrix), mg.nash(game, method="interior_point", tolerance=tolerance_of(game), **settings)
    require_honest(game, found, exact)
    require_found(game, found, exact)


def require_found(game: mg.PreferenceGame | mg.MatrixGame, found: mg.NashEquilibrium, exact: ExactEquilibrium) -> None:
    assert found.converged or game.name == "spread"
    if game.name in EXACT or (game.name != "spread" and exact.margin >= EVIDENT):
        assert found.support == largest_support(game, exact)


@settings(max_examples=200)
@given(exact_games())
def test_the_interior_point_is_never_wrong(game):
    check(game)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(exact_games())
def test_the_interior_point_is_never_wrong_in_ten_thousand_games(game):
    check(game)


RARE = (
    [[0, 1, -3, 3, -3], [-1, 0, -2, -3, 3], [3, 2, 0, 0, -1], [-3, 3, 0, 0, 0], [3, -3, 1, 0, 0]],
    [[0, 2, -3, -3, -2], [-2, 0, -1, 3, 0], [3, 1, 0, 2, -3], [3, -3, -2, 0, 3], [2, 0, 3, -3, 0]],
    [[-2, 1, -1, -3, 1], [2, -3, -3, -1, -1], [-2, 0, 1, -2, -2]],
    [[-2, 0, -3], [2, 3, -1], [2, -2, 0], [-2, 0, -3], [0, -1, 1], [1, 1, 0], [-2, -1, 1]],
)
"""One in six thousand small games: on more actions than are ever played, the payoffs can be equalised with probabilities of zero, that is of 1e-17."""


@pytest.mark.parametrize("table", RARE)
def test_an_action_with_a_probability_of_rounding_is_not_played(table):
    table = np.array(table, dtype=float)
    check(game_of(table, "integers", np.array_equal(table, -table.T)))


@given(exact_games(EXACT), st.integers(0, 10**6))
def test_no_warm_start_leads_astray(game, seed):
    draw = np.random.default_rng(seed)
    check(game, warm_start=np.concatenate([draw.dirichlet(np.full(size, draw.choice([0.01, 1.0]))) for size in game.blocks]))


@given(exact_games(EXACT), st.sampled_from(ROUNDED_UNITS))
def test_units_that_round_every_payoff_hide_no_tie(game, unit):
    exact = exact_equilibrium(game.payoff_matrix)
    rounded = game_of(game.payoff_matrix * unit, "rounded units", len(game.blocks) == 1)
    found = mg.nash(rounded, method="interior_point", tolerance=tolerance_of(rounded))
    assert found.converged
    assert found.support == largest_support(game, exact)


@settings(max_examples=4 * settings.default.max_examples)
@given(exact_games())
def test_the_linear_program_is_never_wrong(game):
    found = mg.nash(game, method="lp", tolerance=tolerance_of(game))
    require_honest(game, found, exact_equilibrium(game.payoff_matrix))
    assert found.converged or game.name == "spread"


@given(shapes.flatmap(lambda shape: st.lists(exact_games(shapes=st.just(shape)), min_size=8, max_size=8)))
def test_many_games_of_one_shape_at_once_are_never_wrong(games):
    for game, found in zip(games, mg.nash_many(games), strict=True):
        exact = exact_equilibrium(game.payoff_matrix)
        require_honest(game, found, exact)
        require_found(game, found, exact)


def spread_game(seed: int) -> mg.PreferenceGame | mg.MatrixGame:
    """Payoffs of nine decades in one table."""
    draw = np.random.default_rng(seed)
    rows, columns = draw.integers(2, 9, size=2)
    table = draw.choice([-1.0, 1.0], size=(rows, columns if seed % 2 else rows)) * 10.0 ** draw.integers(-9, 1, size=(rows, columns if seed % 2 else rows))
    return mg.MatrixGame(table) if seed % 2 else mg.PreferenceGame.from_payoffs(skew(table))


def test_hardly_any_game_of_many_decades_is_given_up():
    games = [spread_game(seed) for seed in range(1000)]
    found = [mg.nash(game, method="interior_point", tolerance=tolerance_of(game)) for game in games]
    for game, equilibrium in zip(games, found, strict=True):
        require_honest(game, equilibrium, exact_equilibrium(game.payoff_matrix))
    assert sum(not equilibrium.converged for equilibrium in found) <= 10


# --- published tables ---------------------------------------------------------------------------------------------------------------------


def read_bots(path: Path) -> np.ndarray:
    """Mean scores, each pair's two averaged: both were measured."""
    scores = {(first, second): score for first, second, score in map(ast.literal_eval, path.read_text().splitlines())}
    names = sorted({first for first, _ in scores})
    return np.array([[(scores[first, second] - scores[second, first]) / 2 for second in names] for first in names])


def read_races(path: Path) -> np.ndarray:
    """How many more races each driver finished before each other one."""
    races = [list(map(int, line.split(":")[1].split(","))) for line in path.read_text().splitlines() if not line.startswith("#")]
    places = np.argsort(races, axis=1)
    return np.sum(np.sign(places[:, None, :] - places[:, :, None]), axis=0)


READERS = {
    "soccer_winrates.txt": lambda path: skew(np.loadtxt(path) - 0.5),
    "roshambo_bots.txt": read_bots,
    "f1_1979.soc": read_races,
    "blotto_5_3.npy": np.load,
    "blotto_5_4.npy": np.load,
    "blotto_10_3.npy": np.load,
}


@pytest.mark.parametrize("file", READERS)
def test_the_largest_support_of_a_published_table(published_tables, file):
    game = mg.PreferenceGame.from_payoffs(READERS[file](published_tables / file))
    exact, found = exact_equilibrium(game.payoff_matrix), mg.nash(game, method="interior_point", tolerance=tolerance_of(game))
    require_honest(game, found, exact)
    assert found.converged
    assert found.support == exact.supports[0]
    # And the policy found proves it without the simplex method: it lies inside of the set of equilibria, not only near it.
    proof = prove(game.payoff_matrix, found.policy, found.policy)
    assert proof is not None
    assert proof.dimensions == exact.dimensions
