"""A classifier that reads both completions at once and says which is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.llm.preference.classifier import Classifier, require_temperature
from mmd_games.llm.preference.diagnostics import symmetrised
from mmd_games.llm.preference.protocol import Mask, Prompt, group_shape, judged_table, prompt_text, wanted_pairs
from mmd_games.llm.preference.templates import check_template, fill

TEMPLATE = "{prompt}\n\nA: {first}\n\nB: {second}"
"""How the two completions are shown, unless the model was trained on another text."""


class PairwisePreference:
    r"""P = :math:`\sigma(l/\tau)` of the only logit of a classifier, or the softmax of its two, on a text that shows both completions.

    Such a model need not agree with itself when the two are shown the other way round. By default both orders are read and averaged,
    :math:`P_{ij} = \tfrac12 (p_{ij} + 1 - p_{ji})`, twice the work.

    Parameters
    ----------
    model, tokenizer
        A transformers sequence classifier with ``num_labels`` 1 (its logit is for the first completion) or 2, and its tokenizer.
    template : str
        The text, with the fields ``{prompt}``, ``{first}`` and ``{second}``: that on which the model was trained.
    first_label : int
        With two labels, the one that means the first completion is better.
    both_orders : bool
        Average both orders. Without, P_ij is what the model says with i shown first, and P_ij + P_ji need not be 1.
    temperature : float
        τ, positive, divides the logits.
    batch_size : int
        Pairs of one forward pass.
    max_tokens : int, optional
        A pair whose text has more tokens is not judged: NaN, and counted. By default the model's context.
    name : str, optional
        What messages call it.

    Attributes
    ----------
    calls : int
        Texts read so far; one that stands twice in a call counts once.
    failures : Counter
        How many texts got no judgement, by reason.

    Raises
    ------
    InputError
        For a classifier with other outputs, a template without its fields, a tokenizer that cannot pad, or settings out of range.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        template: str = TEMPLATE,
        first_label: int = 0,
        both_orders: bool = True,
        temperature: float = 1.0,
        batch_size: int = 16,
        max_tokens: int | None = None,
        name: str = "pairwise model",
    ):
        classifier = Classifier(model, tokenizer, batch_size=batch_size, max_tokens=max_tokens, name=name)
        self._use(classifier, template, first_label, both_orders, temperature)

    def _use(self, classifier: Classifier, template: str, first_label: int, both_orders: bool, temperature: float) -> None:
        self._labels = classifier.require_outputs(1, 2, meaning="whether the first completion is better")
        self.name = classifier.name
        check_template(template, self.name)
        if first_label not in (0, 1):
            raise InputError(f"first_label of {self.name} must be 0 or 1, got {first_label!r}.")
        self.classifier, self.template, self.first_label = classifier, template, first_label
        self.antisymmetric = bool(both_orders)
        self.temperature = require_temperature(self.name, temperature)
        self.failures: Counter[str] = Counter()

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        template: str = TEMPLATE,
        first_label: int = 0,
        both_orders: bool = True,
        temperature: float = 1.0,
        name: str = "pairwise model",
        **loading: Any,
    ) -> Self:
        """A model from a directory or a name on the hub; the other settings are those of :meth:`Classifier.from_pretrained`."""
        model = cls.__new__(cls)
        model._use(Classifier.from_pretrained(path, name=name, **loading), template, first_label, both_orders, temperature)
        return model

    @property
    def calls(self) -> int:
        """Texts read so far."""
        return self.classifier.calls

    def by_order(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """What the model says with i shown first, for :func:`diagnose`: (B, K, K)."""
        wanted = wanted_pairs(mask, *group_shape(prompts, completions, self.name), self.name)
        places = np.argwhere(wanted).tolist()
        texts = [fill(self.template, prompt_text(prompts[group]), completions[group][first], completions[group][second]) for group, first, second in places]
        distinct = list(dict.fromkeys(texts))
        found = dict(zip(distinct, self._judge(distinct).tolist(), strict=True))
        table = np.full(wanted.shape, np.nan)
        table[wanted] = [found[text] for text in texts]
        return judged_table(table, wanted)

    def _judge(self, texts: list[str]) -> Tensor:
        logits = self.classifier.logits([self.classifier.read(text) for text in texts]) / self.temperature
        answers = torch.sigmoid(logits[:, 0]) if self._labels == 1 else torch.softmax(logits, -1)[:, self.first_label]
        self.failures["no judgement"] += int(torch.isnan(answers).sum())
        return answers

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """See :class:`PreferenceModel`. A pair of which only one order could be read is no judgement: it would keep the bias of that order."""
        wanted = wanted_pairs(mask, *group_shape(prompts, completions, self.name), self.name)
        if not self.antisymmetric:
            return self.by_order(prompts, completions, mask)
        table = self.by_order(prompts, completions, wanted | wanted.mT)
        both = ~(torch.isnan(table) | torch.isnan(table.mT))
        return judged_table(torch.where(both, symmetrised(table), torch.nan), wanted)
