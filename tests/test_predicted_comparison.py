"""Runs against their predictions: what is confirmed, refuted, and left open, and why."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

import mmd_games as mg
from mmd_games.arrays import kl, log_normalise
from mmd_games.verification.predicted import Comparison, RatePrediction, check_rate, checking, compare, comparison, predict_rate, prediction_for
from mmd_games.verification.predicted.comparison import _since, asymptotic_from
from mmd_games.verification.predicted.measuring import TOO_FEW, Measurement, measure
from mmd_games.verification.predicted.multipliers import drift_per_slack
from mmd_games.verification.predicted.observed import ObservedRun, observe
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
        (mg.solve(ASYMMETRIC, MPO(), steps=20, feedback=mg.Sampled()), "exact payoffs"),
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
    few = T < 3
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
    assert np.median([each.half_width for each in found]) == pytest.approx(1.2 * 2 * deviation, rel=0.3)


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


# --- what must not be confirmed, or refuted --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_magnet_that_has_not_settled_refutes_nothing(seed: int) -> None:
    # The odds fall 2.9 times as fast at first, and the gap is reached before what is left of that is below 1%.
    game = mg.games.from_spec(f"elo:n=2,seed={seed}")
    trace = mg.solve(game, MMD(magnet="moving"), steps=10_000, until=1e-3 * float(game.scale))
    prediction, claim = judged(trace)
    assert trace.stopped == "tolerance" and trace.steps < prediction.actions[0].settles + 10
    assert (claim.verdict, claim.measured) == (Verdict.INCONCLUSIVE, None)
    assert "stand out from all else" in claim.detail and "Measured separately: 0 of 1 actions." in claim.detail
    assert "steady distance" in compare(trace, prediction).actions[0].reason
    # A longer run shows it.
    longer = mg.solve(game, MMD(magnet="moving"), steps=1000)
    prediction, claim = judged(longer)
    assert claim.verdict is Verdict.CONFIRMED
    # What is left of the excess is 1% at the start of the window, and falls tenfold in 39 steps of 900.
    assert math.log(claim.measured or 0) == pytest.approx(math.log(claim.predicted or 0), rel=1e-3)


def test_a_slow_magnet_is_confirmed_only_where_it_has_settled() -> None:
    trace = mg.solve(mg.games.from_spec("elo:n=2"), MMD(magnet="moving", magnet_rate=0.001), steps=600)
    prediction = prediction_for(trace)
    (action,) = compare(trace, prediction).actions
    # The excess is 38 times the drift and falls by (1 − 0.001)/(1 + 0.04) a step.
    assert prediction.actions[0].settles == pytest.approx(math.log(3842) / math.log(1.04 / 0.999), rel=1e-3)
    assert action.window is not None and action.window[0] >= prediction.actions[0].settles
    assert action.error == pytest.approx(0, abs=2e-3)


def test_an_action_settles_from_when_payoffs_are_steady() -> None:
    # Rows 3 to 9 are near, then 12 on: the clock of each stretch begins with it.
    near = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1], dtype=bool)
    times = np.arange(14.0) ** 2
    assert _since(near, times).tolist() == [0, 0, 0, *(times[3:10] - 9), 0, 0, 0, 25]
    assert _since(np.ones(3, dtype=bool), times[:3]).tolist() == [0, 1, 4]


def test_the_asymptotic_regime_waits_for_the_magnet() -> None:
    def begins(*parts: Any) -> float:
        modes, actions = (tuple(part for part in parts if isinstance(part, kind)) for kind in (Mode, OffSupportAction))
        return asymptotic_from(RatePrediction("a game", "an algorithm", modes=modes, actions=actions))

    lagging = OffSupportAction(0, "a", 1.0, -0.1, second=0.9, excess=2.0)
    assert lagging.settles == pytest.approx(math.log(200) / -math.log(0.9))
    assert begins(lagging) == pytest.approx(lagging.settles)
    assert begins(lagging, mode(math.exp(-0.11))) == pytest.approx(math.log(100) / 0.01)  # which is later
    # The drift of an action that does not decide may still change.
    assert begins(mode(math.exp(-0.01)), replace(lagging, second=0.99)) == pytest.approx(math.log(100) / 0.09)
    assert [replace(lagging, excess=part).settles for part in (0.01, 0.007, 0.0)] == [0.0, 0.0, 0.0]
    assert replace(lagging, second=0.0).settles == 0.0 and replace(lagging, second=1.0).settles == math.inf


def two_close_modes() -> mg.Trace:
    """A run whose two factors never part, though each is seen on its own."""
    cycle = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    table = np.zeros((6, 6))
    table[:3, :3], table[3:, 3:] = cycle, 0.95 * cycle
    return mg.solve(mg.PreferenceGame.from_payoffs(table), MPO(inner="pu"), steps=3000, start=[0.25, 0.15, 0.1, 0.2, 0.2, 0.1])


def test_parts_that_are_known_too_roughly_confirm_nothing() -> None:
    trace = two_close_modes()
    prediction = prediction_for(trace)
    found = compare(trace, prediction)
    assert found.joint.measured is None and found.is_whole
    first, second = found.modes
    for part, verdict in ((0.19, Verdict.CONFIRMED), (0.21, Verdict.INCONCLUSIVE)):
        for modes in ((replace(first, half_width=part * first.predicted - first.bias), second), (first, replace(second, half_width=part * second.predicted))):
            claim = check_rate(trace, prediction, replace(found, modes=modes))
            assert claim.verdict is verdict
            assert ("known too roughly" in claim.detail) == (verdict is Verdict.INCONCLUSIVE)
    bent = replace(second, half_width=0.1 * second.predicted, bent=0.3 * second.predicted)
    assert bent.agrees and not bent.is_straight
    assert check_rate(trace, prediction, replace(found, modes=(first, bent))).verdict is Verdict.INCONCLUSIVE


def test_what_makes_an_exponent_count_as_equal_is_said() -> None:
    def said(error: float, half_width: float) -> str:
        return Measurement("it", 0.5, 0.5 * (1 + error), half_width=half_width).in_words

    assert said(0.001, 0.01) == "off by +0.1%"
    outside = said(0.015, 0.001)
    assert outside.startswith("off by +1.5%: within the 2% that count as equal, yet outside the interval")
    assert said(-0.05, 0.03) == "off by -5%: within its uncertainty of ±6%"
    assert said(0.1, 0.001) == "off by +10%"
    assert Measurement("it", 0.5).in_words == "not measured"
    trace = mg.solve(ASYMMETRIC, MPO(), steps=3000, start=START)
    prediction = prediction_for(trace)
    found = compare(trace, prediction)
    off = replace(found.joint, measured=1.015 * found.joint.predicted, half_width=0.001 * found.joint.predicted, bias=0.0)
    claim = check_rate(trace, prediction, replace(found, joint=off))
    assert claim.verdict is Verdict.CONFIRMED and "outside the interval" in claim.detail
    assert claim.interval is not None and not claim.interval[0] <= (claim.predicted or 0) <= claim.interval[1]
    assert "Measured separately: 1 of 1 modes; the worst, mode of frequency 0.208893, is off by" in claim.detail


def test_the_true_reason_for_no_window_is_said() -> None:
    from_50, until_45, before_20 = T >= 50, T <= 45, T < 20
    # One begins after the other has ended: a longer run would bring more of the first, but not of the second.
    assert measured(-0.25 * T, {"apart": from_50, "rounded": until_45}).reason == "rounded"
    assert measured(-0.25 * T, {"rounded": until_45, "apart": from_50}).reason == "rounded"
    assert measured(-0.25 * T, {"rounded": until_45, "apart": T >= 70}).reason == "rounded"  # though it lasts longer
    # What has only just begun is to blame, and not what holds in fewer rows but includes it.
    assert measured(-0.25 * T, {"heavy": T >= 97, "linear": T >= 30, "rounded": T >= 0}).reason == "heavy"
    assert measured(-0.25 * T, {"never": T < 0, "linear": T >= 30}).reason == "never"
    assert measured(-0.25 * T, {"never": T < 0, "scarcely": T < 2}).reason == "never"
    # Long enough in time, but of fewer than eight rows; also where the stretch may begin and end anywhere between the rows beside it.
    sparse = 10 * T
    assert measure("it", 0.25, T.astype(int), sparse, -0.25 * sparse, {"heavy": T >= 94, "linear": T >= 3}, np.zeros(100)).reason == TOO_FEW
    one = {"heavy": T >= 50, "rounded": T <= 50}
    assert measure("it", 0.25, T.astype(int), sparse, -0.25 * sparse, one, np.zeros(100)).reason == TOO_FEW
    assert measure("it", 0.25, T.astype(int), sparse, -0.25 * sparse, {"heavy": T >= 99}, np.zeros(100)).reason == "heavy"
    assert measure("it", 0.25, T.astype(int), sparse, -0.25 * sparse, {"anywhere": before_20}, np.zeros(100)).reason == ""
    # The whole run is too short whatever holds in it.
    assert measured(-0.001 * T, {"never": T < 0}, predicted=0.001).reason == "the run is too short for it"
    assert measured(np.full(100, -np.inf)).reason == "the run is too short for it"


def test_few_policies_are_told_from_a_heavy_mass() -> None:
    game = mg.PreferenceGame([[0.5, 0.75, 0.625], [0.25, 0.5, 0.5], [0.375, 0.5, 0.5]])
    trace = mg.solve(game, mg.MultiplicativeWeights(step_size=0.5), steps=700, record=mg.Record(gaps=9, policies=9))
    found = compare(trace, prediction_for(trace))
    assert found.joint.reason == "too few policies were recorded where it could be seen"


def test_a_run_confirms_a_divergence_only_where_it_moves_away() -> None:
    # From the uniform start, 0.13 away, the run moves out to a cycle at a distance of 0.41 to 0.53.
    leaving = mg.solve(ASYMMETRIC, mg.OptimisticMultiplicativeWeights(step_size=3.0), steps=2000)
    prediction, claim = judged(leaving)
    assert prediction.kind == "diverges"
    assert (claim.verdict, claim.measured) == (Verdict.CONFIRMED, None)
    assert "from a distance of 0.13 in its first quarter to 0.41 and more in its second half" in claim.detail
    # From further out it moves in to the same cycle, and linear theory, which tells that it is repelled at 0, says nothing of that.
    for start in (START, [0.98, 0.01, 0.01]):
        _, claim = judged(mg.solve(ASYMMETRIC, mg.OptimisticMultiplicativeWeights(step_size=3.0), steps=2000, start=start))
        assert claim.verdict is Verdict.INCONCLUSIVE
        assert "neither shows a factor nor moves away by 1.5 times" in claim.detail


def test_a_run_must_be_half_as_far_again_to_have_moved_away(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = mg.solve(ASYMMETRIC, mg.MultiplicativeWeights(), steps=2000, start=START)
    prediction = prediction_for(trace)
    run = observe(trace, prediction)
    early, late = run.times <= run.times[-1] / 4, run.times >= run.times[-1] / 2
    for grown, verdict in ((1.51, Verdict.CONFIRMED), (1.49, Verdict.INCONCLUSIVE)):
        distance = np.where(late, 2 * grown, np.where(early, 2.0, 0.5))
        # Only the nearest policy of either part counts.
        distance[0], distance[-1] = 5.0, 90.0
        monkeypatch.setattr(checking, "observe", lambda *given, distance=distance: replace(run, distance=distance))
        assert check_rate(trace, prediction).verdict is verdict


def test_an_interval_around_a_bent_line_confirms_nothing() -> None:
    trace = mg.solve(ASYMMETRIC, MPO(), steps=3000, start=START)
    prediction = prediction_for(trace)
    found = compare(trace, prediction)
    exponent = found.joint.predicted
    wide = replace(found.joint, half_width=0.1 * exponent, bias=0.0)
    for error, bent, verdict in ((1.05, 0.0, Verdict.CONFIRMED), (1.05, 0.05, Verdict.INCONCLUSIVE), (1.01, 0.05, Verdict.CONFIRMED)):
        joint = replace(wide, measured=error * exponent, bent=bent * exponent)
        claim = check_rate(trace, prediction, replace(found, joint=joint))
        assert claim.verdict is verdict
        assert ("the slope still changes" in claim.detail) == (verdict is Verdict.INCONCLUSIVE)


# --- made-up runs, whose every number is known: from where and until when things are measured --------------------------------------------------


def made_run(
    amplitudes: Any = (), odds: Any = (), *, mass: Any = 0.0, along: Any = 0.0, gain: float = 0.0, floors: Any = None, distance: Any = None
) -> ObservedRun:
    """Rows at the times 0 to 99, ten iterations apart; amplitudes of modes and log-odds of actions, a function of time each."""
    modes = np.array([np.broadcast_to(each, T.shape) for each in amplitudes]).reshape(len(amplitudes), 100).T
    log_odds = np.array([np.broadcast_to(each, T.shape) for each in odds]).reshape(len(odds), 100).T
    mass = np.broadcast_to(mass, T.shape)
    return ObservedRun(
        iterations=10 * T.astype(int),
        times=T,
        modes=modes,
        log_odds=log_odds,
        log_masses=log_odds,
        distance=np.sqrt(2 * np.sum(modes**2, axis=1) + mass**2) if distance is None else np.broadcast_to(distance, T.shape),
        along=np.broadcast_to(along, T.shape),
        mass=mass,
        floors=np.zeros(len(amplitudes)) if floors is None else np.array(floors),
        gain=gain,
    )


def foretold(*parts: Any) -> RatePrediction:
    modes, actions = (tuple(part for part in parts if isinstance(part, kind)) for kind in (Mode, OffSupportAction))
    return RatePrediction("a game", "an algorithm", modes=modes, actions=actions)


def fit(monkeypatch: pytest.MonkeyPatch, run: ObservedRun, *parts: Any) -> Comparison:
    monkeypatch.setattr(comparison, "observe", lambda *_: run)
    return compare(NO_TRACE, foretold(*parts))


NO_TRACE: Any = None
SLOW = mode(math.exp(-0.1))
FALLING = np.exp(-0.1 * T)


def test_a_mode_is_seen_once_its_own_second_factor_is_down_by_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    # 0.3 − 0.1 an iteration: log(100)/0.2 = 23.03.
    two = mode(math.exp(-0.1), math.exp(-0.3))
    found = fit(monkeypatch, made_run([FALLING]), two)
    assert found.modes[0].window == (240, 990)
    assert found.modes[0].measured == pytest.approx(0.1, rel=1e-12)
    assert found.joint.window == (240, 990)
    assert fit(monkeypatch, made_run([FALLING]), SLOW).modes[0].window == (0, 990)
    apart = fit(monkeypatch, made_run([FALLING]), mode(math.exp(-0.1), math.exp(-0.12)))
    assert apart.modes[0].reason == "the run is too short for the slowest factor to stand out from all else"


def test_a_mode_is_measured_where_it_is_linear_and_above_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    # With the distance √2·x what is not linear is gain·(x² + along·√2·x + mass), x = exp(−0.1t), and moves a slope by that over x.
    def bias(gain: float, along: float, mass: float) -> np.ndarray:
        distance = np.sqrt(2 * FALLING**2 + mass**2)
        return gain * (distance**2 / 2 + along * distance + mass) / FALLING

    for gain, along, mass in ((1.0, 0.0, 0.0), (2.0, 0.0, 0.0), (1.0, 5e-4, 0.0), (0.5, 0.0, 1e-7)):
        allowed = bias(gain, along, mass) <= 0.03 * 0.1
        first, last = np.flatnonzero(allowed)[[0, -1]]
        found = fit(monkeypatch, made_run([FALLING], gain=gain, along=along, mass=mass), SLOW).modes[0]
        assert found.window == (10 * first, 10 * last)
        inside = bias(gain, along, mass)[first : last + 1]
        # At most 3/2 of its mean, by the trapezoidal rule.
        assert found.bias == pytest.approx(1.5 * (inside.sum() - (inside[0] + inside[-1]) / 2) / (last - first), rel=1e-12)
    # It grows with no change of the conditions: a negative exponent has a size too.
    growing = fit(monkeypatch, made_run([FALLING[::-1]], gain=1.0), mode(math.exp(0.1))).modes[0]
    assert growing.window == (0, 10 * np.flatnonzero(FALLING[::-1] <= 0.003)[-1])
    floor = float(FALLING[60])
    assert fit(monkeypatch, made_run([FALLING], floors=[floor]), SLOW).modes[0].window == (0, 590)
    assert fit(monkeypatch, made_run([FALLING], floors=[floor * (1 - 1e-12)]), SLOW).modes[0].window == (0, 600)
    # Of two modes each has its own.
    both = fit(monkeypatch, made_run([FALLING, FALLING**3], floors=[0.0, 1.001 * floor]), SLOW, mode(math.exp(-0.3)))
    assert [part.window for part in both.modes] == [(0, 990), (0, 190)]


def test_what_does_not_move_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    still = OffSupportAction(0, "a", 0.0, 0.0)
    found = fit(monkeypatch, made_run([FALLING, FALLING], [-0.1 * T]), mode(1.0), mode(0.0), still)
    assert [part.reason for part in (*found.modes, *found.actions)] == ["its factor is 0, or 1", "its factor is 0, or 1", "it does not move"]
    assert [part.predicted for part in (*found.modes, *found.actions)] == [0.0, 0.0, 0.0]
    assert (found.joint.reason, found.joint.name, found.share) == ("the predicted factor is 0, or 1", "distance", 0.0)
    at_once = fit(monkeypatch, made_run([FALLING]), mode(0.0))
    assert at_once.joint.reason == "the predicted factor is 0, or 1"


def test_an_action_is_measured_where_payoffs_have_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    dying = OffSupportAction(0, "a", 1.0, -0.2)
    for gain, along, mass in ((1.0, 0.0, 0.0), (3.0, 0.0, 0.0), (1.0, 1e-3, 0.0), (1.0, 0.0, 1e-3)):
        run = made_run([FALLING], [-0.2 * T], gain=gain, along=along, mass=mass)
        bias = gain * (np.sqrt(2 * FALLING**2 + mass**2) + along + mass)
        first = int(np.flatnonzero(bias <= 0.03 * 0.2)[0])
        found = fit(monkeypatch, run, SLOW, dying).actions[0]
        assert (found.window, found.name) == ((10 * first, 990), "a")
        assert found.measured == pytest.approx(0.2, rel=1e-12)
        assert found.bias == pytest.approx(1.5 * (bias[first:].sum() - (bias[first] + bias[-1]) / 2) / (99 - first), rel=1e-12)


def test_the_regime_in_which_the_distance_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, dying = mode(math.exp(-0.3)), OffSupportAction(0, "a", 1.0, -0.2)
    # Other factors down by a hundred: from log(100)/0.2 = 23.03, or with the action from log(100)/0.1 = 46.05 on.
    assert fit(monkeypatch, made_run([FALLING, FALLING**3]), SLOW, fast).joint.window == (240, 990)
    assert fit(monkeypatch, made_run([FALLING], [-0.2 * T]), SLOW, dying).joint.window == (470, 990)
    # Mass below 1e-6: exp(−0.2t) is from t = 69.08 on; a mass of just that is too much.
    light = fit(monkeypatch, made_run([FALLING], [-0.2 * T], mass=np.exp(-0.2 * T)), SLOW, dying).joint
    assert light.window == (700, 990)
    heavy = fit(monkeypatch, made_run([FALLING], mass=1e-6), SLOW).joint
    assert (heavy.measured, heavy.reason) == (None, "actions that die out still have a mass of 1e-6 and more")
    assert fit(monkeypatch, made_run([FALLING], mass=0.999e-6), SLOW).joint.measured is not None
    # Above all floors together, √2 times their norm: with 3 and 4 that is 5√2.
    floor = math.sqrt(2) * FALLING[60] / (math.sqrt(2) * 5)
    for part, last in ((1 + 1e-9, 590), (1 - 1e-9, 600)):
        assert fit(monkeypatch, made_run([FALLING, 0 * T], floors=[3 * floor * part, 4 * floor * part]), SLOW, SLOW).joint.window == (0, last)
    # What is not linear, against the distance √2·x: gain·x²/(√2·x).
    bent = fit(monkeypatch, made_run([FALLING], gain=1.0), SLOW).joint
    expected = FALLING / math.sqrt(2)
    first = int(np.flatnonzero(expected <= 0.003)[0])
    assert bent.window == (10 * first, 990)
    assert bent.bias == pytest.approx(1.5 * (expected[first:].sum() - (expected[first] + expected[-1]) / 2) / (99 - first), rel=1e-12)


def test_the_distance_where_actions_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    dying = OffSupportAction(0, "a", 1.0, -0.2)
    mass = np.exp(-0.2 * T)
    for gain, along in ((1.0, 0.0), (10.0, 0.0), (1.0, 1e-3)):
        found = fit(monkeypatch, made_run((), [-0.2 * T], mass=mass, gain=gain, along=along), dying)
        bias = gain * (2 * mass + along)  # the distance is the mass here
        first = max(70, int(np.flatnonzero(bias <= 0.03 * 0.2)[0]))
        assert found.joint.window == (10 * first, 990)
        assert found.joint.bias == pytest.approx(1.5 * (bias[first:].sum() - (bias[first] + bias[-1]) / 2) / (99 - first), rel=1e-12)
        assert found.joint.measured == pytest.approx(0.2, rel=1e-9)


def test_the_share_of_what_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two modes that decide together, one that does not, and one of frequency 0: 2a² + 2b² + d² of 2a² + 2b² + 2c² + d².
    a, b, c, d = (np.exp(-rate * T) * part for rate, part in ((0.1, 1.0), (0.1009, 0.5), (0.3, 5.0), (0.1, 0.7)))
    still = replace(SLOW, frequency=0.0)
    distance = np.sqrt(2 * (a**2 + b**2 + c**2) + d**2)
    parts = (SLOW, mode(math.exp(-0.1009)), mode(math.exp(-0.3)), still)
    found = fit(monkeypatch, made_run([a, b, c, d], distance=distance), *parts)
    assert found.joint.window == (240, 990)  # where c has most is the first of these rows
    assert found.share == pytest.approx(math.sqrt((2 * (a**2 + b**2) + d**2)[24]) / distance[24], rel=1e-12)
    assert found.share < 0.9999
    assert fit(monkeypatch, made_run([a, b, c, d], distance=0.9 * distance), *parts).share == 1.0
    # Of actions it is their mass.
    first, second, third = (OffSupportAction(place, "a", 1.0, -rate) for place, rate in enumerate((0.2, 0.2015, 0.4)))
    odds = [-0.2 * T - 1.0, -0.2015 * T - 2.0, -0.4 * T]
    masses = np.exp(odds)
    run = made_run((), odds, mass=masses.sum(axis=0))
    found = fit(monkeypatch, run, first, second, third)
    row = (found.joint.window or (0, 0))[0] // 10
    assert row >= 60
    assert found.share == pytest.approx((masses[:2].sum(axis=0) / masses.sum(axis=0))[row], rel=1e-12)
    # It is taken inside the window alone: what was before, and after rounding, does not count.
    falling = FALLING * np.where((T < 30) | (T > 80), 1e-3, 1.0)
    inside = fit(monkeypatch, made_run([falling], mass=np.where((T < 30) | (T > 80), 1.0, 0.0), distance=FALLING * math.sqrt(2)), SLOW)
    assert (inside.joint.window, inside.share) == ((300, 800), pytest.approx(1.0))


# --- verdicts on comparisons made by hand ------------------------------------------------------------------------------------------------------


def part_of(error: float | None, predicted: float = 0.5, **changes: Any) -> Measurement:
    if error is None:
        return Measurement("distance", predicted, reason="of a reason")
    usual = {"half_width": 0.001, "bias": 0.002, "window": (1200, 3400), "rows": 40}
    return Measurement("distance", predicted, predicted * (1 + error), **{**usual, **changes})


ONE_OF_EACH = foretold(mode(math.exp(-0.5)), OffSupportAction(0, "a", 1.0, -0.6))


def told(joint: Measurement, share: float = 1.0, modes: Any = None, actions: Any = None, prediction: RatePrediction = ONE_OF_EACH) -> Claim:
    modes = (part_of(0.0),) if modes is None else modes
    actions = (part_of(0.0, 0.6),) if actions is None else actions
    return check_rate(NO_TRACE, replace(prediction, steps_per_unit=4), Comparison(joint, share, modes, actions))


def test_a_measurement_becomes_a_factor_a_step() -> None:
    claim = told(part_of(0.01))
    assert (claim.verdict, claim.predicted) == (Verdict.CONFIRMED, pytest.approx(math.exp(-0.5 / 4)))
    assert claim.measured == pytest.approx(math.exp(-0.505 / 4), rel=1e-14)
    assert claim.interval == pytest.approx((math.exp(-0.508 / 4), math.exp(-0.502 / 4)), rel=1e-14)
    assert "1,200 to 3,400" in claim.detail and "off by +1%" in claim.detail


@pytest.mark.parametrize(
    ("error", "share", "deciding", "straight", "verdict"),
    [
        (0.1, 0.99, 0.0, True, Verdict.REFUTED),
        (0.1, 0.989, 0.0, True, Verdict.INCONCLUSIVE),
        (0.1, 0.989, 0.1, True, Verdict.REFUTED),  # small, but off on its own
        (0.1, 0.99, 0.0, False, Verdict.INCONCLUSIVE),
        (0.1, 0.989, 0.1, False, Verdict.INCONCLUSIVE),
        (-0.1, 1.0, 0.0, True, Verdict.REFUTED),
        (0.01, 0.5, 0.1, False, Verdict.CONFIRMED),
    ],
)
def test_a_deviation_refutes_where_the_slowest_decides_and_the_line_is_straight(
    error: float, share: float, deciding: float, straight: bool, verdict: Verdict
) -> None:
    claim = told(part_of(error, bent=0.0 if straight else 0.1), share, modes=(part_of(deciding),))
    assert claim.verdict is verdict and claim.measured is not None
    assert ("does not yet decide, it has 99% of the distance" in claim.detail) == (share == 0.989 and deciding == 0)
    assert ("the slope still changes" in claim.detail) == (verdict is Verdict.INCONCLUSIVE and not straight)


def test_without_a_joint_stretch_the_parts_are_asked() -> None:
    nothing = part_of(None)
    assert told(nothing).verdict is Verdict.CONFIRMED
    # The slowest that was measured is shown.
    assert told(nothing, modes=(part_of(0.01),)).measured == pytest.approx(math.exp(-0.505 / 4))
    refuted = told(nothing, modes=(part_of(0.1),))
    assert (refuted.verdict, refuted.measured) == (Verdict.REFUTED, None)
    assert "off on its own" in refuted.detail and "of a reason" in refuted.detail
    # What is off but does not decide, or is not straight, refutes nothing.
    assert told(nothing, actions=(part_of(0.1, 0.6),)).verdict is Verdict.INCONCLUSIVE
    assert told(nothing, modes=(part_of(0.1, bent=0.5),)).verdict is Verdict.INCONCLUSIVE
    assert told(nothing, actions=(part_of(0.1, 0.504),)).verdict is Verdict.REFUTED  # within 1% of the slowest
    # All that is predicted must be there.
    for modes, actions in (((part_of(None),), None), (None, (part_of(None, 0.6),)), ((), None), (None, ())):
        claim = told(nothing, modes=modes, actions=actions)
        assert (claim.verdict, claim.measured) == (Verdict.INCONCLUSIVE, None)
        assert claim.detail.startswith("no stretch of the run shows it: of a reason.")


def test_what_was_measured_is_counted_and_the_worst_is_named() -> None:
    modes = (part_of(0.001), part_of(None), replace(part_of(-0.015, 0.7), name="the worst of all"))
    detail = told(part_of(0.0), modes=modes).detail
    assert "2 of 3 modes" in detail and "1 of 1 action" in detail
    assert "the worst of all" in detail and "off by -1.5%" in detail
    none = told(part_of(0.0), modes=(part_of(None),), actions=()).detail
    assert "0 of 1 mode" in none and "action" not in none and "worst" not in none


def test_where_nothing_is_predicted_the_words_say_so() -> None:
    declined = check_rate(NO_TRACE, RatePrediction("a game", "an algorithm", declined="it is so."))
    assert (declined.verdict, declined.measured, declined.interval) == (Verdict.NOT_APPLICABLE, None, None)
    assert declined.detail == "nothing is predicted: it is so."


def test_a_comparison_knows_what_it_holds() -> None:
    modes, actions = (part_of(0.0), part_of(None)), (part_of(0.5, 0.6),)
    found = Comparison(part_of(0.0), 0.75, modes, actions)
    assert found.measured == (modes[0], actions[0])
    assert not found.is_whole and not found.deciding_is_off
    assert Comparison(part_of(None), 0.0, modes[:1], ()).is_whole
    written = found.to_dict()
    assert (written["share"], len(written["modes"]), len(written["actions"])) == (0.75, 2, 1)
    assert written["joint"]["window"] == [1200, 3400] and written["modes"][1]["window"] is None
    assert (written["joint"]["error"], written["modes"][1]["error"]) == (0.0, None)
    assert set(written["joint"]) == {"name", "predicted", "measured", "half_width", "bias", "bent", "window", "rows", "reason", "error"}


# --- a line and its uncertainty, by hand ---------------------------------------------------------------------------------------------------------


def test_the_width_of_an_interval_by_hand() -> None:
    # Residuals +1, −1 in turn: their memory is below 0 and counts as 0; in pairs of four it is about 1/2, in one long wave 0.97 at most. Two columns take 2/n from it.
    def width(left: np.ndarray) -> tuple[float, float]:
        x = T - T.mean()
        left = left - left.mean() - (x @ left) / (x @ x) * x
        memory = min(max(float(np.sum(left[1:] * left[:-1]) / np.sum(left**2)) + 2 / 100, 0.0), 0.97)
        number = max(98 * (1 - memory) / (1 + memory), 4)
        return memory, 1.2 * float(stdtrit(max(number - 2, 2), 0.975)) * math.sqrt(np.sum(left**2) / np.sum(x**2) / number)

    for left, about in (
        (np.where(T % 2 == 0, 1.0, -1.0), 0.0),
        (np.where(T % 4 < 2, 1.0, -1.0), 0.0),
        (np.where(T % 8 < 4, 1.0, -1.0), 0.5),
        ((T - 50) ** 2 / 500, 0.97),
    ):
        memory, expected = width(left)
        assert memory == pytest.approx(about, abs=0.05)
        assert measured(-0.25 * T + 0.1 * left).half_width == pytest.approx(0.1 * expected, rel=1e-9)


def test_residuals_that_resemble_their_neighbours_widen_the_interval_enough() -> None:
    generator, covered = np.random.default_rng(0), 0
    for _ in range(600):
        noise = np.zeros(130)
        for row in range(1, 130):
            noise[row] = 0.5 * noise[row - 1] + generator.normal()
        covered += abs((measured(-0.25 * T + noise[30:]).measured or 0) - 0.25) <= measured(-0.25 * T + noise[30:]).half_width
    # 95% of 600 is 570 ± 5.3.
    assert covered >= 560


def test_the_halves_of_a_window_are_compared() -> None:
    # A slope of −0.2 in rows 0 to 49 and of −0.3 in rows 50 to 99: exact lines, so the difference is 0.1 whatever the widths.
    found = measured(np.where(T < 50, -0.2 * T, 5 - 0.3 * T))
    assert found.bent == pytest.approx(0.1, rel=1e-9)
    assert not found.is_straight
    # Up to 4% of the predicted exponent, and twice what is not linear, a line is straight.
    for bent, bias, straight in ((0.0199, 0.0, True), (0.0201, 0.0, False), (0.0599, 0.02, True), (0.0601, 0.02, False)):
        assert Measurement("it", -0.5, -0.5, bent=bent, bias=bias).is_straight == straight
    # Of an odd number of rows the later half has one more.
    usable = {"early": T < 99}
    assert measured(np.where(T < 49, -0.2 * T, 4.9 - 0.3 * T), usable).bent == pytest.approx(0.1, rel=1e-9)
    # Within both intervals no difference is seen: bent is what exceeds them.
    wave = 0.05 * np.where(T % 2 == 0, 1.0, -1.0)
    widths = [
        measure("it", 0.25, T[part].astype(int), T[part], (-0.25 * T + wave)[part], {}, np.zeros(50)).half_width for part in (slice(0, 50), slice(50, 100))
    ]
    assert measured(np.where(T < 50, -0.2 * T, 5 - 0.3 * T) + wave).bent == pytest.approx(0.1 - sum(widths), rel=1e-2)
    assert measured(-0.25 * T + wave).bent == 0.0


def test_what_nothing_was_measured_of_has_no_width() -> None:
    nothing = Measurement("it", 0.5)
    assert (nothing.measured, nothing.half_width, nothing.bias, nothing.bent, nothing.window, nothing.rows, nothing.reason) == (None, 0, 0, 0, None, 0, "")


def test_the_fewest_rows_and_the_shortest_stretch() -> None:
    def at_all(rows: int, predicted: float) -> bool:
        early = {"early": rows > T}
        return measured(-predicted * T, early, predicted=predicted).measured is not None

    assert [at_all(rows, 0.25) for rows in (7, 8)] == [False, True]
    # One e-fold from the first to the last row: 16 intervals of 1/16.
    assert [at_all(rows, 1 / 16) for rows in (16, 17)] == [False, True]
    assert measured(0.0625 * T, {"early": T < 17}, predicted=-0.0625).measured == pytest.approx(-0.0625)


# --- observed coordinates, by loops --------------------------------------------------------------------------------------------------------------

TWO_PLAYERS = mg.MatrixGame(np.random.default_rng(6).normal(size=(4, 3)))
OBSERVED = {
    "refreshes and actions": (PARTIAL, MPO(inner="pu"), None),
    "two players": (TWO_PLAYERS, mg.OptimisticMultiplicativeWeights(), None),
    "clones": (mg.games.clones(copies=2), mg.Extragradient(), [0.4, 0.05, 0.2, 0.15, 0.1, 0.1]),
    "a fixed magnet": (mg.games.clones(copies=2), PU(step_size=0.7, magnet_strength=0.2), [0.4, 0.05, 0.2, 0.15, 0.1, 0.1]),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_what_is_observed_is_what_is_defined(name: str) -> None:
    game, algorithm, start = OBSERVED[name]
    trace = mg.solve(game, algorithm, steps=600, start=start)
    prediction = prediction_for(trace)
    run, spectrum = observe(trace, prediction), prediction.spectrum
    assert spectrum is not None
    refreshed, regularised = prediction.unit == "refresh", prediction.target == "regularised"
    logs = trace.stages.log_magnets if refreshed else trace.log_policies
    per = prediction.steps_per_unit
    np.testing.assert_array_equal(run.iterations, trace.stages.iterations if refreshed else trace.policy_iterations)
    np.testing.assert_allclose(run.times, run.iterations / per, rtol=1e-15)
    support = np.flatnonzero(prediction.policy)
    unplayed = [index for index in range(game.actions) if index not in support]
    chances = prediction.policy[support]
    player = np.searchsorted(np.cumsum(game.blocks), support, side="right")
    # z = D^½ of what the logs differ by, each player's mean taken off; and its parts along the modes, which are orthogonal: 2Re(c·v) each pair.
    seen = logs[:, support] - prediction.log_target[support]
    for each in set(player):
        own = player == each
        seen[:, own] -= (seen[:, own] @ chances[own])[:, None]
    seen = seen * np.sqrt(chances)
    vectors = [mode.vector for mode in prediction.modes if mode.frequency > 0]
    basis = np.array([part for vector in vectors for part in (vector.real, vector.imag)]) * math.sqrt(2)
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-12)
    inside = (seen @ basis.T) @ basis
    still = np.linalg.norm(seen - inside, axis=1)
    mass = np.exp(logs[:, unplayed]).sum(axis=1)
    turning = np.linalg.norm(inside, axis=1)
    np.testing.assert_allclose(run.mass, mass, rtol=1e-14)
    np.testing.assert_allclose(run.along, 0 if regularised else still, atol=1e-12)
    np.testing.assert_allclose(run.distance, np.sqrt(turning**2 + mass**2 + (still**2 if regularised else 0)), rtol=1e-9, atol=1e-12)
    for column, each in enumerate(prediction.modes):
        expected = still if each.frequency == 0 else np.abs(seen @ each.vector.conj())
        np.testing.assert_allclose(run.modes[:, column], expected, rtol=1e-9, atol=1e-12)
    assert run.log_masses.shape == run.log_odds.shape == (len(logs), len(unplayed))
    np.testing.assert_array_equal(run.log_masses, logs[:, [action.action for action in prediction.actions]])
    # A payoff of L moves logits by η a step, or as much as an action of slack L loses a unit; twice as much where two products do.
    rule = trace.algorithm.log_linear
    slope = rule.step_size if regularised else -drift_per_slack(rule)
    products = 2 if rule.evaluation == "half_step" else 1
    assert run.gain == pytest.approx(slope * float(game.scale) * products, rel=1e-14)
    np.testing.assert_allclose(run.bend, run.gain * (run.distance**2 / 2 + run.distance * run.along + run.mass), rtol=1e-12)


@pytest.mark.parametrize("name", OBSERVED)
def test_where_rounding_begins(name: str) -> None:
    game, algorithm, start = OBSERVED[name]
    trace = mg.solve(game, algorithm, steps=600, start=start)
    prediction = prediction_for(trace)
    support, regularised = np.flatnonzero(prediction.policy), prediction.target == "regularised"
    payoffs, strength = game.payoffs(prediction.policy)[support], 0.2
    logs = prediction.log_target[support]
    # What is missed of the equilibrium's equations: payoffs that are equal; or log π − log ρ that is them over α.
    missed = logs - trace.stages.log_magnets[0][support] - payoffs / strength if regularised else payoffs
    moved = game.payoff_rounding / (strength if regularised else 1.0)
    for floor, each in zip(observe(trace, prediction).floors, prediction.modes, strict=True):
        memory = min(trace.steps, prediction.steps_per_unit / abs(each.exponent))
        logits = np.finfo(np.float64).eps * (2 + np.max(-logs)) * math.sqrt(memory)
        # A mode has no part in a player's mean, up to the rounding of v, 1e-16 of payoffs.
        off = abs(np.sum(each.vector.conj() * np.sqrt(prediction.policy[support]) * missed))
        resting = (off + moved) / (1.0 if regularised else each.frequency)
        assert floor == pytest.approx(100 * (logits + resting), rel=0.2, abs=0)
        exact = 100 * (logits + moved / (1.0 if regularised else each.frequency))
        assert floor >= exact * (1 - 1e-12)


def test_a_policy_off_the_equilibrium_raises_the_floor() -> None:
    trace = mg.solve(ASYMMETRIC, mg.Extragradient(), steps=300, start=START)
    exact = prediction_for(trace)
    beside = exact.policy + 1e-10 * np.array([1.0, -1.0, 0.0])
    off = predict_rate(ASYMMETRIC, mg.Extragradient(), at=beside)
    ((vector,), (frequency,)) = ([mode.vector for mode in off.modes], [mode.frequency for mode in off.modes])
    # Where payoffs are off by 4e-11 the run rests elsewhere, by that over ω.
    spectral = abs(np.sum(vector.conj() * np.sqrt(beside) * ASYMMETRIC.payoffs(beside)))
    assert spectral > 1e-12
    difference = observe(trace, off).floors[0] - observe(trace, exact).floors[0]
    assert difference == pytest.approx(100 * spectral / frequency, rel=1e-3)


def test_the_slowest_two_hundred_are_measured() -> None:
    heights = np.r_[0.0, 1.0 - np.arange(201) / 400]
    game = mg.GeneralPreferenceGame(np.column_stack([heights == 0, heights]).astype(float))
    trace = mg.solve(game, mg.MultiplicativeWeights(step_size=0.5), steps=3)
    prediction = predict_rate(game, mg.MultiplicativeWeights(step_size=0.5), at=np.eye(202)[0])
    assert len(prediction.actions) == 201
    run = observe(trace, prediction)
    assert run.log_odds.shape[1] == 200
    np.testing.assert_allclose(run.log_odds[:, 0], trace.log_policies[:, 201] - trace.log_policies[:, 0], rtol=1e-12)
    ring = np.roll(np.eye(403), 1, axis=1)
    large = mg.PreferenceGame.from_payoffs((ring - ring.T) / 2)
    trace = mg.solve(large, mg.Extragradient(), steps=2, start=np.arange(1.0, 404) / np.arange(1.0, 404).sum())
    prediction = predict_rate(large, mg.Extragradient(), at=np.full(403, 1 / 403))
    assert len(prediction.modes) == 201
    run = observe(trace, prediction)
    assert (run.modes.shape[1], len(run.floors)) == (200, 200)
    found = compare(trace, prediction)
    assert (len(found.modes), [part.predicted for part in found.modes]) == (200, [each.exponent for each in prediction.modes[:200]])


def test_which_run_a_prediction_is_of() -> None:
    trace = mg.solve(ASYMMETRIC, mg.Extragradient(), steps=20, start=START)
    prediction = prediction_for(trace)
    for wrong in (
        replace(prediction, game="another game"),
        replace(prediction, algorithm="another algorithm"),
        replace(prediction, log_target=np.zeros(4)),
        replace(prediction, spectrum=None),
    ):
        with pytest.raises(mg.InputError, match="says nothing of a run of"):
            observe(trace, wrong)
    with pytest.raises(mg.InputError, match="says nothing of a run of"):
        observe(replace(trace, algorithm=trace.algorithm_spec), prediction)


# --- which equilibrium a run is compared with ----------------------------------------------------------------------------------------------------


def test_the_projection_of_the_last_policy_is_asked_for_where_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[np.ndarray] = []
    clones = mg.games.clones(copies=2)
    true = mg.nash

    def recorded(game: mg.Game, **how: Any) -> Any:
        if "start" in how:
            asked.append(how["start"])
            assert how["select"] == "maximum_entropy"
        return true(game, **how)

    monkeypatch.setattr(checking, "nash", recorded)
    trace = mg.solve(clones, MPO(), steps=200, start=[0.4, 0.05, 0.2, 0.15, 0.1, 0.1])
    # A probability that underflows is taken as e^−700, and the others stay as they are.
    logs = np.array(trace.log_policies)
    logs[-1] = [-800.0, *np.log([0.1, 0.2, 0.3, 0.25, 0.15])]
    prediction_for(replace(trace, log_policies=logs))
    assert asked[0] == pytest.approx([math.exp(-700), 0.1, 0.2, 0.3, 0.25, 0.15], rel=1e-12, abs=0)
    # No projection of a unique equilibrium, nor where it was not found.
    prediction_for(mg.solve(ASYMMETRIC, MPO(), steps=50, start=START))
    assert len(asked) == 1
    monkeypatch.setattr(checking, "nash", lambda game, **how: replace(true(game, **how), converged=False))
    reference = true(clones)
    assert prediction_for(trace, reference=reference).policy == pytest.approx(reference.policy)


@pytest.mark.parametrize(("extra", "projected"), [(994, True), (995, False)])
def test_up_to_a_thousand_actions_the_run_is_projected(monkeypatch: pytest.MonkeyPatch, extra: int, projected: bool) -> None:
    table = np.zeros((6 + extra, 6 + extra))
    table[:6, :6] = mg.games.clones().payoff_matrix
    table[:6, 6:], table[6:, :6] = 0.1, -0.1
    game = mg.PreferenceGame.from_payoffs(table)
    even = np.r_[np.repeat([2 / 11, 3 / 22, 2 / 11], 2), np.zeros(extra)]
    lopsided = even * np.r_[np.tile([1.5, 0.5], 3), np.ones(extra)]
    small = mg.nash(mg.games.clones())
    found = replace(small, policy=even, slack=np.where(even > 0, 0.0, 0.1), margin=0.05, blocks=game.blocks)
    monkeypatch.setattr(checking, "nash", lambda *_, **__: replace(found, policy=lopsided))
    trace = mg.solve(game, MPO(), steps=2)
    np.testing.assert_allclose(prediction_for(trace, reference=found).policy, lopsided if projected else even, atol=1e-15)
