"""Prompts, text or chat, made into tokens once, before anything is trained: what does not fit is said then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from torch.utils.data import Dataset

from mmd_games.errors import InputError

COLUMN = "prompt"


@dataclass(frozen=True)
class PromptTokens:
    """A prompt as the preference model reads it, and as the policy does."""

    prompt: Any
    tokens: list[int]


class Prompts(Dataset[PromptTokens]):
    """The prompts of a dataset with a `prompt` column: text, or a list of chat messages, which the tokenizer's template makes into text.

    Parameters
    ----------
    rows : dataset of mappings
        A `datasets.Dataset`, or a list of dicts.
    tokenizer : PreTrainedTokenizerBase
    longest : int
        Most tokens of a prompt.
    name : str
        What errors call the dataset.

    Raises
    ------
    InputError
        For a dataset without prompts, a prompt that is neither text nor chat, or one that is too long; the row is named.
    """

    def __init__(self, rows: Any, tokenizer: Any, longest: int, name: str):
        if isinstance(rows, Mapping):
            raise InputError(f"{name} is a mapping of datasets ({', '.join(map(str, rows))}); give one of them.")
        if not hasattr(rows, "__len__") or not hasattr(rows, "__getitem__"):
            raise InputError(f"{name} must have a length and rows by index, such as a datasets.Dataset or a list; got {type(rows).__name__}.")
        if len(rows) == 0:
            raise InputError(f"{name} has no rows; at least one prompt is needed.")
        self._prompts = [self._row(rows[index], tokenizer, longest, f"{name}, row {index + 1}") for index in range(len(rows))]

    def __len__(self) -> int:
        return len(self._prompts)

    def __getitem__(self, index: int) -> PromptTokens:
        return self._prompts[index]

    @staticmethod
    def _row(row: Any, tokenizer: Any, longest: int, where: str) -> PromptTokens:
        if not isinstance(row, Mapping) or COLUMN not in row:
            found = ", ".join(map(str, row)) if isinstance(row, Mapping) else type(row).__name__
            raise InputError(f"{where}: there is no column '{COLUMN}', which holds the prompt as text or as chat messages (found: {found}).")
        prompt = row[COLUMN]
        if isinstance(prompt, str):
            tokens = tokenizer(prompt)["input_ids"]
            if tokenizer.eos_token_id is not None and len(tokens) > 1 and tokens[-1] == tokenizer.eos_token_id:
                tokens = tokens[:-1]  # a tokenizer that ends every text would end the prompt before the completion begins
        elif is_chat(prompt):
            if not tokenizer.chat_template:
                raise InputError(f"{where}: the prompt is a chat, and the tokenizer has no chat template: give text, or a tokenizer that has one.")
            try:
                text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
            except (TemplateError, ValueError, TypeError) as error:
                raise InputError(f"{where}: the tokenizer's chat template refuses the prompt ({' '.join(str(error).split())}).") from None
            tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
        else:
            raise InputError(f"{where}: a prompt is text, or a list of messages with 'role' and 'content'; got {type(prompt).__name__}.")
        if not tokens:
            raise InputError(f"{where}: the prompt is empty; at least one token is needed for a completion to follow.")
        if len(tokens) > longest:
            raise InputError(f"{where}: the prompt has {len(tokens):,} tokens, and at most {longest:,} fit (max_prompt_tokens, and the model's context).")
        return PromptTokens(prompt, list(tokens))


def is_chat(prompt: Any) -> bool:
    """Whether this is a list of messages."""
    return (
        isinstance(prompt, Sequence)
        and not isinstance(prompt, str)
        and len(prompt) > 0
        and all(isinstance(message, Mapping) and {"role", "content"} <= set(message) for message in prompt)
    )


def require_tokenizer(tokenizer: Any) -> None:
    """Refuse a tokenizer with which completions have no end, or batches no padding."""
    if tokenizer is None:
        raise InputError("processing_class must be the model's tokenizer; none was given.")
    for token in ("pad", "eos"):
        if getattr(tokenizer, f"{token}_token_id", None) is None:
            remedy = "tokenizer.pad_token = tokenizer.eos_token is the usual remedy" if token == "pad" else "set the one with which the model ends an answer"
            raise InputError(f"The tokenizer has no {token} token (tokenizer.{token}_token_id is None); {remedy}.")


def longest_prompt(model: Any, max_prompt_tokens: int, max_new_tokens: int) -> int:
    """Most tokens of a prompt, by the setting and by the model's context, where the model says what that is.

    Raises
    ------
    InputError
        When the completions alone fill the context.
    """
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        return max_prompt_tokens
    if max_new_tokens >= context:
        raise InputError(f"max_new_tokens must leave room for a prompt in the model's context of {context:,} tokens, got {max_new_tokens:,}.")
    return min(max_prompt_tokens, context - max_new_tokens)


def as_they_are(rows: list[PromptTokens]) -> dict[str, Any]:
    """A batch of prompts is a list of them."""
    return {"rows": rows}
