"""The magnet that sets its own strength: its linear systems against dense ones, the identity that it rests on, and where it ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import adaptive
from mmd_games.algorithms.directions import centred, payoff_change
from mmd_games.algorithms.minimal_residual import newton_change
from mmd_games.arrays import block_slices, kl, log_normalise, uniform_log_policy
from mmd_games.cli import main
from mmd_games.games.game import Game
from mmd_games.loop.feedback import Payoffs
from mmd_games.testing import games_and_policies, matrix_games, preference_games

EPS = np.finfo(np.float64).eps
EVERY_GAME = st.one_of(preference_games(), matrix_games())
LOGITS = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).normal(size=12))


def skew_of(game: Game) -> np.ndarray:
    """[[0, A], [−Aᵀ, 0]], or S itself."""
    if len(game.blocks) == 1:
        return game.table()
    rows, columns = game.blocks
    return np.block([[np.zeros((rows, rows)), game.table()], [-game.table().T, np.zeros((columns, columns))]])


def covariance_of(game: Game, policy: np.ndarray) -> np.ndarray:
    """C(π) = diag π − ππᵀ, a block a player."""
    result = np.zeros((len(policy), len(policy)))
    for part in block_slices(game.blocks):
        result[part, part] = np.diag(policy[part]) - np.outer(policy[part], policy[part])
    return result


@given(games_and_policies(EVERY_GAME), LOGITS)
def test_payoffs_along_a_direction_are_those_of_the_dense_derivative(pair, logits) -> None:
    game, policy = pair
    log_policy, change = np.log(policy), logits[: game.actions]
    payoffs = Payoffs(game, mg.Exact())
    found = payoff_change(payoffs, log_policy, game.payoffs(policy), change)
    expected = skew_of(game) @ covariance_of(game, policy) @ change
    # Two products, each rounded, and divided by a reach of at least ½/max|u − ū|.
    size = max(float(np.max(np.abs(centred(change, policy, game.blocks)))), 1e-300)
    assert np.max(np.abs(found - expected)) <= 4 * size * (2 * game.payoff_rounding + 64 * EPS * game.largest_payoff)
    assert payoffs.products == 1


def test_a_change_that_is_none_costs_no_product() -> None:
    game, payoffs = mg.games.random(n=4), Payoffs(mg.games.random(n=4), mg.Exact())
    uniform = uniform_log_policy(game.blocks)
    assert not np.any(payoff_change(payoffs, uniform, np.zeros(4), np.full(4, 3.0)))
    assert payoffs.products == 0


@given(games_and_policies(EVERY_GAME), LOGITS, st.sampled_from([0.05, 0.5, 5.0]))
def test_newtons_change_solves_the_dense_system(pair, logits, relative) -> None:
    game, policy = pair
    strength = relative * (float(game.scale) or 1.0)
    log_policy, payoffs = np.log(policy), Payoffs(game, mg.Exact())
    found = newton_change(payoffs, log_policy, game.payoffs(policy), logits[: game.actions], strength, 1e-12, game.actions)
    system = np.eye(game.actions) - skew_of(game) @ covariance_of(game, policy) / strength
    # Up to one constant a player, which is in nobody's kernel: take the part of mean zero under the policy on both sides.
    expected = centred(np.linalg.solve(system, logits[: game.actions]), policy, game.blocks)
    scale = np.linalg.cond(system) * (1 + np.max(np.abs(logits)))
    # Singular values of I − K with K skew are at least 1 in the norm of the policy; rare actions see it through their products.
    assert np.max(np.abs(centred(found, policy, game.blocks) - expected)) <= 1e-9 * scale / min(1.0, float(np.min(policy)))
    assert payoffs.products <= game.actions


def test_a_system_with_one_mode_takes_two_products_and_one_without_none() -> None:
    # Three actions: the operator is skew on two dimensions, so two directions span everything.
    game, uniform = mg.games.rock_paper_scissors(), np.full(3, -np.log(3))
    payoffs = Payoffs(game, mg.Exact())
    newton_change(payoffs, uniform, game.payoffs(np.exp(uniform)), np.array([1.0, 0.3, -0.7]), 0.01, 1e-14, 3)
    assert payoffs.products == 2
    newton_change(payoffs, uniform, game.payoffs(np.exp(uniform)), np.ones(3), 0.01, 1e-14, 3)
    assert payoffs.products == 2


@given(games_and_policies(EVERY_GAME), st.sampled_from([0.01, 0.3, 10.0]), LOGITS)
def test_the_identity_behind_every_refresh_holds_for_any_policy(pair, relative, logits) -> None:
    game, policy = pair
    strength = relative * (float(game.scale) or 1.0)
    nash = mg.nash(game)
    log_magnet = log_normalise(logits[: game.actions], game.blocks)
    log_after = log_normalise(log_magnet + game.payoffs(policy) / strength, game.blocks)
    with np.errstate(divide="ignore"):
        target, log_policy = np.log(nash.policy), np.log(policy)
    fallen = float(kl(target, log_magnet)) - float(kl(target, log_after))
    explained = float(kl(log_policy, log_magnet)) - float(kl(log_policy, log_after)) + float(nash.slack @ policy) / strength
    # Divergences are sums of at most n terms of the size of the logarithms; the reference's own gap counts as slack.
    largest = 2 * float(np.max(np.abs(log_after))) + 2 * float(np.max(np.abs(log_magnet))) + 10
    allowed = (nash.gap + nash.gap_error + 4 * game.payoff_rounding) / strength + 64 * game.actions * EPS * (largest + game.largest_payoff / strength)
    assert abs(fallen - explained) <= allowed


@given(st.one_of(preference_games(max_actions=12), matrix_games(max_actions=9)))
def test_every_game_is_solved_without_a_setting(game) -> None:
    unit = float(game.scale) or 1.0
    trace = mg.solve(game, mg.AdaptiveMPO(), products=20_000, until=1e-8 * unit)
    assert trace.gap <= 1e-8 * unit
    report = mg.verify(trace)
    assert [claim.name for claim in report.claims if claim.hard and claim.verdict is mg.Verdict.REFUTED] == []


@pytest.mark.parametrize("spec", ["random:n=30,seed=1", "random:n=100,seed=2", "kuhn_poker", "blotto:soldiers=10,fields=3", "noisy_elo:n=30", "integers:n=20"])
def test_it_ends_faster_than_on_a_line_and_the_judge_sees_it(spec: str) -> None:
    game = mg.games.from_spec(spec)
    report = mg.verify(mg.solve(game, mg.AdaptiveMPO(), products=5_000, until=1e-9 * float(game.scale)))
    assert report.headline.name == "FASTER", str(report)
    assert report.exit_status == 0


@pytest.mark.parametrize("unit", [2.0**-40, 2.0**40])
def test_the_unit_of_the_payoffs_does_not_matter(unit: float) -> None:
    table = mg.games.random(n=7, seed=3).table()
    plain, scaled = (mg.solve(mg.PreferenceGame.from_payoffs(factor * table), mg.AdaptiveMPO(), steps=12) for factor in (1.0, unit))
    assert np.array_equal(plain.log_policies, scaled.log_policies)  # a power of two changes no bit
    assert np.array_equal(plain.products, scaled.products)


def test_a_symmetric_game_as_a_game_of_two_players_is_played_alike() -> None:
    table = mg.games.random(n=6, seed=1).table()
    one, two = (mg.solve(kind(table), mg.AdaptiveMPO(), steps=3) for kind in (mg.PreferenceGame.from_payoffs, mg.MatrixGame))
    # Rounding of a payoff is divided by the reach of a direction, which rare actions shorten: in three steps, before there are any, by 1e-6 at most.
    np.testing.assert_allclose(two.log_policies[:, :6], one.log_policies, rtol=0, atol=1e-9)
    np.testing.assert_allclose(two.log_policies[:, 6:], one.log_policies, rtol=0, atol=1e-9)


def test_a_start_that_never_plays_an_action_stays_where_it_is() -> None:
    game = mg.games.random(n=5, seed=2)
    trace = mg.solve(game, mg.AdaptiveMPO(), steps=30, start=np.array([0.2, 0.5, 0.3, 0.0, 0.0]))
    assert np.all(trace.log_policies[:, 3:] == -np.inf)
    inner = mg.solve(
        mg.PreferenceGame.from_payoffs(game.table()[:3, :3]), mg.AdaptiveMPO(payoff_scale=float(game.scale)), steps=30, start=np.array([0.2, 0.5, 0.3])
    )
    np.testing.assert_allclose(trace.policy[:3], inner.policy, rtol=0, atol=1e-12)


def test_an_equilibrium_is_left_alone_and_makes_no_stages() -> None:
    trace = mg.solve(mg.games.cycle(n=5), mg.AdaptiveMPO(), steps=50)
    np.testing.assert_allclose(trace.log_policies, np.log(0.2), rtol=0, atol=16 * EPS)
    assert len(trace.stages) <= 2


def test_stages_say_which_magnet_and_strength_was_in_force() -> None:
    trace = mg.solve(mg.games.random(n=10, seed=1), mg.AdaptiveMPO(), steps=14)
    stages = trace.stages
    assert stages.magnet_strengths[0] == pytest.approx(float(trace.game.scale))
    np.testing.assert_allclose(stages.step_sizes, 1 / stages.magnet_strengths)
    assert np.array_equal(stages.log_magnets[0], trace.log_policies[0])
    moves = 0
    for index in range(len(stages) - 1):
        policy = np.exp(trace.log_policies[int(stages.iterations[index + 1]) - 1])
        moved = stages.log_magnets[index + 1] - stages.log_magnets[index]
        if np.any(moved):
            rest = moved - trace.game.payoffs(policy) / stages.magnet_strengths[index]
            assert np.ptp(rest) <= 64 * EPS * (1 / stages.magnet_strengths[index] + float(np.max(np.abs(stages.log_magnets[index + 1]))))
            moves += 1
    assert moves > 5
    assert stages.magnet_strengths[-1] < 1e-3 * stages.magnet_strengths[0]


@pytest.mark.parametrize(
    "table",
    [
        [[0.0, 1e-4], [1.0, 0.0]],
        [[0.0, 1e-3, 0.0], [1.0, 0.0, 1e-3], [0.0, 1.0, 0.0]],
        [[0.3, 0.30001, 0.0], [0.0, 0.5, 0.30002], [0.6, 0.0, 0.3]],
    ],
)
def test_a_policy_at_rest_on_a_face_does_not_stop_its_magnet(table: list[list[float]]) -> None:
    # Actions that the equilibrium plays once in thousands are pushed to log-probabilities of −1000, and what is left of the game looks solved.
    game = mg.MatrixGame(table)
    trace = mg.solve(game, mg.AdaptiveMPO(), products=5_000, until=1e-10 * float(game.scale))
    assert trace.gap <= 1e-10 * float(game.scale)


@pytest.mark.parametrize("seed", [153, 237, 265])
def test_what_rounding_alone_makes_of_the_residual_is_near_enough(seed: int) -> None:
    # Ties that differ in the sixth digit: between two faces KL to the magnet and from it are rounding, and compared with each other say nothing.
    generator = np.random.default_rng(seed)
    size = int(generator.integers(4, 8))
    upper = np.triu(generator.integers(-1, 2, size=(size, size)) + 1e-6 * generator.normal(size=(size, size)), 1)
    game = mg.PreferenceGame.from_payoffs(upper - upper.T)
    trace = mg.solve(game, mg.AdaptiveMPO(), products=20_000, until=1e-9 * float(game.scale))
    assert trace.gap <= 1e-9 * float(game.scale)


def test_an_action_that_comes_in_late_does_not_undo_the_others() -> None:
    # The equilibrium plays one action twice in 100,000: all the way in at once, or in proportion alone, it takes more than 13,000 products; as it is some 2,200.
    game = mg.games.random(n=100, seed=102)
    trace = mg.solve(game, mg.AdaptiveMPO(), products=5_000, until=1e-8 * float(game.scale))
    assert trace.gap <= 1e-8 * float(game.scale)


def test_a_constant_in_all_payoffs_costs_rounding_alone() -> None:
    table = np.random.default_rng(0).normal(size=(5, 6))
    for constant in (0.0, 1e3):
        game = mg.MatrixGame(table + constant)
        trace = mg.solve(game, mg.AdaptiveMPO(), steps=600)
        assert trace.gap <= 1e4 * EPS * (1 + constant)
        assert len(trace.stages) < 120  # at rest no stage begins any more


def test_every_step_spends_a_product_at_least() -> None:
    for game in (mg.games.random(n=3), mg.games.cycle(n=5), mg.MatrixGame(np.zeros((2, 3)))):
        trace = mg.solve(game, mg.AdaptiveMPO(), products=500, record=mg.Record(gaps=2000))
        assert np.all(np.diff(trace.products) >= 1)
        assert trace.products[-1] >= 500


def test_a_budget_in_products_ends_the_run_at_the_first_step_that_has_spent_it() -> None:
    game = mg.games.random(n=30, seed=0)
    trace = mg.solve(game, mg.AdaptiveMPO(), products=300, record=mg.Record(gaps=400, policies=400))
    assert trace.products[-2] < 300 <= trace.products[-1]
    assert mg.solve(game, mg.Extragradient(), products=101).products[-1] == 100
    with pytest.raises(mg.InputError, match="products must be a whole number of at least 1"):
        mg.solve(game, products=0)


def test_compare_holds_every_method_to_its_products(tmp_path, capsys) -> None:
    assert (
        main(
            [
                "compare",
                "random:n=30,seed=0",
                "--algorithm",
                "adaptive_mpo",
                "--algorithm",
                "extragradient",
                "--products",
                "100",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    capsys.readouterr()
    spent = {trace.algorithm_spec.partition(":")[0]: int(trace.products[-1]) for trace in map(mg.Trace.load, (tmp_path / "out").glob("*.npz"))}
    assert spent["extragradient"] == 100
    assert 100 <= spent["adaptive_mpo"] < 150  # by the step that spends the last of them


def test_under_noise_it_becomes_cautious_and_stays_a_policy() -> None:
    game = mg.games.random(n=8, seed=1)
    trace = mg.solve(game, mg.AdaptiveMPO(), products=4_000, feedback=mg.Sampled(opponents=64, seed=0))
    assert np.all(np.isfinite(trace.log_policy))
    assert trace.gap < trace.gaps[0]
    assert np.max(trace.stages.magnet_strengths) <= adaptive.AdaptiveMPO().with_defaults(float(game.scale)).payoff_scale
