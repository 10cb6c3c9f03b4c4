"""Who plays. An algorithm sees a function `payoffs`, never a game."""

from mmd_games.algorithms.log_linear import LogLinear as LogLinear
from mmd_games.algorithms.log_linear import NamedMethod as NamedMethod
from mmd_games.algorithms.log_linear import State as State
from mmd_games.algorithms.methods import Extragradient as Extragradient
from mmd_games.algorithms.methods import MagneticMirrorDescent as MagneticMirrorDescent
from mmd_games.algorithms.methods import MagneticPreferenceOptimization as MagneticPreferenceOptimization
from mmd_games.algorithms.methods import MultiplicativeWeights as MultiplicativeWeights
from mmd_games.algorithms.methods import NashMirrorDescent as NashMirrorDescent
from mmd_games.algorithms.methods import OptimisticMultiplicativeWeights as OptimisticMultiplicativeWeights
from mmd_games.algorithms.methods import PolicyUpdate as PolicyUpdate
from mmd_games.algorithms.registry import from_settings as from_settings
from mmd_games.algorithms.registry import from_spec as from_spec
from mmd_games.algorithms.registry import listing as listing
from mmd_games.algorithms.registry import to_spec as to_spec
