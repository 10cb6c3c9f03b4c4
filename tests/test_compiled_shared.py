"""Many runs on one large game in the compiled loop, one product of matrices a step: the same traces as run by run on arrays."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.loop import compiled_games, random_start
from mmd_games.loop.stack import Stack
from mmd_games.testing import games_and_policies, preference_games
from tests.test_compiled import ALL, METHODS, accumulated, amplified, assert_equivalent, members_of_the_family
from tests.test_compiled_runs import Unwritten

ONE_PLACE = [
    name
    for name, method in METHODS.items()
    if compiled_games.has_one_place(Stack([mg.games.cycle(3)], [method.with_defaults(1.0) if hasattr(method, "with_defaults") else method], [np.zeros(3)]))
]
"""The methods whose steps take their payoffs where they start."""


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small games are played like large ones."""
    monkeypatch.setattr(compiled_games, "SHARED", 3)


def assert_taken(game: mg.Game, algorithms: Any) -> None:
    """That the runs are those of the shared loop."""
    rules = [algorithm.with_defaults(float(game.scale)) if hasattr(algorithm, "with_defaults") else algorithm for algorithm in algorithms]
    runs = Stack([game] * len(rules), rules, [np.full(game.actions, -np.log(game.actions))] * len(rules))
    assert isinstance(compiled_games.compiled_game(runs), compiled_games.CompiledShared)


def both(game: mg.Game, algorithms: Any, starts: Any, **settings: Any) -> list[tuple[mg.Trace, mg.Trace]]:
    """Each run of the stack, and the one of its own on arrays."""
    assert_taken(game, algorithms)
    together = mg.solve_many(game, algorithms, starts, engine="compiled", **settings)
    alone = [mg.solve(game, algorithm, start=start, engine="array", **settings) for algorithm, start in zip(algorithms, starts, strict=True)]
    return list(zip(together, alone, strict=True))


def test_most_methods_take_their_payoffs_in_one_place() -> None:
    assert {"mpo", "mmd", "mmd, moving", "mmd, annealed", "mwu", "omwu", "log-linear"} <= set(ONE_PLACE)
    assert not {"pu", "nash_md", "extragradient", "mpo with pu"} & set(ONE_PLACE)
    for name in ("pu", "nash_md", "extragradient"):  # these go on one by one
        game = mg.games.random(n=5)
        runs = Stack([game] * 2, [METHODS[name].with_defaults(float(game.scale))] * 2, [np.full(5, -np.log(5))] * 2)
        assert isinstance(compiled_games.compiled_game(runs), compiled_games.CompiledTable)


@settings(max_examples=200)
@given(algorithm=members_of_the_family(), pair=games_and_policies(preference_games(3, 8), interior=False), steps=st.integers(1, 12), slower=st.floats(0.1, 1.0))
def test_every_member_of_the_family(algorithm: LogLinear, pair: tuple[mg.Game, np.ndarray], steps: int, slower: float) -> None:
    """Two runs of different settings and starts; some actions tied, some never played."""
    game, start = pair
    assume(game.scale < 2 and algorithm.evaluation != "half_step" and not (algorithm.evaluation == "mixture" and algorithm.explicit))
    numbers = {name: slower * getattr(algorithm, name) for name in ("step_size", "magnet_strength", "magnet_rate")}
    other = dataclasses.replace(algorithm, **numbers)
    for found, expected in both(game, [algorithm, other], [start, random_start(game, 1)], steps=steps, record=ALL):
        assert_equivalent(found, expected, amplified(expected))


@pytest.mark.parametrize("name", ONE_PLACE)
@pytest.mark.parametrize("record", [mg.Record(), mg.Record(gaps=7, policies=4), mg.Record(gaps=300, policies=300)])
def test_long_runs_and_any_record(name: str, record: mg.Record) -> None:
    game = mg.games.random(n=9, seed=4)
    for found, expected in both(game, [METHODS[name]] * 3, [random_start(game, seed) for seed in range(3)], steps=300, record=record):
        assert_equivalent(found, expected, accumulated(expected))


@pytest.mark.parametrize("name", ["mpo", "mmd, moving", "mmd, annealed", "omwu"])
@pytest.mark.parametrize("visit", [1.0, 3e8])
def test_the_visits_make_no_difference(name: str, visit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether every step is a visit or all are one: payoffs of the row at the end of one are those of the first step of the next, bit for bit."""
    game, starts = mg.games.random(n=12, seed=4), [random_start(mg.games.random(n=12), seed) for seed in range(3)]
    wanted: dict[str, Any] = {"steps": 60, "record": mg.Record(gaps=20, policies=20), "engine": "compiled"}
    expected = mg.solve_many(game, METHODS[name], starts, **wanted)
    monkeypatch.setattr("mmd_games.loop.compiled_run.VISIT", visit)
    for found, same in zip(mg.solve_many(game, METHODS[name], starts, **wanted), expected, strict=True):
        for column in ("gaps", "average_gaps", "log_policies"):
            np.testing.assert_array_equal(getattr(found, column), getattr(same, column), err_msg=column)


@pytest.mark.parametrize("name", ["mpo", "mmd, moving", "mmd, annealed"])
@pytest.mark.parametrize("visit", [1.0, 3e8])
def test_each_run_stops_where_it_would_alone(name: str, visit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them at the start, others within a visit and between two; the last one ends the stack."""
    monkeypatch.setattr("mmd_games.loop.compiled_run.VISIT", visit)
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    starts = [np.array([0.2, 0.3, 0.5]), np.array([4, 3, 4]) / 11, np.array([0.36, 0.28, 0.36]), np.array([0.05, 0.05, 0.9])]
    ends = []
    for found, expected in both(game, [METHODS[name]] * 4, starts, steps=2000, until=3e-2, record=mg.Record(gaps=60, policies=20)):
        assert (found.steps, found.stopped) == (expected.steps, expected.stopped)
        own = np.isin(found.iterations, expected.iterations)  # the ends of the others may be recorded too
        np.testing.assert_allclose(found.gaps[own], expected.gaps, rtol=0, atol=1e-11)  # contracting runs
        np.testing.assert_allclose(found.log_policy, expected.log_policy, rtol=0, atol=accumulated(expected))
        ends.append(found.steps)
    assert ends[1] == 0
    assert len(set(ends)) >= 3


@pytest.mark.parametrize("name", ["mpo", "mmd, moving"])
def test_no_row_is_read_that_was_not_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run that stops in the midst of a visit, and stands still in the next ones; a warning would be an error here."""
    monkeypatch.setattr(sys.modules["mmd_games.loop.compiled_run"], "np", Unwritten())
    game, starts = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)), [np.array([0.3, 0.4, 0.3]), np.array([0.05, 0.05, 0.9])]
    traces = mg.solve_many(game, METHODS[name], starts, steps=3000, until=3e-2, record=mg.Record(gaps=30, policies=10), engine="compiled")
    assert 0 < min(trace.steps for trace in traces) < max(trace.steps for trace in traces)
    assert all(np.isfinite(trace.gaps).all() and np.isfinite(trace.stages.log_magnets).all() for trace in traces)


def test_runs_that_were_begun_on_arrays_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    game, algorithms = mg.games.random(n=6, seed=2), [mg.MagneticPreferenceOptimization(magnet_strength=strength) for strength in (0.2, 0.3, 0.6)]
    wanted: dict[str, Any] = {"steps": 2000, "until": 1e-3, "record": mg.Record(gaps=40, policies=20)}
    expected = mg.solve_many(game, algorithms, engine="array", **wanted)
    monkeypatch.setattr(sys.modules["mmd_games.loop.solve"], "arrays_until", lambda *rest: 37)
    for found, alone in zip(mg.solve_many(game, algorithms, **wanted), expected, strict=True):
        assert (found.steps, found.stopped) == (alone.steps, alone.stopped)
        np.testing.assert_array_equal(found.iterations, alone.iterations)
        np.testing.assert_allclose(found.gaps, alone.gaps, rtol=0, atol=1e-11)  # contracting runs


@pytest.mark.parametrize(("name", "compiled"), [("mpo", True), ("omwu", True), ("extragradient", False), ("nash_md", False)])
def test_which_grids_are_compiled(name: str, compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of steps enough whose payoffs are had by one product; the others are a product of matrices on arrays."""
    taken = []
    module = sys.modules["mmd_games.loop.solve"]
    monkeypatch.setattr(module, "run_arrays", lambda runs, *rest: taken.append("array") or [None] * len(runs))
    monkeypatch.setattr(module, "run_compiled", lambda runs, *rest: taken.append("compiled") or [None] * len(runs))
    mg.solve_many(mg.games.random(n=5), METHODS[name], [None] * 2, steps=10_000)
    mg.solve_many(mg.games.random(n=5), METHODS[name], [None] * 2, steps=9_999)
    assert taken == ["compiled" if compiled else "array", "array"]


def test_a_policy_that_stops_being_finite_is_named() -> None:
    algorithms = [mg.MagneticMirrorDescent(step_size=size, magnet_strength=size) for size in (0.1, 1e308, 0.2)]
    assert_taken(mg.games.random(n=5), algorithms)
    with pytest.raises(mg.InputError, match=r"step_size=1e\+308.*the policy stopped being finite by step 1;"):
        mg.solve_many(mg.games.random(n=5), algorithms, steps=20, engine="compiled")
