"""`train`: Magnetic Preference Optimization of a language model, as a YAML file says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games.cli.app import AsJson


def train(
    *,
    config: Annotated[Path, Parameter(help="The run as YAML: model, preference_model, data, training, and optionally lora, bridge, preflight.")],
    resume: Annotated[bool, Parameter(help="Go on from the last checkpoint in the output directory.", negative="")] = False,
    preflight: Annotated[bool, Parameter(help="Play the settings on tables first, and put what that says into the model card.")] = True,
    as_json: AsJson = False,
) -> int:
    """Fine-tune a language model by self-play, after its settings were played on tables; the magnet moves, and the last iterate counts.

    Writes the model, its checkpoints, a model card, and, where the file has a `bridge`, exact duality gaps and their plot. Ctrl-C ends the run after a
    checkpoint, from which --resume goes on.
    """
    from mmd_games.llm.commands.run_file import read_run_file
    from mmd_games.llm.commands.running import run_training
    from mmd_games.report import plain
    from mmd_games.terminal import print_table

    result = run_training(read_run_file(config), resume=resume, preflight=preflight)
    if result is None:
        return 0
    if as_json:
        print(json.dumps(plain(result.to_dict()), indent=1, allow_nan=False))
    else:
        print_table(result.title, result.rows(), wide=True)
    for line in result.notes:
        print(line, file=sys.stderr)
    return 130 if result.interrupted else 0
