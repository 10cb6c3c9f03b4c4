"""The command line: `mmd-games verify | compare | nash | games | algorithms | bench`.

Standard output carries the result alone (with `--json`, JSON alone); progress and notes go to standard error. Exit status: 0 confirmed (or done),
1 refuted, 2 bad input or usage, 3 inconclusive, 130 interrupted, 141 where nobody reads the output any more.
"""

from __future__ import annotations

import io
import json
import os
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
from mmd_games.loop.budget import steps_within
from mmd_games.loop.feedback import Feedback
from mmd_games.loop.starts import never_played
from mmd_games.specs import build, convert, parse
from mmd_games.terminal import listing_rows, print_table
from mmd_games.verification import default_tolerance

COMPARED = ("mpo", "mmd", "omwu", "extragradient", "mwu")
"""What `compare` plays when no algorithm is named."""

app = App(
    name="mmd-games",
    help="Does a method's last iterate reach the Nash equilibrium of a preference game, at a linear rate? Run it, verify it, compare it.",
    version=mmd_games.__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)

Whole = Parameter(converter=lambda _, tokens: convert(tokens[0].value, int, "it"))
"""1e5 is a whole number, 1.5 is none."""


Source = Annotated[
    str, Parameter(help="A table (.npy .npz .csv .tsv .txt .json), or a game by name, such as blotto:soldiers=10,fields=3 or openspiel:kuhn_poker.")
]
Payoffs = Annotated[bool, Parameter(help="Read the table as payoffs, not as win probabilities.", negative="")]
Symmetrise = Annotated[bool, Parameter(help="Repair a table with P + Pᵀ ≠ 1 by averaging each pair, and say by how much.", negative="")]
AsJson = Annotated[bool, Parameter(name="--json", help="Print JSON alone on standard output.", negative="")]
Out = Annotated[Path | None, Parameter(help="Directory for the results.")]
Start = Annotated[
    str | None, Parameter(help="uniform; random:seed=1; 0.2/0.3/0.5; or a file. Default uniform, or random where uniform is an equilibrium already.")
]
Tolerance = Annotated[float | None, Parameter(help="Largest duality gap that counts as an equilibrium, in the game's units; default 1e-8 of its scale L.")]
FeedbackSpec = Annotated[str, Parameter(name="--feedback", help="exact, or sampled:opponents=16,seed=0.")]


@app.command
def verify(
    source: Source,
    /,
    *,
    algorithm: Annotated[str, Parameter(help="mpo, mwu, omwu, …, with settings as name:key=value; or module:Class.")] = "mpo",
    steps: Annotated[int, Whole, Parameter(help="Budget, in updates of the policy.")] = DEFAULT_STEPS,
    tolerance: Tolerance = None,
    start: Start = None,
    feedback: FeedbackSpec = "exact",
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
    out: Out = None,
) -> int:
    """Run an algorithm on a game and judge its last iterate: confirmed (0), refuted (1), inconclusive (3)."""
    require_whole(steps=steps)
    require_positive(tolerance=tolerance)
    method, told = algorithms.from_spec(algorithm), _feedback(feedback)
    if out is not None:
        report.require_writable(out)
    game = _game(source, payoffs, symmetrise)
    trace, notes = _solve(game, method, steps, tolerance, start, told)
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
    products: Annotated[int, Whole, Parameter(help="Budget of each, in matrix-vector products for all players.")] = DEFAULT_STEPS,
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
    require_positive(tolerance=tolerance)
    chosen, told = [algorithms.from_spec(spec) for spec in algorithm or COMPARED], _feedback(feedback)
    report.require_writable(out)
    game = _game(source, payoffs, symmetrise)
    results = []
    for method in chosen:
        trace, notes = _solve(game, method, steps_within(products, method, game), tolerance, start, told)
        results.append(report.verify(trace, tolerance, notes=notes))
        if trace.stopped == "interrupted":
            break
    report.save_comparison(results, out)
    if as_json:
        print(json.dumps(report.comparison_dict(results), indent=1))
    else:
        for note in dict.fromkeys(note for result in results for note in (*game.notes, *result.notes)):
            print(f"note: {note}", file=sys.stderr)
        print_table(game.describe(), report.comparison_rows(results))
        print(f"Wrote {out / 'gaps.png'}, compare.json and the traces.", file=sys.stderr)
    return 130 if results[-1].trace.stopped == "interrupted" else 0


@app.command(name="nash")
def nash_command(
    source: Source,
    /,
    *,
    method: Annotated[
        str, Parameter(help="auto: what serves the game; interior_point; double_oracle, for up to millions of actions; lp, the independent oracle.")
    ] = "auto",
    select: Annotated[str | None, Parameter(help="maximum_entropy: of several equilibria the one nearest to uniform, or to --start, in KL.")] = None,
    start: Annotated[str | None, Parameter(help="With --select: random:seed=1; 0.2/0.3/0.5; or a file.")] = None,
    tolerance: Annotated[float | None, Parameter(help="Duality gap asked for, in the game's units; default 1e-9 of its scale L.")] = None,
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
) -> int:
    """Compute a Nash equilibrium, with a certificate, independently of the algorithms; status 3 where the tolerance is not met."""
    game = _game(source, payoffs, symmetrise)
    policy = None if start is None else start_from_spec(start, game)
    equilibrium = nash(game, method=method, select=select, start=policy, tolerance=tolerance, progress=StderrProgress("rounds"))
    print(json.dumps(equilibrium.to_dict(), indent=1) if as_json else equilibrium)
    return 0 if equilibrium.converged else 3


@app.command(name="games")
def games_command(*, as_json: AsJson = False) -> int:
    """List the games of the catalogue, with their keys."""
    return _list([vars(family) for family in games.listing()], as_json)


@app.command(name="algorithms")
def algorithms_command(*, as_json: AsJson = False) -> int:
    """List the algorithms, with their keys; one shown without a value is filled in from the game."""
    return _list(algorithms.listing(), as_json)


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
    """Run a suite, games × algorithms × seeds, into a table, JSON and a plot; with solvers for algorithms it takes their times.

    Status 3 where a cell failed; of solvers, where one of ours failed or was wrong, for what peers do is a result.
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


def _list(families: list[dict[str, Any]], as_json: bool) -> int:
    """Names with their keys, as JSON or as a table."""
    if as_json:
        print(json.dumps(families, indent=1))
    else:
        print_table("", listing_rows(families))
    return 0


def main(tokens: Sequence[str] | None = None) -> int:
    """Entry point: run a command, turn errors that people can mend into one sentence and status 2."""
    sys.path.append("")  # a class of the user's own, module:Class, is looked for beside them; last, so that it hides no library
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without π and ≤ shows something else, and no traceback
    try:
        status = app(sys.argv[1:] if tokens is None else tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except InputError as error:
        print(f"mmd-games: {error}", file=sys.stderr)
    except CycloptsError as error:
        print(f"mmd-games: {' '.join(str(error).split())} (mmd-games --help lists what there is)", file=sys.stderr)
    except MemoryError as error:
        print(f"mmd-games: out of memory{f' ({error})' if str(error) else ''}; a smaller game would fit.", file=sys.stderr)
    except KeyboardInterrupt:
        print("mmd-games: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit has somewhere to go
        return 141
    finally:
        del sys.path[len(sys.path) - 1 - sys.path[::-1].index("")]
    return 2


def _game(source: str, payoffs: bool, symmetrise: bool) -> Game:
    """A game by name, or a table by its path; a file that is called like a game is reached as ./name."""
    known = {name for family in games.listing() for name in (family.name, *family.aliases)}
    name, path = source.partition(":")[0].strip(), Path(source)
    if name in known:
        if payoffs or symmetrise:
            raise InputError(f"--payoffs and --symmetrise are for tables read from a file; '{source}' is the name of a game.")
        return games.from_spec(source)
    if source and (path.exists() or path.suffix.lower() in games.SUFFIXES or {"/", "\\", "."} & set(name)):
        return games.read_game(path, payoffs=payoffs, symmetrise=symmetrise)
    return games.from_spec(source)


def _solve(game: Game, algorithm: Any, steps: int, tolerance: float | None, start: str | None, feedback: Feedback) -> tuple[Trace, tuple[str, ...]]:
    """Run to a tenth of the tolerance, so that the tolerance itself lies inside the record."""
    aim = default_tolerance(game) if tolerance is None else tolerance
    policy, notes = default_start(game, aim) if start is None else (start_from_spec(start, game), ())
    trace = solve(game, algorithm, steps=steps, until=aim / 10, start=policy, feedback=feedback, progress=StderrProgress())
    return trace, (*notes, *never_played(policy))


def _feedback(spec: str) -> Feedback:
    name, settings = parse(spec)
    kinds = {"exact": Exact, "sampled": Sampled}
    if name not in kinds:
        raise unknown("feedback", name, kinds)
    return build(kinds[name], settings, f"feedback '{name}'")


if __name__ == "__main__":
    sys.exit(main())
