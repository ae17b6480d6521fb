# SPDX-License-Identifier: Apache-2.0
"""The CRI's log format: every line of a container's is ``TIME STREAM F|P TEXT``; P is a part of a longer line."""

from __future__ import annotations


def without_prefixes(log: str) -> str:
    """What the container has written, parts of lines joined again. What is no line of that format is left out."""
    written: list[str] = []
    for line in log.split("\n"):
        fields = line.split(" ", 3)
        if len(fields) == 4 and fields[1] in ("stdout", "stderr"):
            written.append(fields[3] + ("" if fields[2].split(":")[0] == "P" else "\n"))
    return "".join(written)
