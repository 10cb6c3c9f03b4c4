"""Where runs begin, as users write it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.loop.starts import default_start, from_spec, never_played, random_start

RPS = mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9))
PENNIES = mg.games.matching_pennies()
KUHN = mg.games.kuhn_poker()


@pytest.mark.parametrize("text", ["uniform", " uniform ", "uniform:"])
def test_uniform_is_left_to_the_loop(text):
    assert from_spec(text, RPS) is None


@given(st.integers(0, 10**9))
def test_random_is_a_policy_of_every_player_that_plays_everything(seed):
    for game in (RPS, PENNIES, KUHN):
        start = from_spec(f"random:seed={seed}", game)
        np.testing.assert_array_equal(start, random_start(game, seed))
        assert start.min() > 0
        first = 0
        for size in game.blocks:
            assert start[first : first + size].sum() == pytest.approx(1, abs=1e-12)
            first += size


def test_random_is_even_on_the_simplex_and_differs_by_seed():
    starts = np.array([random_start(RPS, seed) for seed in range(4000)])
    assert len(np.unique(starts, axis=0)) == 4000
    # Of an even draw each coordinate is Beta(1, 2): mean 1/3, variance 1/18.
    np.testing.assert_allclose(starts.mean(axis=0), 1 / 3, atol=0.02)
    np.testing.assert_allclose(starts.var(axis=0), 1 / 18, atol=0.005)
    np.testing.assert_array_equal(from_spec("random", RPS), random_start(RPS, 0))


def test_probabilities_are_taken_as_written():
    np.testing.assert_array_equal(from_spec("0.2/0.3/0.5", RPS), [0.2, 0.3, 0.5])
    np.testing.assert_array_equal(from_spec("1/0/0.0", RPS), [1, 0, 0])
    np.testing.assert_array_equal(from_spec("2e-1/.3/5e-1", RPS), [0.2, 0.3, 0.5])
    np.testing.assert_array_equal(from_spec("0.2/0.8/0.5/0.5", PENNIES), [0.2, 0.8, 0.5, 0.5])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("start.txt", "0.2 0.3 0.5\n"),
        ("start.txt", "0.2\n0.3\n0.5\n"),
        ("start.dat", "# my start\n0.2 0.3 # and more\n\t0.5"),
        ("start.csv", "0.2,0.3,0.5\n"),
        ("start.csv", "\ufeff0.2, 0.3, 0.5"),
        ("start.csv", "0.2;0.3;0.5\n"),
        ("start", "0.2 0.3 0.5"),
        ("0.5", "0.2 0.3 0.5"),
    ],
)
def test_text_files(tmp_path, monkeypatch, name, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    np.testing.assert_array_equal(from_spec(name, RPS), [0.2, 0.3, 0.5])
    np.testing.assert_array_equal(from_spec(str(tmp_path / name), RPS), [0.2, 0.3, 0.5])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_array_files(tmp_path, dtype):
    np.save(tmp_path / "start.npy", np.array([[0.25, 0.25, 0.5]], dtype=dtype))
    start = from_spec(str(tmp_path / "start.npy"), RPS)
    assert start.dtype == np.float64
    np.testing.assert_array_equal(start, [0.25, 0.25, 0.5])


def test_an_archive_in_disguise_is_refused(tmp_path):
    np.savez(tmp_path / "start.npz", a=[0.2, 0.3, 0.5])
    (tmp_path / "start.npz").rename(tmp_path / "start.npy")
    with pytest.raises(mg.InputError, match="list of probabilities"):
        from_spec(str(tmp_path / "start.npy"), RPS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unifrom", ["start", "'unifrom'", "'uniform'"]),
        ("", ["start ''", "0.2/0.3/0.5", "random", "uniform"]),
        ("uniform:seed=1", ["key of start 'uniform'", "'seed'"]),
        ("random:n=1", ["key of start 'random'", "'n'"]),
        ("random:seed", ["key=value"]),
        ("random:seed=-1", ["seed", "at least 0"]),
        ("random:seed=1.5", ["seed", "whole"]),
        ("1", ["'1'"]),
        ("0.5/0.5", ["start '0.5/0.5'", "2 entries", "3 actions"]),
        ("0.5/0.5/0.5", ["sum to 1", "1.5"]),
        ("0.5/0.6/-0.1", ["Entry 3", "-0.1"]),
        ("0.5/0.5/inf", ["Entry 3", "inf"]),
        ("a/b/c", ["a/b/c", "cannot be read"]),
        ("nowhere.npy", ["nowhere.npy", "cannot be read"]),
    ],
)
def test_refusals(tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mg.InputError) as refusal:
        from_spec(text, RPS)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_two_players_must_sum_to_one_each():
    with pytest.raises(mg.InputError, match="each player"):
        from_spec("0.6/0.6/0.4/0.4", PENNIES)


def test_the_default_is_uniform_unless_that_shows_nothing():
    assert default_start(RPS, 1e-8) == (None, ())
    for game in (mg.games.rock_paper_scissors(wins=(0.9, 0.9, 0.9)), PENNIES):
        start, notes = default_start(game, 1e-8)
        np.testing.assert_array_equal(start, random_start(game, 0))
        assert "random:seed=0" in notes[0]
    # The gap of the uniform policy is 1/15.
    assert default_start(RPS, 0.07)[0] is not None
    assert default_start(RPS, 0.06)[0] is None


def test_actions_that_are_never_played_are_counted():
    assert never_played(None) == never_played(np.array([0.5, 0.5])) == ()
    assert "2 of the 4 actions" in never_played(np.array([0.0, 1.0, 1.0, 0.0]))[0]
