"""Least squares of one record on many curves at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fit:
    """A shape laid through a record.

    Attributes
    ----------
    name, family : str
        For people; and one of line, power law, stretched exponential, plateau, growth.
    squares : float
        Sum of the squared residuals.
    residuals : array (points,)
    parameters : int
        Free ones besides the level and the rotations.
    trend : array (points,)
        The shape, without the rotations.
    slope : float
        By how many nats the line of this shape falls in a unit of time.
    fall : float
        By how many nats it falls while it is alone.
    """

    name: str
    family: str
    squares: float
    residuals: np.ndarray
    parameters: int
    trend: np.ndarray
    slope: float = 0.0
    fall: float = 0.0


class Regression:
    """Least squares of one record on many curves at once; its level and its rotations are always in the fit."""

    def __init__(self, x: np.ndarray, y: np.ndarray, rotations: np.ndarray):
        self.x, self.y = x, y
        self._always = np.column_stack([np.ones(len(x)), rotations])
        self._basis = np.linalg.qr(self._always)[0]
        self._left = self._clear(y)

    def _clear(self, rows: np.ndarray) -> np.ndarray:
        """Take out of rows what level and rotations explain."""
        return rows - (rows @ self._basis) @ self._basis.T

    def fit(self, name: str, family: str, parameters: int, trend: np.ndarray, **details: float) -> Fit:
        """Lay the level and the rotations through what a curve, with its coefficient, leaves."""
        coefficients = np.linalg.lstsq(self._always, self.y - trend, rcond=None)[0]
        residuals = self.y - trend - self._always @ coefficients
        return Fit(name, family, float(residuals @ residuals), residuals, parameters, trend + coefficients[0], **details)

    def best(self, curves: np.ndarray, low: float = 0.0, high: float = math.inf) -> tuple[int, float]:
        """Which of several curves (rows) fits best, its coefficient between two bounds, and that coefficient."""
        cleared = self._clear(curves)
        norms, products = np.einsum("ij,ij->i", cleared, cleared) + 1e-300, cleared @ self._left
        coefficients = np.clip(products / norms, low, high)
        row = int(np.argmin(coefficients**2 * norms - 2 * coefficients * products))
        return row, float(coefficients[row])

    def beside_line(self, curves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each curve (rows) beside a line: squares up to a constant, how much the line falls, and the curve's coefficient, which is not negative."""
        cleared, line = self._clear(curves), self._clear(self.x)
        length, along = float(line @ line), float(line @ self._left)
        shared, products = cleared @ line, cleared @ self._left
        norms = np.einsum("ij,ij->i", cleared, cleared) + 1e-300
        coefficients = np.maximum((products - shared * along / length) / np.maximum(norms - shared**2 / length, 1e-9 * norms), 0.0)
        slopes = (along - coefficients * shared) / length
        squares = coefficients**2 * norms + slopes**2 * length + 2 * coefficients * slopes * shared - 2 * coefficients * products - 2 * slopes * along
        return squares, -slopes, coefficients
