"""What a preflight answers, in the words of the judge: one headline with its verdict, and how text is laid out."""

from __future__ import annotations

import textwrap
from enum import Enum

from mmd_games.verification import Verdict
from mmd_games.words import visible

WIDTH = 118


class Outlook(Enum):
    """The answer to the one question: will the run's last policies come to the target gap within the budget? Members are (verdict, sentence)."""

    REACHES = (Verdict.CONFIRMED, "With these settings the policy comes to the target gap within the budget.")
    NO_MAGNET = (Verdict.REFUTED, "Without a magnet the policy moves away from the equilibrium.")
    REGULARISED = (Verdict.REFUTED, "A magnet that never moves holds the policy at its regularised equilibrium, whose gap is above the target.")
    DETACHED = (Verdict.REFUTED, "The gradient steps do not follow the updates: what they move has little to do with what the step asks for.")
    STEP = (Verdict.REFUTED, "The magnet is too weak for this step size: play against one magnet moves away from its regularised equilibrium.")
    REFRESH = (Verdict.REFUTED, "The refresh interval is too short: the magnet moves before play has settled, and the policy moves away from the equilibrium.")
    SUPPORT = (Verdict.REFUTED, "The group is too small: completions that the equilibrium plays are often in no group, so play loses them.")
    NOISE = (Verdict.REFUTED, "The noise of groups and votes holds the gap above the target.")
    PARTIAL = (Verdict.REFUTED, "The gradient steps realise too little of each update for the policy to come to the target gap.")
    BUDGET = (Verdict.REFUTED, "The policy approaches the equilibrium, but the budget ends before its gap is at the target.")
    ABOVE = (Verdict.REFUTED, "The gap stays above the target.")
    CLOSE = (Verdict.INCONCLUSIVE, "The gap ends too close to the target to tell on which side the run will be.")
    PASSING = (Verdict.INCONCLUSIVE, "The play meets the target, but theory predicts that these settings move away from the equilibrium in the long run.")
    MIXED = (Verdict.INCONCLUSIVE, "It depends on the game: some tables come to the target gap with these settings, others do not.")

    @property
    def verdict(self) -> Verdict:
        """Confirmed, refuted or inconclusive."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """What users read."""
        return self.value[1]


def wrapped(prefix: str, text: str, later: str | None = None) -> list[str]:
    """Text in lines of at most `WIDTH` characters, later lines indented like the first unless told otherwise."""
    indent = " " * len(prefix) if later is None else later
    return textwrap.wrap(visible(text), WIDTH, initial_indent=prefix, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
