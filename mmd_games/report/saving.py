"""Directories of results: all files of one, or none."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mmd_games.errors import InputError


@contextlib.contextmanager
def output_directory(directory: str | os.PathLike[str]) -> Iterator[Path]:
    """A fresh folder whose files move into `directory` when all are written; otherwise nothing is left behind, nor directories made for it.

    Raises
    ------
    InputError
        When the directory cannot be written.
    """
    target, made = Path(directory), []
    try:
        made = [folder for folder in (target, *target.parents) if not folder.exists()]
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".partial-") as partial:
            yield Path(partial)
            for file in sorted(Path(partial).iterdir()):
                os.replace(file, target / file.name)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error}).") from None
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # it has files now
                folder.rmdir()


def require_writable(directory: str | os.PathLike[str]) -> None:
    """Refuse an output directory that cannot be written, before any work is done for it; told by trying, and nothing stays."""
    target = Path(directory)
    for folder in (target, *target.parents):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; a directory was expected.")
    with output_directory(target):
        pass
