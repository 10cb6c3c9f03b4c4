"""Recorded runs from files: judged like one's own, and refused where they are of another game or do not fit together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import mmd_games as mg
from mmd_games.cli import main
from mmd_games.cli.recorded import recorded_run

ASYMMETRIC = "rock_paper_scissors:wins=0.9/0.8/0.9"


@pytest.fixture(scope="module")
def run():
    return mg.solve(mg.games.from_spec(ASYMMETRIC), until=1e-9)


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder; its status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        status = main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return command


def changed(trace, path, **arrays):
    """The file of a trace with some of its arrays replaced."""
    trace.save(path)
    with np.load(path) as file:
        content = dict(file)
    assert arrays.keys() <= content.keys()
    np.savez(path, **{**content, **arrays})
    return path


def test_a_recorded_run_is_judged_like_a_new_one(call, run):
    run.save("trace.npz")
    status, out, err = call("verify", ASYMMETRIC, "--trace", "trace.npz", "--json", "--out", "run")
    content = json.loads(out)
    assert (status, content["verdict"]) == (0, "confirmed")
    assert content["steps"] == run.steps
    assert content["policy"] == run.policy.tolist()
    assert content["reproduce"] == f"mmd-games verify {ASYMMETRIC} --trace trace.npz --tolerance 4e-09"
    assert "report.html" in err
    assert call("verify", ASYMMETRIC, "--trace", "trace.npz", "--tolerance", "1e-12")[0] in (1, 3)


def test_a_run_from_elsewhere_and_an_interrupted_one_are_judged(call, run):
    mg.Trace.from_policies(run.game, run.log_policies, run.policy_iterations, name="mine").save("mine.npz")
    status, out, _ = call("verify", ASYMMETRIC, "--trace", "mine.npz", "--json")
    assert (status, json.loads(out)["algorithm"]) == (0, "mine")
    stopped = mg.solve(run.game, steps=500)
    object.__setattr__(stopped, "stopped", "interrupted")
    stopped.save("stopped.npz")
    # The run was interrupted, not this command: its status is a verdict.
    assert call("verify", ASYMMETRIC, "--trace", "stopped.npz")[0] == 3


def test_names_may_differ_and_entries_may_not(call, run, tmp_path):
    run.save("trace.npz")
    table = run.game.preference
    np.savetxt("wins.csv", table, delimiter=",", fmt="%.17g")
    assert call("verify", "wins.csv", "--trace", "trace.npz")[0] == 0
    table[1, 2] += 2.0**-50
    table[2, 1] = 1 - table[1, 2]
    np.save("other.npy", table)
    status, out, err = call("verify", "other.npy", "--trace", "trace.npz", "--out", "run")
    assert (status, out) == (2, "")
    row, column = 2, 3
    mine, theirs = float(run.game.preference[1, 2]), float(table[1, 2])
    words = f"a trace of another game: row {row}, column {column} of its table is {mine!r}, that of other.npy is {theirs!r} (win probability)."
    assert err == f"mmd-games: trace.npz: {words}\n"
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("cycle:n=5", "it has 3 actions, cycle:n=5,win=1.0 has 5"),
        ("matching_pennies", "it has 3 actions, matching_pennies has 2 + 2"),
        ("rps:wins=0.9/0.8/0.7", "row 2, column 3 of its table is 0.9, that of rock_paper_scissors:wins=0.9/0.8/0.7 is 0.7 (win probability)"),
    ],
)
def test_a_trace_of_another_game_is_a_sentence(call, run, source, words):
    run.save("trace.npz")
    status, out, err = call("verify", source, "--trace", "trace.npz", "--out", "run")
    assert (status, out) == (2, "")
    assert "trace.npz: a trace of another game: " in err
    assert words in err, err
    assert len(err.splitlines()) == 1
    assert [path.name for path in Path().iterdir()] == ["trace.npz"]


def test_payoffs_and_win_probabilities_are_two_games(tmp_path, run):
    payoffs = mg.PreferenceGame.from_payoffs(run.game.payoff_matrix)
    path = run.save(tmp_path / "trace.npz")
    with pytest.raises(mg.InputError, match=r"its payoffs are win probability, those of .* are payoff\."):
        recorded_run(path, payoffs)


def test_a_difference_between_two_kinds_of_payoffs_names_both(tmp_path, run):
    path = run.save(tmp_path / "trace.npz")
    other = mg.PreferenceGame.from_payoffs(3 * run.game.payoff_matrix, name="threefold")
    value = float(other.payoff_matrix[0, 1])
    with pytest.raises(mg.InputError, match=rf"of its table is {run.game.preference[0, 1]} \(win probability\), that of threefold is {value} \(payoff\)\.$"):
        recorded_run(path, other)


def test_games_without_a_table_are_compared_by_their_numbers(tmp_path):
    generator = np.random.default_rng(0)
    embeddings = generator.normal(size=(6, 4))
    low = mg.LowRankGame(embeddings)
    general = mg.GeneralPreferenceGame(embeddings, temperature=1.0)
    path = mg.solve(low, steps=20).save(tmp_path / "low.npz")
    assert recorded_run(path, mg.LowRankGame(embeddings, name="another name")).steps == 20
    nudged = embeddings.copy()
    nudged[3, 1] = np.nextafter(nudged[3, 1], 2)
    with pytest.raises(mg.InputError, match=r"another game: entry 4, 2 of its embeddings is "):
        recorded_run(path, mg.LowRankGame(nudged))
    with pytest.raises(mg.InputError, match=r"another game: it is a LowRankGame, .* is a GeneralPreferenceGame"):
        recorded_run(path, general)
    with pytest.raises(mg.InputError, match=r"another game: its embeddings have shape \(6, 4\), those of .* \(6, 2\)"):
        recorded_run(path, mg.LowRankGame(embeddings[:, :2]))
    path = mg.solve(general, steps=20).save(tmp_path / "general.npz")
    assert recorded_run(path, general).steps == 20
    with pytest.raises(mg.InputError, match="another game"):
        recorded_run(path, mg.GeneralPreferenceGame(embeddings, temperature=2.0))
    path = mg.solve(low + low, steps=20).save(tmp_path / "sum.npz")
    assert recorded_run(path, low + low).steps == 20
    with pytest.raises(mg.InputError, match="another game"):
        recorded_run(path, low + low + low)


def broken_traces(trace):
    """Arrays that do not fit together, each with the words of its refusal."""
    gaps, iterations, logs = trace.gaps.copy(), trace.iterations.copy(), trace.log_policies.copy()
    kept, rows = trace.policy_iterations, len(trace.gaps)

    def replaced(array, index, value):
        array = np.array(array, dtype=np.result_type(array.dtype, type(value)))
        array[index] = value
        return array

    swapped = replaced(iterations, [4, 5], iterations[[5, 4]][0])
    return {
        "gap nan": ({"gaps": replaced(gaps, 3, np.nan)}, "gaps must be finite; entry 4 is nan"),
        "gap infinite": ({"gaps": replaced(gaps, rows - 1, np.inf)}, f"gaps must be finite; entry {rows} is inf"),
        "average": ({"average_gaps": replaced(trace.average_gaps, 0, -np.inf)}, "average_gaps must be finite; entry 1 is -inf"),
        "text": ({"gaps": np.array(["x"] * rows)}, "gaps must be numbers"),
        "decreasing": ({"iterations": iterations[::-1].copy()}, f"iterations must increase; {iterations[-2]:,} follows {iterations[-1]:,} at entry 2"),
        "repeated": ({"iterations": swapped}, f"iterations must increase; {iterations[5]:,} follows {iterations[5]:,} at entry 6"),
        "negative": ({"iterations": replaced(iterations, 0, -1)}, "iterations must begin at 0 or later, got -1"),
        "halves": ({"iterations": iterations + 0.5}, "iterations must be whole numbers"),
        "shorter": ({"iterations": iterations[:-1]}, f"iterations has shape ({rows - 1},)"),
        "empty": (dict.fromkeys(("gaps", "iterations", "products", "average_gaps"), np.zeros(0)), "iterations has shape (0,)"),
        "products": ({"products": replaced(trace.products, 2, 0)}, "products decrease after entry 2"),
        "wide": ({"log_policies": np.zeros((len(kept), 4))}, f"log_policies has shape ({len(kept)}, 4); ({len(kept)}, 3) was expected"),
        "fewer": ({"log_policies": logs[:-1]}, f"log_policies has shape ({len(kept) - 1}, 3)"),
        "no policy": ({"log_policies": replaced(logs, (2, 1), 0.0)}, f"the policy of iteration {kept[2]} is not a distribution"),
        "policy nan": ({"log_policies": replaced(logs, (2, 1), np.nan)}, f"the policy of iteration {kept[2]} is not a distribution"),
        "policy infinite": ({"log_policies": replaced(logs, (0, 1), np.inf)}, f"the policy of iteration {kept[0]} is not a distribution"),
        "kept": ({"policy_iterations": kept[::-1].copy()}, "policy_iterations must increase"),
        "unsigned": ({"iterations": iterations[::-1].astype(np.uint64)}, "iterations must increase;"),
        "unsigned products": ({"products": trace.products[::-1].astype(np.uint64)}, "products decrease after entry 1"),
        "beyond floats": ({"iterations": replaced(iterations, -1, 2**53 + 2)}, "iterations must be at most 2⁵³, beyond which float64 skips some; got 9,007"),
        "end": ({"policy_iterations": replaced(kept, -1, int(kept[-1]) + 1)}, f"the run ends at iteration {iterations[-1]:,}"),
        "stages": ({"stage_step_sizes": np.zeros(1)}, "stage_step_sizes has shape (1,)"),
        "magnets": ({"stage_log_magnets": np.zeros((len(trace.stages), 2))}, "stage_log_magnets has shape"),
        "table": ({"payoff_matrix": np.zeros((3, 2))}, "the payoff table has shape (3, 2); (3, 3) was expected"),
        "table nan": ({"payoff_matrix": np.full((3, 3), np.nan)}, "payoffs must be finite; entry 1, 1 is nan"),
    }


CASES = list(broken_traces(mg.solve(mg.games.from_spec(ASYMMETRIC), steps=300)))


@pytest.mark.parametrize("case", CASES)
def test_traces_that_do_not_fit_together_are_a_sentence(call, run, case):
    arrays, words = broken_traces(run)[case]
    changed(run, "trace.npz", **arrays)
    status, out, err = call("verify", ASYMMETRIC, "--trace", "trace.npz", "--out", "run")
    assert (status, out) == (2, "")
    assert err.startswith("mmd-games: trace.npz: not a saved trace: ")
    assert words in err, err
    assert len(err.splitlines()) == 1
    assert [path.name for path in Path().iterdir()] == ["trace.npz"]


def test_a_whole_trace_changes_nothing_when_it_is_checked(run, tmp_path):
    for trace in (run, mg.solve(mg.games.matching_pennies(), start=[1.0, 0.0, 0.5, 0.5], steps=20), mg.solve(mg.games.low_rank(n=50), steps=5)):
        loaded = mg.Trace.load(trace.save(tmp_path / "trace.npz"))
        np.testing.assert_array_equal(loaded.log_policies, trace.log_policies)


def test_a_trace_too_short_to_judge_is_a_sentence(call, run):
    mg.Trace.from_policies(run.game, run.log_policies[:2]).save("short.npz")
    status, out, err = call("verify", ASYMMETRIC, "--trace", "short.npz", "--out", "run")
    assert (status, out) == (2, "")
    assert err.startswith("mmd-games: short.npz: ")
    assert "2 gaps" in err
    assert not Path("run").exists()


@pytest.mark.parametrize("option", [["--algorithm", "mpo"], ["--steps", "100000"], ["--start", "uniform"], ["--feedback", "exact"]])
def test_a_recorded_run_takes_no_settings(call, run, option):
    run.save("trace.npz")
    status, out, err = call("verify", ASYMMETRIC, "--trace", "trace.npz", *option)
    assert (status, out) == (2, "")
    assert "--trace brings in a run that has been made" in err


def test_files_that_are_no_trace(call):
    Path("text.npz").write_text("no archive")
    np.savez("arrays.npz", gaps=np.ones(3))
    for name, words in (
        ("missing.npz", "no such file."),
        ("text.npz", "not a saved trace: it is not an .npz file."),
        ("arrays.npz", "not a saved trace: it lacks 'meta'."),
        (".", "not a saved trace: it cannot be read (Is a directory)."),
    ):
        status, out, err = call("verify", ASYMMETRIC, "--trace", name)
        assert (status, out) == (2, "")
        assert words in err
        assert len(err.splitlines()) == 1
