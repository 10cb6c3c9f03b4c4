"""Which engine runs what, and what is said of runs that the compiled one does not cover."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.arrays import log_normalise
from mmd_games.errors import InputError

RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))


class Own:
    """Multiplicative weights, as a user would write it."""

    def init(self, log_policy: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(log_policy=log_policy)

    def step(self, state: SimpleNamespace, payoffs: Any) -> SimpleNamespace:
        return SimpleNamespace(log_policy=log_normalise(state.log_policy + 0.3 * payoffs(state.log_policy), payoffs.blocks))


class Twice(mg.MultiplicativeWeights):
    """A known method that steps otherwise."""

    def step(self, state: Any, payoffs: Any) -> Any:
        return super().step(super().step(state, payoffs), payoffs)


def sum_game() -> mg.Game:
    return mg.games.SumGame([mg.games.low_rank(n=6, dimensions=2), mg.games.low_rank(n=6, dimensions=2, seed=1)])


def in_float32() -> mg.Game:
    """A table that a user's own subclass keeps in single precision."""
    game = mg.PreferenceGame(RPS.preference)
    game.payoff_matrix = game.payoff_matrix.astype(np.float32)
    return game


@pytest.mark.parametrize("call", [mg.solve, mg.solve_many])
@pytest.mark.parametrize(
    ("game", "settings", "words"),
    [
        (RPS, {"algorithm": Own()}, "Own, which is not of that family"),
        (RPS, {"algorithm": Twice()}, "Twice, which is not of that family"),
        (RPS, {"feedback": mg.Sampled(opponents=3)}, "Sampled(opponents=3, seed=0)"),
        (sum_game(), {}, "whose payoffs come"),
        (in_float32(), {}, "float64"),
    ],
)
def test_what_the_compiled_loop_does_not_cover(call: Callable[..., Any], game: mg.Game, settings: dict[str, Any], words: str) -> None:
    given = {"algorithms" if name == "algorithm" and call is mg.solve_many else name: value for name, value in settings.items()}
    with pytest.raises(InputError) as refusal:
        call(game, steps=5, engine="compiled", **given)
    sentence = str(refusal.value)
    assert sentence.startswith("engine='compiled' does not cover ") and words in sentence
    assert all(name in sentence for name in ("mpo", "mmd", "pu", "nash_md", "mwu", "omwu", "extragradient", "tables of float64", "exact payoffs"))
    assert "engine='array' runs everything" in sentence
    for engine in ("auto", "array"):
        call(game, steps=5, engine=engine, **given)


@pytest.mark.parametrize("call", [mg.solve, mg.solve_many])
def test_an_engine_that_does_not_exist(call: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"compild.*did you mean 'compiled'"):
        call(RPS, engine="compild")


def test_a_short_run_does_not_wait_for_the_compiler() -> None:
    program = (
        "import sys; import mmd_games as mg; game = mg.games.rock_paper_scissors(); mg.solve(game, steps=100); "
        "mg.solve_many([game] * 3, steps=100); assert 'numba' not in sys.modules; assert 'mmd_games.compiled' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("call", "compiled"),
    [
        (lambda **given: mg.solve(RPS, steps=20_000, **given), True),
        (lambda **given: mg.solve(RPS, steps=19_999, **given), False),
        (lambda **given: mg.solve(RPS, **given), True),
        (lambda **given: mg.solve(RPS, Own(), steps=50_000, **given), False),
        (lambda **given: mg.solve(RPS, steps=50_000, feedback=mg.Sampled(), **given), False),
        (lambda **given: mg.solve(sum_game(), steps=50_000, **given), False),
        (lambda **given: mg.solve(in_float32(), steps=50_000, **given), False),
        (lambda **given: mg.solve_many([RPS, RPS], steps=10_000, **given), True),
        (lambda **given: mg.solve_many([RPS, RPS], steps=9_999, **given), False),
        (lambda **given: mg.solve_many(mg.games.random(n=256), mg.Extragradient(), [None] * 2, steps=50_000, **given), False),
        (lambda **given: mg.solve_many([mg.games.random(n=256, seed=seed) for seed in (0, 1)], mg.Extragradient(), steps=50_000, **given), True),
        (lambda **given: mg.solve(mg.games.random(n=256), mg.Extragradient(), steps=50_000, **given), True),
    ],
)
def test_which_engine_a_run_takes(call: Callable[..., Any], compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long run goes through the compiled loop; one that may end by a tolerance begins on arrays, and only goes on there."""
    taken = []

    def arrays(runs: Any, *rest: Any) -> Any:
        taken.append("array")
        leave = rest[7]
        assert leave is None or 0 < leave < 20_000
        return [None] * len(runs) if leave is None else "where it left"

    module = sys.modules["mmd_games.loop.solve"]  # whose name the function has in the package
    monkeypatch.setattr(module, "run_arrays", arrays)
    monkeypatch.setattr(module, "run_compiled", lambda runs, *rest: taken.append(rest[-1]) or [None] * len(runs))
    for engine in ({}, {"engine": "auto"}):
        for until in ({}, {"until": 1e-9}):
            call(**engine, **until)
            assert taken == ((["array", "where it left"] if until else [None]) if compiled else ["array"])
            taken.clear()
    call(engine="array")
    assert taken == ["array"]
    if compiled:
        call(engine="compiled")
        assert taken == ["array", None]


@pytest.mark.parametrize(
    ("settings", "at_once"),
    [
        ({"expected_steps": 19_999}, False),
        ({"expected_steps": 20_000}, True),
        ({"expected_steps": 10**9}, True),
        ({"expected_steps": 10**9, "steps": 19_999}, None),
        ({"expected_steps": 10**9, "algorithm": Own()}, None),
        ({"expected_steps": 10**9, "feedback": mg.Sampled()}, None),
        ({"expected_steps": 10**9, "engine": "array"}, None),
        ({"expected_steps": 0, "engine": "compiled"}, True),
    ],
)
def test_a_run_of_which_many_steps_are_expected_is_compiled_at_once(settings: dict[str, Any], at_once: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    module = sys.modules["mmd_games.loop.solve"]
    monkeypatch.setattr(module, "run_arrays", lambda *given: taken.append("array") or "where it left" if given[8] else [taken.append("array")])
    monkeypatch.setattr(module, "run_compiled", lambda *given: taken.append(given[-1]) or [None])
    mg.solve(RPS, **{"steps": 50_000, "until": 1e-9, **settings})
    assert taken == {None: ["array"], False: ["array", "where it left"], True: [None]}[at_once]


def test_what_is_expected_changes_nothing_else() -> None:
    game = mg.games.random(n=8, seed=2)
    one, other = (mg.solve(game, until=1e-9, expected_steps=expected) for expected in (None, 30_000))
    assert (one.steps, one.stopped) == (other.steps, other.stopped) == (one.steps, "tolerance")
    np.testing.assert_allclose(one.gaps, other.gaps, rtol=0, atol=1e-12)  # a contracting run
    refused: list[Any] = [-1, 1.5, True]
    for wrong in refused:
        with pytest.raises(InputError, match="expected_steps must be a whole number of at least 0"):
            mg.solve(game, steps=10, expected_steps=wrong)
