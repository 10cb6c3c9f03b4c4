"""A run is watched: exact duality gaps of the policy as it learns, where the completions of its prompts can be listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from mmd_games import plots
from mmd_games.errors import InputError, require_whole
from mmd_games.llm.bridge import GameFamily, enumerated_log_policy, trace_from_checkpoints
from mmd_games.llm.commands.run_file import RunFile, function_from
from mmd_games.llm.preference import preference_from_config
from mmd_games.llm.training.prompts import Prompts
from mmd_games.report import output_directory

DEFAULT_EVERY = 10
"""Rollouts between two measurements, where the file does not say."""
KEPT = "gaps.npz"
"""What was measured so far, in a checkpoint."""
MOST_TRACES = 4
"""Of so many training prompts the game and the trace are written."""
NAMES = {"train": "training prompts", "eval": "held-out prompts"}


class WatchedPrompts:
    """The games of some prompts, and the policies that were measured on them.

    Attributes
    ----------
    family : GameFamily
    log_policies : list of list of array
        Measurement → prompt → (completions,).
    log_masses : list of float
        Mean over the prompts of the logarithm of the probability that a completion is one of those listed.
    """

    def __init__(self, prompts: Prompts, family: GameFamily, tokens: list[list[list[int]]]):
        self.prompts, self.family, self._tokens = prompts, family, tokens
        self.log_policies: list[list[np.ndarray]] = []
        self.log_masses: list[float] = []

    def measure(self, model: Any, **settings: Any) -> None:
        """Take the model's policy on every prompt."""
        found = [enumerated_log_policy(model, self.prompts[index].tokens, tokens, **settings) for index, tokens in enumerate(self._tokens)]
        self.log_policies.append([policy.log_policy for policy in found])
        self.log_masses.append(float(np.mean([policy.log_mass for policy in found])))

    @property
    def gaps(self) -> np.ndarray:
        """(measurements, prompts)."""
        return np.array([self.family.gaps(logs).per_prompt for logs in self.log_policies])

    @property
    def mean_gaps(self) -> np.ndarray:
        """(measurements,)."""
        return self.gaps @ self.family.weights


class GapWatch(TrainerCallback):
    """Measures at the start, every so many rollouts, and at the end.

    Parameters
    ----------
    trainer : MagneticPreferenceTrainer
    watched : dict of str to WatchedPrompts
        By "train" and "eval".
    every : int
        Rollouts between two measurements.
    """

    def __init__(self, trainer: Any, watched: dict[str, WatchedPrompts], every: int):
        self._trainer, self._watched, self._every = trainer, watched, every
        self.rollouts: list[int] = []
        self.refreshes: list[int] = []

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Where the run starts from; a resumed run goes on with what was measured before."""
        kept = Path(args.output_dir) / f"checkpoint-{state.global_step}" / KEPT
        if state.global_step and kept.is_file():
            with np.load(kept, allow_pickle=False) as arrays:
                self.rollouts, self.refreshes = arrays["rollouts"].tolist(), arrays["refreshes"].tolist()
                for name, watched in self._watched.items():
                    by_prompt = [arrays[f"{name}-{index}"] for index in range(len(watched.prompts))]
                    watched.log_policies = [list(logs) for logs in zip(*by_prompt, strict=True)]
                    watched.log_masses = arrays[f"{name}-masses"].tolist()
        self._measure()

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Into the checkpoint, for a resumed run."""
        if not state.is_world_process_zero:
            return
        arrays: dict[str, Any] = {"rollouts": np.array(self.rollouts), "refreshes": np.array(self.refreshes, dtype=np.int64)}
        for name, watched in self._watched.items():
            arrays |= {f"{name}-{index}": np.array([logs[index] for logs in watched.log_policies]) for index in range(len(watched.prompts))}
            arrays[f"{name}-masses"] = np.array(watched.log_masses)
        np.savez(Path(args.output_dir) / f"checkpoint-{state.global_step}" / KEPT, **arrays)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After the magnet has moved, if it did."""
        if state.global_step % self._trainer.args.inner_steps:
            return
        if self._trainer.refresh_rule.since == 0 and self._trainer.models.refreshes:
            self.refreshes.append(self._trainer.rollouts)
        if self._trainer.rollouts % self._every == 0:
            self._measure()

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Where it ends."""
        self._measure()

    def _measure(self) -> None:
        trainer = self._trainer
        if self.rollouts[-1:] == [trainer.rollouts]:
            return
        self.rollouts.append(trainer.rollouts)
        for watched in self._watched.values():
            watched.measure(trainer.models.model, pad_id=trainer.scorer.pad_id, temperature=trainer.args.temperature, chunk=trainer.scorer.chunk)

    def measured(self) -> dict[str, tuple[float, float]]:
        """First and last of the mean exact gaps, and of the share of the probability that the listed completions have."""
        found = {}
        for name, watched in self._watched.items():
            gaps, masses = watched.mean_gaps, np.exp(watched.log_masses)
            found[f"exact gap, {NAMES[name]}"] = (float(gaps[0]), float(gaps[-1]))
            found[f"listed probability, {NAMES[name]}"] = (float(masses[0]), float(masses[-1]))
        return found

    def save(self, folder: Path) -> list[str]:
        """Write gaps.json and gaps.png, and of the first training prompts the game and the trace, for `mmd-games verify`; returns what to tell."""
        with output_directory(folder / "bridge") as target:
            document = {
                "schema": "mmd_games.gaps/1",
                "rollouts": self.rollouts,
                "refreshes": self.refreshes,
                **{name: {"prompts": list(w.family.names or ()), "gaps": w.gaps.tolist(), "log_masses": w.log_masses} for name, w in self._watched.items()},
            }
            (target / "gaps.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            means = {NAMES[name]: watched.mean_gaps for name, watched in self._watched.items()}
            plots.save(plots.plot_training(self.rollouts, means, "Exact duality gap of the language model", refreshes=self.refreshes), target / "gaps.png")
            first = self._watched["train"]
            for number, game in enumerate(first.family.games[:MOST_TRACES], start=1):
                logs = np.array([logs[number - 1] for logs in first.log_policies])
                trace_from_checkpoints(game, logs, self.rollouts).save(target / f"trace-{number}.npz")
                np.save(target / f"game-{number}.npy", np.asarray(game.table()) + 0.5)
        place = folder / "bridge"
        return [
            f"Wrote the exact gaps and their plot to {place}; the judge of the tables judges the run on a prompt by",
            f"  mmd-games verify {place / 'game-1.npy'} --trace {place / 'trace-1.npz'} --tolerance 0.05",
        ]


def watch_of(run: RunFile, trainer: Any) -> GapWatch | None:
    """The watch of a run's file, already among the trainer's callbacks; None where the file has no bridge.

    Raises
    ------
    InputError
        For completions that are no texts, that are too long, or that the preference model cannot judge.
    """
    if run.bridge is None:
        return None
    every = run.bridge.get("every", DEFAULT_EVERY)
    require_whole(every=every)
    preference = preference_from_config(run.bridge["preference_model"]) if "preference_model" in run.bridge else trainer.preference_model
    watched = {}
    for name, prompts in (("train", trainer.train_dataset), ("eval", trainer.eval_dataset)):
        if prompts is not None:
            texts = [completions_of(run, row.prompt) for row in prompts]
            family = GameFamily.from_preference_model(preference, [row.prompt for row in prompts], texts)
            watched[name] = WatchedPrompts(prompts, family, [[_tokens(trainer, text) for text in listed] for listed in texts])
    watch = GapWatch(trainer, watched, every)
    trainer.add_callback(watch)
    return watch


def completions_of(run: RunFile, prompt: Any) -> list[str]:
    """The texts that are listed for a prompt."""
    source = str((run.bridge or {})["completions"])
    where = f"{run.path}, bridge.completions"
    if source.endswith(".json"):
        try:
            texts = json.loads(Path(source).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{where}: '{source}' cannot be read as a list of texts ({error}).") from None
    else:
        texts = function_from(source, where)(prompt)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{where}: '{source}' must give a list of texts, got {type(texts).__name__}.")
    return texts


def _tokens(trainer: Any, text: str) -> list[int]:
    """A listed completion as the model would draw it: with the eos that ends it, unless it is as long as one may be."""
    tokens, longest = trainer.processing_class(text, add_special_tokens=False)["input_ids"], trainer.args.max_new_tokens
    if not tokens or len(tokens) > longest:
        raise InputError(f"bridge.completions: {text[:60]!r} has {len(tokens)} tokens; a completion has 1 to {longest} (training.max_new_tokens).")
    return tokens if len(tokens) == longest else [*tokens, trainer.processing_class.eos_token_id]
