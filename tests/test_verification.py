"""The judge: what it confirms, what it must refuse, and what it must leave open."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.loop import default_start, random_start
from mmd_games.verification import Headline, Question, Verdict
from mmd_games.verification.bounds import check_contraction

ASYMMETRIC = (0.9, 0.8, 0.9)


@pytest.fixture(scope="module")
def game():
    return mg.games.rock_paper_scissors(wins=ASYMMETRIC)


def run(game, spec, steps=20_000, start=None, until=1e-10):
    return mg.solve(game, mg.algorithms.from_spec(spec), steps=steps, until=until, start=start)


@pytest.mark.parametrize("spec", ["mpo", "mpo:inner=pu", "omwu", "extragradient", "mmd:magnet=moving"])
def test_linear_methods_are_confirmed(game, spec):
    report = mg.verify(run(game, spec))
    assert report.headline is Headline.CONVERGED, report
    assert report.exit_status == 0
    low, high = report.claim("rate").interval
    assert 0 < low <= report.claim("rate").measured <= high < 1
    assert np.abs(report.trace.policy - np.array([4, 3, 4]) / 11).max() < 1e-6


@pytest.mark.parametrize(
    ("spec", "headlines"),
    [
        ("mwu", {Headline.UNSTABLE}),
        ("mmd", {Headline.REGULARISED}),
        ("pu", {Headline.REGULARISED}),
        ("nash_md:step_size=0.2", {Headline.STALLED}),
        ("mmd:magnet=annealed", {Headline.SUBLINEAR}),
        ("mpo:magnet_strength=0.3,step_size=0.3,refresh_every=1", {Headline.UNSTABLE}),
    ],
)
def test_controls_are_refuted_with_the_right_reason(game, spec, headlines):
    # α = η = 0.3 with K = 1 has the multiplier 1.0017 (stored values of the theory): it must be seen to diverge.
    report = mg.verify(run(game, spec, start=[0.5, 0.3, 0.2]))
    assert report.headline in headlines, report
    assert report.exit_status == 1


@pytest.mark.parametrize("seed", range(4))
def test_mwu_is_refused_on_mixed_and_confirmed_on_pure_equilibria(seed):
    mixed = mg.games.rock_paper_scissors(wins=(0.7, 0.9, 0.8))
    assert mg.verify(run(mixed, "mwu", start=random_start(mixed, seed))).exit_status == 1
    pure = mg.games.bradley_terry(n=6, seed=seed)
    assert mg.verify(run(pure, "mwu:step_size=1.0", start=random_start(pure, seed))).headline is Headline.CONVERGED


def test_a_short_budget_is_inconclusive(game):
    for spec in ("mpo", "mwu", "mmd"):
        assert mg.verify(run(game, spec, steps=100, start=[0.5, 0.3, 0.2])).exit_status == 3


def test_a_run_cut_while_falling_is_inconclusive(game):
    report = mg.verify(run(game, "mpo", steps=300, until=None))
    assert report.headline is Headline.FALLING


def test_a_start_at_the_equilibrium_shows_nothing():
    report = mg.verify(run(mg.games.generalised_rps(n=5), "mwu", steps=500))
    assert report.headline is Headline.ALREADY
    assert report.exit_status == 3


def test_noise_is_not_confirmed(game):
    trace = mg.solve(game, steps=5_000, start=[0.5, 0.3, 0.2], feedback=mg.Sampled(opponents=8, seed=1))
    report = mg.verify(trace)
    assert report.exit_status != 0
    assert report.claim("contraction").verdict is Verdict.NOT_APPLICABLE
    rng = np.random.default_rng(0)
    random_walk = np.cumsum(rng.normal(size=(400, 3)), axis=0) * 0.05
    logs = random_walk - np.log(np.exp(random_walk).sum(axis=1, keepdims=True))
    assert mg.verify(mg.Trace.from_policies(game, logs)).exit_status != 0


def test_a_power_law_that_reaches_the_tolerance_is_not_a_line(game):
    target = np.array([4, 3, 4]) / 11
    t = np.arange(3_000)
    policies = target + np.outer(1e-2 / (1 + t) ** 2, [1, -0.5, -0.5])
    report = mg.verify(mg.Trace.from_policies(game, np.log(policies), t), tolerance=1e-8)
    assert report.claim("gap").verdict is Verdict.CONFIRMED
    assert report.headline is Headline.SUBLINEAR


@pytest.mark.parametrize(("name", "steps"), [("general_preference", 3_000), ("transitive_cyclic:n=20", 3_000)])
def test_slow_is_not_called_stalled(name, steps):
    """A proximal method whose gap does not fall yet still comes closer in KL (Fejér): that must stay open."""
    report = mg.verify(run(mg.games.from_spec(name), "mpo", steps=steps))
    assert report.headline in (Headline.SLOW, Headline.FALLING)
    assert report.exit_status == 3


@pytest.mark.parametrize(
    ("name", "spec", "start", "steps"),
    [
        ("a_delta:delta=0.001", "mpo", None, 20_000),
        ("a_delta:delta=0.0001", "extragradient", None, 20_000),
        ("rock_paper_scissors", "omwu", [1 - 2e-170, 1e-170, 1e-170], 2_000),
    ],
)
def test_long_plateaus_stay_open(name, spec, start, steps):
    """OMWU's plateaus (arXiv 2406.10631), and a start so near a corner that KL falls by less than its rounding."""
    assert mg.verify(run(mg.games.from_spec(name), spec, steps=steps, start=start)).exit_status == 3


@pytest.mark.parametrize("strength", [0.01, 0.3, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("inner", ["mmd", "pu"])
def test_default_stages_are_long_enough_for_any_magnet(game, strength, inner):
    """|r + (1 − r)·a^K| < 1 for every mode of the game; here the run must come closer in KL whatever the strength."""
    trace = mg.solve(game, mg.MagneticPreferenceOptimization(magnet_strength=strength * 0.4, inner=inner), steps=20_000, start=[0.5, 0.3, 0.2])
    assert trace.gap < 0.5 * trace.gaps[0]


@pytest.mark.parametrize(
    ("spec", "start"),
    [
        ("pu", [0.5, 0.5, 0.0]),
        ("mmd", [0.5, 0.5, 0.0]),
        ("mpo", [0.5, 0.5, 0.0]),
        ("mmd:reference=uniform", [0.5, 0.5, 0.0]),
        ("mmd:magnet_strength=1000", [0.2, 0.3, 0.5]),
        ("mpo:magnet_strength=1e9", [0.2, 0.3, 0.5]),
        ("mmd:magnet_strength=1e-13", [0.2, 0.3, 0.5]),
        ("mpo:magnet_strength=1e-13,refresh_every=50", [0.2, 0.3, 0.5]),
        ("mmd", [0.5, 0.5, 1e-300]),
    ],
)
def test_honest_runs_break_no_bound(game, spec, start):
    """Odd starts and magnets of any strength: no hard claim is refuted, nothing warns, nothing is raised."""
    report = mg.verify(run(game, spec, steps=2_000, start=start, until=None))
    assert not [claim.name for claim in report.claims if claim.hard and claim.verdict is Verdict.REFUTED], report
    assert report.headline is not Headline.CONVERGED


def test_a_game_without_payoffs_is_judged():
    game = mg.MatrixGame(np.zeros((2, 3)))
    assert mg.verify(run(game, "mmd:magnet_strength=1e-200", steps=50, until=None)).headline is Headline.ALREADY


def test_a_tolerance_reached_elsewhere_is_not_convergence(game):
    """Dominated actions die linearly and the gap is small at once, far from the equilibrium; and a weak fixed magnet ends near it, not at it."""
    small = 1e-7
    table = np.zeros((5, 5))
    table[0, 1] = table[1, 2] = small
    table[2, 0], table[:3, 3], table[:3, 4], table[3, 4] = 0.5 * small, 1.0, 0.5, 0.2
    hidden = mg.PreferenceGame.from_payoffs(table - table.T)
    trace = run(hidden, "mwu", steps=400, start=[1e-3] * 3 + [0.5, 0.497], until=1e-6)
    assert mg.verify(trace, 1e-6).headline is Headline.UNCLEAR
    near = run(game, "pu:magnet_strength=1e-5,step_size=1.0", steps=60_000, start=[0.98, 0.01, 0.01], until=1e-5)
    assert mg.verify(near, 1e-5).headline is Headline.UNCLEAR


def test_one_long_stage_is_too_short_to_tell(game):
    assert mg.verify(run(game, "mpo:refresh_every=3000", steps=3_000, start=[0.2, 0.3, 0.5], until=None)).exit_status == 3


def test_a_false_record_is_a_broken_bound(game):
    trace = run(game, "mpo")
    gaps = trace.gaps.copy()
    gaps[trace.iterations.searchsorted(trace.policy_iterations[5])] *= 1 + 1e-6
    forged = dataclasses.replace(trace, gaps=gaps)
    report = mg.verify(forged)
    assert report.headline is Headline.BROKEN
    assert f"iteration {trace.policy_iterations[5]}" in report.claim("record").detail
    assert report.exit_status == 1


@pytest.mark.parametrize("spec", ["mmd", "mpo", "mmd:magnet_strength=1.0", "mpo:magnet_strength=0.02,refresh_every=300"])
@pytest.mark.parametrize("name", ["rock_paper_scissors", "random:n=7,seed=3", "kuhn_poker", "clones", "bradley_terry:n=6"])
def test_theorem_3_4_holds_at_every_recorded_step(name, spec):
    game = mg.games.from_spec(name)
    claim = check_contraction(run(game, spec, steps=1_500, start=default_start(game, 1e-9)[0], until=None))
    assert claim.verdict is Verdict.CONFIRMED, claim
    assert claim.measured is None or claim.measured <= claim.predicted * (1 + 1e-6)


def test_theorem_3_4_is_tight_for_matching_pennies_and_false_above_its_bound():
    pennies = mg.games.matching_pennies()
    start = [0.500001, 0.499999, 0.5, 0.5]
    # Uniform magnet: the regularised equilibrium is the equilibrium, and near it the bound is an equality at η = α/L².
    at_the_bound = run(pennies, "mmd:step_size=0.5,magnet_strength=0.5,reference=uniform", steps=40, start=start, until=None)
    claim = check_contraction(at_the_bound)
    assert claim.verdict is Verdict.CONFIRMED
    assert claim.measured == pytest.approx(claim.predicted, rel=1e-4)
    # Above the bound the judge does not test the theorem; told that it holds there, it sees it broken.
    above = run(pennies, "mmd:step_size=0.7,magnet_strength=0.5,reference=uniform", steps=40, start=start, until=None)
    assert check_contraction(above).verdict is Verdict.NOT_APPLICABLE
    disguised = dataclasses.replace(above, algorithm=at_the_bound.algorithm)
    broken = check_contraction(disguised)
    assert broken.verdict is Verdict.REFUTED
    assert broken.hard


def test_a_wrong_update_breaks_the_theorem(game):
    """One sign in the rule, everything else as recorded: the judge must see it from the policies."""
    trace = run(game, "mmd", steps=300, start=[0.5, 0.3, 0.2], until=None)
    wrong = mg.PreferenceGame(game.preference.T)  # the payoff's sign turned
    played = run(wrong, "mmd", steps=300, start=[0.5, 0.3, 0.2], until=None)
    forged = dataclasses.replace(
        trace,
        log_policies=played.log_policies,
        gaps=mg.duality_gap(game, np.exp(played.log_policies)),
        policy_iterations=played.policy_iterations,
        iterations=played.policy_iterations,
    )
    assert check_contraction(forged).verdict is Verdict.REFUTED


@pytest.mark.parametrize("name", ["rock_paper_scissors", "random:n=9,seed=1", "kuhn_poker", "a_delta"])
def test_the_plateau_of_a_fixed_magnet_is_known_beforehand(name):
    game = mg.games.from_spec(name)
    report = mg.verify(run(game, "mmd:magnet_strength=0.3", steps=5_000, start=default_start(game, 1e-9)[0], until=None))
    claim = report.claim("plateau")
    assert claim.verdict is Verdict.CONFIRMED
    # KL to the regularised equilibrium is at rounding level by then, so the two agree to the rounding of a gap.
    assert claim.measured == pytest.approx(claim.predicted, rel=1e-9)


def test_the_exact_gap_is_the_one_reported(game):
    report = mg.verify(run(game, "mpo"))
    exact = mg.exact_gap(game, report.trace.policy)
    assert report.claim("exact_gap").measured == float(exact)
    assert report.claim("exact_gap").question is Question.PROVED
    assert abs(report.claim("gap").measured - exact) <= mg.certified_gap(game, report.trace.policy)[1]


def test_several_equilibria_are_a_set():
    """With cloned actions the run goes to one equilibrium and the linear program to another, a vertex; the distance to the set is still nothing."""
    game = mg.games.clones()
    report = mg.verify(run(game, "mpo"))
    assert report.headline is Headline.CONVERGED
    assert report.claim("distance").measured < 1e-6
    assert np.abs(report.trace.policy - mg.nash(game, method="lp").policy).max() > 1e-2


@pytest.mark.parametrize("tolerance", [0, -1e-8, float("nan")])
def test_a_tolerance_must_be_positive(game, tolerance):
    with pytest.raises(mg.InputError, match="tolerance"):
        mg.verify(run(game, "mpo", steps=10), tolerance=tolerance)
