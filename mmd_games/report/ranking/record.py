"""A ranking, and the forms it takes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmd_games import plots
from mmd_games.games.preference import PreferenceGame
from mmd_games.ranking import Standings, standings
from mmd_games.report.ranking.contents import headline, table_rows
from mmd_games.report.ranking.document import as_dict, table_text
from mmd_games.report.ranking.forms import MOST_ROWS, as_html, as_text, figure_of, remarks
from mmd_games.report.saving import output_directory

RANKING_FILES = ("rank.txt", "rank.json", "rank.html", "table.json", "lottery.png")
"""What a saved ranking consists of."""
DRAWS = 200
"""Resampled tables, unless told otherwise."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """A ranking of the actions of a preference game, with what it rests on.

    Attributes
    ----------
    standings : Standings
        All its numbers.
    reproduce : str
        The command that makes it again; may be empty.
    """

    standings: Standings
    reproduce: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names, the first first."""
        return tuple(self.standings.names[index] for index in self.standings.order.tolist())

    @property
    def condorcet_winner(self) -> str | None:
        """The name that beats every other one more often than not, where there is one."""
        winner = self.standings.condorcet
        return None if winner is None else self.standings.names[winner]

    @property
    def exit_status(self) -> int:
        """0; 3 where the equilibrium missed its tolerance."""
        return 0 if self.standings.equilibrium.converged else 3

    @property
    def sentence(self) -> str:
        """Who is first, in one sentence."""
        return headline(self.standings)

    def rows(self) -> list[dict[str, str]]:
        """The first names as the rows of a table of text."""
        return table_rows(self.standings, MOST_ROWS)

    def remarks(self) -> list[str]:
        """The lines of text under such a table: what it leaves out, what it rests on, the cycles, and how to make it again."""
        return remarks(self)

    def __str__(self) -> str:
        return as_text(self)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, by the schema that ``mmd_games.report.json_schema("rank")`` returns."""
        return as_dict(self)

    def to_frame(self) -> Any:
        """A pandas frame with a row a name, the first first."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["ranking"])

    def to_html(self) -> str:
        """One page that needs nothing else."""
        return as_html(self)

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the lottery with its intervals into a file (.png, .svg or .pdf)."""
        return plots.save(figure_of(self), path)

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write rank.txt, rank.json, rank.html, lottery.png, and table.json, the counted table as every other command reads it, into a directory, all whole or not at all."""
        with output_directory(directory) as folder:
            (folder / "rank.txt").write_text(f"{self}\n", encoding="utf-8")
            (folder / "rank.json").write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            (folder / "rank.html").write_text(self.to_html(), encoding="utf-8")
            (folder / "table.json").write_text(table_text(self.standings.game), encoding="utf-8")
            self.plot(folder / "lottery.png")
        return Path(directory)


def rank(game: PreferenceGame, *, bootstrap: int = DRAWS, seed: int = 0, level: float = 0.95, reproduce: str = "") -> Ranking:
    """Rank the actions of a preference game by its equilibrium, a maximal lottery, with intervals, and beside Elo, Borda and Copeland.

    Parameters
    ----------
    game : PreferenceGame
        Such as ``mg.PreferenceGame.from_battles(…)`` makes; intervals need the counts that such a game has.
    bootstrap : int
        How many tables are drawn from the records anew; 0 for none.
    seed : int
    level : float
        Of the intervals.
    reproduce : str
        The command that makes the ranking again, printed with it.

    Returns
    -------
    Ranking
        Prints as text; ``ranking.save(directory)`` writes it out.

    Examples
    --------
    >>> import mmd_games as mg
    >>> ranking = mg.rank(mg.PreferenceGame.from_rankings([["a", "b", "c"], ["a", "c", "b"], ["b", "a", "c"]]), bootstrap=0)
    >>> ranking.condorcet_winner, ranking.names
    ('a', ('a', 'b', 'c'))
    """
    return Ranking(standings(game, bootstrap, seed, level), reproduce)
