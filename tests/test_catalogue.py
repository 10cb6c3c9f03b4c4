"""The catalogue's games against what is known of them by other means."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from itertools import combinations, permutations, product
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games import games
from mmd_games.errors import InputError
from mmd_games.games.catalogue import ALIASES, FAMILIES

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def exact(game: games.Game) -> list[list[Fraction]]:
    return [[Fraction(float(entry)).limit_denominator(10**6) for entry in row] for row in game.payoff_matrix]


def equilibria(game: games.PreferenceGame) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """All non-degenerate equilibria of a small symmetric game, by trying every odd support: the slow way, with no solver of the library."""
    matrix, n = game.payoff_matrix, game.actions
    found = []
    for size in range(1, n + 1, 2):
        for support in combinations(range(n), size):
            block = matrix[np.ix_(support, support)]
            system = np.vstack([block, np.ones(size)])
            if np.linalg.matrix_rank(system) < size:
                continue
            weights, *_ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
            policy = np.zeros(n)
            policy[list(support)] = weights
            if np.min(weights) > 1e-9 and np.max(matrix @ policy) < 1e-9:
                found.append((support, policy))
    return found


def condorcet_winners(game: games.PreferenceGame) -> list[int]:
    return [i for i, row in enumerate(game.payoff_matrix) if all(row[j] > 0 for j in range(game.actions) if j != i)]


# --- the registry -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", games.listing(), ids=lambda family: family.name)
def test_every_listed_example_builds_and_its_name_builds_the_same_game(family) -> None:
    if family.name in ("openspiel", "kuhn_poker"):
        pytest.importorskip("pyspiel")
    game = games.from_spec(family.example)
    again = games.from_spec(game.name)
    assert game.name.partition(":")[0] == family.name
    assert again.name == game.name
    assert np.array_equal(again.table(), game.table())
    assert family.description.endswith(".")
    if family.keys:
        assert set(family.keys) == set(inspect.signature(FAMILIES[family.name]).parameters)
        assert game.name.partition(":")[2].count("=") == len(family.keys)


def test_the_listing_is_complete() -> None:
    names = {family.name for family in games.listing()}
    assert names == {*FAMILIES, "openspiel"}
    assert {alias for family in games.listing() for alias in family.aliases} == set(ALIASES)
    assert all(getattr(games, name) is factory for name, factory in FAMILIES.items())


def test_aliases_build_what_they_stand_for() -> None:
    assert games.from_spec("rps:wins=0.6/0.7/0.8").name == "rock_paper_scissors:wins=0.6/0.7/0.8"
    assert games.from_spec(" elo : n = 4 ").name == "bradley_terry:n=4,seed=0,spread=1.0"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("randon:n=3", ["Unknown game 'randon'", "'random'"]),
        ("", ["Unknown game ''", "blotto"]),
        ("random:m=3", ["key of game 'random'", "'m'"]),
        ("random:n=1", ["n must be", "at least 2", "1"]),
        ("random:n=2.5", ["n of game 'random'", "whole", "2.5"]),
        ("random:seed=-1", ["seed", "at least 0"]),
        ("random:distribution=normal", ["distribution", "uniform, gaussian, tournament", "normal"]),
        ("random:n=10000000", ["random:n=10000000", "10,000,000 × 10,000,000", "GiB"]),
        ("general_preference:temperature=0", ["temperature", "positive"]),
        ("general_preference:blocks=0", ["blocks", "at least 1"]),
        ("general_preference:blocks=1000000000000", ["memory"]),
        ("low_rank:dimensions=5", ["5 dimensions", "even"]),
        ("saturated:steepness=0", ["steepness", "positive"]),
        ("integers:largest=0", ["largest", "at least 1"]),
        ("integers:largest=10000000000000000", ["largest", "2⁵³"]),
        ("duplicated:copies=0", ["copies", "at least 1"]),
        ("duplicated:copies=10000000", ["memory"]),
        ("bradley_terry:spread=-1", ["spread", "positive"]),
        ("noisy_elo:noise=-1", ["noise", "at least 0"]),
        ("transitive_cyclic:cyclic=1.5", ["cyclic", "[0, 1]"]),
        ("transitive_cyclic:n=2", ["n must be", "at least 3"]),
        ("transitive_cyclic:on=both", ["on", "probability, logit"]),
        ("cycle:n=2", ["n must be", "at least 3"]),
        ("cycle:win=2", ["win", "[0, 1]"]),
        ("cycle:n=10000000", ["memory"]),
        ("generalised_rps:n=4", ["generalised_rps", "odd", "4"]),
        ("generalised_rps:n=10000001", ["memory"]),
        ("rps:wins=0.9/0.8", ["wins", "three", "2"]),
        ("rps:wins=0.9/0.8/1.2", ["third of wins", "[0, 1]", "1.2"]),
        ("clones:copies=0", ["copies", "at least 1"]),
        ("clones:copies=10000000", ["memory"]),
        ("spinning_top:width=4", ["width", "odd", "4"]),
        ("spinning_top:layers=2", ["layers", "at least 3"]),
        ("spinning_top:steepness=0", ["steepness", "positive"]),
        ("spinning_top:layers=1000000000", ["memory"]),
        ("spinning_top:width=10000001", ["memory"]),
        ("a_delta:delta=0", ["delta", "positive"]),
        ("blotto:soldiers=0", ["soldiers", "at least 1"]),
        ("blotto:fields=1", ["fields", "at least 2"]),
        ("blotto:payoff=win", ["payoff", "sign, margin"]),
        ("blotto:soldiers=1,reduce_symmetry=true", ["1 × 1"]),
        ("blotto:soldiers=100,fields=6", [f"{comb(105, 5):,}", "memory"]),
        ("blotto:soldiers=1000000,fields=1000", ["about 10^", "allocations"]),
        ("blotto:soldiers=200,fields=6,reduce_symmetry=true", [f"{comb(205, 5):,}", "1,000,000"]),
        ("blotto:soldiers=399999,fields=2,reduce_symmetry=true", ["200,000 × 200,000", "memory"]),
        ("blotto:soldiers=1,fields=999999,reduce_symmetry=true", ["999,998,000,001 fields"]),
    ],
)
def test_what_is_wrong_with_a_spec_is_said(spec: str, words: list[str]) -> None:
    tracemalloc.start()
    with pytest.raises(InputError) as refusal:
        games.from_spec(spec)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(word in str(refusal.value) for word in words), str(refusal.value)
    # What is refused for its size is refused before it is made (the list of partition counts is the largest thing taken).
    assert peak < 64 * 2**20


@pytest.mark.parametrize("call", [lambda: games.random(distribution="normal"), lambda: games.transitive_cyclic(on="both"), lambda: games.blotto(payoff="win")])
def test_choices_are_checked_without_a_spec_too(call) -> None:
    with pytest.raises(InputError, match="must be one of"):
        call()


def test_open_spiel_is_not_imported_at_start_up() -> None:
    check = "import sys, mmd_games.games as games; games.listing(); sys.exit('pyspiel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False, cwd=Path(__file__).parent.parent).returncode == 0


def test_the_memory_said_is_the_memory_taken() -> None:
    n = 400
    tracemalloc.start()
    games.random(n=n, distribution="gaussian")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.5 < peak / (6 * 8 * n * n) < 1.05


# --- games with a structure ---------------------------------------------------------------------------------------------------------------


def test_rock_paper_scissors_is_the_regression_game() -> None:
    game = games.rock_paper_scissors()
    expected = [[0, 0.8, -0.6], [-0.8, 0, 0.8], [0.6, -0.8, 0]]
    assert exact(game) == [[Fraction(str(entry)) / 2 for entry in row] for row in expected]
    assert game.labels == (("rock", "scissors", "paper"),)
    assert float(mg.duality_gap(game, [4 / 11, 3 / 11, 4 / 11])) == pytest.approx(0, abs=1e-15)
    assert float(mg.duality_gap(game, [1, 0, 0])) == pytest.approx(0.6, abs=1e-15)


@given(st.tuples(*[st.floats(0.51, 1)] * 3))
def test_rock_paper_scissors_has_the_equilibrium_it_states(wins: tuple[float, float, float]) -> None:
    a, b, c = (2 * win - 1 for win in wins)
    game = games.rock_paper_scissors(wins=wins)
    assert game.payoff_matrix[0, 1] == pytest.approx(a / 2)
    assert game.payoff_matrix[2, 0] == pytest.approx(b / 2)
    assert game.payoff_matrix[1, 2] == pytest.approx(c / 2)
    assert float(mg.duality_gap(game, np.array([c, b, a]) / (a + b + c))) < 1e-15


def test_comal_is_the_published_game() -> None:
    game = games.comal()
    place = {label: k for k, label in enumerate(game.labels[0])}
    beats = {(first, second): game.preference[place[first], place[second]] for first, second in permutations("abc", 2)}
    assert beats["b", "a"] == beats["c", "b"] == pytest.approx(0.9)
    assert beats["a", "c"] == pytest.approx(0.8)
    [(_, policy)] = equilibria(game)
    assert np.allclose(policy * 11, [4, 3, 4])


@pytest.mark.parametrize("copies", [1, 2, 4])
def test_clones_have_a_continuum_of_equilibria(copies: int) -> None:
    game = games.clones(copies=copies)
    shares = np.random.default_rng(0).dirichlet(np.ones(copies), size=3)
    policy = (shares * np.array([4, 3, 4])[:, None] / 11).ravel()
    assert float(mg.duality_gap(game, policy)) < 1e-15
    # The equilibria solve S π = 0, Σπ = 1: as many dimensions as the kernel of S, less one.
    assert game.actions - np.linalg.matrix_rank(game.payoff_matrix) - 1 == 3 * (copies - 1)
    assert len(set(game.labels[0])) == 3 * copies


@pytest.mark.parametrize("n", [3, 4, 5, 8])
def test_in_a_cycle_each_beats_the_next_only(n: int) -> None:
    matrix = games.cycle(n=n, win=0.75).payoff_matrix
    for i, j in product(range(n), repeat=2):
        assert matrix[i, j] == 0.25 * (((j - i) % n == 1) - ((i - j) % n == 1))
    even = np.where(np.arange(n) % 2 == 0, 0.7, 0.3) * 2 / n
    gap = float(games.PreferenceGame.from_payoffs(matrix).gap_of_payoffs(matrix @ even))
    assert (gap < 1e-15) == (n % 2 == 0)


@pytest.mark.parametrize("n", [3, 5, 7, 9])
def test_generalised_rps_is_balanced_and_only_uniform_is_an_equilibrium(n: int) -> None:
    game = games.generalised_rps(n=n)
    wins = game.payoff_matrix > 0
    assert np.all(wins.sum(axis=1) == (n - 1) // 2)
    assert all(wins[i, (i + k) % n] for i in range(n) for k in range(1, (n - 1) // 2 + 1))
    assert float(mg.duality_gap(game, np.full(n, 1 / n))) < 1e-15
    [(support, policy)] = equilibria(game)
    assert support == tuple(range(n))
    assert np.allclose(policy, 1 / n)


@pytest.mark.parametrize("condition", [1.0, 3.0, 10.0, 100.0])
def test_a_conditioned_cycle_has_two_modes_of_that_ratio(condition: float) -> None:
    game = games.conditioned_cycle(condition=condition)
    covariance = np.eye(5) / 5 - 1 / 25
    modes = np.sort(np.abs(np.linalg.eigvals(game.payoff_matrix @ covariance).imag))
    assert modes[0] < 1e-15
    assert modes[3] / modes[1] == pytest.approx(condition, rel=1e-13 * condition)
    assert np.max(game.payoff_matrix) == 0.5
    [(support, policy)] = equilibria(game)
    assert support == tuple(range(5))
    assert np.allclose(policy, 1 / 5)
    with pytest.raises(mg.InputError, match="at least 1"):
        games.conditioned_cycle(condition=0.5)


def test_a_spinning_top_is_wide_in_the_middle_and_its_top_is_the_equilibrium() -> None:
    game = games.spinning_top(layers=5, width=7)
    layer = np.array([int(label.partition(".")[0]) for label in game.labels[0]])
    sizes = np.bincount(layer)[1:]
    assert sizes.tolist() == [3, 5, 7, 5, 3]
    top = np.where(layer == 5, 1 / 3, 0.0)
    # Strict outside the top, and within it only the uniform policy leaves no best response: the equilibrium is unique.
    assert float(mg.duality_gap(game, top)) < 1e-15
    assert np.all((game.payoff_matrix @ top)[layer < 5] < -0.2)
    # The number of actions an action shares a 3-cycle with is its layer's, so the radius of the top follows the sizes.
    beats = game.payoff_matrix > 0
    in_cycles = np.diag(np.linalg.matrix_power(beats.astype(int), 3))
    by_layer = [in_cycles[layer == height].mean() for height in range(1, 6)]
    assert by_layer == [comb(size + 1, 3) / 4 * 3 / size for size in sizes]
    assert all(beats[i, j] for i, j in product(range(game.actions), repeat=2) if layer[i] > layer[j])


@pytest.mark.parametrize(("layers", "width"), [(3, 3), (4, 9), (8, 101), (9, 21)])
def test_a_spinning_top_reaches_its_width(layers: int, width: int) -> None:
    sizes = np.unique([label.partition(".")[0] for label in games.spinning_top(layers=layers, width=width).labels[0]], return_counts=True)[1]
    assert len(sizes) == layers
    assert max(sizes) == width
    assert all(size % 2 == 1 for size in sizes)


@pytest.mark.parametrize("delta", [0.5, 0.1, 0.001])
def test_a_delta_has_the_equilibrium_it_states(delta: float) -> None:
    game = games.a_delta(delta=delta)
    d = Fraction(delta)
    matrix = [[Fraction(float(entry)) for entry in row] for row in game.payoff_matrix]
    x, y = (1 / (1 + d), d / (1 + d)), (1 / (2 * (1 + d)), (1 + 2 * d) / (2 * (1 + d)))
    value = (1 + 2 * d) / (2 * (1 + d))
    for j in range(2):
        assert abs(sum(x[i] * matrix[i][j] for i in range(2)) - value) < Fraction(1, 10**15)
    for i in range(2):
        assert abs(sum(matrix[i][j] * y[j] for j in range(2)) - value) < Fraction(1, 10**15)


def test_matching_pennies() -> None:
    game = games.matching_pennies()
    assert float(mg.duality_gap(game, [0.5] * 4)) == 0
    assert float(mg.duality_gap(game, [1, 0, 1, 0])) == 2
    assert game.labels == (("heads", "tails"), ("heads", "tails"))


# --- random games -------------------------------------------------------------------------------------------------------------------------

RANDOM = [
    "random:n=5",
    "random:n=5,distribution=gaussian",
    "bradley_terry:n=5",
    "noisy_elo:n=5",
    "disc:n=5",
    "transitive_cyclic:n=5",
    "general_preference:n=5",
]


@pytest.mark.parametrize("spec", RANDOM)
def test_the_seed_alone_decides(spec: str) -> None:
    np.random.seed(1)  # noqa: NPY002 (the global state that must not matter)
    one = games.from_spec(f"{spec},seed=3").payoff_matrix
    np.random.seed(2)  # noqa: NPY002
    assert np.array_equal(one, games.from_spec(f"{spec},seed=3").payoff_matrix)
    assert not np.array_equal(one, games.from_spec(f"{spec},seed=4").payoff_matrix)


@pytest.mark.parametrize(("distribution", "variance"), [("uniform", 1 / 12), ("gaussian", 1.0), ("tournament", 1 / 4)])
def test_random_games_have_the_distribution_they_name(distribution: str, variance: float) -> None:
    game = games.random(n=300, distribution=distribution)
    upper = game.payoff_matrix[np.triu_indices(300, 1)]
    error = np.sqrt(variance / len(upper))
    assert abs(np.mean(upper)) < 5 * error
    assert np.var(upper) == pytest.approx(variance, rel=0.02)
    assert game.units == ("payoff" if distribution == "gaussian" else "win probability")
    if distribution == "tournament":
        assert set(upper) == {-0.5, 0.5}
    if distribution == "uniform":
        # Kolmogorov-Smirnov at 1e-6: the largest distance from the uniform distribution function.
        assert np.max(np.abs(np.sort(upper) + 0.5 - np.arange(1, len(upper) + 1) / len(upper))) < 2.7 / np.sqrt(len(upper))


@pytest.mark.parametrize("distribution", ["uniform", "gaussian", "tournament"])
@pytest.mark.parametrize("seed", range(5))
def test_random_games_have_one_equilibrium_of_odd_support(distribution: str, seed: int) -> None:
    assert len(equilibria(games.random(n=6, seed=seed, distribution=distribution))) == 1


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(0, 100), st.floats(0.1, 5))
def test_bradley_terry_is_transitive_with_one_winner(n: int, seed: int, spread: float) -> None:
    game = games.bradley_terry(n=n, seed=seed, spread=spread)
    [winner] = condorcet_winners(game)
    assert float(mg.duality_gap(game, np.eye(n)[winner])) == 0
    log_odds = np.log(game.preference / (1 - game.preference))
    for i, j, k in product(range(n), repeat=3):
        assert log_odds[i, j] + log_odds[j, k] == pytest.approx(log_odds[i, k], abs=1e-6)


def test_noise_is_all_that_sets_noisy_elo_apart() -> None:
    plain = games.bradley_terry(n=8, seed=5, spread=2.0)
    assert np.array_equal(games.noisy_elo(n=8, seed=5, spread=2.0, noise=0.0).payoff_matrix, plain.payoff_matrix)
    noisy = games.noisy_elo(n=200, seed=5, spread=0.5, noise=0.25)
    quiet = games.bradley_terry(n=200, seed=5, spread=0.5)
    difference = [np.log(game.preference / (1 - game.preference))[np.triu_indices(200, 1)] for game in (noisy, quiet)]
    assert np.std(difference[0] - difference[1]) == pytest.approx(0.25, rel=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_disc_has_rank_two_and_its_equilibrium_balances_the_points(seed: int) -> None:
    game = games.disc(n=7, seed=seed)
    singular = np.linalg.svd(game.payoff_matrix, compute_uv=False)
    assert singular[1] > 1e-3 > 1e-12 > singular[2]
    assert np.max(np.abs(game.payoff_matrix)) <= 1
    # The points themselves, up to a linear map of area 1, are two columns of S: an interior mixture that balances them is an equilibrium.
    balanced = [policy for support, policy in equilibria(game) if len(support) == 3]
    assert all(np.max(np.abs(game.payoff_matrix @ policy)) < 1e-12 for policy in balanced)
    assert len(balanced) > 0 or condorcet_winners(game)


def test_disc_points_fill_the_disc_evenly() -> None:
    # For two uniform points of the disc the area v × w has mean square E|v|² E|w|² / 2 = 1/8
    upper = games.disc(n=1000).payoff_matrix[np.triu_indices(1000, 1)]
    # (radii drawn uniformly would give 1/18).
    assert np.mean(upper**2) == pytest.approx(1 / 8, rel=0.1)


@pytest.mark.parametrize("on", ["probability", "logit"])
@pytest.mark.parametrize("cyclic", [0.0, 0.3, 1.0])
def test_the_two_parts_of_a_mixture_are_where_they_are_said_to_be(on: str, cyclic: float) -> None:
    game = games.transitive_cyclic(n=9, seed=2, cyclic=cyclic, on=on)
    mixture = 2 * game.payoff_matrix if on == "probability" else np.log(game.preference / (1 - game.preference)) / 2
    # The transitive part of a skew matrix is the differences of its row means; what remains has rows that sum to 0.
    means = mixture.mean(axis=1)
    transitive = means[:, None] - means
    assert np.max(np.abs(transitive)) == pytest.approx(1 - cyclic, abs=1e-12)
    assert np.max(np.abs(mixture - transitive)) == pytest.approx(cyclic, abs=1e-12)
    if cyclic == 0:
        assert condorcet_winners(game) == [int(np.argmax(means))]
    if cyclic == 1 and on == "probability":
        assert float(mg.duality_gap(game, np.full(9, 1 / 9))) < 1e-14


def test_the_split_on_probabilities_is_not_the_split_on_log_odds() -> None:
    near = [games.transitive_cyclic(n=6, seed=1, cyclic=0.5, on=on).payoff_matrix for on in ("probability", "logit")]
    assert 0.01 < np.max(np.abs(near[0] - near[1])) < 0.15


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_general_preference_has_log_odds_of_rank_twice_its_blocks(blocks: int) -> None:
    ranks = []
    for temperature in (1.0, 2.0):
        game = games.general_preference(n=9, seed=1, blocks=blocks, temperature=temperature)
        log_odds = np.log(game.preference / (1 - game.preference)) * temperature
        ranks.append(log_odds)
        assert np.linalg.matrix_rank(log_odds, tol=1e-9) == 2 * blocks
    assert np.allclose(ranks[0], ranks[1])


# --- Blotto -------------------------------------------------------------------------------------------------------------------------------


def brute_force(soldiers: int, fields: int, payoff: str) -> dict[tuple[tuple[int, ...], tuple[int, ...]], Fraction]:
    allocations = [forces for forces in product(range(soldiers + 1), repeat=fields) if sum(forces) == soldiers]
    result = {}
    for ours, theirs in product(allocations, repeat=2):
        won, lost = sum(a > b for a, b in zip(ours, theirs, strict=True)), sum(a < b for a, b in zip(ours, theirs, strict=True))
        result[ours, theirs] = Fraction(won - lost, 2) if payoff == "margin" else Fraction((won > lost) - (won < lost))
    return result


def forces_of(label: str) -> tuple[int, ...]:
    return tuple(map(int, label.split("-")))


@pytest.mark.parametrize("payoff", ["sign", "margin"])
@pytest.mark.parametrize(("soldiers", "fields"), [(1, 2), (3, 2), (4, 3), (3, 4), (2, 5)])
def test_blotto_is_what_counting_gives(soldiers: int, fields: int, payoff: str) -> None:
    game = games.blotto(soldiers=soldiers, fields=fields, payoff=payoff)
    table = brute_force(soldiers, fields, payoff)
    labels = [forces_of(label) for label in game.labels[0]]
    assert len(set(labels)) == game.actions == comb(soldiers + fields - 1, fields - 1)
    assert all(game.payoff_matrix[i, j] == table[ours, theirs] for (i, ours), (j, theirs) in product(enumerate(labels), repeat=2))


@pytest.mark.parametrize("payoff", ["sign", "margin"])
@pytest.mark.parametrize(("soldiers", "fields"), [(3, 2), (4, 3), (5, 3), (4, 4)])
def test_reduced_blotto_averages_over_the_orders_of_the_opponents_fields(soldiers: int, fields: int, payoff: str) -> None:
    game = games.blotto(soldiers=soldiers, fields=fields, reduce_symmetry=True, payoff=payoff)
    table = brute_force(soldiers, fields, payoff)
    labels = [forces_of(label) for label in game.labels[0]]
    assert sorted(labels) == sorted({tuple(sorted(forces, reverse=True)) for forces, _ in table})
    for (i, ours), (j, theirs) in product(enumerate(labels), repeat=2):
        orders = list(permutations(theirs))
        assert game.payoff_matrix[i, j] == float(sum(table[ours, order] for order in orders) / len(orders))


def test_an_equilibrium_of_the_reduced_game_spread_over_the_orders_is_one_of_the_whole() -> None:
    reduced, whole = games.blotto(soldiers=4, fields=3, reduce_symmetry=True), games.blotto(soldiers=4, fields=3)
    labels = [forces_of(label) for label in whole.labels[0]]
    for _, policy in equilibria(reduced):
        share = {forces_of(label): weight / len(set(permutations(forces_of(label)))) for label, weight in zip(reduced.labels[0], policy, strict=True)}
        spread = np.array([share[tuple(sorted(forces, reverse=True))] for forces in labels])
        assert float(mg.duality_gap(whole, spread)) < 1e-12
    assert equilibria(reduced)


@pytest.mark.skipif(not DATA.is_dir(), reason="published tables are not shipped with the project")
@pytest.mark.parametrize(("soldiers", "fields", "payoff"), [(5, 3, "sign"), (5, 4, "margin"), (10, 3, "sign")])
def test_blotto_is_the_published_table(soldiers: int, fields: int, payoff: str) -> None:
    game = games.blotto(soldiers=soldiers, fields=fields, payoff=payoff)
    published = np.load(DATA / f"blotto_{soldiers}_{fields}.npy")
    # The published order of the actions is lexicographic too, so the permutation is the identity.
    assert np.array_equal(game.payoff_matrix, published)


# --- hard to solve ------------------------------------------------------------------------------------------------------------------------


def test_saturated_win_rates() -> None:
    mild, steep = (games.saturated(n=60, seed=2, steepness=steepness) for steepness in (0.5, 1.0))
    normal = np.arctanh(2 * steep.payoff_matrix)
    # arctanh magnifies the rounding of 2S by up to cosh² of a draw below 5.
    np.testing.assert_allclose(np.arctanh(2 * mild.payoff_matrix), normal / 2, rtol=0, atol=8 * np.finfo(float).eps * np.cosh(5) ** 2)
    draws = normal[np.triu_indices(60, 1)]
    # 1,770 normal draws: standard errors 0.024 of the mean and 0.017 of the deviation; five of them.
    assert abs(draws.mean()) < 0.12
    assert abs(draws.std() - 1) < 0.09
    # |G| < 0.0345 leaves 100·G below 3.45, where tanh is 0.998; a normal draw is there with probability 0.0275.
    assert np.mean(np.abs(games.saturated(n=60, steepness=100.0).payoff_matrix) < 0.499) < 0.07


def test_whole_payoffs_are_uniform_with_ties() -> None:
    game = games.integers(n=200, largest=2, seed=1)
    values, counts = np.unique(game.payoff_matrix[np.triu_indices(200, 1)], return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    # 19,900 draws, a fifth each: a standard deviation of 56; five of them.
    assert np.max(np.abs(counts - 3980)) < 285


def test_duplicated_actions_are_those_of_the_random_game_in_another_order() -> None:
    game, single = games.duplicated(n=7, copies=3, seed=5), games.random(n=7, seed=5)
    order = [int(np.flatnonzero([set(row) == set(other) for other in single.payoff_matrix])[0]) for row in game.payoff_matrix]
    assert sorted(order) == sorted([*range(7)] * 3)
    assert order != sorted(order)
    assert np.array_equal(game.payoff_matrix, single.payoff_matrix[np.ix_(order, order)])
