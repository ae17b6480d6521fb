# SPDX-License-Identifier: Apache-2.0
"""The CRI's log format: every line of a container's is ``TIME STREAM F|P TEXT``; P is a part of a longer line."""

from __future__ import annotations

import datetime


def without_prefixes(log: str) -> str:
    """What the container has written, parts of lines joined again, each stream's for itself: they come in between one another.

    What is no line of that format is left out.
    """
    written: list[str] = []
    begun = {"stdout": "", "stderr": ""}
    for line in log.split("\n"):
        fields = line.split(" ", 3)
        if len(fields) < 4 or fields[1] not in begun:
            continue
        begun[fields[1]] += fields[3]
        if fields[2].split(":")[0] != "P":
            written.append(begun[fields[1]] + "\n")
            begun[fields[1]] = ""
    return "".join([*written, *begun.values()])


def logged_at(log: str, start: str) -> int | None:
    """When the runtime took in the first line that begins with ``start``, in ns since 1970; None: there is none."""
    for line in log.split("\n"):
        fields = line.split(" ", 3)
        if len(fields) == 4 and fields[3].startswith(start):
            return nanoseconds(fields[0])
    return None


def nanoseconds(time: str) -> int:
    """RFC 3339 with up to nine decimals of a second (``2026-11-24T10:00:00.123456789+00:00``), in ns since 1970."""
    zone = time.removesuffix("Z") + "+00:00" if time.endswith("Z") else time
    whole, sign, offset = zone[:19], zone[-6], zone[-5:]
    moment = datetime.datetime.fromisoformat(f"{whole}{sign}{offset}")
    fraction = zone[19:-6].removeprefix(".")
    return int(moment.timestamp()) * 10**9 + int(f"{fraction:0<9}")
