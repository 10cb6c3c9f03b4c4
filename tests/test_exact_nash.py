"""Exact equilibria against other rational arithmetic: the oracle's simplex method, sums of Fractions, and games solved by hand."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import mmd_games as mg
from mmd_games.arrays import block_slices
from mmd_games.equilibria.exact import exact_equilibrium, rounding, search
from mmd_games.equilibria.exact.integers import ExactTable, whole_numbers
from mmd_games.equilibria.exact.proof import ExactEquilibrium, prove
from mmd_games.equilibria.exact.support_system import SupportSystem
from mmd_games.equilibria.exact.tableau import Tableau

from .exact_oracle import exact_equilibrium as by_oracle

integers = st.integers(-3, 3).map(float)
tenths = st.integers(-9, 9).map(lambda whole: whole / 10)
rationals = st.builds(lambda numerator, denominator: numerator / denominator, st.integers(-6, 6), st.integers(1, 7))
decades = st.builds(lambda sign, exponent: sign * 10.0**exponent, st.sampled_from([-1, 1]), st.integers(-30, 3))
floats = st.floats(-1, 1)  # subnormal numbers too
shapes = st.integers(2, 6).map(lambda size: (size,)) | st.tuples(st.integers(1, 6), st.integers(1, 6)).filter(lambda shape: shape != (1, 1))


@st.composite
def small_games(draw):
    """Symmetric games and games of two players: with ties, with near ties, with actions several times, over many decades."""
    shape = draw(shapes)
    entries = draw(st.sampled_from([integers, tenths, rationals, decades, floats]))
    table = draw(arrays(np.float64, (shape[0], shape[-1]), elements=entries))
    if draw(st.booleans()):
        rows = draw(st.lists(st.integers(0, shape[0] - 1), min_size=shape[0], max_size=shape[0]))
        columns = rows if len(shape) == 1 else draw(st.lists(st.integers(0, shape[1] - 1), min_size=shape[1], max_size=shape[1]))
        table = (table if len(shape) > 1 else np.triu(table, 1) - np.triu(table, 1).T)[np.ix_(rows, columns)]
    elif len(shape) == 1:
        table = np.triu(table, 1) - np.triu(table, 1).T
    return mg.PreferenceGame.from_payoffs(table) if len(shape) == 1 else mg.MatrixGame(table)


def gap_of(game, policies) -> Fraction:
    """By sums of Fractions."""
    matrix = [[Fraction(entry) for entry in row] for row in game.table().tolist()]
    x, y = policies[0], policies[-1]
    best = max(sum(a * chance for a, chance in zip(row, y, strict=True)) for row in matrix)
    return best - min(sum(a * chance for a, chance in zip(column, x, strict=True)) for column in zip(*matrix, strict=True))


def supports(proof, blocks):
    inside = np.zeros(sum(blocks), dtype=bool)
    inside[list(proof.support)] = True
    return tuple(tuple(np.flatnonzero(inside[part]).tolist()) for part in block_slices(blocks))


def check(game, proof):
    """Everything that is claimed, by other means. The support of a strictly complementary equilibrium is one and the same whoever finds it."""
    oracle = by_oracle(game.table())
    assert gap_of(game, proof.policies) == 0
    assert all(sum(policy) == 1 and min(policy) >= 0 for policy in proof.policies)
    assert proof.value == oracle.value
    assert proof.strictly_complementary
    assert supports(proof, game.blocks) == oracle.supports[-len(game.blocks) :]
    assert proof.unique is oracle.unique
    assert (proof.another is None) == proof.unique
    if proof.unique:
        assert proof.policies == oracle.policies[: len(game.blocks)]
    else:
        assert gap_of(game, proof.another) == 0
        assert proof.another != proof.policies
        assert all(sum(policy) == 1 and min(policy) >= 0 for policy in proof.another)
    for policy, slacks in zip(proof.policies, proof.slacks, strict=True):
        assert all((chance > 0) == (slack == 0) and slack >= 0 for chance, slack in zip(policy, slacks, strict=True))


@settings(max_examples=300)
@given(small_games())
def test_small_games_agree_with_a_rational_simplex_method(game):
    equilibrium = mg.nash(game, method="exact")
    check(game, equilibrium.proof)
    assert equilibrium.converged
    assert equilibrium.method == "exact"
    assert equilibrium.selection == "largest support"


@settings(max_examples=200)
@given(small_games(), st.randoms(use_true_random=False))
def test_no_hint_is_so_bad_that_the_result_is_wrong(game, random):
    hint = np.concatenate([np.eye(size)[random.randrange(size)] for size in game.blocks])
    check(game, exact_equilibrium(game, hint))


@settings(max_examples=100)
@given(small_games(), st.randoms(use_true_random=False))
def test_pivots_lead_to_the_optimum_from_any_basis(game, random):
    matrix, unit = whole_numbers(game.table())
    rows, columns = len(matrix), len(matrix[0])
    policies = []
    table = ExactTable(matrix)
    for view, size, other in ((table.mirrored.rows, rows, columns), (matrix, columns, rows)):
        tableau = Tableau(view, work=1e9)
        tableau.enter(random.sample(range(other), random.randint(0, other)), random.sample(range(size), random.randint(0, size)))
        tableau.optimise()
        policies.append(tableau.inside())
    proof = prove(table, unit, policies[-len(game.blocks) :])
    check(game, proof)


@pytest.mark.parametrize("spec", ["disc:n=8", "low_rank:n=9,dimensions=2", "a_delta:delta=1e-9", "clones:copies=2"])
def test_ties_that_only_rounding_breaks_are_no_ties(spec):
    """The float solver takes what is within rounding as tied; the table itself decides."""
    game = mg.games.from_spec(spec)
    check(game, mg.nash(game, method="exact").proof)


def test_the_game_that_is_solved_is_the_table_of_floats():
    """0.9 is no float: the equilibrium is that of the nearest ones, which is not 4/11, 4/11, 3/11, but 1e-16 from it."""
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    a, b, c = (Fraction(entry) for entry in (game.payoff_matrix[0, 1], game.payoff_matrix[1, 2], game.payoff_matrix[2, 0]))
    proof = mg.nash(game, method="exact").proof
    assert sorted(proof.policies[0]) == sorted([a / (a + b + c), b / (a + b + c), c / (a + b + c)])
    assert Fraction(3, 11) not in proof.policies[0]


def test_a_game_solved_by_hand_is_shown_in_fractions():
    game = mg.PreferenceGame([[0.5, 0.75, 0.25], [0.25, 0.5, 1.0], [0.75, 0.0, 0.5]])
    equilibrium = mg.nash(game, method="exact")
    assert equilibrium.proof.policies == ((Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)),)
    assert (equilibrium.value, equilibrium.proof.value, equilibrium.gap) == (0.5, 0, 0.0)
    assert equilibrium.margin == 0.25
    assert repr(equilibrium.proof).startswith("<ExactEquilibrium: proved in rationals")
    text = str(equilibrium)
    assert "the only equilibrium" in text
    assert "1/2  row 1" in text
    assert "0.25" not in text
    # Fractions of many digits are given as floats.
    assert "0.363636  rock" in str(mg.nash(mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)), method="exact"))


def test_json_carries_every_digit():
    game = mg.MatrixGame([[2, -1, 5], [-3, 1, 5]])
    document = json.loads(json.dumps(mg.nash(game, method="exact").to_dict()))
    assert document["schema"] == "mmd_games.nash/3"
    assert document["proof"] == {
        "policies": [["4/7", "3/7"], ["2/7", "5/7", "0"]],
        "value": "-1/7",
        "slacks": [["0", "0"], ["0", "0", "36/7"]],
        "support": [0, 1, 2, 3],
        "strictly_complementary": True,
        "unique": True,
        "another": None,
    }
    assert mg.nash(game).to_dict()["proof"] is None


@pytest.mark.parametrize("spec", ["clones:copies=2", "cycle:n=4", "cycle:n=8", "duplicated:n=4,copies=2", "blotto:soldiers=3,fields=3"])
def test_the_average_of_vertices_is_inside_the_face(spec, monkeypatch):
    """Where no plainer point is to be had, such as where a probability is too small for a float."""
    monkeypatch.setattr(search, "_on_supports", lambda *arguments: None)
    game = mg.games.from_spec(spec)
    check(game, exact_equilibrium(game, np.full(game.actions, 1 / game.actions)))
    shifted = mg.MatrixGame(game.table() + 1)
    check(shifted, exact_equilibrium(shifted, np.full(shifted.actions, 1 / game.actions)))


@pytest.mark.parametrize("weights", [[[1, 0], [1, 0]], [[1, 1], [3, -1]], [[-1, 3], [1, 1]], [[0, 0], [1, 1]], [[1, 1], [1, 2]]])
def test_what_is_no_equilibrium_is_not_proved(weights):
    """In matching pennies and, against weights that are no policy, in a game in which all earn the same."""
    pennies, ties = ExactTable([[1, -1], [-1, 1]]), ExactTable([[0, 0], [0, 0]])
    assert prove(pennies, Fraction(1), weights) is None
    assert (prove(ties, Fraction(1), weights) is None) == (min(map(min, weights)) < 0 or weights[0] == [0, 0])


def test_a_constant_game_has_every_policy():
    for game in (mg.MatrixGame([[2.5, 2.5, 2.5]]), mg.PreferenceGame([[0.5, 0.5], [0.5, 0.5]])):
        equilibrium = mg.nash(game, method="exact")
        check(game, equilibrium.proof)
        assert equilibrium.converged
        assert equilibrium.proof.unique is False
        assert "one of infinitely many" in str(equilibrium)


@pytest.mark.parametrize("game", [mg.games.random(n=100, seed=1), mg.MatrixGame(np.random.default_rng(0).normal(size=(60, 80)))], ids=["symmetric", "matrix"])
def test_games_of_a_hundred_actions_have_one_equilibrium_and_it_is_proved(game):
    equilibrium = mg.nash(game, method="exact")
    proof = equilibrium.proof
    assert proof.unique
    # The same support as in floating point, where the margin is far above rounding.
    assert proof.support == mg.nash(game).support
    # Against integers: over their common denominators the payoffs of the support are equal, digit for digit.
    matrix = [[Fraction(entry) for entry in row] for row in game.table().tolist()]
    played = [action for action, chance in enumerate(proof.policies[-1]) if chance]
    first = proof.policies[0].index(max(proof.policies[0]))
    assert sum(matrix[first][action] * proof.policies[-1][action] for action in played) == proof.value


def test_published_blotto_has_many_equilibria(published_tables):
    game = mg.PreferenceGame.from_payoffs(np.load(published_tables / "blotto_10_3.npy"))
    proof = mg.nash(game, method="exact").proof
    assert gap_of(game, proof.policies) == gap_of(game, proof.another) == 0
    assert (proof.unique, proof.strictly_complementary) == (False, True)


def test_kuhn_poker_of_floats():
    """Its sixths are rounded, which breaks some of its ties; the value is −1/18 up to that rounding."""
    game = mg.games.kuhn_poker()
    proof = mg.nash(game, method="exact").proof
    assert gap_of(game, proof.policies) == 0
    assert 0 < abs(proof.value + Fraction(1, 18)) < Fraction(1, 2**52)
    assert proof.strictly_complementary


def test_where_rounding_broke_ties_the_equilibrium_says_so():
    """Kuhn poker has equilibria of 22 actions; its table of floats, in which sixths are rounded, has none of more than 14."""
    rough, exact = mg.nash(mg.games.kuhn_poker()), mg.nash(mg.games.kuhn_poker(), method="exact")
    assert (len(rough.support), len(exact.support)) == (22, 14)
    words = "of the table as rounded to float64 the largest support has 14 actions: rounding broke ties; to rounding it has 22."
    assert exact.notes == (words,)
    assert f"  note: {words}\n" in str(exact)
    # 1/12 and 1e-17 side by side would look like two kinds of number: all of them are floats then.
    assert "1/12" not in str(exact)
    assert "  0.0833333  " in str(exact)


def test_a_proof_of_less_than_the_largest_support_does_not_speak_of_broken_ties(monkeypatch):
    game = mg.games.clones(copies=2)
    vertex = next(found for work in np.arange(1, 200) * 25.0 * 42 if (found := exact_equilibrium(game, np.eye(6)[0], work=work)) is not None)
    assert not vertex.strictly_complementary
    monkeypatch.setattr(rounding, "exact_equilibrium", lambda game, policy: vertex)
    assert mg.nash(game, method="exact").notes == ("it plays 3 actions, the equilibrium in floating point from which it was sought 6, not the same ones.",)


def test_fractions_are_printed_where_all_are_short():
    shown = str(mg.nash(mg.MatrixGame([[2, -1, 5], [-3, 1, 5], [-4, -4, 0]]), method="exact"))
    assert [line.split()[0] for line in shown.splitlines() if " row " in line and line.startswith("     ")] == ["4/7", "3/7"]
    one = Fraction(10**12 + 1, 3 * 10**12)
    for chances, expected in (
        ((Fraction(1, 3), Fraction(2, 3)), ("1/3", "2/3")),
        ((Fraction(1), Fraction(0)), ("1", "0")),
        ((one, 1 - one), None),
        ((Fraction(1, 3), Fraction(1, 10**11), Fraction(2, 3) - Fraction(1, 10**11)), None),
        ((Fraction(10**6 + 1, 2 * 10**6 + 1), Fraction(10**6, 2 * 10**6 + 1)), None),  # 1000001/2000001 has 15 characters
    ):
        zero = (tuple(Fraction(0) for _ in chances),)
        proof = ExactEquilibrium(policies=(chances,), value=Fraction(0), slacks=zero, strictly_complementary=True, unique=None, another=None)
        assert proof.short_fractions() == expected


def test_an_exact_value_and_gap_are_told_in_both_units():
    first = str(mg.nash(mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)), method="exact")).splitlines()[0]
    assert "value 0.5 as win probability, 0 as payoff (P − 1/2), " in first
    assert re.search(r"duality gap exactly 0 \(proved; [0-9.e-]+ ± [0-9.e-]+ of the policy rounded to float64\)", first)
    game = mg.MatrixGame([[2, -1, 5], [-3, 1, 5], [-4, -4, 0]])
    assert ": value -0.142857143, 4 of 6 actions" in str(mg.nash(game, method="exact"))
    assert "exactly" not in str(mg.nash(game))


def test_a_game_without_a_table_is_solved_as_its_table_of_floats():
    game = mg.games.low_rank(n=8, dimensions=2, seed=3)
    equilibrium = mg.nash(game, method="exact")
    assert gap_of(game, equilibrium.proof.policies) == 0
    assert equilibrium.notes[0] == rounding.ROUNDED


def test_what_is_too_large_or_selected_is_refused(monkeypatch):
    monkeypatch.setattr(rounding, "LARGEST", 4)
    with pytest.raises(mg.InputError, match="has 5 actions; method exact is for up to 4 a player"):
        mg.nash(mg.games.cycle(n=5), method="exact")
    assert mg.nash(mg.games.random(n=4, seed=0), method="exact").converged
    with pytest.raises(mg.InputError, match="not by method exact"):
        mg.nash(mg.games.cycle(n=3), method="exact", select="maximum_entropy")


def test_spent_work_leaves_the_point_in_floating_point_and_says_so(monkeypatch):
    game = mg.games.disc(n=20)  # of rank 2 up to rounding, so that the support of the floats is wrong
    assert exact_equilibrium(game, mg.nash(game).policy, work=0) is None
    monkeypatch.setattr(rounding, "exact_equilibrium", lambda game, policy: exact_equilibrium(game, policy, work=0))
    equilibrium = mg.nash(game, method="exact")
    assert not equilibrium.converged
    assert equilibrium.proof is None
    assert equilibrium.gap <= equilibrium.tolerance
    assert "NOT CONVERGED: nothing is proved" in str(equilibrium)
    assert "more work than is allowed" in equilibrium.notes[-1]


def test_equations_that_contradict_each_other_have_no_solution():
    """Against the first column both rows would have to earn the same, 1 and 2."""
    assert list(SupportSystem([[1, 0], [2, 0]], [0, 1], [0], [1.0, 0.0]).solutions()) == []
    ties = SupportSystem([[1, 1], [2, 2]], [0, 1], [0, 1], [0.5, 0.5])
    assert list(ties.solutions()) == []
    assert (ties.dimension, sum(ties.direction())) == (1, 0)


def test_work_spent_on_the_face_leaves_a_vertex_of_which_less_is_proved(monkeypatch):
    """Every action twice: a vertex plays one of each pair and ties the other. The least work that is enough for a result is enough for that alone."""
    game = mg.games.clones(copies=2)
    hint = np.eye(game.actions)[0]
    allowed, found = 0.0, None
    while found is None:
        allowed += 25 * game.actions * (game.actions + 1)
        found = exact_equilibrium(game, hint, work=allowed)
    assert gap_of(game, found.policies) == 0
    assert not found.strictly_complementary
    assert found.unique is None
    assert "not strictly complementary, perhaps not the only one" in str(found)
    assert "of largest support" in str(exact_equilibrium(game, hint))
    monkeypatch.setattr(rounding, "exact_equilibrium", lambda game, policy: found)
    assert mg.nash(game, method="exact").selection == "vertex"
