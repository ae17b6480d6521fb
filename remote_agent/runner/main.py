# SPDX-License-Identifier: Apache-2.0
"""Where the bootstrap enters. It greets and answers for facts before it imports what takes longer, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import time

from remote_agent.contract.wire import MAGIC, WireError, read_frame, write_frame
from remote_agent.runner.interruption import Interrupted, listen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader
    from typing import IO, Any, NoReturn

CACHE = "/var/cache/labctl/blobs"
CACHE_VARIABLE = "LABCTL_BLOBS"
AGAIN_S = 0.2
_URLS = "urllib.parse"


def main(stream: BufferedReader, output: IO[bytes]) -> NoReturn:
    """Serve one controller on ``stream`` and ``output``, then end the process: 0 after `bye`, 1 after anything else."""
    code = 1
    try:
        listen()
        output.write(MAGIC)
        write_frame(output, {"type": "hello", "python": sys.version.split()[0]})
        _serve(stream, output)
        code = 0
    except WireError as error:
        _complain(str(error))
    except (Interrupted, BrokenPipeError):
        pass
    os._exit(code)  # no finalisers: the reading thread may hold the input's lock for ever


def _serve(stream: BufferedReader, output: IO[bytes]) -> None:
    first: dict[str, Any] | None = read_frame(stream)
    if first is None:
        raise WireError("the connection ended before the first frame")
    if first["type"] == "facts":
        write_frame(output, {"type": "facts", "facts": _facts()})
        first = None

    # The controller now plans: the time to import the rest.
    with _without_urls():
        from pathlib import Path

    from remote_agent.runner.blobs import BlobStore, TemporaryBlobStore
    from remote_agent.runner.inbox import Inbox
    from remote_agent.runner.session import Session

    folder = os.environ.get(CACHE_VARIABLE) or (CACHE if os.geteuid() == 0 else None)
    store = BlobStore(Path(folder)) if folder else TemporaryBlobStore(Path(os.environ.get("TMPDIR", "/tmp")))
    inbox = Inbox(stream, store, _lose, output.fileno())
    try:
        inbox.start(first)
        Session(inbox, output, store, _facts).serve()
    finally:
        store.sweep()


class _without_urls:  # contextlib is imported only later
    """Around the import of pathlib, which up to Python 3.12 imports urllib.parse, and that ipaddress, for ``as_uri`` alone."""

    def __enter__(self) -> None:
        stand_in = type(sys)(_URLS)
        stand_in.quote_from_bytes = _quote_from_bytes  # type: ignore[attr-defined]
        sys.modules.setdefault(_URLS, stand_in)

    def __exit__(self, *_: object) -> None:
        if not hasattr(sys.modules[_URLS], "__file__"):
            del sys.modules[_URLS]


def _quote_from_bytes(*args: Any) -> str:
    from urllib.parse import quote_from_bytes

    return quote_from_bytes(*args)


def _facts() -> dict[str, Any]:
    from remote_agent.host.facts import gather

    return gather()


def _lose(reason: str) -> None:
    """On the reading thread: a signal that comes just before the main thread begins to wait does not end that wait, so it comes again.

    It is ignored from the first that is noticed on (interruption.py), and this thread goes with the process.
    """
    _complain(reason)
    while True:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(AGAIN_S)


def _complain(reason: str) -> None:
    """Nobody may listen any more: a connection that is lost takes standard error with it, and what comes next must not depend on it."""
    try:
        sys.stderr.write(f"labctl: {reason}.\n")
        sys.stderr.flush()
    except OSError:
        pass
