"""From the words of a command line to a game, and to a run of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmd_games import games
from mmd_games.equilibria import NashEquilibrium, nash
from mmd_games.errors import InputError
from mmd_games.games.game import Game, duality_gap
from mmd_games.loop import StderrProgress, Trace, default_start, solve, start_from_spec
from mmd_games.loop.feedback import Feedback
from mmd_games.loop.starts import never_played
from mmd_games.verification import RatePrediction, predict_rate

LARGEST_FORETOLD = 1000
"""In larger games the rate is not predicted before the run, for that takes an equilibrium."""
REVEALING = "random:seed=0"
"""Where runs begin that are predicted to move away: the uniform start may lie on a symmetry of the game that the growing modes do not touch."""


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


def foretelling(game: Game) -> NashEquilibrium | None:
    """The equilibrium at which rates are predicted before the runs of a game, and which judges them; None in larger games."""
    return nash(game) if game.actions <= LARGEST_FORETOLD else None


def run(
    game: Game,
    algorithm: Any,
    steps: int,
    tolerance: float,
    start: str | None,
    feedback: Feedback,
    products: int | None = None,
    *,
    reference: NashEquilibrium | None,
) -> tuple[Trace, tuple[str, ...]]:
    """Run to a tenth of the tolerance, so that the tolerance itself lies inside the record; to the end of the budget where theory predicts that the settings move away."""
    policy, notes = default_start(game, tolerance) if start is None else (start_from_spec(start, game), ())
    until: float | None = tolerance / 10
    told = None if reference is None else predict_rate(game, algorithm, reference=reference)
    if told is not None and told.kind == "diverges":
        until, said = None, "theory predicts that these settings move away from the equilibrium: the run is not stopped at the tolerance"
        if start is None and not notes:
            policy, said = start_from_spec(REVEALING, game), f"{said}, and begins at {REVEALING}"
        notes = (*notes, f"{said}.")
    expected = None if told is None or until is None else _steps_to(until, game, told, steps)
    trace = solve(
        game, algorithm, steps=steps, products=products, until=until, start=policy, feedback=feedback, expected_steps=expected, progress=StderrProgress()
    )
    return trace, (*notes, *never_played(policy))


def common_start(game: Game, methods: Sequence[Any], start: str | None, reference: NashEquilibrium | None) -> str | None:
    """One start for all methods: that of the methods which move away, where there is such a one and none is given."""
    if start is not None or reference is None:
        return start
    return REVEALING if any(predict_rate(game, method, reference=reference).kind == "diverges" for method in methods) else None


def _steps_to(gap: float, game: Game, told: RatePrediction, most: int) -> int | None:
    """How many steps theory expects a run to take to a gap: those from L to there at the predicted factor, or `most`, which is also where it never gets there; None where theory is silent."""
    if told.kind == "declined" or gap <= 0:
        return None
    if told.target == "regularised" and duality_gap(game, told.policy) > gap:
        return most
    steps_per_product = told.steps_per_unit / told.products_per_unit
    return math.ceil(min(float(most), steps_per_product * told.products_between(float(game.scale), gap)))
