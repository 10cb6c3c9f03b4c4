"""What the players are told: exact payoffs, counted; or sampled votes, right on average and the same for the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.arrays import block_slices
from mmd_games.errors import InputError
from mmd_games.loop.feedback import Payoffs

EPS = np.finfo(np.float64).eps
RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = np.array([0.2, 0.3, 0.5])
GAMES = {
    "win probabilities": (RPS, START),
    "certain wins": (mg.PreferenceGame([[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]]), np.array([0.0, 0.25, 0.75])),
    "symmetric payoffs": (mg.PreferenceGame.from_payoffs([[0, 3, -2], [-3, 0, 1], [2, -1, 0]]), START),
    "two players": (mg.MatrixGame([[100.0, -40.0, 5.0], [0.0, 20.0, -60.0]]), np.array([0.3, 0.7, 0.1, 0.2, 0.7])),
    "all payoffs above zero": (mg.MatrixGame([[2.0, 5.0], [7.0, 1.0]]), np.array([0.5, 0.5, 0.9, 0.1])),
    "no payoffs": (mg.MatrixGame([[0.0, 0.0]]), np.array([1.0, 0.5, 0.5])),
}


# --- votes ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("opponents", [1, 8])
def test_votes_are_right_on_average(name: str, opponents: int) -> None:
    game, policy = GAMES[name]
    payoffs, exact = mg.Sampled(opponents=opponents, seed=7).begin(game), game.payoffs(policy)
    draws = np.array([payoffs(policy) for _ in range(4000)])
    vote = 0.5 if game.value_offset else float(np.max(np.abs(game.payoff_matrix))) or 1.0
    # A vote is ±v with mean m, whatever opponent was drawn: its variance is v² − m², and votes of one product are independent.
    error = np.sqrt(np.maximum(vote**2 - exact**2, 0) / (opponents * len(draws)))
    assert np.all(np.abs(draws.mean(axis=0) - exact) <= 5 * error + 1e-12)
    if opponents == 1:
        np.testing.assert_allclose(np.abs(draws), vote, rtol=4 * EPS)
    # The variance itself, whose own standard error is at most √(2/4000) of v²/opponents for a sum of votes (a kurtosis of 3 at most, or near it).
    spread = draws.var(axis=0)
    np.testing.assert_allclose(spread, (vote**2 - exact**2) / opponents, rtol=0, atol=5 * vote**2 / opponents * np.sqrt(2 / len(draws)))


def test_opponents_of_probability_zero_are_not_drawn() -> None:
    game = mg.MatrixGame([[0.0, 1.0], [0.0, 1.0]])
    payoffs = mg.Sampled(opponents=2000, seed=0).begin(game)
    against_the_first = payoffs(np.array([0.5, 0.5, 1.0, 0.0]))[:2]
    against_the_second = payoffs(np.array([0.5, 0.5, 0.0, 1.0]))[:2]
    assert np.all(np.abs(against_the_first) < 5 / np.sqrt(2000))  # votes ±1 of mean 0
    assert against_the_second.tolist() == [1.0, 1.0]  # certain


def test_actions_compared_with_the_same_opponents() -> None:
    # Certain wins leave only the opponents to chance: what rock wins against those drawn, paper and scissors lose in the proportions of the draw.
    game = mg.PreferenceGame([[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]])
    payoffs = mg.Sampled(opponents=1, seed=3).begin(game)
    rows = {tuple(payoffs(np.array([0.0, 0.5, 0.5])).tolist()) for _ in range(200)}
    # Against paper: + and −, with a coin toss for paper itself; against scissors likewise.
    assert rows == {(0.5, 0.5, -0.5), (0.5, -0.5, -0.5), (-0.5, 0.5, 0.5), (-0.5, 0.5, -0.5)}


@pytest.mark.parametrize("name", GAMES)
def test_the_same_seed_gives_the_same_run(name: str) -> None:
    game, start = GAMES[name]
    algorithm = mg.MagneticPreferenceOptimization()
    runs = [mg.solve(game, algorithm, steps=100, start=start, feedback=mg.Sampled(seed=seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].log_policies, runs[1].log_policies)
    np.testing.assert_array_equal(runs[0].gaps, runs[1].gaps)
    assert not np.array_equal(runs[0].log_policies, runs[2].log_policies)
    assert runs[0].feedback == "Sampled(opponents=16, seed=1)"


@pytest.mark.parametrize(
    "algorithm", [mg.MagneticPreferenceOptimization(), mg.OptimisticMultiplicativeWeights(), mg.Extragradient(), mg.NashMirrorDescent()], ids=str
)
def test_recorded_gaps_are_exact_whatever_the_players_are_told(algorithm: Any) -> None:
    trace = mg.solve(RPS, algorithm, steps=200, start=START, feedback=mg.Sampled(opponents=4), record=mg.Record(gaps=1000, policies=1000))
    played = np.exp(trace.log_policies)
    averages = np.cumsum(played, axis=0) / np.arange(1, 202)[:, None]
    # Inner products of three terms below one half; averages of 201.
    np.testing.assert_allclose(trace.gaps, mg.duality_gap(RPS, played), rtol=0, atol=20 * EPS)
    np.testing.assert_allclose(trace.average_gaps, mg.duality_gap(RPS, averages), rtol=0, atol=400 * EPS)
    np.testing.assert_array_equal(trace.products, trace.iterations * algorithm.with_defaults(0.4).products_per_step)


def test_how_often_gaps_are_recorded_changes_no_sampled_run() -> None:
    fine, coarse = (
        mg.solve(RPS, steps=300, start=START, feedback=mg.Sampled(seed=5), record=record) for record in (mg.Record(gaps=1000), mg.Record(gaps=4, policies=4))
    )
    np.testing.assert_array_equal(fine.log_policy, coarse.log_policy)


def test_many_sampled_runs_are_single_runs() -> None:
    for trace, start in zip(mg.solve_many(RPS, None, [None, START], steps=50, feedback=mg.Sampled(seed=2)), [None, START], strict=True):
        expected = mg.solve(RPS, steps=50, start=start, feedback=mg.Sampled(seed=2))
        np.testing.assert_array_equal(trace.log_policies, expected.log_policies)


def test_enough_opponents_come_near_the_exact_run() -> None:
    algorithm = mg.MagneticMirrorDescent(step_size=0.1, magnet_strength=0.5)
    exact, sampled = (mg.solve(RPS, algorithm, steps=50, start=START, feedback=feedback) for feedback in (mg.Exact(), mg.Sampled(opponents=100_000)))
    # 50 steps of η times a payoff error of ½/√100000, five of its standard errors each: independent, and contracted.
    np.testing.assert_allclose(sampled.log_policy, exact.log_policy, rtol=0, atol=2 * 5 * 0.1 * np.sqrt(50) * 0.5 / np.sqrt(100_000))


@pytest.mark.parametrize("settings", [{"opponents": 0}, {"opponents": 2.5}, {"seed": -1}, {"opponents": True}])
def test_samples_that_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^(opponents|seed) must be a whole number of at least"):
        mg.Sampled(**settings)


# --- the oracle -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GAMES)
def test_the_oracle_counts_products_and_no_gaps(name: str) -> None:
    game, policy = GAMES[name]
    with np.errstate(divide="ignore"):
        log_policy = np.log(policy)
    oracle = Payoffs(game, mg.Exact())
    assert oracle.blocks == game.blocks
    for count in range(1, 4):
        # log and exp lose a bit each.
        np.testing.assert_allclose(oracle(log_policy), game.payoffs(policy), rtol=0, atol=20 * EPS * max(1.0, float(np.max(np.abs(game.payoff_matrix)))))
        assert float(oracle.gap(log_policy)) == pytest.approx(
            float(mg.duality_gap(game, policy)), abs=40 * EPS * max(1.0, float(np.max(np.abs(game.payoff_matrix))))
        )
        assert oracle.products == count
    sampled = Payoffs(game, mg.Sampled())
    assert [len(sampled(log_policy)), sampled.products] == [game.actions, 1]
    for part in block_slices(game.blocks):
        assert sampled(log_policy)[part].shape == policy[part].shape


def test_payoffs_of_one_array_are_not_of_its_past() -> None:
    log_policy = np.log(START)
    oracle = Payoffs(RPS, mg.Exact())
    oracle(log_policy)
    log_policy[:] = np.log([0.6, 0.2, 0.2])
    np.testing.assert_allclose(oracle(log_policy), RPS.payoffs(np.array([0.6, 0.2, 0.2])), rtol=0, atol=20 * EPS)
    assert float(oracle.gap(log_policy)) == pytest.approx(float(mg.duality_gap(RPS, [0.6, 0.2, 0.2])), abs=20 * EPS)
