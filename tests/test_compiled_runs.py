"""Runs in the compiled loop: stacks against single runs on any number of threads, ends, policies that stop being finite, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.errors import InputError
from mmd_games.loop import random_start
from mmd_games.testing import matrix_games, policies, preference_games

RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = np.array([0.2, 0.3, 0.5])
METHODS = {
    "mpo": mg.MagneticPreferenceOptimization(),
    "mpo, short stages": mg.MagneticPreferenceOptimization(step_size=0.5, magnet_strength=0.5, refresh_every=4),
    "mpo with pu": mg.MagneticPreferenceOptimization(inner="pu"),
    "mmd": mg.MagneticMirrorDescent(),
    "mmd, moving": mg.MagneticMirrorDescent(magnet="moving"),
    "mmd, annealed": mg.MagneticMirrorDescent(magnet="annealed"),
    "nash_md": mg.NashMirrorDescent(),
    "omwu": mg.OptimisticMultiplicativeWeights(),
    "extragradient": mg.Extragradient(),
    "log-linear, annealed": LogLinear(step_size=0.3, magnet_strength=0.1, magnet="refreshed", refresh_every=7, step_size_power=0.5),
}
EVERY_METHOD = pytest.mark.parametrize("algorithm", METHODS.values(), ids=METHODS.keys())


def rows_of(trace: mg.Trace, name: str, at: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The rows of the steps that are wanted."""
    return getattr(trace, name)[np.isin(at, wanted)]


def assert_is_its_own(found: mg.Trace, alone: mg.Trace) -> None:
    """A member's trace against the run of its own, bit for bit; the ends of the others may be recorded too."""
    assert (found.game, found.algorithm, found.stopped, found.steps) == (alone.game, alone.algorithm, alone.stopped, alone.steps)
    assert set(alone.iterations.tolist()) <= set(found.iterations.tolist())
    for name in ("products", "gaps", "average_gaps"):
        np.testing.assert_array_equal(rows_of(found, name, found.iterations, alone.iterations), getattr(alone, name), err_msg=name)
    np.testing.assert_array_equal(rows_of(found, "log_policies", found.policy_iterations, alone.policy_iterations), alone.log_policies)
    for name in ("iterations", "log_magnets", "magnet_strengths", "step_sizes"):
        stages = alone.stages.iterations
        np.testing.assert_array_equal(getattr(found.stages, name)[np.isin(found.stages.iterations, stages)], getattr(alone.stages, name), err_msg=name)


def assert_consistent(trace: mg.Trace) -> None:
    """What a run that was cut short left is a trace: it can be saved, and its last gap is that of its last policy."""
    for name in ("iterations", "policy_iterations"):
        assert np.all(np.diff(getattr(trace, name)) > 0), name
    assert np.all(np.diff(trace.stages.iterations) > 0)
    assert trace.iterations[-1] == trace.policy_iterations[-1] == trace.steps
    assert abs(trace.gap - float(mg.duality_gap(trace.game, trace.policy))) <= 1e-15 * 8 * trace.game.actions  # two products of n terms of at most 1


# --- stacks ---------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """As many threads as numba would say it has; the tests themselves have one."""
    monkeypatch.setattr("numba.get_num_threads", lambda: request.param)
    return request.param


@EVERY_METHOD
@settings(max_examples=10)
@given(data=st.data())
def test_a_stack_is_its_single_runs(algorithm: Any, data: st.DataObject) -> None:
    same_shape = data.draw(st.sampled_from([preference_games(4, 4), matrix_games(3, 3)]))
    games = [data.draw(same_shape) for _ in range(3)]
    starts = [None, *(data.draw(policies(game)) for game in games[1:])]
    for found, game, start in zip(mg.solve_many(games, algorithm, starts, steps=60, engine="compiled"), games, starts, strict=True):
        assert_is_its_own(found, mg.solve(game, algorithm, steps=60, start=start, engine="compiled"))


@pytest.mark.parametrize("name", METHODS)
def test_a_stack_on_several_threads(name: str, threads: int) -> None:
    """Five runs, which three threads share unevenly: different games and starts, then one game."""
    games = [mg.games.random(n=7, seed=seed) for seed in range(5)]
    starts = [random_start(game, seed) for seed, game in enumerate(games)]
    for chosen in (games, [games[0]] * 5):
        together = mg.solve_many(chosen, METHODS[name], starts, steps=400, engine="compiled")
        for found, game, start in zip(together, chosen, starts, strict=True):
            assert_is_its_own(found, mg.solve(game, METHODS[name], steps=400, start=start, engine="compiled"))


def test_different_settings_and_ends(threads: int) -> None:
    games = [mg.games.rock_paper_scissors(wins=(0.9 - 0.05 * k, 0.8, 0.9)) for k in range(4)]
    algorithms = [mg.MagneticPreferenceOptimization(step_size=0.4 + 0.1 * k, magnet_strength=0.3 - 0.05 * k, refresh_every=40) for k in range(4)]
    starts = [random_start(game, seed) for seed, game in enumerate(games)]
    wanted: dict[str, Any] = {"steps": 4000, "until": 1e-4, "record": mg.Record(gaps=40, policies=20), "engine": "compiled"}
    together = mg.solve_many(games, algorithms, starts, **wanted)
    single = [mg.solve(game, algorithm, start=start, **wanted) for game, algorithm, start in zip(games, algorithms, starts, strict=True)]
    assert len({trace.steps for trace in single}) == 4
    assert {trace.stopped for trace in single} == {"tolerance"}
    for found, alone in zip(together, single, strict=True):
        assert_is_its_own(found, alone)


@pytest.mark.parametrize("name", ["mpo, short stages", "mmd, moving", "mmd, annealed"])
def test_a_member_that_is_done_at_the_start(name: str, threads: int) -> None:
    """It stands still while the others go on, and is neither a warning nor a refusal to them, whatever its own settings would make of it."""
    equilibrium = np.array([4, 3, 4]) / 11
    starts = [START, equilibrium, START[::-1].copy()]
    numbers = [{"step_size": 0.3, "magnet_strength": 0.5}, {"step_size": 1e200, "magnet_strength": 1e200}, {"step_size": 0.3, "magnet_strength": 0.5}]
    algorithms = [type(METHODS[name])(**{**vars(METHODS[name]), **own}) for own in numbers]
    traces = mg.solve_many(RPS, algorithms, starts, steps=3000, until=1e-12, engine="compiled", record=mg.Record(gaps=30, policies=10))
    assert (traces[1].steps, traces[1].stopped, len(traces[1].gaps)) == (0, "tolerance", 1)
    for index in (0, 2):
        alone = mg.solve(RPS, algorithms[index], start=starts[index], steps=3000, until=1e-12, engine="compiled", record=mg.Record(gaps=30, policies=10))
        assert alone.steps > 500
        assert_is_its_own(traces[index], alone)


class Unwritten:
    """NumPy whose empty arrays hold infinities, which rows that nobody has written would pass on."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = np.float64) -> np.ndarray:
        return np.full(shape, np.inf if dtype is np.float64 else 0, dtype=dtype)


@pytest.mark.parametrize("name", ["mpo", "mmd, moving", "mmd, annealed"])
def test_no_row_is_read_that_was_not_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a member that stops in the midst of a visit, and stands still in the next ones; a warning would be an error here."""
    monkeypatch.setattr(sys.modules["mmd_games.loop.compiled_run"], "np", Unwritten())
    games = [RPS, mg.games.rock_paper_scissors(wins=(0.6, 0.6, 0.7))]
    traces = mg.solve_many(games, METHODS[name], START, steps=3000, until=2e-2, record=mg.Record(gaps=30, policies=10), engine="compiled")
    assert 0 < min(trace.steps for trace in traces) < max(trace.steps for trace in traces)
    assert all(np.isfinite(trace.gaps).all() and np.isfinite(trace.stages.log_magnets).all() for trace in traces)


@pytest.mark.parametrize("until", [None, 1e-3])
def test_progress_is_told_as_by_the_array_loop(until: float | None) -> None:
    told: dict[str, list[tuple[int, int, float]]] = {"array": [], "compiled": []}
    for engine, words in told.items():
        record = mg.Record(gaps=40, policies=20)
        trace = mg.solve(RPS, steps=900, until=until, start=START, engine=engine, record=record, progress=lambda *heard, words=words: words.append(heard))
        assert words[-1] == (trace.steps, trace.steps, trace.gap)
    assert [word[:2] for word in told["array"]] == [word[:2] for word in told["compiled"]]
    np.testing.assert_allclose([word[2] for word in told["compiled"]], [word[2] for word in told["array"]], rtol=0, atol=1e-12)  # a contracting run


@EVERY_METHOD
@settings(max_examples=20)
@given(leave=st.integers(1, 120), gaps=st.integers(4, 60), two_players=st.booleans())
def test_a_run_that_is_handed_over(algorithm: Any, leave: int, gaps: int, two_players: bool) -> None:
    """From the array loop, at whichever step, with what has been recorded up to there."""
    game = mg.games.matching_pennies() if two_players else RPS
    wanted: dict[str, Any] = {"steps": 130, "start": random_start(game, 1), "record": mg.Record(gaps=gaps, policies=4)}
    expected = mg.solve(game, algorithm, engine="array", **wanted)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys.modules["mmd_games.loop.solve"], "arrays_until", lambda *rest: leave)
        found = mg.solve(game, algorithm, **wanted)
    for name in ("iterations", "products", "policy_iterations"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.testing.assert_array_equal(found.stages.iterations, expected.stages.iterations)
    # 130 steps of log-policies below 10, each within some units of 1e-15, which these games amplify by less than 1.02 a step.
    for name in ("gaps", "average_gaps", "log_policies"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-11, err_msg=name)
    np.testing.assert_allclose(found.stages.log_magnets, expected.stages.log_magnets, rtol=0, atol=1e-11)


def test_a_stack_that_is_handed_over_when_some_members_have_ended(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    games = [mg.games.rock_paper_scissors(wins=(0.9 - 0.05 * k, 0.8, 0.9)) for k in range(5)]
    starts = [random_start(game, seed) for seed, game in enumerate(games)]
    starts[2] = np.array([1e-3, 0.5, 0.499])
    wanted: dict[str, Any] = {"steps": 4000, "until": 1e-2, "record": mg.Record(gaps=40, policies=20)}
    expected = mg.solve_many(games, METHODS["mpo"], starts, engine="array", **wanted)
    ends = sorted(trace.steps for trace in expected)
    monkeypatch.setattr(sys.modules["mmd_games.loop.solve"], "arrays_until", lambda *rest: (ends[1] + ends[2]) // 2)
    for found, alone in zip(mg.solve_many(games, METHODS["mpo"], starts, **wanted), expected, strict=True):
        assert (found.steps, found.stopped) == (alone.steps, "tolerance")
        np.testing.assert_array_equal(found.iterations, alone.iterations)
        np.testing.assert_allclose(found.gaps, alone.gaps, rtol=0, atol=1e-11)  # contracting runs


# --- policies that stop being finite --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "step"),
    [
        (mg.MagneticMirrorDescent(step_size=1e308, magnet_strength=1e308), 1),
        (mg.MagneticPreferenceOptimization(step_size=1e200, magnet_strength=1e200), 1),
        (mg.MagneticMirrorDescent(step_size=1e200, magnet_strength=1e200, magnet="moving"), 1),
        (LogLinear(step_size=1e200, magnet_strength=1e200, magnet="refreshed", refresh_every=1), 1),
        (mg.MultiplicativeWeights(step_size=1e308), None),
    ],
)
@pytest.mark.parametrize("until", [None, 1e-9])
def test_a_policy_that_stops_being_finite_is_the_same_sentence(algorithm: Any, step: int | None, until: float | None) -> None:
    game = RPS if step else mg.MatrixGame([[1000.0, 0.0], [0.0, 1000.0]], name="pennies")
    sentences = []
    for engine in ("array", "compiled"):
        with pytest.raises(InputError) as refusal:
            mg.solve(game, algorithm, start=random_start(game, 1), steps=200, until=until, engine=engine)
        sentences.append(str(refusal.value))
    assert sentences[0] == sentences[1]
    filled = algorithm.with_defaults(0.4) if hasattr(algorithm, "with_defaults") else algorithm
    assert f"{mg.algorithms.to_spec(filled)} on {game.name}: the policy stopped being finite by step {step or ''}" in sentences[1]


def test_overflow_in_a_stack_names_the_run(threads: int) -> None:
    game = mg.MatrixGame([[1000.0, 0.0], [0.0, 1000.0]])
    algorithms = [mg.MultiplicativeWeights(step_size=step) for step in (1e-3, 1e-3, 1e307)]
    with pytest.raises(InputError, match=r"^mwu:step_size=1e\+307 on a matrix game: the policy stopped being finite"):
        mg.solve_many(game, algorithms, np.array([0.2, 0.8, 0.3, 0.7]), steps=20, engine="compiled")


# --- Ctrl-C ---------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def _listening() -> Iterator[None]:
    """Ctrl-C as in a terminal, also where the tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pressing(at: int) -> Callable[[int, int, float], None]:
    """Progress that presses Ctrl-C once, at a step or soon after it."""
    left = [at]

    def press(step: int, steps: int, gap: float) -> None:
        if left and step >= left[0]:
            left.clear()
            os.kill(os.getpid(), signal.SIGINT)

    return press


@pytest.mark.usefixtures("_listening")
@EVERY_METHOD
@pytest.mark.parametrize("at", [0, 501, 3000])
def test_ctrl_c_returns_the_trace_so_far(algorithm: Any, at: int) -> None:
    before = signal.getsignal(signal.SIGINT)
    trace = mg.solve(RPS, algorithm, steps=10**9, start=START, engine="compiled", progress=pressing(at))
    assert trace.stopped == "interrupted"
    assert at <= trace.steps < 10**6
    assert_consistent(trace)
    np.testing.assert_array_equal(trace.log_policy, mg.solve(RPS, algorithm, steps=trace.steps, start=START, engine="compiled").log_policy)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("_listening")
@pytest.mark.parametrize("name", ["mpo", "mmd, annealed"])
def test_ctrl_c_in_a_stack_returns_the_traces_so_far(name: str, threads: int) -> None:
    games = [RPS, mg.games.rock_paper_scissors(), mg.games.comal(), mg.games.cycle(5)]
    starts = [random_start(game, seed) for seed, game in enumerate(games)]
    traces = mg.solve_many(games, METHODS[name], starts, steps=10**9, engine="compiled", progress=pressing(1000))
    assert {trace.stopped for trace in traces} == {"interrupted"}
    assert len({trace.steps for trace in traces[:3]}) == 1 and traces[0].steps >= 1000
    assert traces[3].steps == 0  # of another shape, and begun after the flag was up
    for trace in traces:
        assert_consistent(trace)


@pytest.mark.usefixtures("_listening")
def test_ctrl_c_in_the_midst_of_the_loop() -> None:
    """From another thread, whenever that is; a single visit to the loop is short."""
    timer = threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT))
    trace = mg.solve(mg.games.random(n=60, seed=1), steps=10**9, engine="compiled", progress=lambda step, steps, gap: timer.start() if step == 0 else None)
    assert trace.stopped == "interrupted" and 0 < trace.steps < 10**9
    assert_consistent(trace)


def test_all_runs_share_one_compiled_loop() -> None:
    """Compiling takes seconds, so one game, a stack, two players and moving magnets must not each wait for it."""
    from mmd_games.compiled.advance import advance

    by_columns = mg.MatrixGame(np.asfortranarray([[0.1, 0.7, -0.2], [0.3, -0.9, 0.4]]))
    assert not by_columns.payoff_matrix.flags.c_contiguous
    for algorithm in METHODS.values():
        mg.solve(RPS, algorithm, steps=20, engine="compiled")
        mg.solve_many([RPS, mg.games.comal()], algorithm, steps=20, engine="compiled")
        mg.solve(mg.games.matching_pennies(), algorithm, steps=20, until=1e-9, engine="compiled")
        mg.solve(by_columns, algorithm, steps=20, engine="compiled")
    assert len(advance.signatures) == 1
