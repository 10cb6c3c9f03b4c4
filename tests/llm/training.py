"""A trainer of the tiny model on rock, paper, scissors, with the settings that a test varies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM

from mmd_games.llm import MagneticPreferenceConfig, MagneticPreferenceTrainer
from mmd_games.llm.preference import MatrixPreference

from .tiny import DEVICE, MOVES, RPS, tiny_llama, tiny_tokenizer

PROMPTS = [{"prompt": "play"}, {"prompt": "play play"}, {"prompt": "play play play"}, {"prompt": "rock"}]


def config(folder: Path, **settings: Any) -> MagneticPreferenceConfig:
    """Four rollouts of two prompts with four completions of two tokens at most."""
    defaults: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": DEVICE == "cpu",
        "report_to": "none",
        "disable_tqdm": True,
        "step_size": 2.0,
        "magnet_strength": 0.1,
        "refresh_every": 2,
        "group_size": 4,
        "max_new_tokens": 2,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-2,
        "max_steps": 4,
        "save_strategy": "no",
        "logging_steps": 1,
        "measure_every": 0,
    }
    return MagneticPreferenceConfig(**{**defaults, **settings})


def trainer(folder: Path, *, lora: bool = False, model: Any = None, preference: Any = None, rows: Any = None, **settings: Any) -> MagneticPreferenceTrainer:
    """See :func:`config`."""
    tokenizer = tiny_tokenizer()
    return MagneticPreferenceTrainer(
        tiny_llama(tokenizer) if model is None else model,
        MatrixPreference(list(MOVES), RPS) if preference is None else preference,
        config(folder, **settings),
        PROMPTS if rows is None else rows,
        processing_class=tokenizer,
        peft_config=LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM") if lora else None,
    )


def weights(model: Any) -> dict[str, torch.Tensor]:
    """A copy of all weights."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def largest_difference(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> float:
    """Over all weights."""
    assert first.keys() == second.keys()
    return max(float((first[name].double() - second[name].double()).abs().max()) for name in first)


def loaded(folder: Path) -> Any:
    """The model of a checkpoint."""
    return AutoModelForCausalLM.from_pretrained(folder)
