"""From the words of a command line to a game, and to a run of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmd_games import games
from mmd_games.errors import InputError, unknown
from mmd_games.games.game import Game
from mmd_games.loop import Exact, Sampled, StderrProgress, Trace, default_start, solve, start_from_spec
from mmd_games.loop.feedback import Feedback
from mmd_games.loop.starts import never_played, random_start
from mmd_games.specs import build, parse
from mmd_games.verification import predict_rate

LARGEST_FORETOLD = 1000
"""In larger games the rate is not predicted before the run, for that takes an equilibrium."""


def game_from(source: str, payoffs: bool, symmetrise: bool) -> Game:
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


def run(game: Game, algorithm: Any, steps: int, tolerance: float, start: str | None, feedback: Feedback) -> tuple[Trace, tuple[str, ...]]:
    """Run to a tenth of the tolerance, so that the tolerance itself lies inside the record.

    Where theory predicts that the settings move away, the run goes on to its budget, from a start that hides nothing: the uniform one may lie on a symmetry of the game
    that the growing modes do not touch, or pass by the equilibrium before they have grown.
    """
    policy, notes = default_start(game, tolerance) if start is None else (start_from_spec(start, game), ())
    until: float | None = tolerance / 10
    if game.actions <= LARGEST_FORETOLD and predict_rate(game, algorithm).kind == "diverges":
        until, said = None, "theory predicts that these settings move away from the equilibrium: the run is not stopped at the tolerance"
        if start is None and not notes:
            policy, said = random_start(game), f"{said}, and begins at random:seed=0"
        notes = (*notes, f"{said}.")
    trace = solve(game, algorithm, steps=steps, until=until, start=policy, feedback=feedback, progress=StderrProgress())
    return trace, (*notes, *never_played(policy))


def feedback_from(spec: str) -> Feedback:
    """What the players are told, `exact` or `sampled:opponents=16,seed=0`."""
    name, settings = parse(spec)
    kinds = {"exact": Exact, "sampled": Sampled}
    if name not in kinds:
        raise unknown("feedback", name, kinds)
    return build(kinds[name], settings, f"feedback '{name}'")
