"""The benchmark of a GPU, on a CPU: that it says what it should, and counts operations as the model makes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.llm.device import main, operations
from benchmarks.llm.random_llama import TINY, tokenizer_of, trainer_of


def test_it_runs_on_a_cpu(tmp_path: Path) -> None:
    main(["--tiny", "--device", "cpu", "--out", str(tmp_path / "table.txt")])
    text = (tmp_path / "table.txt").read_text(encoding="utf-8")
    assert "first step: KL to the magnet, from which nothing has moved yet, 0; win rate against it 0.5" in text
    for part in (
        "ceilings:",
        "scoring:",
        "learning:",
        "16 completions at once",
        "frozen, 4 tokens at a time",
        "learns, 16 tokens at a time",
        "a frozen copy, 4 completions a pass",
    ):
        assert part in text
    (again,) = (line for line in text.splitlines() if "the same pass again" in line)
    assert float(again.split()[-1]) == 0


@pytest.mark.parametrize("backward", [False, True])
def test_operations_are_those_of_the_matrices(tmp_path: Path, backward: bool) -> None:
    """Against torch's own count, which leaves out attention on a CPU."""
    trainer = trainer_of(TINY, "cpu", str(tmp_path), adapters=True, tokenizer=tokenizer_of(TINY))
    lengths = [TINY.new] * 3
    batch = trainer.scorer.batch([[2] * TINY.prompt] * 3, [[3] * TINY.new] * 3, slice(0, 3), "cpu")
    trainer.scorer.log_probs(trainer.model, batch)  # some things are measured once for a model
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        log_probs = trainer.scorer.log_probs(trainer.model, batch)
        if backward:
            log_probs.sum().backward()
    tokens, width = 3 * (TINY.prompt + TINY.new), TINY.hidden
    attention = 2 * TINY.layers * width * tokens**2 / 3 * (3 if backward else 1)
    # The head is asked with one token whether it learns; and what the first layer's projections read needs no gradient, neither from them nor from their adapters.
    read = 2 * tokens * (width * (width + width) + 3 * width * TINY.rank)
    more = 2 * width * TINY.vocabulary - read if backward else 0
    assert counter.get_total_flops() == operations(TINY, trainer.model, lengths, backward=backward) - attention + more
