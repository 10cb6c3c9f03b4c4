"""The bridge back to the tables: a language model over completions that can be listed *is* a tabular policy, and its training a run to be judged."""

from mmd_games.llm.bridge.checkpoints import distance_to_tabular as distance_to_tabular
from mmd_games.llm.bridge.checkpoints import trace_from_checkpoints as trace_from_checkpoints
from mmd_games.llm.bridge.enumerated import EnumeratedPolicy as EnumeratedPolicy
from mmd_games.llm.bridge.enumerated import as_game as as_game
from mmd_games.llm.bridge.enumerated import enumerated_log_policy as enumerated_log_policy
from mmd_games.llm.bridge.family import FamilyGaps as FamilyGaps
from mmd_games.llm.bridge.family import GameFamily as GameFamily
from mmd_games.llm.bridge.report import BridgeReport as BridgeReport
from mmd_games.llm.bridge.report import verify_checkpoints as verify_checkpoints
