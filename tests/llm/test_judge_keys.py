"""The API key: from the environment, to the endpoint it is meant for, and to no other place."""

from __future__ import annotations

import logging
import pickle
import traceback
from pathlib import Path

import pytest

from mmd_games.errors import InputError
from mmd_games.llm.preference import JudgePreference
from tests.llm.judge_server import ask, fails, judge, judge_server, probabilities, says

SECRET = "sk-secret-0123456789"


def test_the_key_is_sent_and_shows_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    echo = f"Incorrect API key provided: {SECRET}"
    with judge_server(lambda body, number: fails(401, echo) if number == 0 else says("0.5"), models=fails(401, echo)) as server:
        model = judge(server.base_url, api_key_variable="JUDGE_KEY", cache=tmp_path / "answers", concurrency=1)
        table = ask(model)
        with pytest.raises(InputError, match="refused the API key") as refused:
            model.check()
    assert all(headers["authorization"] == f"Bearer {SECRET}" for headers in server.headers)
    error: BaseException | None = refused.value
    while error is not None:  # the whole chain, also what `from None` hides
        assert SECRET not in str(error)
        error = error.__cause__ or error.__context__
    shown = "".join(traceback.format_exception(refused.value, chain=True))
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert stored and SECRET.encode() not in stored + pickle.dumps(model)
    assert SECRET not in repr(model) + str(vars(model)) + shown + str(model.failures) + str(table) + caplog.text
    assert "status 401" in model.failures


def test_no_key_goes_where_none_was_meant_to_go(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with judge_server(probabilities) as server:
        ask(judge(server.base_url), "a", "b")
    assert SECRET not in str(server.headers)


def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    for wrong, sentence in (
        ({"api_key_variable": SECRET}, "must be the name of an environment variable"),
        ({"base_url": f"http://user:{SECRET}@127.0.0.1/v1"}, "must not hold a user, a password or a query"),
        ({"base_url": f"http://127.0.0.1/v1?key={SECRET}"}, "must not hold a user, a password or a query"),
    ):
        with pytest.raises(InputError, match=sentence) as refused:
            JudgePreference(**({"base_url": "http://127.0.0.1/v1", "model": "m"} | wrong))
        assert SECRET not in str(refused.value)
    with pytest.raises(InputError, match="environment variable that api_key_variable names is not set"):
        judge("http://127.0.0.1:9/v1", api_key_variable="JUDGE_KEY").check()
    with pytest.raises(InputError, match="is not set"):
        ask(judge("http://127.0.0.1:9/v1", api_key_variable="JUDGE_KEY"))
