"""Mutation testing of the judge and of the rules: of mutants drawn with a stated seed, how many do the tests kill?

    python benchmarks/mutation.py --mutants 300 --seed 0 --jobs 2

Mutants are Cosmic Ray's (``pip install -c constraints.txt -e '.[mutation]'``), of all statements but annotations, which are never evaluated. Each is tried
in a copy of the working tree, against the tests of its room and then those of the whole judge. A finished mutant is kept in the file of `--out` at once, so that
an interrupted run goes on where it was. Exit status 1 where fewer than 90% are killed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec

ROOT = Path(__file__).resolve().parents[1]
JUDGE = ROOT / "mmd_games" / "verification"
TESTS = {
    "updates": ["updates", "algorithms"],
    "measured": ["measured", "late_records", "convergence", "judge"],
    "predicted": ["predicted_rates", "predicted_comparison"],
    "bounds": ["bounds"],
    "verification": ["claims", "headlines"],
}
"""The tests of each room, tried first."""
ALL = ["claims", "verification"]
"""Tried afterwards."""
ASKED = 0.9
TIMEOUT, ENDLESS = 600, -1
"""Seconds after which a mutant counts as killed, for it made something endless, and what stands for the status then."""


def modules() -> list[Path]:
    """What is mutated."""
    return [ROOT / "mmd_games" / "updates.py", *sorted(path for path in JUDGE.rglob("*.py") if path.name != "__init__.py")]


def annotations(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations stand: from (line, column) to (line, column)."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for held in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(held, ast.expr):
                found.append(((held.lineno, held.col_offset), (held.end_lineno or 0, held.end_col_offset or 0)))
    return found


def every_mutant() -> list[MutationSpec]:
    """All mutants of all modules, annotations aside, in an order that depends on the source alone."""
    with tempfile.TemporaryDirectory() as folder, use_db(str(Path(folder) / "work.sqlite"), WorkDB.Mode.create) as db:
        init(modules(), db, {})
        mutants = [item.mutations[0] for item in db.work_items]
    spans = {path: annotations(path) for path in modules()}
    kept = [mutant for mutant in mutants if not any(low <= mutant.start_pos < high for low, high in spans[mutant.module_path])]
    return sorted(kept, key=key)


def key(mutant: MutationSpec) -> str:
    """The name of a mutant, by which a finished one is known."""
    return f"{mutant.module_path.relative_to(ROOT)}:{mutant.start_pos[0]}:{mutant.start_pos[1]} {mutant.operator_name} #{mutant.occurrence}"


def copy_of_the_tree(folder: str) -> Path:
    """The files that git would keep."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, Path(folder) / name)
    return Path(folder)


def test_files(tree: Path, module: Path) -> list[str]:
    """The tests of a module's room, then those of the judge."""
    room = module.stem if module.stem in TESTS else module.parent.name
    return [str(tree / "tests" / f"test_{name}.py") for name in dict.fromkeys([*TESTS[room], *ALL])]


def forget_bytecode(path: Path) -> None:
    """A mutant may have the size and, to the second, the time of the original: its compiled form must not be taken for it."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def status_of_tests(tree: Path, files: list[str]) -> int:
    """The exit status of pytest over some files of a copy: 0 passed, 1 failed, 2 not even collected; otherwise nothing was tested."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=unshrunk", *files]
    try:
        return subprocess.run(command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, timeout=TIMEOUT).returncode
    except subprocess.TimeoutExpired:
        return ENDLESS


def kills(tree: Path, mutant: MutationSpec) -> dict[str, object]:
    """Try one mutant in a copy of the tree."""
    path = tree / mutant.module_path.relative_to(ROOT)
    original = path.read_text(encoding="utf-8").splitlines()
    with use_mutation(path, get_operator(mutant.operator_name)(**mutant.operator_args), mutant.occurrence):
        changed = path.read_text(encoding="utf-8").splitlines()
        lines = [new.strip() for old, new in zip(original, changed, strict=False) if old != new][:1]
        forget_bytecode(path)
        status = status_of_tests(tree, test_files(tree, mutant.module_path))
    forget_bytecode(path)
    if status not in (0, 1, 2, ENDLESS):
        raise SystemExit(f"pytest ended with status {status} on {key(mutant)}: nothing was tested.")
    return {"mutant": key(mutant), "line": lines[0] if lines else "", "killed": status != 0, "status": status}


def require_green() -> None:
    """Without mutants all tests must pass, or every mutant would count as killed."""
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_the_tree(folder)
        files = list(dict.fromkeys(name for path in modules() for name in test_files(tree, path)))
        status = status_of_tests(tree, files)
    if status != 0:
        raise SystemExit(f"Without mutants pytest ends with status {status}; the tests must pass first.")


def main() -> int:
    """Draw, try, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"), help="finished mutants, one a line")
    asked = parser.parse_args()
    require_green()
    every = every_mutant()
    drawn = random.Random(asked.seed).sample(every, min(asked.mutants, len(every)))
    done = {row["mutant"]: row for row in map(json.loads, asked.out.read_text().splitlines())} if asked.out.exists() else {}
    waiting: queue.Queue[MutationSpec] = queue.Queue()
    for mutant in drawn:
        if key(mutant) not in done:
            waiting.put(mutant)
    lock = threading.Lock()

    def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            tree = copy_of_the_tree(folder)
            while True:
                try:
                    row = kills(tree, waiting.get_nowait())
                except queue.Empty:
                    return
                with lock, asked.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                    done[str(row["mutant"])] = row
                    print(f"\r{len(done)} of {len(drawn)} tried", end="", file=sys.stderr)

    workers = [threading.Thread(target=work) for _ in range(asked.jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    rows = [done[key(mutant)] for mutant in drawn]
    killed = sum(bool(row["killed"]) for row in rows)
    print(f"\n{killed} of {len(rows)} mutants killed ({100 * killed / len(rows):.1f}%), drawn with seed {asked.seed} from {len(every):,}; the survivors:")
    for row in sorted((row for row in rows if not row["killed"]), key=lambda row: str(row["mutant"])):
        print(f"  {row['mutant']}\n      {row['line']}")
    return 0 if killed >= ASKED * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
