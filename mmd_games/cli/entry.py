"""The entry point: run a command, and turn errors that people can mend into one sentence and a status."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence

from cyclopts import CycloptsError

from mmd_games.cli.app import app
from mmd_games.errors import InputError

EXTRA = ("torch", "transformers", "peft", "accelerate", "datasets", "openai", "yaml")
"""What the commands of language models need, and the others do not."""


class Announcements(logging.StreamHandler):
    """What long work says of itself on stderr, where somebody looks at it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, on a terminal alone, as progress is."""
        self.stream = sys.stderr  # which may have been put somewhere else since
        if self.stream.isatty():
            super().emit(record)


def main(tokens: Sequence[str] | None = None) -> int:
    """Entry point: run a command, turn errors that people can mend into one sentence and status 2."""
    logger, announcements = logging.getLogger("mmd_games"), Announcements()
    level = logger.level
    logger.addHandler(announcements)
    logger.setLevel(logging.INFO)
    sys.path.append("")  # a class of the user's own, module:Class, is looked for beside them; last, so that it hides no library
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without π and ≤ shows something else, and no traceback
    try:
        status = app(sys.argv[1:] if tokens is None else tokens, exit_on_error=False, print_error=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except InputError as error:
        print(f"mmd-games: {error}", file=sys.stderr)
    except CycloptsError as error:
        print(f"mmd-games: {' '.join(str(error).split())} (mmd-games --help lists what there is)", file=sys.stderr)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        print(f"mmd-games: this command needs {error.name}, which is not installed: pip install 'mmd_games[llm]' brings it.", file=sys.stderr)
    except MemoryError as error:
        print(f"mmd-games: out of memory{f' ({error})' if str(error) else ''}; a smaller game would fit.", file=sys.stderr)
    except KeyboardInterrupt:
        print("mmd-games: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the flush at exit has somewhere to go
        return 141
    finally:
        logger.removeHandler(announcements)
        logger.setLevel(level)
        del sys.path[len(sys.path) - 1 - sys.path[::-1].index("")]
    return 2
