"""Builds the small model: tokenizer, weights, and a note of how they were made, in a directory that ``from_pretrained`` reads.

    python -m examples.small_model.build --out examples/small_model/model

About a minute on one idle core. A directory that holds the finished model of the same recipe is left alone; the model is made beside its place and moved there whole, so
that nothing half-written is ever found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from examples.small_model import grammar, pretraining, tokenizer
from mmd_games.errors import InputError, require_positive, require_whole

NOTE = "recipe.json"
"""Beside the weights: digest, recipe, and how near the model came."""
QUIET = 5.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the model is made; the defaults make the one of the examples, 0.4 million weights.

    Attributes
    ----------
    seed : int
        Of the text, the weights and the order.
    documents : int
        Questions with answers that the tokenizer is trained on.
    vocabulary : int
        Most tokens of the tokenizer.
    hidden, layers, heads : int
        Of the Llama.
    steps, batch : int
        Steps of pre-training, and questions with answers in each.
    learning_rate : float
        The largest, reached after a twentieth of the steps.
    """

    seed: int = 0
    documents: int = 4000
    vocabulary: int = 512
    hidden: int = 128
    layers: int = 2
    heads: int = 4
    steps: int = 1200
    batch: int = 32
    learning_rate: float = 5e-3

    def __post_init__(self) -> None:
        require_whole(minimum=0, seed=self.seed, steps=self.steps)
        require_whole(documents=self.documents, hidden=self.hidden, layers=self.layers, heads=self.heads, batch=self.batch)
        require_whole(minimum=258, vocabulary=self.vocabulary)
        require_positive(learning_rate=self.learning_rate)
        if self.hidden % (2 * self.heads):
            raise InputError(f"hidden must be a multiple of twice the heads, {2 * self.heads}, got {self.hidden}.")

    @property
    def digest(self) -> str:
        """Of the recipe and of the code that follows it: another digest, another model."""
        sources = (Path(module.__file__ or "").read_bytes() for module in (grammar, tokenizer, pretraining))
        return hashlib.sha256(b"\0".join((json.dumps(asdict(self), sort_keys=True).encode(), *sources))).hexdigest()


def build(directory: str | Path, recipe: Recipe | None = None, *, progress: Callable[[int, int, float], None] | None = None) -> Path:
    """Make the model in `directory`, unless it is there already.

    Parameters
    ----------
    directory : path
        Where the model is to be. A model of another recipe that was built there is replaced.
    recipe : Recipe, optional
    progress : callable (step, steps, loss), optional
        Told after each step of pre-training; by default a line on stderr every few seconds.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    InputError
        Where the directory holds something else: it is not touched.
    """
    recipe, directory = recipe or Recipe(), Path(directory).absolute()
    if _is_finished(directory, recipe):
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent) as scratch:
        made = Path(scratch, "made")
        _make(made, recipe, progress or _lines())
        if not _is_finished(directory, recipe):  # another process may have been as fast
            _move(made, directory, Path(scratch, "replaced"))
    return directory


def _make(directory: Path, recipe: Recipe, progress: Callable[[int, int, float], None]) -> None:
    """Tokenizer, weights and note; the caller's random numbers are as they were."""
    with torch.random.fork_rng(devices=[]):
        words = tokenizer.train_tokenizer(recipe.seed, recipe.documents, recipe.vocabulary)
        model = pretraining.new_model(words, seed=recipe.seed, hidden=recipe.hidden, layers=recipe.layers, heads=recipe.heads)
        pretraining.pretrain(model, words, seed=recipe.seed + 1, steps=recipe.steps, batch=recipe.batch, learning_rate=recipe.learning_rate, progress=progress)
    found = pretraining.fidelity(model, words, grammar.held_out_questions())
    words.save_pretrained(directory)
    model.save_pretrained(directory)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    note = {"digest": recipe.digest, "recipe": asdict(recipe), "held_out": asdict(found), "versions": versions}
    Path(directory, NOTE).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")


def read_note(directory: str | Path) -> dict[str, Any] | None:
    """What stands in the note of a finished model; None where there is no such model."""
    try:
        return json.loads(Path(directory, NOTE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_finished(directory: Path, recipe: Recipe) -> bool:
    """Whether the directory holds this recipe's model; something that no recipe made is refused."""
    note = read_note(directory)
    if note is None and directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise InputError(f"'{directory}' holds something that is no small model (it has no {NOTE}): name another directory, or remove it.")
    return note is not None and note["digest"] == recipe.digest


def _move(made: Path, directory: Path, replaced: Path) -> None:
    """Put what was made in its place; an older model goes into the scratch directory, and away with it."""
    if directory.exists():
        os.replace(directory, replaced)
    try:
        os.replace(made, directory)
    except OSError:
        if read_note(directory) is None:  # otherwise another process has put its own there in this moment
            raise


def _lines() -> Callable[[int, int, float], None]:
    """A line of progress on stderr every few seconds, and one at the end."""
    last = time.monotonic()

    def progress(step: int, steps: int, loss: float) -> None:
        nonlocal last
        if step == steps or time.monotonic() - last > QUIET:
            last = time.monotonic()
            print(f"pre-training the small model: step {step} of {steps}, loss {loss:.3f} nats a token", file=sys.stderr, flush=True)

    return progress


def main() -> None:
    """Build, and say how near the model came to the grammar."""
    parser = argparse.ArgumentParser(description="Build the small language model of the examples.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "model", help="where it is to be (default: model/ beside this file)")
    arguments = parser.parse_args()
    try:
        directory = build(arguments.out)
    except InputError as error:
        parser.error(str(error))
    note = read_note(directory)
    print(f"{directory}\non {grammar.HELD_OUT} questions of no training text: {pretraining.Fidelity(**(note or {})['held_out'])}")


if __name__ == "__main__":
    main()
