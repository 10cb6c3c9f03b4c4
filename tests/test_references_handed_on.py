"""An equilibrium that was computed before judges a run as one that the judge computes, and is not taken at its word."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.cli import main
from mmd_games.cli import playing as playing_module
from mmd_games.verification import Judgement, judge, judging, predict_rate

GAMES = {
    "mixed": mg.games.random(n=6, seed=3),
    "of small support": mg.games.random(n=12, seed=1),
    "several equilibria": mg.PreferenceGame.from_payoffs(np.array([[0, 1, -1, 1], [-1, 0, 1, -1], [1, -1, 0, 1], [-1, 1, -1, 0]], dtype=float)),
    "two players": mg.MatrixGame([[2.0, -1.0, 0.0], [-1.0, 1.0, 0.5]]),
    "without payoffs": mg.PreferenceGame(np.full((3, 3), 0.5)),
}
SPECS = ("mpo", "mmd", "mwu", "adaptive_mpo")


def said(judgement: Judgement) -> list[str]:
    return [str(judgement.headline), *map(str, judgement.claims), str(judgement.reference.to_dict()), str(judgement.prediction)]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", GAMES)
def test_a_reference_that_is_handed_on_changes_nothing(name: str, spec: str) -> None:
    game = GAMES[name]
    trace, reference = mg.solve(game, mg.algorithms.from_spec(spec), steps=400), mg.nash(game)
    alone = said(judge(trace))
    assert said(judge(trace, reference=reference)) == alone
    # Nor does what it says of itself: of another game with this equilibrium it may be right.
    lying = {"gap": 1e-3, "gap_error": 0.0, "slack": np.full(game.actions, 0.25), "margin": 1.0, "converged": not reference.converged, "value": 7.0}
    assert said(judge(trace, reference=dataclasses.replace(reference, **lying))) == alone


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("name", GAMES)
def test_rates_are_predicted_alike(name: str, spec: str) -> None:
    game, algorithm = GAMES[name], mg.algorithms.from_spec(spec)
    one, other = predict_rate(game, algorithm), predict_rate(game, algorithm, reference=mg.nash(game))
    assert (str(one), one.kind, one.zero_modes, one.declined) == (str(other), other.kind, other.zero_modes, other.declined)
    assert np.array_equal(one.log_target, other.log_target)


def test_a_reference_of_another_game_is_refused() -> None:
    game, other = GAMES["mixed"], mg.games.random(n=6, seed=4)
    trace = mg.solve(game, steps=20)
    with pytest.raises(mg.InputError, match=r"is of random:n=6,seed=4.*, and none of random:n=6,seed=3.*: its gap there is 0\.\d+, at most 1e-09 L = "):
        mg.verify(trace, reference=mg.nash(other))
    with pytest.raises(mg.InputError, match=r"of 3 actions; random:n=6,seed=3.* has 6\."):
        mg.verify(trace, reference=mg.nash(GAMES["without payoffs"]))
    untold: Any = mg.nash(game).policy
    with pytest.raises(mg.InputError, match=r"as mg\.nash\(game\) returns it; got ndarray"):
        mg.verify(trace, reference=untold)


def test_the_tolerance_of_a_reference_is_in_the_units_of_its_game() -> None:
    """That of a game of payoffs a million times as large is as good in this one as it was there."""
    table = np.array([[0.0, 1.0, -2.0], [-1.0, 0.0, 1.0], [2.0, -1.0, 0.0]])
    small, large = (mg.PreferenceGame.from_payoffs(scale * table) for scale in (1.0, 1e6))
    for mine, theirs in ((small, large), (large, small)):
        found = judge(mg.solve(mine, steps=50), reference=mg.nash(theirs)).reference
        assert found.converged
        assert found.tolerance == pytest.approx(mg.nash(mine).tolerance)


@pytest.mark.parametrize("command", [["verify", "rps:wins=0.9/0.8/0.9", "--steps", "300"], ["compare", "random:n=5", "--products", "300", "--out"]])
def test_a_command_computes_the_equilibrium_of_its_game_once(command: list[str], tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    for module in (playing_module, judging):
        monkeypatch.setattr(module, "nash", lambda game, nash=module.nash, **given: computed.append(game) or nash(game, **given))
    main([*command, str(tmp_path)] if command[-1] == "--out" else command)
    assert len(computed) == 1


@pytest.mark.parametrize("command", [["verify", "random:n=5", "--steps", "300"], ["compare", "random:n=5", "--products", "300", "--out"]])
def test_in_larger_games_nothing_is_foretold_and_the_judge_computes_it_once(command: list[str], tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing_module, "LARGEST_FORETOLD", 4)
    monkeypatch.setattr(playing_module, "predict_rate", None)
    computed = []
    monkeypatch.setattr(judging, "nash", lambda game, nash=judging.nash: computed.append(game) or nash(game))
    main([*command, str(tmp_path)] if command[-1] == "--out" else command)
    assert len(computed) == 1


ASYMMETRIC = "rps:wins=0.9/0.8/0.9"


@pytest.mark.parametrize(
    ("command", "least", "most"),
    [
        ([ASYMMETRIC], 500, 19_999),  # it is there after some 3,000 steps
        ([ASYMMETRIC, "--algorithm", "mpo:step_size=0.01,magnet_strength=0.05,refresh_every=300"], 20_000, 100_000),
        ([ASYMMETRIC, "--algorithm", "mpo:step_size=0.01,magnet_strength=0.05,refresh_every=300", "--steps", "700"], 700, 700),
        ([ASYMMETRIC, "--algorithm", "mmd"], 100_000, 100_000),  # which comes to rest at another point, and never gets there
        ([ASYMMETRIC, "--algorithm", "adaptive_mpo"], None, None),  # of which theory is silent
        ([ASYMMETRIC, "--algorithm", "mwu"], None, None),  # which moves away, and has no tolerance
        (["rps", "--algorithm", "omwu"], 1, 19_999),
    ],
)
def test_a_command_tells_its_run_how_many_steps_theory_expects(
    command: list[str], least: int | None, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def solve(game: mg.Game, algorithm: Any, **given: Any) -> mg.Trace:
        told.append(given["expected_steps"])
        return mg.solve(game, algorithm, steps=20)

    monkeypatch.setattr(playing_module, "solve", solve)
    main(["verify", *command])
    (expected,) = told
    assert expected is None if least is None or most is None else least <= expected <= most
