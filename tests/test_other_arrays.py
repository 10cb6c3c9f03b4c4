"""Runs follow their start into another array library: the same trace as in NumPy, from torch tensors."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import from_spec
from mmd_games.errors import InputError
from mmd_games.games import LowRankGame
from mmd_games.testing import preference_games

DEVICE = os.environ.get("MMD_GAMES_TEST_DEVICE", "cpu")
STEPS = 200
FAMILY = ("mpo", "mpo:inner=pu", "mmd", "mmd:magnet=moving", "mmd:magnet=annealed", "mmd:reference=uniform", "pu", "nash_md", "mwu", "omwu", "extragradient")
GAMES = {
    "preference": mg.games.from_spec("random:n=7,seed=2"),
    "two players": mg.MatrixGame(np.random.default_rng(0).uniform(-2, 3, (4, 6))),
    "large": mg.games.from_spec("random:n=40,seed=3"),
    "structured": mg.games.from_spec("blotto:soldiers=4,fields=3"),
    "all ties": mg.PreferenceGame(np.full((3, 3), 0.5)),
    "twins": mg.PreferenceGame([[0.5, 0.5, 0.9], [0.5, 0.5, 0.9], [0.1, 0.1, 0.5]]),
}


def tensor(values: np.ndarray, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype, device=DEVICE)


def start_of(game: mg.games.Game, seed: int = 0) -> np.ndarray:
    return np.concatenate([np.random.default_rng(seed).dirichlet(np.ones(size)) for size in game.blocks])


@pytest.mark.parametrize("spec", FAMILY)
@pytest.mark.parametrize("name", GAMES)
def test_a_run_on_tensors_is_the_run_on_arrays(name: str, spec: str) -> None:
    game, algorithm = GAMES[name], from_spec(spec)
    start = start_of(game)
    there, here = mg.solve(game, algorithm, steps=STEPS, start=tensor(start)), mg.solve(game, algorithm, steps=STEPS, start=start, engine="array")
    for field in ("iterations", "products", "policy_iterations"):
        np.testing.assert_array_equal(getattr(there, field), getattr(here, field))
    np.testing.assert_array_equal(there.stages.iterations, here.stages.iterations)
    assert there.game is game and there.stages.steady == here.stages.steady
    # Sums in another order: each step is off by some n units of the last place, and none of these methods multiplies that by more than some hundred in 200 steps.
    for field in ("gaps", "average_gaps", "log_policies"):
        assert isinstance(getattr(there, field), np.ndarray)
        np.testing.assert_allclose(getattr(there, field), getattr(here, field), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(there.stages.log_magnets, here.stages.log_magnets, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(there.stages.step_sizes, here.stages.step_sizes)


@given(game=preference_games(), spec=st.sampled_from(FAMILY), never=st.booleans(), seed=st.integers(0, 100))
@settings(max_examples=40)
def test_any_run_on_tensors_is_the_run_on_arrays(game: mg.PreferenceGame, spec: str, never: bool, seed: int) -> None:
    start = start_of(game, seed)
    if never and game.actions > 2:
        start[0] = 0.0  # an action that is never played
        start /= start.sum()
    algorithm = from_spec(spec)
    there, here = mg.solve(game, algorithm, steps=20, start=tensor(start)), mg.solve(game, algorithm, steps=20, start=start, engine="array")
    np.testing.assert_allclose(there.gaps, here.gaps, rtol=0, atol=1e-12 * max(1.0, float(game.scale)))  # 20 steps
    np.testing.assert_allclose(np.exp(there.log_policies), np.exp(here.log_policies), rtol=0, atol=1e-12)


def test_a_stack_of_runs_on_tensors() -> None:
    games = [mg.games.from_spec(f"random:n=6,seed={seed}") for seed in range(3)]
    algorithms = [mg.MagneticMirrorDescent(step_size=size, magnet_strength=0.1) for size in (0.1, 0.4, 0.9)]
    starts = [start_of(game, seed) for seed, game in enumerate(games)]
    there = mg.solve_many(games, algorithms, [tensor(start) for start in starts], steps=50)
    for trace, *run in zip(there, games, algorithms, starts, strict=True):
        single = mg.solve(run[0], run[1], start=run[2], steps=50, engine="array")
        np.testing.assert_allclose(trace.gaps, single.gaps, rtol=0, atol=1e-13)  # 50 contracting steps
        np.testing.assert_allclose(trace.log_policies, single.log_policies, rtol=0, atol=1e-12)


def test_starts_of_several_libraries_are_several_stacks() -> None:
    game = GAMES["preference"]
    start = start_of(game)
    traces = mg.solve_many(game, from_spec("mmd"), [start, tensor(start), None], steps=5)
    np.testing.assert_allclose(traces[0].gaps, traces[1].gaps, rtol=0, atol=1e-14)
    assert traces[2].gaps[0] != pytest.approx(traces[0].gaps[0])


def test_a_run_on_tensors_is_judged_as_any_other() -> None:
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    trace = mg.solve(game, start=tensor(np.array([0.5, 0.3, 0.2])), steps=4000, until=1e-10)
    assert trace.stopped == "tolerance" and mg.verify(trace).verdict.value == "confirmed"


def test_the_run_is_made_where_the_start_is(monkeypatch: pytest.MonkeyPatch) -> None:
    game, seen = GAMES["preference"], set()
    inner = type(game).payoffs

    def payoffs(self: mg.PreferenceGame, policy: object) -> object:
        seen.add((type(policy), str(getattr(policy, "device", ""))))
        return inner(self, policy)  # type: ignore[arg-type]

    monkeypatch.setattr(type(game), "payoffs", payoffs)
    start = tensor(start_of(game))
    mg.solve(game, from_spec("pu"), steps=5, start=start)
    assert seen == {(torch.Tensor, str(start.device))}


def test_a_start_in_float32_is_a_start_and_no_more() -> None:
    game = GAMES["preference"]
    start = torch.full((7,), 1 / 7, dtype=torch.float32, device=DEVICE)
    trace = mg.solve(game, from_spec("mmd"), steps=5, start=start)
    assert trace.log_policies.dtype == np.float64
    # Normalised in float64: off by the rounding of that, not of float32.
    np.testing.assert_allclose(np.exp(trace.log_policies).sum(-1), 1.0, rtol=0, atol=1e-14)


def test_what_needs_numpy_says_so() -> None:
    start = tensor(np.array([0.5, 0.3, 0.2]))
    game = mg.games.rock_paper_scissors()
    with pytest.raises(InputError, match=r"Sampled\(opponents=16, seed=0\) is drawn on NumPy arrays: give the start as one"):
        mg.solve(game, start=start, feedback=mg.Sampled())
    with pytest.raises(InputError, match=r"is played on NumPy arrays only: give the start as one"):
        mg.solve(LowRankGame(np.eye(4)), start=tensor(np.full(4, 0.25)))
    with pytest.raises(InputError, match=r"engine='compiled' does not cover .* whose table is not a NumPy array of float64"):
        mg.solve(game, start=start, engine="compiled")
    with pytest.raises(InputError, match=r"must sum to 1"):
        mg.solve(game, start=2 * start)


# --- tables in less than float64 ------------------------------------------------------------------------------------------------------------


def float32_table() -> np.ndarray:
    strengths = np.random.default_rng(4).random((6, 6))
    table = (strengths / (strengths + strengths.T)).astype(np.float32)
    np.fill_diagonal(table, 0.5)
    return table


@pytest.mark.parametrize("made", [np.asarray, torch.tensor])
def test_a_table_of_float32_is_taken_and_its_floor_told(made: object) -> None:
    table = float32_table()
    game = mg.PreferenceGame(made(table))  # type: ignore[operator]
    assert game.payoff_matrix.dtype == np.float64
    assert np.max(np.abs(game.preference - table)) <= 2.0**-24
    (note,) = game.notes
    assert (
        note
        == "read from 32-bit numbers, which are known to 6.0e-08 of themselves: gaps below "
        + f"{2 * 2.0**-24 * table.max():.1e} say nothing of the game meant."
    )
    assert note in " ".join(str(mg.verify(mg.solve(game, steps=50))).split())
    with pytest.raises(InputError, match=r"P \+ Pᵀ must be 1 within 1e-09"):
        mg.PreferenceGame(table.astype(np.float64))


def test_tables_of_payoffs_in_float32() -> None:
    payoffs = np.array([[0.1, -7.3], [2.2, 0.7]], dtype=np.float32)
    assert "gaps below 8.7e-07 say nothing" in mg.MatrixGame(payoffs).notes[0]  # 2·2⁻²⁴·7.3
    skew = np.array([[0.0, 0.1], [-0.1, 0.0]], dtype=np.float32)
    assert mg.PreferenceGame.from_payoffs(skew).notes
    assert mg.MatrixGame(payoffs.astype(np.float64)).notes == ()


def test_more_runs_than_memory_are_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmd_games.arrays._free_memory", lambda: 2.0**20)
    with pytest.raises(InputError, match=r"^5,000 runs with 35,000 actions in all would need 3 MiB of memory; 1 MiB are free"):
        mg.solve_many(GAMES["preference"], [from_spec("mmd")] * 5000)
