"""Checkpoints against each other: completions of all of them to the same prompts, judged together."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.llm.commands.run_file import RunFile
from mmd_games.loop import StderrProgress
from mmd_games.report import plain


@dataclass(frozen=True, eq=False)
class Tournament:
    """Win rates among checkpoints.

    Attributes
    ----------
    game : PreferenceGame
        Row i, column j: how often a completion of checkpoint i is preferred to one of j, over prompts and completions.
    standard_errors : array (n, n)
        Of the win rates, over the prompts; NaN for one prompt.
    equilibrium : NashEquilibrium
    prompts, samples : int
    failed : float
        Share of pairs without a judgement.
    """

    game: mg.PreferenceGame
    standard_errors: np.ndarray
    equilibrium: mg.NashEquilibrium
    prompts: int
    samples: int
    failed: float

    @property
    def names(self) -> tuple[str, ...]:
        """The checkpoints."""
        assert self.game.labels is not None
        return self.game.labels[0]

    @property
    def gaps(self) -> np.ndarray:
        """Duality gap of each checkpoint alone, (n,): twice what its best opponent here wins against it beyond a half."""
        return 2.0 * self.game.payoff_matrix.max(axis=0)

    @property
    def order(self) -> list[int]:
        """By their part in the equilibrium, then by their gap."""
        return sorted(range(len(self.names)), key=lambda i: (-round(float(self.equilibrium.policy[i]), 12), self.gaps[i], i))

    @property
    def title(self) -> str:
        """What the table shows."""
        return f"Win rates over {self.prompts} prompts, {self.samples} completions of each checkpoint; rows against columns"

    def rows(self) -> list[dict[str, str]]:
        """A row a checkpoint, the best first."""
        table = self.game.preference
        return [
            {
                "rank": str(rank),
                "checkpoint": self.names[i],
                "Nash": f"{self.equilibrium.policy[i]:.3f}",
                "gap alone": f"{self.gaps[i]:.3f}",
                **{f"vs {self.names[j]}": f"{table[i, j]:.3f}" for j in self.order},
            }
            for rank, i in enumerate(self.order, start=1)
        ]

    @property
    def summary(self) -> str:
        """How far the numbers carry."""
        error = float(np.nanmax(self.standard_errors)) if np.any(np.isfinite(self.standard_errors)) else None
        sure = "with one prompt their error is not known"
        if error is not None:
            pairs = np.triu_indices(len(self.names), 1)
            even = int(np.count_nonzero(np.abs(self.game.payoff_matrix)[pairs] <= 2 * self.standard_errors[pairs]))
            sure = f"their standard error over the prompts is at most {error:.3f}, and {even} of {len(pairs[0])} pairs are within two of it from even"
        lost = f"; {self.failed:.1%} of the judgements failed and were left out" if self.failed else ""
        return f"Gap alone: what the best of these checkpoints wins against it, twice, beyond a half. Win rates are means; {sure}{lost}."

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "schema": "mmd_games.tournament/1",
            "checkpoints": list(self.names),
            "win_rates": self.game.preference.tolist(),
            "standard_errors": plain(self.standard_errors),
            "nash": self.equilibrium.policy.tolist(),
            "gaps": self.gaps.tolist(),
            "ranking": [self.names[i] for i in self.order],
            "prompts": self.prompts,
            "samples": self.samples,
            "failed": self.failed,
        }

    def write(self, path: str | os.PathLike[str]) -> None:
        """The win rates as a table that `mmd-games verify` reads, whole or not at all."""
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        try:
            with open(partial, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["", *self.names])
                writer.writerows([name, *map(repr, row)] for name, row in zip(self.names, self.game.preference.tolist(), strict=True))
            os.replace(partial, target)
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror or error}).") from None
        finally:
            partial.unlink(missing_ok=True)


def play(checkpoints: list[str], run: RunFile, *, samples: int, seed: int) -> Tournament:
    """Draw, judge and average.

    Raises
    ------
    InputError
        For fewer than two checkpoints, one named twice, one that cannot be loaded, or a pair of which no judgement succeeded.
    """
    from mmd_games.llm.commands.assembly import load_model, load_rows, load_tokenizer, without_progress_bars
    from mmd_games.llm.preference import check_preferences, preference_from_config, symmetrised
    from mmd_games.llm.training import config_from
    from mmd_games.llm.training.prompts import Prompts, longest_prompt, require_tokenizer

    if len(checkpoints) < 2 or len(set(checkpoints)) < len(checkpoints):
        raise InputError(f"evaluate needs two or more different checkpoints, got {', '.join(checkpoints) or 'none'}.")
    without_progress_bars()
    args, preference = config_from(run.training), preference_from_config(run.preference_model)
    check = getattr(preference, "check", None)
    if check is not None:
        check()
    which = "eval" if "eval" in run.data else "train"
    rows = load_rows(str(run.data[which]), f"{run.path}, data.{which}")
    progress = StderrProgress("checkpoints", gaps=False)
    texts: list[list[str]] = []
    prompts: Prompts | None = None
    for number, path in enumerate(checkpoints):
        tokenizer, model = load_tokenizer(path, path), load_model(path, run.model.get("dtype"), path)
        require_tokenizer(tokenizer)
        prompts = Prompts(rows, tokenizer, longest_prompt(model, args.max_prompt_tokens, args.max_new_tokens), f"data.{which}")
        drawn = _completions(model.to(args.device), tokenizer, prompts, args, samples, (seed, number))
        texts = drawn if not texts else [before + new for before, new in zip(texts, drawn, strict=True)]
        progress(number + 1, len(checkpoints), 0.0)
    assert prompts is not None
    table = check_preferences(preference([row.prompt for row in prompts], texts), len(prompts), len(checkpoints) * samples, type(preference).__name__)
    judged = symmetrised(table).numpy()
    blocks = judged.reshape(len(prompts), len(checkpoints), samples, len(checkpoints), samples)
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(blocks)
        by_prompt = np.where(known, blocks, 0.0).sum((2, 4)) / known.sum((2, 4))
    return tournament_of(checkpoints, by_prompt, samples, float(np.isnan(judged).mean()))


def _completions(model: Any, tokenizer: Any, prompts: Any, args: Any, samples: int, key: tuple[int, ...]) -> list[list[str]]:
    from mmd_games.llm.policy import TransformersGenerator

    generator = TransformersGenerator(
        samples=samples, max_new_tokens=args.max_new_tokens, temperature=args.temperature, eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id
    )
    groups = generator(model, [row.tokens for row in prompts], [(*key, index) for index in range(len(prompts))])
    return [[tokenizer.decode(tokens, skip_special_tokens=True) for tokens in group] for group in groups]


def tournament_of(checkpoints: list[str], by_prompt: np.ndarray, samples: int, failed: float) -> Tournament:
    """Means over the prompts, and their game."""
    judged = np.count_nonzero(~np.isnan(by_prompt), axis=0)
    if np.any(judged == 0):
        row, column = map(int, np.argwhere(judged == 0)[0])
        raise InputError(f"No judgement of {checkpoints[row]} against {checkpoints[column]} succeeded, so there is no win rate.")
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nanmean(by_prompt, axis=0)
        error = np.sqrt(np.nansum((by_prompt - mean) ** 2, axis=0) / (judged - 1) / judged)
    game = mg.PreferenceGame(np.clip(mean, 0.0, 1.0), labels=checkpoints, name="a tournament of checkpoints", symmetrise=True)
    return Tournament(game, error, mg.nash(game), len(by_prompt), samples, failed)
