"""Exact Nash equilibria in rational numbers, with what is proved of them, and certificates that others can check."""

from mmd_games.equilibria.exact.certificates import equilibrium_certificate as equilibrium_certificate
from mmd_games.equilibria.exact.certificates import gap_certificate as gap_certificate
from mmd_games.equilibria.exact.certificates import write_certificate as write_certificate
from mmd_games.equilibria.exact.proof import ExactEquilibrium as ExactEquilibrium
from mmd_games.equilibria.exact.search import exact_equilibrium as exact_equilibrium
