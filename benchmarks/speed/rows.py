"""The rows: which work, against whom, and what is asked of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

import mmd_games as mg
from benchmarks.speed import peers
from benchmarks.speed.contenders import BY_HAND, LowRankTable, by_hand, covered, each_by_hand, ours, ours_together, products_together
from benchmarks.speed.family import family
from benchmarks.speed.limits import half_table_bytes, streaming
from benchmarks.speed.measuring import Contender, difference, race, ratio, threads
from benchmarks.speed.table import Measured, Row, times
from benchmarks.speed.verify_profile import outside

EQUAL = 1e-9
"""Allowed between policies that were computed in float64 in another order: the updates contract, so that rounding does not add up."""
FLOORED = 1e-7
"""Allowed where a peer keeps probabilities above 1e-10."""
SIX_DIGITS = 1e-4
"""Allowed where a peer reads payoffs of six digits."""
OUR_STEPS = {3: 400_000, 10: 400_000, 30: 150_000, 100: 40_000, 300: 5_000, 1000: 1_000, 3000: 600, 10_000: 400}
"""Of a block, by actions. Each doubling of a run's steps adds two recorded rows, each with a product: at 400 steps five percent."""
THEIR_STEPS = {3: 8_000, 10: 8_000, 30: 8_000, 100: 8_000, 300: 3_000, 1000: 400, 3000: 100, 10_000: 10}
GRID = 8.0
"""Asked of many step sizes on one game."""


@dataclass(frozen=True)
class Bench:
    """How much is done: for the record, or only to see that it runs.

    Parameters
    ----------
    rounds, long_rounds : int
        Of short blocks, and of those that take seconds.
    divide : int
        All steps are divided by this.
    largest : int
        Games of more actions, and more of them, are cut down to this.
    megabytes : int
        Of the array that is read from memory.
    """

    rounds: int = 11
    long_rounds: int = 5
    divide: int = 1
    largest: int = 10**9
    megabytes: int = 400

    def steps(self, number: int) -> int:
        """Of a block."""
        return max(3, number // self.divide)

    def size(self, number: int) -> int:
        """Of a game, or of a batch of them."""
        return min(number, self.largest)

    @cached_property
    def memory(self) -> np.ndarray:
        """What is read to measure the limits."""
        return np.ones(self.megabytes * 1_000_000 // 8)

    def game(self, actions: int, seed: int = 1) -> mg.PreferenceGame:
        """A random game, every pair of actions uniform on (−½, ½)."""
        return mg.games.random(n=self.size(actions), seed=seed)


QUICK = Bench(rounds=2, long_rounds=2, divide=4_000, largest=40, megabytes=8)


def duel(
    mine: Contender, theirs: Contender, rounds: int, common: int, allowed: float, witness: Contender | None = None, more: Sequence[Contender] = ()
) -> tuple[Measured, list[float]]:
    """Compare what two reach after `common` steps, or what we and a witness do, and let them race with `more` contenders; and the seconds a step of each."""
    apart = difference(mine.reaches(common), (witness or theirs).reaches(common))
    for contender in (theirs, *more):
        contender.reaches(1)
    costs = race([mine, theirs, *more], rounds)
    (once,) = race([dataclasses.replace(mine, steps=1)], 3)
    measured = Measured(
        ratio=ratio(costs[1], costs[0]),
        blocks=f"{mine.steps:,} / {theirs.steps:,}; {once.step / (costs[0].step * mine.steps):.1%}",
        difference=apart,
        allowed=allowed,
        processors=min(cost.processors for cost in costs),
        note=mine.note,
    )
    return measured, [cost.step for cost in costs]


def a_step(bench: Bench, algorithm: Any, actions: int) -> Measured:
    """A step of one game against the hand-written loop."""
    game = bench.game(actions)
    algorithm = algorithm.with_defaults(game.scale)
    mine = ours(game, algorithm, bench.steps(OUR_STEPS[actions]))
    theirs = by_hand(np.asarray(game.payoff_matrix), algorithm, bench.steps(THEIR_STEPS[actions]))
    measured, seconds = duel(mine, theirs, bench.rounds, common=min(theirs.steps, 200), allowed=EQUAL)
    if isinstance(algorithm, mg.MagneticMirrorDescent):
        return dataclasses.replace(measured, points=[(name, game.actions, cost) for name, cost in zip((mine.name, theirs.name), seconds, strict=True)])
    return measured


def of_bandwidth(bench: Bench, actions: int) -> Measured:
    """What part of the bytes a second that memory gives half the table is read at."""
    game = bench.game(actions)
    algorithm = mg.MagneticMirrorDescent().with_defaults(game.scale)
    mine = ours(game, algorithm, bench.steps(OUR_STEPS[actions]), work=half_table_bytes(game.actions))
    witness = by_hand(np.asarray(game.payoff_matrix), algorithm, 3)
    measured, seconds = duel(mine, streaming(bench.memory, bench.steps(20)), bench.long_rounds, common=3, allowed=EQUAL, witness=witness)
    return dataclasses.replace(measured, points=[(mine.name, game.actions, seconds[0])])


def against_peer(bench: Bench, peer: Callable[[np.ndarray, Any, int], Contender], actions: int, steps: int, allowed: float) -> Measured:
    """A step of one game against a library's; also with the game played by two players, as the library does."""
    game = bench.game(actions)
    algorithm, matrix = mg.MagneticMirrorDescent().with_defaults(game.scale), np.array(game.payoff_matrix)
    theirs = peer(matrix, algorithm, bench.steps(steps))
    ours_steps = bench.steps(OUR_STEPS[actions])
    one, two = ours(game, algorithm, ours_steps), ours(mg.MatrixGame(matrix), algorithm, ours_steps)
    measured, seconds = duel(one, theirs, bench.rounds, common=theirs.steps, allowed=allowed, more=[two])
    apart = difference(two.reaches(theirs.steps)[: game.actions], one.reaches(theirs.steps))
    note = f"where ours plays the two players as well, {times(seconds[1] / seconds[2])}"
    return dataclasses.replace(measured, difference=max(measured.difference or 0.0, apart), note=note, points=[(theirs.name, game.actions, seconds[1])])


def batch(bench: Bench) -> Measured:
    """A thousand games at once, on two threads."""
    games = [bench.game(10, seed) for seed in range(bench.size(1000))]
    algorithms = [mg.MagneticMirrorDescent().with_defaults(game.scale) for game in games]
    theirs = each_by_hand([np.asarray(game.payoff_matrix) for game in games], algorithms, bench.steps(100))
    with threads(2) as given:
        mine = ours_together(games, algorithms, bench.steps(20_000), engine="compiled")
        measured, _ = duel(mine, theirs, bench.long_rounds, common=theirs.steps, allowed=EQUAL)
    return dataclasses.replace(measured, processors=None, note="" if given == 2 else f"on {given} thread, for numba has no more")


def grid(bench: Bench, actions: int, steps: tuple[int, int]) -> Measured:
    """Many step sizes on one game, which share its table."""
    game = bench.game(actions)
    filled: Any = mg.MagneticMirrorDescent().with_defaults(game.scale)
    algorithms = [dataclasses.replace(filled, step_size=float(size)) for size in filled.step_size * np.geomspace(0.1, 1.0, bench.size(64))]
    matrix, (our_steps, their_steps) = np.asarray(game.payoff_matrix), map(bench.steps, steps)
    mine = ours_together([game] * len(algorithms), algorithms, our_steps)
    theirs = each_by_hand([matrix] * len(algorithms), algorithms, their_steps)
    alone = products_together(matrix, len(algorithms), 2 * their_steps)
    measured, seconds = duel(mine, theirs, bench.long_rounds, common=min(10, theirs.steps), allowed=EQUAL, more=[alone])
    # What the products are in arithmetic says which machine could do it: one from whose caches runs by hand cannot read the table.
    operations = 2e-9 * matrix.size * len(algorithms)
    note = (
        f"BLAS's product of the table with all policies, and nothing else, would be {times(seconds[1] / seconds[2])} ({operations / seconds[2]:.0f} GFLOP/s); "
        f"{times(GRID)} would be {GRID * operations / seconds[1]:.0f} GFLOP/s for the products alone"
    )
    return dataclasses.replace(measured, note=note)


def low_rank(bench: Bench) -> Measured:
    """A game of embeddings, which a step must read at least once."""
    game = mg.games.low_rank(n=bench.size(10**6), dimensions=8, seed=1)
    algorithm = mg.MagneticMirrorDescent().with_defaults(game.scale)
    mine = covered(lambda engine: ours(game, algorithm, bench.steps(1000), engine=engine, work=game.embeddings.nbytes))
    witness = by_hand(LowRankTable(game.embeddings, game.mixing), algorithm, 3)
    return duel(mine, streaming(bench.memory, bench.steps(20)), bench.long_rounds, common=3, allowed=EQUAL, witness=witness)[0]


MMD, MPO = mg.MagneticMirrorDescent(), mg.MagneticPreferenceOptimization()


def all_rows() -> list[Row]:
    """Every row, in the order of the table."""
    asked = {3: None, 10: 50.0, 30: 20.0, 100: 4.5, 300: None, 1000: 1.6, 3000: 1.6}
    rows = [
        Row(key=f"{name}_{n}", work=f"{name.upper()} step, n = {n:,}", against=BY_HAND, asked=least, measure=partial(a_step, algorithm=algorithm, actions=n))
        for n, least in asked.items()
        for name, algorithm in (("mmd", MMD), ("mpo", MPO))
        if name == "mmd" or least is not None
    ]
    rows += [
        Row(
            key=f"bandwidth_{n}",
            work=f"MMD step, n = {n:,}, n²/2 × 8 bytes",
            against="streaming bandwidth",
            asked=0.7,
            percent=True,
            measure=partial(of_bandwidth, actions=n),
        )
        for n in (3000, 10_000)
    ]
    rivals = [
        ("open_spiel", "OpenSpiel mmd_dilated", peers.open_spiel, EQUAL, {10: (100, 5000.0), 100: (4, 5000.0)}),
        ("lite_efg", "LiteEFG MMD", peers.lite_efg, SIX_DIGITS, {10: (10_000, 40.0), 100: (300, 150.0)}),
        ("sokota", "ssokota/mmd style, NumPy", peers.sokota_style, FLOORED, {10: (1_000, None), 100: (1_000, None), 1000: (100, None)}),
    ]
    rows += [
        Row(
            key=f"{key}_{n}",
            work=f"MMD step, n = {n:,}",
            against=against,
            asked=least,
            measure=partial(against_peer, peer=peer, actions=n, steps=steps, allowed=allowed),
        )
        for key, against, peer, allowed, sizes in rivals
        for n, (steps, least) in sizes.items()
    ]
    rows += [
        Row(key="batch", work="1,000 games of n = 10 together, two threads", against=f"{BY_HAND}, game by game", asked=60.0, measure=batch),
        *(
            Row(
                key=f"grid_{n}",
                work=f"64 step sizes on one game, n = {n:,}",
                against=f"{BY_HAND}, 64 runs",
                asked=least,
                measure=partial(grid, actions=n, steps=steps),
            )
            for n, least, steps in ((1000, GRID, (600, 20)), (3000, None, (240, 4)))
        ),
    ]
    rows += [
        Row(
            key=f"family_{n}",
            work=f"slowest of the family, n = {n:,}",
            against="MMD, per product",
            asked=1.5,
            at_most=True,
            measure=partial(family, actions=n, steps=OUR_STEPS[n]),
        )
        for n in (10, 100, 1000)
    ]
    rows += [
        Row(key="low_rank", work="low-rank game, n = 10⁶, k = 8, embeddings once", against="streaming bandwidth", asked=0.5, percent=True, measure=low_rank),
        Row(
            key="verify",
            work="verify, n = 100, 10⁵ steps",
            against="outside loop, products, exponentials",
            asked=1 / 3,
            at_most=True,
            percent=True,
            measure=outside,
        ),
    ]
    return rows
