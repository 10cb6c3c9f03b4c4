"""A server's completions: of the policy as it is now, without truncation; what is no completion is refused, and no key is shown."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel

from mmd_games.errors import InputError
from mmd_games.llm.policy import PolicyAndMagnet, TransformersGenerator
from mmd_games.llm.policy.server_generation import ServerGenerator, request_seed
from tests.llm.test_generation import EOS, KEYS, PAD, PROMPTS, generator, llama


class Server:
    """A completions server with adapters, as vLLM documents it, around a model of this machine."""

    def __init__(self, model: Any) -> None:
        self.model, self.requests, self.adapters, self.spoils = model, [], [], {}
        self.keys: list[str | None] = []

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, str]:
        self.requests.append((path, body))
        if path == "/v1/load_lora_adapter":
            name = body["lora_name"]
            if name in self.adapters:
                return 400, json.dumps({"error": {"message": "already loaded"}})
            if not isinstance(self.model, PeftModel):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", FutureWarning)
                    self.model = PeftModel.from_pretrained(self.model, body["lora_path"], adapter_name=name)
            else:
                self.model.load_adapter(body["lora_path"], name)
            self.adapters.append(name)
            return 200, f"Success: LoRA adapter '{name}' added successfully"
        if path == "/v1/unload_lora_adapter":
            self.adapters.remove(body["lora_name"])
            return 200, "Success"
        self.model.set_adapter(body["model"])
        draw = TransformersGenerator(body["n"], body["max_tokens"], body["temperature"], eos_id=body["stop_token_ids"], pad_id=PAD)
        choices: list[dict[str, Any]] = [
            {"index": index, "text": "", "finish_reason": "stop" if tokens[-1] in body["stop_token_ids"] else "length", "token_ids": tokens}
            for index, tokens in enumerate(draw(self.model, [body["prompt"]], [(body["seed"],)])[0])
        ]
        choices = [{**choice, **self.spoils} for choice in reversed(choices)][self.spoils.get("fewer", 0) :]
        return 200, json.dumps({"id": "1", "object": "text_completion", "created": 0, "model": body["model"], "choices": choices})


@contextmanager
def serving(server: Server) -> Iterator[str]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.keys.append(self.headers["Authorization"])
                status, text = server.answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/plain")
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/v1"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def policy() -> PolicyAndMagnet:
    return PolicyAndMagnet.from_model(llama(dtype=torch.float32), LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))


def move(both: PolicyAndMagnet, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in both.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter))


def test_the_server_follows_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sesame")
    both, server = policy(), Server(llama(dtype=torch.float32))
    with serving(server) as url:
        draw = ServerGenerator(url, tmp_path, 4, 6, 0.7, eos_id=EOS, retries=0, api_key_variable="TEST_KEY")
        local = generator(4, 6, temperature=0.7)
        seen = []
        for step in range(3):
            move(both, step)
            seen.append(draw(both.model, PROMPTS, KEYS))
            # The server draws by its seed and the policy's weights: what this machine draws by that seed is the same.
            assert seen[-1] == local(both.model, PROMPTS, [(request_seed(key),) for key in KEYS])
            assert server.adapters == [draw.served_name] and [path.name for path in tmp_path.iterdir()] == [draw.served_name]
        assert seen[0] != seen[1] != seen[2]
        assert draw(both.model, PROMPTS, KEYS) == seen[-1]
    paths = [path.removeprefix("/v1/") for path, _ in server.requests]
    assert paths == ["load_lora_adapter", *["completions"] * 3, *["load_lora_adapter", "unload_lora_adapter", *["completions"] * 3] * 2, *["completions"] * 3]
    asked = next(body for path, body in server.requests if path == "/v1/completions")
    neutral = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "min_tokens": 0}
    assert asked.items() >= {**neutral, "temperature": 0.7, "max_tokens": 6, "n": 4, "return_token_ids": True}.items()
    assert set(server.keys) == {"Bearer sesame"}
    assert not any("sesame" in path.read_text(errors="ignore") for path in tmp_path.rglob("*") if path.is_file())
    names = [body["lora_name"] for path, body in server.requests if path == "/v1/load_lora_adapter"]
    assert all(before != after for before, after in pairwise(names))


def test_seeds_of_requests() -> None:
    seeds = [request_seed((seed, rollout, prompt)) for seed in range(3) for rollout in range(3) for prompt in range(3)]
    assert len(set(seeds)) == 27 and all(0 <= seed < 2**62 for seed in seeds)


@pytest.mark.parametrize(
    ("spoils", "sentence"),
    [
        ({"token_ids": None}, "gives no token_ids with its completions"),
        ({"token_ids": []}, "gives no token_ids"),
        ({"token_ids": [5, 4], "finish_reason": "stop"}, r"ended a completion after 2 tokens with token 4 \(stop\), which is no eos_id"),
        ({"fewer": 1}, "gave 3 completions of a prompt where 4 were asked for"),
    ],
)
def test_answers_that_are_no_completions(spoils: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    server = Server(llama(dtype=torch.float32))
    server.spoils = spoils
    with serving(server) as url, pytest.raises(InputError, match=sentence):
        ServerGenerator(url, tmp_path, 4, 6, eos_id=EOS, retries=0)(policy().model, PROMPTS, KEYS)


def test_a_server_that_refuses_or_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sesame")
    both, server = policy(), Server(None)
    server.answer = lambda path, body: (400, json.dumps({"error": {"message": "adapters are off, sesame"}}))  # type: ignore[method-assign]
    with serving(server) as url, pytest.raises(InputError, match=r"refused a request \(400\): .*adapters are off, …") as refused:
        ServerGenerator(url, tmp_path, 4, 6, eos_id=EOS, retries=0, api_key_variable="TEST_KEY")(both.model, PROMPTS, KEYS)
    assert "sesame" not in str(refused.value) and refused.value.__cause__ is None
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9/v1 does not answer: Connection error"):
        ServerGenerator("http://127.0.0.1:9/v1", tmp_path, 4, 6, eos_id=EOS, retries=0)(both.model, PROMPTS, KEYS)
    with pytest.raises(InputError, match="follows a policy by its adapter; give peft_config"):
        ServerGenerator("http://127.0.0.1:9/v1", tmp_path, 4, 6, eos_id=EOS)(llama(), PROMPTS, KEYS)
