"""The claims about the last iterate and its limit, on runs made up so that each must be refused, left open, or confirmed."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.arrays import total_variation
from mmd_games.loop.trace import Stages
from mmd_games.verification import Headline, Question, Verdict, claims, judge, limits, proofs
from mmd_games.verification import headline as verification_headline
from mmd_games.verification.claims import allowed_distance, claim_distance, claim_gap, claim_rate, claim_rest, default_tolerance
from mmd_games.verification.headline import headline_of, is_short, may_approach
from mmd_games.verification.judging import gap_floor
from mmd_games.verification.limits import claim_projection, claim_support
from mmd_games.verification.measured import Convergence, Kind
from mmd_games.verification.predicted import RatePrediction
from mmd_games.verification.predicted.parts import Mode
from mmd_games.verification.proofs import claim_exact_equilibrium, claim_exact_gap
from mmd_games.verification.verdicts import Claim

TARGET = np.array([4, 3, 4]) / 11


@pytest.fixture(scope="module")
def game():
    return mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))


@pytest.fixture(scope="module")
def clones():
    """Rock, paper and scissors twice each: the mass of an action may be shared between its copies in any way."""
    return mg.games.clones()


def brought_in(game, policies, iterations=None):
    with np.errstate(divide="ignore"):
        return mg.Trace.from_policies(game, np.log(policies), iterations)


def claim(judgement, name):
    return next((claim for claim in judgement.claims if claim.name == name), None)


def falling(target, direction, factor, steps=400):
    """Policies that come to the target along a line, geometrically."""
    return target + np.outer(factor ** np.arange(steps), direction)


def test_claims_stand_in_the_order_in_which_a_reader_asks(game):
    judgement = judge(mg.solve(game, until=1e-10))
    order = [list(Question).index(claim.question) for claim in judgement.claims]
    assert order == sorted(order)
    assert [claim.question for claim in judgement.claims if claim.name in ("rest", "gap", "rate", "exact_gap")] == [
        Question.CONVERGED,
        Question.EQUILIBRIUM,
        Question.LINEAR,
        Question.PROVED,
    ]


@pytest.mark.parametrize(("period", "verdict"), [(7, Verdict.REFUTED), (None, Verdict.CONFIRMED)])
def test_a_cycle_never_rests(game, period, verdict):
    angle = np.arange(2_000) * (2 * np.pi / period if period else 0.0)
    policies = TARGET + 0.1 * np.column_stack([np.cos(angle), -0.5 * np.cos(angle) + 0.5 * np.sin(angle), -0.5 * np.cos(angle) - 0.5 * np.sin(angle)])
    rest = claim(judge(brought_in(game, policies)), "rest")
    assert rest.verdict is verdict
    # The farthest two points of the orbit are its two ends: 0.2·(1 + 0.5 + 0.5)/2 at most.
    assert rest.measured == 0.0 if period is None else 0.1 < rest.measured <= 0.2


def test_a_run_on_its_way_may_still_come_to_rest(game):
    judgement = judge(brought_in(game, falling(TARGET, [0.2, -0.1, -0.1], 0.995, 300)))
    assert claim(judgement, "rest").verdict is Verdict.INCONCLUSIVE
    assert claim(judgement, "rest").measured == pytest.approx(0.2 * (0.995**270 - 0.995**299), rel=1e-3)


def test_two_recorded_policies_are_needed_to_rest(game):
    trace = brought_in(game, falling(TARGET, [0.2, -0.1, -0.1], 0.5, 4), [0, 10, 20, 1000])
    assert claim(judge(trace), "rest").verdict is Verdict.INCONCLUSIVE


def test_a_trace_of_two_gaps_is_too_short(game):
    with pytest.raises(mg.InputError, match="recorded 2 gaps; judging needs 3"):
        judge(brought_in(game, falling(TARGET, [0.2, -0.1, -0.1], 0.9, 2)))


def test_a_run_that_is_over_at_once_has_no_shape(game):
    judgement = judge(brought_in(game, np.array([[0.5, 0.3, 0.2], TARGET])))
    assert judgement.headline is Headline.UNCLEAR
    assert judgement.convergence.rate is None


def equilibrium_of_clones(share):
    """The equilibrium that gives the first copies this share; the copies stand side by side, two a sign."""
    return np.repeat(TARGET, 2) * np.tile([share, 1 - share], 3)


def test_an_equilibrium_of_the_clones_is_one(clones):
    assert mg.duality_gap(clones, equilibrium_of_clones(0.3)) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("final", "verdict", "played"),
    [(0.3, Verdict.CONFIRMED, 6), (1e-7, Verdict.INCONCLUSIVE, 6), (0.0, Verdict.REFUTED, 3)],
)
def test_a_limit_of_smaller_support_is_seen(clones, final, verdict, played):
    """The second copies keep a share, a faint one, or lose theirs as fast as the run comes to the set of equilibria."""
    shares = 1 - final - (0.5 - final) * 0.93 ** np.arange(400)
    policies = np.array([equilibrium_of_clones(share) for share in shares]) + np.outer(0.93 ** np.arange(400), [0.01, 0.0, -0.01, 0.0, 0.0, 0.0])
    support = claim(judge(brought_in(clones, policies)), "support")
    assert support.verdict is verdict
    assert (support.predicted, support.measured) == (6, played)
    if verdict is Verdict.REFUTED:
        assert "rock 2, scissors 2, paper 2 vanished" in support.detail


def test_the_limit_of_a_run_with_several_equilibria_is_the_projection_of_its_start(clones):
    start = np.array([0.3, 0.1, 0.2, 0.1, 0.05, 0.25])
    trace = mg.solve(clones, mg.OptimisticMultiplicativeWeights(), until=1e-10, start=start)
    judgement = judge(trace)
    assert claim(judgement, "projection").verdict is Verdict.CONFIRMED
    # The copies of a sign have the same payoffs, so they keep the odds of the start.
    assert trace.policy[::2] / trace.policy[1::2] == pytest.approx(start[::2] / start[1::2], rel=1e-9)
    # The same run, said to have started elsewhere, went to the wrong equilibrium.
    logs = np.array(trace.log_policies)
    logs[0] = np.log(start[::-1])
    forged = judge(dataclasses.replace(trace, log_policies=logs))
    assert claim(forged, "projection").verdict is Verdict.REFUTED
    # On the way nothing is refuted.
    short = mg.solve(clones, mg.OptimisticMultiplicativeWeights(), steps=60, start=start)
    assert claim(judge(short), "projection").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("spec", ["mmd", "pu"])
def test_no_projection_is_promised_of_a_fixed_magnet(clones, spec):
    trace = mg.solve(clones, mg.algorithms.from_spec(spec), steps=300, start=[0.3, 0.1, 0.2, 0.1, 0.05, 0.25])
    assert claim(judge(trace), "projection") is None


def test_no_projection_is_promised_where_the_equilibrium_is_unique(game):
    assert claim(judge(mg.solve(game, until=1e-10)), "projection") is None


def test_an_equilibrium_in_rationals_is_proved_and_known_to_be_the_only_one(game):
    proved = claim(judge(mg.solve(game, until=1e-10)), "exact_equilibrium")
    assert (proved.verdict, proved.question) == (Verdict.CONFIRMED, Question.PROVED)
    assert "the only equilibrium" in proved.detail
    assert (proved.predicted, proved.measured) == (3, 3)


def test_of_several_equilibria_one_is_proved_that_plays_as_many_actions(clones):
    proved = claim(judge(mg.solve(clones, until=1e-10)), "exact_equilibrium")
    assert proved.verdict is Verdict.CONFIRMED
    assert "one of infinitely many" in proved.detail
    assert (proved.predicted, proved.measured) == (6, 6)
    assert "broke ties" not in proved.detail


def test_ties_that_rounding_of_the_table_broke_are_told():
    # A payoff of 1/6 is no float: the exact table has an equilibrium of fewer actions than the one that is meant.
    kuhn = mg.games.from_spec("openspiel:kuhn_poker")
    proved = claim(judge(mg.solve(kuhn, steps=50)), "exact_equilibrium")
    assert proved.verdict is Verdict.CONFIRMED
    assert proved.measured < proved.predicted == 22
    assert "broke ties" in proved.detail


@pytest.mark.parametrize("made", [lambda: mg.games.random(n=101), lambda: mg.MatrixGame(np.zeros((2, 3)))])
def test_proofs_are_not_attempted_of_large_or_empty_games(made):
    large = made()
    start = np.concatenate([np.arange(1.0, size + 1) / np.arange(1.0, size + 1).sum() for size in large.blocks])
    assert claim(judge(mg.solve(large, steps=20, start=start)), "exact_equilibrium").verdict is Verdict.NOT_APPLICABLE


def test_the_exact_gap_is_refuted_just_below_it(game):
    trace = mg.solve(game, until=1e-10)
    exact = mg.exact_gap(game, trace.policy)
    assert claim(judge(trace, float(exact) * (1 + 1e-15)), "exact_gap").verdict is Verdict.CONFIRMED
    assert claim(judge(trace, float(exact) * (1 - 1e-15)), "exact_gap").verdict is Verdict.REFUTED


# --- each claim by itself, at its thresholds -------------------------------------------------------------------------------------------------

SETTLED = Convergence(Kind.LINEAR, 0.9, (0.89, 0.91), (10, 90), 1e-15, "it falls.")


def shape(kind, **changes):
    return dataclasses.replace(SETTLED, kind=kind, **changes)


def with_start(game, policies, iterations, algorithm=None):
    """A trace with these policies, said to be of this algorithm where one is given: its stages are those of one steady stage."""
    trace = brought_in(game, np.array(policies), iterations)
    if algorithm is None:
        return trace
    stages = Stages(np.zeros(1, dtype=np.int64), trace.log_policies[:1], np.ones(1), np.array([algorithm.step_size]))
    return dataclasses.replace(trace, algorithm=algorithm, stages=stages, feedback=str(mg.Exact()))


def test_exit_statuses_and_the_dictionary_of_a_claim():
    assert {verdict: verdict.exit_status for verdict in Verdict} == {
        Verdict.CONFIRMED: 0,
        Verdict.REFUTED: 1,
        Verdict.INCONCLUSIVE: 3,
        Verdict.NOT_APPLICABLE: 3,
    }
    made = Claim("a", "b", 1.0, 2.0, Verdict.REFUTED, "c", interval=(1.5, 2.5), hard=True, question=Question.PROVED, assumed=("d",))
    assert made.to_dict() == {
        "name": "a",
        "statement": "b",
        "predicted": 1.0,
        "measured": 2.0,
        "verdict": "refuted",
        "detail": "c",
        "interval": (1.5, 2.5),
        "hard": True,
        "question": "Proved?",
        "assumed": ["d"],
    }
    usual = Claim("a", "b", None, None, Verdict.CONFIRMED, "c")
    assert (usual.interval, usual.hard, usual.question, usual.assumed) == (None, False, Question.GUARANTEED, ())
    assert Headline.FALLING.sentence == "The gap was still falling when the run ended: a longer one would tell."
    assert {headline.verdict for headline in Headline} == {Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE}


def test_tolerances_are_in_units_of_the_game(game):
    # L = 0.4 here: half the range of payoffs from −0.4 to 0.4. A game without payoffs counts as one of L = 1.
    constant = mg.MatrixGame(np.zeros((2, 2)))
    assert default_tolerance(game) == pytest.approx(4e-9, rel=1e-15, abs=0)
    assert default_tolerance(constant) == 1e-8
    assert allowed_distance(game, 1e-6) == pytest.approx((2.5e-6) ** 0.5, rel=1e-15)
    assert allowed_distance(constant, 1e-6) == pytest.approx(1e-3, rel=1e-15)


PLACES = {"far": TARGET + 0.1 * np.array([1, -1, 0]), "near": TARGET + 0.01 * np.array([1, -1, 0]), "there": TARGET}


@pytest.mark.parametrize(
    ("places", "measured"),
    [(["far"] * 90 + ["near"] * 10 + ["there"], 0.01), (["far"] * 91 + ["near"] * 9 + ["there"], 0.1)],
    ids=["the last tenth is near", "the last tenth begins far away"],
)
def test_rest_looks_at_the_last_tenth(game, places, measured):
    trace = brought_in(game, np.array([PLACES[place] for place in places]))
    for allowed, verdict in ((measured * (1 + 1e-9), Verdict.CONFIRMED), (measured * (1 - 1e-9), Verdict.REFUTED)):
        rest = claim_rest(trace, shape(Kind.STALLED), allowed, reached=False, approaches=False)
        assert rest.measured == pytest.approx(measured, rel=1e-12)
        assert (rest.verdict, rest.predicted) == (verdict, 0.0)
        assert "; 11 recorded policies." in rest.detail


@pytest.mark.parametrize(
    ("kind", "steps", "approaches", "stands"),
    [
        (Kind.STALLED, 50, False, True),
        (Kind.DIVERGING, 50, False, True),
        (Kind.DIVERGING, 50, True, False),
        (Kind.STALLED, 49, False, False),  # too short to be called stalled
        (Kind.LINEAR, 50, False, False),
        (Kind.INCONCLUSIVE, 50, False, False),
    ],
)
def test_what_a_run_that_stands_or_may_still_fall_is_said_to_do(game, kind, steps, approaches, stands):
    trace = brought_in(game, np.array([PLACES["far"], PLACES["far"], TARGET]), [0, steps - 1, steps])
    for reached in (False, True):

        def told(allowed, trace=trace, reached=reached):
            return claim_rest(trace, shape(kind), allowed, reached=reached, approaches=approaches)

        moving = told(0.05)
        assert moving.verdict is (Verdict.REFUTED if stands else Verdict.INCONCLUSIVE)
        assert moving.detail.endswith("2 recorded policies. It still moves" + (", and its gap does not fall." if stands else "."))
        still = told(moving.measured)
        assert still.verdict is (Verdict.CONFIRMED if stands or reached else Verdict.INCONCLUSIVE)
        assert still.detail.endswith("2 recorded policies." if stands or reached else "its gap is above the tolerance and may still fall.")
        alone = told(0.05, brought_in(game, np.array([PLACES["far"], TARGET]), [0, steps]))
        assert (alone.verdict, alone.detail) == (Verdict.INCONCLUSIVE, "no other policy of the last tenth was recorded.")


@pytest.mark.parametrize(
    ("gap", "error", "verdict"),
    [
        (0.75, 0.25, Verdict.CONFIRMED),
        (0.75, 0.5, Verdict.INCONCLUSIVE),
        (1.25, 0.25, Verdict.INCONCLUSIVE),
        (1.5, 0.25, Verdict.REFUTED),
        (0.875, 0.25, Verdict.INCONCLUSIVE),
    ],
)
def test_a_gap_is_known_up_to_its_error(game, monkeypatch, gap, error, verdict):
    """The tolerance is 1: what may be 1 or less is not refuted, what may be more is not confirmed."""
    monkeypatch.setattr(claims, "certified_gap", lambda *_: (gap, error))
    found = claim_gap(brought_in(game, np.array([TARGET, TARGET])), 1.0)
    assert (found.verdict, found.measured, found.predicted) == (verdict, gap, 0.0)
    assert f"relative to L the gap is {gap / 0.4:.3g};" in found.detail
    constant = mg.MatrixGame(np.zeros((2, 2)))
    assert f"relative to L the gap is {gap:.3g};" in claim_gap(brought_in(constant, np.full((2, 4), 0.5)), 1.0).detail


def uniform_reference(game):
    """As if the uniform policy were known to be an equilibrium."""
    return dataclasses.replace(mg.nash(mg.games.clones()), policy=np.full(game.actions, 1 / game.actions), blocks=game.blocks)


def ring(actions):
    """Each action beats the next: for an odd number the uniform policy is the only equilibrium."""
    table = np.roll(np.eye(actions), 1, axis=1)
    return mg.PreferenceGame.from_payoffs((table - table.T) / 2)


def away(actions, distance):
    """At this total variation from uniform."""
    return np.full(actions, 1 / actions) + distance * (np.arange(actions) == 0) - distance * (np.arange(actions) == 1)


def test_the_distance_of_large_games_is_to_one_equilibrium(monkeypatch):
    monkeypatch.setattr(claims, "distance_to_equilibria", lambda *_, **__: 0.00025)
    for actions, measured in ((600, 0.00025), (601, 0.001)):
        large = ring(actions)
        trace = brought_in(large, np.array([away(actions, 0.001)] * 2))
        far = claim_distance(trace, uniform_reference(large), 0.0005)
        assert far.measured == pytest.approx(measured, rel=1e-9)
        assert far.verdict is (Verdict.CONFIRMED if actions == 600 else Verdict.INCONCLUSIVE)
        assert ("others may be nearer" in far.detail) == (actions == 601)
        assert claim_distance(trace, uniform_reference(large), 0.0011).verdict is Verdict.CONFIRMED
    small = brought_in(ring(9), np.array([away(9, 0.001)] * 2))
    reference = uniform_reference(ring(9))
    assert claim_distance(small, reference, 0.00025).verdict is Verdict.CONFIRMED
    assert claim_distance(small, reference, 0.00024).verdict is Verdict.REFUTED
    monkeypatch.setattr(claims, "distance_to_equilibria", lambda *_, **__: float("nan"))
    failed = claim_distance(small, reference, 0.00025)
    assert (failed.verdict, failed.measured, failed.detail) == (Verdict.INCONCLUSIVE, None, "the solver of the distance failed.")
    # The nearest of several is not asked for where this one is near enough.
    exactly = float(total_variation(small.policy, reference.policy, (9,)))
    assert claim_distance(small, reference, exactly).verdict is Verdict.CONFIRMED
    unsolved = claim_distance(small, dataclasses.replace(reference, converged=False, gap=2e-3), 1.0)
    assert (unsolved.verdict, unsolved.measured, unsolved.detail) == (Verdict.INCONCLUSIVE, None, "the reference only reached a gap of 2.0e-03.")


def foretold(factor=0.5, **changes):
    """A prediction of this factor a step, of one mode."""
    return RatePrediction("a game", "an algorithm", modes=(Mode(0.1, complex(factor), 0.0, np.zeros(1)),), **changes)


NOT_A_LINE = " But theory predicts a line in the end."
SHORT_YET = " But the run is too short to tell."
COMES = " But the policy still approaches the equilibrium in KL, so it may become a line."


@pytest.mark.parametrize(
    ("kind", "steps", "approaches", "factor", "verdict", "end"),
    [
        (Kind.LINEAR, 49, True, 0.9, Verdict.CONFIRMED, " Iterations 10 to 1,000."),
        (Kind.INCONCLUSIVE, 50, True, 0.9, Verdict.INCONCLUSIVE, ""),
        (Kind.INCONCLUSIVE, 49, False, 0.9, Verdict.INCONCLUSIVE, ""),
        (Kind.SUBLINEAR, 50, False, 0.9, Verdict.INCONCLUSIVE, NOT_A_LINE),
        (Kind.SUBLINEAR, 50, True, 0.9, Verdict.INCONCLUSIVE, COMES),
        (Kind.SUBLINEAR, 50, False, 1.1, Verdict.REFUTED, ""),
        (Kind.STALLED, 50, False, 0.9, Verdict.REFUTED, ""),
        (Kind.STALLED, 50, True, 0.9, Verdict.INCONCLUSIVE, COMES),
        (Kind.STALLED, 49, True, 0.9, Verdict.INCONCLUSIVE, SHORT_YET),
        (Kind.DIVERGING, 50, False, 0.9, Verdict.REFUTED, ""),
    ],
)
def test_the_shape_of_the_gap_is_judged(game, kind, steps, approaches, factor, verdict, end):
    trace = brought_in(game, np.array([TARGET, TARGET]), [0, steps])
    predicted = made_claim("predicted_rate", Verdict.CONFIRMED)
    found = claim_rate(trace, shape(kind, window=(10, 1000)), predicted, foretold(factor), approaches=approaches)
    assert (found.verdict, found.measured, found.interval) == (verdict, 0.9, (0.89, 0.91))
    assert found.predicted == (pytest.approx(0.9, rel=1e-15) if factor == 0.9 else None)
    assert found.detail == f"{kind.value}: it falls.{end}"
    bare = claim_rate(trace, shape(kind, window=None), predicted, foretold(factor), approaches=approaches)
    assert bare.detail == f"{kind.value}: it falls.{end}".removesuffix(" Iterations 10 to 1,000.")
    # Towards another equilibrium nothing is predicted of this gap.
    elsewhere = claim_rate(trace, shape(kind), predicted, foretold(factor, target="regularised"), approaches=approaches)
    assert elsewhere.predicted is None
    assert "theory" not in elsewhere.detail


@pytest.mark.parametrize(
    ("factor", "verdict", "interval", "more"),
    [
        (0.88, Verdict.CONFIRMED, (0.89, 0.91), True),
        (0.92, Verdict.CONFIRMED, (0.89, 0.91), True),
        (0.9, Verdict.CONFIRMED, (0.89, 0.91), False),
        (0.88, Verdict.INCONCLUSIVE, (0.89, 0.91), False),
        (0.88, Verdict.CONFIRMED, None, False),
        (1.1, Verdict.CONFIRMED, (0.89, 0.91), False),
    ],
)
def test_a_gap_that_more_than_the_slowest_part_decides_is_told(game, factor, verdict, interval, more):
    trace = brought_in(game, np.array([TARGET, TARGET]), [0, 50])
    prediction = foretold(factor)
    found = claim_rate(trace, shape(Kind.LINEAR, interval=interval), made_claim("predicted_rate", verdict), prediction, approaches=False)
    assert ("by more than the slowest part" in found.detail) == more
    # The ends of the interval are inside it.
    for ends in ((prediction.rate, 0.99), (0.1, prediction.rate)):
        at_an_end = claim_rate(trace, shape(Kind.LINEAR, interval=ends), made_claim("predicted_rate", verdict), prediction, approaches=False)
        assert "by more than the slowest part" not in at_an_end.detail


def test_a_run_is_short_by_its_settings_or_by_its_refreshes():
    """From ηT·min(L, late gap) = 50 on (T = 50 of a run brought in), and with more than 8 refreshes, a run may be called stalled."""
    even = mg.games.rock_paper_scissors()
    scale = float(even.scale)

    def short(steps, algorithm, step_sizes=(1.0,), gaps=(scale, scale, scale)):
        count = len(step_sizes)
        trace = with_start(even, [TARGET, TARGET, TARGET], [0, -(-3 * steps // 4), steps], algorithm)
        stages = Stages(np.arange(count), np.zeros((count, 3)), np.ones(count), np.array(step_sizes) / scale)
        trace = dataclasses.replace(trace, gaps=np.array(gaps))
        return is_short(trace if algorithm is None else dataclasses.replace(trace, stages=stages))

    weights, refreshed = LogLinear(step_size=1.0), LogLinear(step_size=1.0, magnet="refreshed", magnet_strength=0.1, refresh_every=5)
    assert [short(steps, None) for steps in (49, 50)] == [True, False]
    assert [short(steps, weights) for steps in (49, 50, 51)] == [True, False, False]
    assert [short(steps, weights, (0.5, 1.5)) for steps in (49, 50)] == [True, False]
    assert [short(steps, weights, (2.0, 2.0)) for steps in (24, 25)] == [True, False]
    assert [short(1000, refreshed, (1.0,) * stages) for stages in (1, 8, 9)] == [True, True, False]
    assert short(49, refreshed, (1.0,) * 9)
    assert not short(1000, LogLinear(step_size=1.0, magnet="moving"), (1.0,) * 8)
    # A gap of L/2 moves half as much; the largest of the last quarter counts, and none counts for more than L.
    assert [short(steps, weights, gaps=(scale, scale / 4, scale / 2)) for steps in (99, 100)] == [True, False]
    assert [short(steps, weights, gaps=(scale, scale / 2, scale / 4)) for steps in (99, 100)] == [True, False]
    assert [short(steps, weights, gaps=(scale, 9 * scale, scale)) for steps in (49, 50)] == [True, False]


ANNEALED = LogLinear(step_size=1.0, magnet="fixed", magnet_strength=0.1, magnet_strength_power=0.5)
STEADY = LogLinear(step_size=1.0, magnet="fixed", magnet_strength=0.1)
MOVING = LogLinear(step_size=1.0, magnet="moving", magnet_strength=0.1, magnet_rate=0.1)
COOLED = LogLinear(step_size=1.0, step_size_power=0.5)
COOLED_TO_A_MAGNET = LogLinear(step_size=1.0, step_size_power=0.5, magnet="fixed", magnet_strength=0.1)
C, R, N = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE


def made_claim(name, verdict, predicted=None, hard=False):
    return Claim(name, "", predicted, None, verdict, "", hard=hard)


def headline(game, kind, *made, gap=R, distance=C, rate=C, algorithm=MOVING, gaps=(1.0, 1.0, 1.0), steps=1000, factor=0.5, approaches=False, floor=1e-15):
    """Of a run with these claims, and three recorded gaps; a payoff of the game is 0.4 at most, so that ηLT is 0.4 times the steps."""
    trace = with_start(game, [TARGET, TARGET, TARGET], [0, steps - 1, steps], algorithm)
    trace = dataclasses.replace(trace, gaps=np.array(gaps))
    every = (made_claim("gap", gap), made_claim("distance", distance), made_claim("predicted_rate", rate), *made)
    return headline_of(trace, every, shape(kind, floor=floor), 0.5, prediction=foretold(factor), approaches=approaches)


def test_a_hard_refutation_goes_before_all_else(game):
    assert headline(game, Kind.LINEAR, made_claim("record", R, hard=True), gap=C) is Headline.BROKEN
    assert headline(game, Kind.LINEAR, made_claim("record", R, hard=True), gap=N) is Headline.BROKEN
    assert headline(game, Kind.LINEAR, made_claim("record", R), made_claim("contraction", C, hard=True), gap=C) is Headline.CONVERGED
    assert headline(game, Kind.LINEAR, gap=N) is Headline.ROUNDING


@pytest.mark.parametrize(
    ("kind", "plateau", "changes", "expected"),
    [
        (Kind.LINEAR, None, {}, Headline.CONVERGED),
        (Kind.LINEAR, None, {"gaps": (0.5, 0.1, 0.1)}, Headline.ALREADY),
        (Kind.LINEAR, None, {"gaps": (0.5, 0.1, 0.1), "factor": 1.1}, Headline.ALREADY),
        (Kind.LINEAR, None, {"factor": 1.1}, Headline.PASSING),
        (Kind.LINEAR, None, {"factor": 1.0}, Headline.CONVERGED),
        (Kind.LINEAR, None, {"rate": R}, Headline.UNCLEAR),
        (Kind.LINEAR, None, {"rate": N}, Headline.CONVERGED),
        (Kind.LINEAR, None, {"distance": R}, Headline.UNCLEAR),
        (Kind.LINEAR, None, {"distance": N}, Headline.CONVERGED),
        (Kind.LINEAR, 1e-3, {"floor": 1e-3}, Headline.CONVERGED),
        (Kind.LINEAR, 1.1e-3, {"floor": 1e-3}, Headline.UNCLEAR),
        (Kind.LINEAR, "unknown", {}, Headline.CONVERGED),
        (Kind.LINEAR, None, {"distance": R, "algorithm": ANNEALED}, Headline.UNCLEAR),
        (Kind.SUBLINEAR, None, {"algorithm": ANNEALED}, Headline.SUBLINEAR),
        (Kind.SUBLINEAR, None, {"algorithm": None}, Headline.SUBLINEAR),
        (Kind.SUBLINEAR, None, {"algorithm": STEADY}, Headline.UNCLEAR),
        (Kind.SUBLINEAR, None, {"algorithm": MOVING}, Headline.UNCLEAR),
        (Kind.SUBLINEAR, None, {"algorithm": COOLED}, Headline.UNCLEAR),
        (Kind.STALLED, None, {"algorithm": ANNEALED}, Headline.UNCLEAR),
    ],
)
def test_what_a_run_within_the_tolerance_is_called(game, kind, plateau, changes, expected):
    made = () if plateau is None else (made_claim("plateau", R, None if plateau == "unknown" else plateau),)
    assert headline(game, kind, *made, **{"gap": C, **changes}) is expected


@pytest.mark.parametrize(
    ("changes", "stalled", "diverged"),
    [
        ({}, Headline.STALLED, Headline.DIVERGED),
        ({"approaches": True}, Headline.SLOW, Headline.SLOW),
        ({"approaches": True, "steps": 124}, Headline.TOO_SHORT, Headline.TOO_SHORT),  # ηLT = 49.6
        ({"factor": 1.001}, Headline.UNSTABLE, Headline.UNSTABLE),
        ({"factor": 1.001, "steps": 124}, Headline.TOO_SHORT, Headline.TOO_SHORT),
        ({"factor": 1.001, "steps": 126}, Headline.UNSTABLE, Headline.UNSTABLE),
        ({"factor": 1.001, "rate": N}, Headline.STALLED, Headline.DIVERGED),
        ({"factor": 1.0}, Headline.STALLED, Headline.DIVERGED),
    ],
)
def test_what_a_run_that_does_not_fall_is_called(game, changes, stalled, diverged):
    for kind, expected in ((Kind.STALLED, stalled), (Kind.DIVERGING, diverged)):
        assert headline(game, kind, **changes) is expected
        assert headline(game, kind, made_claim("plateau", N), **changes) is expected
        # At the plateau that its magnet leads to a run is known to stand, however short it is.
        assert headline(game, kind, made_claim("plateau", C), **changes) is Headline.REGULARISED


@pytest.mark.parametrize(
    ("kind", "gaps", "changes", "expected"),
    [
        (Kind.SUBLINEAR, (1.0, 1.0, 0.89), {"algorithm": ANNEALED}, Headline.SUBLINEAR),
        (Kind.INCONCLUSIVE, (1.0, 1.0, 0.89), {"algorithm": ANNEALED, "steps": 125}, Headline.SUBLINEAR),
        (Kind.STALLED, (1.0, 1.0, 0.89), {"algorithm": ANNEALED}, Headline.SUBLINEAR),
        (Kind.INCONCLUSIVE, (1.0, 1.0, 0.89), {"algorithm": ANNEALED, "steps": 124}, Headline.FALLING),
        (Kind.SUBLINEAR, (1.0, 1.0, 0.9), {"algorithm": ANNEALED}, Headline.TOO_SHORT),
        (Kind.STALLED, (1.0, 1.0, 0.9), {"algorithm": ANNEALED}, Headline.STALLED),
        (Kind.LINEAR, (1.0, 1.0, 0.89), {"algorithm": ANNEALED}, Headline.FALLING),
        (Kind.SUBLINEAR, (1.0, 1.0, 0.89), {}, Headline.FALLING),
        (Kind.SUBLINEAR, (1.0, 1.0, 0.89), {"algorithm": COOLED}, Headline.FALLING),
        (Kind.SUBLINEAR, (1.0, 1.0, 0.89), {"algorithm": None}, Headline.FALLING),
        (Kind.SUBLINEAR, (1.0, 1.0, 0.9), {}, Headline.TOO_SHORT),
        (Kind.INCONCLUSIVE, (1.0, 2.0, 1.7), {}, Headline.FALLING),
        (Kind.INCONCLUSIVE, (1.0, 0.5, 1.7), {}, Headline.TOO_SHORT),
        (Kind.INCONCLUSIVE, (1.0, 1.0, 0.5), {"factor": 1.1}, Headline.UNSTABLE),
        (Kind.LINEAR, (1.0, 1.0, 0.5), {"factor": 1.1, "rate": N}, Headline.FALLING),
        (Kind.LINEAR, (1.0, 1.0, 0.5), {"approaches": True}, Headline.FALLING),
    ],
)
def test_what_a_run_above_the_tolerance_is_called_by_how_far_its_gap_fell(game, kind, gaps, changes, expected):
    assert headline(game, kind, gaps=gaps, **changes) is expected
    if kind not in (Kind.STALLED, Kind.DIVERGING):  # what does not stand is at no plateau
        assert headline(game, kind, made_claim("plateau", C), gaps=gaps, **changes) is expected


@pytest.mark.parametrize(("part", "there"), [(1.049, True), (1.051, False), (0.951, True), (0.949, False)])
def test_a_step_size_that_falls_leads_to_the_same_regularised_equilibrium(game, monkeypatch, part, there):
    start = np.array([0.5, 0.3, 0.2])
    gap = part * mg.duality_gap(game, mg.regularised_equilibrium(game, magnet_strength=0.1, log_magnet=np.log(start)).policy)

    def told(algorithm=COOLED_TO_A_MAGNET, kind=Kind.STALLED, strength=0.1):
        trace = with_start(game, [start, TARGET, TARGET], [0, 50_000, 100_000], algorithm)
        stages = dataclasses.replace(trace.stages, magnet_strengths=np.array([strength]))
        trace = dataclasses.replace(trace, gaps=np.array([gap, gap, gap]), stages=stages)
        every = (made_claim("gap", R), made_claim("distance", R), made_claim("predicted_rate", N))
        return headline_of(trace, every, shape(kind), 1e-9, prediction=foretold(), approaches=False)

    assert told() is (Headline.REGULARISED if there else Headline.STALLED)
    assert told(strength=0.2) is Headline.STALLED
    for other in (COOLED, STEADY, ANNEALED, MOVING, dataclasses.replace(COOLED_TO_A_MAGNET, magnet="moving")):
        assert told(other) is Headline.STALLED
    for largest, decides in ((3, there), (2, False)):
        monkeypatch.setattr(verification_headline, "LARGEST_SYSTEM", largest)
        assert told() is (Headline.REGULARISED if decides else Headline.STALLED)
    monkeypatch.undo()
    unsolved = dataclasses.replace(mg.regularised_equilibrium(game, magnet_strength=0.1, log_magnet=np.log(start)), converged=False)
    monkeypatch.setattr(verification_headline, "regularised_equilibrium", lambda *_, **__: unsolved)
    assert told() is Headline.STALLED


ALONG = np.array([1.0, -0.5, -0.5])


def comes(policies, algorithm=MOVING, target=TARGET, factor=0.5, iterations=None):
    """Whether a run of these policies, ten iterations apart, is said to approach still."""
    game = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
    trace = with_start(game, policies, 10 * np.arange(len(policies)) if iterations is None else iterations, algorithm)
    return may_approach(trace, dataclasses.replace(mg.nash(game), policy=target), foretold(factor))


def slow(shares, **changes):
    return comes(TARGET + np.outer(shares, ALONG), **changes)


def at(**rows):
    """A share of 0.02, and from each of these rows on another."""
    shares = np.full(101, 0.02)
    for name, share in rows.items():
        shares[int(name[1:]) :] = share
    return shares


def test_a_policy_approaches_where_kl_does_not_grow_in_the_second_half():
    """Rows 0 to 100: the third quarter is from row 50 on, the last from row 75 on. KL grows as the square of the share, so by 1.56 from 0.02 to 0.025."""
    falling = np.linspace(0.2, 0.01, 101)
    assert slow(falling)
    assert not slow(falling[::-1])
    assert not slow(at())  # it stands still
    assert not slow(at(r75=0.025))
    assert not slow(at(r49=0.03, r50=0.02, r75=0.025))  # what was before the second half does not count
    assert slow(at(r50=0.03, r51=0.02, r75=0.025))
    assert slow(at(r74=0.03, r75=0.025))
    assert not slow(at(r75=0.03, r76=0.01))
    assert not slow(at(r51=0.03, r100=0.02))  # the last policy is that of the middle
    assert slow(at(r50=0.03, r51=0.02))


@pytest.mark.parametrize(
    ("algorithm", "change", "expected"),
    [(MOVING, 2e-12, False), (MOVING, 5e-13, True), (None, 0.0, False), (None, -5e-10, False), (None, -2e-9, True)],
)
def test_how_much_kl_may_grow_or_must_fall(algorithm, change, expected):
    # The rounding of KL is a few 1e-15 of it at this distance.
    later = 0.02 * (1 + change) ** 0.5
    assert slow(at(r51=0.01, r60=0.02, r61=0.01, r75=later, r76=0.01), algorithm=algorithm) is expected


def test_what_theory_sends_elsewhere_does_not_approach():
    falling = np.linspace(0.2, 0.01, 101)
    assert slow(falling, factor=1.0) and not slow(falling, factor=1.1)
    for algorithm in (ANNEALED, None, COOLED, LogLinear(step_size=1.0)):
        assert slow(falling, algorithm=algorithm)
    for algorithm in (STEADY, COOLED_TO_A_MAGNET):
        assert not slow(falling, algorithm=algorithm)


@pytest.mark.parametrize(("part", "expected"), [(1.1, True), (0.9, False)])
def test_a_policy_moves_where_a_logarithm_changes_by_a_millionth(part, expected):
    shares = np.full(101, 0.02)
    # Of all logarithms that of 4/11 + 0.02 changes most: by δ/0.3836, the others by δ/2 over 0.26 and 0.35.
    shares[51:] -= part * 1e-6 * (4 / 11 + 0.02)
    assert slow(shares) is expected


def test_movement_at_one_distance_approaches_and_what_is_not_played_does_not_count():
    third = np.full(3, 1 / 3)
    turned = np.array([third + 0.02 * np.roll(ALONG, row % 3) for row in range(101)])
    assert comes(turned, target=third)
    # On a face of the simplex KL is infinite all along: no way back.
    face = np.array([[0.5 + share, 0.5 - share, 0.0] for share in np.linspace(0.2, 0.1, 101)])
    assert not comes(face, target=third)
    # In a face that holds the equilibrium the third action has no part.
    assert comes(face, target=np.array([0.5, 0.5, 0.0]))
    # An action that the equilibrium does not play dies out, the others rest.
    dying = np.array([[0.5, 0.5 - 1e-9 * 0.5**row, 1e-9 * 0.5**row] for row in range(101)])
    assert not comes(dying, target=np.array([1.0, 0.0, 0.0]))
    # Without a record of the third quarter nothing is known to approach.
    assert not comes(TARGET + np.outer([0.2, 0.1, 0.05], ALONG), iterations=[0, 800, 1000])


# --- the limit -------------------------------------------------------------------------------------------------------------------------------


def support_claim(game, policies, allowed, iterations=(0, 49, 50, 100), reached=True, **changes):
    trace = brought_in(game, np.array(policies), iterations)
    return claim_support(trace, dataclasses.replace(mg.nash(game), **changes), allowed, reached=reached)


def faded(factors, last=1e-3):
    """Six actions, of which the second has these multiples of `last`, and `last` in the end."""
    rows = np.tile(equilibrium_of_clones(0.5), (len(factors), 1))
    rows[:, 1] = last * np.array(factors)
    rows[:, 0] += 2 / 11 - rows[:, 1]
    return rows


@pytest.mark.parametrize(
    ("factors", "allowed", "verdict"),
    [
        ([1, 1, 9.9, 1], 2e-3, Verdict.INCONCLUSIVE),
        ([1, 1, 10.1, 1], 2e-3, Verdict.REFUTED),
        ([1, 9, 11, 1], 2e-3, Verdict.REFUTED),
        ([90, 90, 9, 1], 2e-3, Verdict.INCONCLUSIVE),  # it fell before the second half
        ([1, 1, 11, 1], 9e-4, Verdict.CONFIRMED),  # but not to where it might be zero
    ],
)
def test_a_probability_vanishes_where_it_falls_tenfold_in_the_second_half(clones, factors, allowed, verdict):
    support = support_claim(clones, faded(factors), allowed)
    assert support.verdict is verdict
    assert (support.predicted, support.measured) == (6, 5 if verdict is Verdict.REFUTED else 6)
    assert support.question is Question.EQUILIBRIUM
    if verdict is Verdict.CONFIRMED:
        assert support.detail.startswith(f"of 6 actions; the least probability or slack of the reference is {mg.nash(clones).margin:.1g} (")
    elif verdict is Verdict.REFUTED:
        assert support.detail == "rock 2 vanished, which an equilibrium plays."
    else:
        assert support.detail == f"rock 2: below {allowed:.1e}, which this tolerance cannot tell from zero."


def test_five_actions_are_named_and_a_probability_just_allowed_is_faint(clones):
    bare = mg.PreferenceGame(clones.preference)
    rows = [equilibrium_of_clones(0.5)] * 4
    least = float(brought_in(clones, np.array(rows), (0, 49, 50, 100)).policy[2])
    assert support_claim(bare, rows, least).detail.startswith("action 3, action 4: below")
    assert support_claim(bare, rows, least * (1 - 1e-12)).verdict is Verdict.CONFIRMED
    assert support_claim(bare, rows, 0.5).detail.startswith("action 1, action 2, action 3, action 4, action 5 and 1 more: below")
    rows = np.tile([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], (4, 1))
    assert support_claim(clones, rows, 0.2).detail.startswith("rock 2, scissors 1, scissors 2, paper 1, paper 2: below")


def test_no_support_is_claimed_of_a_reference_that_is_not_the_largest(clones):
    rows = [equilibrium_of_clones(0.5)] * 4
    for changes in ({"selection": "vertex"}, {"selection": "support not proven the largest"}, {"converged": False}):
        refused = support_claim(clones, rows, 1e-3, **changes)
        assert (refused.verdict, refused.predicted, refused.measured) == (Verdict.NOT_APPLICABLE, None, None)
        assert refused.detail == "which actions the equilibria play is not known beyond rounding."
    away = support_claim(clones, rows, 1e-3, reached=False)
    assert (away.verdict, away.detail) == (Verdict.NOT_APPLICABLE, "the run did not come to an equilibrium.")
    # A probability of exactly zero is gone, whatever it was before.
    assert support_claim(clones, faded([1, 1, 1, 0]), 1e-3).measured == 5
    never = np.tile(np.repeat(TARGET, 2) * np.tile([1.0, 0.0], 3), (4, 1))
    assert (support_claim(clones, never, 1e-3).verdict, support_claim(clones, never, 1e-3).measured) == (Verdict.REFUTED, 3)
    # Of a support that is not everything the number of its actions is predicted.
    some = support_claim(clones, rows, 1e-3, policy=np.repeat([0.25, 0.0], [4, 2]))
    assert (some.predicted, some.measured, some.detail[:12]) == (4, 4, "of 6 actions")


OMWU = LogLinear(step_size=1.0, evaluation="extrapolated")


def projected(monkeypatch, game, algorithm=OMWU, start=None, iterations=(0, 100), allowed=1e-3, reached=True, target=None, reference=None, **changes):
    """The claim about a run that ends at uniform; what the search for the projection would find is made up."""
    actions = game.actions
    uniform = np.full(actions, 1 / actions)
    trace = with_start(game, [uniform if start is None else start, uniform], iterations, algorithm)
    reference = uniform_reference(game) if reference is None else reference
    found = dataclasses.replace(uniform_reference(game), selection="maximum entropy") if target is None else target
    monkeypatch.setattr(limits, "nash", lambda *_, **__: found)
    return claim_projection(dataclasses.replace(trace, **changes), reference, allowed, reached)


def test_where_a_projection_is_claimed(monkeypatch):
    game = ring(5)
    whole = uniform_reference(game)
    for algorithm in (OMWU, MOVING, LogLinear(step_size=1.0, magnet="refreshed", magnet_strength=0.1, refresh_every=5), LogLinear(step_size=1.0)):
        assert projected(monkeypatch, game, algorithm).verdict is Verdict.CONFIRMED
    assert projected(monkeypatch, ring(1000)) is not None
    for refused in (
        projected(monkeypatch, game, None, feedback=str(mg.Exact())),
        projected(monkeypatch, game, STEADY),
        projected(monkeypatch, game, feedback=str(mg.Sampled())),
        projected(monkeypatch, game, feedback="Another()"),
        projected(monkeypatch, game, reference=dataclasses.replace(whole, converged=False)),
        projected(monkeypatch, game, reference=dataclasses.replace(whole, selection="vertex")),
        projected(monkeypatch, game, reference=dataclasses.replace(whole, policy=np.array([0.25, 0.25, 0.25, 0.25, 0.0]))),
        projected(monkeypatch, ring(1001)),
        projected(monkeypatch, game, iterations=(1, 100)),
        projected(monkeypatch, game, start=[0.25, 0.25, 0.25, 0.25, 0.0]),
        projected(monkeypatch, game, target=whole),
    ):
        assert refused is None

    def refuse(*_, **__):
        raise mg.InputError("too large.")

    trace = with_start(game, np.full((2, 5), 0.2), (0, 100), OMWU)
    monkeypatch.setattr(limits, "nash", refuse)
    assert claim_projection(trace, whole, 1e-3, True) is None


@pytest.mark.parametrize(
    ("part", "reached", "verdict", "end"),
    [
        (1.0, True, Verdict.CONFIRMED, "1.0e-03."),
        (1.0, False, Verdict.CONFIRMED, "1.0e-03."),
        (0.999, True, Verdict.REFUTED, "1.0e-03."),
        (0.999, False, Verdict.INCONCLUSIVE, "1.0e-03; the run has not come to an equilibrium yet."),
    ],
)
def test_the_distance_to_the_projection(monkeypatch, part, reached, verdict, end):
    game = ring(5)
    target = dataclasses.replace(uniform_reference(game), selection="maximum entropy", policy=away(5, 1e-3))
    last = brought_in(game, np.full((1, 5), 0.2)).policy
    exactly = float(total_variation(last, target.policy, (5,)))
    found = projected(monkeypatch, game, target=target, allowed=part * exactly, reached=reached)
    assert (found.verdict, found.measured, found.predicted) == (verdict, exactly, 0.0)
    assert found.detail == f"allowed √(tolerance/L) = {end}"


# --- proofs, and the judge as a whole --------------------------------------------------------------------------------------------------------


def saddle(rows, columns):
    """The first action of each player is better than all others: +1 for the row, −1 for a column."""
    table = np.zeros((rows, columns))
    table[0] += 1.0
    table[:, 0] -= 1.0
    return mg.MatrixGame(table)


def pure(game, chance=1.0):
    """Both players at their first action, but for what is spread over the others."""
    rest = [np.r_[chance, np.full(size - 1, (1 - chance) / (size - 1))] for size in game.blocks]
    return brought_in(game, np.array([np.concatenate(rest)] * 2))


def test_the_sizes_up_to_which_things_are_proved():
    exact = {size: claim_exact_gap(pure(saddle(size - 2, 2)), 1e-9) for size in (400, 401)}
    assert (exact[400].verdict, exact[400].measured, exact[400].predicted) == (Verdict.CONFIRMED, 0.0, 0.0)
    assert (exact[401].verdict, exact[401].measured, exact[401].predicted) == (Verdict.NOT_APPLICABLE, None, None)
    assert exact[401].detail == "computed for tables of up to 400 actions."
    solved = {blocks: claim_exact_equilibrium(pure(game), mg.nash(game)) for blocks in ((100, 2), (101, 2), (2, 101)) for game in (saddle(*blocks),)}
    assert (solved[100, 2].verdict, solved[100, 2].measured, solved[100, 2].predicted) == (Verdict.CONFIRMED, 2, 2)
    assert "broke ties" not in solved[100, 2].detail
    for blocks in ((101, 2), (2, 101)):
        assert (solved[blocks].verdict, solved[blocks].measured) == (Verdict.NOT_APPLICABLE, None)
        assert solved[blocks].detail == "solved for in tables of payoffs that differ, of up to 100 actions a player."
    circle = 2 * np.pi * np.arange(5) / 5
    no_table = mg.GeneralPreferenceGame(np.column_stack([np.cos(circle), np.sin(circle)]))
    trace = brought_in(no_table, np.full((2, 5), 0.2))
    assert claim_exact_gap(trace, 1e-9).verdict is Verdict.NOT_APPLICABLE
    assert claim_exact_equilibrium(trace, mg.nash(no_table)).verdict is Verdict.NOT_APPLICABLE


def test_an_exact_gap_of_just_the_tolerance_is_within_it():
    # The first action earns 1 more than the second, whatever is met, so each player's policy (3/4, 1/4) loses 1/4: the gap is 1/2.
    trace = dataclasses.replace(pure(saddle(2, 2)), log_policies=np.log([[0.75, 0.25, 0.75, 0.25]]))
    assert mg.exact_gap(trace.game, trace.policy) == Fraction(1, 2)
    exact = claim_exact_gap(trace, 0.5)
    assert (exact.verdict, exact.measured) == (Verdict.CONFIRMED, 0.5)


def test_what_the_exact_search_may_cost_and_what_is_said_where_it_ends(game, monkeypatch):
    asked = []
    monkeypatch.setattr(proofs, "exact_equilibrium", lambda *_, work: asked.append(work))
    found = claim_exact_equilibrium(brought_in(game, np.array([TARGET] * 2)), mg.nash(game))
    assert (found.verdict, found.measured, asked) == (Verdict.INCONCLUSIVE, None, [1e7])
    assert "nash --method exact allows more" in found.detail
    monkeypatch.undo()
    # A reference that plays fewer than the proof does, and one that plays more.
    few = dataclasses.replace(mg.nash(game), policy=np.array([1.0, 0.0, 0.0]))
    assert claim_exact_equilibrium(brought_in(game, np.array([TARGET] * 2)), few).detail.endswith("an equilibrium plays 1 actions, as the reference does.")
    wide = dataclasses.replace(mg.nash(saddle(2, 2)), policy=np.array([0.5, 0.5, 1.0, 0.0]))
    tied = claim_exact_equilibrium(pure(saddle(2, 2)), wide)
    assert (tied.verdict, tied.predicted, tied.measured) == (Verdict.CONFIRMED, 3, 2)
    assert tied.detail.endswith(" Rounding of the table to float64 broke ties: to rounding an equilibrium plays 3 actions, as the reference does.")


def test_what_a_judgement_holds(game):
    trace = mg.solve(game, until=1e-10)
    judgement = judge(trace)
    assert judgement.tolerance == pytest.approx(4e-9, rel=1e-15, abs=0)
    assert judge(trace, 1e-3).tolerance == 1e-3
    assert [claim.name for claim in judgement.claims[:4]] == ["rest", "gap", "distance", "support"]
    assert (claim(judgement, "gap").question, claim(judgement, "support").verdict) == (Question.EQUILIBRIUM, Verdict.CONFIRMED)
    # A payoff is a sum of 3 products and errs by γ₃·max|A| and the policy's exponentials by 4u·max|A|: the floor is a hundred times that.
    unit = 2.0**-53
    assert gap_floor(game) == pytest.approx(100 * (3 + 4) * unit * 0.4, rel=1e-5, abs=0)
    assert judgement.convergence.floor >= gap_floor(game)


def test_no_support_is_claimed_before_the_equilibrium_is_reached(game, clones):
    short = judge(mg.solve(game, steps=300, start=[0.5, 0.3, 0.2]))
    assert (claim(short, "gap").verdict, claim(short, "support").verdict) == (Verdict.REFUTED, Verdict.NOT_APPLICABLE)
    # The gap is within a wide tolerance, the policy, one step of a dominated game away, is not.
    flat = mg.PreferenceGame.from_payoffs(1e-3 * np.array([[0.0, 1, 1], [-1, 0, 1000], [-1, -1000, 0]]))
    near = judge(brought_in(flat, np.array([[0.2, 0.7, 0.1], [0.05, 0.9, 0.05], [0.0 + 1e-9, 1 - 2e-9, 1e-9]])), 1e-2)
    assert (claim(near, "gap").verdict, claim(near, "distance").verdict) == (Verdict.CONFIRMED, Verdict.REFUTED)
    assert claim(near, "support").verdict is Verdict.NOT_APPLICABLE


def test_two_gaps_are_enough_where_the_tolerance_is_met(game):
    trace = brought_in(game, np.array([[0.5, 0.3, 0.2], [0.4, 0.3, 0.3]]))
    within = judge(trace, trace.gap)
    assert within.convergence.evidence == "the tolerance was reached within 1 steps, which have no shape."
    assert (within.convergence.kind, within.convergence.window, within.convergence.floor) == (Kind.INCONCLUSIVE, None, gap_floor(game))
    with pytest.raises(mg.InputError, match="recorded 2 gaps"):
        judge(trace, trace.gap * (1 - 1e-15))
    three = judge(brought_in(game, np.array([[0.5, 0.3, 0.2], [0.45, 0.3, 0.25], [0.4, 0.3, 0.3]])), 1e-9)
    assert "have no shape" not in three.convergence.evidence
