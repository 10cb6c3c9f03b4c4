"""Speed, in one command: every number that was to be reached, as measured, as asked, and whether it is.

    python -m benchmarks.speed                                     # the whole table, in some minutes
    python -m benchmarks.speed --only mmd_10 open_spiel            # one row, and all rows of a kind
    python -m benchmarks.speed --out benchmarks/results/speed.txt  # the table, and speed.png beside it
    python -m benchmarks.speed --quick                             # that it works, in seconds

Exits with status 1 if something asked is not reached, or a contender reaches another outcome.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""BLAS reads them when NumPy is imported: one thread, for contenders share the machine in turns and not at once."""


def main(tokens: Sequence[str] | None = None) -> int:
    """Measure the rows, print the table, and write it where that is asked."""
    load = os.getloadavg()[0]
    from benchmarks.speed.limits import measure_limits
    from benchmarks.speed.measuring import threads
    from benchmarks.speed.plot import plot_costs
    from benchmarks.speed.rows import OUR_STEPS, QUICK, Bench, all_rows
    from benchmarks.speed.running import measure_all
    from benchmarks.speed.table import text_of

    rows = all_rows()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="Cost of exact updates: ours, loops by hand, peers, and the machine.")
    parser.add_argument("--quick", action="store_true", help="cut sizes and steps down: a smoke run of seconds")
    parser.add_argument("--only", nargs="+", metavar="ROW", help=f"rows, or kinds of rows: {', '.join(row.key for row in rows)}")
    parser.add_argument("--out", type=Path, help="a file for the table; the plot goes beside it, as .png")
    options = parser.parse_args(tokens)
    chosen = [row for row in rows if not options.only or {row.key, row.key.rpartition("_")[0]} & set(options.only)]
    if not chosen:
        parser.error(f"no row is called {' or '.join(options.only)}; they are {', '.join(row.key for row in rows)}.")

    bench = QUICK if options.quick else Bench()
    with threads(1):
        print("the machine's limits", file=sys.stderr)
        limits = measure_limits(sorted({bench.size(actions) for actions in OUR_STEPS}), bench.memory)
        lines = measure_all(chosen, bench)
    text = text_of(lines, limits, load, options.quick)
    print(text, end="")
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
        plot_costs(lines, limits, options.out.with_suffix(".png"))
    return int(any(line.missed for line in lines) and not options.quick)


if __name__ == "__main__":
    os.environ.update(dict.fromkeys(ONE, "1"), NUMBA_NUM_THREADS=str(min(2, os.cpu_count() or 1)))
    sys.exit(main())
