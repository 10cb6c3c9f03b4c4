"""The loop: what it records, when it stops, stacks against single runs, users' own algorithms, Ctrl-C, and usage that is refused."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.arrays import log_normalise
from mmd_games.errors import InputError
from mmd_games.loop import DEFAULT_STEPS, default_start, random_start, start_from_spec
from mmd_games.loop.feedback import Payoffs
from mmd_games.loop.progress import interruptible
from mmd_games.testing import games_and_policies, matrix_games, policies, preference_games

EPS = np.finfo(np.float64).eps
RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = np.array([0.2, 0.3, 0.5])
ALL = mg.Record(gaps=1000, policies=1000)
"""Every step of a run of up to 500 steps."""
METHODS = {
    "mpo": mg.MagneticPreferenceOptimization(),
    "mpo, short stages": mg.MagneticPreferenceOptimization(step_size=0.5, magnet_strength=0.5, refresh_every=4),
    "mpo with pu": mg.MagneticPreferenceOptimization(inner="pu"),
    "mmd": mg.MagneticMirrorDescent(),
    "mmd, moving": mg.MagneticMirrorDescent(magnet="moving"),
    "mmd, annealed": mg.MagneticMirrorDescent(magnet="annealed"),
    "pu": mg.PolicyUpdate(reference="uniform"),
    "nash_md": mg.NashMirrorDescent(),
    "mwu": mg.MultiplicativeWeights(),
    "omwu": mg.OptimisticMultiplicativeWeights(),
    "extragradient": mg.Extragradient(),
    "log-linear": LogLinear(step_size=0.3, magnet_strength=0.1, magnet="refreshed", refresh_every=7, evaluation="extrapolated"),
}
EVERY_METHOD = pytest.mark.parametrize("algorithm", METHODS.values(), ids=METHODS.keys())
DOUBLE = {"mpo with pu", "pu", "extragradient"}


def gap_error(game: mg.Game) -> float:
    """Rounding of a gap: two inner products of n terms of at most max|A|."""
    return 8 * game.actions * EPS * float(np.max(np.abs(game.payoff_matrix)))


def assert_same(found: mg.Trace, expected: mg.Trace) -> None:
    """Equal bit for bit."""
    for name in ("iterations", "products", "gaps", "average_gaps", "policy_iterations", "log_policies"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    for name in ("iterations", "log_magnets", "magnet_strengths", "step_sizes"):
        np.testing.assert_array_equal(getattr(found.stages, name), getattr(expected.stages, name), err_msg=name)
    assert (found.algorithm, found.feedback, found.stopped, found.stages.steady) == (
        expected.algorithm,
        expected.feedback,
        expected.stopped,
        expected.stages.steady,
    )


# --- what is recorded -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
@given(pair=st.one_of(games_and_policies(preference_games(max_actions=5)), games_and_policies(matrix_games(max_actions=4))), steps=st.integers(1, 40))
def test_a_short_run_recorded_whole(name: str, pair: tuple[mg.Game, np.ndarray], steps: int) -> None:
    game, start = pair
    trace = mg.solve(game, METHODS[name], steps=steps, start=start, record=ALL)
    every = np.arange(steps + 1)
    np.testing.assert_array_equal(trace.iterations, every)
    np.testing.assert_array_equal(trace.policy_iterations, every)
    np.testing.assert_array_equal(trace.products, every * (2 if name in DOUBLE else 1))
    played = np.exp(trace.log_policies)
    np.testing.assert_allclose(trace.gaps, mg.duality_gap(game, played), rtol=0, atol=gap_error(game))
    averages = np.array([[math.fsum(column) / (step + 1) for column in played[: step + 1].T] for step in every])
    # Sums of up to 41 terms of at most 1, over their number.
    np.testing.assert_allclose(
        trace.average_gaps, mg.duality_gap(game, averages), rtol=0, atol=3 * gap_error(game) + 41 * 4 * EPS * float(np.max(np.abs(game.payoff_matrix)))
    )
    # By the protocol alone.
    payoffs, state = Payoffs(game, mg.Exact()), trace.algorithm.init(trace.log_policies[0])
    for step in range(steps):
        state = trace.algorithm.step(state, payoffs)
        np.testing.assert_array_equal(trace.log_policies[step + 1], state.log_policy)
    assert payoffs.products == trace.products[-1]
    np.testing.assert_allclose(played[0], start, rtol=0, atol=10 * EPS)
    np.testing.assert_array_equal(trace.policy, played[-1])
    np.testing.assert_array_equal(trace.log_policy, trace.log_policies[-1])
    assert (trace.steps, trace.gap, trace.stopped, trace.game) == (steps, trace.gaps[-1], "budget", game)


@pytest.mark.parametrize("record", [mg.Record(gaps=40, policies=10), mg.Record(gaps=300, policies=300), mg.Record(), mg.Record(gaps=4, policies=4)])
@pytest.mark.parametrize("steps", [1, 39, 41, 1000, 7777])
@pytest.mark.parametrize("name", ["mpo, short stages", "mmd, annealed", "omwu"])
def test_a_long_run_is_thinned(record: mg.Record, steps: int, name: str) -> None:
    trace = mg.solve(RPS, METHODS[name], steps=steps, start=START, record=record)
    assert trace.iterations[0] == trace.policy_iterations[0] == 0
    assert trace.iterations[-1] == trace.policy_iterations[-1] == steps
    assert np.all(np.diff(trace.iterations) > 0)
    assert np.all(np.diff(trace.policy_iterations) > 0)
    assert set(trace.policy_iterations) <= set(trace.iterations)
    # Half a grid each, both ends and the last step; those of kept policies; and refreshes, thinned alike.
    refreshes = record.gaps if name == "mpo, short stages" else 0
    assert len(trace.iterations) <= record.gaps + record.policies + refreshes + 4
    assert len(trace.policy_iterations) <= record.policies + 4
    assert len(trace.iterations) >= min(steps, record.gaps // 4)
    assert len(trace.policy_iterations) >= min(steps, record.policies // 4)
    # Recorded evenly and on a logarithmic scale: no stretch between two records is long by either measure.
    stretches = np.diff(trace.iterations)
    assert np.all((stretches <= 4 * steps / record.gaps + 1) | (trace.iterations[1:] <= 2))
    where = np.searchsorted(trace.iterations, trace.policy_iterations)
    np.testing.assert_allclose(trace.gaps[where], mg.duality_gap(RPS, np.exp(trace.log_policies)), rtol=0, atol=gap_error(RPS))
    np.testing.assert_array_equal(trace.products, trace.iterations)
    if name == "mpo, short stages":
        np.testing.assert_array_equal(trace.stages.iterations, np.arange(0, steps + 1, 4))
    elif name == "mmd, annealed":
        np.testing.assert_array_equal(trace.stages.iterations, trace.policy_iterations)  # samples at the recorded policies
        np.testing.assert_allclose(trace.stages.step_sizes, trace.algorithm.step_size / np.sqrt(1 + trace.policy_iterations), rtol=4 * EPS)
        np.testing.assert_allclose(trace.stages.magnet_strengths, trace.algorithm.magnet_strength / np.sqrt(1 + trace.policy_iterations), rtol=4 * EPS)
        assert not trace.stages.steady
    else:
        assert trace.stages.iterations.tolist() == [0]
        assert trace.stages.magnet_strengths.tolist() == [0.0]


def test_what_is_recorded_does_not_change_the_run() -> None:
    for algorithm in METHODS.values():
        fine, coarse = (mg.solve(RPS, algorithm, steps=300, start=START, record=record) for record in (ALL, mg.Record(gaps=4, policies=4)))
        np.testing.assert_array_equal(coarse.gaps, fine.gaps[coarse.iterations])
        np.testing.assert_array_equal(coarse.average_gaps, fine.average_gaps[coarse.iterations])
        np.testing.assert_array_equal(coarse.log_policies, fine.log_policies[coarse.policy_iterations])
        np.testing.assert_array_equal(coarse.products, fine.products[coarse.iterations])


def test_stages_hold_the_magnets_in_force() -> None:
    trace = mg.solve(RPS, METHODS["mpo, short stages"], steps=30, start=START, record=ALL)
    assert trace.stages.iterations.tolist() == [0, 4, 8, 12, 16, 20, 24, 28]
    # Normalised once more, in which a log-policy may lose a bit.
    np.testing.assert_allclose(trace.stages.log_magnets, trace.log_policies[trace.stages.iterations], rtol=0, atol=8 * EPS)
    assert trace.stages.step_sizes.tolist() == trace.stages.magnet_strengths.tolist() == [0.5] * 8
    assert trace.stages.steady
    fixed = mg.solve(RPS, mg.MagneticMirrorDescent(reference="uniform"), steps=9, start=START).stages
    np.testing.assert_allclose(np.exp(fixed.log_magnets), [[1 / 3] * 3], rtol=4 * EPS)
    assert len(fixed) == 1
    moving = mg.solve(RPS, mg.MagneticMirrorDescent(magnet="moving", magnet_rate=1.0), steps=9, start=START, record=ALL)
    np.testing.assert_allclose(moving.stages.log_magnets, moving.log_policies, rtol=0, atol=8 * EPS)


def test_refreshes_are_recorded_even_between_the_grids() -> None:
    algorithm = mg.MagneticPreferenceOptimization(refresh_every=1009)
    trace = mg.solve(RPS, algorithm, steps=10_000, start=START, record=mg.Record(gaps=20, policies=20))
    assert set(range(1009, 10_000, 1009)) <= set(trace.iterations.tolist())


@EVERY_METHOD
def test_one_thread_one_call_the_same_bits(algorithm: Any) -> None:
    game = mg.games.random(n=12, seed=3)
    assert_same(mg.solve(game, algorithm, steps=300), mg.solve(game, algorithm, steps=300))


def test_defaults() -> None:
    trace = mg.solve(RPS, until=1e-10)
    assert trace.algorithm == mg.MagneticPreferenceOptimization().with_defaults(0.4)
    assert trace.steps < DEFAULT_STEPS
    np.testing.assert_allclose(np.exp(trace.log_policies[0]), [1 / 3] * 3, rtol=4 * EPS)
    # Within gap/(smallest gap at distance one) of (4, 3, 4)/11; its inverse is below 10 here.
    np.testing.assert_allclose(trace.policy, np.array([4, 3, 4]) / 11, rtol=0, atol=1e-9)
    assert (trace.feedback, trace.stopped) == ("Exact()", "tolerance")


# --- until ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["array", "compiled"])
@pytest.mark.parametrize("until", [0.2, 1e-2, 1e-5, 1e-9])
def test_a_run_ends_at_the_first_recorded_step_that_is_good_enough(until: float, engine: Any) -> None:
    algorithm = mg.MagneticPreferenceOptimization(step_size=0.5, magnet_strength=0.2, refresh_every=40)
    ended = mg.solve(RPS, algorithm, until=until, start=START, engine=engine)
    assert (ended.gap <= until, ended.stopped) == (True, "tolerance")
    assert np.all(ended.gaps[:-1][np.isin(ended.iterations[:-1], ended.policy_iterations)] > until)
    assert ended.steps == ended.iterations[-1] == ended.policy_iterations[-1]
    if ended.steps <= 500:  # all steps are recorded up to there
        whole = mg.solve(RPS, algorithm, steps=500, start=START, record=ALL, engine=engine)
        assert ended.steps == np.flatnonzero(whole.gaps <= until)[0]
        np.testing.assert_array_equal(ended.log_policy, whole.log_policies[ended.steps])


def test_a_start_that_is_good_enough_is_the_end() -> None:
    trace = mg.solve(RPS, until=1.0, start=START)
    assert (trace.steps, trace.stopped, len(trace.log_policies), trace.products.tolist()) == (0, "tolerance", 1, [0])
    assert mg.solve(RPS, until=1e-300, steps=5, start=START).stopped == "budget"


# --- many runs at once ------------------------------------------------------------------------------------------------------------------------


def assert_close(found: mg.Trace, expected: mg.Trace, error: float) -> None:
    assert (found.steps, found.stopped, found.algorithm, found.game, found.feedback) == (
        expected.steps,
        expected.stopped,
        expected.algorithm,
        expected.game,
        expected.feedback,
    )
    for name in ("gaps", "average_gaps", "products"):
        rows = [dict(zip(trace.iterations.tolist(), getattr(trace, name), strict=True)) for trace in (found, expected)]
        common = sorted(rows[0].keys() & rows[1].keys())
        assert {0, expected.steps} <= set(common)
        np.testing.assert_allclose([rows[0][step] for step in common], [rows[1][step] for step in common], rtol=0, atol=error, err_msg=name)
    np.testing.assert_allclose(found.log_policy, expected.log_policy, rtol=0, atol=error)
    np.testing.assert_array_equal(found.policy_iterations[[0, -1]], expected.policy_iterations[[0, -1]])
    for name in ("iterations", "log_magnets", "magnet_strengths", "step_sizes"):
        if expected.stages.steady:
            np.testing.assert_allclose(getattr(found.stages, name), getattr(expected.stages, name), rtol=0, atol=error)
    assert found.stages.steady == expected.stages.steady


@EVERY_METHOD
@given(data=st.data())
def test_a_stack_is_its_single_runs(algorithm: Any, data: st.DataObject) -> None:
    same_shape = data.draw(st.sampled_from([preference_games(4, 4), matrix_games(3, 3)]))
    games = [data.draw(same_shape) for _ in range(3)]
    starts = [None, *(data.draw(policies(game, interior=False)) for game in games[1:])]
    together = mg.solve_many(games, algorithm, starts, steps=20)
    for found, game, start in zip(together, games, starts, strict=True):
        # Twenty steps at most, each multiplying a rounding by 1 + 3ηL; the largest step of the defaults is 1.4/L, with half steps.
        rule = found.algorithm if isinstance(found.algorithm, LogLinear) else found.algorithm.log_linear
        growth = min((1 + 3 * rule.step_size * float(game.scale)) ** (20 * rule.products_per_step), 1e7)
        largest = 1 + rule.step_size * float(np.max(np.abs(game.payoff_matrix))) * 60
        assert_close(found, mg.solve(game, algorithm, steps=20, start=start), growth * 100 * EPS * (largest + float(np.max(np.abs(game.payoff_matrix)))))


def test_a_stack_of_mixed_settings_and_ends() -> None:
    games = [mg.games.rock_paper_scissors(wins=(0.9 - 0.05 * k, 0.8, 0.9)) for k in range(4)]
    algorithms = [mg.MagneticPreferenceOptimization(step_size=0.4 + 0.1 * k, magnet_strength=0.3 - 0.05 * k, refresh_every=40) for k in range(4)]
    starts = [random_start(game, seed) for seed, game in enumerate(games)]
    together = mg.solve_many(games, algorithms, starts, steps=4000, until=1e-4)
    single = [mg.solve(game, algorithm, steps=4000, until=1e-4, start=start) for game, algorithm, start in zip(games, algorithms, starts, strict=True)]
    assert len({trace.steps for trace in single}) == 4
    assert {trace.stopped for trace in single} == {"tolerance"}
    for found, expected in zip(together, single, strict=True):
        assert_close(found, expected, 1e-11)  # contracting runs: 4,000 steps of 1e-15, not amplified


def test_a_stack_has_the_records_of_its_single_runs() -> None:
    starts = [random_start(RPS, seed) for seed in range(3)]
    for algorithm in METHODS.values():
        for found, start in zip(mg.solve_many(RPS, algorithm, starts, steps=1200), starts, strict=True):
            expected = mg.solve(RPS, algorithm, steps=1200, start=start)
            np.testing.assert_array_equal(found.iterations, expected.iterations)
            np.testing.assert_array_equal(found.policy_iterations, expected.policy_iterations)
            np.testing.assert_array_equal(found.products, expected.products)
            np.testing.assert_array_equal(found.stages.iterations, expected.stages.iterations)


def test_all_kinds_of_runs_in_one_call() -> None:
    runs = [(RPS, algorithm) for algorithm in METHODS.values()] + [(mg.games.matching_pennies(), algorithm) for algorithm in METHODS.values()] + [(RPS, Own())]
    found = mg.solve_many([game for game, _ in runs], [algorithm for _, algorithm in runs], steps=15)
    for trace, (game, algorithm) in zip(found, runs, strict=True):
        assert_same(trace, mg.solve(game, algorithm, steps=15))  # no two of them are of one kind
    assert mg.solve_many([], steps=3) == []
    assert [trace.game for trace in mg.solve_many((RPS,), None, None, steps=3)] == [RPS]


def test_what_is_given_once_serves_all_runs() -> None:
    games = [mg.games.random(n=5, seed=seed) for seed in range(3)]
    start = np.full(5, 0.2)
    for found, game in zip(mg.solve_many(games, starts=start, steps=50), games, strict=True):
        assert_close(found, mg.solve(game, start=start, steps=50), 1e-12)
    with pytest.raises(InputError, match=r"as many as each other, or one; got \[2, 3\]"):
        mg.solve_many(games, [None, None])


# --- a user's own algorithm -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Own:
    """Multiplicative weights, as a user would write it."""

    pace: float = 0.3

    def init(self, log_policy: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(log_policy=log_policy.copy())

    def step(self, state: SimpleNamespace, payoffs: Any) -> SimpleNamespace:
        return SimpleNamespace(log_policy=log_normalise(state.log_policy + self.pace * payoffs(state.log_policy), payoffs.blocks))


class InPlace(Own):
    """The same, writing into its own array."""

    def step(self, state: SimpleNamespace, payoffs: Any) -> SimpleNamespace:
        state.log_policy += self.pace * payoffs(state.log_policy)
        state.log_policy -= np.log(np.sum(np.exp(state.log_policy)))
        return state


class InPlaceHalfSteps(Own):
    """Extragradient, writing into its own array between its two products."""

    def step(self, state: SimpleNamespace, payoffs: Any) -> SimpleNamespace:
        before = state.log_policy.copy()
        for _ in range(2):
            state.log_policy[:] = log_normalise(before + self.pace * payoffs(state.log_policy), payoffs.blocks)
        return state


class WithDefaults(Own):
    def with_defaults(self, scale: float) -> WithDefaults:
        return WithDefaults(0.3 * scale / 0.4)


class Subclass(mg.MultiplicativeWeights):
    """A known method that steps twice."""

    def step(self, state: Any, payoffs: Any) -> Any:
        return super().step(super().step(state, payoffs), payoffs)


@pytest.mark.parametrize(
    ("own", "known"),
    [
        (Own(), mg.MultiplicativeWeights(step_size=0.3)),
        (InPlace(), mg.MultiplicativeWeights(step_size=0.3)),
        (WithDefaults(99.0), mg.MultiplicativeWeights(step_size=0.3)),
        (InPlaceHalfSteps(), mg.Extragradient(step_size=0.3)),
    ],
)
def test_a_users_own_algorithm(own: Any, known: Any) -> None:
    found, expected = (mg.solve(RPS, algorithm, steps=200, start=START, record=ALL) for algorithm in (own, known))
    for name in ("iterations", "products", "policy_iterations"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in ("gaps", "average_gaps", "log_policies"):  # 200 steps that amplify a rounding by |1 + iηω| < 1.003 each
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=0, atol=1e-12)
    assert len(found.stages) == 0
    many = mg.solve_many([RPS, RPS], own, START, steps=200, record=ALL)
    for trace in many:
        assert_same(trace, found)


def test_a_subclass_that_steps_otherwise_is_its_own() -> None:
    twice = mg.solve(RPS, mg.MultiplicativeWeights(step_size=0.3), steps=100, start=START, record=ALL)
    for trace in [
        mg.solve(RPS, Subclass(step_size=0.3), steps=50, start=START, record=ALL),
        *mg.solve_many([RPS, RPS], Subclass(step_size=0.3), START, steps=50, record=ALL),
    ]:
        np.testing.assert_allclose(trace.log_policies, twice.log_policies[::2], rtol=0, atol=1e-13)
        assert trace.products.tolist() == list(range(0, 101, 2))


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (lambda log_policy: log_policy + 1.0, ["after step 1", "sum to 1", "2.718", "normalised"]),
        (lambda log_policy: log_policy * math.nan, ["stopped being finite by step 1"]),
        (lambda log_policy: np.zeros(5), ["shape (3,)", "(5,)"]),
    ],
)
def test_an_own_algorithm_that_leaves_the_simplex(update: Callable[[np.ndarray], np.ndarray], words: list[str]) -> None:
    class Wrong(Own):
        def step(self, state: SimpleNamespace, payoffs: Any) -> SimpleNamespace:
            return SimpleNamespace(log_policy=update(state.log_policy))

    with pytest.raises(InputError) as refusal:
        mg.solve(RPS, Wrong(), steps=10)
    assert all(word in str(refusal.value) for word in [*words, "Wrong"]), str(refusal.value)


# --- Ctrl-C ---------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    """Ctrl-C as in a terminal, also where the tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Interrupting(Own):
    """Presses Ctrl-C in one of its steps."""

    at: int = 5

    def init(self, log_policy: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(log_policy=log_policy, count=0)

    def step(self, state: SimpleNamespace, payoffs: Any) -> SimpleNamespace:
        if state.count + 1 == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return SimpleNamespace(log_policy=super().step(state, payoffs).log_policy, count=state.count + 1)


@pytest.mark.parametrize("at", [1, 5, 700])
def test_ctrl_c_returns_the_trace_so_far(at: int) -> None:
    before = signal.getsignal(signal.SIGINT)
    trace = mg.solve(RPS, Interrupting(at=at), steps=100_000, start=START)
    assert (trace.steps, trace.stopped, trace.policy_iterations[-1]) == (at, "interrupted", at)
    np.testing.assert_array_equal(trace.log_policy, mg.solve(RPS, Own(), steps=at, start=START).log_policy)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_at_any_moment() -> None:
    timer = threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT))

    def first_word(step: int, steps: int, gap: float) -> None:
        if step == 0:  # from here on the loop is listening
            timer.start()

    trace = mg.solve(RPS, mg.MultiplicativeWeights(), steps=10**9, start=START, progress=first_word)
    timer.join()
    assert trace.stopped == "interrupted"
    assert 0 < trace.steps < 10**9
    np.testing.assert_allclose(trace.gaps[-1], mg.duality_gap(RPS, trace.policy), rtol=0, atol=gap_error(RPS))


def test_ctrl_c_ends_all_of_many_runs() -> None:
    traces = mg.solve_many([RPS] * 3, [mg.MultiplicativeWeights(), Interrupting(at=5), mg.Extragradient()], START, steps=50)
    assert [(trace.steps, trace.stopped) for trace in traces] == [(50, "budget"), (5, "interrupted"), (0, "interrupted")]


def test_a_second_ctrl_c_interrupts_as_usual() -> None:
    class Stuck(Own):
        def step(self, state: SimpleNamespace, payoffs: Any) -> SimpleNamespace:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)  # the signal comes before this is over
            return state

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        mg.solve(RPS, Stuck(), steps=10)
    assert signal.getsignal(signal.SIGINT) is before


def test_runs_in_other_threads() -> None:
    results: list[mg.Trace] = []
    thread = threading.Thread(target=lambda: results.append(mg.solve(RPS, steps=50, start=START)))
    thread.start()
    thread.join()
    assert_same(results[0], mg.solve(RPS, steps=50, start=START))


# --- progress -------------------------------------------------------------------------------------------------------------------------------


def test_progress_is_told_recorded_steps_and_the_end() -> None:
    told: list[tuple[int, int, float]] = []
    trace = mg.solve(RPS, steps=30, start=START, record=ALL, progress=lambda *words: told.append(words))
    assert [step for step, _, _ in told] == list(range(31))
    assert {steps for _, steps, _ in told} == {30}
    assert [gap for _, _, gap in told] == trace.gaps.tolist()
    told.clear()
    ended = mg.solve(RPS, until=1e-3, start=START, progress=lambda *words: told.append(words))
    assert told[-1] == (ended.steps, ended.steps, ended.gap)


def test_the_bar_is_silent_on_stdout_and_for_short_work(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    mg.solve(RPS, steps=50, progress=mg.StderrProgress())
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr("mmd_games.loop.progress.PATIENCE", -1.0)
    mg.solve(RPS, steps=50, progress=mg.StderrProgress("at work"))
    assert capfd.readouterr().out == ""


# --- usage that is refused --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"steps": 0}, ["steps must be a whole number of at least 1, got 0."]),
        ({"steps": -5}, ["steps must be"]),
        ({"steps": 1.5}, ["steps must be a whole number"]),
        ({"steps": True}, ["steps must be"]),
        ({"until": -1}, ["until must be a positive, finite number, got -1."]),
        ({"until": 0.0}, ["until must be"]),
        ({"until": math.nan}, ["until must be"]),
        ({"start": [0.5, 0.5]}, ["2 entries", "3 actions"]),
        ({"start": [0.5, 0.6, 0.1]}, ["sum to 1", "1.2"]),
        ({"start": [1.2, -0.2, 0.0]}, ["Entry 2", "-0.2"]),
        ({"start": [[0.2, 0.3, 0.5]]}, ["one policy of 3 entries", "(1, 3)"]),
        ({"start": "uniform"}, ["list of probabilities"]),
        ({"algorithm": mg.MultiplicativeWeights}, ["an object with init and step", "MultiplicativeWeights"]),
        ({"algorithm": "mpo"}, ["an object with init and step", "from_spec", "'mpo'"]),
        (
            {"algorithm": mg.MagneticMirrorDescent(step_size=1e308, magnet_strength=1e308)},
            ["mmd:step_size=1e+308", "rock_paper_scissors", "stopped being finite by step 1"],
        ),
        ({"algorithm": mg.MagneticPreferenceOptimization(step_size=1e200, magnet_strength=1e200)}, ["stopped being finite by step 1", "smaller settings"]),
        ({"steps": 10**12, "algorithm": mg.MagneticPreferenceOptimization(refresh_every=1)}, ["GiB of memory", "1000000000001 stages"]),
    ],
)
def test_calls_that_are_refused(call: dict[str, Any], words: list[str]) -> None:
    for function in (mg.solve, mg.solve_many):
        given = {"starts" if key == "start" and function is mg.solve_many else key: value for key, value in call.items()}
        if function is mg.solve_many:
            given = {"algorithms" if key == "algorithm" else key: [value] if key == "starts" else value for key, value in given.items()}
        with pytest.raises(InputError) as refusal:
            function(RPS, **given)
        assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_overflow_in_a_stack_names_the_run() -> None:
    game = mg.MatrixGame([[1000.0, 0.0], [0.0, 1000.0]])
    algorithms = [mg.MultiplicativeWeights(step_size=step) for step in (1e-3, 1e307)]
    with pytest.raises(InputError, match=r"^mwu:step_size=1e\+307 on a matrix game: the policy stopped being finite"):
        mg.solve_many(game, algorithms, np.array([0.2, 0.8, 0.3, 0.7]), steps=20)


@pytest.mark.parametrize("name", ["mpo", "mmd", "mwu", "omwu", "extragradient"])
def test_a_huge_step_is_a_best_response_or_a_sentence(name: str) -> None:
    # 1e308 times a payoff of 0.4 is still a float: the policy is then pure, not NaN, and no warning is given.
    algorithm = type(METHODS[name])(step_size=1e308)
    assert np.all(np.isfinite(mg.solve(RPS, algorithm, steps=20, start=START).gaps))


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    assert_same(mg.solve(RPS, steps=np.int64(5)), mg.solve(RPS, steps=5))  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", [{"gaps": 3}, {"policies": 3}, {"gaps": 10, "policies": 11}, {"gaps": 10.5}])
def test_records_that_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^(gaps|policies) must be a whole number of at least"):
        mg.Record(**settings)


# --- starts ---------------------------------------------------------------------------------------------------------------------------------


def test_starts_by_name(tmp_path: Any) -> None:
    assert start_from_spec("uniform", RPS) is None
    np.testing.assert_array_equal(start_from_spec("random", RPS), random_start(RPS, 0))
    np.testing.assert_array_equal(start_from_spec("random:seed=3", RPS), random_start(RPS, 3))
    np.testing.assert_array_equal(start_from_spec("0.2/0.3/0.5", RPS), START)
    np.save(tmp_path / "start.npy", START)
    (tmp_path / "start.csv").write_text("0.2,0.3,0.5\n")
    (tmp_path / "start.txt").write_text("0.2 0.3 0.5\n")
    for name in ("start.npy", "start.csv", "start.txt"):
        np.testing.assert_array_equal(start_from_spec(str(tmp_path / name), RPS), START)
    (tmp_path / "words.txt").write_text("a b c\n")
    for text, words in [
        ("0.2/0.3", "2 entries"),
        ("0.2/0.3/0.6", "sum to 1"),
        ("rnadom", "did you mean 'random'"),
        ("random:seed=-1", "seed must be a whole number of at least 0"),
        (str(tmp_path / "none.npy"), "none.npy"),
        (str(tmp_path / "words.txt"), "words.txt"),
    ]:
        with pytest.raises(InputError, match=words):
            start_from_spec(text, RPS)


@given(st.one_of(preference_games(), matrix_games()), st.integers(0, 100))
def test_random_starts_are_policies(game: mg.Game, seed: int) -> None:
    start = random_start(game, seed)
    assert np.all(start > 0)
    assert float(mg.duality_gap(game, start)) >= -gap_error(game)
    np.testing.assert_array_equal(start, random_start(game, seed))


def test_a_uniform_start_that_is_an_equilibrium_is_replaced() -> None:
    start, notes = default_start(mg.games.matching_pennies(), 1e-9)
    assert start is not None
    assert "random:seed=0" in notes[0]
    assert default_start(RPS, 1e-9) == (None, ())


def test_a_member_of_a_stack_that_stops_early_is_recorded_as_finely_as_alone():
    games = [mg.games.random(n=5, seed=seed) for seed in range(6)]
    record = mg.Record(gaps=40, policies=20)
    together = mg.solve_many(games, mg.OptimisticMultiplicativeWeights(), steps=3_000, until=1e-6, record=record)
    assert len({trace.steps for trace in together}) > 2
    for game, trace in zip(games, together, strict=True):
        alone = mg.solve(game, mg.OptimisticMultiplicativeWeights(), steps=3_000, until=1e-6, record=record)
        assert trace.stopped == alone.stopped
        # The ends of the others are recorded too.
        assert set(alone.iterations) <= set(trace.iterations)
        assert set(alone.policy_iterations) <= set(trace.policy_iterations)


def test_a_run_that_begins_after_ctrl_c_ends_at_once():
    """Between two cells of a sweep the flag of the sweep goes up; the next cell must not run to its end first."""
    with interruptible() as sweep:
        assert mg.solve(mg.games.rock_paper_scissors(), steps=20).steps == 20
        os.kill(os.getpid(), signal.SIGINT)
        assert sweep.pressed
        trace = mg.solve(mg.games.rock_paper_scissors(), steps=20)
    assert (trace.steps, trace.stopped) == (0, "interrupted")
    assert mg.solve(mg.games.rock_paper_scissors(), steps=20).steps == 20
