"""Certificates: the bounds on the rounding of payoffs and gaps hold against rational arithmetic, and in the worst cases there are."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.games.game import certified_gap
from mmd_games.games.implicit.general_preference import TANH_ERROR
from mmd_games.testing import matrix_games, policies, preference_games

UNITS = st.sampled_from([1.0, 1e-12, 1e12, 2.0**-1060])
"""Of payoffs; in the last, products of entries with probabilities underflow."""


def rational(values: np.ndarray) -> list[Any]:
    return [rational(part) for part in values] if np.ndim(values) > 1 else [Fraction(float(value)) for value in values]


def product(matrix: list[list[Fraction]], weights: list[Fraction]) -> list[Fraction]:
    return [sum((a * w for a, w in zip(row, weights, strict=True)), Fraction(0)) for row in matrix]


def assert_certified(game: mg.Game, policy: np.ndarray, expected: list[Fraction]) -> None:
    payoffs, error = game.certified_payoffs(policy)
    worst = max(abs(Fraction(float(payoff)) - value) for payoff, value in zip(payoffs, expected, strict=True))
    assert worst <= Fraction(error)
    assert error <= game.rounding
    plain = max(abs(Fraction(float(payoff)) - value) for payoff, value in zip(game.payoffs(policy), expected, strict=True))
    assert plain <= Fraction(game.payoff_rounding) + len(policy) * Fraction(2) ** -1074  # the judge's bound leaves underflow out


@st.composite
def tables(draw: Any) -> mg.Game:
    """Games of win probabilities and of payoffs, symmetric or not, in any units; some are shifted by a constant far above their range."""
    game = draw(st.one_of(preference_games(), matrix_games()))
    unit = draw(UNITS)
    if isinstance(game, mg.PreferenceGame):
        return mg.PreferenceGame.from_payoffs(unit * game.payoff_matrix)
    return mg.MatrixGame(unit * (game.payoff_matrix + draw(st.sampled_from([0.0, 1e9]))))


@given(st.data(), tables())
def test_payoffs_of_tables(data: st.DataObject, game: mg.Game) -> None:
    policy = data.draw(policies(game, interior=False))
    x, y = rational(policy[: game.blocks[0]]), rational(policy[-game.blocks[-1] :])
    matrix = rational(game.table())
    expected = product(matrix, y)
    if len(game.blocks) == 2:
        expected += [-value for value in product([list(column) for column in zip(*matrix, strict=True)], x)]
    assert_certified(game, policy, expected)


@given(st.data(), tables())
def test_certified_gaps_hold_the_exact_one(data: st.DataObject, game: mg.Game) -> None:
    policy = data.draw(policies(game, interior=False)) * data.draw(st.sampled_from([1.0, 1 + 9e-7, 1 - 9e-7]))
    gap, error = certified_gap(game, policy)
    assert abs(Fraction(gap) - mg.exact_gap(game, policy)) <= Fraction(error)


def test_the_rounding_of_quotients_is_in_the_bound() -> None:
    """In a constant game the gap is nothing but the rounding of two payoffs, two sums and two quotients."""
    generator = np.random.default_rng(0)
    for constant in generator.uniform(1, 2, 300):
        profile = np.concatenate([part / part.sum() for part in generator.random((2, 3))]) * generator.uniform(1 - 9e-7, 1 + 9e-7)
        gap, error = certified_gap(mg.MatrixGame(np.full((3, 3), constant)), profile)
        assert abs(gap) <= error


def test_a_game_of_zeros_has_no_rounding() -> None:
    game = mg.PreferenceGame.from_payoffs(np.zeros((4, 4)))
    assert certified_gap(game, [0.25] * 4)[0] == 0
    assert (game.certified_payoffs([0.25] * 4)[1], game.rounding) == (0, 0)


LOST = 16384
"""A probability just below half a unit of the last place of 1 in a long double is lost when it is added to 1; so many of them are LOST·2⁻⁶⁴ = 2⁻⁵⁰ together."""


def lost_in_a_sum(size: int) -> np.ndarray:
    return np.append(1.0, np.full(size - 1, 0.99 * float(np.finfo(np.longdouble).eps) / 2))


def test_the_bound_of_a_low_rank_holds_where_every_term_is_rounded_the_same_way() -> None:
    embeddings = np.tile([1.0, 0.0], (LOST + 1, 1))
    embeddings[-1] = 0.0, -1.0
    policy = np.append(lost_in_a_sum(LOST), 0.0)
    low_rank = mg.LowRankGame(embeddings)
    for game in (low_rank, mg.SparseGame(sparse.csr_array((LOST + 1, LOST + 1))) + low_rank):
        payoffs, error = game.certified_payoffs(policy)
        assert abs(Fraction(float(payoffs[-1])) - sum(rational(policy))) <= Fraction(error)
        gap, gap_error = certified_gap(game, policy)
        assert abs(Fraction(gap) - 2) <= Fraction(gap_error)  # the last action wins 1 for certain, and so could the other player


# --- games without a table ----------------------------------------------------------------------------------------------------------------


@st.composite
def embeddings_and_mixing(draw: Any, size: st.SearchStrategy[float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """n × d, float64 or float32, with R skew."""
    n, d = draw(st.integers(2, 6)), draw(st.integers(1, 4))
    kind = draw(st.sampled_from([np.float64, np.float32]))
    unit = draw(st.sampled_from([1.0, 1e-12, 1e12]) if size is None else size)
    values = (unit * draw(arrays(np.float64, (n, d), elements=st.floats(-1, 1)))).astype(kind)
    mixing = draw(arrays(np.float64, (d, d), elements=st.floats(-2, 2)))
    return values, mixing - mixing.T


def exact_scores(embeddings: np.ndarray, mixing: np.ndarray) -> list[list[Fraction]]:
    """⟨R v_i, v_j⟩."""
    vectors, form = rational(embeddings), rational(mixing)
    turned = [product(form, vector) for vector in vectors]
    return [[sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0)) for right in vectors] for left in turned]


@given(st.data(), embeddings_and_mixing())
def test_payoffs_of_low_rank(data: st.DataObject, drawn: tuple[np.ndarray, np.ndarray]) -> None:
    game = mg.LowRankGame(*drawn)
    policy = data.draw(policies(game, interior=False))
    assert_certified(game, policy, product(exact_scores(*drawn), rational(policy)))


def exact_tanh(value: Fraction) -> Fraction:
    """To some fifty digits; Python's decimal exponential is correctly rounded, and near 0 the series leaves out less than x⁵."""
    if abs(value) < Fraction(1, 10**13):
        return value - value**3 / 3
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 70, 10**9, -(10**9)
        power = Decimal(2) * Decimal(value.numerator) / Decimal(value.denominator)
        if abs(power) > 400:
            return Fraction(1 if power > 0 else -1)
        exponential = power.exp()
        return Fraction((exponential - 1) / (exponential + 1))


@given(st.data(), embeddings_and_mixing(st.sampled_from([1.0, 30.0, 1e-3])), st.sampled_from([1.0, 0.1, 7.0, 1e-9]))
def test_payoffs_of_general_preferences(data: st.DataObject, drawn: tuple[np.ndarray, np.ndarray], temperature: float) -> None:
    game = mg.GeneralPreferenceGame(*drawn, temperature=temperature)
    policy = data.draw(policies(game, interior=False))
    table = [[exact_tanh(score / (2 * Fraction(temperature))) / 2 for score in row] for row in exact_scores(*drawn)]
    assert_certified(game, policy, product(table, rational(policy)))


def test_tanh_is_as_accurate_as_the_bound_takes_it_to_be() -> None:
    values = np.concatenate([np.linspace(-25, 25, 2001), np.geomspace(1e-300, 1, 400)])
    exact = [exact_tanh(Fraction(float(value))) for value in values]
    errors = [abs(Fraction(float(found)) - value) / (abs(value) or 1) for found, value in zip(np.tanh(values), exact, strict=True)]
    assert max(errors) <= Fraction(TANH_ERROR) / 2


@given(st.data(), preference_games(), UNITS)
def test_payoffs_of_sparse_games(data: st.DataObject, dense: mg.PreferenceGame, unit: float) -> None:
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=dense.actions, max_size=dense.actions)))
    table = unit * np.where(np.logical_and.outer(kept, kept), dense.payoff_matrix, 0.0)  # with rows that are empty
    game = mg.SparseGame(sparse.csr_array(table))
    policy = data.draw(policies(game, interior=False))
    assert_certified(game, policy, product(rational(table), rational(policy)))


def test_a_sparse_game_longer_than_a_chunk() -> None:
    generator = np.random.default_rng(0)
    rows, columns = generator.integers(0, 700, (2, 150_000))
    half = sparse.coo_array((generator.integers(-8, 9, 150_000) / 8, (rows, columns)), shape=(700, 700))
    table = (half - half.T).toarray()
    table[:3] = table[:, :3] = table[-2:] = table[:, -2:] = 0.0
    game = mg.SparseGame(sparse.csr_array(table))
    policy = generator.integers(0, 8, 700) / 4096  # all sums are exact
    payoffs, error = game.certified_payoffs(policy)
    np.testing.assert_array_equal(payoffs, table @ policy)
    assert 0 < error < 1e-15 * game.scale


@given(st.data(), embeddings_and_mixing(), UNITS)
def test_payoffs_of_sums(data: st.DataObject, drawn: tuple[np.ndarray, np.ndarray], unit: float) -> None:
    n = len(drawn[0])
    dense = mg.PreferenceGame.from_payoffs(unit * data.draw(preference_games(n, n)).payoff_matrix)
    parts = data.draw(st.permutations([mg.LowRankGame(*drawn), dense, mg.SparseGame(sparse.coo_array(dense.payoff_matrix / 4))]))
    game = mg.SumGame(parts)
    policy = data.draw(policies(game, interior=False))
    scores, table, quarter = exact_scores(*drawn), rational(dense.payoff_matrix), rational(dense.payoff_matrix / 4)
    total = [[a + b + c for a, b, c in zip(*rows, strict=True)] for rows in zip(scores, table, quarter, strict=True)]
    assert_certified(game, policy, product(total, rational(policy)))


def test_a_million_embeddings_are_certified_far_below_what_is_asked_of_references() -> None:
    """Gaps of 1e-12 and 1e-9 are to be certified of normal embeddings in 16 dimensions; these are as many as a test affords, and the bounds hardly grow with n."""
    generator = np.random.default_rng(0)
    embeddings = generator.standard_normal((100_000, 16))
    policy = np.zeros(len(embeddings))
    policy[generator.choice(len(embeddings), 41, replace=False)] = generator.dirichlet(np.ones(41))
    low_rank, model = mg.LowRankGame(embeddings), mg.GeneralPreferenceGame(embeddings)
    assert low_rank.certified_payoffs(policy)[1] < 1e-14
    assert low_rank.rounding < 1e-12 / 8
    assert model.certified_payoffs(policy)[1] < 1e-12
    assert model.rounding < 1e-9 / 8


def test_batches_have_no_certificate() -> None:
    table = mg.games.rock_paper_scissors()
    for game in (table, mg.LowRankGame(np.eye(3, 2)), mg.GeneralPreferenceGame(np.eye(3, 2)), mg.SparseGame(sparse.csr_array(table.payoff_matrix))):
        with pytest.raises(InputError, match="one policy"):
            game.certified_payoffs(np.full((2, 3), 1 / 3))
    with pytest.raises(InputError, match="one game"):
        mg.PreferenceGame.stack([table, table]).certified_payoffs(np.full(3, 1 / 3))
