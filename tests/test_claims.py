"""The claims about the last iterate and its limit, on runs made up so that each must be refused, left open, or confirmed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.verification import Headline, Question, Verdict, judge

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
