# SPDX-License-Identifier: Apache-2.0
"""The controller's files that steps name by their content: hashed once a process, sent only to hosts that lack them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from orchestrator.files import sha256_of
from remote_agent.contract.steps import BlobRef
from remote_agent.contract.wire import CHUNK


class BlobSource(Protocol):
    """Where a host's missing files come from."""

    def path(self, sha256: str) -> Path | None:
        """The file with that content, or None where it is not known here."""


class Blobs:
    """Files by their content. Threads may share one; the lock is held while a file is hashed, so that it is hashed once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refs: dict[tuple[Path, int, int], BlobRef] = {}
        self._paths: dict[str, Path] = {}

    def add(self, path: Path) -> BlobRef:
        """The reference of a file. Raises OSError."""
        found = path.stat()
        key = (path, found.st_mtime_ns, found.st_size)
        with self._lock:
            ref = self._refs.get(key)
            if ref is None:
                digest = sha256_of(path)
                ref = self._refs[key] = BlobRef(digest, found.st_size)
                self._paths[digest] = path
            return ref

    def path(self, sha256: str) -> Path | None:
        return self._paths.get(sha256)


def chunks_of(path: Path) -> Iterator[bytes]:
    """The file's bytes, in slices. Raises OSError."""
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk
