"""A sequence classifier that reads texts: batches, padding, context, and the refusal of a model that was never trained for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from mmd_games.errors import InputError, require_positive, require_whole, unknown
from mmd_games.llm.preference.protocol import Prompt, prompt_text

DTYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Classifier:
    """Texts in, a row of logits for each out, the same whatever else is in the batch.

    Parameters
    ----------
    model : transformers sequence classifier
        Put into evaluation mode.
    tokenizer : transformers tokenizer
    batch_size : int
        Texts of one forward pass.
    max_tokens : int, optional
        Longest text that is read, in tokens; longer ones are not judged, as half a text would be. By default the model's context.
    name : str
        What messages call it.

    Raises
    ------
    InputError
        For a tokenizer that cannot pad, or settings out of range.
    """

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = 16, max_tokens: int | None = None, name: str = "classifier"):
        require_whole(batch_size=batch_size, max_tokens=max_tokens)
        self.model, self.tokenizer, self.batch_size, self.name = model.eval(), tokenizer, batch_size, name
        context = getattr(model.config, "max_position_embeddings", None) or math.inf
        if max_tokens is not None and max_tokens > context:
            raise InputError(f"max_tokens of {name} is {max_tokens}, more than the {context} tokens of the model's context.")
        self.max_tokens = min(context, tokenizer.model_max_length) if max_tokens is None else max_tokens
        if model.config.pad_token_id is None:
            # A decoder takes the logits of the last token that is no padding, by this number: without it, it refuses batches.
            model.config.pad_token_id = tokenizer.pad_token_id
        if model.config.pad_token_id is None:
            raise InputError(f"The tokenizer of {name} has no padding token, so texts of several lengths make no batch: set tokenizer.pad_token.")
        self.calls = 0

    @classmethod
    def from_pretrained(cls, path: str | Path, *, device: str | None = None, dtype: str = "float32", **settings: Any) -> Self:
        """A classifier from a directory or a name on the hub.

        Raises
        ------
        InputError
            When nothing can be loaded from there, or the weights of the classification head are not among what is.
        """
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        name = settings.get("name", "classifier")
        if dtype not in DTYPES:
            raise unknown(f"dtype of {name}", dtype, DTYPES)
        try:
            model, report = AutoModelForSequenceClassification.from_pretrained(str(path), dtype=DTYPES[dtype], output_loading_info=True)
            tokenizer = AutoTokenizer.from_pretrained(str(path))
        except (OSError, ValueError) as error:
            raise InputError(f"No sequence classifier for {name} can be loaded from '{path}': {str(error).splitlines()[0]}") from None
        if report["missing_keys"]:
            raise InputError(
                f"'{path}' is no trained classifier, so {name} would judge at random: it has no weights for {', '.join(sorted(report['missing_keys']))}."
            )
        return cls(model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")), tokenizer, **settings)

    def require_outputs(self, *counts: int, meaning: str) -> int:
        """Refuse a model whose number of outputs is none of `counts`."""
        outputs = int(self.model.config.num_labels)
        if outputs not in counts:
            raise InputError(f"{self.name} needs a classifier with num_labels = {' or '.join(map(str, counts))}, {meaning}; this one has {outputs}.")
        return outputs

    def read_completion(self, prompt: Prompt, completion: str) -> list[int]:
        """Tokens of a completion after its prompt: chat messages by the tokenizer's chat template, text as it stands.

        Raises
        ------
        InputError
            For chat messages where the tokenizer has no chat template.
        """
        if isinstance(prompt, str):
            return self.read(prompt + completion)
        prompt_text(prompt)  # refuses what is no list of messages
        if not getattr(self.tokenizer, "chat_template", None):
            raise InputError(f"The tokenizer of {self.name} has no chat template, but the prompts are chat messages: set tokenizer.chat_template, or use text.")
        text = self.tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": completion}], tokenize=False)
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]  # the template has written them

    def read(self, text: str) -> list[int]:
        """Tokens of a text, with the special tokens of the tokenizer."""
        return self.tokenizer(text)["input_ids"]

    @torch.no_grad()
    def logits(self, sequences: Sequence[Sequence[int]]) -> Tensor:
        """Logits of each sequence of tokens.

        Returns
        -------
        tensor (N, num_labels)
            float64 on the CPU; a row of NaN for a sequence that is empty or too long.
        """
        results = torch.full((len(sequences), int(self.model.config.num_labels)), torch.nan, dtype=torch.float64)
        fitting = sorted((index for index, tokens in enumerate(sequences) if 0 < len(tokens) <= self.max_tokens), key=lambda index: len(sequences[index]))
        for first in range(0, len(fitting), self.batch_size):
            chosen = fitting[first : first + self.batch_size]
            longest = len(sequences[chosen[-1]])
            tokens = torch.full((len(chosen), longest), int(self.model.config.pad_token_id))
            attended = torch.zeros_like(tokens)
            for row, index in enumerate(chosen):  # padded on the right, so that positions are those of the text alone
                tokens[row, : len(sequences[index])] = torch.tensor(sequences[index])
                attended[row, : len(sequences[index])] = 1
            output = self.model(input_ids=tokens.to(self.model.device), attention_mask=attended.to(self.model.device))
            results[chosen] = output.logits.to("cpu", torch.float64)
            self.calls += len(chosen)
        return results


def logits_of_completions(classifier: Classifier, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]]) -> Tensor:
    """Logits (B, K, num_labels) of every completion after its prompt; a text that stands twice is read once."""
    texts = {(prompt_text(prompt), completion): (prompt, completion) for prompt, group in zip(prompts, completions, strict=True) for completion in group}
    rows = classifier.logits([classifier.read_completion(*pair) for pair in texts.values()])
    found = dict(zip(texts, rows, strict=True))
    return torch.stack([torch.stack([found[prompt_text(prompt), text] for text in group]) for prompt, group in zip(prompts, completions, strict=True)])


def require_temperature(name: str, temperature: float) -> float:
    """Refuse a temperature that is not positive."""
    require_positive(**{f"temperature of {name}": temperature})
    return float(temperature)
