"""The reference: equilibria computed independently of every algorithm. Only this room calls a solver library."""

from mmd_games.equilibria.distance import distance_to_equilibria as distance_to_equilibria
from mmd_games.equilibria.exact import ExactEquilibrium as ExactEquilibrium
from mmd_games.equilibria.exact import equilibrium_certificate as equilibrium_certificate
from mmd_games.equilibria.exact import gap_certificate as gap_certificate
from mmd_games.equilibria.exact import write_certificate as write_certificate
from mmd_games.equilibria.many_games import nash_many as nash_many
from mmd_games.equilibria.many_regularised import regularised_equilibria_near as regularised_equilibria_near
from mmd_games.equilibria.nash_equilibrium import NashEquilibrium as NashEquilibrium
from mmd_games.equilibria.one_game import nash as nash
from mmd_games.equilibria.regularised import RegularisedEquilibrium as RegularisedEquilibrium
from mmd_games.equilibria.regularised import plateau as plateau
from mmd_games.equilibria.regularised import regularised_equilibrium as regularised_equilibrium
