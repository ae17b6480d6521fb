# SPDX-License-Identifier: Apache-2.0
"""Text from hosts and imported files, made safe to show: no character of it drives a terminal or reorders a line.

What is escaped: control characters (C0 but newline and tab, DEL, C1), bidirectional controls, line and paragraph separators,
invisible format characters and lone surrogates. Each is written as JSON writes it (`\\u001b`), so that a reader sees what
came, and so that JSON text stays JSON.

Where it is done, so that no verb can forget it:
    errors                        `LabctlError`, whoever raises it (SSH, sudo, the agent's gRPC, builders, databases)
    provisioning                  `Event.printable`, in the terminal's sink, in the logs and in the plan; JSON and what a task
                                  registers keep the exact text
    facts, ping, doctor           as they are read for people; `facts --json` keeps the exact text
    a run under way               `orchestrator.runs.events`, as events are read
    journals, run.json, Touchstone's and estimates   as they are read; the files keep their bytes, also trials.parquet
    builds                        `orchestrator.build.local.heard`, line by line
    the page                      every expression of its templates
    everything that is printed    `orchestrator.cli.streams`, the net below; data in a pipe is exact (CSV, inventory)
"""

from __future__ import annotations

import re
from typing import Any

UNSAFE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0, DEL, C1
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, overrides, isolates
    r"\u2028\u2029"  # line and paragraph separators
    r"\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # invisible
    r"\ud800-\udfff"  # bytes that are no UTF-8, as surrogateescape keeps them
)
"""The inside of a regular expression's character class."""

_UNSAFE = re.compile(f"[{UNSAFE}]")
_LINE_END = re.compile(r"\s*[\r\n]\s*")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escape(character: str) -> str:
    """A character as JSON writes it: ``\\u001b``; beyond U+FFFF two such."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return _SHORT.get(character) or "".join(rf"\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def printable(text: str) -> str:
    """``text`` with what is unsafe escaped. Newlines and tabs stay; a carriage return before a newline goes."""
    if text.isprintable():  # most are, and nothing unsafe is
        return text
    return _UNSAFE.sub(lambda match: escape(match[0]), text.replace("\r\n", "\n"))


def printable_line(text: str) -> str:
    """As `printable`, for a place that has one line: the end of a line, with the blanks around it, becomes one blank."""
    return printable(_LINE_END.sub(" ", text.strip("\r\n")))


def printable_value(value: Any) -> Any:
    """A JSON value with every string of it, keys too, as `printable` has it."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_value(key): printable_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable_value(item) for item in value]
    return value
