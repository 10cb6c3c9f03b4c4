"""Where a run begins: `uniform`, `random:seed=1`, probabilities, or a file of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmd_games import specs
from mmd_games.errors import InputError, require_whole, unknown
from mmd_games.games.game import Game, check_policy, duality_gap

UNIFORM = "uniform"


def random_start(game: Game, seed: int = 0) -> np.ndarray:
    """Each player's policy drawn evenly from its simplex (all actions are played)."""
    require_whole(minimum=0, seed=seed)
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.dirichlet(np.ones(size)) for size in game.blocks])


def from_spec(text: str, game: Game) -> np.ndarray | None:
    """The start that a user asks for, None for uniform.

    Parameters
    ----------
    text : str
        `uniform`; `random` or `random:seed=1`; probabilities as `0.2/0.3/0.5`; or the path of a .npy or text file of them.

    Raises
    ------
    InputError
        For anything else, and for probabilities that are no policy of the game.
    """
    if text == UNIFORM:
        return None
    if "/" in text and _all_numbers(text.split("/")):
        return np.asarray(check_policy(game, np.array([float(part) for part in text.split("/")])))
    if Path(text).suffix:
        return np.asarray(check_policy(game, _read(Path(text))))
    name, settings = specs.parse(text)
    if name != "random":
        raise unknown("start", name, [UNIFORM, "random"])

    def seeded(seed: int = 0) -> np.ndarray:
        return random_start(game, seed)

    return specs.build(seeded, settings, "start 'random'")


def default_start(game: Game, tolerance: float) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Uniform; or, where that is an equilibrium already and a run from it would show nothing, a random policy, with a note that says so."""
    uniform_policy = np.concatenate([np.full(size, 1.0 / size) for size in game.blocks])
    if float(duality_gap(game, uniform_policy)) > tolerance:
        return None, ()
    return random_start(game), ("the uniform policy already is an equilibrium of this game, so the run starts from random:seed=0.",)


def _all_numbers(parts: list[str]) -> bool:
    try:
        return all(np.isfinite(float(part)) for part in parts)
    except ValueError:
        return False


def _read(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, allow_pickle=False) if path.suffix == ".npy" else np.loadtxt(path, delimiter="," if path.suffix == ".csv" else None), dtype=float).ravel()
    except OSError as error:
        raise InputError(f"{path}: the start cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise InputError(f"{path}: a start is a list of probabilities ({error}).") from None
