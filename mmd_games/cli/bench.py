"""`bench`: a suite of games, algorithms or solvers, and seeds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games.cli.app import AsJson, Whole, app
from mmd_games.terminal import print_table


@app.command
def bench(
    suite: Annotated[Path, Parameter(help="A TOML file of games, algorithms or solvers, and seeds, such as benchmarks/suites/smoke.toml.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Directory for the results; default bench-NAME, after the suite's file.")] = None,
    jobs: Annotated[int, Whole, Parameter(help="Cells that run at once; solvers, whose times are taken, run one at a time.")] = 1,
    resume: Annotated[bool, Parameter(help="Keep cells that an earlier run of the suite finished.", negative="")] = False,
    as_json: AsJson = False,
) -> int:
    """Run every algorithm of a suite on each of its games from each of its seeds, into a table, JSON and a plot.

    A suite may name Nash solvers in place of algorithms: then their times are taken. Status 3 where a run failed, or a solver of this library failed
    or was wrong; what other libraries' solvers do is a result, and status 0.
    """
    from mmd_games import sweeps  # joblib is imported where it is used

    plan = sweeps.read_suite(suite)
    folder = out or Path(f"bench-{plan.name}")
    result = sweeps.run_suite(plan, folder, jobs=jobs, resume=resume)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print_table(result.title, result.rows(), wide=True)
        print(f"Wrote {folder / 'results.json'}{f' and {result.figure}' if result.figure else ''}.", file=sys.stderr)
    if result.interrupted:
        print(f"Interrupted; finished cells: {len(result.cells)}; --resume keeps them.", file=sys.stderr)
    return 130 if result.interrupted else result.exit_status
