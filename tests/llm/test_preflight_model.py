"""What gradient steps of a model realise: measured, and the model left as it was."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.llm.preflight import RunSettings, Subject, preflight, probe
from mmd_games.llm.preflight.probing import restored, rollouts_of, table_after
from mmd_games.verification import Verdict

from .tiny import MOVES, RPS, tiny_llama, tiny_tokenizer
from .training import trainer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.llm import tiny_run

GAME = mg.PreferenceGame(RPS)
START = np.log([[0.6, 0.3, 0.1]])
SETTINGS = RunSettings(
    step_size=1.0, magnet_strength=0.2, refresh_every=15, group_size=192, inner_steps=4, learning_rate=1e-2, max_rollouts=300, judge_votes=0, target_gap=0.06
)


class Logits(nn.Module):
    """A policy that is its own table of logits."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.as_tensor(START.copy()))


def of_table(module: Logits) -> Subject:
    return Subject(module, lambda: torch.log_softmax(module.logits, -1), RPS[None])


# --- the fraction ----------------------------------------------------------------------------------------------------------------------------


def test_enough_gradient_steps_make_the_whole_update() -> None:
    found = probe(of_table(Logits()), replace(SETTINGS, inner_steps=200, learning_rate=1e-3, max_grad_norm=0.0, max_rollouts=40))
    # Adam's steps are about the learning rate long: .001 beside updates of some .05.
    assert found.fraction == pytest.approx(1.0, abs=0.05)
    assert found.detour < 0.1
    assert np.all(found.losses[:, 1] < 0.05 * found.losses[:, 0])


def test_a_tenth_of_the_learning_rate_makes_a_tenth_of_the_update() -> None:
    # Before anything overshoots, every logit moves by the learning rate each step, whatever the update is.
    settings = replace(SETTINGS, inner_steps=2, max_grad_norm=0.0, max_rollouts=40)
    small, smaller = (probe(of_table(Logits()), replace(settings, learning_rate=rate)).fraction for rate in (1e-4, 1e-5))
    assert 0 < smaller < small < 0.1
    assert small / smaller == pytest.approx(10, rel=0.05)  # what the game itself moves is of second order


def test_a_learning_rate_that_is_too_large_does_not_follow() -> None:
    report = preflight(replace(SETTINGS, learning_rate=10.0), model=of_table(Logits()), advice=False, suite=())
    assert report.verdict is Verdict.REFUTED


def test_a_probe_is_the_trainers_loss_and_its_optimizer() -> None:
    """One rollout of one step, by hand: Adam's first step has the length of the learning rate in every weight, against the sign of the slope."""
    module = Logits()
    found = probe(of_table(module), replace(SETTINGS, inner_steps=1, learning_rate=0.01, max_rollouts=10, group_size=100_000, max_grad_norm=0.0))
    # With a group so large the slope has the sign of π_i times what is missing less its mean.
    policy = np.exp(START[0])
    missing = RPS @ policy - 0.5
    missing = missing / (1 + 0.2)
    slope = policy * (missing - policy @ missing)
    slope -= policy * slope.sum()
    moved = START[0] + 0.01 * np.sign(slope)
    expected = moved - np.log(np.exp(moved).sum())
    np.testing.assert_allclose(found.log_policy[0], expected, rtol=0, atol=1e-6)  # Adam's epsilon of 1e-8 beside slopes of 1e-2


def test_weights_come_back_bit_for_bit_whatever_happens() -> None:
    pupil = tiny_run.student(["rock_paper_scissors"], np.exp(START), 0)
    pupil.model.train()
    pupil.model.zero_grad()
    pupil.model.lm_head.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in pupil.model.state_dict().items()}
    found = probe(pupil.subject(), replace(SETTINGS, learning_rate=1e-3, max_rollouts=30))
    assert not np.allclose(found.log_policy, found.log_magnet)  # something was moved
    assert all(torch.equal(value, before[name]) for name, value in pupil.model.state_dict().items())
    assert pupil.model.training
    assert all(weight.grad is None for weight in pupil.model.parameters())
    with pytest.raises(RuntimeError, match="stop"), restored(pupil.model) as weights:
        with torch.no_grad():
            weights[0].add_(1.0)
        raise RuntimeError("stop")
    assert all(torch.equal(value, before[name]) for name, value in pupil.model.state_dict().items())


def test_a_probe_is_a_tenth_of_the_run_at_most() -> None:
    assert [rollouts_of(replace(SETTINGS, max_rollouts=budget)) for budget in (10, 19, 300, 5000)] == [1, 1, 30, 50]
    with pytest.raises(InputError, match=r"^max_rollouts must be at least 10 for a model to be probed"):
        rollouts_of(replace(SETTINGS, max_rollouts=9))
    found = probe(of_table(Logits()), replace(SETTINGS, max_rollouts=47))
    assert found.rollouts == 4 and found.part <= 0.1
    assert table_after(of_table(Logits()), found).first == 4


def test_what_is_played_is_the_tangent_where_the_probe_ended() -> None:
    found = probe(of_table(Logits()), SETTINGS)
    # The Jacobian of log softmax at the last policy, and not at the first, which is there again by now; in float32.
    np.testing.assert_allclose(found.tangent.rows[0], np.eye(3) - np.exp(found.log_policy[0]), rtol=0, atol=1e-6)
    assert np.max(np.abs(np.exp(found.log_policy) - np.exp(START))) > 0.01
    report = preflight(SETTINGS, model=of_table(Logits()), advice=False, suite=())
    np.testing.assert_array_equal(report.forecasts[0].fitting.tangent.rows, found.tangent.rows)
    assert "the model's tangent learning by the run's own optimizer" in " ".join(str(report).split())


def test_a_probe_is_the_same_for_the_same_seed() -> None:
    first, again, other = (probe(of_table(Logits()), replace(SETTINGS, seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.moments, again.moments)
    assert not np.array_equal(first.moments, other.moments)


# --- the model's own game ----------------------------------------------------------------------------------------------------------------------


def test_samples_stand_for_the_share_they_were_drawn_with() -> None:
    module = Logits()
    shares = np.array([[0.2, 0.3, 0.5]])
    subject = Subject(module, lambda: torch.log_softmax(module.logits, -1), RPS[None], np.log(shares))
    np.testing.assert_allclose(np.exp(subject.log_policy()), shares, rtol=1e-12)
    with torch.no_grad():
        module.logits += torch.tensor([[0.7, 0.0, 0.0]], dtype=torch.float64)
    expected = shares * np.exp([0.7, 0.0, 0.0])
    np.testing.assert_allclose(np.exp(subject.log_policy()), expected / expected.sum(), rtol=1e-12)


def test_what_is_no_game_is_refused() -> None:
    module = Logits()

    def log_probs() -> torch.Tensor:
        return torch.log_softmax(module.logits, -1)

    with pytest.raises(InputError, match=r"^preference must have shape \(prompts, n, n\) for log-probabilities of shape \(1, 3\)"):
        Subject(module, log_probs, RPS)
    with pytest.raises(InputError, match=r"^log_start must have the shape"):
        Subject(module, log_probs, RPS[None], np.zeros((1, 4)))
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        Subject(module, log_probs, RPS[None] * 2)
    frozen = Logits().requires_grad_(False)
    with pytest.raises(InputError, match=r"^The model has no trainable weights"):
        probe(of_table(frozen), SETTINGS)


@pytest.mark.parametrize("lora", [False, True])
def test_a_trainers_model_and_its_own_completions(tmp_path: Path, lora: bool) -> None:
    made = trainer(tmp_path, lora=lora, max_new_tokens=1, group_size=16)
    before = {name: value.clone() for name, value in made.models.model.state_dict().items()}
    subject = Subject.from_trainer(made, prompts=2, samples=64, most=5)
    assert subject.preference.shape == (2, 5, 5)
    # Two prompts with at most 64 draws of 5 kept completions: shares of whole draws.
    shares = np.exp(subject.log_start)
    np.testing.assert_allclose(shares.sum(-1), 1.0, rtol=1e-12)
    report = preflight(replace(SETTINGS, learning_rate=1e-3, max_rollouts=20, group_size=16), model=subject, advice=False, suite=())
    assert report.forecasts[0].table.first == 2
    assert all(torch.equal(value, before[name]) for name, value in made.models.model.state_dict().items())


def test_listed_completions_have_the_models_probabilities(tmp_path: Path) -> None:
    made = trainer(tmp_path, max_new_tokens=1, rows=[{"prompt": "play"}, {"prompt": "rock"}])
    subject = Subject.from_trainer(made, completions=[list(MOVES)] * 2)
    tokenizer = tiny_tokenizer()
    ids = torch.tensor([tokenizer("play")["input_ids"], tokenizer("rock")["input_ids"]])
    with torch.no_grad():
        logits = tiny_llama(tokenizer)(input_ids=ids).logits[:, -1, tokenizer.convert_tokens_to_ids(list(MOVES))]
    np.testing.assert_allclose(subject.log_policy(), torch.log_softmax(logits, -1).double().numpy(), rtol=0, atol=1e-5)  # float32
    np.testing.assert_allclose(subject.preference, np.stack([RPS, RPS]), rtol=0, atol=1e-15)


# --- the benchmark's run is the trainer's ---------------------------------------------------------------------------------------------------------


class OneSoftmax:
    """Draws as the benchmark does."""

    def __init__(self, size: int):
        self.size = size

    @torch.no_grad()
    def __call__(self, model: Any, prompts: list[list[int]], keys: list[tuple[int, ...]]) -> list[list[list[int]]]:
        (seed, rollout, _), (prompt,) = keys[0], prompts
        log_policy = torch.log_softmax(model(input_ids=torch.tensor([prompt])).logits[:, -1], -1)
        return [[[token] for token in row] for row in tiny_run.draw(log_policy, self.size, seed, rollout).tolist()]


def test_the_benchmarks_run_is_the_trainers(tmp_path: Path) -> None:
    from mmd_games.llm import MagneticPreferenceConfig, MagneticPreferenceTrainer
    from mmd_games.llm.preference import MatrixPreference

    settings = replace(SETTINGS, group_size=16, inner_steps=2, learning_rate=1e-3, max_rollouts=6, refresh_every=2)
    shared = {name: getattr(settings, name) for name in ("step_size", "magnet_strength", "refresh_every", "group_size", "inner_steps", "learning_rate")}
    args = MagneticPreferenceConfig(
        output_dir=str(tmp_path), use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no", logging_strategy="no", measure_every=0,
        per_device_train_batch_size=1, max_new_tokens=1, max_steps=12, seed=5, **shared,
    )  # fmt: skip
    pupils = [tiny_run.student(["rock_paper_scissors"], np.exp(START), 0) for _ in range(2)]
    judge = MatrixPreference(pupils[1].listed, pupils[1].games[0].preference)
    made = MagneticPreferenceTrainer(
        pupils[1].model, judge, args, [{"prompt": prompt} for prompt in pupils[1].prompts], processing_class=tiny_run.TOKENIZER, generator=OneSoftmax(16)
    )
    record = tiny_run.train(pupils[0], settings, 5)
    made.train()
    assert np.max(np.abs(record[-1] - record[0])) > 0.01
    with torch.no_grad():
        theirs = torch.softmax(pupils[1].listed_log_probs(), -1).double().numpy()
    # float32 sums in another order, 12 steps of 1e-3; a group that differed would move it by 1e-2.
    np.testing.assert_allclose(record[-1], theirs, rtol=0, atol=2e-4)
