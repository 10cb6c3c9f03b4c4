"""`bench`: a suite of games, algorithms or solvers, and seeds; `report`: what came of it, once more."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mmd_games.cli.app import AsJson, Whole, app
from mmd_games.terminal import print_table

if TYPE_CHECKING:
    from mmd_games.sweeps.kinds import Result

EveryCell = Annotated[bool, Parameter(name="--all", help="A line for every cell, not only for the best setting of each grid.", negative="")]


@app.command
def bench(
    suite: Annotated[Path, Parameter(help="A TOML file of games, algorithms or solvers, and seeds, such as benchmarks/suites/smoke.toml.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Directory for the results; default bench-NAME, after the suite's file.")] = None,
    jobs: Annotated[int, Whole, Parameter(help="Cells that run at once; solvers, whose times are taken, run one at a time.")] = 1,
    resume: Annotated[bool, Parameter(help="Keep cells that an earlier run of the suite finished.", negative="")] = False,
    overwrite: Annotated[bool, Parameter(help="Delete the cells of earlier runs, and start afresh.", negative="")] = False,
    backend: Annotated[Literal["loky", "dask", "ray"], Parameter(help="Where cells run: processes of this machine, or a Dask or Ray cluster.")] = "loky",
    address: Annotated[str | None, Parameter(help="Of the cluster's scheduler, such as tcp://10.0.0.1:8786.")] = None,
    every: EveryCell = False,
    as_json: AsJson = False,
) -> int:
    """Run every algorithm of a suite, with every setting of its grid, on each of its games from each of its seeds, into tables, JSON, Parquet and plots.

    A suite may name Nash solvers in place of algorithms: then their times are taken. Status 3 where a run failed, or a solver of this library failed
    or was wrong; what other libraries' solvers do is a result, and status 0.
    """
    from mmd_games import sweeps  # joblib is imported where it is used

    plan = sweeps.read_suite(suite)
    folder = out or Path(f"bench-{plan.name}")
    result = sweeps.run_suite(plan, folder, jobs=jobs, resume=resume, overwrite=overwrite, backend=backend, address=address)
    _show(result, every=every, as_json=as_json)
    if not as_json:
        print(f"Wrote {folder / 'results.json'}{''.join(f', {name}' for name in result.figures())}.", file=sys.stderr)
    if result.interrupted:
        print(f"Interrupted; finished cells: {len(result.cells)}; --resume keeps them.", file=sys.stderr)
    return 130 if result.interrupted else result.exit_status


@app.command(name="report")
def show_report(
    directory: Annotated[Path, Parameter(help="A directory of results that bench wrote, finished or not.")],
    /,
    *,
    every: EveryCell = False,
    as_json: AsJson = False,
) -> int:
    """Show the results of a suite again, and write their Parquet file and plots anew, from the finished cells; nothing is run."""
    from mmd_games import sweeps

    result = sweeps.read_result(directory)
    names = sweeps.write_result(result, directory, again=True)
    _show(result, every=every, as_json=as_json)
    if not as_json:
        print(f"Wrote {', '.join(str(directory / name) for name in names) or 'nothing'}.", file=sys.stderr)
    if result.interrupted:
        print(f"Some cells are missing; finished: {len(result.cells)}; bench … --out {directory} --resume runs the others.", file=sys.stderr)
    return result.exit_status


def _show(result: Result, *, every: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result.to_dict(), indent=1))
        return
    for title, rows in result.tables(every=every):
        print_table(title, rows, wide=True)
