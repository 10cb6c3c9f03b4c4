"""What a run leaves behind: an immutable record that can be judged, saved and loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmd_games.algorithms.registry import from_spec, to_spec
from mmd_games.arrays import Array, log_normalise
from mmd_games.errors import InputError
from mmd_games.games.game import Game, check_policy
from mmd_games.games.saving import from_arrays, to_arrays
from mmd_games.loop.consistency import LARGEST_STEP, require_consistent
from mmd_games.loop.stored import not_a_trace, stored_arrays

SCHEMA = "mmd_games.trace/1"
ARRAYS = ("iterations", "products", "gaps", "average_gaps", "policy_iterations", "log_policies")
"""A trace's own, beside those of its game and of its stages."""


@dataclass(frozen=True, eq=False)
class Stages:
    """The magnet and the settings in force, from each listed iteration on.

    Attributes
    ----------
    iterations : array (stages,) of int
        The step after which the stage begins; the first is 0.
    log_magnets : array (stages, actions)
        Uniform where there is no magnet (strength 0).
    magnet_strengths, step_sizes : array (stages,)
    steady : bool
        Whether nothing moved within a stage. Where a magnet or a setting moves at every step, the stages are samples at the recorded policies.
    """

    iterations: np.ndarray
    log_magnets: np.ndarray
    magnet_strengths: np.ndarray
    step_sizes: np.ndarray
    steady: bool = True

    def __len__(self) -> int:
        return len(self.iterations)

    @property
    def refreshed(self) -> np.ndarray:
        """Whether each stage but the first began with another magnet than the one before had, and not with other settings alone: (stages − 1,)."""
        return np.any(self.log_magnets[1:] != self.log_magnets[:-1], axis=1)

    @classmethod
    def none(cls, actions: int) -> Stages:
        """No stages: the run's settings are not known."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros((0, actions)), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, eq=False)
class Trace:
    """The record of a run.

    Attributes
    ----------
    game : Game
    algorithm : object
        With all its settings filled in; a plain string for a run brought in from elsewhere.
    iterations : array (recorded,) of int
        Recorded steps, increasing, the first 0, the last the end of the run.
    products : array (recorded,) of int
        Payoff evaluations (matrix-vector products for all players) spent so far.
    gaps : array (recorded,)
        Exact duality gap of the iterate, in the game's units.
    average_gaps : array (recorded,)
        Exact duality gap of the arithmetic mean of all iterates so far, the start included.
    policy_iterations : array (kept,) of int
        The recorded steps whose policies were kept; the last is the end of the run.
    log_policies : array (kept, actions)
    stages : Stages
    feedback : str
        What the players were told, as printed.
    stopped : str
        Why the run ended: "budget", "tolerance", "interrupted", or "unknown" for a run brought in from elsewhere.
    """

    game: Game
    algorithm: Any
    iterations: np.ndarray
    products: np.ndarray
    gaps: np.ndarray
    average_gaps: np.ndarray
    policy_iterations: np.ndarray
    log_policies: np.ndarray
    stages: Stages
    feedback: str
    stopped: str

    def __post_init__(self) -> None:
        for array in (*vars(self).values(), *vars(self.stages).values()):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    @property
    def log_policy(self) -> np.ndarray:
        """The last iterate's log-policy, (actions,)."""
        return self.log_policies[-1]

    @property
    def policy(self) -> np.ndarray:
        """The last iterate, (actions,): what the run has found."""
        return np.exp(self.log_policies[-1])

    @property
    def gap(self) -> float:
        """Duality gap of the last iterate."""
        return float(self.gaps[-1])

    @property
    def steps(self) -> int:
        """Steps taken."""
        return int(self.iterations[-1])

    @property
    def algorithm_spec(self) -> str:
        """The algorithm with all settings, as a spec."""
        return self.algorithm if isinstance(self.algorithm, str) else to_spec(self.algorithm)

    def __str__(self) -> str:
        return (
            f"{self.algorithm_spec} on {self.game.name}: {self.steps:,} steps, {int(self.products[-1]):,} products, "
            f"duality gap {self.gaps[0]:.3e} → {self.gap:.3e} (stopped by {self.stopped})"
        )

    def __repr__(self) -> str:
        return f"<Trace {self}>"

    @classmethod
    def from_policies(
        cls, game: Game, log_policies: Array, iterations: Sequence[int] | np.ndarray | None = None, *, name: str = "a run from elsewhere"
    ) -> Trace:
        """Bring in a run made elsewhere, to be judged like one's own.

        Parameters
        ----------
        game : Game
        log_policies : array (recorded, actions)
            The iterates, as logarithms; each block is normalised to within 1e-6. Gaps are computed here.
        iterations : sequence of int, optional
            The step of each; default 0, 1, 2, …

        Raises
        ------
        InputError
            When the policies are not policies of this game, or the iterations do not increase.

        Notes
        -----
        The averages are of the policies given. Products are taken to be the iterations.
        """
        try:
            logs = np.array(log_policies, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"log_policies must be an array of numbers ({error}).") from None
        if logs.ndim != 2 or len(logs) == 0:
            raise InputError(f"log_policies must be an array (recorded, {game.actions}), got shape {logs.shape}.")
        steps = np.arange(len(logs)) if iterations is None else np.asarray(iterations)
        if steps.shape != (len(logs),) or not np.issubdtype(steps.dtype, np.integer) or np.any(steps[1:] <= steps[:-1]) or steps[0] < 0:
            raise InputError(f"iterations must be {len(logs):,} whole numbers, from 0 on and increasing.")
        if steps[-1] > LARGEST_STEP:
            raise InputError(f"iterations must be at most 2⁵³, beyond which float64 skips some; got {int(steps[-1]):,}.")
        with np.errstate(over="ignore"):
            policies = check_policy(game, np.exp(logs))
        logs = log_normalise(logs, game.blocks)
        averages = np.cumsum(policies, axis=0) / np.arange(1, len(logs) + 1)[:, None]
        gaps, average_gaps = (game.gap_of_payoffs(game.payoffs(rows)) for rows in (np.exp(logs), averages))
        steps = steps.astype(np.int64)
        return cls(game, name, steps, steps.copy(), gaps, average_gaps, steps.copy(), logs, Stages.none(game.actions), "unknown", "unknown")

    def to_frame(self) -> Any:
        """The recorded rows as a pandas DataFrame (pandas comes with the notebooks extra)."""
        import pandas

        columns = ("iterations", "products", "gaps", "average_gaps")
        return pandas.DataFrame({name: getattr(self, name) for name in columns})

    def to_dict(self) -> dict[str, Any]:
        """The recorded rows as plain lists, ready for JSON; policies are in the saved trace only."""
        return {
            "schema": SCHEMA,
            "game": self.game.name,
            "algorithm": self.algorithm_spec,
            "feedback": self.feedback,
            "stopped": self.stopped,
            **{name: getattr(self, name).tolist() for name in ("iterations", "products", "gaps", "average_gaps")},
        }

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write everything, the game included, to one .npz file; it appears whole or not at all."""
        target = Path(path)
        game, numbers = to_arrays(self.game)
        meta = {
            "schema": SCHEMA,
            **game,
            "algorithm": self.algorithm_spec,
            "own": not isinstance(self.algorithm, str),
            "feedback": self.feedback,
            "stopped": self.stopped,
            "steady": self.stages.steady,
        }
        arrays: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        arrays |= {f"stage_{name}": value for name, value in vars(self.stages).items() if isinstance(value, np.ndarray)}
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            with open(partial, "wb") as file:
                np.savez_compressed(file, meta=np.array(json.dumps(meta)), **numbers, **arrays)
            os.replace(partial, target)
        except OSError as error:
            raise InputError(f"{target}: the trace cannot be written ({error.strerror or error}).") from None
        finally:
            partial.unlink(missing_ok=True)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trace:
        """Read what :meth:`save` wrote; an algorithm whose class cannot be imported here is given as its spec.

        Raises
        ------
        InputError
            When the file is missing, is not a saved trace, or holds one that does not fit together, such as gaps that are not finite.
        """
        meta, arrays = stored_arrays(path, SCHEMA)
        try:
            game = from_arrays(meta, arrays)
            stages = Stages(
                **{name: arrays.pop(f"stage_{name}") for name in ("iterations", "log_magnets", "magnet_strengths", "step_sizes")}, steady=meta["steady"]
            )
            algorithm = _algorithm(meta["algorithm"]) if meta["own"] else meta["algorithm"]
            own = {name: arrays.pop(name) for name in ARRAYS}
            trace = cls(game=game, algorithm=algorithm, stages=stages, feedback=meta["feedback"], stopped=meta["stopped"], **own)
            require_consistent(trace)
        except InputError as error:
            raise not_a_trace(path, str(error)) from None
        except KeyError as error:
            raise not_a_trace(path, f"it lacks {error}.") from None
        except (TypeError, ValueError, AttributeError, IndexError, OverflowError, RuntimeError, OSError):
            raise not_a_trace(path, "its 'meta' does not describe its arrays.") from None
        if arrays:
            raise not_a_trace(path, f"it has an array '{min(arrays)}', which no trace has.")
        return trace


def _algorithm(spec: str) -> Any:
    """The algorithm of a spec; the spec itself where it is of a class that cannot be had here."""
    try:
        return from_spec(spec)
    except InputError:
        return spec
