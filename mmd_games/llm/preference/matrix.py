"""A fixed table of win probabilities over known texts: the bridge from a language model back to a matrix game, with a judge's noise where wanted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from mmd_games.errors import InputError, require_whole
from mmd_games.games.preference import PreferenceGame
from mmd_games.llm.preference.protocol import Mask, Prompt, group_shape, is_probability, judged_table, prompt_text, wanted_pairs


class MatrixPreference:
    """Win probabilities looked up by the text of the completions, white space around it aside.

    Parameters
    ----------
    completions : sequence of n str, or mapping of prompts to such
        The listed texts. A mapping has them for each prompt; chat prompts are looked up by :func:`prompt_text`.
    table : array (n, n), or mapping of prompts to such
        ``table[i, j]`` is the probability that text i is preferred to text j; one for all prompts, or one for each.
    outside : float or None
        Probability that a listed text is preferred to one that is not listed; texts that are not listed tie among themselves. `None` refuses such texts.
    votes : int, optional
        A judge's noise: each probability becomes the share of so many Bernoulli draws of that mean. Identical texts tie without a draw.
    seed : int
        Seed of the votes. They depend on it, on the number of the call, on the prompt and on the texts of its group, and not on the batch: so one process and two that
        share the batch see the same votes. A resumed run continues them from ``state_dict()``.
    name : str, optional
        What messages call it.

    Attributes
    ----------
    rounds : int
        Calls so far.

    Raises
    ------
    InputError
        For a table that is no preference of the listed texts (its sentence names the entry), texts listed twice, or settings out of range.

    Examples
    --------
    >>> model = MatrixPreference(["rock", "paper"], [[0.5, 0.1], [0.9, 0.5]])
    >>> model(["play"], [[" paper", "rock", "well"]])[0].numpy().round(2).tolist()
    [[0.5, 0.9, 1.0], [0.1, 0.5, 1.0], [0.0, 0.0, 0.5]]
    """

    antisymmetric = True

    def __init__(
        self,
        completions: Sequence[str] | Mapping[str, Sequence[str]],
        table: Any,
        *,
        outside: float | None = 1.0,
        votes: int | None = None,
        seed: int = 0,
        name: str = "matrix",
    ):
        require_whole(votes=votes)
        require_whole(minimum=0, seed=seed)
        if outside is not None and not is_probability(outside):
            raise InputError(f"outside of {name} must be a probability in [0, 1], or None to refuse texts that are not listed, got {outside!r}.")
        self.name = name
        self.outside = None if outside is None else float(outside)
        self.votes = votes
        self.seed = seed
        self.rounds = 0
        if isinstance(completions, Mapping):
            missing = set(completions) ^ set(table) if isinstance(table, Mapping) else set()
            if missing or not completions:
                raise InputError(f"{name} needs completions and a table for the same prompts, at least one; one of them is missing for {sorted(missing)!r}.")
            self._games = {prompt: self._game(texts, table[prompt] if isinstance(table, Mapping) else table) for prompt, texts in completions.items()}
            self._every_prompt = None
        else:
            self._games = {}
            self._every_prompt = self._game(completions, table)

    def _game(self, texts: Sequence[str], table: Any) -> tuple[dict[str, int], np.ndarray]:
        """Where each text stands, and the table with a last row and column for texts that are not listed."""
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InputError(f"completions of {self.name} must be a list of texts, got {texts!r}.")
        listed = {text.strip(): index for index, text in enumerate(texts)}
        if len(listed) < len(texts):
            raise InputError(f"completions of {self.name} list a text twice: {sorted(texts)!r}.")
        game = PreferenceGame(table, labels=list(listed), name=self.name)
        n = len(listed)
        extended = np.full((n + 1, n + 1), 0.5)
        extended[:n, :n] = game.table() + 0.5
        extended[:n, n] = np.nan if self.outside is None else self.outside
        extended[n, :n] = 1 - extended[:n, n]
        return listed, extended

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """See :class:`PreferenceModel`.

        Raises
        ------
        InputError
            For a prompt that has no table, or a text that is not listed where ``outside`` is `None`.
        """
        groups, size = group_shape(prompts, completions, self.name)
        wanted = wanted_pairs(mask, groups, size, self.name)
        self.rounds += 1
        repeats: Counter[str] = Counter()
        tables = [self._judge(prompt_text(prompt), [text.strip() for text in texts], repeats) for prompt, texts in zip(prompts, completions, strict=True)]
        return judged_table(np.stack(tables), wanted)

    def _judge(self, prompt: str, texts: list[str], repeats: Counter[str]) -> np.ndarray:
        game = self._every_prompt or self._games.get(prompt)
        if game is None:
            raise InputError(f"{self.name} has no table for the prompt {prompt[:80]!r}; it has {len(self._games)} others.")
        listed, extended = game
        if self.outside is None and not set(texts) <= set(listed):
            strange = next(text for text in texts if text not in listed)
            raise InputError(f"{self.name} does not list the completion {strange[:80]!r}, and outside is None (a probability would let it lose).")
        places = np.array([listed.get(text, len(listed)) for text in texts])
        table = extended[np.ix_(places, places)]
        return table if self.votes is None else self._voted(table, prompt, texts, self.votes, repeats)

    def _voted(self, table: np.ndarray, prompt: str, texts: list[str], votes: int, repeats: Counter[str]) -> np.ndarray:
        """Shares of votes for the pairs i < j, mirrored."""
        content = json.dumps([self.seed, self.rounds, prompt, texts])
        digest = hashlib.sha256(json.dumps([content, repeats[content]]).encode()).digest()  # the same group twice in one call is judged twice
        repeats[content] += 1
        shares = np.triu(np.random.default_rng(int.from_bytes(digest)).binomial(votes, np.clip(table, 0, 1)) / votes, 1)
        voted = shares + np.tril(1 - shares.T, -1)
        names = np.array(texts, dtype=object)
        return np.where(names[:, None] == names[None, :], 0.5, voted)

    def state_dict(self) -> dict[str, int]:
        """What a resumed run needs, to see the votes that the uninterrupted one would have seen."""
        return {"rounds": self.rounds}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a saved state."""
        self.rounds = int(state["rounds"])
