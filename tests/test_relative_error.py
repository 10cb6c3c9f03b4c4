"""The judge on magnets that move by relative error: what it recomputes, what it must refuse, and when a fall is faster than a line."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.loop.trace import Stages, Trace
from mmd_games.verification.bounds.relative_error import check_relative_error
from mmd_games.verification.measured import Convergence, Kind, falls_ever_faster
from mmd_games.verification.refreshes import by_refresh

GAME = mg.games.random(n=10, seed=1)
TRACE = mg.solve(GAME, mg.AdaptiveMPO(), until=1e-10)
NASH = mg.nash(GAME)
NOTHING = Convergence(Kind.INCONCLUSIVE, None, None, None, 1e-15, "nothing.")


def changed(trace: Trace, **stages: np.ndarray) -> Trace:
    return dataclasses.replace(trace, stages=Stages(**{**vars(trace.stages), **stages}))


def verdict(trace: Trace, reference: mg.NashEquilibrium = NASH) -> tuple[mg.Verdict, str]:
    claim = check_relative_error(trace, reference)
    assert claim is not None and claim.hard
    return claim.verdict, claim.detail


def test_a_run_as_it_is_holds_at_every_refresh() -> None:
    moved = int(np.sum(np.any(np.diff(TRACE.stages.log_magnets, axis=0) != 0, axis=1)))
    found, detail = verdict(TRACE)
    assert found is mg.Verdict.CONFIRMED
    assert f"holds at {moved} of {moved} refreshes" in detail


def test_other_methods_and_other_feedback_are_not_asked() -> None:
    assert check_relative_error(mg.solve(GAME, steps=50), NASH) is None
    assert check_relative_error(mg.solve(GAME, mg.AdaptiveMPO(), steps=10, feedback=mg.Noisy(scale=0.01)), NASH) is None


@pytest.mark.parametrize("relative", [1e-6, -1e-6])
def test_a_strength_that_is_off_by_a_millionth_is_seen(relative: float) -> None:
    strengths = TRACE.stages.magnet_strengths.copy()
    strengths[3] *= 1 + relative
    found, detail = verdict(changed(TRACE, magnet_strengths=strengths))
    assert found is mg.Verdict.REFUTED
    assert "the magnet did not move by the payoffs of its policy over α" in detail


def test_a_magnet_that_moved_elsewhere_is_seen() -> None:
    magnets = TRACE.stages.log_magnets.copy()
    magnets[4, 2] += 1e-6
    assert verdict(changed(TRACE, log_magnets=magnets))[0] is mg.Verdict.REFUTED


def test_another_game_is_seen() -> None:
    other = mg.games.random(n=10, seed=2)
    assert verdict(dataclasses.replace(TRACE, game=other), mg.nash(other))[0] is mg.Verdict.REFUTED


def test_a_refresh_that_was_not_allowed_is_seen() -> None:
    # A magnet that follows its payoffs all the way from where the policy has not moved at all: KL(π‖ρ) is 0, KL(π‖ρ⁺) is not.
    log_policy = TRACE.log_policies[0]
    after = log_policy + GAME.payoffs(np.exp(log_policy)) / 0.5
    after -= np.log(np.sum(np.exp(after)))
    stages = Stages(np.array([0, 1]), np.array([log_policy, after]), np.array([0.5, 0.5]), np.array([2.0, 2.0]))
    trace = dataclasses.replace(TRACE, stages=stages, log_policies=np.array([log_policy, log_policy]), policy_iterations=np.array([0, 1]))
    found, detail = verdict(trace)
    assert found is mg.Verdict.REFUTED
    assert "although its policy was further" in detail


def test_slacks_that_are_not_the_games_are_seen() -> None:
    wrong = dataclasses.replace(NASH, slack=2 * NASH.slack)
    found, detail = verdict(TRACE, wrong)
    assert found is mg.Verdict.REFUTED
    assert "did not fall by what the slacks explain" in detail


def test_the_policies_before_the_stages_are_enough() -> None:
    wanted = np.isin(TRACE.policy_iterations, TRACE.stages.iterations[1:] - 1)
    bare = dataclasses.replace(TRACE, log_policies=TRACE.log_policies[wanted], policy_iterations=TRACE.policy_iterations[wanted])
    assert verdict(bare)[1].partition(",")[0] == verdict(TRACE)[1].partition(",")[0]
    assert verdict(bare)[0] is mg.Verdict.CONFIRMED


def test_without_policies_at_refreshes_it_does_not_tell() -> None:
    bare = dataclasses.replace(TRACE, log_policies=TRACE.log_policies[:1], policy_iterations=TRACE.policy_iterations[:1])
    assert verdict(bare)[0] is mg.Verdict.INCONCLUSIVE


# --- faster than a line ---------------------------------------------------------------------------------------------------------------------

TIMES = np.arange(200.0)


@given(st.floats(0.3, 8.0), st.floats(0.01, 100.0), st.integers(0, 2**32 - 1), st.floats(0.0, 0.3))
def test_a_power_law_is_never_faster_than_a_line(power: float, delay: float, seed: int, noise: float) -> None:
    logs = -power * np.log1p(TIMES / delay) + noise * np.random.default_rng(seed).normal(size=len(TIMES))
    assert not falls_ever_faster(TIMES, logs)


@given(st.floats(9.5, 100.0), st.integers(0, 2**32 - 1), st.floats(0.0, 0.5))
@example(fall=10.0, seed=850207037, noise=0.5)
@example(fall=9.5, seed=0, noise=1.0)
def test_a_line_is_not(fall: float, seed: int, noise: float) -> None:
    logs = -fall * TIMES / 199 + noise * np.random.default_rng(seed).normal(size=len(TIMES))
    assert not falls_ever_faster(TIMES, logs)


@given(st.floats(0.3, 0.95), st.floats(9.5, 100.0))
def test_a_stretched_exponential_is_not(power: float, fall: float) -> None:
    assert not falls_ever_faster(TIMES, -fall * (TIMES / 199) ** power)


@given(st.floats(1.5, 6.0), st.floats(20.0, 60.0), st.integers(6, 200))
def test_what_falls_ever_faster_is(power: float, fall: float, number: int) -> None:
    times = np.arange(float(number))
    assert falls_ever_faster(times, -fall * (times / times[-1]) ** power)


def test_a_line_that_ends_in_a_dip_is_not() -> None:
    logs = -15 * TIMES / 199
    logs[-1] -= 12
    assert not falls_ever_faster(TIMES, logs)


def test_a_fall_of_three_decades_says_nothing() -> None:
    assert not falls_ever_faster(TIMES, -3 * np.log(10) * (TIMES / 199) ** 2)
    assert falls_ever_faster(TIMES, -5 * np.log(10) * (TIMES / 199) ** 2)


def test_magnets_tell_where_gaps_do_not() -> None:
    found = by_refresh(TRACE, NASH, NOTHING)
    assert found.kind is Kind.SUPERLINEAR
    assert "KL(π*‖ρ) falls ever faster" in found.evidence


def test_a_line_is_kept() -> None:
    said = dataclasses.replace(NOTHING, kind=Kind.LINEAR)
    assert by_refresh(TRACE, NASH, said) is said


def test_other_methods_are_not_asked() -> None:
    assert by_refresh(mg.solve(GAME, steps=2_000), NASH, NOTHING) is NOTHING
    alike = dataclasses.replace(TRACE, algorithm=dataclasses.make_dataclass("Own", [])())  # a method of one's own with the very same magnets
    assert by_refresh(alike, NASH, NOTHING) is NOTHING


def test_refreshes_that_come_ever_more_seldom_are_no_more_than_a_line() -> None:
    # The same divergences, each stage twice as long as the one before.
    stretched = changed(TRACE, iterations=np.cumsum(2 ** np.arange(len(TRACE.stages))) - 1)
    assert by_refresh(stretched, NASH, NOTHING) is NOTHING


def test_rounding_at_the_end_takes_nothing_back() -> None:
    trace = mg.solve(GAME, mg.AdaptiveMPO(), steps=400)
    assert trace.stages.magnet_strengths[-1] > 0.5 * trace.stages.magnet_strengths[0]  # the strength is back where it began
    assert by_refresh(trace, NASH, NOTHING).kind is Kind.SUPERLINEAR


def test_a_start_without_an_action_of_the_equilibrium_breaks_nothing() -> None:
    game = mg.games.random(n=5, seed=2)
    trace = mg.solve(game, mg.AdaptiveMPO(), steps=30, start=np.array([0.2, 0.5, 0.3, 0.0, 0.0]))
    assert set(np.flatnonzero(mg.nash(game).policy)) - {0, 1, 2}
    assert verdict(trace, mg.nash(game))[0] is mg.Verdict.CONFIRMED


def test_strengths_that_do_not_fall_allow_a_line_at_most() -> None:
    steady = changed(TRACE, magnet_strengths=np.full(len(TRACE.stages), 0.1))
    assert by_refresh(steady, NASH, NOTHING) is NOTHING


def test_where_there_are_several_equilibria_it_is_the_one_that_the_run_went_to() -> None:
    game = mg.games.from_spec("blotto:soldiers=10,fields=3")
    trace = mg.solve(game, mg.AdaptiveMPO(), until=1e-10)
    assert by_refresh(trace, mg.nash(game), NOTHING).kind is Kind.SUPERLINEAR
