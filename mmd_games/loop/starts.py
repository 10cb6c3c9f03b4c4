"""Where a run begins: `uniform`, `random:seed=1`, probabilities, or a file of them."""

from __future__ import annotations

import zipfile
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
    game : Game

    Raises
    ------
    InputError
        For anything else, and for probabilities that are no policy of the game.

    Examples
    --------
    >>> import mmd_games as mg
    >>> from_spec("0.2/0.3/0.5", mg.games.rock_paper_scissors())
    array([0.2, 0.3, 0.5])
    """

    def uniform() -> None:
        return None

    def random(seed: int = 0) -> np.ndarray:
        return random_start(game, seed)

    name = text.strip().partition(":")[0]
    for factory in (uniform, random):
        if name == factory.__name__:
            return specs.build(factory, specs.parse(text)[1], f"start '{name}'")
    parts = text.split("/")
    if len(parts) > 1 and all(map(_is_number, parts)):
        policy = np.array([float(part) for part in parts])
    elif len(parts) > 1 or Path(text).suffix or Path(text).is_file():
        policy = _read(Path(text))
    else:
        raise unknown("start", text, [UNIFORM, "random", "0.2/0.3/0.5", "a file of probabilities"])
    try:
        return np.asarray(check_policy(game, policy))
    except InputError as error:
        raise InputError(f"start '{text}': {error}") from None


def default_start(game: Game, tolerance: float) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Uniform; or, where that is an equilibrium already and a run from it would show nothing, a random policy, with a note that says so."""
    uniform_policy = np.concatenate([np.full(size, 1.0 / size) for size in game.blocks])
    if float(duality_gap(game, uniform_policy)) > tolerance:
        return None, ()
    return random_start(game), ("the uniform policy already is an equilibrium of this game, so the run starts from random:seed=0.",)


def never_played(start: np.ndarray | None) -> tuple[str, ...]:
    """A note where a start gives some action no probability at all: a multiplicative update keeps that for good."""
    if start is None:
        return ()
    zeros = int(np.count_nonzero(start == 0))
    return (f"the start plays {zeros} of the {len(start)} actions with probability 0, and multiplicative updates never will play them.",) if zeros else ()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read(path: Path) -> np.ndarray:
    """The numbers of a .npy file, or of a text file whose numbers are separated by commas, semicolons or white space."""
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return np.asarray(np.load(file, allow_pickle=False), dtype=np.float64).ravel()
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path}: the start cannot be read ({error.strerror or error}).") from None
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: a start is a list of probabilities ({' '.join(str(error).split()).rstrip('.')}).") from None
    cells = " ".join(line.partition("#")[0] for line in lines).replace(",", " ").replace(";", " ").split()
    for number, cell in enumerate(cells, start=1):
        if not _is_number(cell):
            raise InputError(f"{path}: entry {number} is '{cell[:40]}', which is not a number; a start is a list of probabilities.")
    return np.array([float(cell) for cell in cells])
