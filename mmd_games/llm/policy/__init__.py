"""A language model as a policy: probabilities of whole completions, the magnet beside it, and completions drawn from it."""

from mmd_games.llm.policy.adapters import without_needless_casts as without_needless_casts
from mmd_games.llm.policy.generation import Generator as Generator
from mmd_games.llm.policy.generation import TransformersGenerator as TransformersGenerator
from mmd_games.llm.policy.log_probs import CausalBatch as CausalBatch
from mmd_games.llm.policy.log_probs import completion_log_probs as completion_log_probs
from mmd_games.llm.policy.log_probs import make_batch as make_batch
from mmd_games.llm.policy.magnet import PolicyAndMagnet as PolicyAndMagnet
from mmd_games.llm.policy.modules import without_dropout as without_dropout
