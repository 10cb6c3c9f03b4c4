"""What lies under a wrapped module: the causal language model, its head, and ways to change a module for a while and leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelerate.utils import extract_model_from_parallel
from peft import PeftModel
from torch import Tensor, distributed, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PretrainedConfig, PreTrainedModel

from mmd_games.errors import InputError

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def unwrapped(model: nn.Module) -> Any:
    """The model without what distributes or compiles it: a PeftModel or a causal language model."""
    if isinstance(model, nn.DataParallel):
        raise InputError(
            "The model is wrapped in torch.nn.DataParallel, which copies it at each call; use one process for each device (DistributedDataParallel)."
        )
    return extract_model_from_parallel(model, keep_torch_compile=False)


def causal_model(model: nn.Module) -> Any:
    """The causal language model itself, under PEFT and all other wrappers."""
    inner: Any = unwrapped(model)
    if isinstance(inner, PeftModel):
        inner = inner.get_base_model()
    if not isinstance(inner, PreTrainedModel) or inner.get_output_embeddings() is None:
        raise InputError(f"model must be a causal language model of transformers, with a head that gives logits; got {type(inner).__name__}.")
    return inner


def is_main() -> bool:
    """Whether this process is the one that writes for all."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, also where each rank holds a piece (FSDP); then all ranks must ask."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def assign(target: Tensor, value: Tensor) -> None:
    """Write a value, whole or in the same pieces, into a tensor, to the last bit."""
    if isinstance(target, DTensor) and not isinstance(value, DTensor):
        value = distribute_tensor(value.to(target.device), target.device_mesh, target.placements, src_data_rank=None)  # every rank has it
    target.copy_(value if isinstance(target, DTensor) else whole(value))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode; afterwards each of its parts is back in the mode in which it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def without_dropout(model: nn.Module) -> None:
    """Set every dropout probability of a model to zero, in its modules and in its configuration.

    The log-probabilities of the policy that drew a completion are kept from the rollout on; with dropout the same weights would give others each time.
    """
    config = getattr(model, "config", None)
    text = config.get_text_config() if isinstance(config, PretrainedConfig) else None
    for part in (*model.modules(), config, text):
        if isinstance(part, DROPOUTS):
            part.p = 0.0
        for name, value in list(vars(part).items()) if part is not None else ():
            if isinstance(value, float) and any(
                word in name for word in ("dropout", "pdrop", "layerdrop", "jitter")
            ):  # attention passes its probability on as a number
                setattr(part, name, 0.0)
