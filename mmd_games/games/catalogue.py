"""The catalogue: every family of games by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmd_games import specs
from mmd_games.errors import unknown
from mmd_games.games.colonel_blotto import blotto
from mmd_games.games.degenerate import duplicated, integers, saturated
from mmd_games.games.embedded import general_preference, low_rank
from mmd_games.games.game import Game
from mmd_games.games.openspiel import openspiel_game
from mmd_games.games.random_games import bradley_terry, disc, noisy_elo, random, transitive_cyclic
from mmd_games.games.structured import (
    a_delta,
    clones,
    comal,
    conditioned_cycle,
    cycle,
    generalised_rps,
    kuhn_poker,
    matching_pennies,
    rock_paper_scissors,
    spinning_top,
)

ALIASES = {"rps": "rock_paper_scissors", "elo": "bradley_terry", "pennies": "matching_pennies", "kuhn": "kuhn_poker"}
"""Short names."""

_EXAMPLES: dict[Callable[..., Game], str] = {
    rock_paper_scissors: "rock_paper_scissors:wins=0.9/0.8/0.9",
    comal: "comal",
    clones: "clones:copies=3",
    cycle: "cycle:n=7",
    generalised_rps: "generalised_rps:n=7,win=0.8",
    conditioned_cycle: "conditioned_cycle:condition=30",
    spinning_top: "spinning_top:layers=9,width=11",
    a_delta: "a_delta:delta=0.01",
    matching_pennies: "matching_pennies",
    kuhn_poker: "kuhn_poker",
    blotto: "blotto:soldiers=10,fields=3",
    random: "random:n=30,seed=1",
    bradley_terry: "bradley_terry:n=20,spread=2",
    noisy_elo: "noisy_elo:n=20,noise=1",
    disc: "disc:n=20",
    transitive_cyclic: "transitive_cyclic:n=20,cyclic=0.3,on=logit",
    general_preference: "general_preference:n=20,blocks=2,temperature=0.5",
    low_rank: "low_rank:n=100,dimensions=8",
    saturated: "saturated:n=20,steepness=30",
    integers: "integers:n=20,largest=3",
    duplicated: "duplicated:n=7,copies=3",
}

FAMILIES: dict[str, Callable[..., Game]] = {factory.__name__: factory for factory in _EXAMPLES}
"""The factory of every family; what follows `openspiel:` goes to OpenSpiel instead."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family of the catalogue, as it is listed.

    Attributes
    ----------
    name : str
    keys : dict of str to object
        The keys of a spec with their defaults; empty where there are none.
    description : str
        One sentence.
    example : str
        A spec that works as it stands.
    aliases : tuple of str
        Other names.
    """

    name: str
    keys: dict[str, Any]
    description: str
    example: str
    aliases: tuple[str, ...] = ()


def from_spec(spec: str) -> Game:
    """Build the game that `name:key=value,…` describes.

    Parameters
    ----------
    spec : str
        A name of `listing()` with any of its keys; a tuple is written with slashes. What follows `openspiel:` is an OpenSpiel game, verbatim.

    Raises
    ------
    InputError
        For an unknown name or key (the nearest is offered), or a value that the family refuses.

    Examples
    --------
    >>> from_spec("generalised_rps:n=7")
    <PreferenceGame generalised_rps:n=7,win=1.0 (7 × 7, symmetric, win probability, L = 0.5)>
    """
    family, _, rest = spec.strip().partition(":")
    if family.strip() == "openspiel":
        return openspiel_game(rest.strip())
    name, settings = specs.parse(spec)
    factory = FAMILIES.get(ALIASES.get(name, name))
    if factory is None:
        raise unknown("game", name, [*FAMILIES, *ALIASES, "openspiel"])
    return specs.build(factory, settings, f"game '{name}'")


def takes_seed(spec: str) -> bool:
    """Whether the game of a spec is drawn at random, and its seed is left open."""
    family, _, _ = spec.strip().partition(":")
    factory = FAMILIES.get(ALIASES.get(family, family))
    return factory is not None and "seed" in specs.keys(factory) and "seed" not in specs.parse(spec)[1]


def listing() -> list[Family]:
    """Every family of the catalogue, OpenSpiel's games last."""
    families = [
        Family(
            name=name,
            keys={key: parameter.default for key, parameter in specs.keys(factory).items()},
            description=_first_line(factory),
            example=_EXAMPLES[factory],
            aliases=tuple(alias for alias, target in ALIASES.items() if target == name),
        )
        for name, factory in FAMILIES.items()
    ]
    example = "openspiel:liars_dice(numdice=1,dice_sides=2)"
    return [*families, Family(name="openspiel", keys={}, description=_first_line(openspiel_game), example=example)]


def _first_line(factory: Callable[..., Game]) -> str:
    return (factory.__doc__ or "").strip().partition("\n")[0]
