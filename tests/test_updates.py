"""The rules: what each maximises, that it is elementwise, and that three array libraries agree on it."""

from __future__ import annotations

import math
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmd_games.arrays import kl, log_normalise
from mmd_games.testing import log_policies
from mmd_games.updates import geometric_mixture, optimistic_payoff, proximal_logits

EPS = np.finfo(np.float64).eps
LIBRARIES = {"torch": lambda values: torch.tensor(values, dtype=torch.float64), "array-api-strict": array_api_strict.asarray}
RULES = {
    "proximal": (proximal_logits, 3, (0.3, 0.2)),
    "multiplicative weights": (lambda payoff, policy, magnet, step: proximal_logits(payoff, policy, 0.0, step, 0.0), 3, (0.3,)),
    "mixture": (geometric_mixture, 2, (0.25,)),
    "optimistic": (optimistic_payoff, 2, ()),
}


@st.composite
def steps(draw: Any, lowest: float = -20.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Payoffs, a log-policy, a log-magnet, a step size and a strength."""
    size = draw(st.integers(2, 6))
    payoff = np.array(draw(st.lists(st.floats(-1, 1), min_size=size, max_size=size)))
    policy, magnet = (draw(log_policies((size,), lowest=lowest)) for _ in range(2))
    return payoff, policy, magnet, draw(st.floats(0.01, 10)), draw(st.floats(0.01, 10))


# --- what the step is ---------------------------------------------------------------------------------------------------------------------


def objective(log_policy: np.ndarray, payoff: np.ndarray, start: np.ndarray, magnet: np.ndarray, step_size: float, strength: float) -> float:
    """⟨π', q⟩ − α KL(π'‖ρ) − (1/η) KL(π'‖π)."""
    return math.fsum(np.exp(log_policy) * payoff) - strength * float(kl(log_policy, magnet)) - float(kl(log_policy, start)) / step_size


@given(steps(), st.floats(1e-6, 1.0), st.integers(0, 2**32 - 1))
def test_no_other_policy_is_better(drawn: tuple, distance: float, seed: int) -> None:
    payoff, start, magnet, step_size, strength = drawn
    best = log_normalise(proximal_logits(payoff, start, magnet, step_size, strength), payoff.shape)
    other = log_normalise(best + distance * np.random.default_rng(seed).normal(size=payoff.size), payoff.shape)
    value, rival = (objective(policy, payoff, start, magnet, step_size, strength) for policy in (best, other))
    # The objective is (α + 1/η)-strongly concave relative to KL: the loss is exactly (α + 1/η)·KL(other‖best). Each of its terms is rounded by 10 ε of itself.
    terms = 1 + strength * float(kl(other, magnet) + kl(best, magnet)) + float(kl(other, start) + kl(best, start)) / step_size
    assert value - rival == pytest.approx((strength + 1 / step_size) * float(kl(other, best)), abs=100 * EPS * terms)


@given(steps(), st.integers(0, 2**32 - 1))
def test_three_points(drawn: tuple, seed: int) -> None:
    # The optimality condition as an equality that no value of the objective enters: for every policy u,
    # η⟨u − π⁺, q⟩ = −(1 + ηα) KL(u‖π⁺) + KL(u‖π) + ηα KL(u‖ρ) − KL(π⁺‖π) − ηα KL(π⁺‖ρ).
    payoff, start, magnet, step_size, strength = drawn
    after = log_normalise(proximal_logits(payoff, start, magnet, step_size, strength), payoff.shape)
    u = log_normalise(np.random.default_rng(seed).normal(size=payoff.size) * 3, payoff.shape)
    pull = step_size * strength
    left = step_size * math.fsum((np.exp(u) - np.exp(after)) * payoff)
    parts = [-(1 + pull) * kl(u, after), kl(u, start), pull * kl(u, magnet), -kl(after, start), -pull * kl(after, magnet)]
    assert left == pytest.approx(math.fsum(parts), abs=100 * EPS * (step_size + math.fsum(np.abs(parts))))


def test_one_step_by_hand() -> None:
    # RPS with α = 1, η = ½ from (.2, .2, .6) against (.5, .2, .3): π⁺ ∝ (π · e^{ηq})^{1/(1+ηα)} with a uniform magnet.
    payoff = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) @ [0.5, 0.2, 0.3]
    weights = [(p * math.exp(0.5 * q)) ** (1 / 1.5) for p, q in zip([0.2, 0.2, 0.6], payoff, strict=True)]
    found = np.exp(log_normalise(proximal_logits(payoff, np.log([0.2, 0.2, 0.6]), 0.0, 0.5, 1.0), (3,)))
    np.testing.assert_allclose(found, np.array(weights) / sum(weights), rtol=10 * EPS)


@given(steps())
def test_a_uniform_magnet_may_be_written_as_zero(drawn: tuple) -> None:
    payoff, start, _, step_size, strength = drawn
    uniform = np.full(payoff.shape, -math.log(payoff.size))
    found, expected = (log_normalise(proximal_logits(payoff, start, magnet, step_size, strength), payoff.shape) for magnet in (0.0, uniform))
    np.testing.assert_allclose(found, expected, rtol=0, atol=10 * EPS * 40)  # logits up to 40


@given(steps())
def test_the_explicit_step_is_the_implicit_one_at_a_longer_step(drawn: tuple) -> None:
    # Explicit at η: (1 − ηα) log π + ηα log ρ + ηq; implicit at η' = η/(1 − ηα): the same divided through by 1 + η'α = 1/(1 − ηα).
    payoff, start, magnet, step_size, strength = drawn
    step_size = min(step_size, 0.9 / strength)
    explicit = proximal_logits(payoff, geometric_mixture(start, magnet, step_size * strength), 0.0, step_size, 0.0)
    implicit = proximal_logits(payoff, start, magnet, step_size / (1 - step_size * strength), strength)
    # 1 − ηα ≥ 0.1 loses one digit; logits up to 30.
    np.testing.assert_allclose(explicit, implicit, rtol=0, atol=40 * EPS * 10 * (30 + step_size))


@given(steps(lowest=-900.0))
def test_far_below_the_smallest_float(drawn: tuple) -> None:
    payoff, start, magnet, step_size, strength = drawn
    after = log_normalise(proximal_logits(payoff, start, magnet, step_size, strength), payoff.shape)
    assert np.all(np.isfinite(after))


def test_zeros_stay_zeros() -> None:
    zero, payoff = np.array([0.0, -np.inf]), np.array([0.0, 1.0])
    for logits in (
        proximal_logits(payoff, zero, zero, 0.5, 1.0),
        proximal_logits(payoff, zero, 0.0, 0.5, 1.0),
        proximal_logits(payoff, zero, 0.0, 0.5, 0.0),
        geometric_mixture(zero, zero, 0.5),
        geometric_mixture(zero, np.log([0.5, 0.5]), 0.5),
    ):
        assert logits[1] == -np.inf
        assert np.isfinite(logits[0])


# --- elementwise, and the same everywhere ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", list(RULES))
def test_every_rule_is_elementwise(rule: str) -> None:
    function, _, settings = RULES[rule]
    arrays = np.random.default_rng(0).normal(size=(3, 4, 5))[: 3 if "proximal" in rule or "weights" in rule else 2]
    whole = function(*arrays, *settings)
    one_by_one = [[float(function(*(float(array[i, j]) for array in arrays), *settings)) for j in range(5)] for i in range(4)]
    np.testing.assert_array_equal(whole, one_by_one)


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("library", list(LIBRARIES))
def test_other_array_libraries_give_the_same(rule: str, library: str) -> None:
    function, count, settings = RULES[rule]
    convert = LIBRARIES[library]
    arrays = np.random.default_rng(1).normal(size=(count, 4, 5)) * 30
    column = np.array([[0.1], [0.2], [0.4], [0.8]])
    for own, other in ((settings, settings), ([column] * len(settings), [convert(column)] * len(settings))):
        found = function(*map(convert, arrays), *other)
        assert type(found) is type(convert(column))
        np.testing.assert_allclose(np.asarray(found), function(*arrays, *own), rtol=4 * EPS, atol=4 * EPS * 100)  # libraries may fuse products and sums


def test_gradients_flow_through_the_rule() -> None:
    policy = torch.tensor([0.1, -0.2], dtype=torch.float64, requires_grad=True)
    proximal_logits(torch.ones(2, dtype=torch.float64), policy, 0.0, 0.5, 2.0).sum().backward()
    assert policy.grad is not None
    assert policy.grad.tolist() == [0.5, 0.5]  # 1/(1 + ηα)


def test_a_batch_may_mix_settings() -> None:
    payoff, policy, magnet = np.random.default_rng(2).normal(size=(3, 2, 4))
    batch = proximal_logits(payoff, policy, magnet, np.array([[0.1], [2.0]]), np.array([[0.5], [0.0]]))
    np.testing.assert_array_equal(batch[0], proximal_logits(payoff[0], policy[0], magnet[0], 0.1, 0.5))
    np.testing.assert_array_equal(batch[1], proximal_logits(payoff[1], policy[1], magnet[1], 2.0, 0.0))


def test_the_extrapolated_payoff() -> None:
    assert optimistic_payoff(np.array([1.0, 4.0]), np.array([3.0, 1.0])).tolist() == [-1.0, 7.0]
