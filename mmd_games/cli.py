"""The command line: `mmd-games verify | compare | nash | games | algorithms | bench`.

Standard output carries the result alone (with `--json`, JSON alone); progress and notes go to standard error. Exit status: 0 confirmed (or done),
1 refuted, 2 bad input or usage, 3 inconclusive, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

import mmd_games
from mmd_games import algorithms, games, report
from mmd_games.equilibria import nash
from mmd_games.errors import InputError, require_positive, require_whole, unknown
from mmd_games.games.game import Game
from mmd_games.loop import DEFAULT_STEPS, Exact, Sampled, StderrProgress, Trace, default_start, solve, start_from_spec
from mmd_games.loop.feedback import Feedback
from mmd_games.specs import build, parse
from mmd_games.verification import default_tolerance

COMPARED = ("mpo", "mmd", "omwu", "extragradient", "mwu")
"""What `compare` plays when no algorithm is named."""

app = App(
    name="mmd-games",
    help="Does a method's last iterate reach the Nash equilibrium of a preference game, at a linear rate? Run it, verify it, compare it.",
    version=mmd_games.__version__,
    result_action="return_value",
)

Source = Annotated[str, Parameter(help="A table (.npy .npz .csv .tsv .txt .json), or a game by name, such as blotto:soldiers=10,fields=3 or openspiel:kuhn_poker.")]
Payoffs = Annotated[bool, Parameter(help="Read the table as payoffs, not as win probabilities.", negative="")]
Symmetrise = Annotated[bool, Parameter(help="Repair a table with P + Pᵀ ≠ 1 by averaging each pair, and say by how much.", negative="")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON alone on standard output.", negative="")]
Out = Annotated[Path | None, Parameter(help="Directory for the results.")]
Start = Annotated[str | None, Parameter(help="uniform; random:seed=1; 0.2/0.3/0.5; or a file. Default uniform, or random where uniform is an equilibrium already.")]
Tolerance = Annotated[float | None, Parameter(help="Largest duality gap that counts as an equilibrium, in the game's units; default 1e-8 of its scale L.")]
FeedbackSpec = Annotated[str, Parameter(name="--feedback", help="exact, or sampled:opponents=16,seed=0.")]


@app.command
def verify(
    source: Source,
    /,
    *,
    algorithm: Annotated[str, Parameter(help="mpo, mwu, omwu, …, with settings as name:key=value; or module:Class.")] = "mpo",
    steps: Annotated[int, Parameter(help="Budget, in updates of the policy.")] = DEFAULT_STEPS,
    tolerance: Tolerance = None,
    start: Start = None,
    feedback: FeedbackSpec = "exact",
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
    out: Out = None,
) -> int:
    """Run an algorithm on a game and judge its last iterate: confirmed (0), refuted (1), inconclusive (3)."""
    if out is not None:
        report.require_writable(out)
    game = _game(source, payoffs, symmetrise)
    trace, notes = _solve(game, algorithms.from_spec(algorithm), steps, tolerance, start, feedback)
    result = report.verify(trace, tolerance, notes=notes)
    if out is not None:
        result.save(out)
        print(f"Wrote report.txt, report.json, trace.npz and gap.png to {out}.", file=sys.stderr)
    print(json.dumps(result.to_dict(), indent=1) if as_json else result)
    return 130 if trace.stopped == "interrupted" else result.exit_status


@app.command
def compare(
    source: Source,
    /,
    *,
    algorithm: Annotated[list[str] | None, Parameter(help="Repeat for each; default mpo, mmd, omwu, extragradient, mwu.", negative="")] = None,
    products: Annotated[int, Parameter(help="Budget of each, in matrix-vector products for all players.")] = DEFAULT_STEPS,
    tolerance: Tolerance = None,
    start: Start = None,
    feedback: FeedbackSpec = "exact",
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
    out: Annotated[Path, Parameter(help="Directory for gaps.png, compare.json and a trace of each.")] = Path("compare"),
) -> int:
    """Run several algorithms on one game, with one budget of products, and draw their gaps on one plot."""
    require_whole(products=products)
    report.require_writable(out)
    game = _game(source, payoffs, symmetrise)
    chosen = [algorithms.from_spec(spec) for spec in algorithm or COMPARED]
    results = []
    for method in chosen:
        trace, notes = _solve(game, method, max(1, products // getattr(method, "products_per_step", 1)), tolerance, start, feedback)
        results.append(report.verify(trace, tolerance, notes=notes))
        if trace.stopped == "interrupted":
            break
    report.save_comparison(results, out)
    if as_json:
        print(json.dumps({"schema": "mmd_games.compare/1", "results": [result.to_dict() for result in results]}, indent=1))
    else:
        for note in dict.fromkeys(note for result in results for note in (*game.notes, *result.notes)):
            print(f"note: {note}", file=sys.stderr)
        _table(f"{game.describe()}", report.comparison_rows(results))
        print(f"Wrote {out / 'gaps.png'}, compare.json and the traces.", file=sys.stderr)
    return 130 if results[-1].trace.stopped == "interrupted" else 0


@app.command(name="nash")
def nash_command(
    source: Source,
    /,
    *,
    method: Annotated[str, Parameter(help="lp.")] = "lp",
    tolerance: Tolerance = None,
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
) -> int:
    """Compute a Nash equilibrium by linear programming, independently of the algorithms; status 3 where the tolerance is not met."""
    equilibrium = nash(_game(source, payoffs, symmetrise), method=method, tolerance=tolerance)
    print(json.dumps(equilibrium.to_dict(), indent=1) if as_json else equilibrium)
    return 0 if equilibrium.converged else 3


@app.command(name="games")
def games_command(*, as_json: AsJson = False) -> int:
    """List the games of the catalogue, with their keys."""
    return _listing([vars(family) for family in games.listing()], as_json)


@app.command(name="algorithms")
def algorithms_command(*, as_json: AsJson = False) -> int:
    """List the algorithms, with their keys; one shown without a value is filled in from the game."""
    return _listing(algorithms.listing(), as_json)


@app.command
def bench(
    suite: Annotated[Path, Parameter(help="A TOML file of games, algorithms and seeds, such as benchmarks/suites/smoke.toml.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="Directory for the results; default bench-<suite>.")] = None,
    jobs: Annotated[int, Parameter(help="Cells that run at once.")] = 1,
    resume: Annotated[bool, Parameter(help="Keep cells that an earlier run of the suite finished.", negative="")] = False,
    as_json: AsJson = False,
) -> int:
    """Run a suite, games × algorithms × seeds, into a table, JSON and a plot."""
    from mmd_games import sweeps  # joblib is imported where it is used

    plan = sweeps.read_suite(suite)
    folder = out or Path(f"bench-{plan.name}")
    result = sweeps.run_suite(plan, folder, jobs=jobs, resume=resume)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1))
    else:
        _table(f"{plan.name}: {len(result.cells)} cells", result.rows())
        print(f"Wrote {folder / 'results.json'} and {folder / 'gaps.png'}.", file=sys.stderr)
    return 130 if result.interrupted else 0


def main(tokens: Sequence[str] | None = None) -> int:
    """Entry point: run a command, turn errors that people can mend into one sentence and status 2."""
    sys.path.insert(0, "")  # a class of the user's own, module:Class, is looked for beside them
    try:
        status = app(sys.argv[1:] if tokens is None else tokens, exit_on_error=False, print_error=False)
        return status if isinstance(status, int) else 0
    except InputError as error:
        print(f"mmd-games: {error}", file=sys.stderr)
    except CycloptsError as error:
        print(f"mmd-games: {' '.join(str(error).split())} (mmd-games --help lists what there is)", file=sys.stderr)
    except KeyboardInterrupt:
        print("mmd-games: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    finally:
        sys.path.remove("")
    return 2


def _game(source: str, payoffs: bool, symmetrise: bool) -> Game:
    """A table where the source is a path, else a game by name."""
    path = Path(source)
    if path.exists() or path.suffix.lower() in games.SUFFIXES:
        return games.read_game(path, payoffs=payoffs, symmetrise=symmetrise)
    if payoffs or symmetrise:
        raise InputError(f"--payoffs and --symmetrise are for tables read from a file; '{source}' is the name of a game.")
    return games.from_spec(source)


def _solve(game: Game, algorithm: Any, steps: int, tolerance: float | None, start: str | None, feedback: str) -> tuple[Trace, tuple[str, ...]]:
    """Run to a tenth of the tolerance, so that the tolerance itself lies inside the record."""
    require_positive(tolerance=tolerance)
    aim = default_tolerance(game) if tolerance is None else tolerance
    policy, notes = default_start(game, aim) if start is None else (start_from_spec(start, game), ())
    trace = solve(game, algorithm, steps=steps, until=aim / 10, start=policy, feedback=_feedback(feedback), progress=StderrProgress())
    return trace, notes


def _feedback(spec: str) -> Feedback:
    name, settings = parse(spec)
    kinds = {"exact": Exact, "sampled": Sampled}
    if name not in kinds:
        raise unknown("feedback", name, kinds)
    return build(kinds[name], settings, f"feedback '{name}'")


def _listing(rows: list[dict[str, Any]], as_json: bool) -> int:
    """Names with their keys, as JSON or as a table."""
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    shown = [
        {
            "name": ", ".join([row["name"], *row["aliases"]]),
            "keys": ", ".join(key if value is None else f"{key}={_as_typed(value)}" for key, value in row["keys"].items()),
            "what it is": row["description"],
            **({"example": row["example"]} if "example" in row else {}),
        }
        for row in rows
    ]
    _table("", shown)
    return 0


def _as_typed(value: Any) -> str:
    """A default as it is written in a spec."""
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(title: str, rows: list[dict[str, str]]) -> None:
    """Print rows as a table on standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(value).replace("[", "\\[") for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    sys.exit(main())
