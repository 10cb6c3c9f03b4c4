"""Policy and magnet: told apart after training, equal after a refresh bit for bit, kept in checkpoints, and nothing else of the model changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PromptTuningConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from mmd_games.errors import InputError
from mmd_games.llm.policy import PolicyAndMagnet, completion_log_probs, make_batch, without_dropout, without_needless_casts
from mmd_games.llm.policy.adapters import with_adapter
from tests.llm.tiny import DEVICE, tiny_llama, tiny_tokenizer

BATCH = make_batch([[3, 4], [3]], [[4, 5, 1], [6, 1]], 0, DEVICE)


def llama(dtype: torch.dtype = torch.float32, seed: int = 0) -> Any:
    return tiny_llama(tiny_tokenizer(), seed=seed, dtype=dtype).to(DEVICE)


def lora(**settings: Any) -> LoraConfig:
    return LoraConfig(**{"r": 2, "target_modules": ["q_proj", "v_proj"], **settings})


def gpt2() -> Any:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=16, n_layer=1, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)).to(DEVICE)


def with_buffer() -> Any:
    model = llama()
    model.model.register_buffer("seen", torch.zeros(3, device=DEVICE))
    return model


def trained_adapter(**settings: Any) -> Any:
    """A PeftModel that is more than its base."""
    torch.manual_seed(3)
    return with_adapter(llama(), lora(init_lora_weights=False, **settings))


KINDS: dict[str, Callable[[], PolicyAndMagnet]] = {
    "copy": lambda: PolicyAndMagnet.from_model(llama(), keep_start=True),
    "copy, bfloat16": lambda: PolicyAndMagnet.from_model(llama(torch.bfloat16), keep_start=True),
    "copy, tied": lambda: PolicyAndMagnet.from_model(gpt2(), keep_start=True),
    "copy, buffer": lambda: PolicyAndMagnet.from_model(with_buffer(), keep_start=True),
    "lora": lambda: PolicyAndMagnet.from_model(llama(), lora()),
    "lora on bfloat16": lambda: PolicyAndMagnet.from_model(llama(torch.bfloat16), lora()),
    "lora, whole head": lambda: PolicyAndMagnet.from_model(llama(), lora(modules_to_save=["lm_head"])),
    "dora": lambda: PolicyAndMagnet.from_model(llama(), lora(use_dora=True)),
    "rank-stabilised": lambda: PolicyAndMagnet.from_model(llama(), lora(use_rslora=True, rank_pattern={"v_proj": 3})),
    "embedding": lambda: PolicyAndMagnet.from_model(llama(), lora(target_modules=["embed_tokens", "o_proj"])),
    "some tokens": lambda: PolicyAndMagnet.from_model(llama(), lora(trainable_token_indices=[4, 5])),
    "pissa": lambda: PolicyAndMagnet.from_model(llama(), lora(init_lora_weights="pissa")),
    "adapter": lambda: PolicyAndMagnet.from_model(trained_adapter()),
    "adapter in bfloat16": lambda: PolicyAndMagnet.from_model(trained_adapter().to(torch.bfloat16)),
}


def log_probs(both: PolicyAndMagnet) -> dict[str, Tensor]:
    with torch.no_grad():
        found = {"policy": completion_log_probs(both.model, BATCH)}
    with both.magnet() as magnet:
        found["magnet"] = completion_log_probs(magnet, BATCH)
    with both.start() as start:
        assert start is not None
        found["start"] = completion_log_probs(start, BATCH)
    assert not found["magnet"].requires_grad and not found["start"].requires_grad
    return found


def train(both: PolicyAndMagnet, steps: int = 2) -> None:
    learning = [parameter for parameter in both.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        completion_log_probs(both.model, BATCH)[0].backward()
        optimizer.step()
    if "model.seen" in dict(both.model.named_buffers()):
        both.model.model.seen += 1


# --- told apart -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_training_moves_the_policy_alone_and_a_refresh_the_magnet(name: str) -> None:
    both = KINDS[name]()
    before = log_probs(both)
    assert torch.equal(before["magnet"], before["policy"])
    # The start of fresh adapters is the base model: the same function, computed without the terms that are zero.
    torch.testing.assert_close(before["start"], before["policy"], rtol=0, atol=0 if "dora" not in name else 1e-5)
    train(both)
    after = log_probs(both)
    assert torch.all((after["policy"] - before["policy"]).abs() > 1e-3)
    assert torch.equal(after["magnet"], before["magnet"]) and torch.equal(after["start"], before["start"])
    both.refresh()
    refreshed = log_probs(both)
    assert (
        torch.equal(refreshed["magnet"], after["policy"])
        and torch.equal(refreshed["policy"], after["policy"])
        and torch.equal(refreshed["start"], before["start"])
    )
    assert both.refreshes == 1
    train(both)
    again = log_probs(both)
    assert torch.equal(again["magnet"], after["policy"]) and not torch.allclose(again["policy"], after["policy"], atol=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_a_refresh_is_exact_to_the_last_bit_of_every_weight(name: str) -> None:
    both = KINDS[name]()
    train(both)
    both.refresh()
    policy, magnet = both._weights.tensors("policy"), both._weights.tensors("magnet")
    assert policy.keys() == magnet.keys() and policy
    for key, tensor in policy.items():
        assert tensor.dtype == magnet[key].dtype and torch.equal(tensor, magnet[key])
        assert tensor.data_ptr() != magnet[key].data_ptr() or not tensor.numel()


def test_a_refresh_copies_buffers_and_leaves_ties() -> None:
    both = KINDS["copy, buffer"]()
    train(both)
    both.refresh()
    with both.magnet() as magnet:
        assert magnet.model.seen.tolist() == [1, 1, 1]
    tied = KINDS["copy, tied"]()
    with tied.magnet() as magnet:
        assert magnet.lm_head.weight is magnet.transformer.wte.weight and magnet.lm_head.weight is not tied.model.lm_head.weight


def test_fresh_adapters_keep_their_start_at_no_cost() -> None:
    for name in ("lora", "dora", "embedding", "lora, whole head"):
        assert set(KINDS[name]().model.peft_config) == {"default", "magnet"}
    for name in ("adapter", "pissa"):  # PiSSA takes out of the base model what it puts into the adapter
        assert set(KINDS[name]().model.peft_config) == {"default", "magnet", "start"}
    with PolicyAndMagnet.from_model(llama()).start() as start:
        assert start is None


def test_ways_to_initialise_that_change_the_base_do_so_once() -> None:
    with torch.no_grad():
        expected = completion_log_probs(llama(), BATCH)
    # Residue and factors add up to the weights, to some roundings of float32 for each of 64 terms.
    torch.testing.assert_close(log_probs(KINDS["pissa"]())["policy"], expected, rtol=0, atol=1e-4)


def test_the_magnet_leaves_the_stream_of_random_numbers() -> None:
    torch.manual_seed(5)
    with_adapter(llama(), lora())
    expected = torch.rand(3)
    torch.manual_seed(5)
    PolicyAndMagnet.from_model(llama(), lora())
    assert torch.equal(torch.rand(3), expected)


# --- the model is left as it was ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lora", "adapter", "lora, whole head", "copy"])
@pytest.mark.parametrize("part", ["magnet", "start"])
@pytest.mark.parametrize("fails", [False, True])
def test_gradients_and_modes_are_left_as_they_were(name: str, part: str, fails: bool) -> None:
    both = KINDS[name]()
    both.model.train()
    first = next(parameter for parameter in both.model.parameters() if parameter.requires_grad)
    first.requires_grad_(False)  # somebody froze a part of the policy
    both.model.get_submodule("base_model" if name != "copy" else "model").eval()  # and put a part into evaluation mode
    before = {key: parameter.requires_grad for key, parameter in both.model.named_parameters()}
    modes = [module.training for module in both.model.modules()]
    assert any(before.values()) and not any(flag for key, flag in before.items() if ".magnet" in key or ".start" in key)
    try:
        with getattr(both, part)() as module:
            assert not module.training and not torch.is_grad_enabled()
            assert not any(parameter.requires_grad for parameter in both.model.parameters()) or name == "copy"
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert {key: parameter.requires_grad for key, parameter in both.model.named_parameters()} == before
    assert [module.training for module in both.model.modules()] == modes
    assert torch.is_grad_enabled()
    if name != "copy":
        assert both.model.active_adapter == "default"
    train(both, steps=1)  # still learns


def test_one_within_the_other() -> None:
    both = KINDS["adapter"]()
    train(both)
    expected = log_probs(both)
    with both.start() as start:
        with both.magnet() as magnet:
            assert torch.equal(completion_log_probs(magnet, BATCH), expected["magnet"])
        assert torch.equal(completion_log_probs(start, BATCH), expected["start"])
    assert torch.equal(log_probs(both)["policy"], expected["policy"])


def test_a_wrapper_is_what_is_called_with_adapters() -> None:
    wrapper = torch.nn.Sequential()
    with KINDS["lora"]().magnet(wrapper) as module:
        assert module is wrapper
    both = KINDS["copy"]()
    with both.magnet(wrapper) as module:
        assert module not in (wrapper, both.model)


# --- casts ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lora on bfloat16", "dora"])
def test_adapters_that_need_float32_in_between_keep_it(name: str) -> None:
    both = KINDS[name]()
    layers = [module for module in both.model.modules() if isinstance(module, BaseTunerLayer)]
    for autocast in (True, False):
        with pytest.raises(KeyError), without_needless_casts(both.model, autocast):
            assert {layer.cast_input_dtype_enabled for layer in layers} == {not autocast or name == "dora"}
            raise KeyError
        assert all(layer.cast_input_dtype_enabled for layer in layers)


# --- dropout --------------------------------------------------------------------------------------------------------------------------------


def test_without_dropout_log_probs_repeat() -> None:
    torch.manual_seed(0)
    dropping: Any = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=16, n_layer=1, n_head=2)).to(DEVICE)
    attending = llama()
    attending.config.attention_dropout = 0.3
    for layer in attending.model.layers:
        layer.self_attn.attention_dropout = 0.3
    for model in (dropping, attending):
        model.train()
        with torch.no_grad():
            assert not torch.equal(completion_log_probs(model, BATCH), completion_log_probs(model, BATCH))
            without_dropout(model)
            first = completion_log_probs(model, BATCH)
            assert torch.equal(first, completion_log_probs(model, BATCH)) and model.training
            assert torch.equal(first, completion_log_probs(model.eval(), BATCH))
    assert attending.config.attention_dropout == 0 and dropping.config.resid_pdrop == 0 and dropping.config.layer_norm_epsilon == 1e-5


# --- bad input ------------------------------------------------------------------------------------------------------------------------------


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"peft_config\.lora_dropout must be 0, got 0\.1"):
        PolicyAndMagnet.from_model(llama(), lora(lora_dropout=0.1))
    with pytest.raises(InputError, match="lora_dropout must be 0"):
        PolicyAndMagnet.from_model(trained_adapter(lora_dropout=0.1))
    with pytest.raises(InputError, match="PROMPT_TUNING puts prompts before them"):
        PolicyAndMagnet.from_model(llama(), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    with pytest.raises(InputError, match="has adapters already; leave out peft_config"):
        PolicyAndMagnet.from_model(trained_adapter(), lora())
    with pytest.raises(InputError, match="does not allow for a second adapter"):
        PolicyAndMagnet.from_model(llama(), lora(target_modules=["q_proj"], bias="lora_only"))
    both = PolicyAndMagnet.from_model(llama(), lora())
    with pytest.raises(InputError, match="has an adapter called 'magnet' already"):
        PolicyAndMagnet.from_model(both.model)
    merged = trained_adapter()
    merged.merge_adapter()
    with pytest.raises(InputError, match=r"call unmerge_adapter\(\) first"):
        PolicyAndMagnet.from_model(merged)
    half_open: Any = trained_adapter()
    half_open.base_model.model.lm_head.weight.requires_grad_(True)
    with pytest.raises(InputError, match=r"lm_head\.weight' learns but is no part of the adapter"):
        PolicyAndMagnet.from_model(half_open)
    two: PeftModel = trained_adapter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        two.add_adapter("second", lora())
        two.base_model.set_adapter(["default", "second"])
    with pytest.raises(InputError, match="must have one active adapter"):
        PolicyAndMagnet.from_model(two)
    quantised = llama()
    quantised.is_quantized = True
    with pytest.raises(InputError, match="quantised model does not learn by itself; give peft_config"):
        PolicyAndMagnet.from_model(quantised)
