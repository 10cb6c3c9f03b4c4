"""The choices of a log-linear method as numbers, which compiled code can tell apart."""

from __future__ import annotations

EVALUATIONS = ("iterate", "extrapolated", "half_step", "mixture")
"""Where the payoff is evaluated: the places in this tuple are the numbers."""
ITERATE, EXTRAPOLATED, HALF_STEP, MIXTURE = range(len(EVALUATIONS))
STILL, REFRESHED, MOVING = range(3)
MAGNETS = {"absent": STILL, "fixed": STILL, "refreshed": REFRESHED, "moving": MOVING}
"""What the magnet does."""
