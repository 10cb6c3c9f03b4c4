"""GRPO of trl 1.16: 8 completions of one prompt a step."""

from __future__ import annotations

from blocks import NEW_TOKENS, Blocks, adapter, common, model_and_tokenizer, prompts, settings
from trl import GRPOConfig, GRPOTrainer

blocks = Blocks("trl", "transformers", "torch")


def reward(completions: list[str], completion_ids: list[list[int]], **kwargs: object) -> list[float]:
    """How many characters there are."""
    blocks.count(completion_ids)
    return [float(len(completion)) for completion in completions]


model, tokenizer = model_and_tokenizer()
arguments = GRPOConfig(
    **common("grpo"), per_device_train_batch_size=settings["completions"], num_generations=settings["completions"], max_completion_length=NEW_TOKENS
)
GRPOTrainer(model, reward, arguments, train_dataset=prompts(), processing_class=tokenizer, peft_config=adapter(), callbacks=[blocks]).train()
