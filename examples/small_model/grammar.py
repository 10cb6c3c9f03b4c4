"""What is asked and answered: a grammar whose every answer, and the probability of each, is known.

A question asks for something of a topic for an occasion. Each answer advises one of the three things that suit, and may say up to two true facts of it and up
to two courtesies: "Certainly. Try the mint tea. It is fresh. It costs three coins. Thank you." That is 3 · 9 · 4 = 108 answers a question, drawn with independent
choices; how courteous and how detailed answers are depends on the topic. What suits, and what is true, is in no rule: a model has to learn it by heart.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mmd_games.errors import InputError

Prompt = str | list[dict[str, str]]
"""A question followed by a line break, or a chat of one message, the user's, that is the question."""

SEED = 5
"""Of what suits an occasion, and of which questions are held out."""
ASSORTMENT = {
    "tea": {"green tea": ("mild", "two"), "black tea": ("strong", "two"), "mint tea": ("fresh", "three"), "rose tea": ("sweet", "four")},
    "soup": {"bean soup": ("filling", "three"), "leek soup": ("mild", "two"), "fish soup": ("salty", "five"), "plum soup": ("sweet", "four")},
    "bread": {"rye bread": ("dark", "two"), "nut bread": ("rich", "four"), "oat bread": ("soft", "three"), "flat bread": ("warm", "one")},
    "book": {"sea story": ("long", "six"), "old poem": ("short", "one"), "war diary": ("grim", "five"), "fairy tale": ("funny", "two")},
    "song": {"folk song": ("merry", "one"), "love song": ("slow", "two"), "march": ("loud", "one"), "lullaby": ("soft", "three")},
    "lamp": {"desk lamp": ("bright", "six"), "oil lamp": ("warm", "four"), "paper lamp": ("soft", "three"), "wall lamp": ("plain", "five")},
}
"""Of each topic the things, with what is true of each: how it is, and how many coins it costs."""
OCCASIONS = ("a cold morning", "a warm day", "a long evening", "a short break", "a rainy week", "a big party")
QUESTIONS = ("Which {topic} suits {occasion}?", "What {topic} do you advise for {occasion}?", "We need a {topic} for {occasion}.")
OPENERS, CLOSERS = ("Certainly.", "Gladly."), ("Enjoy it.", "Thank you.")
ITEM_SHARES = (0.5, 0.3, 0.2)
"""How often each of the three things that suit is advised."""
HABITS = {
    "tea": ((0.45, 0.35, 0.20), (0.50, 0.35, 0.15)),
    "soup": ((0.60, 0.28, 0.12), (0.45, 0.37, 0.18)),
    "bread": ((0.65, 0.25, 0.10), (0.60, 0.30, 0.10)),
    "book": ((0.50, 0.35, 0.15), (0.40, 0.40, 0.20)),
    "song": ((0.55, 0.30, 0.15), (0.60, 0.28, 0.12)),
    "lamp": ((0.60, 0.28, 0.12), (0.50, 0.35, 0.15)),
}
"""Of each topic the probabilities of 0, 1 and 2 courtesies, and of 0, 1 and 2 facts. Short answers are the habit: the readers ask for others."""
HELD_OUT = 12
"""Number of questions that are in no text that a model is trained on."""


@dataclass(frozen=True)
class Answer:
    """An answer as its parts; absent parts are empty."""

    item: str
    opener: str = ""
    quality: str = ""
    price: str = ""
    closer: str = ""

    @property
    def courtesies(self) -> int:
        """How many courtesies it says, 0 to 2."""
        return bool(self.opener) + bool(self.closer)

    @property
    def facts(self) -> int:
        """How many facts it states, 0 to 2."""
        return bool(self.quality) + bool(self.price)

    @property
    def text(self) -> str:
        """As it is written."""
        quality = f"It is {self.quality}." if self.quality else ""
        price = f"It costs {self.price} {'coin' if self.price == 'one' else 'coins'}." if self.price else ""
        return " ".join(filter(None, (self.opener, f"Try the {self.item}.", quality, price, self.closer)))


def questions() -> list[str]:
    """All 108 questions."""
    return [form.format(topic=topic, occasion=occasion) for topic in ASSORTMENT for occasion in OCCASIONS for form in QUESTIONS]


@cache
def held_out_questions() -> tuple[str, ...]:
    """Those in no text that a model is trained on: two of each topic, whose other forms it may read."""
    draw, chosen = random.Random(SEED), []
    for topic in ASSORTMENT:
        for occasion in draw.sample(OCCASIONS, HELD_OUT // len(ASSORTMENT)):
            chosen.append(draw.choice(QUESTIONS).format(topic=topic, occasion=occasion))
    return tuple(chosen)


def training_questions() -> list[str]:
    """All that are not held out."""
    return [question for question in questions() if question not in held_out_questions()]


@cache
def _subjects() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of each question the topic, and the three things that suit its occasion, the most frequent one first."""
    draw = random.Random(SEED)
    suiting = {(topic, occasion): tuple(draw.sample(list(things), len(ITEM_SHARES))) for topic, things in ASSORTMENT.items() for occasion in OCCASIONS}
    return {form.format(topic=topic, occasion=occasion): (topic, items) for (topic, occasion), items in suiting.items() for form in QUESTIONS}


def question_of(prompt: Prompt) -> str:
    """The question in a prompt, text or chat.

    Raises
    ------
    InputError
        Where the prompt is none of the grammar's.
    """
    if isinstance(prompt, str):
        question = prompt.strip()
    elif len(prompt) == 1 and prompt[0].get("role") == "user":
        question = prompt[0]["content"].strip()
    else:
        raise InputError(f"A prompt of the small model is a question or a chat of one user's message, got {prompt!r}.")
    if question not in _subjects():
        raise InputError(f"'{question}' is no question that the small model was made for, such as '{questions()[0]}'.")
    return question


def text_prompt(question: str) -> str:
    """The question as a model reads it."""
    return question + "\n"


def answer_probabilities(prompt: Prompt) -> dict[Answer, float]:
    """Every answer to a prompt with its probability; together they are 1."""
    topic, items = _subjects()[question_of(prompt)]
    courteous, detailed = HABITS[topic]
    courtesies = {0: [("", "")], 1: [(opener, "") for opener in OPENERS] + [("", closer) for closer in CLOSERS], 2: list(itertools.product(OPENERS, CLOSERS))}
    probabilities = {}
    for item, share in zip(items, ITEM_SHARES, strict=True):
        quality, price = ASSORTMENT[topic][item]
        facts = {0: [("", "")], 1: [(quality, ""), ("", price)], 2: [(quality, price)]}
        for (polite, phrases), (known, stated) in itertools.product(courtesies.items(), facts.items()):
            for (opener, closer), (said, cost) in itertools.product(phrases, stated):
                chance = share * courteous[polite] / len(phrases) * detailed[known] / len(stated)
                probabilities[Answer(item, opener, said, cost, closer)] = chance
    return probabilities


@cache
def _written(question: str) -> dict[str, Answer]:
    return {answer.text: answer for answer in answer_probabilities(question)}


def completions(prompt: Prompt) -> list[str]:
    """The texts of all answers to a prompt: the actions of its game."""
    return list(_written(question_of(prompt)))


def parse(prompt: Prompt, text: str) -> Answer | None:
    """The answer that a text is, or None where it is no answer to this prompt: it is ungrammatical, does not suit, or is untrue."""
    return _written(question_of(prompt)).get(text)


def entropy(prompt: Prompt) -> float:
    """Entropy of the answers to a prompt, in nats an answer: no model's loss on them can be below it on average."""
    return -math.fsum(chance * math.log(chance) for chance in answer_probabilities(prompt).values())


def sample(generator: random.Random, questions: Sequence[str], count: int) -> list[tuple[str, str]]:
    """Questions drawn uniformly, with an answer to each drawn from the grammar."""
    tables = {question: (list(_written(question)), list(answer_probabilities(question).values())) for question in questions}
    drawn = generator.choices(questions, k=count)
    return [(question, generator.choices(*tables[question])[0]) for question in drawn]
