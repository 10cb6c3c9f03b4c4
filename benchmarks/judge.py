"""The judge of recorded gaps is itself judged: how often `classify_convergence` finds the truth of the traces of `judge_traces.py`.

    python benchmarks/judge.py --traces 10000 --seed 0

prints the confusion matrix, the recall of each kind and what was asked, and exits with status 1 if an ask is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass

from judge_traces import Sample, sample

from mmd_games.verification import Convergence, Kind, classify_convergence

LONG = 500
"""Recall is asked for from this length on, counted both in recorded gaps and in iterations."""


@dataclass(frozen=True)
class Ask:
    """Something asked of the judge, the share that met it, and the least that would do."""

    name: str
    met: int
    number: int
    least: float

    @property
    def passed(self) -> bool:
        """Whether enough met it."""
        return self.met >= self.least * self.number

    def __str__(self) -> str:
        return f"{'ok    ' if self.passed else 'MISSED'}  {self.name:<76} {self.met:6,} of {self.number:6,}  {self.met / max(self.number, 1):7.2%}  (asked: {self.least:.0%})"


def asks(pairs: list[tuple[Sample, Convergence]]) -> list[Ask]:
    """What was asked of the judge, on these samples."""
    others = [result for truth, result in pairs if truth.kind in (Kind.SUBLINEAR, Kind.STALLED)]
    eligible = [(truth, result) for truth, result in pairs if truth.eligible]
    rates = [(truth.rate or 0.0, result.interval) for truth, result in eligible if result.interval is not None]
    made = [
        Ask("sublinear, stalled and cycling traces that are not called linear", sum(result.kind is not Kind.LINEAR for result in others), len(others), 1.0),
        Ask("eligible linear traces that are called linear", sum(result.kind is Kind.LINEAR for _, result in eligible), len(eligible), 0.95),
        Ask("of these, the true rate inside the stated interval", sum(low <= rate <= high for rate, (low, high) in rates), len(rates), 0.93),
    ]
    for kind in (Kind.LINEAR, Kind.SUBLINEAR, Kind.STALLED, Kind.DIVERGING):
        ours = [(truth, result.kind is kind) for truth, result in pairs if truth.kind is kind]
        for unit, long in (
            ("recorded gaps", [found for truth, found in ours if len(truth.gaps) >= LONG]),
            ("iterations", [found for truth, found in ours if truth.iterations[-1] >= LONG]),
        ):
            made.append(Ask(f"recall of {kind.value}, {LONG} {unit} or more", sum(long), len(long), 0.8))
    return made


def confusion(pairs: list[tuple[Sample, Convergence]]) -> str:
    """How often each family is called what, and the share of the right name on all, on long and on eligible traces."""
    rows: defaultdict[str, list[tuple[Sample, Convergence]]] = defaultdict(list)
    for truth, result in pairs:
        rows[truth.family].append((truth, result))
    lines = [f"{'family':<24}{'truth':<11}" + "".join(f"{kind.value:>13}" for kind in Kind) + f"{'recall':>9}{f'>={LONG} gaps':>11}{'eligible':>10}"]
    for family, members in rows.items():
        counts, kind = Counter(result.kind for _, result in members), members[0][0].kind
        chosen = [members, [m for m in members if len(m[0].gaps) >= LONG], [m for m in members if m[0].eligible]]
        shares = [f"{sum(m[1].kind is kind for m in part) / len(part):.1%}" if part else "" for part in chosen]
        lines.append(f"{family:<24}{kind.value:<11}" + "".join(f"{counts[k]:13,}" for k in Kind) + f"{shares[0]:>9}{shares[1]:>11}{shares[2]:>10}")
    return "\n".join(lines)


def main() -> None:
    """Judge the judge, print the tables, and exit with status 1 if an ask is missed."""
    parser = argparse.ArgumentParser(description="Judge the judge of recorded gaps on traces whose truth is known.")
    parser.add_argument("--traces", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pairs, spent = [], 0.0
    for index in range(options.traces):
        truth = sample(options.seed, index)
        started = time.process_time()
        pairs.append((truth, classify_convergence(truth.iterations, truth.gaps, floor=truth.floor)))
        spent += time.process_time() - started
    found = asks(pairs)
    print(f"{options.traces:,} traces, seed {options.seed}\n\n{confusion(pairs)}\n\n" + "\n".join(map(str, found)))
    print(f"{1e3 * spent / options.traces:.1f} ms of processor time a trace", file=sys.stderr)
    sys.exit(0 if all(ask.passed for ask in found) else 1)


if __name__ == "__main__":
    main()
