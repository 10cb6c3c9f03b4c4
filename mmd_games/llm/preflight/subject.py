"""The model under test: completions of some prompts, how their log-probabilities follow the weights, and which of them is preferred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmd_games.arrays import log_normalise
from mmd_games.errors import InputError, require_whole
from mmd_games.games.preference import PreferenceGame
from mmd_games.llm.policy import completion_log_probs, make_batch
from mmd_games.llm.preference import symmetrised
from mmd_games.llm.preflight.forecast import Table

FAR = 2**30
"""In place of a rollout's number in the keys of completions: no run gets there."""


class Subject:
    r"""A model with B prompts and n completions of each.

    Where these are all completions that there are, the policy is the model's own. Where they are samples of the model, each stands for the share of the policy that it was drawn with, and as the model
    learns the shares follow the ratio of probabilities, :math:`\log\pi_\theta(y) = \log w(y) + \log p_\theta(y) - \log p_0(y)` up to a constant: importance weights.

    Parameters
    ----------
    module : torch.nn.Module
        What is trained; a probe changes its trainable weights and puts them back.
    log_probs : callable () → tensor (B, n)
        Log-probabilities of the completions by the present weights, with a graph.
    preference : array (B, n, n)
        Win probabilities among them.
    log_start : array (B, n), optional
        The shares :math:`\log w`; default the model's own probabilities.
    name : str

    Raises
    ------
    InputError
        When the shapes do not match, or a table is no preference.
    """

    def __init__(
        self, module: Any, log_probs: Callable[[], Tensor], preference: Any, log_start: Any = None, *, name: str = "the model's own completions"
    ) -> None:
        table = np.asarray(preference, dtype=np.float64)
        with torch.no_grad():
            now = log_probs().detach().double().cpu().numpy()
        if table.ndim != 3 or table.shape[1:] != (now.shape[-1],) * 2 or len(table) != len(now):
            raise InputError(f"preference must have shape (prompts, n, n) for log-probabilities of shape {now.shape}, got {table.shape}.")
        shares = now if log_start is None else np.asarray(log_start, dtype=np.float64)
        if shares.shape != now.shape:
            raise InputError(f"log_start must have the shape of the log-probabilities, {now.shape}, got {shares.shape}.")
        shares = log_normalise(shares, (now.shape[-1],))
        self.module, self.log_probs, self.preference, self.name = module, log_probs, table, name
        self.log_start, self.offset = shares, shares - now
        self.table()  # refuses what is no preference

    def log_policy(self) -> np.ndarray:
        """The policy on the listed completions, by the present weights: (B, n), normalised."""
        with torch.no_grad():
            now = self.log_probs().double().cpu().numpy()
        return log_normalise(now + self.offset, (now.shape[-1],))

    def gaps(self, log_policy: np.ndarray) -> np.ndarray:
        """Exact gap of each prompt: (B, n) → (B,)."""
        return 2 * ((self.preference - 0.5) @ np.exp(log_policy)[..., None])[..., 0].max(-1)

    def table(self) -> Table:
        """The game that its completions are."""
        games = tuple(PreferenceGame(each, name=f"{self.name}, prompt {index}") for index, each in enumerate(self.preference, start=1))
        return Table(self.name, games, self.log_start, self.log_start)

    @classmethod
    def from_trainer(
        cls, trainer: Any, *, prompts: int = 4, samples: int = 64, most: int = 16, judgements: int = 1, completions: Sequence[Sequence[str]] | None = None
    ) -> Subject:
        """A trainer's model on the first prompts of its training data.

        Parameters
        ----------
        trainer : MagneticPreferenceTrainer
            Its model, preference model, generator and tokenizer are used; nothing of it changes.
        prompts : int
            How many.
        samples : int
            Completions that are drawn of each, where none are given.
        most : int
            So many different ones of them are kept, the most frequent.
        judgements : int
            Times that they are judged, the mean being their win probabilities: several where the judge is noisy.
        completions : sequence of sequence of str, optional
            All completions that there are, for each prompt.

        Raises
        ------
        InputError
            When the model gives fewer than two different completions of a prompt, or their judgements fail.
        """
        require_whole(prompts=prompts, samples=samples, judgements=judgements)
        require_whole(2, most=most)
        rows = [trainer.train_dataset[index] for index in range(min(prompts, len(trainer.train_dataset)))]
        tokens = _own_completions(trainer, rows, samples, most) if completions is None else [_encoded(trainer, texts) for texts in completions[: len(rows)]]
        groups, weights = zip(*tokens, strict=True)
        size = min(map(len, groups))
        if size < 2:
            raise InputError(f"The model gives the same completion in all of {samples} samples of a prompt: there is no game among its completions.")
        groups = [group[:size] for group in groups]
        texts = [[trainer.processing_class.decode(list(group), skip_special_tokens=True) for group in each] for each in groups]
        told = [trainer.preference_model([row.prompt for row in rows], texts) for _ in range(judgements)]
        judged = symmetrised(torch.stack(told).double().mean(0)).cpu().numpy()
        if np.isnan(judged).any():
            raise InputError("The preference model failed on some pairs of the model's own completions, so they make no game; see its own messages.")
        batch = make_batch(
            [row.tokens for row in rows for _ in range(size)],
            [list(group) for each in groups for group in each],
            trainer.scorer.pad_id,
            trainer.models.model.device,
        )

        def log_probs() -> Tensor:
            found = completion_log_probs(trainer.models.model, batch, temperature=trainer.args.temperature, chunk=trainer.args.head_chunk)
            return found.reshape(len(rows), size)

        shares = None if completions is not None else np.log(np.array([weight[:size] for weight in weights], dtype=np.float64))
        return cls(trainer.models.model, log_probs, judged, shares)


def _own_completions(trainer: Any, rows: Sequence[Any], samples: int, most: int) -> list[tuple[list[tuple[int, ...]], list[int]]]:
    """The most frequent different completions of each prompt, with how often they were drawn."""
    drawn: list[Counter[tuple[int, ...]]] = [Counter() for _ in rows]
    calls = -(-samples // trainer.args.group_size)
    for call in range(calls):
        keys = [(trainer.args.seed, FAR + call, index) for index in range(len(rows))]
        with torch.no_grad():
            for counter, group in zip(drawn, trainer.generator(trainer.models.model, [row.tokens for row in rows], keys), strict=True):
                counter.update(map(tuple, group))
    kept = [counter.most_common(most) for counter in drawn]
    return [([tokens for tokens, _ in each], [count for _, count in each]) for each in kept]


def _encoded(trainer: Any, texts: Sequence[str]) -> tuple[list[tuple[int, ...]], list[int]]:
    encoded = [tuple(trainer.processing_class(text, add_special_tokens=False)["input_ids"]) for text in texts]
    return encoded, [1] * len(encoded)
