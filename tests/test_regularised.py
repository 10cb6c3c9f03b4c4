"""Regularised equilibria to machine precision, against closed forms, a contraction, and what must not change them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.arrays import block_sum, kl, log_normalise, total_variation, uniform_log_policy
from mmd_games.equilibria import distance_to_equilibria, plateau, regularised_equilibrium
from mmd_games.errors import InputError

EPS = np.finfo(np.float64).eps
PERTURBED_RPS = mg.PreferenceGame.from_payoffs(np.array([[0, -3, 3], [3, 0, -1], [-3, 1, 0]]) / 6)


def random_game(seed: int, rows: int, columns: int | None = None) -> mg.MatrixGame | mg.PreferenceGame:
    """Gaussian payoffs: skew-symmetric, or rows × columns; multiples of 1/16, so that whole numbers can be added without rounding."""
    table = (np.random.default_rng(seed).normal(size=(rows, columns or rows)) * 64).round() / 16
    return mg.MatrixGame(table) if columns else mg.PreferenceGame.from_payoffs(table - table.T)


def random_magnet(game, seed: int, spread: float) -> np.ndarray:
    return log_normalise(np.random.default_rng(seed).normal(size=game.actions) * spread, game.blocks)


def accuracy(game, *equilibria) -> float:
    """How far computed equilibria may be from the exact ones, in total variation.

    KL(π‖π*_α) is at most the residual (strong monotonicity of the regularised game), so by Pinsker the distance is at most √(residual/2) in
    exact arithmetic. Payoffs are rounded by nε·max|A|, which over α is a perturbation of log-policies, to which the solution in
    the norm weighted by π responds with at most 1; 4 stands for the few such roundings.
    """
    rounding = game.actions * EPS * float(np.max(np.abs(game.payoff_matrix)))
    return sum(np.sqrt(found.residual / 2) + 4 * rounding / found.magnet_strength + 4 * game.actions * EPS for found in equilibria)


# --- known numbers ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strength", "policy"),
    [
        (0.05, [0.151744701377, 0.467947746841, 0.380307551782]),
        (0.1, [0.173478025938, 0.486303240447, 0.340218733616]),
        (0.2, [0.223644919584, 0.477988173643, 0.298366906774]),
        (0.5, [0.298133194369, 0.413820454585, 0.288046351046]),
    ],
)
def test_perturbed_rock_paper_scissors(strength, policy):
    found = regularised_equilibrium(PERTURBED_RPS, magnet_strength=strength)
    np.testing.assert_allclose(found.policy, policy, rtol=0, atol=6e-13)  # stored to twelve digits


@pytest.mark.parametrize("strength", [1e-4, 0.03, 1.0, 20.0])
def test_constant_payoffs_have_a_closed_form(strength):
    # A player without opponents' choices: π = softmax(log ρ + a/α).
    game = mg.MatrixGame(np.random.default_rng(0).normal(size=(6, 1)))
    magnet = random_magnet(game, 1, spread=2.0)
    expected = log_normalise(magnet + np.append(game.payoff_matrix[:, 0], 0.0) / strength, game.blocks)
    found = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    # Log-policies of size max|a|/α are rounded by a few ε of that.
    np.testing.assert_allclose(found.log_policy, expected, rtol=0, atol=20 * EPS * (5 / strength + 20))


@pytest.mark.parametrize("strength", [1e-4, 0.01, 0.3, 10.0])
def test_two_actions_have_a_closed_form(strength):
    # S = [[0, s], [−s, 0]]: the payoffs s·p₂ and −s·p₁ differ by s whatever p is, so the log-odds are s/α above the magnet's.
    game = mg.PreferenceGame([[0.5, 0.875], [0.125, 0.5]])
    magnet = np.log([0.125, 0.875])
    found = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    odds = 0.375 / strength + magnet[0] - magnet[1]
    assert found.log_policy[0] - found.log_policy[1] == pytest.approx(odds, abs=20 * EPS * (1 / strength + 4))


@pytest.mark.parametrize("relative_strength", [0.5, 1.0, 5.0])
@pytest.mark.parametrize(("rows", "columns"), [(4, None), (25, None), (8, 5)])
def test_magnetic_mirror_descent_comes_to_the_same_point(rows, columns, relative_strength):
    game = random_game(7, rows, columns)
    magnet = random_magnet(game, 8, spread=1.0)
    strength = relative_strength * float(game.scale)
    step = strength / float(game.scale) ** 2
    log_policy = magnet
    # Theorem 3.4: KL shrinks by 1/(1 + α²/L²) ≤ 0.8 a step: after 400 steps by 1e-38, so that only the rounding of the last steps is left.
    for _ in range(400):
        pulled = (log_policy + step * strength * magnet + step * game.payoffs(np.exp(log_policy))) / (1 + step * strength)
        log_policy = log_normalise(pulled, game.blocks)
    found = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    assert total_variation(found.policy, np.exp(log_policy), game.blocks) <= 2 * accuracy(game, found)


# --- the residual, over sizes, strengths and degenerate games ---------------------------------------------------------------------------

STRENGTHS = [1e-4, 1e-3, 1e-2, 0.1, 1.0, 20.0]


def check(game, found, strength):
    """Recompute the residual as it is defined, and the gap."""
    softmax = log_normalise(found.log_magnet + game.payoffs(found.policy) / strength, game.blocks)
    assert float(kl(found.log_policy, softmax)) == found.residual <= 1e-14
    assert found.converged
    np.testing.assert_allclose(block_sum(found.policy, game.blocks), 1, rtol=0, atol=game.actions * EPS)
    assert found.gap == max(mg.duality_gap(game, found.policy), 0.0)


@pytest.mark.parametrize(("rows", "columns"), [(3, None), (30, None), (100, None), (300, None), (3, 2), (1, 7), (60, 40), (180, 120)])
def test_random_games_are_solved_at_every_strength(rows, columns):
    for seed in range(3 if rows < 100 else 1):
        game = random_game(seed, rows, columns)
        for relative in STRENGTHS:
            found = regularised_equilibrium(game, magnet_strength=relative * float(game.scale))
            check(game, found, relative * float(game.scale))
            assert found.newton_steps <= 120  # a hundred actions take 55 systems of 1e-4 s at the weakest magnet


def tournament(size: int) -> mg.PreferenceGame:
    wins = np.triu(np.random.default_rng(size).choice([-1.0, 1.0], size=(size, size)), 1)
    return mg.PreferenceGame.from_payoffs(wins - wins.T)


def kuhn_poker() -> mg.MatrixGame:
    pyspiel = pytest.importorskip("pyspiel", reason="needs OpenSpiel")
    return mg.MatrixGame(pyspiel.extensive_to_matrix_game(pyspiel.load_game("kuhn_poker")).row_utilities())


DEGENERATE = {
    "all zero": lambda: mg.PreferenceGame(np.full((5, 5), 0.5)),
    "constant": lambda: mg.MatrixGame(np.full((3, 4), 2.5)),
    "clones": lambda: mg.PreferenceGame.from_payoffs(np.kron(PERTURBED_RPS.payoff_matrix, np.ones((4, 4)))),
    "pure equilibrium": lambda: mg.PreferenceGame.from_payoffs(np.tanh(np.subtract.outer(np.linspace(-2, 2, 12), np.linspace(-2, 2, 12)))),
    "tournament": lambda: tournament(41),
    "even ring": lambda: mg.MatrixGame([[0, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1], [1, 0, -1, 0]]),
    "kuhn poker": kuhn_poker,
    "tiny units": lambda: mg.MatrixGame(random_game(3, 12, 9).payoff_matrix * 1e-6),
    "huge units": lambda: mg.PreferenceGame.from_payoffs(random_game(3, 12).payoff_matrix * 1e6),
}


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("spread", [0.0, 3.0, 50.0])
def test_degenerate_games_are_solved_at_every_strength(name, spread):
    game = DEGENERATE[name]()
    magnet = random_magnet(game, 11, spread)
    for relative in STRENGTHS:
        strength = relative * (float(game.scale) or 1.0)
        check(game, regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet), strength)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(0, 9), st.floats(-4, 1.3), st.floats(0, 100))
def test_no_policy_is_closer_to_the_solution_than_its_residual_says(seed, rows, columns, exponent, spread):
    # KL(π‖π*_α) ≤ KL(π‖softmax(log ρ + payoffs(π)/α)) for EVERY π holds of the equilibrium alone.
    game = random_game(seed, rows, columns or None)
    strength = 10.0**exponent * (float(game.scale) or 1.0)
    magnet = random_magnet(game, seed + 1, spread)
    found = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    check(game, found, strength)
    other = log_normalise(found.log_policy + np.random.default_rng(seed + 2).normal(size=game.actions), game.blocks)
    residual = kl(other, log_normalise(magnet + game.payoffs(np.exp(other)) / strength, game.blocks))
    # Both sides are rounded as the logs they are made of, which are of size max|A|/α and log ρ.
    size = float(np.max(np.abs(game.payoff_matrix))) / strength + float(np.max(np.abs(magnet))) + 1
    assert kl(other, found.log_policy) <= residual + 20 * game.actions * EPS * size


# --- magnets --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relative", [1e-4, 0.05, 3.0])
def test_excluded_actions_leave_the_game_of_the_others(relative):
    whole = random_game(5, 9, 7)
    kept_rows, kept_columns = [0, 2, 3, 8], [1, 2, 6]
    part = mg.MatrixGame(whole.payoff_matrix[np.ix_(kept_rows, kept_columns)])
    magnet = random_magnet(part, 6, spread=2.0)
    everywhere = np.full(16, -np.inf)
    kept = [*kept_rows, *(9 + column for column in kept_columns)]
    everywhere[kept] = magnet
    strength = relative * float(part.scale)
    found = regularised_equilibrium(whole, magnet_strength=strength, log_magnet=everywhere)
    alone = regularised_equilibrium(part, magnet_strength=strength, log_magnet=magnet)
    assert found.converged
    assert np.all(np.isneginf(np.delete(found.log_policy, kept)))
    assert total_variation(found.policy[kept], alone.policy, part.blocks) <= accuracy(whole, found, alone)
    assert plateau(whole, found) == pytest.approx(alone.gap, abs=1e-12 * float(whole.scale) * (1 + relative))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["log_policy"][1] is None


def test_a_single_action_left_is_played():
    game = random_game(1, 4)
    found = regularised_equilibrium(game, magnet_strength=0.1, log_magnet=[-np.inf, -np.inf, 0.0, -np.inf])
    assert found.policy.tolist() == [0, 0, 1, 0]
    assert found.converged


def test_bad_settings_are_refused():
    game = random_game(1, 4, 3)
    for strength in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="magnet_strength must be a positive"):
            regularised_equilibrium(game, magnet_strength=strength)
    with pytest.raises(InputError, match="at least 1e-12 L"):
        regularised_equilibrium(game, magnet_strength=1e-13 * float(game.scale))
    for magnet, sentence in [
        (np.zeros(6), r"The magnet has shape \(6,\).*4 \+ 3 actions"),
        (np.zeros(7), "normalised log-policy, one for each player; exp of its entries sums to 4"),
        (np.append(np.nan, np.zeros(6)), "Entry 1 of the magnet is nan"),
        (np.full(7, -np.inf), "sums to 0"),
    ]:
        with pytest.raises(InputError, match=sentence):
            regularised_equilibrium(game, magnet_strength=0.1, log_magnet=magnet)
    with pytest.raises(InputError, match="The start has shape"):
        regularised_equilibrium(game, magnet_strength=0.1, log_start=np.zeros(3))
    with pytest.raises(InputError, match="not of a stack"):
        regularised_equilibrium(mg.MatrixGame.stack([game, game]), magnet_strength=0.1)


# --- starts ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("relative", [1e-3, 0.05, 1.0])
def test_a_start_nearby_takes_few_steps(relative):
    game = random_game(2, 60)
    strength = relative * float(game.scale)
    cold = regularised_equilibrium(game, magnet_strength=strength)
    nearby = cold.log_policy + 1e-3 * np.random.default_rng(0).normal(size=60)
    warm = regularised_equilibrium(game, magnet_strength=strength, log_start=nearby)
    assert warm.newton_steps <= 4 < cold.newton_steps
    check(game, warm, strength)
    assert total_variation(warm.policy, cold.policy, game.blocks) <= accuracy(game, warm, cold)


def test_newton_converges_quadratically():
    # With a wrong Jacobian each step would gain a constant factor; with the right one an error of 1e-2 is 1e-16 after three or four.
    game = random_game(4, 20, 15)
    found = regularised_equilibrium(game, magnet_strength=0.1 * float(game.scale))
    for size, most in [(1e-1, 6), (1e-2, 5), (1e-4, 3), (1e-6, 3), (1e-9, 1)]:
        start = found.log_policy + size * np.random.default_rng(0).normal(size=35)
        assert regularised_equilibrium(game, magnet_strength=found.magnet_strength, log_start=start).newton_steps <= most


@pytest.mark.parametrize("start", [np.linspace(0, -5000, 40), np.append(np.zeros(39), 800.0), np.append(np.zeros(39), -np.inf), np.full(40, np.nan)])
def test_a_start_far_away_or_senseless_changes_nothing(start):
    game = tournament(40)
    strength = 1e-3 * float(game.scale)
    cold = regularised_equilibrium(game, magnet_strength=strength)
    warm = regularised_equilibrium(game, magnet_strength=strength, log_start=start)
    check(game, warm, strength)
    assert total_variation(warm.policy, cold.policy, game.blocks) <= accuracy(game, warm, cold)


# --- what must not change it, and where it goes ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(-3, 1), st.integers(-1000, 1000))
def test_a_constant_in_all_payoffs_changes_nothing(seed, exponent, constant):
    game = random_game(seed, 6, 4)
    moved = mg.MatrixGame(game.payoff_matrix + constant)
    strength = 10.0**exponent * float(game.scale)
    magnet = random_magnet(game, seed + 1, spread=2.0)
    first, second = (regularised_equilibrium(each, magnet_strength=strength, log_magnet=magnet) for each in (game, moved))
    assert total_variation(first.policy, second.policy, game.blocks) <= accuracy(game, first) + accuracy(moved, second)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(-3, 1), st.booleans())
def test_the_order_of_actions_does_not_matter(seed, exponent, symmetric):
    game = random_game(seed, 7, None if symmetric else 5)
    draw = np.random.default_rng(seed)
    rows = draw.permutation(7)
    columns = rows if symmetric else draw.permutation(5)
    table = game.payoff_matrix[np.ix_(rows, columns)]
    permuted = mg.PreferenceGame.from_payoffs(table) if symmetric else mg.MatrixGame(table)
    order = rows if symmetric else np.append(rows, 7 + columns)
    magnet = random_magnet(game, seed + 1, spread=2.0)
    strength = 10.0**exponent * float(game.scale)
    first = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    second = regularised_equilibrium(permuted, magnet_strength=strength, log_magnet=magnet[order])
    assert total_variation(first.policy[order], second.policy, game.blocks) <= accuracy(game, first, second)


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20, 2.0**-300, 2.0**300])
def test_payoffs_and_strength_scaled_together_change_nothing(factor):
    for game in (random_game(9, 11), random_game(9, 8, 5)):
        kind = mg.MatrixGame if len(game.blocks) == 2 else mg.PreferenceGame.from_payoffs
        strength = 0.01 * float(game.scale)
        plain = regularised_equilibrium(game, magnet_strength=strength)
        scaled = regularised_equilibrium(kind(game.payoff_matrix * factor), magnet_strength=strength * factor)
        # Powers of two change no mantissa: the numbers are the same to the last bit.
        assert np.array_equal(plain.log_policy, scaled.log_policy)
        assert scaled.gap == plain.gap * factor


def test_a_symmetric_game_played_by_two_players_gives_both_the_same_policy():
    game = random_game(13, 9)
    strength = 0.02 * float(game.scale)
    one = regularised_equilibrium(game, magnet_strength=strength)
    two = regularised_equilibrium(mg.MatrixGame(game.payoff_matrix), magnet_strength=strength)
    assert total_variation(two.policy, np.tile(one.policy, 2), (9, 9)) <= 2 * accuracy(game, one, two)
    assert two.gap == pytest.approx(one.gap, abs=1e-12 * one.scale)
    assert plateau(game, one) == pytest.approx(one.gap, abs=1e-12 * one.scale)


def test_clones_share_what_the_original_plays():
    clones = mg.PreferenceGame.from_payoffs(np.kron(PERTURBED_RPS.payoff_matrix, np.ones((4, 4))))
    one, four = (regularised_equilibrium(game, magnet_strength=0.01) for game in (PERTURBED_RPS, clones))
    assert total_variation(four.policy, np.repeat(one.policy, 4) / 4, (12,)) <= accuracy(clones, one, four)


def test_a_strong_magnet_holds_the_policy():
    for game in (random_game(21, 8), random_game(21, 8, 5)):
        magnet = random_magnet(game, 22, spread=3.0)
        for relative in (1e2, 1e5, 1e8):
            found = regularised_equilibrium(game, magnet_strength=relative * float(game.scale), log_magnet=magnet)
            # log(π/ρ) is payoffs/α less a mean of them, and the payoffs of a player range over 2L at most, and in these games over 1e-3 of that at least.
            moved = np.abs(found.log_policy - magnet)
            assert np.max(moved) <= 2 / relative + 100 * EPS
            assert np.max(moved) >= 2e-3 / relative


def test_a_weak_magnet_approaches_the_nash_equilibrium_in_proportion():
    # By the plateau's formula the gap is at most α·Σ_players max(−log ρ); towards a unique equilibrium the distance is of first order in α.
    for game in (PERTURBED_RPS, random_game(31, 9), random_game(31, 8, 6)):
        scale = float(game.scale)
        players = game.players_per_block * sum(np.log(size) for size in game.blocks)
        near, nearer = (regularised_equilibrium(game, magnet_strength=relative * scale) for relative in (1e-5, 1e-6))
        for found in (near, nearer):
            assert found.gap <= found.magnet_strength * players
        ratio = distance_to_equilibria(game, near.policy) / distance_to_equilibria(game, nearer.policy)
        # The second order is α/L times a condition number below 1e3 of these games: 1e-2; the rounding of distances, 1e-13, is far below 1e-6.
        assert ratio == pytest.approx(10, rel=0.05)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(0, 12), st.floats(-4, 1.3), st.floats(0, 50))
def test_the_plateau_is_the_gap_of_the_regularised_equilibrium(seed, rows, columns, exponent, spread):
    game = random_game(seed, rows, columns or None)
    strength = 10.0**exponent * (float(game.scale) or 1.0)
    magnet = random_magnet(game, seed + 1, spread)
    found = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    # Logs of size max|A|/α + |log ρ| are rounded by ε of that, in n of them, and multiplied by α; likewise the payoffs of the gap.
    largest = float(np.max(np.abs(game.payoff_matrix))) + strength * (1 + float(np.max(np.abs(magnet))))
    assert abs(plateau(game, found) - mg.duality_gap(game, found.policy)) <= 20 * game.actions * EPS * largest


# --- text -----------------------------------------------------------------------------------------------------------------------------


def test_text_and_json():
    game = mg.PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]], labels=["rock", "scissors", "paper"], name="unequal")
    found = regularised_equilibrium(game, magnet_strength=0.05)
    first, *lines = str(found).splitlines()
    assert first.startswith("Regularised equilibrium of unequal: magnet strength 0.05 (win probability, L = 0.4), KL residual")
    order = np.argsort(-found.policy)
    assert [line.split()[-1] for line in lines] == [game.labels[0][action] for action in order]
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["schema"] == "mmd_games.regularised/1"
    assert document["policy"] == found.policy.tolist()
    assert document["log_magnet"] == uniform_log_policy((3,)).tolist()
    assert document["gap_relative"] == found.gap / found.scale
    assert (document["game"], document["converged"], document["labels"]) == ("unequal", True, [["rock", "scissors", "paper"]])


def test_a_weaker_magnet_than_float64_can_follow_is_said_not_to_converge():
    game = random_game(17, 12)
    found = regularised_equilibrium(game, magnet_strength=1e-12 * float(game.scale))
    assert not found.converged
    assert found.residual > 1e-14
    assert "NOT CONVERGED" in str(found)
    assert found.policy.sum() == pytest.approx(1, abs=12 * EPS)
