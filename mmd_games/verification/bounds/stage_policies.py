"""The known policies of solved stages as rows of arrays, with what their stages have: many stages have few policies each, and are judged together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mmd_games.games.game import Game
from mmd_games.verification.bounds.rounding import largest_logs, target_shift

if TYPE_CHECKING:
    from mmd_games.verification.bounds.solved import SolvedStage

ENTRIES = 2**14
"""Numbers of policies worked on at a time, where a stage has no more: about as many as stay in a processor's cache."""


@dataclass(frozen=True, eq=False)
class StagePolicies:
    """Some stages, and a row for each policy that is known in them.

    Attributes
    ----------
    log_magnets, log_targets : array (stages, actions)
        log ρ, and t ≈ log π*.
    stage : array (rows,) of int
        Which of the stages a row is of.
    times : array (rows,) of int
    log_policies : array (rows, actions)
    step_size, strength, error, log_error, ratio, largest_log : array (rows,)
        Of the row's stage, as a :class:`~mmd_games.verification.bounds.solved.SolvedStage` has them; the last is that of all its policies and its magnet.
    """

    log_magnets: np.ndarray
    log_targets: np.ndarray
    stage: np.ndarray
    times: np.ndarray
    log_policies: np.ndarray
    step_size: np.ndarray
    strength: np.ndarray
    error: np.ndarray
    log_error: np.ndarray
    ratio: np.ndarray
    largest_log: np.ndarray

    @classmethod
    def of(cls, stages: Sequence[SolvedStage]) -> StagePolicies:
        """All rows of some stages."""
        counts = [len(stage.times) for stage in stages]
        log_policies, log_magnets = np.concatenate([stage.log_policies for stage in stages]), np.array([stage.log_magnet for stage in stages])
        logs = np.maximum.reduceat(largest_logs(log_policies), np.cumsum([0, *counts[:-1]]))
        numbers = np.array([[stage.step_size, stage.magnet_strength, stage.error, stage.log_error, stage.ratio] for stage in stages])
        step_size, strength, error, log_error, ratio = np.repeat(numbers, counts, axis=0).T
        return cls(
            log_magnets=log_magnets,
            log_targets=np.array([stage.log_policy for stage in stages]),
            stage=np.repeat(np.arange(len(stages)), counts),
            times=np.concatenate([stage.times for stage in stages]),
            log_policies=log_policies,
            step_size=step_size,
            strength=strength,
            error=error,
            log_error=log_error,
            ratio=ratio,
            largest_log=np.repeat(np.maximum(logs, largest_logs(log_magnets)), counts),
        )

    def shift(self, game: Game) -> np.ndarray:
        """How far KL(π*‖π) may be from KL(t‖π): (rows,)."""
        return target_shift(self.error, self.ratio, self.log_targets[self.stage], self.log_policies, game.blocks)


def in_parts(stages: Sequence[SolvedStage]) -> Iterator[StagePolicies]:
    """The rows of all stages, so many stages at a time as have few enough numbers."""
    part: list[SolvedStage] = []
    entries = 0
    for stage in stages:
        entries += stage.log_policies.size
        if part and entries > ENTRIES:
            yield StagePolicies.of(part)
            part, entries = [], stage.log_policies.size
        part.append(stage)
    if part:
        yield StagePolicies.of(part)
