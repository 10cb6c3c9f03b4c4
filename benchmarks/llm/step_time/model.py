"""The tiny Qwen3 and its tokenizer that all methods train: `python model.py DIRECTORY`. The same weights for all, read from that directory."""

from __future__ import annotations

import sys

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

WORDS = 1024


def main(directory: str) -> None:
    """Save both."""
    words = ["<pad>", *(f"word{number}" for number in range(1, WORDS)), "<eos>"]  # the last has no row in the model: it is never drawn
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", padding_side="left").save_pretrained(directory)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=WORDS,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=WORDS,
        bos_token_id=None,
    )
    Qwen3ForCausalLM(config).save_pretrained(directory)


if __name__ == "__main__":
    main(sys.argv[1])
