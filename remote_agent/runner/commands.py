# SPDX-License-Identifier: Apache-2.0
"""Commands on the host: own session and process group, both outputs kept, a deadline, and no survivors."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping

from remote_agent.runner.completed import Completed
from remote_agent.runner.interruption import Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL."""
LINGER = 0.3
"""Seconds to read on when the command has ended and a child that it left behind still holds its output open."""
_CHUNK = 65536


def run_command(
    argv: list[str], *, stdin: bytes | None, chdir: str | None, environment: Mapping[str, str], timeout: float
) -> Completed:
    """Run ``argv`` without a shell. ``environment`` is added to our own; ``timeout`` is in seconds. Raises OSError."""
    process = None
    try:
        with Held():
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=chdir,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        outputs, in_time = _pump(process, stdin, time.monotonic() + timeout)
    except BaseException:
        if process is not None:
            _end_group(process)
        raise
    if not in_time:
        _end_group(process)
    stdout, stderr = (bytes(output).decode(errors="replace") for output in outputs)
    return Completed(argv, process.wait(GRACE), stdout, stderr, not in_time)


def _pump(
    process: subprocess.Popen[bytes], stdin: bytes | None, deadline: float
) -> tuple[list[bytearray], bool]:
    """Feed and drain until the process has ended; False where the deadline came first."""
    outputs = [bytearray(), bytearray()]
    with selectors.DefaultSelector() as selector:
        assert process.stdout is not None and process.stderr is not None
        selector.register(process.stdout, selectors.EVENT_READ, outputs[0])
        selector.register(process.stderr, selectors.EVENT_READ, outputs[1])
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE, bytearray(stdin or b""))
        ended: float | None = None
        while selector.get_map():
            now = time.monotonic()
            if now >= deadline:
                return outputs, False
            if ended is None and process.poll() is not None:
                ended = now
            if ended is not None and now - ended > LINGER:
                break
            for key, _ in selector.select(min(LINGER, deadline - now)):
                _transfer(selector, key)
    try:  # it may close its outputs long before it ends
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return outputs, False
    return outputs, True


def _transfer(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    stream, buffer = key.fileobj, key.data
    if key.events & selectors.EVENT_WRITE:
        try:
            del buffer[: os.write(key.fd, buffer[:_CHUNK])]
        except BrokenPipeError:  # it does not want the rest
            buffer.clear()
        finished = not buffer
    else:
        chunk = os.read(key.fd, _CHUNK)
        buffer += chunk
        finished = not chunk
    if finished:
        selector.unregister(stream)
        stream.close()  # type: ignore[union-attr]


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the command's whole group to end, and after GRACE, or once the command itself has ended, make what is left of it."""
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
