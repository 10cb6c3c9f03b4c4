"""Adapters on a model in pieces (FSDP2), cut as accelerate cuts it; here in one piece each, for there is one rank."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from mmd_games.llm.policy import PolicyAndMagnet, TransformersGenerator, completion_log_probs, make_batch
from mmd_games.llm.policy.modules import whole

from .tiny import DEVICE, tiny_llama, tiny_tokenizer

BATCH = make_batch([[3, 4], [3]] * 4, [[4, 5, 5, 6, 3, 4, 1], [6, 1]] * 4, 0, DEVICE)
HALF = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.bfloat16, output_dtype=torch.bfloat16)
"""What accelerate makes of `mixed_precision: bf16`."""


@pytest.fixture(autouse=True)
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.init_process_group("nccl" if DEVICE == "cuda" else "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def adapters(sharper: float = 1.0) -> PolicyAndMagnet:
    """A policy that is not its magnet."""
    torch.manual_seed(1)
    both = PolicyAndMagnet.from_model(tiny_llama(tiny_tokenizer()).to(DEVICE), LoraConfig(r=3, target_modules="all-linear"))
    with torch.no_grad():
        both.model.get_output_embeddings().weight.mul_(sharper)
        for name, parameter in both.model.named_parameters():
            if "lora_B.default" in name:
                parameter.normal_(0, 0.3)
    return both


def in_pieces(both: PolicyAndMagnet, policy: MixedPrecisionPolicy) -> PolicyAndMagnet:
    """Layers, the first embedding, the last norm with the head, and what remains."""
    inner, how = both.model.get_base_model(), {"mesh": init_device_mesh(DEVICE, (1,)), "mp_policy": policy}
    for part in (*inner.model.layers, inner.model.embed_tokens):
        fully_shard(part, **how)
    fully_shard([inner.model.norm, inner.lm_head], reshard_after_forward=False, **how)
    fully_shard(both.model, **how)
    assert isinstance(both.model, FSDPModule)
    return both


def draw(model: Any) -> list[list[list[int]]]:
    return TransformersGenerator(6, 8, eos_id=1, pad_id=0)(model, [[3, 4], [5]], [(0,), (1,)])


def test_completions_come_first_and_are_those_of_the_whole_model() -> None:
    """A rollout begins with them: nothing has been through the wrapper before."""
    complete, pieces = adapters(15.0), in_pieces(adapters(15.0), MixedPrecisionPolicy())
    policy = draw(complete.model)
    for _ in range(2):
        assert draw(pieces.model) == policy
        with torch.no_grad():
            assert torch.equal(completion_log_probs(pieces.model, BATCH), completion_log_probs(complete.model, BATCH))
    with pieces.magnet(pieces.model) as magnet, complete.magnet() as other:
        assert torch.equal(completion_log_probs(magnet, BATCH), completion_log_probs(other, BATCH))
        assert draw(magnet) == draw(other) != policy
    assert not hasattr(pieces.model, "generate_in_pieces")


def scored(both: PolicyAndMagnet, *, autocast: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities, and the gradient of a weighted sum of them to all that learns."""
    with torch.autocast(DEVICE, torch.bfloat16, enabled=autocast):
        log_probs = completion_log_probs(both.model, BATCH)
    (torch.arange(1, len(log_probs) + 1, device=DEVICE) * log_probs).sum().backward()
    return log_probs.detach(), torch.cat([whole(parameter.grad).flatten() for parameter in both.model.parameters() if parameter.requires_grad])


def test_gradients_are_those_of_the_whole_model() -> None:
    for found, exact in zip(scored(in_pieces(adapters(), MixedPrecisionPolicy())), scored(adapters()), strict=True):
        torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-5)


def test_log_probabilities_are_not_rounded_with_the_weights() -> None:
    pieces = in_pieces(adapters(), HALF)
    assert len(draw(pieces.model)) == 2
    (found, gradient), (expected, expected_gradient) = scored(pieces), scored(adapters(), autocast=True)
    assert found.dtype == torch.float32 and not torch.equal(found, found.bfloat16().float())
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-2)  # 7 tokens of logits of size 1 in eight bits; sums of size 14 would be rounded to 0.03
    # Gradients of such small logits are differences of what was rounded: 3% off under autocast, 6% here, where the weights of norms are rounded too.
    assert float((gradient - expected_gradient).norm()) < 0.2 * float(expected_gradient.norm())
