"""When a run that may end by its tolerance is given up as a short one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import from_spec
from mmd_games.loop.outlook import DOUBT, FIRST, Outlook

BY, UNTIL = 6400, 1e-9


def left_at(gaps: np.ndarray, every: int = 1) -> int | None:
    """The step at which a run of these gaps, one a step, would be given up."""
    outlook = Outlook(UNTIL, BY)
    return next((step for step in range(0, len(gaps), every) if outlook.is_late(step, gaps[step])), None)


def falling(end: float, steps: int = BY) -> np.ndarray:
    """Linear, from 1 to the tolerance at a step."""
    return UNTIL ** (np.arange(steps + 1) / end)


@given(st.floats(100, BY), st.integers(1, 40), st.floats(0, 0.9), st.floats(1, 200))
@example(end=0.95 * BY, every=1, swing=0.9, period=77.0)  # two looks 200 steps apart are half a turn apart
def test_a_run_that_is_in_time_is_let_go_on(end: float, every: int, swing: float, period: float) -> None:
    """Even where its gap goes up and down by as much as a factor of ten."""
    steps = np.arange(BY + 1)
    swinging = falling(end) * (1 + swing * np.sin(2 * np.pi * steps / min(period, BY / FIRST / 2)))
    gaps = swinging[: int(np.argmax(swinging <= UNTIL)) + 1] if np.any(swinging <= UNTIL) else swinging
    assert left_at(gaps, every) is None


@given(st.floats(1.01, 100), st.integers(1, 40))
def test_a_run_that_is_late_is_seen_early(times: float, every: int) -> None:
    """One that takes more than `DOUBT` times as long: before half of the time is spent, and by a sixth where it takes many times as long."""
    left = left_at(falling(2 * DOUBT * times * BY), every)
    assert left is not None
    assert left <= BY / 2
    if times > 10:
        assert left <= BY / 6


def test_a_gap_that_does_not_fall_is_late_at_the_first_comparison() -> None:
    """Of what it is with what it was two looks ago; steps are whole, so that each look may be one late."""
    for gaps in (np.full(BY, 0.1), 0.1 + 1e-5 * np.arange(BY)):
        left = left_at(gaps)
        assert left is not None
        assert 2 * BY // FIRST <= left <= 2 * BY // FIRST + 2


def test_half_of_the_rate_is_enough() -> None:
    """At the first comparison, after a sixteenth of the time, but not a third of it."""
    slow, needed = 2 * BY // FIRST, -np.log(UNTIL) / BY
    for share, enough in ((0.55, True), (1 / 3, False)):
        rates = needed * np.where(np.arange(BY) < slow + 2, share, 1.2)  # the look may be two steps late
        gaps = np.exp(-np.cumsum(rates))
        assert (left_at(gaps[: int(np.argmax(gaps <= UNTIL))]) is None) is enough


def test_of_several_runs_the_slowest_decides_and_those_that_ended_do_not() -> None:
    good, bad = falling(0.5 * BY), falling(50 * BY)
    ended = np.where(np.arange(BY + 1) < 150, 0.1, 1e-14 * 1.001 ** np.arange(BY + 1))  # below the tolerance, and rising
    assert left_at(np.stack([good, bad], axis=1)[: BY // 2]) == left_at(bad) != left_at(good[: BY // 2])
    assert left_at(np.stack([good, ended, 0 * ended], axis=1)[: BY // 2]) is None
    assert ended[BY // 2] < UNTIL


def test_a_run_leaves_the_arrays_where_its_tolerance_is_not_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """And comes to the same gaps as one that leaves at the end of its time."""
    import sys

    solve, seen = sys.modules["mmd_games.loop.solve"], []
    go_on = solve.run_compiled
    monkeypatch.setattr(solve, "run_compiled", lambda *given: seen.append(given[-1].step) or go_on(*given))
    game, rule = mg.games.random(n=12, seed=3), from_spec("mpo")
    early = mg.solve(game, rule, steps=30_000, until=1e-13)
    monkeypatch.setattr("mmd_games.loop.array_run.Outlook.is_late", lambda *given: False)
    late = mg.solve(game, rule, steps=30_000, until=1e-13)
    assert seen[0] < 0.3 * seen[1]
    common = np.isin(early.iterations, late.iterations)
    assert common.mean() > 0.9
    np.testing.assert_allclose(early.gaps[common], late.gaps[np.isin(late.iterations, early.iterations)], rtol=0, atol=1e-11)  # a contracting run
