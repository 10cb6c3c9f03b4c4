"""Games from what was observed: battles, ballots, rankings, scores and ratings, each counted into one small table of wins and ties."""

from mmd_games.games.data.ballots import Ballots as Ballots
from mmd_games.games.data.battles import read_battles as read_battles
from mmd_games.games.data.comparisons import Comparisons as Comparisons
from mmd_games.games.data.comparisons import skew_tables as skew_tables
from mmd_games.games.data.preflib import read_preflib as read_preflib
from mmd_games.games.data.rankings import read_rankings as read_rankings
from mmd_games.games.data.ratings import read_ratings as read_ratings
from mmd_games.games.data.reading import read_data as read_data
from mmd_games.games.data.scores import read_scores as read_scores
from mmd_games.games.data.unmet import game_from as game_from
