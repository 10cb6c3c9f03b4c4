"""What exact arithmetic proves of a pair of policies: that they are an equilibrium, whether of largest support, and whether the only one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import takewhile
from typing import Any

from mmd_games.equilibria.exact.integers import ExactTable, lowest_terms
from mmd_games.equilibria.exact.support_system import SupportSystem

Policies = tuple[tuple[Fraction, ...], ...]

LONGEST_TEXT = 13
"""Fractions of more characters are not written out for people."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ExactEquilibrium:
    """A Nash equilibrium in rational numbers, of exactly the float64 table, with what is proved of it. Its duality gap is 0.

    Attributes
    ----------
    policies : tuple of tuple of Fraction
        One for each block: the one of both players in a symmetric game; rows', then columns'.
    value : Fraction
        What the first player receives, in the units of the table: 0 in every symmetric game, before ``value_offset`` is added.
    slacks : tuple of tuple of Fraction
        What each action earns less than its player's best one: 0 wherever the policy plays.
    strictly_complementary : bool
        Whether every action that is not played has a positive slack. Then no equilibrium plays an action that is not played here: the support is the largest.
    unique : bool or None
        True: strictly complementary, and the equations of the support have one solution for each player, so there is no other equilibrium, be it of
        two policies in a symmetric game. False: ``another`` is one too. None: not decided.
    another : tuple of tuple of Fraction, or None
        A second equilibrium, where one proves that there are several.
    """

    policies: Policies
    value: Fraction
    slacks: Policies
    strictly_complementary: bool
    unique: bool | None
    another: Policies | None

    @property
    def support(self) -> tuple[int, ...]:
        """Where the profile is positive, counted from 0 over all blocks."""
        return tuple(index for index, chance in enumerate(chance for policy in self.policies for chance in policy) if chance)

    def short_fractions(self) -> tuple[str, ...] | None:
        """The probabilities of all blocks as people read them, "2/5"; None where one of them has more than 12 digits."""
        chances = [chance for policy in self.policies for chance in policy]
        texts = tuple(takewhile(lambda text: len(text) <= LONGEST_TEXT, map(ratio, chances)))
        return texts if len(texts) == len(chances) else None

    def __repr__(self) -> str:
        return f"<ExactEquilibrium: {self}>"

    def __str__(self) -> str:
        largest = "of largest support (strictly complementary)" if self.strictly_complementary else "not strictly complementary"
        alone = {True: "the only equilibrium", False: "one of infinitely many", None: "perhaps not the only one"}[self.unique]
        return f"proved in rationals, of the float64 table as it stands: an equilibrium, {largest}, {alone}"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON takes it; a Fraction is the text "numerator/denominator", so that no reader rounds it."""
        return {
            "policies": _texts(self.policies),
            "value": ratio(self.value),
            "slacks": _texts(self.slacks),
            "support": list(self.support),
            "strictly_complementary": self.strictly_complementary,
            "unique": self.unique,
            "another": None if self.another is None else _texts(self.another),
        }


def decimal(number: int) -> str:
    """The decimal digits of an integer of any length; Python's own str stops at 4,300."""
    from flint import fmpz

    return str(fmpz(number))


def ratio(value: Fraction) -> str:
    """A fraction as text, a whole number without denominator."""
    return decimal(value.numerator) if value.denominator == 1 else f"{decimal(value.numerator)}/{decimal(value.denominator)}"


def prove(table: ExactTable, unit: Fraction, weights: Sequence[Sequence[int]]) -> ExactEquilibrium | None:
    """Check that weights are an equilibrium, and say what follows; None where they are none.

    Parameters
    ----------
    table : ExactTable
        The row player's payoffs over `unit`, (m, n).
    unit : Fraction
    weights : sequence of sequence of int
        Policies but for their sums, one a block.
    """
    weights = [lowest_terms(policy) for policy in weights]
    found = value_and_slacks(table, unit, weights)
    if found is None:
        return None
    value, slacks = found
    strict = all(chance or slack for policy, losses in zip(weights, slacks, strict=True) for chance, slack in zip(policy, losses, strict=True))
    unique, another = _uniqueness(table, weights) if strict else (None, None)
    return ExactEquilibrium(
        policies=tuple(map(_policy, weights)),
        value=value,
        slacks=slacks,
        strictly_complementary=strict,
        unique=unique,
        another=another,
    )


def value_and_slacks(table: ExactTable, unit: Fraction, weights: Sequence[Sequence[int]]) -> tuple[Fraction, Policies] | None:
    """The value, and each policy's slacks; None where the weights are no equilibrium of the table over this unit."""
    if any(min(policy) < 0 or sum(policy) <= 0 for policy in weights):
        return None
    received, paid = table.received(weights[-1]), table.paid(weights[0])
    best, least, row_total, column_total = max(received), min(paid), sum(weights[0]), sum(weights[-1])
    if best * row_total != least * column_total:
        return None
    # With both sides of the value equal, complementarity follows: what is played has no slack.
    losses = [([best - entry for entry in received], column_total), ([entry - least for entry in paid], row_total)]
    return Fraction(best, column_total) * unit, tuple(_quotients(side, total, unit) for side, total in losses[: len(weights)])


def _uniqueness(table: ExactTable, weights: list[list[int]]) -> tuple[bool | None, Policies | None]:
    """Of a strictly complementary equilibrium: every other one satisfies the equations of its support, and near it all their solutions are equilibria."""
    supports = [[action for action, weight in enumerate(policy) if weight] for policy in weights]
    views = [(table, supports[0], supports[-1], len(weights) - 1)]
    if len(weights) > 1:
        views.append((table.mirrored, supports[1], supports[0], 0))
    dimensions = []
    for view, tied, support, block in views:
        system = SupportSystem(view.rows, tied, support, [float(weight > 0) for weight in weights[block]])
        dimensions.append(system.dimension)
        direction = system.direction()
        if direction is not None:
            other = _moved(view, weights[block], direction)
            policies = [_policy(policy) for policy in weights]
            policies[block] = _policy(other)
            return False, tuple(policies)
    return (True if not any(dimensions) else None), None


def _moved(view: ExactTable, weights: list[int], direction: list[int]) -> list[int]:
    """As far from a strictly complementary policy as it stays one of an equilibrium: until an action is played no more, or another one has no slack left."""
    payoffs, changes = view.received(weights), view.received(direction)
    best = payoffs.index(max(payoffs))
    steps = [Fraction(weight, -change) for weight, change in zip(weights, direction, strict=True) if change < 0]
    steps += [Fraction(payoffs[best] - payoff, change - changes[best]) for payoff, change in zip(payoffs, changes, strict=True) if change > changes[best]]
    step = min(steps)
    return lowest_terms([weight * step.denominator + change * step.numerator for weight, change in zip(weights, direction, strict=True)])


def _policy(weights: Sequence[int]) -> tuple[Fraction, ...]:
    return _quotients(weights, sum(weights))


def _quotients(numbers: Sequence[int], total: int, unit: Fraction = Fraction(1)) -> tuple[Fraction, ...]:
    """Parts of a total, in a unit: each is brought to lowest terms once, at the end."""
    numerator, denominator = unit.numerator, total * unit.denominator
    return tuple(Fraction(number * numerator, denominator) for number in numbers)


def _texts(policies: Policies) -> list[list[str]]:
    return [[ratio(entry) for entry in policy] for policy in policies]
