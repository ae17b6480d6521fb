# SPDX-License-Identifier: Apache-2.0
"""Documents keep the place of every value, and refuse what YAML allows and people do not mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.load.document import Place, dotted, load_document, parse_document, validate
from orchestrator.model.errors import ConfigError

FILE = Path("suite.yaml")
TEXT = """\
name: demo
plays:
  - hosts: all
    tasks: [{a: 1}, {b: two}]
"""


def refused(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, FILE)
    assert caught.value.file == FILE
    return caught.value


def test_values_are_yamls_and_places_are_where_they_stand() -> None:
    document = parse_document(TEXT, FILE)
    assert document.value == {"name": "demo", "plays": [{"hosts": "all", "tasks": [{"a": 1}, {"b": "two"}]}]}
    assert document.place(("plays", 0, "tasks", 1, "b")) == Place(4, 25)
    assert document.key_places["plays", 0, "hosts"] == Place(3, 5)
    assert document.place(("plays", 0, "nosuch", "deeper")) == document.place(("plays", 0))


def test_an_error_names_file_line_column_and_key() -> None:
    error = parse_document(TEXT, FILE).error(("plays", 0, "hosts"), "is wrong.", "Do this.")
    assert str(error) == "suite.yaml:3:12: plays[0].hosts: is wrong. Do this."
    at_key = parse_document(TEXT, FILE).error(("plays", 0, "hosts"), "is wrong.", at_key=True)
    assert (at_key.line, at_key.column) == (3, 5)


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("plays", 0, "hosts")) == "plays[0].hosts"
    assert dotted(()) == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: yes", {"a": True}),
        ("a: 0o17", {"a": "0o17"}),
        ("a: 012", {"a": 10}),
        ("a: '012'", {"a": "012"}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_types_are_those_of_yaml_1_1_as_in_ansible(text: str, value: object) -> None:
    assert parse_document(text, FILE).value == value


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "there twice"),
        ("x: {a: 1, a: 2}\n", 1, "there twice"),
        ("- {a: 1}\n- {a: 1, 'a': 2}\n", 2, "there twice"),
        ("a: [1\nb: 2\n", 2, "not valid YAML"),
        ("a: 1\n--- \nb: 2\n", 2, "more than one document"),
        ("a: !python/object:os.system {}\n", 1, "not valid YAML"),
        ("a: *nosuch\n", 1, "not valid YAML"),
        ("? [1, 2]\n: x\n", 1, "must be a plain word"),
        ("\tb: 1\n", 1, "not valid YAML"),
        ("a: \x00\n", 1, "not valid YAML"),
        ("a: 2026-13-45\n", 1, "not valid YAML"),
        ("a: &a [*a]\n", 1, "refers to itself"),
        ("é: 1\nb: \x07\n", 2, "control characters"),
        ("a: 1\nb: !!bool 7\n", 2, "this is no bool"),
        ("a: 1\nb: !!timestamp x\n", 2, "this is no timestamp"),
        (f"a: 1\nb: {'9' * 5000}\n", 2, "this is no int"),
    ],
)
def test_what_is_not_meant_is_refused(text: str, line: int | None, words: str) -> None:
    error = refused(text)
    assert words in error.message
    assert error.line == line


@pytest.mark.parametrize("text", ["[", "- ", "{a: ", "[{a: ", "!a ["])
def test_deep_nesting_is_refused_before_it_ends_the_process(text: str) -> None:
    """libyaml builds nodes recursively: 200,000 levels end the process with a signal."""
    assert "nests deeper than 400 levels" in refused(text * 200_000).message


def test_as_deep_as_is_allowed_is_read() -> None:
    value = parse_document("[" * 400 + "]" * 400, FILE).value
    assert isinstance(value, list)


def test_aliases_that_multiply_are_refused_at_their_line() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    error = refused("\n".join(lines))
    assert "aliases multiply them" in error.message
    assert error.line is not None


def test_what_is_no_text_is_refused_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "f.yml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        load_document(tmp_path / "f.yml")
    assert caught.value.line == 2


def test_a_vault_is_refused_with_what_to_do() -> None:
    error = refused("a: 1\nb: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00\n")
    assert (error.line, error.hint is not None) == (2, True)
    assert "!vault" in error.message


def test_a_file_that_is_a_vault_gets_the_same_sentence() -> None:
    error = refused("$ANSIBLE_VAULT;1.1;AES256\n3138\n")
    assert (error.message.endswith("is encrypted by ansible-vault."), error.line) == (True, 1)
    assert error.hint == refused("b: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n").hint


def test_a_password_that_begins_with_an_exclamation_mark_is_not_repeated() -> None:
    error = refused("a: 1\npassword: !hunter2\n")
    assert "hunter2" not in f"{error.message} {error.hint}"
    assert (error.line, error.hint) == (2, "Put it in quotes.")


def test_a_document_of_many_aliases_is_not_walked_forever() -> None:
    """Each level names the one before nine times: 9^9 values if they were followed one by one."""
    lines = ["l0: &l0 [x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]
    error = refused("\n".join(lines))
    assert "aliases" in error.message


def test_what_cannot_be_read_is_said_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_document(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_document(tmp_path / "binary.yaml")


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    count: int = 1


def test_a_value_becomes_a_dataclass() -> None:
    document = parse_document("things: [{name: a}, {name: b, count: 2}]", FILE)
    assert validate(document, list[Thing], ("things",)) == [Thing("a"), Thing("b", 2)]


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        ("name: a\ncount: many\n", (2, 8), "count"),
        ("count: 1\n", (1, 1), "name"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_at_its_place(text: str, place: tuple[int, int], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(parse_document(text, FILE), Thing)
    assert (caught.value.line, caught.value.column) == place
    assert caught.value.key == key


def test_what_a_file_says_neither_breaks_the_line_nor_fills_the_screen() -> None:
    told = str(ConfigError(f"there is no role '\n\x1b[31m{'x' * 5000}'.", file="a.yaml", line=3))
    assert told.startswith("a.yaml:3: there is no role '\\n\\u001b[31mxxx")
    assert len(told) < 1100
