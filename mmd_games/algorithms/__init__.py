"""Who plays. An algorithm sees a function `payoffs`, never a game.

Every method is a frozen, keyword-only record of scalars, so settings print, compare, hash, and become keys on the command line. Which one to choose:

==================================  =====================================  ==========================
method                              last iterate converges to              products a step
==================================  =====================================  ==========================
AdaptiveMPO                         the Nash equilibrium, faster than      as many as its linear
                                    linearly; nothing to tune              systems take
MagneticPreferenceOptimization      the Nash equilibrium, linearly         1 (2 with ``inner="pu"``)
ConvergentMetaAlignment             the Nash equilibrium, linearly         1
AdaptivelyPerturbedMirrorDescent    the Nash equilibrium, linearly         1
NashPolicyGradient                  the Nash equilibrium, linearly         1
RegularisedNashDynamics             the Nash equilibrium, linearly         1
OptimisticMultiplicativeWeights     the Nash equilibrium, linearly         1
OptimisticNashPolicyOptimization    the Nash equilibrium, linearly         1
Extragradient                       the Nash equilibrium, linearly         2
AdaGradExtragradient                the Nash equilibrium, linearly         2
OptimisticGradientAscent            the Nash equilibrium, linearly         1
ProjectedExtragradient              the Nash equilibrium, linearly         2
RestartedExtragradient              the Nash equilibrium, linearly, with   2
                                    restarts to the average
RestartedPrimalDual                 the Nash equilibrium, linearly, with   2
                                    restarts to the average
SmoothPredictiveRegretMatchingPlus  the Nash equilibrium, linearly         1
AverageToLast                       the Nash equilibrium, as 1/t           1
BoostedGradientAscent               the Nash equilibrium, as 1/t           1
RegretMatchingPlus                  the Nash equilibrium, by what is       1
                                    judged: the average
PredictiveRegretMatchingPlus        the Nash equilibrium, by what is       1
                                    judged: the average
HamiltonianDescent                  an interior Nash equilibrium,          2
                                    linearly; it may end at any vertex
ConsensusOptimization               an interior Nash equilibrium,          2
                                    linearly; it may end at any vertex
MagneticMirrorDescent               the magnet's regularised equilibrium   1
IterativeNashPolicyOptimization     the magnet's regularised equilibrium   1
PolicyUpdate                        the magnet's regularised equilibrium   2
NashMirrorProx                      the magnet's regularised equilibrium   2
NashMirrorDescent                   the magnet's regularised equilibrium   1
MultiplicativeWeights               nothing, unless the equilibrium is     1
                                    pure
SelfPlayPreferenceOptimization      nothing, unless the equilibrium is     1
                                    pure
==================================  =====================================  ==========================
"""

from mmd_games.algorithms.adagrad import AdaGradExtragradient as AdaGradExtragradient
from mmd_games.algorithms.adaptive import AdaptiveMPO as AdaptiveMPO
from mmd_games.algorithms.averaged import AverageToLast as AverageToLast
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
from mmd_games.algorithms.preference_optimization import IterativeNashPolicyOptimization as IterativeNashPolicyOptimization
from mmd_games.algorithms.preference_optimization import NashMirrorProx as NashMirrorProx
from mmd_games.algorithms.preference_optimization import OptimisticNashPolicyOptimization as OptimisticNashPolicyOptimization
from mmd_games.algorithms.preference_optimization import SelfPlayPreferenceOptimization as SelfPlayPreferenceOptimization
from mmd_games.algorithms.projected import BoostedGradientAscent as BoostedGradientAscent
from mmd_games.algorithms.projected import OptimisticGradientAscent as OptimisticGradientAscent
from mmd_games.algorithms.projected import ProjectedExtragradient as ProjectedExtragradient
from mmd_games.algorithms.proximal_loops import AdaptivelyPerturbedMirrorDescent as AdaptivelyPerturbedMirrorDescent
from mmd_games.algorithms.proximal_loops import ConvergentMetaAlignment as ConvergentMetaAlignment
from mmd_games.algorithms.proximal_loops import NashPolicyGradient as NashPolicyGradient
from mmd_games.algorithms.proximal_loops import RegularisedNashDynamics as RegularisedNashDynamics
from mmd_games.algorithms.registry import from_settings as from_settings
from mmd_games.algorithms.registry import from_spec as from_spec
from mmd_games.algorithms.registry import listing as listing
from mmd_games.algorithms.registry import to_spec as to_spec
from mmd_games.algorithms.regret_matching import PredictiveRegretMatchingPlus as PredictiveRegretMatchingPlus
from mmd_games.algorithms.regret_matching import RegretMatchingPlus as RegretMatchingPlus
from mmd_games.algorithms.regret_matching import SmoothPredictiveRegretMatchingPlus as SmoothPredictiveRegretMatchingPlus
from mmd_games.algorithms.restarts import RestartedExtragradient as RestartedExtragradient
from mmd_games.algorithms.restarts import RestartedPrimalDual as RestartedPrimalDual
from mmd_games.algorithms.softmax_gradients import ConsensusOptimization as ConsensusOptimization
from mmd_games.algorithms.softmax_gradients import HamiltonianDescent as HamiltonianDescent
