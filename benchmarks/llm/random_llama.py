"""A Llama of random weights, some 1.2 billion of them, and a trainer of it that needs no file: what the benchmark of a GPU measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, PrinterCallback

from mmd_games.llm import MagneticPreferenceConfig, MagneticPreferenceTrainer

RPS = torch.tensor([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]])


@dataclass(frozen=True)
class Sizes:
    """Of the model, of a rollout, and of what the ceilings are measured with."""

    vocabulary: int = 128_256
    hidden: int = 2048
    intermediate: int = 8192
    layers: int = 16
    heads: int = 32
    key_heads: int = 8
    rank: int = 16
    prompt: int = 64
    new: int = 256
    prompts: int = 4
    group: int = 8
    matmul: int = 8192
    copied: int = 2**32
    chunks: tuple[int, ...] = (256, 1024, 4096)
    at_a_time: int = 4
    many: int = 256

    @property
    def sequences(self) -> int:
        """Completions of a rollout."""
        return self.prompts * self.group


TINY = Sizes(512, 64, 128, 2, 4, 2, 4, 4, 8, 2, 4, matmul=64, copied=2**16, chunks=(4, 16), many=16)


class LastWord:
    """A completion's last word is rock, paper or scissors."""

    antisymmetric = True

    def __call__(self, prompts: list[Any], completions: list[list[str]], mask: Any = None) -> Tensor:
        """(B, K, K)."""
        moves = torch.tensor([[int((text.split() or ["w0"])[-1][1:]) % 3 for text in group] for group in completions])
        return RPS[moves[:, :, None], moves[:, None, :]]


def tokenizer_of(sizes: Sizes) -> Any:
    """One token a word."""
    words = {word: index for index, word in enumerate(["<pad>", "<eos>", *(f"w{number}" for number in range(2, sizes.vocabulary))])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", padding_side="left")


def trainer_of(sizes: Sizes, device: str, folder: str, *, adapters: bool, tokenizer: Any, **settings: Any) -> MagneticPreferenceTrainer:
    """A trainer of the random model, whose weights are bfloat16 under adapters, and float32 where they learn themselves."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=sizes.vocabulary, hidden_size=sizes.hidden, intermediate_size=sizes.intermediate, num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads, num_key_value_heads=sizes.key_heads, max_position_embeddings=4 * (sizes.prompt + sizes.new), tie_word_embeddings=True,
        pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    with torch.device(device):
        model = LlamaForCausalLM(config).to(torch.bfloat16 if adapters else torch.float32)
    numbers = torch.randint(2, sizes.vocabulary, (sizes.prompts, sizes.prompt), generator=torch.Generator().manual_seed(1)).tolist()
    rows = [{"prompt": " ".join(f"w{number}" for number in row)} for row in numbers]
    defaults: dict[str, Any] = {
        "report_to": "none", "disable_tqdm": True, "save_strategy": "no", "logging_steps": 1, "measure_every": 0, "bf16": True, "use_cpu": device == "cpu",
        "learning_rate": 1e-4, "max_steps": 3, "per_device_train_batch_size": sizes.prompts, "group_size": sizes.group, "max_new_tokens": sizes.new,
        "step_size": 2.0, "magnet_strength": 0.1, "refresh_every": 2,
    }  # fmt: skip
    trainer = MagneticPreferenceTrainer(
        model,
        LastWord(),
        MagneticPreferenceConfig(output_dir=folder, **{**defaults, **settings}),
        rows,
        processing_class=tokenizer,
        peft_config=LoraConfig(r=sizes.rank, lora_alpha=2 * sizes.rank, target_modules="all-linear", task_type="CAUSAL_LM") if adapters else None,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
