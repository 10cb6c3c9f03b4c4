"""Runs against their predictions: what is confirmed, refuted, and left open, and why."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.arrays import kl, log_normalise
from mmd_games.verification.predicted import RatePrediction, check_rate, compare, predict_rate, prediction_for
from mmd_games.verification.predicted.comparison import asymptotic_from
from mmd_games.verification.predicted.measuring import Measurement, measure
from mmd_games.verification.predicted.observed import observe
from mmd_games.verification.predicted.parts import Mode, OffSupportAction
from mmd_games.verification.verdicts import Claim, Question, Verdict

MPO, MMD, PU = mg.MagneticPreferenceOptimization, mg.MagneticMirrorDescent, mg.PolicyUpdate
ASYMMETRIC = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = [0.6, 0.3, 0.1]
PARTIAL = mg.games.from_spec("random:n=5,seed=4")


def judged(trace: mg.Trace) -> tuple[RatePrediction, Claim]:
    prediction = prediction_for(trace)
    claim = check_rate(trace, prediction)
    assert (claim.name, claim.question, claim.assumed) == ("predicted_rate", Question.PREDICTED, prediction.assumptions)
    assert claim.predicted == prediction.rate
    json.dumps(claim.to_dict(), allow_nan=False)
    return prediction, claim


CONVERGING = {
    "mpo": MPO(),
    "mpo_pu": MPO(inner="pu"),
    "omwu": mg.OptimisticMultiplicativeWeights(),
    "extragradient": mg.Extragradient(),
    "mmd": MMD(),
    "moving": MMD(magnet="moving"),
    "pu": PU(),
}


@pytest.mark.parametrize("method", CONVERGING)
def test_converging_runs_are_confirmed(method: str) -> None:
    trace = mg.solve(ASYMMETRIC, CONVERGING[method], steps=3000, start=START)
    prediction, claim = judged(trace)
    assert claim.verdict is Verdict.CONFIRMED
    assert claim.measured is not None and claim.interval is not None
    assert claim.interval[0] <= claim.measured <= claim.interval[1]
    # One mode, whose amplitude is linear to D²; 0.1% is the mean of D over windows that begin at D = 0.03·exponent.
    assert math.log(claim.measured) == pytest.approx(math.log(prediction.rate or 0), rel=1e-3)
    assert "1 of 1 mode" in claim.detail


def test_the_measured_distance_is_kl_near_the_target() -> None:
    # KL(π*‖π) = ‖z‖²/2 + m + O(‖z‖³/√p): what is observed is what the claim calls distance.
    for game, algorithm in ((ASYMMETRIC, MMD()), (PARTIAL, MPO(inner="pu")), (mg.MatrixGame(np.random.default_rng(6).normal(size=(4, 3))), MPO())):
        trace = mg.solve(game, algorithm, steps=4000, start=None if game is not ASYMMETRIC else START)
        prediction = prediction_for(trace)
        run = observe(trace, prediction)
        logs = trace.stages.log_magnets if prediction.unit == "refresh" else trace.log_policies
        near = (run.distance < 1e-4) & (run.distance > 1e-6)
        assert np.count_nonzero(near) >= 3
        exact = np.asarray(kl(prediction.log_target, logs[near]))
        assert exact == pytest.approx((run.distance[near] ** 2 - run.mass[near] ** 2) / 2 + run.mass[near], rel=2e-3)
        # Modes are all of it where no zero modes are: 2Σ|c|² = ‖z‖².
        whole = 2 * np.sum(run.modes**2, axis=1)
        assert run.distance[near] ** 2 - run.mass[near] ** 2 == pytest.approx(whole[near], rel=1e-6) or prediction.target == "regularised"


def test_log_odds_are_against_the_support_of_the_same_player() -> None:
    game = mg.MatrixGame(np.random.default_rng(6).normal(size=(4, 3)))
    trace = mg.solve(game, MPO(), steps=500)
    prediction = prediction_for(trace)
    assert {action.action < 4 for action in prediction.actions} == {True, False}
    run = observe(trace, prediction)
    for column, action in enumerate(prediction.actions):
        own = slice(0, 4) if action.action < 4 else slice(4, 7)
        against = np.nan_to_num(trace.stages.log_magnets[:, own]) @ prediction.policy[own]
        np.testing.assert_allclose(run.log_odds[:, column], trace.stages.log_magnets[:, action.action] - against, rtol=1e-12)


def test_modes_and_actions_are_measured_on_their_own() -> None:
    trace = mg.solve(PARTIAL, MPO(inner="pu"), steps=6000)
    prediction = prediction_for(trace)
    assert prediction.actions and prediction.modes
    found = compare(trace, prediction)
    assert len(found.modes) == len(prediction.modes) and len(found.actions) == len(prediction.actions)
    assert [part.predicted for part in found.actions] == [action.exponent for action in prediction.actions]
    assert any(part.measured is not None for part in found.modes)
    for part in found.actions:
        assert part.error == pytest.approx(0, abs=1e-3)
    for part in found.measured:
        assert part.agrees and part.is_straight
    assert 0.99 <= found.share <= 1
    assert found.joint.error == pytest.approx(0, abs=2e-3)
    json.dumps(found.to_dict(), allow_nan=False)


def test_actions_that_decide_are_confirmed_too() -> None:
    game = mg.PreferenceGame([[0.5, 0.75, 0.625], [0.25, 0.5, 0.5], [0.375, 0.5, 0.5]])
    trace = mg.solve(game, mg.MultiplicativeWeights(step_size=0.5), steps=2000)
    prediction, claim = judged(trace)
    assert prediction.decided_by == "actions"
    assert claim.verdict is Verdict.CONFIRMED
    assert claim.measured == pytest.approx(math.exp(-0.5 * 0.125), rel=1e-4)
    assert compare(trace, prediction).share >= 0.99


def test_actions_that_decide_are_refuted_on_their_own() -> None:
    # The slower action is said to fall at 0.7 times the slowest mode's exponent: far from its own, whatever the distance does.
    trace = mg.solve(PARTIAL, MPO(inner="pu"), steps=6000)
    prediction = prediction_for(trace)
    first = prediction.actions[0]
    wrong = replace(prediction, actions=(replace(first, drift=-0.7 * prediction.modes[0].exponent), *prediction.actions[1:]))
    found = compare(trace, wrong)
    assert wrong.decided_by == "actions" and found.share < 0.01
    assert found.deciding_is_off and not compare(trace, prediction).deciding_is_off
    assert check_rate(trace, wrong).verdict is Verdict.REFUTED


def test_actions_that_decide_behind_modes_that_began_larger_refute_nothing() -> None:
    # In theory the action decides, by a factor of 2.3 in exponents; but the modes are below rounding before its mass has a part in the distance.
    game = mg.games.random(n=10, seed=547)
    trace = mg.solve(game, mg.OptimisticMultiplicativeWeights(step_size=3.92589), steps=12_000, record=mg.Record(gaps=400, policies=400))
    prediction, claim = judged(trace)
    found = compare(trace, prediction)
    assert prediction.decided_by == "actions"
    assert (found.joint.error or 0) > 1 and found.share < 0.01
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "does not yet decide" in claim.detail


@pytest.mark.parametrize(("part", "verdict"), [(1.0, Verdict.CONFIRMED), (1.015, Verdict.CONFIRMED), (1.1, Verdict.REFUTED), (0.9, Verdict.REFUTED)])
def test_a_wrong_prediction_is_refuted(part: float, verdict: Verdict) -> None:
    trace = mg.solve(ASYMMETRIC, MPO(), steps=3000, start=START)
    prediction = prediction_for(trace)
    wrong = replace(prediction, modes=tuple(replace(mode, multiplier=mode.multiplier**part) for mode in prediction.modes))
    claim = check_rate(trace, wrong)
    assert claim.verdict is verdict
    error = compare(trace, wrong).joint.error
    assert error == pytest.approx(1 / part - 1, abs=1e-3)
    assert f"{100 * (error or 0):+.2g}%" in claim.detail


def test_a_run_that_is_too_short_shows_nothing() -> None:
    trace = mg.solve(ASYMMETRIC, MPO(), steps=300, start=START)
    _, claim = judged(trace)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.measured is None and claim.interval is None
    assert "no stretch of the run shows it" in claim.detail


def test_a_mixture_that_never_parts_is_confirmed_by_its_parts() -> None:
    # Two modes whose exponents are 6% apart: before one stands out from the other by 100 both are below rounding, but each is seen on its own.
    table = np.zeros((6, 6))
    for first, unit in ((0, 1.0), (3, 0.95)):
        cycle = unit * np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
        table[first : first + 3, first : first + 3] = cycle
    game = mg.PreferenceGame.from_payoffs(table)
    trace = mg.solve(game, MPO(inner="pu"), steps=3000, start=[0.25, 0.15, 0.1, 0.2, 0.2, 0.1])
    prediction, claim = judged(trace)
    assert len(prediction.modes) == 2 and prediction.zero_modes == 1
    assert claim.verdict is Verdict.CONFIRMED
    assert "each on its own is as predicted" in claim.detail
    assert compare(trace, prediction).joint.measured is None
    assert math.log(claim.measured or 0) == pytest.approx(math.log(claim.predicted or 0), rel=1e-2)


def test_predicted_divergence() -> None:
    far = mg.solve(ASYMMETRIC, mg.MultiplicativeWeights(), steps=2000, start=START)
    prediction, claim = judged(far)
    assert prediction.kind == "diverges"
    assert (claim.verdict, claim.measured) == (Verdict.CONFIRMED, None)
    assert "moves away too" in claim.detail
    # From nearby the factor itself is seen, before play leaves the neighbourhood.
    equilibrium = np.array([4, 3, 4]) / 11
    near = mg.solve(ASYMMETRIC, mg.MultiplicativeWeights(step_size=1.0), steps=600, start=equilibrium + 1e-9 * np.array([1, -1, 0]))
    prediction, claim = judged(near)
    assert claim.verdict is Verdict.CONFIRMED
    assert claim.measured == pytest.approx(prediction.rate, rel=1e-5)
    assert (claim.measured or 0) > 1
    # With too few steps between refreshes too: per refresh.
    slowly = mg.solve(ASYMMETRIC, MPO(step_size=0.3, magnet_strength=0.3, refresh_every=5), steps=5000, start=equilibrium + 1e-8 * np.array([1, -1, 0]))
    prediction, claim = judged(slowly)
    assert (claim.verdict, prediction.unit) == (Verdict.CONFIRMED, "refresh")
    assert claim.measured == pytest.approx(1.0018 ** (1 / 5), abs=2e-5)
    assert "6 is the smallest that converges" in prediction.detail
    # A run that is told to diverge and does not is not confirmed.
    good = mg.solve(ASYMMETRIC, MPO(), steps=400, start=START)
    said = prediction_for(good)
    wrong = replace(said, modes=tuple(replace(mode, multiplier=1 / mode.multiplier) for mode in said.modes))
    assert check_rate(good, wrong).verdict is not Verdict.CONFIRMED


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (mg.Trace.from_policies(ASYMMETRIC, np.log([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3]])), "made elsewhere"),
        (mg.solve(ASYMMETRIC, MPO(), steps=20, feedback=mg.Sampled()), "sampled"),
        (mg.solve(ASYMMETRIC, MPO(), steps=20, start=[0.5, 0.5, 0.0]), "never plays"),
        (mg.solve(ASYMMETRIC, mg.NashMirrorDescent(), steps=20), "fall with the step"),
    ],
    ids=["elsewhere", "sampled", "partial start", "nash_md"],
)
def test_where_nothing_is_predicted_nothing_is_claimed(trace: mg.Trace, reason: str) -> None:
    prediction, claim = judged(trace)
    assert reason in prediction.declined
    assert claim.verdict is Verdict.NOT_APPLICABLE
    assert reason in claim.detail


def test_a_prediction_of_another_run_is_refused() -> None:
    trace = mg.solve(ASYMMETRIC, MPO(), steps=200, start=START)
    for other in (predict_rate(ASYMMETRIC, MPO(refresh_every=7)), predict_rate(PARTIAL, MPO())):
        with pytest.raises(mg.InputError, match="says nothing of a run of mpo"):
            check_rate(trace, other)


def test_a_fixed_magnet_is_judged_at_its_own_regularised_equilibrium() -> None:
    trace = mg.solve(ASYMMETRIC, PU(), steps=500, start=START)
    prediction, claim = judged(trace)
    assert prediction.target == "regularised"
    # The magnet is the start, not uniform, and the run rests where it was linearised.
    assert np.max(np.abs(prediction.log_target - trace.log_policy)) <= 1e-13
    assert claim.verdict is Verdict.CONFIRMED


def test_of_several_equilibria_the_one_the_run_went_to() -> None:
    game = mg.games.clones(copies=2)
    start = np.array([0.4, 0.05, 0.2, 0.15, 0.1, 0.1])
    trace = mg.solve(game, MPO(), steps=3000, start=start)
    prediction, claim = judged(trace)
    assert prediction.zero_modes == 3
    assert np.max(np.abs(np.exp(prediction.log_target) - trace.policy)) <= 1e-9
    assert np.max(np.abs(predict_rate(game, MPO()).policy - trace.policy)) >= 0.05
    assert claim.verdict is Verdict.CONFIRMED
    same = prediction_for(trace, reference=mg.nash(game))
    assert same.factor == prediction.factor


def test_what_lies_along_the_set_of_equilibria_is_no_distance() -> None:
    game = mg.games.clones(copies=2)
    trace = mg.solve(game, MPO(), steps=3000, start=[0.4, 0.05, 0.2, 0.15, 0.1, 0.1])
    # Mass moved from an action to its clone: another equilibrium, where logs of the limit differ by δ = 2e-3 at most and what is not linear in them by δ².
    limit = prediction_for(trace)
    clone = next(other for other in range(1, 6) if np.array_equal(game.payoff_matrix[other], game.payoff_matrix[0]))
    beside = limit.policy + 1e-4 * (np.arange(6) == 0) - 1e-4 * (np.arange(6) == clone)
    there, elsewhere = (observe(trace, prediction) for prediction in (limit, predict_rate(game, MPO(), at=beside)))
    assert there.distance[-1] <= 1e-9 and there.along[-1] <= 1e-9
    assert elsewhere.distance[-1] <= 1e-6
    assert elsewhere.along[-1] >= 1e-4
    assert elsewhere.bend[-1] >= elsewhere.gain * elsewhere.distance[-1] * 1e-4


def test_what_is_known_too_roughly_confirms_nothing() -> None:
    trace = mg.solve(ASYMMETRIC, MPO(), steps=3000, start=START)
    prediction = prediction_for(trace)
    found = compare(trace, prediction)
    for part, verdict in ((0.19, Verdict.CONFIRMED), (0.21, Verdict.INCONCLUSIVE)):
        rough = replace(found.joint, half_width=part * found.joint.predicted - found.joint.bias)
        claim = check_rate(trace, prediction, replace(found, joint=rough))
        assert claim.verdict is verdict
        assert ("too roughly" in claim.detail) == (verdict is Verdict.INCONCLUSIVE)


def test_kuhn_poker_goes_elsewhere_than_to_the_equilibrium_of_largest_entropy() -> None:
    game = mg.games.from_spec("openspiel:kuhn_poker")
    trace = mg.solve(game, MPO(), steps=40_000)
    prediction, claim = judged(trace)
    entropic = predict_rate(game, MPO())
    distance = max(np.sum(np.abs(prediction.policy - entropic.policy)[part]) / 2 for part in (slice(0, game.blocks[0]), slice(game.blocks[0], None)))
    assert distance == pytest.approx(0.30, abs=0.01)
    assert min(mode.frequency for mode in prediction.modes) == pytest.approx(0.092, abs=6e-4)
    assert min(mode.frequency for mode in entropic.modes) == pytest.approx(0.105, abs=2e-3)
    assert claim.verdict is Verdict.CONFIRMED
    assert math.log(claim.measured or 0) == pytest.approx(math.log(claim.predicted or 0), rel=1e-3)


# --- measuring ------------------------------------------------------------------------------------------------------------------------------

T = np.arange(100.0)
ALL = {"anywhere": np.ones(100, dtype=bool)}


def measured(logs: np.ndarray, usable: dict[str, np.ndarray] | None = None, predicted: float = 0.25, bias: Any = 0.0) -> Measurement:
    return measure("it", predicted, 10 * T.astype(int), T, logs, ALL if usable is None else usable, np.broadcast_to(bias, T.shape))


def test_an_exact_line_is_measured_exactly() -> None:
    found = measured(3 - 0.25 * T)
    assert found.measured == pytest.approx(0.25, rel=1e-13)
    assert (found.window, found.rows, found.reason) == ((0, 990), 100, "")
    assert found.half_width <= 1e-13 and found.agrees and found.is_straight
    assert found.error == pytest.approx(0, abs=1e-12)


def test_the_longest_stretch_is_used() -> None:
    inside = np.ones(100, dtype=bool)
    inside[[10, 60]] = False
    logs = np.where((T > 10) & (T < 60), -0.25 * T, 50.0)
    found = measured(logs, {"inside": inside})
    assert (found.window, found.rows) == ((110, 590), 49)
    assert found.measured == pytest.approx(0.25)
    logs[30] = -np.inf  # an exact zero is no measurement, and parts the stretch
    assert measured(logs, {"inside": inside & (T < 60)}).window == (310, 590)


def test_what_keeps_a_window_short_is_said() -> None:
    few = T < 5
    found = measured(-0.25 * T, {"anywhere": T >= 0, "nowhere near": few})
    assert (found.measured, found.window, found.reason, found.error) == (None, None, "nowhere near", None)
    assert not found.agrees
    assert measured(-0.25 * T, {"early": T < 8}).measured is not None
    assert measured(-0.25 * T, {"early": T < 7}).measured is None
    assert measured(-0.001 * T, predicted=0.001).reason == "the run is too short for it"  # a tenth of an e-fold
    assert measured(-0.02 * T, predicted=0.02).measured is not None


def test_noise_widens_the_interval_and_covers_the_truth() -> None:
    generator = np.random.default_rng(0)
    found = [measured(-0.25 * T + generator.normal(size=100)) for _ in range(400)]
    inside = [abs((each.measured or 0) - 0.25) <= each.half_width for each in found]
    # 95% of 400 is 380 ± 4.4; the width is made for at least that.
    assert 372 <= sum(inside) <= 400
    deviation = 1 / math.sqrt(np.sum((T - T.mean()) ** 2))
    assert np.median([each.half_width for each in found]) == pytest.approx(2.5 * deviation, rel=0.3)


def test_agreement_is_within_two_percent_or_the_uncertainty() -> None:
    for part, agrees in ((1.019, True), (1.021, False), (0.981, True), (0.979, False)):
        assert measured(-0.25 * part * T).agrees == agrees
    assert measured(-0.25 * 1.05 * T, bias=0.01).agrees  # 1.5 times 0.01 is 6% of 0.25
    assert not measured(-0.25 * 1.08 * T, bias=0.01).agrees
    assert measured(-0.25 * T, bias=0.01).bias == pytest.approx(0.015)
    assert not measured(-0.25 * T - 0.002 * T**2).is_straight
    growing = measured(0.25 * T, predicted=-0.25)
    assert growing.agrees and growing.error == pytest.approx(0)


def mode(factor: float, second: float = 0.0) -> Mode:
    return Mode(0.1, complex(factor), second, np.zeros(1))


def test_the_asymptotic_regime_begins_when_all_else_is_down_by_a_hundred() -> None:
    def begins(*parts: Any) -> float:
        modes, actions = (tuple(part for part in parts if isinstance(part, kind)) for kind in (Mode, OffSupportAction))
        return asymptotic_from(RatePrediction("a game", "an algorithm", modes=modes, actions=actions))

    slow, hundred = mode(math.exp(-0.1)), math.log(100)
    assert begins(slow) == 0
    assert begins(slow, mode(math.exp(-0.3)), mode(math.exp(-0.5))) == pytest.approx(hundred / 0.2)
    assert begins(slow, OffSupportAction(0, "a", 1.0, -0.2)) == pytest.approx(hundred / 0.1)
    # Exponents within 1% decide together; the next one counts.
    assert begins(slow, mode(math.exp(-0.1009)), mode(math.exp(-0.3))) == pytest.approx(hundred / 0.2)
    assert begins(slow, mode(math.exp(-0.1011))) == pytest.approx(hundred / 0.0011)
    # So does the second multiplier of a mode, and one that is as large never parts from it.
    assert begins(mode(math.exp(-0.1), math.exp(-0.15))) == pytest.approx(hundred / 0.05)
    assert begins(mode(math.exp(-0.1), math.exp(-0.1))) == math.inf


def test_a_policy_at_rest_moves_nothing() -> None:
    # All that is played ties with all else: no mode but those of frequency 0.
    game = mg.PreferenceGame.from_payoffs(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [-1.0, -1.0, 0.0]]))
    prediction = predict_rate(game, MPO())
    assert (prediction.modes, prediction.zero_modes, prediction.decided_by) == ((), 1, "actions")
    stands = RatePrediction(game.name, "mpo", detail="Nothing moves.", log_target=log_normalise(np.zeros(3), (3,)))
    assert (stands.kind, stands.factor, stands.kl_factor, stands.decided_by) == ("stands still", 1.0, 1.0, "")
    claim = check_rate(mg.solve(game, MPO(), steps=10), stands)
    assert (claim.verdict, claim.detail) == (Verdict.NOT_APPLICABLE, "Nothing moves.")
