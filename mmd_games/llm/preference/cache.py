"""Answers that were paid for, kept on disk: one SQLite file, safe for several processes at once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmd_games.errors import InputError

PATIENCE = 60.0
"""Seconds that one process waits for another that is writing."""
TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, probability REAL NOT NULL CHECK (probability BETWEEN 0 AND 1)) WITHOUT ROWID"
AT_ONCE = 500
"""Keys looked up by one statement; SQLite allows 999 in its older builds."""


def digest(*parts: object) -> str:
    """The key of a question: SHA-256 of its parts, which are numbers, texts and lists of them."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class AnswerCache:
    """Probabilities by key. A key that is written twice keeps its first answer, so that all processes see the same.

    Use it inside ``with cache.opened():``.

    Parameters
    ----------
    path : path
        The file; it and its directory are made where they are missing. It holds digests and probabilities, and no text.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def opened(self) -> Iterator[AnswerCache]:
        """The cache with its file open.

        Raises
        ------
        InputError
            When the file cannot be opened, or is no cache.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The thread that waits for answers writes them, and the thread that opened the file does nothing meanwhile.
            connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._refusal(error) from None
        try:
            connection.execute(TABLE)
            self._connection = connection
            yield self
        except sqlite3.Error as error:
            raise self._refusal(error) from None
        finally:
            self._connection = None
            connection.close()

    def _refusal(self, error: Exception) -> InputError:
        return InputError(f"The cache '{self.path}' of the judge's answers cannot be used: {error}. Name another file, or none.")

    def get(self, keys: Iterable[str]) -> dict[str, float]:
        """The answers that are known."""
        assert self._connection is not None
        wanted = list(keys)
        found: dict[str, float] = {}
        for first in range(0, len(wanted), AT_ONCE):
            some = wanted[first : first + AT_ONCE]
            question = f"SELECT key, probability FROM answers WHERE key IN ({','.join('?' * len(some))})"
            found.update(self._connection.execute(question, some).fetchall())
        return found

    def put(self, key: str, probability: float) -> float:
        """Keep an answer, unless another process has been first; the answer that stands."""
        assert self._connection is not None
        self._connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, probability))
        return self.get([key])[key]
