"""Re-checks a certificate with Python's integers alone; a file that needs nothing else: ``python certificate_check.py FILE``.

Nothing here comes from the program that found the equilibrium. Only addition, multiplication and comparison of integers decide, and for
"unique" an elimination modulo a prime. Exit status 0: every statement is true; 1: one is false, or the file was changed; 2: it is no certificate.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import dataclass
from typing import Any

SCHEMA = "mmd_games.certificate/1"
LARGEST_FILE = 2**28
"""Bytes that are read."""
LARGEST_TABLE = 1000
"""Rows, and columns."""
LONGEST = 50_000
"""Digits of one number."""
PIECE = 600
"""Digits that Python turns into an integer however its limit on them is set."""
TOO_DEEP = "it is nested too deeply for one."
MODULI = (2**61 - 1, 2**89 - 1, 2**127 - 1)
"""A matrix of full rank modulo any of these is of full rank."""

HEAD = ("schema", "kind", "game", "units", "symmetric", "table", "policies", "sha256")
KEYS = {"equilibrium": {*HEAD, "value", "claims", "another"}, "gap": {*HEAD, "gap"}}

Vector = list[int]
Matrix = list[list[int]]
Policy = tuple[Vector, int]
"""Probabilities over one denominator, which is their sum."""


class CertificateError(ValueError):
    """What was given is no certificate: its message says in a sentence why."""


@dataclass(frozen=True)
class Checked:
    """What became of a certificate: whether it holds, the sentences found to be true, and what the first false one says wrongly (empty where it holds)."""

    holds: bool
    statements: tuple[str, ...] = ()
    false: str = ""

    def __str__(self) -> str:
        lines = [f"true: {statement}" for statement in self.statements]
        return "\n".join([*lines, "The certificate holds." if self.holds else f"FALSE: {self.false}"])


class _Untrue(Exception):  # noqa: N818 (no error: the answer)
    """A statement of the certificate is false."""


def check_file(path: str) -> Checked:
    """Read a certificate and check it; raises CertificateError for a file that cannot be read or is no certificate."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise CertificateError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(content) > LARGEST_FILE:
        raise CertificateError(f"{path} is larger than {LARGEST_FILE:,} bytes, the most that is read.")
    try:
        hooks: Any = dict.fromkeys(("parse_constant", "parse_float", "parse_int"), _no_number)
        return check_certificate(json.loads(content.decode("utf-8"), object_pairs_hook=_without_repetition, **hooks))
    except UnicodeDecodeError:
        why = "it is not a text file."
    except RecursionError:
        why = TOO_DEEP
    except json.JSONDecodeError as error:
        why = f"line {error.lineno}, column {error.colno} is not valid JSON ({error.msg})."
    except CertificateError as error:
        why = str(error)
    raise CertificateError(f"{path} is not a certificate: {why}")


def check_certificate(document: Any) -> Checked:
    """Check every statement of a certificate, as ``json.load`` returns it.

    Raises
    ------
    CertificateError
        Where it is no certificate: a key is missing or unknown, or a number is not written as one.
    """
    _require(isinstance(document, dict) and document.get("schema") == SCHEMA, f"its schema is not {SCHEMA}.")
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KEYS:
        raise CertificateError("its kind must be 'equilibrium' or 'gap'.")
    _require_keys(document, KEYS[kind], "it")
    for key in ("game", "units", "sha256"):
        _require(isinstance(document[key], str), f"'{key}' must be text.")
    if _fingerprint(document) != document["sha256"]:
        return Checked(False, false="the file was changed after it was written: its SHA-256 does not match.")
    table = _table(document["table"])
    matrix, symmetric = table[0], _boolean(document["symmetric"], "symmetric")
    _require(not symmetric or len(matrix) == len(matrix[0]), "the table of a symmetric game must have as many rows as columns.")
    policies = _policies(document["policies"], "policies", matrix, symmetric)
    statements: list[str] = []
    try:
        if symmetric and any(matrix[i][j] != -matrix[j][i] for i in range(len(matrix)) for j in range(i + 1)):
            raise _Untrue("the game is said to be symmetric, and its table is not minus its mirror image.")
        (_check_gap if kind == "gap" else _check_equilibrium)(document, *table, policies, statements)
    except _Untrue as untrue:
        return Checked(False, tuple(statements), str(untrue))
    return Checked(True, tuple(statements))


def _check_gap(document: dict[str, Any], matrix: Matrix, denominator: int, policies: list[Policy], statements: list[str]) -> None:
    numerator, below = _ratio(document["gap"], "gap")
    received, paid = _payoffs(matrix, policies)
    rows, columns = policies[0][1], policies[-1][1]
    gap = max(received) * rows - min(paid) * columns  # over denominator · rows · columns
    if gap * below != numerator * denominator * rows * columns:
        raise _Untrue("the duality gap of the policy is not the one stated.")
    statements.append(f"the duality gap of the policy is {_shown(numerator, below)}.")


def _check_equilibrium(document: dict[str, Any], matrix: Matrix, denominator: int, policies: list[Policy], statements: list[str]) -> None:
    claims = document["claims"]
    _require_keys(claims, {"equilibrium", "strictly_complementary", "unique"}, "'claims'")
    strict = _boolean(claims["strictly_complementary"], "strictly_complementary")
    unique = None if claims["unique"] is None else _boolean(claims["unique"], "unique")
    _require(_boolean(claims["equilibrium"], "equilibrium"), "'equilibrium' must be true: there is nothing else to certify.")
    numerator, below = _ratio(document["value"], "value")
    symmetric = len(policies) == 1
    another = None if document["another"] is None else _policies(document["another"], "another", matrix, symmetric)
    _require((another is not None) == (unique is False), "'another' is a second equilibrium where 'unique' is false, and null elsewhere.")

    received, paid = _payoffs(matrix, policies)
    if not _is_equilibrium(received, paid, policies):
        raise _Untrue("the policies are not a Nash equilibrium.")
    statements.append("the policies are a Nash equilibrium: their duality gap is exactly 0.")
    if max(received) * below != numerator * denominator * policies[-1][1]:
        raise _Untrue("the value of the game is not the one stated.")
    statements.append(f"the value of the game is {_shown(numerator, below)}.")

    best, worst = max(received), min(paid)
    is_strict = all((weight > 0) != (payoff < best) for weight, payoff in zip(policies[0][0], received, strict=True))
    is_strict &= all((weight > 0) != (payoff > worst) for weight, payoff in zip(policies[-1][0], paid, strict=True))
    if strict != is_strict:
        raise _Untrue(f"the equilibrium is {'not ' if strict else ''}strictly complementary.")
    if strict:
        statements.append("it is strictly complementary: no equilibrium plays an action that is not played here.")
    if unique:
        if not (strict and _is_only_solution(matrix, policies)):
            raise _Untrue("it is not the only equilibrium, or that cannot be seen from its equations.")
        statements.append("it is the only equilibrium.")
    if another is not None:
        if not _is_equilibrium(*_payoffs(matrix, another), another) or all(
            a * there == b * here for (ours, here), (theirs, there) in zip(policies, another, strict=True) for a, b in zip(ours, theirs, strict=True)
        ):
            raise _Untrue("the other equilibrium that is listed is none, or the same.")
        statements.append("there is another equilibrium, and so infinitely many.")


def _fingerprint(document: dict[str, Any]) -> str:
    """The SHA-256 of all but itself."""
    try:
        text = json.dumps({key: value for key, value in document.items() if key != "sha256"}, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise CertificateError(TOO_DEEP) from None
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _payoffs(matrix: Matrix, policies: list[Policy]) -> tuple[Vector, Vector]:
    """What each row receives, times the columns' total; and what each column pays, times the rows' total."""
    rows, columns = policies[0][0], policies[-1][0]
    received = [_product(row, columns) for row in matrix]
    return received, [_product(column, rows) for column in zip(*matrix, strict=True)]


def _product(numbers: Any, weights: Vector) -> int:
    return sum(number * weight for number, weight in zip(numbers, weights, strict=True) if weight)


def _is_equilibrium(received: Vector, paid: Vector, policies: list[Policy]) -> bool:
    """Whether the best answers to both policies are worth the same."""
    return max(received) * policies[0][1] == min(paid) * policies[-1][1]


def _is_only_solution(matrix: Matrix, policies: list[Policy]) -> bool:
    """Whether, for each player, one policy on the support makes all that the opponent plays earn the same."""
    rows, columns = ([action for action, weight in enumerate(policy[0]) if weight] for policy in (policies[0], policies[-1]))
    block = [[matrix[i][j] for j in columns] for i in rows]
    views = [block] if len(policies) == 1 else [block, [list(column) for column in zip(*block, strict=True)]]
    systems = [[*([*row, -1] for row in view), [1] * len(view[0]) + [0]] for view in views]
    return all(any(_rank_modulo(system, modulus) == len(system[0]) for modulus in MODULI) for system in systems)


def _rank_modulo(equations: Matrix, modulus: int) -> int:
    rows, rank = [[entry % modulus for entry in row] for row in equations], 0
    for column in range(len(equations[0])):
        at = next((index for index, row in enumerate(rows) if row[column]), None)
        if at is not None:
            above, rank = rows.pop(at), rank + 1
            inverse = pow(above[column], -1, modulus)
            for index, row in enumerate(rows):
                if row[column]:
                    factor = row[column] * inverse
                    rows[index] = [(entry - factor * other) % modulus for entry, other in zip(row, above, strict=True)]
    return rank


def _table(given: Any) -> tuple[Matrix, int]:
    _require_keys(given, {"denominator", "numerators"}, "'table'")
    rows = given["numerators"]
    lists = rows if isinstance(rows, list) and all(isinstance(row, list) for row in rows) else [[]]
    if not (1 <= len(lists) <= LARGEST_TABLE and 1 <= len(lists[0]) <= LARGEST_TABLE and all(len(row) == len(lists[0]) for row in lists)):
        raise CertificateError(f"the table must be a list of 1 to {LARGEST_TABLE:,} rows of one length, of 1 to {LARGEST_TABLE:,} entries.")
    return [[_whole(entry, "the table") for entry in row] for row in lists], _whole(given["denominator"], "the table", 1)


def _policies(given: Any, key: str, matrix: Matrix, symmetric: bool) -> list[Policy]:
    sizes = [len(matrix)] if symmetric else [len(matrix), len(matrix[0])]
    _require(isinstance(given, list) and len(given) == len(sizes), f"'{key}' must list {'one policy' if symmetric else 'two policies'}.")
    found = []
    for policy, size in zip(given, sizes, strict=True):
        _require_keys(policy, {"denominator", "numerators"}, f"a policy of '{key}'")
        entries = policy["numerators"]
        _require(isinstance(entries, list) and len(entries) == size, f"a policy of '{key}' must have {size:,} entries, one for each action.")
        weights, total = [_whole(entry, "a policy") for entry in entries], _whole(policy["denominator"], "a policy", 1)
        _require(min(weights) >= 0 and sum(weights) == total, f"the probabilities of a policy of '{key}' must not be negative, and must sum to 1.")
        found.append((weights, total))
    return found


def _ratio(given: Any, key: str) -> tuple[int, int]:
    _require(isinstance(given, list) and len(given) == 2, f"'{key}' must be a numerator and a denominator.")
    return _whole(given[0], key), _whole(given[1], key, 1)


def _whole(given: Any, what: str, least: int | None = None) -> int:
    """An integer from decimal digits, in pieces that no limit on their length concerns."""
    if not isinstance(given, str) or len(given) > LONGEST or not re.fullmatch(r"0|-?[1-9][0-9]*", given, re.ASCII):
        raise CertificateError(f"a number of {what} is not an integer written as text, of up to {LONGEST:,} digits.")
    digits, number = given.removeprefix("-"), 0
    for start in range(0, len(digits), PIECE):
        piece = digits[start : start + PIECE]
        number = number * 10 ** len(piece) + int(piece)
    number = -number if given[0] == "-" else number
    _require(least is None or number >= least, f"a denominator of {what} must be positive.")
    return number


def _boolean(given: Any, key: str) -> bool:
    _require(isinstance(given, bool), f"'{key}' must be true or false.")
    return given


def _require_keys(given: Any, keys: set[str], what: str) -> None:
    _require(isinstance(given, dict) and set(given) == keys, f"{what} must have the keys {', '.join(sorted(keys))}, and no others.")


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise CertificateError(sentence)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise CertificateError("a key stands twice in one object.")
    return result


def _no_number(text: str) -> None:
    raise CertificateError(f"it has the number {text[:20]}; a certificate writes numbers as text, so that no reader rounds them.")


def _shown(numerator: int, denominator: int) -> str:
    """A fraction as people read it: itself where it is short, about what it is elsewhere."""
    if max(abs(numerator), denominator) < 10**12:
        return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"
    try:
        return f"about {numerator / denominator:.9g}"
    except OverflowError:
        return "a number beyond floating point"


def main(arguments: list[str]) -> int:
    """Check the one file that is named; returns the exit status."""
    if len(arguments) != 1:
        print("usage: python certificate_check.py FILE", file=sys.stderr)
        return 2
    try:
        checked = check_file(arguments[0])
    except CertificateError as error:
        print(error, file=sys.stderr)
        return 2
    print(checked)
    return 0 if checked.holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
