"""`compare`: several algorithms on one game, with one budget."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games import algorithms, report
from mmd_games.cli.again import command_for_run
from mmd_games.cli.app import AsJson, FeedbackSpec, Payoffs, Source, Start, Symmetrise, Tolerance, Whole, app
from mmd_games.cli.playing import common_start, foretelling, game_from, run
from mmd_games.errors import require_positive, require_whole
from mmd_games.loop import DEFAULT_STEPS, feedback_from
from mmd_games.loop.budget import steps_within
from mmd_games.terminal import print_table
from mmd_games.verification import default_tolerance

COMPARED = ("mpo", "mmd", "omwu", "extragradient", "mwu")
"""What `compare` plays when no algorithm is named."""


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
    out: Annotated[Path, Parameter(help="Directory for compare.html, compare.json, gaps.png and a trace of each.")] = Path("compare"),
) -> int:
    """Run several algorithms on one game, with one budget of products, and draw their gaps on one plot."""
    require_whole(products=products)
    require_positive(tolerance=tolerance)
    chosen, told = [algorithms.from_spec(spec) for spec in algorithm or COMPARED], feedback_from(feedback)
    report.require_writable(out)
    game = game_from(source, payoffs, symmetrise)
    allowed = default_tolerance(game) if tolerance is None else tolerance
    reference = judged_by = foretelling(game)
    start = common_start(game, chosen, start, reference)
    results = []
    for method in chosen:
        trace, notes = run(game, method, products, allowed, start, told, products, reference=reference)
        # What a step spends is the method's own: made again, the run takes as many steps as its products paid for.
        steps = trace.steps if trace.stopped == "budget" else steps_within(products, method, game)
        again = command_for_run(source, trace, steps, allowed, start=start, feedback=feedback, payoffs=payoffs, symmetrise=symmetrise)
        results.append(report.verify(trace, allowed, notes=notes, reproduce=again, reference=judged_by))
        judged_by = results[0].reference
        if trace.stopped == "interrupted":
            break
    report.save_comparison(results, out)
    if as_json:
        print(json.dumps(report.comparison_dict(results), indent=1, allow_nan=False))
    else:
        for note in dict.fromkeys(note for result in results for note in (*game.notes, *result.notes)):
            print(f"note: {note}", file=sys.stderr)
        print_table(game.describe(), report.comparison_rows(results))
        print(f"Wrote compare.html, compare.json, gaps.png and the traces to {out}.", file=sys.stderr)
    return 130 if results[-1].trace.stopped == "interrupted" else 0
