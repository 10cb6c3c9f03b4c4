"""A judge's endpoint on this machine that answers as a test tells it: rightly, wrongly, late, broken, or not at all; and a judge that asks it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import torch

from mmd_games.llm.preference import JudgePreference

TEMPLATE = "{prompt}|{first}|{second}"
"""What tests ask, so that the server can read it."""

os.environ["NO_PROXY"] = "127.0.0.1,localhost"  # this machine is asked without a detour, whatever the environment says

P = {("a", "b"): 0.9, ("b", "a"): 0.3, ("a", "c"): 0.2, ("c", "a"): 0.7, ("b", "c"): 1.0, ("c", "b"): 0.125}
"""What a judge says with the first of the two shown first; its two orders disagree."""
PAIRS = 6
"""Ordered pairs of three completions."""


@dataclass(frozen=True)
class Reply:
    """What is sent back; `drip` is the pause in seconds between its bytes."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0


def says(content: object) -> Reply:
    """A chat completion, as the protocol has it."""
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    return Reply(json.dumps({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [message]}).encode())


def fails(status: int, message: str = "no", **headers: str) -> Reply:
    """An error, as the protocol has it."""
    return Reply(json.dumps({"error": {"message": message, "type": "t", "code": "c"}}).encode(), status, {k.replace("_", "-"): v for k, v in headers.items()})


def lists(*models: str) -> Reply:
    """The list of models."""
    return Reply(json.dumps({"object": "list", "data": [{"id": model, "object": "model", "created": 0, "owned_by": "me"} for model in models]}).encode())


@dataclass
class Server:
    """A running server and what it has seen."""

    base_url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)

    @property
    def questions(self) -> list[list[str]]:
        """Prompt, first and second completion of each request."""
        return [body["messages"][0]["content"].split("|") for body in self.bodies]


class PatientServer(ThreadingHTTPServer):
    """A server with room for all connections that a test opens at once; the standard library's has room for five."""

    request_queue_size = 128


@contextmanager
def judge_server(answer: Callable[[dict[str, Any], int], Reply | None], models: Reply | None = None) -> Iterator[Server]:
    """Answer chat requests by `answer(body, number of the request)`, and the list of models by `models`. `None` never answers."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send(models or fails(404))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(server.bodies)
                server.bodies.append(body)
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
            reply = answer(body, number)
            if reply is None:
                server.gone.wait(60)
            else:
                self.send(reply)

        def send(self, reply: Reply) -> None:
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                for position in range(0, len(reply.body), 1 if reply.drip else len(reply.body) or 1):
                    self.wfile.write(reply.body[position : position + (1 if reply.drip else len(reply.body))])
                    self.wfile.flush()
                    if reply.drip and not server.gone.is_set():
                        time.sleep(reply.drip)
            except OSError:  # the client has lost its patience
                pass

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = PatientServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.gone.set()
        http.shutdown()
        thread.join()
        http.server_close()


def probabilities(body: dict[str, Any], number: int) -> Reply:
    _, first, second = body["messages"][0]["content"].split("|")
    return says(str(P[first, second]))


def judge(base_url: str, **settings: Any) -> JudgePreference:
    return JudgePreference(base_url, "m", **({"answer": "probability", "template": TEMPLATE, "first_wait": 1e-3, "retries": 0} | settings))


def ask(model: JudgePreference, *texts: str, **settings: Any) -> torch.Tensor:
    return model(["q"], [texts or ("a", "b", "c")], **settings)[0]


def closed_url() -> str:
    """A URL where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
