"""Step time of Magnetic Preference Optimization beside that of its peers, each in an environment of its own: ratios, from one run that alternates them.

    python benchmarks/llm/step_time/driver.py --environments DIR --make-environments     # once: one environment a peer, by pip
    python benchmarks/llm/step_time/driver.py --environments DIR

Peers: GRPO of trl 1.16.0, and Nash-MD of trl 1.13.0, the last that had it. All train one tiny Qwen3 with LoRA adapters (r = 8) on the same prompts, on one thread, and
draw 8 completions of exactly 32 tokens a step. A worker a method is started once and waits; the driver lets one at a time do a block of steps, in an order that
rotates, so that whatever else the machine does falls on all alike. A ratio is taken within a round; the table has the median over the rounds, and their range.

What was changed from each method's defaults, to have equal work: batch sizes, numbers of completions, 32 new tokens, temperature 1, float32 on the CPU, nothing saved or
reported, and gradient checkpointing off (the trl trainers turn it on, which would slow them down). GRPO: 8 completions of one prompt; KL off, as is its default. Nash-MD: 8 prompts
with one completion of the policy and one of its mixture each, 16 drawn and 8 trained on (`nash_md 8+8`); and 4 prompts, so that 8 are drawn (`nash_md 4+4`). Ours: 8 completions
of one prompt, policy and magnet as two adapters. Rewards and preferences cost next to nothing. Completions do not end early because the tokenizer's eos is a token
that the model does not have. Seconds are wall-clock; seconds of the processor are beside them, which other processes disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

HERE = Path(__file__).parent
RESULT = HERE.parent.parent / "results" / "llm_step_time.txt"
SHARED = ("transformers==5.23.0", "peft==0.21.2", "accelerate==1.15.0", "datasets==5.2.0", "torch==2.13.0")
ENVIRONMENTS = {"grpo": ("trl==1.16.0", *SHARED), "nash_md": ("trl==1.13.0", "requests", *SHARED)}
"""What pip installs for each peer (trl 1.13 imports requests without asking for it); ours runs where the driver does."""
METHODS = {
    "magnetic": ("magnetic_worker.py", None, 8),
    "grpo": ("grpo_worker.py", "grpo", 8),
    "nash_md 8+8": ("nash_md_worker.py", "nash_md", 8),
    "nash_md 4+4": ("nash_md_worker.py", "nash_md", 4),
}
"""Worker, environment, and completions that are trained on a step."""
OURS = "magnetic"
ASKED = {"grpo": 1.0, "nash_md 8+8": 0.5, "nash_md 4+4": 0.5}
"""Our step time is to be at most this part of the peer's."""
CLOCKS = ("wall", "processor")


class Worker:
    """A method in its own process, which does a block of steps when it is told to."""

    def __init__(self, python: Path, script: str, completions: int, model: Path, rounds: int, steps: int):
        settings = {"model": str(model), "completions": completions, "rounds": rounds, "steps": steps}
        variables = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
        self._script = script
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the worker
        self._process = subprocess.Popen(
            [str(python), str(HERE / script), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **variables},
            cwd=model,
        )
        self.versions: str = self._answer()["ready"]

    def block(self) -> dict[str, float]:
        """Let it do its steps; seconds a step, by clock, and tokens drawn a step."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End it, if it has not ended itself."""
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _answer(self) -> dict:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise SystemExit(f"{self._script} ended before it answered:\n{self._errors.read()[-4000:]}")
        return json.loads(line)


def make_environments(directory: Path) -> None:
    """A virtual environment for each peer."""
    for name, requirements in ENVIRONMENTS.items():
        subprocess.run([sys.executable, "-m", "venv", str(directory / name)], check=True)
        subprocess.run([str(directory / name / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements], check=True)


def measure(environments: Path, rounds: int, steps: int) -> tuple[dict[str, str], dict[str, list[dict[str, float]]]]:
    """Versions, and what each round measured, by method."""
    workers: dict[str, Worker] = {}
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, str(HERE / "model.py"), scratch], check=True)
        try:
            for name, (script, environment, completions) in METHODS.items():
                python = Path(sys.executable) if environment is None else environments / environment / "bin" / "python"
                workers[name] = Worker(python, script, completions, Path(scratch), rounds, steps)
                print(f"{name}: {workers[name].versions}", file=sys.stderr)
            found: dict[str, list[dict[str, float]]] = {name: [] for name in METHODS}
            for turn in range(rounds):
                names = list(METHODS)
                for name in names[turn % len(names) :] + names[: turn % len(names)]:
                    found[name].append(workers[name].block())
                print(f"round {turn + 1} of {rounds}", file=sys.stderr)
        finally:
            for worker in workers.values():
                worker.close()
    return {name: worker.versions for name, worker in workers.items()}, found


def table(versions: dict[str, str], found: dict[str, list[dict[str, float]]], steps: int) -> str:
    """Our step time as a part of each peer's."""
    rounds = len(found[OURS])
    lines = [
        f"Step time of {OURS} over that of each peer: {rounds} rounds of {steps} steps each, in turn, one thread; median over the rounds, [quarters], (range).",
        "All train one tiny Qwen3 with LoRA r = 8, and draw completions of 32 tokens; see the head of benchmarks/llm/step_time/driver.py.",
        "",
        f"{'peer':<14}{'completions drawn':>18}{'trained on':>12}   {'wall-clock':<36}{'processor':<36}{'asked':>6}",
    ]
    for name, asked in ASKED.items():
        cells = []
        for clock in CLOCKS:
            ratios = [ours[clock] / theirs[clock] for ours, theirs in zip(found[OURS], found[name], strict=True)]
            low, middle, high = quantiles(ratios, n=4)
            cells.append(f"{middle:.2f}  [{low:.2f}, {high:.2f}]  ({min(ratios):.2f} to {max(ratios):.2f})")
        drawn = median(block["tokens"] for block in found[name]) / 32
        lines.append(f"{name:<14}{drawn:>18.1f}{METHODS[name][2]:>12}   {cells[0]:<36}{cells[1]:<36}{asked:>6g}")
    drawn = median(block["tokens"] for block in found[OURS]) / 32
    lines += ["", f"{OURS} draws {drawn:.1f} completions a step and trains on {METHODS[OURS][2]}.", *(f"{name}: {text}" for name, text in versions.items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description="Step time of Magnetic Preference Optimization beside that of GRPO and Nash-MD.")
    parser.add_argument("--environments", type=Path, required=True, help="directory with an environment for each peer")
    parser.add_argument("--make-environments", action="store_true", help="make them there, and stop")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=5, help="steps a round")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if arguments.make_environments:
        make_environments(arguments.environments.absolute())
        return
    text = table(*measure(arguments.environments.absolute(), arguments.rounds, arguments.steps), arguments.steps)
    print(text, end="")
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
