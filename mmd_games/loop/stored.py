"""The arrays of a saved trace as they stand in its file: whatever else is found there gets a sentence."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np

from mmd_games.errors import InputError

DAMAGE = (ValueError, TypeError, KeyError, EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise on files that are cut short, damaged, encrypted or of another kind."""


def stored_arrays(path: str | os.PathLike[str], schema: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a file says of a trace in words, and its arrays.

    Parameters
    ----------
    path : str or PathLike
    schema : str
        The one that can be read.

    Raises
    ------
    InputError
        When the file is missing, is no archive of arrays with the words of a trace among them, or is of another schema.
    """
    try:
        with open(path, "rb") as stream:
            arrays = _arrays(stream)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except OSError as error:
        raise not_a_trace(path, f"it cannot be read ({error.strerror or error}).") from None
    except InputError as error:
        raise not_a_trace(path, str(error)) from None
    if "meta" not in arrays:
        raise not_a_trace(path, "it lacks 'meta'.")
    try:
        meta = json.loads(str(arrays.pop("meta")))
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict) or "schema" not in meta:
        raise not_a_trace(path, "its 'meta' is not a JSON object with a schema.")
    if meta["schema"] != schema:
        raise InputError(f"{path}: a trace of schema {meta['schema']}; this version reads {schema}.")
    return meta, arrays


def _arrays(stream: BinaryIO) -> dict[str, np.ndarray]:
    """All arrays of an .npz file."""
    try:
        file = np.load(stream, allow_pickle=False)
    except DAMAGE:
        file = None
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise InputError("it is not an .npz file.")
    try:
        return dict(file)
    except DAMAGE:
        raise InputError("it is damaged, or holds Python objects, which are never unpickled.") from None


def not_a_trace(path: str | os.PathLike[str], why: str) -> InputError:
    """The refusal of a file, to be raised; `why` is a sentence that begins in lower case."""
    return InputError(f"{path}: not a saved trace: {why}")
