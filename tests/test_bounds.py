"""Hard inequalities: no correct run breaks one, whatever its game and settings; and every kind of false run breaks the one that is meant for it."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import math
import pkgutil
import re
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear, State
from mmd_games.arrays import kl, log_normalise
from mmd_games.equilibria import regularised_equilibrium
from mmd_games.loop.feedback import Payoffs
from mmd_games.loop.stack import log_linear_of
from mmd_games.testing import log_policies, matrix_games, preference_games
from mmd_games.verification import Claim, Verdict
from mmd_games.verification import bounds as bounds_package
from mmd_games.verification.bounds import check_bounds, check_contraction, check_fejer, check_plateau, check_record, check_regularised_gap, check_rule
from mmd_games.verification.bounds import contraction as contraction_module
from mmd_games.verification.bounds import drift as drift_module
from mmd_games.verification.bounds import fejer as fejer_module
from mmd_games.verification.bounds import record as record_module
from mmd_games.verification.bounds import regularised_gap as regularised_gap_module
from mmd_games.verification.bounds import replay as replay_module
from mmd_games.verification.bounds import rounding as rounding_module
from mmd_games.verification.bounds import rule as rule_module
from mmd_games.verification.bounds import solved as solved_module
from mmd_games.verification.bounds import stage_policies as stage_policies_module
from mmd_games.verification.bounds.contraction import remembered, why_no_contraction
from mmd_games.verification.bounds.drift import Drift
from mmd_games.verification.bounds.fejer import mean_root
from mmd_games.verification.bounds.known import KnownSteps
from mmd_games.verification.bounds.replay import replay
from mmd_games.verification.bounds.rounding import (
    gap_rounding,
    kl_rounding,
    largest_log,
    logit_residual,
    normalisation_rounding,
    payoff_rounding,
    shifted_root,
    step_rounding,
    target_shift,
)
from mmd_games.verification.bounds.solved import SolvedStage, SolvedStages, solve_stages
from mmd_games.verification.bounds.stage_policies import StagePolicies, in_parts
from mmd_games.verification.verdicts import Question

ANY_GAME = st.one_of(preference_games(max_actions=6), matrix_games(max_actions=4)).filter(lambda game: float(game.scale) > 1e-150)
RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = [0.5, 0.3, 0.2]
LEAST_SHARE = {0.3: 1e-6, 3.0: 1e-3}
"""Of its bound, that the drift of two runs may come to after 24 steps: a step of 0.9/L far from rest turns and spreads much, one of a tenth of that little."""
METHODS = ("mmd", "mpo", "pu", "mpo_pu", "mwu", "omwu", "extragradient", "nash_md", "moving", "annealed")


def algorithm_of(method: str, scale: float, relative: float, part: float, every: int) -> Any:
    """A method with α = relative·L and a step size that is this part of the largest that its theorem covers (or of 1/L where it has none)."""
    strength = relative * scale
    magnetic: dict[str, Any] = {"magnet_strength": strength, "step_size": part * min(relative, 1e3) / scale}
    explicit: dict[str, Any] = {"magnet_strength": strength, "step_size": part / (strength + scale)}
    plain: dict[str, Any] = {"step_size": part / scale}
    return {
        "mmd": lambda: mg.MagneticMirrorDescent(**magnetic),
        "mpo": lambda: mg.MagneticPreferenceOptimization(**magnetic, refresh_every=every),
        "pu": lambda: mg.PolicyUpdate(**explicit),
        "mpo_pu": lambda: mg.MagneticPreferenceOptimization(**explicit, refresh_every=every, inner="pu"),
        "mwu": lambda: mg.MultiplicativeWeights(**plain),
        "omwu": lambda: mg.OptimisticMultiplicativeWeights(**plain),
        "extragradient": lambda: mg.Extragradient(**plain),
        "nash_md": lambda: mg.NashMirrorDescent(**explicit),
        "moving": lambda: mg.MagneticMirrorDescent(**magnetic, magnet="moving"),
        "annealed": lambda: mg.MagneticMirrorDescent(**magnetic, magnet="annealed"),
    }[method]()


def honest(draw: Any, steps: int) -> mg.Trace:
    """A run of any method on any game, from any start (zeros among them), with any strength between 1e-3 and 1e3 L, and now and then far outside."""
    game, method = draw(ANY_GAME), draw(st.sampled_from(METHODS))
    relative = draw(st.one_of(st.floats(-3, 3).map(lambda power: 10.0**power), st.sampled_from([1e-13, 1e-8, 1e6])))
    algorithm = algorithm_of(method, float(game.scale), relative, draw(st.floats(1e-3, 1.0)), draw(st.integers(1, 25)))
    start = np.exp(draw(log_policies(game, lowest=draw(st.sampled_from([-3.0, -30.0, -600.0])), zeros=draw(st.booleans()))))
    return mg.solve(game, algorithm, steps=draw(st.integers(1, steps)), start=start, record=mg.Record(gaps=40, policies=draw(st.integers(4, 40))))


def refuted(claims: tuple[Claim, ...]) -> list[Claim]:
    return [claim for claim in claims if claim.verdict is Verdict.REFUTED]


def by_name(trace: mg.Trace, reference: mg.NashEquilibrium | None = None) -> dict[str, Claim]:
    return {claim.name: claim for claim in check_bounds(trace, mg.nash(trace.game) if reference is None else reference)}


def run(method: str = "mpo", game: mg.Game = RPS, steps: int = 600, start: Any = START, **given: Any) -> mg.Trace:
    names: dict[str, Any] = {
        "mpo": mg.MagneticPreferenceOptimization,
        "mmd": mg.MagneticMirrorDescent,
        "pu": mg.PolicyUpdate,
        "omwu": mg.OptimisticMultiplicativeWeights,
    }
    return mg.solve(game, names[method](**given), steps=steps, start=start)


# --- no correct run is refuted --------------------------------------------------------------------------------------------------------------


@given(st.data())
def test_no_honest_run_is_refuted(data: st.DataObject) -> None:
    trace = honest(data.draw, 120)
    claims = check_bounds(trace, mg.nash(trace.game))
    assert not refuted(claims), (trace, refuted(claims))
    assert all(claim.hard and claim.question in (Question.GUARANTEED, Question.RECORD) for claim in claims)


@pytest.mark.slow
@settings(max_examples=400)
@given(st.data())
def test_no_long_honest_run_is_refuted(data: st.DataObject) -> None:
    trace = honest(data.draw, 20_000)
    claims = check_bounds(trace, mg.nash(trace.game))
    assert not refuted(claims), (trace, refuted(claims))


@pytest.mark.parametrize("method", METHODS)
def test_runs_at_the_rounding_floor_are_not_refuted(method: str) -> None:
    for game in (RPS, mg.games.bradley_terry(n=5), mg.MatrixGame(np.array([[3.0, 1.0], [0.0, 2.0]]) + 100.0), mg.games.clones()):
        trace = mg.solve(game, algorithm_of(method, float(game.scale), 0.5, 1.0, 30), steps=1_500)
        assert not refuted(check_bounds(trace, mg.nash(game)))


def test_runs_of_a_stack_are_not_refuted() -> None:
    """Payoffs of a stack are summed in another order: the replay differs by rounding, which its bound must cover."""
    games = [mg.games.from_spec(f"random:n=30,seed={seed}") for seed in range(4)]
    for spec in ("mpo", "mpo:inner=pu", "omwu", "extragradient", "mmd:magnet=moving"):
        for trace in mg.solve_many(games, mg.algorithms.from_spec(spec), steps=800):
            claims = {claim.name: claim for claim in check_bounds(trace, mg.nash(trace.game))}
            assert not refuted(tuple(claims.values()))
            assert claims["rule"].verdict is Verdict.CONFIRMED


@pytest.mark.parametrize("evaluation", ["iterate", "half_step", "extrapolated", "mixture"])
@pytest.mark.parametrize("explicit", [False, True])
def test_every_member_of_the_family_is_replayed(evaluation: Any, explicit: bool) -> None:
    """Also those that have no name: refreshed magnets under falling settings, moving ones under any evaluation."""
    choices: list[dict[str, Any]] = [
        {"magnet": "refreshed", "refresh_every": 7, "step_size_power": 0.5, "decay_time": 20.0},
        {"magnet": "refreshed", "refresh_every": 7, "uniform_reference": True},
        {"magnet": "moving", "magnet_rate": 0.05},
        {"magnet": "fixed", "magnet_strength_power": 0.5, "decay_time": 20.0},
    ]
    for choice in choices:
        rule = LogLinear(step_size=0.4, magnet_strength=0.2, evaluation=evaluation, explicit=explicit, **choice)
        trace = mg.solve(RPS, rule, steps=400, start=START)
        claims = by_name(trace)
        assert not refuted(tuple(claims.values()))
        assert claims["rule"].verdict is Verdict.CONFIRMED
        assert by_name(relabelled(trace, refresh_every=8))["rule"].verdict is (Verdict.REFUTED if "refresh_every" in choice else Verdict.CONFIRMED)


def test_what_is_confirmed_where() -> None:
    confirmed = {
        method: {
            name
            for name, claim in by_name(mg.solve(RPS, algorithm_of(method, 0.4, 0.5, 1.0, 30), steps=3_000, start=START)).items()
            if claim.verdict is Verdict.CONFIRMED
        }
        for method in METHODS
    }
    both, stage = {"record", "rule"}, {"contraction", "regularised_gap"}
    assert confirmed["mmd"] == confirmed["pu"] == both | stage | {"plateau"}
    assert confirmed["mpo"] == confirmed["mpo_pu"] == both | stage | {"fejer"}
    assert confirmed["nash_md"] == both | {"regularised_gap"}
    for method in ("mwu", "omwu", "extragradient", "moving", "annealed"):
        assert confirmed[method] == both, method


@pytest.mark.parametrize(
    ("trace", "name", "words"),
    [
        (run("omwu"), "contraction", "no magnet"),
        (run("mmd", step_size=2.0, magnet_strength=0.2), "contraction", "above α/L²"),
        (run("pu", step_size=3.0, magnet_strength=0.2), "contraction", "above 1 − ηα"),
        (run("mmd", magnet="annealed"), "regularised_gap", "move at every step"),
        (run("mmd"), "fejer", "not refreshed"),
        (mg.solve(RPS, steps=50, start=START, feedback=mg.Sampled(opponents=2)), "rule", "sampled"),
        (mg.solve(RPS, steps=50, start=START, feedback=mg.Sampled(opponents=2)), "fejer", "sampled"),
        (mg.Trace.from_policies(RPS, np.log([START, START])), "rule", "not known"),
        (mg.Trace.from_policies(RPS, np.log([START, START])), "contraction", "not known"),
        (run("mmd", magnet_strength=1e-13), "contraction", "too weak"),
        (run("mmd", reference="uniform", start=[0.5, 0.5, 0.0]), "contraction", "never plays"),
        (run("mpo", start=[0.5, 0.5, 0.0]), "fejer", "never plays"),
        (mg.solve(mg.MatrixGame(np.zeros((2, 3))), steps=20), "fejer", "no payoffs"),
    ],
)
def test_where_theory_is_silent_the_claim_says_so(trace: mg.Trace, name: str, words: str) -> None:
    claim = by_name(trace)[name]
    assert (claim.verdict, claim.measured) == (Verdict.NOT_APPLICABLE, None)
    assert words in claim.detail


# --- false runs are refuted, by the claim that is meant for it -------------------------------------------------------------------------------


def relabelled(trace: mg.Trace, **changes: float) -> mg.Trace:
    """The same run said to have other settings, in its algorithm and in its stages."""
    stages = trace.stages
    for name, column in (("step_size", "step_sizes"), ("magnet_strength", "magnet_strengths")):
        if name in changes:
            stages = dataclasses.replace(stages, **{column: np.full(len(stages), changes[name])})
    return dataclasses.replace(trace, algorithm=dataclasses.replace(trace.algorithm, **changes), stages=stages)


@pytest.mark.parametrize("inner", ["mmd", "pu"])
@pytest.mark.parametrize("setting", ["step_size", "magnet_strength"])
@pytest.mark.parametrize("factor", [0.999, 1 - 1e-9])
def test_a_wrong_setting_is_refuted_by_the_replay(inner: Any, setting: str, factor: float) -> None:
    trace = run(inner=inner)
    assert check_rule(trace).verdict is Verdict.CONFIRMED
    claim = check_rule(relabelled(trace, **{setting: factor * getattr(trace.algorithm, setting)}))
    assert claim.verdict is Verdict.REFUTED
    assert "from iteration" in claim.detail
    assert "times what rounding explains" in claim.detail
    assert claim.measured is not None
    # A relative change of the setting moves the log-policies by no more than that part of how far they ever move (7 here).
    assert 0 < claim.measured < 10 * (1 - factor)


@pytest.mark.parametrize("method", ["mmd", "pu", "omwu"])
def test_a_wrong_step_size_is_refuted_in_every_method(method: str) -> None:
    trace = run(method, steps=2_000)
    assert check_rule(relabelled(trace, step_size=1.001 * trace.algorithm.step_size)).verdict is Verdict.REFUTED


def test_a_setting_that_differs_from_the_stages_is_named() -> None:
    trace = run()
    claim = check_rule(dataclasses.replace(trace, algorithm=dataclasses.replace(trace.algorithm, step_size=1.0)))
    assert claim.verdict is Verdict.REFUTED
    assert "the stated one 1" in claim.detail
    strong = check_rule(dataclasses.replace(trace, algorithm=dataclasses.replace(trace.algorithm, magnet_strength=1.0)))
    assert "recorded magnet strength" in strong.detail


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_stage_length_is_refuted(change: int) -> None:
    trace = run(refresh_every=20)
    claim = check_rule(relabelled(trace, refresh_every=20 + change))
    assert claim.verdict is Verdict.REFUTED
    assert f"stage 2 begins at iteration 20, not at {20 + change}" in claim.detail
    # Stages that were made to fit the label are given away by the replay.
    fitted = dataclasses.replace(trace.stages, iterations=np.arange(len(trace.stages)) * 15)
    steps = trace.policy_iterations <= 15 * (len(trace.stages) - 1)
    kept = trace.iterations <= 15 * (len(trace.stages) - 1)
    cut = {name: getattr(trace, name)[kept] for name in ("iterations", "products", "gaps", "average_gaps")}
    cut |= {name: getattr(trace, name)[steps] for name in ("policy_iterations", "log_policies")}
    forged = dataclasses.replace(relabelled(trace, refresh_every=15), stages=fitted, **cut)
    forged = dataclasses.replace(
        forged,
        stages=dataclasses.replace(
            fitted, **{n: getattr(fitted, n)[: forged.steps // 15 + 1] for n in ("iterations", "log_magnets", "magnet_strengths", "step_sizes")}
        ),
    )
    assert "from iteration" in check_rule(forged).detail
    assert check_rule(forged).verdict is Verdict.REFUTED


def test_a_missing_stage_is_refuted() -> None:
    trace = run(refresh_every=20)
    columns = ("iterations", "log_magnets", "magnet_strengths", "step_sizes")
    shorter = dataclasses.replace(trace.stages, **{name: getattr(trace.stages, name)[:-1] for name in columns})
    claim = check_rule(dataclasses.replace(trace, stages=shorter))
    assert claim.verdict is Verdict.REFUTED
    assert "there are 30 stages, not 31" in claim.detail


def tampered(trace: mg.Trace, row: int, amount: float) -> mg.Trace:
    """One policy nudged, its gap made to fit."""
    logs = trace.log_policies.copy()
    logs[row] = log_normalise(logs[row] + amount * np.array([1.0, 0.0, -1.0]), trace.game.blocks)
    gaps = trace.gaps.copy()
    gaps[trace.iterations.searchsorted(trace.policy_iterations[row])] = mg.duality_gap(trace.game, np.exp(logs[row]))
    return dataclasses.replace(trace, log_policies=logs, gaps=gaps)


def test_a_changed_policy_is_refuted_and_named() -> None:
    trace = run("mmd")
    claim = check_rule(tampered(trace, 5, 1e-9))
    assert claim.verdict is Verdict.REFUTED
    assert claim.measured == pytest.approx(1e-9, rel=0.5)
    assert f"{trace.policy_iterations[5]}" in claim.detail
    assert check_record(tampered(trace, 5, 1e-9)).verdict is Verdict.CONFIRMED
    contraction = check_contraction(tampered(trace, -1, 0.1))
    assert contraction.verdict is Verdict.REFUTED
    assert "broken at iteration 600" in contraction.detail


def test_a_changed_magnet_is_refuted() -> None:
    trace = run(refresh_every=20)
    for row in (1, -1):
        magnets = trace.stages.log_magnets.copy()
        magnets[row] = log_normalise(magnets[row] + np.array([1e-6, 0.0, 0.0]), trace.game.blocks)
        assert check_rule(dataclasses.replace(trace, stages=dataclasses.replace(trace.stages, log_magnets=magnets))).verdict is Verdict.REFUTED
    magnets = trace.stages.log_magnets.copy()
    magnets[0] = np.log([0.4, 0.4, 0.2])
    claim = check_rule(dataclasses.replace(trace, stages=dataclasses.replace(trace.stages, log_magnets=magnets)))
    assert (claim.verdict, claim.detail) == (Verdict.REFUTED, "the first magnet is not the one that the settings say.")


@pytest.mark.parametrize("other", [mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.90001)), mg.PreferenceGame(RPS.preference.T)])
def test_a_run_of_another_game_is_refuted(other: mg.PreferenceGame) -> None:
    trace = dataclasses.replace(run(game=other, magnet_strength=0.08, step_size=0.5, refresh_every=200, steps=2_000), game=RPS)
    claims = by_name(trace)
    assert claims["record"].verdict is Verdict.REFUTED
    assert claims["rule"].verdict is Verdict.REFUTED
    if other.preference[0, 1] < 0.5:  # the sign turned: far away, so the theorems see it too
        assert claims["contraction"].verdict is Verdict.REFUTED


# --- the record -----------------------------------------------------------------------------------------------------------------------------


def test_what_of_the_record_was_looked_at_is_said() -> None:
    trace = run()
    claim = check_record(trace)
    assert claim.verdict is Verdict.CONFIRMED
    assert f"{len(trace.log_policies):,} of {len(trace.gaps):,} recorded gaps" in claim.detail
    assert "averages cannot be recomputed" in claim.detail


@pytest.mark.parametrize(
    ("entry", "words"),
    [(np.log(1.5), "not normalised"), (0.5, "no logarithm of a probability"), (math.nan, "no logarithm of a probability")],
)
def test_what_is_no_policy_is_refuted(entry: float, words: str) -> None:
    trace = run()
    logs = trace.log_policies.copy()
    logs[7, 0] = entry if entry != np.log(1.5) else logs[7, 0] - 1e-9
    claim = check_record(dataclasses.replace(trace, log_policies=logs))
    assert claim.verdict is Verdict.REFUTED
    assert f"at iteration {trace.policy_iterations[7]} " in claim.detail
    assert words in claim.detail


def test_a_gap_that_is_off_or_missing_is_refuted() -> None:
    trace = run()
    gaps = trace.gaps.copy()
    gaps[trace.iterations.searchsorted(trace.policy_iterations[9])] += 1e-13
    claim = check_record(dataclasses.replace(trace, gaps=gaps))
    assert claim.verdict is Verdict.REFUTED
    assert f"at iteration {trace.policy_iterations[9]} " in claim.detail
    assert claim.measured == pytest.approx(1e-13, rel=0.1)
    assert check_record(dataclasses.replace(trace, gaps=np.full_like(gaps, math.nan))).verdict is Verdict.REFUTED
    steps = trace.iterations.copy()
    steps[-1] += 1
    assert "has no recorded gap" in check_record(dataclasses.replace(trace, iterations=steps)).detail


# --- the theorems ---------------------------------------------------------------------------------------------------------------------------


@given(ANY_GAME, st.data(), st.floats(-2, 2).map(lambda power: 10.0**power))
def test_policy_update_contracts_up_to_the_wider_step_size(game: mg.Game, data: st.DataObject, relative: float) -> None:
    """η = 1/(α + L), beyond the 1/(α + 2L) of the literature: (ηL)² ≤ 1 − ηα is all that the proof needs. To the square root, rounding is the sum of both logit errors."""
    strength = relative * float(game.scale)
    step_size = 1 / (strength + float(game.scale))
    magnet, start = (data.draw(log_policies(game, lowest=-20.0)) for _ in range(2))
    equilibrium = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet)
    rule = LogLinear(step_size=step_size, magnet_strength=strength, magnet="fixed", explicit=True, evaluation="half_step")
    after = rule.step(State(start, magnet, step_size, strength, 0, None), Payoffs(game, mg.Exact())).log_policy
    before, now = float(kl(equilibrium.log_policy, start)), float(kl(equilibrium.log_policy, after))
    error = logit_residual(game, equilibrium.log_policy, magnet, strength)
    doubt = target_shift(error, 1 / relative, equilibrium.log_policy, np.array([start, after]), game.blocks) + kl_rounding(game.actions) * np.array(
        [before, now]
    )
    root = math.sqrt((1 - step_size * strength) * (before + doubt[0])) + shifted_root(step_rounding(game, rule, step_size, strength, 60.0), game.blocks)
    assert now <= root**2 + doubt[1]


def test_the_contraction_is_attained_where_a_magnet_is_all_there_is() -> None:
    """Without an opponent who matters both factors are attained to first order: what is measured is what is predicted."""
    game = mg.MatrixGame([[0.0, 0.0], [0.0, 0.0], [0.0, 1e-6]])
    start = [0.3, 0.3, 0.4, 0.5, 0.5]
    slow = mg.solve(game, mg.MagneticMirrorDescent(magnet_strength=1.0, step_size=0.1, reference="uniform"), steps=40, start=start)
    fast = mg.solve(game, mg.PolicyUpdate(magnet_strength=1.0, step_size=0.1, reference="uniform"), steps=40, start=start)
    for trace, factor in ((slow, 1 / 1.1), (fast, 0.9)):
        claim = check_contraction(trace)
        assert claim.verdict is Verdict.CONFIRMED
        assert claim.predicted == pytest.approx(factor, rel=1e-12)
        # KL contracts by the square of the logarithms' factor at the end, and by less on the way: below the guarantee.
        assert claim.measured is not None
        assert factor**2 * 0.98 <= claim.measured <= factor


def test_a_run_above_the_theorem_breaks_it() -> None:
    pennies, start = mg.games.matching_pennies(), [0.500001, 0.499999, 0.5, 0.5]
    for method, named in ((mg.PolicyUpdate, 0.5), (mg.MagneticMirrorDescent, 0.5)):
        kind = method(step_size=named, magnet_strength=0.5, reference="uniform")
        above = mg.solve(pennies, dataclasses.replace(kind, step_size=1.3), steps=40, start=start)
        assert check_contraction(above).verdict is Verdict.NOT_APPLICABLE
        claim = check_contraction(relabelled(above, step_size=named))
        assert claim.verdict is Verdict.REFUTED
        assert "broken at iteration" in claim.detail


def test_matching_pennies_use_both_bounds_up() -> None:
    """Near the even policy Pinsker and Hoeffding are equalities: the contraction is attained at η = α/L² and broken by a tenth more, and so is the regularised gap's upper bound."""
    pennies, start = mg.games.matching_pennies(), [0.5001, 0.4999, 0.5, 0.5]
    kind = mg.MagneticMirrorDescent(step_size=0.5, magnet_strength=0.5, reference="uniform")
    trace = mg.solve(pennies, kind, steps=40, start=start)
    claims = by_name(trace)
    assert claims["contraction"].verdict is Verdict.CONFIRMED
    assert claims["contraction"].measured == pytest.approx(0.8, rel=1e-6)
    # What is left out is of second order in the distance to the even policy, 2e-4 in logarithms.
    assert claims["regularised_gap"].verdict is Verdict.CONFIRMED
    assert claims["regularised_gap"].measured == pytest.approx(1, abs=1e-5)
    # (1 + 0.55²)/(1 + 0.55·0.5)² = 0.8013 a step.
    faster = mg.solve(pennies, dataclasses.replace(kind, step_size=0.55), steps=40, start=start)
    assert check_contraction(relabelled(faster, step_size=0.5)).verdict is Verdict.REFUTED


def test_the_last_policy_of_a_stage_is_checked_too() -> None:
    """The magnet of the next stage is the last policy of this one: four recorded policies leave every refresh known."""
    trace = mg.solve(RPS, mg.MagneticPreferenceOptimization(refresh_every=30), steps=3_000, start=START, record=mg.Record(gaps=4, policies=4))
    claim = check_contraction(trace)
    assert claim.verdict is Verdict.CONFIRMED
    assert "in 100 of 101 stages" in claim.detail or "in 101 of 101 stages" in claim.detail
    magnets = trace.stages.log_magnets.copy()
    magnets[3] = magnets[2]
    stalled = dataclasses.replace(trace, stages=dataclasses.replace(trace.stages, log_magnets=magnets))
    broken = check_contraction(stalled)
    assert broken.verdict is Verdict.REFUTED
    assert "iteration 90" in broken.detail


def test_a_wrong_regularised_equilibrium_breaks_the_regularised_gap() -> None:
    trace = run("mmd")
    solved = solve_stages(trace)
    (stage,) = solved.stages
    assert check_regularised_gap(trace, solved).verdict is Verdict.CONFIRMED
    moved = log_normalise(stage.log_policy + np.array([1e-5, 0.0, 0.0]), RPS.blocks)
    for false in (dataclasses.replace(stage, log_policy=moved), dataclasses.replace(stage, magnet_strength=stage.magnet_strength * 1.001)):
        claim = check_regularised_gap(trace, dataclasses.replace(solved, stages=(false,)))
        assert claim.verdict is Verdict.REFUTED
        assert "broken at iteration" in claim.detail


def test_the_plateau_is_refuted_by_a_gap_that_cannot_be() -> None:
    trace = run("mmd", steps=3_000)
    assert check_plateau(run("mpo")) is None
    claim = check_plateau(trace)
    assert claim is not None
    assert claim.verdict is Verdict.CONFIRMED
    forged = check_plateau(dataclasses.replace(trace, gaps=np.append(trace.gaps[:-1], trace.gap * (1 + 1e-6))))
    assert forged is not None
    assert forged.verdict is Verdict.REFUTED
    assert "more than the" in forged.detail
    short = check_plateau(run("mmd", steps=20))
    assert short is not None
    assert short.verdict is Verdict.INCONCLUSIVE


# --- the outer loop -------------------------------------------------------------------------------------------------------------------------

PURE = mg.games.bradley_terry(n=5)


def test_the_outer_equality_is_tight_where_stages_are_long() -> None:
    trace = mg.solve(PURE, mg.MagneticPreferenceOptimization(refresh_every=300), steps=6_000)
    reference = mg.nash(PURE)
    claim = check_fejer(trace, reference)
    assert claim.verdict is Verdict.CONFIRMED
    # By hand, with the three divergences themselves, at the first refresh.
    first, second = trace.stages.log_magnets[:2]
    with np.errstate(divide="ignore"):
        target = np.log(reference.policy)
    fallen = float(kl(target, first) - kl(target, second) - kl(second, first))
    weight = (1 - (1 + trace.algorithm.step_size * trace.algorithm.magnet_strength) ** -300) / trace.algorithm.magnet_strength
    slacks = -(PURE.payoffs(reference.policy) @ np.exp(second))
    assert fallen == pytest.approx(weight * slacks, rel=1e-4)


@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_a_wrong_strength_breaks_the_outer_equality(factor: float) -> None:
    trace = mg.solve(PURE, mg.MagneticPreferenceOptimization(refresh_every=300, step_size=0.3, magnet_strength=0.2), steps=6_000)
    claim = check_fejer(relabelled(trace, magnet_strength=factor * 0.2), mg.nash(PURE))
    assert claim.verdict is Verdict.REFUTED
    assert "broken at the refresh of iteration" in claim.detail


def test_a_turned_sign_another_game_and_false_slacks_break_the_outer_equality() -> None:
    algorithm = mg.MagneticPreferenceOptimization(refresh_every=300, step_size=0.3, magnet_strength=0.2)
    trace, reference = mg.solve(PURE, algorithm, steps=3_000), mg.nash(PURE)
    turned = mg.solve(mg.PreferenceGame(PURE.preference.T), algorithm, steps=3_000)
    other = mg.solve(mg.games.bradley_terry(n=5, seed=7), algorithm, steps=3_000)
    for false in (turned, other):
        assert check_fejer(dataclasses.replace(false, game=PURE), reference).verdict is Verdict.REFUTED
    assert check_fejer(trace, dataclasses.replace(reference, slack=1.02 * reference.slack)).verdict is Verdict.REFUTED
    elsewhere = np.roll(reference.policy, 1)  # no equilibrium, said to be one
    assert check_fejer(trace, dataclasses.replace(reference, policy=elsewhere)).verdict is Verdict.REFUTED
    assert check_fejer(trace, dataclasses.replace(reference, converged=False)).verdict is Verdict.INCONCLUSIVE
    assert check_fejer(mg.solve(PURE, algorithm, steps=30), reference).verdict is Verdict.INCONCLUSIVE


# --- the error bounds -----------------------------------------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from([(3,), (2, 3), (6,)]), st.floats(-12, 0.5).map(lambda power: 10.0**power))
def test_the_root_of_a_divergence_moves_by_no_more_than_its_bound(data: st.DataObject, blocks: tuple[int, ...], shift: float) -> None:
    one, other = (data.draw(log_policies(blocks, lowest=-30.0)) for _ in range(2))
    signs = np.array(data.draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=sum(blocks), max_size=sum(blocks))))
    before, after = (math.sqrt(kl(one, logs)) for logs in (other, log_normalise(other + shift * signs, blocks)))
    rounding = 1e-15 * 60 + 1e-12 * before  # logs to 30 are rounded by 4e-15 each, and so is their root in the worst case
    assert abs(after - before) <= shifted_root(shift, blocks) + rounding


@given(ANY_GAME, st.data(), st.floats(-2, 2).map(lambda power: 10.0**power))
def test_the_residual_bounds_the_distance_to_the_regularised_equilibrium(game: mg.Game, data: st.DataObject, relative: float) -> None:
    strength = relative * float(game.scale)
    magnet, policy, run_policy = (data.draw(log_policies(game, lowest=-20.0)) for _ in range(3))
    target = regularised_equilibrium(game, magnet_strength=strength, log_magnet=magnet).log_policy
    small = logit_residual(game, target, magnet, strength)
    for logs in (policy, log_normalise(target + 1e-6 * policy, game.blocks)):
        bound = logit_residual(game, logs, magnet, strength)
        assert math.sqrt(float(kl(logs, target) + kl(target, logs))) <= bound + small + 1e-14
        shift = target_shift(bound, 1 / relative, logs, run_policy[None], game.blocks)[0]
        slack = target_shift(small, 1 / relative, target, run_policy[None], game.blocks)[0] + 1e-12
        assert abs(float(kl(target, run_policy) - kl(logs, run_policy))) <= shift + slack


def nudged(game: mg.Game, rule: LogLinear, start: np.ndarray, nudge: np.ndarray, spread: float, steps: int) -> list[float]:
    """Two runs whose starts differ by the nudge: the largest share of the bound that their distance is, after every step."""
    payoffs, first = Payoffs(game, mg.Exact()), rule.init(start)
    magnet = np.zeros(game.actions) + first.log_magnet
    first = first._replace(log_magnet=magnet)
    second = first._replace(log_policy=log_normalise(start + nudge, game.blocks))
    drift = Drift(game, rule)
    drift.entries = np.abs(nudge)
    drift._spread = spread
    seen: list[np.ndarray] = []

    class Watched:
        blocks = game.blocks

        def __call__(self, log_policy: np.ndarray) -> np.ndarray:
            seen.append(log_policy)
            return payoffs(log_policy)

    shares = []
    for _ in range(steps):
        after = rule.step(first, Watched())
        drift.advance(first, seen[-1], after)
        first, second = after, rule.step(second, payoffs)
        shares.append(float(np.max(np.abs(first.log_policy - second.log_policy) / drift.at_the_end(first.log_policy))))
    return shares


@pytest.mark.parametrize("relative", [0.3, 3.0])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spec", ["random:n=7,seed=3", "kuhn_poker", "bradley_terry:n=6"])
def test_two_runs_drift_apart_by_no_more_than_their_bound(method: str, spec: str, relative: float) -> None:
    """Start two runs 1e-9 apart, a million times what rounding does: the bound covers their distance at every step, over refreshes too, and is not empty."""
    game = mg.games.from_spec(spec)
    part = 0.9 if relative < 1 else 0.1
    rule = algorithm_of(method, float(game.scale), relative, part, 7).with_defaults(float(game.scale)).log_linear
    start = log_normalise(np.random.default_rng(1).normal(size=game.actions), game.blocks)
    nudge = 1e-9 * np.random.default_rng(2).choice([-1.0, 1.0], size=game.actions)
    shares = nudged(game, rule, start, nudge, math.sqrt(len(game.blocks)) * 1e-9, 7 if rule.evaluation == "extrapolated" else 24)
    assert max(shares) <= 1
    assert min(shares) > LEAST_SHARE[relative]


def test_the_drift_of_one_step_is_attained() -> None:
    """Matching pennies at the even policy: only y is nudged, and x then moves by ηL times that; the bound on x holds nothing else."""
    nudge = 1e-9 * np.array([0.0, 0.0, 1.0, -1.0])
    game, start = mg.games.matching_pennies(), np.log(np.full(4, 0.5))
    rule = mg.MultiplicativeWeights(step_size=0.4).log_linear
    payoffs, drift = Payoffs(game, mg.Exact()), Drift(game, rule)
    drift.entries, drift._spread = np.abs(nudge), 1e-9
    first = rule.init(start)
    after, other = (rule.step(state, payoffs) for state in (first, first._replace(log_policy=start + nudge)))
    drift.advance(first, start, after)
    assert np.abs(after.log_policy - other.log_policy)[:2] == pytest.approx(drift.entries[:2], rel=1e-4)


@given(ANY_GAME, st.data(), st.sampled_from(METHODS), st.floats(-2, 2).map(lambda power: 10.0**power))
def test_the_rounding_of_a_step_is_bounded(game: mg.Game, data: st.DataObject, method: str, relative: float) -> None:
    """Against the same step in long doubles, from logarithms down to −600; each of two runs may be off, so half of the bound is for one."""
    rule = algorithm_of(method, float(game.scale), relative, data.draw(st.floats(0.01, 1.0)), 7).with_defaults(float(game.scale)).log_linear
    start, magnet = (data.draw(log_policies(game, lowest=-600.0)) for _ in range(2))
    state, payoffs = rule.init(start), Payoffs(game, mg.Exact())
    state = state._replace(log_magnet=magnet + np.zeros(game.actions))
    evaluated: list[np.ndarray] = []

    class Watched:
        blocks = game.blocks

        def __call__(self, log_policy: np.ndarray) -> np.ndarray:
            evaluated.append(log_policy)
            return payoffs(log_policy)

    after = rule.step(state, Watched())
    long = state._replace(log_policy=start.astype(np.longdouble), log_magnet=magnet.astype(np.longdouble))
    exact = rule.step(long, Payoffs(game, mg.Exact())).log_policy
    drift = Drift(game, rule)
    drift.advance(state, evaluated[-1], after)
    assert np.all(np.abs((exact - after.log_policy).astype(float)) <= drift.at_the_end(after.log_policy) / 2)
    # What the bound is made of: units of the last place of logarithms, and of payoffs.
    largest = max(largest_log(start, magnet, after.log_policy), float(rule.step_size) * game.largest_payoff)
    assert 1e-16 * largest < drift.largest < 1e-12 * largest * game.actions * (1 + float(rule.step_size) * float(game.scale))


@pytest.mark.parametrize("method", [method for method in METHODS if method != "omwu"])
def test_at_rest_two_runs_do_not_drift_apart(method: str) -> None:
    """Near an equilibrium the bound may only add up roundings, 3e-14 a step here, where a Lipschitz constant of log-policies would let it grow by up to 1.3 a step."""
    rule = algorithm_of(method, 0.4, 0.3, 0.3, 25).with_defaults(0.4).log_linear
    rest = np.log(np.array([4.0, 3.0, 4.0]) / 11)
    state, payoffs, drift = rule.init(rest + 1e-6 * np.array([3.0, -4.0, 0.0])), Payoffs(RPS, mg.Exact()), Drift(RPS, rule)
    for _ in range(60):
        half = state.log_policy  # the half step differs from it by less than 1e-6, which changes no bound by more
        after = rule.step(state, payoffs)
        drift.advance(state, half, after)
        state = after
    # Multiplicative weights at ηL = 0.3 grow by √1.09 a step, to 13 in 60; roundings of 1e-13 a step then come to 1e-10 at most. With 1.3 a step they would come to 1e-6.
    assert 0 < drift.largest < 1e-9
    assert np.all(drift.at_the_end(state.log_policy) < 2.1 * drift.largest + 1e-13)


@given(st.integers(1, 40), st.floats(-2.0, -1e-6))
def test_the_mean_of_a_contraction_over_a_stage(steps: int, half: float) -> None:
    weights = np.exp(2 * half * np.arange(steps - 1, -1, -1.0))
    by_hand = float(weights @ np.exp(half * np.arange(steps)) / weights.sum())
    assert mean_root(half, np.array([steps]))[0] == pytest.approx(by_hand, rel=1e-12)
    assert remembered(half, steps) == pytest.approx(float(np.sum(np.exp(half * np.arange(steps)))), rel=1e-9)
    assert remembered(0.0, steps) == steps


# --- what is not computed -------------------------------------------------------------------------------------------------------------------


def test_large_systems_are_solved_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = run("mpo", steps=3_000)
    direct = solve_stages(trace)
    monkeypatch.setattr(solved_module, "LARGEST_SYSTEM", 2)
    found = solve_stages(trace)
    assert (len(found.stages), found.unsolved, found.total) == (3, 0, direct.total)
    assert np.abs(found.stages[0].log_policy - direct.stages[0].log_policy).max() <= found.stages[0].log_error + direct.stages[0].log_error
    assert found.stages[0].error < 1e-12
    assert check_contraction(trace).verdict is Verdict.CONFIRMED
    few = run("mmd", steps=30)
    for check in (check_contraction, check_regularised_gap, check_plateau):
        claim = check(few)
        assert claim is not None
        assert claim.verdict is Verdict.INCONCLUSIVE
        assert "by products alone" in claim.detail


def test_stages_are_solved_as_far_as_the_run_pays_for_it() -> None:
    trace = mg.solve(mg.games.from_spec("random:n=40,seed=1"), mg.MagneticPreferenceOptimization(refresh_every=3), steps=1_200)
    found = solve_stages(trace)
    assert (len(found.stages), found.total) == (15, 401)
    assert found.stages[0].times[0] == 0
    assert found.stages[-1].times[-1] == 1_200
    assert "in 15 of 401 stages" in found.extent


# --- the numbers of the error bounds, by hand ------------------------------------------------------------------------------------------------

U = 2.0**-53


class Coarse(mg.MatrixGame):
    """Two players whose payoffs are rounded to a hundredth: what rounding adds to a bound is as large as the rest."""

    payoff_rounding = 0.01


COARSE = Coarse(np.array([[1.0, -0.5, 0.25], [-0.25, 0.75, 0.5]]))
"""L = ¾, max|A| = 1, five actions."""


def coarse_units(monkeypatch: pytest.MonkeyPatch, *modules: Any) -> None:
    """Arithmetic of two digits in these modules, so that no term of a bound hides behind another."""
    for module in (rounding_module, *modules):
        monkeypatch.setattr(module, "UNIT", 2.0**-13)


def made(actions: tuple[int, ...] = (2, 2), pays: Any = None, **given: float) -> Any:
    """What a bound asks of a game: rounding, largest payoff, L."""
    numbers = {"payoff_rounding": 8 * U, "largest_payoff": 3.0, "scale": 2.0} | given
    return SimpleNamespace(blocks=actions, actions=sum(actions), payoffs=lambda policy: np.zeros(sum(actions)) if pays is None else np.array(pays), **numbers)


def divergence(p: Any, q: Any) -> float:
    """KL as the textbook has it."""
    return math.fsum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def test_roundings_in_units_of_the_last_place() -> None:
    assert payoff_rounding(made()) == 20 * U  # 8 of the product and 4·3
    assert gap_rounding(made()) == 80 * U
    assert kl_rounding(7) == 1007 * U
    assert normalisation_rounding(7) == 92 * U
    assert largest_log(np.array([-3.0, -np.inf]), np.array([[-7.0, 2.0]])) == 7.0
    assert largest_log(np.array([-0.5])) == 1.0


@pytest.mark.parametrize(
    ("explicit", "evaluation", "expected"),
    # Implicitly η/(1 + ηα) = ¼: 20/4 of the payoff and 24·(5 + 3/4); explicitly η = ½: 20/2 and 24·(5 + 3/2). A second evaluation takes ¼·L or ½·L of that over.
    [(False, "iterate", 143.0), (True, "mixture", 166.0), (False, "half_step", 143 * 1.5), (True, "half_step", 166 * 2.0), (False, "extrapolated", 143.0)],
)
def test_the_rounding_of_a_step_by_hand(explicit: bool, evaluation: Any, expected: float) -> None:
    rule = LogLinear(step_size=9.0, magnet="fixed", explicit=explicit, evaluation=evaluation)
    assert step_rounding(made(), rule, 0.5, 2.0, 5.0) == expected * U


def test_the_residual_by_hand() -> None:
    log_policy, log_magnet = np.array([-1.0, -2.0, -1.0, -3.0, -np.inf]), np.array([-2.0, -2.0, -1.0, -1.0, -np.inf])
    game = made((2, 3), [0.0, 2.0, 1.0, 3.0, 99.0], payoff_rounding=0.5)
    # log π − log ρ − q/2 is 1 and −1 in the first block, −½ and −7/2 in the second: half ranges 1 and 3/2, and a quarter of rounding to each.
    assert logit_residual(game, log_policy, log_magnet, 2.0) == pytest.approx(math.hypot(1.25, 1.75), rel=1e-14)
    # Without any residual: 4·(2·3 + 3/2) of the logits and (8 + 4·3)/2 of the payoffs.
    assert logit_residual(made((2, 3)), log_magnet, log_magnet, 2.0) == pytest.approx(math.sqrt(2) * (4 * 5.5 + 10) * U, rel=1e-14, abs=0)
    assert logit_residual(game, np.append(log_policy[:3], [-np.inf, -1.0]), log_magnet, 2.0) == math.inf


def test_the_shift_of_a_target_by_hand() -> None:
    target = np.log([0.5, 0.5, 0.25, 0.75, 1.0])
    target[4] = -np.inf
    # log t − log π has the variances 1 and, about 3, 9/4 + 3/4: together 4.
    other = target - np.array([1.0, -1.0, 0.0, 4.0, 0.0])
    other[4] = -5.0
    assert target_shift(0.5, 1.0, target, other[None], (2, 3)) == pytest.approx([0.25 + math.e], rel=1e-13)
    assert target_shift(0.5, 3.0, target, other[None], (2, 3)) == pytest.approx([0.25 + math.e**2], rel=1e-13)
    assert target_shift(400.0, 1.0, target, other[None], (2, 3)) == pytest.approx([800 * math.exp(700)], rel=1e-13)  # no overflow
    assert shifted_root(0.5, (2, 3)) == 0.5
    assert shifted_root(0.5, (2,) * 8) == 1.0


EVALUATIONS = [("iterate", False), ("iterate", True), ("half_step", False), ("half_step", True), ("mixture", False), ("mixture", True), ("extrapolated", False)]


@pytest.mark.parametrize(("evaluation", "explicit"), EVALUATIONS)
@pytest.mark.parametrize(("spread", "step_size"), [(0.01, 0.3), (0.01, 0.03), (0.2, 0.3), (5.0, 0.3), (0.01, 1.8)])
@pytest.mark.parametrize("magnet", ["fixed", "refreshed", "moving"])
def test_one_step_of_the_drift_by_hand(monkeypatch: pytest.MonkeyPatch, evaluation: Any, explicit: bool, spread: float, step_size: float, magnet: Any) -> None:
    """The recursion of the module's docstring in probabilities, where every term counts: two players of two actions, roundings of a thousandth."""
    coarse_units(monkeypatch, drift_module)
    unit = 2.0**-13
    game = made(payoff_rounding=0.001, largest_payoff=2.0, scale=0.5)
    rule = LogLinear(step_size=9.0, evaluation=evaluation, explicit=explicit, magnet=magnet, refresh_every=3, magnet_rate=0.25)
    pi, seen, after, rho, moved = ([0.5, 0.5, 0.2, 0.8], [0.4, 0.6, 0.3, 0.7], [0.45, 0.55, 0.25, 0.75], [0.6, 0.4, 0.1, 0.9], [0.5, 0.5, 0.3, 0.7])
    entries, magnets, last = [0.3, 0.4, 0.2, 0.1], [0.05, 0.02, 0.03, 0.04], 0.15
    drift = Drift(game, rule)
    drift.entries, drift._magnet, drift._spread, drift._last_spread = np.array(entries), np.array(magnets), spread, last
    alpha = 0.5
    drift.advance(State(np.log(pi), np.log(rho), step_size, alpha, 5, None), np.log(seen), State(np.log(after), np.log(moved), 7.0, 7.0, 6, None))

    def deviation(values: list[float], policy: list[float]) -> float:
        return math.sqrt(sum(p * v * v for v, p in zip(values, policy, strict=True)))

    def widening(policy: list[float], other: list[float]) -> float:
        return math.sqrt(max(b / a for a, b in zip(policy, other, strict=True)))

    a = 1 - step_size * alpha if explicit else 1 / (1 + step_size * alpha)
    step = step_size if explicit else step_size * a
    turn, payoffs = step / 2, 3 if evaluation == "extrapolated" else 1
    # A payoff is off by its own rounding and four units; 24 units of every logarithm that goes in, and both runs round.
    rounding = [
        2 * (payoffs * step * (0.001 + 8 * unit) + 24 * unit * (1 - math.log(p * q * r) + payoffs * step * 2)) for p, q, r in zip(pi, after, rho, strict=True)
    ]
    pulled = [a * e + (1 - a) * m for e, m in zip(entries, magnets, strict=True)]
    outside = (1 - a) * deviation(magnets, pi) + deviation(rounding, pi)
    second = 1.01 * turn * 0.4
    plainly = (math.sqrt(a**2 + turn**2) + second) * spread + outside
    highest = max(p + r for p, r in zip(pulled, rounding, strict=True))
    given, spread_after, home = spread, plainly, pi
    if evaluation == "half_step":
        given = min(highest + turn * spread, widening(pi, seen) * plainly)
        change = [math.log(b / p) for p, b in zip(pi, seen, strict=True)]
        centred = [change[i] - sum(pi[j] * change[j] for j in range(i - i % 2, i - i % 2 + 2)) for i in range(4)]
        multiplier = max(a, math.sqrt((a - turn**2) ** 2 + (a * turn) ** 2)) + 2 * (1 + turn) ** 2 * second
        spread_after = multiplier * spread + (1 + turn) * outside + 2 * turn * widening(pi, seen) * deviation(centred, pi) * given
    elif evaluation == "mixture" and explicit:
        given, home = min(highest, widening(pi, seen) * (a * spread + outside)), seen
        spread_after = (math.sqrt(1 + turn**2) + second) * given + widening(pi, seen) * deviation(rounding, pi)
    elif evaluation == "extrapolated":
        given, spread_after = 2 * spread + last, math.inf
    expected = [p + turn * given + r for p, r in zip(pulled, rounding, strict=True)]
    assert drift.entries == pytest.approx(expected, rel=1e-12)
    assert drift._spread == pytest.approx(min(spread_after * widening(home, after), deviation(expected, after)), rel=1e-12)
    assert drift._last_spread == spread
    # Step 6 is a multiple of 3; a moving magnet takes a quarter of the policy's bound, and 24 units of its own logarithms.
    moving = [0.75 * m + 0.25 * e + 24 * unit * (1 - math.log(r)) for m, e, r in zip(magnets, expected, moved, strict=True)]
    assert drift._magnet == pytest.approx({"fixed": magnets, "refreshed": expected, "moving": moving}[magnet], rel=1e-12)
    assert drift.largest == max(drift.entries)
    # Both policies normalised: the mean of the entries of a block, 4·4 + 64 units of the log-sum-exp, and 2 of the logarithm itself.
    mean = [sum(after[j] * expected[j] for j in range(i - i % 2, i - i % 2 + 2)) for i in range(4)]
    ends = [e + m + unit * (80 - 2 * math.log(p)) for e, m, p in zip(expected, mean, after, strict=True)]
    assert drift.at_the_end(np.log(after)) == pytest.approx(ends, rel=1e-12)


def test_the_drift_leaves_out_what_is_never_played() -> None:
    rule = LogLinear(step_size=0.3, magnet="refreshed", refresh_every=4, magnet_strength=0.5)
    short, long = made((2,)), made((3,))
    bounds = []
    for game, never in ((short, []), (long, [-np.inf])):
        drift = Drift(game, rule)
        state = State(np.append(np.log([0.5, 0.5]), never), np.append(np.log([0.4, 0.6]), never), 0.3, 0.5, 0, None)
        for step in range(3):
            drift.advance(state, state.log_policy, state._replace(steps=step + 1))
        bounds.append((drift.entries[:2].tolist(), drift._spread, drift._magnet))
    assert bounds[0] == bounds[1]
    assert bounds[0][2] is None  # not refreshed before step 4
    # From a policy to one e^4000 times as likely somewhere: no overflow.
    assert drift_module._widening(np.array([-4000.0, 0.0]), np.array([0.0, -4000.0])) == math.exp(700)
    drift = Drift(short, rule)
    drift._spread = 1e-300
    drift.advance(State(np.array([-4000.0, 0.0]), np.zeros(2), 0.3, 0.5, 0, None), np.zeros(2), State(np.array([0.0, -4000.0]), np.zeros(2), 0.3, 0.5, 1, None))
    assert np.all(np.isfinite(drift.entries))


COARSE_START = log_normalise(np.array([1.0, 0.0, 0.5, -0.5, 0.0]), COARSE.blocks)


def solved_stage(game: mg.Game, policies: np.ndarray, times: list[int], error: float = 0.03, **given: float) -> SolvedStage:
    """A stage whose equilibrium was not computed but said."""
    target, magnet = (log_normalise(np.array(logits), game.blocks) for logits in ([0.3, -0.2, 0.1, 0.5, -0.4], [0.0, 0.2, -0.1, 0.0, 0.3]))
    numbers = {"step_size": 0.3, "magnet_strength": 0.6} | given
    ratio = float(game.scale) / numbers["magnet_strength"]
    return SolvedStage(log_magnet=magnet, log_policy=target, error=error, ratio=ratio, times=np.array(times), log_policies=policies, **numbers)


def some_policies(number: int, spread: float = 1.0) -> np.ndarray:
    return log_normalise(spread * np.random.default_rng(number).normal(size=(number, 5)), COARSE.blocks)


@pytest.mark.parametrize("explicit", [False, True])
def test_the_bound_of_a_stretch_by_hand(monkeypatch: pytest.MonkeyPatch, explicit: bool) -> None:
    coarse_units(monkeypatch)
    rule = LogLinear(step_size=0.3, magnet_strength=0.6, magnet="fixed", explicit=explicit, evaluation="half_step" if explicit else "iterate")
    policies = some_policies(3)
    stage = solved_stage(COARSE, policies, [4, 7, 9])
    target = np.exp(stage.log_policy)
    kls = [divergence(target, np.exp(logs)) for logs in policies]
    # What is not known of KL: the error of the equilibrium, and (5 + 1000) units of KL itself.
    doubt = [float(stage.shift(COARSE)[row]) + 1005 * 2.0**-13 * kls[row] for row in range(3)]
    factor = 0.82 if explicit else 1 / 1.18
    error = step_rounding(COARSE, rule, 0.3, 0.6, largest_log(policies, stage.log_magnet))  # two blocks: times √(2/2)
    stretches = contraction_module._stretches(COARSE, rule, StagePolicies.of([stage]))
    assert (stretches.iteration.tolist(), stretches.steps.tolist()) == ([7, 9], [3, 2])
    for row, each in enumerate(contraction_module._Stretches(*both) for both in zip(*stretches, strict=True)):
        assert (each.before, each.after) == pytest.approx((kls[row], kls[row + 1]), rel=1e-9)
        assert each.bound == pytest.approx(factor**each.steps * kls[row], rel=1e-9)
        # Roundings of each step, contracted by those that follow.
        root = math.sqrt(factor**each.steps * (kls[row] + doubt[row])) + error * sum(factor ** (j / 2) for j in range(each.steps))
        assert each.bound + each.rounding == pytest.approx(root**2 + doubt[row + 1], rel=1e-9)
    assert stage.log_error == pytest.approx(0.03 * (1 + 0.75 / 0.6))


def test_what_the_contraction_measures() -> None:
    """The slowest of all stretches, and nothing of those that are rounding."""
    for trace in (run("mmd", steps=60, magnet_strength=0.2), run("pu", steps=3_000, magnet_strength=0.2)):
        (stage,) = solve_stages(trace).stages
        kls = [float(kl(stage.log_policy, logs)) for logs in trace.log_policies]
        known = list(zip(trace.policy_iterations.tolist(), kls, strict=True))
        # Above 1e-25 rounding, 1e-16 of logarithms of 1, is a thousandth of the square root and less.
        ratios = [(after / before) ** (1 / (last - first)) for (first, before), (last, after) in itertools.pairwise(known) if after > 1e-25]
        claim = check_contraction(trace)
        assert claim.measured == pytest.approx(max(ratios), rel=0.02)
        assert claim.measured <= claim.predicted
        eta, alpha = trace.algorithm.step_size, trace.algorithm.magnet_strength
        assert claim.predicted == pytest.approx(1 / (1 + eta * alpha) if isinstance(trace.algorithm, mg.MagneticMirrorDescent) else 1 - eta * alpha)
        assert claim.detail == f"holds over all {len(known) - 1:,} recorded stretches in the one stage; measured is the slowest."
    assert remembered(-1e-20, 7) == 7.0


BIG = mg.MatrixGame([[2.0, -2.0], [-2.0, 2.0]])


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        # L = 2: α/L² = ½, reached exactly and passed by a billionth.
        (LogLinear(step_size=0.5, magnet_strength=2.0, magnet="fixed"), ""),
        (LogLinear(step_size=0.5 + 1e-9, magnet_strength=2.0, magnet="fixed"), "step_size 0.5 is above α/L² = 0.5, where the theorem ends."),
        (LogLinear(step_size=3.0, magnet_strength=4.0, magnet="fixed"), "step_size 3 is above α/L² = 1, where the theorem ends."),
        # (½)² = 1 − ¼·3 at η = ¼.
        (LogLinear(step_size=0.25, magnet_strength=3.0, magnet="fixed", explicit=True, evaluation="half_step"), ""),
        (
            LogLinear(step_size=0.4, magnet_strength=2.0, magnet="fixed", explicit=True, evaluation="half_step"),
            "step_size 0.4 has (ηL)² = 0.64 above 1 − ηα = 0.2, where the theorem ends.",
        ),
        (
            LogLinear(step_size=0.1, magnet_strength=2.0, magnet="fixed", evaluation="mixture"),
            "the theorems are about the plain magnetic step and the policy update.",
        ),
        (LogLinear(step_size=0.1, magnet_strength=2.0, magnet="fixed", explicit=True), "the theorems are about the plain magnetic step and the policy update."),
        (LogLinear(step_size=0.1, magnet_strength=2.0, magnet="moving", magnet_rate=0.1), "magnet or settings move at every step."),
        (LogLinear(step_size=0.1), "there is no magnet."),
    ],
)
def test_where_the_contraction_is_guaranteed(rule: LogLinear, reason: str) -> None:
    assert why_no_contraction(mg.solve(BIG, rule, steps=3)) == reason


@pytest.mark.parametrize(("explicit", "step_size"), [(False, 0.5), (True, 0.25)])
def test_rounding_may_pass_the_end_of_the_theorem(monkeypatch: pytest.MonkeyPatch, explicit: bool, step_size: float) -> None:
    """Eight roundings of what the step size is compared with: of α/L² = ½, and of 1 − ηα = ¼ = (ηL)²."""
    strength = 3.0 if explicit else 2.0
    for units, reason in ((0.0, False), (7.9, False), (8.1, True)):
        monkeypatch.setattr(contraction_module, "UNIT", 0.0 if units == 0 else 2.0**-20)
        # η = ½·(1 + 8u), and the root of 4η² = (1 − 3η)(1 + 8u).
        slack = 1 + units * 2.0**-20
        eta = (math.sqrt(9 * slack**2 + 16 * slack) - 3 * slack) / 8 if explicit else 0.5 * slack
        assert eta == pytest.approx(step_size, rel=1e-5)
        rule = LogLinear(step_size=eta, magnet_strength=strength, magnet="fixed", explicit=explicit, evaluation="half_step" if explicit else "iterate")
        assert bool(why_no_contraction(mg.solve(BIG, rule, steps=1))) is reason


@pytest.mark.parametrize("told", ["averaged over three", "sampled of four"])
def test_what_was_not_told_exactly_is_not_judged(told: str) -> None:
    trace = dataclasses.replace(run("mmd", steps=20), feedback=told)
    assert why_no_contraction(trace) == "the payoffs were sampled."
    assert check_rule(trace).detail == "the payoffs were sampled."


def test_replays_that_tell_nothing_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = run("mmd", steps=6)
    said = {
        (None, (0.0, 0.0), None, (0.0, 0.0), None, (0.0, 0.0)): (
            Verdict.CONFIRMED,
            0.0,
            "3 of 6 stretches replayed, 3 of 6 steps; they agree to the last bit.",
        ),
        (None, (0.25, 0.5), (0.75, 0.25), None, None, (0.5, 1.0)): (
            Verdict.CONFIRMED,
            0.75,
            "3 of 6 stretches replayed, 3 of 6 steps; from iteration 5 to 6 the replay ends 5.0e-01 away, 1 times what rounding explains.",
        ),
        ((0.25, 1.5), None, (0.75, 0.25), None, None, None): (
            Verdict.REFUTED,
            0.75,
            "from iteration 0 to 1 the replay ends 2.5e-01 away, 1.5 times what rounding explains.",
        ),
        ((0.25, math.nan), (0.75, 0.25), None, None, None, None): (
            Verdict.REFUTED,
            0.75,
            "from iteration 0 to 1 the replay ends 2.5e-01 away, nan times what rounding explains.",
        ),
        (None,) * 6: (Verdict.INCONCLUSIVE, None, "no stretch between known policies is short enough for its rounding to be bounded."),
    }
    for found, expected in said.items():
        monkeypatch.setattr(rule_module, "replay", lambda *given, found=found: list(found))
        claim = check_rule(trace)
        assert (claim.verdict, claim.measured, claim.detail) == expected


@given(st.data())
def test_stretches_are_replayed_together_as_they_are_alone(data: st.DataObject) -> None:
    """Of different lengths and places in a stage, from a record that is off by far more than rounding, so that an ending taken for another one shows."""
    trace = honest(data.draw, steps=60)
    rule, generator = log_linear_of(trace.algorithm), np.random.default_rng(data.draw(st.integers(0, 9)))
    assert rule is not None
    shifted = trace.log_policies + 1e-9 * generator.normal(size=trace.log_policies.shape)
    known = KnownSteps(dataclasses.replace(trace, log_policies=shifted), rule)
    stretches = [rule_module._stretch(rule, known, begin) for begin in rule_module._begins(rule, known.steps).tolist()]
    if not stretches:
        return
    together = replay(trace, rule, stretches)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_module, "ENTRIES", 3 * trace.game.actions)
        in_parts = replay(trace, rule, stretches)
    alone = [replay(trace, rule, [stretch])[0] for stretch in stretches]
    for stretch, one, *others in zip(stretches, alone, together, in_parts, strict=True):
        for other in others:
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                # Two computed replays are no further apart than what rounding explains, which is a share of 1.
                assert other.share == pytest.approx(one.share, rel=1e-3, abs=1), stretch.first.step


@pytest.mark.parametrize(("rounding", "meaningful"), [(0.99e-6, True), (1.01e-6, False)])
def test_a_replay_that_rounding_blurs_is_not_compared(rounding: float, meaningful: bool) -> None:
    """One step of multiplicative weights at η = ½: two runs, each off by η times what a payoff is rounded by."""

    class Blurred(mg.MatrixGame):
        payoff_rounding = rounding

    game = Blurred(np.array([[1.0, -0.5], [-0.25, 0.75]]))
    trace = mg.solve(game, mg.MultiplicativeWeights(step_size=0.5), steps=1)
    assert (check_rule(trace).verdict is Verdict.CONFIRMED) is meaningful


def test_a_run_without_stages_has_no_settings() -> None:
    """The rule is known and its stages are not: nothing rests on them."""
    trace = run("mmd", steps=20)
    bare = dataclasses.replace(trace, stages=mg.Stages.none(3) if hasattr(mg, "Stages") else type(trace.stages).none(3))
    for name, claim in by_name(bare).items():
        if name not in ("record", "plateau"):
            assert (claim.verdict, claim.detail) == (Verdict.NOT_APPLICABLE, "the run's settings are not known."), name
    assert why_no_contraction(bare) == "the run's settings are not known."
    assert check_plateau(bare) is None


def refreshing(inner: str = "mmd", **given: Any) -> LogLinear:
    """Magnetic Preference Optimization by its choices, of which a uniform first magnet is one."""
    return LogLinear(magnet="refreshed", explicit=inner == "pu", evaluation="half_step" if inner == "pu" else "iterate", **given)


@pytest.mark.parametrize(("alpha", "eta", "start"), [(0.8, 0.3, 1.0), (0.05, 0.02, 1.0), (0.8, 0.3, 30.0)])
@pytest.mark.parametrize("inner", ["mmd", "pu"])
@pytest.mark.parametrize("uniform", [False, True])
def test_both_sides_of_a_refresh_by_hand(monkeypatch: pytest.MonkeyPatch, inner: Any, uniform: bool, alpha: float, eta: float, start: float) -> None:
    """The equality of the docstring with textbook divergences, and its bound term by term with sums over the steps of a stage."""
    coarse_units(monkeypatch, fejer_module)
    unit, number, nash = 2.0**-13, 4, dataclasses.replace(mg.nash(COARSE), gap=1e-3, gap_error=2e-3)
    rule = refreshing(inner, magnet_strength=alpha, step_size=eta, refresh_every=number, uniform_reference=uniform)
    first = np.exp(log_normalise(start * np.array([0.1, 1.0, -1.0, 0.5, 0.2]), COARSE.blocks))
    trace = mg.solve(COARSE, rule, steps=12, start=first)
    found = fejer_module._refreshes(trace, rule, nash, slice(0, 3))
    c = 1 - eta * alpha if inner == "pu" else 1 / (1 + eta * alpha)
    s, weigh = math.sqrt(c), 1.0 if inner == "pu" else c
    detour = 1 + math.sqrt(c / (c - (eta * 0.75) ** 2)) if inner == "pu" else 1.0
    weight, ours = (1 - c**number) / alpha, 0.01 + 4 * unit
    relative, target = (2 * 5 + 32) * unit, nash.policy
    matrix = COARSE.table()

    def payoffs(policy: np.ndarray) -> np.ndarray:
        return np.concatenate([matrix @ policy[2:], -matrix.T @ policy[:2]])

    for row in range(3):
        before, after = (trace.stages.log_magnets[row + each] for each in (0, 1))
        rho, plus = np.exp(before), np.exp(after)
        fallen = divergence(target, rho) - divergence(target, plus) - divergence(plus, rho)
        assert found.fallen[row] == pytest.approx(fallen, abs=1e-12)
        assert found.explained[row] == pytest.approx(weight * float(nash.slack @ plus), rel=1e-9, abs=1e-15)
        change = payoffs(plus) - payoffs(target)
        steepest = math.hypot(np.ptp(change[:2]) / 2, np.ptp(change[2:]) / 2) + 2 * ours
        furthest = divergence(target, rho) + 3e-3 / alpha
        shares = sum(c ** (number - 1 - j) * s**j for j in range(number)) / sum(c**j for j in range(number))
        error = step_rounding(COARSE, rule, eta, alpha, largest_log(trace.stages.log_magnets[:3]))
        apart = math.sqrt(2) * ((detour * shares + s**number) * math.sqrt(furthest) + (1 + detour) * error * sum(s**j for j in range(number)))
        allowed = weight * steepest * min(apart, 2 * math.sqrt(2)) + weight * (3e-3 + 2 * ours) + relative * weight * float(nash.slack @ plus)
        # The difference of the logarithms, centred as what it is multiplied with sums to 0.
        moved = after - before
        for part in (slice(0, 2), slice(2, 5)):
            moved[part] -= plus[part] @ moved[part]
        for i in range(5):
            logs = abs(before[i]) + abs(after[i]) + 2 * 0.75 / alpha + 1
            each = weigh * eta * ours + 24 * unit * (logs + weigh * eta * 1.0)
            allowed += abs(target[i] - plus[i]) * each * sum(c**j for j in range(number)) + relative * (target[i] + plus[i]) * abs(moved[i])
        assert found.allowed[row] == pytest.approx(allowed, rel=1e-9)


def test_the_share_of_the_refreshes_is_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: Any = {"step_size": 0.3, "magnet_strength": 0.2, "refresh_every": 40}
    for begin in (0, 1):
        trace = mg.solve(PURE, refreshing(uniform_reference=bool(begin), **settings), steps=400, start=[0.3, 0.1, 0.2, 0.25, 0.15])
        nash = mg.nash(PURE)
        found = fejer_module._refreshes(trace, trace.algorithm, nash, slice(begin, 10))
        shares = np.abs(found.fallen - found.explained) / found.allowed
        row = int(np.argmax(shares))
        claim = check_fejer(trace, nash)
        assert claim.measured == shares[row]
        assert claim.detail == (
            f"holds at all {10 - begin} refreshes, for the equilibrium by {nash.method}; at iteration {40 * (row + begin + 1)} KL falls by {found.fallen[row]:.3e} more "
            f"than the magnet moves, the slacks explain {found.explained[row]:.3e} ± {found.allowed[row]:.0e}."
        )
        with monkeypatch.context() as few:
            few.setattr(fejer_module, "ENTRIES", 15)  # three magnets at a time
            watched = Mock(wraps=fejer_module._refreshes)
            few.setattr(fejer_module, "_refreshes", watched)
            assert check_fejer(trace, nash).detail == claim.detail
            rows = [(each.args[3].start, each.args[3].stop) for each in watched.call_args_list]
            assert rows == [(first, min(first + 3, 10)) for first in range(begin, 10, 3)]
    late = mg.solve(PURE, refreshing(uniform_reference=True, **settings), steps=79)
    assert check_fejer(late, nash).detail == "the magnet was not refreshed yet."
    unsure = dataclasses.replace(nash, converged=False, gap=0.25)
    assert check_fejer(trace, unsure).detail == "the reference only reached a gap of 2.5e-01."


def test_a_bound_of_nothing_holds_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    trace, nash = mg.solve(PURE, mg.MagneticPreferenceOptimization(refresh_every=10), steps=30), mg.nash(PURE)
    for fallen, verdict, share in (
        ([0.0, 0.25, 0.25], Verdict.REFUTED, math.inf),
        ([0.0, 0.0, 0.25], Verdict.CONFIRMED, 0.5),
        ([0.0, 0.0, 0.5], Verdict.CONFIRMED, 1.0),
    ):
        found = fejer_module._Refreshes(np.array(fallen), np.zeros(3), np.array([0.0, 0.0, 0.5]))
        monkeypatch.setattr(fejer_module, "_refreshes", lambda *given, found=found: found)
        claim = check_fejer(trace, nash)
        assert (claim.verdict, claim.measured) == (verdict, share)
        assert f"iteration {10 * (1 + fallen.index(max(fallen)))}" in claim.detail
    # Of equal shares the first is named.
    even = fejer_module._Refreshes(np.full(1, 0.25), np.zeros(1), np.full(1, 0.5))
    monkeypatch.setattr(fejer_module, "ENTRIES", 5)
    monkeypatch.setattr(fejer_module, "_refreshes", lambda *given: even)
    assert "at iteration 10 KL" in check_fejer(trace, nash).detail
    # What is no number is passed over by nothing that comes after it.
    parts = iter([np.array([math.nan]), np.full(1, 0.25), np.full(1, 0.25)])
    monkeypatch.setattr(fejer_module, "_refreshes", lambda *given: dataclasses.replace(even, fallen=next(parts)))
    assert check_fejer(trace, nash).verdict is Verdict.REFUTED
    shares = regularised_gap_module._share(np.array([0.0, 0.25, 0.25]), np.array([0.0, 0.0, 0.5]))
    assert shares.tolist() == [0.0, math.inf, 0.5]


def test_a_policy_update_at_the_end_of_its_theorem_is_anywhere() -> None:
    """Where (ηL)² = 1 − ηα nothing bounds the half steps but that they are policies, 2√B apart at most."""
    rule = LogLinear(step_size=0.25, magnet_strength=3.0, magnet="refreshed", refresh_every=50, explicit=True, evaluation="half_step")
    trace, nash = mg.solve(BIG, rule, steps=150, start=[0.6, 0.4, 0.5, 0.5]), mg.nash(BIG)
    spread = fejer_module._spread(BIG, rule, nash, trace.stages.log_magnets[:3], np.full(3, 50))
    assert spread.tolist() == pytest.approx([2 * math.sqrt(2)] * 3)


@pytest.mark.parametrize("error", [0.0, 0.02])
@pytest.mark.parametrize("symmetric", [False, True])
def test_the_three_bounds_of_the_regularised_gap_by_hand(monkeypatch: pytest.MonkeyPatch, error: float, symmetric: bool) -> None:
    """With textbook divergences, at policies near and far from what is said to be the equilibrium: each of the three is the tightest somewhere."""
    coarse_units(monkeypatch, regularised_gap_module)
    unit = 2.0**-13
    game: Any = mg.PreferenceGame(
        np.full((5, 5), 0.5) + np.triu(np.linspace(0.1, 0.4, 25).reshape(5, 5), 1) - np.triu(np.linspace(0.1, 0.4, 25).reshape(5, 5), 1).T
    )
    game = game if symmetric else COARSE
    alpha, scale, players = 0.6, float(game.scale), 2 if symmetric else 1
    policies = np.concatenate([log_normalise(spread * some_policies(12), game.blocks) for spread in (3.0, 0.3)])
    stage = solved_stage(game, policies, list(range(24)), error=error)
    target = np.exp(stage.log_policy)
    excess, sentence_of = regularised_gap_module._excess(game, StagePolicies.of([stage]))
    ours, relative, blocks = game.payoff_rounding + 4 * unit * game.largest_payoff, 1005 * unit, len(game.blocks)
    logs = largest_log(policies, stage.log_magnet) + game.largest_payoff / alpha
    root = (ours / alpha + 8 * unit * logs + error * (1 + scale / alpha)) * math.sqrt(blocks / 2)
    plateau, seen = float(game.gap_of_payoffs(game.payoffs(target))), set()
    for row in range(24):
        policy = np.exp(policies[row])
        answer = np.exp(log_normalise(stage.log_magnet + game.payoffs(policy) / alpha, game.blocks))
        gap, here, there = divergence(policy, answer), divergence(policy, target), divergence(target, policy)

        def low(value: float) -> float:
            return max(math.sqrt(value) - root, 0) ** 2 * (1 - relative)

        def high(value: float) -> float:
            return (math.sqrt(value) + root) ** 2 * (1 + relative)

        furthest = there * (1 + relative) + float(stage.shift(game)[row])
        above = high(here) + (scale / alpha) ** 2 * furthest
        apart = abs(float(game.gap_of_payoffs(game.payoffs(policy))) - plateau)
        allowed = 2 * scale * (math.sqrt(2 * furthest) + error) + 8 * ours
        shares = [low(here) / high(gap), low(gap) / above, apart / allowed]
        assert excess[row] == pytest.approx(max(shares), rel=1e-8)
        which = int(np.argmax(shares))
        seen.add(which)
        p_alpha = players * alpha
        assert (
            sentence_of(row)
            == (
                f"2α KL(π‖π*) is {p_alpha * here:.3e}, more than the regularised gap {p_alpha * gap:.3e}",
                f"the regularised gap is {p_alpha * gap:.3e}, more than its upper bound {p_alpha * above:.3e}",
                f"the gap differs by {apart:.3e} from the plateau's {plateau:.3e}, more than the {allowed:.3e} that KL allows",
            )[which]
        )
    assert len(seen) >= 2
    solved = SolvedStages((stage, dataclasses.replace(stage, times=stage.times + 30)), 5)
    claim = check_regularised_gap(run("mmd", game=game, start=None, steps=2), solved)
    worst = int(np.argmax(excess))
    assert claim.measured == excess[worst]
    assert claim.detail == (f"broken at iteration {worst}: {sentence_of(worst)}." if excess[worst] > 1 else "holds at 48 known policies in 2 of 5 stages.")


@pytest.mark.parametrize(
    ("excess", "verdict", "detail"),
    [
        ([0.5, 1.0], Verdict.CONFIRMED, "holds at 2 known policies in the one stage."),
        ([0.5, 1.0 + 2 * U], Verdict.REFUTED, "broken at iteration 7: the second."),
        ([math.nan, 0.5], Verdict.REFUTED, "broken at iteration 3: the first."),
    ],
)
def test_the_whole_bound_may_be_used(monkeypatch: pytest.MonkeyPatch, excess: list[float], verdict: Verdict, detail: str) -> None:
    solved = SolvedStages((solved_stage(COARSE, some_policies(2), [3, 7]),), 1)
    monkeypatch.setattr(regularised_gap_module, "_excess", lambda *given: (np.array(excess), ["the first", "the second"].__getitem__))
    claim = check_regularised_gap(run("mmd", steps=10), solved)
    assert (claim.verdict, claim.detail) == (verdict, detail)
    assert (solved.unsolved, solved.reason, solved.large) == (0, "", False)


def test_the_claim_of_the_plateau_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap may differ by 2L√(2 KL), the error of the equilibrium and of KL, and two roundings of a gap; it is reached where that is a twentieth, or rounding."""
    coarse_units(monkeypatch)
    trace = mg.solve(COARSE, mg.MagneticMirrorDescent(magnet_strength=0.6, step_size=0.3), steps=5)
    for error, distance in ((0.03, 1.0), (1e-9, 1e-3), (0.5, 1e-3), (0.0, 0.0)):
        stage = solved_stage(COARSE, trace.log_policies, trace.policy_iterations.tolist(), error=error)
        end = log_normalise(stage.log_policy + distance * np.array([1.0, 0.0, 0.0, 0.0, 1.0]), COARSE.blocks)
        stage = dataclasses.replace(stage, log_policies=np.array([COARSE_START, end]), times=np.array([0, 5]))
        target = np.exp(stage.log_policy)
        predicted = float(COARSE.gap_of_payoffs(COARSE.payoffs(target)))
        far = divergence(target, np.exp(end))
        rounding = 8 * (0.01 + 4 * 2.0**-13) + 1.5 * (error + math.sqrt(2 * (float(stage.shift(COARSE)[1]) + 1005 * 2.0**-13 * far)))
        bound = 1.5 * math.sqrt(2 * max(far, 0)) + rounding
        for difference, verdict in ((1.01 * bound, Verdict.REFUTED), (0.99 * bound, None)):
            record = dataclasses.replace(trace, gaps=np.append(trace.gaps[:-1], predicted + difference), log_policies=np.vstack([trace.log_policies[:-1], end]))
            claim = check_plateau(record, SolvedStages((stage,), 1))
            assert claim is not None
            assert (claim.predicted, claim.measured) == (pytest.approx(predicted), pytest.approx(predicted + difference))
            reached = bound <= max(0.05 * predicted, 4 * rounding)
            assert claim.verdict is (verdict or (Verdict.CONFIRMED if reached else Verdict.INCONCLUSIVE))
            if verdict is Verdict.REFUTED:
                assert claim.detail == f"they differ by {difference:.2e}, more than the {bound:.2e} that KL allows."
            else:
                assert claim.detail.endswith(f"KL to the regularised equilibrium is {float(kl(stage.log_policy, end)):.1e}.")


# --- what is looked at, and what is said ------------------------------------------------------------------------------------------------------


def test_records_are_immutable_and_arrays_are_not_compared() -> None:
    modules = [importlib.import_module(f"mmd_games.verification.bounds.{each.name}") for each in pkgutil.iter_modules(bounds_package.__path__)]
    records = {each for module in modules for each in vars(module).values() if dataclasses.is_dataclass(each) and each.__module__ == module.__name__}
    assert len(records) == 6
    for record in records:
        fields = dataclasses.fields(record)
        held = dict.fromkeys((field.name for field in fields), 0)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record(**held), fields[0].name, 1)
    assert solve_stages(run(steps=40)) != solve_stages(run(steps=40))


def test_what_the_replay_looked_at_is_counted() -> None:
    trace = run("mmd", steps=40)
    claim = check_rule(trace)
    # 64 steps may always be replayed, and each policy of so short a run was kept.
    assert claim.detail.startswith("40 of 40 stretches replayed, 40 of 40 steps; ")
    assert claim.predicted == 0.0
    long = check_rule(run("mmd", steps=4_000))
    replayed, known, steps, total = (int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", long.detail)[:4])
    assert total == 4_000
    assert 700 < steps <= 1_000  # a quarter of the run
    assert replayed < known
    longer = check_rule(run("mmd", steps=20_000))
    assert int(re.findall(r"[\d,]*\d", longer.detail)[2].replace(",", "")) <= 2_000


@pytest.mark.parametrize(
    ("steps", "lengths", "budget"), [(100, [8] * 20, 64), (1_000, [10] * 60, 250), (1_000, [10, 125, 126, 10], 250), (40_000, [20] * 900, 2_000)]
)
def test_stretches_are_chosen_within_the_budget(steps: int, lengths: list[int], budget: int) -> None:
    chosen = rule_module._chosen(np.array(lengths), steps).tolist()
    short = [place for place, length in enumerate(lengths) if length <= budget / 2]
    cost = sum(lengths[place] for place in chosen)
    assert 0.7 * min(budget, sum(lengths[place] for place in short)) <= cost <= budget
    assert (chosen[0], chosen[-1]) == (short[0], short[-1])
    assert len(set(chosen)) == len(chosen)
    # Evenly over the run: no two neighbours are twice as far apart as the mean.
    places = [short.index(each) for each in chosen]
    assert max(np.diff(places)) <= 2 * len(short) / len(chosen)


def test_no_stretch_is_short_enough() -> None:
    assert rule_module._chosen(np.array([33, 33]), 100).tolist() == []
    trace = mg.solve(RPS, mg.MultiplicativeWeights(), steps=600, start=START)
    ends = {"policy_iterations": trace.policy_iterations[[0, -1]], "log_policies": trace.log_policies[[0, -1]]}
    claim = check_rule(dataclasses.replace(trace, **ends))
    assert (claim.verdict, claim.measured) == (Verdict.INCONCLUSIVE, None)
    assert claim.detail == "no stretch between known policies is short enough for its rounding to be bounded."


def test_a_recorded_setting_may_be_rounded_and_no_more() -> None:
    trace = run("mmd", steps=20, step_size=0.5, magnet_strength=0.25)
    for name, column, words in (("step_size", "step_sizes", "step size"), ("magnet_strength", "magnet_strengths", "magnet strength")):
        stated = getattr(trace.algorithm, name)
        for units, fits in ((8, True), (-8, True), (10, False), (-10, False)):
            changed = dataclasses.replace(trace.stages, **{column: np.array([stated * (1 + units * U)])})
            wrong = rule_module._stages_differ(dataclasses.replace(trace, stages=changed), trace.algorithm.log_linear)
            assert (wrong == "") is fits, (name, units)
        changed = dataclasses.replace(trace.stages, **{column: np.array([2.0])})
        said = f"at iteration 0 the recorded {words} is 2, the stated one {stated:g}."
        assert check_rule(dataclasses.replace(trace, stages=changed)).detail == said
    # The first of several is named.
    trace = run(steps=60, step_size=0.5, magnet_strength=0.25, refresh_every=10)
    stages = dataclasses.replace(trace.stages, step_sizes=np.array([0.5, 0.5, 0.625, 0.5, 0.75, 0.5, 0.5]))
    assert check_rule(dataclasses.replace(trace, stages=stages)).detail == "at iteration 20 the recorded step size is 0.625, the stated one 0.5."
    stages = dataclasses.replace(trace.stages, iterations=np.array([0, 10, 21, 30, 42, 50, 60]))
    assert check_rule(dataclasses.replace(trace, stages=stages)).detail == (
        "the magnet did not move when the settings say: stage 3 begins at iteration 21, not at 20."
    )


def test_the_first_magnet_may_be_rounded_and_no_more() -> None:
    trace = run("mmd", steps=20, step_size=0.5, magnet_strength=0.25)
    rule, size = trace.algorithm.log_linear, 1 - math.log(0.2)
    # Two roundings of a normalisation, 4·3 + 64 units each, of the largest logarithm and 1.
    for share, fits in ((0.99, True), (1.01, False)):
        magnets = trace.stages.log_magnets + share * 2 * 76 * U * size * np.array([0.0, 1.0, 0.0])
        wrong = rule_module._stages_differ(dataclasses.replace(trace, stages=dataclasses.replace(trace.stages, log_magnets=magnets)), rule)
        assert (wrong == "") is fits
    assert check_rule(run("mmd", steps=20, start=[0.5, 0.5, 0.0])).verdict is Verdict.CONFIRMED
    never = trace.stages.log_magnets.copy()
    never[0, 2] = -np.inf
    assert rule_module._stages_differ(dataclasses.replace(trace, stages=dataclasses.replace(trace.stages, log_magnets=never)), rule) != ""


def test_a_replay_says_by_how_much_it_differs() -> None:
    trace = run("mmd", steps=10)
    logs = trace.log_policies.copy()
    logs[10] = logs[10] + np.array([1e-7, 0.0, -1e-7])
    claim = check_rule(dataclasses.replace(trace, log_policies=logs))
    assert claim.measured == pytest.approx(1e-7, rel=1e-6)
    assert claim.detail.startswith("from iteration 9 to 10 the replay ends 1.0e-07 away, ")
    never = trace.log_policies.copy()
    never[10, 0] = -np.inf
    assert check_rule(dataclasses.replace(trace, log_policies=never)).measured == math.inf


def within(trace: mg.Trace, rule: LogLinear, stage: int) -> list[int]:
    """The known iterations of a stage."""
    known = KnownSteps(trace, rule)
    begins, ends = known.of_stages(np.array([stage]))
    return known.steps[begins[0] : ends[0]].tolist()


def test_what_is_known_of_a_run() -> None:
    """Recorded policies and, where the magnet is refreshed, the magnets: of a first one only where it is where the run starts."""
    thin = mg.Record(gaps=4, policies=4)
    for uniform in (False, True):
        rule = refreshing(step_size=0.3, magnet_strength=0.2, refresh_every=30, uniform_reference=uniform)
        trace = mg.solve(RPS, rule, steps=100, start=START, record=thin)
        known = KnownSteps(trace, rule)
        steps = sorted({*trace.policy_iterations.tolist(), 30, 60, 90})
        assert [each.step for each in known] == steps
        assert [each.step for each in known if each.is_stage] == [step for step in steps if step % 30 == 0]
        for each in known:
            assert np.array_equal(each.log_magnet, trace.stages.log_magnets[each.step // 30])
        assert within(trace, rule, 1) == [step for step in steps if 30 <= step <= 60]
        assert within(trace, rule, 3) == [step for step in steps if step >= 90]
        bare = dataclasses.replace(trace, policy_iterations=trace.policy_iterations[-1:], log_policies=trace.log_policies[-1:])
        assert within(bare, rule, 0) == ([30] if uniform else [0, 30])
        assert np.array_equal(KnownSteps(bare, rule).log_policies(np.array([-1, 0]))[0], trace.log_policy)
        assert np.array_equal(KnownSteps(bare, rule)[0].log_policy, trace.stages.log_magnets[int(uniform)])
    fixed = mg.solve(RPS, mg.MagneticMirrorDescent(), steps=100, start=START, record=thin)
    plain = fixed.algorithm.log_linear
    assert within(fixed, plain, 0) == fixed.policy_iterations.tolist()
    last_one = dataclasses.replace(fixed, policy_iterations=fixed.policy_iterations[-1:], log_policies=fixed.log_policies[-1:])
    assert within(last_one, plain, 0) == [100]


def test_stages_are_judged_in_parts_of_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stages of three policies of five actions have 30 numbers; one may have more than a part."""
    stages = [solved_stage(COARSE, some_policies(3), [4, 7, 9])] * 5
    for entries, sizes in ((44, [2, 2, 1]), (45, [3, 2]), (14, [1] * 5)):
        monkeypatch.setattr(stage_policies_module, "ENTRIES", entries)
        assert [len(part.log_targets) for part in in_parts(stages)] == sizes
    assert list(in_parts([])) == []


@given(st.data(), st.sampled_from([1, 40, 2**16]))
def test_the_policies_of_all_stages_are_judged_as_those_of_each(data: st.DataObject, entries: int) -> None:
    trace = honest(data.draw, steps=80)
    solved, rule = solve_stages(trace), log_linear_of(trace.algorithm)
    if rule is None or not solved.stages:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_policies_module, "ENTRIES", entries)
        parts = list(in_parts(solved.stages))
    assert sum(len(part.log_targets) for part in parts) == len(solved.stages)
    assert all(len(part.log_targets) == 1 or part.log_policies.size <= entries for part in parts)
    together = [[regularised_gap_module._excess(trace.game, part)[0], *contraction_module._stretches(trace.game, rule, part)] for part in parts]
    alone = [StagePolicies.of([stage]) for stage in solved.stages]
    apart = [[regularised_gap_module._excess(trace.game, part)[0], *contraction_module._stretches(trace.game, rule, part)] for part in alone]
    for several, single in zip(zip(*together, strict=True), zip(*apart, strict=True), strict=True):
        np.testing.assert_allclose(np.concatenate(several), np.concatenate(single), rtol=1e-6, atol=1e-12)
    for part, stage in zip(alone, solved.stages, strict=True):
        assert part.largest_log.tolist() == [largest_log(stage.log_policies, stage.log_magnet)] * len(stage.times)
        np.testing.assert_allclose(part.shift(trace.game), stage.shift(trace.game), rtol=1e-12)


@pytest.mark.parametrize(("steps", "every", "chosen"), [(40, 1, 6), (15, 1, 3), (1_500, 1, 200), (30, 10, 4)])
def test_how_many_stages_are_solved(steps: int, every: int, chosen: int) -> None:
    """A sixth of the products of a run of three actions, between 3 and 200, and no more than there are."""
    found = solve_stages(mg.solve(RPS, mg.MagneticPreferenceOptimization(refresh_every=every), steps=steps, start=START))
    assert len(found.stages) == chosen
    assert found.total == steps // every + 1
    starts = [int(stage.times[0]) for stage in found.stages]
    assert starts[0] == 0
    assert starts[-1] == steps
    assert max(np.diff(starts)) <= every * math.ceil((found.total - 1) / (chosen - 1))


def test_stages_that_cannot_be_solved_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = run(steps=40)
    stages = len(solve_stages(trace).stages)
    near = solved_module.regularised_equilibria_near

    def off(amount: float) -> Any:
        def nearly(*given: Any) -> Any:
            log_policies, converged = near(*given)
            return log_normalise(log_policies + amount * np.array([1.0, -1.0, 0.0]), RPS.blocks), converged

        return nearly

    # Within 1e-6 it is used; the residual in rock-paper-scissors is at least that of the logits and at most 1 + L/α times it.
    monkeypatch.setattr(solved_module, "regularised_equilibria_near", off(2e-7))
    assert len(solve_stages(trace).stages) == stages
    monkeypatch.setattr(solved_module, "regularised_equilibria_near", off(2e-6))
    found = solve_stages(trace)
    assert (found.stages, found.unsolved) == ((), stages)
    assert found.missing == f"{stages} regularised equilibria could not be computed."
    for check in (check_contraction, check_regularised_gap):
        claim = check(trace, found)
        assert (claim.verdict, claim.measured, claim.detail) == (Verdict.INCONCLUSIVE, None, found.missing)
    few = dataclasses.replace(solve_stages(run(steps=40)), stages=(), unsolved=0)
    assert check_contraction(trace, few).detail == "no two recorded policies of one stage."


@pytest.mark.parametrize(
    ("scale", "strength", "reason"),
    [
        (1.0, 1.01e-11, ""),
        (1.0, 0.99e-11, "the magnet is too weak for its regularised equilibrium to be computed."),
        (1e-290, 3e-292, ""),
        (1e-290, 1e-293, "the magnet is too weak for its regularised equilibrium to be computed."),
        (0.0, 0.1, "the game has no payoffs."),
    ],
)
def test_which_stages_can_be_solved(scale: float, strength: float, reason: str) -> None:
    game = mg.MatrixGame(scale * np.array([[1.0, -1.0], [-1.0, 1.0]]))
    trace = mg.solve(game, mg.MagneticMirrorDescent(magnet_strength=strength, step_size=0.1), steps=2)
    assert solved_module._why_nothing(trace) == reason


def test_equilibria_by_products_are_the_best_that_were_seen() -> None:
    trace = run("mmd", steps=20)
    magnet, strength = trace.stages.log_magnets[0], trace.algorithm.magnet_strength
    start = trace.log_policies[-1]
    residuals = []
    for products in (0, 1, 21, 200, 100_000):
        found = solved_module._by_products(RPS, strength, magnet, start, products)
        residuals.append(logit_residual(RPS, found, magnet, strength))
        if products <= 1:
            assert found is start  # it has been looked at, and nothing else
    assert residuals == sorted(residuals, reverse=True)
    # KL falls by 1 − ηα = L/(α + L) a step, two products; the residual by about the root of that, and is looked at every ten steps.
    factor = float(RPS.scale) / (strength + float(RPS.scale))
    assert residuals[2] <= 3 * factor**5 * residuals[0]
    assert residuals[-1] < 1e-14


def test_the_record_by_hand() -> None:
    trace = run(steps=5)
    claim = check_record(trace)
    largest = float(np.max(np.abs(RPS.gap_of_payoffs(RPS.payoffs(np.exp(trace.log_policies))) - trace.gaps)))  # all together, as the claim does
    allowed = 4 * (RPS.payoff_rounding + 4 * U * RPS.largest_payoff)
    rows = "6 of 6 recorded gaps have their policy kept, and were recomputed"
    amount = f"the largest difference is {largest:.1e}, rounding explains {allowed:.1e}"
    assert claim.detail == f"{rows}; {amount}. Gaps of averages cannot be recomputed."
    assert (claim.measured, claim.predicted) == (largest, 0.0)
    gaps = trace.gaps.copy()
    for share, verdict in ((0.9, Verdict.CONFIRMED), (1.1, Verdict.REFUTED)):
        gaps = gaps.copy()
        gaps[3] = float(RPS.gap_of_payoffs(RPS.payoffs(np.exp(trace.log_policies[3])))) + share * allowed
        assert check_record(dataclasses.replace(trace, gaps=gaps)).verdict is verdict
    late = dataclasses.replace(trace, policy_iterations=np.array([0, 1, 7, 3, 9, 5]))
    assert check_record(late).detail == "the policy of iteration 7 has no recorded gap."
    # A log-sum-exp of 4·3 + 64 units is rounding, for the loop normalises; from elsewhere a millionth is.
    for algorithm, most in ((trace.algorithm, 76 * U), ("elsewhere", 1e-6)):
        for share, words in ((0.9, ""), (-0.9, ""), (1.2, "is not normalised"), (-1.2, "is not normalised")):
            logs = trace.log_policies.copy()
            logs[2] += share * most
            wrong = record_module._not_a_policy(dataclasses.replace(trace, log_policies=logs, algorithm=algorithm))
            assert words in wrong
            assert bool(words) is bool(wrong)
            assert wrong.startswith("at iteration 2 ") or not words
