"""The code blocks of a Markdown page, and what each kind of them must do.

A page's blocks run in order, in one namespace and one empty directory. What a block is, its first word says; a second word is the name of a file that it is.

- python: is executed, or is a file.
- sh: `mmd-games` and `cat` lines are run, with the exit status that a comment names (`# exit status 1`), else 0. Others are checked for sense, and so are those on the suites
  and examples of the repository, which take minutes.
- text: is what the block before it printed; `…` stands for anything, alone on a line for any lines.
- csv, jsonl: is a file; the paragraph before it names it in backticks.
- yaml, toml, json: the same with a second word; else a fragment. Both must parse, and a suite must be one that `bench` takes.
- math: is a formula, which the build of the site translates.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
import tomllib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cyclopts import CycloptsError
from markdown_it import MarkdownIt

from mmd_games.cli import main
from mmd_games.cli.app import app
from mmd_games.errors import InputError
from mmd_games.llm.commands.run_file import read_run_file
from mmd_games.sweeps import read_suite

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECTIVES = {"command", "eval-rst", "games", "include", "interface", "methods", "toctree"}
"""MyST directives, none of which holds code."""
LONG = ("examples/", "benchmarks/suites/")
"""Commands on what the repository brings take minutes. They are parsed, and the files that they name are read."""
READERS: dict[str, Callable[[str], Any]] = {".toml": lambda path: read_suite(Path(path)), ".yaml": read_run_file}
STATUS = re.compile(r"exit status (\d+)")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    file: str
    text: str
    before: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


class BlockError(AssertionError):
    """A block that does not do what it says; the message begins with page and line."""


def blocks_of(text: str, page: str) -> list[Block]:
    """All fenced blocks of a page, each with the paragraph before it."""
    found, before = [], ""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "inline":
            before = token.content
        elif token.type == "code_block":
            raise BlockError(f"{page}:{token.map[0] + 1}: an indented block has no language; fence it." if token.map else page)
        elif token.type == "fence":
            assert token.map is not None
            language, _, file = token.info.strip().partition(" ")
            if language.startswith("{"):
                if language.strip("{}") not in DIRECTIVES:
                    raise BlockError(f"{page}:{token.map[0] + 1}: the directive {language} is none of {', '.join(sorted(DIRECTIVES))}.")
                continue
            found.append(Block(page, token.map[0] + 1, language, file.strip(), token.content, before))
    return found


def run_page(page: Path, blocks: list[Block]) -> None:
    """Run blocks in the present directory, one after the other."""
    module = types.ModuleType(f"page_{page.stem}")
    sys.modules[module.__name__] = module
    shown: str | None = None
    try:
        for block in blocks:
            if block.language == "math":
                continue  # the site's build translates it
            if block.language == "text":
                compare(block, shown)
                shown = None
                continue
            stream = io.StringIO()
            with contextlib.redirect_stdout(stream):
                run_block(block, module, stream)
            shown = stream.getvalue() if block.language in ("python", "sh") else None
    finally:
        del sys.modules[module.__name__]


def run_block(block: Block, module: types.ModuleType, stream: io.StringIO) -> None:
    """What the language asks for."""
    if block.language == "python" and not block.file:
        execute(block, module)
    elif block.language == "sh" and not block.file:
        for command, status in commands_of(block):
            try:
                run_command(command, status)
            except BlockError as error:
                raise BlockError(f"{block.place}: {error}") from error
    elif block.language in ("csv", "jsonl", "toml", "yaml", "json", "python"):
        write(block)
    else:
        raise BlockError(f"{block.place}: there is no rule for a block '{block.language} {block.file}'.")


def execute(block: Block, module: types.ModuleType) -> None:
    """Run Python; line numbers of a traceback are those of the page."""
    code = compile("\n" * block.line + block.text, block.page, "exec", dont_inherit=True)
    try:
        exec(code, module.__dict__)
    except Exception as error:
        lines = [entry.tb_lineno for entry in _walk(error) if entry.tb_frame.f_code.co_filename == block.page]
        raise BlockError(f"{block.page}:{lines[-1] if lines else block.line}: {type(error).__name__}: {error}") from error


def _walk(error: BaseException) -> Iterator[types.TracebackType]:
    step = error.__traceback__
    while step is not None:
        yield step
        step = step.tb_next


def write(block: Block) -> None:
    """Write a file that the page shows, and parse what can be parsed."""
    named = re.findall(rf"`([\w./-]+\.{block.language})`", block.before)
    name = block.file or (named[-1] if named and block.language in ("csv", "jsonl") else "")
    if block.file and f"`{block.file}`" not in block.before:
        raise BlockError(f"{block.place}: the paragraph before the block does not name `{block.file}`, so readers do not know what it is.")
    if block.language in ("csv", "jsonl") and not name:
        raise BlockError(f"{block.place}: the paragraph before the block does not name the file, as in `wins.csv`.")
    path = Path(name or f"unnamed.{block.language}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.text, encoding="utf-8")
    try:
        parsed = {"toml": tomllib.loads, "yaml": yaml.safe_load, "json": json.loads}.get(block.language, lambda text: None)(block.text)
        if block.language == "toml" and "games" in parsed:
            read_suite(path)
    except (ValueError, yaml.YAMLError) as error:
        raise BlockError(f"{block.place}: {error}") from error


def commands_of(block: Block) -> list[tuple[list[str], int]]:
    """The commands of a shell block, and the exit status that each is to end with."""
    found = []
    for line in block.text.replace("\\\n", " ").splitlines():
        status = STATUS.search(line.partition("#")[2])
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise BlockError(f"{block.place}: {error} in {line!r}") from error
        if words:
            found.append((words, int(status.group(1)) if status else 0))
    return found


def run_command(words: list[str], status: int) -> None:
    """Run a command of ours; see that another one makes sense."""
    name, *arguments = words
    if Path(name).name == "mmd-games" and any(argument.startswith(LONG) for argument in arguments):
        try:
            app.parse_args(arguments, print_error=False, exit_on_error=False)
            for argument in arguments:
                if argument.startswith(LONG) and Path(argument).suffix in READERS:
                    READERS[Path(argument).suffix](argument)
        except (CycloptsError, InputError) as error:
            raise BlockError(f"'{shlex.join(words)}': {error}") from error
    elif Path(name).name == "mmd-games":
        complaints = io.StringIO()
        with contextlib.redirect_stderr(complaints):
            ended = main(arguments)
        if ended != status:
            raise BlockError(f"'{shlex.join(words)}' ended with exit status {ended}, not {status}: {complaints.getvalue().strip()[-600:]}")
    elif name == "cat":
        for argument in arguments:
            if not Path(argument).is_file():
                raise BlockError(f"there is no file '{argument}' to show.")
            print(Path(argument).read_text(encoding="utf-8"), end="")
    elif (complaint := nonsense(name.removeprefix(".venv/bin/"), arguments)) is not None:
        raise BlockError(f"'{shlex.join(words)}': {complaint}")


def nonsense(name: str, arguments: list[str]) -> str | None:
    """What is wrong with a command that is not run; None where nothing is."""
    if name == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
        missing = [target for target in arguments if target not in targets]
        return f"the Makefile has no target {missing}." if missing else None
    if name == "pip" and arguments[:1] == ["install"]:
        known = {re.match(r"[\w-]+", line)[0] for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()) for line in lines}
        for argument in arguments[1:]:
            asked = re.fullmatch(r"(mmd_games|\.|[\w-]+)(?:\[([\w,]+)\])?", argument)
            if argument != "-e" and (asked is None or (asked[1] not in known | {"mmd_games", "."})):
                return f"the project does not know {argument!r}."
            extras = asked[2].split(",") if asked and asked[2] else []
            if missing := [extra for extra in extras if extra not in PROJECT["optional-dependencies"]]:
                return f"there is no extra {missing}."
        return None
    if name in ("python", "python3") and arguments[:1] == ["-m"]:
        module = arguments[1].replace(".", "/")
        there = arguments[1] in ("venv", "pytest", "pip") or (ROOT / f"{module}.py").is_file() or (ROOT / module / "__main__.py").is_file()
        return None if there else f"there is no module {arguments[1]}."
    if name in ("python", "python3"):
        return None if (ROOT / arguments[0]).is_file() or Path(arguments[0]).is_file() else f"there is no script {arguments[0]}."
    if name == "pytest":
        missing = [argument for argument in arguments if not argument.startswith("-") and not Path(argument).exists()]
        return f"there is no {missing}." if missing else None
    if (name == "git" and arguments[:1] == ["clone"]) or name == "cd":
        return None
    return "no rule says what to do with this command."


def compare(block: Block, shown: str | None) -> None:
    """The text of a block against what the block before it printed."""
    if shown is None:
        raise BlockError(f"{block.place}: a text block shows what the block before it printed, and there is no such block.")
    if matches(block.text, shown):
        return
    lines = tidy(block.text).split("\n")
    for count in range(len(lines)):
        if not matches("\n".join([*lines[: count + 1], "…"]), shown):
            raise BlockError(f"{block.page}:{block.line + 1 + count}: the page shows {lines[count]!r} here, but the block before it printed\n{shown[:1200]}")
    raise BlockError(f"{block.page}:{block.line + len(lines)}: the block before it printed more than that:\n{shown[:1200]}")


def matches(pattern: str, text: str) -> bool:
    """Whether a text is as shown, where `…` stands for anything within a line, and alone on a line for any number of lines."""
    parts = []
    for line in tidy(pattern).split("\n"):
        parts.append(r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + "\n")
    return re.fullmatch("".join(parts), tidy(text) + "\n") is not None


def tidy(text: str) -> str:
    """Without blanks at line ends, and empty lines at the ends."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
