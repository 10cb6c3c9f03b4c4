"""Symmetric games whose payoff matrix is never formed: from embeddings, sparse, and sums of games."""

from mmd_games.games.implicit.general_preference import GeneralPreferenceGame as GeneralPreferenceGame
from mmd_games.games.implicit.low_rank import LowRankGame as LowRankGame
from mmd_games.games.implicit.sparse import SparseGame as SparseGame
from mmd_games.games.implicit.sums import SumGame as SumGame
