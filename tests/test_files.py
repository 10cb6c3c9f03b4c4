"""Games from files: every form is read alike, and everything wrong is said with its place in the file."""

from __future__ import annotations

import io
import json
import os
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.games.files import READERS, read_game

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
WINS = [[0.5, 0.9, 0.2], [0.1, 0.5, 0.9], [0.8, 0.1, 0.5]]
SKEW = [[0, 2, -1], [-2, 0, 3], [1, -3, 0]]
NAMES = ("a", "b c", "d")


def write(path: Path, content: object) -> Path:
    """Text, bytes, an array (.npy), a dict of arrays (.npz) or an object (.json), as the suffix says."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_bytes(content.encode())
    elif path.suffix == ".npy":
        np.save(path, content, allow_pickle=True)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    else:
        path.write_text(json.dumps(content))
    return path


# --- what is read -------------------------------------------------------------------------------------------------------------------------

BARE = [
    ("w.csv", "0.5,0.9,0.2\n0.1,0.5,0.9\n0.8,0.1,0.5\n"),
    ("w.csv", "0.5, .9, 0.2\r\n1e-1, 0.5, 0.9\r\n\r\n0.8, 0.1, 0.5"),
    ("w.csv", "0.5;0.9;0.2\n0.1;0.5;0.9\n0.8;0.1;0.5\n"),
    ("W.CSV", "\ufeff0.5,0.9,0.2\n0.1,0.5,0.9\n0.8,0.1,0.5\n"),
    ("w.tsv", "0.5\t0.9\t0.2\n0.1\t0.5\t0.9\n0.8\t0.1\t0.5\n"),
    ("w.txt", "# wins\n  0.5 0.9   0.2\n\n0.1\t0.5 0.9 # the second\n0.8 0.1 0.5\n"),
    ("w.dat", "0.5 0.9 0.2\n0.1 0.5 0.9\n0.8 0.1 0.5"),
    ("w.json", json.dumps(WINS)),
    ("w.json", {"preference": WINS}),
    ("w.npy", np.array(WINS)),
    ("w.npy", np.asfortranarray(WINS)),
    ("w.npz", {"anything": np.array(WINS)}),
    ("w.npz", {"preference": np.array(WINS)}),
]


@pytest.mark.parametrize(("file", "content"), BARE)
def test_every_form_gives_the_same_game(tmp_path: Path, file: str, content: object) -> None:
    game = read_game(write(tmp_path / file, content))
    assert isinstance(game, mg.PreferenceGame)
    assert np.array_equal(game.payoff_matrix, mg.PreferenceGame(WINS).payoff_matrix)
    assert (game.name, game.labels, game.units, game.notes) == (file, None, "win probability", ())
    assert read_game(str(tmp_path / file)).name == file


LABELLED = [
    ("w.csv", "a,b c,d\n.5,.9,.2\n.1,.5,.9\n.8,.1,.5\n"),
    ("w.csv", "a,.5,.9,.2\nb c,.1,.5,.9\nd,.8,.1,.5\n"),
    ("w.csv", ",a,b c,d\na,.5,.9,.2\nb c,.1,.5,.9\nd,.8,.1,.5\n"),
    ("w.csv", 'model,a,"b c",d\na,.5,.9,.2\n"b c",.1,.5,.9\nd,.8,.1,.5\n'),
    ("w.csv", "a,b c,d\na,.5,.9,.2\nb c,.1,.5,.9\nd,.8,.1,.5\n"),
    ("w.tsv", "\ta\tb c\td\na\t.5\t.9\t.2\nb c\t.1\t.5\t.9\nd\t.8\t.1\t.5\n"),
    ("w.json", {"preference": WINS, "labels": NAMES}),
    ("w.json", {"preference": WINS, "row_labels": NAMES, "column_labels": NAMES}),
    ("w.json", {"preference": WINS, "column_labels": NAMES}),
    ("w.npz", {"preference": np.array(WINS), "labels": np.array(NAMES)}),
    ("w.npz", {"preference": np.array(WINS), "labels": np.array(NAMES, dtype="S")}),
]


@pytest.mark.parametrize(("file", "content"), LABELLED)
def test_labels_are_found_wherever_they_stand(tmp_path: Path, file: str, content: object) -> None:
    game = read_game(write(tmp_path / file, content))
    assert np.array_equal(game.payoff_matrix, mg.PreferenceGame(WINS).payoff_matrix)
    assert game.labels == (NAMES,)


@pytest.mark.parametrize(
    "content", ["a b c\n.5 .9 .2\n.1 .5 .9\n.8 .1 .5", "a b c\na .5 .9 .2\nb .1 .5 .9\nc .8 .1 .5", "x a b c\na .5 .9 .2\nb .1 .5 .9\nc .8 .1 .5"]
)
def test_labels_in_words(tmp_path: Path, content: str) -> None:
    game = read_game(write(tmp_path / "w.txt", content))
    assert game.labels == (("a", "b", "c"),)
    assert np.array_equal(game.payoff_matrix, mg.PreferenceGame(WINS).payoff_matrix)


@pytest.mark.parametrize("first", [0, 1])
def test_a_data_frames_counting_labels_are_labels(tmp_path: Path, first: int) -> None:
    lines = ["," + ",".join(str(first + k) for k in range(3))] + [f"{first + k}," + ",".join(map(str, row)) for k, row in enumerate(WINS)]
    game = read_game(write(tmp_path / "w.csv", "\n".join(lines)))
    assert game.labels == (tuple(str(first + k) for k in range(3)),)
    assert np.array_equal(game.payoff_matrix, mg.PreferenceGame(WINS).payoff_matrix)


def test_numbers_head_the_columns_of_rows_labelled_with_text(tmp_path: Path) -> None:
    game = read_game(write(tmp_path / "w.csv", ",2020,2030\na,1,5\nb,3,-2"), payoffs=True)
    assert game.labels == (("a", "b"), ("2020", "2030"))
    assert game.payoff_matrix.tolist() == [[1, 5], [3, -2]]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("s.csv", "0,2,-1\n-2,0,3\n1,-3,0"),
        ("s.json", SKEW),
        ("s.npy", np.array(SKEW, dtype=np.int8)),
        ("s.npz", {"x": np.array(SKEW, dtype=np.float32)}),
    ],
)
def test_a_skew_table_is_read_as_payoffs_and_says_so(tmp_path: Path, file: str, content: object) -> None:
    path = write(tmp_path / file, content)
    surprising, asked = read_game(path), read_game(path, payoffs=True)
    for game in (surprising, asked):
        assert isinstance(game, mg.PreferenceGame)
        assert game.units == "payoff"
        assert np.array_equal(game.payoff_matrix, SKEW)
    assert "skew-symmetric, so it was read as payoffs" in surprising.notes[0]
    assert asked.notes == ()


@pytest.mark.parametrize(("file", "content"), [("s.json", {"payoffs": SKEW}), ("s.npz", {"payoffs": np.array(SKEW)})])
def test_the_key_payoffs_is_no_surprise(tmp_path: Path, file: str, content: object) -> None:
    game = read_game(write(tmp_path / file, content))
    assert isinstance(game, mg.PreferenceGame)
    assert game.notes == ()


def test_a_payoff_table_of_two_players(tmp_path: Path) -> None:
    path = write(tmp_path / "m.csv", ",left,right\nup,1,-2.5\ndown,0,4\nstay,7,7\n")
    game = read_game(path, payoffs=True)
    assert isinstance(game, mg.MatrixGame)
    assert game.payoff_matrix.tolist() == [[1, -2.5], [0, 4], [7, 7]]
    assert game.labels == (("up", "down", "stay"), ("left", "right"))
    named = {"payoffs": game.payoff_matrix.tolist(), "row_labels": ["up", "down", "stay"], "column_labels": ["left", "right"]}
    same = read_game(write(tmp_path / "m.json", named))
    assert (same.labels, same.payoff_matrix.tolist()) == (game.labels, game.payoff_matrix.tolist())


def test_square_payoffs_of_two_players(tmp_path: Path) -> None:
    assert isinstance(read_game(write(tmp_path / "m.npy", np.array([[1.0, -1], [-1, 1]])), payoffs=True), mg.MatrixGame)
    # A skew table whose rows and columns carry different names is a game of two different players.
    game = read_game(write(tmp_path / "m.csv", ",x,y\na,0,1\nb,-1,0"), payoffs=True)
    assert isinstance(game, mg.MatrixGame)
    assert game.labels == (("a", "b"), ("x", "y"))


def test_a_single_row_is_a_game_of_two_players(tmp_path: Path) -> None:
    assert read_game(write(tmp_path / "m.csv", "1,2,3"), payoffs=True).blocks == (1, 3)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.longdouble, ">f8"])
def test_any_real_type_of_array(tmp_path: Path, dtype: object) -> None:
    table = np.array([[0, 1], [1, 1]]).astype(dtype)
    assert read_game(write(tmp_path / "m.npy", table), payoffs=True).payoff_matrix.tolist() == [[0, 1], [1, 1]]


def test_symmetrise_averages_each_pair_and_says_so(tmp_path: Path) -> None:
    game = read_game(write(tmp_path / "w.csv", "a,.5,.8\nb,.3,.5"), symmetrise=True)
    assert game.payoff_matrix[0, 1] == pytest.approx(0.25)
    assert "off by up to 0.1" in game.notes[0]
    payoffs = read_game(write(tmp_path / "s.csv", "0,4\n-2,0"), payoffs=True, symmetrise=True)
    assert payoffs.payoff_matrix.tolist() == [[0, 3], [-3, 0]]
    assert "off by up to 2 (at line 1, column 2)" in payoffs.notes[0]


@pytest.mark.skipif(not DATA.is_dir(), reason="published tables are not shipped with the project")
def test_published_tables() -> None:
    soccer = read_game(DATA / "soccer_winrates.txt")
    policy = np.zeros(10)
    policy[[1, 8, 9]] = [0.5218, 0.3308, 0.1474]
    assert soccer.units == "win probability"
    assert float(mg.duality_gap(soccer, policy)) < 1e-4
    blotto = read_game(DATA / "blotto_10_3.npy")
    assert (blotto.units, blotto.blocks, len(blotto.notes)) == ("payoff", (66,), 1)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(st.floats(-1e100, 1e100), min_size=n, max_size=n), min_size=2, max_size=6)),
    data=st.data(),
)
def test_what_is_written_is_read_to_the_last_bit(tmp_path: Path, table: list[list[float]], data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from([".csv", ".tsv", ".txt", ".json", ".npy", ".npz"]))
    separator = {".csv": ",", ".tsv": "\t", ".txt": " "}.get(suffix)
    labels = data.draw(st.booleans())
    content: object = {".json": {"payoffs": table}, ".npy": np.array(table), ".npz": {"payoffs": np.array(table)}}.get(suffix)
    if separator:
        content = "\n".join(separator.join([f"row{k}"] * labels + [repr(entry) for entry in row]) for k, row in enumerate(table))
    game = read_game(write(tmp_path / f"t{suffix}", content), payoffs=True)
    assert np.array_equal(game.payoff_matrix, table)


# --- what is refused ----------------------------------------------------------------------------------------------------------------------


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def header_only(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


OBJECTS = np.array([[None, {}], [1, 2]], dtype=object)
P = np.array(WINS)

BAD: list[tuple[str, object, list[str]]] = [
    # nothing to read
    ("w.xlsx", "x", ["'.xlsx'", ".csv", ".npy"]),
    ("w", "x", ["''", ".csv"]),
    ("w.csv", "", ["empty"]),
    ("w.npy", b"", ["empty"]),
    ("w.csv", "\n \n", ["empty"]),
    ("w.txt", "# only a comment\n", ["empty"]),
    ("w.csv", "a,b,c\n", ["line 1", "only text"]),
    # lines and cells
    ("w.csv", ".5,.9\n.1,.5\n.1,.2,.3\n", ["line 3 has 3 cells", "line 1 has 2"]),
    ("w.csv", "\n\n.5,.9\n.1\n", ["line 4 has 1 cell,", "line 3 has 2"]),
    ("w.txt", "# wins\n.5 .9\n.1 .5 .3", ["line 3 has 3 cells", "line 2 has 2"]),
    ("w.csv", "a,b\n.5,.9,.1\n.1,.5,.3\n.2,.3,.4", ["line 1 has 2 cells of labels", "3"]),
    ("w.csv", ".5,O.9\n.1,.5", ["line 1, column 2", "'O.9'", "not a number"]),
    ("w.csv", "a,b\n.5,.9\nx,.5", ["line 3, column 1", "'x'"]),
    ("w.csv", ",a,b\na,.5,.9\nb,.1,half", ["line 3, column 3", "'half'"]),
    ("w.csv", ".5,\n.1,.5", ["line 1, column 2", "empty"]),
    ("w.csv", ",0.9,0.2\n0.1,0.5,0.9\n0.8,0.1,0.5", ["line 1, column 1", "empty"]),
    ("w.csv", "0,5;0,9\n0,1;0,5", ["line 1, column 2", "'5;0'"]),
    ("w.csv", "a;b\n0,5;0,9\n0,1;0,5", ["line 2, column 2", "'0,9'", "point"]),
    ("w.csv", "1_0,2\n3,4", ["line 1, column 1", "'1_0'"]),
    ("w.csv", '.5,".9\n.1,.5', ["line", "row of cells"]),
    ("w.txt", "hello\nworld", ["line 2, column 1", "'world'"]),
    ("w.csv", b".5,.9\n.1,\xff.5", ["UTF-8", "byte 10"]),
    ("w.csv", ".5,.9\n.1,.5".encode("utf-16"), ["UTF-8"]),
    # labels
    ("w.csv", "a,b,a\n.5,.9,.2\n.1,.5,.9\n.8,.1,.5", ["'a'", "twice", "line 1, column 1", "line 1, column 3"]),
    ("w.csv", "x,a,a\na,.5,.9\nb,.1,.5", ["'a'", "twice", "line 1, column 2", "line 1, column 3"]),
    ("w.csv", "a,.5,.9\n\na,.1,.5", ["'a'", "twice", "line 1, column 1", "line 3, column 1"]),
    ("w.csv", ",a,b\na,.5,.9\n,.1,.5", ["line 3, column 1", "empty"]),
    ("w.csv", ",a,b\nb,.5,.9\na,.1,.5", ["line 2, column 2", "'b'", "'a'", "same order"]),
    ("w.json", {"preference": WINS, "labels": ["a", "b"]}, ["2 labels for 3 rows"]),
    ("w.json", {"payoffs": [[1, 2]], "column_labels": ["a"]}, ["1 labels for 2 columns"]),
    ("w.json", {"preference": WINS, "labels": ["a", "b", "a"]}, ["'a'", "twice", "entry 1 of 'labels'", "entry 3 of 'labels'"]),
    ("w.json", {"preference": WINS, "labels": "abc"}, ["'labels'", "list of text"]),
    ("w.json", {"preference": WINS, "labels": ["a", "b", "c"], "row_labels": ["a", "b", "c"]}, ["'labels'", "'row_labels'"]),
    ("w.npz", {"preference": P, "labels": np.array([0.5, 1, 2])}, ["'labels'", "text", "float64"]),
    ("w.npz", {"preference": P, "labels": np.array(["a", None, "b"], dtype=object)}, ["'labels'", "Python objects"]),
    ("w.npz", {"preference": P, "labels": np.array(["a", "b"])}, ["2 labels for 3 rows"]),
    # the size and shape of the table
    ("w.csv", "0.5", ["1 × 1", "two actions"]),
    ("w.json", [[0.5]], ["1 × 1"]),
    ("w.csv", ".5,.9,.1\n.1,.5,.3", ["not square", "2 rows and 3 columns", "--payoffs"]),
    ("w.npy", np.zeros((2, 2, 2)), ["3 axes", "(2, 2, 2)"]),
    ("w.npy", np.zeros(4), ["1 axes", "(4,)"]),
    ("w.npy", np.zeros((0, 3)), ["empty", "(0, 3)"]),
    ("w.npy", header_only((10**8, 10**8)), ["(100000000, 100000000)", "GiB", "free"]),
    ("w.npz", zipped(preference=header_only((10**8, 10**8))), ["(100000000, 100000000)", "GiB", "free"]),
    # entries
    ("w.csv", ",a,b\na,.5,nan\nb,.1,.5", ["line 2, column 3", "('a' against 'b')", "nan", "finite"]),
    ("w.csv", "a,b\n.5,.9\n-inf,.5", ["line 3, column 1", "('b' against 'a')", "-inf"]),
    ("w.csv", "a,.5,.9\nb,.1,1e999", ["line 2, column 3", "inf"]),
    ("w.json", "[[0.5, NaN], [1, 0.5]]", ["row 1, column 2", "nan"]),
    ("w.json", "[[0.5, 1e999], [1, 0.5]]", ["row 1, column 2", "inf"]),
    ("w.json", f"[[0.5, 1], [1{'0' * 400}, 0.5]]", ["row 2, column 1", "too large"]),
    ("w.npy", np.array([[0.5, np.inf], [0.1, 0.5]]), ["row 1, column 2", "inf"]),
    ("w.npy", np.array([[0.5, 1e200], [0.1, 0.5]]), ["row 1, column 2", "1e+200", "1e+150"]),
    ("w.npy", np.array([[0.5, 0.9], [0.1, 0.5]], dtype=complex), ["complex", "real numbers"]),
    ("w.npy", np.array([["a", "b"], ["c", "d"]]), ["text", "real numbers"]),
    ("w.npy", np.zeros((2, 2), dtype="M8[s]"), ["datetime64", "real numbers"]),
    ("w.npy", np.zeros((2, 2), dtype=[("x", float)]), ["'x'", "real numbers"]),
    ("w.npy", OBJECTS, ["Python objects", "never unpickled"]),
    ("w.npz", {"preference": OBJECTS}, ["Python objects", "never unpickled"]),
    ("w.csv", ",a,b\na,.5,1.9\nb,.1,.5", ["line 2, column 3", "('a' against 'b')", "1.9", "[0, 1]", "--payoffs"]),
    ("w.npy", np.array([[0.5, 0.9], [-0.1, 0.5]]), ["row 2, column 1", "-0.1", "[0, 1]"]),
    (
        "w.csv",
        "a,b,c\n.5,.9,.2\n.1,.5,.9\n.8,.3,.5",
        ["line 3, column 3", "('b' against 'c')", "0.9", "line 4, column 2", "('c' against 'b')", "0.3", "sum to 1.2", "--symmetrise"],
    ),
    ("w.npy", np.array([[0.5, 0.9], [0.1, 0.0]]), ["row 2, column 2", "diagonal", "0.5"]),
    ("w.json", {"preference": SKEW}, ["row 1, column 2", "[0, 1]"]),
    # JSON
    ("w.json", "[[0.5, 0.9],\n [0.1 0.5]]", ["line 2, column 7", "JSON"]),
    ("w.json", "[[1" + "0" * 5000 + "]]", ["JSON", "digits"]),
    ("w.json", "[" * 100_000, ["nested"]),
    ("w.json", "\n ", ["line 2", "JSON"]),
    ("w.json", "3", ["list of rows"]),
    ("w.json", "[]", ["empty"]),
    ("w.json", "[[], []]", ["empty"]),
    ("w.json", "[0.5, 0.9]", ["row 1", "0.5", "list"]),
    ("w.json", "[[0.5, 0.9], [0.1]]", ["row 2", "1 entries", "2"]),
    ("w.json", '[[0.5, "x"], [0.1, 0.5]]', ["row 1, column 2", '"x"', "number"]),
    ("w.json", "[[0.5, null], [0.1, 0.5]]", ["row 1, column 2", "null"]),
    ("w.json", {"preference": 3}, ["'preference'", "list of rows"]),
    ("w.json", {"labels": ["a"]}, ["neither", "'preference'", "'payoffs'"]),
    ("w.json", {"preference": WINS, "payoffs": WINS}, ["both", "'preference'", "'payoffs'"]),
    ("w.json", {"preferences": WINS}, ["'preferences'", "'preference'"]),
    ("w.json", '{"preference": [[1]], "preference": [[2]]}', ["key", "twice"]),
    # NumPy's files
    ("w.npy", b"not an array", ["damaged"]),
    ("w.npy", npy(P)[:-8], ["cut short"]),
    ("w.npy", npy(P)[:20], ["cut short"]),
    ("w.npy", header_only((2, -2)), ["damaged"]),
    ("w.npz", b"not an archive", [".npz archive", "damaged"]),
    ("w.npz", npz(x=P)[:-30], [".npz archive", "cut short"]),
    ("w.npz", zipped(preference=npy(P)[:-8]), ["'preference'", "cut short"]),
    ("w.npz", npz(x=P, y=P), ["'x'"]),
    ("w.npz", npz(labels=np.array(["a"])), ["neither", "'preference'"]),
    ("w.npz", npz(preference=P, payoffs=P), ["both"]),
    ("w.npz", zipped(), ["neither"]),
]


@pytest.mark.parametrize(("file", "content", "words"), BAD, ids=lambda value: value if isinstance(value, str) and len(value) < 9 else "")
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(tmp_path: Path, file: str, content: object, words: list[str]) -> None:
    path = write(tmp_path / file, content)
    with pytest.raises(InputError) as refusal:
        read_game(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("m.json", {"preference": WINS}, ["'preference'", "'payoffs'"]),
        ("m.csv", "1,nan\n2,3", ["line 1, column 2", "nan"]),
        ("m.csv", "1,x\n2,3", ["line 1, column 2", "'x'"]),
        ("m.csv", "7", ["1 × 1"]),
    ],
)
def test_what_is_wrong_with_payoffs_is_said(tmp_path: Path, file: str, content: object, words: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        read_game(write(tmp_path / file, content), payoffs=True)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_a_rectangle_cannot_be_symmetrised(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 rows and 3 columns; only a square one"):
        read_game(write(tmp_path / "m.csv", "1,2,3\n4,5,6"), payoffs=True, symmetrise=True)


def test_there_is_no_such_file(tmp_path: Path) -> None:
    for path, words in [
        (tmp_path / "none.csv", "no such file"),
        (tmp_path, "directory"),
        (tmp_path / "x\0.csv", "null character"),
        (tmp_path / ("x" * 300 + ".csv"), "(no such file|cannot be read)"),
    ]:
        with pytest.raises(InputError, match=words) as refusal:
            read_game(path)
        assert str(refusal.value).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", READERS)
def test_a_file_that_may_not_be_read(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / f"w{suffix}", b"0")

    def refuse(*arguments: object, **settings: object) -> None:
        raise PermissionError(13, os.strerror(13), str(path))

    # Permissions do not bind every user who may run the tests, so the refusal is staged.
    monkeypatch.setattr("io.open", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)") as refusal:
        read_game(path)
    assert str(refusal.value).startswith(f"{path}: ")


def _spoil(content: bytes, draw: Callable[[st.SearchStrategy], object]) -> bytes:
    spoiled = bytearray(content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content)
    for _ in range(draw(st.integers(1, 4))):
        if spoiled:
            spoiled[draw(st.integers(0, len(spoiled) - 1))] = draw(st.integers(0, 255))
    return bytes(spoiled)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_but_never_breaks(tmp_path: Path, data: st.DataObject) -> None:
    file, content = data.draw(
        st.sampled_from(
            [
                ("w.npy", npy(P)),
                ("w.npz", npz(preference=P, labels=np.array(NAMES))),
                ("w.npz", zipped(x=npy(P))),
                ("w.csv", b",a,b\na,.5,.9\nb,.1,.5\n"),
                ("w.txt", b"# wins\na .5 .9\nb .1 .5\n"),
                ("w.json", json.dumps({"preference": WINS, "labels": NAMES}).encode()),
            ]
        )
    )
    path = write(tmp_path / file, _spoil(content, data.draw))
    refusal = ""
    try:
        game = read_game(path)
    except InputError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith(f"{path}: ")
        assert "\n" not in refusal
    else:
        assert np.all(np.isfinite(game.payoff_matrix))


@pytest.mark.parametrize(
    ("name", "text", "hinted"),
    [
        ("arena.csv", "model_a,model_b,winner\na,b,model_a\n", True),
        ("scores.tsv", "model\tscore\tannotator\na\t3\t1\n", True),
        ("battles.jsonl", '{"model_a": "a", "model_b": "b", "winner": "tie"}\n', True),
        ("f1.soc", "# FILE NAME: f1.soc\n", True),
        ("my battles.csv", "model_a,model_b,winner\na,b,model_a\n", True),
        ("wins.csv", "a,b\n0.5,x\n", False),
        ("wins.doc", "", False),
    ],
)
def test_records_are_no_table_and_the_sentence_says_who_counts_them(tmp_path, name, text, hinted):
    (tmp_path / name).write_text(text)
    with pytest.raises(mg.InputError) as error:
        mg.read_game(tmp_path / name)
    assert (f"mmd-games rank {shlex.quote(str(tmp_path / name))} --out ranking" in str(error.value)) is hinted
    (tmp_path / name).unlink()
    with pytest.raises(mg.InputError) as error:
        mg.read_game(tmp_path / name)
    assert "mmd-games rank" not in str(error.value)
