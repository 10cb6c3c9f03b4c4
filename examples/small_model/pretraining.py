"""Pre-training on text that the grammar makes, and how near to the grammar a model comes: exactly, for every answer can be written down."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from examples.small_model import grammar

SEQUENCES_AT_ONCE = 128
"""Of a forward pass that measures; memory follows it."""


@dataclass(frozen=True)
class Fidelity:
    """How near a model's answers come to the grammar's, on average over some questions.

    Attributes
    ----------
    loss : float
        Cross-entropy of the model on answers that the grammar draws, the end included, in nats an answer: an expectation over all answers, not an estimate.
    entropy : float
        What that loss is at least: the entropy of the grammar's answers. The difference is KL(grammar‖model).
    grammatical : float
        Probability that the model's answer is one of the grammar's.
    """

    loss: float
    entropy: float
    grammatical: float

    def __str__(self) -> str:
        return (
            f"loss {self.loss:.3f} nats an answer where the grammar's entropy is {self.entropy:.3f}; "
            f"{self.grammatical:.1%} of the answers are grammatical, suitable and true"
        )


def new_model(tokenizer: Any, *, seed: int, hidden: int, layers: int, heads: int) -> LlamaForCausalLM:
    """A Llama with random weights, float32; the same seed gives the same weights."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=64,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def pretrain(
    model: PreTrainedModel,
    tokenizer: Any,
    *,
    seed: int,
    steps: int,
    batch: int,
    learning_rate: float,
    progress: Callable[[int, int, float], None],
) -> None:
    """Train on questions and answers drawn anew at every step, none of them held out: AdamW, a short rise and a cosine to 0.

    The loss counts the question as well as the answer: the model is one of the language. `progress` hears the step, the steps, and the loss in nats a token.
    """
    draw, questions = random.Random(seed), grammar.training_questions()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    rise = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min((step + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * step / max(1, steps))))
    model.train()
    for step in range(steps):
        text = _tokens(tokenizer, grammar.sample(draw, questions, batch), model.device)
        loss = model(input_ids=text.ids, attention_mask=text.mask.long(), labels=text.ids.masked_fill(~text.mask, -100), use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
        progress(step + 1, steps, float(loss.detach()))
    model.eval()


def answer_log_probs(model: PreTrainedModel, tokenizer: Any, question: str) -> np.ndarray:
    """Log-probability of each of the grammar's answers to a question, the end included: (answers,), float64, in the order of ``grammar.completions``."""
    pairs = [(question, answer) for answer in grammar.completions(question)]
    found = []
    for start in range(0, len(pairs), SEQUENCES_AT_ONCE):
        text = _tokens(tokenizer, pairs[start : start + SEQUENCES_AT_ONCE], model.device)
        with torch.no_grad():
            logits = model(input_ids=text.ids, attention_mask=text.mask.long(), use_cache=False).logits[:, :-1]
        log_probs = torch.log_softmax(logits.double(), -1).gather(-1, text.ids[:, 1:, None])[..., 0]
        found.append((log_probs * text.answer_mask[:, 1:]).sum(-1))
    return torch.cat(found).cpu().numpy()


def fidelity(model: PreTrainedModel, tokenizer: Any, questions: Sequence[str]) -> Fidelity:
    """How near the model comes to the grammar on these questions."""
    losses, entropies, masses = [], [], []
    for question in questions:
        log_probs = answer_log_probs(model, tokenizer, question)
        losses.append(-float(np.array(list(grammar.answer_probabilities(question).values())) @ log_probs))
        entropies.append(grammar.entropy(question))
        masses.append(float(np.exp(log_probs).sum()))
    return Fidelity(*(math.fsum(values) / len(questions) for values in (losses, entropies, masses)))


class _Text(NamedTuple):
    """Questions with answers as tokens, right-padded: which token, whether there is one, and whether it is the answer's or its end, all (N, T)."""

    ids: Tensor
    mask: Tensor
    answer_mask: Tensor


def _tokens(tokenizer: Any, pairs: Sequence[tuple[str, str]], device: torch.device) -> _Text:
    prompts = tokenizer([grammar.text_prompt(question) for question, _ in pairs])["input_ids"]
    answers = tokenizer([answer for _, answer in pairs])["input_ids"]
    rows = [torch.tensor([*prompt, *answer, tokenizer.eos_token_id]) for prompt, answer in zip(prompts, answers, strict=True)]
    ids = pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id)
    place = torch.arange(ids.shape[1])
    mask = place < torch.tensor([[len(row)] for row in rows])
    return _Text(ids.to(device), mask.to(device), (mask & (place >= torch.tensor([[len(prompt)] for prompt in prompts]))).to(device))
