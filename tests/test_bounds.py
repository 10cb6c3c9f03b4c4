"""Hard inequalities: no correct run breaks one, whatever its game and settings; and every kind of false run breaks the one that is meant for it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear, State
from mmd_games.arrays import kl, log_normalise
from mmd_games.equilibria import regularised_equilibrium
from mmd_games.loop.feedback import Payoffs
from mmd_games.testing import log_policies, matrix_games, preference_games
from mmd_games.verification import Claim, Verdict
from mmd_games.verification.bounds import check_bounds, check_contraction, check_fejer, check_plateau, check_record, check_regularised_gap, check_rule
from mmd_games.verification.bounds import solved as solved_module
from mmd_games.verification.bounds.contraction import remembered
from mmd_games.verification.bounds.drift import Drift
from mmd_games.verification.bounds.fejer import mean_root
from mmd_games.verification.bounds.rounding import kl_rounding, largest_log, logit_residual, shifted_root, step_rounding, target_shift
from mmd_games.verification.bounds.solved import solve_stages
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
