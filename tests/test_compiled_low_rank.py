"""Games of low rank in the compiled loop: the array run's trace, in every number of dimensions, and what has no room in float64."""

from __future__ import annotations

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.algorithms import LogLinear, from_spec
from mmd_games.compiled.low_rank import TILE, mean_of, sweep, sweep_eight
from mmd_games.errors import InputError
from mmd_games.games import GeneralPreferenceGame, LowRankGame

FAMILY = ("mpo", "mpo:inner=pu", "mmd", "mmd:magnet=moving", "mmd:magnet=annealed", "pu", "nash_md", "mwu", "omwu", "extragradient")


def game_of(actions: int, dimensions: int, seed: int = 0, scale: float = 0.5) -> LowRankGame:
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(dimensions, dimensions))
    return LowRankGame(scale * generator.normal(size=(actions, dimensions)), mixing - mixing.T)


def assert_same(found: mg.Trace, expected: mg.Trace) -> None:
    """Sums of n terms in another order, in log-policies that are multiplied by less than some hundred in these short runs."""
    for field in ("iterations", "products", "policy_iterations"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))
    np.testing.assert_array_equal(found.stages.iterations, expected.stages.iterations)
    scale = float(found.game.scale)
    for field in ("gaps", "average_gaps"):
        np.testing.assert_allclose(getattr(found, field), getattr(expected, field), rtol=0, atol=1e-11 * scale)
    for ours, theirs in ((found.log_policies, expected.log_policies), (found.stages.log_magnets, expected.stages.log_magnets)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", FAMILY)
@pytest.mark.parametrize("dimensions", [2, 3, 5, 8, 9])
def test_the_trace_is_that_of_the_array_run(spec: str, dimensions: int) -> None:
    game = game_of(TILE + 7, dimensions)  # a whole tile and a part of one
    start = np.random.default_rng(1).dirichlet(np.ones(game.actions))
    start[3] = 0.0
    start /= start.sum()
    found, expected = (
        mg.solve(game, from_spec(spec), steps=60, start=start, engine=engine, record=mg.Record(gaps=20, policies=10)) for engine in ("compiled", "array")
    )
    assert_same(found, expected)
    assert np.all(found.log_policies[:, 3] == -np.inf)


def test_embeddings_of_float32_and_few_actions() -> None:
    embeddings = np.random.default_rng(2).normal(size=(3, 2)).astype(np.float32)
    game = LowRankGame(embeddings)
    assert_same(mg.solve(game, from_spec("mpo"), steps=200, engine="compiled"), mg.solve(game, from_spec("mpo"), steps=200, engine="array"))


def test_settings_side_by_side_on_one_game() -> None:
    game = game_of(50, 8)
    algorithms = [mg.MagneticMirrorDescent(step_size=size, magnet_strength=0.2) for size in (0.05, 0.1, 0.2)]
    for trace, algorithm in zip(mg.solve_many(game, algorithms, steps=40, until=1e-3, engine="compiled"), algorithms, strict=True):
        assert_same(trace, mg.solve(game, algorithm, steps=40, until=1e-3, engine="array"))


def test_a_run_begins_on_arrays_and_goes_on_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmd_games.loop.engines.PATIENCE", 1e-3)
    game = game_of(1200, 6)
    for spec in ("mpo", "omwu"):
        assert_same(
            mg.solve(game, from_spec(spec), steps=17_000, until=1e-14, record=mg.Record(gaps=8, policies=4)),
            mg.solve(game, from_spec(spec), steps=17_000, until=1e-14, engine="array", record=mg.Record(gaps=8, policies=4)),
        )


@pytest.mark.parametrize("size", [1e-3, 1.0, 500.0, 5000.0])
def test_logits_far_from_zero_are_summed_anew(size: float) -> None:
    """A step so large that exponentials of the logits themselves leave float64; the general sweep takes them relative to the largest."""
    game = game_of(300, 8, seed=3)
    columns, mixing = np.ascontiguousarray(game.embeddings.T), np.ascontiguousarray(game.mixing)
    logits = np.log(np.random.default_rng(4).dirichlet(np.full(300, 0.3)))
    magnet, against, mean = np.zeros(300), np.empty(8), np.empty(8)
    mean_of(columns, logits, 0.0, magnet, 0.0, against)
    expected = np.empty(300)
    top = sweep(columns, mixing, against, logits, 0.0, magnet, size, 0.0, False, expected, mean)
    ours, other = logits.copy(), np.empty(8)
    assert sweep_eight(columns, mixing, against, ours, 0.0, magnet, size, 0.0, other) == pytest.approx(top, rel=1e-13, abs=1e-12)
    np.testing.assert_allclose(ours, expected, rtol=1e-13, atol=1e-13 * size)  # eight terms of payoff in another order
    np.testing.assert_allclose(other, mean, rtol=0, atol=1e-9 * size + 1e-12)
    assert np.isfinite(other).all()


def test_a_run_that_stops_being_finite_is_refused() -> None:
    with pytest.raises(InputError, match=r"the policy stopped being finite by step \d+; smaller settings"):
        mg.solve(game_of(20, 8, scale=1e3), LogLinear(step_size=1e305), steps=50, engine="compiled")


def test_what_is_behind_a_logistic_function_is_not_covered() -> None:
    game = GeneralPreferenceGame(np.random.default_rng(5).normal(size=(6, 2)))
    with pytest.raises(InputError, match=r"engine='compiled' does not cover .* neither from a stored table nor from a low rank: it runs the log-linear family"):
        mg.solve(game, engine="compiled")
