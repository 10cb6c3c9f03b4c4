"""What the workers share: settings, prompts, the adapter, and the callback that does a block of steps whenever the driver says so.

Runs in every peer's environment, so it imports nothing of this project.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

WARM_UP = 3
"""Steps before the first that is measured."""
NEW_TOKENS = 32
PROMPT_WORDS = 12

# Standard output belongs to the driver: what libraries print goes to standard error.
_channel = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
torch.set_num_threads(1)
settings: dict[str, Any] = json.loads(sys.argv[1])
steps = WARM_UP + settings["rounds"] * settings["steps"]
"""Optimizer steps of the whole run."""


def model_and_tokenizer() -> tuple[Any, Any]:
    """Those that the driver made, float32."""
    return AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32), AutoTokenizer.from_pretrained(settings["model"])


def prompts() -> Dataset:
    """The same for all: 64 of twelve words."""
    words = [[f"word{1 + (31 * row + 7 * place) % 1000}" for place in range(PROMPT_WORDS)] for row in range(64)]
    return Dataset.from_list([{"prompt": " ".join(row)} for row in words])


def adapter() -> LoraConfig:
    """The same for all."""
    return LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")


def common(name: str) -> dict[str, Any]:
    """Settings of `transformers.TrainingArguments` that all share."""
    return {
        "output_dir": str(Path(settings["model"], name)),
        "max_steps": steps,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
    }


def say(**answer: Any) -> None:
    """A line for the driver."""
    _channel.write(json.dumps(answer) + "\n")
    _channel.flush()


class Blocks(TrainerCallback):
    """Waits before each block until the driver says go, and tells it how long the block took.

    Parameters
    ----------
    versions : sequence of str
        Packages whose versions the driver prints.
    """

    def __init__(self, *versions: str):
        self._versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in versions)
        self._drawn = 0
        self._begun = (0.0, 0.0)

    def count(self, completions: list[list[int]]) -> None:
        """Note completions as tokens that were drawn."""
        self._drawn += sum(map(len, completions))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait where a block begins."""
        if state.global_step < WARM_UP or (state.global_step - WARM_UP) % settings["steps"]:
            return
        if state.global_step == WARM_UP:
            say(ready=self._versions)
        if not sys.stdin.readline():
            raise SystemExit("the driver has gone")
        self._drawn, self._begun = 0, (time.perf_counter(), time.process_time())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Answer where a block ends."""
        done = state.global_step - WARM_UP
        if done > 0 and done % settings["steps"] == 0:
            wall, processor = time.perf_counter() - self._begun[0], time.process_time() - self._begun[1]
            number = settings["steps"]
            say(wall=wall / number, processor=processor / number, tokens=self._drawn / number)
