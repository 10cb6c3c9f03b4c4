"""A language model as judge: asked in both orders, cached, within a budget, and never in the way of a running event loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from mmd_games.errors import InputError, require_whole, unknown
from mmd_games.llm.preference.cache import AnswerCache, digest
from mmd_games.llm.preference.diagnostics import symmetrised
from mmd_games.llm.preference.endpoint import BUDGET_SPENT, NO_CONNECTION, TIME_OUT, Endpoint, NoReplyError
from mmd_games.llm.preference.protocol import Mask, Prompt, group_shape, judged_table, prompt_text, wanted_pairs
from mmd_games.llm.preference.templates import TEMPLATES, check_template, fill, read_answer

UNREADABLE = "unreadable answer"
Result = TypeVar("Result")


class JudgePreference:
    """A model behind an OpenAI-compatible endpoint that is asked which of two completions is better.

    A judge favours a position, so each pair is asked in both orders and :math:`P_{ij} = (p_{ij} + 1 - p_{ji})/2`; a pair of which one order failed is a failed
    judgement. Identical completions tie without being asked. Failures are counted, never read as ties, and asked anew in the next call.

    Parameters
    ----------
    base_url, model, api_key_variable, timeout, retries, first_wait
        See :class:`Endpoint`.
    answer : {"letter", "probability"}
        What the judge is to reply: A, B or TIE, or a number. All else is an unreadable answer, without guessing.
    template : str, optional
        The question, with the fields ``{prompt}``, ``{first}`` and ``{second}``.
    temperature : float or None
        Of the judge's sampling; `None` does not send one.
    max_tokens : int or None
        Longest reply; `None` does not send it, for endpoints that want another field, which ``request`` can have.
    request : mapping, optional
        More fields of the request body.
    concurrency : int
        Questions on their way at the same time.
    budget : int, optional
        Most requests of this process, every retry counted. When it is spent, the remaining pairs are NaN, and a call that needs one more is refused.
    cache : path, optional
        File of answers, see :class:`AnswerCache`. The key of an answer is made of the model's name, the text of the question and the fields of the request, and
        not of ``base_url``: the same model on another machine has answered already.
    both_orders : bool
        Without, each pair is asked in one order, which of them depends on the two texts as if by a coin: half the price, and the bias of the position is noise.
    name : str, optional
        What messages call it.

    Attributes
    ----------
    calls, cached : int
        Requests sent so far, retries counted; answers found in the cache.
    failures : Counter
        How many questions got no answer, by reason.

    Raises
    ------
    InputError
        For settings out of range.
    """

    antisymmetric = True

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key_variable: str | None = None,
        answer: Literal["letter", "probability"] = "letter",
        template: str | None = None,
        temperature: float | None = 0.0,
        max_tokens: int | None = 16,
        request: Mapping[str, Any] | None = None,
        concurrency: int = 8,
        timeout: float = 60.0,
        retries: int = 4,
        first_wait: float = 0.5,
        budget: int | None = None,
        cache: str | Path | None = None,
        both_orders: bool = True,
        name: str = "judge",
    ):
        require_whole(concurrency=concurrency, max_tokens=max_tokens)
        require_whole(minimum=0, budget=budget)
        if answer not in TEMPLATES:
            raise unknown(f"kind of answer of {name}", str(answer), TEMPLATES)
        if request is not None and not isinstance(request, Mapping):
            raise InputError(f"request of {name} must hold fields of the request body, got {request!r}.")
        self.template = TEMPLATES[answer] if template is None else template
        check_template(self.template, name)
        fields = {"temperature": temperature, "max_tokens": max_tokens, **(request or {})}
        self.endpoint = Endpoint(
            base_url=base_url,
            model=model,
            api_key_variable=api_key_variable,
            timeout=timeout,
            retries=retries,
            first_wait=first_wait,
            request={key: value for key, value in fields.items() if value is not None},
        )
        self.answer, self.concurrency, self.budget, self.both_orders, self.name = answer, concurrency, budget, both_orders, name
        self.cache = None if cache is None else AnswerCache(cache)
        self.calls = 0
        self.cached = 0
        self.failures: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<JudgePreference {self.endpoint.model} at {self.endpoint.base_url}: {self.calls} calls, {self.cached} cached, {self.failures.total()} failed>"

    def check(self) -> None:
        """Can the judge be asked? Free where the endpoint lists its model, else one judgement is asked for, which the budget counts.

        Raises
        ------
        InputError
            Naming ``base_url``, and what is wrong.
        """
        reason = run(self._probe())
        if reason is None:
            return
        endpoint = self.endpoint
        advice = {
            NO_CONNECTION: "it cannot be reached: is the server running, and base_url right?",
            TIME_OUT: f"it did not reply within {endpoint.timeout:g} seconds (timeout).",
            BUDGET_SPENT: f"the budget of {self.budget} calls is spent.",
            UNREADABLE: f"it replied, but not as asked (answer: {self.answer}); another template or model may.",
            "status 401": "it refused the API key (status 401): set the environment variable that api_key_variable names.",
            "status 403": "it refused the API key (status 403): set the environment variable that api_key_variable names.",
            "status 404": "it knows no such model or path (status 404): is the model's name right, and does base_url end as it should, often with /v1?",
        }
        raise InputError(f"{self.name} cannot ask '{endpoint.model}' at {endpoint.base_url}: {advice.get(reason, f'{reason}.')}")

    async def _probe(self) -> str | None:
        """Why the judge cannot be asked, or `None`."""
        async with self.endpoint.client() as client:
            try:
                listed = await self.endpoint.models(client)
            except NoReplyError as failure:
                if failure.reason in (NO_CONNECTION, TIME_OUT, "status 401", "status 403"):
                    return failure.reason
                listed = []
            if self.endpoint.model in listed:
                return None
            try:
                reply = await self.endpoint.ask(client, fill(self.template, "Name a colour.", "Blue.", "Potato."), self._spend)
            except NoReplyError as failure:
                return failure.reason
        return UNREADABLE if read_answer(reply, self.answer) is None else None

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """See :class:`PreferenceModel`.

        Raises
        ------
        InputError
            When the budget is spent already and a pair is not in the cache, or the cache cannot be used.
        """
        wanted = wanted_pairs(mask, *group_shape(prompts, completions, self.name), self.name)
        table = symmetrised(answers := self.by_order(prompts, completions, wanted | wanted.mT))
        if self.both_orders:
            table = torch.where(torch.isnan(answers) | torch.isnan(answers.mT), torch.nan, table)
        return judged_table(table, wanted)

    def by_order(self, prompts: Sequence[Prompt], completions: Sequence[Sequence[str]], mask: Mask | None = None) -> Tensor:
        """What the judge says with i shown first, for :func:`diagnose`: (B, K, K). Raises as a call does."""
        wanted = wanted_pairs(mask, *group_shape(prompts, completions, self.name), self.name)
        table = np.full(wanted.shape, np.nan)
        questions: dict[str, str] = {}
        keys: dict[tuple[int, int, int], str] = {}
        for group, first, second in np.argwhere(wanted).tolist():
            texts = completions[group][first], completions[group][second]
            if texts[0] == texts[1]:
                table[group, first, second] = 0.5
                continue
            key, question = self._question(prompts[group], *texts)
            if self.both_orders or key < self._question(prompts[group], *reversed(texts))[0]:
                questions[key] = question
                keys[group, first, second] = key
        answers = self._answers(questions)
        for place, key in keys.items():
            table[place] = answers.get(key, np.nan)
        return judged_table(table, wanted)

    def _question(self, prompt: Prompt, first: str, second: str) -> tuple[str, str]:
        question = fill(self.template, prompt_text(prompt), first, second)
        return digest(self.endpoint.model, self.answer, question, dict(self.endpoint.request)), question

    def _answers(self, questions: Mapping[str, str]) -> dict[str, float]:
        """Answers by key, from the cache or the endpoint; a question that got none is missing."""
        with nullcontext() if self.cache is None else self.cache.opened():
            known = {} if self.cache is None else self.cache.get(questions)
            self.cached += len(known)
            open_questions = {key: question for key, question in questions.items() if key not in known}
            if open_questions and self._is_spent:
                raise InputError(f"{self.name} has spent its budget of {self.budget} calls, and {len(open_questions)} judgements are not in its cache.")
            if open_questions:
                known.update(run(self._ask_all(open_questions)))
        return known

    @property
    def _is_spent(self) -> bool:
        return self.budget is not None and self.calls >= self.budget

    def _spend(self) -> None:
        """Count a request before it is sent, and stop where the budget is spent."""
        if self._is_spent:
            raise NoReplyError(BUDGET_SPENT)
        self.calls += 1

    async def _ask_all(self, questions: Mapping[str, str]) -> dict[str, float]:
        """Ask several questions at a time. Once an endpoint could not be reached by a question's every attempt, the others have one attempt each."""
        gate = asyncio.Semaphore(self.concurrency)
        answers: dict[str, float] = {}
        is_down = False

        async def ask(key: str, question: str) -> None:
            nonlocal is_down
            async with gate:
                try:
                    reply = await self.endpoint.ask(client, question, self._spend, 0 if is_down else None)
                except NoReplyError as failure:
                    is_down = is_down or failure.reason == NO_CONNECTION
                    self.failures[failure.reason] += 1
                    return
            probability = read_answer(reply, self.answer)
            if probability is None:
                self.failures[UNREADABLE] += 1
            else:
                answers[key] = probability if self.cache is None else self.cache.put(key, probability)

        try:
            async with self.endpoint.client() as client, asyncio.TaskGroup() as tasks:
                for key, question in questions.items():
                    tasks.create_task(ask(key, question))
        except ExceptionGroup as group:  # such as a full disk under the cache
            raise group.exceptions[0] from None
        return answers

    def state_dict(self) -> dict[str, int]:
        """What a resumed run needs to keep to its budget."""
        return {"calls": self.calls}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a saved state."""
        self.calls = int(state["calls"])


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine, from plain code; where an event loop runs already, as in a notebook, in a thread with its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    runner: Callable[[Coroutine[Any, Any, Result]], Result] = asyncio.run
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(runner, work).result()
