"""Solvers of a suite by name: the references' own methods, and peers through adapters, `module:function`."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmd_games.equilibria import NashEquilibrium, nash, nash_many
from mmd_games.equilibria.one_game import METHODS
from mmd_games.errors import InputError, unknown
from mmd_games.games.game import Game

BATCHED = "nash_many"
"""The name under which all games of a cell are solved together."""


@dataclass(frozen=True)
class Answer:
    """What a solver says of one game.

    Attributes
    ----------
    policy : object
        What it returned as its policies, whatever that is; None where nothing came back.
    problem : str or None
        Why this is no equilibrium, in the solver's own words.
    crashed : bool
        Whether it raised an error of its own instead of saying so.
    iterations : int or None
    method : str or None
        How, where the solver says so.
    """

    policy: Any
    problem: str | None = None
    crashed: bool = False
    iterations: int | None = None
    method: str | None = None


@dataclass(frozen=True)
class Solver:
    """A solver whose time is taken.

    Attributes
    ----------
    name : str
        As it stands in the suite.
    ours : bool
    prepare : callable (games, tolerance) → callable () → list
        What need not be timed is done by the outer call, the rest by the inner one; its list has a raw result, or an exception, for each game. The
        tolerance is relative to L.
    read : callable (raw result) → Answer
    """

    name: str
    ours: bool
    prepare: Callable[[Sequence[Game], float], Callable[[], list[Any]]]
    read: Callable[[Any], Answer]


def from_name(name: str) -> Solver:
    """The solver of a name: a method of :func:`mmd_games.nash`, "nash_many", or `module:function` of a peer's adapter.

    An adapter takes the payoff matrix, float64 of shape (m, n), and returns a profile: x then y, or of a symmetric game the one policy. It raises ImportError
    where its library is absent, and RuntimeError where that finds no equilibrium and says so.

    Raises
    ------
    InputError
        For an unknown name, or an adapter that cannot be imported.
    """
    if is_ours(name):
        if name == BATCHED:
            return Solver(name, True, _prepare_batch, _read_equilibrium)
        if name not in METHODS:
            raise unknown("solver", name, [*METHODS, BATCHED])
        return Solver(name, True, lambda games, tolerance: _prepare_nash(name, games, tolerance), _read_equilibrium)
    module, _, function = name.partition(":")
    if not module or not function:
        raise InputError(f"Solver '{name}': a peer's adapter is module:function, such as benchmarks.references.peers:glop.")
    try:
        adapter = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        where = " (that module is found from the root of the repository)" if module.startswith("benchmarks.") else ""
        raise InputError(f"Solver '{name}': no module named '{error.name}' can be imported{where}.") from None
    except AttributeError:
        raise InputError(f"Solver '{name}': {unknown('adapter', function, _functions(module))}") from None
    if not callable(adapter):
        raise InputError(f"Solver '{name}': {unknown('adapter', function, _functions(module))}")
    return Solver(name, False, lambda games, tolerance: _prepare_peer(adapter, games), _read_profile)


def is_ours(name: str) -> bool:
    """Whether a name is one of our own solvers, not an adapter's."""
    return ":" not in name


def labels(names: Sequence[str]) -> dict[str, str]:
    """Short names for tables: of an adapter its function's, where no other solver is called so."""
    short = [name.rpartition(":")[2] for name in names]
    return {name: label if short.count(label) == 1 else name for name, label in zip(names, short, strict=True)}


def absent(error: ImportError) -> str:
    """What to install, of the adapter of a peer that is not there."""
    return f"absent (pip install {error.name.partition('.')[0]})" if error.name else f"absent ({error})"


def _prepare_nash(method: str, games: Sequence[Game], tolerance: float) -> Callable[[], list[Any]]:
    solve, tolerances = partial(nash, method=method), [_in_units(game, tolerance) for game in games]
    return lambda: [_attempt(solve, game, tolerance=aim) for game, aim in zip(games, tolerances, strict=True)]


def _prepare_batch(games: Sequence[Game], tolerance: float) -> Callable[[], list[Any]]:
    aims = [aim for aim in (_in_units(game, tolerance) for game in games) if aim is not None]

    def solve() -> list[Any]:
        found = _attempt(nash_many, games, tolerance=min(aims, default=None))
        return [found] * len(games) if isinstance(found, Exception) else found

    return solve


def _prepare_peer(adapter: Callable[[np.ndarray], Any], games: Sequence[Game]) -> Callable[[], list[Any]]:
    matrices = [np.array(game.table(), dtype=np.float64, order="C") for game in games]  # a copy: a peer may write to it
    return lambda: [_attempt(adapter, matrix) for matrix in matrices]


def _attempt(solve: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """What comes back, or the error that was raised."""
    try:
        return solve(*given, **options)
    except ImportError:
        raise
    except Exception as error:
        return error


def _in_units(game: Game, tolerance: float) -> float | None:
    """A tolerance relative to L in the game's units; None, the default, in a constant game."""
    return tolerance * float(game.scale) or None


def _read_equilibrium(found: NashEquilibrium | Exception) -> Answer:
    if isinstance(found, Exception):
        return Answer(None, _words(found), crashed=True)
    return Answer(found.policy, None if found.converged else "not converged", iterations=found.iterations or None, method=found.method)


def _read_profile(found: Any) -> Answer:
    if isinstance(found, RuntimeError):
        return Answer(None, str(found))
    if isinstance(found, Exception):
        return Answer(None, _words(found), crashed=True)
    return Answer(None, "returned None", crashed=True) if found is None else Answer(found)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {' '.join(str(error).split())}"


def _functions(module: str) -> list[str]:
    return [name for name, value in vars(sys.modules[module]).items() if callable(value) and not name.startswith("_")]


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Whatever libraries print, from C++ too, goes to standard error: standard output carries the result alone."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
