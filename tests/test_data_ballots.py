"""Rankings, scores, ratings and PrefLib's files: counted as by hand, and refused with their place."""

from __future__ import annotations

import builtins
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games.games.data import Ballots, read_data, read_preflib, read_rankings, read_scores

NAMES = "abcde"


@st.composite
def ballots(draw):
    """Rankings with ties of some of five names, each of which stands in the first one."""
    cast = [[list(NAMES)]]
    for _ in range(draw(st.integers(1, 6))):
        ranked = draw(st.permutations(NAMES))[: draw(st.integers(2, 5))]
        cuts = draw(st.lists(st.booleans(), min_size=len(ranked) - 1, max_size=len(ranked) - 1))
        groups = [[ranked[0]]]
        for name, cut in zip(ranked[1:], cuts, strict=True):
            groups.append([name]) if cut else groups[-1].append(name)
        cast.append(groups)
    return cast


def by_hand(cast, below):
    """Wins and ties, pair by pair and ballot by ballot."""
    wins, ties = np.zeros((5, 5), dtype=int), np.zeros((5, 5), dtype=int)
    for groups in cast:
        place = {name: rank for rank, group in enumerate(groups) for name in group}
        for i, j in itertools.permutations(range(5), 2):
            one, other = place.get(NAMES[i]), place.get(NAMES[j])
            if below:
                one, other = (99 if place is None else place for place in (one, other))
            if one is not None and other is not None:
                wins[i, j] += one < other
                ties[i, j] += one == other
    return wins, ties


@given(cast=ballots(), below=st.booleans(), chunk=st.sampled_from([1, 60, 2**22]), order=st.randoms(use_true_random=False))
def test_ballots_are_counted_as_by_hand_in_any_order(cast, below, chunk, order):
    order.shuffle(cast)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Ballots.pair_counts.__globals__, "CHUNK", chunk)
        counted = read_rankings(
            [[group[0] if len(group) == 1 else tuple(group) for group in groups] for groups in cast], unranked="below" if below else "apart"
        )
    wins, ties = by_hand(cast, below)
    np.testing.assert_array_equal(counted.wins, wins)
    np.testing.assert_array_equal(counted.ties, ties)
    assert counted.records == len(cast)


@given(cast=ballots())
def test_preflib_files_are_counted_as_rankings(tmp_path_factory, cast):
    path = tmp_path_factory.getbasetemp() / "orders.toi"
    lines = {
        ", ".join(str(NAMES.index(g[0]) + 1) if len(g) == 1 else "{" + ",".join(str(NAMES.index(name) + 1) for name in sorted(g)) + "}" for g in groups)
        for groups in cast
    }
    votes = {line: 1 + k for k, line in enumerate(sorted(lines))}
    path.write_text(header(5, sum(votes.values()), len(votes), "toi") + "".join(f"{count}: {line}\n" for line, count in votes.items()))
    counted = read_preflib(path, unranked="apart")
    again = [[[NAMES[int(n) - 1] for n in group.strip("{}").split(",")] for group in split(line)] for line, count in votes.items() for _ in range(count)]
    wins, ties = by_hand(again, below=False)
    np.testing.assert_array_equal(counted.wins, wins)
    np.testing.assert_array_equal(counted.ties, ties)
    assert (counted.names, counted.records) == (tuple(NAMES), sum(votes.values()))


def split(line):
    depth, parts = 0, [""]
    for character in line.replace(" ", ""):
        depth += (character == "{") - (character == "}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def header(alternatives, voters, orders, kind, names=NAMES):
    counts = f"# DATA TYPE: {kind}\n# NUMBER ALTERNATIVES: {alternatives}\n# NUMBER VOTERS: {voters}\n# NUMBER UNIQUE ORDERS: {orders}\n"
    return "# FILE NAME: x\n# TITLE: a \u2028 title\n" + counts + "".join(f"# ALTERNATIVE NAME {k + 1}: {name}\n" for k, name in enumerate(names))


def preflib(body, *, suffix="soi", alternatives=3, voters=3, orders=2, kind=None, names="abc"):
    return f"x.{suffix}", header(alternatives, voters, orders, kind or suffix, names) + body


LIES = {
    "alternatives": (preflib("2: 1,2,3\n1: 3,2,1\n", alternatives=4), ["NUMBER ALTERNATIVES: 4", "3 names"]),
    "voters": (preflib("2: 1,2,3\n1: 3,2,1\n", voters=13), ["NUMBER VOTERS: 13", "3 voters"]),
    "orders": (preflib("2: 1,2,3\n1: 3,2,1\n", orders=3), ["NUMBER UNIQUE ORDERS: 3", "2 orders"]),
    "kind": (preflib("2: 1,2,3\n1: 3,2,1\n", kind="toc"), ["DATA TYPE: toc", "soi"]),
    "unknown alternative": (preflib("2: 1,2,4\n1: 3,2,1\n"), ["line 10 ranks alternative 4", "NUMBER ALTERNATIVES: 3"]),
    "alternative 0": (preflib("2: 0,2\n1: 3,2,1\n"), ["line 10 ranks alternative 0"]),
    "twice": (preflib("2: 1,2,1\n1: 3,2,1\n"), ["line 10 ranks alternative 1 twice"]),
    "the same order": (preflib("2: 1,2,3\n\n1: 1, 2, 3\n"), ["lines 10 and 12 have the same order"]),
    "a tie": (preflib("2: {1,2},3\n1: 3,2,1\n"), ["line 10 has a tie", ".soi"]),
    "incomplete": (preflib("2: 1,2\n1: 3,2,1\n", suffix="soc"), ["line 10 ranks 2 of 3", ".soc"]),
    "no order": (preflib("2: 1,2,3\nnonsense\n"), ["line 11 is no order", "'nonsense'"]),
    "an empty tie": (preflib("2: 1,{},3\n1: 3,2,1\n"), ["line 10 is no order"]),
    "nobody": (preflib("0: 1,2,3\n1: 3,2,1\n"), ["line 10 is no order"]),
    "a late header": (preflib("2: 1,2,3\n# NUMBER VOTERS: 3\n1: 3,2,1\n"), ["line 11 begins with '#'"]),
    "no orders": (preflib(""), ["a header and no orders"]),
    "no name": (("x.soi", header(3, 3, 2, "soi", "ab") + "2: 1,2\n1: 2,1\n"), ["NUMBER ALTERNATIVES: 3", "2 names"]),
    "equal names": (preflib("2: 1,2,3\n1: 3,2,1\n", names="aba"), ["alternatives 1 and 3 have the same name, 'a'"]),
    "a second count": (preflib("# NUMBER VOTERS: 3\n2: 1,2,3\n1: 3,2,1\n"), ["line 10 says NUMBER VOTERS a second time"]),
    "a count in words": (("x.soi", header("three", 3, 2, "soi", "abc") + "2: 1,2,3\n"), ["line 4", "NUMBER ALTERNATIVES: 'three'"]),
    "no header": (("x.soi", "1: 1,2\n"), ["no '# NUMBER ALTERNATIVES"]),
    "unranked": (preflib("2: 1,2,3\n1: 3,2\n"), ["1 of 3 ballots leave out names (1 of 9 places)", "--unranked below"]),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_preflib_file_that_lies(tmp_path, lie):
    (name, content), words = LIES[lie]
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(mg.InputError) as error:
        mg.PreferenceGame.from_preflib(tmp_path / name)
    assert name in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_preflib_files_need_preflibtools(tmp_path, monkeypatch):
    name, content = preflib("2: 1,2,3\n1: 3,2,1\n")
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_preflib(tmp_path / name).records == 3

    def without(module, *given, **options):
        if module.startswith("preflibtools"):
            raise ModuleNotFoundError("no preflibtools", name="preflibtools")
        return imported(module, *given, **options)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(mg.InputError, match=r"pip install 'mmd_games\[data\]'"):
        read_preflib(tmp_path / name)


def test_a_formula_one_season(published_tables):
    game = mg.PreferenceGame.from_preflib(published_tables / "f1_1979.soc")
    assert (game.actions, game.labels[0][1]) == (22, "gilles_villeneuve")
    assert mg.nash(game).support == (1,)
    assert mg.rank(game, bootstrap=0).condorcet_winner == "gilles_villeneuve"


RANKINGS = {
    "conflict": (["a", "b", "a"], ["a contradiction", "'a' stands twice"]),
    "alone": (["a"], ["fewer than two names", "'a'"]),
    "missing": ([], ["an empty ranking"]),
    "an empty group": (["a", []], ["an empty group"]),
    "an empty name": (["a", " "], ["an empty name"]),
    "no list": ("ab", ["no list of names, but 'ab'"]),
    "a number": (["a", 1.5], ["name that is no text", "'1.5'"]),
    "a count": ({"ranking": ["a", "b"], "count": 0}, ["a count of '0'"]),
}


@pytest.mark.parametrize("kind", RANKINGS)
def test_rankings_that_cannot_be_counted(tmp_path, kind):
    entry, words = RANKINGS[kind]
    cast = [["a", "b"], {"ranking": ["b", "a"], "count": 2}, entry]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(ranking) + "\n" for ranking in cast))
    for data, place in ((cast, "ranking 3"), (tmp_path / "r.jsonl", "line 3")):
        with pytest.raises(mg.InputError) as error:
            mg.PreferenceGame.from_rankings(data)
        assert all(word in str(error.value) for word in ["1 of 3", place, *words]), str(error.value)
        game = mg.PreferenceGame.from_rankings(data, skip="all")
        assert game.comparisons.records == 3
        assert any(place in note for note in game.notes)
    with pytest.raises(mg.InputError, match="there are no rankings"):
        read_rankings([])


def scores(*rows):
    return [dict(zip(("model", "score", "annotator"), row, strict=True)) for row in rows]


PLAIN = scores(("a", 3, "x"), ("b", 1, "x"), ("c", 1, "x"), ("a", "2", "y"), ("b", 2.5, "y"), ("c", -1e3, "y"))


@pytest.mark.parametrize("as_frame", [False, True])
def test_scores_are_ranked_within_each_voter(as_frame):
    data = pd.DataFrame([{**row, "score": float(row["score"])} for row in PLAIN]) if as_frame else PLAIN
    game = mg.PreferenceGame.from_scores(data)
    assert game.preference.tolist() == [[0.5, 0.5, 1.0], [0.5, 0.5, 0.75], [0.0, 0.25, 0.5]]
    assert game.comparisons.records == 2
    assert any("a voter is annotator (2 of them), the highest score is the best" in note for note in game.notes)
    lowest = mg.PreferenceGame.from_scores(data, best="lowest")
    assert lowest.preference.tolist() == [[0.5, 0.5, 0.0], [0.5, 0.5, 0.25], [1.0, 0.75, 0.5]]
    # Of an annotator on two aspects each aspect is a voter; with the annotators alone a model would be scored twice.
    aspects = [{**row, "aspect": aspect} for aspect in ("style", "facts") for row in PLAIN]
    assert read_scores(aspects).records == 4
    assert read_scores(aspects, voters=["annotator"], skip="duplicate").records == 2
    with pytest.raises(mg.InputError, match=r"6 of 12 records .* repetition \(records 7, 8, 9, …: one voter scores a model twice, alike\)"):
        read_scores(aspects, voters="annotator")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("c", 5, "x"), ["2 of 7", "a contradiction (records 3, 7: one voter scores a model twice, differently)"]),
        (("c", 1, "z"), ["1 of 7", "fewer than two names", "record 7: its voter scored no other model"]),
        (("d", "good", "x"), ["number that cannot be used (record 7: 'good')"]),
        (("d", float("nan"), "x"), ["cannot be used (record 7: 'nan')"]),
        (("d", True, "x"), ["cannot be used (record 7: 'True')"]),
        (("d", "1_0", "x"), ["cannot be used"]),
        (("d", None, "x"), ["missing (record 7)"]),
        (("d", 1, None), ["missing (record 7)"]),
        (("", 1, "x"), ["missing (record 7)"]),
    ],
)
def test_scores_that_cannot_be_counted(row, words):
    with pytest.raises(mg.InputError) as error:
        read_scores([*PLAIN, *scores(row)])
    assert all(word in str(error.value) for word in words), str(error.value)
    assert read_scores([*PLAIN, *scores(row)], skip="all").notes[0].startswith("left out of 7 records")
    with pytest.raises(mg.InputError, match="no column says who"):
        read_scores([{"model": "a", "score": 1}])


def test_ratings_are_the_probabilities_of_their_fit(tmp_path):
    game = mg.PreferenceGame.from_ratings({"b": 1000, "a": 1400.0})
    assert game.labels == (("a", "b"),)
    assert game.preference[0, 1] == pytest.approx(10 / 11, abs=1e-15)
    assert mg.PreferenceGame.from_ratings({"a": np.log(3), "b": 0}, scale="log").preference[0, 1] == pytest.approx(0.75, abs=1e-15)
    assert mg.PreferenceGame.from_ratings({"a": 3, "b": 1}, scale="strength").preference[0, 1] == pytest.approx(0.75, abs=1e-15)
    (tmp_path / "elo.csv").write_text("model,rating\nb,1000\na,1400\n")
    np.testing.assert_array_equal(read_data(tmp_path / "elo.csv").payoff_matrix, game.payoff_matrix)
    for ratings, scale, words in [
        ({"a": 1}, "elo", "1 name has a rating"),
        ({"a": 1, "b": "?"}, "elo", r"record 2: '\?'"),
        ({"a": 1, "b": -2}, "strength", "record 2: '-2'"),
        ({"a": 1, "b": 2}, "points", "'points'"),
        ([{"model": "a", "rating": 1}, {"model": "a", "rating": 2}], "elo", "another rating of the same name"),
    ]:
        with pytest.raises(mg.InputError, match=words):
            mg.PreferenceGame.from_ratings(ratings, scale=scale)
