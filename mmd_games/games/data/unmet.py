"""Pairs that never met: an explicit choice what to make of them, which the notes of the game repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mmd_games import specs
from mmd_games.errors import InputError, require_positive, unknown
from mmd_games.games.data.comparisons import TABLES, Comparisons
from mmd_games.games.preference import PreferenceGame
from mmd_games.words import brief

CHOICES = ("refuse", "prior", "connected")
Chooser = Callable[[Comparisons], Comparisons]
"""What becomes of the comparisons."""
LISTED = 5
"""So many names are written out; all are counted."""


def game_from(comparisons: Comparisons, unmet: str = "refuse", table: str = "probabilities") -> PreferenceGame:
    """The game of a table of comparisons, with what was chosen for pairs that never met.

    Parameters
    ----------
    comparisons : Comparisons
    unmet : str
        "refuse" pairs that never met; "prior" or "prior:strength=2": so many tied battles (one, unless told) are added to every pair, so that those that never met are even and
        all others nearer to it; "connected": only the largest part is kept in which all are linked by battles, and pairs in it that never met are refused;
        "connected:strength=1" gives them, and all others in the part, a prior.
    table : {"probabilities", "margins"}

    Raises
    ------
    InputError
        When there are pairs that never met and the choice does not cover them; the sentence counts them, and the parts that no battle links.
    """
    if table not in TABLES:
        raise unknown("table", table, TABLES)
    name, settings = specs.parse(unmet)
    builders = {"refuse": _refuse, "prior": _prior, "connected": _connected}
    if name not in builders:
        raise unknown("choice for pairs that never met", name, CHOICES)
    return specs.build(builders[name], settings, f"unmet '{name}'")(replace(comparisons, table=table)).game()


def _refuse() -> Chooser:
    def choose(comparisons: Comparisons) -> Comparisons:
        _require_met(comparisons, "prior:strength=1", "gives every pair a tied battle")
        return comparisons

    return choose


def _prior(strength: float = 1.0) -> Chooser:
    require_positive(strength=strength)
    return lambda comparisons: _with_prior(comparisons, strength)


def _connected(strength: float = 0.0) -> Chooser:
    if strength:
        require_positive(strength=strength)

    def choose(comparisons: Comparisons) -> Comparisons:
        part = _largest_part(comparisons)
        if strength:
            return _with_prior(part, strength)
        _require_met(part, "connected:strength=1", "gives every pair of this part a tied battle")
        return part

    return choose


def parts_of(counts: np.ndarray) -> list[np.ndarray]:
    """The connected parts of the graph of who met whom, the largest first (of equal ones that with more battles)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    number, of = connected_components(csr_array(counts > 0), directed=False)
    parts = [np.flatnonzero(of == part) for part in range(number)]
    return sorted(parts, key=lambda part: (-len(part), -int(np.sum(counts[np.ix_(part, part)])), int(part[0])))


def _require_met(comparisons: Comparisons, remedy: str, effect: str) -> None:
    counts, names = comparisons.counts, comparisons.names
    apart = np.argwhere(np.triu(counts == 0, 1))
    if not len(apart):
        return
    parts = parts_of(counts)
    pairs = len(names) * (len(names) - 1) // 2
    example = " and ".join(f"'{brief(names[int(index)], 40)}'" for index in apart[0])
    split = offer = ""
    if len(parts) > 1:
        met = counts[np.ix_(parts[0], parts[0])] > 0
        offered = "connected" if np.all(met | np.eye(len(met), dtype=bool)) else "connected:strength=1"
        offer = f"; --unmet {offered} keeps the largest part"
        split = f", and the names fall into {len(parts):,} parts between which there was no {comparisons.unit} at all (of {_sizes(parts)} names)"
    raise InputError(
        f"{comparisons.source}: {len(apart):,} of {pairs:,} pairs never met, such as {example}{split}; a table needs all of them. "
        f'--unmet {remedy} (or unmet="{remedy}") {effect}{offer}.'
    )


def _with_prior(comparisons: Comparisons, strength: float) -> Comparisons:
    unmet, parts = int(np.sum(np.triu(comparisons.counts == 0, 1))), len(parts_of(comparisons.counts))
    if comparisons.table == "margins":
        said = f"{unmet:,} pairs never met; their margin is 0, and a prior changes no margin." if unmet else "every pair met; a prior changes no margin."
        return replace(comparisons, notes=(*comparisons.notes, said))
    said = f"prior: {strength:g} tied {comparisons.unit}{'s' * (strength != 1)} added to every pair; {unmet:,} pairs that never met are even by it alone."
    if parts > 1:
        said += f" The names fall into {parts:,} parts that no {comparisons.unit} links: what the table says between parts is the prior."
    return replace(comparisons, strength=float(strength), notes=(*comparisons.notes, said))


def _largest_part(comparisons: Comparisons) -> Comparisons:
    parts = parts_of(comparisons.counts)
    if len(parts) < 2:
        return replace(comparisons, notes=(*comparisons.notes, "all names are linked, so the connected part is all of them."))
    kept, names = parts[0], comparisons.names
    gone = np.concatenate(parts[1:])
    listed = ", ".join(brief(names[int(index)], 40) for index in gone[:LISTED]) + (", …" if len(gone) > LISTED else "")
    among = np.ix_(kept, kept)
    within = int(np.sum(np.triu(comparisons.counts[among])))
    lost = int(np.sum(np.triu(comparisons.counts))) - within
    said = f"restricted to the largest connected part, {len(kept):,} of {len(names):,} names; left out with their {lost:,} comparisons: {listed}."
    ballots = comparisons.ballots
    return replace(
        comparisons,
        names=tuple(names[int(index)] for index in kept),
        wins=comparisons.wins[among],
        ties=comparisons.ties[among],
        records=within if ballots is None else comparisons.records,
        ballots=None if ballots is None else ballots.among(kept),
        notes=(*comparisons.notes, said),
    )


def _sizes(parts: list[np.ndarray]) -> str:
    sizes = [f"{len(part):,}" for part in parts[:LISTED]]
    return ", ".join(sizes) + (", …" if len(parts) > LISTED else "")
