# SPDX-License-Identifier: Apache-2.0
"""How a gate is written: ``BENCHMARK[:METRIC][@CRI/OCI] <= +5%``. Pure."""

from __future__ import annotations

import re

from orchestrator.model.comparison import Gate
from orchestrator.model.errors import UsageError

FORM = "BENCHMARK[:METRIC][@CRI/OCI] <= +5%, or >= -5%"
NAME = r"[A-Za-z0-9_.-]+"
PARTS = (
    ("benchmark", re.compile(rf"\s*({NAME})"), "the name of a benchmark"),
    ("metric", re.compile(rf":({NAME})"), "the name of a metric behind the colon"),
    ("combination", re.compile(rf"@({NAME}/{NAME})"), "a combination CRI/OCI behind the @"),
    ("sign", re.compile(r"\s*(<=|>=)"), "<= or >="),
    ("percent", re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*%"), "a change in percent, like +5%"),
    ("end", re.compile(r"\s*()\Z"), "the end"),
)
INTRODUCED = {"metric": ":", "combination": "@"}
"""Parts that may be left out, by the sign that introduces them."""


def parse_gate(text: str) -> Gate:
    """Raises UsageError, which names the place where ``text`` stops being a gate."""
    found: dict[str, str] = {}
    at = start = 0
    for part, pattern, words in PARTS:
        if part in INTRODUCED and not text.startswith(INTRODUCED[part], at):
            continue
        match = pattern.match(text, at)
        if match is None:
            raise _wrong(text, at, words)
        found[part], start, at = match[1], match.start(1) if part == "percent" else start, match.end()
    change = float(found["percent"])
    if change <= -100:
        raise _wrong(text, start, "a change above -100%, as no value is below zero,")
    return Gate(
        text=text,
        benchmark=found["benchmark"],
        metric=found.get("metric"),
        combination=found.get("combination"),
        at_most=found["sign"] == "<=",
        limit=1 + change / 100,
    )


def _wrong(text: str, at: int, words: str) -> UsageError:
    at += len(text[at:]) - len(text[at:].lstrip())
    seen = f"stands {text[at:]!r}" if text[at:] else "it ends"
    return UsageError(
        f"--gate {text!r}: at character {at + 1} {seen}, where {words} should be.", f"A gate is {FORM}."
    )
