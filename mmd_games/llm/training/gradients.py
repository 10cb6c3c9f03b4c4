"""The loss of a rollout, pushed back through the policy: in one pass, or in several where the completions do not fit into one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mmd_games.errors import InputError
from mmd_games.llm.training.rollout import Rollout, Scorer


def push_back(model: Any, rollout: Rollout, loss_of: Callable[[Tensor], Tensor], scorer: Scorer, accelerator: Any, known: Tensor | None) -> Tensor:
    """Add the loss's gradient to that of the weights.

    The loss is a function of K numbers a prompt, whose slopes need no graph. So any number of completions goes through the model at a time, and the gradient is the same.

    Parameters
    ----------
    model : module
        The policy as the training loop has wrapped it.
    rollout : Rollout
    loss_of : callable
        Log-probabilities (B, K) to the loss.
    scorer : Scorer
    accelerator : Accelerator
    known : tensor (B, K) or None
        The log-probabilities by the present weights, where they have been computed: with their graph where one pass gives them all.

    Returns
    -------
    tensor ()
        The loss, without a graph.
    """
    prompts, completions, device, shape = rollout.prompts, rollout.completions, accelerator.device, rollout.group.log_policy.shape
    parts = list(scorer.parts(len(completions)))
    batches = [scorer.batch(prompts, completions, part, device) for part in parts] if known is None or len(parts) > 1 else []
    if len(parts) == 1:
        loss = loss_of(scorer.log_probs(model, batches[0]).reshape(shape) if known is None else known)
        _backward(accelerator, loss)
        return loss.detach()
    numbers = (scorer.score(model, prompts, completions, device) if known is None else known).detach().clone().requires_grad_()
    loss = loss_of(numbers)
    (slopes,) = torch.autograd.grad(loss, numbers)
    for part, batch in zip(parts, batches, strict=True):
        last = part is parts[-1]
        with contextlib.nullcontext() if last else accelerator.no_sync(model):
            _backward(accelerator, (scorer.log_probs(model, batch) * slopes.flatten()[part]).sum())
    return loss.detach()


def _backward(accelerator: Any, loss: Tensor) -> None:
    # DeepSpeed would divide by the accumulated steps once more.
    scale = {"scale_wrt_gas": False} if accelerator.distributed_type == "DEEPSPEED" else {}
    accelerator.backward(loss, **scale)


def require_precision(model: Any) -> None:
    """Refuse weights that learn in half precision, in which most small steps are rounded away.

    Raises
    ------
    InputError
    """
    coarse = next((weight.dtype for weight in model.parameters() if weight.requires_grad and weight.dtype in (torch.bfloat16, torch.float16)), None)
    if coarse is not None:
        raise InputError(
            f"The model's weights learn in {str(coarse).removeprefix('torch.')}, in which most steps of the learning rate are rounded away: load it in float32 "
            "and set bf16 to compute in half precision, or give peft_config, whose adapters are float32."
        )
