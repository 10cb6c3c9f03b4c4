"""The command line: `mmd-games verify | compare | predict | nash | …`, a module for each command.

Standard output carries the result alone (with `--json`, JSON alone); progress and notes go to standard error. Exit status: 0 confirmed (or done),
1 refuted, 2 bad input or usage, 3 inconclusive, 130 interrupted, 141 where nobody reads the output any more.
"""

# Importing a module registers its command with the application.
from mmd_games.cli import bench as bench
from mmd_games.cli import certificates as certificates
from mmd_games.cli import compare as compare
from mmd_games.cli import extensions as extensions
from mmd_games.cli import lists as lists
from mmd_games.cli import nash as nash
from mmd_games.cli import predict as predict
from mmd_games.cli import rank as rank
from mmd_games.cli import verify as verify
from mmd_games.cli.entry import main as main
