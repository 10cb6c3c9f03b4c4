"""Games without a stored table do all that the same games do as tables, take little memory, and refuse what is no game in a sentence."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.games import embedded
from mmd_games.games.implicit import general_preference
from mmd_games.loop import random_start
from mmd_games.plots import plot_payoffs
from mmd_games.testing import policies
from mmd_games.verification import Headline, Question, Verdict
from mmd_games.verification.bounds.solved import LARGEST_SYSTEM

EPS = np.finfo(np.float64).eps
NAMES = tuple("abcdefghijkl")


def embeddings(n: int = 12, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def sparse_skew(n: int = 12, density: float = 0.3, seed: int = 0) -> Any:
    half = sparse.random_array((n, n), density=density, rng=np.random.default_rng(seed))
    return half - half.T


def mixing(d: int, seed: int = 1) -> np.ndarray:
    square = np.random.default_rng(seed).standard_normal((d, d))
    return square - square.T


GAMES = {
    "low rank": lambda: mg.LowRankGame(embeddings(), labels=NAMES, name="low rank"),
    "odd dimension": lambda: mg.LowRankGame(embeddings(d=3), mixing(3)),
    "float32": lambda: mg.LowRankGame(embeddings().astype(np.float32)),
    "general preference": lambda: mg.GeneralPreferenceGame(embeddings(), temperature=0.7),
    "mixed preference": lambda: mg.GeneralPreferenceGame(embeddings(d=3).astype(np.float32), mixing(3), labels=NAMES),
    "sparse": lambda: mg.SparseGame(sparse_skew(), labels=NAMES),
    "sum": lambda: mg.LowRankGame(embeddings()) + (mg.SparseGame(sparse_skew()) + mg.games.random(n=12)) + mg.GeneralPreferenceGame(embeddings()),
}
each_game = pytest.mark.parametrize("name", GAMES)


def by_definition(game: mg.Game) -> np.ndarray:
    """The table, entry by entry, from what the game was made of."""
    match game:
        case mg.LowRankGame():
            vectors = np.asarray(game.embeddings, dtype=np.float64)
            return np.array([[float((game.mixing @ left) @ right) for right in vectors] for left in vectors])
        case mg.GeneralPreferenceGame():
            return 1 / (1 + np.exp(-by_definition(game.scores) / game.temperature)) - 0.5
        case mg.SparseGame():
            return game.matrix.toarray()
        case mg.SumGame():
            return sum(map(by_definition, game.parts), np.zeros((game.actions, game.actions)))
    return game.table()


def as_table(game: mg.Game) -> mg.PreferenceGame:
    return mg.PreferenceGame.from_payoffs(game.table(), game.labels[0] if game.labels else None)


def entry_error(game: mg.Game) -> float:
    """Entries are sums of at most d² = 16 products of numbers up to 4, through a logistic function or not."""
    return 100 * EPS * 16


# --- what a game is -----------------------------------------------------------------------------------------------------------------------


@each_game
def test_the_table_is_what_the_definition_says_and_skew_to_the_last_bit(name: str) -> None:
    game = GAMES[name]()
    table = game.table()
    np.testing.assert_allclose(table, by_definition(game), rtol=0, atol=entry_error(game))
    np.testing.assert_array_equal(table, -table.T)
    assert (game.blocks, game.players_per_block, game.is_stack, game.scale_is_exact) == ((12,), 2, False, True)
    assert float(game.scale) == pytest.approx(np.max(np.abs(table)), abs=entry_error(game))
    assert game.largest_payoff == game.scale
    chosen = [7, 0, 3, 10]
    restricted = game.restricted(chosen)
    np.testing.assert_array_equal(restricted, -restricted.T)
    np.testing.assert_allclose(restricted, table[np.ix_(chosen, chosen)], rtol=0, atol=entry_error(game))
    np.testing.assert_allclose(game.against(0, np.array([2, 9, 2])), table[:, [2, 9, 2]], rtol=0, atol=entry_error(game))


@given(st.data(), st.sampled_from(sorted(GAMES)), st.sampled_from([(), (1,), (3,), (2, 2)]))
def test_payoffs_are_those_of_the_table(data: st.DataObject, name: str, batch: tuple[int, ...]) -> None:
    game = GAMES[name]()
    drawn = np.array([data.draw(policies(game, interior=False)) for _ in range(int(np.prod(batch)))]).reshape(*batch, 12)
    table = as_table(game)
    error = game.payoff_rounding + table.payoff_rounding + entry_error(game)
    np.testing.assert_allclose(game.payoffs(drawn), table.payoffs(drawn), rtol=0, atol=error)
    np.testing.assert_allclose(mg.duality_gap(game, drawn), mg.duality_gap(table, drawn), rtol=0, atol=2 * error)


def test_units_offsets_and_labels() -> None:
    model, rank, total = GAMES["general preference"](), GAMES["low rank"](), GAMES["sum"]()
    assert (model.units, model.value_offset) == ("win probability", 0.5)
    assert (rank.units, rank.value_offset) == (total.units, total.value_offset) == ("payoff", 0.0)
    assert rank.labels == (NAMES,)
    assert model.labels is None
    assert [type(part).__name__ for part in total.parts] == ["LowRankGame", "SparseGame", "PreferenceGame", "GeneralPreferenceGame"]
    assert (rank + mg.LowRankGame(embeddings())).labels == (NAMES,)
    noted = mg.PreferenceGame([[0.5, 0.7], [0.4, 0.5]], symmetrise=True)
    assert (noted + noted).notes == noted.notes * 2


def test_what_is_given_stays_as_it_is() -> None:
    given_single = embeddings().astype(np.float32)
    game = mg.LowRankGame(given_single)
    assert np.shares_memory(game.embeddings, given_single)
    assert given_single.flags.writeable
    assert not game.embeddings.flags.writeable
    assert mg.LowRankGame([[1, 0], [0, 1]]).embeddings.dtype == np.float64
    matrix = sparse_skew()
    before = matrix.toarray()
    mg.SparseGame(matrix)
    np.testing.assert_array_equal(matrix.toarray(), before)


def test_the_scale_of_a_large_game_is_an_upper_bound_and_says_so() -> None:
    vectors = embeddings(5000, 2, seed=3)
    for factor in (1.0, 1e-9):
        game = mg.LowRankGame(factor * vectors, factor * mixing(2))
        largest = max(float(np.max(np.abs(game.against(0, np.arange(first, first + 500))))) for first in range(0, 5000, 500))
        assert not game.scale_is_exact
        assert largest <= game.scale <= 2 * largest  # the two longest of many points in the plane are nearly at right angles
        assert "L ≤" in game.describe()
    model = mg.GeneralPreferenceGame(vectors, temperature=8.0)
    largest = max(float(np.max(np.abs(model.against(0, np.arange(first, first + 500))))) for first in range(0, 5000, 500))
    assert largest <= model.scale <= 0.5
    assert (mg.LowRankGame(vectors) + model).scale == pytest.approx(mg.LowRankGame(vectors).scale + model.scale, rel=1e-5)
    assert mg.SparseGame(sparse_skew(5000, 1e-4)).scale_is_exact
    assert "L =" in mg.LowRankGame(vectors[:4096]).describe()


def test_many_opponents_go_by_chunks() -> None:
    """More opponents, and more rows, than are taken together."""
    game = mg.GeneralPreferenceGame(embeddings(1500, 2))
    policy = random_start(game, 1)
    expected = game.table() @ policy
    np.testing.assert_allclose(game.payoffs(policy), expected, rtol=0, atol=1600 * EPS)
    policy[:700] = 0.0
    low_rank = mg.LowRankGame(embeddings(20_000, 16))
    sparse_policy = np.zeros(20_000)
    sparse_policy[[3, 19_000]] = 0.25, 0.75
    np.testing.assert_allclose(low_rank.payoffs(sparse_policy), low_rank.against(0, np.array([3, 19_000])) @ [0.25, 0.75], rtol=0, atol=1e4 * EPS)


def test_products_take_no_second_copy_of_the_embeddings() -> None:
    n, d = 200_000, 16
    for kind in (np.float64, np.float32):
        vectors = np.random.default_rng(0).standard_normal((n, d), dtype=kind)
        game, model = mg.LowRankGame(vectors), mg.GeneralPreferenceGame(vectors)
        few = np.zeros(n)
        few[:41] = 1 / 41
        full = np.full(n, 1 / n)
        for work in (
            lambda game=game, full=full: game.payoffs(full),
            lambda game=game, full=full: game.certified_payoffs(full),
            lambda model=model, few=few: model.certified_payoffs(few),
            lambda game=game: game.scale,
            lambda vectors=vectors: mg.LowRankGame(vectors),
        ):
            tracemalloc.start()
            work()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            # Some vectors of n numbers, and chunks of 2 MiB: well below the 24.4 MiB of n × d numbers.
            assert peak <= 3 * 8 * n + 6 * 2**20


# --- what is done with a game -------------------------------------------------------------------------------------------------------------


@each_game
def test_runs_are_those_of_the_table(name: str) -> None:
    game = GAMES[name]()
    start = random_start(game, 2)
    algorithm = mg.MagneticPreferenceOptimization().with_defaults(1.0 + float(game.scale))
    found, expected = (mg.solve(each, algorithm, steps=30, start=start) for each in (game, as_table(game)))
    # One step moves a log-policy by less than 1 of payoffs that agree to some hundred ε; in 30 steps that has not grown a thousandfold.
    np.testing.assert_allclose(found.log_policy, expected.log_policy, rtol=0, atol=1e5 * EPS * (1 + float(game.scale)))
    np.testing.assert_allclose(found.gaps, expected.gaps, rtol=0, atol=1e5 * EPS * (1 + float(game.scale)))


def test_many_runs_at_once() -> None:
    game, other = GAMES["low rank"](), mg.LowRankGame(embeddings(seed=9))
    fast = mg.MagneticPreferenceOptimization(step_size=0.01, magnet_strength=0.5)
    slow = mg.MagneticPreferenceOptimization(step_size=0.005, magnet_strength=0.5)
    traces = mg.solve_many([game, other, game, as_table(game)], [fast, fast, slow, fast], steps=20)
    for trace, each, algorithm in zip(traces, (game, other, game, game), (fast, fast, slow, fast), strict=True):
        np.testing.assert_allclose(trace.policy, mg.solve(each, algorithm, steps=20).policy, rtol=0, atol=1e4 * EPS)
    assert [trace.game for trace in traces[:3]] == [game, other, game]


def test_votes_are_right_on_average() -> None:
    game = GAMES["low rank"]()
    policy = random_start(game, 3)
    votes = mg.Sampled(opponents=200_000, seed=0).begin(game)(policy)
    # A vote is ±L, so the mean of 200,000 has a standard deviation of at most L/447; six of them.
    np.testing.assert_allclose(votes, game.payoffs(policy), rtol=0, atol=6 * game.scale / 447)


@each_game
def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    game = GAMES[name]()
    trace = mg.solve(game, steps=20)
    loaded = mg.Trace.load(trace.save(tmp_path / "trace.npz"))
    assert type(loaded.game) is type(game)
    for key in ("name", "units", "labels", "notes", "value_offset", "blocks", "scale"):
        assert getattr(loaded.game, key) == getattr(game, key)
    np.testing.assert_array_equal(loaded.game.table(), game.table())
    np.testing.assert_array_equal(loaded.log_policies, trace.log_policies)
    if isinstance(game, mg.SumGame):
        assert [type(part) for part in loaded.game.parts] == [type(part) for part in game.parts]
    if isinstance(game, mg.LowRankGame):
        assert loaded.game.embeddings.dtype == game.embeddings.dtype


@pytest.mark.parametrize("name", ["low rank", "general preference", "sum"])
def test_the_judge_says_the_same_as_of_the_table(name: str) -> None:
    game = GAMES[name]()
    reports = [mg.verify(mg.solve(each, steps=3_000, until=1e-9 * float(game.scale))) for each in (game, as_table(game))]
    assert reports[0].headline is reports[1].headline
    # Proofs in rationals are of stored tables.
    said = [[(claim.name, claim.verdict) for claim in report.claims if claim.question is not Question.PROVED] for report in reports]
    assert said[0] == said[1]
    assert reports[0].claim("record").verdict is Verdict.CONFIRMED
    assert reports[0].claim("contraction").verdict is Verdict.CONFIRMED
    assert "computed with an error of at most" in reports[0].claim("gap").detail
    assert reports[0].claim("gap").measured == pytest.approx(float(mg.exact_gap(reports[1].trace.game, reports[0].trace.policy)), abs=1e3 * EPS)


def test_the_judge_leaves_open_what_takes_a_large_system() -> None:
    game = mg.LowRankGame(embeddings(LARGEST_SYSTEM + 1, 2))
    report = mg.verify(mg.solve(game, mg.algorithms.from_spec("mmd"), steps=60, record=mg.Record(gaps=20, policies=4), start=random_start(game)))
    for name in ("contraction", "plateau"):
        assert report.claim(name).verdict is Verdict.INCONCLUSIVE
        assert "2,000 actions" in report.claim(name).detail
    assert report.claim("record").verdict is Verdict.CONFIRMED
    table = mg.solve(mg.LowRankGame(embeddings(9, 2)), mg.algorithms.from_spec("mmd"), steps=60, start=random_start(mg.games.cycle(n=9)))
    assert mg.verify(table).claim("contraction").verdict is Verdict.CONFIRMED


def test_a_gap_within_rounding_of_the_tolerance_is_left_open() -> None:
    game = GAMES["low rank"]()
    trace = mg.solve(game, steps=10)
    gap = float(mg.duality_gap(game, trace.policy))
    report = mg.verify(trace, tolerance=gap)
    assert report.claim("gap").verdict is Verdict.INCONCLUSIVE
    assert report.headline is Headline.ROUNDING
    assert mg.verify(trace, tolerance=gap * (1 - 1e-9)).claim("gap").verdict is Verdict.REFUTED
    assert mg.verify(trace, tolerance=gap * (1 + 1e-9)).claim("gap").verdict is Verdict.CONFIRMED


def test_payoffs_are_drawn() -> None:
    game = GAMES["general preference"]()
    image = plot_payoffs(game).get_images()[0].get_array()
    assert image is not None
    np.testing.assert_array_equal(image, game.table() + 0.5)


# --- what is refused ----------------------------------------------------------------------------------------------------------------------


def with_entry(row: int, column: int, value: float, kind: Any = np.float64) -> np.ndarray:
    values = embeddings().astype(kind)
    values[row, column] = value
    return values


NOT_SKEW = sparse.coo_array(([1.0, -0.5, 2.0, -2.0], ([0, 2, 1, 2], [2, 0, 2, 1])), shape=(3, 3))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: mg.LowRankGame(with_entry(6, 2, float("nan"))), ["row 7, column 3", "embeddings", "nan", "finite"]),
        (lambda: mg.LowRankGame(with_entry(0, 1, float("-inf"), np.float32)), ["row 1, column 2", "-inf"]),
        (lambda: mg.LowRankGame(with_entry(11, 0, 1e200)), ["row 12, column 1", "1e+200", "square"]),
        (lambda: mg.LowRankGame(np.tile(with_entry(6, 2, float("nan")), (9000, 1))), ["row 7, column 3"]),
        (lambda: mg.LowRankGame(np.vstack([np.zeros((100_000, 4)), with_entry(6, 2, float("nan"))])), ["row 100007, column 3"]),
        (lambda: mg.LowRankGame(1e100 * embeddings(), 1e150 * mixing(4)), ["overflow", "too large"]),
        (lambda: mg.LowRankGame(embeddings(d=3)), ["3 dimensions", "even", "mixing"]),
        (lambda: mg.LowRankGame(embeddings(), mixing(3)), ["3 × 3", "4 dimensions", "4 × 4"]),
        (lambda: mg.LowRankGame(embeddings(), np.eye(4)), ["skew", "row 1, column 1", "1"]),
        (lambda: mg.LowRankGame(embeddings(), np.full((4, 4), np.nan)), ["mixing", "nan", "finite"]),
        (lambda: mg.LowRankGame(np.zeros(5)), ["(5,)", "a row an action"]),
        (lambda: mg.LowRankGame(np.zeros((3, 2, 2))), ["(3, 2, 2)"]),
        (lambda: mg.LowRankGame(np.zeros((4, 0))), ["(4, 0)"]),
        (lambda: mg.LowRankGame([["a", "b"]]), ["table of numbers"]),
        (lambda: mg.LowRankGame([[1, 2], [3]]), ["table of numbers"]),
        (lambda: mg.LowRankGame(np.array([[1j, 0], [0, 1]])), ["table of numbers", "complex"]),
        (lambda: mg.LowRankGame(np.ones((1, 2))), ["1 action were", "at least two"]),
        (lambda: mg.LowRankGame(embeddings(), labels=["a"]), ["1 labels", "12 actions"]),
        (lambda: mg.GeneralPreferenceGame(embeddings(), temperature=0.0), ["temperature", "positive", "0.0"]),
        (lambda: mg.GeneralPreferenceGame(embeddings(), temperature=float("nan")), ["temperature", "nan"]),
        (lambda: mg.GeneralPreferenceGame(embeddings(), temperature=1e-320), ["temperature", "too small", "overflows"]),
        (lambda: mg.GeneralPreferenceGame(with_entry(6, 2, float("nan"))), ["row 7, column 3"]),
        (lambda: mg.SparseGame(NOT_SKEW), ["S + Sᵀ = 0", "row 1, column 3", "1", "-0.5", "MatrixGame"]),
        (lambda: mg.SparseGame(NOT_SKEW, labels="xyz"), ["'x' against 'z'"]),
        (lambda: mg.SparseGame(sparse.csr_array((3, 4))), ["square", "(3, 4)"]),
        (lambda: mg.SparseGame(sparse.csr_array((1, 1))), ["1 action were"]),
        (lambda: mg.SparseGame(np.zeros((3, 3))), ["scipy.sparse", "ndarray", "from_payoffs"]),
        (lambda: mg.SparseGame(sparse.csr_array(np.array([[0, 1j], [-1j, 0]]))), ["complex"]),
        (lambda: mg.SparseGame(sparse.csr_array(np.array([[0, np.inf], [-np.inf, 0]]))), ["row 1, column 2", "inf", "finite"]),
        (lambda: mg.SumGame([]), ["at least one part"]),
        (lambda: mg.SumGame([mg.LowRankGame(embeddings()), mg.games.matching_pennies()]), ["matching_pennies", "symmetric"]),
        (lambda: mg.LowRankGame(embeddings()) + mg.games.cycle(n=5), ["equally many actions", "12", "5"]),
        (lambda: GAMES["low rank"]() + mg.LowRankGame(embeddings(), labels=NAMES[::-1]), ["labels", "same order"]),
        (lambda: mg.SumGame([mg.PreferenceGame.stack([mg.games.cycle(n=5)] * 2)]), ["stack"]),
        (lambda: mg.exact_gap(GAMES["low rank"](), np.full(12, 1 / 12)), ["no stored payoffs", "certified_gap"]),
        (lambda: mg.games.matching_pennies().restricted([0, 1]), ["symmetric"]),
        (lambda: mg.LowRankGame(np.ones((10**6, 2), dtype=np.float32)).table(), ["1,000,000 × 1,000,000", "GiB"]),
    ],
)
def test_bad_input_gets_a_sentence(build: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        build()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_only_games_are_added() -> None:
    with pytest.raises(TypeError):
        GAMES["low rank"]() + 1  # pyright: ignore[reportOperatorIssue]


def test_nearly_skew_input_is_made_exactly_so() -> None:
    nearly = mixing(4)
    nearly[0, 1] *= 1 + 1e-10
    game = mg.LowRankGame(embeddings(), nearly)
    np.testing.assert_array_equal(game.mixing, -game.mixing.T)
    matrix = sparse.csr_array(np.array([[0, 1 + 1e-10], [-1, 0]]))
    assert mg.SparseGame(matrix).table().tolist() == [[0, 1 + 0.5e-10], [-1 - 0.5e-10, 0]]


def test_duplicates_of_a_sparse_matrix_add_up() -> None:
    twice = sparse.coo_array(([1.0, 2.0, -3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert mg.SparseGame(twice).table().tolist() == [[0, 3], [-3, 0]]
    assert mg.SparseGame(sparse.csr_array((4, 4))).scale == 0


def test_small_supports_are_served_whatever_they_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general_preference, "LARGEST_PRODUCT", 100)
    policy = np.full(12, 1 / 12)
    assert GAMES["general preference"]().payoffs(policy).shape == (12,)
    monkeypatch.setattr(general_preference, "LARGEST_SUPPORT", 11)
    with pytest.raises(InputError, match=r"12 of its 12 actions cost 1\.4e\+02"):
        GAMES["general preference"]().payoffs(policy)


def test_a_product_that_would_take_minutes_is_refused_at_once() -> None:
    n = general_preference.LARGEST_PRODUCT // general_preference.LARGEST_SUPPORT + 1
    game = mg.GeneralPreferenceGame(embeddings(n, 2), name="a large game")
    with pytest.raises(InputError, match=r"(?s)a large game .*97,657 of its 97,657 actions cost 9\.5e\+09 .*double_oracle"):
        mg.solve(game)
    with pytest.raises(InputError, match="double_oracle"):
        mg.solve(game + game, record=mg.Record(gaps=10**9, policies=10**8))  # before the memory of the record is looked at
    few = np.zeros(n)
    few[: general_preference.LARGEST_SUPPORT // 64] = 64 / general_preference.LARGEST_SUPPORT
    assert game.payoffs(few).shape == (n,)
    few[: general_preference.LARGEST_SUPPORT + 1] = 1 / (general_preference.LARGEST_SUPPORT + 1)
    with pytest.raises(InputError, match="4,097 of its"):
        game.payoffs(few)


# --- where such games come from -----------------------------------------------------------------------------------------------------------


def test_the_general_preference_model_is_one_game_with_and_without_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = "general_preference:n=40,blocks=3,temperature=0.6,seed=4"
    table = mg.games.from_spec(spec)
    monkeypatch.setattr(embedded, "LARGEST_TABLE", 39)
    model = mg.games.from_spec(spec)
    assert isinstance(table, mg.PreferenceGame)
    assert isinstance(model, mg.GeneralPreferenceGame)
    assert (model.name, model.units, model.value_offset) == (table.name, table.units, table.value_offset)
    np.testing.assert_allclose(model.table(), table.payoff_matrix, rtol=0, atol=200 * EPS)
    monkeypatch.undo()
    assert isinstance(mg.games.general_preference(n=4001), mg.GeneralPreferenceGame)


def test_a_catalogue_game_of_low_rank() -> None:
    game = mg.games.from_spec("low_rank:n=50,dimensions=6,seed=3")
    assert isinstance(game, mg.LowRankGame)
    assert game.embeddings.shape == (50, 6)
    assert np.linalg.matrix_rank(game.table()) == 6
    for spec, word in (("low_rank:dimensions=3", "even number"), ("low_rank:n=100000000000", "GiB"), ("low_rank:dimensions=1", "at least 2")):
        with pytest.raises(InputError, match=word):
            mg.games.from_spec(spec)


def test_embeddings_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    single = embeddings().astype(np.float32)
    np.savez(path, embeddings=single, labels=np.array(NAMES))
    game = mg.read_game(path, payoffs=True)
    assert isinstance(game, mg.LowRankGame)
    assert (game.name, game.labels, game.embeddings.dtype) == ("model.npz", (NAMES,), np.float32)
    np.testing.assert_array_equal(game.embeddings, single)
    np.savez(path, embeddings=embeddings(d=3), mixing=mixing(3), temperature=0.25)
    model = mg.read_game(path)
    assert isinstance(model, mg.GeneralPreferenceGame)
    assert model.temperature == 0.25
    np.testing.assert_array_equal(model.table(), mg.GeneralPreferenceGame(embeddings(d=3), mixing(3), 0.25).table())


@pytest.mark.parametrize(
    ("stored", "options", "words"),
    [
        ({"embeddings": embeddings(), "mixings": mixing(4)}, {}, ["key 'mixings'", "'mixing'"]),
        ({"embeddings": embeddings(), "payoffs": mixing(4)}, {}, ["key 'payoffs'"]),
        ({"embeddings": embeddings(), "mixing": np.eye(4)}, {}, ["skew"]),
        ({"embeddings": with_entry(2, 1, np.nan)}, {}, ["row 3, column 2"]),
        ({"embeddings": embeddings(), "temperature": np.ones(2)}, {}, ["'temperature'", "one number", "(2,)"]),
        ({"embeddings": embeddings(), "temperature": np.array("x")}, {}, ["'temperature'", "text"]),
        ({"embeddings": embeddings(), "temperature": -1.0}, {}, ["temperature", "positive"]),
        ({"embeddings": embeddings(), "labels": np.array(["a", "b"])}, {}, ["2 labels for 12 rows"]),
        ({"embeddings": embeddings(), "labels": np.array(["a"] * 12)}, {}, ["'a' stands twice"]),
        ({"embeddings": np.float64(3.0)}, {}, ["()", "a row an action"]),
        ({"embeddings": embeddings(), "temperature": 1.0}, {"payoffs": True}, ["temperature", "payoffs"]),
        ({"embeddings": embeddings()}, {"symmetrise": True}, ["symmetrised"]),
    ],
)
def test_files_of_embeddings_that_are_wrong(stored: dict[str, Any], options: dict[str, bool], words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "wrong.npz"
    np.savez(path, **stored)
    with pytest.raises(InputError) as caught:
        mg.read_game(path, **options)
    for word in (str(path), *words):
        assert word in str(caught.value), str(caught.value)
