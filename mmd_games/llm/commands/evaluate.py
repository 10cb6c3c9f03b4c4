"""`evaluate`: checkpoints against each other, as a game, ranked by its Nash equilibrium."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games.cli.app import AsJson, Whole
from mmd_games.errors import require_whole
from mmd_games.report import require_writable
from mmd_games.terminal import print_table


def evaluate(
    checkpoints: Annotated[list[str], Parameter(help="Two or more models: directories of checkpoints, or hub names.")],
    /,
    *,
    config: Annotated[Path, Parameter(help="The run's YAML file: its preference model judges, on its prompts.")],
    samples: Annotated[int, Whole, Parameter(help="Completions of each checkpoint a prompt.")] = 8,
    seed: Annotated[int, Whole, Parameter(help="Of the completions.")] = 0,
    as_json: AsJson = False,
    out: Annotated[Path | None, Parameter(help="A file for the table of win rates, which `verify` and `nash` read (.csv).")] = None,
) -> int:
    """Play checkpoints against each other: win rates as a preference game, its Nash equilibrium, and what the best reply wins against each.

    Prompts are those of the file's `data.eval`, else of `data.train`. A checkpoint that the equilibrium plays is beaten by no mixture of the others.
    """
    from mmd_games.llm.commands.run_file import read_run_file
    from mmd_games.llm.commands.tournament import play

    require_whole(samples=samples)
    require_whole(0, seed=seed)
    if out is not None:
        require_writable(out.parent)
    result = play(checkpoints, read_run_file(config), samples=samples, seed=seed)
    if out is not None:
        result.write(out)
        print(f"Wrote {out}.", file=sys.stderr)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print_table(result.title, result.rows(), wide=True)
        print(result.summary)
    return 0
