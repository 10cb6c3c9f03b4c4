"""`verify`: run an algorithm on a game, or take a recorded run, and judge its last iterate."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games import algorithms, report
from mmd_games.cli.again import command_for_run, command_for_trace
from mmd_games.cli.app import FEEDBACK, AsJson, Out, Payoffs, Source, Start, Symmetrise, Tolerance, Whole, app
from mmd_games.cli.playing import foretelling, game_from, run
from mmd_games.cli.recorded import recorded_run
from mmd_games.equilibria import gap_certificate, write_certificate
from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.loop import DEFAULT_STEPS, feedback_from
from mmd_games.verification import default_tolerance


@app.command
def verify(
    source: Source,
    /,
    *,
    algorithm: Annotated[str | None, Parameter(help="mpo, mwu, omwu, …, with settings as name:key=value; or module:Class. Default mpo.")] = None,
    steps: Annotated[int | None, Whole, Parameter(help=f"Budget, in updates of the policy; default {DEFAULT_STEPS:,}.")] = None,
    tolerance: Tolerance = None,
    start: Start = None,
    feedback: Annotated[str | None, Parameter(help=f"{FEEDBACK} Default exact.")] = None,
    trace: Annotated[Path | None, Parameter(help="Judge this recorded run of the game (a trace.npz) instead of making one.")] = None,
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
    out: Out = None,
    certificate: Annotated[
        Path | None, Parameter(help="A file for the exact gap of the last iterate, however large it is; check-certificate checks it.")
    ] = None,
) -> int:
    """Run an algorithm on a game and judge its last iterate: confirmed (0), refuted (1), inconclusive (3)."""
    require_whole(steps=steps)
    require_positive(tolerance=tolerance)
    if trace is not None and (algorithm, steps, start, feedback) != (None,) * 4:
        raise InputError("--trace brings in a run that has been made; --algorithm, --steps, --start and --feedback are for a new one.")
    spoken = "exact" if feedback is None else feedback
    method, told = algorithms.from_spec("mpo" if algorithm is None else algorithm), feedback_from(spoken)
    if out is not None:
        report.require_writable(out)
    game = game_from(source, payoffs, symmetrise)
    allowed = default_tolerance(game) if tolerance is None else tolerance
    reference = foretelling(game) if trace is None else None
    if trace is not None:
        made, notes = recorded_run(trace, game), ()
        again = command_for_trace(source, trace, allowed, payoffs=payoffs, symmetrise=symmetrise)
    else:
        budget = DEFAULT_STEPS if steps is None else steps
        made, notes = run(game, method, budget, allowed, start, told, reference=reference)
        again = command_for_run(source, made, budget, allowed, start=start, feedback=spoken, payoffs=payoffs, symmetrise=symmetrise)
    try:
        result = report.verify(made, allowed, notes=notes, reproduce=again, reference=reference)
    except InputError as error:
        raise error if trace is None else InputError(f"{trace}: {error}") from None
    if out is not None:
        result.save(out)
        print(f"Wrote {', '.join(report.FILES[:-1])} and {report.FILES[-1]} to {out}.", file=sys.stderr)
    if certificate is not None:
        write_certificate(gap_certificate(game, made.policy), certificate)
        print(f"Wrote {certificate}.", file=sys.stderr)
    print(json.dumps(result.to_dict(), indent=1, allow_nan=False) if as_json else result)
    return 130 if made.stopped == "interrupted" and trace is None else result.exit_status
