"""The trainer: equivalent configurations give the same run, the magnet moves when it should, and what cannot be trained is refused before anything is."""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.llm import MagneticPreferenceConfig, MagneticPreferenceTrainer
from mmd_games.llm.policy import completion_log_probs, make_batch
from mmd_games.llm.policy.chunks import default_chunk
from mmd_games.llm.preference import FunctionPreference, MatrixPreference
from mmd_games.llm.training import config_from
from mmd_games.llm.training.checkpoints import last_whole_checkpoint

from .tiny import MOVES, RPS, tiny_llama, tiny_tokenizer
from .training import PROMPTS, config, largest_difference, trainer, weights

# One step of Adam without momentum moves a weight by the learning rate whatever the size of its gradient: two ways to sum a gradient in float32, 1e-7 of it
# apart, give weights that differ by far less than this unless the gradient itself is rounding. SGD passes rounding on as it is.
ROUNDING = 1e-5


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_ways_to_save_memory_give_the_same_run(tmp_path: Path, lora: bool) -> None:
    settings: dict[str, Any] = {"lora": lora, "optim": "sgd", "learning_rate": 0.05, "inner_steps": 2}
    ways = ({}, {"sequences_per_forward": 3}, {"sequences_per_forward": 1}, {"head_chunk": 2}, {"sequences_per_draw": 3}, {"activation_checkpointing": True})
    runs = [trainer(tmp_path, **way, **settings) for way in ways]
    for run in runs:
        run.train()
    first, *others = [weights(run.model) for run in runs]
    assert largest_difference(first, weights(trainer(tmp_path, **settings).model)) > 100 * ROUNDING  # it has moved at all
    assert max(largest_difference(first, other) for other in others) < ROUNDING


def test_accumulated_gradients_give_the_same_run(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"optim": "sgd", "learning_rate": 0.05, "inner_steps": 2}
    whole = trainer(tmp_path, per_device_train_batch_size=2, **settings)
    parts = trainer(tmp_path, per_device_train_batch_size=1, gradient_accumulation_steps=2, **settings)
    whole.train()
    parts.train()
    assert largest_difference(weights(whole.model), weights(parts.model)) < ROUNDING
    assert whole.models.refreshes == parts.models.refreshes == 1
    assert whole.state.log_history[-2]["loss"] == pytest.approx(parts.state.log_history[-2]["loss"], rel=1e-4)


@pytest.mark.parametrize("stop", [2, 3], ids=["between rollouts", "within a rollout"])
@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path, lora: bool, stop: int) -> None:
    settings: dict[str, Any] = {"lora": lora, "inner_steps": 2, "max_steps": 10, "refresh_every": 1, "save_strategy": "steps", "save_steps": stop}
    whole = trainer(tmp_path / "whole", **settings)
    whole.train()
    cut = trainer(tmp_path / "cut", **settings)
    cut.add_callback(_StopAt(stop))
    cut.train()
    again = trainer(tmp_path / "cut", **settings)
    again.train(resume_from_checkpoint=str(tmp_path / "cut" / f"checkpoint-{stop}"))
    first, second = weights(whole.model), weights(again.model)
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert whole.models.refreshes == again.models.refreshes == 5
    with whole.models.magnet() as one, again.models.magnet() as other:
        assert largest_difference(weights(one), weights(other)) == 0


class _StopAt:
    """A callback that ends a run after so many steps."""

    def __new__(cls, step: int) -> Any:
        from transformers import TrainerCallback

        class Stop(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                control.should_training_stop = state.global_step >= step

        return Stop()


def test_a_step_fits_the_tabular_step(tmp_path: Path) -> None:
    """All moves are drawn equally often, so the group is the game: many inner steps bring the policy to the exact magnetic step among them."""
    tokenizer = tiny_tokenizer()
    game, run = mg.PreferenceGame(RPS), trainer(tmp_path, group_size=3, inner_steps=300, max_steps=300, learning_rate=0.05, optim="sgd", rows=PROMPTS[:1])
    completions = [[tokenizer.vocab[move]] for move in MOVES]
    run.generator = lambda model, prompts, keys: [completions for _ in prompts]
    start = log_policy(run, completions)
    run.train()
    settings = {"step_size": run.args.step_size, "magnet_strength": run.args.magnet_strength}
    # Each move is its opponents' third, whatever the policy: the exact step of payoffs against the uniform policy, from the policy's own log-probabilities.
    payoff = game.payoffs(np.full(3, 1 / 3))
    target = torch.log_softmax(torch.from_numpy(mg.algorithms.log_linear.proximal_logits(payoff, start, start, **settings)), -1).numpy()
    end = log_policy(run, completions)
    assert np.abs(target - start).max() > 0.05
    assert np.abs(end - target).max() < 1e-3  # what gradient descent leaves of the way


def log_policy(run: MagneticPreferenceTrainer, completions: list[list[int]]) -> np.ndarray:
    batch = make_batch([[run.processing_class.vocab["play"]]] * len(completions), completions, 0, run.model.device)
    with torch.no_grad():
        return torch.log_softmax(completion_log_probs(run.model, batch).double(), -1).cpu().numpy()


def test_the_magnet_moves_every_so_many_rollouts_and_is_the_policy_then(tmp_path: Path) -> None:
    run = trainer(tmp_path, refresh_every=2, max_steps=5)
    start = weights(run.model)
    run.train()
    assert run.models.refreshes == 2
    with run.models.magnet() as magnet:
        behind = weights(magnet)
    assert largest_difference(behind, start) > 1e-3
    assert largest_difference(behind, weights(run.model)) > 1e-3  # the fifth rollout came after the second refresh
    exact = trainer(tmp_path, refresh_every=2, max_steps=4)
    exact.train()
    with exact.models.magnet() as magnet:
        assert largest_difference(weights(magnet), weights(exact.model)) == 0


def test_a_fixed_magnet_stays(tmp_path: Path) -> None:
    run = trainer(tmp_path, refresh_every=0)
    start = weights(run.model)
    run.train()
    with run.models.magnet() as magnet:
        assert largest_difference(weights(magnet), start) == 0
    assert run.models.refreshes == 0


def test_by_progress_the_magnet_waits_for_the_policy(tmp_path: Path) -> None:
    """A policy that hardly learns has not come near its magnet's equilibrium, whatever the schedule would say."""
    settings: dict[str, Any] = {"refresh_every": 2, "max_steps": 8, "learning_rate": 1e-6, "group_size": 16}
    by_schedule, by_progress = (trainer(tmp_path, refresh_when=when, **settings) for when in ("schedule", "progress"))
    for run in (by_schedule, by_progress):
        run.train()
    assert (by_schedule.models.refreshes, by_progress.models.refreshes) == (4, 0)
    assert by_progress.refresh_rule.ratio > 10


def test_moments_are_forgotten_at_a_refresh(tmp_path: Path) -> None:
    steps = {}
    for forget in (True, False):
        run = trainer(tmp_path, refresh_every=3, max_steps=3, reset_optimizer_at_refresh=forget)
        run.train()
        steps[forget] = len(run.optimizer.optimizer.state)
    assert steps[True] == 0 < steps[False]


def test_completions_depend_on_seed_and_place_alone(tmp_path: Path) -> None:
    drawn: list[Any] = []

    def recording(run: MagneticPreferenceTrainer) -> None:
        inner = run.generator

        def generate(model: Any, prompts: Any, keys: Any) -> Any:
            drawn.append([tuple(key) for key in keys])
            return inner(model, prompts, keys)

        run.generator = generate

    whole, parts = trainer(tmp_path, max_steps=2), trainer(tmp_path, max_steps=2, per_device_train_batch_size=1, gradient_accumulation_steps=2)
    for run in (whole, parts):
        recording(run)
        run.train()
    assert drawn[0] + drawn[1] == [key for keys in drawn[2:] for key in keys]
    assert len({key for keys in drawn[:2] for key in keys}) == 4


def test_what_rollouts_show_is_logged(tmp_path: Path) -> None:
    run = trainer(tmp_path, max_steps=4, inner_steps=2, measure_every=1, learning_rate=1e-3)
    run.train()
    logs = [entry for entry in run.state.log_history if "win_rate/magnet" in entry]
    assert [entry["rollouts"] for entry in logs] == [0.0, 1.0]
    expected = {
        "win_rate/magnet",
        "kl/magnet",
        "game/gap",
        "judge/antisymmetry_error",
        "judge/failed",
        "groups/dropped",
        "completions/length",
        "completions/cut",
    }
    assert expected | {"magnet/refreshes", "tokens_per_second", "step/loss_before", "step/loss_after"} <= {key for entry in logs for key in entry}
    # At the first rollout the policy is its magnet.
    assert logs[0]["win_rate/magnet"] == pytest.approx(0.5, abs=1e-6)
    assert logs[0]["kl/magnet"] == pytest.approx(0.0, abs=1e-6)
    after = logs[1]
    assert 0 < after["step/loss_after"] < after["step/loss_before"]


def test_against_the_start_with_adapters_and_with_a_kept_copy(tmp_path: Path) -> None:
    for settings in ({"lora": True}, {"keep_start": True}):
        run = trainer(tmp_path, max_steps=3, measure_every=1, **settings)
        run.train()
        start = [entry["kl/start"] for entry in run.state.log_history if "kl/start" in entry]
        assert start[0] == pytest.approx(0.0, abs=1e-6)
        assert abs(start[-1]) > 1e-3
    run = trainer(tmp_path, max_steps=1)
    run.train()
    assert not any("kl/start" in entry for entry in run.state.log_history)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_in_half_precision_policy_and_magnet_are_computed_alike(tmp_path: Path, lora: bool) -> None:
    run = trainer(tmp_path, lora=lora, bf16=True, max_steps=1)
    run.train()
    assert run.state.log_history[0]["kl/magnet"] == 0.0  # the policy is its magnet, to the last bit
    assert run.state.log_history[0]["win_rate/magnet"] == 0.5


def test_in_half_precision_too_ways_to_save_memory_give_the_same_run(tmp_path: Path) -> None:
    """A weight cast without a gradient, and then taken from autocast's cache, would learn nothing."""
    settings: dict[str, Any] = {"bf16": True, "optim": "sgd", "learning_rate": 0.05, "inner_steps": 2, "max_steps": 2}
    runs = [trainer(tmp_path, sequences_per_forward=sequences, **settings) for sequences in (None, 3)]
    start = weights(runs[0].model)
    for run in runs:
        run.train()
    first, second = (weights(run.model) for run in runs)
    moved = largest_difference(first, start)
    assert largest_difference(first, second) < 0.05 * moved  # bfloat16 has eight bits, and sums of gradients differ in their order


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_half_precision_what_adapters_read_is_not_cast_to_and_fro(tmp_path: Path, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"lora": True, "bf16": True, "inner_steps": 2}
    seen: set[torch.dtype] = set()
    runs = []
    for needless in (False, True):
        if needless:
            monkeypatch.setattr("mmd_games.llm.training.trainer.without_needless_casts", lambda model, autocast: nullcontext())
        run = trainer(tmp_path, model=tiny_llama(tiny_tokenizer(), dtype=dtype), **settings)
        inner = run.model.get_submodule("base_model.model.model.layers.0.mlp.down_proj")
        inner.lora_A["default"].register_forward_pre_hook(lambda _, arguments: seen.add(arguments[0].dtype))
        run.train()
        assert inner.cast_input_dtype_enabled  # as it was
        assert seen == ({torch.float32} if needless else {torch.bfloat16})
        seen.clear()
        runs.append(weights(run.model))
    assert largest_difference(*runs) == 0


def test_weights_that_learn_in_half_precision_are_refused(tmp_path: Path) -> None:
    model = tiny_llama(tiny_tokenizer(), dtype=torch.bfloat16)
    with pytest.raises(InputError, match="learn in bfloat16"):
        trainer(tmp_path, model=model)
    assert trainer(tmp_path, model=tiny_llama(tiny_tokenizer(), dtype=torch.bfloat16), lora=True).args.step_size == 2.0


def test_a_training_that_broke_off_leaves_nothing_in_the_next(tmp_path: Path) -> None:
    calls = [0]

    class Failing:
        antisymmetric = True
        judge = MatrixPreference(list(MOVES), RPS)

        def __call__(self, prompts: Any, completions: Any, mask: Any = None) -> Any:
            calls[0] += 1
            if calls[0] == 2:
                raise InputError("the judge is tired.")
            return self.judge(prompts, completions)

    settings: dict[str, Any] = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2, "max_steps": 2}
    broken, whole = trainer(tmp_path, preference=Failing(), **settings), trainer(tmp_path, **settings)
    with pytest.raises(InputError, match="tired"):
        broken.train()
    broken.train()
    whole.train()
    assert largest_difference(weights(broken.model), weights(whole.model)) == 0


def test_a_judge_may_be_silent_for_a_while_but_not_for_good(tmp_path: Path) -> None:
    class Fading:
        antisymmetric = True
        judge = MatrixPreference(list(MOVES), RPS)
        calls = 0

        def __call__(self, prompts: Any, completions: Any, mask: Any = None) -> Any:
            self.calls += 1
            table = self.judge(prompts, completions)
            return table if self.calls <= 2 else table.where(torch.eye(table.shape[-1], dtype=torch.bool), math.nan)

    run = trainer(tmp_path, preference=Fading(), max_steps=30)
    with pytest.raises(InputError, match="judged nothing in the last 10 batches"):
        run.train()
    assert run.state.global_step == 11
    assert all(bool(torch.isfinite(tensor).all()) for tensor in run.model.state_dict().values())


def test_a_checkpoint_is_whole_before_an_older_one_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trainer(tmp_path, save_strategy="steps", save_steps=2, save_total_limit=1, max_steps=4)
    save = run.models.save

    def failing(folder: Any) -> None:
        if str(folder).endswith("checkpoint-4"):
            raise OSError("no space left")
        save(folder)

    monkeypatch.setattr(run.models, "save", failing)
    with pytest.raises(OSError, match="no space left"):
        run.train()
    found = last_whole_checkpoint(tmp_path)
    assert found == tmp_path / "checkpoint-2"
    trainer(tmp_path, max_steps=3).train(resume_from_checkpoint=str(found))


def test_within_a_rollout_a_run_is_resumed_with_what_it_was(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"inner_steps": 2, "save_strategy": "steps", "save_steps": 1}
    trainer(tmp_path, max_steps=1, **settings).train()
    other = trainer(tmp_path, max_steps=4, per_device_train_batch_size=1, gradient_accumulation_steps=2, **settings)
    with pytest.raises(InputError, match="within a rollout, with gradient_accumulation_steps = 1, and now it is 2"):
        other.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))


def test_failed_judgements_are_left_out_and_counted(tmp_path: Path) -> None:
    def unsure(prompt: Any, first: str, second: str) -> float:
        return math.nan if prompt == "rock" else RPS[MOVES.index(first.split()[0]), MOVES.index(second.split()[0])]

    completions = [[[4 + move] for move in (0, 1, 2, 0)]]
    run = trainer(tmp_path, preference=FunctionPreference(unsure), max_steps=2)
    run.generator = lambda model, prompts, keys: completions * len(prompts)
    run.train()
    logs = [entry for entry in run.state.log_history if "groups/dropped" in entry]
    # Of the four prompts one cannot be judged; identical moves tie without a judgement in no case here, for the function is asked of every pair.
    assert sum(entry["groups/dropped"] for entry in logs) == pytest.approx(0.5)
    assert all(math.isfinite(entry["loss"]) for entry in run.state.log_history if "loss" in entry)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in run.model.state_dict().values())


def test_evaluation_is_by_fresh_completions(tmp_path: Path) -> None:
    run = trainer(tmp_path, lora=True, max_steps=4, group_size=32)
    before = run.evaluate(PROMPTS[:3])
    run.train()
    after = run.evaluate(PROMPTS[:3])
    assert set(before) == {f"eval_{name}" for name in ("win_rate/magnet", "win_rate/start", "game/gap", "judge/failed", "completions/length")}
    assert before["eval_judge/failed"] == 0.0
    assert before["eval_win_rate/start"] != 0.5  # other completions, of the same policy
    assert after != before


def test_chats_are_made_into_text_by_the_template(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}{% if add_generation_prompt %}play{% endif %}"
    chat = [{"prompt": [{"role": "user", "content": "rock paper"}]}]
    run = MagneticPreferenceTrainer(tiny_llama(tokenizer), FunctionPreference(lambda prompt, a, b: 0.5), config(tmp_path), chat, processing_class=tokenizer)
    assert run.train_dataset[0].tokens == tokenizer("rock paper play")["input_ids"]
    assert run.train_dataset[0].prompt == chat[0]["prompt"]
    tokenizer.chat_template = None
    with pytest.raises(InputError, match="row 1: the prompt is a chat, and the tokenizer has no chat template"):
        MagneticPreferenceTrainer(tiny_llama(tokenizer), FunctionPreference(lambda prompt, a, b: 0.5), config(tmp_path), chat, processing_class=tokenizer)


# --- bad input ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"group_size": 1}, "at least 2 completions"),
        ({"head_chunk": 0}, "head_chunk must be a whole number of at least 1"),
        ({"sequences_per_draw": 0}, "sequences_per_draw must be a whole number of at least 1"),
        ({"inner_steps": 0}, "inner_steps must be a whole number of at least 1"),
        ({"step_size": -1.0}, "step_size must be a positive, finite number"),
        ({"magnet_strength": -0.1}, "magnet_strength must be a positive"),
        ({"temperature": 0.0}, "temperature must be a positive"),
        ({"refresh_every": -1}, "refresh_every must be a whole number of at least 0"),
        ({"refresh_when": "sometimes"}, "Unknown refresh_when 'sometimes'"),
        ({"refresh_when": "progress", "refresh_every": 0}, "needs a refresh_every of at least 1"),
        ({"objective": "magnetc"}, "did you mean 'magnetic'"),
        ({"top_p": 0.9}, "Unknown key of training 'top_p'"),
        ({"step_sise": 0.9}, "did you mean 'step_size'"),
        ({"remove_unused_columns": True}, "remove_unused_columns must be false"),
        ({"refresh_when": "progress", "group_size": 3}, "group_size of at least 4"),
        ({"refresh_when": "progress", "magnet_strength": 0}, "needs a magnet"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"neftune_noise_alpha": 5.0}, "neftune_noise_alpha cannot be used here"),
        ({"auto_find_batch_size": True}, "sequences_per_forward saves memory"),
        ({"load_best_model_at_end": True, "save_strategy": "steps", "eval_strategy": "steps"}, "the last iterate is the method's result"),
        ({"hub_token": "a secret"}, "set the environment variable HF_TOKEN"),
    ],
)
def test_settings_out_of_range_are_named(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        config_from({"output_dir": str(tmp_path), "use_cpu": True, **settings})


def test_what_is_left_open_is_the_tabular_default(tmp_path: Path) -> None:
    args = config_from({"output_dir": str(tmp_path), "use_cpu": True})
    table = mg.MagneticPreferenceOptimization().with_defaults(0.5)
    assert (args.step_size, args.magnet_strength, args.refresh_every) == (table.step_size, table.magnet_strength, table.refresh_every)
    assert args.algorithm == table
    assert (args.head_chunk, default_chunk(torch.device("cuda"))) == (256, 1024)
    assert isinstance(config_from({"output_dir": str(tmp_path), "use_cpu": True, "magnet_strength": 0}).algorithm, mg.MultiplicativeWeights)
    assert isinstance(config_from({"output_dir": str(tmp_path), "use_cpu": True, "refresh_every": 0}).algorithm, mg.MagneticMirrorDescent)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (lambda B, K: torch.full((B, K, K + 1), 0.5), "shape"),
        (lambda B, K: torch.full((B, K, K), 1.5), r"\[0, 1\]"),
        (lambda B, K: torch.full((B, K, K), 0.25), "diagonal"),
        (lambda B, K: torch.full((B, K, K), math.nan).diagonal_scatter(torch.full((B, K), 0.5), dim1=1, dim2=2), "no judgement|every judgement|all"),
    ],
    ids=["shape", "range", "diagonal", "nan"],
)
def test_a_preference_model_that_breaks_its_protocol_is_refused_before_a_step(tmp_path: Path, table: Any, sentence: str) -> None:
    class Broken:
        antisymmetric = False

        def __call__(self, prompts: Any, completions: Any, mask: Any = None) -> Any:
            return table(len(prompts), len(completions[0]))

    run = trainer(tmp_path, preference=Broken(), save_strategy="steps", save_steps=1)
    start = weights(run.model)
    with pytest.raises(InputError, match=sentence):
        run.train()
    assert largest_difference(weights(run.model), start) == 0
    assert not list(tmp_path.glob("checkpoint-*"))


def test_an_endpoint_that_is_down_is_said_first(tmp_path: Path) -> None:
    class Down(FunctionPreference):
        def check(self) -> None:
            raise InputError("the judge at http://127.0.0.1:1/v1 cannot be reached.")

    run = trainer(tmp_path, preference=Down(lambda prompt, a, b: 0.5))
    with pytest.raises(InputError, match="cannot be reached"):
        run.train()


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "no rows"),
        ([{"text": "play"}], "row 1: there is no column 'prompt'"),
        ([{"prompt": "play"}, {"prompt": 3}], "row 2: a prompt is text"),
        ([{"prompt": ""}], "row 1: the prompt is empty"),
        ([{"prompt": "play " * 63}], "row 1: the prompt has 63 tokens, and at most 62 fit"),
        (iter(PROMPTS), "must have a length"),
        ({"train": PROMPTS}, "is a mapping of datasets"),
        ([{"prompt": []}], "row 1: a prompt is text"),
    ],
)
def test_prompts_that_cannot_be_used_are_named_by_their_row(tmp_path: Path, rows: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        trainer(tmp_path, rows=rows)


@pytest.mark.parametrize("token", ["pad", "eos"])
def test_a_tokenizer_without_pad_or_eos_is_refused(tmp_path: Path, token: str) -> None:
    tokenizer = tiny_tokenizer()
    model = tiny_llama(tokenizer)
    setattr(tokenizer, f"{token}_token", None)
    with pytest.raises(InputError, match=f"has no {token} token"):
        MagneticPreferenceTrainer(model, FunctionPreference(lambda prompt, a, b: 0.5), config(tmp_path), PROMPTS, processing_class=tokenizer)


def test_completions_must_leave_room_for_a_prompt(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="max_new_tokens must leave room"):
        trainer(tmp_path, max_new_tokens=64)


def test_a_checkpoint_without_its_magnet_is_refused(tmp_path: Path) -> None:
    run = trainer(tmp_path, max_steps=2, save_strategy="steps", save_steps=2)
    run.train()
    checkpoint = tmp_path / "checkpoint-2"
    for file in (checkpoint / "magnet").iterdir():
        file.unlink()
    (checkpoint / "magnet").rmdir()
    with pytest.raises(InputError, match="magnet"):
        trainer(tmp_path, max_steps=4).train(resume_from_checkpoint=str(checkpoint))


def test_only_its_own_configuration_is_taken(tmp_path: Path) -> None:
    from transformers import TrainingArguments

    with pytest.raises(InputError, match="MagneticPreferenceConfig"):
        MagneticPreferenceTrainer(None, None, TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none"))  # type: ignore[arg-type]


# --- the card -----------------------------------------------------------------------------------------------------------------------------


def test_the_model_card_tells_settings_preflight_and_whom_to_cite(tmp_path: Path) -> None:
    run = trainer(tmp_path, max_steps=2)
    run.preflight = "CONFIRMED: it converges."
    run.train()
    run.create_model_card()
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    for part in ("2410.16714", "2206.05825", "CONFIRMED: it converges.", "| magnet_strength | 0.1 |", "mpo:step_size=2.0", "magnetic-preference-optimization"):
        assert part in card
    assert list(tmp_path.glob(".*partial")) == []


def test_settings_are_saved_and_read_again(tmp_path: Path) -> None:
    args = config(tmp_path, step_size=1.5)
    again = json.loads(args.to_json_string())
    assert (again["step_size"], again["group_size"]) == (1.5, 4)
    assert isinstance(args, MagneticPreferenceConfig)
