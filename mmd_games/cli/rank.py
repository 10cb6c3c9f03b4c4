"""`rank`: the Nash averaging of a leaderboard, from battles, ballots or scores, with intervals."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games import report
from mmd_games.cli.app import AsJson, Out, Whole, app
from mmd_games.errors import InputError, require_share, require_whole
from mmd_games.games.data import read_data
from mmd_games.terminal import print_table


@app.command
def rank(
    data: Annotated[
        Path,
        Parameter(help="Battles, scores or ratings (.csv .tsv .jsonl .parquet), rankings (.jsonl), or a PrefLib file (.soc .soi .toc .toi)."),
    ],
    /,
    *,
    unmet: Annotated[
        str, Parameter(help="Pairs that never met: refuse; prior:strength=1, so many tied battles for every pair; connected, the largest linked part.")
    ] = "refuse",
    unranked: Annotated[str, Parameter(help="Names that a ballot leaves out: refuse; below, tied under all that it ranks; apart, not compared.")] = "refuse",
    table: Annotated[str, Parameter(help="probabilities, or margins: votes for less votes against.")] = "probabilities",
    skip: Annotated[
        str, Parameter(help="Records to leave out and count: winner, self, missing, name, number, duplicate, conflict, alone, or all; with commas between.")
    ] = "",
    id: Annotated[str | None, Parameter(help="The column that identifies a battle, so that repetitions and contradictions are found.")] = None,
    voters: Annotated[
        list[str] | None, Parameter(help="Of scores: a column that says who scored; repeat for several. Default all others.", negative="")
    ] = None,
    bootstrap: Annotated[int, Whole, Parameter(help="Tables drawn anew from the records, for the intervals; 0 for none.")] = 200,
    seed: Annotated[int, Whole, Parameter(help="Of those draws.")] = 0,
    level: Annotated[float, Parameter(help="Of the intervals.")] = 0.95,
    as_json: AsJson = False,
    out: Out = None,
) -> int:
    """Rank models or candidates by the Nash equilibrium of their table, a maximal lottery, with intervals, beside Elo, Borda and Copeland; status 3 where it is not reached."""
    require_whole(0, bootstrap=bootstrap, seed=seed)
    require_share(level=level)
    if bootstrap == 1:
        raise InputError("bootstrap must be 0, for no intervals, or at least 2, got 1.")
    if out is not None:
        report.require_writable(out)
    game = read_data(data, unmet=unmet, unranked=unranked, table=table, skip=skip, id=id, voters=voters)
    words = [
        "mmd-games",
        "rank",
        str(data),
        "--unmet",
        unmet,
        "--unranked",
        unranked,
        "--table",
        table,
        "--bootstrap",
        str(bootstrap),
        "--seed",
        str(seed),
        "--level",
        repr(level),
    ]
    words += [*(["--skip", skip] if skip else []), *([] if id is None else ["--id", id]), *(word for name in voters or () for word in ("--voters", name))]
    ranking = report.rank(game, bootstrap=bootstrap, seed=seed, level=level, reproduce=shlex.join(words))
    if out is not None:
        ranking.save(out)
        print(f"Wrote {', '.join(report.RANKING_FILES[:-1])} and {report.RANKING_FILES[-1]} to {out}.", file=sys.stderr)
    if as_json:
        print(json.dumps(ranking.to_dict(), indent=1, allow_nan=False))
    else:
        print_table(ranking.sentence, ranking.rows(), wide=True)
        print("\n".join(ranking.remarks()))
    return ranking.exit_status
