"""Where a verification spends its time: `mmd-games verify` on a random game, as shares.

    python -m benchmarks.speed.verify_profile            # 100 actions, 100,000 steps
    python -m benchmarks.speed.verify_profile --actions 20 --steps 5000

Inside are the compiled loop, whole, and products, exponentials and logarithms elsewhere; all else is outside, by the room of the package that it was done for: time in libraries belongs to the room
that called them. The command is run twice before, so that nothing is compiled or imported; what a new process takes more than that is said beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from benchmarks.speed.sampling import Sampler, Stack, Watched, wherever

if TYPE_CHECKING:
    from benchmarks.speed.rows import Bench
    from benchmarks.speed.table import Measured

ACTIONS, STEPS = 100, 100_000
ASKED = 1 / 3
RUNS, MIDDLE = 9, slice(2, 7)
"""That are asked, and those that are counted, from the least share outside to the largest: what else the machine does falls on single runs."""
TOP = 12
"""Rooms and functions that are listed, at most."""
LEAST = 0.005
"""Share from which on they are."""
LOOP, PRODUCTS, EXPONENTIALS = INSIDE = ("the compiled loop", "products elsewhere", "exponentials and logarithms elsewhere")


def inside() -> list[Watched]:
    """What is inside, with all that it calls."""
    import numpy as np

    from mmd_games import arrays, games
    from mmd_games.loop.compiled_run import _CompiledLoop

    return [
        Watched(_CompiledLoop, "advance", LOOP),
        Watched(games.PreferenceGame, "payoffs", PRODUCTS),
        *wherever(arrays.log_normalise, EXPONENTIALS),
        *wherever(arrays.kl, EXPONENTIALS),
        *(Watched(np, name, EXPONENTIALS) for name in ("exp", "expm1", "log", "log1p")),
    ]


@dataclass(frozen=True)
class Profile:
    """Shares of warm runs.

    Attributes
    ----------
    inside, rooms, functions : dict of str to float
        What is inside, by kind; what is outside, by room, and by functions of the package with the libraries that they call; the largest first.
    quarters : (float, float)
        The least and the largest share outside of the runs that are counted.
    """

    inside: dict[str, float]
    rooms: dict[str, float]
    functions: dict[str, float]
    quarters: tuple[float, float] = (math.nan, math.nan)

    @property
    def outside(self) -> float:
        """The share of all that is not inside."""
        return 1 - sum(self.inside.values())

    def lines(self) -> list[str]:
        """What to print."""

        def listed(shares: Mapping[str, float]) -> list[str]:
            return [f"  {share:6.1%}  {name}" for name, share in shares.items() if share >= LEAST][:TOP]

        return [
            f"inside {1 - self.outside:.1%}:",
            *(f"  {share:6.1%}  {name}" for name, share in self.inside.items()),
            f"outside {self.outside:.1%}, by room:",
            *listed(self.rooms),
            "and by functions, with what they call in libraries:",
            *listed(self.functions),
        ]


def shares(seconds: Mapping[tuple[str, Stack], float]) -> Profile:
    """The profile from what a sampler found."""
    total = sum(seconds.values())
    kinds: dict[str, float] = dict.fromkeys(INSIDE, 0.0)
    rooms: defaultdict[str, float] = defaultdict(float)
    functions: defaultdict[str, float] = defaultdict(float)
    for (kind, stack), spent in seconds.items():
        if kind:
            kinds[kind] += spent / total
        else:
            rooms[stack[0].room if stack else "elsewhere"] += spent / total
            functions[f"{stack[0].path}:{stack[0].line} {stack[0].name}" if stack else "elsewhere"] += spent / total
    return Profile(kinds, _descending(rooms), _descending(functions))


def profile(actions: int, steps: int) -> tuple[Profile, float]:
    """Profile verifications, after two that are not; and what a new process takes, over a warm run."""
    command = ["verify", f"random:n={actions},seed=1", "--steps", str(steps)]
    _verify(command)
    began = time.perf_counter()
    _verify(command)
    warm = time.perf_counter() - began
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mmd_games.cli", *command], capture_output=True, check=False)
    fresh = time.perf_counter() - began
    samplers = [Sampler(inside()) for _ in range(RUNS)]
    for sampler in samplers:
        with sampler:
            _verify(command)
    middle = sorted((sampler.seconds for sampler in samplers), key=lambda seconds: shares(seconds).outside)[MIDDLE]
    together: defaultdict[tuple[str, Stack], float] = defaultdict(float)
    for what, spent in chain.from_iterable(seconds.items() for seconds in middle):
        together[what] += spent
    return replace(shares(together), quarters=(shares(middle[0]).outside, shares(middle[-1]).outside)), fresh / warm


def lines_of(found: Profile, fresh: float) -> list[str]:
    """All that is said about a profile."""
    return [*found.lines(), f"A new process takes {fresh:.1f} times as long as a warm run: the rest is imports, and loading what was compiled."]


def outside(bench: Bench) -> Measured:
    """The row of the table."""
    from benchmarks.speed.measuring import Ratio
    from benchmarks.speed.table import Measured

    found, fresh = profile(bench.size(ACTIONS), bench.steps(STEPS))
    return Measured(ratio=Ratio(found.outside, *found.quarters), blocks=f"{RUNS} runs", details=lines_of(found, fresh))


def _descending(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _verify(command: list[str]) -> None:
    from mmd_games.cli import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        if main(command) not in (0, 1, 3):
            raise RuntimeError(f"mmd-games {' '.join(command)} failed.")


def main() -> None:
    """Print the profile, and exit with status 1 if more is outside than was asked."""
    parser = argparse.ArgumentParser(description="Where a verification spends its time.")
    parser.add_argument("--actions", type=int, default=ACTIONS)
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    found, fresh = profile(options.actions, options.steps)
    print(f"mmd-games verify, a random game of {options.actions:,} actions, {options.steps:,} steps; asked: at most {ASKED:.0%} outside")
    print("\n".join(lines_of(found, fresh)))
    sys.exit(0 if found.outside <= ASKED else 1)


if __name__ == "__main__":
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))
    main()
