"""Whether the arrays of a trace fit together: a file may be damaged, or made by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmd_games.arrays import block_sum
from mmd_games.errors import InputError
from mmd_games.games.game import Game
from mmd_games.games.table_game import TableGame

if TYPE_CHECKING:
    from mmd_games.loop.trace import Trace

NORMALISED = 1e-6
"""How far the probabilities of a recorded policy may be from summing to 1."""
LARGEST_STEP = 2**53
"""Up to here every whole number is a float."""


def require_consistent(trace: Trace) -> None:
    """Refuse a trace whose arrays do not fit its game or each other, whose iterations do not increase, or whose numbers are not finite.

    Raises
    ------
    InputError
        Naming what is wrong, and where.
    """
    _require_table(trace.game)
    _require_rows(trace)
    _require_policies(trace)
    _require_stages(trace)


def _require_table(game: Game) -> None:
    if isinstance(game, TableGame):
        expected = (game.blocks[0], game.blocks[-1])
        if game.payoff_matrix.shape != expected:
            raise InputError(f"the payoff table has shape {game.payoff_matrix.shape}; {expected} was expected.")
        _require_finite(game.payoff_matrix, "payoffs")


def _require_rows(trace: Trace) -> None:
    rows = len(trace.gaps) if trace.gaps.ndim == 1 else 0
    for name in ("iterations", "products", "gaps", "average_gaps"):
        array = getattr(trace, name)
        if array.shape != (rows,) or rows == 0:
            raise InputError(f"{name} has shape {array.shape}; a list of as many numbers as there are recorded gaps was expected.")
        _require_finite(array, name)
    _require_rising(trace.iterations, "iterations")
    fallen = np.flatnonzero(trace.products[1:] < trace.products[:-1])
    if len(fallen):
        raise InputError(f"products decrease after entry {int(fallen[0]) + 1:,}; they count what was spent so far.")


def _require_policies(trace: Trace) -> None:
    kept, actions = trace.policy_iterations, trace.game.actions
    if kept.ndim != 1 or len(kept) == 0 or trace.log_policies.shape != (len(kept), actions):
        raise InputError(f"log_policies has shape {trace.log_policies.shape}; ({kept.size}, {actions}) was expected, a row a kept iteration.")
    _require_rising(kept, "policy_iterations")
    if kept[-1] != trace.iterations[-1]:
        raise InputError(f"the last policy is that of iteration {int(kept[-1]):,}; the run ends at iteration {int(trace.iterations[-1]):,}.")
    with np.errstate(over="ignore", invalid="ignore"):
        totals = block_sum(np.exp(trace.log_policies), trace.game.blocks)
        wrong = np.flatnonzero(~(np.abs(totals - 1) <= NORMALISED).reshape(len(kept), -1).all(axis=1))
    if len(wrong):
        raise InputError(f"the policy of iteration {int(kept[wrong[0]]):,} is not a distribution: its probabilities do not sum to 1.")


def _require_stages(trace: Trace) -> None:
    stages = trace.stages
    count = len(stages) if stages.iterations.ndim == 1 else -1
    shapes = {"iterations": (count,), "log_magnets": (count, trace.game.actions), "magnet_strengths": (count,), "step_sizes": (count,)}
    for name, shape in shapes.items():
        if getattr(stages, name).shape != shape:
            raise InputError(f"stage_{name} has shape {getattr(stages, name).shape}; {shape} was expected.")


def _require_rising(iterations: np.ndarray, name: str) -> None:
    """Whole numbers from 0 on, each larger than the one before."""
    if not np.issubdtype(iterations.dtype, np.integer):
        raise InputError(f"{name} must be whole numbers, got numbers of type {iterations.dtype}.")
    wrong = np.flatnonzero(iterations[1:] <= iterations[:-1])  # differences of unsigned numbers are never negative
    if len(wrong):
        here, there = (int(iterations[wrong[0] + k]) for k in (0, 1))
        raise InputError(f"{name} must increase; {there:,} follows {here:,} at entry {int(wrong[0]) + 2:,}.")
    if iterations[0] < 0:
        raise InputError(f"{name} must begin at 0 or later, got {int(iterations[0]):,}.")
    if iterations[-1] > LARGEST_STEP:
        raise InputError(f"{name} must be at most 2⁵³, beyond which float64 skips some; got {int(iterations[-1]):,}.")


def _require_finite(array: np.ndarray, name: str) -> None:
    """Real numbers, all of them finite."""
    if not np.issubdtype(array.dtype, np.floating) and not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} must be numbers, got {array.dtype}.")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = ", ".join(str(index + 1) for index in wrong[0])
        raise InputError(f"{name} must be finite; entry {place} is {array[tuple(wrong[0])]}.")
