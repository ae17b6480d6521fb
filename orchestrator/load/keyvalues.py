# SPDX-License-Identifier: Apache-2.0
"""``-e NAME=VALUE ...`` as Ansible reads it: quotes around a whole value go, all others stay, and so do most backslashes."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

_PARTS = re.compile(r"\{\{|\{%|\{#|\}\}|%\}|#\}|.", re.DOTALL)
_BLANK = " \n"
_ESCAPES = re.compile(r"\\(?:U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|N\{[^}]+\}|[\\'\"abfnrtv])")
_SIGN = re.compile(r"(?<=.)(?<!\\)=", re.DOTALL)


def words_of(text: str) -> Iterator[str]:
    """What blanks separate; quotes and braces hold together what is in them. Raises ValueError: one of them has no end."""
    word, quote, depth, before = "", "", 0, ""
    for part in _PARTS.findall(text):
        if part in _BLANK and not quote and not depth:
            if word.strip("\\"):
                yield word
            word, before = "", ""
            continue
        if part in ("'", '"') and before != "\\":
            quote = part if not quote else "" if part == quote else quote
        if len(part) == 2:
            depth = max(0, depth + (1 if part[0] == "{" else -1))
        word, before = word + part, part
    if quote or depth:
        raise ValueError("a quote or a brace has no end")
    if word.strip("\\"):
        yield word


def pair_of(word: str) -> tuple[str, str | None]:
    """Name and value; the value is None where the word has no ``=``."""
    text = _ESCAPES.sub(_decoded, word)
    sign = _SIGN.search(text)
    if sign is None:
        return text, None
    return text[: sign.start()].strip(), _without_quotes(text[sign.end() :].strip())


def _decoded(match: re.Match[str]) -> str:
    try:
        return codecs.decode(match[0], "unicode-escape")
    except UnicodeDecodeError:  # \N{no such name}
        return match[0]


def _without_quotes(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and value[-2] != "\\"
    return value[1:-1] if quoted else value


def structure_of(text: str) -> Any:
    """JSON, or else YAML. Raises ValueError."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from error
