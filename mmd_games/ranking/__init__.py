"""What a table of comparisons says of a ranking, and how surely: resampled equilibria, older rankings, and the cycles between them."""

from mmd_games.ranking.bradley_terry import elo_points as elo_points
from mmd_games.ranking.cycles import Contradictions as Contradictions
from mmd_games.ranking.cycles import Cycle as Cycle
from mmd_games.ranking.cycles import contradictions as contradictions
from mmd_games.ranking.lotteries import Resampled as Resampled
from mmd_games.ranking.orders import borda_scores as borda_scores
from mmd_games.ranking.orders import condorcet_winner as condorcet_winner
from mmd_games.ranking.orders import copeland_scores as copeland_scores
from mmd_games.ranking.resampling import resampled_tables as resampled_tables
from mmd_games.ranking.standings import Standings as Standings
from mmd_games.ranking.standings import standings as standings
