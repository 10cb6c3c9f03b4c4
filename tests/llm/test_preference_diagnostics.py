"""What a table of judgements reveals: against counts by hand; and the repair of one whose orders disagree."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mmd_games.errors import InputError
from mmd_games.llm.preference import diagnose, symmetrised
from tests.llm.tiny import RPS

EPS = np.finfo(np.float64).eps


@st.composite
def judgements(draw: st.DrawFn) -> np.ndarray:
    """Tables (B, K, K) with ties and failures, of quarters, so that all sums are exact."""
    groups, size = draw(st.integers(1, 3)), draw(st.integers(2, 6))
    entries = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, math.nan])
    table = draw(arrays.arrays(np.float64, (groups, size, size), elements=entries))
    table[:, range(size), range(size)] = 0.5
    return table


@given(judgements())
@settings(max_examples=150, deadline=None)
def test_every_number_is_a_count_by_hand(table: np.ndarray):
    report = diagnose(table)
    size = table.shape[1]
    both = [(p[i, j], p[j, i]) for p in table for i, j in itertools.permutations(range(size), 2) if not np.isnan(p[i, j] + p[j, i])]
    assert (report.groups, report.size) == table.shape[:2]
    assert report.missing == pytest.approx(np.isnan(table).mean() * size / (size - 1), abs=4 * EPS)
    if both:
        assert report.antisymmetry_mean == pytest.approx(np.mean([abs(p + q - 1) for p, q in both]), abs=8 * EPS)
        assert report.antisymmetry_max == max(abs(p + q - 1) for p, q in both)
        assert report.position_bias == pytest.approx(np.mean([p - 0.5 for p, _ in both]), abs=8 * EPS)
    else:
        assert report.antisymmetry_mean is report.antisymmetry_max is report.position_bias is None
    cycles = decided = 0
    for p in symmetrised(torch.tensor(table)).numpy():
        for triple in itertools.combinations(range(size), 3):
            sides = [p[first, second] for first, second in itertools.pairwise([*triple, triple[0]])]
            if all(side != 0.5 and not np.isnan(side) for side in sides):
                decided += 1
                cycles += len({side > 0.5 for side in sides}) == 1
    assert report.decided_triples == decided
    assert report.cycle_rate == (cycles / decided if decided else None)


@given(judgements())
@settings(max_examples=100, deadline=None)
def test_a_symmetrised_table_is_antisymmetric_and_forgets_nothing(table: np.ndarray):
    repaired = symmetrised(torch.tensor(table)).numpy()
    for p, q in zip(table, repaired, strict=True):
        for i, j in itertools.permutations(range(len(p)), 2):
            known = [value for value in (p[i, j], 1 - p[j, i]) if not np.isnan(value)]
            assert q[i, j] == np.mean(known) if known else np.isnan(q[i, j])  # exact: quarters
    assert np.all((repaired + repaired.swapaxes(1, 2) == 1) | np.isnan(repaired))
    assert np.array_equal(symmetrised(torch.tensor(repaired)).numpy(), repaired, equal_nan=True)


def test_rock_paper_scissors_is_a_circle_and_a_margin_undecides_it():
    assert diagnose(RPS).cycle_rate == 1.0
    assert diagnose(RPS, margin=0.35).decided_triples == 0  # .2 against .8 is within it
    ladder = 1 / (1 + np.exp(-(np.arange(4)[:, None] - np.arange(4))))
    assert (diagnose(ladder).cycle_rate, diagnose(ladder).decided_triples) == (0.0, 4)
    assert diagnose(ladder).antisymmetry_max == 0  # rounding is no disagreement


def test_a_report_reads_and_serialises():
    text = str(diagnose(np.array([[0.5, 0.9, math.nan], [0.3, 0.5, 0.6], [math.nan, 0.4, 0.5]])))
    for part in ("0.1 on average, 0.2 at most", "less 1/2): +0.05", "no three completions are all decided", "failed judgements: 33.3%"):
        assert part in text
    nothing = diagnose(np.array([[0.5, math.nan], [0.3, 0.5]]))
    assert "no pair was judged in both orders" in str(nothing)
    assert json.loads(json.dumps(nothing.to_dict()))["missing"] == 0.5
    with pytest.raises(AttributeError):
        nothing.missing = 0.0  # type: ignore[misc]


@pytest.mark.parametrize(("shape", "margin", "sentence"), [((2, 3), 0.0, r"got \(2, 3\)"), ((1, 1), 0.0, "K of at least 2"), ((3, 3), 0.5, "margin must be")])
def test_bad_tables_are_refused(shape: tuple[int, ...], margin: float, sentence: str):
    with pytest.raises(InputError, match=sentence):
        diagnose(torch.full(shape, 0.5), margin=margin)
