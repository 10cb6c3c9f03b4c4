"""Whatever a reader is given, it returns a table or says a sentence: no traceback, no hang, bounded memory."""

from __future__ import annotations

import json
import random
import resource
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

import mmd_games as mg
from mmd_games.games.data import read_battles, read_data, read_preflib, read_rankings, read_ratings, read_scores

BATTLES = [
    {"model_a": "a", "model_b": "b", "winner": "model_a"},
    {"model_a": "b", "model_b": "c", "winner": "tie"},
    {"model_a": "c", "model_b": "a", "winner": "model_b"},
] * 3
SCORES = "model,score,annotator\na,1,x\nb,2.5,x\na,3,y\nb,3,y\n"
SOI = (
    "# FILE NAME: x.soi\n# TITLE: x\n# DATA TYPE: soi\n# NUMBER ALTERNATIVES: 3\n# NUMBER VOTERS: 5\n# NUMBER UNIQUE ORDERS: 3\n"
    "# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b\n# ALTERNATIVE NAME 3: c\n2: 1,2,3\n2: 2,1\n1: 3, 2, 1\n"
)
SEEDS = {
    "x.csv": ("model_a,model_b,winner\n" + "".join(",".join(r.values()) + "\n" for r in BATTLES)).encode(),
    "hot.csv": b"model_a,model_b,winner_model_a,winner_model_b,winner_tie\na,b,1,0,0\nb,a,0,0,1\n",
    "x.tsv": SCORES.replace(",", "\t").encode(),
    "s.csv": SCORES.encode(),
    "r.csv": b"model,rating\na,1000\nb,1200.5\nc,-3e2\n",
    "x.jsonl": "".join(json.dumps(record) + "\n" for record in BATTLES).encode(),
    "k.jsonl": b'["a", "b", ["c", "d"]]\n{"ranking": ["b", "a", "c", "d"], "count": 3}\n["d", "c", "b", "a"]\n',
    "x.soi": SOI.encode(),
    "x.soc": SOI.replace("soi", "soc").replace("2: 2,1\n", "2: 2,1,3\n").encode(),
    "x.toi": SOI.replace("soi", "toi").replace("3, 2, 1", "{3, 2}, 1").encode(),
    "x.toc": SOI.replace("soi", "toc").replace("2: 2,1\n", "2: {2,1},3\n").encode(),
}
TOKENS = [b'"', b",", b";", b"\t", b"\n", b"\r", b"\xff", b"\x00", b"{", b"}", b"[", b"]", b":", b"#", b"NaN", b"null", b"1e999", b"-1", b"0", b"99999999999999999999", b"a", b"\xef\xbb\xbf",
          b"\xe2\x80\xa8", b"tie", b"model_a", b" ", b"\\ud800", b"true", b"# NUMBER VOTERS: 1\n", b"{}", b"winner,"]  # fmt: skip
READERS = {"battles": read_battles, "rankings": read_rankings, "scores": read_scores, "ratings": read_ratings, "preflib": read_preflib, "any": read_data}
OWN = {
    "x.csv": "battles",
    "hot.csv": "battles",
    "x.jsonl": "battles",
    "x.parquet": "battles",
    "k.jsonl": "rankings",
    "r.csv": "ratings",
    "s.csv": "scores",
    "x.tsv": "scores",
}
CHOICES = {
    "unmet": ["prior", "connected:strength=2", "connected"],
    "unranked": ["below", "apart"],
    "table": ["margins", "probabilities"],
    "skip": ["all", "all", "winner,missing"],
}
HAS = {
    "battles": ["unmet", "table", "skip"],
    "rankings": list(CHOICES),
    "scores": ["unmet", "table", "skip"],
    "ratings": [],
    "preflib": ["unmet", "unranked", "table"],
}
MOST_GROWTH = 400 * 2**20
"""Bytes that no reading of small files may add to what the process holds."""


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "x.parquet"
    parquet.write_table(pa.Table.from_pylist(BATTLES), path)
    return {**SEEDS, "x.parquet": path.read_bytes()}


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with a few bytes changed, put in, taken out or said twice; sometimes nothing but noise."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(200))
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        place, length = chance.randrange(len(content) + 1), chance.choice([0, 1, 1, 2, 10, 40])
        new = chance.choice([b"", chance.choice(TOKENS), chance.randbytes(1), content[place : place + length] * 2])
        content = content[:place] + new + content[place + length :]
    return content


def survives(read, *arguments, **options):
    """Whether it was read; a sentence is fine, and anything else that is raised fails the test."""
    try:
        found = read(*arguments, **options)
    except mg.InputError as error:
        said = str(error)
    else:
        table = found.payoff_matrix if isinstance(found, mg.PreferenceGame) else found.wins
        return bool(np.all(np.isfinite(table)))
    assert 10 < len(said) < 3000
    return False


def one_file(name, content, folder, chance):
    """A file through its own reader, or through that which looks what it is, with some choices made."""
    path, kind = folder / name, OWN.get(name, "preflib")
    path.write_bytes(content)
    if chance.random() < 0.3:
        return survives(READERS[kind], path)
    return survives(read_data, path, **{key: chance.choice(CHOICES[key]) for key in HAS[kind] if chance.random() < 0.7})


def test_the_seeds_are_read(seeds, tmp_path):
    for name, content in seeds.items():
        (tmp_path / name).write_bytes(content)
        options = {"unranked": "apart"} if name.endswith("oi") else {}
        assert survives(read_data, tmp_path / name, **options), name


def test_files_with_slips_in_them(seeds, tmp_path):
    before, chance, read = peak(), random.Random(0), 0
    for _ in range(60):
        for name, content in seeds.items():
            read += one_file(name, mutated(content, chance), tmp_path, chance)
    assert read > 60  # some slips leave a file that can be read
    assert peak() - before < MOST_GROWTH


@pytest.mark.slow
def test_a_hundred_thousand_files_with_slips_in_them(seeds, tmp_path):
    before, chance, names = peak(), random.Random(1), list(seeds)
    for _ in range(100_000):
        name = chance.choice(names)
        one_file(name, mutated(seeds[name], chance), tmp_path, chance)
    assert peak() - before < MOST_GROWTH


things = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=4),
        st.binary(max_size=3),
        st.sampled_from(["a", "b", "model_a", "tie", "1", 1, 0]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=2),
        st.tuples(inner, inner),
        st.frozensets(st.text(max_size=2), max_size=2),
    ),
    max_leaves=5,
)
KEYS = ["model_a", "model_b", "winner", "winner_model_a", "winner_model_b", "winner_tie", "model", "score", "rating", "annotator", "id"]
rows = st.lists(st.one_of(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, things)), things), max_size=6)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(rows=rows, skip=st.sampled_from(["", "all", "winner", "missing,name"]), reader=st.sampled_from(["battles", "rankings", "scores", "ratings"]))
def test_rows_of_anything(rows, skip, reader):
    survives(READERS[reader], rows, **({} if reader == "ratings" else {"skip": skip}))


@given(content=st.binary(max_size=300), suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet", ".soc", ".toi"]), reader=st.sampled_from(sorted(READERS)))
def test_bytes_of_anything(tmp_path_factory, content, suffix, reader):
    path = Path(tmp_path_factory.getbasetemp()) / f"noise{suffix}"
    path.write_bytes(content)
    survives(READERS[reader], path)
