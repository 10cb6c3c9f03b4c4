"""The slow turns of rotating modes, seen as tones in what a smooth trend leaves."""

from __future__ import annotations

import math

import numpy as np

TONES = 2
HARMONICS = 3
SLOWEST = 2.0
"""Turns over the record: fewer cannot be told from its trend."""
RESOLUTION = 0.2
STRIDE = 16
"""Of the grid of frequencies, of about 16² steps."""
EXPLAINED = 0.5
"""A tone must explain this part of what is left, or it is noise."""
FAINTEST = 0.05
"""Mean square, of about 1/2, of what a wave must add."""
ROUNDING = 1e-16
"""Mean squared residuals below this hold no tone."""


def rotations(x: np.ndarray, y: np.ndarray, trend: np.ndarray) -> np.ndarray:
    """Columns that describe the turns of a record: cosines and sines of at most two frequencies and their harmonics.

    Parameters
    ----------
    x : array (points,)
        Times, about 1 long.
    y : array (points,)
        Logarithms of gaps.
    trend : array (points, columns)
        What a smooth record may look like.

    Returns
    -------
    array (points, up to 12)
    """
    found = np.empty((len(x), 0))
    left = _residual(trend, y)
    for _ in range(TONES):
        squares = float(left @ left)
        if squares <= len(x) * ROUNDING:
            break
        columns = _visible(_tone(x, _frequency(x, left)), np.column_stack([trend, found]))
        wider = np.column_stack([trend, found, columns])
        if wider.shape[1] >= len(x) / 2:
            break
        left = _residual(wider, y)
        if left @ left > (1 - EXPLAINED) * squares:
            break
        found = np.column_stack([found, columns])
    return found


def _residual(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What a least-squares fit leaves."""
    basis = np.linalg.qr(columns)[0]
    return y - basis @ (basis.T @ y)


def _frequency(x: np.ndarray, left: np.ndarray) -> float:
    """The strongest frequency, found on a grid and then on a finer one."""

    def waves(frequencies: np.ndarray) -> np.ndarray:
        return np.exp(2j * math.pi * np.outer(frequencies, x))

    grid = np.arange(SLOWEST, max(len(x) / 2, SLOWEST + 1), RESOLUTION)
    # Every wave of the grid is one of each STRIDE-th times one of the first STRIDE steps: a product, which costs far less than an exponential.
    strengths = np.abs((waves(grid[::STRIDE]) * left) @ waves(RESOLUTION * np.arange(STRIDE)).T).ravel()
    rough = grid[np.argmax(strengths[: len(grid)])]
    finer = np.linspace(rough - RESOLUTION, rough + RESOLUTION, 21)
    return float(finer[np.argmax(np.abs(waves(finer) @ left))])


def _tone(x: np.ndarray, frequency: float) -> np.ndarray:
    """A frequency and those of its harmonics that are waves at these times: seen at too few points, some are as slow as a trend."""
    pace = 1 / float(np.median(np.diff(x)))
    turns = frequency * np.arange(1, HARMONICS + 1)
    seen = np.abs(turns - pace * np.round(turns / pace))
    angles = 2 * math.pi * np.outer(x, turns[seen >= SLOWEST])
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _visible(columns: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The columns that are not, or hardly, made of known ones and of those before them: two points a turn show no sine, and some harmonics the same wave as others."""
    kept, basis = [], np.linalg.qr(known)[0]
    for column in columns.T:
        left = column - basis @ (basis.T @ column)
        if np.mean(left**2) > FAINTEST:
            kept.append(column)
            basis = np.column_stack([basis, left / np.linalg.norm(left)])
    return np.column_stack(kept) if kept else np.empty((len(columns), 0))
