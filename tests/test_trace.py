"""What a run leaves behind: saved and loaded without a loss, brought in from elsewhere, and files that are no trace."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.algorithms import LogLinear
from mmd_games.errors import InputError
from mmd_games.testing import log_policies, matrix_games, preference_games

EPS = np.finfo(np.float64).eps
RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
START = np.array([0.2, 0.3, 0.5])
ARRAYS = ("iterations", "products", "gaps", "average_gaps", "policy_iterations", "log_policies")
STAGE_ARRAYS = ("iterations", "log_magnets", "magnet_strengths", "step_sizes")


@dataclass(frozen=True)
class Standing:
    """A user's own algorithm, which does nothing."""

    patience: float = 0.5

    def init(self, log_policy: np.ndarray) -> Any:
        return type("State", (), {"log_policy": log_policy})

    def step(self, state: Any, payoffs: Any) -> Any:
        return state


def assert_equal(found: mg.Trace, expected: mg.Trace) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    for name in STAGE_ARRAYS:
        np.testing.assert_array_equal(getattr(found.stages, name), getattr(expected.stages, name), err_msg=name)
        assert getattr(found.stages, name).dtype == getattr(expected.stages, name).dtype
    assert found.stages.steady == expected.stages.steady
    assert (found.algorithm, found.feedback, found.stopped) == (expected.algorithm, expected.feedback, expected.stopped)
    assert type(found.game) is type(expected.game)
    np.testing.assert_array_equal(found.game.payoff_matrix, expected.game.payoff_matrix)
    for name in ("blocks", "labels", "name", "units", "notes", "value_offset", "actions", "players_per_block"):
        assert getattr(found.game, name) == getattr(expected.game, name), name
    assert str(found) == str(expected)
    assert found.to_dict() == expected.to_dict()


# --- save and load --------------------------------------------------------------------------------------------------------------------------

GAMES = [
    RPS,
    mg.PreferenceGame([[0.6, 0.9], [0.2, 0.5]], labels=["ä", "b c"], symmetrise=True),
    mg.PreferenceGame.from_payoffs([[0, 3], [-3, 0]], name="three"),
    mg.MatrixGame([[1, -1, 0], [-1, 1, 2]], column_labels=["x", "y", "z"]),
    mg.games.matching_pennies(),
]
ALGORITHMS = [
    mg.MagneticPreferenceOptimization(refresh_every=7),
    mg.MagneticMirrorDescent(magnet="annealed", reference="uniform"),
    mg.NashMirrorDescent(),
    mg.Extragradient(step_size=np.float64(0.1)),
    LogLinear(step_size=0.25, magnet_strength=0.5, magnet="refreshed", refresh_every=5, evaluation="extrapolated"),
    Standing(patience=0.125),
]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: type(algorithm).__name__)
@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_a_saved_trace_loads_as_it_was(game: mg.Game, algorithm: Any, tmp_path: Path) -> None:
    trace = mg.solve(game, algorithm, steps=40, record=mg.Record(gaps=20, policies=10))
    path = trace.save(tmp_path / "trace.npz")
    assert path == tmp_path / "trace.npz"
    assert [file.name for file in tmp_path.iterdir()] == ["trace.npz"]  # nothing half-written stays
    loaded = mg.Trace.load(path)
    assert_equal(loaded, trace)
    assert_equal(mg.Trace.load(loaded.save(tmp_path / "again")), trace)  # any name will do, as text or path
    assert_equal(mg.Trace.load(str(tmp_path / "again")), trace)
    # A loaded game plays on.
    again = mg.solve(loaded.game, loaded.algorithm, steps=40, record=mg.Record(gaps=20, policies=10))
    np.testing.assert_array_equal(again.log_policies, trace.log_policies)


def test_other_runs_are_saved_too(tmp_path: Path) -> None:
    for trace in (
        mg.Trace.from_policies(RPS, np.log([START, START[::-1]]), name="theirs"),
        mg.solve(RPS, until=0.1, start=[0.0, 0.5, 0.5], steps=10),
        mg.solve(RPS, feedback=mg.Sampled(seed=4), steps=10),
        mg.solve(RPS, until=1.0),
    ):
        assert_equal(mg.Trace.load(trace.save(tmp_path / "trace.npz")), trace)


def test_a_class_that_is_not_at_hand_is_given_as_its_spec(tmp_path: Path) -> None:
    class Local(Standing):
        pass

    trace = mg.solve(RPS, Local(), steps=10)
    loaded = mg.Trace.load(trace.save(tmp_path / "trace.npz"))
    assert loaded.algorithm == trace.algorithm_spec
    assert loaded.algorithm_spec == trace.algorithm_spec
    np.testing.assert_array_equal(loaded.gaps, trace.gaps)


def test_a_trace_is_read_only(tmp_path: Path) -> None:
    trace = mg.solve(RPS, steps=10)
    for each in (trace, mg.Trace.load(trace.save(tmp_path / "trace.npz"))):
        for array in (each.gaps, each.log_policies, each.stages.log_magnets, each.game.payoff_matrix):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


def test_saving_over_a_trace_keeps_one_of_them_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = mg.solve(RPS, steps=10).save(tmp_path / "trace.npz")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match=r"trace\.npz: the trace cannot be written \(No space left on device\)"):
        mg.solve(RPS, steps=20).save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["trace.npz"]
    assert mg.Trace.load(path).steps == 10


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    trace = mg.solve(RPS, steps=3)
    with pytest.raises(InputError, match="cannot be written"):
        trace.save(tmp_path / "nowhere" / "trace.npz")
    with pytest.raises(InputError, match="cannot be written"):
        trace.save(tmp_path)


# --- files that are no trace ------------------------------------------------------------------------------------------------------------------


def test_files_that_are_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    with pytest.raises(InputError, match=r"bad\.npz: no such file\.$"):
        mg.Trace.load(path)
    for content in (b"", b"garbage", b"PK\x03\x04garbage", b"\x93NUMPY", b"\x80\x04K\x01."):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.npz: not a saved trace: it is not an \.npz file\.$"):
            mg.Trace.load(path)
    with pytest.raises(InputError, match=r"not a saved trace: it cannot be read \(Is a directory\)\.$"):
        mg.Trace.load(tmp_path)
    np.save(tmp_path / "array.npy", START)
    with pytest.raises(InputError, match=r"array\.npy: not a saved trace: it is not an \.npz file\.$"):
        mg.Trace.load(tmp_path / "array.npy")


def test_archives_that_are_no_trace(tmp_path: Path) -> None:
    path = mg.solve(RPS, steps=3).save(tmp_path / "trace.npz")
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"]))

    def refused(match: str, **changes: Any) -> None:
        kept = {name: value for name, value in (arrays | changes).items() if value is not None}
        with open(tmp_path / "bad.npz", "wb") as file:
            np.savez(file, **kept)
        with pytest.raises(InputError, match=match):
            mg.Trace.load(tmp_path / "bad.npz")

    for name in ("meta", "gaps", "payoff_matrix", "stage_step_sizes", "log_policies"):
        refused(rf"bad\.npz: not a saved trace: it lacks '{name}'\.$", **{name: None})
    for name in ("kind", "steady", "own", "algorithm", "feedback", "stopped", "labels"):
        refused(rf"bad\.npz: not a saved trace: it lacks '{name}'\.$", meta=np.array(json.dumps({key: word for key, word in meta.items() if key != name})))
    refused("not a saved trace: it has an array 'surplus', which no trace has", surplus=np.zeros(3))
    for text in ("{", "[1]", "{}", "[" * 100_000):
        refused("not a saved trace: its 'meta' is not a JSON object with a schema", meta=np.array(text))
    refused("not a saved trace: its game is of the kind 'Chess', which this version does not know", meta=np.array(json.dumps({**meta, "kind": "Chess"})))
    for name in ("blocks", "labels", "notes"):
        refused("not a saved trace: its 'meta' does not describe its arrays", meta=np.array(json.dumps({**meta, name: 7})))
    refused("schema mmd_games.trace/99; this version reads mmd_games.trace/1", meta=np.array(json.dumps({**meta, "schema": "mmd_games.trace/99"})))
    refused("not a saved trace: it is damaged, or holds Python objects, which are never unpickled", gaps=np.array([None, {}], dtype=object))


class Saved(bytes):
    """A saved trace, short in words where a test fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return Saved(mg.solve(RPS, steps=50).save(tmp_path_factory.mktemp("saved") / "trace.npz").read_bytes())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_file_is_refused_or_read(saved: Saved, tmp_path: Path, where: float, bit: int, cut: bool) -> None:
    damaged, place = bytearray(saved), int(where * len(saved))
    damaged[place] ^= 1 << bit
    path = tmp_path / "damaged.npz"
    path.write_bytes(damaged[:place] if cut else damaged)
    try:
        mg.Trace.load(path)
    except InputError as refusal:
        assert "damaged.npz" in str(refusal)  # noqa: PT017 (any other exception must surface)


# --- runs from elsewhere ----------------------------------------------------------------------------------------------------------------------


@given(st.one_of(preference_games(max_actions=5), matrix_games(max_actions=4)), st.data(), st.integers(1, 6))
def test_policies_from_elsewhere(game: mg.Game, data: st.DataObject, count: int) -> None:
    logs = np.array([data.draw(log_policies(game, zeros=True)) for _ in range(count)])
    trace = mg.Trace.from_policies(game, logs)
    played = np.exp(logs)
    error = 20 * game.actions * EPS * float(np.max(np.abs(game.payoff_matrix)))
    np.testing.assert_allclose(trace.gaps, mg.duality_gap(game, played), rtol=0, atol=error)
    averages = [np.mean(played[: k + 1], axis=0) for k in range(count)]
    np.testing.assert_allclose(trace.average_gaps, mg.duality_gap(game, np.array(averages)), rtol=0, atol=error)
    np.testing.assert_allclose(trace.log_policies, logs, rtol=0, atol=10 * EPS)
    assert trace.iterations.tolist() == trace.products.tolist() == trace.policy_iterations.tolist() == list(range(count))
    assert (trace.algorithm, trace.algorithm_spec, trace.feedback, trace.stopped, len(trace.stages)) == ("a run from elsewhere",) * 2 + (
        "unknown",
        "unknown",
        0,
    )


def test_policies_from_elsewhere_are_copied_and_normalised() -> None:
    logs = np.log([START, START[::-1]]) + 1e-7
    trace = mg.Trace.from_policies(RPS, logs, [3, 10], name="theirs")
    assert trace.iterations.tolist() == [3, 10]
    logs[...] = 0
    np.testing.assert_allclose(np.exp(trace.log_policies), [START, START[::-1]], rtol=10 * EPS)
    assert trace.algorithm == "theirs"


@pytest.mark.parametrize(
    ("logs", "iterations", "words"),
    [
        ([0.0, -1.0, -1.0], None, ["(recorded, 3)", "(3,)"]),
        (np.zeros((0, 3)), None, ["(recorded, 3)"]),
        ([[0.0, -np.inf]], None, ["2 entries", "3 actions"]),
        ([[0.0, 0.0, 0.0]], None, ["sum to 1", "3"]),
        ([np.log(START), [np.nan, 0.0, 0.0]], None, ["Entry 1", "nan"]),
        ([[1000.0, 0.0, 0.0]], None, ["Entry 1", "inf"]),
        ([[0.0], [1.0, 2.0]], None, ["array of numbers"]),
        ([["a", "b", "c"]], None, ["array of numbers"]),
        (np.log([START, START]), [0], ["2 whole numbers"]),
        (np.log([START, START]), [1, 1], ["increasing"]),
        (np.log([START, START]), np.array([5, 3], dtype=np.uint64), ["increasing"]),
        (np.log([START, START]), [-1, 1], ["from 0 on"]),
        (np.log([START, START]), [0, 2**53 + 1], ["at most 2⁵³", "9,007,199,254,740,993"]),
        (np.log([START, START]), np.array([0, 2**64 - 1], dtype=np.uint64), ["at most 2⁵³"]),
        (np.log([START, START]), [0.0, 1.0], ["whole numbers"]),
    ],
)
def test_policies_from_elsewhere_that_are_refused(logs: Any, iterations: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as refusal:
        mg.Trace.from_policies(RPS, logs, iterations)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


# --- how it reads -----------------------------------------------------------------------------------------------------------------------------


def test_a_trace_in_words_and_rows() -> None:
    trace = mg.solve(RPS, mg.Extragradient(step_size=0.5), steps=20, start=START)
    assert str(trace).startswith("extragradient:step_size=0.5 on rock_paper_scissors:wins=0.9/0.8/0.9: 20 steps, 40 products, duality gap 2.400e-01 → ")
    assert str(trace).endswith("(stopped by budget)")
    assert repr(trace) == f"<Trace {trace}>"
    rows = trace.to_dict()
    assert json.loads(json.dumps(rows)) == rows
    assert (rows["schema"], rows["game"], rows["algorithm"]) == ("mmd_games.trace/1", RPS.name, "extragradient:step_size=0.5")
    assert rows["gaps"] == trace.gaps.tolist()
    frame = trace.to_frame()
    assert list(frame.columns) == ["iterations", "products", "gaps", "average_gaps"]
    np.testing.assert_array_equal(frame["average_gaps"], trace.average_gaps)
