"""What a run keeps: which steps, and the rows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmd_games.arrays import Array, log_normalise, require_memory, to_numpy
from mmd_games.errors import require_whole


@dataclass(frozen=True, kw_only=True)
class Record:
    """How much of a run is kept.

    Steps are kept on a logarithmic grid and on an even one, about half of the number each; the even grid doubles its stride as the run grows, so a run
    that stops early is recorded as finely as a long one. Gaps are kept at refreshes too (thinned the same way), magnets of every stage always.

    Parameters
    ----------
    gaps : int
        About how many steps have their duality gap, and that of the average policy, recorded.
    policies : int
        About how many steps have their policy recorded; at most `gaps`. The last policy is always there.
    """

    gaps: int = 1000
    policies: int = 200

    def __post_init__(self) -> None:
        require_whole(minimum=4, gaps=self.gaps, policies=self.policies)
        if self.policies > self.gaps:
            require_whole(minimum=self.policies, gaps=self.gaps)


class Rows:
    """Rows by step, on a logarithmic grid up to `steps` and an even grid whose stride doubles once it holds half of `number`."""

    def __init__(self, number: int, steps: int):
        self._half = number // 2
        self._grid = {int(step) for step in np.unique(np.geomspace(1, max(steps, 1), self._half).round())} | {0}
        self._stride = 1
        self.rows: dict[int, Any] = {}

    def wants(self, step: int) -> bool:
        """Whether this step is on one of the grids."""
        return step % self._stride == 0 or step in self._grid

    def horizon(self) -> int:
        """The first step whose row would double the stride, after which fewer rows are wanted."""
        return self._stride * (self._half + 1)

    def candidates(self, begin: int, end: int) -> np.ndarray:
        """The steps after `begin`, or from it on where it is 0, up to `end` that are wanted as things stand; after some more rows fewer may be."""
        even = np.arange(begin // self._stride + 1 if begin else 0, end // self._stride + 1) * self._stride
        grid = np.fromiter(self._grid, dtype=even.dtype)
        return np.union1d(even, grid[(grid > begin) & (grid <= end)])

    def add(self, step: int, row: Any, *, pin: bool = False) -> None:
        """Keep a row, thinning the even grid where it is full; a pinned row stays whatever its step."""
        if pin:
            self._grid.add(step)
        self.rows[step] = row
        if step // self._stride > self._half:
            self._stride *= 2
            self.rows = {kept: row for kept, row in self.rows.items() if self.wants(kept)}


class StageRows:
    """Stages in the parts in which they came: an array run adds one at a time, the compiled loop those of a visit."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, Array, Array, Array]] = []
        self.count, self.last = 0, -1

    def add(self, steps: Sequence[int], log_magnets: Array, magnet_strength: Array, step_size: Array) -> None:
        """Keep stages that begin at some steps, with normalised magnets (stages, ..., actions), under one pair of settings."""
        self._parts.append((np.asarray(steps, dtype=np.int64), log_magnets, magnet_strength, step_size))
        self.count, self.last = self.count + len(steps), steps[-1]

    def of(self, member: int | None, actions: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Iterations, magnets, strengths and step sizes of one run; `member` is its place in a stack, None where it is alone."""

        def setting(value: Array) -> float:
            return float(value if np.ndim(value) == 0 else value[member, 0])

        iterations = np.concatenate([np.zeros(0, dtype=np.int64), *(steps for steps, _, _, _ in self._parts)])
        magnets = np.concatenate([np.zeros((0, actions)), *(part if member is None else part[:, member] for _, part, _, _ in self._parts)])
        lengths = [len(steps) for steps, _, _, _ in self._parts]
        strengths, sizes = (np.repeat(np.array([setting(part[which]) for part in self._parts], dtype=np.float64), lengths) for which in (2, 3))
        return iterations, magnets, strengths, sizes


class Recorder:
    """Collects the rows of one run, or of one stack of runs advancing together."""

    def __init__(self, record: Record, steps: int, blocks: tuple[int, ...]):
        self._blocks = blocks
        self._gaps = Rows(record.gaps, steps)
        self._policies = Rows(record.policies, steps)
        self._refreshes = Rows(record.gaps, steps)
        self.stages = StageRows()

    def wants(self, step: int) -> bool:
        """Whether a row of this step would be kept."""
        return self._gaps.wants(step)

    def horizon(self) -> int:
        """How far the present grid of rows goes."""
        return self._gaps.horizon()

    def candidates(self, begin: int, end: int, refresh_every: int) -> np.ndarray:
        """The steps after `begin`, or from it on where it is 0, up to `end` whose rows may be kept, those of refreshes among them."""
        steps = self._gaps.candidates(begin, end)
        if not refresh_every:
            return steps
        # The stage that begins with the k-th refresh is the (k + 1)-th.
        stages = self._refreshes.candidates(begin // refresh_every + 1, end // refresh_every + 1)
        return np.union1d(steps, (stages - 1) * refresh_every)

    def wants_refresh(self, stage: int) -> bool:
        """Whether the refresh with which a stage begins, the first stage being 1, would be kept."""
        return self._refreshes.wants(stage)

    def add(self, step: int, products: int, gap: Array, average_gap: Array, log_policy: Array, *, pin: bool = False) -> None:
        """Keep a row of a step that is wanted, and a copy of the policy where that is wanted too; a pinned row is kept with its policy."""
        row = (products, gap, average_gap)
        self._gaps.add(step, row, pin=pin)
        if pin or self._policies.wants(step):
            # A copy, so that not all rows of a visit to the compiled loop stay for the sake of one.
            self._policies.add(step, (row, log_policy.copy()), pin=pin)

    def add_refresh(self, stage: int, step: int, products: int, gap: Array, average_gap: Array) -> None:
        """Keep a row of the refresh with which a stage begins."""
        self._refreshes.add(stage, (step, (products, gap, average_gap)))

    def add_stage(self, step: int, state: Any) -> None:
        """Keep the magnet and the settings in force from this step on."""
        magnet = log_normalise(np.zeros_like(to_numpy(state.log_policy)) + to_numpy(state.log_magnet), self._blocks)
        self.stages.add([step], magnet[None], to_numpy(state.magnet_strength), to_numpy(state.step_size))

    def gap_rows(self) -> list[tuple[int, Any]]:
        """All kept rows by step: the grids', the refreshes', and those of kept policies."""
        rows = dict(self._refreshes.rows.values())
        rows |= {step: row for step, (row, _) in self._policies.rows.items()}
        return sorted((rows | self._gaps.rows).items())

    def policy_rows(self) -> list[tuple[int, Array]]:
        """The kept policies by step."""
        return sorted((step, log_policy) for step, (_, log_policy) in self._policies.rows.items())


def require_recording_memory(record: Record, policy_entries: int, stages: int) -> None:
    """Refuse a run whose record would not fit into memory, before it starts."""
    needed = 8.0 * policy_entries * (2 * record.policies + stages)
    require_memory(needed, f"The record of this run ({stages} stages and about {record.policies} policies of {policy_entries} entries)")
