"""Who plays. An algorithm sees a function `payoffs`, never a game.

Every method is a frozen, keyword-only record of scalars, so settings print, compare, hash, and become keys on the command line. Which one to choose:

===============================  =====================================  ==========================
method                           last iterate converges to              products a step
===============================  =====================================  ==========================
MagneticPreferenceOptimization   the Nash equilibrium, linearly         1 (2 with ``inner="pu"``)
OptimisticMultiplicativeWeights  the Nash equilibrium, linearly         1
Extragradient                    the Nash equilibrium, linearly         2
MagneticMirrorDescent            the magnet's regularised equilibrium   1
PolicyUpdate                     the magnet's regularised equilibrium   2
NashMirrorDescent                the magnet's regularised equilibrium   1
MultiplicativeWeights            nothing, unless the equilibrium is     1
                                 pure
===============================  =====================================  ==========================
"""

from mmd_games.algorithms.log_linear import LogLinear as LogLinear
from mmd_games.algorithms.log_linear import NamedMethod as NamedMethod
from mmd_games.algorithms.log_linear import State as State
from mmd_games.algorithms.magnetic import MagneticMirrorDescent as MagneticMirrorDescent
from mmd_games.algorithms.magnetic import MagneticPreferenceOptimization as MagneticPreferenceOptimization
from mmd_games.algorithms.magnetic import NashMirrorDescent as NashMirrorDescent
from mmd_games.algorithms.magnetic import PolicyUpdate as PolicyUpdate
from mmd_games.algorithms.magnetless import Extragradient as Extragradient
from mmd_games.algorithms.magnetless import MultiplicativeWeights as MultiplicativeWeights
from mmd_games.algorithms.magnetless import OptimisticMultiplicativeWeights as OptimisticMultiplicativeWeights
from mmd_games.algorithms.registry import from_settings as from_settings
from mmd_games.algorithms.registry import from_spec as from_spec
from mmd_games.algorithms.registry import listing as listing
from mmd_games.algorithms.registry import to_spec as to_spec
