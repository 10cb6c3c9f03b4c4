"""Nash-MD of trl 1.13: a completion of the policy, and one of its mixture with the reference, for each of several prompts."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from blocks import NEW_TOKENS, PROMPT_WORDS, Blocks, adapter, common, model_and_tokenizer, prompts, settings
from torch import nn
from transformers import Qwen3Config
from trl.experimental.nash_md import NashMDConfig, NashMDTrainer

blocks = Blocks("trl", "transformers", "torch")


class Reward(nn.Module):
    """What the trainer takes for a reward model: a completion is worth the number of its last token. The preference is the sigmoid of the difference."""

    base_model_prefix = "backbone"

    def __init__(self) -> None:
        super().__init__()
        self.config = Qwen3Config(name_or_path="reward")

    def backbone(self, input_ids: torch.Tensor, **kwargs: object) -> SimpleNamespace:
        """Of every token its number, as a state of size one."""
        blocks.count([row[PROMPT_WORDS:] for row in input_ids.tolist()])
        return SimpleNamespace(last_hidden_state=input_ids[..., None].float() / 1000)

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """The states themselves."""
        return states


model, tokenizer = model_and_tokenizer()
arguments = NashMDConfig(**common("nash_md"), per_device_train_batch_size=settings["completions"], max_new_tokens=NEW_TOKENS, temperature=1.0)
NashMDTrainer(
    model, reward_funcs=Reward(), args=arguments, train_dataset=prompts(), processing_class=tokenizer, peft_config=adapter(), callbacks=[blocks]
).train()
