"""The judge of recorded gaps, on a seeded part of the traces of benchmarks/judge_traces.py, whose truth is known."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mmd_games.verification import Convergence, Kind, classify_convergence

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SEED, NUMBER = 0, 630


def load(name):
    """A script of the benchmarks as a module; the scripts import each other by name."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


traces = load("judge_traces")
judge = load("judge")


@pytest.fixture(scope="module")
def pairs():
    drawn = [traces.sample(SEED, index) for index in range(NUMBER)]
    return [(truth, classify_convergence(truth.iterations, truth.gaps, floor=truth.floor)) for truth in drawn]


def share(flags):
    flags = list(flags)
    assert len(flags) >= 25
    return sum(flags) / len(flags)


def test_what_is_no_line_is_never_called_linear(pairs):
    assert [truth.family for truth, result in pairs if truth.kind is not Kind.LINEAR and result.kind is Kind.LINEAR] == []


@pytest.mark.parametrize(("seed", "index"), [(11, 7943), (11, 3442), (11, 19840), (11, 2959), (1, 2329), (1, 1103), (1, 607)])
def test_the_hardest_traces_found_so_far_are_not_called_linear(seed, index):
    """Those that came nearest among 17,000: a stretched exponential with a slow wave, which looks like two modes; power laws and cycles of few gaps."""
    truth = traces.sample(seed, index)
    assert truth.kind is not Kind.LINEAR
    assert classify_convergence(truth.iterations, truth.gaps, floor=truth.floor).kind is not Kind.LINEAR


def test_eligible_lines_are_called_linear(pairs):
    # 98% of 10,000; of 137 fewer than 92% have probability 1e-4 then.
    assert share(result.kind is Kind.LINEAR for truth, result in pairs if truth.eligible) >= 0.92


def test_the_true_rate_lies_in_the_interval(pairs):
    # 95% of 10,000; of 130 fewer than 87% have probability 3e-4 then.
    held = [(truth.rate, result.interval) for truth, result in pairs if truth.eligible and result.kind is Kind.LINEAR]
    assert share(low <= rate <= high for rate, (low, high) in held) >= 0.87


def test_the_intervals_say_something(pairs):
    """An interval from 0 to 1 would hold every rate: half of them must be narrower than 5% of the exponent."""
    found = [(np.log(result.rate), np.log(result.interval)) for truth, result in pairs if truth.eligible and result.kind is Kind.LINEAR]
    assert np.median([(low - high) / slope for slope, (low, high) in found]) < 0.05


@pytest.mark.parametrize("kind", [Kind.LINEAR, Kind.SUBLINEAR, Kind.STALLED, Kind.DIVERGING])
def test_nothing_hides_as_inconclusive(pairs, kind):
    # At least 92% of 10,000 each; of 60 fewer than 80% have probability 2e-3 then, and this part is always the same one.
    assert share(result.kind is kind for truth, result in pairs if truth.kind is kind and truth.iterations[-1] >= judge.LONG) >= 0.8


def test_only_lines_have_rates(pairs):
    for _, result in pairs:
        assert (result.kind is Kind.LINEAR) == (result.rate is not None) == (result.interval is not None)
        if result.kind is Kind.LINEAR:
            assert 0 < result.interval[0] <= result.rate <= result.interval[1] < 1


def test_a_trace_is_the_same_whenever_it_is_drawn():
    first, again = traces.sample(3, 40), traces.sample(3, 40)
    assert np.array_equal(first.gaps, again.gaps)
    assert np.array_equal(first.iterations, again.iterations)
    assert not np.array_equal(first.gaps[:40], traces.sample(4, 40).gaps[:40])


def test_the_families_are_what_they_say():
    """Every draw is a record, and the truth of a line is its own: late in a line without noise the slope is that of its rate."""
    for index in range(90):
        drawn = traces.sample(5, index)
        assert np.all(np.diff(drawn.iterations) > 0)
        assert np.all(np.isfinite(drawn.gaps) & (drawn.gaps >= 0))
        assert (drawn.kind is Kind.LINEAR) == (drawn.rate is not None)
    t = np.arange(4000.0)
    for family in traces.FAMILIES[:4]:
        shape = family(np.random.default_rng(1), t)
        alone = t >= shape.begins
        assert np.allclose(np.diff(shape.line[alone]), -shape.slope)
        # Rotations have any sign; over the whole line they add less than their depth, log(1000) at most.
        part = shape.logs[alone]
        assert abs((part[0] - part[-1]) - (shape.line[alone][0] - shape.line[alone][-1])) < np.log(1000) + 0.2


def test_the_table_counts_what_was_asked():
    """The asks, on a judge that is wrong in known ways."""

    def verdict(kind, interval=None):
        return Convergence(kind, None if interval is None else sum(interval) / 2, interval, None, 0.0, "")

    def truth(kind, rate=None, eligible=False, number=600):
        return traces.Sample("family", kind, np.arange(number), np.ones(number), None, rate, eligible)

    line = truth(Kind.LINEAR, 0.9, True)
    good = [(line, verdict(Kind.LINEAR, (0.89, 0.91))), (truth(Kind.STALLED), verdict(Kind.STALLED)), (truth(Kind.SUBLINEAR), verdict(Kind.SUBLINEAR))]
    good.append((truth(Kind.DIVERGING), verdict(Kind.DIVERGING)))
    assert all(ask.passed for ask in judge.asks(good))
    for extra, missed in (
        ((truth(Kind.STALLED, number=100), verdict(Kind.LINEAR, (0.8, 0.9))), ["sublinear, stalled"]),
        ((line, verdict(Kind.LINEAR, (0.7, 0.8))), ["of these"]),
        ((truth(Kind.LINEAR, 0.9, True, 300), verdict(Kind.INCONCLUSIVE)), ["eligible linear"]),
        ((truth(Kind.DIVERGING), verdict(Kind.STALLED)), ["recall of diverging", "recall of diverging"]),
    ):
        names = [ask.name for ask in judge.asks([*good, extra]) if not ask.passed]
        assert len(names) == len(missed)
        assert all(name.startswith(words) for name, words in zip(names, missed, strict=True))
    assert "family" in judge.confusion(good)


def test_no_evidence_calls_a_large_factor_small(pairs):
    found = [float(match[1]) for _, result in pairs if (match := re.search(r"by a factor of (\S+) only", result.evidence))]
    assert len(found) >= 10
    assert min(found) > 1
    assert max(found) <= 2
