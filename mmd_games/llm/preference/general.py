"""The general preference model: embeddings whose skew product says who wins, so that preferences can go in circles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.llm.preference.classifier import Classifier, logits_of_completions, require_temperature
from mmd_games.llm.preference.protocol import Mask, Prompt, group_shape, judged_table, wanted_pairs


class GeneralPreference:
    r""":math:`P_{ij} = \sigma\big(\langle R v_i, v_j \rangle / \tau\big)`, with the embedding :math:`v` of a completion the 2k outputs of a sequence classifier.

    R is block-diagonal with blocks [[0, −1], [1, 0]]: the same game as :class:`mmd_games.GeneralPreferenceGame` on these embeddings.

    Parameters
    ----------
    model, tokenizer
        A transformers sequence classifier with an even ``num_labels``, and its tokenizer. Chat prompts are read through the tokenizer's chat template.
    temperature : float
        τ, positive.
    normalise : bool
        Divide every embedding by its length, as models that were trained so need.
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
        How many completions got no embedding, by reason.

    Raises
    ------
    InputError
        For a classifier with an odd number of outputs, a tokenizer that cannot pad, or settings out of range.

    References
    ----------
    Zhang et al., General Preference Modeling with Preference Representations for Aligning Language Models, arXiv 2410.02197.
    """

    antisymmetric = True

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        temperature: float = 1.0,
        normalise: bool = False,
        batch_size: int = 16,
        max_tokens: int | None = None,
        name: str = "general preference model",
    ):
        self._use(Classifier(model, tokenizer, batch_size=batch_size, max_tokens=max_tokens, name=name), temperature, normalise)

    def _use(self, classifier: Classifier, temperature: float, normalise: bool) -> None:
        outputs = int(classifier.model.config.num_labels)
        if outputs % 2:
            raise InputError(f"{classifier.name} needs a classifier with an even num_labels, the dimensions of its embeddings; this one has {outputs}.")
        self.name = classifier.name
        self.classifier = classifier
        self.temperature = require_temperature(self.name, temperature)
        self.normalise = normalise
        self.failures: Counter[str] = Counter()

    @classmethod
    def from_pretrained(
        cls, path: str | Path, *, temperature: float = 1.0, normalise: bool = False, name: str = "general preference model", **loading: Any
    ) -> Self:
        """A model from a directory or a name on the hub; the other settings are those of :meth:`Classifier.from_pretrained`."""
        model = cls.__new__(cls)
        model._use(Classifier.from_pretrained(path, name=name, **loading), temperature, normalise)
        return model

    @property
    def calls(self) -> int:
        """Texts read so far."""
        return self.classifier.calls

    def embeddings(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]]) -> Tensor:
        """Embeddings (B, K, 2k) of the completions, NaN for one that is too long to read."""
        vectors = logits_of_completions(self.classifier, prompts, completions)
        return vectors / vectors.norm(dim=-1, keepdim=True) if self.normalise else vectors

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """See :class:`PreferenceModel`."""
        wanted = wanted_pairs(mask, *group_shape(prompts, completions, self.name), self.name)
        vectors = self.embeddings(prompts, completions)
        self.failures["no embedding"] += int(np.count_nonzero(torch.isnan(vectors).any(-1).numpy()))
        return judged_table(torch.sigmoid(skew_scores(vectors) / self.temperature), wanted)


def skew_scores(vectors: Tensor) -> Tensor:
    r""":math:`\langle R v_i, v_j \rangle = \sum_l \big(v_{i,2l-1} v_{j,2l} - v_{i,2l} v_{j,2l-1}\big)`, (..., K, 2k) → (..., K, K), exactly skew-symmetric."""
    areas = vectors[..., 0::2] @ vectors[..., 1::2].mT
    return areas - areas.mT
