"""The ladder from tables to language models, its short rungs: each update is the exact step, up to what the fit leaves or to the noise of sampling.

The long rungs, with the gaps that training comes to, are in benchmarks/llm/ladder.py.
"""

from __future__ import annotations

import numpy as np
import pytest

import mmd_games as mg
from benchmarks.llm.ladder import JUDGED, LISTED, SAMPLED, games_of_64, listed_errors, moves_game, transformer_of_64, transformer_of_moves
from benchmarks.llm.rungs import FITTED, Groups, Run, Softmax, expected_errors, one_step_errors, play
from mmd_games.llm.bridge import distance_to_tabular

GAME, START = moves_game()
MOVING = SAMPLED["moving magnet, η = 0.4"]


def tabular(steps: int, feedback: mg.Exact | Groups) -> Run:
    """A run of the tables with every policy and magnet."""
    trace = mg.solve(GAME, MOVING, steps=steps, start=START, feedback=feedback, record=mg.Record(gaps=3 * steps, policies=3 * steps))
    in_force = np.searchsorted(trace.stages.iterations, trace.iterations, side="right") - 1
    return Run(trace.log_policies[:, None], trace.stages.log_magnets[in_force][:, None])


def test_rung_1_tables_exactly() -> None:
    run = tabular(120, mg.Exact())
    assert len(run.log_policies) == 121
    assert one_step_errors(GAME, MOVING, run, 0).max() < 1e-14  # the same operations, but for the order of a product


@pytest.mark.parametrize("size", [16, 256])
def test_rung_2_tables_from_groups(size: int) -> None:
    run = tabular(400, Groups(size=size, seed=1))
    found, expected = one_step_errors(GAME, MOVING, run, 0), expected_errors(GAME, MOVING, run, 0, size)
    # The size of a normal number has a standard deviation of .76 of its mean; 400 of them leave 4%, five of these 20%.
    assert found.mean() == pytest.approx(expected.mean(), rel=0.2)
    assert expected.mean() > 1e-4


def test_rung_3_softmax_by_gradient() -> None:
    family = games_of_64()
    policy = Softmax(np.random.default_rng(0).normal(size=(2, 64)))
    run = play(policy, np.stack([game.table() + 0.5 for game in family.games]), LISTED, 80, fitted=1e-18)
    # A standard deviation of 1e-9 in log π at each update; 80 of them, if nothing contracted. The number asked for is 1e-8.
    one_step, trajectory = listed_errors(run, family)
    assert one_step < 1e-9
    assert trajectory < 1e-8


def test_rung_4_transformer_listed() -> None:
    family = games_of_64()
    run = play(transformer_of_64(), np.stack([game.table() + 0.5 for game in family.games]), LISTED, 2)
    one_step, trajectory = listed_errors(run, family)
    # FITTED leaves half its root at most where π is flat, and π is within a factor of some ten of that; two updates add.
    assert one_step < 0.005 and np.sqrt(FITTED) / 2 < 0.005
    assert trajectory < 0.01
    moved = [distance_to_tabular(game, LISTED, run.log_policies[[0, 0, 0], prompt])[-1] for prompt, game in enumerate(family.games)]
    assert min(moved) > 0.02  # standing still would not do


def test_rung_4_transformer_listed_with_a_refresh() -> None:
    run = play(transformer_of_moves(START), GAME.preference[None], JUDGED, 12, fitted=1e-9)
    # log π is fitted to 3e-5 where π is spread over a few completions; a refresh is among the updates.
    assert distance_to_tabular(GAME, JUDGED, run.log_policies[:, 0]).max() < 1e-4
    np.testing.assert_array_equal(run.log_magnets[10, 0], run.log_policies[10, 0])
    assert not np.array_equal(run.log_magnets[9, 0], run.log_policies[9, 0])


def test_rung_5_transformer_drawn() -> None:
    run = play(transformer_of_moves(START), GAME.preference[None], MOVING, 60, samples=256, seed=3)
    found, expected = one_step_errors(GAME, MOVING, run, 0), expected_errors(GAME, MOVING, run, 0, 256)
    # As in rung 2: 60 updates leave 10%, four of these 40%. The fit itself, at half the root of FITTED, is a third of the noise at most.
    assert found.mean() == pytest.approx(expected.mean(), rel=0.4)
    assert np.sqrt(FITTED) / 2 < expected.mean()
