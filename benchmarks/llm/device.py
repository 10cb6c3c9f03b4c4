"""The language-model column on a GPU, in bfloat16, beside what the GPU can do: tokens a second, peak memory, and the ceilings of both, measured in the same run.

A Llama of 1.24 billion random weights learns by :class:`mmd_games.llm.MagneticPreferenceTrainer` on prompts of made-up words; completions play rock, paper, scissors by their last word.
Nothing is downloaded. Each phase of a step is timed by itself too, on what the trainer holds.

Counted are the operations that the method cannot do without, two for an entry of a matrix and a token. With M weights in the matrices of the layers, A in an adapter, H in the
head, L layers of width h and sequences of T tokens, of which C are the completion's, a forward pass takes 2T(M + A) + 2CH + 2LhT² (attention, each token to half of the others). Frozen
weights need no gradient: backward adds 2TM + 4TA + 2CH + 4LhT², one forward pass and not two. The head where it learns takes 6CH. A token that is drawn reads all weights, and the
keys and values of what came before it: the ceiling is the bandwidth over those bytes, shared by the sequences that are drawn together. What keeps generation from it is the host, which starts more
than a thousand kernels a token, so many completions take no longer than few. The floor of memory is the weights, the magnet's, and gradients and both moments of Adam where they learn.

    python benchmarks/llm/device.py --out benchmarks/results/llm_device.txt    # two minutes on an H200; 46 GB
    python benchmarks/llm/device.py --tiny --device cpu                        # that it works
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import peft
import torch
import transformers
from torch import Tensor, nn

from mmd_games.llm import MagneticPreferenceTrainer
from mmd_games.llm.objective import magnetic_loss
from mmd_games.llm.policy import TransformersGenerator, generation, without_needless_casts
from mmd_games.llm.policy.chunks import chunked
from mmd_games.llm.policy.log_probs import AfterHead, _token_log_probs

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.llm.random_llama import TINY, Sizes, tokenizer_of, trainer_of

GIGA = 1e9


class Remembering(generation.InverseDistribution):
    """Keeps the log-probability of each token as it is drawn."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """See the class above."""
        kept = super().__call__(input_ids, scores)
        self.drawn: list[Tensor] = [*getattr(self, "drawn", []), torch.log_softmax(scores.float(), -1).gather(-1, kept.argmax(-1, keepdim=True))]
        return kept


@dataclass(frozen=True)
class Meter:
    """Seconds and bytes on a device."""

    device: str

    def wait(self) -> None:
        """Until all that was asked of the device is done."""
        if self.device != "cpu":
            torch.cuda.synchronize()

    def seconds(self, once: Callable[[], Any], repeats: int = 5, chosen: Callable[[list[float]], float] = statistics.median) -> float:
        """Of some calls, after one."""
        found = []
        for _ in range(repeats + 1):
            self.wait()
            start = time.perf_counter()
            once()
            self.wait()
            found.append(time.perf_counter() - start)
        return chosen(found[1:])

    def peak(self, once: Callable[[], Any]) -> tuple[float, Any]:
        """Most bytes allocated in a call beyond those before it, not a number on a CPU; and what it returned."""
        gc.collect()
        if self.device == "cpu":
            return float("nan"), once()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before, result = torch.cuda.memory_allocated(), once()
        self.wait()
        return float(torch.cuda.max_memory_allocated() - before), result

    def ceilings(self, sizes: Sizes) -> tuple[float, float]:
        """Operations a second of a product of matrices, and bytes a second of a copy, read and written; the most of twenty times."""
        left, right = (torch.randn(sizes.matmul, sizes.matmul, device=self.device, dtype=torch.bfloat16) for _ in range(2))
        operations = 2 * sizes.matmul**3 / self.seconds(lambda: [left @ right for _ in range(10)], 20, min) * 10
        source = torch.randint(0, 255, (sizes.copied,), device=self.device, dtype=torch.uint8)
        target = torch.empty_like(source)
        return operations, 2 * sizes.copied / self.seconds(lambda: [target.copy_(source) for _ in range(10)], 20, min) * 10


def operations(sizes: Sizes, model: nn.Module, lengths: list[int], *, backward: bool) -> float:
    """Of a pass over completions of these lengths, by the formula above."""
    adapter = sum(weight.numel() for name, weight in model.named_parameters() if "lora_" in name and ".default." in name)
    layers = sum(weight.numel() for name, weight in model.named_parameters() if "proj" in name and "lora_" not in name)
    head = sizes.vocabulary * sizes.hidden
    total = 0.0
    for length in lengths:
        tokens = sizes.prompt + length
        attention = 2 * sizes.layers * sizes.hidden * tokens**2
        total += 2 * tokens * (layers + adapter) + 2 * length * head + attention
        total += (2 * tokens * layers + 4 * tokens * adapter + 2 * length * head + 2 * attention) if backward else 0
    return total


def phases(sizes: Sizes, meter: Meter, trainer: MagneticPreferenceTrainer, most: tuple[float, float]) -> Iterator[str]:
    """Generation, scoring and learning, each by itself."""
    flops, bandwidth = most
    model, scorer, place = trainer.model, trainer.scorer, trainer.accelerator.device
    prompts = [trainer.train_dataset[index].tokens for index in range(sizes.prompts)]  # type: ignore[index]
    draws: list[Remembering] = []

    def remembering(*arguments: Any) -> Remembering:
        draws.append(Remembering(*arguments))
        return draws[-1]

    @contextmanager
    def as_trained() -> Iterator[None]:
        with trainer.accelerator.autocast(), without_needless_casts(model, True):
            yield

    with as_trained(), patch.object(generation, "InverseDistribution", remembering):
        groups = trainer.generator(model, prompts, [(7, index) for index in range(sizes.prompts)])
    completions = [tokens for group in groups for tokens in group]
    lengths = list(map(len, completions))
    inside = torch.arange(max(lengths), device=place) < torch.tensor(lengths, device=place)[:, None]
    drawn = (torch.cat(draws[0].drawn, -1) * inside).sum(-1).reshape(sizes.prompts, sizes.group)

    def score() -> Tensor:
        with as_trained(), trainer.models.magnet() as magnet:
            return scorer.score(magnet, prompts, completions, place)

    batch = scorer.batch(prompts, completions, slice(0, sizes.sequences), place)
    magnet, payoff = score(), torch.linspace(0, 1, sizes.sequences, device=place).reshape(sizes.prompts, sizes.group)

    def learn() -> Tensor:
        with as_trained():
            found = scorer.log_probs(model, batch).reshape(magnet.shape)
        trainer.accelerator.backward(magnetic_loss(found, found.detach(), magnet, payoff, step_size=2.0, magnet_strength=0.1))
        model.zero_grad()
        return found.detach()

    whole = learn()
    with as_trained():
        parts = replace(scorer, sequences=sizes.at_a_time).score(model, prompts, completions, place)
    yield f"log π of a completion, {float(whole.mean()):.0f} on average; standard deviation of the difference to when it is learned from, in one pass:"
    for name, other in (("when it was drawn, by its cache", drawn), (f"{sizes.at_a_time} completions a pass", parts), ("the same pass again", learn())):
        yield f"    {name:38}{float((other - whole).square().mean().sqrt()):9.3g}"
    yield ""
    yield f"{'phase':42}{'tokens':>8}{'ms':>9}{'tokens/s':>12}{'TFLOP/s':>10}{'of ceiling':>12}"
    tokens = sum(lengths) + sizes.sequences * sizes.prompt
    for name, once, backward in (("scoring: log-probabilities of the magnet", score, False), ("learning: forward, loss and backward", learn, True)):
        seconds = meter.seconds(once)
        rate = operations(sizes, model, lengths, backward=backward) / seconds
        yield f"{name:42}{tokens:8,}{1e3 * seconds:9.1f}{tokens / seconds:12,.0f}{rate / 1e12:10.3g}{rate / flops:12.1%}"
    yield ""
    weights = sum(weight.nbytes for name, weight in model.named_parameters() if ".magnet." not in name)
    keys = 4 * sizes.layers * sizes.key_heads * (sizes.hidden // sizes.heads) * (sizes.prompt + sizes.new / 2)  # bytes, half-way through
    yield f"{'generation':42}{'tokens':>8}{'ms/token':>9}{'tokens/s':>12}{'at most':>12}{'of ceiling':>12}"
    for count in (sizes.sequences, sizes.many):
        generator = TransformersGenerator(count // sizes.prompts, sizes.new, eos_id=1, pad_id=0, batch=count)

        def draw(generator: TransformersGenerator = generator) -> int:
            with as_trained():
                return sum(len(row) for group in generator(model, prompts, [(8, index) for index in range(sizes.prompts)]) for row in group)

        made, seconds = draw(), meter.seconds(draw, 1)
        ceiling = count * bandwidth / (weights + count * keys)
        yield f"{f'{count} completions at once':42}{made:8,}{1e3 * seconds / sizes.new:9.1f}{made / seconds:12,.0f}{ceiling:12,.0f}{made / seconds / ceiling:12.1%}"


def head(sizes: Sizes, meter: Meter, flops: float) -> Iterator[str]:
    """Log-probabilities and their gradient from hidden states, by all logits at once and in chunks."""
    count = sizes.sequences * sizes.new
    states = torch.randn(count, sizes.hidden, device=meter.device, dtype=torch.bfloat16, requires_grad=True)
    weight = nn.Linear(sizes.hidden, sizes.vocabulary, bias=False, device=meter.device, dtype=torch.bfloat16)
    tokens = torch.randint(0, sizes.vocabulary, (count,), device=meter.device)
    score = partial(_token_log_probs, weight, AfterHead(1.0), 1.0)
    ways: dict[str, Callable[[], Tensor]] = {"all logits at once": lambda: torch.log_softmax(weight(states).float(), -1).gather(-1, tokens[:, None])[:, 0]}
    ways |= {f"{chunk} tokens at a time": partial(chunked, score, states, tokens, chunk) for chunk in sizes.chunks}
    yield f"{f'head: {count:,} tokens, vocabulary {sizes.vocabulary:,}':42}{'over the base':>15}{'of naive':>10}{'ms':>9}{'of naive':>10}{'of ceiling':>12}"
    for learns, title in ((False, "frozen"), (True, "learns")):
        weight.requires_grad_(learns)
        naive: tuple[float, float] | None = None
        for name, way in ways.items():

            def once(way: Callable[[], Tensor] = way) -> None:
                way().sum().backward()
                states.grad = weight.weight.grad = None

            seconds, (peak, _) = meter.seconds(once), meter.peak(once)
            naive = naive or (peak, seconds)
            rate = (6 if learns else 4) * count * sizes.hidden * sizes.vocabulary / seconds / flops
            yield f"{f'{title}, {name}':42}{peak / GIGA:12.2f} GB{peak / naive[0]:10.3f}{1e3 * seconds:9.1f}{seconds / naive[1]:10.2f}{rate:12.1%}"


def memory(sizes: Sizes, meter: Meter, folder: str, tokenizer: Any) -> Iterator[str]:
    """Peaks of whole runs of two steps, with completions that are made up."""

    def run(adapters: bool, sequences: int | None) -> float:
        """Train; how many bytes no way around is known to."""
        trainer = trainer_of(sizes, meter.device, folder, adapters=adapters, tokenizer=tokenizer, max_steps=2, sequences_per_forward=sequences)
        made_up = torch.randint(2, sizes.vocabulary, (sizes.prompts, sizes.group, sizes.new), generator=torch.Generator().manual_seed(2)).tolist()
        trainer.generator = lambda model, prompts, keys: made_up
        trainer.train()
        learning = sum(weight.numel() for weight in trainer.model.parameters() if weight.requires_grad)
        frozen = sum(weight.nbytes for name, weight in trainer.model.named_parameters() if not weight.requires_grad and ".magnet." not in name)
        return frozen + 5 * 4 * learning + 2 * 4 * sizes.sequences  # float32: weights, magnet, gradient, two moments; log π_t and log ρ of the completions

    yield f"{'two steps of training':66}{'peak':>10}{'floor':>10}{'peak/floor':>12}"
    for adapters, kind in ((True, "LoRA, policy and magnet as adapters"), (False, "full fine-tuning, the magnet a frozen copy")):
        for sequences in (None, sizes.at_a_time):
            peak, floor = meter.peak(partial(run, adapters, sequences))
            name = f"{kind}, {sequences or sizes.sequences} completions a pass"
            yield f"{name:66}{peak / GIGA:7.2f} GB{floor / GIGA:7.2f} GB{peak / floor:12.2f}"


def table(sizes: Sizes, device: str) -> Iterator[str]:
    """All of it, line by line."""
    meter, tokenizer = Meter(device), tokenizer_of(sizes)
    name = torch.cuda.get_device_name() if device != "cpu" else "CPU"
    yield f"{name}, torch {torch.__version__}, transformers {transformers.__version__}, peft {peft.__version__}; bfloat16"
    most = meter.ceilings(sizes)
    yield f"ceilings: {most[0] / 1e12:.3g} TFLOP/s ({sizes.matmul}³ product), {most[1] / GIGA:,.4g} GB/s (copy, read and written)"
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(sizes, device, folder, adapters=True, tokenizer=tokenizer)
        count = sum(weight.numel() for name, weight in trainer.model.named_parameters() if "lora_" not in name)
        yield f"model: {count / GIGA:.3g} billion weights, LoRA of rank {sizes.rank} on all layers; {sizes.prompts} prompts of {sizes.prompt} tokens, {sizes.group} completions of {sizes.new} each"
        yield ""
        trainer.train()
        logs = [entry for entry in trainer.state.log_history if "game/gap" in entry]
        yield f"{len(logs)} steps of training: loss {', '.join(format(entry['loss'], '.3g') for entry in logs)}; {logs[-1]['tokens_per_second']:,.0f} new tokens/s over a whole step"
        yield f"first step: KL to the magnet, from which nothing has moved yet, {logs[0]['kl/magnet']:g}; win rate against it {logs[0]['win_rate/magnet']:g}"
        yield from phases(sizes, meter, trainer, most)
        del trainer
        yield ""
        yield from head(sizes, meter, most[0])
        yield ""
        yield from memory(sizes, meter, folder, tokenizer)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description="Magnetic Preference Optimization of a language model on a GPU, beside the GPU's ceilings.")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="a model of some thousand weights, to see that the benchmark works")
    parser.add_argument("--out", type=Path, help="store the table there")
    given = parser.parse_args(arguments)
    lines = []
    for line in table(TINY if given.tiny else Sizes(), given.device):
        print(line, flush=True)
        lines.append(line.rstrip() + "\n")
    if given.out is not None:
        given.out.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
