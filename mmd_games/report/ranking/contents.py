"""What a ranking says and in which order, whatever the form."""

from __future__ import annotations

import numpy as np

from mmd_games.ranking import Cycle, Standings
from mmd_games.words import brief

LONGEST_NAME = 40
"""Characters of a name in a sentence or in a table on a terminal."""
MOST_NAMED = 8
WORDS = (
    (
        "lottery",
        "the Nash equilibrium of the table, the policy that no other beats on average: a maximal lottery in social choice (Kreweras 1965; Fishburn 1984), Nash averaging where models are "
        "evaluated (Balduzzi et al. 2018). A copy of a name shares its probability and changes nothing for the others. Of several equilibria it is the one of largest entropy.",
    ),
    (
        "interval",
        "what most of the resampled tables' lotteries hold. A lottery may jump where a majority turns, so this shows how it varies, and is no promise of how often it holds the truth.",
    ),
    ("earns", "the average payoff against the lottery: nothing can earn more than what the lottery plays."),
    ("Elo", "points of the Bradley-Terry fit (maximum likelihood, mean 1000, 400 points for odds of ten to one)."),
    ("Borda", "the average payoff against all others, each counted alike."),
    ("Copeland", "how many others are beaten more often than not, half a point where even."),
)
"""What a ranking speaks of, explained once."""


def headline(standings: Standings) -> str:
    """Who is first, in one sentence."""
    played = [index for index in standings.order.tolist() if standings.equilibrium.policy[index] > 0]
    if standings.condorcet is not None:
        return f"{short(standings.names[standings.condorcet])} is the Condorcet winner: it beats every other name more often than not, and the lottery plays it alone."
    if standings.against_elo.triangles == 0 and len(played) == len(standings.names) and float(standings.game.scale) == 0:
        return "All names are even: every lottery is an equilibrium."
    named = ", ".join(f"{short(standings.names[index])} {standings.equilibrium.policy[index]:.3g}" for index in played[:MOST_NAMED])
    more = f", and {len(played) - MOST_NAMED:,} more" if len(played) > MOST_NAMED else ""
    return f"No name beats all the others (no Condorcet winner); the lottery plays {len(played):,} of {len(standings.names):,}: {named}{more}."


def facts(standings: Standings) -> list[tuple[str, str]]:
    """What was ranked, how surely, and where rankings differ, as (name, text)."""
    equilibrium, sample = standings.equilibrium, standings.sample
    only = "the only equilibrium" if standings.unique else "one of several equilibria, that of largest entropy"
    converged = "" if equilibrium.converged else "; NOT CONVERGED: this is the best point found"
    rows = [
        ("data", standings.game.describe()),
        ("lottery", f"{only}; duality gap {equilibrium.gap:.3g} ± {equilibrium.gap_error:.1g} in the table as counted{converged}{_counted_alike(standings)}"),
    ]
    if sample is not None:
        what = "ballots" if standings.game.comparisons is not None and standings.game.comparisons.ballots is not None else "battles, within each pair"
        missed = f"; {sample.not_converged:,} of their equilibria missed the tolerance" if sample.not_converged else ""
        rows.append(
            ("resampled", f"{sample.draws:,} tables from {what} drawn anew (seed {sample.seed}); intervals hold {100 * sample.level:g}% of them{missed}")
        )
        rows.append(
            ("gap", f"of the lottery in those tables: median {sample.gap_median:.3g}, at most {sample.gap_high:.3g} in {100 * sample.level:g}% of them")
        )
        likely = [index for index in (-sample.condorcet).argsort(kind="stable").tolist() if sample.condorcet[index] > 0]
        named = ", ".join(f"{short(standings.names[index])} in {sample.condorcet[index]:.1%}" for index in likely[:MOST_NAMED])
        rows.append(
            (
                "Condorcet",
                f"a name that beats all others was {named}; none in {1 - float(sample.condorcet.sum()):.1%}"
                if likely
                else "in none of them does a name beat all others",
            )
        )
    rows.append(("against Elo", disagreement(standings)))
    return [*rows, *(("note", note) for note in standings.notes)]


def _counted_alike(standings: Standings) -> str:
    """What is to be said of win rates where pairs met more and less often: social choice speaks of margins."""
    counted = standings.game.comparisons
    if counted is None or counted.table == "margins":
        return ""
    met = counted.counts[np.triu_indices(len(counted.names), 1)]
    return (
        ""
        if np.all(met == met[0])
        else "; made of win rates, so that every pair counts alike however often it met (--table margins counts votes, as social choice does)"
    )


def disagreement(standings: Standings) -> str:
    """Where majorities contradict the points, in a sentence."""
    found, count = standings.against_elo, len(standings.names)
    if found.pairs == 0:
        return "no pair contradicts the points: whoever has more of them wins more often."
    off = found.pairs - found.on_cycles
    rest = f"; {off:,} {'lies' if off == 1 else 'lie'} on none, so that there the fit itself is at odds with the majority" if off else ""
    return (
        f"in {found.pairs:,} of {count * (count - 1) // 2:,} pairs the one with no more points wins more often; {found.on_cycles:,} of them "
        f"{'lies' if found.on_cycles == 1 else 'lie'} on cycles of majorities, which no points can express{rest}. There {'is' if found.triangles == 1 else 'are'} {found.triangles:,} cycle{'s' * (found.triangles != 1)} of three."
    )


def cycle_line(standings: Standings, cycle: Cycle) -> str:
    """A cycle in words: each beats the next, with how often."""
    names = [short(standings.names[index]) for index in (*cycle.actions, cycle.actions[0])]
    shares = [f"{margin + standings.game.value_offset:.4g}" for margin in cycle.margins]
    return " ".join([names[0], *(f"—{share}→ {name}" for share, name in zip(shares, names[1:], strict=True))])


def short(name: str) -> str:
    """A name where there is little room."""
    return brief(name, LONGEST_NAME)


def table_rows(standings: Standings, most: int) -> list[dict[str, str]]:
    """A row for each of the first names, as a table on a terminal has it."""
    sample, offset = standings.sample, standings.game.value_offset
    unit = "win rate" if offset else "margin"
    rows = []
    for place, index in enumerate(standings.order[:most].tolist(), start=1):
        row = {"": str(place), "name": short(standings.names[index]), "lottery": f"{standings.equilibrium.policy[index]:.4f}"}
        if sample is not None:
            row |= {
                f"{100 * sample.level:g}% interval": f"{sample.low[index]:.4f} to {sample.high[index]:.4f}",
                "in support": f"{sample.in_support[index]:.1%}",
            }
        row[f"earns ({unit})"] = f"{standings.scores[index] + offset:.4g}"
        row |= {"Elo": f"{standings.elo[index]:.0f}", "Elo place": str(standings.elo_place[index])}
        row |= {"Borda": f"{standings.borda[index] + offset:.4g}", "Borda place": str(standings.borda_place[index])}
        row |= {"Copeland": f"{standings.copeland[index]:g}", "Copeland place": str(standings.copeland_place[index])}
        rows.append(row)
    return rows
