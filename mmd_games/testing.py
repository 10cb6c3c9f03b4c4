"""Hypothesis strategies for games and policies, to test what is built on this package (``pip install hypothesis``).

Examples
--------
>>> from hypothesis import given
>>> import mmd_games as mg
>>> from mmd_games.testing import games_and_policies, preference_games
>>> @given(games_and_policies(preference_games()))
... def test_the_gap_is_not_negative(pair):
...     game, policy = pair
...     assert mg.duality_gap(game, policy) >= -1e-15
>>> test_the_gap_is_not_negative()
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mmd_games.arrays import Blocks, log_normalise
from mmd_games.games.game import Game
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.preference import PreferenceGame

KINDS = ("generic", "dyadic", "tied", "even", "pure")
"""Win probabilities of any value; multiples of 1/16; some actions duplicated; all 1/2; one action that beats all others."""


@st.composite
def preference_games(draw: Any, min_actions: int = 2, max_actions: int = 8, kinds: tuple[str, ...] = KINDS) -> PreferenceGame:
    """Preference games of every kind that makes a difference to equilibria and to rounding.

    Parameters
    ----------
    min_actions, max_actions : int
        At least 2.
    kinds : tuple of str
        Which of :data:`KINDS` to draw from.
    """
    size, kind = draw(st.integers(min_actions, max_actions)), draw(st.sampled_from(kinds))
    if kind == "even":
        return PreferenceGame(np.full((size, size), 0.5), name="even")
    sixteenths = st.integers(0, 16).map(lambda whole: whole / 16)
    upper = np.triu(_table(draw, size, size, sixteenths if kind == "dyadic" else st.floats(0, 1)), 1)
    skew = np.triu(upper - 0.5, 1)
    skew = skew - skew.T
    if kind == "tied":
        originals = draw(st.lists(st.integers(0, size - 1), min_size=size, max_size=size))
        skew = skew[np.ix_(originals, originals)]
    if kind == "pure":
        best = draw(st.integers(0, size - 1))
        wins = _table(draw, 1, size, st.floats(0.5, 1, exclude_min=True))[0] - 0.5
        wins[best] = 0.0
        skew[best], skew[:, best] = wins, -wins
    return PreferenceGame(skew + 0.5, name=kind)


@st.composite
def matrix_games(draw: Any, min_actions: int = 1, max_actions: int = 6) -> MatrixGame:
    """Games of two different players, m × n, in several units, with and without a constant in all payoffs.

    Parameters
    ----------
    min_actions, max_actions : int
        Of each player; at least one of them has two.
    """
    rows, columns = draw(st.integers(min_actions, max_actions)), draw(st.integers(min_actions, max_actions))
    if rows * columns == 1:
        columns = 2
    entries = st.one_of(st.floats(-1, 1), st.integers(-4, 4).map(lambda whole: whole / 4))
    unit, constant = draw(st.sampled_from([1.0, 0.015625, 128.0])), draw(st.sampled_from([0.0, 0.0, 3.0]))
    return MatrixGame(unit * (_table(draw, rows, columns, entries) + constant))


@st.composite
def policies(draw: Any, game_or_blocks: Game | Blocks, *, interior: bool = True) -> np.ndarray:
    """Policies of a game, a block a player, each summing to 1 up to rounding.

    Parameters
    ----------
    game_or_blocks : Game or tuple of int
    interior : bool
        Every action is played, with at least about 1e-6; otherwise any may have probability 0.
    """
    parts = []
    for size in _blocks(game_or_blocks):
        weights = np.array(draw(st.lists(st.floats(1e-6, 1), min_size=size, max_size=size)))
        if not interior:
            weights[np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size))) & (np.arange(size) != draw(st.integers(0, size - 1)))] = 0.0
        parts.append(weights / weights.sum())
    return np.concatenate(parts)


@st.composite
def log_policies(draw: Any, game_or_blocks: Game | Blocks, *, lowest: float = -900.0, zeros: bool = False) -> np.ndarray:
    """Normalised log-policies down to probabilities far below the smallest float (which is about e⁻⁷⁴⁵).

    Parameters
    ----------
    game_or_blocks : Game or tuple of int
    lowest : float
        How far below the largest logit of a block others may lie.
    zeros : bool
        Some log-probabilities may be −inf.
    """
    blocks = _blocks(game_or_blocks)
    logit = st.one_of(st.floats(lowest, 0), st.floats(max(lowest, -5.0), 0))
    logits = np.array(draw(st.lists(st.one_of(logit, st.just(-np.inf)) if zeros else logit, min_size=sum(blocks), max_size=sum(blocks))))
    ends = np.cumsum(blocks)
    for size, end in zip(blocks, ends, strict=True):
        logits[end - 1 - draw(st.integers(0, size - 1))] = 0.0
    return log_normalise(logits, blocks)


@st.composite
def games_and_policies(draw: Any, games: st.SearchStrategy[Any], *, interior: bool = True) -> tuple[Any, np.ndarray]:
    """A game of `games` and one of its policies."""
    game = draw(games)
    return game, draw(policies(game, interior=interior))


def _blocks(game_or_blocks: Game | Blocks) -> Blocks:
    return game_or_blocks.blocks if isinstance(game_or_blocks, Game) else tuple(game_or_blocks)


def _table(draw: Any, rows: int, columns: int, entries: st.SearchStrategy[float]) -> np.ndarray:
    return np.array(draw(st.lists(entries, min_size=rows * columns, max_size=rows * columns))).reshape(rows, columns)
