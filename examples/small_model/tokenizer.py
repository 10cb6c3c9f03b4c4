"""The small model's tokenizer: byte-level BPE trained on the grammar's own text, with a chat template."""

from __future__ import annotations

import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from examples.small_model import grammar

PAD, EOS = "<pad>", "<eos>"
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}{{ message['content'] + '\\n' }}"
    "{%- elif message['role'] == 'assistant' -%}{{ message['content'] + eos_token }}"
    "{%- else -%}{{ raise_exception('The small model knows the roles user and assistant, not ' + message['role'] + '.') }}{%- endif -%}"
    "{%- endfor -%}"
)
"""A question and a line break: a chat reads as the text prompt does, and what follows is the answer."""


def train_tokenizer(seed: int, documents: int, vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: every text can be written in it, and decodes to itself.

    Parameters
    ----------
    seed : int
        Of the text that it is trained on.
    documents : int
        How many questions with answers that text has.
    vocabulary : int
        Most tokens that there may be, 258 at least: the bytes, pad and eos.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[PAD, EOS], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    text = grammar.sample(random.Random(seed), grammar.training_questions(), documents)
    tokenizer.train_from_iterator((grammar.text_prompt(question) + answer for question, answer in text), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, padding_side="left", clean_up_tokenization_spaces=False, model_max_length=64
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast
