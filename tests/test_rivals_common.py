"""What holds of every rival: equilibria stay, units do not matter, settings are checked, specs read back, products are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.algorithms import (
    AdaGradExtragradient,
    AverageToLast,
    BoostedGradientAscent,
    ConsensusOptimization,
    ConvergentMetaAlignment,
    HamiltonianDescent,
    IterativeNashPolicyOptimization,
    OptimisticGradientAscent,
    PredictiveRegretMatchingPlus,
    ProjectedExtragradient,
    RegretMatchingPlus,
    RegularisedNashDynamics,
    RestartedExtragradient,
    RestartedPrimalDual,
    SelfPlayPreferenceOptimization,
    SmoothPredictiveRegretMatchingPlus,
    from_spec,
    to_spec,
)
from mmd_games.algorithms.registry import ALGORITHMS
from mmd_games.errors import InputError

from .rival_oracles import joined, played

RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
SKEWED = mg.MatrixGame(np.random.default_rng(3).uniform(-1, 1, (4, 3)))
RIVALS = [
    *(
        "comal",
        "kl_apmd",
        "nash_pg",
        "r_nad",
        "inpo",
        "nash_mp",
        "onpo",
        "sppo",
        "a2l_omwu",
        "ogda",
        "projected_extragradient",
        "gabp",
        "adagrad_extragradient",
    ),
    *("restarted_extragradient", "restarted_pdhg", "rm_plus", "predictive_rm_plus", "smooth_predictive_rm_plus", "hamiltonian", "consensus"),
]
EVERY = pytest.mark.parametrize("method", [ALGORITHMS[name] for name in RIVALS], ids=RIVALS)
INTERIOR = mg.MatrixGame(np.array([[2.0, -1.0], [-1.0, 1.0]]))
EVEN = mg.games.rock_paper_scissors(wins=(1.0, 1.0, 1.0))
STEPPING = [OptimisticGradientAscent, ProjectedExtragradient, RestartedExtragradient, RestartedPrimalDual, AverageToLast, SelfPlayPreferenceOptimization]


def start_of(game: Any) -> np.ndarray:
    return joined([np.arange(2.0, size + 2) / np.arange(2.0, size + 2).sum() for size in game.blocks])


@EVERY
@pytest.mark.parametrize(
    ("game", "equilibrium"),
    [(RPS, np.array([4, 3, 4]) / 11), (INTERIOR, np.array([2, 3, 2, 3]) / 5), (EVEN, np.full(3, 1 / 3))],
    ids=["rps", "two players", "even"],
)
def test_an_interior_equilibrium_stays(method: Any, game: Any, equilibrium: np.ndarray) -> None:
    if issubclass(method, RegretMatchingPlus | PredictiveRegretMatchingPlus) and game is not EVEN:
        pytest.skip("it has no scale: regrets that are only rounding are as good as any")
    states, _ = played(game, method().with_defaults(float(game.scale)), equilibrium, 6)
    found = np.exp([state.log_policy for state in states])
    # AdaGrad's first steps turn an error of 1e-16 into up to ten times as much.
    np.testing.assert_allclose(found, np.broadcast_to(equilibrium, found.shape), rtol=0, atol=1e-10)


@EVERY
def test_a_pure_equilibrium_stays_where_others_are_never_played(method: Any) -> None:
    game = mg.PreferenceGame(np.array([[0.5, 0.9, 0.8], [0.1, 0.5, 0.6], [0.2, 0.4, 0.5]]))
    states, _ = played(game, method().with_defaults(float(game.scale)), np.array([1.0, 0.0, 0.0]), 4)
    for state in states:
        np.testing.assert_array_equal(state.log_policy, [0.0, -np.inf, -np.inf])


@EVERY
@pytest.mark.parametrize("game", [mg.MatrixGame(RPS.payoff_matrix), SKEWED], ids=["skew", "any"])
def test_defaults_follow_the_units_of_the_game(method: Any, game: Any) -> None:
    # A unit of a power of two changes no rounding, so defaults in the right powers of L lead to the same run.
    other = mg.MatrixGame(8.0 * game.payoff_matrix)
    runs = [np.exp([state.log_policy for state in played(each, method().with_defaults(float(each.scale)), start_of(each), 12)[0]]) for each in (game, other)]
    np.testing.assert_allclose(runs[0], runs[1], rtol=0, atol=1e-12)
    assert np.max(np.abs(runs[0][-1] - runs[0][0])) > 1e-3


@EVERY
def test_two_who_play_alike_are_self_play(method: Any) -> None:
    if method in (AdaGradExtragradient, SmoothPredictiveRegretMatchingPlus):
        pytest.skip("its step size, or its restarts, count the movement of all players together")
    twice = mg.MatrixGame(RPS.payoff_matrix)
    algorithm, start = method().with_defaults(float(RPS.scale)), start_of(RPS)
    alone = np.exp([state.log_policy for state in played(RPS, algorithm, start, 12)[0]])
    pair = np.exp([state.log_policy for state in played(twice, algorithm, np.tile(start, 2), 12)[0]])
    np.testing.assert_allclose(pair, np.tile(alone, 2), rtol=0, atol=1e-12)


@EVERY
def test_every_spec_reads_back_and_products_are_those_announced(method: Any) -> None:
    algorithm = method().with_defaults(0.4)
    assert from_spec(to_spec(algorithm)) == algorithm and method().with_defaults(0.4) == algorithm.with_defaults(7.0)
    _, payoffs = played(SKEWED, algorithm, start_of(SKEWED), 20)
    # PDHG needs one more to begin with; a restart may save one.
    assert 20 * algorithm.products_per_step - 19 <= payoffs.products <= 20 * algorithm.products_per_step + 1
    assert abs(payoffs.products - 20 * algorithm.products_per_step) <= (19 if method is RestartedExtragradient else method is RestartedPrimalDual)


@EVERY
def test_runs_are_recorded_and_judged(method: Any) -> None:
    trace = mg.solve(SKEWED, method(), steps=40)
    assert np.all(trace.gaps >= -1e-12) and np.all(np.isfinite(trace.gaps))
    assert mg.Trace.from_policies(SKEWED, trace.log_policies, trace.policy_iterations).gap == pytest.approx(trace.gap, abs=1e-12)


@pytest.mark.parametrize("method", STEPPING)
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), "1", True])
def test_step_sizes_that_are_refused(method: Any, value: Any) -> None:
    with pytest.raises(InputError, match=r"^step_size must be a positive, finite number, got"):
        method(step_size=value)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: RestartedExtragradient(restart_factor=1.0), "restart_factor must be below 1, got 1.0."),
        (lambda: RestartedPrimalDual(restart_factor=0.0), "restart_factor must be a positive, finite number, got 0.0."),
        (lambda: SmoothPredictiveRegretMatchingPlus(restart_factor=2.0), "restart_factor must be below 1, got 2.0."),
        (lambda: BoostedGradientAscent(refresh_every=0), "refresh_every must be a whole number of at least 1, got 0."),
        (lambda: BoostedGradientAscent(pull_strength=-1.0), "pull_strength must be a positive"),
        (lambda: RegularisedNashDynamics(refresh_every=1.5), "refresh_every must be a whole number"),  # type: ignore[arg-type]
        (lambda: RegularisedNashDynamics(step_size=3.0, magnet_strength=0.5), "step_size × magnet_strength must be at most 1, got 3 × 0.5 = 1.5."),
        (lambda: ConvergentMetaAlignment(step_size=3.0, magnet_strength=0.5), "must be at most 1, got 3 × 0.5 = 1.5."),
        (lambda: ConvergentMetaAlignment(refresh_every=0), "refresh_every must be a whole number of at least 1, got 0."),
        (lambda: IterativeNashPolicyOptimization(step_size=3.0, magnet_strength=0.5), "must be at most 1"),
        (lambda: AdaGradExtragradient(diameter=0.0), "diameter must be a positive"),
        (lambda: AdaGradExtragradient(initial_gradient=0.0), "initial_gradient must be a positive"),
        (lambda: ConsensusOptimization(consensus=-1.0), "consensus must be a positive"),
        (lambda: HamiltonianDescent().init(np.zeros(1)), "HamiltonianDescent has no step_size yet: give a number, or call with_defaults(game.scale)."),
        (lambda: BoostedGradientAscent(step_size=0.1).init(np.zeros(1)), "BoostedGradientAscent has no pull_strength yet"),
        (lambda: from_spec("rm_plus:average=median"), "average of algorithm 'rm_plus' must be one of none, uniform, linear, quadratic, got 'median'."),
        (lambda: from_spec("adagrad_extragradient:geometry=round"), "must be one of projected, entropic"),
    ],
)
def test_settings_that_are_refused(build: Any, sentence: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert sentence in str(refusal.value)
