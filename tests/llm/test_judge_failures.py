"""Endpoints that fail, stall and lie: tried again with patience, counted by reason, and never read as a tie."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from mmd_games.errors import InputError
from mmd_games.llm.preference import check_preferences
from mmd_games.llm.preference import endpoint as endpoint_module
from mmd_games.llm.preference.endpoint import Endpoint, NoReplyError
from tests.llm.judge_server import PAIRS, Reply, ask, closed_url, fails, judge, judge_server, probabilities, says


@pytest.mark.parametrize("failure", [fails(500), fails(429), fails(503)])
def test_a_failing_endpoint_is_tried_again_and_every_attempt_counts(failure: Reply):
    with judge_server(lambda body, number: failure if number < 2 else probabilities(body, number)) as server:
        model = judge(server.base_url, retries=2, concurrency=1)
        assert float(ask(model, "a", "b")[0, 1]) == pytest.approx(0.8, abs=1e-15)
    assert (model.calls, len(server.bodies), model.failures.total()) == (4, 4, 0)


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (429, 3), (400, 1), (401, 1), (404, 1)])
def test_failures_are_counted_by_reason_and_are_no_ties(status: int, attempts: int):
    with judge_server(lambda body, number: fails(status)) as server:
        model = judge(server.base_url, retries=2)
        table = ask(model, "a", "b")
    assert bool(torch.isnan(table[0, 1])) and bool(torch.isnan(table[1, 0]))
    assert model.failures == {f"status {status}": 2}
    assert model.calls == 2 * attempts
    with pytest.raises(InputError, match="'judge' returned no valid judgement"):
        check_preferences(table[None], 1, 2, model.name)


def test_a_failed_order_loses_its_pair_alone():
    with judge_server(lambda body, number: says("?") if "|a|b" in body["messages"][0]["content"] else probabilities(body, number)) as server:
        model = judge(server.base_url)
        table = ask(model)
    assert torch.isnan(table).nonzero().tolist() == [[0, 1], [1, 0]]
    assert float(table[1, 2]) == pytest.approx((1 + 1 - 0.125) / 2)
    assert model.failures == {"unreadable answer": 1}


def test_waits_double_and_a_retry_after_is_heeded(monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(endpoint_module.asyncio, "sleep", sleep)
    failures = [NoReplyError("x", retry=True)] * 3 + [NoReplyError("x", retry=True, wait=7.0), NoReplyError("x", retry=True, wait=1e9)]

    async def attempt() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    endpoint = Endpoint(base_url="http://localhost/v1", model="m", first_wait=2.0)
    assert asyncio.run(endpoint.attempts(attempt, retries=5)) == "done"
    for wait, expected in zip(waits[:3], (2, 4, 8), strict=True):
        assert 0.75 * expected <= wait <= expected
    assert waits[3:] == [7.0, 60.0]


def test_the_header_retry_after_is_read(monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    true_sleep = asyncio.sleep

    async def sleep(seconds: float, *rest: Any) -> None:
        waits.append(seconds)
        await true_sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with judge_server(lambda body, number: fails(429, Retry_After="13") if number == 0 else says("0.5")) as server:
        ask(judge(server.base_url, retries=1, concurrency=1), "a", "b")
    assert 13.0 in waits


def test_nobody_listens():
    url = closed_url()
    model = judge(url, retries=2, concurrency=1)
    assert bool(torch.isnan(ask(model)[0, 1]))
    assert model.failures == {"no connection": PAIRS}
    assert model.calls == 3 + (PAIRS - 1)  # once it is known to be down, the others are not tried again and again
    with pytest.raises(InputError, match=f"cannot ask 'm' at {url}: it cannot be reached"):
        model.check()


@pytest.mark.parametrize("reply", [None, Reply(says("0.5").body, drip=0.02)], ids=["silent", "a byte now and then"])
def test_a_stalling_endpoint_is_left(reply: Reply | None):
    with judge_server(lambda body, number: reply, models=reply) as server:  # the drip would take seconds, a silence of the socket never lasts
        model = judge(server.base_url, timeout=0.3)
        assert bool(torch.isnan(ask(model, "a", "b")[0, 1]))
        assert model.failures == {"time-out": 2}
    with judge_server(lambda body, number: None) as server, pytest.raises(InputError, match=r"at http://127.0.0.1:\d+/v1: it did not reply within 0.3 seconds"):
        judge(server.base_url, timeout=0.3).check()


LIES: dict[str, tuple[Reply, str]] = {
    "another word": (says("I prefer A."), "unreadable answer"),
    "a number": (says("0.5"), "unreadable answer"),
    "small letter": (says("a"), "unreadable answer"),
    "nothing": (says(""), "unreadable answer"),
    "two winners": (says('{"winner": "A", "winner": "B"}'), "unreadable answer"),
    "no text": (says(None), "malformed response"),
    "a list": (says([{"type": "text", "text": "A"}]), "malformed response"),
    "no choices": (Reply(b'{"choices": []}'), "malformed response"),
    "null choices": (Reply(b'{"choices": null}'), "malformed response"),
    "no message": (Reply(b'{"choices": [{}]}'), "malformed response"),
    "choices of numbers": (Reply(b'{"choices": [1]}'), "malformed response"),
    "another shape": (Reply(b"[1, 2]"), "malformed response"),
    "a number alone": (Reply(b"7"), "malformed response"),
    "half of JSON": (Reply(says("A").body[:-9]), "malformed response"),
    "no JSON": (Reply(b"<html>A</html>", headers={"Content-Type": "text/html"}), "malformed response"),
    "no bytes": (Reply(b""), "malformed response"),
    "fewer bytes than said": (Reply(b"{", headers={"Content-Length": "100"}), "no connection"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_are_no_judgements(lie: str):
    reply, reason = LIES[lie]
    with judge_server(lambda body, number: reply) as server:
        model = judge(server.base_url, answer="letter")
        assert bool(torch.isnan(ask(model, "a", "b")[0, 1]))
        with pytest.raises(InputError, match=server.base_url):
            model.check()
    assert model.failures == {reason: 2}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [(fails(404), "knows no such model or path"), (says("Blue."), "not as asked"), (fails(401), "refused the API key"), (fails(500), "status 500")],
)
def test_check_says_what_is_wrong(answer: Reply, sentence: str):
    with judge_server(lambda body, number: answer) as server, pytest.raises(InputError, match=f"at {server.base_url}: .*{sentence}"):
        judge(server.base_url).check()
    with judge_server(lambda body, number: answer) as server, pytest.raises(InputError, match="the budget of 0 calls is spent"):
        judge(server.base_url, budget=0).check()
