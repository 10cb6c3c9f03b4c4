"""The commands: what a run's file may say, what it may not, and what is left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import mmd_games as mg
from mmd_games.cli import main
from mmd_games.errors import InputError
from mmd_games.llm.commands.run_file import function_from, read_run_file
from mmd_games.llm.commands.tournament import tournament_of

from .tiny import MOVES, RPS, tiny_llama, tiny_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its tokenizer and prompts on disk, and another model."""
    place = tmp_path_factory.mktemp("run")
    tokenizer = tiny_tokenizer()
    for name, seed in (("model", 0), ("other", 1)):
        tokenizer.save_pretrained(place / name)
        tiny_llama(tokenizer, seed=seed).save_pretrained(place / name)
    (place / "prompts.jsonl").write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in ("play", "play play")), encoding="utf-8")
    return place


def content(folder: Path, **training: Any) -> dict[str, Any]:
    settings = {
        "output_dir": str(folder / "out"),
        "use_cpu": True,
        "step_size": 2.0,
        "magnet_strength": 0.1,
        "refresh_every": 2,
        "group_size": 4,
        "max_new_tokens": 2,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-2,
        "max_steps": 4,
        "save_steps": 2,
        "logging_steps": 1,
    }
    return {
        "model": str(folder / "model"),
        "preference_model": {"kind": "matrix", "completions": list(MOVES), "table": RPS.tolist()},
        "data": {"train": str(folder / "prompts.jsonl"), "eval": str(folder / "prompts.jsonl")},
        "lora": {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
        "training": {**settings, **training},
    }


def written(path: Path, sections: Any) -> str:
    path.write_text(sections if isinstance(sections, str) else yaml.safe_dump(sections), encoding="utf-8")
    return str(path)


# --- a run's file -----------------------------------------------------------------------------------------------------------------------------


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    text = "model: m\npreference_model: {kind: matrix}\ndata: {train: p}\ntraining: {learning_rate: 1e-5, step_size: 2.5E+1, output_dir: 1e5x}\n"
    assert read_run_file(written(tmp_path / "run.yaml", text)).training == {"learning_rate": 1e-5, "step_size": 25.0, "output_dir": "1e5x"}


def test_a_file_is_read_as_it_stands(folder: Path, tmp_path: Path) -> None:
    run = read_run_file(written(tmp_path / "run.yaml", content(folder)))
    assert run.model == {"path": str(folder / "model")}
    assert run.training["group_size"] == 4
    assert run.bridge is None
    assert run.preflight == {}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trainnig": {}}, "Unknown section 'trainnig'; did you mean 'training'"),
        ({"data": {"trian": "x"}}, "Unknown key of data 'trian'; did you mean 'train'"),
        ({"data": {}}, "section 'data' needs the key 'train'"),
        ({"model": None}, "section 'model' must be a mapping"),
        ({"preference_model": {}}, "section 'preference_model' needs the key 'kind'"),
        ({"bridge": {"completion": "x"}}, "Unknown key of bridge 'completion'; did you mean 'completions'"),
    ],
)
def test_what_a_file_may_not_say_is_named(folder: Path, tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_run_file(written(tmp_path / "run.yaml", {**content(folder), **change}))


@pytest.mark.parametrize(
    ("text", "sentence"), [("a: [", "is no YAML"), ("- a", "must have the sections"), ("model: x\n", "the sections preference_model, data, training must")]
)
def test_what_is_no_run_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_run_file(written(tmp_path / "run.yaml", text))
    with pytest.raises(InputError, match="cannot be read"):
        read_run_file(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("spec", ["nothing", "math:", "math:sinus", "no_such_module:f"])
def test_functions_are_named_by_module(spec: str) -> None:
    assert function_from("math:sin", "here")(0.0) == 0.0
    with pytest.raises(InputError, match="here: "):
        function_from(spec, "here")


@pytest.mark.parametrize(
    ("section", "value", "sentence"),
    [
        ("training", {"step_sise": 1.0}, "did you mean 'step_size'"),
        ("training", {"group_size": 1}, "at least 2 completions"),
        ("lora", {"rank": 4}, "Unknown key of lora 'rank'"),
        ("lora", {"target_modules": ["q_prj"]}, "peft_config does not fit the model"),
        ("training", {"eval_strategy": "steps", "eval_steps": 1}, "eval_strategy needs an eval_dataset"),
        ("preflight", {"target": 0.1}, "Unknown key of preflight 'target'"),
        ("preference_model", {"kind": "martix"}, "matrix"),
        ("data", {"train": "nowhere.jsonl"}, "there is no file 'nowhere.jsonl'"),
        ("data", {"train": "prompts.xml"}, "must end in one of"),
        ("model", {"path": "no-such/model"}, "no model can be loaded from 'no-such/model'"),
    ],
)
@pytest.mark.parametrize("command", ["train"])
def test_bad_input_is_a_sentence_and_status_2_and_leaves_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, section: str, value: Any, sentence: str
) -> None:
    sections = content(folder, output_dir=str(tmp_path / "out"))
    sections[section] = {**sections[section], **value} if section == "training" else value
    if "eval_strategy" in value:
        del sections["data"]["eval"]
    assert main([command, "--config", written(tmp_path / "run.yaml", sections), "--no-preflight"]) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


# --- train --------------------------------------------------------------------------------------------------------------------------------------


def test_train_leaves_a_model_that_loads_and_its_card(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mmd_games.llm.commands.assembly import load_model

    out = tmp_path / "out"
    config = written(tmp_path / "run.yaml", content(folder, output_dir=str(out)))
    assert main(["train", "--config", config, "--no-preflight", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["schema"] == "mmd_games.training/1"
    assert result["measured"]["win_rate/magnet"]["first"] == pytest.approx(0.5)
    assert "No preflight was run" in (out / "README.md").read_text(encoding="utf-8")
    model = load_model(str(out))
    assert any("lora_B" in name and bool(tensor.any()) for name, tensor in model.state_dict().items())
    assert sorted(path.name for path in out.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]


def test_train_resumes_where_it_was_cut_and_refuses_where_there_is_nothing(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.torch import load_file

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(["train", "--config", written(tmp_path / "whole.yaml", content(folder, output_dir=str(whole))), "--no-preflight"]) == 0
    assert main(["train", "--config", written(tmp_path / "cut.yaml", content(folder, output_dir=str(cut), max_steps=2)), "--no-preflight"]) == 0
    capsys.readouterr()
    longer = written(tmp_path / "longer.yaml", content(folder, output_dir=str(cut)))
    assert main(["train", "--config", longer, "--no-preflight", "--resume"]) == 0
    first, second = (load_file(place / "adapter_model.safetensors") for place in (whole, cut))
    assert all(bool((first[name] == second[name]).all()) for name in first)
    assert main(["train", "--config", longer, "--no-preflight", "--resume"]) == 2
    assert "holds a run that has ended, after 4 steps" in capsys.readouterr().err
    nothing = written(tmp_path / "nothing.yaml", content(folder, output_dir=str(tmp_path / "nothing")))
    assert main(["train", "--config", nothing, "--no-preflight", "--resume"]) == 2
    assert "has no checkpoint to resume from" in capsys.readouterr().err


def test_exact_gaps_are_watched_and_go_on_in_a_resumed_run(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "moves.json").write_text(json.dumps(list(MOVES)), encoding="utf-8")
    bridge = {"completions": str(tmp_path / "moves.json"), "every": 1}
    sections = {**content(folder, output_dir=str(tmp_path / "out"), max_steps=2), "bridge": bridge, "preflight": {"target_gap": 0.2, "max_rollouts": 10}}
    assert main(["train", "--config", written(tmp_path / "run.yaml", sections)]) in (0,)
    assert "Preflight " in capsys.readouterr().err
    sections["training"]["max_steps"] = 4
    assert main(["train", "--config", written(tmp_path / "run.yaml", sections), "--resume", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    gaps = json.loads((tmp_path / "out" / "bridge" / "gaps.json").read_text(encoding="utf-8"))
    assert (gaps["rollouts"], gaps["refreshes"]) == ([0, 1, 2, 3, 4], [2, 4])
    game = mg.PreferenceGame(RPS)
    first = [first_words(folder / "model", prompt)[:3] for prompt in ("play", "play play")]
    start = np.mean([float(mg.duality_gap(game, policy / policy.sum())) for policy in first])
    # Of two words at most, a move ends with eos: its share among the moves is not that of the first word alone, but near to it.
    assert result["measured"]["exact gap, training prompts"]["first"] == pytest.approx(start, abs=0.1)
    assert result["measured"]["exact gap, training prompts"]["first"] == pytest.approx(np.mean(gaps["train"]["gaps"][0]))
    assert main(["verify", str(tmp_path / "out/bridge/game-1.npy"), "--trace", str(tmp_path / "out/bridge/trace-1.npz"), "--tolerance", "0.9"]) == 3
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "Did it converge?" in card  # the preflight of the first part
    assert (tmp_path / "out" / "preflight" / "preflight.txt").read_text(encoding="utf-8").strip() in card


# --- evaluate -----------------------------------------------------------------------------------------------------------------------------------


def test_evaluate_ranks_by_the_equilibrium(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the exact win rates of the two models, which come from the probabilities of their completions."""
    config = written(tmp_path / "run.yaml", content(folder, max_new_tokens=1))
    names = [str(folder / name) for name in ("model", "other")]
    assert main(["evaluate", *names, "--config", config, "--samples", "400", "--json", "--out", str(tmp_path / "wins.csv")]) == 0
    result = json.loads(capsys.readouterr().out)
    by_prompt = [np.array([first_words(folder / name, prompt) for name in ("model", "other")]) for prompt in ("play", "play play")]
    exact = np.mean([policies @ full() @ policies.T for policies in by_prompt], axis=0)
    # 400 completions of each: the standard error of a mean of 400 by 400 judgements of two samples is at most 0.5·√(2/400).
    assert np.abs(np.array(result["win_rates"]) - exact).max() < 4 * 0.5 * np.sqrt(2 / 400)
    assert result["nash"] == mg.nash(mg.PreferenceGame(result["win_rates"])).policy.tolist()
    assert result["ranking"][0] == names[int(np.argmax(result["nash"]))]
    assert mg.read_game(tmp_path / "wins.csv").payoff_matrix[0, 1] == pytest.approx(result["win_rates"][0][1] - 0.5, abs=1e-12)


def test_a_tournament_says_how_many_of_its_pairs_are_even() -> None:
    rates = np.array([[[0.5, 0.52, 0.9], [0.48, 0.5, 0.8], [0.1, 0.2, 0.5]], [[0.5, 0.46, 0.8], [0.54, 0.5, 0.8], [0.2, 0.2, 0.5]]])
    result = tournament_of(["a", "b", "c"], rates, samples=4, failed=0.0)
    # a against b: .49 with a standard error of .03; a against c: .85 and .05; b against c: .8 without error.
    assert "at most 0.050, and 1 of 3 pairs are within two of it from even" in result.summary
    assert [row["checkpoint"] for row in result.rows()][-1] == "c"


def first_words(place: Path, prompt: str) -> np.ndarray:
    """Probabilities of rock, paper, scissors as first word, and of anything else."""
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = tiny_tokenizer()
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(place)(torch.tensor([tokenizer(prompt)["input_ids"]])).logits[0, -1]
    moves = torch.softmax(logits.double(), -1)[[tokenizer.vocab[move] for move in MOVES]].numpy()
    return np.append(moves, 1 - moves.sum())


def full() -> np.ndarray:
    """The game with a fourth action that loses to all moves, which is how anything that is no move is judged."""
    table = np.full((4, 4), 0.5)
    table[:3, :3], table[:3, 3], table[3, :3] = RPS, 1.0, 0.0
    return table


@pytest.mark.parametrize("names", [["model"], ["model", "model"]])
def test_evaluate_needs_two_different_checkpoints(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], names: list[str]) -> None:
    config = written(tmp_path / "run.yaml", content(folder))
    assert main(["evaluate", *(str(folder / name) for name in names), "--config", config]) == 2
    assert "two or more different checkpoints" in capsys.readouterr().err
