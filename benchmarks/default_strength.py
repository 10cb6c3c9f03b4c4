"""How the default magnet strength α = c·L and the default stage length were chosen.

Plays Magnetic Preference Optimization on the suite below (every family of the catalogue at its defaults, and a few harder members) with η = α/L², hence
ηα = c², and K the larger of 1.5·√(3/(ηα)) and k/(ηα), for every c and k on a grid, and counts how many games are confirmed within the default budget.

    python benchmarks/default_strength.py
"""

from __future__ import annotations

import math
import sys
from statistics import median

from joblib import Parallel, delayed

import mmd_games as mg
from mmd_games.loop import DEFAULT_STEPS, default_start
from mmd_games.verification import default_tolerance

STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5)
STAGES = (0.0, 1.0, 2.0, 3.0, 4.0)
HARDER = (
    "a_delta:delta=0.01",
    "blotto:soldiers=5,fields=3",
    "blotto:soldiers=10,fields=3,reduce_symmetry=true",
    "random:n=10,seed=1",
    "random:n=10,seed=2",
    "random:n=30,seed=0",
    "random:n=30,seed=1",
    "random:n=10,distribution=gaussian",
    "random:n=11,distribution=tournament",
)


def suite() -> list[str]:
    """Every family at its defaults, then the harder members."""
    return [family.name for family in mg.games.listing() if family.name != "openspiel"] + list(HARDER)


def play(spec: str, relative_strength: float, stage: float) -> tuple[bool, int]:
    """Whether MPO is confirmed on a game, and the products it took."""
    game = mg.games.from_spec(spec)
    scale, tolerance = float(game.scale), default_tolerance(game)
    pull = relative_strength**2
    algorithm = mg.MagneticPreferenceOptimization(
        magnet_strength=relative_strength * scale, refresh_every=math.ceil(max(1.5 * math.sqrt(3.0 / pull), stage / pull))
    )
    trace = mg.solve(game, algorithm, steps=DEFAULT_STEPS, until=tolerance / 10, start=default_start(game, tolerance)[0])
    return mg.verify(trace, tolerance).exit_status == 0, int(trace.products[-1])


def main() -> None:
    """Print a row for each c and k."""
    games = suite()
    print(f"{len(games)} games, {DEFAULT_STEPS:,} products each\n   c     k   confirmed   median products")
    for strength in STRENGTHS:
        for stage in STAGES:
            results = Parallel(n_jobs=2)(delayed(play)(spec, strength, stage) for spec in games)
            print(f"{strength:4.2f}  {stage:4.1f}   {sum(confirmed for confirmed, _ in results):9d}   {median(products for _, products in results):15,.0f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
