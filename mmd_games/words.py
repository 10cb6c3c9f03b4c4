"""Words that others chose, such as names of games and actions, made fit to be shown: nothing invisible in them, and no longer than there is room."""

from __future__ import annotations

import unicodedata

CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Unicode's bidirectional classes of characters that turn the text around them."""


def visible(text: str) -> str:
    r"""The text with everything that is no character to be seen written as an escape: control characters, lone surrogates, changes of direction.

    So a name cannot clear a terminal, break a line, end an HTML file, or turn the words after it around. Letters of all scripts stay as they are.

    Examples
    --------
    >>> print(visible("a\x1b[2J\nb ≤ π"))
    a\x1b[2J\nb ≤ π
    """
    return text if text.isprintable() else "".join(character if _is_seen(character) else _escaped(character) for character in text)


def brief(text: str, most: int) -> str:
    """The visible text on one line, its end cut off where it has more than `most` characters."""
    line = visible(text[: most + 1])
    return line if len(line) <= most else line[: most - 1] + "…"


def _is_seen(character: str) -> bool:
    if unicodedata.bidirectional(character) in CONTROLS:
        return False
    noncharacter = ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF
    return unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") and not noncharacter


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
