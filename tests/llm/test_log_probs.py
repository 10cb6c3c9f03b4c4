"""Log-probabilities of completions: in chunks as without, padded as alone, through wrappers and adapters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
import torch.distributed
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from transformers import CohereConfig, CohereForCausalLM, Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel, GraniteConfig, GraniteForCausalLM

from mmd_games.errors import InputError
from mmd_games.llm import policy
from mmd_games.llm.policy import CausalBatch, completion_log_probs
from mmd_games.llm.policy.adapters import with_adapter
from mmd_games.llm.policy.chunks import LogSoftmaxAt, chunked
from tests.llm.tiny import DEVICE, tiny_llama, tiny_tokenizer

WORDS = 40
make_batch = partial(policy.make_batch, device=DEVICE)
SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
PROMPTS = [[3, 4, 5], [6], [7, 8, 9, 10, 11], [12, 13]]
COMPLETIONS = [[20, 1], [21, 22, 23, 24, 25, 1], [26], [27, 0, 28, 1]]


def llama(dtype: torch.dtype = torch.float64) -> Any:
    return tiny_llama(tiny_tokenizer([str(word) for word in range(WORDS - 4)]), dtype=dtype).to(DEVICE)


def sharper(model: Any) -> Any:
    """Weights ten times as large: logits of size 1 and more, where a cap or a scale is seen."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(10 if parameter.ndim > 1 else 1)
    return model.double().to(DEVICE)


MODELS = {
    "llama": llama,
    "gpt2, tied": lambda: sharper(GPT2LMHeadModel(GPT2Config(vocab_size=WORDS, n_embd=32, n_layer=2, n_head=4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0))),
    "gemma2, capped": lambda: sharper(Gemma2ForCausalLM(Gemma2Config(**SIZES, head_dim=8, final_logit_softcapping=3.0, pad_token_id=0))),
    "cohere, scaled": lambda: sharper(CohereForCausalLM(CohereConfig(**SIZES, logit_scale=0.3))),
    "granite, divided": lambda: sharper(GraniteForCausalLM(GraniteConfig(**SIZES, logits_scaling=8.0))),
}


def naive(model: Any, batch: CausalBatch, temperature: float = 1.0) -> Tensor:
    """All logits at once, from the model's own output."""
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    table = torch.log_softmax(logits[:, :-1].to(torch.promote_types(logits.dtype, torch.float32)) / temperature, -1)
    return (table.gather(-1, batch.input_ids[:, 1:, None])[..., 0] * batch.completion_mask[:, 1:]).sum(-1)


def gradients(model: nn.Module, log_probs: Tensor) -> list[Tensor]:
    """Of a weighted sum, so that each sequence counts otherwise."""
    weights = torch.arange(1, len(log_probs) + 1, dtype=log_probs.dtype, device=DEVICE)
    return list(torch.autograd.grad((weights * log_probs).sum(), [parameter for parameter in model.parameters() if parameter.requires_grad]))


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A process group of one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path_factory.mktemp('group')}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


# --- exactness ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("frozen", [False, True], ids=["head learns", "head frozen"])
def test_chunks_equal_all_logits_at_once(name: str, frozen: bool) -> None:
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    if frozen:
        model.get_output_embeddings().weight.requires_grad_(False)
    batch = make_batch(PROMPTS, COMPLETIONS, 0)
    for temperature in (1.0, 0.7):
        exact, chunked_sum = naive(model, batch, temperature), completion_log_probs(model, batch, temperature=temperature, chunk=3)
        # Sums of at most 6 terms of size 10 in float64; what the model does after its head is measured to 1e-9 at worst (a slope between 0 and 1e-6).
        torch.testing.assert_close(chunked_sum, exact, rtol=0, atol=1e-12 if name in ("llama", "gpt2, tied") else 1e-8)
        for ours, theirs in zip(gradients(model, chunked_sum), gradients(model, exact), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-12 if name in ("llama", "gpt2, tied") else 1e-7)
    assert not torch.allclose(naive(model, batch, 0.7), naive(model, batch, 1.0), rtol=1e-3)  # the temperature matters here


@given(lengths=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 7)), min_size=1, max_size=6), chunk=st.integers(1, 9), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_sequence_does_not_depend_on_its_batch(lengths: list[tuple[int, int]], chunk: int, seed: int) -> None:
    model, draw = llama(), torch.Generator().manual_seed(seed)
    prompts, completions = ([torch.randint(0, WORDS, (pair[part],), generator=draw).tolist() for pair in lengths] for part in (0, 1))
    with torch.no_grad():
        together = completion_log_probs(model, make_batch(prompts, completions, 0), chunk=chunk)
        alone = [completion_log_probs(model, make_batch([prompt], [completion], 5)) for prompt, completion in zip(prompts, completions, strict=True)]
        # By the definition, token after token, without padding or mask.
        for prompt, completion, log_prob in zip(prompts, completions, together, strict=True):
            tables = [
                model(input_ids=torch.tensor([prompt + completion[:place]], device=DEVICE)).logits[0, -1].log_softmax(-1) for place in range(len(completion))
            ]
            # 7 terms of size 4, each to some 100 roundings of the network.
            assert float(log_prob) == pytest.approx(float(sum(table[token] for table, token in zip(tables, completion, strict=True))), abs=1e-11)
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-11)


def test_a_cut_completion_has_the_probability_of_all_that_begin_with_it() -> None:
    model = llama()
    with torch.no_grad():
        cut = completion_log_probs(model, make_batch([[3, 4]], [[20, 21]], 0)).exp()
        longer = completion_log_probs(model, make_batch([[3, 4]] * WORDS, [[20, 21, token] for token in range(WORDS)], 0)).exp().sum()
    assert float(longer) == pytest.approx(float(cut), rel=1e-12)


def test_only_completions_go_through_the_head() -> None:
    model, seen = llama(), []
    original = model.lm_head.forward
    model.lm_head.forward = lambda hidden: seen.append(hidden.shape[0]) or original(hidden)
    with torch.no_grad():
        completion_log_probs(model, make_batch(PROMPTS, COMPLETIONS, 0), chunk=5)
    assert seen == [5, 5, 3]  # 13 completion tokens of 24


def test_float32_and_bfloat16() -> None:
    for dtype, error in ((torch.float32, 1e-5), (torch.bfloat16, 2e-2)):
        model = llama(dtype)
        log_probs = completion_log_probs(model, make_batch(PROMPTS, COMPLETIONS, 0), chunk=4)
        assert log_probs.dtype == torch.float32
        # Logits of size 1 are rounded to 2^-8 in bfloat16, in each of at most 6 tokens.
        torch.testing.assert_close(log_probs, naive(model, make_batch(PROMPTS, COMPLETIONS, 0)), rtol=0, atol=error)
        assert all(torch.isfinite(gradient).all() for gradient in gradients(model, log_probs))


# --- wrappers -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [["q_proj", "v_proj"], ["q_proj", "lm_head"]], ids=["body", "body and head"])
def test_adapters(targets: list[str]) -> None:
    torch.manual_seed(1)
    model: Any = with_adapter(llama(), LoraConfig(r=3, target_modules=targets, init_lora_weights=False))
    batch = make_batch(PROMPTS, COMPLETIONS, 0)
    ours, exact = completion_log_probs(model, batch, chunk=4), naive(model, batch)
    torch.testing.assert_close(ours.double(), exact.double(), rtol=0, atol=1e-5 if ours.dtype == torch.float32 else 1e-12)
    for left, right in zip(gradients(model, ours), gradients(model, exact), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)  # PEFT keeps its factors in float32
    with model.disable_adapter(), torch.no_grad():
        assert not torch.allclose(completion_log_probs(model, batch), ours, atol=1e-3)


@pytest.mark.parametrize("adapters", [False, True], ids=["all weights", "adapters"])
def test_distributed_wrapper_is_called_itself(group: None, adapters: bool) -> None:
    torch.manual_seed(2)
    model: Any = llama()
    if adapters:
        model = with_adapter(model, LoraConfig(r=3, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    batch, wrapped, reduced = make_batch(PROMPTS, COMPLETIONS, 0), DistributedDataParallel(model), []

    def doubling(_, bucket):  # without types: DDP compares them with its own
        """What is reduced arrives twice as large: seen in the gradients only if the wrapper took part."""
        reduced.append(bucket.buffer().numel())
        done: torch.futures.Future[Tensor] = torch.futures.Future(devices=[bucket.buffer().device] if DEVICE == "cuda" else None)
        done.set_result(2 * bucket.buffer())
        return done

    wrapped.register_comm_hook(None, doubling)
    expected = gradients(model, naive(model, batch).double())
    (torch.arange(1, 5, device=DEVICE) * completion_log_probs(wrapped, batch, chunk=4)).sum().backward()
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert sum(reduced) == sum(parameter.numel() for parameter in learning)
    for parameter, gradient in zip(learning, expected, strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient, rtol=1e-4, atol=1e-9 if not adapters else 1e-5)
    with torch.no_grad():
        torch.testing.assert_close(completion_log_probs(wrapped, batch), completion_log_probs(model, batch), rtol=0, atol=0)


def test_the_model_is_left_as_it_was() -> None:
    model = llama().cpu()  # on a GPU a token that does not exist ends the process
    batch = policy.make_batch(PROMPTS, COMPLETIONS, 0)
    before = model(input_ids=batch.input_ids).logits
    completion_log_probs(model, batch)
    broken = CausalBatch(batch.input_ids + WORDS, batch.attention_mask, batch.completion_mask)  # tokens that do not exist
    with pytest.raises(IndexError):
        completion_log_probs(model, broken)
    assert "forward" not in vars(model.lm_head) and not model._forward_hooks
    assert torch.equal(model(input_ids=batch.input_ids).logits, before)


def test_autocast_reaches_the_head() -> None:
    model, batch, kinds = llama(torch.float32), make_batch(PROMPTS, COMPLETIONS, 0), set()
    original = model.lm_head.forward

    def watched(hidden: Tensor) -> Tensor:
        logits = original(hidden)
        kinds.add(logits.dtype)
        return logits

    model.lm_head.forward = watched
    with torch.autocast(DEVICE, torch.bfloat16):
        log_probs = completion_log_probs(model, batch, chunk=4)
        exact = naive(model, batch)
    log_probs.sum().backward()
    assert kinds == {torch.bfloat16} and log_probs.dtype == torch.float32
    torch.testing.assert_close(log_probs, exact, rtol=0, atol=2e-2)


# --- chunks ---------------------------------------------------------------------------------------------------------------------------------


def test_a_frozen_head_is_computed_once_and_a_learning_one_twice() -> None:
    batch = make_batch(PROMPTS, COMPLETIONS, 0)
    for learns, tokens in ((False, 1 + 13), (True, 1 + 2 * 13)):  # one token is spent on the question whether it learns
        model, seen = llama(), []
        model.lm_head.weight.requires_grad_(learns)
        original = model.lm_head.forward
        model.lm_head.forward = lambda hidden, original=original, seen=seen: seen.append(hidden.shape[0]) or original(hidden)
        completion_log_probs(model, batch, chunk=4).sum().backward()
        assert sum(seen) == tokens and max(seen) == 4
        assert (model.lm_head.weight.grad is not None) == learns


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("vocabulary", [1, 3, 1021, 65_537])
def test_log_softmax_over_its_own_logits(vocabulary: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    logits, tokens = 30 * torch.randn(33, vocabulary, dtype=dtype, device=DEVICE), torch.randint(0, vocabulary, (33,), device=DEVICE)
    exact, arriving = torch.log_softmax(logits, -1), torch.randn(33, dtype=dtype, device=DEVICE)
    leaf = logits.requires_grad_()
    values = LogSoftmaxAt.apply(1 * leaf, tokens)
    (gradient,) = torch.autograd.grad(values, leaf, arriving)
    assert torch.equal(values, exact.gather(-1, tokens[:, None])[:, 0])  # the very same function, in other memory
    onehot = torch.nn.functional.one_hot(tokens, vocabulary)
    torch.testing.assert_close(gradient, arriving[:, None] * (onehot - exact.exp()), rtol=1e-5, atol=4 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("learns", [False, True])
def test_a_graph_that_is_kept_gives_the_same_gradient_again(learns: bool) -> None:
    model = llama()
    model.lm_head.weight.requires_grad_(learns)
    parameter, log_probs = model.model.norm.weight, completion_log_probs(model, make_batch(PROMPTS, COMPLETIONS, 0), chunk=4)
    first, second = (torch.autograd.grad(log_probs.sum(), parameter, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_nothing_that_learns_needs_no_gradient() -> None:
    hidden, tokens = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    values = chunked(lambda piece, targets: piece.gather(-1, targets[:, None])[:, 0], hidden, tokens, 2)
    assert not values.requires_grad
    assert torch.equal(values, hidden.gather(-1, tokens[:, None])[:, 0])


# --- bad input ------------------------------------------------------------------------------------------------------------------------------


class Shifted(type(llama())):
    """A model that does something else to its logits."""

    def forward(self, *arguments: Any, **settings: Any) -> Any:
        output = super().forward(*arguments, **settings)
        output.logits = output.logits + 0.1 * output.logits**3
        return output


def test_bad_input() -> None:
    model, batch = llama(), make_batch(PROMPTS, COMPLETIONS, 0)
    with pytest.raises(InputError, match="pairs, got 2 prompts and 1 completions"):
        make_batch([[1], [2]], [[1]], 0)
    with pytest.raises(InputError, match="pairs, got 0 prompts"):
        make_batch([], [], 0)
    with pytest.raises(InputError, match="A prompt needs at least one token; prompt 1 has none"):
        make_batch([[1], []], [[1], [2]], 0)
    with pytest.raises(InputError, match="A completion needs at least one token; completion 0 has none"):
        make_batch([[1]], [[]], 0)
    with pytest.raises(InputError, match="temperature must be a positive"):
        completion_log_probs(model, batch, temperature=0.0)
    with pytest.raises(InputError, match="chunk must be a whole number"):
        completion_log_probs(model, batch, chunk=0)
    with pytest.raises(InputError, match="must be a causal language model of transformers, with a head that gives logits; got LlamaModel"):
        completion_log_probs(model.model, batch)
    with pytest.raises(InputError, match="got Linear"):
        completion_log_probs(nn.Linear(2, 2), batch)
    with pytest.raises(InputError, match="DataParallel, which copies it"):
        completion_log_probs(nn.DataParallel(model), batch)
    with pytest.raises(InputError, match="Shifted changes its logits after the head"):
        completion_log_probs(Shifted(model.config).to(DEVICE), batch)
