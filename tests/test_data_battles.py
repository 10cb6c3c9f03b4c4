"""Battles: counted alike in any order and any form, and whatever cannot be counted is said with its place and number."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.games.data import read_battles
from mmd_games.games.data.record_files import records_in_file
from mmd_games.games.data.records import records_of

from . import data_tables

NAMES = ("b", "a\nc", "d;,\t\"'", "日本")


@st.composite
def counts(draw):
    """Names, wins and ties of a few models, of which each is in some battle."""
    size = draw(st.integers(2, 4))
    wins = np.array(draw(st.lists(st.integers(0, 3), min_size=size * size, max_size=size * size))).reshape(size, size) * (1 - np.eye(size, dtype=int))
    ties = np.triu(np.array(draw(st.lists(st.integers(0, 2), min_size=size * size, max_size=size * size))).reshape(size, size), 1)
    wins[np.arange(size), np.roll(np.arange(size), 1)] += 1
    return NAMES[:size], wins, ties + ties.T


@pytest.mark.parametrize("form", data_tables.FORMS)
@pytest.mark.parametrize("hot", [False, True])
@given(table=counts(), seed=st.integers(0, 2**32 - 1))
def test_battles_give_back_the_counts_that_they_were_made_from(form, hot, table, seed):
    names, wins, ties = table
    records = data_tables.battles_of(names, wins, ties, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as folder:
        given_ = data_tables.written(data_tables.one_hot(records) if hot else records, form, Path(folder))
        counted = read_battles(given_)
    order = np.argsort(np.array(names, dtype=object))
    assert counted.names == tuple(sorted(names))
    np.testing.assert_array_equal(counted.wins, wins[np.ix_(order, order)])
    np.testing.assert_array_equal(counted.ties, ties[np.ix_(order, order)])
    assert (counted.records, counted.unit) == (len(records), "battle")


@given(counts(), st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_batches_of_any_size_count_alike(table, seed, size):
    names, wins, ties = table
    records = data_tables.battles_of(names, wins, ties, np.random.default_rng(seed))
    whole = read_battles(records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(records_of.__globals__, "BATCH", size)
        pieces = [read_battles(records), read_battles(pd.DataFrame(records))]
        patch.setitem(read_battles.__globals__, "MOST_PENDING", 1)
        pieces.append(read_battles(records))
    for counted in pieces:
        np.testing.assert_array_equal(counted.wins, whole.wins)
        np.testing.assert_array_equal(counted.ties, whole.ties)


def test_probabilities_and_margins_of_counts():
    records = [("x", "y", "model_a")] * 3 + [("y", "x", "model_a")] + [("x", "y", "tie")] * 2
    records = [dict(zip(("model_a", "model_b", "winner"), record, strict=True)) for record in records]
    game = mg.PreferenceGame.from_battles(records)
    assert game.preference.tolist() == [[0.5, 4 / 6], [pytest.approx(2 / 6, abs=1e-16), 0.5]]
    assert game.labels == (("x", "y"),)
    assert game.notes == ("counted from 6 battles on 2 names; 2 tied, which count half a win for each.",)
    assert game.comparisons.counts.tolist() == [[0, 6], [6, 0]]
    margins = mg.PreferenceGame.from_battles(records, table="margins")
    assert (margins.payoff_matrix.tolist(), margins.units) == ([[0, 2], [-2, 0]], "payoff")
    assert mg.PreferenceGame.from_battles(records, unmet="prior:strength=4").preference[0, 1] == pytest.approx(6 / 10, abs=1e-15)


GOOD = [
    {"model_a": "a", "model_b": "b", "winner": "model_a"},
    {"model_a": "b", "model_b": "c", "winner": "tie"},
    {"model_a": "c", "model_b": "a", "winner": "model_b"},
]
WRONG = {
    "winner": ({"winner": "modelA"}, ["1 of 4 records", "unknown winner", "record 4", "'modelA'", "--skip winner"]),
    "self": ({"model_a": "b"}, ["1 of 4", "one name on both sides", "record 4", "'b'"]),
    "missing": ({"model_a": None}, ["missing", "record 4"]),
    "blank": ({"model_b": "  "}, ["missing", "record 4"]),
    "no winner": ({"winner": None}, ["missing", "record 4"]),
    "a number": ({"winner": 1}, ["unknown winner", "'1'"]),
    "a list": ({"model_a": ["x"]}, ["name that is no text", "record 4", "['x']"]),
    "a long name": ({"model_a": "x" * 1001}, ["name that is no text of at most 1,000 characters", "record 4"]),
    "true": ({"model_a": True}, ["name that is no text"]),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_counted_is_refused_with_its_place_or_left_out_and_counted(kind):
    change, words = WRONG[kind]
    records = [*GOOD, {"model_a": "a", "model_b": "b", "winner": "model_a", **change}]
    with pytest.raises(mg.InputError) as error:
        mg.PreferenceGame.from_battles(records)
    assert all(word in str(error.value) for word in words), str(error.value)
    game = mg.PreferenceGame.from_battles(records, skip="all")
    assert game.comparisons.records == 3
    assert any("left out of 4 records" in note and "record 4" in note for note in game.notes)
    np.testing.assert_array_equal(game.payoff_matrix, mg.PreferenceGame.from_battles(GOOD).payoff_matrix)
    other = "self" if kind != "self" else "winner"
    with pytest.raises(mg.InputError):
        mg.PreferenceGame.from_battles(records, skip=[other])


def test_all_kinds_are_counted_in_one_sentence_and_three_places_are_named():
    records = [*GOOD, *({"model_a": "a", "model_b": "b", "winner": f"w{k}"} for k in range(5)), {"model_a": "a", "model_b": "a", "winner": "tie"}]
    with pytest.raises(
        mg.InputError, match=r"6 of 9 records cannot be counted: 5 have an unknown winner \(records 4, 5, 6, …: 'w0'\); 1 has one name .* \(record 9: 'a'\)"
    ):
        read_battles(records)


def test_places_and_numbers_go_on_from_batch_to_batch(tmp_path, monkeypatch):
    monkeypatch.setitem(records_of.__globals__, "BATCH", 2)
    monkeypatch.setitem(records_in_file.__globals__, "BATCH", 2)
    records = [*GOOD, *({**GOOD[0], "winner": "?"} for _ in range(4)), *GOOD]
    for form in data_tables.FORMS:
        data = data_tables.written(records, form, tmp_path)
        with pytest.raises(mg.InputError, match=r"4 of 10 \w+ cannot be counted: 4 have an unknown winner \(\w+s 4, 5, 6, …: '\?'\)"):
            read_battles(data)


@pytest.mark.parametrize("hot", [(1, 1, 0), (0, 0, 0), (2, 0, 0), ("", 1, 0), ("yes", 0, 0)])
def test_one_hot_outcomes_are_exactly_one(hot):
    record = dict(zip(data_tables.ONE_HOT, hot, strict=True))
    with pytest.raises(mg.InputError, match=r"1 of 2 records cannot be counted: 1 has an unknown winner \(record 2"):
        read_battles(
            [{"model_a": "a", "model_b": "b", "winner_model_a": 1.0, "winner_model_b": False, "winner_tie": "0"}, {"model_a": "a", "model_b": "b", **record}]
        )


def test_repetitions_and_contradictions_of_a_battle():
    """Without a column that identifies battles all records count; with one the first of equal ones does, and none of contradicting ones."""
    records = [{**record, "id": number} for number, record in enumerate(GOOD)]
    again = {"model_a": "b", "model_b": "a", "winner": "model_b", "id": 0}  # the first one, with its sides changed
    other = {"model_a": "b", "model_b": "c", "winner": "model_a", "id": 1}
    assert read_battles([*records, again, other]).records == 5
    with pytest.raises(
        mg.InputError, match=r"3 of 5 records .* 2 have a contradiction \(records 2, 5: the same 'id' as another record\); 1 has a repetition \(record 4"
    ):
        read_battles([*records, again, other], id="id")
    counted = read_battles([*records, again, other], id="id", skip="duplicate,conflict")
    assert counted.records == 2
    assert (counted.wins[0].tolist(), counted.ties.sum()) == ([0, 1, 1], 0)
    with pytest.raises(mg.InputError, match="missing"):
        read_battles([*records, {**again, "id": None}], id="id")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("b.csv", b"model_a,model_b\na,b\n", ["needs the column", "winner", "'model_a', 'model_b'"]),
        ("b.csv", b"model_a,model_b,winner,winner\na,b,tie,tie\n", ["'winner' stands twice"]),
        ("b.csv", b"model_a,model_b,winner\n", ["no battles"]),
        ("b.csv", b"model_a,model_b,winner\na,b,tie\na,b\n", ["b.csv", "Row #3", "Expected 3 columns"]),
        ("b.csv", b"model_a,model_b,winner\na,\xff,tie\n", ["not UTF-8"]),
        ("b.csv", b"model_\xff,model_b,winner\na,b,tie\n", ["not UTF-8", "byte 7"]),
        ("b.csv", b"a" * 100_000, ["first line does not end"]),
        ("b.csv", b"", ["empty"]),
        ("b.jsonl", b'{"model_a": "a", "model_b": "b", "winner": "tie"}\n{"model_a": \n', ["line 2 is no JSON"]),
        ("b.jsonl", b'{"model_a": "a", "model_b": "b", "winner": "tie"}\n\n[1]\n', ["line 3 is a list"]),
        ("b.jsonl", b'{"model_a": "\xff"}\n', ["line 1 is not UTF-8", "byte 14"]),
        ("b.jsonl", b"\n\n", ["only blank lines"]),
        ("b.jsonl", b'{"model_a": ' + b"[" * 5000, ["no JSON"]),
        ("b.parquet", b"PAR1 nonsense PAR1", ["cannot be read"]),
        ("b.xlsx", b"?", [".xlsx", ".csv"]),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(mg.InputError) as error:
        read_battles(tmp_path / name)
    assert name in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_other_things_that_are_no_battles(tmp_path):
    for data, words in {7: "got int", b"x": "got bytes"}.items():
        with pytest.raises(mg.InputError, match=words):
            read_battles(data)
    for data, words in (([], "there are none"), ([1], "record 1 is a int"), ([{}], "needs the columns"), (pd.DataFrame({"model_a": []}), "needs the columns")):
        with pytest.raises(mg.InputError, match=words):
            read_battles(data)
    with pytest.raises(mg.InputError, match="holds lists"):
        read_battles(pa.table({"model_a": [["a"]], "model_b": ["b"], "winner": ["tie"]}))
    for path, words in ((tmp_path, "directory"), (tmp_path / "none.csv", "no such file"), ("a\0.csv", "null character")):
        with pytest.raises(mg.InputError, match=words):
            read_battles(path)
    with pytest.raises(mg.InputError, match=r"'selff'.*'self'"):
        read_battles(GOOD, skip="selff")


def test_frames_of_mixed_and_missing_things():
    frame = pd.DataFrame({"model_a": ["a", 7, "c"], "model_b": ["c", "a", 7], "winner": ["tie", "model_a", "model_b"]})
    assert read_battles(frame).names == ("7", "a", "c")
    frame.loc[1, "winner"] = np.nan
    with pytest.raises(mg.InputError, match=r"missing \(row 2\)"):
        read_battles(frame)
    whole = pd.DataFrame(GOOD)
    coded = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
    for kind in ("category", "string[pyarrow]", "object", pd.ArrowDtype(pa.large_string()), coded):
        for parts in ([whole], [whole.iloc[:1], whole.iloc[1:]]):  # of several parts, which Arrow keeps apart
            frame = pd.concat([part.astype(kind) for part in parts]).iloc[::-1]
            assert read_battles(frame).wins.tolist() == read_battles(GOOD).wins.tolist()
    table = pa.Table.from_pandas(whole)
    assert read_battles(pa.concat_tables([table, table])).records == 6
    assert read_battles(table.to_batches()[0]).records == read_battles(table.to_reader()).records == 3


def test_answers_of_many_lines_may_stand_beside_a_battle(tmp_path, monkeypatch):
    """However the pieces fall that a file is read in."""
    records = [{**record, "answer": 'one\n\ntwo,"three"\n' * (1 + k % 3)} for k, record in enumerate(GOOD * 20)]
    path = data_tables.written(records, "csv", tmp_path)
    for block in (200, 333, 2**20):
        monkeypatch.setitem(records_in_file.__globals__, "BLOCK", block)
        assert read_battles(path).records == 60
    monkeypatch.setitem(records_in_file.__globals__, "BLOCK", 20)
    with pytest.raises(mg.InputError, match=r"battles\.csv: cannot be read"):
        read_battles(path)


def test_names_without_end_are_refused_before_memory_is_full():
    with pytest.raises(mg.InputError, match="more than 5,000 different names"):
        read_battles({"model_a": f"m{k}", "model_b": "b", "winner": "tie"} for k in range(20_000))
