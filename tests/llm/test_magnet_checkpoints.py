"""The magnet in checkpoints: restored to the last bit, never half-written, refused where it is missing or of another model."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

from mmd_games.errors import InputError
from mmd_games.llm.policy import PolicyAndMagnet
from tests.llm.test_magnet import KINDS, llama, log_probs, lora, train
from tests.llm.tiny import DEVICE


@pytest.mark.parametrize("name", KINDS)
def test_saved_and_restored_bit_for_bit(name: str, tmp_path: Path) -> None:
    both = KINDS[name]()
    train(both)
    both.refresh()
    train(both)
    both.refresh()
    expected = log_probs(both)
    train(both)
    both.save(tmp_path)
    assert [path.name for path in (tmp_path / "magnet").iterdir()] == ["magnet.safetensors"]
    other = KINDS[name]()
    other.load(tmp_path)
    assert other.refreshes == 2
    restored = log_probs(other)
    assert torch.equal(restored["magnet"], expected["magnet"]) and torch.equal(restored["start"], expected["start"])
    assert not torch.allclose(restored["policy"], expected["policy"], atol=1e-3)  # the policy is the trainer's to restore
    saved, loaded = both._weights.tensors("magnet"), other._weights.tensors("magnet")
    assert all(torch.equal(saved[key], loaded[key]) for key in saved)


def test_a_checkpoint_without_its_magnet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no magnet/magnet\.safetensors: without its magnet a run cannot go on"):
        KINDS["lora"]().load(tmp_path)


def test_a_magnet_of_another_model_changes_nothing(tmp_path: Path) -> None:
    KINDS["lora"]().save(tmp_path)
    for other, sentence in (
        (PolicyAndMagnet.from_model(llama(), lora(r=3)), r"is of another model: its '.*lora_A\.weight' is \(2, 32\), here it is \(3, 32\)"),
        (KINDS["copy"](), r"'magnet\.base_model.*lora_A\.weight' is \(2, 32\), here it is absent"),
        (KINDS["adapter"](), r"start\..* is absent, here it is"),
    ):
        before = log_probs(other)
        with pytest.raises(InputError, match=sentence):
            other.load(tmp_path)
        assert all(torch.equal(before[key], value) for key, value in log_probs(other).items()) and other.refreshes == 0


def test_a_file_that_is_cut_or_uncounted(tmp_path: Path) -> None:
    both = KINDS["lora"]()
    both.save(tmp_path)
    path = tmp_path / "magnet" / "magnet.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(InputError, match="cannot be read"):
        both.load(tmp_path)
    path.write_bytes(whole)
    save_file(load_file(path), path)
    with pytest.raises(InputError, match="cannot be read: 'refreshes'"):
        both.load(tmp_path)


def test_an_interrupted_save_leaves_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = KINDS["lora"]()
    both.save(tmp_path)
    before = (tmp_path / "magnet" / "magnet.safetensors").read_bytes()

    def full(tensors: object, filename: str, metadata: object) -> None:
        Path(filename).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("mmd_games.llm.policy.magnet.save_file", full)
    train(both)
    both.refresh()
    with pytest.raises(OSError, match="No space"):
        both.save(tmp_path)
    assert [path.read_bytes() for path in (tmp_path / "magnet").iterdir()] == [before]


@pytest.mark.parametrize("name", ["lora", "copy"])
def test_weights_in_pieces(name: str, tmp_path: Path) -> None:
    """As FSDP holds them; here in one piece, for there is one rank."""
    whole = KINDS[name]()
    train(whole)
    expected = log_probs(whole)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.init_process_group("nccl" if DEVICE == "cuda" else "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        both, other = KINDS[name](), KINDS[name]()
        for sharded in (both, other):
            fully_shard(sharded.model, mesh=init_device_mesh(DEVICE, (1,)))
        assert all(isinstance(parameter, DTensor) for parameter in both.model.parameters())
        train(both)
        both.refresh()
        found = log_probs(both)
        assert (
            torch.equal(found["policy"], expected["policy"])
            and torch.equal(found["magnet"], expected["policy"])
            and torch.equal(found["start"], expected["start"])
        )
        both.save(tmp_path)
        other.load(tmp_path)
        assert torch.equal(log_probs(other)["magnet"], expected["policy"]) and other.refreshes == 1
    finally:
        torch.distributed.destroy_process_group()
