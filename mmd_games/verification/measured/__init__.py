"""What a record shows: how the gap falls, told by comparing models."""

from mmd_games.verification.measured.acceleration import falls_ever_faster as falls_ever_faster
from mmd_games.verification.measured.convergence import FEWEST_BINS as FEWEST_BINS
from mmd_games.verification.measured.convergence import Convergence as Convergence
from mmd_games.verification.measured.convergence import Kind as Kind
from mmd_games.verification.measured.convergence import classify_convergence as classify_convergence
