"""Adapters: policy, magnet and start are small weights on one base model, of which one set is active at a time."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper, ModulesToSaveWrapper
from torch import Tensor, nn

from mmd_games.errors import InputError
from mmd_games.llm.policy.modules import evaluating


class AdapterWeights:
    """One base model with an adapter for the policy, another for the magnet, and a third for the start where the policy began with weights of its own."""

    def __init__(self, model: Any, peft_config: PeftConfig | None = None) -> None:
        if isinstance(model, PeftModel) and peft_config is not None:
            raise InputError("model has adapters already; leave out peft_config to train the active one.")
        for config in [peft_config] if peft_config is not None else model.peft_config.values():
            _require_repeatable(config)
        self.model: Any = model if peft_config is None else with_adapter(model, peft_config)
        if len(self.model.active_adapters) != 1:
            raise InputError(f"model must have one active adapter, the policy; active are {self.model.active_adapters}.")
        (self.policy,) = self.model.active_adapters
        if any(module.merged for module in self.model.modules() if isinstance(module, BaseTunerLayer)):
            raise InputError(
                "model has an adapter merged into its weights, which then are no longer the same for policy and magnet; call unmerge_adapter() first."
            )
        self.kept: tuple[str, ...] = ("magnet",) if _adds_nothing(self.model, self.policy) else ("magnet", "start")
        for name in self.kept:
            self._add(name)
        self.model.set_adapter(self.policy)
        self._require_nothing_else_learns()

    def _add(self, name: str) -> None:
        """Add an adapter that equals the policy's, in values, types and devices."""
        if name in self.model.peft_config:
            raise InputError(f"model has an adapter called '{name}' already, a name that is needed here; delete or rename it.")
        config = copy.deepcopy(self.model.peft_config[self.policy])
        if hasattr(config, "init_lora_weights"):
            config.init_lora_weights = True  # some ways to initialise change the base model, and all values are replaced below
        with torch.random.fork_rng(devices=[]):
            try:
                self.model.add_adapter(name, config, autocast_adapter_dtype=False)
            except (ValueError, NotImplementedError) as problem:
                raise InputError(f"peft_config does not allow for a second adapter, the magnet's: {problem}") from problem
        policy, added = self.tensors("policy"), self.tensors(name)
        if policy.keys() != added.keys():
            raise InputError(f"peft_config gives adapters that differ in '{min(policy.keys() ^ added.keys())}', so that a magnet cannot equal the policy.")
        for key, tensor in added.items():
            tensor.data = policy[key].detach().clone()

    def _require_nothing_else_learns(self) -> None:
        """Refuse what learns outside of the adapter: the magnet would move along with it."""
        own = {id(tensor) for tensor in self.tensors("policy").values()}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad and id(parameter) not in own:
                raise InputError(
                    f"'{name}' learns but is no part of the adapter, so the magnet would change with it; freeze it, or name it in modules_to_save."
                )

    @contextmanager
    def using(self, name: str, wrapped: nn.Module | None) -> Iterator[Any]:
        """Make another adapter the active one, or none for a start that added nothing; afterwards all is as it was, what requires a gradient included."""
        model, active = self.model, self.model.active_adapter
        called = model if wrapped is None else wrapped
        flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
        with torch.no_grad(), evaluating(model):
            try:
                if name in self.kept:
                    model.set_adapter(name, inference_mode=True)
                    yield called
                else:
                    with model.disable_adapter():
                        yield called
            finally:
                model.set_adapter(active)
                for parameter, flag in flags:
                    parameter.requires_grad_(flag)

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Parameters and buffers of an adapter, whole modules that learn with it included."""
        adapter = self.policy if name == "policy" else name
        found: dict[str, Tensor] = {}
        for place, module in self.model.named_modules():
            if not isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper):
                continue
            for part in module.adapter_layer_names:
                if "." in part or adapter not in (container := getattr(module, part)):  # one with a dot belongs to a module inside, which comes by itself
                    continue
                entry = container[adapter]
                members = chain(entry.named_parameters(), entry.named_buffers()) if isinstance(entry, nn.Module) else [("", entry)]
                found.update({f"{place}.{part}.{member}": tensor for member, tensor in members})
        return found


@contextmanager
def without_complaints() -> Iterator[None]:
    """Without PEFT's complaint, when it wraps a model, about a name inside transformers that nobody here calls."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        yield


@contextmanager
def without_needless_casts(model: nn.Module, autocast: bool) -> Iterator[None]:
    """Under autocast, let it alone choose in which precision LoRA layers compute.

    PEFT brings what they read to the float32 of their factors, and autocast brings it back: the same values, two copies more of each layer's input, one of them kept
    until the backward pass. Other kinds of adapters use float32 in between, and are left as they are.
    """
    layers = [module for module in model.modules() if isinstance(module, LoraLinear) and not module.lora_variant] if autocast else []
    before = [layer.cast_input_dtype_enabled for layer in layers]
    for layer in layers:
        layer.cast_input_dtype_enabled = False
    try:
        yield
    finally:
        for layer, enabled in zip(layers, before, strict=True):
            layer.cast_input_dtype_enabled = enabled


def with_adapter(model: nn.Module, peft_config: PeftConfig) -> PeftModel:
    """A model with a new adapter."""
    with without_complaints():
        try:
            return get_peft_model(model, peft_config)  # type: ignore[arg-type, return-value], declared for fewer models than it takes
        except ValueError as error:
            raise InputError(f"peft_config does not fit the model: {' '.join(str(error).split())}") from None


def _require_repeatable(config: PeftConfig) -> None:
    """Refuse adapters whose log-probabilities change from call to call, and those that are no weights inside the model."""
    if config.is_prompt_learning or config.is_adaption_prompt:
        raise InputError(f"peft_config must be LoRA or another adapter inside the model's layers; {config.peft_type} puts prompts before them.")
    for name, value in vars(config).items():
        if name.endswith("dropout") and isinstance(value, float) and value > 0:
            raise InputError(
                f"peft_config.{name} must be 0, got {value}: the log-probabilities of a rollout are kept, and with dropout they cannot be repeated."
            )


def _adds_nothing(model: Any, adapter: str) -> bool:
    """Whether an adapter leaves the base model as it is: a LoRA adapter that was not trained, with a factor of zeros in each layer."""
    for module in model.modules():
        if isinstance(module, LoraLayer):
            if module.lora_bias.get(adapter):
                return False
            for left, right in ((module.lora_A, module.lora_B), (module.lora_embedding_A, module.lora_embedding_B)):
                if adapter in left and _any(left[adapter]) and _any(right[adapter]):
                    return False
        elif isinstance(module, ModulesToSaveWrapper):
            pairs = zip(module.modules_to_save[adapter].parameters(), module.original_module.parameters(), strict=True)
            if not all(torch.equal(learns, original) for learns, original in pairs):
                return False
        elif isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper):
            return False
    return True


def _any(factor: Any) -> bool:
    """Whether a factor, a matrix or a layer with one, has an entry other than zero."""
    return bool((factor if isinstance(factor, Tensor) else factor.weight).any())
