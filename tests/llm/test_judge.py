"""A language model as judge: what it is asked, in which order, how many questions at a time, and from where."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest
import torch

from mmd_games.errors import InputError
from mmd_games.llm.preference import JudgePreference, check_preferences, diagnose
from tests.llm.judge_server import P, Reply, ask, fails, judge, judge_server, lists, probabilities, says


def test_both_orders_are_asked_and_averaged():
    with judge_server(probabilities) as server:
        model = judge(server.base_url, request={"seed": 3})
        table, raw = ask(model), model.by_order(["q"], [["a", "b", "c"]])[0]
    for i, first in enumerate("abc"):
        for j, second in enumerate("abc"):
            if i != j:
                assert float(raw[i, j]) == P[first, second]
                assert float(table[i, j]) == pytest.approx((P[first, second] + 1 - P[second, first]) / 2, abs=1e-15)  # two roundings below 2
    check_preferences(table[None], 1, 3, "judge", antisymmetric=model.antisymmetric)
    assert Counter(map(tuple, server.questions)) == Counter({("q", *pair): 2 for pair in P})  # once for each of the two calls, as there is no cache
    assert {(body["model"], body["temperature"], body["max_tokens"], body["seed"]) for body in server.bodies} == {("m", 0.0, 16, 3)}


def test_a_judge_that_always_prefers_the_first_says_nothing_and_its_bias_shows():
    with judge_server(lambda body, number: says("A")) as server:
        model = judge(server.base_url, answer="letter")
        assert torch.equal(ask(model), torch.full((3, 3), 0.5, dtype=torch.float64))
        report = diagnose(model.by_order(["q"], [["a", "b", "c"]]))
    assert (report.position_bias, report.antisymmetry_mean, report.decided_triples) == (0.5, 1.0, 0)


def test_one_order_halves_the_price_and_stays_antisymmetric():
    with judge_server(lambda body, number: says("A")) as server:
        model = judge(server.base_url, answer="letter", both_orders=False)
        texts = [f"text {index}" for index in range(12)]
        table = ask(model, *texts)
    assert len(server.bodies) == 12 * 11 / 2
    check_preferences(table[None], 1, 12, "judge", antisymmetric=True)
    firsts = int(table.triu(1).sum())  # pairs that the first listed won, as it was shown first
    assert 0 < firsts < 66  # by the coin of the digest, the same in every run: not always the order of the list


def test_identical_completions_tie_unasked_and_a_question_is_asked_once():
    with judge_server(probabilities) as server:
        model = judge(server.base_url)
        table = ask(model, "a", "b", "a", "b")
    assert sorted(map(tuple, server.questions)) == [("q", "a", "b"), ("q", "b", "a")]
    assert float(table[0, 2]) == float(table[1, 3]) == 0.5
    assert float(table[0, 1]) == float(table[2, 3]) == float(table[2, 1]) == pytest.approx(0.8, abs=1e-15)


def test_only_pairs_of_the_mask_are_asked():
    with judge_server(probabilities) as server:
        mask = torch.zeros(3, 3, dtype=torch.bool)
        mask[0, 1] = True
        table = ask(judge(server.base_url), mask=mask)
    assert sorted(map(tuple, server.questions)) == [("q", "a", "b"), ("q", "b", "a")]
    assert float(table[0, 1]) == pytest.approx(0.8, abs=1e-15)
    assert int(torch.isnan(table).sum()) == 5  # of nine entries three are the diagonal, one was wanted


def test_as_many_questions_at_a_time_as_allowed():
    together, lock = threading.Barrier(3), threading.Lock()
    present = most = 0

    def answer(body: dict[str, Any], number: int) -> Reply:
        nonlocal present, most
        with lock:
            present += 1
            most = max(most, present)
        together.wait(20)  # breaks, and the request with it, unless three are here at the same time
        with lock:
            present -= 1
        return probabilities(body, number)

    with judge_server(answer) as server:
        assert not torch.isnan(ask(judge(server.base_url, concurrency=3))).any()
    assert most == 3


def test_it_works_where_an_event_loop_runs_already():
    async def notebook(model: JudgePreference) -> torch.Tensor:
        return ask(model)

    with judge_server(probabilities) as server:
        assert torch.equal(asyncio.run(notebook(judge(server.base_url))), ask(judge(server.base_url)))


def test_check_is_free_where_the_model_is_listed_and_one_judgement_where_not():
    with judge_server(lambda body, number: says("0.9"), models=lists("other", "m")) as server:
        model = judge(server.base_url)
        model.check()
        assert model.calls == len(server.bodies) == 0
    for models in (lists("other"), fails(404), fails(500), Reply(b"[]"), Reply(b"{}"), Reply(b'{"data": [3]}')):
        with judge_server(lambda body, number: says("0.9"), models=models) as server:
            model = judge(server.base_url)
            model.check()
            assert model.calls == len(server.bodies) == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"base_url": "127.0.0.1:8000"}, "base_url must be a URL such as"),
        ({"base_url": "ftp://host/v1"}, "base_url must be a URL such as"),
        ({"base_url": "http://host:notaport/v1"}, "base_url must be a URL such as"),
        ({"base_url": None}, "base_url must be a URL such as"),
        ({"model": ""}, "model must be the name"),
        ({"answer": "leter"}, "Unknown kind of answer of judge 'leter'; did you mean 'letter'"),
        ({"template": "{first} only"}, r"template of judge must have the field \{second\}"),
        ({"template": "{first} {second} {prompts}"}, "Unknown field of the template of judge 'prompts'; did you mean 'prompt'"),
        ({"timeout": 0}, "timeout must be a positive"),
        ({"retries": -1}, "retries must be a whole number"),
        ({"first_wait": float("nan")}, "first_wait must be a positive"),
        ({"concurrency": 0}, "concurrency must be a whole number"),
        ({"budget": 1.5}, "budget must be a whole number"),
        ({"max_tokens": 0}, "max_tokens must be a whole number"),
        ({"request": "seed"}, "request of judge must hold fields"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], sentence: str):
    with pytest.raises(InputError, match=sentence):
        JudgePreference(**({"base_url": "http://127.0.0.1/v1", "model": "m"} | settings))


def test_texts_that_look_like_fields_or_cannot_be_encoded_are_sent_as_they_are():
    with judge_server(lambda body, number: says("0.5")) as server:
        ask(judge(server.base_url), "{second}", "half \ud83d")
    assert sorted(server.questions) == [["q", "half ?", "{second}"], ["q", "{second}", "half ?"]]


def test_chat_prompts_are_shown_with_their_roles():
    with judge_server(lambda body, number: says("0.5")) as server:
        judge(server.base_url)([[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]], [["a", "b"]])
    assert server.questions[0][0] == "system: Be brief.\n\nuser: Hi"
