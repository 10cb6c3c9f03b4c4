"""Last-iterate convergence to the Nash equilibria of preference games: run it, verify it, and only then fine-tune with it.

The data flows one way: game → ``solve`` → trace → ``verify`` → report.
"""

from mmd_games import algorithms as algorithms
from mmd_games import games as games
from mmd_games import plots as plots
from mmd_games.algorithms import AdaptiveMPO as AdaptiveMPO
from mmd_games.algorithms import Extragradient as Extragradient
from mmd_games.algorithms import MagneticMirrorDescent as MagneticMirrorDescent
from mmd_games.algorithms import MagneticPreferenceOptimization as MagneticPreferenceOptimization
from mmd_games.algorithms import MultiplicativeWeights as MultiplicativeWeights
from mmd_games.algorithms import NashMirrorDescent as NashMirrorDescent
from mmd_games.algorithms import OptimisticMultiplicativeWeights as OptimisticMultiplicativeWeights
from mmd_games.algorithms import PolicyUpdate as PolicyUpdate
from mmd_games.equilibria import ExactEquilibrium as ExactEquilibrium
from mmd_games.equilibria import NashEquilibrium as NashEquilibrium
from mmd_games.equilibria import RegularisedEquilibrium as RegularisedEquilibrium
from mmd_games.equilibria import distance_to_equilibria as distance_to_equilibria
from mmd_games.equilibria import equilibrium_certificate as equilibrium_certificate
from mmd_games.equilibria import gap_certificate as gap_certificate
from mmd_games.equilibria import nash as nash
from mmd_games.equilibria import nash_many as nash_many
from mmd_games.equilibria import regularised_equilibrium as regularised_equilibrium
from mmd_games.equilibria import write_certificate as write_certificate
from mmd_games.errors import InputError as InputError
from mmd_games.games.files import read_game as read_game
from mmd_games.games.game import Game as Game
from mmd_games.games.game import certified_gap as certified_gap
from mmd_games.games.game import duality_gap as duality_gap
from mmd_games.games.game import exact_gap as exact_gap
from mmd_games.games.implicit import GeneralPreferenceGame as GeneralPreferenceGame
from mmd_games.games.implicit import LowRankGame as LowRankGame
from mmd_games.games.implicit import SparseGame as SparseGame
from mmd_games.games.implicit import SumGame as SumGame
from mmd_games.games.matrix import MatrixGame as MatrixGame
from mmd_games.games.preference import PreferenceGame as PreferenceGame
from mmd_games.loop import Corrupted as Corrupted
from mmd_games.loop import CorruptedVotes as CorruptedVotes
from mmd_games.loop import Exact as Exact
from mmd_games.loop import Noisy as Noisy
from mmd_games.loop import Record as Record
from mmd_games.loop import Sampled as Sampled
from mmd_games.loop import StderrProgress as StderrProgress
from mmd_games.loop import Trace as Trace
from mmd_games.loop import gap_difference_bound as gap_difference_bound
from mmd_games.loop import solve as solve
from mmd_games.loop import solve_many as solve_many
from mmd_games.report import Ranking as Ranking
from mmd_games.report import Report as Report
from mmd_games.report import rank as rank
from mmd_games.report import verify as verify
from mmd_games.verification import Claim as Claim
from mmd_games.verification import Convergence as Convergence
from mmd_games.verification import RatePrediction as RatePrediction
from mmd_games.verification import Verdict as Verdict
from mmd_games.verification import classify_convergence as classify_convergence
from mmd_games.verification import predict_rate as predict_rate

__version__ = "0.1.0"
