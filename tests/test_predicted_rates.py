"""Predicted rates: against finite differences of the real step, closed formulas, exact ranks, and stored values."""

from __future__ import annotations

import cmath
import json
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.arrays import block_slices, log_normalise
from mmd_games.digits import factor_of, number
from mmd_games.equilibria import regularised_equilibrium
from mmd_games.equilibria.regularised import WEAKEST
from mmd_games.loop.feedback import Payoffs
from mmd_games.verification.predicted import RatePrediction, local_rates, predict_rate, rest_point
from mmd_games.verification.predicted import spectrum as spectrum_module
from mmd_games.verification.predicted.multipliers import drift_per_slack, lag_of_drift, mode_multipliers, smallest_refresh
from mmd_games.verification.predicted.parts import Mode, OffSupportAction
from mmd_games.verification.predicted.rest_point import given_point, nash_point, regularised_point
from mmd_games.verification.predicted.spectrum import LARGEST_SUPPORT, spectrum_of

MPO, MMD, PU = mg.MagneticPreferenceOptimization, mg.MagneticMirrorDescent, mg.PolicyUpdate
ASYMMETRIC = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
OMEGA = 0.208893
ETA, ALPHA = 0.7, 0.2


def interior_game(seed: int, size: int) -> mg.PreferenceGame:
    """A game with an equilibrium of full support: Gaussian payoffs, less what they pay against it."""
    generator = np.random.default_rng(seed)
    policy = generator.dirichlet(np.full(size, 3.0))
    away = np.eye(size) - np.outer(policy, policy) / (policy @ policy)
    table = generator.normal(size=(size, size))
    skew = away @ (table - table.T) @ away
    return mg.PreferenceGame.from_payoffs(skew / np.max(np.abs(skew)) / 2)


def interior_matrix_game(seed: int, size: int) -> mg.MatrixGame:
    """Two players with equilibria of full support and value 3 (all payoffs are moved by a constant)."""
    generator = np.random.default_rng(seed)
    x, y = generator.dirichlet(np.full(size, 3.0), 2)
    table = generator.normal(size=(size, size))
    table = table - np.outer(np.ones(size), x @ table) - np.outer(table @ y, np.ones(size)) + x @ table @ y
    return mg.MatrixGame(table / np.max(np.abs(table)) / 2 + 3.0)


def jacobian(game: mg.Game, algorithm: Any, log_policy: np.ndarray, log_magnet: np.ndarray) -> np.ndarray:
    """Of one unit of real play, by central differences of length 1e-4: on the policy, a moving magnet, and the last payoff, whichever it carries over."""
    rule = algorithm.log_linear
    payoffs, size = Payoffs(game, mg.Exact()), game.actions
    steps = rule.refresh_every if rule.magnet == "refreshed" else 1
    remembers, moves = rule.evaluation == "extrapolated", rule.magnet == "moving"

    def unit(values: np.ndarray) -> np.ndarray:
        state = algorithm.init(values[:size])
        magnet = log_magnet if rule.magnet == "fixed" else values[size : 2 * size] if moves else values[:size]
        state = state._replace(log_magnet=magnet, previous_payoff=values[-size:] if remembers else None)
        for _ in range(steps):
            state = algorithm.step(state, payoffs)
        return np.concatenate([state.log_policy] + [state.log_magnet] * moves + [state.previous_payoff] * remembers)

    rest = np.concatenate([log_policy] + [log_policy] * moves + [game.payoffs(np.exp(log_policy))] * remembers)
    length = 1e-4
    columns = [(unit(rest + length * step) - unit(rest - length * step)) / (2 * length) for step in np.eye(len(rest))]
    return np.array(columns).T


METHODS = {
    "mmd": MMD(step_size=ETA, magnet_strength=ALPHA, reference="uniform"),
    "moving": MMD(step_size=ETA, magnet_strength=ALPHA, magnet="moving", magnet_rate=0.3),
    "pu": PU(step_size=ETA, magnet_strength=ALPHA, reference="uniform"),
    "mwu": mg.MultiplicativeWeights(step_size=ETA),
    "omwu": mg.OptimisticMultiplicativeWeights(step_size=ETA),
    "extragradient": mg.Extragradient(step_size=ETA),
    "mpo_1": MPO(step_size=ETA, magnet_strength=ALPHA, refresh_every=1),
    "mpo_9": MPO(step_size=ETA, magnet_strength=ALPHA, refresh_every=9),
    "mpo_pu_9": MPO(step_size=ETA, magnet_strength=ALPHA, refresh_every=9, inner="pu"),
}
GAMES = {
    "rps": ASYMMETRIC,
    "odd": interior_game(0, 5),
    "even": interior_game(1, 4),
    "larger": interior_game(2, 7),
    "two players": interior_matrix_game(3, 3),
    "clones": mg.games.clones(copies=2),
}


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("method", METHODS)
def test_every_multiplier_is_an_eigenvalue_of_the_real_step(method: str, name: str) -> None:
    game, algorithm = GAMES[name], METHODS[method]
    prediction = predict_rate(game, algorithm)
    assert not prediction.declined
    magnet = log_normalise(np.zeros(game.actions), game.blocks)
    if prediction.target == "regularised":
        expected = regularised_equilibrium(game, magnet_strength=ALPHA).log_policy
        np.testing.assert_allclose(prediction.log_target, expected, atol=1e-12)
    eigenvalues = np.linalg.eigvals(jacobian(game, algorithm, prediction.log_target, magnet))
    assert len(prediction.modes) >= 1
    # Differences err by h² = 1e-8 times third derivatives below 100 (ηKL < 4), and by rounding of 1e-16/h; eigenvalues of K = 9 steps by a few times that.
    for mode in prediction.modes:
        for value in (mode.multiplier, mode.multiplier.conjugate()):
            assert np.min(np.abs(eigenvalues - value)) <= 2e-6
    # And the prediction leaves none out: what else is not 0, or 1 along constants and along a set of equilibria, is a second multiplier or at frequency 0.
    predicted = max(mode.factor for mode in prediction.modes)
    others = np.abs(eigenvalues[np.abs(eigenvalues - 1) > 1e-6])
    assert np.max(others) <= max(predicted, 1 / (1 + ETA * ALPHA) if method != "pu" else 0) + 2e-6
    assert prediction.factor == pytest.approx(predicted, rel=1e-15)


def modes_by_eigenvalues(game: mg.Game, policy: np.ndarray) -> np.ndarray:
    """ω > 0 of S·C, by the eigenvalues of that matrix as it stands."""
    matrix = game.payoffs(np.eye(game.actions)).T
    softmax = np.zeros_like(matrix)
    for part in block_slices(game.blocks):
        softmax[part, part] = np.diag(policy[part]) - np.outer(policy[part], policy[part])
    values = np.linalg.eigvals(matrix @ softmax).imag
    return np.sort(values[values > 1e-6])[::-1]


@given(st.integers(0, 10**6), st.integers(2, 8), st.booleans())
@settings(max_examples=40)
def test_the_spectrum_is_that_of_payoffs_after_softmax(seed: int, size: int, two_players: bool) -> None:
    generator = np.random.default_rng(seed)
    table = generator.normal(size=(size, size + 1))
    game = mg.MatrixGame(table) if two_players else mg.PreferenceGame.from_payoffs(table[:, :-1] - table[:, :-1].T)
    policy = np.concatenate([generator.dirichlet(np.ones(part)) for part in game.blocks])
    spectrum = spectrum_of(game, policy, np.arange(game.actions))
    expected = modes_by_eigenvalues(game, policy)
    # A frequency of 1e-6 has a relative error of ε·L·κ: the eigenvectors of S·C are D^½ times orthonormal ones.
    seen = spectrum.frequencies[spectrum.frequencies > 1e-6]
    np.testing.assert_allclose(seen, expected, atol=1e-9)
    np.testing.assert_allclose(spectrum.vectors.conj().T @ spectrum.vectors, np.eye(len(spectrum.frequencies)), atol=1e-12)
    assert spectrum.zero_modes == game.actions - len(game.blocks) - 2 * len(spectrum.frequencies) >= 0
    # v is a mode of the logits too: what S·C does to δ multiplies its coordinate by iω.
    delta = generator.normal(size=game.actions)
    moved = game.payoffs(
        policy * (delta - np.concatenate([np.full(n, policy[p] @ delta[p]) for n, p in zip(game.blocks, block_slices(game.blocks), strict=True)]))
    )
    before, after = (spectrum.amplitudes(np.log(policy) + change, np.log(policy)) for change in (delta, moved))
    np.testing.assert_allclose(after, 1j * spectrum.frequencies * before, atol=1e-11)


def test_a_constant_costs_no_digits() -> None:
    game = mg.MatrixGame(np.array([[1.0, -1.0], [-1.0, 1.0]]) * 2.0**-20 + 2.0**20)
    spectrum = spectrum_of(game, np.full(4, 0.5), np.arange(4))
    assert spectrum.frequencies.tolist() == pytest.approx([2.0**-20], rel=1e-12)


def rank(rows: list[list[Fraction]]) -> int:
    """Of a matrix of rationals, by elimination."""
    rows, found = [row[:] for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            ratio = rows[i][column] / rows[found][column]
            rows[i] = [a - ratio * b for a, b in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


@pytest.mark.parametrize("spec", ["clones", "blotto:soldiers=5,fields=3", "cycle:n=6", "rps", "random:n=9,seed=4", "integers:n=8,seed=2", "clones:copies=3"])
def test_zero_modes_are_the_dimension_of_the_set_of_equilibria(spec: str) -> None:
    game = mg.games.from_spec(spec)
    prediction = predict_rate(game)
    assert prediction.strictly_complementary
    support = np.flatnonzero(prediction.policy)
    block = [
        [Fraction(float(value)).limit_denominator(10**6) if "random" not in spec else Fraction(float(value)) for value in row]
        for row in game.restricted(support)
    ]
    # {p : S_BB p = 0, Σp = 1} around a point of positive entries.
    dimension = len(support) - rank([*block, [Fraction(1)] * len(support)])
    assert prediction.zero_modes == dimension
    assert prediction.unique == (dimension == 0)
    assert 2 * len(prediction.modes) + dimension + 1 == len(support)


# --- multipliers against closed formulas ----------------------------------------------------------------------------------------------------


def closed(rule: LogLinear, omega: float) -> complex:
    """The dominant multiplier, as on paper."""
    turn, pull = 1j * rule.step_size * omega, rule.step_size * rule.magnet_strength
    if rule.evaluation == "extrapolated":
        root = cmath.sqrt((1 + 2 * turn) ** 2 - 4 * turn)
        return max(((1 + 2 * turn) + root) / 2, ((1 + 2 * turn) - root) / 2, key=abs)
    if rule.magnet == "absent":
        return 1 + turn + (turn**2 if rule.evaluation == "half_step" else 0)
    a = (1 - pull) * (1 + turn) + turn**2 if rule.explicit else (1 + turn) / (1 + pull)
    if rule.magnet == "fixed":
        return a
    exact = 1 / (1 - 1j * omega / rule.magnet_strength)
    return exact + (1 - exact) * a**rule.refresh_every


RULES = {
    "mmd": LogLinear(step_size=0.3, magnet_strength=0.2, magnet="fixed"),
    "pu": LogLinear(step_size=0.6, magnet_strength=0.2, magnet="fixed", explicit=True, evaluation="half_step"),
    "mwu": LogLinear(step_size=0.3),
    "omwu": LogLinear(step_size=0.6, evaluation="extrapolated"),
    "extragradient": LogLinear(step_size=0.6, evaluation="half_step"),
    "mpo": LogLinear(step_size=0.3, magnet_strength=0.2, magnet="refreshed", refresh_every=30),
    "mpo_pu": LogLinear(step_size=0.6, magnet_strength=0.2, magnet="refreshed", refresh_every=31, explicit=True, evaluation="half_step"),
    "mpo_long": LogLinear(step_size=0.01, magnet_strength=0.01, magnet="refreshed", refresh_every=1_000_000),
}


@pytest.mark.parametrize("name", RULES)
def test_multipliers_are_those_of_the_closed_formulas(name: str) -> None:
    rule, frequencies = RULES[name], np.array([0.0, 1e-5, 0.003, 0.05, 0.2, 0.4, 0.9])
    if name == "mpo_long":
        frequencies = frequencies[:4]  # faster modes diverge between refreshes
    found = mode_multipliers(rule, frequencies)
    assert np.all(np.diff(np.abs(found), axis=1) <= 0)
    expected = [closed(rule, omega) for omega in frequencies]
    # Powers of K = 10⁶ round by Kε = 2e-10; a double root (ηω = 1/2) by √ε.
    np.testing.assert_allclose(found[:, 0], expected, rtol=2e-9 if name == "mpo_long" else 3e-8 if name == "omwu" else 1e-13, atol=0)


def test_a_stage_that_diverges_is_no_infinity() -> None:
    rule = LogLinear(step_size=4.0, magnet_strength=0.1, magnet="refreshed", refresh_every=100_000)
    assert mode_multipliers(rule, np.array([0.5, 0.001]))[:, 0].real.tolist()[0] == np.finfo(np.float64).max
    assert smallest_refresh(rule, np.array([0.5])) is None
    prediction = predict_rate(ASYMMETRIC, MPO(step_size=100.0, magnet_strength=0.1, refresh_every=100_000))
    assert prediction.kind == "diverges"
    assert "step_size must be smaller" in prediction.detail
    json.dumps(prediction.to_dict(), allow_nan=False)


@pytest.mark.parametrize("every", [1, 2, 30])
def test_the_drift_of_an_unplayed_action(every: int) -> None:
    eta, alpha = 0.3, 0.2
    stage = {"step_size": eta, "magnet_strength": alpha, "magnet": "refreshed", "refresh_every": every}
    pu = {"explicit": True, "evaluation": "half_step"}
    assert drift_per_slack(LogLinear(**stage)) == pytest.approx(-(1 - (1 + eta * alpha) ** -every) / alpha, rel=1e-13)
    assert drift_per_slack(LogLinear(**stage, **pu)) == pytest.approx(-(1 - (1 - eta * alpha) ** every) / alpha, rel=1e-13)
    for evaluation in ("iterate", "extrapolated", "half_step"):
        assert drift_per_slack(LogLinear(step_size=eta, evaluation=evaluation)) == pytest.approx(-eta, rel=1e-15)
    # A magnet that moves by w: both move by v where v·(1 + ηα/w) = −η.
    moving = LogLinear(step_size=eta, magnet_strength=alpha, magnet="moving", magnet_rate=0.1)
    assert drift_per_slack(moving) == pytest.approx(-eta / (1 + eta * alpha / 0.1), rel=1e-13)


ALGORITHMS = [
    *(MPO(step_size=0.5, magnet_strength=0.1, refresh_every=10, inner=inner) for inner in ("mmd", "pu")),
    MMD(step_size=0.5, magnet_strength=0.1, magnet="moving", magnet_rate=0.2),
    mg.MultiplicativeWeights(step_size=0.5),
    mg.OptimisticMultiplicativeWeights(step_size=0.5),
    mg.Extragradient(step_size=0.5),
]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=repr)
def test_actions_off_the_support_die_out_as_predicted(algorithm: Any) -> None:
    # A pure equilibrium: payoffs near it are constant, so odds fall evenly.
    game = mg.PreferenceGame([[0.5, 0.75, 0.625], [0.25, 0.5, 0.5], [0.375, 0.5, 0.5]], labels=["a", "b", "c"])
    prediction = predict_rate(game, algorithm)
    assert (prediction.modes, prediction.decided_by, prediction.kind) == ((), "actions", "linear")
    assert [(action.label, action.slack, action.action) for action in prediction.actions] == [("c", 0.125, 2), ("b", 0.25, 1)]
    assert prediction.kl_factor == prediction.factor == math.exp(prediction.actions[0].drift)
    per, units = prediction.steps_per_unit, 100
    run = mg.solve(game, algorithm, steps=units * per, start=[1 - 2e-12, 1e-12, 1e-12], record=mg.Record(gaps=4000, policies=4000))
    rows = np.searchsorted(run.policy_iterations, [50 * per, units * per])
    logs = run.log_policies[rows]
    for action in prediction.actions:
        odds = logs[:, action.action] - logs[:, 0]
        # The payoffs are off by the mass of 2e-12; a moving magnet's lag has settled by 0.8^50 = 1e-5, of which 50 units leave 1e-6 at most.
        assert (odds[1] - odds[0]) / 50 == pytest.approx(action.drift, rel=1e-5 if "moving" in repr(algorithm) else 1e-9)


# --- stored values --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strength", "step_size", "every", "stored"),
    [(0.3, 0.3, 1, 1.0017), (0.3, 0.3, 5, 1.0018), (0.3, 0.3, 20, 0.9219), (0.02, 0.02, 5000, 0.2299), (0.1, 0.1 / OMEGA**2, 10, 0.1437)],
)
def test_the_factor_of_a_refresh_in_asymmetric_rock_paper_scissors(strength: float, step_size: float, every: int, stored: float) -> None:
    prediction = predict_rate(ASYMMETRIC, MPO(step_size=step_size, magnet_strength=strength, refresh_every=every))
    assert prediction.factor == pytest.approx(stored, abs=6e-5)  # four digits
    assert [mode.frequency for mode in prediction.modes] == pytest.approx([OMEGA], abs=5e-7)
    assert prediction.kind == ("diverges" if stored > 1 else "linear")
    assert (prediction.unit, prediction.steps_per_unit, prediction.products_per_unit) == ("refresh", every, every)
    assert prediction.rate == pytest.approx(prediction.factor ** (1 / every))
    assert prediction.policy == pytest.approx(np.array([4, 3, 4]) / 11)
    assert prediction.kl_factor == pytest.approx(prediction.factor**2)


@pytest.mark.parametrize(("strength", "smallest"), [(0.3, 6), (0.02, 87)])
def test_the_smallest_stage_that_converges(strength: float, smallest: int) -> None:
    for every in (1, smallest - 1):
        prediction = predict_rate(ASYMMETRIC, MPO(step_size=strength, magnet_strength=strength, refresh_every=every))
        assert prediction.kind == "diverges"
        assert f" {smallest} is the smallest that converges" in prediction.detail
    assert predict_rate(ASYMMETRIC, MPO(step_size=strength, magnet_strength=strength, refresh_every=smallest)).kind == "linear"


def test_step_sizes_beyond_their_limits() -> None:
    # OMWU converges while ηω < 1/√3, extragradient while ηω < 1, multiplicative weights never.
    for method, limit in ((mg.OptimisticMultiplicativeWeights, 1 / math.sqrt(3)), (mg.Extragradient, 1.0)):
        kinds = [predict_rate(ASYMMETRIC, method(step_size=part * limit / OMEGA)).kind for part in (0.999, 1.001)]
        assert kinds == ["linear", "diverges"]
    prediction = predict_rate(ASYMMETRIC, mg.MultiplicativeWeights(step_size=0.01))
    assert prediction.kind == "diverges"
    assert "diverges from every equilibrium that is not pure" in prediction.detail
    assert "step_size must be smaller" in predict_rate(ASYMMETRIC, MMD(step_size=50.0, magnet_strength=0.01)).detail


def test_products_from_one_gap_to_another() -> None:
    prediction = predict_rate(ASYMMETRIC, mg.Extragradient(step_size=2.0))
    assert (prediction.unit, prediction.products_per_unit) == ("step", 2)
    products = prediction.products_between(1e-2, 1e-8)
    assert prediction.rate_per_product**products == pytest.approx(1e-6)
    assert prediction.products_between(1e-8, 1e-2) == 0.0
    assert predict_rate(ASYMMETRIC, mg.MultiplicativeWeights()).products_between(1.0, 0.1) == math.inf
    with pytest.raises(mg.InputError, match="start_gap must be"):
        prediction.products_between(0.0, 1e-8)
    with pytest.raises(mg.InputError, match="No rate is predicted of nash_md"):
        predict_rate(ASYMMETRIC, mg.NashMirrorDescent()).products_between(1.0, 0.1)


# --- partial supports, and where theory is silent -------------------------------------------------------------------------------------------


def test_the_joint_rate_is_the_slowest_part() -> None:
    game = mg.games.from_spec("random:n=10,seed=1")
    prediction = predict_rate(game, MPO())
    nash = mg.nash(game)
    support = list(nash.support)
    alone = predict_rate(mg.PreferenceGame.from_payoffs(game.restricted(support)), MPO(step_size=1.0, magnet_strength=0.1, refresh_every=40))
    whole = predict_rate(game, MPO(step_size=1.0, magnet_strength=0.1, refresh_every=40))
    assert [mode.multiplier for mode in whole.modes] == pytest.approx([mode.multiplier for mode in alone.modes], rel=1e-11)
    assert sorted(action.action for action in prediction.actions) == sorted(set(range(10)) - set(support))
    for action in prediction.actions:
        assert action.slack == pytest.approx(nash.slack[action.action])
    slack = [action.slack for action in prediction.actions]
    assert slack == sorted(slack)
    assert [mode.factor for mode in prediction.modes] == sorted((mode.factor for mode in prediction.modes), reverse=True)
    modes, actions = prediction.modes[0].factor, prediction.actions[0].factor
    assert prediction.factor == pytest.approx(max(modes, actions))
    assert prediction.kl_factor == pytest.approx(max(modes**2, actions))
    assert prediction.decided_by == ("modes" if modes > actions else "actions")
    assert prediction.support_size == len(support)


def test_a_given_equilibrium_is_told_apart_from_its_rounding() -> None:
    game = mg.games.from_spec("random:n=10,seed=1")
    exact = predict_rate(game, MPO())
    # 1e-11 on every action gives a gap of 1e-11 L; the exponent moves by that over its mode's 0.03 at most, the frequencies being those of neighbouring matrices.
    rough = (exact.policy + 1e-11) / (1 + 1e-10)
    near = predict_rate(game, MPO(), at=rough)
    assert near.support_size == exact.support_size < 10
    assert near.exponent == pytest.approx(exact.exponent, rel=1e-8)
    # With 1e-10 on every action, an action of slack 1e-9 might or might not be played.
    table = np.array([[0.0, 1.0, -1.0, 1e-9], [-1.0, 0.0, 1.0, 1e-9], [1.0, -1.0, 0.0, 1e-9], [-1e-9, -1e-9, -1e-9, 0.0]])
    unclear = mg.PreferenceGame.from_payoffs(table)
    prediction = predict_rate(unclear, MPO(), at=np.array([1, 1, 1, 3e-10]) / (3 + 3e-10))
    assert "whether the equilibrium plays action 4 is not clear" in prediction.declined
    assert predict_rate(unclear, MPO(), at=[1 / 3, 1 / 3, 1 / 3, 0]).support_size == 3
    # A probability of 1e-5 at a slack of 5e-7 L is above √gap = 3e-6, but not a hundred times its slack.
    table[:3, 3], table[3, :3] = 5e-7, -5e-7
    assert "action 4 is not clear" in predict_rate(mg.PreferenceGame.from_payoffs(table), MPO(), at=np.array([1, 1, 1, 3e-5]) / (3 + 3e-5)).declined
    # A slack of 1e-6 is clear from an exact equilibrium, but not from one with a gap of 1e-10, in which slacks are off by 1e-5 at a probability of as much.
    table[:3, 3], table[3, :3] = 1e-6, -1e-6
    faint = mg.PreferenceGame.from_payoffs(table)
    near = np.array([1, 1, 1, 3e-9]) / (3 + 3e-9)
    assert predict_rate(faint, MPO(), at=near).support_size == 3
    assert "action 4 is not clear" in predict_rate(faint, MPO(), at=near + 1e-10 * np.array([1, -1, 0, 0])).declined
    same = predict_rate(game, MPO(), at=mg.nash(game))
    assert same.factor == exact.factor
    assert predict_rate(game, MPO(), at=mg.nash(game).policy).factor == pytest.approx(exact.factor, rel=1e-12)


def test_an_equilibrium_that_is_not_strictly_complementary_is_declined() -> None:
    # Rock, paper, scissors twice over: an equilibrium that plays one copy of an action ties the other.
    game = mg.games.clones(copies=2)
    found = mg.nash(game, method="lp")
    assert len(found.support) < 6
    for at in (found, found.policy):
        prediction = predict_rate(game, MPO(), at=at)
        assert prediction.kind == "declined"
        assert "strictly complementary" in prediction.declined
        assert prediction.exponent is prediction.factor is prediction.rate is prediction.kl_factor is prediction.rate_per_product is None
        assert f": none, because {prediction.declined}" in " ".join(str(prediction).split())
        json.dumps(prediction.to_dict(), allow_nan=False)


def test_of_several_equilibria_the_one_of_largest_entropy() -> None:
    game = mg.games.clones(copies=2)
    prediction = predict_rate(game, MPO())
    np.testing.assert_allclose(prediction.policy, mg.nash(game, select="maximum_entropy").policy, atol=1e-12)
    assert not prediction.unique
    assert "dimension 3" in " ".join(prediction.assumptions)
    assert "3 of frequency 0" in str(prediction)


class Own:
    """A user's own algorithm."""

    def init(self, log_policy: np.ndarray) -> Any: ...

    def step(self, state: Any, payoffs: Any) -> Any: ...


@pytest.mark.parametrize(
    ("game", "algorithm", "reason"),
    [
        (ASYMMETRIC, Own(), "not of the log-linear family"),
        (ASYMMETRIC, mg.AdaptiveMPO(), "faster than any linear rate"),
        (ASYMMETRIC, MMD(magnet="annealed"), "fall with the step"),
        (ASYMMETRIC, mg.NashMirrorDescent(step_size=0.1), "mixture with its magnet"),
        (mg.PreferenceGame(np.full((3, 3), 0.5)), MPO(), "constant"),
    ],
)
def test_where_theory_is_silent(game: mg.Game, algorithm: Any, reason: str) -> None:
    prediction = predict_rate(game, algorithm)
    assert reason in prediction.declined
    assert (prediction.kind, prediction.modes, prediction.actions, prediction.decided_by) == ("declined", (), (), "")


def test_too_large_supports_are_declined() -> None:
    count = LARGEST_SUPPORT + 2
    angles = 2 * np.pi * np.arange(count) / count
    game = mg.GeneralPreferenceGame(np.column_stack([np.cos(angles), np.sin(angles)]))
    assert "at most 3,000" in predict_rate(game, MMD()).declined
    with pytest.raises(mg.InputError, match="at most 3,000 may be played"):
        spectrum_of(game, np.full(count, 1 / count), np.arange(count))


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(mg.InputError, match="A game is expected"):
        predict_rate("rps", MPO())  # type: ignore[arg-type]
    with pytest.raises(mg.InputError, match="An algorithm is an object"):
        predict_rate(ASYMMETRIC, "mpo")
    with pytest.raises(mg.InputError, match="An algorithm is an object"):
        predict_rate(ASYMMETRIC, MPO)
    with pytest.raises(mg.InputError, match=r"no equilibrium of .*: its gap is"):
        predict_rate(ASYMMETRIC, MPO(), at=[0.4, 0.3, 0.3])
    equilibrium = np.array([4, 3, 4]) / 11
    with pytest.raises(mg.InputError, match=r"at most 1e-09 L = 4e-10 would be right"):
        predict_rate(ASYMMETRIC, MPO(), at=equilibrium + np.array([1e-8, -1e-8, 0]))
    assert not predict_rate(ASYMMETRIC, MPO(), at=equilibrium + np.array([1e-10, -1e-10, 0])).declined
    with pytest.raises(mg.InputError, match="one policy of 3 entries"):
        predict_rate(ASYMMETRIC, MPO(), at=[[0.4, 0.3, 0.3]])
    with pytest.raises(mg.InputError, match="give log_magnet"):
        predict_rate(ASYMMETRIC, MMD(), at=[0.4, 0.3, 0.3])
    with pytest.raises(mg.InputError, match="has 3"):
        predict_rate(ASYMMETRIC, MPO(), at=mg.nash(mg.games.clones(copies=2)))
    with pytest.raises(mg.InputError, match="stack of games"):
        predict_rate(mg.PreferenceGame.stack([ASYMMETRIC, ASYMMETRIC]), MPO())


def test_a_fixed_magnet_leads_to_its_regularised_equilibrium() -> None:
    magnet = np.log([0.2, 0.5, 0.3])
    prediction = predict_rate(ASYMMETRIC, MMD(step_size=0.3, magnet_strength=0.2), log_magnet=magnet)
    expected = regularised_equilibrium(ASYMMETRIC, magnet_strength=0.2, log_magnet=magnet)
    assert prediction.target == "regularised"
    assert prediction.actions == ()
    np.testing.assert_allclose(prediction.policy, expected.policy, atol=1e-13)
    (omega,) = modes_by_eigenvalues(ASYMMETRIC, expected.policy)
    assert prediction.factor == pytest.approx(abs((1 + 0.3j * omega) / 1.06), rel=1e-12)
    # A magnet without strength is none.
    assert predict_rate(ASYMMETRIC, LogLinear(step_size=0.3, magnet="fixed")).target == "nash"


def test_modes_of_frequency_zero_come_to_a_regularised_equilibrium_too() -> None:
    # Four actions have three directions, and one of them no payoff changes: with PU it is the slowest, at 1 − ηα.
    prediction = predict_rate(GAMES["even"], PU(step_size=ETA, magnet_strength=ALPHA))
    assert (prediction.zero_modes, prediction.modes[0].frequency) == (1, 0.0)
    assert prediction.factor == pytest.approx(1 - ETA * ALPHA, rel=1e-14)


def test_a_prediction_prints_and_goes_to_json() -> None:
    game = mg.games.from_spec("random:n=30,seed=0")
    prediction = predict_rate(game)
    text = str(prediction)
    assert f"factor {factor_of(prediction.exponent or 0.0)} a refresh" in " ".join(text.split())
    assert "more" not in text and "… and" in text and "faster" in text
    assert len(text.splitlines()) <= 30
    written = json.loads(json.dumps(prediction.to_dict(), allow_nan=False))
    assert written["schema"] == "mmd_games.prediction/1"
    assert [entry["multiplier"] for entry in written["modes"]] == [[mode.multiplier.real, mode.multiplier.imag] for mode in prediction.modes]
    assert [entry["slack"] for entry in written["actions"]] == [action.slack for action in prediction.actions]
    assert written["factor"] == prediction.factor and written["exponent"] == prediction.exponent
    assert "vector" not in written["modes"][0]
    assert isinstance(prediction, RatePrediction)
    assert repr(prediction).startswith("<RatePrediction mpo:")
    # Underflow is no trouble: what dies out at once has the factor 0.
    pure = predict_rate(mg.PreferenceGame([[0.5, 1.0], [0.0, 0.5]]), MPO(step_size=1.0, magnet_strength=1e-6, refresh_every=10**9))
    assert (pure.factor, pure.kind) == (0.0, "linear")
    assert pure.exponent == pytest.approx(0.5e6, rel=1e-6)
    json.dumps(pure.to_dict(), allow_nan=False)


# --- what a user gives wrongly, and what is read ----------------------------------------------------------------------------------------------


def test_an_equilibrium_of_another_game_is_refused() -> None:
    # As many actions, and yet all payoffs are others: there the best one earns 0.8 more than this policy.
    other = mg.games.from_spec("elo:n=3,seed=1")
    with pytest.raises(
        mg.InputError, match=r"of bradley_terry.*, and none of rock_paper_scissors.*: its gap there is 0.8, at most 1e-09 L = 4e-10 would be right"
    ):
        predict_rate(ASYMMETRIC, MPO(), at=mg.nash(other))
    # Three actions of two players are not those of one.
    with pytest.raises(mg.InputError, match=r"of 1 \+ 2 actions; .* has 3"):
        predict_rate(ASYMMETRIC, MPO(), at=mg.nash(mg.MatrixGame([[1.0, 2.0]])))


def test_slacks_at_a_given_equilibrium_are_those_of_this_game() -> None:
    table = np.array([[0.0, 0.1, 0.3], [-0.1, 0.0, 0.2], [-0.3, -0.2, 0.0]])
    first, second = (mg.PreferenceGame.from_payoffs(part) for part in (table, table * [[1, 2, 0.5], [2, 1, 1], [0.5, 1, 1]]))
    prediction = predict_rate(second, mg.MultiplicativeWeights(step_size=0.5), at=mg.nash(first))
    assert [(action.action, action.slack) for action in prediction.actions] == [(2, pytest.approx(0.15)), (1, pytest.approx(0.2))]
    # In a game where action 2 ties with what is played nothing is known of it.
    tied = mg.PreferenceGame.from_payoffs(table * [[1, 0, 1], [0, 1, 1], [1, 1, 1]])
    assert "not be strictly complementary" in predict_rate(tied, MPO(), at=mg.nash(first)).declined


def test_what_a_solver_could_not_find_is_declined_and_not_refused() -> None:
    found = mg.nash(ASYMMETRIC)
    off = np.array([4, 3, 4]) / 11 + 1e-4 * np.array([1, -1, 0])
    best = replace(found, policy=off, gap=mg.duality_gap(ASYMMETRIC, off), converged=False)
    assert "no equilibrium was found to its tolerance" in predict_rate(ASYMMETRIC, MPO(), at=best).declined
    assert f"the best gap is {best.gap:.2g}." in " ".join(str(predict_rate(ASYMMETRIC, MPO(), at=best)).split())
    # The same point is refused where it is said to have a smaller gap than it has.
    with pytest.raises(mg.InputError, match="and none of"):
        predict_rate(ASYMMETRIC, MPO(), at=replace(best, gap=best.gap / 2))


def test_a_magnet_is_given_for_a_fixed_one_alone() -> None:
    magnet = np.log([0.2, 0.5, 0.3])
    for algorithm, kind in ((MPO(), "refreshed"), (MMD(magnet="moving"), "moving"), (mg.MultiplicativeWeights(), "absent")):
        with pytest.raises(mg.InputError, match=f"log_magnet is of a magnet that stays fixed, and that of .* is {kind}"):
            predict_rate(ASYMMETRIC, algorithm, log_magnet=magnet)
    # A fixed magnet without strength takes one, and is none.
    assert predict_rate(ASYMMETRIC, LogLinear(step_size=0.3, magnet="fixed"), log_magnet=magnet).target == "nash"


@pytest.mark.parametrize(
    ("magnet", "said"),
    [
        ("x", "not made of numbers; .* needs one log-probability for each of its 3 actions"),
        (np.log([0.2, 0.5, 0.3]) + 0j, "not made of numbers"),
        ([[0.0], [0.0, 1.0], [0.0]], "not made of numbers"),
        ([1000.0, 0.0, 0.0], "Entry 1 of the magnet is 1000; a log-probability was expected: at most 0"),
        ([-1.0, math.nan, -1.0], "Entry 2 of the magnet is nan"),
        ([0.0, 0.0, 0.0], "sums to 3"),
        ([-1.0, -1.0], "has shape"),
    ],
    ids=["word", "complex", "ragged", "large", "nan", "logits", "short"],
)
def test_what_is_no_magnet_is_refused(magnet: Any, said: str) -> None:
    with pytest.raises(mg.InputError, match=said):
        predict_rate(ASYMMETRIC, MMD(), log_magnet=magnet)


@pytest.mark.parametrize("rate", [0.02, 0.3, 1.0])
def test_the_drift_behind_a_moving_magnet_settles_as_predicted(rate: float) -> None:
    eta, alpha = 0.3, 0.2
    rule = LogLinear(step_size=eta, magnet_strength=alpha, magnet="moving", magnet_rate=rate)
    second, excess = lag_of_drift(rule)
    assert second == pytest.approx((1 - rate) / (1 + eta * alpha), abs=1e-15)
    assert excess == pytest.approx((1 + eta * alpha / rate) / (1 + eta * alpha) - 1, abs=1e-14)
    assert lag_of_drift(LogLinear(step_size=eta, magnet_strength=alpha, magnet="refreshed", refresh_every=9)) == (0.0, 0.0)
    # Of two actions payoffs are constant, so each step of the real run moves the odds by the drift and by what is left of the excess.
    game = mg.PreferenceGame([[0.5, 0.75], [0.25, 0.5]])
    algorithm = MMD(step_size=eta, magnet_strength=alpha, magnet="moving", magnet_rate=rate)
    (action,) = predict_rate(game, algorithm).actions
    assert (action.second, action.excess) == (second, excess)
    run = mg.solve(game, algorithm, steps=40, record=mg.Record(gaps=50, policies=50))
    odds = run.log_policies[:, 1] - run.log_policies[:, 0]
    expected = np.concatenate([[0.0], np.cumsum(action.drift * (1 + excess * second ** np.arange(40)))])[run.policy_iterations]
    # 40 steps round logits of up to 3 by 3ε each.
    np.testing.assert_allclose(odds, expected, rtol=0, atol=3e-14)
    assert len(odds) > 20
    assert excess * second**action.settles == pytest.approx(0.01) or excess * second <= 0.01
    assert "second" not in action.to_dict()


def test_a_moving_magnet_that_diverges_is_told_what_to_change() -> None:
    # With a rate of 1 the magnet is refreshed at every step, which diverges.
    detail = predict_rate(ASYMMETRIC, MMD(magnet="moving", magnet_rate=1.0)).detail
    assert "step_size or magnet_rate must be smaller" in detail and "not pure" not in detail
    assert "every equilibrium that is not pure, with any step size." in predict_rate(ASYMMETRIC, mg.MultiplicativeWeights()).detail


def test_numbers_beside_one_are_read_as_their_difference_from_it() -> None:
    assert [number(value) for value in (1 - 1.8e-10, 1 + 2.5e-6, 1.0, 1 - 1.1e-5, 1.2, 0.25, -1.0)] == [
        *("1 − 1.8e-10", "1 + 2.5e-06", "1", "0.999989", "1.2", "0.25", "-1")
    ]
    # The exponent has digits that the factor 1 has not.
    assert [factor_of(exponent) for exponent in (1.8e-20, -3e-7, 0.0, 2e-5, math.log(4), -1e9, math.inf)] == [
        *("1 − 1.8e-20", "1 + 3e-07", "1", "0.99998", "0.25", "1.79769e+308", "0")
    ]


def test_a_prediction_is_read_with_units_and_cost() -> None:
    prediction = predict_rate(ASYMMETRIC, mg.Extragradient(step_size=0.001))
    text = str(prediction)
    # |1 + iηω − (ηω)²| = 1 − (ηω)²/2 to fourth order: ln 10/(ηω)²·2 = 1.0554e8 steps of two products.
    exponent = (0.001 * prediction.modes[0].frequency) ** 2 / 2
    assert f"factor 1 − {exponent:.4g} a step\n  the slowest part is a rotation; a factor" in text
    assert f"a factor of ten takes {math.log(10) / exponent:.2g} steps, {2 * math.log(10) / exponent:.2g} products" in text
    assert "factor a step" in text.splitlines()[4] and "frequency" in text.splitlines()[4]
    pure = predict_rate(mg.PreferenceGame([[0.5, 0.75], [0.25, 0.5]]), MPO(step_size=0.3, magnet_strength=0.2, refresh_every=10))
    lines = str(pure).splitlines()
    assert lines[0] == f"Prediction for {pure.algorithm} on {pure.game}:"
    assert lines[1].startswith("  converges linearly, factor ") and lines[1].endswith(" a step")
    # The exponent is 0.25/0.2·(1 − 1.06⁻¹⁰) = 0.552 a refresh of ten steps: 4.17 of them, 41.7 steps.
    assert lines[2] == "  the slowest part is an action that dies out; a factor of ten takes 42 steps, 42 products"
    assert lines[4:6] == ["  1 action that dies out", "    slack (payoff units)   log-odds a refresh   action"]
    # No less than one refresh is played.
    quick = predict_rate(mg.PreferenceGame([[0.5, 1.0], [0.0, 0.5]]), MPO(step_size=1.0, magnet_strength=1e-6, refresh_every=10**7))
    assert "a factor of ten takes 1e+07 steps" in str(quick)
    assert "  the part that grows fastest is a rotation; to grow tenfold takes" in str(predict_rate(ASYMMETRIC, mg.MultiplicativeWeights()))
    still = predict_rate(GAMES["even"], PU(step_size=ETA, magnet_strength=ALPHA))
    assert still.slowest_part == "the slowest part is a direction in which payoffs do not change"
    assert replace(still, modes=(), assumptions=()).slowest_part == "" and "takes" not in str(replace(still, modes=(), assumptions=()))


@pytest.mark.parametrize("algorithm", [None, mg.MultiplicativeWeights(), MMD(), mg.NashMirrorDescent()])
def test_no_line_of_a_prediction_is_longer_than_a_page_is_wide(algorithm: Any) -> None:
    for spec in ("random:n=30,seed=0", "clones", "rps"):
        lines = str(predict_rate(mg.games.from_spec(spec), algorithm)).splitlines()
        assert all(len(line) <= 118 and line == line.rstrip() for line in lines)
        assert lines[0].startswith("Prediction for ") and all(line.startswith("  ") for line in lines[1:])


def test_names_of_actions_cannot_break_the_lines_of_a_prediction() -> None:
    game = mg.PreferenceGame([[0.5, 0.75], [0.25, 0.5]], labels=["a", "b\nc"])
    assert "b\\nc" in str(predict_rate(game)) and "b\nc" not in str(predict_rate(game))


# --- thresholds and words, on predictions made by hand ---------------------------------------------------------------------------------------


def slow_mode(factor: float, frequency: float = 0.1) -> Mode:
    return Mode(frequency, complex(factor), 0.0, np.zeros(1))


def action(drift: float, index: int = 0) -> OffSupportAction:
    return OffSupportAction(index, f"action {index + 1}", -10 * drift, drift)


def made(modes: tuple[Mode, ...] = (), actions: tuple[OffSupportAction, ...] = (), **changes: Any) -> RatePrediction:
    return RatePrediction("a game", "an algorithm", modes=modes, actions=actions, **changes)


def test_parts_and_their_dictionaries() -> None:
    still, turning = slow_mode(0.0), Mode(0.25, 0.3 + 0.4j, 0.2, np.zeros(1))
    assert (still.exponent, still.to_dict()["exponent"], still.to_dict()["factor"]) == (math.inf, None, 0.0)
    assert turning.to_dict() == {"frequency": 0.25, "multiplier": [0.3, 0.4], "factor": 0.5, "exponent": pytest.approx(math.log(2))}
    dying = OffSupportAction(2, "c", 0.5, -0.25)
    assert dying.to_dict() == {"action": 2, "label": "c", "slack": 0.5, "drift": -0.25, "factor": math.exp(-0.25)}


@pytest.mark.parametrize(
    ("drift", "kind"),
    [(-1.1e-14, "linear"), (-1e-14, "stands still"), (-0.9e-14, "stands still"), (0.9e-14, "stands still"), (1e-14, "stands still"), (1.1e-14, "diverges")],
)
def test_what_moves_by_less_than_rounding_stands_still(drift: float, kind: str) -> None:
    assert made(actions=(action(drift),)).kind == kind


def test_factors_of_a_unit_a_step_and_a_product() -> None:
    prediction = made((slow_mode(0.5),), (action(-1.0),), steps_per_unit=4, products_per_unit=8)
    assert prediction.exponent == pytest.approx(math.log(2))
    assert prediction.factor == pytest.approx(0.5)
    assert prediction.kl_factor == pytest.approx(0.25 if math.exp(-1) < 0.25 else math.exp(-1))
    assert (prediction.rate, prediction.rate_per_product) == (pytest.approx(0.5 ** (1 / 4)), pytest.approx(0.5 ** (1 / 8)))
    assert prediction.decided_by == "modes"
    # From a gap of 1 to 2⁻³ three units of eight products.
    assert prediction.products_between(1.0, 0.125) == pytest.approx(24.0)
    assert prediction.products_between(0.125, 0.25) == 0.0
    with pytest.raises(mg.InputError, match=r"No rate is predicted of an algorithm on a game: silence\."):
        made(declined="silence.").products_between(1.0, 0.5)
    # Twice an exponent of KL: a mode of 0.9² is faster than an action of 0.85.
    assert made((slow_mode(0.9),), (action(math.log(0.85)),)).kl_factor == pytest.approx(0.85)
    # What grows beyond the largest float is held there.
    wild = made(actions=(action(1000.0),))
    assert wild.factor == wild.kl_factor == pytest.approx(np.finfo(np.float64).max, rel=1e-12)
    assert (wild.products_between(1.0, 0.5), made().factor, made().exponent, made().kl_factor) == (math.inf, 1.0, 0.0, 1.0)


def test_a_prediction_in_words() -> None:
    log_target = np.log([0.5, 0.25, 0.25, 1.0])
    log_target[3] = -np.inf
    words = {"log_target": log_target, "zero_modes": 2, "assumptions": ("It is so.", "So it is."), "detail": "Because."}
    eight = tuple(Mode(0.25, (0.3 + 0.4j) / (1 + index), 0.0, np.zeros(1)) for index in range(8))
    nine = tuple(action(-float(index + 1), index) for index in range(9))
    prediction = made(eight, nine, unit="refresh", steps_per_unit=1000, products_per_unit=2000, **words)
    lines = str(prediction).splitlines()
    assert "converges linearly, factor 0.5 a refresh of 1,000 steps, 0.99930709 a step" in lines[1]
    # Tenfold in log₂ 10 = 3.32 refreshes.
    assert any("a factor of ten takes 3,322 steps, 6,644 products" in line for line in lines) and "  Because." in lines
    begin = lines.index("  at the Nash equilibrium, 3 of 4 actions played: 8 modes, and 2 of frequency 0")
    tables = [f"            0.25 {0.5 / k:18.6g}   {0.3 / k:.6g}+{0.4 / k:.6g}i" for k in range(1, 9)]
    tables += ["  9 actions that die out", "    slack (payoff units)   log-odds a refresh   action"]
    tables += [f"    {10 * k:20} {-k:20}   action {k}" for k in range(1, 9)]
    assert lines[begin + 2 :] == [*tables, "    … and 1 faster", "  assumed: It is so.", "  assumed: So it is."]
    text = str(made(eight[:1], nine[:1], **{**words, "zero_modes": 0, "detail": ""}, unique=True))
    assert "factor 0.5 a step" in text and "a factor of ten takes 4 steps, 4 products" in text
    assert "\n  at the only Nash equilibrium, 3 of 4 actions played: 1 mode\n" in text
    assert "  1 action that dies out\n" in text and "faster" not in text
    towards = str(made((*eight, *eight), (), **words, target="regularised", unique=True))
    assert "at the equilibrium regularised towards the magnet, 3 of 4 actions played: 16 modes\n" in towards
    assert "    … and 8 faster\n" in towards and "die out" not in towards
    assert "converges linearly, factor 0.135335 a step" in repr(made((), nine[1:2]))
    assert "stands still, to rounding, factor 1 a step" in repr(made()) and "takes" not in str(made())
    growing = made((slow_mode(2.0),))
    assert "diverges, factor 2 a step" in repr(growing) and "to grow tenfold takes 4 steps, 4 products" in str(growing)
    assert "grows fastest" in growing.slowest_part and "rotation" in growing.slowest_part
    assert made((slow_mode(0.5, frequency=0.0),)).slowest_part == "the slowest part is a direction in which payoffs do not change"
    assert made((), nine[:1]).slowest_part == "the slowest part is an action that dies out" and made().slowest_part == ""
    # At least one unit is played; from a million on two digits are read.
    assert "takes 1 steps, 1 products" in str(made((slow_mode(0.01),)))
    for steps, said in ((999_998.5, "999,999"), (2_345_678, "2.3e+06")):
        assert f"takes {said} steps" in str(made(actions=(action(-math.log(10) / steps),)))
    assert str(made(declined="silence.", detail="Because.")) == "Prediction for an algorithm on a game: none, because silence."


def test_a_prediction_as_a_dictionary() -> None:
    prediction = predict_rate(mg.games.from_spec("random:n=10,seed=1"), mg.Extragradient())
    written = prediction.to_dict()
    assert written["support_sizes"] == [prediction.support_size] and made().to_dict()["support_sizes"] == []
    for name in (
        "game",
        "algorithm",
        "target",
        "unit",
        "steps_per_unit",
        "products_per_unit",
        "zero_modes",
        "unique",
        "declined",
        "detail",
        "kind",
        "decided_by",
    ):
        assert written[name] == getattr(prediction, name)
    for name in ("factor", "kl_factor", "rate", "rate_per_product", "exponent", "strictly_complementary", "support_size"):
        assert written[name] == getattr(prediction, name)
    assert written["assumptions"] == list(prediction.assumptions)
    assert set(written) == {
        *("schema", "game", "algorithm", "target", "unit", "steps_per_unit", "products_per_unit", "zero_modes", "unique", "declined", "detail", "kind"),
        *("decided_by", "factor", "kl_factor", "rate", "rate_per_product", "exponent", "strictly_complementary", "support_size", "support_sizes"),
        *("assumptions", "modes", "actions"),
    }
    assert made((slow_mode(0.0),)).to_dict()["exponent"] is None


# --- the equilibrium at which a game is linearised, at its thresholds ------------------------------------------------------------------------


def with_fourth(slack: float) -> mg.PreferenceGame:
    """Rock, paper, scissors with payoffs of ±1, and a fourth action that loses by this to each: L = 1."""
    table = np.array([[0.0, 1.0, -1.0, slack], [-1.0, 0.0, 1.0, slack], [1.0, -1.0, 0.0, slack], [-slack, -slack, -slack, 0.0]])
    return mg.PreferenceGame.from_payoffs(table)


def fourth_at(chance: float) -> np.ndarray:
    return np.array([(1 - chance) / 3] * 3 + [chance])


@pytest.mark.parametrize(
    ("slack", "chance", "support"),
    [
        # At p = 0 a slack from 1e-11 on is known to be one.
        (1.01e-11, 0.0, 3),
        (0.99e-11, 0.0, None),
        # At no slack a probability from 1e-11 on.
        (0.0, 1.01e-11, 4),
        (0.0, 0.99e-11, None),
        # Else a hundredfold of the other, and at least the root of the gap p·d.
        (1e-9, 1.01e-7, 4),
        (1e-9, 0.99e-7, None),
        (1e-7, 0.99e-9, 3),
        (1e-7, 1.01e-9, None),
        (1e-12, 5e-12, None),
    ],
)
def test_what_counts_as_played(slack: float, chance: float, support: int | None) -> None:
    game = with_fourth(slack)
    point = given_point(game, fourth_at(chance))
    scale = float(game.scale)
    assert scale == pytest.approx(1.0)
    if support is None:
        assert f"action 4 is not clear: its probability is {chance:.2g} and its slack {slack:.2g} L (1 such)" in point.refused
        return
    assert (point.refused, len(point.support)) == ("", support)
    if support == 3:
        assert point.policy[3] == 0 and point.slack[3] == pytest.approx(slack, rel=1e-3, abs=0)
        assert np.all(point.slack[:3] == 0)
    else:
        assert point.policy[3] == pytest.approx(chance, rel=1e-12, abs=0) and np.all(point.slack == 0)


@pytest.mark.parametrize(("scale", "part"), [(1.0, 1.01), (1.0, 0.99), (1e3, 1.01), (1e3, 0.99)])
def test_a_policy_of_a_larger_gap_is_no_equilibrium(scale: float, part: float) -> None:
    # Moving δ from rock to paper in rock, paper, scissors of ±1 lets the best reply gain 2δ in one seat, and in both alike: the gap is 4δ or so, of 1e-9 L.
    game = mg.PreferenceGame.from_payoffs(scale * np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]]))
    third = np.full(3, 1 / 3)
    unit = mg.duality_gap(game, third + 1e-6 * np.array([1, -1, 0])) / 1e-6 / scale
    policy = third + part * 1e-9 / unit * np.array([1, -1, 0])
    if part > 1:
        with pytest.raises(mg.InputError, match=r"is no equilibrium of"):
            given_point(game, policy)
    else:
        assert given_point(game, policy).refused == ""


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_a_known_equilibrium_may_have_the_gap_that_it_is_known_to_have(scale: float) -> None:
    game = mg.PreferenceGame.from_payoffs(scale * np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]]))
    found = mg.nash(game)
    gap = mg.duality_gap(game, found.policy + 1e-6 * np.array([1, -1, 0]))  # in proportion to the distance

    def point(relative: float, **changes: Any) -> rest_point.RestPoint:
        policy = found.policy + relative * scale / gap * 1e-6 * np.array([1, -1, 0])
        return nash_point(game, replace(found, policy=policy, **changes))

    assert point(0.99e-9, gap=0.0, gap_error=0.0).support.tolist() == [0, 1, 2]
    with pytest.raises(mg.InputError, match="at most 1e-09 L = "):
        point(1.01e-9, gap=0.0, gap_error=0.0)
    assert point(4.99e-9, gap=3e-9 * scale, gap_error=2e-9 * scale).support.tolist() == [0, 1, 2]
    with pytest.raises(mg.InputError, match="its gap there is"):
        point(5.01e-9, gap=3e-9 * scale, gap_error=2e-9 * scale)


def test_a_computed_equilibrium_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    game = with_fourth(0.25)
    found = mg.nash(game)

    def point(**changes: Any) -> rest_point.RestPoint:
        monkeypatch.setattr(rest_point, "nash", lambda *_, **__: replace(found, **changes))
        return nash_point(game)

    seen = point(policy=fourth_at(0.0), slack=np.array([1e-17, 0.0, 1e-17, 0.5]))
    assert seen.slack.tolist() == [0.0, 0.0, 0.0, 0.5]
    assert seen.support.tolist() == [0, 1, 2] and seen.refused == ""
    assert point(margin=1e-11).refused == ""
    assert "some action has neither a probability nor a slack over L of 1e-11 and more" in point(margin=0.99e-11).refused
    missed = point(converged=False, gap=3e-3, margin=0.0)
    assert missed.refused == "no equilibrium was found to its tolerance, the best gap is 0.003."


def test_a_regularised_point_that_was_not_found_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = regularised_equilibrium(ASYMMETRIC, magnet_strength=0.2)
    point, log_policy = regularised_point(ASYMMETRIC, 0.2, None)
    np.testing.assert_array_equal(log_policy, found.log_policy)
    assert (point.refused, point.support.tolist(), point.slack.tolist()) == ("", [0, 1, 2], [0.0, 0.0, 0.0])
    monkeypatch.setattr(rest_point, "regularised_equilibrium", lambda *_, **__: replace(found, converged=False, residual=2e-3))
    assert regularised_point(ASYMMETRIC, 0.2, None)[0].refused == "the regularised equilibrium was found to a KL residual of 0.002 only."
    assert "KL residual of 0.002 only" in predict_rate(ASYMMETRIC, MMD(step_size=0.3, magnet_strength=0.2)).declined


# --- the spectrum, and what decides ----------------------------------------------------------------------------------------------------------


def test_frequencies_up_to_rounding_are_none() -> None:
    # A frequency ω beside payoffs of 1/2: 4kε·max|S| with k = 6 is the least that counts.
    limit = 4 * 6 * np.finfo(np.float64).eps * 0.5
    for part, count in ((2.0, 2), (0.5, 1)):
        table = np.zeros((6, 6))
        table[0, 1], table[1, 2], table[2, 0] = 0.5, 0.5, 0.5
        # Of the three small payoffs u over uniform sixths the frequency is √3·u/6.
        table[3, 4] = table[4, 5] = table[5, 3] = part * limit * 6 / math.sqrt(3)
        spectrum = spectrum_of(mg.PreferenceGame.from_payoffs(table - table.T), np.full(6, 1 / 6), np.arange(6))
        assert spectrum.resolution == pytest.approx(limit, rel=1e-12, abs=0)
        assert (len(spectrum.frequencies), spectrum.zero_modes) == (count, 5 - 2 * count)


def test_two_players_part_of_whose_actions_are_played() -> None:
    table = 10 + np.arange(12.0).reshape(3, 4) ** 2
    game = mg.MatrixGame(table)
    support, policy = np.array([0, 2, 3, 4, 6]), np.array([0.4, 0.0, 0.2, 0.1, 0.2, 0.0, 0.3])
    spectrum = spectrum_of(game, policy, support)
    x, y = np.array([2, 1]) / 3, np.array([1, 2, 3]) / 6
    assert spectrum.blocks == (2, 3) and spectrum.policy == pytest.approx(np.concatenate([x, y]), rel=1e-15)
    # The singular value of D^½(A − row means − column means + mean)D^½, of rank one here.
    inner = table[np.ix_([0, 2], [0, 1, 3])]
    centred = inner - np.outer(inner @ y, np.ones(3)) - np.outer(np.ones(2), x @ inner) + x @ inner @ y
    expected = math.sqrt(float(np.sum(np.outer(x, y) * centred**2)))
    assert spectrum.frequencies == pytest.approx([expected], rel=1e-13)
    assert (spectrum.zero_modes, spectrum.vectors.shape) == (1, (5, 1))
    # Payoffs from 10 to 131: the constant 70.5 is taken off.
    assert spectrum.resolution == pytest.approx(4 * 5 * np.finfo(np.float64).eps * 60.5, rel=1e-12, abs=0)
    skew = np.zeros((5, 5))
    skew[:2, 2:], skew[2:, :2] = centred, -centred.T
    root = np.sqrt(spectrum.policy)
    np.testing.assert_allclose((root[:, None] * skew * root) @ spectrum.vectors, 1j * spectrum.vectors * spectrum.frequencies, atol=1e-13)


def test_the_largest_support_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectrum_module, "LARGEST_SUPPORT", 3)
    assert len(spectrum_of(ASYMMETRIC, np.full(3, 1 / 3), np.arange(3)).frequencies) == 1
    with pytest.raises(mg.InputError, match="The modes of 4 actions would take too long: at most 3 may be played"):
        spectrum_of(GAMES["even"], np.full(4, 1 / 4), np.arange(4))
    monkeypatch.setattr(local_rates, "LARGEST_SUPPORT", 3)
    for method in (MMD(step_size=0.3, magnet_strength=0.2), MPO()):
        assert predict_rate(ASYMMETRIC, method).declined == ""
        assert predict_rate(GAMES["odd"], method).declined == "5 actions are played, and modes are computed of at most 3."


def test_the_magnet_may_be_too_weak() -> None:
    scale = float(ASYMMETRIC.scale)
    for part, weak in ((0.99, True), (1.01, False)):
        prediction = predict_rate(ASYMMETRIC, MMD(step_size=0.3, magnet_strength=part * WEAKEST * scale))
        assert ("the magnet is too weak for its regularised equilibrium to be computed." in prediction.declined) == weak
        assert prediction.target == "regularised"


def test_a_moving_magnet_has_two_multipliers_and_an_extrapolation_too() -> None:
    omega = np.array([0.05, 0.4])
    eta, alpha, weight = 0.3, 0.2, 0.1
    moving = mode_multipliers(LogLinear(step_size=eta, magnet_strength=alpha, magnet="moving", magnet_rate=weight), omega)
    optimistic = mode_multipliers(LogLinear(step_size=0.6, evaluation="extrapolated"), omega)
    for row, turn in enumerate(1j * omega):
        # π⁺ = ((1 + iηω)π + ηαρ)/(1 + ηα), ρ⁺ = (1 − w)ρ + wπ⁺, by trace and determinant.
        a, b = (1 + eta * turn) / (1 + eta * alpha), eta * alpha / (1 + eta * alpha)
        total, product = a + (1 - weight) + weight * b, a * (1 - weight)
        assert moving[row].sum() == pytest.approx(total, rel=1e-12) and moving[row].prod() == pytest.approx(product, rel=1e-12)
        assert optimistic[row].sum() == pytest.approx(1 + 1.2 * turn, rel=1e-12) and optimistic[row].prod() == pytest.approx(0.6 * turn, rel=1e-12)
    assert moving.shape == optimistic.shape == (2, 2)
    game = ASYMMETRIC
    (mode,) = predict_rate(game, mg.OptimisticMultiplicativeWeights(step_size=0.6)).modes
    assert mode.second == pytest.approx(0.6 * mode.frequency / mode.factor, rel=1e-9)
    assert predict_rate(game, mg.Extragradient(step_size=0.6)).modes[0].second == 0


def test_the_search_for_a_stage_ends_where_it_is_told() -> None:
    rule = LogLinear(step_size=0.3, magnet_strength=0.3, magnet="refreshed", refresh_every=1)
    frequencies = np.array([OMEGA])
    # Doubled from 1: 8 is the first power of two that converges, 6 the smallest of all.
    assert [smallest_refresh(rule, frequencies, most) for most in (7, 8, 9)] == [None, 6, 6]
    assert smallest_refresh(replace(rule, refresh_every=5), frequencies) == 6
    assert smallest_refresh(replace(rule, refresh_every=20), frequencies) == 20


def test_what_would_converge_is_said() -> None:
    said = predict_rate(ASYMMETRIC, mg.OptimisticMultiplicativeWeights(step_size=4.0)).detail
    mode = predict_rate(ASYMMETRIC, mg.OptimisticMultiplicativeWeights(step_size=4.0)).modes[0]
    assert said == f"The mode of frequency {mode.frequency:.6g} grows by {number(mode.factor)} a step: step_size must be smaller."
    assert predict_rate(ASYMMETRIC, mg.Extragradient(step_size=40.0)).detail.endswith("a step: step_size must be smaller.")
    moving = predict_rate(ASYMMETRIC, LogLinear(step_size=20.0, magnet_strength=1e-3, magnet="moving", magnet_rate=0.5))
    assert moving.kind == "diverges" and moving.detail.endswith("a step: step_size or magnet_rate must be smaller.")
    assert predict_rate(ASYMMETRIC, mg.MultiplicativeWeights()).detail.endswith(
        "this method diverges from every equilibrium that is not pure, with any step size."
    )
    assert predict_rate(ASYMMETRIC, mg.Extragradient(step_size=1.0)).detail == ""
    stage = predict_rate(ASYMMETRIC, MPO(step_size=0.02, magnet_strength=0.02, refresh_every=1))
    assert stage.detail.endswith("a refresh: refresh_every is too small, 87 is the smallest that converges with this step_size and magnet_strength.")
    slow = predict_rate(with_fourth(0.25), mg.Extragradient(step_size=1e-8))  # a factor of 1 − (ηω)²/2 is 1
    assert (slow.kind, slow.detail) == ("stands still", "The slowest mode moves by less than rounding.")


def test_what_is_assumed_is_said() -> None:
    alone = predict_rate(ASYMMETRIC, MPO()).assumptions
    assert alone == (
        "The run is near the Nash equilibrium at which the game was linearised; it is the only one.",
        "That equilibrium plays all actions.",
    )
    partial = predict_rate(with_fourth(0.25), MPO()).assumptions
    assert partial[1] == "That equilibrium plays 3 of 4 actions, and every other one is worse (strict complementarity)."
    several = predict_rate(mg.games.clones(), MPO()).assumptions
    assert several[0].endswith("it is one of a set of dimension 3, along which nothing moves; at another the rate may differ.")
    fixed = predict_rate(ASYMMETRIC, MMD(step_size=0.3, magnet_strength=0.2))
    assert fixed.assumptions == ("The run is near the equilibrium regularised towards its magnet, which is unique.",)
    assert fixed.unique and fixed.strictly_complementary
    with np.errstate(divide="ignore"):
        narrow = predict_rate(ASYMMETRIC, MMD(step_size=0.3, magnet_strength=0.2), log_magnet=np.log([0.5, 0.5, 0.0]))
    assert narrow.assumptions[0].endswith("which is unique; the magnet excludes 1 actions.")


@pytest.mark.parametrize(("part", "faint"), [(900.0, True), (1100.0, False)])
def test_a_frequency_near_rounding_is_told(part: float, faint: bool) -> None:
    limit = 4 * 6 * np.finfo(np.float64).eps * 0.5
    table = np.zeros((6, 6))
    table[0, 1], table[1, 2], table[2, 0] = 0.5, 0.5, 0.5
    table[3, 4] = table[4, 5] = table[5, 3] = part * limit * 6 / math.sqrt(3)
    game = mg.PreferenceGame.from_payoffs(table - table.T)
    assumptions = predict_rate(game, MPO(), at=np.full(6, 1 / 6)).assumptions
    assert len(assumptions) == (3 if faint else 2)
    if faint:
        assert f"is no more than rounding times {part:.0f}: it may be 0." in assumptions[2]


def test_the_slowest_ten_thousand_actions_are_listed() -> None:
    # The first action beats every other by its height; among each other these tie.
    heights = np.r_[0.0, 1.0 - np.arange(10_001) / 20_000]
    game = mg.GeneralPreferenceGame(np.column_stack([heights == 0, heights]).astype(float))
    first = np.zeros(10_002)
    first[0] = 1.0
    prediction = predict_rate(game, mg.MultiplicativeWeights(step_size=0.5), at=first)
    assert len(prediction.actions) == 10_000
    # The slowest is the last, and the fastest, the second, is left out.
    assert [part.action for part in (prediction.actions[0], prediction.actions[-1])] == [10_001, 2]
    assert prediction.actions[0].label == "action 10002"
    assert prediction.actions[0].drift == pytest.approx(-0.5 * prediction.actions[0].slack, rel=1e-15)


@pytest.mark.parametrize(("extra", "chosen"), [(994, True), (995, False)])
def test_up_to_a_thousand_actions_the_equilibrium_of_largest_entropy_is_chosen(monkeypatch: pytest.MonkeyPatch, extra: int, chosen: bool) -> None:
    # Two clones of each sign, and actions that lose to all of them: of the equilibria, lop-sided is the one that is found and even the one of largest entropy.
    few = mg.games.clones().payoff_matrix
    table = np.zeros((6 + extra, 6 + extra))
    table[:6, :6] = few
    table[:6, 6:], table[6:, :6] = 0.1, -0.1
    game = mg.PreferenceGame.from_payoffs(table)
    even = np.r_[np.repeat([2 / 11, 3 / 22, 2 / 11], 2), np.zeros(extra)]
    lopsided = even * np.r_[np.tile([1.5, 0.5], 3), np.ones(extra)]
    slack = np.where(even > 0, 0.0, 0.1)
    small = mg.nash(mg.games.clones())
    found = replace(small, policy=lopsided, slack=slack, margin=0.05, blocks=game.blocks)
    monkeypatch.setattr(rest_point, "nash", lambda *_, **__: found)
    monkeypatch.setattr(local_rates, "nash", lambda *_, **__: replace(found, policy=even))
    target = even if chosen else lopsided
    np.testing.assert_allclose(predict_rate(game, MPO()).policy, target, atol=1e-15)
    # Not one that was not found, that plays fewer actions, or in place of one that was given.
    for other in (replace(found, policy=even, converged=False), replace(found, policy=even * (even > 0.15))):
        monkeypatch.setattr(local_rates, "nash", lambda *_, other=other, **__: other)
        np.testing.assert_allclose(predict_rate(game, MPO()).policy, lopsided, atol=1e-15)
    monkeypatch.setattr(local_rates, "nash", lambda *_, **__: replace(found, policy=even))
    np.testing.assert_allclose(predict_rate(game, MPO(), at=found).policy, lopsided, atol=1e-15)


def test_labels_and_slacks_of_two_players() -> None:
    game = mg.MatrixGame([[0.0, 1.0, 3.0], [-2.0, 5.0, 6.0]], row_labels=["a", "b"], column_labels=["c", "d", "e"])
    prediction = predict_rate(game, mg.MultiplicativeWeights(step_size=0.5))
    assert [(part.label, part.slack, part.action) for part in prediction.actions] == [("d", 1.0, 3), ("b", 2.0, 1), ("e", 3.0, 4)]
    assert [part.drift for part in prediction.actions] == pytest.approx([-0.5, -1.0, -1.5], rel=1e-15)
    assert (prediction.policy.tolist(), prediction.support_size) == ([1.0, 0.0, 1.0, 0.0, 0.0], 2)


def test_the_unit_of_the_payoffs_changes_no_factor() -> None:
    """Step size times payoff is what a rule sees; OMWU remembers a payoff beside its policy, and the two must not be 1e250 apart."""
    table = np.array([[0.0, 1.0, -0.5], [-1.0, 0.0, 0.7], [0.5, -0.7, 0.0]])
    factors = [mg.predict_rate(mg.MatrixGame(table * unit), mg.OptimisticMultiplicativeWeights(step_size=0.3 / unit)).factor for unit in (1.0, 1e-250, 1e200)]
    assert factors == pytest.approx([0.9927087781171] * 3, rel=1e-12)
