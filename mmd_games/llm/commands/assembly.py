"""From the sections of a run's file to the objects of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmd_games.errors import InputError, unknown
from mmd_games.llm.commands.run_file import RunFile, function_from

FORMATS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}


def load_model(path: str, dtype: str | None = None, where: str = "model") -> Any:
    """A causal language model from a directory or a hub name; a checkpoint of an adapter comes with its base.

    Raises
    ------
    InputError
        When there is no model.
    """
    import torch
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    from mmd_games.llm.policy.adapters import without_complaints

    if dtype is not None and not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise unknown(f"dtype of {where}", dtype, ["float32", "bfloat16", "float16", "float64"])
    adapter = (Path(path) / "adapter_config.json").is_file()
    settings: dict[str, Any] = {} if dtype is None else {"dtype": getattr(torch, dtype)}
    try:
        if adapter:
            with without_complaints():
                return AutoPeftModelForCausalLM.from_pretrained(path, is_trainable=False, **settings)
        return AutoModelForCausalLM.from_pretrained(path, **settings)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: no model can be loaded from '{path}' ({_first_sentence(error)})") from None


def load_tokenizer(path: str, where: str = "model") -> Any:
    """The tokenizer beside a model."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: no tokenizer can be loaded from '{path}' ({_first_sentence(error)})") from None


def without_progress_bars() -> None:
    """Keep libraries from drawing bars of their own on stderr, for work of milliseconds."""
    from datasets import disable_progress_bars
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()


def built_model(run: RunFile) -> str:
    """The model's path; where it is missing and the file says how it is built, it is built there first."""
    path, build = str(run.model["path"]), run.model.get("build")
    if build is not None:
        from accelerate import PartialState

        with PartialState().main_process_first():
            if not Path(path).exists():
                function_from(build, f"{run.path}, model.build")(path)
    return path


def load_rows(path: str, where: str) -> Any:
    """The rows of a file of prompts, as a `datasets.Dataset`."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    file = Path(path)
    if file.suffix not in FORMATS:
        raise InputError(f"{where}: '{path}' must end in one of {', '.join(FORMATS)}.")
    if not file.is_file():
        raise InputError(f"{where}: there is no file '{path}'.")
    try:
        return load_dataset(FORMATS[file.suffix], data_files=str(file), split="train")
    except (DatasetGenerationError, ValueError, StopIteration) as error:
        raise InputError(f"{where}: '{path}' cannot be read as rows ({_first_sentence(error.__cause__ or error)})") from None


def lora_config(settings: dict[str, Any] | None, where: str) -> Any:
    """The `peft.LoraConfig` of a section; None without one."""
    if settings is None:
        return None
    from dataclasses import fields

    from peft import LoraConfig

    known = [entry.name for entry in fields(LoraConfig) if entry.init]
    for key in settings:
        if key not in known:
            raise InputError(f"{where}: {unknown('key of lora', str(key), known)}")
    try:
        return LoraConfig(**{"task_type": "CAUSAL_LM", **settings})
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {_first_sentence(error)}") from None


def trainer_of(run: RunFile, *, callbacks: list[Any] | None = None) -> Any:
    """The trainer of a run's file; everything that can be wrong with the file is said by now."""
    from mmd_games.llm.preference import preference_from_config
    from mmd_games.llm.training import MagneticPreferenceTrainer, config_from

    args = config_from(run.training)
    preference = preference_from_config(run.preference_model)
    peft_config = lora_config(run.lora, str(run.path))
    rows = {name: load_rows(str(path), f"{run.path}, data.{name}") for name, path in run.data.items()}
    path = built_model(run)
    # What learns, learns in float32; under an adapter the base may be as it was saved.
    model, tokenizer = load_model(path, run.model.get("dtype", "float32" if run.lora is None else None)), load_tokenizer(path)
    return MagneticPreferenceTrainer(
        model,
        preference,
        args,
        rows["train"],
        rows.get("eval"),
        processing_class=tokenizer,
        callbacks=callbacks,
        peft_config=peft_config,
        generator=_server(run.generator, args, tokenizer),
    )


def _server(settings: dict[str, Any] | None, args: Any, tokenizer: Any) -> Any:
    """The generator of a section; None without one."""
    if settings is None:
        return None
    from mmd_games.llm.policy.server_generation import ServerGenerator

    drawn = {"samples": args.group_size, "max_new_tokens": args.max_new_tokens, "temperature": args.temperature, "eos_id": tokenizer.eos_token_id}
    return ServerGenerator(**drawn, **settings)


def _first_sentence(error: BaseException) -> str:
    """An error of a library, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}…"
