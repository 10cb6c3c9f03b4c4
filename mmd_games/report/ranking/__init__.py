"""A ranking as people see it: text, JSON, a page, a directory of files."""

from mmd_games.report.ranking.record import RANKING_FILES as RANKING_FILES
from mmd_games.report.ranking.record import Ranking as Ranking
from mmd_games.report.ranking.record import rank as rank
