"""What is shipped beside the code: the configurations for several devices, and the names of the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

import mmd_games.llm

ROOT = Path(__file__).resolve().parents[2]


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
