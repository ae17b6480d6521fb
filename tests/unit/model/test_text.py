# SPDX-License-Identifier: Apache-2.0
"""Text of hosts made safe to show: nothing that drives a terminal or reorders a line is left, and nothing is lost in silence."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import HostError, LabctlError, LoginRefused
from orchestrator.model.text import printable, printable_line, printable_value

KEPT = {"\n", "\t"}
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def test_every_control_character_of_unicode_is_escaped() -> None:
    """By Unicode's own categories and classes, and not by the list that is tested."""
    for code in range(0x110000):
        character = chr(code)
        drives = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        reorders = unicodedata.bidirectional(character) in BIDIRECTIONAL
        if character not in KEPT and (drives or reorders or character in "\u200e\u200f\u061c"):
            assert printable(character).isascii(), hex(code)
            assert printable(character).startswith("\\u" if character != "\r" else "\\r"), hex(code)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\u001b]0;title\u0007"),
        ("\x9b31m", r"\u009b31m"),
        ("user\u202etxt.exe", r"user\u202etxt.exe"),
        ("50 %\r100 %", r"50 %\r100 %"),
        ("a\r\nb\n\tc", "a\nb\n\tc"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\udce9"),
        ("\U000e0041", r"\udb40\udc41"),
        ("Grüße, 日本, 👩‍💻, 5 µs, C:\\new [red]x[/red]", "Grüße, 日本, 👩‍💻, 5 µs, C:\\new [red]x[/red]"),
    ],
)
def test_what_is_unsafe_is_written_as_json_writes_it(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_safe_text_is_left_as_it_is_and_escaping_is_done_once(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_json_stays_valid_and_says_the_same(text: str) -> None:
    """JSON has no raw newline in a string; what of it is escaped is read back as it was."""
    written = json.dumps(text, ensure_ascii=False)
    assert json.loads(printable(written)) == text


def test_a_line_stays_one_line() -> None:
    text = "runc failed:\r\n  exit status 1\nhost2: complete\n"
    assert printable_line(text) == "runc failed: exit status 1 host2: complete"
    assert printable_line("a\x85b\x0bc\u2028d") == r"a\u0085b\u000bc\u2028d"


def test_values_are_made_safe_at_every_depth() -> None:
    value = {"\x1b": ["\x07", {"deep": ("\u202e", 1, None, True, 2.5)}]}
    assert printable_value(value) == {r"\u001b": [r"\u0007", {"deep": [r"\u202e", 1, None, True, 2.5]}]}


WORDS = ("said \x1b[2J\x9b.", "It said: \x1b]8;;http://x\x07\u202e.")


@pytest.mark.parametrize("error", [LabctlError(*WORDS), HostError("h1", *WORDS), LoginRefused("h1", *WORDS)])
def test_an_error_never_carries_a_hosts_escape_sequences(error: LabctlError) -> None:
    assert str(error).isascii()
    assert str(error).isprintable()
    assert str(error.args[0]).isprintable()
    assert r"\u001b[2J\u009b" in str(error)
