"""Ten readers who vote on answers, and the game that they make of the answers to a question.

Four are in a hurry and prefer the answer of fewer sentences, three the more courteous, three the more informative. Each ranks all answers, and together they do
not: seven of ten prefer one courtesy to two facts, seven prefer two facts to two courtesies with a fact, and six prefer the last to the first, in a circle. What an
answer is worth depends on its manner alone, how many courtesies and how many facts it has: nine manners, of which the only equilibrium plays five, in elevenths. What is
no answer to the question loses to all that are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import mmd_games as mg
from examples.small_model import grammar
from examples.small_model.grammar import Answer, Prompt
from mmd_games.llm.bridge import as_game
from mmd_games.llm.preference import VotersPreference

NO_ANSWER = -100.0
"""What every voter thinks of a text that is no answer."""
MANNERS = tuple((courtesies, facts) for courtesies in range(3) for facts in range(3))
"""Courtesies and facts of an answer."""


def brief(prompt: Prompt, completion: str) -> float:
    """What a reader in a hurry thinks of it: minus its sentences."""
    return _score(prompt, completion, lambda answer: -1.0 - answer.courtesies - answer.facts)


def courteous(prompt: Prompt, completion: str) -> float:
    """Its courtesies."""
    return _score(prompt, completion, lambda answer: float(answer.courtesies))


def informative(prompt: Prompt, completion: str) -> float:
    """Its facts."""
    return _score(prompt, completion, lambda answer: float(answer.facts))


VOTERS = {brief: 4, courteous: 3, informative: 3}
"""Ten votes."""


def preference_model() -> VotersPreference:
    """The voters as the trainer takes them; `{kind: voters, …}` of a configuration file makes the same."""
    return VotersPreference({voter.__name__: voter for voter in VOTERS}, list(VOTERS.values()))


def game(prompt: Prompt) -> mg.PreferenceGame:
    """The game of all 108 answers to a prompt."""
    return as_game(preference_model(), prompt, grammar.completions(prompt), name=grammar.question_of(prompt))


def manners(prompt: Prompt) -> np.ndarray:
    """The manner of each answer, as its place in ``MANNERS``: (answers,)."""
    return np.array([MANNERS.index((answer.courtesies, answer.facts)) for answer in grammar.answer_probabilities(prompt)])


def manner_game() -> mg.PreferenceGame:
    """The game of the nine manners. The answers of one manner are copies of each other, so this is the game of any prompt in small."""
    prompt = grammar.questions()[0]
    places = manners(prompt)
    one_each = [int(np.flatnonzero(places == manner)[0]) for manner in range(len(MANNERS))]
    labels = [f"{courtesies} courtesies, {facts} facts" for courtesies, facts in MANNERS]
    return mg.PreferenceGame(game(prompt).preference[np.ix_(one_each, one_each)], labels=labels, name="manners")


def manner_policy(prompt: Prompt, policy: np.ndarray) -> np.ndarray:
    """Probabilities of the manners (9,) from those of the answers to a prompt."""
    return np.bincount(manners(prompt), weights=policy, minlength=len(MANNERS))


def _score(prompt: Prompt, completion: str, worth: Callable[[Answer], float]) -> float:
    answer = grammar.parse(prompt, completion)
    return NO_ANSWER if answer is None else worth(answer)
