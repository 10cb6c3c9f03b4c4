"""What is shipped beside the code: the README's lines on language models, and the configurations for several devices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file

import mmd_games.llm
from mmd_games.llm.preference import MatrixPreference
from mmd_games.llm.training import MagneticPreferenceConfig

from .tiny import MOVES, RPS, tiny_llama, tiny_tokenizer
from .training import PROMPTS, config

ROOT = Path(__file__).resolve().parents[2]


def test_the_trainer_of_the_readme_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python skip\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    tokenizer = tiny_tokenizer()
    shown: dict[str, Any] = {}

    def smaller(**settings: Any) -> MagneticPreferenceConfig:
        shown.update(settings)
        return config(tmp_path, **{**settings, "output_dir": str(tmp_path)})

    monkeypatch.setattr(mmd_games.llm, "MagneticPreferenceConfig", smaller, raising=False)
    names = {"model": tiny_llama(tokenizer), "tokenizer": tokenizer, "train_dataset": PROMPTS, "preference_model": MatrixPreference(list(MOVES), RPS)}
    exec(block, names)
    trained: Any = names["trainer"]
    assert trained.state.global_step == 4
    assert trained.args.refresh_every == shown["refresh_every"] == 20


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "accelerate").glob("*.yaml")), ids=lambda path: path.stem)
def test_configurations_for_several_devices_are_what_accelerate_takes(path: Path) -> None:
    """An unknown key would be an error; that a run on several devices works is not shown here, and the files say so."""
    loaded = load_config_from_file(str(path))
    kind = {"ddp": "MULTI_GPU", "fsdp": "FSDP"}.get(path.stem, "DEEPSPEED")
    assert str(loaded.distributed_type).endswith(kind)
    text = path.read_text(encoding="utf-8")
    assert "NOT RUN" in text or "was not" in text
    if kind == "DEEPSPEED":
        assert loaded.deepspeed_config["zero_stage"] == int(path.stem[-1])


def test_public_names_are_what_they_say() -> None:
    for name in mmd_games.llm._HOMES:
        assert getattr(mmd_games.llm, name).__doc__ or name == "OBJECTIVES"
    with pytest.raises(AttributeError, match="no attribute 'magnetic_los'"):
        _ = mmd_games.llm.magnetic_los  # type: ignore[attr-defined]
    assert set(mmd_games.llm._HOMES) <= set(dir(mmd_games.llm))
