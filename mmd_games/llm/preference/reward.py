"""Bradley-Terry: a scalar reward model's preference, which is transitive by its making."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from mmd_games.llm.preference.classifier import Classifier, logits_of_completions, require_temperature
from mmd_games.llm.preference.protocol import Mask, Prompt, group_shape, judged_table, wanted_pairs


class RewardPreference:
    r""":math:`P_{ij} = \sigma\big((r_i - r_j)/\tau\big)`, with the reward :math:`r` a sequence classifier's only output.

    Parameters
    ----------
    model, tokenizer
        A transformers sequence classifier with ``num_labels = 1``, and its tokenizer. Chat prompts are read through the tokenizer's chat template.
    temperature : float
        τ: differences of reward well above it are nearly certain wins.
    batch_size : int
        Completions of one forward pass.
    max_tokens : int, optional
        A prompt with its completion that has more tokens is not judged: its pairs are NaN, and counted. By default the model's context.
    name : str, optional
        What messages call it.

    Attributes
    ----------
    calls : int
        Texts read so far; the same completion of the same prompt counts once a call.
    failures : Counter
        How many completions got no reward, by reason.

    Raises
    ------
    InputError
        For a classifier with more than one output, a tokenizer that cannot pad, or settings out of range.

    References
    ----------
    Bradley & Terry, Rank analysis of incomplete block designs, Biometrika 39 (1952).
    """

    antisymmetric = True

    def __init__(
        self, model: Any, tokenizer: Any, *, temperature: float = 1.0, batch_size: int = 16, max_tokens: int | None = None, name: str = "reward model"
    ):
        self._use(Classifier(model, tokenizer, batch_size=batch_size, max_tokens=max_tokens, name=name), temperature)

    def _use(self, classifier: Classifier, temperature: float) -> None:
        classifier.require_outputs(1, meaning="the reward")
        self.name = classifier.name
        self.classifier = classifier
        self.temperature = require_temperature(self.name, temperature)
        self.failures: Counter[str] = Counter()

    @classmethod
    def from_pretrained(cls, path: str | Path, *, temperature: float = 1.0, name: str = "reward model", **loading: Any) -> Self:
        """A reward model from a directory or a name on the hub; the other settings are those of :meth:`Classifier.from_pretrained`."""
        model = cls.__new__(cls)
        model._use(Classifier.from_pretrained(path, name=name, **loading), temperature)
        return model

    @property
    def calls(self) -> int:
        """Texts read so far."""
        return self.classifier.calls

    def rewards(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]]) -> Tensor:
        """Rewards (B, K) of the completions; NaN for one that is too long to read."""
        return logits_of_completions(self.classifier, prompts, completions)[..., 0]

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """See :class:`PreferenceModel`."""
        wanted = wanted_pairs(mask, *group_shape(prompts, completions, self.name), self.name)
        rewards = self.rewards(prompts, completions)
        self.failures["no reward"] += int(np.count_nonzero(torch.isnan(rewards).numpy()))
        return judged_table(torch.sigmoid((rewards[..., :, None] - rewards[..., None, :]) / self.temperature), wanted)
