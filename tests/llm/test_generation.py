"""Completions: of the distribution that log-probabilities are computed for, each by its key alone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed
from peft import LoraConfig
from scipy.stats import chi2
from torch.nn.parallel import DistributedDataParallel
from transformers import GenerationConfig

from mmd_games.errors import InputError
from mmd_games.llm.policy import PolicyAndMagnet, TransformersGenerator, completion_log_probs, make_batch
from mmd_games.llm.policy.generation import InverseDistribution, uniforms
from tests.llm.tiny import DEVICE, tiny_llama, tiny_tokenizer

PAD, EOS, WORDS = 0, 1, 7
PROMPTS = [[3, 4, 5, 6], [3], [5, 5]]
KEYS = [(7, 0, index) for index in range(3)]


def llama(seed: int = 0, dtype: torch.dtype = torch.float64) -> Any:
    """Weights large enough that tokens have probabilities from .001 to .7."""
    model: Any = tiny_llama(tiny_tokenizer(), seed=seed, dtype=dtype).to(DEVICE)
    with torch.no_grad():
        model.lm_head.weight.mul_(15)
    return model


def generator(samples: int = 5, length: int = 6, **settings: Any) -> TransformersGenerator:
    return TransformersGenerator(samples, length, **{"eos_id": EOS, "pad_id": PAD, **settings})


def enumerated(length: int, eos: tuple[int, ...] = (EOS,)) -> list[list[int]]:
    """All completions of at most `length` tokens: ended by eos, or cut."""
    growing: list[list[int]] = [[]]
    ended: list[list[int]] = []
    for _ in range(length):
        longer = [[*tokens, token] for tokens in growing for token in range(WORDS)]
        ended += [tokens for tokens in longer if tokens[-1] in eos]
        growing = [tokens for tokens in longer if tokens[-1] not in eos]
    return ended + growing


def chi_square(counts: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Pearson's statistic, with cells of fewer than 5 expected taken together, and what it exceeds once in 10,000 times."""
    rare = expected < 5
    counts, expected = (np.append(cells[~rare], cells[rare].sum()) for cells in (counts, expected))
    return float(((counts - expected) ** 2 / expected).sum()), float(chi2.ppf(1 - 1e-4, len(counts) - 1))


# --- the distribution -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eos", [(EOS,), (EOS, 4)], ids=["one eos", "two eos"])
def test_frequencies_are_the_probabilities(eos: tuple[int, ...]) -> None:
    model, temperature, samples = llama(), 0.7, 3000
    completions = enumerated(2, eos)
    drawn = generator(samples, 2, temperature=temperature, eos_id=list(eos), batch=1000)(model, PROMPTS, KEYS)
    for prompt, group in zip(PROMPTS, drawn, strict=True):
        counts = np.array([sum(tokens == completion for tokens in group) for completion in completions])
        assert counts.sum() == samples  # none but the completions that there are
        with torch.no_grad():
            right, wrong = (
                completion_log_probs(model, make_batch([prompt] * len(completions), completions, PAD, DEVICE), temperature=t).exp().cpu().numpy()
                for t in (temperature, 0.8)
            )
        assert right.sum() == pytest.approx(1, abs=1e-12)
        statistic, bound = chi_square(counts, samples * right)
        assert statistic < bound
        statistic, bound = chi_square(counts, samples * wrong)
        assert statistic > bound  # so many draws tell one temperature from the other


def test_the_distribution_function_is_inverted_at_the_number() -> None:
    numbers = torch.tensor([[0.0], [0.2499], [0.2501], [0.999999999], [1 - 2.0**-53]], dtype=torch.float64)
    scores = torch.log(torch.tensor([0.0, 0.25, 0.25, 0.0, 0.5, 0.0])).expand(5, -1)
    kept = InverseDistribution(numbers, 1.0, 0)(torch.zeros(5, 0, dtype=torch.long), scores)
    assert kept.argmax(-1).tolist() == [1, 1, 2, 4, 4]  # never one of probability zero, at the ends neither
    assert (kept > -torch.inf).sum(-1).tolist() == [1] * 5


def test_settings_of_the_model_are_put_aside() -> None:
    model = llama()
    expected = generator()(model, PROMPTS, KEYS)
    assert len({tuple(tokens) for group in expected for tokens in group}) > 8
    settings = GenerationConfig(
        do_sample=True, top_k=1, top_p=0.1, temperature=0.01, repetition_penalty=9.0, min_new_tokens=5, num_beams=3, suppress_tokens=[4, 5], forced_eos_token_id=EOS,
        no_repeat_ngram_size=1, begin_suppress_tokens=[EOS], bad_words_ids=[[6]], typical_p=0.2, min_p=0.5, eos_token_id=[5], pad_token_id=6, use_cache=False,
        exponential_decay_length_penalty=(1, 5.0), sequence_bias={(6,): -9.0}, renormalize_logits=True, guidance_scale=3.0,
    )  # fmt: skip
    model.generation_config = settings
    assert generator()(model, PROMPTS, KEYS) == expected
    assert model.generation_config is settings


# --- a completion belongs to its key --------------------------------------------------------------------------------------------------------


def test_a_completion_depends_on_its_key_alone() -> None:
    model = llama()
    expected = generator()(model, PROMPTS, KEYS)
    for batch in (1, 2, 7):
        assert generator(batch=batch)(model, PROMPTS, KEYS) == expected
    assert generator()(model, PROMPTS[::-1], KEYS[::-1]) == expected[::-1]
    assert [generator()(model, [prompt], [key])[0] for prompt, key in zip(PROMPTS, KEYS, strict=True)] == expected
    assert [group[:3] for group in expected] == generator(3)(model, PROMPTS, KEYS)
    assert [[tokens[:2] for tokens in group] for group in expected] == generator(length=2)(model, PROMPTS, KEYS)
    torch.manual_seed(1)
    assert generator()(model, PROMPTS, KEYS) == expected
    assert generator()(model, [PROMPTS[0]] * 2, [KEYS[0], (8, 0, 0)])[1] != expected[0]


def test_numbers_of_different_keys_are_different() -> None:
    keys = [(), (0,), (0, 0), (1,), (0, 1), (1, 0), (1, 1), (0, 0, 1)]
    numbers = {float(uniforms(key, sample, 1)[0]) for key in keys for sample in range(3)}
    assert len(numbers) == 3 * len(keys)


def test_ends_and_cuts() -> None:
    drawn = [tokens for group in generator(60, 3)(llama(), PROMPTS, KEYS) for tokens in group]
    assert {len(tokens) for tokens in drawn} == {1, 2, 3}
    assert all(EOS not in tokens[:-1] and (tokens[-1] == EOS or len(tokens) == 3) for tokens in drawn)
    assert any(PAD in tokens[:-1] for tokens in drawn)  # padding is a token like others where the policy says it


# --- whatever the model is wrapped in -------------------------------------------------------------------------------------------------------


def test_the_cache_is_used_and_the_model_left_as_it_was() -> None:
    model = llama()
    expected = generator()(model, PROMPTS, KEYS)
    (getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable)()  # the later name and the earlier one
    model.config.use_cache = False  # as trainers do along with checkpointing
    model.train()
    model.model.layers[0].eval()
    modes, settings, widths = [module.training for module in model.modules()], model.generation_config, []
    handle = model.model.register_forward_pre_hook(lambda _, arguments, named: widths.append(named["input_ids"].shape[1]), with_kwargs=True)
    assert generator()(model, PROMPTS, KEYS) == expected
    handle.remove()
    assert widths[0] == 4 and set(widths[1:]) == {1}
    assert [module.training for module in model.modules()] == modes and model.generation_config is settings and model.config.use_cache is False
    assert torch.is_grad_enabled()


def test_the_policy_draws_not_its_magnet(tmp_path: Path) -> None:
    both = PolicyAndMagnet.from_model(llama(dtype=torch.float32), LoraConfig(r=2, target_modules=["q_proj", "lm_head"]))
    magnet = generator()(both.model, PROMPTS, KEYS)
    with torch.no_grad():
        for name, parameter in both.model.named_parameters():
            if "lora_B.default" in name:
                parameter.normal_(0, 0.3)
    policy = generator()(both.model, PROMPTS, KEYS)
    assert policy != magnet
    with both.magnet() as module:
        assert generator()(module, PROMPTS, KEYS) == magnet
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert generator()(DistributedDataParallel(both.model), PROMPTS, KEYS) == policy
    finally:
        torch.distributed.destroy_process_group()


def test_bad_input() -> None:
    model = llama()
    with pytest.raises(InputError, match="keys must have one entry for each of the 3 prompts, got 2"):
        generator()(model, PROMPTS, KEYS[:2])
    with pytest.raises(InputError, match="A prompt needs at least one token; prompt 1 has none"):
        generator()(model, [[3], []], KEYS[:2])
    with pytest.raises(InputError, match="Prompt 1 has 60 tokens, which with max_new_tokens=6 exceeds the model's context of 64"):
        generator()(model, [[3], [3] * 60], KEYS[:2])
    for eos in ([], None, ["a"]):
        with pytest.raises(InputError, match="eos_id must be a token or several"):
            generator(eos_id=eos)
    for name in ("samples", "length"):
        with pytest.raises(InputError, match="must be a whole number of at least 1"):
            generator(**{name: 0})
    with pytest.raises(InputError, match="batch must be a whole number"):
        generator(batch=0)
    with pytest.raises(InputError, match="temperature must be a positive"):
        generator(temperature=0.0)
    with torch.no_grad():
        model.lm_head.weight[0, 0] = torch.nan
    with pytest.raises(InputError, match="logits of LlamaForCausalLM are not finite"):
        generator()(model, PROMPTS, KEYS)
