"""Many prompts: a family of games with weights, one policy for each, and the gap per prompt and on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.errors import InputError
from mmd_games.games.game import Game, check_policy
from mmd_games.llm.bridge.enumerated import as_game
from mmd_games.llm.preference import PreferenceModel, Prompt, prompt_text


@dataclass(frozen=True, eq=False)
class FamilyGaps:
    """Duality gaps of a language model, prompt by prompt.

    Attributes
    ----------
    names : tuple of str, one for each prompt
    weights : array (prompts,)
        Summing to 1.
    per_prompt : array (prompts,)
        In win probability.
    """

    names: tuple[str, ...]
    weights: np.ndarray
    per_prompt: np.ndarray

    @property
    def mean(self) -> float:
        """By the weights: the gap of the model as a whole, against replies that may depend on the prompt."""
        return float(self.weights @ self.per_prompt)

    @property
    def worst(self) -> str:
        """The name of the prompt with the largest gap."""
        return self.names[int(np.argmax(self.per_prompt))]

    def __str__(self) -> str:
        rows = [f"{gap:.4g}  {name}" for name, gap in zip(self.names, self.per_prompt, strict=True)]
        return "\n".join([f"duality gap {self.mean:.4g} on average over {len(self.names)} prompts, at most {np.max(self.per_prompt):.4g}", *rows])

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        prompts = [
            {"name": name, "weight": weight, "gap": gap} for name, weight, gap in zip(self.names, self.weights.tolist(), self.per_prompt.tolist(), strict=True)
        ]
        return {"mean": self.mean, "worst": self.worst, "prompts": prompts}


@dataclass(frozen=True, eq=False)
class GameFamily:
    """Games of several prompts. Held-out prompts are a family of their own.

    Parameters
    ----------
    games : sequence of Game
    weights : sequence of float, optional
        How often each prompt is asked, in any unit; default all equally.
    names : sequence of str, optional
        Of the prompts; default the games'.

    Raises
    ------
    InputError
        For no game, weights that are not positive, or another number of weights or names than of games.
    """

    games: Sequence[Game]
    weights: Any = None
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        games = tuple(self.games)
        if not games:
            raise InputError("A family needs at least one game.")
        names = tuple(game.name for game in games) if self.names is None else tuple(self.names)
        try:
            weights = np.ones(len(games)) if self.weights is None else np.array(self.weights, dtype=np.float64)
        except (TypeError, ValueError):
            weights = np.zeros(0)
        if weights.shape != (len(games),) or not np.all((weights > 0) & np.isfinite(weights)):
            raise InputError(f"weights must be {len(games)} positive numbers, one for each game, got {self.weights!r}.")
        if len(names) != len(games):
            raise InputError(f"names must be {len(games)}, one for each game, got {len(names)}.")
        weights = weights / weights.sum()
        weights.flags.writeable = False
        for field, value in (("games", games), ("names", names), ("weights", weights)):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.games)

    @classmethod
    def from_preference_model(
        cls, preference_model: PreferenceModel, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], weights: Sequence[float] | None = None
    ) -> Self:
        """The games that a preference model makes of some prompts.

        Parameters
        ----------
        preference_model : PreferenceModel
        prompts : sequence of str or chat messages
            Their texts become the names.
        completions : sequence of sequences of str
            Those of each prompt; their numbers may differ.
        weights : sequence of float, optional

        Raises
        ------
        InputError
            As :func:`as_game` does, or for another number of lists than of prompts.
        """
        if len(completions) != len(prompts):
            raise InputError(f"completions must be {len(prompts)} lists, one for each prompt, got {len(completions)}.")
        games = [as_game(preference_model, prompt, texts) for prompt, texts in zip(prompts, completions, strict=True)]
        return cls(games, weights, [prompt_text(prompt) for prompt in prompts])

    def gaps(self, log_policies: Sequence[Any]) -> FamilyGaps:
        """Duality gap of each prompt's policy, and on average.

        Parameters
        ----------
        log_policies : sequence of arrays (actions of the game,)
            As :func:`enumerated_log_policy` gives them.

        Raises
        ------
        InputError
            When they are not policies of these games.
        """
        if len(log_policies) != len(self):
            raise InputError(f"log_policies must be {len(self)}, one for each game, got {len(log_policies)}.")
        with np.errstate(over="ignore"):
            policies = [check_policy(game, np.exp(np.asarray(logs, dtype=np.float64))) for game, logs in zip(self.games, log_policies, strict=True)]
        gaps = [float(game.gap_of_payoffs(game.payoffs(policy))) for game, policy in zip(self.games, policies, strict=True)]
        return FamilyGaps(tuple(self.names or ()), self.weights, np.array(gaps))

    def equilibria(self) -> list[NashEquilibrium]:
        """A Nash equilibrium of each game, by :func:`mmd_games.nash`."""
        return [nash(game) for game in self.games]
