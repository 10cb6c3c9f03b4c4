"""The small model of the examples: it has learned what the grammar says, is built whole or not at all, and its readers make a game without a pure equilibrium."""

from __future__ import annotations

import json
import math
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

import mmd_games as mg

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from examples.small_model import grammar, pretraining, prompts, voters
from examples.small_model.build import NOTE, Recipe, build, read_note
from examples.small_model.tokenizer import EOS, PAD, train_tokenizer
from mmd_games.errors import InputError
from mmd_games.llm.bridge import enumerated_log_policy
from mmd_games.llm.commands.run_file import function_from, read_run_file
from mmd_games.llm.policy import TransformersGenerator
from mmd_games.llm.preference import preference_from_config
from mmd_games.llm.training.config import config_from
from mmd_games.llm.training.prompts import Prompts

SMALL = Recipe(hidden=64, layers=1, steps=500, batch=24, learning_rate=1e-2)
"""One layer instead of two, and a fifth of the text."""
UNTRAINED = Recipe(documents=50, hidden=16, layers=1, heads=2, steps=0)
QUESTIONS = grammar.questions()
TOKENIZER = train_tokenizer(0, 500, 512)


def silent(step: int, steps: int, loss: float) -> None:
    pass


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "small", SMALL, progress=silent)


@pytest.fixture(scope="module")
def loaded(directory: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(directory), AutoTokenizer.from_pretrained(directory)


# --- the grammar ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS[:: len(QUESTIONS) // 6])
def test_every_answer_has_a_probability_and_can_be_read_back(question: str) -> None:
    probabilities = grammar.answer_probabilities(question)
    assert len(probabilities) == len(grammar.completions(question)) == 108
    assert math.fsum(probabilities.values()) == pytest.approx(1, abs=1e-14)  # 108 products of four factors, each rounded once
    assert all(grammar.parse(question, answer.text) == answer for answer in probabilities)
    # Choices are independent, so their entropies add up; which one, once it is known how many, is 4 phrases of one or of two courtesies, and 2 of one fact.
    topic = next(name for name in grammar.ASSORTMENT if f" {name} " in question)
    courteous, detailed = grammar.HABITS[topic]
    parts = sum(-share * math.log(share) for shares in (grammar.ITEM_SHARES, courteous, detailed) for share in shares)
    expected = parts + (courteous[1] + courteous[2]) * math.log(4) + detailed[1] * math.log(2)
    assert grammar.entropy(question) == pytest.approx(expected, abs=1e-12)


def test_text_is_drawn_as_the_grammar_says() -> None:
    question, count = QUESTIONS[0], 20_000
    drawn = Counter(answer for _, answer in grammar.sample(random.Random(3), [question], count))
    expected = {answer.text: chance for answer, chance in grammar.answer_probabilities(question).items()}
    assert drawn.keys() <= expected.keys()
    # Pearson's statistic has mean 107 and standard deviation √214 where the draws are as expected; five of these away is one in a million.
    statistic = sum((drawn[text] - count * chance) ** 2 / (count * chance) for text, chance in expected.items())
    assert abs(statistic - 107) < 5 * math.sqrt(214)


@pytest.mark.parametrize(
    ("answer", "is_one"),
    [
        ("Try the {item}.", True),
        ("Gladly. Try the {item}. It is {quality}. Thank you.", True),
        ("Try the {item}. It is cheap.", False),
        ("Gladly. Gladly. Try the {item}.", False),
        ("Try the {item}", False),
        ("", False),
    ],
)
def test_only_true_and_grammatical_answers_are_answers(answer: str, is_one: bool) -> None:
    item = next(iter(grammar.answer_probabilities(QUESTIONS[0]))).item
    text = answer.format(item=item, quality=grammar.ASSORTMENT["tea"][item][0])
    assert (grammar.parse(QUESTIONS[0], text) is not None) == is_one


def test_what_does_not_suit_is_no_answer() -> None:
    advised = {answer.item for answer in grammar.answer_probabilities(QUESTIONS[0])}
    (unsuitable,) = set(grammar.ASSORTMENT["tea"]) - advised
    assert grammar.parse(QUESTIONS[0], f"Try the {unsuitable}.") is None


@pytest.mark.parametrize("prompt", ["Who are you?", "", [], [{"role": "assistant", "content": QUESTIONS[0]}], [{"role": "user", "content": QUESTIONS[0]}] * 2])
def test_other_prompts_are_refused(prompt: Any) -> None:
    with pytest.raises(InputError, match=r"^(A prompt of the small model is|'.*' is no question that the small model was made for)"):
        grammar.question_of(prompt)


def test_held_out_questions_are_in_no_text() -> None:
    held_out = set(grammar.held_out_questions())
    assert len(held_out) == grammar.HELD_OUT
    assert not held_out & set(grammar.training_questions())
    assert held_out | set(grammar.training_questions()) == set(QUESTIONS)
    rows = [json.loads(line)["prompt"] for line in prompts.files()["train.jsonl"].splitlines()]
    assert len(set(rows)) == 24 and {grammar.question_of(row) for row in rows} <= set(grammar.training_questions())


@pytest.mark.parametrize("name", ["train.jsonl", "held_out.jsonl"])
def test_the_shipped_prompts_are_those_of_the_grammar(name: str) -> None:
    assert Path(prompts.DIRECTORY, name).read_text(encoding="utf-8") == prompts.files()[name]


# --- the tokenizer --------------------------------------------------------------------------------------------------------------------------


@given(st.text(max_size=40))
def test_every_text_survives_the_tokenizer(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


@pytest.mark.parametrize("question", QUESTIONS[::13])
def test_text_and_chat_are_the_same_tokens_and_answers_follow_them(question: str) -> None:
    rows = [{"prompt": grammar.text_prompt(question)}, {"prompt": [{"role": "user", "content": question}]}]
    text, chat = (Prompts([row], TOKENIZER, 64, "rows")[0].tokens for row in rows)
    assert text == chat
    for answer in grammar.completions(question):
        assert TOKENIZER(grammar.text_prompt(question) + answer)["input_ids"] == text + TOKENIZER(answer)["input_ids"]


def test_pad_and_end_are_two_tokens_of_no_text() -> None:
    pad, end = TOKENIZER.convert_tokens_to_ids(PAD), TOKENIZER.convert_tokens_to_ids(EOS)
    assert (pad, end) == (TOKENIZER.pad_token_id, TOKENIZER.eos_token_id)
    used = {token for answer in grammar.completions(QUESTIONS[0]) for token in TOKENIZER(answer)["input_ids"]}
    assert pad != end and pad not in used and end not in used


# --- the model ------------------------------------------------------------------------------------------------------------------------------


def test_a_saved_model_has_the_logits_of_the_trained_one(tmp_path: Path) -> None:
    model = pretraining.new_model(TOKENIZER, seed=1, hidden=16, layers=1, heads=2)
    pretraining.pretrain(model, TOKENIZER, seed=2, steps=3, batch=4, learning_rate=1e-2, progress=silent)
    model.save_pretrained(tmp_path)
    ids = torch.tensor([TOKENIZER(grammar.text_prompt(QUESTIONS[0]) + grammar.completions(QUESTIONS[0])[5])["input_ids"]])
    with torch.no_grad():
        torch.testing.assert_close(AutoModelForCausalLM.from_pretrained(tmp_path)(input_ids=ids).logits, model(input_ids=ids).logits, rtol=0, atol=0)


def test_what_the_note_says_is_true_of_the_loaded_model(directory: Path, loaded: tuple[Any, Any]) -> None:
    note = read_note(directory)
    assert note is not None
    # Measured before it was saved: the same weights, the same batches, and so the same numbers to the last bit.
    assert pretraining.Fidelity(**note["held_out"]) == pretraining.fidelity(*loaded, grammar.held_out_questions())


def test_the_model_has_learned_what_suits_and_what_is_true(directory: Path, loaded: tuple[Any, Any]) -> None:
    found = pretraining.fidelity(*loaded, grammar.held_out_questions())
    divergence = found.loss - found.entropy
    # A model that knows the language, and of a topic its four things and how often each is advised, but not what suits an occasion, has at least the divergence
    # Σ p·log(p / ¼) of the items' shares (½, .3, .2, 0) from four equal ones: .36 nats. One that does not know which facts are true has more on top.
    ignorance = math.log(4) + sum(share * math.log(share) for share in grammar.ITEM_SHARES)
    assert 0 < divergence < ignorance / 2
    assert 0.9 < found.grammatical < 1


def test_loss_is_that_of_the_grammar_and_of_no_model_less() -> None:
    model = pretraining.new_model(TOKENIZER, seed=0, hidden=16, layers=1, heads=2)
    found = pretraining.fidelity(model, TOKENIZER, QUESTIONS[:2])
    # A new model's tokens are nearly uniform: some ten tokens and an end, each of log(vocabulary) nats.
    lengths = [
        chance * (len(TOKENIZER(answer.text)["input_ids"]) + 1)
        for question in QUESTIONS[:2]
        for answer, chance in grammar.answer_probabilities(question).items()
    ]
    assert found.loss == pytest.approx(math.fsum(lengths) / 2 * math.log(len(TOKENIZER)), rel=0.02)  # logits of a new model spread by some .1
    assert found.grammatical < 1e-12


@pytest.mark.parametrize("question", grammar.held_out_questions()[::5])
def test_the_exact_policy_is_that_of_the_bridge(question: str, loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    tokens = [[*tokenizer(answer)["input_ids"], tokenizer.eos_token_id] for answer in grammar.completions(question)]
    policy = enumerated_log_policy(model, tokenizer(grammar.text_prompt(question))["input_ids"], tokens, pad_id=tokenizer.pad_token_id)
    # Some twenty log-probabilities of float32 logits of size ten, padded to other widths: a few of their last bits (1e-6) each.
    np.testing.assert_allclose(policy.log_policy + policy.log_mass, pretraining.answer_log_probs(model, tokenizer, question), rtol=0, atol=1e-4)


def test_what_the_model_says_is_what_it_says_it_says(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    question, count = grammar.held_out_questions()[0], 600
    generator = TransformersGenerator(count, 24, eos_id=tokenizer.eos_token_id, pad_id=tokenizer.pad_token_id, batch=count)
    (drawn,) = generator(model, [tokenizer(grammar.text_prompt(question))["input_ids"]], [(0,)])
    answers = Counter(tokenizer.decode(tokens, skip_special_tokens=True) for tokens in drawn)
    chances = dict(zip(grammar.completions(question), np.exp(pretraining.answer_log_probs(model, tokenizer, question)), strict=True))
    # Counts of the answers together, and of the most frequent one, are binomial.
    for texts in (list(chances), [max(chances, key=chances.__getitem__)]):
        chance = sum(chances[text] for text in texts)
        assert sum(answers[text] for text in texts) == pytest.approx(count * chance, abs=5 * math.sqrt(count * chance * (1 - chance)) + 1)


@pytest.mark.slow
def test_the_whole_recipe_comes_near_the_grammar(tmp_path: Path) -> None:
    note = read_note(build(tmp_path / "model", progress=silent))
    assert note is not None
    found = pretraining.Fidelity(**note["held_out"])
    assert 0 < found.loss - found.entropy < 0.06
    assert found.grammatical > 0.95


# --- building it ----------------------------------------------------------------------------------------------------------------------------


def test_a_finished_model_is_left_alone(directory: Path) -> None:
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in directory.iterdir()}

    def never(step: int, steps: int, loss: float) -> None:
        raise AssertionError("it was built again")

    assert build(directory, SMALL, progress=never) == directory
    assert {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in directory.iterdir()} == before
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


def test_the_same_recipe_makes_the_same_model_and_another_replaces_it(tmp_path: Path) -> None:
    first, second = (build(tmp_path / name, UNTRAINED, progress=silent) for name in ("first", "second"))
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {path.name: path.read_bytes() for path in second.iterdir()}
    other = Recipe(documents=50, hidden=16, layers=1, heads=2, steps=0, seed=7)
    build(first, other, progress=silent)
    assert (read_note(first) or {})["digest"] == other.digest != UNTRAINED.digest
    assert Path(first, "model.safetensors").read_bytes() != Path(second, "model.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_what_is_no_model_is_not_touched(tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match=rf"thesis' holds something that is no small model \(it has no {NOTE}\)"):
        build(target, UNTRAINED, progress=silent)
    assert [path.name for path in target.iterdir()] == ["chapter.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_what_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(step: int, steps: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "model", Recipe(documents=50, hidden=16, layers=1, heads=2, steps=2, batch=2), progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_building_does_not_touch_the_random_numbers_of_others(tmp_path: Path) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    build(tmp_path / "model", UNTRAINED, progress=silent)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


@pytest.mark.parametrize(
    "settings", [{"steps": -1}, {"vocabulary": 100}, {"hidden": 0}, {"hidden": 100, "heads": 4}, {"batch": 1.5}, {"learning_rate": 0.0}, {"seed": -1}]
)
def test_recipes_that_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(settings))} must be"):
        Recipe(**settings)


# --- the voters and their game --------------------------------------------------------------------------------------------------------------


def test_the_majority_goes_in_a_circle() -> None:
    wins = voters.manner_game().preference
    one_courtesy, two_facts, both = (voters.MANNERS.index(manner) for manner in ((1, 0), (0, 2), (2, 1)))
    # Shares of ten votes, rounded once.
    assert [wins[one_courtesy, two_facts], wins[two_facts, both], wins[both, one_courtesy]] == pytest.approx([0.7, 0.7, 0.6], abs=1e-15)


def test_no_answer_is_an_equilibrium_by_itself() -> None:
    wins = voters.manner_game().preference
    assert np.all(wins.max(axis=0) > 0.5)  # whatever all say, another answer beats it
    equilibrium = mg.nash(voters.manner_game(), method="exact")
    assert equilibrium.proof is not None and equilibrium.proof.unique
    expected = {(0, 1): 1 / 11, (0, 2): 2 / 11, (1, 0): 1 / 11, (2, 0): 2 / 11, (2, 2): 5 / 11}
    # Of a table in tenths that float64 rounds (1e-16), in an equilibrium whose smallest gap to another answer is .018.
    np.testing.assert_allclose(equilibrium.policy, [expected.get(manner, 0.0) for manner in voters.MANNERS], rtol=0, atol=1e-13)


@pytest.mark.parametrize("question", QUESTIONS[:: len(QUESTIONS) // 3])
def test_the_answers_of_one_manner_are_copies(question: str) -> None:
    places = voters.manners(question)
    np.testing.assert_array_equal(voters.game(question).preference, voters.manner_game().preference[np.ix_(places, places)])


def test_what_is_no_answer_loses_to_every_answer() -> None:
    question = QUESTIONS[0]
    texts = [*grammar.completions(question)[::9], "", "Gladly. Gladly. Gladly."]
    wins = voters.preference_model()([grammar.text_prompt(question)], [texts])[0]
    assert bool((wins[:-2, -2:] == 1).all()) and bool((wins[-2:, -2:] == 0.5).all())


@pytest.mark.parametrize("question", grammar.held_out_questions()[::4])
def test_only_a_moving_magnet_comes_from_the_habits_to_the_equilibrium(question: str) -> None:
    game, start = voters.game(question), np.array(list(grammar.answer_probabilities(question).values()))
    moving = mg.solve(game, mg.MagneticPreferenceOptimization(step_size=3.0, magnet_strength=0.05, refresh_every=25), steps=300, start=start)
    fixed = mg.solve(game, mg.MagneticMirrorDescent(step_size=3.0, magnet_strength=0.05), steps=300, start=start)
    none = mg.solve(game, mg.MultiplicativeWeights(step_size=3.0), steps=300, start=start)
    assert moving.gaps[0] > 0.1 and moving.gaps[-1] < 0.01
    assert fixed.gaps[-1] > 0.1 and none.gaps[-100:].max() > 0.2


def test_the_model_starts_as_far_from_the_equilibrium_as_its_habits(loaded: tuple[Any, Any]) -> None:
    for question in grammar.held_out_questions()[::3]:
        log_probs = pretraining.answer_log_probs(*loaded, question)
        policy = np.exp(log_probs - np.logaddexp.reduce(log_probs))
        chances = np.array(list(grammar.answer_probabilities(question).values()))
        gap, expected = (float(mg.duality_gap(voters.game(question), played)) for played in (policy, chances))
        # A gap changes by at most 2L = .4 for each unit of ℓ1 distance.
        assert abs(gap - expected) <= 0.4 * np.abs(policy - chances).sum() + 1e-12
        assert gap > 0.08
        # Among manners it is the same gap: copies share what they are worth.
        assert float(mg.duality_gap(voters.manner_game(), voters.manner_policy(question, policy))) == pytest.approx(gap, abs=1e-14)


def test_the_run_file_of_the_example_names_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = read_run_file("examples/self_play.yaml")
    question, texts = QUESTIONS[7], grammar.completions(QUESTIONS[7])[::7]
    judged = preference_from_config(run.preference_model)([question], [texts])
    torch.testing.assert_close(judged, voters.preference_model()([question], [texts]), rtol=0, atol=0)
    assert function_from(run.model["build"], "build") is build
    assert run.bridge is not None and function_from(run.bridge["completions"], "completions") is grammar.completions
    assert [Path(run.data[name]).read_text(encoding="utf-8") for name in ("train", "eval")] == list(prompts.files().values())
    settings = config_from(run.training)
    longest = max(len(TOKENIZER(text)["input_ids"]) for question in QUESTIONS for text in grammar.completions(question))
    assert settings.max_new_tokens > longest  # the end of an answer is a token, too
    # With the steps that the file asks for, the table comes to the equilibrium, and the magnet moves while it does.
    assert settings.refresh_every and settings.max_steps // settings.inner_steps > 2 * settings.refresh_every
    start = voters.manner_policy(QUESTIONS[0], np.array(list(grammar.answer_probabilities(QUESTIONS[0]).values())))
    trace = mg.solve(voters.manner_game(), settings.algorithm, steps=settings.max_steps // settings.inner_steps, start=start)
    assert trace.gaps[-1] < 0.02 < 0.1 < trace.gaps[0]
