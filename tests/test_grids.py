"""Grids: which settings are tried of an algorithm, and what a multiple of its default is in a game."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.sweeps import Suite, read_suite
from mmd_games.sweeps.grids import algorithm_with, multiple_of, require_grids, settings_of
from mmd_games.sweeps.playing import run_cell


def suite(grids, algorithms=("mpo", "omwu"), **others):
    return Suite(name="s", games=("rps",), algorithms=algorithms, grids=grids, **others)


def test_all_combinations_are_cells_of_that_algorithm_alone():
    sizes, strengths = ["0.25x", "0.5x", 1.5], ["1x", 0.3]
    plan = Suite(
        name="s",
        games=("random:n=3", "rps"),
        algorithms=("mpo", "omwu"),
        seeds=(4, 5),
        feedback=("exact", "sampled:opponents=4"),
        grids={"mpo": {"step_size": sizes, "magnet_strength": strengths}},
    )
    cells = plan.cells()
    assert len(cells) == 3 * 2 * (6 + 1)
    for game, seed in (("random:n=3,seed=4", 4), ("random:n=3,seed=5", 5), ("rps", None)):
        for told in ("exact", "sampled:opponents=4"):
            mine = [cell for cell in cells if cell["game"] == game and cell["feedback"] == told]
            assert [cell["algorithm"] for cell in mine] == ["mpo"] * 6 + ["omwu"]
            assert {cell["seed"] for cell in mine} == {seed}
            assert [cell["setting"] for cell in mine] == [
                *({"step_size": size, "magnet_strength": strength} for size, strength in itertools.product(sizes, strengths)),
                {},
            ]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_the_number_of_settings_is_the_product_of_the_lists(lengths):
    grid = {f"key{index}": list(range(length)) for index, length in enumerate(lengths)}
    settings = settings_of(grid)
    count = 1
    for length in lengths:
        count *= length
    assert len(settings) == count == len({tuple(setting.values()) for setting in settings})


@pytest.mark.parametrize("scale", [0.5, 1.0, 40.0])
def test_a_multiple_is_of_the_default_in_that_game(scale):
    for name, method in (("omwu", mg.OptimisticMultiplicativeWeights()), ("pu", mg.PolicyUpdate())):
        default = method.with_defaults(scale).step_size
        assert algorithm_with(name, {"step_size": "0.25x"}, scale).step_size == 0.25 * default
        assert algorithm_with(name, {"step_size": 0.25}, scale).step_size == 0.25
        assert algorithm_with(name, {"step_size": "0.25"}, scale).step_size == 0.25
    assert algorithm_with("mpo:inner=pu", {"magnet_strength": "2x"}, scale) == mg.MagneticPreferenceOptimization(inner="pu", magnet_strength=0.4 * scale)


def test_whole_numbers_are_rounded_and_at_least_1():
    default = mg.MagneticPreferenceOptimization().with_defaults(0.5).refresh_every
    for text, whole in (("0.5x", round(0.5 * default)), ("1.013x", round(1.013 * default)), ("0.0001x", 1), ("3x", 3 * default)):
        found = algorithm_with("mpo", {"refresh_every": text}, 0.5).refresh_every
        assert (found, type(found)) == (whole, int)


def test_multiples_are_settled_in_the_order_of_the_grid():
    left_open = mg.MagneticPreferenceOptimization(magnet_strength=0.05).with_defaults(0.5)
    assert algorithm_with("mpo", {"magnet_strength": "0.5x", "step_size": "1x", "refresh_every": "1x"}, 0.5) == left_open
    assert algorithm_with("mpo", {"refresh_every": "1x", "magnet_strength": "0.5x"}, 0.5).refresh_every != left_open.refresh_every
    # values come before multiples, wherever they stand
    assert algorithm_with("mpo", {"refresh_every": "1x", "magnet_strength": 0.05}, 0.5).refresh_every == left_open.refresh_every


@given(st.sampled_from(["0.25x", "2x", " 1x ", "1e-3x", ".5x", "3.x"]), st.sampled_from(["x", "-2x", "2", "2 x", "two x", "mmd", "", "1xx", 2, 2.0, True]))
def test_what_is_a_multiple(multiple, other):
    assert multiple_of(multiple) == float(multiple.strip()[:-1])
    assert multiple_of(other) is None


@pytest.mark.parametrize(
    ("grids", "words"),
    [
        ({"omw": {"step_size": [1]}}, ["'omw'", "did you mean 'omwu'"]),
        ({"omwu": {"stepsize": [1]}}, ["'stepsize'", "did you mean 'step_size'"]),
        ({"omwu": {"step_size": []}}, ["step_size", "zero cells"]),
        ({"omwu": {}}, ["omwu", "zero cells"]),
        ({"omwu": {"step_size": "1x"}}, ["step_size", "list"]),
        ({"omwu": [1]}, ["omwu", "table of lists"]),
        ({"omwu": {"step_size": ["1x", "1x"]}}, ["once", "'1x'"]),
        ({"omwu": {"step_size": ["0x"]}}, ["'0x'", "positive"]),
        ({"omwu": {"step_size": [[1]]}}, ["[1]"]),
        ({"omwu": {"step_size": ["fast"]}}, ["step_size", "number", "fast"]),
        ({"omwu": {"step_size": [-1]}}, ["step_size", "positive"]),
        ({"mpo": {"refresh_every": [1.5]}}, ["refresh_every", "whole"]),
        ({"mpo": {"inner": ["2x"]}}, ["inner", "no number", "2x"]),
        ({"mpo:inner=pu": {"inner": ["mmd"]}}, ["inner", "one of the two"]),
        ({"nash_md": {"step_size": ["2x"]}}, ["step_size", "no number", "None"]),
    ],
)
def test_bad_grids_are_refused(grids, words):
    with pytest.raises(mg.InputError) as refusal:
        require_grids(grids, ("mpo", "omwu", "mpo:inner=pu", "nash_md"))
    assert all(word in str(refusal.value) for word in words), refusal.value


def test_a_quoted_entry_has_a_grid_in_the_file(tmp_path):
    (tmp_path / "s.toml").write_text(
        'games = ["rps"]\nalgorithms = ["mpo:inner=pu", "mwu"]\n[grids]\n"mpo:inner=pu" = { refresh_every = [5, "2x"] }\nmwu = { step_size = ["1x"] }\n'
    )
    cells = read_suite(tmp_path / "s.toml").cells()
    assert [(cell["algorithm"], cell["setting"]) for cell in cells] == [
        ("mpo:inner=pu", {"refresh_every": 5}),
        ("mpo:inner=pu", {"refresh_every": "2x"}),
        ("mwu", {"step_size": "1x"}),
    ]
    (tmp_path / "s.toml").write_text('games = ["rps"]\nalgorithms = ["mwu"]\ngrids = ["1x"]\n')
    with pytest.raises(mg.InputError, match=r"grids.*table"):
        read_suite(tmp_path / "s.toml")


def test_a_cell_plays_its_setting_and_says_what_it_came_to():
    cell = next(cell for cell in suite({"omwu": {"step_size": ["2x"]}}, products=400).cells() if cell["algorithm"] == "omwu")
    row, plain = run_cell(cell), run_cell(cell | {"setting": {}, "algorithm": "omwu:step_size=2.5"})
    assert row["values"] == {"step_size": 2.5}  # L is 0.4
    assert row["settings"] == plain["settings"] == "omwu:step_size=2.5"
    assert row["gaps"] == plain["gaps"]


def test_what_only_one_game_refuses_is_a_row_there():
    cells = suite({"pu": {"step_size": ["1x", "30x"]}}, algorithms=("pu",), products=60).cells()
    fine, wrong = map(run_cell, cells)
    assert "error" not in fine
    assert "at most 1" in wrong["error"]
    assert wrong["timing"]["cell"] >= 0


def test_a_users_own_class_has_grids_too():
    own = "mmd_games.algorithms.magnetless:Extragradient"
    assert algorithm_with(f"{own}", {"step_size": "2x"}, 0.5) == mg.Extragradient(step_size=2.8)
    assert algorithm_with(f"{own}:step_size=3", {}, 0.5) == mg.Extragradient(step_size=3)
    require_grids({own: {"step_size": ["1x", 2]}}, (own,))
