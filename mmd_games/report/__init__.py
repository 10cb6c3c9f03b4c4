"""The report: what a judgement says, as text, JSON, HTML and a directory of files."""

from mmd_games.report.comparison import COMPARISON_SCHEMA as COMPARISON_SCHEMA
from mmd_games.report.comparison import comparison_dict as comparison_dict
from mmd_games.report.comparison import comparison_html as comparison_html
from mmd_games.report.comparison import comparison_rows as comparison_rows
from mmd_games.report.comparison import save_comparison as save_comparison
from mmd_games.report.document import SCHEMA as SCHEMA
from mmd_games.report.document import json_schema as json_schema
from mmd_games.report.document import plain as plain
from mmd_games.report.ranking import RANKING_FILES as RANKING_FILES
from mmd_games.report.ranking import Ranking as Ranking
from mmd_games.report.ranking import rank as rank
from mmd_games.report.record import FILES as FILES
from mmd_games.report.record import Report as Report
from mmd_games.report.record import verify as verify
from mmd_games.report.saving import output_directory as output_directory
from mmd_games.report.saving import require_writable as require_writable
