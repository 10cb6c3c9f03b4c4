"""Ours: 8 completions of one prompt a step, policy and magnet as two adapters on one base."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from blocks import NEW_TOKENS, Blocks, adapter, common, model_and_tokenizer, prompts, settings

from mmd_games.llm.training import MagneticPreferenceConfig, MagneticPreferenceTrainer

blocks = Blocks("mmd_games", "transformers", "torch")


class Longer:
    """Of two completions the one of more characters is preferred."""

    antisymmetric = True

    def __call__(self, prompts: list[Any], completions: list[list[str]], mask: Any = None) -> torch.Tensor:
        """(B, K, K)."""
        for group in completions:
            blocks.count([text.split() for text in group])  # a word a token
        lengths = np.array([[float(len(text)) for text in group] for group in completions])
        return torch.from_numpy(0.5 + 0.5 * np.sign(lengths[..., :, None] - lengths[..., None, :]))


model, tokenizer = model_and_tokenizer()
arguments = MagneticPreferenceConfig(**common("magnetic"), per_device_train_batch_size=1, group_size=settings["completions"], max_new_tokens=NEW_TOKENS)
MagneticPreferenceTrainer(model, Longer(), arguments, prompts(), processing_class=tokenizer, peft_config=adapter(), callbacks=[blocks]).train()
