"""The compiled loop against the array loop: the same trace to rounding, for every algorithm of the family on games of every kind."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games import jit
from mmd_games.algorithms import LogLinear
from mmd_games.cli import entry
from mmd_games.loop import random_start
from mmd_games.testing import games_and_policies, matrix_games, preference_games

EPS = np.finfo(np.float64).eps
RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = np.array([0.2, 0.3, 0.5])
ALL = mg.Record(gaps=1000, policies=1000)
"""Every step of a run of up to 500 steps."""
METHODS = {
    "mpo": mg.MagneticPreferenceOptimization(),
    "mpo, short stages": mg.MagneticPreferenceOptimization(step_size=0.5, magnet_strength=0.5, refresh_every=4),
    "mpo with pu": mg.MagneticPreferenceOptimization(inner="pu", refresh_every=5),
    "mmd": mg.MagneticMirrorDescent(),
    "mmd, uniform": mg.MagneticMirrorDescent(reference="uniform"),
    "mmd, moving": mg.MagneticMirrorDescent(magnet="moving"),
    "mmd, moving at once": mg.MagneticMirrorDescent(magnet="moving", magnet_rate=1.0),
    "mmd, annealed": mg.MagneticMirrorDescent(magnet="annealed"),
    "pu": mg.PolicyUpdate(),
    "pu, uniform": mg.PolicyUpdate(reference="uniform"),
    "nash_md": mg.NashMirrorDescent(),
    "nash_md, constant": mg.NashMirrorDescent(step_size=0.4, magnet_strength=0.3, reference="uniform"),
    "nash_md, whole weight": mg.NashMirrorDescent(step_size=2.0, magnet_strength=0.5),
    "mwu": mg.MultiplicativeWeights(),
    "omwu": mg.OptimisticMultiplicativeWeights(),
    "extragradient": mg.Extragradient(),
    "log-linear": LogLinear(step_size=0.3, magnet_strength=0.1, magnet="refreshed", refresh_every=3, evaluation="extrapolated"),
    "log-linear, annealed": LogLinear(step_size=0.3, magnet_strength=0.1, magnet="refreshed", refresh_every=7, step_size_power=0.5),
}
EVERY_METHOD = pytest.mark.parametrize("algorithm", METHODS.values(), ids=METHODS.keys())


def both(game: mg.Game, algorithm: Any, **settings: Any) -> tuple[mg.Trace, mg.Trace]:
    """The run of the compiled loop, and that of arrays."""
    return mg.solve(game, algorithm, engine="compiled", **settings), mg.solve(game, algorithm, engine="array", **settings)


def largest_of(trace: mg.Trace) -> tuple[float, float, LogLinear]:
    """The largest finite |log π| of a run, max|A|, and the rule."""
    logs = np.concatenate([trace.log_policies, trace.stages.log_magnets])
    rule = trace.algorithm if isinstance(trace.algorithm, LogLinear) else trace.algorithm.log_linear
    return float(np.max(np.abs(logs[np.isfinite(logs)]))), trace.game.largest_payoff, rule


def rounding_of_a_step(trace: mg.Trace) -> float:
    """How far one step of the two engines from the same policy may be apart, in log π.

    Both add logits of at most G = max|log π| and payoffs of at most ηM, which are sums of n products; thirty-two roundings are more than both do together, the two
    normalisations and the exponentials (each within 2 units of the last place) included.
    """
    reach, largest, rule = largest_of(trace)
    return 32 * EPS * (reach + rule.step_size * largest * (max(trace.game.blocks) + 4) + 4)


def amplified(trace: mg.Trace) -> float:
    """How far the two engines may be apart in log π after a short run, whatever the game.

    Let two log-policies differ by numbers that lie within R of each other. Then the policies differ by at most R in sum, payoffs (which only the differences of two rows
    make, of at most 2L either way) by numbers within 2L·R of each other, and logits within (1 + 2ηL)R: mixing in a magnet that differs no more does not add to it, and
    normalising is a constant. An extrapolated payoff counts three times, and after a half step the payoff differs by what the half step made of R.
    """
    _, _, rule = largest_of(trace)
    scale, total = float(trace.game.scale), 0.0
    for step in range(trace.steps):
        slope = 2.0 * rule.settings(step)[0] * scale * (3.0 if rule.evaluation == "extrapolated" else 1.0)
        total = total * (1.0 + slope * (1.0 + slope if rule.evaluation == "half_step" else 1.0)) + rounding_of_a_step(trace)
    return total


def accumulated(trace: mg.Trace) -> float:
    """The same after a long run that contracts, or grows by |1 + iηω| ≤ 1.005 a step and so by less than 5 in 300 steps: roundings add up, tenfold at most."""
    return 10 * max(trace.steps, 1) * rounding_of_a_step(trace)


def assert_equivalent(found: mg.Trace, expected: mg.Trace, error: float) -> None:
    """What counts and what was chosen are equal; log-policies within an error, and gaps within what that makes of them: two best replies, each off by M·Σ|Δπ|."""
    for name in ("iterations", "products", "policy_iterations"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    for name in ("iterations", "magnet_strengths", "step_sizes"):
        np.testing.assert_array_equal(getattr(found.stages, name), getattr(expected.stages, name), err_msg=name)
    for name in ("game", "algorithm", "feedback", "stopped"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.stages.steady == expected.stages.steady
    np.testing.assert_allclose(found.log_policies, expected.log_policies, rtol=0, atol=error)
    np.testing.assert_allclose(found.stages.log_magnets, expected.stages.log_magnets, rtol=0, atol=error)
    # Of an average of t policies, t roundings more.
    gaps = 4 * expected.game.largest_payoff * (error + (2 * max(expected.game.blocks) + expected.steps) * EPS)
    np.testing.assert_allclose(found.gaps, expected.gaps, rtol=0, atol=gaps)
    np.testing.assert_allclose(found.average_gaps, expected.average_gaps, rtol=0, atol=gaps)


RANDOM_AND_DEGENERATE = st.one_of(
    games_and_policies(preference_games(), interior=False), games_and_policies(matrix_games(), interior=False), games_and_policies(preference_games())
)


@EVERY_METHOD
@settings(max_examples=30)
@given(pair=RANDOM_AND_DEGENERATE, steps=st.integers(1, 8))
def test_every_method_on_random_and_degenerate_games(algorithm: Any, pair: tuple[mg.Game, np.ndarray], steps: int) -> None:
    game, start = pair  # some actions tied, all even, one that beats the others; some never played
    found, expected = both(game, algorithm, steps=steps, start=start, record=ALL)
    assert_equivalent(found, expected, amplified(expected))


@st.composite
def members_of_the_family(draw: Any) -> LogLinear:
    """Every choice with every other."""
    magnet = draw(st.sampled_from(["absent", "fixed", "refreshed", "moving"]))
    return LogLinear(
        step_size=draw(st.floats(0.01, 0.5)),
        magnet_strength=draw(st.floats(0.01, 1.0)),
        evaluation=draw(st.sampled_from(["iterate", "extrapolated", "half_step", "mixture"])),
        magnet=magnet,
        explicit=draw(st.booleans()),
        refresh_every=draw(st.integers(1 if magnet == "refreshed" else 0, 5)),
        magnet_rate=draw(st.floats(0.01, 1.0)),
        step_size_power=draw(st.sampled_from([0.0, 0.0, 0.5])),
        magnet_strength_power=draw(st.sampled_from([0.0, 0.0, 1.0])),
        decay_time=draw(st.floats(0.5, 5.0)),
        uniform_reference=draw(st.booleans()),
    )


@settings(max_examples=300)
@given(algorithm=members_of_the_family(), pair=RANDOM_AND_DEGENERATE, steps=st.integers(1, 12))
def test_every_member_of_the_family(algorithm: LogLinear, pair: tuple[mg.Game, np.ndarray], steps: int) -> None:
    game, start = pair
    assume(game.scale < 2)  # a step of at most 1/L; in the other units the steps would be of any size
    found, expected = both(game, algorithm, steps=steps, start=start, record=ALL)
    assert_equivalent(found, expected, amplified(expected))


STRUCTURED = {
    "rock_paper_scissors": RPS,
    "blotto": mg.games.blotto(soldiers=5, fields=3),
    "kuhn_poker": mg.games.kuhn_poker(),
    "a transitive game": mg.games.bradley_terry(n=9, seed=1),
    "clones": mg.games.clones(copies=3),
    "matching pennies": mg.games.matching_pennies(),
}


@EVERY_METHOD
@pytest.mark.parametrize("name", STRUCTURED)
def test_every_method_on_structured_games(algorithm: Any, name: str) -> None:
    game = STRUCTURED[name]
    found, expected = both(game, algorithm, steps=300, start=random_start(game, 3))
    assert_equivalent(found, expected, accumulated(expected))


@pytest.mark.parametrize("count", [255, 256, 257, 301])
@pytest.mark.parametrize("name", ["mpo, short stages", "extragradient", "omwu"])
def test_games_on_both_sides_of_the_cache(count: int, name: str) -> None:
    game = mg.games.random(n=count, seed=count)
    found, expected = both(game, METHODS[name], steps=30, start=random_start(game, 0))
    assert_equivalent(found, expected, accumulated(expected))


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (2, 7), (9, 3)])
def test_two_players_of_different_sizes(shape: tuple[int, int]) -> None:
    game = mg.MatrixGame(np.random.default_rng(sum(shape)).uniform(-1, 1, shape))
    for algorithm in METHODS.values():
        found, expected = both(game, algorithm, steps=100)
        assert_equivalent(found, expected, accumulated(expected))


# --- what is recorded -----------------------------------------------------------------------------------------------------------------------


@given(
    name=st.sampled_from(["mpo", "mpo, short stages", "mpo with pu", "mmd, moving", "mmd, annealed", "omwu", "log-linear, annealed"]),
    gaps=st.integers(4, 2000),
    share=st.floats(0, 1),
    steps=st.integers(1, 2500),
)
@example("mpo", 4, 1.0, 2500)
@example("mpo, short stages", 2000, 0.1, 2499)
@example("mpo", 40, 0.5, 1)
@example("mmd, annealed", 21, 0.9, 2017)
@example("log-linear, annealed", 20, 0.5, 1000)
def test_the_same_rows_whatever_the_record(name: str, gaps: int, share: float, steps: int) -> None:
    record = mg.Record(gaps=gaps, policies=4 + int(share * (gaps - 4)))
    found, expected = both(RPS, METHODS[name], steps=steps, start=START, record=record)
    assert_equivalent(found, expected, 10 * accumulated(expected))  # up to 2,500 steps, through which omwu and mpo contract


@pytest.mark.parametrize("refresh_every", [1, 37, 1009, 5000, 10**6])
def test_refreshes_between_the_grids_and_longer_than_the_run(refresh_every: int) -> None:
    algorithm = mg.MagneticPreferenceOptimization(refresh_every=refresh_every)
    found, expected = both(RPS, algorithm, steps=5000, start=START, record=mg.Record(gaps=20, policies=20))
    assert_equivalent(found, expected, accumulated(expected))


def test_the_record_does_not_change_a_compiled_run() -> None:
    """However often the loop is left and entered again, and whichever products are of a recorded row."""
    for algorithm in METHODS.values():
        fine, coarse = (mg.solve(RPS, algorithm, steps=300, start=START, record=record, engine="compiled") for record in (ALL, mg.Record(gaps=4, policies=4)))
        np.testing.assert_array_equal(coarse.gaps, fine.gaps[coarse.iterations])
        np.testing.assert_array_equal(coarse.average_gaps, fine.average_gaps[coarse.iterations])
        np.testing.assert_array_equal(coarse.log_policies, fine.log_policies[coarse.policy_iterations])


def test_recorded_gaps_are_those_of_the_recorded_policies() -> None:
    game = STRUCTURED["blotto"]
    for algorithm in METHODS.values():
        trace = mg.solve(game, algorithm, steps=200, start=random_start(game, 1), record=ALL, engine="compiled")
        played = np.exp(trace.log_policies)
        # Two inner products of n terms of at most max|A|, and policies that a normalised exponential and the exponential of a normalised logarithm round differently.
        error = (8 * game.actions + 2 * largest_of(trace)[0]) * EPS * game.largest_payoff
        np.testing.assert_allclose(trace.gaps, mg.duality_gap(game, played), rtol=0, atol=error)
        averages = np.cumsum(played, axis=0) / np.arange(1, 202)[:, None]
        np.testing.assert_allclose(trace.average_gaps, mg.duality_gap(game, averages), rtol=0, atol=error + 4 * 201 * EPS * game.largest_payoff)


@given(
    refresh_every=st.integers(1, 400),
    gaps=st.integers(4, 200),
    chosen=st.integers(0, 200),
    steps=st.integers(50, 3000),
    name=st.sampled_from(["mpo", "mmd", "omwu"]),
)
@example(1009, 20, 13, 10_000, "mpo")  # between two steps of the grids the run is refreshed at a gap below all that the grids see before
def test_a_run_stops_at_the_same_step(refresh_every: int, gaps: int, chosen: int, steps: int, name: str) -> None:
    algorithm = mg.MagneticPreferenceOptimization(refresh_every=refresh_every) if name == "mpo" else METHODS[name]
    record = mg.Record(gaps=gaps, policies=4)
    whole = mg.solve(RPS, algorithm, steps=steps, start=START, record=record, engine="array")
    until = float(whole.gaps[chosen % len(whole.gaps)]) * (1 + 1e-4)
    assume(np.min(np.abs(whole.gaps - until)) > 1e-12 and until > 1e-9)  # further from every recorded gap than these contracting runs round
    found, expected = both(RPS, algorithm, steps=steps, start=START, record=record, until=until)
    assert_equivalent(found, expected, 10 * accumulated(expected))


@EVERY_METHOD
def test_the_same_call_gives_the_same_bits(algorithm: Any) -> None:
    game = mg.games.random(n=12, seed=3)
    first, second = (mg.solve(game, algorithm, steps=500, engine="compiled") for _ in range(2))
    for name in ("gaps", "average_gaps", "log_policies"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(first.stages.log_magnets, second.stages.log_magnets)


def test_huge_steps_and_deep_logarithms_are_as_with_arrays() -> None:
    """A step of 1e308 is a best reply; after twenty steps of 1e3 the others have probabilities of e⁻²⁰⁰⁰."""
    for name in ("mpo", "mmd", "mwu", "omwu", "extragradient"):
        for step_size in (1e308, 1e3):
            found, expected = both(RPS, type(METHODS[name])(step_size=step_size), steps=20, start=START)
            assert np.isfinite(found.gaps).all() and np.isfinite(expected.gaps).all()
            assert math.isclose(found.gaps[1], expected.gaps[1], rel_tol=0, abs_tol=1e-12)


def test_compiling_is_announced_once_and_only_where_it_is_ours(caplog, monkeypatch):
    monkeypatch.setattr(jit._Announcement, "said", False)
    caplog.set_level("INFO", logger="mmd_games")
    jit.joined(lambda x: x + 1)(1.0)
    assert caplog.records == []  # somebody else's
    for _ in range(2):

        def ours(x):
            return x + 2

        ours.__module__ = "mmd_games.updates"
        jit.joined(ours)(1.0)
    assert [record.getMessage()[:26] for record in caplog.records] == ["compiling for this machine"]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_command_line_shows_what_is_announced_on_a_terminal_alone(capfd, monkeypatch, terminal):
    logger = logging.getLogger("mmd_games")
    before = (logger.level, list(logger.handlers))
    monkeypatch.setattr(entry, "app", lambda *given, **options: logger.info("compiling") or 0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    assert entry.main(["games"]) == 0
    assert capfd.readouterr().err == ("compiling\n" if terminal else "")
    assert (logger.level, logger.handlers) == before
