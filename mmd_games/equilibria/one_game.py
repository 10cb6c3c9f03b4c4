"""The front door of the references: one function, which chooses a solver, and certifies whatever it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mmd_games.arrays import Array, log_normalise, require_memory, uniform_log_policy
from mmd_games.equilibria.certificate import LARGEST_SUPPORT, PROVEN, certify, resolve_tolerance, with_proven_support
from mmd_games.equilibria.entropy import nearest_equilibrium
from mmd_games.equilibria.exact.rounding import exact_nash, require_exact_size
from mmd_games.equilibria.nash_equilibrium import NashEquilibrium
from mmd_games.equilibria.scaling import unit_matrix
from mmd_games.equilibria.solvers import double_oracle, interior_point, lp
from mmd_games.equilibria.solvers.systems import LARGEST_SYSTEM, SymmetricSystem, TwoPlayerSystem
from mmd_games.errors import InputError, unknown
from mmd_games.games.game import Game, check_policy
from mmd_games.games.table_game import TableGame

METHODS = ("auto", "interior_point", "lp", "double_oracle", "exact")
SELECTIONS = ("maximum_entropy",)
LARGEST_WHOLE = 2000
"""Up to so many actions a game without a table is solved whole; beyond it by double oracle."""
LARGEST_SECOND_TRY = 1000
"""Up to so many actions "auto" tries the linear program where the interior point did not converge."""
LARGEST_LAST_TRY = 8000
"""Up to so many actions "auto" solves a game without a table whole, where a double oracle has not come to its end."""


def nash(
    game: Game,
    *,
    method: str = "auto",
    tolerance: float | None = None,
    select: str | None = None,
    start: Array | None = None,
    warm_start: Array | NashEquilibrium | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> NashEquilibrium:
    """A Nash equilibrium, with a certificate.

    Which solver: "interior_point" returns an equilibrium of largest support, for symmetric and matrix games of up to some thousand actions, and is the fastest of
    the three; "double_oracle" is for symmetric games of any size in which few actions are played; "lp" (HiGHS) shares nothing with the other two and is
    their oracle: it returns a vertex, an equilibrium of small support; "exact" solves the game once more in rationals, the float64 table as it stands, and proves that it is an equilibrium, whether of largest support,
    and whether the only one (see :class:`ExactEquilibrium`), for up to 1,000 actions a player. "auto" takes the double oracle for games without a table of more than 2,000 actions (and up to 8,000 the interior point, where that does not
    converge), the interior point for all others, and the linear program where that does not converge in a game of up to 1,000; the result says which.

    Parameters
    ----------
    game : Game
        One game, not a stack.
    method : {"auto", "interior_point", "lp", "double_oracle", "exact"}
    tolerance : float, optional
        The duality gap asked for, in the game's units; 1e-9 L by default, or what floating point can certify where that is more.
    select : {"maximum_entropy"}, optional
        Where there are several equilibria: the one that minimises KL(π‖start), summed over the players; of the uniform start this is the equilibrium of
        largest entropy. Without it, whichever the solver finds.
    start : array (actions,), optional
        Probabilities of the policy that `select` is to be nearest to, all positive; default uniform.
    warm_start : array (actions,) or NashEquilibrium, optional
        A policy near the equilibrium, such as that of a similar game. It saves time, and changes nothing else where the equilibrium is unique. The linear program makes no use of it.
    progress : callable (round, rounds expected at least, gap), optional
        Told after every round of a double oracle.

    Returns
    -------
    NashEquilibrium
        The best point found, with ``converged`` false where its certified gap is above the tolerance; a solver's failure is no exception.

    Raises
    ------
    InputError
        For an unknown method or selection, a tolerance that is not positive or below what float64 can certify, a start or warm start that is not a
        policy of the game, a stack of games, or a method that does not serve this game.

    Examples
    --------
    >>> import mmd_games as mg
    >>> equilibrium = mg.nash(mg.PreferenceGame([[0.5, 0.75, 0.25], [0.25, 0.5, 1.0], [0.75, 0.0, 0.5]]))
    >>> equilibrium.policy.round(9).tolist(), equilibrium.value, equilibrium.support, equilibrium.method
    ([0.5, 0.25, 0.25], 0.5, (0, 1, 2), 'interior_point')
    """
    if not isinstance(game, Game):
        raise InputError(f"A game is expected, such as mg.PreferenceGame(table) or mg.games.from_spec('rps'); got {type(game).__name__}.")
    if game.is_stack:
        raise InputError("An equilibrium is computed of one game, not of a stack of games (nash_many takes a list of them).")
    used = _choose(game, method, select)
    log_start = _log_start(game, start, select)
    near = _warm(game, warm_start)
    aim = resolve_tolerance(game, tolerance)

    if used == "exact":
        return exact_nash(game, nash(game, tolerance=tolerance, warm_start=near), aim)
    if float(game.scale) == 0:
        return certify(game, np.exp(log_start), aim, method=used, selection="every policy is an equilibrium")
    if used == "double_oracle":
        equilibrium = _by_double_oracle(game, aim, near, progress or (lambda step, of, gap: None))
        if equilibrium.converged or method != "auto" or game.actions > LARGEST_LAST_TRY:
            return equilibrium
        used = "interior_point"
    require_memory(_memory(game, used), f"An equilibrium of {game.name} by {used}")
    matrix = unit_matrix(game)
    if used == "lp":
        return _by_program(game, matrix, aim)
    equilibrium = _by_interior_point(game, matrix, aim, near)
    if equilibrium.converged:
        return equilibrium if select is None else _nearest(game, matrix, aim, equilibrium, log_start)
    if method == "auto" and game.actions <= LARGEST_SECOND_TRY and select is None:
        note = f"the interior point stopped at a gap of {equilibrium.gap:.2g}; this is the linear program's point."
        return min(equilibrium, _by_program(game, matrix, aim, (note,)), key=lambda point: point.gap)
    return equilibrium


def _by_interior_point(game: Game, matrix: np.ndarray, tolerance: float, near: np.ndarray | None) -> NashEquilibrium:
    found = interior_point.solve(SymmetricSystem(matrix) if len(game.blocks) == 1 else TwoPlayerSystem(matrix), near)
    return with_proven_support(certify(game, found.policy, tolerance, method="interior_point", selection=LARGEST_SUPPORT, iterations=found.iterations))


def _nearest(game: Game, matrix: np.ndarray, tolerance: float, equilibrium: NashEquilibrium, log_start: np.ndarray) -> NashEquilibrium:
    """The KL projection of the start onto the equilibria, whose largest support is known from one of them."""
    if equilibrium.margin < PROVEN:
        note = "which actions the equilibria play is not known beyond rounding, and so not which of them is nearest: this is one of them."
        return replace(equilibrium, selection="one equilibrium", notes=(note,))
    found = nearest_equilibrium(matrix, game.blocks, equilibrium.policy, log_start)
    selection, notes = "maximum entropy", ()
    if not found.converged:
        selection, notes = (
            "one equilibrium",
            (f"the projection stopped at a residual of {found.residual:.2g}: this is one of the equilibria, not the nearest.",),
        )
    return certify(game, found.policy, tolerance, method="interior_point", selection=selection, iterations=equilibrium.iterations, notes=notes)


def _by_double_oracle(game: Game, tolerance: float, near: np.ndarray | None, progress: Callable[[int, int, float], None]) -> NashEquilibrium:
    found = double_oracle.solve(game.actions, game.payoffs, game.restricted, game.rounding, near, progress)
    notes = (f"{found.considered:,} of {game.actions:,} actions were considered in {found.rounds} rounds; the gap is over all of them.",)
    if not found.finished:
        notes += (f"better answers remain: a double oracle is for games in which few actions are played, and ends at {double_oracle.MOST_CONSIDERED:,}.",)
    return certify(game, found.policy, tolerance, method="double_oracle", selection="one equilibrium", iterations=found.rounds, notes=notes)


def _by_program(game: Game, matrix: np.ndarray, tolerance: float, notes: tuple[str, ...] = ()) -> NashEquilibrium:
    policy = lp.solve(matrix, symmetric=len(game.blocks) == 1, tolerance=tolerance / float(game.scale))
    return certify(game, policy, tolerance, method="lp", selection="vertex", notes=notes)


def _choose(game: Game, method: str, select: str | None) -> str:
    """The method that is meant, or a sentence why it does not serve."""
    if method not in METHODS:
        raise unknown("method", str(method), METHODS)
    if select is not None and select not in SELECTIONS:
        raise unknown("selection", str(select), SELECTIONS)
    symmetric = len(game.blocks) == 1
    if method == "auto":
        large = not isinstance(game, TableGame) and game.actions > LARGEST_WHOLE and select is None
        return "double_oracle" if large else "interior_point"
    if method == "exact":
        require_exact_size(game)
    if method == "double_oracle" and not symmetric:
        raise InputError(f"Double oracle is for symmetric games; {game.name} has two different players (interior_point, or lp).")
    if select is not None and method != "interior_point":
        raise InputError(f"An equilibrium is selected from the set that the interior point finds, not by method {method} (interior_point, or auto).")
    return method


def _log_start(game: Game, start: Array | None, select: str | None) -> np.ndarray:
    if start is None:
        return uniform_log_policy(game.blocks)
    if select is None:
        raise InputError("A start is what select='maximum_entropy' is to be nearest to; to save time from a known policy use warm_start.")
    policy = _as_policy(game, start, "start")
    if np.any(policy <= 0):
        raise InputError(f"Entry {int(np.argmin(policy)) + 1} of the start is 0: KL to it is finite only where every action of the equilibrium is played.")
    return log_normalise(np.log(policy), game.blocks)


def _as_policy(game: Game, given: Array, what: str) -> np.ndarray:
    policy = np.asarray(check_policy(game, given), dtype=np.float64)
    if policy.ndim != 1:
        raise InputError(f"A {what} is one policy of {game.actions} entries, got an array of shape {policy.shape}.")
    return policy


def _warm(game: Game, warm_start: Array | NashEquilibrium | None) -> np.ndarray | None:
    if warm_start is None:
        return None
    return _as_policy(game, warm_start.policy if isinstance(warm_start, NashEquilibrium) else warm_start, "warm start")


def _memory(game: Game, method: str) -> float:
    """Bytes that a solver takes at its peak, with the matrix in units of L, for a game of m × n payoffs."""
    rows, columns = game.blocks[0], game.blocks[-1]
    if method == "lp":
        return 48.0 * rows * columns  # ours twice, one with a column added; HiGHS's sparse form (16 bytes an entry), and the factors
    if len(game.blocks) == 1:
        return 40.0 * rows * columns  # the game's own and ours, two precisions of the factors, and the equations of the support
    whole = 24.0 * (rows + columns) ** 2 if rows + columns < LARGEST_SYSTEM else 0.0  # where it comes to that
    return 48.0 * rows * columns + whole
