"""A model behind an OpenAI-compatible endpoint: one question, one reply, with retries and time-outs, and a reason where there is no reply."""

from __future__ import annotations

import asyncio
import os
import random
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from mmd_games.errors import InputError, require_positive, require_whole

if TYPE_CHECKING:
    from openai import AsyncOpenAI

NO_CONNECTION, TIME_OUT, MALFORMED, BUDGET_SPENT = "no connection", "time-out", "malformed response", "budget spent"
LONGEST_WAIT = 60.0
"""Most seconds between two attempts, whatever the endpoint asks for."""
RETRIED = {408, 409, 425, 429}
"""Statuses below 500 that another attempt may mend; all from 500 on are tried again."""

Reply = TypeVar("Reply")


class NoReplyError(Exception):
    """Why a question got no reply, in words that a counter can have as key."""

    def __init__(self, reason: str, *, retry: bool = False, wait: float | None = None):
        super().__init__(reason)
        self.reason, self.retry, self.wait = reason, retry, wait


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a model is asked, and with how much patience. Holds no key: that is read from the environment when a connection is made.

    Parameters
    ----------
    base_url : str
        Such as ``http://127.0.0.1:8000/v1``.
    model : str
        The name by which the endpoint knows the model.
    api_key_variable : str, optional
        Name of the environment variable with the API key; by default none is sent.
    timeout : float
        Seconds after which an attempt is given up, from connecting to the last byte.
    retries : int
        Attempts after the first.
    first_wait : float
        Seconds before the second attempt; doubled each time, up to a minute. A ``Retry-After`` of the endpoint is waited for, up to a minute too.
    request : mapping
        Fields of the request body, such as ``temperature`` and ``max_tokens``.

    Raises
    ------
    InputError
        For a URL that is none or has a password in it, a variable that is not set, or settings out of range.
    """

    base_url: str
    model: str
    api_key_variable: str | None = None
    timeout: float = 60.0
    retries: int = 4
    first_wait: float = 0.5
    request: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_positive(timeout=self.timeout, first_wait=self.first_wait)
        require_whole(minimum=0, retries=self.retries)
        _check_url(self.base_url)
        if not isinstance(self.model, str) or not self.model:
            raise InputError(f"model must be the name by which the endpoint knows it, got {self.model!r}.")
        if self.api_key_variable is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(self.api_key_variable)):
            # Somebody may have put the key itself here, so it is not repeated.
            raise InputError(
                "api_key_variable must be the name of an environment variable, such as OPENAI_API_KEY; the key itself belongs into the environment."
            )

    def client(self) -> AsyncOpenAI:
        """A new client. Its own retries are off, because every attempt counts against the judge's budget and has a time-out of its own.

        Raises
        ------
        InputError
            When the environment variable of the API key is not set.
        """
        from openai import AsyncOpenAI

        key = "none"  # the client wants one; and none given, it would send OPENAI_API_KEY to whatever endpoint this is
        if self.api_key_variable is not None:
            key = os.environ.get(self.api_key_variable, "")
            if not key:
                raise InputError("The environment variable that api_key_variable names is not set: put the API key there.")
        return AsyncOpenAI(base_url=self.base_url, api_key=key, timeout=self.timeout, max_retries=0)

    async def ask(self, client: AsyncOpenAI, question: str, before: Callable[[], None], retries: int | None = None) -> str:
        """The text that the model replies to a question. `before` is called ahead of every attempt, and may raise to stop.

        Raises
        ------
        NoReplyError
            With the reason of the last attempt.
        """
        text = question.encode("utf-8", "replace").decode()  # half of a surrogate pair cannot be sent

        async def attempt() -> str:
            before()
            response = await client.chat.completions.create(model=self.model, messages=[{"role": "user", "content": text}], extra_body=dict(self.request))
            return _content(response)

        return await self.attempts(attempt, self.retries if retries is None else retries)

    async def models(self, client: AsyncOpenAI) -> list[str]:
        """Names of the models that the endpoint lists; empty where its list cannot be read.

        Raises
        ------
        NoReplyError
            With the reason of the last attempt.
        """

        async def attempt() -> list[str]:
            page: Any = await client.get("/models", cast_to=object)  # as plain JSON: the library's own page breaks on another shape
            listed = page.get("data") if isinstance(page, dict) else None
            return [str(model.get("id")) for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []

        return await self.attempts(attempt, self.retries)

    async def attempts(self, attempt: Callable[[], Awaitable[Reply]], retries: int) -> Reply:
        """The result of the first attempt that succeeds."""
        for tried in range(retries):
            try:
                return await self._once(attempt)
            except NoReplyError as failure:
                if not failure.retry:
                    raise
                wait = self.first_wait * 2**tried * random.uniform(0.75, 1.0) if failure.wait is None else failure.wait
            await asyncio.sleep(min(wait, LONGEST_WAIT))
        return await self._once(attempt)

    async def _once(self, attempt: Callable[[], Awaitable[Reply]]) -> Reply:
        """One attempt. What the library raises is turned into a reason and dropped: its messages quote the endpoint, which may quote the key."""
        import openai

        failure = NoReplyError(MALFORMED)
        try:
            async with asyncio.timeout(self.timeout):
                return await attempt()
        except (TimeoutError, openai.APITimeoutError):
            failure = NoReplyError(TIME_OUT, retry=True)
        except openai.APIConnectionError:
            failure = NoReplyError(NO_CONNECTION, retry=True)
        except openai.APIStatusError as error:
            status = error.status_code
            failure = NoReplyError(f"status {status}", retry=status in RETRIED or status >= 500, wait=_retry_after(error.response.headers.get("retry-after")))
        except (openai.OpenAIError, ValueError):  # ValueError: a body that is no JSON
            pass
        raise failure


def _check_url(base_url: object) -> None:
    try:
        parts = urllib.parse.urlsplit(base_url if isinstance(base_url, str) else "")
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        complete, parts = False, urllib.parse.SplitResult("", "", "", "", "")
    if parts.username is not None or parts.password is not None or parts.query:
        raise InputError("base_url must not hold a user, a password or a query: API keys are read from the environment (api_key_variable).")
    if not complete:
        raise InputError(f"base_url must be a URL such as http://127.0.0.1:8000/v1, got {base_url!r}.")


def _content(response: Any) -> str:
    """The text of a chat completion; the library does not check what an endpoint sends."""
    try:
        content = response.choices[0].message.content
    except (AttributeError, IndexError, KeyError, TypeError):
        content = None
    if not isinstance(content, str):
        raise NoReplyError(MALFORMED)
    return content


def _retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header; its other form, a date, is left to the usual wait."""
    return float(header) if header is not None and re.fullmatch(r"\d+(\.\d+)?", header.strip()) else None
