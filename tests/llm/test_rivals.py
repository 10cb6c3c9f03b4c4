"""The losses to choose from: what each comes down to, how far its minimum is from the exact step, and that a failed judgement moves none of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import mmd_games as mg
from mmd_games.arrays import log_normalise, total_variation
from mmd_games.errors import InputError
from mmd_games.llm.objective import group_payoffs, magnetic_loss
from mmd_games.llm.rivals import OBJECTIVES, Group
from mmd_games.updates import proximal_logits

from .minimum import minimum
from .test_objective import drawn_policy, drawn_preference, expected_gradient, gradients_of_parts, tensor

NAN = float("nan")
SETTINGS = {"step_size": 1.0, "magnet_strength": 0.2}
COUNTS = np.array([6, 1, 4, 2, 1, 3])
"""How often each of six completions is in a group of 17: drawn as by the policy COUNTS/17, without any noise."""
RNG = np.random.default_rng(11)
GAME = mg.PreferenceGame(drawn_preference(RNG, 6))
LOG_POLICY, LOG_MAGNET = np.log(COUNTS / COUNTS.sum()), drawn_policy(RNG, 6) / 2
LOG_MAGNET = log_normalise(LOG_MAGNET, (6,))
PAYOFF = GAME.payoffs(np.exp(LOG_POLICY)) + 0.5


def group_of(counts: np.ndarray) -> tuple[np.ndarray, Group]:
    """The group in which completion i is found counts[i] times; its payoffs are those against the policy itself."""
    drawn = np.repeat(np.arange(len(counts)), counts)
    known = [tensor(values[drawn])[None] for values in (LOG_POLICY, LOG_MAGNET, PAYOFF)]
    return drawn, Group(known[0], known[1], tensor(GAME.preference[np.ix_(drawn, drawn)])[None], known[2])


def fitted(name: str, counts: np.ndarray = COUNTS, **chosen: float) -> np.ndarray:
    drawn, group = group_of(counts)
    return minimum(lambda log_probs: OBJECTIVES[name](log_probs[drawn][None], group, **(SETTINGS | chosen)), 6)


def step(log_magnet: Any = LOG_MAGNET, step_size: float = 1.0, magnet_strength: float = 0.2, payoff: np.ndarray = PAYOFF) -> np.ndarray:
    return log_normalise(proximal_logits(payoff, LOG_POLICY, log_magnet, step_size, magnet_strength), (6,))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(total_variation(np.exp(one), np.exp(other), (6,)))


# --- where the minima are -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["magnetic", "inpo"])
def test_on_policy_the_minimum_is_the_exact_step(name: str) -> None:
    np.testing.assert_allclose(fitted(name), step(), rtol=0, atol=1e-10)  # Newton's rounding, as in test_objective


def test_off_policy_the_magnetic_loss_keeps_its_minimum_and_inpo_does_not() -> None:
    others = COUNTS[::-1]
    np.testing.assert_allclose(fitted("magnetic", others), step(), rtol=0, atol=1e-10)
    against = np.exp(log_normalise(np.log(others.astype(float)), (6,)))
    np.testing.assert_allclose(fitted("inpo", others), step(payoff=GAME.payoffs(against)), rtol=0, atol=1e-10)


def test_the_distances_that_the_module_states() -> None:
    """Total variation to the exact step, which itself moves by .049; rounded as in the module's docstring."""
    assert apart(LOG_POLICY, step()) == pytest.approx(0.049, abs=5e-4)
    stated = {"inpo": 0.0, "nash_md": 0.010, "sppo": 0.044, "online_ipo": 0.410}
    assert {name: apart(fitted(name), step()) for name in stated} == pytest.approx(stated, abs=5e-4)
    assert apart(fitted("inpo", COUNTS[::-1]), step()) == pytest.approx(0.017, abs=6e-4)


def test_sppo_is_near_multiplicative_weights_but_not_at_it() -> None:
    """Of completions drawn as π_t its normalising constant costs the third order of the step size; of a list of all completions, the second."""
    for counts, order in ((COUNTS, 3), (np.ones(6, dtype=int), 2)):
        errors = [apart(fitted("sppo", counts, step_size=size), step(0.0, size, 0.0)) for size in (0.05, 0.1)]
        assert 0.9 * 2**order < errors[1] / errors[0] < 1.1 * 2**order  # the next order adds one part in ten at 0.1


def test_online_ipo_is_the_regularised_best_reply() -> None:
    np.testing.assert_allclose(fitted("online_ipo"), log_normalise(LOG_MAGNET + PAYOFF / 0.2, (6,)), rtol=0, atol=1e-10)
    np.testing.assert_allclose(fitted("online_ipo"), step(step_size=1e12), rtol=0, atol=1e-9)  # the step without a proximal term


@pytest.mark.parametrize("chosen", [{}, {"step_size": 5.0}])
def test_nash_md_is_the_step_of_the_tables_on_policy(chosen: dict[str, float]) -> None:
    settings_ = SETTINGS | chosen
    weight = settings_["step_size"] * settings_["magnet_strength"]
    mixture = log_normalise((1 - weight) * LOG_POLICY + weight * LOG_MAGNET, (6,))
    expected = log_normalise(mixture + settings_["step_size"] * GAME.payoffs(np.exp(mixture)), (6,))
    np.testing.assert_allclose(fitted("nash_md", **chosen), expected, rtol=0, atol=1e-10)


def test_nash_md_is_the_algorithm_of_the_tables() -> None:
    drawn, group = group_of(COUNTS)
    flat = Group(group.log_policy, torch.full_like(group.log_magnet, -np.log(6)), group.preference, group.payoff)
    found = minimum(lambda log_probs: OBJECTIVES["nash_md"](log_probs[drawn][None], flat, **SETTINGS), 6)
    trace = mg.solve(GAME, mg.NashMirrorDescent(**SETTINGS, reference="uniform"), steps=1, start=COUNTS / COUNTS.sum())
    np.testing.assert_allclose(found, trace.log_policy, rtol=0, atol=1e-10)


# --- what they come down to ---------------------------------------------------------------------------------------------------------------


def random_group(rng: np.random.Generator, groups: int, size: int, *, count_itself: bool) -> tuple[Tensor, Group]:
    log_probs, log_policy, log_magnet = map(tensor, drawn_policy(rng, 3, groups, size))
    preference = tensor(drawn_preference(rng, groups, size))
    return log_probs, Group(log_policy, log_magnet, preference, group_payoffs(preference, count_itself=count_itself))


def slope(name: str, log_probs: Tensor, group: Group, **chosen: float) -> np.ndarray:
    theta = log_probs.clone().requires_grad_()
    loss = OBJECTIVES[name](theta, group, **(SETTINGS | chosen))
    assert loss.shape == ()
    return torch.autograd.grad(loss, theta)[0].numpy()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**20), groups=st.integers(1, 3), size=st.integers(2, 6), step_size=st.floats(0.01, 5.0), strength=st.floats(0.0, 2.0))
def test_inpo_on_a_whole_group_is_the_magnetic_loss(seed: int, groups: int, size: int, step_size: float, strength: float) -> None:
    log_probs, group = random_group(np.random.default_rng(seed), groups, size, count_itself=True)
    chosen = {"step_size": step_size, "magnet_strength": strength}
    # Sums of at most 6 × 6 terms of up to 20.
    np.testing.assert_allclose(slope("inpo", log_probs, group, **chosen), slope("magnetic", log_probs, group, **chosen), rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**20), groups=st.integers(1, 3), size=st.integers(2, 6), drop=st.booleans())
def test_the_first_policy_gradient_is_that_of_the_magnetic_loss(seed: int, groups: int, size: int, drop: bool) -> None:
    rng = np.random.default_rng(seed)
    _, group = random_group(rng, groups, size, count_itself=False)
    if drop:
        group.payoff[rng.random((groups, size)) < 0.3] = NAN
    np.testing.assert_allclose(slope("policy_gradient", group.log_policy, group), slope("magnetic", group.log_policy, group), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [2, 3])
def test_the_policy_gradient_is_right_on_average_wherever_the_policy_has_moved(size: int) -> None:
    rng = np.random.default_rng(4)
    log_policy, log_magnet, moved = drawn_policy(rng, 3, 3)
    payoff, step_size, strength = rng.random(3), 0.7, 0.3

    def loss(log_probs: Tensor, drawn: list[int]) -> Tensor:
        known = [tensor(values[drawn])[None] for values in (log_policy, log_magnet, payoff)]
        group = Group(known[0], known[1], torch.full((1, size, size), 0.5), known[2])
        return OBJECTIVES["policy_gradient"](log_probs[drawn][None], group, step_size=step_size, magnet_strength=strength)

    found = expected_gradient(moved, log_policy, size, loss)
    theta = tensor(moved).requires_grad_()
    log_probs = torch.log_softmax(theta, -1)
    others = ((strength, log_magnet), (1 / step_size, log_policy))
    value = (log_probs.exp() * (tensor(payoff) - sum(weight * (log_probs - tensor(other)) for weight, other in others))).sum()
    expected = -2 * step_size / (1 + step_size * strength) * torch.autograd.grad(value, theta)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)  # 27 groups with weights of up to some ten
    assert np.abs(expected).max() > 0.05


@pytest.mark.parametrize("name", ["magnetic", "policy_gradient"])
def test_no_group_moves_the_policy_from_the_exact_step(name: str) -> None:
    for seed in range(5):
        drawn = np.random.default_rng(seed).choice(6, size=4)
        known = [tensor(values[drawn])[None] for values in (LOG_POLICY, LOG_MAGNET, PAYOFF, step())]
        group = Group(known[0], known[1], torch.full((1, 4, 4), 0.5), known[2])
        np.testing.assert_allclose(slope(name, known[3], group), 0.0, rtol=0, atol=1e-15)


def test_the_policy_gradient_is_that_of_the_parts_on_policy() -> None:
    # The same claim as for the magnetic loss in test_objective, by its means.
    gain, pull = gradients_of_parts(LOG_POLICY, LOG_MAGNET, PAYOFF, 1.0, 0.2)
    drawn, group = group_of(COUNTS)
    theta = tensor(LOG_POLICY).requires_grad_()
    loss = OBJECTIVES["policy_gradient"](torch.log_softmax(theta, -1)[drawn][None], group, **SETTINGS)
    found = torch.autograd.grad(loss, theta)[0].numpy()
    count = COUNTS.sum()  # a group that is the policy without noise has the variance of its population, K − 1 in place of K
    np.testing.assert_allclose(found * (count - 1) / count, -2 / 1.2 * (gain + pull), rtol=0, atol=1e-14)


def test_the_magnetic_objective_is_the_magnetic_loss() -> None:
    log_probs, group = random_group(np.random.default_rng(5), 2, 4, count_itself=False)
    expected = magnetic_loss(log_probs, group.log_policy, group.log_magnet, group.payoff, **SETTINGS)
    assert float(OBJECTIVES["magnetic"](log_probs, group, **SETTINGS)) == float(expected)


# --- what is left out ---------------------------------------------------------------------------------------------------------------------


def part(group: Group, rows: slice | list[int], kept: np.ndarray) -> Group:
    return Group(group.log_policy[rows][:, kept], group.log_magnet[rows][:, kept], group.preference[rows][:, kept][:, :, kept], group.payoff[rows][:, kept])


@pytest.mark.parametrize("name", OBJECTIVES)
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**20), size=st.integers(3, 6), how=st.sampled_from(["payoff", "both"]))
def test_a_completion_left_out_is_as_if_it_had_not_been_drawn(name: str, seed: int, size: int, how: str) -> None:
    rng = np.random.default_rng(seed)
    log_probs, group = random_group(rng, 1, size, count_itself=True)
    missing = int(rng.integers(size))
    kept = np.delete(np.arange(size), missing)
    if how == "both":
        group.preference[0, missing], group.preference[0, :, missing] = NAN, NAN
        group.preference[0, missing, missing] = 0.5
    group.payoff[0, missing] = NAN
    found = slope(name, log_probs, group)
    expected = slope(name, log_probs[:, kept], part(group, [0], kept))
    np.testing.assert_allclose(found[:, kept], expected, rtol=1e-12, atol=1e-13)
    assert found[0, missing] == 0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_group_without_a_judgement_counts_as_zero(name: str) -> None:
    log_probs, group = random_group(np.random.default_rng(6), 2, 4, count_itself=True)
    group.preference[1], group.payoff[1] = NAN, NAN
    group.preference[1, range(4), range(4)] = 0.5
    found = slope(name, log_probs, group)
    alone = slope(name, log_probs[:1], part(group, [0], np.arange(4)))
    np.testing.assert_allclose(found[:1], alone / 2, rtol=1e-13)
    assert np.all(found[1] == 0)


@pytest.mark.parametrize("name", ["inpo", "online_ipo"])
def test_a_failed_pair_is_no_tie(name: str) -> None:
    log_probs, group = random_group(np.random.default_rng(7), 1, 3, count_itself=True)
    group.preference[0, 0, 2] = group.preference[0, 2, 0] = NAN
    expected = np.zeros((1, 3))
    for one, other in ((0, 1), (1, 2)):  # (0, 2) is not there; each of the others pulls by itself
        pair = slope(name, log_probs[:, [one, other]], part(group, [0], np.array([one, other])))
        expected[:, [one, other]] += pair / 2  # 2 of the 4 ordered pairs
    np.testing.assert_allclose(slope(name, log_probs, group), expected, rtol=1e-12)


def test_a_failed_pair_is_no_opponent_of_nash_md() -> None:
    log_probs, group = random_group(np.random.default_rng(8), 1, 3, count_itself=True)
    group.preference[0, 0, 2] = NAN
    weight = 0.2
    shares = ((weight * (group.log_magnet - group.log_policy)).softmax(-1))[0]
    payoff = (shares * group.preference[0]).sum(-1)
    payoff[0] = (shares * torch.nan_to_num(group.preference[0, 0]))[:2].sum() / shares[:2].sum()
    mixture = (1 - weight) * group.log_policy + weight * group.log_magnet
    expected = (log_probs - mixture - payoff).var(-1).mean()
    assert float(OBJECTIVES["nash_md"](log_probs, group, **SETTINGS)) == pytest.approx(float(expected), rel=1e-13)


# --- what is refused ----------------------------------------------------------------------------------------------------------------------


def test_nash_md_refuses_a_mixture_of_more_than_one() -> None:
    log_probs, group = random_group(np.random.default_rng(9), 1, 3, count_itself=True)
    with pytest.raises(InputError, match=r"^step_size × magnet_strength must be at most 1 for nash_md, got 3 × 0\.5 = 1\.5\.$"):
        OBJECTIVES["nash_md"](log_probs, group, step_size=3.0, magnet_strength=0.5)


def test_online_ipo_refuses_to_be_without_a_magnet() -> None:
    log_probs, group = random_group(np.random.default_rng(10), 1, 3, count_itself=True)
    with pytest.raises(InputError, match=r"^online_ipo is regularised to the magnet alone, so magnet_strength must be positive, got 0\.$"):
        OBJECTIVES["online_ipo"](log_probs, group, step_size=1.0, magnet_strength=0.0)
