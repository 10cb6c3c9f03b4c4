"""Completions drawn by a server with an OpenAI-compatible completions endpoint, which follows the policy by its adapter alone.

Written for the interface that vLLM documents (token ids in, `return_token_ids`, `/v1/load_lora_adapter`), and run against a small test server only: never yet against
vLLM itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import openai
from peft import PeftModel
from torch import distributed, nn

from mmd_games.errors import InputError, require_positive, require_whole
from mmd_games.llm.policy.generation import eos_tokens, require_room
from mmd_games.llm.policy.modules import is_main, unwrapped


class ServerGenerator:
    """Draws with a server, after giving it the policy's adapter where that has changed.

    Parameters
    ----------
    base_url : str
        Such as http://127.0.0.1:8000/v1.
    adapter_directory : path
        A directory that this machine and the server both see under this path; adapters are handed over in it, and removed once they are replaced.
    samples, max_new_tokens, temperature, eos_id
        As for :class:`mmd_games.llm.policy.generation.TransformersGenerator`.
    requests : int
        Prompts that are asked for at once, at most; the server forms its own batches.
    timeout : float
        Seconds that an answer may take.
    retries : int
        How many times a request that failed is repeated, with growing pauses.
    api_key_variable : str, optional
        Environment variable that holds the server's key, where it asks for one. The key is never kept in a file nor shown.

    Notes
    -----
    Start the server with adapters enabled and `VLLM_ALLOW_RUNTIME_LORA_UPDATING=True`, on the same base model. Its sampling is asked for without truncation or
    penalties, whatever its defaults are. The seed of a request follows from the prompt's key; that the same seed gives the same completion is the server's affair, and
    servers that batch by load promise it to rounding only.
    """

    def __init__(
        self,
        base_url: str,
        adapter_directory: str | Path,
        samples: int,
        max_new_tokens: int,
        temperature: float = 1.0,
        *,
        eos_id: int | Sequence[int],
        requests: int = 32,
        timeout: float = 600.0,
        retries: int = 2,
        api_key_variable: str | None = None,
    ) -> None:
        require_whole(samples=samples, max_new_tokens=max_new_tokens, requests=requests)
        require_whole(0, retries=retries)
        require_positive(temperature=temperature, timeout=timeout)
        self.samples, self.max_new_tokens, self.temperature, self.requests = samples, max_new_tokens, temperature, requests
        self.eos_ids, self.base_url, self.adapter_directory = eos_tokens(eos_id), base_url, Path(adapter_directory)
        self._key = os.environ.get(api_key_variable, "") if api_key_variable else ""
        self._client = openai.OpenAI(base_url=base_url, api_key=self._key or "none", timeout=timeout, max_retries=retries)
        self._run, self._syncs = "", 0
        self._state: tuple[Any, ...] | None = None

    @property
    def served_name(self) -> str:
        """The name under which the server knows the policy as it was given last; a new one each time, so that nothing the server keeps by name is out of date."""
        return f"policy-{self._run}-{self._syncs}"

    def __call__(self, model: nn.Module, prompts: list[list[int]], keys: list[tuple[int, ...]]) -> list[list[list[int]]]:
        """See :class:`mmd_games.llm.policy.generation.Generator`."""
        require_room(prompts, keys, self.max_new_tokens)
        if _state(model) != self._state:
            self.sync(model)
        with ThreadPoolExecutor(self.requests) as pool:
            return list(pool.map(self._complete, prompts, keys))

    def sync(self, model: nn.Module) -> None:
        """Give the server the policy's adapter, and let it forget the one before.

        Raises
        ------
        InputError
            For a model without adapters: its weights would have to be handed over whole. When the server cannot be reached or refuses the adapter.
        """
        policy = unwrapped(model)
        if not isinstance(policy, PeftModel):
            raise InputError("ServerGenerator follows a policy by its adapter; give peft_config, or generate with the model itself.")
        if not self._run:
            names = [uuid4().hex[:8]]
            if distributed.is_initialized():
                distributed.broadcast_object_list(names)
            (self._run,) = names
        before = self.served_name
        self._syncs += 1
        if is_main():
            place = self.adapter_directory.resolve() / self.served_name
            (adapter,) = policy.active_adapters
            policy.save_pretrained(str(place), selected_adapters=[adapter], save_embedding_layers=False)
            self._post("load_lora_adapter", lora_name=self.served_name, lora_path=str(place if adapter == "default" else place / adapter))
            if self._syncs > 1:
                self._post("unload_lora_adapter", lora_name=before)
                shutil.rmtree(place.parent / before)
        if distributed.is_initialized():
            distributed.barrier()
        self._state = _state(model)

    def _post(self, path: str, **body: str) -> None:
        """Ask the server for something that is answered in words."""
        self._asked(self._client.post, f"/{path}", body=body, cast_to=str)

    def _complete(self, prompt: list[int], key: tuple[int, ...]) -> list[list[int]]:
        """All completions of a prompt."""
        answer = self._asked(
            self._client.completions.create,
            model=self.served_name,
            prompt=prompt,
            n=self.samples,
            max_tokens=self.max_new_tokens,
            temperature=self.temperature,
            seed=request_seed(key),
            top_p=1.0,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            extra_body={  # all of these are said, for what is not is taken from the defaults of the server, and those from the model's
                "top_k": -1,
                "min_p": 0.0,
                "repetition_penalty": 1.0,
                "min_tokens": 0,
                "stop_token_ids": self.eos_ids,
                "skip_special_tokens": False,
                "return_token_ids": True,
            },
        )
        if len(answer.choices) != self.samples:
            raise InputError(f"The server at {self.base_url} gave {len(answer.choices)} completions of a prompt where {self.samples} were asked for.")
        return [self._tokens(choice) for choice in sorted(answer.choices, key=lambda choice: choice.index)]

    def _tokens(self, choice: Any) -> list[int]:
        """Tokens of a completion, if it ended as it should."""
        tokens = getattr(choice, "token_ids", None)
        if not isinstance(tokens, list) or not tokens:
            raise InputError(
                f"The server at {self.base_url} gives no token_ids with its completions; it must know `return_token_ids`, as newer versions of vLLM do."
            )
        if tokens[-1] not in self.eos_ids and len(tokens) != self.max_new_tokens:
            raise InputError(
                f"The server at {self.base_url} ended a completion after {len(tokens)} tokens with token {tokens[-1]} ({choice.finish_reason}), which is no eos_id "
                f"({self.eos_ids}) nor max_new_tokens={self.max_new_tokens}; name all tokens that end a completion in eos_id."
            )
        return tokens

    def _asked(self, request: Any, *arguments: Any, **settings: Any) -> Any:
        """Answer of a request; what goes wrong is a sentence, in which no key appears."""
        try:
            return request(*arguments, **settings)
        except openai.APIStatusError as problem:
            raise InputError(f"The server at {self.base_url} refused a request ({problem.status_code}): {self._without_key(problem.message)}") from None
        except openai.APIError as problem:
            raise InputError(f"The server at {self.base_url} does not answer: {self._without_key(problem.message)}") from None

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "…") if self._key else text


def request_seed(key: tuple[int, ...]) -> int:
    """A seed that belongs to a prompt, below 2⁶²: servers count on from it for the samples of a prompt."""
    return int(np.random.SeedSequence([len(key), *key]).generate_state(1, np.uint64)[0] >> np.uint64(2))


def _state(model: nn.Module) -> tuple[Any, ...]:
    """What changes when weights that learn do: torch counts what is written to a tensor in place."""
    return tuple((id(parameter), parameter._version) for parameter in model.parameters() if parameter.requires_grad)
