"""The words of the judge: verdicts, headlines and claims."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Any


class Verdict(StrEnum):
    """What became of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "does not apply"

    @property
    def exit_status(self) -> int:
        """0 confirmed, 1 refuted, 3 otherwise (2 is bad input)."""
        return {Verdict.CONFIRMED: 0, Verdict.REFUTED: 1}.get(self, 3)


class Headline(Enum):
    """The answer to the one question: did the last iterate reach the game's Nash equilibrium, linearly? Members are (verdict, sentence)."""

    CONVERGED = (Verdict.CONFIRMED, "The last iterate reached the game's Nash equilibrium, at a linear rate.")
    FASTER = (Verdict.CONFIRMED, "The last iterate reached the game's Nash equilibrium, faster than at any linear rate.")
    REGULARISED = (Verdict.REFUTED, "The last iterate stalled at the equilibrium regularised towards its magnet, not at the game's.")
    STALLED = (Verdict.REFUTED, "The last iterate stalled or cycles above the tolerance: it does not converge to the equilibrium.")
    DIVERGED = (Verdict.REFUTED, "The last iterate moves away from the equilibrium.")
    UNSTABLE = (
        Verdict.REFUTED,
        "The last iterate does not converge with these settings: theory predicts that it moves away from the equilibrium, and it does.",
    )
    SUBLINEAR = (Verdict.REFUTED, "The last iterate approaches the equilibrium, but not at a linear rate.")
    BROKEN = (Verdict.REFUTED, "A bound that theory guarantees does not hold on this run.")
    FALLING = (Verdict.INCONCLUSIVE, "The gap was still falling when the run ended: a longer one would tell.")
    SLOW = (Verdict.INCONCLUSIVE, "The gap has stopped falling for now, but the policy still approaches the equilibrium in KL: a longer run would tell.")
    TOO_SHORT = (Verdict.INCONCLUSIVE, "The run is too short to tell.")
    UNCLEAR = (Verdict.INCONCLUSIVE, "The tolerance was reached, but the record does not show that the run goes to the equilibrium at a linear rate.")
    PASSING = (
        Verdict.INCONCLUSIVE,
        "The tolerance was met, but theory predicts that these settings move away from the equilibrium: a longer run, from a random start, would tell.",
    )
    ROUNDING = (Verdict.INCONCLUSIVE, "The last gap lies within its rounding error of the tolerance: a larger tolerance would tell.")
    ALREADY = (Verdict.INCONCLUSIVE, "The start already is an equilibrium within the tolerance, so the run shows nothing: start elsewhere.")

    @property
    def verdict(self) -> Verdict:
        """Confirmed, refuted or inconclusive."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """What users read."""
        return self.value[1]


class Question(StrEnum):
    """What a reader asks, in this order."""

    CONVERGED = "Did it converge?"
    EQUILIBRIUM = "To the real game's equilibrium?"
    LINEAR = "Linearly?"
    PREDICTED = "At the predicted rate?"
    PROVED = "Proved?"
    GUARANTEED = "Does what theory guarantees hold on this run?"
    RECORD = "Is the record what it says?"


@dataclass(frozen=True)
class Claim:
    """One thing that is claimed of a run, with what theory predicts and what was measured.

    Attributes
    ----------
    name : str
        A key for machines.
    statement : str
    predicted, measured : float or None
    interval : (float, float) or None
        95% interval of what was measured.
    verdict : Verdict
    detail : str
        The reason, as a sentence.
    hard : bool
        Whether a refutation means that theory (or the run) is broken, and not only that the claim is false.
    question : Question
        What a reader asks that this answers.
    assumed : tuple of str
        What the prediction rests on, a sentence each.
    """

    name: str
    statement: str
    predicted: float | None
    measured: float | None
    verdict: Verdict
    detail: str
    interval: tuple[float, float] | None = None
    hard: bool = False
    question: Question = Question.GUARANTEED
    assumed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "verdict": self.verdict.value, "question": self.question.value, "assumed": list(self.assumed)}
