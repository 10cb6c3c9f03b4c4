"""The rule as a loss: its minimum is the tabular step, its gradient the policy gradient, and a failed judgement is as if it had not been asked."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import mmd_games as mg
from mmd_games import testing, updates
from mmd_games.arrays import log_normalise
from mmd_games.errors import InputError
from mmd_games.llm import objective
from mmd_games.llm.objective import group_payoffs, group_variance, magnetic_loss

from .minimum import minimum

NAN = float("nan")
SETTINGS = st.fixed_dictionaries({"step_size": st.floats(0.01, 5.0), "magnet_strength": st.floats(0.0, 2.0)})


def tensor(values: Any) -> Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float64))


def drawn_policy(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Log-policies whose probabilities differ by factors of up to some hundred."""
    return log_normalise(rng.normal(size=shape) * 1.5, (shape[-1],))


def drawn_preference(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Win probabilities (..., K, K) with cycles."""
    upper = np.triu(rng.random((*shape, shape[-1])), 1)
    return upper + np.tril(1 - np.swapaxes(upper, -1, -2), -1) + 0.5 * np.eye(shape[-1])


# --- the minimum --------------------------------------------------------------------------------------------------------------------------


def test_the_rule_is_the_tabular_function() -> None:
    assert objective.proximal_logits is updates.proximal_logits


@settings(deadline=None, max_examples=40)
@given(game=testing.preference_games(), seed=st.integers(0, 2**20), chosen=SETTINGS)
def test_the_minimum_over_all_completions_is_the_step_of_the_tables(game: mg.PreferenceGame, seed: int, chosen: dict[str, float]) -> None:
    start = drawn_policy(np.random.default_rng(seed), game.actions)
    log_policy, log_magnet = tensor(start)[None], torch.zeros(1, game.actions, dtype=torch.float64)
    payoff = group_payoffs(tensor(game.preference)[None], log_policy.exp())
    fitted = minimum(lambda log_probs: magnetic_loss(log_probs[None], log_policy, log_magnet, payoff, **chosen), game.actions)
    if chosen["magnet_strength"] > 0:
        algorithm: Any = mg.MagneticMirrorDescent(**chosen, reference="uniform")
    else:
        algorithm = mg.MultiplicativeWeights(step_size=chosen["step_size"])
    expected = mg.solve(game, algorithm, steps=1, start=np.exp(start)).log_policy
    # The number. The loss is quadratic in the logits, so Newton leaves rounding alone: of logs up to 20, times the conditioning of one.
    np.testing.assert_allclose(fitted, expected, rtol=0, atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**20), chosen=SETTINGS)
def test_the_minimum_is_the_step_whoever_drew_the_completions(seed: int, chosen: dict[str, float]) -> None:
    rng = np.random.default_rng(seed)
    n = 6
    game = mg.PreferenceGame(drawn_preference(rng, n))
    log_policy, log_magnet = drawn_policy(rng, 2, n)
    payoff = game.payoffs(np.exp(log_policy)) + 0.5
    # Every completion at least once, some often, as no policy of these games would draw them.
    sampled = np.concatenate([np.arange(n), rng.choice(n, size=10, p=np.exp(drawn_policy(rng, n)))])
    given_ = [tensor(values[sampled])[None] for values in (log_policy, log_magnet, payoff)]
    fitted = minimum(lambda log_probs: magnetic_loss(log_probs[sampled][None], *given_, **chosen), n)
    expected = log_normalise(updates.proximal_logits(payoff, log_policy, log_magnet, chosen["step_size"], chosen["magnet_strength"]), (n,))
    np.testing.assert_allclose(fitted, expected, rtol=0, atol=1e-8)  # as above


# --- the gradient -------------------------------------------------------------------------------------------------------------------------


def expected_gradient(logits: np.ndarray, log_policy: np.ndarray, size: int, group_loss: Any) -> np.ndarray:
    """Mean gradient of a group's loss, a function of (log π_θ, indices), over all groups that the policy can draw, each at its probability."""
    theta = tensor(logits).requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for drawn in product(range(len(logits)), repeat=size):
        chance = float(np.exp(log_policy[list(drawn)].sum()))
        total = total + chance * group_loss(torch.log_softmax(theta, -1), list(drawn))
    return torch.autograd.grad(total, theta)[0].numpy()


def gradients_of_parts(log_policy: np.ndarray, log_magnet: np.ndarray, payoff: np.ndarray, step_size: float, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Gradients by the logits, at π = π_t, of ⟨π, q⟩ and of −α KL(π‖ρ) − KL(π‖π_t)/η."""
    theta = tensor(log_policy).requires_grad_()
    log_probs = torch.log_softmax(theta, -1)
    gain = (log_probs.exp() * tensor(payoff)).sum()
    pull = sum(weight * (log_probs.exp() * (log_probs - tensor(other))).sum() for weight, other in ((strength, log_magnet), (1 / step_size, log_policy)))
    return torch.autograd.grad(gain, theta, retain_graph=True)[0].numpy(), torch.autograd.grad(-pull, theta)[0].numpy()


@pytest.mark.parametrize("size", [2, 3])
def test_the_gradient_on_policy_is_that_of_the_objective(size: int) -> None:
    rng = np.random.default_rng(0)
    log_policy, log_magnet = drawn_policy(rng, 2, 4)
    payoff, step_size, strength = rng.random(4), 0.7, 0.3

    def loss(log_probs: Tensor, drawn: list[int]) -> Tensor:
        known = [tensor(values[drawn])[None] for values in (log_policy, log_magnet, payoff)]
        return magnetic_loss(log_probs[drawn][None], *known, step_size=step_size, magnet_strength=strength)

    found = expected_gradient(log_policy, log_policy, size, loss)
    gain, pull = gradients_of_parts(log_policy, log_magnet, payoff, step_size, strength)
    factor = -2 * step_size / (1 + step_size * strength)
    np.testing.assert_allclose(found, factor * (gain + pull), rtol=0, atol=1e-14)  # sums of some hundred terms below 1
    assert np.abs(factor * gain).max() > 0.01
    assert np.abs(factor * pull).max() > 0.01


@pytest.mark.parametrize("size", [2, 3])
def test_a_sample_that_does_not_count_itself_pushes_too_hard(size: int) -> None:
    """The proof by enumeration: payoffs from the group itself, against the others alone, are K/(K − 1) times too strong under the variance, and exact with itself."""
    rng = np.random.default_rng(1)
    log_policy, log_magnet = drawn_policy(rng, 2, 3)
    preference, step_size, strength = drawn_preference(rng, 3), 0.7, 0.3

    def found(count_itself: bool) -> np.ndarray:
        def loss(log_probs: Tensor, drawn: list[int]) -> Tensor:
            payoff = group_payoffs(tensor(preference[np.ix_(drawn, drawn)])[None], count_itself=count_itself)
            known = [tensor(values[drawn])[None] for values in (log_policy, log_magnet)]
            return magnetic_loss(log_probs[drawn][None], *known, payoff, step_size=step_size, magnet_strength=strength)

        return expected_gradient(log_policy, log_policy, size, loss)

    gain, pull = gradients_of_parts(log_policy, log_magnet, preference @ np.exp(log_policy), step_size, strength)
    factor = -2 * step_size / (1 + step_size * strength)
    np.testing.assert_allclose(found(True), factor * (gain + pull), rtol=0, atol=1e-14)  # 27 groups at most
    np.testing.assert_allclose(found(False), factor * (size / (size - 1) * gain + pull), rtol=0, atol=1e-14)
    assert np.abs(factor * gain).max() > 0.01


def test_the_gradient_goes_through_the_learning_policy_alone() -> None:
    rng = np.random.default_rng(2)
    inputs = [tensor(rng.normal(size=(2, 4))).requires_grad_() for _ in range(4)]
    magnetic_loss(*inputs, step_size=0.5, magnet_strength=0.1).backward()
    assert inputs[0].grad is not None
    assert [each.grad for each in inputs[1:]] == [None] * 3


# --- payoffs of a group -------------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**20), groups=st.integers(1, 3), size=st.integers(2, 6))
def test_payoffs_are_means_over_opponents(seed: int, groups: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    preference, weights = drawn_preference(rng, groups, size), np.exp(drawn_policy(rng, groups, size))
    preference[rng.random(preference.shape) < 0.2] = NAN
    preference[:, range(size), range(size)] = 0.5
    for name, shares, itself in (("others", np.ones((groups, size)), 0.0), ("itself", np.ones((groups, size)), 1.0), ("weighted", weights, None)):
        found = group_payoffs(tensor(preference), tensor(weights) if name == "weighted" else None, count_itself=name == "itself").numpy()
        for group, row in product(range(groups), range(size)):
            share = shares[group] * ~np.isnan(preference[group, row])
            others_known = np.delete(~np.isnan(preference[group, row]), row).any()
            share[row] *= 1.0 if itself is None else itself
            expected = np.nansum(share * preference[group, row]) / share.sum() if others_known else NAN
            np.testing.assert_allclose(found[group, row], expected, rtol=1e-14, atol=0, equal_nan=True)


@settings(deadline=None, max_examples=20)
@given(game=testing.preference_games(), seed=st.integers(0, 2**20))
def test_payoffs_of_all_completions_are_those_of_the_game(game: mg.PreferenceGame, seed: int) -> None:
    policy = np.exp(drawn_policy(np.random.default_rng(seed), game.actions))
    found = group_payoffs(tensor(game.preference)[None], tensor(policy)[None])[0].numpy()
    np.testing.assert_allclose(found, game.payoffs(policy) + 0.5, rtol=0, atol=1e-14)


# --- what is left out ---------------------------------------------------------------------------------------------------------------------


def loss_and_gradient(log_probs: np.ndarray, *known: np.ndarray) -> tuple[float, np.ndarray]:
    theta = tensor(log_probs).requires_grad_()
    loss = magnetic_loss(theta, *map(tensor, known), step_size=0.8, magnet_strength=0.2)
    return float(loss.detach()), torch.autograd.grad(loss, theta)[0].numpy()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**20), size=st.integers(3, 6), count_itself=st.booleans())
def test_a_completion_left_out_is_as_if_it_had_not_been_drawn(seed: int, size: int, count_itself: bool) -> None:
    rng = np.random.default_rng(seed)
    log_probs, log_policy, log_magnet = drawn_policy(rng, 3, 1, size)
    preference = drawn_preference(rng, 1, size)
    without = np.delete(np.arange(size), rng.integers(size))
    missing = np.setdiff1d(np.arange(size), without)[0]
    preference[0, missing], preference[0, :, missing] = NAN, NAN
    preference[0, missing, missing] = 0.5
    payoff = group_payoffs(tensor(preference), count_itself=count_itself).numpy()
    assert np.isnan(payoff[0]).tolist() == [index == missing for index in range(size)]
    value, slope = loss_and_gradient(log_probs, log_policy, log_magnet, payoff)
    reduced = group_payoffs(tensor(preference[:, without][:, :, without]), count_itself=count_itself).numpy()
    expected, slope_of_kept = loss_and_gradient(*(each[:, without] for each in (log_probs, log_policy, log_magnet)), reduced)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    np.testing.assert_allclose(slope[:, without], slope_of_kept, rtol=0, atol=1e-13)
    assert slope[0, missing] == 0


def test_a_failed_pair_is_no_tie() -> None:
    preference = np.array([[[0.5, 0.9, NAN], [0.1, 0.5, 0.6], [NAN, 0.4, 0.5]]])
    # Of the others that are known; a tie would have given (0.7, 0.35, 0.45).
    np.testing.assert_allclose(group_payoffs(tensor(preference))[0].numpy(), [0.9, 0.35, 0.4], rtol=1e-15)
    np.testing.assert_allclose(group_payoffs(tensor(preference), count_itself=True)[0].numpy(), [0.7, 0.4, 0.45], rtol=1e-15)
    np.testing.assert_allclose(
        group_payoffs(tensor(preference), tensor([[0.5, 0.25, 0.25]]))[0].numpy(), [(0.25 + 0.225) / 0.75, 0.05 + 0.125 + 0.15, (0.1 + 0.125) / 0.5], rtol=1e-15
    )


@pytest.mark.parametrize("known", [0, 1])
def test_a_group_with_fewer_than_two_judged_completions_counts_as_zero(known: int) -> None:
    rng = np.random.default_rng(3)
    log_probs, log_policy, log_magnet = drawn_policy(rng, 3, 2, 4)
    payoff = rng.random((2, 4))
    payoff[1, known:] = NAN
    value, slope = loss_and_gradient(log_probs, log_policy, log_magnet, payoff)
    alone, slope_alone = loss_and_gradient(*(each[:1] for each in (log_probs, log_policy, log_magnet, payoff)))
    assert value == pytest.approx(alone / 2, rel=1e-14)  # a mean over both prompts
    np.testing.assert_allclose(slope[:1], slope_alone / 2, rtol=1e-14)
    assert np.all(slope[1] == 0)


def test_a_batch_without_any_judgement_moves_nothing() -> None:
    preference = np.full((2, 3, 3), NAN)
    preference[:, range(3), range(3)] = 0.5
    for count_itself in (False, True):
        payoff = group_payoffs(tensor(preference), count_itself=count_itself).numpy()
        assert np.all(np.isnan(payoff))
        value, slope = loss_and_gradient(*np.zeros((3, 2, 3)), payoff)
        assert value == 0
        assert np.all(slope == 0)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**20), groups=st.integers(1, 4), size=st.integers(2, 7))
def test_the_variance_is_unbiased_and_of_the_valid_alone(seed: int, groups: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    values, valid = rng.normal(size=(groups, size)), rng.random((groups, size)) < 0.7
    found = group_variance(tensor(np.where(valid, values, NAN)), torch.as_tensor(valid)).numpy()
    expected = [np.var(row[kept], ddof=1) if kept.sum() > 1 else 0.0 for row, kept in zip(values, valid, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-30)


# --- what is refused ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 3), (1, 3, 2), (2, 2, 3, 3)])
def test_a_table_that_is_not_of_groups_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^A group's preference is a tensor \(prompts, K, K\), got shape"):
        group_payoffs(torch.full(shape, 0.5))


@pytest.mark.parametrize("size", [0, 1])
def test_a_group_of_one_is_refused(size: int) -> None:
    with pytest.raises(InputError, match=rf"^A group needs at least 2 completions of a prompt, to prefer one to another; got {size}\.$"):
        group_payoffs(torch.full((2, size, size), 0.5))


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (3,), (1, 3)])
def test_weights_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^weights must have shape \(2, 3\), one for each completion, got"):
        group_payoffs(torch.full((2, 3, 3), 0.5), torch.ones(shape))


@pytest.mark.parametrize("wrong", range(4))
@pytest.mark.parametrize("shape", [(1, 3), (2, 4), (3,)])
def test_tensors_that_do_not_match_are_refused(wrong: int, shape: tuple[int, ...]) -> None:
    inputs = [torch.zeros(2, 3)] * 4
    inputs[wrong] = torch.zeros(shape)
    with pytest.raises(InputError, match=r"^log_probs, log_policy, log_magnet and payoff must all have one shape \(prompts, K\), got"):
        magnetic_loss(*inputs, step_size=1.0, magnet_strength=0.1)
