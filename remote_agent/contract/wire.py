# SPDX-License-Identifier: Apache-2.0
"""Frames between controller and runner on one exec channel: a line of JSON each, a blob's bytes behind its line.

Controller to runner, after the program itself (`remote_agent.contract.bootstrap`):
    {"type": "facts"}                          gather facts
    {"type": "step", "step": {...}}            do this; many may be sent ahead
    {"type": "blob", "sha256": S, "size": N}   N raw bytes follow
    {"type": "no_blob", "sha256": S, "reason": R}   a needed blob cannot be had: the step that waits for it fails
    {"type": "end"}                            no more steps
Runner to controller, after the line MAGIC (whatever a login shell prints before it is not ours):
    {"type": "hello", "python": "3.13.5"}
    {"type": "facts", "facts": {...}}
    {"type": "need", "sha256": S}              a step waits for this blob
    {"type": "progress", "step": ID, "message": M}
    {"type": "data", "step": ID, "size": N}    N raw bytes follow: the next part of the file that the step brings back
    {"type": "outcome", "outcome": {...}}      one a step, in order
    {"type": "bye"}                            after "end"; nothing comes behind it

The controller keeps its side open until `bye`, or at least until it has written `end`: a stream that ends before `end` is a lost
controller, and the runner stops what it is doing. After a failed step with `stop_on_failure` no outcome comes for the later ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself costs the host more time to import than a whole hello
    from typing import IO, Any

MAGIC = b"labctl-runner-1\n"
CHUNK = 32 * 1024
"""Bytes written at once: paramiko's sendall of one big buffer is quadratic."""
NOISE_LIMIT = 1024 * 1024
"""Bytes that a login shell may print before MAGIC."""


class WireError(Exception):
    """The other side broke the protocol or went away in the middle of a frame."""


def write_frame(stream: IO[bytes], frame: Mapping[str, Any], flush: bool = True) -> None:
    """Write one frame and flush."""
    stream.write(packed_frame(frame))
    if flush:
        stream.flush()


def packed_frame(frame: Mapping[str, Any]) -> bytes:
    """A frame as it travels."""
    return json.dumps(frame, separators=(",", ":")).encode() + b"\n"


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


def read_hello(stream: IO[bytes]) -> dict[str, Any]:
    """Skip what a login shell prints, and return the runner's hello.

    Raises WireError where the stream ends first; its text holds the last line that came instead.
    """
    noise, last = 0, b""
    while line := stream.readline():
        if line.endswith(MAGIC):
            break
        noise, last = noise + len(line), line.strip() or last
        if noise > NOISE_LIMIT:
            raise WireError(f"no runner answered in {noise} bytes; the last line was {last[:200]!r}")
    frame = read_frame(stream)
    if frame is None or frame["type"] != "hello":
        instead = f"; the last line was {last[:200]!r}" if last else ""
        raise WireError(f"the runner did not start{instead}")
    return frame


def write_data(stream: IO[bytes], step: int, data: bytes) -> None:
    """Write a data frame and its bytes."""
    stream.write(json.dumps({"type": "data", "step": step, "size": len(data)}).encode() + b"\n")
    stream.write(data)
    stream.flush()


def read_data(stream: IO[bytes], size: int) -> bytes:
    """The bytes behind a data frame. Raises WireError where the stream ends first."""
    data = stream.read(size)
    if len(data) != size:
        raise WireError("the connection ended in the middle of a file")
    return data


def write_blob(stream: IO[bytes], sha256: str, size: int, chunks: Iterable[bytes]) -> None:
    """Write a blob frame and its bytes in slices of at most CHUNK.

    Raises WireError if ``chunks`` do not hold ``size`` bytes: the stream is then of no use any more.
    """
    write_frame(stream, {"type": "blob", "sha256": sha256, "size": size})
    sent = 0
    for chunk in chunks:
        sent += len(chunk)
        if sent > size:
            break
        for start in range(0, len(chunk), CHUNK):
            stream.write(chunk[start : start + CHUNK])
    if sent != size:
        raise WireError(f"blob {sha256[:12]} has another size than the {size} bytes that were announced")
    stream.flush()
