"""Full fine-tuning: the magnet is a frozen copy of the model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from mmd_games.errors import InputError


class CopiedWeights:
    """The model that learns and a frozen copy, or two; tied weights stay tied in each."""

    def __init__(self, model: Any, *, keep_start: bool = False) -> None:
        if getattr(model, "is_quantized", False):
            raise InputError("A quantised model does not learn by itself; give peft_config, so that adapters on it do.")
        self.model = model
        self.kept: tuple[str, ...] = ("magnet", "start") if keep_start else ("magnet",)
        self._copies = {name: copy.deepcopy(model).requires_grad_(False).eval() for name in self.kept}

    @contextmanager
    def using(self, name: str, wrapped: nn.Module | None) -> Iterator[Any]:
        """Yield a copy, without gradient, or None where it was not kept; it is whole on each device, so `wrapped` is not needed."""
        with torch.no_grad():
            kept = self._copies.get(name)
            yield None if kept is None else kept.to(self.model.device)  # the model may have moved since it was copied

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Parameters and buffers; one that is tied counts once."""
        module = self.model if name == "policy" else self._copies[name]
        return {**dict(module.named_parameters()), **dict(module.named_buffers())}
