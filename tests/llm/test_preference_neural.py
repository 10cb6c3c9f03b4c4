"""Preference models with weights: against their formulas on logits computed one text at a time, and against the tabular game on the same embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

import mmd_games as mg
from mmd_games.errors import InputError
from mmd_games.llm.preference import GeneralPreference, PairwisePreference, RewardPreference, check_preferences, diagnose
from mmd_games.llm.preference.classifier import Classifier
from tests.llm.tiny import tiny_llama, tiny_tokenizer

GROUPS = [["rock", "paper paper", "scissors rock rock"], ["paper", "rock", "paper"]]
PROMPTS = ["play ", "play play play "]
TOLERANCE = 1e-12  # two layers in float64 sum tens of terms of order one; padding changes the order of the sums: some hundred roundings of 1e-16
CHAT = "{% for message in messages %}{{ message['role'] + ' ' + message['content'] + ' ' }}{% endfor %}"


def tokenizer(**special: Any) -> PreTrainedTokenizerFast:
    made = tiny_tokenizer(("rock", "paper", "scissors", "user", "assistant", "A:", "B:", "|"))
    for name, value in special.items():
        setattr(made, name, value)
    return made


def classifier(labels: int, *, seed: int = 0, pad: int | None = None) -> LlamaForSequenceClassification:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer()),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=32,
        num_labels=labels,
        pad_token_id=pad,
        bos_token_id=None,
        eos_token_id=1,
    )
    model = LlamaForSequenceClassification(config).double()
    torch.nn.init.normal_(model.score.weight)  # preferences well away from 1/2
    return model


def alone(model: Any, text: str) -> torch.Tensor:
    """Logits of one text by itself, unpadded."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokenizer()(text)["input_ids"]])).logits[0].double()


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_rewards_are_those_of_each_text_alone_and_their_difference_decides(batch_size: int):
    network = classifier(1)
    model = RewardPreference(network, tokenizer(), temperature=0.5, batch_size=batch_size)
    table = check_preferences(model(PROMPTS, GROUPS), 2, 3, model.name, antisymmetric=True)
    for group, (prompt, texts) in enumerate(zip(PROMPTS, GROUPS, strict=True)):
        rewards = torch.cat([alone(network, prompt + text) for text in texts])
        assert float(rewards.std()) > 0.1
        expected = 1 / (1 + torch.exp(-(rewards[:, None] - rewards[None, :]) / 0.5))
        torch.testing.assert_close(table[group], expected, rtol=0, atol=TOLERANCE)
    assert model.calls == 5  # six completions, one of them twice
    assert diagnose(table).cycle_rate == 0


@pytest.mark.parametrize("normalise", [False, True])
def test_the_general_preference_model_is_the_tabular_game_on_its_embeddings(normalise: bool):
    network = classifier(4)
    model = GeneralPreference(network, tokenizer(), temperature=0.7, normalise=normalise)
    table = check_preferences(model(PROMPTS, GROUPS), 2, 3, model.name, antisymmetric=True)
    for group, (prompt, texts) in enumerate(zip(PROMPTS, GROUPS, strict=True)):
        vectors = torch.stack([alone(network, prompt + text) for text in texts]).numpy()
        if normalise:
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        game = mg.GeneralPreferenceGame(vectors, temperature=0.7)
        assert np.ptp(game.table()) > 0.05
        np.testing.assert_allclose(table[group].numpy(), game.table() + 0.5, rtol=0, atol=TOLERANCE)


def test_a_general_preference_goes_in_a_circle():
    class Compass(torch.nn.Module):
        """Embeds a text by its last token: rock, paper and scissors at thirds of a circle."""

        def __init__(self) -> None:
            super().__init__()
            self.config = LlamaConfig(num_labels=2, pad_token_id=0)
            self.device = torch.device("cpu")

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
            last = input_ids.gather(1, attention_mask.sum(1, keepdim=True) - 1)[:, 0]
            angles = 2 * torch.pi * last / 3
            return type("Output", (), {"logits": torch.stack([angles.cos(), angles.sin()], -1)})

    table = GeneralPreference(Compass(), tokenizer())(["play "], [["rock", "paper", "scissors"]])
    assert diagnose(table).cycle_rate == 1.0


@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("first_label", [0, 1])
def test_a_pairwise_model_reads_both_orders(labels: int, first_label: int):
    network = classifier(labels)
    settings: dict[str, Any] = {"template": "{prompt} A: {first} B: {second}", "first_label": first_label, "temperature": 2.0, "batch_size": 3}
    model = PairwisePreference(network, tokenizer(), **settings)
    one_order = PairwisePreference(network, tokenizer(), both_orders=False, **settings)
    table, raw = model(["play"], GROUPS[:1])[0], one_order(["play"], GROUPS[:1])[0]
    for i, first in enumerate(GROUPS[0]):
        for j, second in enumerate(GROUPS[0]):
            if i != j:
                logits = alone(network, f"play A: {first} B: {second}") / 2.0
                wins = torch.sigmoid(logits[0]) if labels == 1 else torch.softmax(logits, 0)[first_label]
                assert float(raw[i, j]) == pytest.approx(float(wins), abs=TOLERANCE)
                assert float(table[i, j]) == pytest.approx(float((raw[i, j] + 1 - raw[j, i]) / 2), abs=TOLERANCE)
    assert (model.antisymmetric, one_order.antisymmetric) == (True, False)
    assert float((raw + raw.mT - 1).abs().max()) > 1e-3  # this model does disagree with itself
    check_preferences(table[None], 1, 3, model.name, antisymmetric=True)
    assert torch.equal(model.by_order(["play"], GROUPS[:1])[0], raw)
    assert one_order.calls == 6


def test_a_pair_of_which_one_order_is_too_long_is_not_judged():
    """A template may show one completion twice, so that one order alone fits."""
    model = PairwisePreference(classifier(1), tokenizer(), template="{first} {first} {second}", max_tokens=4)
    table = model([""], [["rock", "paper paper"]])
    assert bool(torch.isnan(table[0, 0, 1])) and bool(torch.isnan(table[0, 1, 0]))
    assert model.failures == {"no judgement": 1}
    assert not torch.isnan(
        PairwisePreference(classifier(1), tokenizer(), template="{first} {first} {second}", max_tokens=5)([""], [["rock", "paper paper"]])
    ).any()


@pytest.mark.parametrize("kind", [RewardPreference, GeneralPreference])
def test_a_text_too_long_to_read_is_not_judged_and_counted(kind: Any):
    model = kind(classifier(1 if kind is RewardPreference else 2), tokenizer(), max_tokens=3)
    table = model(["play "], [["rock", "paper paper paper", "paper rock"]])
    assert torch.isnan(table[0]).nonzero().tolist() == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert list(model.failures.values()) == [1]
    in_context = kind(classifier(1 if kind is RewardPreference else 2), tokenizer())
    assert torch.isnan(in_context(["play " * 31], [["rock", "paper paper"]])[0]).tolist() == [[False, True], [True, False]]  # 32 tokens of context


def test_chat_prompts_are_read_through_the_chat_template():
    network = classifier(1)
    model = RewardPreference(network, tokenizer(chat_template=CHAT))
    rewards = model.rewards([[{"role": "user", "content": "play"}]], [["rock", "paper"]])
    expected = torch.stack([alone(network, f"user play assistant {text} ")[0] for text in ("rock", "paper")])
    torch.testing.assert_close(rewards[0], expected, rtol=0, atol=TOLERANCE)
    with pytest.raises(InputError, match="tokenizer of reward model has no chat template"):
        RewardPreference(classifier(1), tokenizer())([[{"role": "user", "content": "play"}]], [["rock", "paper"]])
    with pytest.raises(InputError, match="A prompt is text, or a list of messages"):
        model([[{"role": "user"}]], [["rock", "paper"]])  # type: ignore[list-item]


def test_an_encoder_does_not_see_the_padding():
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 32}
    network = BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer()), num_labels=1, pad_token_id=0, **sizes)).double().eval()
    torch.nn.init.normal_(network.classifier.weight)
    apart = torch.cat([alone(network, f"play {text}") for text in GROUPS[0]])
    torch.testing.assert_close(RewardPreference(network, tokenizer()).rewards(["play "], GROUPS[:1])[0], apart, rtol=0, atol=TOLERANCE)


def test_dropout_and_gradients_are_off():
    network = classifier(1).train()
    model = RewardPreference(network, tokenizer())
    assert not network.training
    assert not model(PROMPTS, GROUPS).requires_grad


@pytest.mark.parametrize("end", ["<eos>", "<pad>"])
def test_padding_is_by_the_number_that_the_model_knows(end: str):
    """The model finds its last token by its own number of the padding token, whatever the tokenizer's."""
    network = classifier(1, pad=1)
    model = RewardPreference(network, tokenizer(pad_token=end))
    apart = torch.stack([alone(network, f"play {text}") for text in GROUPS[0]])[:, 0]
    torch.testing.assert_close(model.rewards(["play "], GROUPS[:1])[0], apart, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: RewardPreference(classifier(2), tokenizer()), "reward model needs a classifier with num_labels = 1, the reward; this one has 2"),
        (lambda: GeneralPreference(classifier(3), tokenizer()), "general preference model needs a classifier with an even num_labels"),
        (lambda: PairwisePreference(classifier(3), tokenizer()), "pairwise model needs a classifier with num_labels = 1 or 2"),
        (lambda: PairwisePreference(classifier(1), tokenizer(), template="{first}"), r"template of pairwise model must have the field \{second\}"),
        (lambda: PairwisePreference(classifier(1), tokenizer(), template="{first}{second}{third}"), "Unknown field of the template of pairwise model 'third'"),
        (lambda: PairwisePreference(classifier(2), tokenizer(), first_label=2), "first_label of pairwise model must be 0 or 1"),
        (lambda: RewardPreference(classifier(1), tokenizer(pad_token=None)), "tokenizer of reward model has no padding token"),
        (lambda: RewardPreference(classifier(1), tokenizer(), temperature=0.0), "temperature of reward model must be a positive"),
        (lambda: GeneralPreference(classifier(2), tokenizer(), temperature=-1.0), "temperature of general preference model must be a positive"),
        (lambda: RewardPreference(classifier(1), tokenizer(), batch_size=0), "batch_size must be a whole number"),
        (lambda: RewardPreference(classifier(1), tokenizer(), max_tokens=33), "max_tokens of reward model is 33, more than the 32 tokens"),
    ],
)
def test_bad_models_are_refused(make: Any, sentence: str):
    with pytest.raises(InputError, match=sentence):
        make()


def test_a_saved_model_judges_the_same_and_what_is_no_classifier_is_refused(tmp_path: Path):
    network = classifier(1)
    RewardPreference(network, tokenizer())  # sets the padding token, as training would have
    for part in (network, tokenizer()):
        part.save_pretrained(tmp_path / "reward")
    loaded = RewardPreference.from_pretrained(tmp_path / "reward", dtype="float64", device="cpu", temperature=2.0, batch_size=2)
    # Rotary angles are kept in single precision and were made anew: some 1e-7 of values of order one.
    torch.testing.assert_close(loaded(PROMPTS, GROUPS), RewardPreference(network, tokenizer(), temperature=2.0)(PROMPTS, GROUPS), rtol=0, atol=1e-5)
    for part in (tiny_llama(tiny_tokenizer()), tiny_tokenizer()):
        part.save_pretrained(tmp_path / "language model")
    with pytest.raises(InputError, match=r"is no trained classifier, so reward model would judge at random: it has no weights for score\.weight"):
        RewardPreference.from_pretrained(tmp_path / "language model")
    with pytest.raises(InputError, match=r"No sequence classifier for pairwise model can be loaded from '.*nowhere'"):
        PairwisePreference.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(InputError, match="Unknown dtype of general preference model 'flota32'; did you mean 'float32'"):
        GeneralPreference.from_pretrained(tmp_path / "reward", dtype="flota32")
    with pytest.raises(InputError, match="even num_labels"):
        GeneralPreference.from_pretrained(tmp_path / "reward", device="cpu")


def test_an_empty_sequence_has_no_logits():
    assert bool(torch.isnan(Classifier(classifier(2), tokenizer()).logits([[], [4]])).tolist()[0][0])
