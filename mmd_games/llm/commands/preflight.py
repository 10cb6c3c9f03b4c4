"""`preflight`: a training run's settings, played on tables before a GPU-hour is spent."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games.cli.app import AsJson, Out


def preflight(
    *,
    config: Annotated[Path, Parameter(help="The run's YAML file, as for train.")],
    model: Annotated[bool, Parameter(help="Also try the file's own model: the game among its own completions, and what its gradient steps do.")] = True,
    as_json: AsJson = False,
    out: Out = None,
) -> int:
    """Will a run with these settings converge, how fast, and to which noise floor? Confirmed (0), refuted (1), inconclusive (3)."""
    from mmd_games.llm.commands.foretelling import preflight_of
    from mmd_games.llm.commands.run_file import read_run_file

    result = preflight_of(read_run_file(config), with_model=model)
    if out is not None:
        result.save(out)
        print(f"Wrote the preflight to {out}.", file=sys.stderr)
    print(json.dumps(result.to_dict(), indent=1, allow_nan=False) if as_json else result)
    return result.exit_status
