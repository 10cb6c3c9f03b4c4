"""The run that a preflight speaks of, on a language model of some thousand weights whose completions are single tokens: minutes of training in seconds.

It is the trainer's own update (:class:`mmd_games.llm.MagneticPreferenceTrainer`: same groups, votes, loss, optimizer, clipping, refreshes), with `generate` replaced by one softmax over the
vocabulary; tests/llm/test_preflight_model.py holds it against the trainer itself. Tokens that are no listed completion can be drawn as well, and lose to all that are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mmd_games as mg
from mmd_games.llm.objective import group_payoffs, magnetic_loss
from mmd_games.llm.preflight import RunSettings, Subject

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.llm.tiny import tiny_llama, tiny_tokenizer

PLACES = ("first", "second")
WORDS = tuple(f"move{index}" for index in range(8))
TOKENIZER = tiny_tokenizer((*PLACES, *WORDS))
FIRST_WORD = TOKENIZER.convert_tokens_to_ids(WORDS[0])
LATE = 0.2
COLLAPSED = 0.95
"""A late policy that plays one completion so often has collapsed."""


@dataclass
class Student:
    """A tiny model that plays B prompts with n words each.

    Attributes
    ----------
    model : LlamaForCausalLM
    games : list of PreferenceGame, length B
    """

    model: Any
    games: list[Any]

    @property
    def prompts(self) -> list[str]:
        """As text."""
        return [f"play {place}" for place in PLACES[: len(self.games)]]

    @property
    def listed(self) -> list[str]:
        """The words of the game."""
        return list(WORDS[: self.games[0].actions])

    def log_probs(self) -> Tensor:
        """Of every token as the completion of each prompt: (B, vocabulary)."""
        ids = torch.tensor([TOKENIZER(prompt)["input_ids"] for prompt in self.prompts])
        return torch.log_softmax(self.model(input_ids=ids).logits[:, -1], -1)

    def listed_log_probs(self) -> Tensor:
        """Of the words of the game: (B, n)."""
        return self.log_probs()[:, FIRST_WORD : FIRST_WORD + self.games[0].actions]

    def told(self, settings: RunSettings) -> np.ndarray:
        """What the judge says on average of each pair of tokens, (B, vocabulary, vocabulary): a word beats whatever is no word of the game."""
        count, words = len(TOKENIZER), slice(FIRST_WORD, FIRST_WORD + self.games[0].actions)
        tables = np.full((len(self.games), count, count), 0.5)
        tables[:, words], tables[:, :, words] = 1.0, 0.0
        for table, game in zip(tables, self.games, strict=True):
            table[words, words] = 0.5 + (1 - 2 * settings.judge_flips) * (game.preference - 0.5)
        return tables

    def subject(self) -> Subject:
        """What a preflight is shown: the words of the game, their log-probabilities and their preferences."""
        return Subject(self.model, self.listed_log_probs, np.stack([game.preference for game in self.games]))


def student(specs: Sequence[str], start: Sequence[Sequence[float]], seed: int) -> Student:
    """A tiny model, taught to start from given policies."""
    made = Student(tiny_llama(TOKENIZER, seed=seed).eval(), [mg.games.from_spec(spec) for spec in specs])
    wanted = torch.tensor(np.array(start), dtype=torch.float32)
    optimizer = torch.optim.AdamW(made.model.parameters(), lr=3e-3, weight_decay=0.0)
    for _ in range(150):
        loss = -(wanted * made.listed_log_probs()).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return made


def train(pupil: Student, settings: RunSettings, seed: int) -> np.ndarray:
    """Train it; the policy on the listed words before and after each rollout, (rollouts + 1, B, n), normalised."""
    told = pupil.told(settings)
    weights = list(pupil.model.parameters())
    optimizer = torch.optim.AdamW(
        weights, lr=settings.learning_rate, betas=(settings.adam_beta1, settings.adam_beta2), eps=settings.adam_epsilon, weight_decay=0.0
    )
    with torch.no_grad():
        policy = magnet = pupil.log_probs()
    record = [_listed(pupil, policy)]
    for rollout in range(settings.max_rollouts):
        drawn = draw(policy, settings.group_size, seed, rollout)
        judged = votes(told, drawn.numpy(), settings.judge_votes, np.random.default_rng((seed, rollout)))
        payoff = group_payoffs(torch.as_tensor(judged, dtype=policy.dtype), count_itself=True)
        known = policy.gather(1, drawn), magnet.gather(1, drawn), payoff
        for _ in range(settings.inner_steps):
            loss = magnetic_loss(pupil.log_probs().gather(1, drawn), *known, step_size=settings.step_size, magnet_strength=settings.magnet_strength)
            optimizer.zero_grad()
            loss.backward()
            if settings.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
            optimizer.step()
        with torch.no_grad():
            policy = pupil.log_probs()
        record.append(_listed(pupil, policy))
        if settings.refresh_every and (rollout + 1) % settings.refresh_every == 0:
            magnet = policy
            if settings.reset_optimizer_at_refresh:
                optimizer.state.clear()
    return np.stack(record)


def draw(log_policy: Tensor, size: int, seed: int, rollout: int) -> Tensor:
    """Tokens from softmax over the whole vocabulary, by keys (seed, rollout, prompt) as the trainer's generators have them: (B, K)."""
    rows = []
    for index, row in enumerate(log_policy.double().exp().numpy()):
        rows.append(np.random.default_rng((seed, rollout, index)).choice(len(row), size, p=row / row.sum()))
    return torch.as_tensor(np.stack(rows))


def votes(told: np.ndarray, drawn: np.ndarray, each: int, generator: np.random.Generator) -> np.ndarray:
    """The judge's table of the groups, (B, K, K): shares of `each` votes a pair, drawn once for both orders; the probabilities themselves for 0 votes."""
    tables = np.stack([table[np.ix_(row, row)] for table, row in zip(told, drawn, strict=True)])
    if not each:
        return tables
    first, second = np.triu_indices(drawn.shape[1], 1)
    won = generator.binomial(each, tables[:, first, second]) / each
    tables[:, first, second], tables[:, second, first] = won, 1 - won
    return tables


@dataclass(frozen=True)
class Truth:
    """What a run did: `reaches`, `fails` or `diverges`.

    Attributes
    ----------
    start, late : float
        Exact gap of the start, and the mean over the last fifth of the rollouts; means over seeds and prompts.
    largest : float
        Largest probability of one completion in a late policy, the mean over that fifth.
    target : float
    """

    start: float
    late: float
    largest: float
    target: float

    @property
    def outcome(self) -> str:
        """By the criterion fixed beforehand."""
        if self.late <= self.target:
            return "reaches"
        return "diverges" if self.late >= self.start or self.largest >= COLLAPSED else "fails"


def truth(games: Sequence[Any], records: Sequence[np.ndarray], target: float) -> Truth:
    """Judge the runs of one configuration, by several seeds."""
    preference = np.stack([game.preference for game in games])
    gaps = np.stack([2 * ((preference - 0.5) @ record[..., None])[..., 0].max(-1).mean(-1) for record in records])
    count = max(1, round(LATE * (gaps.shape[1] - 1)))
    largest = max(float(record[-count:].mean(0).max()) for record in records)
    return Truth(float(gaps[:, 0].mean()), float(gaps[:, -count:].mean()), largest, target)


def _listed(pupil: Student, log_policy: Tensor) -> np.ndarray:
    """The policy on the words of the game, normalised."""
    policy = log_policy.double().exp().numpy()[:, FIRST_WORD : FIRST_WORD + pupil.games[0].actions]
    return policy / policy.sum(-1, keepdims=True)
