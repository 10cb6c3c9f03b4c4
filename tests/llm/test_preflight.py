"""The preflight: its verdicts on settings that are known to be bad, its advice, and the forms of its report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.llm.preflight import Outlook, PreflightReport, RunSettings, preflight
from mmd_games.llm.preflight.front import SUITE
from mmd_games.llm.preflight.play import Fitting
from mmd_games.verification import Question, Verdict

RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
SOUND = RunSettings(step_size=1.0, magnet_strength=0.2, refresh_every=20, group_size=128, max_rollouts=400, target_gap=0.06)
BAD: dict[str, tuple[dict[str, Any], Outlook]] = {
    "refresh too short": ({"refresh_every": 2}, Outlook.REFRESH),
    "fixed magnet": ({"refresh_every": 0}, Outlook.REGULARISED),
    "no magnet": ({"magnet_strength": 0.0, "refresh_every": 0}, Outlook.NO_MAGNET),
    "magnet too weak": ({"magnet_strength": 0.004}, Outlook.STEP),
    "magnet too weak for the interval": ({"magnet_strength": 0.03, "refresh_every": 5}, Outlook.REFRESH),
    "step too large": ({"step_size": 1000.0}, Outlook.STEP),
    "group too small": ({"group_size": 3}, Outlook.SUPPORT),
    "too much noise": ({"judge_flips": 0.42, "group_size": 32, "refresh_every": 80, "max_rollouts": 1000}, Outlook.NOISE),
    "update not realised": ({"realised_fraction": 0.03}, Outlook.PARTIAL),
    "budget too small": ({"max_rollouts": 40}, Outlook.BUDGET),
}


@pytest.fixture(scope="module")
def sound() -> PreflightReport:
    return preflight(SOUND, game=RPS)


# --- verdicts ----------------------------------------------------------------------------------------------------------------------------------


def test_sound_settings_are_confirmed(sound: PreflightReport) -> None:
    assert sound.outlook is Outlook.REACHES and sound.exit_status == 0 and sound.advice is None
    (made,) = sound.forecasts
    assert all(claim.verdict is Verdict.CONFIRMED for claim in sound.claims(made))
    # The floor by theory is within the quarter that it promises of what was played.
    assert made.play.mean == pytest.approx(made.floor, rel=0.25)
    assert made.slowest is not None and made.slowest.factor == pytest.approx(0.6678, abs=1e-4)


@pytest.mark.parametrize("name", BAD)
def test_bad_settings_are_refuted_for_the_right_reason(name: str) -> None:
    changes, outlook = BAD[name]
    report = preflight(replace(SOUND, **changes), game=RPS, advice=False)
    assert report.verdict is Verdict.REFUTED and report.exit_status == 1
    assert report.outlook is outlook, report.forecasts[0].to_dict()


def test_what_meets_the_target_on_its_way_out_is_not_confirmed() -> None:
    # A refresh interval just below the shortest that converges: 1.0017 a refresh is not seen in 60 rollouts from near the equilibrium.
    near = np.log((mg.nash(RPS).policy + 0.01) / 1.03)
    from mmd_games.llm.preflight import Table
    from mmd_games.llm.preflight.forecast import forecast

    settings = replace(SOUND, step_size=0.3, magnet_strength=0.3, refresh_every=5, max_rollouts=60, group_size=4000)
    made = forecast(Table.of(RPS, near), settings, Fitting(1.0))
    assert made.play.mean < settings.target_gap and made.outlook is Outlook.PASSING and made.verdict is Verdict.INCONCLUSIVE


def test_steps_that_do_not_follow_are_no_small_fraction_of_the_update() -> None:
    from mmd_games.llm.preflight import Table
    from mmd_games.llm.preflight.forecast import forecast

    table, settings = Table.of(RPS), replace(SOUND, max_rollouts=250)
    assert forecast(table, settings, Fitting(0.55, detour=0.1)).outlook is Outlook.REACHES
    # Much is moved, and nowhere near the update.
    assert forecast(table, settings, Fitting(0.01, detour=3.0)).outlook is Outlook.DETACHED
    assert forecast(table, settings, Fitting(-0.2, detour=0.1)).outlook is Outlook.DETACHED


def test_a_gap_next_to_the_target_is_left_open(sound: PreflightReport) -> None:
    late = sound.forecasts[0].play.mean
    report = preflight(replace(SOUND, target_gap=late * 1.02), game=RPS, advice=False)
    assert report.outlook is Outlook.CLOSE and report.exit_status == 3


def test_a_suite_decides_together() -> None:
    spoiled = preflight(replace(SOUND, refresh_every=1), advice=False)
    assert [forecast.table.name.partition(":")[0] for forecast in spoiled.forecasts] == [
        {"rps": "rock_paper_scissors"}.get(name, name) for name in (spec.partition(":")[0] for spec in SUITE)
    ]
    assert spoiled.outlook is Outlook.REFRESH
    mixed = preflight(replace(SOUND, max_rollouts=150), game=[RPS, mg.games.from_spec("random:n=5,seed=1")], advice=False)  # type: ignore[list-item]
    assert {forecast.verdict for forecast in mixed.forecasts} == {Verdict.CONFIRMED, Verdict.REFUTED}
    assert mixed.outlook is Outlook.MIXED and mixed.exit_status == 3


def test_tables_in_payoffs_are_win_probabilities_at_half_the_size() -> None:
    payoffs = mg.PreferenceGame.from_payoffs(2 * RPS.table())
    first, second = (preflight(SOUND, game=game, advice=False).forecasts[0] for game in (RPS, payoffs))
    np.testing.assert_allclose(first.play.gaps, second.play.gaps, rtol=1e-12)
    assert first.slowest is not None and second.slowest is not None
    assert first.slowest.factor == pytest.approx(second.slowest.factor, rel=1e-12)


# --- advice ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["refresh too short", "fixed magnet", "no magnet", "group too small", "update not realised", "budget too small"])
def test_advice_that_is_followed_is_confirmed(name: str) -> None:
    given = replace(SOUND, **BAD[name][0], learning_rate=1e-4)
    report = preflight(given, game=RPS)
    assert report.advice, "nothing was found"
    for change in report.advice:
        followed = replace(given, **change.values)
        if set(change.values) & {"learning_rate", "inner_steps"}:
            from mmd_games.llm.preflight.advice import assumed_fraction

            followed = replace(followed, realised_fraction=assumed_fraction(followed, given))
        assert preflight(followed, game=RPS, advice=False).verdict is Verdict.CONFIRMED, change.sentence
        assert all(getattr(given, key) != value for key, value in change.values.items())
    words = {"refresh too short": "refresh_every", "group too small": "group_size", "update not realised": "learning_rate", "budget too small": "max_rollouts"}
    assert name not in words or any(words[name] in change.values for change in report.advice)


def test_only_what_is_confirmed_is_advised(monkeypatch: pytest.MonkeyPatch) -> None:
    given = replace(SOUND, max_rollouts=40)
    expected = preflight(given, game=RPS).advice
    monkeypatch.setattr("mmd_games.llm.preflight.advice._played", lambda *_: 0.0)  # the search lets everything pass
    assert preflight(given, game=RPS).advice == expected
    monkeypatch.setattr("mmd_games.llm.preflight.advice._played", lambda *_: 1.0)
    assert preflight(given, game=RPS).advice == ()


# --- the report --------------------------------------------------------------------------------------------------------------------------------


def test_a_report_in_words(sound: PreflightReport) -> None:
    text = str(sound)
    assert text.startswith("CONFIRMED: With these settings the policy comes to the target gap within the budget.")
    assert max(map(len, text.splitlines())) <= 118
    asked = [question.value for question in (Question.CONVERGED, Question.EQUILIBRIUM, Question.LINEAR, Question.PREDICTED)]
    assert [line.strip() for line in text.splitlines() if line.strip() in {question.value for question in Question}] == asked
    assert "0.667823" in text and "nothing is known of the learning rate" in text
    bad = str(preflight(replace(SOUND, refresh_every=2), game=RPS))
    assert "5 is the smallest that converges" in bad and "What to change" in bad and "refresh_every: " in bad


def test_a_report_as_json_and_files(sound: PreflightReport, tmp_path: Path) -> None:
    bad = preflight(replace(SOUND, refresh_every=0), game=RPS, advice=False)
    for report in (sound, bad):
        folder = report.save(tmp_path / report.verdict.value)
        assert sorted(path.name for path in folder.iterdir()) == ["preflight.json", "preflight.png", "preflight.txt"]
        read = json.loads((folder / "preflight.json").read_text())
        assert read == json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert read["schema"] == "mmd_games.preflight/1" and read["verdict"] == report.verdict.value
        assert RunSettings.from_config(read["settings"]) == report.settings
        assert (folder / "preflight.txt").read_text() == f"{report}\n"
    assert bad.to_dict()["tables"][0]["floor"] is None  # no stationary state
    claims = {claim["name"]: claim for claim in bad.to_dict()["tables"][0]["claims"]}
    # The plateau that theory knows of a fixed magnet is where play ends.
    assert claims["equilibrium"]["predicted"] == pytest.approx(bad.forecasts[0].play.mean, rel=0.1)


# --- settings ----------------------------------------------------------------------------------------------------------------------------------

LEAST = {"step_size": 1.0, "magnet_strength": 0.2, "refresh_every": 20, "group_size": 128}


def test_settings_of_a_mapping() -> None:
    assert RunSettings.from_config({**LEAST, "max_rollouts": "400", "target_gap": 0.06}) == SOUND
    assert RunSettings.from_config(SOUND.to_dict()) == SOUND


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"refresh_evry": 2}, "Unknown key of preflight 'refresh_evry'; did you mean 'refresh_every'?"),
        ({"group_size": 1}, "A group needs at least 2 completions of a prompt, to prefer one to another; got 1."),
        ({"step_size": 0.0}, "step_size must be a positive, finite number, got 0.0."),
        ({"refresh_every": -1}, "refresh_every must be a whole number of at least 0, got -1."),
        ({"judge_flips": 0.5}, "judge_flips must be at least 0 and below 0.5, got 0.5: a judge that is wrong half the time says nothing."),
        ({"target_gap": 1.0}, "target_gap must be below 1, the largest gap of a game of win probabilities, got 1.0."),
        ({"adam_beta2": 1.0}, "adam_beta2 must be at least 0 and below 1, got 1.0."),
        ({"inner_steps": "many"}, "inner_steps of preflight must be a number, got 'many'."),
    ],
)
def test_settings_that_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        RunSettings.from_config({**LEAST, **changes})
    assert str(caught.value) == sentence


def test_what_else_is_refused() -> None:
    with pytest.raises(InputError, match=r"^preflight needs step_size=…\.$"):
        RunSettings.from_config({key: value for key, value in LEAST.items() if key != "step_size"})
    with pytest.raises(InputError, match=r"are a mapping of names to values, got list"):
        RunSettings.from_config([1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^settings must be RunSettings"):
        preflight(LEAST)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^A preflight plays games of win probabilities"):
        preflight(SOUND, game=[mg.games.from_spec("kuhn_poker")])  # type: ignore[list-item]


def test_settings_of_a_trainer(tmp_path: Path) -> None:
    from .training import config

    args = config(tmp_path, refresh_every=7, inner_steps=3, group_size=32, learning_rate=1e-3)
    settings = RunSettings.from_training(args, max_rollouts=200, target_gap=0.1)
    assert (settings.refresh_every, settings.inner_steps, settings.group_size, settings.learning_rate) == (7, 3, 32, 1e-3)
    assert (settings.step_size, settings.magnet_strength) == (2.0, 0.1)
    assert (settings.adam_beta1, settings.max_grad_norm, settings.reset_optimizer_at_refresh) == (0.0, 1.0, True)
    assert (settings.max_rollouts, settings.target_gap) == (200, 0.1)
