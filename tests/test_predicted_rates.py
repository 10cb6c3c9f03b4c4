"""Predicted rates: against finite differences of the real step, closed formulas, exact ranks, and stored values."""

from __future__ import annotations

import cmath
import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.arrays import block_slices, log_normalise
from mmd_games.equilibria import regularised_equilibrium
from mmd_games.loop.feedback import Payoffs
from mmd_games.verification.predicted import RatePrediction, predict_rate
from mmd_games.verification.predicted.multipliers import drift_per_slack, mode_multipliers, smallest_refresh
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
        assert "nothing" in str(prediction)
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
    assert f"factor {prediction.factor:.8g} a refresh" in text
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
