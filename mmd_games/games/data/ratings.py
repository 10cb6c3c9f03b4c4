"""Ratings: the win probabilities that an Elo or Bradley-Terry fit stands for. Such a game has no cycles: it is what the fit believes, not what was observed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmd_games.errors import InputError, unknown
from mmd_games.games.data.comparisons import require_table
from mmd_games.games.data.names import MISSING, WRONG, Names, first_value
from mmd_games.games.data.problems import Problems
from mmd_games.games.data.records import records_of
from mmd_games.games.data.scores import numbers_of
from mmd_games.games.preference import PreferenceGame

SCALES = {"elo": math.log(10) / 400, "log": 1.0}
"""What a difference of ratings is multiplied with to be one of log-odds."""


def read_ratings(data: Any, *, scale: str = "elo", model: str = "model", rating: str = "rating") -> PreferenceGame:
    r"""The game of ratings: :math:`P_{ij} = \sigma(c (r_i - r_j))`.

    Parameters
    ----------
    data : mapping of names to numbers, or as for scores
        A file, a frame or mappings have the columns of the name and of the rating.
    scale : {"elo", "log", "strength"}
        Elo points (400 for odds of ten to one), log-odds, or Bradley and Terry's strengths π, with P = π_i / (π_i + π_j).
    model, rating : str
        The columns.

    Raises
    ------
    InputError
        When names or numbers are missing or wrong, a name has two ratings, or a strength is not positive.

    References
    ----------
    Bradley and Terry, Biometrika 39 (1952).
    """
    if scale not in (*SCALES, "strength"):
        raise unknown("scale of ratings", scale, [*SCALES, "strength"])
    if isinstance(data, Mapping):
        data = [{model: name, rating: value} for name, value in data.items()]
    records = records_of(data, "ratings")
    records.require([model, rating], "a record of a rating")
    problems, names, found, read = Problems(records.source, records.noun, can_skip=False), Names(records.source), {}, 0
    for numbers, columns in records.batches([model, rating]):
        read += len(numbers)
        places = names.places_of(columns[model])
        values, odd = numbers_of(columns[rating])
        odd = odd | (values <= 0) if scale == "strength" else odd
        missing = (places == MISSING) | (columns[rating].codes < 0)
        problems.add("missing", numbers[missing])
        for kind, wrong, name in (("name", (places == WRONG) & ~missing, model), ("number", odd & ~missing, rating)):
            problems.add(kind, numbers[wrong], first_value(columns[name], wrong))
        for number, place, value in zip(numbers.tolist(), places.tolist(), values.tolist(), strict=True):
            if place >= 0 and found.setdefault(place, value) != value:
                problems.add("conflict", [number], "another rating of the same name")
    problems.settle(read)
    labels, order = names.in_order()
    if len(labels) < 2:
        raise InputError(f"{records.source}: {len(labels)} {'name has a rating' if len(labels) == 1 else 'names have ratings'}; a game needs at least two.")
    require_table(len(labels), records.source)
    log_odds = np.empty(len(labels))
    values = np.array([found[place] for place in range(len(labels))])
    log_odds[order] = np.log(values) if scale == "strength" else SCALES[scale] * values
    # tanh(x/2)/2 = σ(x) − 1/2, to the last bit of small differences; entries of S are exactly skew-symmetric.
    table = np.tanh((log_odds[:, None] - log_odds[None, :]) / 2) / 2 + 0.5
    game = PreferenceGame(table, labels, f"{records.source.replace(chr(92), '/').rpartition('/')[2]} (ratings)")
    game.notes = (f"made from {len(labels):,} ratings ({scale}): win probabilities as the fit has them, without cycles and without an interval.",)
    return game
