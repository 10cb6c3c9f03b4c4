"""Certificates: documents that hold a game, a policy and what is claimed of it in integers, for anyone to check."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmd_games.arrays import Array, block_slices
from mmd_games.equilibria.exact.integers import ExactTable, lowest_terms, whole_numbers
from mmd_games.equilibria.exact.proof import decimal, value_and_slacks
from mmd_games.errors import InputError
from mmd_games.games.game import Game, exact_gap

if TYPE_CHECKING:
    from mmd_games.equilibria.nash_equilibrium import NashEquilibrium

SCHEMA = "mmd_games.certificate/1"


def equilibrium_certificate(equilibrium: NashEquilibrium, game: Game) -> dict[str, Any]:
    """The proof of an exact equilibrium, with the table it is of, as a document for ``certificate_check``.

    Parameters
    ----------
    equilibrium : NashEquilibrium
        Of this game, by ``nash(game, method="exact")``.
    game : Game

    Returns
    -------
    dict
        For :func:`write_certificate`. Every number is written with all its digits, as text; the table in its own units (S = P − 1/2 of win probabilities).

    Raises
    ------
    InputError
        For an equilibrium without a proof, or one of another game.
    """
    proof = equilibrium.proof
    if proof is None:
        raise InputError(f"This equilibrium of {equilibrium.game} ({equilibrium.method}) has no proof; nash(game, method='exact') gives one.")
    if equilibrium.blocks != game.blocks or equilibrium.game != game.name:
        raise InputError(f"The equilibrium is of {equilibrium.game}, not of {game.name}.")
    matrix, unit = whole_numbers(game.table())
    found = value_and_slacks(ExactTable(matrix), unit, [_weights(policy) for policy in proof.policies])
    if found is None or found[0] != proof.value:
        raise InputError(f"The equilibrium is of another table than that of {game.name}, though of that name and size.")
    return _signed(
        {
            **_head("equilibrium", game),
            "policies": [_over_one_denominator(policy) for policy in proof.policies],
            "value": _ratio(proof.value),
            "claims": {"equilibrium": True, "strictly_complementary": proof.strictly_complementary, "unique": proof.unique},
            "another": None if proof.another is None else [_over_one_denominator(policy) for policy in proof.another],
        }
    )


def gap_certificate(game: Game, policy: Array) -> dict[str, Any]:
    """The exact duality gap of a policy in floating point, such as a run's last iterate, as a document for ``certificate_check``.

    Parameters
    ----------
    game : Game
        One game, not a stack, whose payoff matrix is stored.
    policy : array (actions,)
        Probabilities of all players' actions; they are taken as they stand and divided by their exact sum, as :func:`mmd_games.exact_gap` does.

    Raises
    ------
    InputError
        As :func:`mmd_games.exact_gap`.
    """
    gap = exact_gap(game, policy)
    parts = [np.asarray(policy, dtype=np.float64)[part] for part in block_slices(game.blocks)]
    weights = [whole_numbers(part[None, :])[0][0] for part in parts]
    policies = [{"denominator": decimal(sum(side)), "numerators": list(map(decimal, side))} for side in weights]
    return _signed({**_head("gap", game), "policies": policies, "gap": _ratio(gap)})


def write_certificate(document: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a certificate as JSON, all of it or nothing: an older file stays as it is until the new one is complete.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    target = Path(path)
    try:
        with tempfile.NamedTemporaryFile("w", encoding="ascii", dir=target.parent, prefix=f".{target.name}.", delete=False) as stream:
            part = Path(stream.name)
            try:
                json.dump(document, stream, indent=1)
                stream.write("\n")
                stream.close()
                part.chmod(0o644)
                os.replace(part, target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise InputError(f"The certificate cannot be written to {target}: {error.strerror or error}.") from None


def _head(kind: str, game: Game) -> dict[str, Any]:
    matrix, unit = whole_numbers(game.table())
    return {
        "schema": SCHEMA,
        "kind": kind,
        "game": game.name,
        "units": game.units,
        "symmetric": len(game.blocks) == 1,
        "table": {
            "denominator": decimal(unit.denominator),
            "numerators": [[decimal(entry * unit.numerator) for entry in row] for row in matrix],
        },
    }


def _over_one_denominator(policy: Sequence[Fraction]) -> dict[str, Any]:
    weights = _weights(policy)
    return {"denominator": decimal(sum(weights)), "numerators": list(map(decimal, weights))}


def _weights(policy: Sequence[Fraction]) -> list[int]:
    common = lcm(*(chance.denominator for chance in policy))
    return lowest_terms([chance.numerator * (common // chance.denominator) for chance in policy])


def _ratio(value: Fraction) -> list[str]:
    return [decimal(value.numerator), decimal(value.denominator)]


def _signed(document: dict[str, Any]) -> dict[str, Any]:
    """With the SHA-256 of everything else: of its JSON in ASCII, keys sorted, without blanks."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return {**document, "sha256": hashlib.sha256(text.encode("ascii")).hexdigest()}
