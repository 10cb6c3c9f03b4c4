"""In which order prompts come: a batch of them is played for all inner steps of a rollout, then the next one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler


class RolloutSampler(Sampler[int]):
    """Indices of prompts, batch by batch, each batch `repeats` times over.

    Every epoch has its own order, drawn from the seed and the epoch alone, so that a resumed run goes on with the same prompts. What is left over at the end of
    an epoch waits for another one; fewer prompts than a batch has are used several times in it.

    Parameters
    ----------
    prompts : int
        How many there are.
    batch : int
        Prompts of a rollout, over all processes and accumulated gradients.
    repeats : int
        Inner steps of a rollout.
    seed : int
    """

    def __init__(self, prompts: int, batch: int, repeats: int, seed: int):
        self.prompts, self.batch, self.repeats, self.seed = prompts, batch, repeats, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of another epoch, from the next iteration on."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.prompts, generator=generator).tolist()
        while len(order) < self.batch:
            order += order[: self.batch - len(order)]
        for first in range(0, len(order) - self.batch + 1, self.batch):
            for _ in range(self.repeats):
                yield from order[first : first + self.batch]

    def __len__(self) -> int:
        return max(1, self.prompts // self.batch) * self.batch * self.repeats
