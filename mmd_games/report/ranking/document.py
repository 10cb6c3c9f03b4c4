"""A ranking as JSON, by `rank.schema.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mmd_games.games.preference import PreferenceGame
from mmd_games.report.contents import versions
from mmd_games.report.document import plain
from mmd_games.report.ranking.contents import headline

if TYPE_CHECKING:
    from mmd_games.report.ranking.record import Ranking

RANK_SCHEMA = "mmd_games.rank/1"


def as_dict(ranking: Ranking) -> dict[str, Any]:
    """The ranking as JSON takes it; payoffs are in the game's units (of win probabilities: P − 1/2)."""
    it = ranking.standings
    game, sample, found = it.game, it.sample, it.against_elo
    counted = game.comparisons
    return plain(
        {
            "schema": RANK_SCHEMA,
            "sentence": headline(it),
            "game": {"name": game.name, "units": game.units, "actions": game.actions, "scale": game.scale},
            "records": None
            if counted is None
            else {
                "unit": counted.unit,
                "counted": counted.records,
                "table": counted.table,
                "prior_strength": counted.strength,
                "ties": int(counted.ties.sum()) // 2,
            },
            "condorcet_winner": ranking.condorcet_winner,
            "unique": it.unique,
            "ranking": [_row(ranking, place, index) for place, index in enumerate(it.order.tolist(), start=1)],
            "contradictions_of_elo": {
                "pairs": found.pairs,
                "on_cycles": found.on_cycles,
                "cycles_of_three": found.triangles,
                "smallest_cycles": [{"names": [it.names[index] for index in cycle.actions], "margins": cycle.margins} for cycle in found.cycles],
            },
            "resampled": None
            if sample is None
            else {
                "draws": sample.draws,
                "seed": sample.seed,
                "level": sample.level,
                "gap_median": sample.gap_median,
                "gap_high": sample.gap_high,
                "no_condorcet_winner": 1 - sample.condorcet.sum(),
                "not_converged": sample.not_converged,
            },
            "equilibrium": it.equilibrium.to_dict(),
            "notes": it.notes,
            "reproduce": ranking.reproduce,
            "made_with": versions(),
        }
    )


def _row(ranking: Ranking, place: int, index: int) -> dict[str, Any]:
    it, sample = ranking.standings, ranking.standings.sample
    return {
        "place": place,
        "name": it.names[index],
        "probability": it.equilibrium.policy[index],
        "interval": None if sample is None else [sample.low[index], sample.high[index]],
        "in_support": None if sample is None else sample.in_support[index],
        "beats_all": None if sample is None else sample.condorcet[index],
        "earns": it.scores[index],
        "earns_interval": None if sample is None else [sample.score_low[index], sample.score_high[index]],
        "elo": it.elo[index],
        "elo_place": it.elo_place[index],
        "borda": it.borda[index],
        "borda_place": it.borda_place[index],
        "copeland": it.copeland[index],
        "copeland_place": it.copeland_place[index],
    }


def table_text(game: PreferenceGame) -> str:
    """The table as JSON that :func:`mmd_games.read_game` reads, a row a line."""
    kind, table = ("preference", game.preference) if game.value_offset else ("payoffs", game.payoff_matrix)
    rows = ",\n  ".join(json.dumps(row) for row in table.tolist())
    labels = game.labels[0] if game.labels else [str(action + 1) for action in range(game.actions)]
    return f'{{"labels": {json.dumps(list(labels), ensure_ascii=False)},\n "{kind}": [\n  {rows}]}}\n'
