"""Embeddings in an .npz file."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np

from mmd_games.errors import InputError, unknown
from mmd_games.games.array_files import open_npz, read_labels, read_numbers
from mmd_games.games.implicit import GeneralPreferenceGame, LowRankGame
from mmd_games.games.table_file import distinct_labels

KEYS = ("embeddings", "mixing", "temperature", "labels")
"""The names of the arrays."""


def read_embeddings(path: Path) -> LowRankGame | GeneralPreferenceGame | None:
    """The game of an .npz file with an array of embeddings, win probabilities where it has a temperature too; None where it has no embeddings."""
    with open_npz(path) as (archive, members):
        if KEYS[0] not in members:
            return None
        for key in members:
            if key not in KEYS:
                raise unknown("key", key, KEYS)
        arrays = {key: _numbers(archive, members[key], key) for key in KEYS[:3] if key in members}
        texts = read_labels(archive, members["labels"], "labels") if "labels" in members else None
    embeddings, mixing, temperature = arrays["embeddings"], arrays.get("mixing"), arrays.get("temperature")
    labels = None
    if texts is not None:
        labels = distinct_labels(texts, len(np.atleast_1d(embeddings)), "rows", lambda place: f"entry {place + 1} of 'labels'")
    if temperature is None:
        return LowRankGame(embeddings, mixing, labels, path.name)
    if temperature.size != 1:
        raise InputError(f"the array 'temperature' must be one number; its shape is {temperature.shape}.")
    return GeneralPreferenceGame(embeddings, mixing, float(temperature.item()), labels, path.name)


def _numbers(archive: ZipFile, member: str, key: str) -> np.ndarray:
    with archive.open(member) as stream:
        return read_numbers(stream, f"the array '{key}'", copies=1)
