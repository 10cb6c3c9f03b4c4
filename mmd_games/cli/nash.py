"""`nash`: the equilibrium itself, with its certificate."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mmd_games.cli.app import AsJson, Payoffs, Source, Symmetrise, app
from mmd_games.cli.playing import game_from
from mmd_games.equilibria import equilibrium_certificate, nash, write_certificate
from mmd_games.errors import InputError
from mmd_games.loop import StderrProgress, start_from_spec


@app.command(name="nash")
def nash_command(
    source: Source,
    /,
    *,
    method: Annotated[
        str,
        Parameter(
            help="auto: what serves the game; interior_point; double_oracle, for up to millions of actions; lp, the independent oracle; exact, rational and proved."
        ),
    ] = "auto",
    select: Annotated[str | None, Parameter(help="maximum_entropy: of several equilibria the one nearest to uniform, or to --start, in KL.")] = None,
    start: Annotated[str | None, Parameter(help="With --select: random:seed=1; 0.2/0.3/0.5; or a file.")] = None,
    tolerance: Annotated[float | None, Parameter(help="Duality gap asked for, in the game's units; default 1e-9 of its scale L.")] = None,
    certificate: Annotated[Path | None, Parameter(help="With --method exact: a file for the proof, which check-certificate checks.")] = None,
    payoffs: Payoffs = False,
    symmetrise: Symmetrise = False,
    as_json: AsJson = False,
) -> int:
    """Compute a Nash equilibrium, with a certificate, independently of the algorithms; status 3 where the tolerance is not met."""
    if certificate is not None and method != "exact":
        raise InputError(f"--certificate is written of what is proved, by --method exact; {method} proves nothing.")
    game = game_from(source, payoffs, symmetrise)
    policy = None if start is None else start_from_spec(start, game)
    equilibrium = nash(game, method=method, select=select, start=policy, tolerance=tolerance, progress=StderrProgress("rounds"))
    if certificate is not None and equilibrium.proof is not None:
        write_certificate(equilibrium_certificate(equilibrium, game), certificate)
        print(f"Wrote {certificate}.", file=sys.stderr)
    print(json.dumps(equilibrium.to_dict(), indent=1) if as_json else equilibrium)
    return 0 if equilibrium.converged else 3
