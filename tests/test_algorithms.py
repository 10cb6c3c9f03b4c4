"""Who plays: every method's steps by hand, against OpenSpiel, and under changes of the game that must not matter."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyspiel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from open_spiel.python.algorithms.mmd_dilated import MMDDilatedEnt

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.arrays import block_slices, kl, log_normalise, uniform_log_policy
from mmd_games.errors import InputError
from mmd_games.loop.feedback import Payoffs
from mmd_games.testing import games_and_policies, matrix_games, preference_games

EPS = np.finfo(np.float64).eps
RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = np.log([0.2, 0.3, 0.5])
STEP, STRENGTH = 0.4, 0.3

METHODS: dict[str, Any] = {
    "mpo": mg.MagneticPreferenceOptimization(step_size=STEP, magnet_strength=STRENGTH, refresh_every=3),
    "mpo with pu": mg.MagneticPreferenceOptimization(step_size=STEP, magnet_strength=STRENGTH, refresh_every=3, inner="pu"),
    "mmd": mg.MagneticMirrorDescent(step_size=STEP, magnet_strength=STRENGTH),
    "mmd, uniform": mg.MagneticMirrorDescent(step_size=STEP, magnet_strength=STRENGTH, reference="uniform"),
    "mmd, moving": mg.MagneticMirrorDescent(step_size=STEP, magnet_strength=STRENGTH, magnet="moving", magnet_rate=0.25),
    "mmd, moving at once": mg.MagneticMirrorDescent(step_size=STEP, magnet_strength=STRENGTH, magnet="moving", magnet_rate=1.0),
    "mmd, annealed": mg.MagneticMirrorDescent(step_size=STEP, magnet_strength=STRENGTH, magnet="annealed", anneal_power=0.5),
    "pu": mg.PolicyUpdate(step_size=STEP, magnet_strength=STRENGTH),
    "pu, all pull": mg.PolicyUpdate(step_size=2.0, magnet_strength=0.5),
    "nash_md": mg.NashMirrorDescent(magnet_strength=STRENGTH),
    "nash_md, uniform": mg.NashMirrorDescent(magnet_strength=0.25, reference="uniform"),
    "nash_md, constant": mg.NashMirrorDescent(step_size=STEP, magnet_strength=STRENGTH),
    "mwu": mg.MultiplicativeWeights(step_size=STEP),
    "omwu": mg.OptimisticMultiplicativeWeights(step_size=STEP),
    "extragradient": mg.Extragradient(step_size=STEP),
}
EVERY_METHOD = pytest.mark.parametrize("algorithm", METHODS.values(), ids=METHODS.keys())


def play(game: mg.Game, algorithm: Any, log_start: np.ndarray, steps: int) -> list[np.ndarray]:
    """The log-policies 0, …, steps."""
    payoffs, state = Payoffs(game, mg.Exact()), algorithm.init(log_start)
    policies = [state.log_policy]
    for _ in range(steps):
        state = algorithm.step(state, payoffs)
        policies.append(state.log_policy)
    return policies


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - np.max(logits))
    return np.log(weights / np.sum(weights))


def pay(log_policy: np.ndarray) -> np.ndarray:
    return RPS.payoff_matrix @ np.exp(log_policy)


def assert_close(found: Any, expected: Any, error: float = 40 * EPS) -> None:
    """A few roundings of logits of order one; more is said where it is needed."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=error)


# --- steps by hand --------------------------------------------------------------------------------------------------------------------------


def test_magnetic_mirror_descent() -> None:
    pull = STEP * STRENGTH
    first = softmax((START + pull * START + STEP * pay(START)) / (1 + pull))
    second = softmax((first + pull * START + STEP * pay(first)) / (1 + pull))
    assert_close(play(RPS, METHODS["mmd"], START, 2), [START, first, second])
    first = softmax((START + STEP * pay(START)) / (1 + pull))
    assert_close(play(RPS, METHODS["mmd, uniform"], START, 1)[1], first)


def test_annealed_magnet() -> None:
    first = softmax((START + STEP * STRENGTH * START + STEP * pay(START)) / (1 + STEP * STRENGTH))
    step, strength = STEP / math.sqrt(2), STRENGTH / math.sqrt(2)  # (1 + t)^(−½) at t = 1
    second = softmax((first + step * strength * START + step * pay(first)) / (1 + step * strength))
    assert_close(play(RPS, METHODS["mmd, annealed"], START, 2)[1:], [first, second])


def test_moving_magnet() -> None:
    pull = STEP * STRENGTH
    first = softmax((START + pull * START + STEP * pay(START)) / (1 + pull))
    magnet = softmax(0.75 * START + 0.25 * first)
    second = softmax((first + pull * magnet + STEP * pay(first)) / (1 + pull))
    assert_close(play(RPS, METHODS["mmd, moving"], START, 2)[1:], [first, second])
    state = METHODS["mmd, moving"].init(START)
    assert_close(METHODS["mmd, moving"].step(state, Payoffs(RPS, mg.Exact())).log_magnet, magnet)


def test_policy_update() -> None:
    weight = STEP * STRENGTH
    half = softmax((1 - weight) * START + weight * START + STEP * pay(START))
    first = softmax((1 - weight) * START + weight * START + STEP * pay(half))
    half = softmax((1 - weight) * first + weight * START + STEP * pay(first))
    second = softmax((1 - weight) * first + weight * START + STEP * pay(half))
    assert_close(play(RPS, METHODS["pu"], START, 2)[1:], [first, second])


def test_nash_mirror_descent() -> None:
    # η_t = 2/(α(t + 2)): the first mixture is the magnet alone, whatever the policy; the second has 2/3 of it.
    first = softmax(START + pay(START) / STRENGTH)
    mixture = softmax(first / 3 + 2 * START / 3)
    second = softmax(mixture + 2 / (3 * STRENGTH) * pay(mixture))
    assert_close(play(RPS, METHODS["nash_md"], START, 2)[1:], [first, second])
    uniform = uniform_log_policy((3,))
    assert_close(play(RPS, METHODS["nash_md, uniform"], START, 1)[1], softmax(uniform + 4 * pay(uniform)))
    mixture = softmax((1 - STEP * STRENGTH) * first + STEP * STRENGTH * START)
    state = METHODS["nash_md, constant"].init(START)._replace(log_policy=first)
    assert_close(METHODS["nash_md, constant"].step(state, Payoffs(RPS, mg.Exact())).log_policy, softmax(mixture + STEP * pay(mixture)))


def test_methods_without_a_magnet() -> None:
    first = softmax(START + STEP * pay(START))
    assert_close(play(RPS, METHODS["mwu"], START, 2)[1:], [first, softmax(first + STEP * pay(first))])
    assert_close(play(RPS, METHODS["omwu"], START, 2)[1:], [first, softmax(first + STEP * (2 * pay(first) - pay(START)))])
    assert_close(play(RPS, METHODS["extragradient"], START, 1)[1], softmax(START + STEP * pay(first)))


@pytest.mark.parametrize(("inner", "method"), [("mmd", mg.MagneticMirrorDescent), ("pu", mg.PolicyUpdate)])
@pytest.mark.parametrize("every", [1, 2, 5])
def test_each_stage_of_mpo_is_its_inner_method(inner: Any, method: Callable[..., Any], every: int) -> None:
    mpo = mg.MagneticPreferenceOptimization(step_size=STEP, magnet_strength=STRENGTH, refresh_every=every, inner=inner)
    found, expected = play(RPS, mpo, START, 3 * every), [START]
    for _ in range(3):
        expected += play(RPS, method(step_size=STEP, magnet_strength=STRENGTH), expected[-1], every)[1:]
    np.testing.assert_array_equal(found, expected)


def test_the_magnet_jumps_after_every_stage() -> None:
    algorithm, payoffs = METHODS["mpo"], Payoffs(RPS, mg.Exact())
    state = algorithm.init(START)
    magnets, policies = [state.log_magnet], [START]
    for _ in range(7):
        state = algorithm.step(state, payoffs)
        magnets.append(state.log_magnet)
        policies.append(state.log_policy)
    expected = [policies[step - step % 3] for step in range(8)]
    assert all(magnet is policy for magnet, policy in zip(magnets, expected, strict=True))


def test_mpo_refreshed_at_every_step_is_multiplicative_weights() -> None:
    mpo = mg.MagneticPreferenceOptimization(step_size=STEP, magnet_strength=STRENGTH, refresh_every=1)
    hedge = mg.MultiplicativeWeights(step_size=STEP / (1 + STEP * STRENGTH))
    assert_close(play(RPS, mpo, START, 20), play(RPS, hedge, START, 20), 20 * 40 * EPS)


def test_the_explicit_form_is_the_implicit_one_at_a_longer_step() -> None:
    explicit = LogLinear(step_size=STEP, magnet_strength=STRENGTH, magnet="fixed", explicit=True)
    implicit = LogLinear(step_size=STEP / (1 - STEP * STRENGTH), magnet_strength=STRENGTH, magnet="fixed")
    assert_close(play(RPS, explicit, START, 20), play(RPS, implicit, START, 20), 20 * 40 * EPS)


def test_weak_magnets_leave_the_methods_without_one() -> None:
    # At strength α a step differs by ηα·|log π − log ρ|.
    for magnetic, plain in ((mg.MagneticMirrorDescent, mg.MultiplicativeWeights), (mg.PolicyUpdate, mg.Extragradient)):
        found = play(RPS, magnetic(step_size=STEP, magnet_strength=1e-12), START, 10)
        assert_close(found, play(RPS, plain(step_size=STEP), START, 10), 1e-11)


# --- OpenSpiel ------------------------------------------------------------------------------------------------------------------------------


def openspiel_mmd(matrix: np.ndarray, strength: float, step_size: float | None = None) -> MMDDilatedEnt:
    names = [f"r{i}" for i in range(len(matrix))], [f"c{j}" for j in range(matrix.shape[1])]
    return MMDDilatedEnt(pyspiel.convert_to_turn_based(pyspiel.create_matrix_game("g", "g", *names, matrix.tolist(), (-matrix).tolist())), strength, step_size)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_openspiels_steps_are_these(strength: float, seed: int | None) -> None:
    # OpenSpiel's magnet is always uniform, and it updates both players at once, as here: equal then for every start, step size and strength.
    matrix = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]) if seed is None else np.random.default_rng(seed).normal(size=(3, 4))
    game, theirs = mg.MatrixGame(matrix), openspiel_mmd(matrix, strength, 0.3)
    ours = mg.MagneticMirrorDescent(step_size=0.3, magnet_strength=strength, reference="uniform") if strength else mg.MultiplicativeWeights(step_size=0.3)
    start = uniform_log_policy(game.blocks) if seed is None else log_normalise(np.random.default_rng(seed).normal(size=game.actions), game.blocks)
    for player, part in enumerate(block_slices(game.blocks)):
        theirs.sequences[player][1:] = np.exp(start[part])
    for log_policy in play(game, ours, start, 10)[1:]:
        theirs.update_sequences()
        # Ten steps at |ηA| ≤ 1 may amplify a rounding by 2¹⁰ at most.
        np.testing.assert_allclose(np.exp(log_policy), np.concatenate([part[1:] for part in theirs.sequences]), rtol=0, atol=1024 * 10 * EPS)


def test_openspiels_rock_paper_scissors_step() -> None:
    # The start, the strengths and the step size α/max|A|² of OpenSpiel's own test.
    matrix = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    for strength in (0.5, 1.0, 1.5):
        theirs, game = openspiel_mmd(matrix, strength), mg.MatrixGame(matrix)
        theirs.sequences = [np.array([1, 0.2, 0.2, 0.6]), np.array([1, 0.5, 0.2, 0.3])]
        theirs.update_sequences()
        ours = mg.MagneticMirrorDescent(magnet_strength=strength, reference="uniform").with_defaults(float(game.scale))
        assert ours.step_size == theirs.stepsize
        found = play(game, ours, np.log([0.2, 0.2, 0.6, 0.5, 0.2, 0.3]), 1)[1]
        np.testing.assert_allclose(np.exp(found), np.concatenate([part[1:] for part in theirs.sequences]), rtol=20 * EPS)


def regularised_gap(game: mg.Game, log_policy: np.ndarray, log_magnet: np.ndarray, strength: float) -> float:
    """What the players could win by best responses in the regularised game: α KL(π‖softmax(log ρ + payoffs/α)), summed over them."""
    answer = log_normalise(log_magnet + game.payoffs(np.exp(log_policy)) / strength, game.blocks)
    return game.players_per_block * strength * float(kl(log_policy, answer))


@pytest.mark.parametrize("seed", range(3))
def test_openspiels_regularised_gap(seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(3, 4))
    game, theirs = mg.MatrixGame(matrix), openspiel_mmd(matrix, 0.5)
    for _ in range(3):
        log_policy = np.log(np.concatenate([part[1:] for part in theirs.sequences]))
        # OpenSpiel subtracts values of order one.
        assert regularised_gap(game, log_policy, uniform_log_policy(game.blocks), 0.5) == pytest.approx(theirs.get_gap(), abs=100 * EPS)
        theirs.update_sequences()


# --- fixed points ---------------------------------------------------------------------------------------------------------------------------


@given(st.one_of(preference_games(max_actions=5), matrix_games(max_actions=4)), st.floats(0.1, 4.0), st.floats(0.1, 0.9))
def test_a_quantal_response_equilibrium_stays_where_it_is(game: mg.Game, relative: float, pull: float) -> None:
    unit = float(game.scale) or 1.0
    strength, step_size = relative * unit, pull / (relative * unit)
    equilibrium = mg.regularised_equilibrium(game, magnet_strength=strength)
    # Log-payoffs up to 1/relative + the equilibrium's own error, which its residual bounds; a step multiplies either by ηL at most.
    largest = float(np.max(np.abs(game.payoff_matrix))) / strength
    error = (1 + step_size * unit) ** 2 * (100 * EPS * (10 + largest) + 10 * math.sqrt(equilibrium.residual))
    for method in (mg.MagneticMirrorDescent, mg.PolicyUpdate):
        algorithm = method(step_size=step_size, magnet_strength=strength, reference="uniform")
        assert_close(play(game, algorithm, equilibrium.log_policy, 1)[1], equilibrium.log_policy, error)
    gap = regularised_gap(game, equilibrium.log_policy, uniform_log_policy(game.blocks), strength)
    # What the solver promises, or the square of what rounded payoffs leave of log-policies where a constant is much larger than L.
    assert gap <= game.players_per_block * strength * max(1e-14, (game.actions * EPS * largest) ** 2)


def test_nash_equilibria_stay_where_they_are() -> None:
    equilibrium = np.log(np.array([4, 3, 4]) / 11)
    for name, algorithm in METHODS.items():
        if "uniform" not in name:  # the start is the magnet
            assert_close(play(RPS, algorithm, equilibrium, 10), [equilibrium] * 11, 10 * 40 * EPS)


# --- what must not matter -------------------------------------------------------------------------------------------------------------------


STEPS = 12


def drift(game: mg.Game, algorithm: Any) -> float:
    """How far rounding may lead two equal runs of STEPS steps apart, with payoffs up to max|A| and logits that grow with them."""
    rule = algorithm.log_linear
    largest = rule.step_size * float(np.max(np.abs(game.payoff_matrix)))
    # A step changes a difference of log-policies by a factor of at most 1 + 3ηL (3: the extrapolated payoff), a half step squares it.
    growth = (1 + 3 * rule.step_size * float(game.scale)) ** (STEPS * rule.products_per_step)
    return growth * STEPS * 40 * EPS * (20 + STEPS * 3 * largest)


@EVERY_METHOD
@given(pair=games_and_policies(preference_games(max_actions=5)))
def test_a_preference_game_is_two_players_who_play_alike(algorithm: Any, pair: tuple[mg.PreferenceGame, np.ndarray]) -> None:
    game, policy = pair
    both = mg.MatrixGame(game.payoff_matrix)
    single = play(game, algorithm, np.log(policy), STEPS)
    double = play(both, algorithm, np.log(np.tile(policy, 2)), STEPS)
    assert_close(double, np.tile(single, 2), drift(game, algorithm))


@EVERY_METHOD
@given(pair=games_and_policies(matrix_games(max_actions=4)), constant=st.floats(-5, 5))
def test_a_constant_payoff_changes_no_run(algorithm: Any, pair: tuple[mg.MatrixGame, np.ndarray], constant: float) -> None:
    game, policy = pair
    unit = float(game.scale) or 1.0
    game = mg.MatrixGame(game.payoff_matrix / unit)
    moved = mg.MatrixGame(game.payoff_matrix + constant)
    found = play(moved, algorithm, np.log(policy), STEPS)
    assert_close(found, play(game, algorithm, np.log(policy), STEPS), drift(moved, algorithm) + drift(game, algorithm))


@EVERY_METHOD
@given(pair=games_and_policies(preference_games(max_actions=5)), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_actions_does_not_matter(algorithm: Any, pair: tuple[mg.PreferenceGame, np.ndarray], shuffle: Any) -> None:
    game, policy = pair
    order = list(range(game.actions))
    shuffle.shuffle(order)
    renamed = mg.PreferenceGame(game.preference[np.ix_(order, order)])
    found = play(renamed, algorithm, np.log(policy[order]), STEPS)
    assert_close(found, np.array(play(game, algorithm, np.log(policy), STEPS))[:, order], drift(game, algorithm))


DEFAULTS = [
    mg.MagneticPreferenceOptimization(),
    mg.MagneticPreferenceOptimization(inner="pu"),
    mg.MagneticMirrorDescent(),
    mg.MagneticMirrorDescent(magnet="moving"),
    mg.MagneticMirrorDescent(magnet="annealed"),
    mg.PolicyUpdate(),
    mg.NashMirrorDescent(),
    mg.MultiplicativeWeights(),
    mg.OptimisticMultiplicativeWeights(),
    mg.Extragradient(),
]


@pytest.mark.parametrize("algorithm", DEFAULTS, ids=str)
@given(pair=games_and_policies(preference_games(max_actions=5)), factor=st.sampled_from([1e-3, 0.3, 7.0, 1000.0]))
def test_defaults_follow_the_units_of_payoff(algorithm: Any, pair: tuple[mg.PreferenceGame, np.ndarray], factor: float) -> None:
    game, policy = pair
    if float(game.scale) < 1e-3:  # a game without payoffs has no units; nor do 1/L = 10³ and more keep the digits of a step
        return
    scaled = mg.PreferenceGame.from_payoffs(factor * game.payoff_matrix)
    filled, other = (algorithm.with_defaults(float(each.scale)) for each in (game, scaled))
    for name, power in (("step_size", -1), ("magnet_strength", 1), ("magnet_rate", 0), ("refresh_every", 0)):
        if getattr(filled, name, None) is not None:
            # A whole refresh_every is the ceiling of a number that rounding may lift over a whole one.
            error = 1 if name == "refresh_every" else 0
            assert getattr(other, name) == pytest.approx(getattr(filled, name) * factor**power, rel=10 * EPS, abs=error)
    if getattr(filled, "refresh_every", 0) == getattr(other, "refresh_every", 0):
        found = play(scaled, other, np.log(policy), STEPS)
        assert_close(found, play(game, filled, np.log(policy), STEPS), 10 * drift(game, filled))


# --- faces of the simplex -------------------------------------------------------------------------------------------------------------------


@EVERY_METHOD
def test_an_action_never_played_stays_so(algorithm: Any) -> None:
    game = mg.MatrixGame(np.random.default_rng(0).normal(size=(3, 4)))
    start = np.array([0.0, 0.25, 0.75, 0.5, 0.0, 0.5, 0.0])
    zero = start == 0
    small = mg.MatrixGame(game.payoff_matrix[1:, [0, 2]])
    expected = mg.solve(small, algorithm, steps=30, start=start[~zero])
    singles = mg.solve(game, algorithm, steps=30, start=start)
    stacked = mg.solve_many(game, algorithm, [start, np.array([1 / 3] * 3 + [1 / 4] * 4)], steps=30)[0]
    for trace in (singles, stacked):
        if algorithm == METHODS["nash_md, uniform"]:  # its first step goes to the magnet alone, and forgets the start
            assert np.all(np.isfinite(trace.log_policies[1:]))
            np.testing.assert_allclose(trace.log_policies[1:], mg.solve(game, algorithm, steps=30).log_policies[1:], rtol=0, atol=1e-12)
            continue
        assert np.all(trace.log_policies[:, zero] == -np.inf)
        # The rest is the game without those actions (a uniform magnet is lower by a constant, which drops out); 30 contracting or short steps.
        np.testing.assert_allclose(trace.log_policies[:, ~zero], expected.log_policies, rtol=0, atol=1e-12)


@EVERY_METHOD
def test_probabilities_below_the_smallest_float(algorithm: Any) -> None:
    start = log_normalise(np.array([0.0, -800.0, -2000.0]), (3,))
    policies = np.array(play(RPS, algorithm, start, 50))
    assert np.all(np.isfinite(policies))


# --- settings -------------------------------------------------------------------------------------------------------------------------------


def test_default_settings_by_theory() -> None:
    scale = 0.5
    mpo = mg.MagneticPreferenceOptimization().with_defaults(scale)
    assert (mpo.magnet_strength, mpo.step_size, mpo.refresh_every) == (0.1, 0.4, 50)  # c·L; α/L²; the larger of 1.5√75 = 12.99 and 2/.04
    assert mg.MagneticPreferenceOptimization(step_size=4.0).with_defaults(scale).refresh_every == 5  # 1.5√(3/.4) = 4.1 against 2/.4
    assert mg.MagneticPreferenceOptimization().with_defaults(float(RPS.scale)).step_size == 0.5  # without a digit of rounding where there need be none
    pu = mg.PolicyUpdate().with_defaults(scale)
    assert (pu.magnet_strength, pu.step_size) == (0.1, 1 / 1.1)
    assert mg.MagneticPreferenceOptimization(inner="pu").with_defaults(scale).step_size == pu.step_size
    annealed = mg.MagneticMirrorDescent(magnet="annealed").with_defaults(scale)
    assert (annealed.magnet_strength, annealed.step_size, annealed.anneal_power) == (0.5, 2.0, 0.5)
    moving = mg.MagneticMirrorDescent(magnet="moving").with_defaults(scale)
    assert moving.magnet_rate == pytest.approx(0.02)
    assert mg.NashMirrorDescent().with_defaults(scale).step_size is None
    assert [method().with_defaults(scale).step_size for method in (mg.MultiplicativeWeights, mg.OptimisticMultiplicativeWeights, mg.Extragradient)] == [
        0.2,
        1,
        1.4,
    ]


@pytest.mark.parametrize("algorithm", DEFAULTS, ids=str)
def test_settings_that_are_given_stay(algorithm: Any) -> None:
    given = {field.name: 0.25 for field in dataclasses.fields(algorithm) if field.name in ("step_size", "magnet_strength")}
    filled = dataclasses.replace(algorithm, **given).with_defaults(3.0)
    assert {name: getattr(filled, name) for name in given} == given
    assert filled.with_defaults(7.0) == filled
    assert hash(filled) == hash(filled.with_defaults(7.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        filled.step_size = 1.0


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e-150, 1e150, 1e300])
@pytest.mark.parametrize("algorithm", DEFAULTS, ids=str)
def test_defaults_in_extreme_units(algorithm: Any, scale: float) -> None:
    rule = algorithm.with_defaults(scale).log_linear
    # In a game without payoffs any unit will do; elsewhere the settings are those of L = 1, in units of it.
    expected = algorithm.with_defaults(1.0).log_linear
    unit = scale or 1.0
    assert rule.step_size * unit == pytest.approx(expected.step_size, rel=10 * EPS, abs=0)
    assert rule.magnet_strength / unit == pytest.approx(expected.magnet_strength, rel=10 * EPS, abs=0)


def test_products_a_step() -> None:
    double = {name for name, algorithm in METHODS.items() if algorithm.products_per_step == 2}
    assert double == {"mpo with pu", "pu", "pu, all pull", "extragradient"}


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "0.1"])
@pytest.mark.parametrize(
    ("method", "setting"), [(type(algorithm), name) for algorithm in DEFAULTS for name in ("step_size", "magnet_strength") if hasattr(algorithm, name)]
)
def test_numbers_out_of_range(method: Callable[..., Any], setting: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{setting} must be a positive, finite number, got"):
        method(**{setting: value})


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: mg.MagneticPreferenceOptimization(refresh_every=0), "refresh_every must be a whole number of at least 1, got 0."),
        (lambda: mg.MagneticPreferenceOptimization(refresh_every=2.5), "refresh_every must be a whole number"),  # type: ignore[arg-type]
        (lambda: mg.MagneticMirrorDescent(magnet="moving", magnet_rate=1.5), "magnet_rate must be at most 1"),
        (lambda: mg.MagneticMirrorDescent(anneal_power=-1.0), "anneal_power must be a positive"),
        (lambda: mg.PolicyUpdate(step_size=3.0, magnet_strength=0.5), "step_size × magnet_strength must be at most 1, got 3 × 0.5 = 1.5."),
        (lambda: mg.NashMirrorDescent(step_size=3.0, magnet_strength=0.5), "must be at most 1"),
        (lambda: mg.MagneticPreferenceOptimization(step_size=3.0, magnet_strength=0.5, inner="pu"), "must be at most 1"),
        (lambda: mg.PolicyUpdate(step_size=11.0).with_defaults(0.5), "must be at most 1, got 11 × 0.1 = 1.1."),
        (lambda: LogLinear(step_size=0.1, magnet="refreshed"), "refresh_every must be a whole number of at least 1, got 0."),
        (lambda: mg.MagneticPreferenceOptimization(step_size=0.1).init(START), "MagneticPreferenceOptimization has no magnet_strength, refresh_every yet"),
        (lambda: mg.MagneticMirrorDescent(step_size=1.0, magnet_strength=1.0, magnet="moving").init(START), "has no magnet_rate yet"),
        (lambda: mg.MagneticMirrorDescent(step_size=1.0, magnet_strength=1.0, magnet="annealed").init(START), "has no anneal_power yet"),
        (lambda: mg.NashMirrorDescent().init(START), "has no magnet_strength yet"),
    ],
)
def test_settings_that_are_refused(build: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(InputError) as refusal:
        build()
    assert sentence in str(refusal.value)
