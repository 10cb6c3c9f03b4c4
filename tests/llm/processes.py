"""What several processes run under torchrun: train, and leave the weights behind. Arguments: a folder, and settings by name as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch


def train(folder: Path, settings: dict[str, Any], preference: Any = None) -> None:
    """A run and an evaluation; the main process writes weights.pt."""
    from tests.llm.training import trainer, weights

    run = trainer(folder, preference=preference, **settings)
    run.train()
    run.evaluate([{"prompt": "play"}, {"prompt": "rock"}, {"prompt": "paper"}])
    if run.is_world_process_zero():
        with run.models.magnet() as magnet:
            torch.save({"policy": weights(run.model), "magnet": weights(magnet), "log": run.state.log_history}, folder / "weights.pt")


def broken(prompts: Any, completions: Any, mask: Any = None) -> Any:
    """A judge that fails."""
    raise RuntimeError("the judge has broken down")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    torch.set_num_threads(1)
    for name, settings in json.loads(sys.argv[2]).items():
        train(Path(sys.argv[1]) / name, settings)
    try:
        train(Path(sys.argv[1]) / "broken", {"use_cpu": True}, broken)
    except RuntimeError as error:
        print(f"rank {torch.distributed.get_rank()}: {error}")
    torch.distributed.barrier()  # one that left while the other still spoke to it would be aborted
    torch.distributed.destroy_process_group()
