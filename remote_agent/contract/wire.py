# SPDX-License-Identifier: Apache-2.0
"""Frames between controller and runner on one exec channel: a line of JSON each, a blob's bytes behind its line.

Controller to runner, after the program itself:
    {"type": "facts"}                          gather facts
    {"type": "step", "step": {...}}            do this; many may be sent ahead
    {"type": "blob", "sha256": S, "size": N}   N raw bytes follow
    {"type": "end"}                            no more steps
Runner to controller, after the line MAGIC (whatever a login shell prints before it is not ours):
    {"type": "hello", "python": "3.13.5"}
    {"type": "facts", "facts": {...}}
    {"type": "need", "sha256": S}              a step waits for this blob
    {"type": "progress", "step": ID, "message": M}
    {"type": "outcome", "outcome": {...}}      one a step, in order
    {"type": "bye"}                            after "end"; nothing comes behind it
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

MAGIC = b"labctl-runner-1\n"
CHUNK = 32 * 1024
"""Bytes written at once: paramiko's sendall of one big buffer is quadratic."""


class WireError(Exception):
    """The other side broke the protocol or went away in the middle of a frame."""


def write_frame(stream: IO[bytes], frame: Mapping[str, Any]) -> None:
    """Write one frame and flush."""
    stream.write(json.dumps(frame, separators=(",", ":")).encode() + b"\n")
    stream.flush()


def read_frame(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next frame, or None at the end of the stream. Raises WireError for a torn or foreign line."""
    line = stream.readline()
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise WireError("the connection ended in the middle of a frame")
    try:
        frame = json.loads(line)
    except ValueError as error:
        raise WireError(f"not a frame: {line[:80]!r}") from error
    if not isinstance(frame, dict) or "type" not in frame:
        raise WireError(f"not a frame: {line[:80]!r}")
    return frame
