"""A tangent learns as its model does, wherever the model is linear, and its weights stand for all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mmd_games.arrays import log_normalise
from mmd_games.llm.objective import group_variance
from mmd_games.llm.preflight import RunSettings, tangent
from mmd_games.llm.preflight.tangent import Tangent, TangentLearner, tangent_of

from .tiny import tiny_llama, tiny_tokenizer

SETTINGS = RunSettings(step_size=1.0, magnet_strength=0.2, refresh_every=3, group_size=6, inner_steps=2, learning_rate=3e-3)
LATE = 10**9
"""So many rollouts after the run's begin nothing relaxes any more."""


class Linear(nn.Module):
    """Two prompts whose logits are linear in weights that they share: its tangent is the model itself."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.features = torch.randn(2, 5, generator=generator, dtype=torch.float64)
        self.weight = nn.Parameter(0.3 * torch.randn(5, 4, generator=generator, dtype=torch.float64))

    def log_probs(self) -> torch.Tensor:
        return torch.log_softmax(self.features @ self.weight, -1)

    def jacobian(self) -> np.ndarray:
        """Of the logits, which the log-probabilities follow but for a constant of each prompt."""
        return np.einsum("bf,nm->bnfm", self.features.numpy(), np.eye(4)).reshape(2, 4, -1)


@pytest.mark.parametrize("changes", [{}, {"adam_beta1": 0.9, "adam_beta2": 0.95}, {"max_grad_norm": 0.05, "adam_epsilon": 1e-3}, {"inner_steps": 5}])
@pytest.mark.parametrize("reset", [True, False])
def test_a_tangent_learns_by_the_trainers_optimizer(changes: dict[str, float], reset: bool) -> None:
    """Beside torch's AdamW on the model itself: the same groups and targets, two prompts on shared weights, fresh optimizers or old ones at a refresh."""
    settings, model = replace(SETTINGS, reset_optimizer_at_refresh=reset, **changes), Linear()
    learner = Tangent(model.jacobian(), 1.0).learner(settings, LATE)
    optimizer = torch.optim.AdamW([model.weight], settings.learning_rate, (settings.adam_beta1, settings.adam_beta2), settings.adam_epsilon, weight_decay=0.0)
    generator = np.random.default_rng(1)
    policy = model.log_probs().detach().numpy()[None]
    for rollout in range(7):
        counts = generator.multinomial(settings.group_size, [[[0.4, 0.3, 0.2, 0.1]] * 2]).astype(float)
        target = policy + generator.normal(scale=0.1, size=policy.shape)
        policy = learner.fitted(policy, target, counts)
        members = torch.as_tensor(np.stack([np.repeat(np.arange(4), row.astype(int)) for row in counts[0]]))
        for _ in range(settings.inner_steps):
            missing = (model.log_probs() - torch.as_tensor(target[0])).gather(1, members)
            optimizer.zero_grad()
            group_variance(missing, torch.ones_like(members, dtype=torch.bool)).mean().backward()
            if settings.max_grad_norm:
                torch.nn.utils.clip_grad_norm_([model.weight], settings.max_grad_norm)
            optimizer.step()
        if (rollout + 1) % settings.refresh_every == 0:
            learner.refreshed()
            if reset:
                optimizer.state.clear()
        # In float64. Weights whose slope is rounding alone move by at most 1e-16/epsilon of the learning rate.
        np.testing.assert_allclose(policy[0], model.log_probs().detach().numpy(), rtol=0, atol=1e-9)


def test_plays_do_not_meet() -> None:
    model, generator = Linear(), np.random.default_rng(2)
    made = tangent_of(model.log_probs(), [model.weight], seed=0)
    policy = log_normalise(generator.normal(size=(3, 2, 4)), (4,))
    target, counts = generator.normal(size=policy.shape), generator.multinomial(6, [0.25] * 4, size=(3, 2)).astype(float)
    together = made.learner(SETTINGS, LATE).fitted(policy, target, counts)
    apart = [made.learner(SETTINGS, LATE).fitted(*(each[[index]] for each in (policy, target, counts))) for index in range(3)]
    np.testing.assert_allclose(together, np.concatenate(apart), rtol=0, atol=1e-6)  # float32 products in another order


def test_what_a_model_moves_relaxes_with_the_run() -> None:
    rows = np.zeros((1, 2, 1), dtype=np.float32)
    rows[0, :, 0] = 1.0, -1.0
    policy, counts, target = np.log([[[0.5, 0.5]]]), np.array([[[1.0, 1.0]]]), np.log([[[0.9, 0.1]]])
    settings = replace(SETTINGS, inner_steps=1, group_size=2, learning_rate=1e-4)

    def moved(after: int) -> float:
        learner = TangentLearner(Tangent(rows, 1.0), settings, 10)
        learner.rollout = after
        return float((learner.fitted(policy, target, counts) - policy)[0, 0, 0])

    assert moved(10) == pytest.approx(1e-4, rel=1e-3)  # Adam's first step is the learning rate long; to first order in it
    assert moved(80) / moved(10) == pytest.approx(8**-0.3, rel=1e-3)


def test_the_jacobian_is_that_of_all_weights_or_of_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = tiny_tokenizer()
    model = tiny_llama(tokenizer, dtype=torch.float64)
    ids = torch.tensor([tokenizer("play rock")["input_ids"], tokenizer("play paper")["input_ids"]])

    def log_probs() -> torch.Tensor:
        return torch.log_softmax(model(input_ids=ids).logits[:, -1], -1)[:, 3:6]

    weights = list(model.parameters())
    count = sum(weight.numel() for weight in weights)
    some = tangent_of(log_probs(), weights, seed=4)
    assert some.rows.shape == (2, 3, tangent.WEIGHTS) and some.scale == count / tangent.WEIGHTS
    monkeypatch.setattr(tangent, "WEIGHTS", count)
    every = tangent_of(log_probs(), weights, seed=4)
    assert every.rows.shape == (2, 3, count) and every.scale == 1.0
    # By differences: what a small step of all weights moves.
    generator = torch.Generator().manual_seed(3)
    steps = [1e-5 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype) for weight in weights]
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, step in zip(weights, steps, strict=True):
                weight.add_(sign * step)
            ends.append(log_probs())
            for weight, step in zip(weights, steps, strict=True):
                weight.sub_(sign * step)
    flat = torch.cat([step.reshape(-1) for step in steps]).numpy()
    expected = ((ends[0] - ends[1]) / 2).numpy()
    # Third order in the step beside rounding of the float32 Jacobian.
    np.testing.assert_allclose(every.rows @ flat, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    # Some weights: columns of these, none twice but where weights have equal slopes.
    columns = {column.tobytes() for column in np.ascontiguousarray(every.rows.reshape(6, -1).T)}
    assert all(column.tobytes() in columns for column in np.ascontiguousarray(some.rows.reshape(6, -1).T))
    exact, estimate = (np.abs(each.rows).sum(-1) * each.scale for each in (every, some))
    # A sum of 2,048 of some 20,000 entries: within four standard errors, some tenth of it.
    error = 4 * np.abs(some.rows).std(-1) * count / np.sqrt(tangent.WEIGHTS)
    assert np.all(np.abs(estimate - exact) < error)


def test_weights_that_a_completion_does_not_touch_have_no_slope() -> None:
    used, unused = torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)
    made = tangent_of(torch.log_softmax(used, -1)[None], [unused, used], seed=0)
    np.testing.assert_array_equal(made.rows[..., :2], 0.0)
    np.testing.assert_allclose(made.rows[0, :, 2:], np.eye(3) - 1 / 3, rtol=0, atol=1e-6)
