"""Certificates: true ones hold, false ones are refused with the false sentence, altered and hostile ones never pass and never crash."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import re
import shutil
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mmd_games as mg
from mmd_games import certificate_check
from mmd_games.certificate_check import CertificateError, check_certificate, check_file
from mmd_games.cli import main
from mmd_games.equilibria import equilibrium_certificate, gap_certificate, write_certificate
from mmd_games.equilibria.exact.proof import decimal

from .exact_oracle import exact_equilibrium as by_oracle

GAMES = {
    "unique": mg.games.rock_paper_scissors(wins=(0.9, 0.8, 0.9)),
    "several": mg.games.cycle(n=4),
    "matrix": mg.MatrixGame([[2, -1, 5], [-3, 1, 5], [-4, -4, 0]], name="by hand"),
    "face": mg.MatrixGame([[1, 1, 3], [1, 1, 7]], name="ties"),
}


def certificate(name):
    return equilibrium_certificate(mg.nash(GAMES[name], method="exact"), GAMES[name])


CERTIFICATES = {name: certificate(name) for name in GAMES}
CERTIFICATES["gap"] = gap_certificate(GAMES["unique"], [0.5, 0.25, 0.25])
CERTIFICATES["matrix gap"] = gap_certificate(GAMES["matrix"], [0.1, 0.9, 0.0, 0.5, 0.25, 0.25])
every_certificate = pytest.mark.parametrize("name", CERTIFICATES)


CHANGED = "the file was changed after it was written: its SHA-256 does not match."


def signed(document):
    """As if the forger had known how: with the SHA-256 of the altered content."""
    content = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**content, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def forged(name, *changes):
    """A certificate with some places, paths of keys, set to other values, and signed anew."""
    document = copy.deepcopy(CERTIFICATES[name])
    for *path, last, value in changes:
        place = document
        for key in path:
            place = place[key]
        place[last] = value
    return signed(document)


def accepted(document):
    try:
        return check_certificate(document).holds
    except CertificateError:
        return False


@every_certificate
def test_what_is_true_holds(name, tmp_path):
    write_certificate(CERTIFICATES[name], tmp_path / "c.json")
    assert check_file(str(tmp_path / "c.json")).holds
    assert signed(CERTIFICATES[name]) == CERTIFICATES[name]


def test_the_statements_are_sentences():
    assert check_certificate(CERTIFICATES["matrix"]).statements == (
        "the policies are a Nash equilibrium: their duality gap is exactly 0.",
        "the value of the game is -1/7.",
        "it is strictly complementary: no equilibrium plays an action that is not played here.",
        "it is the only equilibrium.",
    )
    assert check_certificate(CERTIFICATES["several"]).statements[-1] == "there is another equilibrium, and so infinitely many."
    assert str(check_certificate(CERTIFICATES["matrix gap"])).endswith("The certificate holds.")


def test_a_gap_is_the_exact_one_of_the_floats_over_their_exact_sum():
    policy = np.array([0.1, 0.2, 0.7]) * (1 + 1e-9)
    document = gap_certificate(GAMES["unique"], policy)
    assert Fraction(*map(int, document["gap"])) == mg.exact_gap(GAMES["unique"], policy)
    assert check_certificate(document).holds
    weights = [Fraction(chance) for chance in policy.tolist()]
    assert [Fraction(int(w), int(document["policies"][0]["denominator"])) for w in document["policies"][0]["numerators"]] == [w / sum(weights) for w in weights]


@every_certificate
def test_no_digit_can_be_changed(name, tmp_path, capsys):
    """Every digit of the file, wherever it stands, to another one: of the table, a policy, the value, a name, or the fingerprint. The answer is *false*, status 1.

    A digit of a key or of the schema's name makes another document of it, of which nothing is claimed: status 2.
    """
    text = json.dumps(CERTIFICATES[name])
    names = [range(*match.span()) for match in re.finditer('"sha256"|"mmd_games.certificate/1"', text)]
    digits = [match.start() for match in re.finditer("[0-9]", text)]
    assert len(digits) > 60  # those of the fingerprint alone are about 40
    for at in digits:
        for digit in {"0", str((int(text[at]) + 1) % 10)} - {text[at]}:  # a zero in front of a number, and none of a denominator
            path = tmp_path / "c.json"
            path.write_text(text[:at] + digit + text[at + 1 :], encoding="ascii")
            status = certificate_check.main([str(path)])
            assert status == (2 if any(at in place for place in names) else 1), text[max(0, at - 40) : at + 40]
            shown = capsys.readouterr()
            assert (status == 2) == ("is not a certificate" in shown.err)
            assert (status == 1) == (shown.out == f"FALSE: {CHANGED}\n")


def test_whatever_is_changed_in_a_certificate_it_is_false_and_not_unreadable(tmp_path, capsys):
    """A policy whose probabilities no longer sum to 1, or a second equilibrium gone, is a changed certificate as much as another value is."""
    for name, key in (("several", "policies"), ("several", "another"), ("several", "table"), ("matrix", "value"), ("gap", "gap"), ("gap", "units")):
        for value in ([], None, "7", {"denominator": "0"}):
            document = {**CERTIFICATES[name], key: value}
            if key == "units" and not isinstance(value, str):
                continue
            assert check_certificate(document) == certificate_check.Checked(False, false=CHANGED)


@settings(max_examples=200)
@given(st.sampled_from(sorted(CERTIFICATES)), st.data())
def test_no_character_can_be_changed(name, data):
    text = json.dumps(CERTIFICATES[name])
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters(max_codepoint=127)) + text[at + 1 :]
    try:
        document = json.loads(changed)
    except ValueError:
        return
    assert accepted(document) == (document == CERTIFICATES[name])


def numbers(value, path=()):
    """The paths to all texts of digits."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from numbers(value[key], (*path, key))
    elif isinstance(value, str) and re.fullmatch("-?[0-9]+", value):
        yield path


def value_at(document, path):
    for key in path:
        document = document[key]
    return document


def is_true(document):
    """The statements of a forged certificate of two players, by sums of Fractions, and by the oracle where more is claimed."""
    ratios = [document.get("gap"), document.get("value"), ["1", document["table"]["denominator"]]]
    if any(ratio and int(ratio[1]) <= 0 for ratio in ratios):
        return False
    table = [[Fraction(int(entry), int(document["table"]["denominator"])) for entry in row] for row in document["table"]["numerators"]]
    if document["symmetric"] and any(table[i][j] != -table[j][i] for i in range(len(table)) for j in range(len(table))):
        return False
    policies = [[Fraction(int(entry), int(policy["denominator"])) for entry in policy["numerators"]] for policy in document["policies"]]
    received = [sum(a * y for a, y in zip(row, policies[-1], strict=True)) for row in table]
    paid = [sum(a * x for a, x in zip(column, policies[0], strict=True)) for column in zip(*table, strict=True)]
    if document["kind"] == "gap":
        return max(received) - min(paid) == Fraction(*map(int, document["gap"]))
    if not max(received) == min(paid) == Fraction(*map(int, document["value"])):
        return False
    strict = all((x > 0) != (r < max(received)) for x, r in zip(policies[0], received, strict=True))
    strict &= all((y > 0) != (r > min(paid)) for y, r in zip(policies[-1], paid, strict=True))
    if document["claims"]["strictly_complementary"] != strict:
        return False
    return document["claims"]["unique"] is not True or by_oracle(np.array(document["table"]["numerators"], dtype=float)).unique


@every_certificate
def test_a_forger_who_signs_passes_only_with_what_is_true(name):
    """Every number, one off in either direction and signed anew; where the sum of a policy is no longer 1 it is no certificate at all."""
    untouched = 0
    for path in numbers({key: value for key, value in CERTIFICATES[name].items() if key not in ("sha256", "another")}):
        for off in (-1, 1):
            document = forged(name, (*path, str(int(value_at(CERTIFICATES[name], path)) + off)))
            if path[0] == "policies":
                assert not accepted(document)
            else:
                assert accepted(document) == is_true(document), (path, off)
                untouched += accepted(document) and path[1] == "numerators"
    # In a game of two players payoffs of actions that are not played may change; elsewhere no payoff may.
    assert (untouched > 0) == (name in ("matrix", "face", "matrix gap"))


@pytest.mark.parametrize(
    ("name", "changes", "false"),
    [
        ("unique", [("claims", "strictly_complementary", False)], "the equilibrium is strictly complementary."),
        ("matrix", [("value", ["-1", "8"])], "the value of the game is not the one stated."),
        ("matrix", [("table", "numerators", 0, 0, "3")], "the policies are not a Nash equilibrium."),
        ("unique", [("table", "numerators", 0, 0, "1")], "the game is said to be symmetric, and its table is not minus its mirror image."),
        ("several", [("claims", "unique", True), ("another", None)], "it is not the only equilibrium, or that cannot be seen from its equations."),
        ("face", [("claims", "unique", True), ("another", None)], "it is not the only equilibrium, or that cannot be seen from its equations."),
        ("several", [("another", CERTIFICATES["several"]["policies"])], "the other equilibrium that is listed is none, or the same."),
        ("several", [("another", [{"denominator": "1", "numerators": ["1", "0", "0", "0"]}])], "the other equilibrium that is listed is none, or the same."),
        ("several", [("policies", CERTIFICATES["several"]["another"])], "the equilibrium is not strictly complementary."),
        ("matrix", [("policies", 0, {"denominator": "1", "numerators": ["1", "0", "0"]})], "the policies are not a Nash equilibrium."),
        ("gap", [("gap", 0, "1")], "the duality gap of the policy is not the one stated."),
        ("gap", [("policies", 0, {"denominator": "2", "numerators": ["1", "1", "0"]})], "the duality gap of the policy is not the one stated."),
    ],
)
def test_a_false_statement_is_named(name, changes, false):
    checked = check_certificate(forged(name, *changes))
    assert not checked.holds
    assert checked.false == false
    assert f"FALSE: {false}" in str(checked)


def test_an_alteration_that_leaves_all_true_is_still_one():
    document = {**CERTIFICATES["matrix"], "game": "another name"}
    assert check_certificate(document).false == CHANGED
    assert check_certificate(signed(document)).holds


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("unique", [("schema", "mmd_games.certificate/2")], "its schema is not mmd_games.certificate/1"),
        ("unique", [("kind", "proof")], "'equilibrium' or 'gap'"),
        ("unique", [("kind", "gap")], "must have the keys"),
        ("unique", [("kind", ["gap"])], "'equilibrium' or 'gap'"),
        ("unique", [("game", 7)], "'game' must be text"),
        ("unique", [("symmetric", 1)], "'symmetric' must be true or false"),
        ("matrix", [("table", "numerators", 0, ["1"])], "rows of one length"),
        ("matrix", [("table", "numerators", [["1"] * 1001])], "of 1 to 1,000 entries"),
        ("matrix", [("symmetric", True), ("table", "numerators", [["1", "2"]])], "as many rows as columns"),
        ("unique", [("table", "denominator", "0")], "must be positive"),
        ("unique", [("table", "denominator", "-1")], "must be positive"),
        ("unique", [("table", "numerators", 0, 1, "01")], "not an integer"),
        ("unique", [("table", "numerators", 0, 1, "٣")], "not an integer"),
        ("unique", [("table", "numerators", 0, 1, "1\n")], "not an integer"),
        ("unique", [("table", "numerators", 0, 1, 3)], "not an integer"),
        ("unique", [("table", "numerators", 0, 1, "1" * 50_001)], "up to 50,000 digits"),
        ("unique", [("policies", [])], "one policy"),
        ("unique", [("policies", 0, "numerators", ["1", "0"])], "3 entries"),
        ("unique", [("policies", 0, {"denominator": "1", "numerators": ["2", "-1", "0"]})], "must not be negative"),
        ("unique", [("policies", 0, {"denominator": "2", "numerators": ["1", "0", "0"]})], "sum to 1"),
        ("unique", [("value", ["1"])], "a numerator and a denominator"),
        ("unique", [("value", ["0", "0"])], "must be positive"),
        ("unique", [("claims", "unique", "yes")], "'unique' must be true or false"),
        ("unique", [("claims", "equilibrium", False)], "must be true"),
        ("unique", [("claims", "unique", False)], "a second equilibrium where 'unique' is false"),
        ("several", [("claims", "unique", None)], "a second equilibrium where 'unique' is false"),
        ("several", [("another", [])], "one policy"),
    ],
)
def test_what_is_no_certificate_is_told_from_what_is_false(name, changes, words):
    with pytest.raises(CertificateError, match=re.escape(words)):
        check_certificate(forged(name, *changes))


FIRST, SECOND, HALF = ({"denominator": str(sum(weights)), "numerators": list(map(str, weights))} for weights in ([1, 0], [0, 1], [1, 1]))


@pytest.mark.parametrize(
    ("table", "policies", "strict"),
    [
        ([["1", "3"], ["1", "7"]], [HALF, FIRST], True),  # the rows may mix, the columns may not
        ([["1", "1"], ["0", "0"]], [FIRST, HALF], True),  # the columns may mix, the rows may not
        ([["1", "1"], ["1", "0"]], [FIRST, SECOND], False),  # neither may on these supports, but the first column serves as well as the second
    ],
)
def test_the_only_equilibrium_is_that_of_both_players(table, policies, strict):
    changes = [("table", {"denominator": "1", "numerators": table}), ("policies", policies), ("value", ["1", "1"])]
    claims = {"equilibrium": True, "strictly_complementary": strict, "unique": None}
    assert check_certificate(forged("matrix", *changes, ("claims", claims))).holds
    assert check_certificate(forged("matrix", *changes, ("claims", {**claims, "unique": True}))).false.startswith("it is not the only equilibrium")


def test_a_determinant_that_one_modulus_divides_is_no_deficit():
    """Payoffs a and b on a diagonal have one equilibrium; the determinant of its equations is a + b."""
    modulus = certificate_check.MODULI[0]
    policy = {"denominator": str(modulus), "numerators": ["1", str(modulus - 1)]}
    changes = [("table", {"denominator": "1", "numerators": [[str(modulus - 1), "0"], ["0", "1"]]}), ("policies", [policy, policy])]
    assert check_certificate(forged("matrix", *changes, ("value", [str(modulus - 1), str(modulus)]))).holds


def test_less_may_be_claimed_than_is_true():
    assert check_certificate(forged("several", ("claims", "unique", None), ("another", None))).holds


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1, column 1 is not valid JSON"),
        (b"\xff\xfe", "it is not a text file"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"schema": "1", "schema": "2"}', "stands twice"),
        (b'{"schema": NaN}', "it has the number NaN"),
        (b'{"schema": ' + b"9" * 10_000 + b"}", "it has the number 9{20};"),
        (b'{"table": [10]}', "it has the number 10; a certificate writes numbers as text"),
        (b"[]", "its schema is not"),
        (b'"\\ud800"', "its schema is not"),
    ],
)
def test_hostile_files_get_a_sentence(tmp_path, content, words):
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(CertificateError, match=f"^{re.escape(str(tmp_path / 'c.json'))} is not a certificate: .*{words}"):
        check_file(str(tmp_path / "c.json"))


def test_a_document_that_can_be_read_but_not_written_again_is_a_sentence():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CertificateError, match="nested too deeply"):
        check_certificate({**CERTIFICATES["gap"], "gap": deep})


def test_a_lone_surrogate_in_a_name_is_no_crash():
    assert check_certificate(forged("unique", ("game", "\ud800"))).holds


def test_files_that_are_not_there_or_too_large(tmp_path, monkeypatch):
    for path in (tmp_path / "none", tmp_path, "a\0b"):
        with pytest.raises(CertificateError, match="cannot be read"):
            check_file(str(path))
    write_certificate(CERTIFICATES["unique"], tmp_path / "c.json")
    monkeypatch.setattr(certificate_check, "LARGEST_FILE", (tmp_path / "c.json").stat().st_size)
    assert check_file(str(tmp_path / "c.json")).holds
    monkeypatch.setattr(certificate_check, "LARGEST_FILE", (tmp_path / "c.json").stat().st_size - 1)
    with pytest.raises(CertificateError, match="larger than"):
        check_file(str(tmp_path / "c.json"))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["0", "1", "-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["numerators", "denominator", "unique"]), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(CERTIFICATES)), st.data(), anything)
def test_nothing_in_any_place_crashes_the_check(name, data, value):
    document, path = CERTIFICATES[name], []
    while isinstance(document, dict | list) and (not path or data.draw(st.booleans())):
        path.append(data.draw(st.sampled_from(sorted(document) if isinstance(document, dict) else range(len(document)))))
        document = document[path[-1]]
    forgery = forged(name, (*path, value))
    if accepted(forgery):
        assert path in (["game"], ["units"]) or is_true(forgery)


def test_numbers_beyond_the_digits_that_python_converts():
    """Payoffs a and b on a diagonal, of 5,000 digits: the policies are (b, a)/(a + b), the value is ab/(a + b)."""
    one, other = 7 * 10**5000 + 1, 3 * 10**4999 + 7
    policy = {"denominator": decimal(one + other), "numerators": [decimal(other), decimal(one)]}
    changes = [
        ("table", {"denominator": "1", "numerators": [[decimal(one), "0"], ["0", decimal(other)]]}),
        ("policies", [policy, policy]),
        ("value", [decimal(one * other), decimal(one + other)]),
    ]
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        assert check_certificate(forged("matrix", *changes)).holds
        assert not check_certificate(forged("matrix", *changes[:2], ("value", [decimal(one * other + 1), decimal(one + other)]))).holds
        with pytest.raises(ValueError, match="limit"):
            str(one)
    finally:
        sys.set_int_max_str_digits(limit)


# --- files and commands -------------------------------------------------------------------------------------------------------------------


def test_the_file_alone_checks(tmp_path):
    """Copied elsewhere, in a Python that sees no package at all; 0 true, 1 false, 2 no certificate."""
    alone = tmp_path / "check.py"
    shutil.copy(certificate_check.__file__, alone)
    write_certificate(CERTIFICATES["matrix"], tmp_path / "true.json")
    write_certificate(forged("matrix", ("value", ["1", "7"])), tmp_path / "false.json")
    for arguments, status, words in (
        (["true.json"], 0, "the only equilibrium"),
        (["false.json"], 1, "FALSE: the value of the game is not the one stated."),
        (["none.json"], 2, "cannot be read"),
        ([], 2, "usage"),
    ):
        done = subprocess.run([sys.executable, "-I", "-S", alone, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == status
        assert words in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_the_checker_imports_the_standard_library_alone():
    with open(certificate_check.__file__, encoding="utf-8") as stream:
        tree = ast.parse(stream.read())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {*sys.stdlib_module_names}


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "c.json"
    write_certificate(CERTIFICATES["unique"], path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_certificate({"schema": object()}, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.json"]
    with pytest.raises(mg.InputError, match="cannot be written"):
        write_certificate(CERTIFICATES["unique"], tmp_path / "no" / "c.json")


def test_only_what_is_proved_is_certified():
    game = GAMES["unique"]
    with pytest.raises(mg.InputError, match="has no proof"):
        equilibrium_certificate(mg.nash(game), game)
    equilibrium = mg.nash(mg.MatrixGame([[1, 0], [0, 1]], name="one"), method="exact")
    for table in ([[2, 0], [0, 2]], [[1, 0], [0, 2]]):
        with pytest.raises(mg.InputError, match="another table than that of one"):
            equilibrium_certificate(equilibrium, mg.MatrixGame(table, name="one"))
    with pytest.raises(mg.InputError, match="not of cycle"):
        equilibrium_certificate(mg.nash(game, method="exact"), mg.games.cycle(n=3))


def test_the_commands(tmp_path, capsys):
    path = tmp_path / "c.json"
    assert main(["nash", "kuhn_poker", "--method", "exact", "--certificate", str(path)]) == 0
    assert "largest support" in capsys.readouterr().out
    assert main(["check-certificate", str(path)]) == 0
    assert "The certificate holds." in capsys.readouterr().out
    document = json.loads(path.read_text())
    write_certificate({**document, "game": "another"}, path)
    assert main(["check-certificate", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["holds"] is False
    path.write_text("{}")
    assert main(["check-certificate", str(path)]) == 2
    assert capsys.readouterr().err == f"mmd-games: {path} is not a certificate: its schema is not mmd_games.certificate/1.\n"
    assert main(["nash", "rps", "--certificate", str(tmp_path / "no.json")]) == 2
    assert "--method exact" in capsys.readouterr().err
    assert not (tmp_path / "no.json").exists()
