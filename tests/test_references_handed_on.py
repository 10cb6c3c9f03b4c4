"""An equilibrium that was computed before judges a run as one that the judge computes, and is not taken at its word."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.cli import main
from mmd_games.cli import playing as playing_module
from mmd_games.verification import Judgement, Verdict, judge, judging, predict_rate

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
    lying = {
        "tolerance": 1e-15,
        "scale": 2 * reference.scale,
        "gap": 1e-3,
        "gap_error": 0.0,
        "slack": np.full(game.actions, 0.25),
        "margin": 1.0,
        "converged": not reference.converged,
        "value": 7.0,
    }
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


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda policy: 2 * policy, r"must sum to 1.* sum to 2"),
        (lambda policy: 1e-12 * policy, "must sum to 1"),
        (lambda policy: np.full(6, np.nan), "Entry 1 of the policy must be a probability, got nan"),
        (lambda policy: policy[:5], "The policy has 5 entries"),
        (lambda policy: np.stack([policy, policy]), r"one policy of 6 entries, got an array of shape \(2, 6\)"),
        (lambda policy: np.full(6, 1 / 6), r"its gap there is 0\.\d+, at most 1e-09 L"),
    ],
)
def test_a_reference_whose_policy_is_none_is_refused(policy: Any, words: str) -> None:
    game = GAMES["mixed"]
    trace, reference = mg.solve(game, steps=20), mg.nash(game)
    with pytest.raises(mg.InputError, match=words):
        judge(trace, reference=dataclasses.replace(reference, policy=policy(reference.policy)))


def test_a_reference_that_says_what_its_policy_does_not_bear_out_confirms_nothing() -> None:
    """Of a game with a large table its own roundings are allowed, over L and not as they are; its support is the largest only where the margin says so; and no tolerance makes a policy an equilibrium."""
    game = GAMES["mixed"]
    trace, reference = mg.solve(game, steps=20_000, until=1e-9), mg.nash(game)
    large = mg.PreferenceGame.from_payoffs(1e20 * mg.games.random(n=6, seed=8).payoff_matrix)
    with pytest.raises(mg.InputError, match="and none of random:n=6,seed=3"):
        judge(trace, reference=mg.nash(large))
    nearly = dataclasses.replace(reference, policy=(1 - 1e-13) * reference.policy + 1e-13 / 6)
    assert len(judge(trace, reference=reference).reference.support) < 6
    judged = judge(trace, reference=nearly)
    assert judged.reference.selection == "support not proven the largest"
    assert not [claim for claim in judged.claims if claim.verdict is Verdict.REFUTED]
    loose = dataclasses.replace(reference, policy=np.full(6, 1 / 6), gap=10.0, tolerance=np.inf)
    judged = judge(trace, reference=loose)
    assert not judged.reference.converged
    assert not [claim for claim in judged.claims if claim.verdict is Verdict.REFUTED]


def test_an_equilibrium_to_predict_at_is_given_once() -> None:
    game, unknown = GAMES["mixed"], cast("Any", "an equilibrium")
    reference = mg.nash(game)
    with pytest.raises(mg.InputError, match="not both"):
        predict_rate(game, at=reference.policy, reference=reference)
    for method in (mg.MagneticMirrorDescent(), mg.MagneticPreferenceOptimization()):
        with pytest.raises(mg.InputError, match="A reference is a Nash equilibrium"):
            predict_rate(game, method, reference=unknown)


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


@pytest.mark.parametrize("tolerance", ["1e200", "1e-323"])
def test_what_cannot_be_foretold_is_left_to_the_run(tolerance: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Gaps whose quotient leaves float64, and a tenth of a tolerance that is 0: of that the run says what is wrong."""
    table = tmp_path / "tiny.csv"
    np.savetxt(table, 1e-200 * np.array([[0.0, 1.0, -2.0], [-1.0, 0.0, 3.0], [2.0, -3.0, 0.0]]), delimiter=",")
    status = main(["verify", str(table), "--payoffs", "--steps", "300", "--tolerance", tolerance])
    assert status == (3 if tolerance == "1e200" else 2)
    assert ("until must be a positive, finite number, got 0.0" in capsys.readouterr().err) is (tolerance == "1e-323")
