"""Answers that were paid for: a second run is free, two processes agree, and a budget is a hard stop."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mmd_games.errors import InputError
from mmd_games.llm.preference import JudgePreference
from mmd_games.llm.preference import cache as cache_module
from mmd_games.llm.preference.cache import AnswerCache
from tests.llm.judge_server import PAIRS, TEMPLATE, ask, closed_url, fails, judge, judge_server, probabilities, says


def test_a_second_run_costs_no_calls_even_without_its_endpoint(tmp_path: Path):
    file = tmp_path / "new" / "answers.sqlite"
    with judge_server(probabilities) as server:
        first = judge(server.base_url, cache=file)
        table = ask(first)
    second = judge(server.base_url, cache=file, retries=0)
    assert torch.equal(ask(second), table)
    assert (first.calls, first.cached, second.calls, second.cached) == (PAIRS, 0, 0, PAIRS)


@pytest.mark.parametrize("change", [{"model": "n"}, {"template": TEMPLATE + "|"}, {"temperature": 0.5}, {"request": {"seed": 1}}, {"answer": "letter"}])
def test_another_question_is_another_key(tmp_path: Path, change: dict[str, Any]):
    settings = {"model": "m", "template": TEMPLATE, "answer": "probability", "cache": tmp_path / "answers.sqlite", "retries": 0}
    with judge_server(lambda body, number: says("0.5" if number < 2 else "TIE")) as server:
        ask(JudgePreference(server.base_url, **settings), "a", "b")
        changed = JudgePreference(server.base_url, **(settings | change))
        changed.by_order(["q"], [["a", "b"]])
        assert (changed.calls, changed.cached) == (2, 0)
        moved = judge(server.base_url.replace("127.0.0.1", "localhost"), cache=tmp_path / "answers.sqlite")
        ask(moved, "a", "b")
    assert (moved.calls, moved.cached) == (0, 2)  # the same model elsewhere has answered already


def test_failures_are_not_cached(tmp_path: Path):
    with judge_server(lambda body, number: fails(400) if number < 2 else probabilities(body, number)) as server:
        assert torch.isnan(ask(judge(server.base_url, cache=tmp_path / "answers"), "a", "b")[0, 1])
        again = judge(server.base_url, cache=tmp_path / "answers")
        assert float(ask(again, "a", "b")[0, 1]) == pytest.approx(0.8, abs=1e-15)


def test_two_processes_share_a_cache_and_see_the_same_answers(tmp_path: Path):
    script = (
        "import runpy, sys\n"
        f"cache = runpy.run_path({cache_module.__file__!r})['AnswerCache'](sys.argv[1])\n"  # the file alone, to import no torch
        "with cache.opened():\n"
        "    print(sys.argv[2], flush=True); sys.stdin.readline()\n"
        "    print([cache.put(str(key), float(sys.argv[2])) for key in range(200)])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "answers")]
    processes = [subprocess.Popen([*command, value], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for value in ("0.25", "0.75")]
    for process in processes:  # both are ready before either writes
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    seen = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    with AnswerCache(tmp_path / "answers").opened() as cache:
        stored = cache.get(map(str, range(200)))
    assert seen[0] == seen[1] == f"{[stored[str(key)] for key in range(200)]}\n"
    assert len(stored) == 200 and set(stored.values()) <= {0.25, 0.75}


def test_a_cache_that_is_no_cache_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("these are notes, and no database at all " * 40)
    with pytest.raises(InputError, match=r"cache .*notes\.txt.* cannot be used"):
        ask(judge(closed_url(), cache=tmp_path / "notes.txt"))
    with pytest.raises(InputError, match="cannot be used"):
        ask(judge(closed_url(), cache=tmp_path))


def test_a_cache_that_breaks_while_answers_come_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(self: AnswerCache, key: str, probability: float) -> float:
        import sqlite3

        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(AnswerCache, "put", full)
    with judge_server(probabilities) as server, pytest.raises(InputError, match="disk is full"):
        ask(judge(server.base_url, cache=tmp_path / "answers"))


def test_the_budget_stops_hard_and_says_so():
    with judge_server(probabilities) as server:
        model = judge(server.base_url, budget=4)
        table = ask(model)
        assert (model.calls, len(server.bodies)) == (4, 4)
        assert model.failures == {"budget spent": 2}
        assert 2 <= int(torch.isnan(table).sum()) <= 4
        with pytest.raises(InputError, match="judge has spent its budget of 4 calls, and 6 judgements"):
            ask(model)
    assert len(server.bodies) == 4


def test_retries_count_against_the_budget_and_the_cache_does_not(tmp_path: Path):
    with judge_server(probabilities) as server:
        ask(judge(server.base_url, cache=tmp_path / "answers"), "a", "b")
    with judge_server(lambda body, number: fails(500)) as server:
        model = judge(server.base_url, cache=tmp_path / "answers", retries=10, budget=5)
        table = ask(model)
        assert len(server.bodies) == model.calls == 5
        assert float(ask(model, "a", "b")[0, 1]) == float(table[0, 1]) == pytest.approx(0.8, abs=1e-15)


def test_a_resumed_run_keeps_to_its_budget():
    url = closed_url()
    first = judge(url, budget=2)
    ask(first, "a", "b")
    second = judge(url, budget=2)
    second.load_state_dict(first.state_dict())
    with pytest.raises(InputError, match="spent its budget of 2 calls"):
        ask(second, "a", "b")
