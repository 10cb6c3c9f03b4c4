"""Peak memory of the language-model column: the chunked head against all logits at once, and adapters against full copies.

Every figure is of a process of its own, with one thread; variants alternate, and medians over the rounds are shown. Memory is the peak of the resident set (VmHWM of
Linux); "over the base" is without what the imports and the model take before the first call. Time is processor time of forward and backward.

Head: 8 sequences of 512 tokens over 65,536 tokens of vocabulary, float32, two layers of width 256, so that the head is nearly all there is. Models: one step of
training (π_t, magnet, forward, backward, Adam) of a Llama of 100 million weights on 8 completions of 128 tokens, all in one forward pass, with the chunked head
throughout. "Full copies" holds policy, π_t and magnet as three models; ours keeps π_t's log-probabilities only. There the C library gives back freed memory above a megabyte at
once, for all variants alike (MALLOC_MMAP_THRESHOLD_): by default it may keep it in pieces, and the peak of one and the same program varies by half a gigabyte.

    python benchmarks/llm/memory.py [ROUNDS] > benchmarks/results/llm_memory.txt

It exits with 1 where the head needs more than 1/6 of the naive peak or 1.3 times its time, or adapters more than .6 of full copies. About five minutes a round.
"""

from __future__ import annotations

import builtins
import copy
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

VOCABULARY, SEQUENCES, LENGTH = 65_536, 8, 512
ASKED_HEAD, ASKED_TIME, ASKED_MODELS = 1 / 6, 1.3, 0.6
REPEATS = 2
HEADS = ("naive", "chunked", "chunked, one sequence at a time")
MODELS = ("full copies: policy, π_t, magnet", "full fine-tuning: policy, magnet", "LoRA: policy and magnet as adapters")


def resident(field: str) -> float:
    """VmRSS or VmHWM of this process in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def measured(once: Callable[[], None], repeats: int) -> dict[str, float]:
    """Base and peak in MB, processor seconds of a call."""
    base = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        once()
        seconds.append(time.process_time() - start)
    return {"base": base, "peak": resident("VmHWM"), "seconds": statistics.median(seconds)}


def llama(**sizes: int) -> Any:
    """A Llama with random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**sizes))  # type: ignore[arg-type]


def sequences(vocabulary: int, count: int, length: int, prompt: int) -> tuple[list[list[int]], list[list[int]]]:
    """Random prompts and completions, `length` tokens together."""
    import torch

    rows = torch.randint(0, vocabulary, (count, length), generator=torch.Generator().manual_seed(1)).tolist()
    return [row[:prompt] for row in rows], [row[prompt:] for row in rows]


def head(variant: str, frozen: bool) -> dict[str, float]:
    """Log-probabilities and their gradient."""
    import torch

    from mmd_games.llm.policy import completion_log_probs, make_batch

    model = llama(vocab_size=VOCABULARY, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=8)
    if frozen:
        model.lm_head.requires_grad_(False)
        model.model.embed_tokens.requires_grad_(False)
    prompts, completions = sequences(VOCABULARY, SEQUENCES, LENGTH, 1)
    batch = make_batch(prompts, completions, 0)

    def naive() -> None:
        table = torch.log_softmax(model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits, -1)[:, :-1]
        (table.gather(-1, batch.input_ids[:, 1:, None])[..., 0] * batch.completion_mask[:, 1:]).sum(-1).sum().backward()
        model.zero_grad()

    def chunked() -> None:
        completion_log_probs(model, batch).sum().backward()
        model.zero_grad()

    def one_at_a_time() -> None:
        for prompt, completion in zip(prompts, completions, strict=True):
            completion_log_probs(model, make_batch([prompt], [completion], 0)).sum().backward()
        model.zero_grad()

    return measured(dict(zip(HEADS, (naive, chunked, one_at_a_time), strict=True))[variant], REPEATS)


def models(variant: str) -> dict[str, float]:
    """One step of training, from the model alone on."""
    import torch
    from peft import LoraConfig

    from mmd_games.llm.objective import magnetic_loss
    from mmd_games.llm.policy import PolicyAndMagnet, completion_log_probs, make_batch

    model = llama(vocab_size=32_000, hidden_size=640, intermediate_size=1728, num_hidden_layers=12, num_attention_heads=10, num_key_value_heads=10)
    batch = make_batch(*sequences(32_000, 8, 160, 32), 0)
    payoff = torch.linspace(0, 1, 8)[None]

    def step() -> None:
        config = LoraConfig(r=16, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]) if variant == MODELS[2] else None
        both = PolicyAndMagnet.from_model(model, config)
        previous = copy.deepcopy(model).requires_grad_(False) if variant == MODELS[0] else both.model
        optimizer = torch.optim.AdamW([parameter for parameter in both.model.parameters() if parameter.requires_grad], lr=1e-5)
        with torch.no_grad():
            log_policy = completion_log_probs(previous, batch)[None]
        with both.magnet() as magnet:
            log_magnet = completion_log_probs(magnet, batch)[None]
        magnetic_loss(completion_log_probs(both.model, batch)[None], log_policy, log_magnet, payoff, step_size=1.0, magnet_strength=0.1).backward()
        optimizer.step()

    return {"weights": sum(parameter.numel() for parameter in model.parameters()), **measured(step, 1)}


def child(kind: str, variant: str) -> dict[str, float]:
    """Measure one variant in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    if kind == "models":
        environment["MALLOC_MMAP_THRESHOLD_"] = "1000000"
    answer = subprocess.run([sys.executable, __file__, kind, variant], env=environment, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout.splitlines()[-1])


def rounds(kind: str, variants: tuple[str, ...], count: int) -> dict[str, dict[str, float]]:
    """Medians of each variant over some rounds, forwards and backwards in turn."""
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in variants}
    for turn in range(count):
        for variant in variants if turn % 2 == 0 else variants[::-1]:
            found[variant].append(child(kind, variant))
    return {variant: {name: statistics.median(row[name] for row in rows) for name in rows[0]} for variant, rows in found.items()}


def main(count: int) -> int:
    """Print the tables; 1 where a number is not reached."""
    missed, print = [], partial(builtins.print, flush=True)
    for kind, title in (("frozen", "head frozen, as under adapters"), ("learns", "head learns, as in full fine-tuning")):
        rows = rounds(kind, HEADS, count)
        naive = rows[HEADS[0]]
        print(f"log-prob head, {title}: {SEQUENCES} x {LENGTH} tokens, vocabulary {VOCABULARY:,}, float32, rounds: {count}\n")
        print(f"{'':34}{'over the base':>14}{'of naive':>10}{'seconds':>10}{'of naive':>10}")
        for variant, row in rows.items():
            memory, seconds = (row["peak"] - row["base"]) / (naive["peak"] - naive["base"]), row["seconds"] / naive["seconds"]
            print(f"{variant:34}{row['peak'] - row['base']:11.0f} MB{memory:10.3f}{row['seconds']:10.1f}{seconds:10.2f}")
            if variant != HEADS[0] and (memory > ASKED_HEAD or seconds > ASKED_TIME):
                missed.append(f"{title}: {variant}")
        print()
    rows = rounds("models", MODELS, count)
    copies = rows[MODELS[0]]
    print(f"peak of the process, {copies['weights'] / 1e6:.0f}M weights, float32, one step on 8 completions of 128 tokens, AdamW, rounds: {count}\n")
    print(f"{'':38}{'peak':>11}{'of copies':>11}{'imports and model':>20}{'seconds':>10}")
    for variant, row in rows.items():
        print(f"{variant:38}{row['peak']:8.0f} MB{row['peak'] / copies['peak']:11.3f}{row['base']:17.0f} MB{row['seconds']:10.1f}")
    if rows[MODELS[2]]["peak"] > ASKED_MODELS * copies["peak"]:
        missed.append(MODELS[2])
    print(f"\nasked: head at most {ASKED_HEAD:.3f} of naive in at most {ASKED_TIME} of its time, adapters at most {ASKED_MODELS} of full copies: ", end="")
    print("reached" if not missed else f"missed by {'; '.join(missed)}")
    return bool(missed)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        kind, variant = sys.argv[1:]
        print(json.dumps(models(variant) if kind == "models" else head(variant, kind == "frozen")))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
