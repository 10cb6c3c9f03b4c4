"""`python -m mmd_games.cli` is `mmd-games`."""

import sys

from mmd_games.cli import main

if __name__ == "__main__":
    sys.exit(main())
