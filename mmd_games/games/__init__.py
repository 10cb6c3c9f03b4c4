"""What is played, and what a policy is worth in it. A game knows nothing of algorithms."""

from mmd_games.games.catalogue import from_spec, listing, takes_seed
from mmd_games.games.colonel_blotto import blotto
from mmd_games.games.degenerate import duplicated, integers, saturated
from mmd_games.games.embedded import general_preference, low_rank
from mmd_games.games.files import SUFFIXES, read_game
from mmd_games.games.game import Game
from mmd_games.games.implicit import GeneralPreferenceGame, LowRankGame, SparseGame, SumGame
from mmd_games.games.matrix import MatrixGame
from mmd_games.games.openspiel import openspiel_game
from mmd_games.games.preference import PreferenceGame
from mmd_games.games.random_games import (
    bradley_terry,
    disc,
    noisy_elo,
    random,
    transitive_cyclic,
)
from mmd_games.games.structured import (
    a_delta,
    clones,
    comal,
    conditioned_cycle,
    cycle,
    generalised_rps,
    kuhn_poker,
    matching_pennies,
    rock_paper_scissors,
    spinning_top,
)

__all__ = [
    "SUFFIXES",
    "Game",
    "GeneralPreferenceGame",
    "LowRankGame",
    "MatrixGame",
    "PreferenceGame",
    "SparseGame",
    "SumGame",
    "a_delta",
    "blotto",
    "bradley_terry",
    "clones",
    "comal",
    "conditioned_cycle",
    "cycle",
    "disc",
    "duplicated",
    "from_spec",
    "general_preference",
    "generalised_rps",
    "integers",
    "kuhn_poker",
    "listing",
    "low_rank",
    "matching_pennies",
    "noisy_elo",
    "openspiel_game",
    "random",
    "read_game",
    "rock_paper_scissors",
    "saturated",
    "spinning_top",
    "takes_seed",
    "transitive_cyclic",
]
