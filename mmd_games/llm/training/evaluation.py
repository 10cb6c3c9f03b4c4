"""How the policy does on prompts: against its magnet and against its start, by completions drawn anew from all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mmd_games.llm.policy import TransformersGenerator
from mmd_games.llm.preference import symmetrised
from mmd_games.llm.training.judging import judge_groups
from mmd_games.llm.training.prompts import Prompts, PromptTokens

if TYPE_CHECKING:
    from mmd_games.llm.training.trainer import MagneticPreferenceTrainer

EVALUATION = 1
"""Keeps the randomness of evaluation apart from that of rollouts."""


def evaluate_policy(trainer: MagneticPreferenceTrainer, prompts: Prompts) -> dict[str, float]:
    """Means over the prompts, over all processes.

    Returns
    -------
    dict
        ``win_rate/magnet``, ``win_rate/start``: how often a completion of the policy is preferred to one of theirs, `group_size` of each a prompt (a server draws
        from the policy alone, so with one there are none). ``game/gap``: duality gap of the game among the policy's own completions, at them.
        ``judge/failed``: share of pairs without a judgement. ``completions/length``.
    """
    args, world = trainer.args, trainer.args.world_size
    size = args.per_device_eval_batch_size
    whole = math.ceil(len(prompts) / (world * size)) * world * size  # every process judges as often as every other
    totals: dict[str, list[float]] = {}
    for first in range(args.process_index * size, whole, world * size):
        rows = [prompts[index] for index in range(first, min(first + size, len(prompts)))]
        for name, values in _one_batch(trainer, rows, first).items():
            total = totals.setdefault(name, [0.0, 0.0])
            total[0] += float(values.nansum())
            total[1] += float((~values.isnan()).sum())
    sums = torch.tensor([totals[name] for name in sorted(totals)], dtype=torch.float32, device=trainer.accelerator.device)
    sums = trainer.accelerator.reduce(sums, reduction="sum")
    return {name: float(total / count) for name, (total, count) in zip(sorted(totals), sums, strict=True) if count > 0}


def _one_batch(trainer: MagneticPreferenceTrainer, rows: list[PromptTokens], first: int) -> dict[str, Tensor]:
    """Metrics of each prompt: (B,) each."""
    size = trainer.args.group_size
    keys = [(trainer.args.seed, trainer.rollouts, first + index, EVALUATION) for index in range(len(rows))]
    tokens = [row.tokens for row in rows]
    with trainer.accelerator.autocast():
        drawn: dict[str, Any] = {"policy": trainer.generator(trainer.models.model, tokens, keys) if rows else []}
        if isinstance(trainer.generator, TransformersGenerator):
            for name, other in (("magnet", trainer.models.magnet()), ("start", trainer.models.start())):
                with other as module:
                    if module is not None:
                        drawn[name] = trainer.generator(module, tokens, [(*key, len(drawn)) for key in keys]) if rows else []
    texts = [[trainer._decode(completion) for groups in drawn.values() for completion in groups[index]] for index in range(len(rows))]
    wanted = torch.zeros(len(drawn) * size, len(drawn) * size, dtype=torch.bool)
    wanted[:size] = True  # the policy against itself and the others; not these against each other
    judged = judge_groups(trainer.accelerator, trainer.preference_model, [row.prompt for row in rows], texts, mask=wanted, may_be_silent=True)
    table, others = symmetrised(judged), wanted & ~torch.eye(len(wanted), dtype=torch.bool)
    own = table[:, :size, :size]
    metrics = {
        "game/gap": 2.0 * (own.mean(-1).amax(-1) - 0.5),
        "judge/failed": torch.isnan(table[:, others]).double().mean(-1),
        "completions/length": torch.tensor([[len(completion) for completion in group] for group in drawn["policy"]]).double().reshape(len(rows), size).mean(-1),
    }
    for place, name in enumerate(drawn):
        if name != "policy":
            metrics[f"win_rate/{name}"] = table[:, :size, place * size : (place + 1) * size].flatten(1).nanmean(-1)
    return metrics
