"""The best fit of every family of shapes to a record: what competes."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.verification.measured import shapes
from mmd_games.verification.measured.regression import Fit, Regression

NATS = math.log(10)
"""Nats in a decade."""
EXACT = 1e-16
"""Mean squared residuals below this are rounding."""
LARGEST_POWER = 8.0
"""A power law with a larger p, and an offset, is a line by another name."""
TRANSIENT = (0.5, 1.5)
"""Bounds of a transient's coefficient, which is 1 up to the steps of its grid."""
AFTER_PLATEAU = "a line after a plateau"
NO_CORNER = 0.8
"""A line that has this part of its slope before its corner, or beside a faster mode, is a line from the start."""
LARGEST_RISE = 0.2
"""A line may begin with a rise by this part of its fall."""


def fit_all(x: np.ndarray, y: np.ndarray, begun: float = 0.0, rotations: np.ndarray | None = None) -> list[Fit]:
    """The best fit of every family of shapes.

    Parameters
    ----------
    x, y : array (points,)
        Times from 0 to 1, and logarithms of gaps.
    begun : float
        How long before the record iteration 0 was, in the unit of x.
    rotations : array (points, columns), optional
    """
    regression = Regression(x, y, np.empty((len(x), 0)) if rotations is None else rotations)
    return [*_steady(regression), *_sublinear(regression, begun), *_lines(regression)]


def _steady(regression: Regression) -> list[Fit]:
    """Nothing but a level; a transient to a plateau; growth, after a fall or from the start."""
    x = regression.x
    found = [regression.fit("a constant", "plateau", 0, np.zeros(len(x)))]
    for name, time in shapes.TIMES.items():
        grid = shapes.pairs(shapes.DEPTHS, shapes.ARRIVALS)
        row, _ = regression.best(shapes.transients(x, *grid, time), *TRANSIENT)
        grid = shapes.finer(grid[0][row], grid[1][row], shapes.ARRIVALS)
        curves = shapes.transients(x, *grid, time)
        row, height = regression.best(curves, *TRANSIENT)
        found.append(regression.fit(f"a plateau after a {name}", "plateau", 3, height * curves[row]))
    curves = shapes.growths(x)
    row, speed = regression.best(curves)
    found.append(regression.fit("growth", "growth", 2, speed * curves[row]))
    return found


def _sublinear(regression: Regression, begun: float) -> list[Fit]:
    """A power law and a stretched exponential, on every clock."""
    found = []
    for x, since in shapes.clocks(regression.x, begun):
        row, _ = regression.best(shapes.power_laws(x, shapes.OFFSETS), high=LARGEST_POWER)
        curves = shapes.power_laws(x, shapes.OFFSETS[row] * shapes.FINER)
        row, exponent = regression.best(curves, high=LARGEST_POWER)
        found.append(regression.fit(f"a power law{since} (exponent {exponent:.2g})", "power law", 2, exponent * curves[row]))
        row, _ = regression.best(shapes.stretched_exponentials(x, shapes.EXPONENTS), high=shapes.DEEPEST)
        exponents = np.minimum(shapes.EXPONENTS[row] * shapes.FINER, shapes.EXPONENTS[-1])
        curves = shapes.stretched_exponentials(x, exponents)
        row, fall = regression.best(curves, high=shapes.DEEPEST)
        found.append(regression.fit(f"a stretched exponential{since} (b = {exponents[row]:.2g})", "stretched exponential", 2, fall * curves[row]))
    return found


def _lines(regression: Regression) -> list[Fit]:
    """A line; a line after a faster mode; a line after a plateau."""
    x = regression.x
    _, slope = regression.best(-x[None], low=-math.inf)
    found = [regression.fit("a line", "line", 1, -slope * x, slope=slope, fall=slope)]

    grid = shapes.pairs(shapes.DEPTHS, shapes.KNEES)
    row = int(np.argmin(regression.beside_line(shapes.transients(x, *grid, shapes.TIMES["line"]))[0]))
    depths, knees = shapes.joined(grid, shapes.finer(grid[0][row], grid[1][row], shapes.KNEES))
    curves = shapes.transients(x, depths, knees, shapes.TIMES["line"])
    squares, slopes, heights = regression.beside_line(curves)
    from_start = (slopes > 0) & (slopes > NO_CORNER * (slopes + heights * depths / knees))
    falls = slopes * np.where(from_start, 1.0, 1 - knees)
    found += _by_fall(regression, "a line after a faster mode", heights[:, None] * curves - slopes[:, None] * x, squares, slopes, falls)

    grid = shapes.pairs(shapes.SHARPNESS, shapes.CORNERS)
    row = int(np.argmin(regression.beside_line(shapes.corners(x, *grid))[0]))
    sharpness, corners = shapes.joined(grid, shapes.finer(grid[0][row], grid[1][row], shapes.CORNERS))
    curves = shapes.corners(x, sharpness, corners)
    squares, before, added = regression.beside_line(curves)
    slopes = before + added
    falls = slopes * np.where(before > NO_CORNER * slopes, 1.0, 1 - corners)
    # What rises first and falls no further than that is no line after a plateau.
    falls = np.where(-before * corners > LARGEST_RISE * np.maximum(falls, 0), np.minimum(falls, NATS), falls)
    return found + _by_fall(regression, AFTER_PLATEAU, added[:, None] * curves - before[:, None] * x, squares, slopes, falls)


def _by_fall(regression: Regression, name: str, trends: np.ndarray, squares: np.ndarray, slopes: np.ndarray, falls: np.ndarray) -> list[Fit]:
    """The best of those that end in a line which falls by more than a decade, of those whose line falls by less, and of those whose line rises."""
    found = []
    for chosen, words in (
        (falls > NATS, name),
        ((falls > 0) & (falls <= NATS), f"{name}, too short to be one"),
        (falls <= 0, f"{name}, which rises"),
    ):
        if np.any(chosen):
            row = int(np.argmin(np.where(chosen, squares, np.inf)))
            found.append(regression.fit(words, "line", 4, trends[row], slope=float(slopes[row]), fall=float(falls[row])))
    return found
