"""Random games that are hard to solve: wins that are all but certain, ties, and actions that stand there more than once."""

from __future__ import annotations

import numpy as np

from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.games.draws import generator_and_name, prepare, skew
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.tables import require_table_memory

LARGEST_WHOLE = 2**53


def saturated(n: int = 30, steepness: float = 10.0, seed: int = 0) -> PreferenceGame:
    r"""Win rates of all but certain wins: P = 1/2 + tanh(steepness · G)/2 with G skew and standard normal.

    The steeper, the more entries are within rounding of 0 and 1, where a tournament has its ties.

    Parameters
    ----------
    n : int
        Number of actions, at least 2.
    steepness : float
        Positive; 1 is mild, at 100 hardly a pair is open.
    seed : int
        At least 0.

    Returns
    -------
    PreferenceGame
        n × n, win probabilities.
    """
    require_positive(steepness=steepness)
    generator, name = prepare("saturated", n, seed, steepness=steepness)
    return PreferenceGame(0.5 + np.tanh(steepness * skew(n, generator.standard_normal(n * (n - 1) // 2))) / 2, name=name)


def integers(n: int = 30, largest: int = 3, seed: int = 0) -> PreferenceGame:
    """Whole payoffs, every pair's drawn uniformly from −largest to largest: ties are common, and equilibria often more than one.

    Parameters
    ----------
    n : int
        Number of actions, at least 2.
    largest : int
        Largest payoff, at least 1, at most 2⁵³.
    seed : int
        At least 0.

    Returns
    -------
    PreferenceGame
        n × n, payoffs.
    """
    require_whole(1, largest=largest)
    if largest > LARGEST_WHOLE:
        raise InputError(f"largest must be at most 2⁵³, up to where floats count whole numbers, got {largest}.")
    generator, name = prepare("integers", n, seed, largest=largest)
    return PreferenceGame.from_payoffs(skew(n, generator.integers(-largest, largest, n * (n - 1) // 2, endpoint=True)), name=name)


def duplicated(n: int = 10, copies: int = 3, seed: int = 0) -> PreferenceGame:
    """A random game each of whose actions stands there several times, in shuffled order.

    The different actions are those of `random` with the same n and seed, so an equilibrium of that game, its probabilities shared out among the copies at will,
    is one of this.

    Parameters
    ----------
    n : int
        Number of different actions, at least 2.
    copies : int
        How often each of them is there, at least 1.
    seed : int
        At least 0.

    Returns
    -------
    PreferenceGame
        n·copies × n·copies, win probabilities.
    """
    require_whole(1, copies=copies)
    generator, name = generator_and_name("duplicated", n, seed, copies=copies)
    require_table_memory(n * copies, n * copies, name)
    wins = 0.5 + skew(n, generator.random(n * (n - 1) // 2) - 0.5)
    order = generator.permutation(np.repeat(np.arange(n), copies))
    return PreferenceGame(wins[np.ix_(order, order)], name=name)
