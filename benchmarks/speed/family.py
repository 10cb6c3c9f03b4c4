"""Every algorithm of the log-linear family against Magnetic Mirror Descent, by what a product of the payoff matrix costs with all that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mmd_games as mg
from benchmarks.speed.contenders import ours
from benchmarks.speed.measuring import difference, race, ratio
from benchmarks.speed.table import Measured

if TYPE_CHECKING:
    from benchmarks.speed.rows import Bench

BASE = "mmd"
MEMBERS = {
    BASE: mg.MagneticMirrorDescent(),
    "mmd, moving magnet": mg.MagneticMirrorDescent(magnet="moving"),
    "mmd, annealed": mg.MagneticMirrorDescent(magnet="annealed"),
    "mpo": mg.MagneticPreferenceOptimization(),
    "mpo, inner pu": mg.MagneticPreferenceOptimization(inner="pu"),
    "pu": mg.PolicyUpdate(),
    "nash_md": mg.NashMirrorDescent(),
    "mwu": mg.MultiplicativeWeights(),
    "omwu": mg.OptimisticMultiplicativeWeights(),
    "extragradient": mg.Extragradient(),
}
COMMON = 50
"""Steps after which the compiled loop is compared with the array engine: few, for without a magnet rounding may grow."""
EQUAL = 1e-9


def family(bench: Bench, actions: int, steps: int) -> Measured:
    """The slowest member; all of them are in the details."""
    game = bench.game(actions)
    algorithms = {name: algorithm.with_defaults(game.scale) for name, algorithm in MEMBERS.items()}
    runs = {name: ours(game, algorithm, bench.steps(steps), work=algorithm.products_per_step) for name, algorithm in algorithms.items()}
    apart = {name: difference(run.reaches(COMMON), ours(game, algorithms[name], COMMON, engine="array").reaches(COMMON)) for name, run in runs.items()}
    costs = dict(zip(runs, race(list(runs.values()), bench.rounds), strict=True))
    ratios = {name: ratio(cost, costs[BASE]) for name, cost in costs.items()}
    slowest = max(ratios, key=lambda name: ratios[name].median)
    return Measured(
        ratio=ratios[slowest],
        blocks=f"{bench.steps(steps):,} each",
        difference=max(apart.values()),
        allowed=EQUAL,
        processors=min(cost.processors for cost in costs.values()),
        note=f"the slowest is {slowest}; outcomes are those of the array engine after {COMMON} steps",
        details=[f"{name:<20} {found.median:5.2f} ×  [{found.low:.2f}, {found.high:.2f}]" for name, found in ratios.items()],
    )
