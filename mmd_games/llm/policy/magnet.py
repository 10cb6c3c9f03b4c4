"""The policy that learns and the magnet that pulls it: two sets of weights, and in time a third, the policy before training.

With adapters (LoRA and its kind) the three share one base model; in full fine-tuning the magnet is a frozen copy. The policy π_t that drew the completions is
no fourth set: its log-probabilities are kept from the rollout.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import torch
from peft import PeftConfig, PeftModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mmd_games.errors import InputError
from mmd_games.llm.policy.adapters import AdapterWeights
from mmd_games.llm.policy.copies import CopiedWeights
from mmd_games.llm.policy.modules import assign, is_main, whole

WEIGHTS = Path("magnet") / "magnet.safetensors"
"""Where a checkpoint keeps its magnet: one file, weights and counter, so that none is ever half-written."""


class Weights(Protocol):
    """How several sets of weights of one model are kept: `policy`, `magnet`, and perhaps `start`."""

    model: Any
    kept: tuple[str, ...]

    def using(self, name: str, wrapped: nn.Module | None) -> AbstractContextManager[Any]:
        """Yield a module that computes with a set of weights, without gradient; None for weights that are not kept."""
        ...

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of a set of weights themselves; the sets have the same keys."""
        ...


class PolicyAndMagnet:
    """How one module gives the probabilities of the policy, of the magnet and of the policy before training.

    Attributes
    ----------
    model : PeftModel or PreTrainedModel
        The module that learns.
    refreshes : int
        How many times the magnet became the policy.

    Examples
    --------
    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> sizes = dict(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> both = PolicyAndMagnet.from_model(LlamaForCausalLM(LlamaConfig(**sizes)))
    >>> both.refresh()
    >>> with both.magnet() as magnet:
    ...     print(magnet is both.model, both.refreshes)
    False 1
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.refreshes = 0

    @classmethod
    def from_model(cls, model: nn.Module, peft_config: PeftConfig | None = None, *, keep_start: bool = False) -> PolicyAndMagnet:
        """Put a magnet beside a model, equal to it.

        Parameters
        ----------
        model : PeftModel or PreTrainedModel
            Before it is wrapped for several devices. A PeftModel's active adapter is the policy, the magnet becomes a second one.
        peft_config : PeftConfig, optional
            Train adapters on a bare model, rather than all its weights.
        keep_start : bool
            In full fine-tuning, keep another copy: the policy before training. Adapters keep it always, at no cost where they begin by adding nothing.

        Raises
        ------
        InputError
            Where policy and magnet could not be told apart, or log-probabilities not be repeated: adapters with dropout, merged adapters, several active
            adapters, weights that learn outside of the adapter, prompts that learn, a quantised model without adapters.
        """
        if peft_config is not None or isinstance(model, PeftModel):
            return cls(AdapterWeights(model, peft_config))
        return cls(CopiedWeights(model, keep_start=keep_start))

    @property
    def model(self) -> Any:
        """The module that learns."""
        return self._weights.model

    def magnet(self, wrapped: nn.Module | None = None) -> AbstractContextManager[nn.Module]:
        """Yield a module that computes with the magnet's weights, without gradient, in evaluation mode.

        Parameters
        ----------
        wrapped : module, optional
            `model` as it is wrapped for several devices; with adapters it is what is yielded, for wrappers that hold the weights in pieces (FSDP).
        """
        return self._weights.using("magnet", wrapped)

    def start(self, wrapped: nn.Module | None = None) -> AbstractContextManager[nn.Module | None]:
        """Yield a module that computes with the weights from before training, or None where they were not kept."""
        return self._weights.using("start", wrapped)

    @torch.no_grad()
    def refresh(self) -> None:
        """Let the magnet become the policy, bit for bit, and count it."""
        policy = self._weights.tensors("policy")
        for name, tensor in self._weights.tensors("magnet").items():
            assign(tensor, policy[name])
        self.refreshes += 1

    def save(self, directory: str | Path) -> None:
        """Write the magnet and the number of refreshes to `directory`/magnet/, whole or not at all.

        Rank 0 writes. Where ranks hold the weights in pieces, all must call this.
        """
        tensors = {name: whole(tensor) for name, tensor in self._stored().items()}
        if not is_main():
            return
        path = Path(directory) / WEIGHTS
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        try:
            save_file(tensors, unfinished, metadata={"refreshes": str(self.refreshes)})
            os.replace(unfinished, path)
        finally:
            Path(unfinished).unlink(missing_ok=True)

    @torch.no_grad()
    def load(self, directory: str | Path) -> None:
        """Restore the magnet and the number of refreshes that :meth:`save` wrote; nothing changes unless all of it fits.

        Raises
        ------
        InputError
            When the directory has no magnet, it cannot be read, or it is of another model.
        """
        path = Path(directory) / WEIGHTS
        if not path.is_file():
            raise InputError(f"The checkpoint {directory} has no {WEIGHTS.as_posix()}: without its magnet a run cannot go on as it was.")
        stored = self._stored()
        try:
            with safe_open(path, framework="pt") as file:
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118, this is no dictionary
                if shapes != {name: tuple(tensor.shape) for name, tensor in stored.items()}:
                    raise InputError(f"The magnet in {path} is of another model: {_difference(shapes, stored)}.")
                refreshes = int((file.metadata() or {})["refreshes"])
                for name, tensor in stored.items():
                    assign(tensor, file.get_tensor(name))
        except (SafetensorError, KeyError) as problem:
            raise InputError(f"The magnet in {path} cannot be read: {problem}.") from problem
        self.refreshes = refreshes

    def _stored(self) -> dict[str, Tensor]:
        """What belongs to a checkpoint besides the policy, by name; the tensors themselves."""
        return {f"{kept}.{name}": tensor.detach() for kept in self._weights.kept for name, tensor in self._weights.tensors(kept).items()}


def _difference(shapes: dict[str, tuple[int, ...]], stored: dict[str, Tensor]) -> str:
    """Name one tensor in which a file and the sets of weights of this model differ."""
    name = next(name for name in sorted({*shapes, *stored}) if name not in shapes or name not in stored or shapes[name] != tuple(stored[name].shape))
    here = tuple(stored[name].shape) if name in stored else "absent"
    return f"its '{name}' is {shapes.get(name, 'absent')}, here it is {here}"
