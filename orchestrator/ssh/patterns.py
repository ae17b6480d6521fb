# SPDX-License-Identifier: Apache-2.0
"""OpenSSH's patterns, which known_hosts and ssh_config share: ``*`` and ``?`` are the only wildcards, brackets mean themselves."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable


def matches_pattern(text: str, pattern: str) -> bool:
    """Whether the whole ``text`` is what ``pattern`` stands for.

    >>> matches_pattern("[10.0.0.7]:22", "[10.0.0.*]:22")
    True
    """
    if "*" not in pattern and "?" not in pattern:
        return text == pattern
    return _compiled(pattern).fullmatch(text) is not None


def matches_list(text: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns matches, and none that begins with ``!`` does.

    >>> matches_list("web1", ["web*", "!web2"]), matches_list("web2", ["web*", "!web2"])
    (True, False)
    """
    found = False
    for pattern in patterns:
        if pattern.startswith("!"):
            if matches_pattern(text, pattern[1:]):
                return False
        elif matches_pattern(text, pattern):
            found = True
    return found


def matches_host(name: str, patterns: str) -> bool:
    """As `matches_list`, of patterns that are joined by commas, without regard to upper and lower case."""
    return matches_list(name.lower(), patterns.lower().split(","))


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)
