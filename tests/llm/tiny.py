"""A tokenizer of whole words and a language model of some thousand weights, made in memory: what tests of the language-model column run on."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

RPS = np.array([[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]])
"""Asymmetric rock, paper, scissors; its only equilibrium is (4, 3, 4)/11."""
MOVES = ("rock", "paper", "scissors")
DEVICE = os.environ.get("MMD_GAMES_TEST_DEVICE", "cpu")
"""Where log-probabilities, completions, magnets and training are tested; `MMD_GAMES_TEST_DEVICE=cuda` runs the same tests on a GPU."""


def tiny_tokenizer(words: Sequence[str] = MOVES) -> PreTrainedTokenizerFast:
    """One token a word; pad and eos are tokens 0 and 1."""
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(["<pad>", "<eos>", "<unk>", "play", *words]))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = WhitespaceSplit()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", padding_side="left")


def tiny_llama(tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, hidden: int = 32, layers: int = 2, dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    """A randomly initialised Llama; the same seed gives the same weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config).to(dtype)
