"""Whether the part of a record that looks straight is straight by itself, or bends as what falls ever more slowly does that late in a run."""

from __future__ import annotations

import math

import numpy as np

from mmd_games.verification.measured import shapes
from mmd_games.verification.measured.fitting import EXACT, LARGEST_POWER
from mmd_games.verification.measured.intervals import independent
from mmd_games.verification.measured.regression import Regression
from mmd_games.verification.measured.rotations import rotations
from mmd_games.verification.measured.stretches import averages


def straightness(times: np.ndarray, logs: np.ndarray, begun: float) -> float:
    """By how much a line explains these gaps better than every power law and stretched exponential on every clock, in units of the information criterion.

    A stretched exponential with a slow wave looks like two modes, of which the slower is a line: over that line alone it still bends.

    Parameters
    ----------
    times, logs : array (used,)
        Iterations of the straight part, counted from the first of the record, and logarithms of its gaps.
    begun : float
        That first iteration.
    """
    centres, y, _ = averages(times, logs)
    x, span = centres / times[-1], (times[-1] - times[0]) / times[-1]
    smooth = np.column_stack([np.ones(len(x)), x])
    basis = np.linalg.qr(smooth)[0]
    turns = rotations(x / span, y - basis @ (basis.T @ y), smooth)
    regression = Regression(x, y, turns)
    _, slope = regression.best(-x[None])
    line = regression.fit("a line", "line", 1, -slope * x)
    bends = []
    for clock, _ in shapes.clocks(x, begun / times[-1]):
        for name, curves, largest in (
            ("power law", shapes.power_laws(clock, shapes.OFFSETS), LARGEST_POWER),
            ("stretched exponential", shapes.stretched_exponentials(clock, shapes.EXPONENTS), shapes.DEEPEST),
        ):
            row, coefficient = regression.best(curves, high=largest)
            bends.append(regression.fit(name, name, 2, coefficient * curves[row]))
    bend = min(bends, key=lambda fit: fit.squares)
    number = independent(min(line, bend, key=lambda fit: fit.squares).residuals, turns.shape[1])
    return number * math.log((bend.squares + len(x) * EXACT) / (line.squares + len(x) * EXACT))
