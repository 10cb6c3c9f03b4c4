"""Feedback by name: `exact`, `sampled:opponents=16,seed=0`, `noisy:scale=0.1`, `corrupted:share=0.05`, `corrupted_votes:share=0.1`."""

from __future__ import annotations

from mmd_games import specs
from mmd_games.errors import unknown
from mmd_games.loop.feedback import Exact, Feedback
from mmd_games.loop.perturbed import Corrupted, Noisy
from mmd_games.loop.votes import CorruptedVotes, Sampled

FEEDBACK: dict[str, type] = {"exact": Exact, "sampled": Sampled, "noisy": Noisy, "corrupted": Corrupted, "corrupted_votes": CorruptedVotes}


def feedback_from(spec: str) -> Feedback:
    """What the players are told, from `name:key=value,…`.

    Raises
    ------
    InputError
        For an unknown name or key (the nearest is offered), or a value out of range.
    """
    name, settings = specs.parse(spec)
    if name not in FEEDBACK:
        raise unknown("feedback", name, FEEDBACK)
    return specs.build(FEEDBACK[name], settings, f"feedback '{name}'")


def feedback_spec(told: str) -> str | None:
    """The spec of a feedback that a trace names as `Sampled(opponents=16, seed=0)`; None of one's own."""
    kind, _, settings = told.removesuffix(")").partition("(")
    name = next((name for name, known in FEEDBACK.items() if known.__name__ == kind), None)
    return name and ":".join(filter(None, (name, settings.replace(" ", "").replace("'", ""))))
