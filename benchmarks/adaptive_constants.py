"""How much the constants of AdaptiveMPO matter, which are no settings: each halved and doubled, on random games, Blotto and Kuhn poker.

python benchmarks/adaptive_constants.py > benchmarks/results/adaptive_constants.txt
"""

from __future__ import annotations

import math
from typing import Any

import mmd_games as mg
from mmd_games.algorithms import adaptive

GAMES = (
    *(f"random:n={n},seed={seed}" for n, seeds in ((10, 8), (30, 8), (100, 4)) for seed in range(100, 100 + seeds)),
    "blotto:soldiers=10,fields=3",
    "blotto:soldiers=10,fields=4",
    "kuhn_poker",
    "noisy_elo:n=30",
)
"""Random games with seeds that nothing was chosen on."""
BUDGET, LEVEL = 20_000, 1e-8
CHANGES: tuple[tuple[str, Any], ...] = (
    ("RELATIVE_ERROR", 0.25),
    ("RELATIVE_ERROR", 0.8),
    ("WEAKER", (3.0, 3.0, 1.7, 1.4)),
    ("WEAKER", (12.0, 12.0, 6.0, 4.0)),
    ("STRONGER", 2.0),
    ("STRONGER", 8.0),
    ("NEWTON_STEPS", 3),
    ("NEWTON_STEPS", 12),
    ("ACCURACY", 0.015),
    ("ACCURACY", 0.06),
    ("RARE", 0.15),
    ("RARE", 0.6),
    ("BOUNDARY", 0.9),
    ("BOUNDARY", 0.975),
)


def products() -> list[int]:
    """Products to the level, with the constants as they stand; the budget where it is not reached."""
    spent = []
    for spec in GAMES:
        game = mg.games.from_spec(spec)
        trace = mg.solve(game, mg.AdaptiveMPO(), products=BUDGET, until=LEVEL * float(game.scale))
        spent.append(int(trace.products[-1]) if trace.gap <= LEVEL * float(game.scale) else BUDGET)
    return spent


def main() -> None:
    """Print a line for each change."""
    as_it_is = products()
    reached = sum(count < BUDGET for count in as_it_is)
    print(
        f"{len(GAMES)} games, products to a relative gap of {LEVEL:g}, geometric means; {reached} reach it as it is, with {min(as_it_is):,} to {max(as_it_is):,}\n"
    )
    print(f"{'constant':16s} {'instead of':18s} {'tried':18s} {'ratio':>6s} {'worst':>6s} {'reach it':>9s}")
    for name, value in CHANGES:
        kept = getattr(adaptive, name)
        setattr(adaptive, name, value)
        changed = products()
        setattr(adaptive, name, kept)
        ratios = [math.log(now / before) for now, before in zip(changed, as_it_is, strict=True)]
        mean, worst = math.exp(sum(ratios) / len(ratios)), math.exp(max(ratios))
        print(f"{name:16s} {kept!s:18s} {value!s:18s} {mean:6.2f} {worst:6.2f} {sum(count < BUDGET for count in changed):5d} of {len(GAMES)}", flush=True)


if __name__ == "__main__":
    main()
