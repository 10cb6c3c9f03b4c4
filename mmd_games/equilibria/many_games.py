"""Equilibria of many games: those that are small and alike are solved together, in compiled code."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mmd_games.arrays import block_sum
from mmd_games.equilibria.certificate import LARGEST_SUPPORT, PROVEN, equilibrium_of, facts, resolve_tolerance
from mmd_games.equilibria.nash_equilibrium import NashEquilibrium
from mmd_games.equilibria.one_game import nash
from mmd_games.equilibria.scaling import unit_matrix
from mmd_games.equilibria.solvers.systems import SymmetricSystem, TwoPlayerSystem, two_player_skew
from mmd_games.errors import InputError
from mmd_games.games.game import Game, gap_bound
from mmd_games.games.table_game import TableGame

LARGEST = 128
"""Order of K above which LAPACK's factorisations win."""
FEWEST = 8
"""So many games of one shape are worth starting the compiled solver for."""
COMPILED = "interior_point (compiled)"
"""The method of what the compiled loop has solved."""


def nash_many(games: Iterable[Game], *, tolerance: float | None = None) -> list[NashEquilibrium]:
    """A Nash equilibrium of each game, of largest support, with a certificate each.

    Tables of one shape, small (up to 128 actions) and at least eight of them, are solved in one compiled loop: tens of microseconds a game of 30 actions. Its
    first use on a machine compiles it, which takes some seconds. Other games, and those that the loop gives back, go through :func:`nash` one by one.

    Parameters
    ----------
    games : iterable of Game
    tolerance : float, optional
        As of :func:`nash`, for each.

    Returns
    -------
    list of NashEquilibrium
        In the order given. ``method`` is "interior_point (compiled)" where it was that.

    Raises
    ------
    InputError
        As :func:`nash`.

    Examples
    --------
    >>> import mmd_games as mg
    >>> [equilibrium.support for equilibrium in mg.nash_many([mg.games.comal(), mg.games.matching_pennies()])]
    [(0, 1, 2), (0, 1, 2, 3)]
    """
    if isinstance(games, Game):
        raise InputError("nash_many takes a list of games; of one game nash is meant.")
    games = list(games)
    groups: dict[tuple[int, ...], dict[int, TableGame]] = {}
    for index, game in enumerate(games):
        if not isinstance(game, Game):
            raise InputError(f"Entry {index + 1} is no game: {game!r}.")
        if isinstance(game, TableGame) and not game.is_stack and float(game.scale) > 0:
            groups.setdefault(game.blocks, {})[index] = game
    found: dict[int, NashEquilibrium] = {}
    for blocks, members in groups.items():
        order = blocks[0] if len(blocks) == 1 else sum(blocks) + 1
        if len(members) >= FEWEST and order <= LARGEST:
            found.update(_compiled(list(members.values()), list(members), tolerance))
    return [found[index] if index in found else nash(game, tolerance=tolerance) for index, game in enumerate(games)]


def _compiled(games: list[TableGame], members: list[int], tolerance: float | None) -> dict[int, NashEquilibrium]:
    """The games that the compiled loop solved, by their places."""
    from numba import get_num_threads

    from mmd_games.equilibria.solvers.small_games import solve_batch  # compiled where it is used

    stack = type(games[0]).stack(games)
    units, scales = unit_matrix(stack), stack.scale
    symmetric = len(stack.blocks) == 1
    system, skews = (SymmetricSystem(units[0]), units) if symmetric else (TwoPlayerSystem(units[0]), two_player_skew(units))
    points, steps = np.empty(skews.shape[:2]), np.empty(len(games), dtype=np.int64)
    parts = np.array_split(np.arange(len(games)), max(1, min(get_num_threads(), len(games) // FEWEST)))

    def solve_part(part: np.ndarray) -> None:
        some = slice(part[0], part[-1] + 1)
        solve_batch(skews[some], system.start(), points[some], steps[some])

    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(solve_part, parts))
    solved = steps >= 0
    policies = np.full((len(games), stack.actions), 1.0)
    policies[solved] = points[solved, : stack.actions]
    policies /= np.repeat(block_sum(policies, stack.blocks), stack.blocks, axis=-1)
    payoffs, errors = stack.certified_payoffs(policies)
    gaps, errors = gap_bound(stack, policies, payoffs, errors)
    aims = [resolve_tolerance(game, tolerance, scale) for game, scale in zip(games, scales.tolist(), strict=True)]
    value, slack, margin = facts(stack, policies, payoffs, scales)
    columns = (gaps.tolist(), errors.tolist(), value.tolist(), slack, margin.tolist(), scales.tolist())
    return {
        members[at]: equilibrium_of(
            games[at],
            policies[at],
            *(column[at] for column in columns),
            method=COMPILED,
            selection=LARGEST_SUPPORT,
            iterations=int(steps[at]),
            tolerance=aims[at],
        )
        for at in np.flatnonzero(solved & (margin >= PROVEN) & (gaps + errors <= aims)).tolist()
    }
