"""The model card: how a model was made, with which settings, what was said of them beforehand, and whom to cite."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import ModelCard, ModelCardData
from peft import PeftModel

from mmd_games.algorithms.registry import to_spec
from mmd_games.words import visible

if TYPE_CHECKING:
    from mmd_games.llm.training.trainer import MagneticPreferenceTrainer

CITATIONS = """```bibtex
@inproceedings{wang2025magnetic,
    title     = {Magnetic Preference Optimization: Achieving Last-iterate Convergence for Language Model Alignment},
    author    = {Wang, Mingzhi and others},
    booktitle = {International Conference on Learning Representations},
    year      = 2025,
    eprint    = {2410.16714}
}
@inproceedings{sokota2023unified,
    title     = {A Unified Approach to Reinforcement Learning, Quantal Response Equilibria, and Two-Player Zero-Sum Games},
    author    = {Sokota, Samuel and others},
    booktitle = {International Conference on Learning Representations},
    year      = 2023,
    eprint    = {2206.05825}
}
```"""
SHOWN = ("learning_rate", "max_steps", "num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "optim", "adam_beta1", "seed", "bf16")
LIBRARIES = ("mmd_games", "torch", "transformers", "peft", "accelerate")


def write_model_card(trainer: MagneticPreferenceTrainer) -> Path:
    """Write README.md into the output directory, whole or not at all."""
    folder = Path(str(trainer.args.output_dir))
    base = getattr(trainer.models.model.config, "_name_or_path", "") or None
    data = ModelCardData(
        base_model=base if base and not Path(base).exists() else None,
        library_name="peft" if isinstance(trainer.models.model, PeftModel) else "transformers",
        tags=["magnetic-preference-optimization", "self-play", "nash-equilibrium", "mmd_games"],
    )
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".README.md.partial"
    partial.write_text(str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_body(trainer, base)}")), encoding="utf-8")
    os.replace(partial, folder / "README.md")
    return folder / "README.md"


def _body(trainer: MagneticPreferenceTrainer, base: str | None) -> str:
    args = trainer.args
    settings: dict[str, Any] = {name: getattr(args, name) for name in (*args.own_settings(), *SHOWN)}
    rows = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    measured = next((entry for entry in reversed(trainer.state.log_history) if "game/gap" in entry), {})
    results = "\n".join(f"| {name} | {value:.4g} |" for name, value in measured.items() if "/" in name)
    said = "No preflight was run." if trainer.preflight is None else f"```text\n{trainer.preflight}\n```"
    start = Path(base).name if base and Path(base).exists() else base
    return f"""# Trained by Magnetic Preference Optimization

This model was fine-tuned {f"from `{visible(start)}` " if start else ""}by self-play against a preference model ({visible(type(trainer.preference_model).__name__)}), with
`mmd_games.llm.MagneticPreferenceTrainer`: {trainer.rollouts:,} rollouts, {trainer.models.refreshes:,} refreshes of the magnet.

The tabular method with these settings is `{to_spec(args.algorithm)}`.

## What the preflight said

{said}

## What was measured last

| metric | value |
|---|---|
{results}

## Settings

| setting | value |
|---|---|
{rows}

Made with {", ".join(f"{name} {version(name)}" for name in LIBRARIES)}.

## Citation

{CITATIONS}
"""
